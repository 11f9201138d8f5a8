"""An interruption sent through FIS, against the embedded EC2's own; and what a console tells."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit import fleet
from tests.unit.conftest import QUICK, free_port
from tests.unit.ending import ONE_TIME, Killed
from tests.unit.worlds import told, world
from wrapper import console, deployment
from wrapper.aws import Aws
from wrapper.console import Noticed, Rescued
from wrapper.deployment import coming_back, place, rehearsing
from wrapper.deployment.events import Warned
from wrapper.errors import AwsError, RequestError, UsageError
from wrapper.home import Home, Place, Record, root

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
    from wrapper.deployment.world import World

__all__ = ["told", "world"]  # fixtures, for pytest to find here

TOLD = """\
[   12.1] systemd[1]: Started
jupyter-clouds: notice kind=rebalance noticeTime=2026-11-23T10:09:00Z
jupyter-clouds: notice kind=interruption action=stop time=2026-11-23T10:11:12Z
jupyter-clouds: rescue step=documents seconds=0.4 ok=3
jupyter-clouds: rescue step=git seconds=1.2 ok=0 failed=1
a cell prints jupyter-clouds: rescue done seconds=0.1
jupyter-clouds: rescue done seconds=1.9
jupyter-clouds: rescue step=documents seconds=0.4 ok=many
jupyter-clouds: rescue done seconds=2."""


def test_a_console_tells_what_was_saved_at_a_notice() -> None:
    assert console.rescues(TOLD) == (
        Noticed("rebalance", "noticeTime=2026-11-23T10:09:00Z"),
        Noticed("interruption", "action=stop time=2026-11-23T10:11:12Z"),
        Rescued("documents", 0.4, ok=3),
        Rescued("git", 1.2, ok=0, failed=1),
        Rescued("", 1.9),
    )
    assert console.rescues("") == ()


@pytest.fixture
def spot(ec2: EC2Client, name: str) -> str:
    """A running spot machine."""
    return fleet.fulfilled(ec2, fleet.request_spot(ec2, name))


def roles(account: Account) -> list[str]:
    """Roles that a rehearsal has made."""
    found = account.client(service="iam").list_roles()["Roles"]
    return [one["RoleName"] for one in found if "interrupt" in one["RoleName"]]


def test_fis_interrupts_that_machine_and_nothing_is_left_of_the_sending(
    aws: Aws, account: Account, ec2: EC2Client, name: str, spot: str
) -> None:
    other = fleet.fulfilled(ec2, fleet.request_spot(ec2, name))
    fis = account.client(service="fis")
    with aws.interruption(name, spot, seconds=1) as check_sent:
        (role,) = roles(account)
        (template,) = fis.list_experiment_templates()["experimentTemplates"]
        policy = account.client(service="iam").get_role_policy(
            RoleName=role, PolicyName="interrupt"
        )["PolicyDocument"]
        resources = [one["Resource"] for one in policy["Statement"] if "Send" in str(one)]
        assert resources == [f"arn:aws:ec2:us-east-1:123456789012:instance/{spot}"]
        described = fis.get_experiment_template(id=template["id"])["experimentTemplate"]
        (action,) = described["actions"].values()
        assert action["parameters"] == {"durationBeforeInterruption": "PT1S"}
        fleet.until(lambda: fleet.state(ec2, spot) == "stopped")
        check_sent()
    assert (roles(account), fis.list_experiment_templates()["experimentTemplates"]) == ([], [])
    assert fleet.state(ec2, other) == "running"
    aws.end_machines(name, instance_ids=[spot, other])


def test_a_role_of_ones_own_is_used_and_stays(
    aws: Aws, account: Account, name: str, spot: str
) -> None:
    iam = account.client(service="iam")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    arn = iam.create_role(RoleName="mine-to-interrupt", AssumeRolePolicyDocument=trust)["Role"][
        "Arn"
    ]
    with aws.interruption(name, spot, seconds=120, role_arn=arn):
        assert roles(account) == ["mine-to-interrupt"]
    assert roles(account) == ["mine-to-interrupt"]
    iam.delete_role(RoleName="mine-to-interrupt")
    aws.end_machines(name, instance_ids=[spot])


def test_nothing_is_left_of_a_sending_that_failed(aws: Aws, account: Account, name: str) -> None:
    with (
        pytest.raises(Exception, match=r"not sent|empty"),
        aws.interruption(name, "i-0123456789abcdef0", seconds=120) as check_sent,
    ):
        check_sent()
    fis = account.client(service="fis")
    assert (roles(account), fis.list_experiment_templates()["experimentTemplates"]) == ([], [])


def test_a_region_without_fis_is_told_and_the_role_is_gone(
    account: Account, name: str, spot: str
) -> None:
    nowhere = {"AWS_ENDPOINT_URL_FIS": f"http://127.0.0.1:{free_port()}"}
    aws = Aws(environment=account.environment | nowhere, pace=QUICK)
    with (
        pytest.raises(RequestError, match="does not answer in us-east-1"),
        aws.interruption(name, spot, seconds=120),
    ):
        pytest.fail("it was sent")
    assert roles(account) == []
    aws.end_machines(name, instance_ids=[spot])


@pytest.mark.parametrize(
    ("seconds", "written"), [(120, "PT2M"), (90, "PT90S"), (900, "PT15M"), (1, "PT1S")]
)
def test_a_duration_is_written_as_fis_reads_it(seconds: int, written: str) -> None:
    from wrapper.aws import fis  # noqa: PLC0415 (loads boto3)

    assert fis._duration(seconds) == written


@pytest.fixture
def known(world: World, name: str) -> Callable[..., Record]:
    """Makes this computer know of the deployment."""

    def remember(kind: str = "local", **outputs: Any) -> Record:
        home = Home(root(world.environment) / name)
        home.create()
        where = Place(kind, "us-east-1", "123456789012")  # type: ignore[arg-type] # one of two
        return home.remember(Record(name=name, place=where, outputs=outputs))

    return remember


@pytest.fixture
def killed(
    world: World,
    ec2: EC2Client,
    name: str,
    known: Callable[..., Record],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[], str]:
    """Kills a rehearsal while its interruption is under way; the mark of what it leaves."""
    request = fleet.request_spot(ec2, name)
    known(instance_id=fleet.fulfilled(ec2, request), spot_request_id=request)
    whole, begun = Aws.interruption, list[Any]()

    def die(*given: Any, **more: Any) -> None:
        begun.append(whole(*given, **more))  # held: whoever is killed does not end it
        begun[-1].__enter__()
        raise Killed

    def kill() -> str:
        with monkeypatch.context() as patch:
            patch.setattr(Aws, "interruption", die)
            with pytest.raises(Killed):
                deployment.interrupt(world, name)
        record = Home(root(world.environment) / name).record()
        assert record
        assert record.rehearsal
        return record.rehearsal

    return kill


def left(account: Account, mark: str) -> list[str]:
    """Roles and templates of one sending."""
    templates = account.client(service="fis").list_experiment_templates()["experimentTemplates"]
    return [
        *(one for one in roles(account) if one.endswith(mark)),
        *(one["id"] for one in templates if mark in one["tags"].values()),
    ]


def test_down_removes_what_a_killed_rehearsal_has_left(
    world: World, account: Account, name: str, killed: Callable[[], str]
) -> None:
    mark = killed()
    assert len(left(account, mark)) == 2
    deployment.down(world, name)
    assert left(account, mark) == []


def test_the_next_rehearsal_removes_what_a_killed_one_has_left(
    world: World, account: Account, name: str, killed: Callable[[], str]
) -> None:
    first = killed()
    second = killed()
    assert left(account, first) == []
    assert len(left(account, second)) == 2
    deployment.down(world, name)
    assert left(account, second) == []


def test_what_a_killed_rehearsal_may_have_left_is_told_where_nobody_can_look(
    world: World, name: str, killed: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = killed()

    def refuse(*_: Any) -> None:
        raise AwsError("AccessDenied", hint="")

    monkeypatch.setattr(Aws, "clear_interruption", refuse)
    told: list[Any] = []
    assert deployment.down(replace(world, report=told.append), name).left == ()
    warned = [one.text for one in told if isinstance(one, Warned)]
    assert any(mark in text and "docs/creates.md" in text for text in warned)


def test_a_one_time_machine_is_gone_and_what_helps_is_told(
    world: World, ec2: EC2Client, name: str, known: Callable[..., Record]
) -> None:
    machine = fleet.launch(ec2, name, InstanceMarketOptions=ONE_TIME)
    known(instance_id=machine)
    told: list[Any] = []
    found = deployment.interrupt(replace(world, report=told.append), name, after=1)
    assert fleet.state(ec2, machine) == "terminated"
    assert (found.url, found.capacity_to_answering) == (None, None)
    assert found.notice_to_stopped
    assert "up makes another, with the data" in told[-1].text


def test_whoever_waits_for_a_machine_that_a_rehearsal_has_stopped_may_start_it(
    world: World, aws: Aws, ec2: EC2Client, name: str, known: Callable[..., Record]
) -> None:
    request = fleet.request_spot(ec2, name)
    machine = fleet.fulfilled(ec2, request)
    record = known(instance_id=machine, spot_request_id=request)
    with aws.interruption(name, machine, seconds=1):
        fleet.until(lambda: fleet.state(ec2, machine) == "stopped")
    assert coming_back.wait(world, place.back_to(world, record), record, patience=20)
    assert fleet.state(ec2, machine) == "stopped", "EC2 never starts it"
    aws.end_machines(name, request_ids=[request], instance_ids=[machine])


def test_an_on_demand_machine_is_not_interrupted(
    world: World, ec2: EC2Client, name: str, known: Callable[..., Record]
) -> None:
    known(instance_id=fleet.launch(ec2, name))
    with pytest.raises(UsageError, match="on-demand: EC2 interrupts spot machines only") as raised:
        deployment.interrupt(world, name)
    assert "--spot" in (raised.value.hint or "")


def test_on_aws_the_notice_is_two_minutes_at_least(known: Callable[..., Record]) -> None:
    on_aws = known("aws")
    with pytest.raises(UsageError, match="120 to 900 seconds"):
        rehearsing._seconds(on_aws, 30)
    assert rehearsing._seconds(on_aws, None) == 120
    assert rehearsing._seconds(known("local"), 3) == 3
