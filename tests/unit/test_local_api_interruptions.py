"""Interruptions in the embedded EC2: what the machine is told, how it ends, what comes after."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.ec2 import served
from tests.unit.local_api import Clock, Machines, SpotStage, describe, refusal, run, standing
from wrapper.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Stage(SpotStage):
    """One that tells what its machine is told."""

    def told(self) -> tuple[str | None, str, str]:
        notice = self.machines.notices.get(self.machine)
        return (notice.action, notice.time, notice.rebalance) if notice else (None, "", "")

    def stamp(self, seconds: float = 0) -> str:
        then = datetime.fromtimestamp(self.clock() + seconds, UTC)
        return then.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def stage() -> Iterator[Stage]:
    clock = Clock()
    machines = Machines(clock)
    with served(machines, clock) as account:
        yield Stage(account, machines, clock)


ONE_TIME = {"Type": "one-time", "InstanceInterruptionBehavior": "terminate"}
PERSISTENT = {"InstanceInterruptionBehavior": "terminate"}
HIBERNATE = {"InstanceInterruptionBehavior": "hibernate"}


def test_a_stop_is_noticed_two_minutes_before_and_undone_when_capacity_is_back(
    stage: Stage,
) -> None:
    stage.fulfil()
    before = describe(stage.ec2, stage.machine)
    stage.control.capacity("none")
    assert stage.pass_(600) == ("active", "fulfilled", "running"), "what runs goes on"

    at = stage.control.interrupt(stage.machine)["at"]
    assert at == stage.stamp(120)
    assert stage.told() == ("stop", stage.stamp(120), stage.stamp())
    assert stage.pass_(119) == ("active", "marked-for-stop", "running")
    assert stage.pass_(1) == ("active", "marked-for-stop", "stopping")
    assert stage.pass_(1) == ("disabled", "instance-stopped-no-capacity", "stopped")
    reason = describe(stage.ec2, stage.machine)["StateReason"]["Code"]
    assert reason == "Server.SpotInstanceShutdown"
    code, _ = refusal(lambda: stage.ec2.start_instances(InstanceIds=[stage.machine]))
    assert code == "IncorrectSpotRequestState", "EC2 alone starts it"
    assert stage.pass_(86400) == ("disabled", "instance-stopped-no-capacity", "stopped")

    stage.control.capacity("back")
    assert stage.pass_(4) == ("disabled", "instance-stopped-no-capacity", "stopped")
    assert stage.pass_(1) == ("active", "fulfilled", "pending")
    assert stage.pass_(1) == ("active", "fulfilled", "running")
    after = describe(stage.ec2, stage.machine)
    for kept in ("BlockDeviceMappings", "PrivateIpAddress"):
        assert after[kept] == before[kept]
    assert stage.told() == (None, "", "")
    assert stage.machines.stopped_by_force == []


@pytest.mark.parametrize(
    ("asked", "marked", "ended"),
    [
        pytest.param(ONE_TIME, "marked-for-termination", "closed", id="one-time"),
        pytest.param(PERSISTENT, "marked-for-termination", "open", id="persistent"),
    ],
)
def test_a_termination_closes_a_request_or_opens_it_again(
    stage: Stage, asked: dict[str, Any], marked: str, ended: str
) -> None:
    stage.fulfil(**asked)
    stage.control.capacity("none", market="spot")
    stage.control.interrupt(stage.machine, after=20)

    assert stage.told() == ("terminate", stage.stamp(20), stage.stamp())
    assert stage.pass_(19) == ("active", marked, "running")
    assert stage.pass_(1)[2] == "shutting-down"
    assert stage.pass_(1) == (ended, "instance-terminated-no-capacity", "terminated")
    reason = describe(stage.ec2, stage.machine)["StateReason"]["Code"]
    assert reason == "Server.SpotInstanceTermination"

    held = ("open", "capacity-not-available") if ended == "open" else None
    assert stage.pass_(60)[:2] == (held or ("closed", "instance-terminated-no-capacity"))
    stage.control.capacity("back")
    stage.pass_(6)
    state, _, machine = standing(stage.ec2, stage.request_id)
    assert (state == "active", machine != stage.machine) == (ended == "open", ended == "open")


def test_hibernation_begins_at_the_notice(stage: Stage) -> None:
    stage.fulfil(**HIBERNATE)
    stage.control.capacity("none")

    stage.control.interrupt(stage.machine, after=130)
    assert stage.told() == (None, "", stage.stamp())
    assert stage.pass_(10) == ("active", "marked-for-stop", "stopping")
    assert stage.told()[:2] == ("hibernate", stage.stamp())
    assert stage.machines.hibernated == [stage.machine]
    assert stage.pass_(1) == ("disabled", "instance-stopped-no-capacity", "stopped")


def test_a_long_wait_begins_with_a_recommendation_and_ends_with_a_notice(stage: Stage) -> None:
    stage.fulfil()
    recommended = stage.stamp()
    stage.control.interrupt(stage.machine, after=300)

    assert stage.pass_(179) == ("active", "fulfilled", "running")
    assert stage.told() == (None, "", recommended)
    assert stage.pass_(1) == ("active", "marked-for-stop", "running")
    assert stage.told() == ("stop", stage.stamp(120), recommended)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param({}, ("disabled", "instance-stopped-no-capacity", "stopped"), id="stop"),
        pytest.param(
            ONE_TIME, ("closed", "instance-terminated-no-capacity", "terminated"), id="terminate"
        ),
    ],
)
def test_a_plug_can_be_pulled_without_a_word(
    stage: Stage, asked: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    stage.fulfil(**asked)
    stage.control.capacity("none")
    stage.control.interrupt(stage.machine, notice=False)

    assert stage.told() == (None, "", "")
    assert stage.pass_(1) == expected
    assert stage.machines.stopped_by_force == [stage.machine]


def test_a_price_above_the_requests_interrupts_until_it_falls(stage: Stage) -> None:
    stage.fulfil(SpotPrice="0.06")
    stage.control.price("t3.large", "0.07")

    assert stage.told()[0] == "stop"
    assert stage.pass_(119) == ("active", "marked-for-stop", "running")
    stage.pass_(1)
    assert stage.pass_(1) == ("disabled", "instance-stopped-by-price", "stopped")

    stage.control.price("t3.large", "0.06")
    assert stage.pass_(6)[:2] == ("active", "fulfilled")


def test_a_recommendation_alone_ends_nothing(stage: Stage) -> None:
    stage.fulfil()
    stage.control.recommend(stage.machine)

    assert stage.told() == (None, "", stage.stamp())
    assert stage.pass_(3600) == ("active", "fulfilled", "running")


def test_an_owner_who_stops_first_has_stopped_it(stage: Stage) -> None:
    stage.fulfil()
    stage.control.interrupt(stage.machine)
    stage.ec2.stop_instances(InstanceIds=[stage.machine])
    stage.pass_(1)

    assert stage.pass_(200) == ("disabled", "instance-stopped-by-user", "stopped")
    stage.ec2.start_instances(InstanceIds=[stage.machine])
    assert stage.pass_(1) == ("active", "fulfilled", "running")
    assert stage.told() == (None, "", "")


@pytest.mark.parametrize("while_", ["running", "stopped"])
def test_a_cancelled_request_ends_with_its_interrupted_machine(stage: Stage, while_: str) -> None:
    stage.fulfil()
    stage.control.capacity("none")
    stage.control.interrupt(stage.machine, after=10)
    if while_ == "stopped":
        stage.pass_(10)
        stage.pass_(1)
    stage.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[stage.request_id])
    for _ in range(4):
        ended = stage.pass_(10)

    assert (ended[0], ended[2]) == ("cancelled", "terminated")
    stage.control.capacity("back")
    assert stage.pass_(60)[2] == "terminated"


def test_what_cannot_be_interrupted_is_refused_in_words(stage: Stage) -> None:
    ours = run(stage.ec2)
    stage.fulfil()
    stage.ec2.stop_instances(InstanceIds=[stage.machine])
    stage.pass_(1)

    for instance, words in (
        (ours, "no spot machine"),
        (stage.machine, "is stopped"),
        ("i-00000000", "no instance 'i-00000000'"),
    ):
        with pytest.raises(LocalError, match=words):
            stage.control.interrupt(instance)
    with pytest.raises(LocalError, match="is over"):
        stage.control.interrupt(stage.machine, after=-1)
    assert stage.control.describe()["interruptions"] == []


def test_interruptions_to_come_are_told(stage: Stage) -> None:
    stage.fulfil()
    stage.control.interrupt(stage.machine, after=30)

    assert stage.control.describe()["interruptions"] == [
        {
            "instance_id": stage.machine,
            "action": "stop",
            "cause": "no-capacity",
            "notice": True,
            "at": stage.stamp(30),
        }
    ]
