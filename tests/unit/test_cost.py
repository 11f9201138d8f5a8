"""`cost`: from the journal and the account, with every assumption said."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.ec2 import served
from tests.unit.ending import PLACE
from tests.unit.fleet import data_volume, fulfilled, launch, request_spot, state, until
from tests.unit.local_api import Machines
from tests.unit.worlds import StandIn, bare_world, told, world
from wrapper import clock, deployment, journal
from wrapper.deployment import answering, remembering, spent
from wrapper.deployment.events import Warned
from wrapper.errors import NoAnswerError, UnknownDeploymentError, UsageError
from wrapper.home import Home, Record, root
from wrapper.journal import Machine
from wrapper.local import Status
from wrapper.spending import Moment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
    from wrapper.deployment.world import World

__all__ = ["told", "world"]  # fixtures, for pytest to find here

ZONE = "us-east-1a"
GONE = "i-0123456789abcdef0"


@pytest.fixture
def home(world: World, name: str) -> Home:
    made = Home(root(world.environment) / name)
    made.create()
    made.remember(Record(name, PLACE))
    return made


def remember(home: Home, machine: str, **more: Any) -> None:
    outputs = {"instance_id": machine}
    home.remember(Record(home.name, PLACE, outputs=outputs, instance_ids=(machine,), **more))


def ran(home: Home, began: datetime, ended: datetime, machine: Machine) -> None:
    journal.add_moment(home, Moment(began, "started", GONE), machine)
    journal.add_moment(home, Moment(ended, "stopped", GONE), machine)


def test_spot_hours_are_priced_by_the_history_of_their_zone(
    world: World, ec2: EC2Client, home: Home
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    began, ended = now - timedelta(days=3), now - timedelta(days=1)
    ran(home, began, ended, Machine("t3.large", ZONE, "spot", "9.0"))
    history = ec2.describe_spot_price_history(
        InstanceTypes=["t3.large"], AvailabilityZone=ZONE, StartTime=began, EndTime=ended
    )["SpotPriceHistory"]
    expected = sum(
        float(
            max(
                (one for one in history if one["Timestamp"] <= began + timedelta(hours=hour)),
                key=lambda one: one["Timestamp"],
            )["SpotPrice"]
        )
        for hour in range(48)
    )
    (found,) = deployment.cost(world, home.name)
    assert found.hours == 48
    assert found.machines == pytest.approx(expected, abs=0.0002)
    assert found.total == found.machines
    assert any("price when each hour of a run began" in text for text in found.assumptions)
    (half,) = deployment.cost(world, home.name, since="2d")
    assert half.hours == pytest.approx(24, abs=0.1)
    assert 0 < half.total < found.total


def test_what_another_computer_did_is_found_in_cloudtrail(
    world: World, ec2: EC2Client, home: Home
) -> None:
    machine = launch(ec2, home.name)
    remember(home, machine, hourly_price="3.6")
    ec2.stop_instances(InstanceIds=[machine])
    until(lambda: state(ec2, machine) == "stopped")
    ec2.start_instances(InstanceIds=[machine])
    until(lambda: state(ec2, machine) == "running")
    (found,) = deployment.cost(world, home.name)
    assert [run.ended is None for run in found.runs] == [False, True]
    assert {run.market for run in found.runs} == {"on-demand"}
    assert any("by CloudTrail's events of 90 days" in text for text in found.assumptions)


def _nobody(*_: Any, **__: Any) -> Any:
    raise NoAnswerError("Nobody answers.", hint="")


def test_the_night_after_an_end_from_inside_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[Any]
) -> None:
    machines = Machines()
    with served(machines) as account:
        ec2 = account.client()
        world = replace(bare_world(tmp_path, account, StandIn(), told), pin=_nobody)
        home = Home(root(world.environment) / "night")
        home.create()
        machine = launch(ec2, home.name)
        remember(home, machine, hourly_price="3.6")
        deployment.cost(world, home.name)
        machines.decided[machine] = "stopped"
        until(lambda: state(ec2, machine) == "stopped")

        def answer(*_: Any) -> Any:
            ec2.start_instances(InstanceIds=[machine])
            until(lambda: state(ec2, machine) == "running")

        monkeypatch.setattr(answering, "answer", answer)
        deployment.start(world, home.name)
        (found,) = deployment.cost(world, home.name)
    assert [run.ended is None for run in found.runs] == [False, True]
    # CloudTrail knows both starts, and no end: nobody called for one.
    assert not any("nobody saw the end" in text for text in found.assumptions)


def test_a_machine_knows_better_than_who_saw_it_last(world: World, home: Home) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    began, went, seen = (now - timedelta(hours=hours) for hours in (20, 18, 2))
    ran(home, began, seen, Machine("t3.large", ZONE, "on-demand", "0.1"))
    known = SimpleNamespace(last_ended=went.isoformat().replace("+00:00", "Z"))
    found: Any = SimpleNamespace(instance_id=GONE, launched_at=seen + timedelta(minutes=1))
    for _ in range(2):
        remembering.hear(world, home, found, known)  # type: ignore[arg-type] # as much as is asked
    (spent_,) = deployment.cost(world, home.name)
    assert spent_.hours == 2
    # Older than its start it must be: clocks go wrong.
    found.launched_at = began
    known.last_ended = (began + timedelta(hours=1)).isoformat()
    remembering.hear(world, home, found, known)  # type: ignore[arg-type] # likewise
    assert deployment.cost(world, home.name)[0].hours == 2


@pytest.fixture
def denied(account: Account) -> Iterator[None]:
    actions = ("cloudtrail:LookupEvents", "ec2:DescribeSpotPriceHistory")
    for one in actions:
        account.control.refuse(one, "denied")
    yield
    for one in actions:
        account.control.refuse(one, None)


@pytest.mark.usefixtures("denied")
def test_without_permission_it_is_less_exact_and_says_so(world: World, home: Home) -> None:
    now = datetime.now(UTC)
    began = now - timedelta(hours=10)
    ran(home, began, now - timedelta(hours=5), Machine("t3.large", ZONE, "spot", "0.5"))
    (found,) = deployment.cost(world, home.name)
    assert found.machines == pytest.approx(2.5, abs=0.001)
    said = "\n".join(found.assumptions)
    assert re.search("CloudTrail: The AWS user may not do this .*LookupEvents", said)
    assert "t3.large: at $0.5 an hour, as it was at its start." in said


def test_a_machine_costs_what_its_type_did_then(world: World, home: Home) -> None:
    now = datetime.now(UTC)
    for hours, kind in ((9, "t3.large"), (5, "t3.xlarge")):
        began = now - timedelta(hours=hours)
        ran(home, began, began + timedelta(hours=2), Machine(kind, ZONE, "on-demand"))
    (found,) = deployment.cost(world, home.name)
    assert [run.instance_type for run in found.runs] == ["t3.large", "t3.xlarge"]
    small, large = (run.dollars or 0 for run in found.runs)
    assert large == pytest.approx(2 * small, rel=0.01)


def test_a_place_that_cannot_be_asked_leaves_the_journal(home: Home, world: World) -> None:
    class Stopped:
        def status(self) -> Status:
            return Status(running=False)

    gone = replace(world, embedded=Stopped)  # type: ignore[arg-type] # as much as is asked
    now = datetime.now(UTC)
    machine = Machine("t3.large", ZONE, "on-demand", "0.1")
    ran(home, now - timedelta(hours=4), now - timedelta(hours=2), machine)
    (found,) = deployment.cost(gone, home.name)
    assert found.machines == pytest.approx(0.2, abs=0.001)
    assert "this computer's journal decides" in found.assumptions[0]


def test_a_machine_that_ec2_took_within_the_hour_costs_nothing(
    world: World, account: Account, ec2: EC2Client, home: Home
) -> None:
    request = request_spot(ec2, home.name)
    machine = fulfilled(ec2, request)
    remember(home, machine)
    (before,) = deployment.cost(world, home.name)
    assert before.machines > 0, "a minute at least"
    account.control.capacity("none", market="spot")
    try:
        account.control.interrupt(machine, after=0)
        until(lambda: state(ec2, machine) == "stopped")
        deployment.status(world, home.name)
        (found,) = deployment.cost(world, home.name)
    finally:
        account.control.capacity("back")
        ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])
        ec2.terminate_instances(InstanceIds=[machine])
    assert found.machines == 0
    assert [(run.instance_id, run.dollars) for run in found.runs] == [(machine, 0.0)]
    lines = journal.read(home).moments
    assert [one.what for one in lines] == ["started", "interrupted"]


def test_disks_and_addresses_are_remembered_when_they_are_gone(
    world: World, ec2: EC2Client, home: Home
) -> None:
    volume = data_volume(ec2, home.name)
    deployment.cost(world, home.name)
    ec2.delete_volume(VolumeId=volume)
    deployment.cost(world, home.name)
    (kept,) = journal.read(home).kept.values()
    assert (kept.id, kept.gib, kept.ended is None) == (volume, 50, False)


def test_it_outlives_down(world: World, home: Home) -> None:
    now = datetime.now(UTC)
    machine = Machine("t3.large", ZONE, "on-demand", "1")
    ran(home, now - timedelta(hours=2), now - timedelta(hours=1), machine)
    record = home.record()
    assert record
    home.end(record)
    assert home.is_bare()
    (found,) = deployment.cost(world)
    assert (found.name, found.hours) == (home.name, 1)


def test_a_damaged_line_is_left_out_and_counted(world: World, home: Home) -> None:
    now = datetime.now(UTC)
    machine = Machine("t3.large", ZONE, "on-demand", "1")
    ran(home, now - timedelta(hours=2), now - timedelta(hours=1), machine)
    with (home.path / "journal.jsonl").open("a") as stream:
        stream.write('{"at": "2026-1')
    (found,) = deployment.cost(world, home.name)
    assert found.hours == 1
    assert any(text.startswith("1 lines of the journal") for text in found.assumptions)


def test_the_list_has_the_sum_so_far(world: World, home: Home) -> None:
    assert [one.spent for one in deployment.every(world)] == [None]
    now = datetime.now(UTC)
    machine = Machine("t3.large", ZONE, "on-demand", "0.25")
    ran(home, now - timedelta(hours=5), now - timedelta(hours=1), machine)
    assert [one.spent for one in deployment.every(world)] == [1.0]


def test_a_wrong_clock_is_told_of_and_not_believed(
    world: World, home: Home, told: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = datetime.now(UTC) + timedelta(minutes=90)
    monkeypatch.setattr(spent, "_here", lambda: fast)
    (found,) = deployment.cost(world, home.name)
    assert datetime.fromisoformat(found.until) < fast - timedelta(minutes=80)
    (warned,) = [one for one in told if isinstance(one, Warned)]
    assert "clock is 90 minutes fast" in warned.text
    assert clock.command() in warned.text


@pytest.mark.parametrize("when", ["2999-01-01", "soon"])
def test_a_beginning_that_is_none_is_refused(world: World, home: Home, when: str) -> None:
    with pytest.raises(UsageError, match="--since"):
        deployment.cost(world, home.name, since=when)


def test_an_unknown_name_is_refused(world: World, home: Home) -> None:
    with pytest.raises(UnknownDeploymentError, match=f"There is: {home.name}"):
        deployment.cost(world, "nothere")


def test_cloudtrail_answers_page_by_page_the_newest_first(
    account: Account, ec2: EC2Client, name: str
) -> None:
    machine = launch(ec2, name)
    ec2.reboot_instances(InstanceIds=[machine])
    ec2.terminate_instances(InstanceIds=[machine])
    trail = account.client(service="cloudtrail")
    by = [{"AttributeKey": "ResourceName", "AttributeValue": machine}]
    pages = trail.get_paginator("lookup_events").paginate(
        LookupAttributes=by, PaginationConfig={"PageSize": 2}
    )
    found = [[one["EventName"] for one in page["Events"]] for page in pages]
    assert found == [["TerminateInstances", "RebootInstances"], ["RunInstances"]]
    elsewhere = account.client("eu-west-1", "cloudtrail")
    assert elsewhere.lookup_events(LookupAttributes=by)["Events"] == []
    before = datetime.now(UTC) - timedelta(hours=1)
    assert trail.lookup_events(LookupAttributes=by, EndTime=before)["Events"] == []
