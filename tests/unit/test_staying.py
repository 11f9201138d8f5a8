"""`up --watch`: what it does when EC2 takes the machine away, and when it ends."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.conftest import PASSWORD
from tests.unit.fleet import fulfilled, image, request_spot, state, until
from tests.unit.worlds import told, world
from wrapper.deployment import bring_up, place, staying
from wrapper.deployment.wanted import Wanted
from wrapper.errors import AwsError, LockedError, NoAnswerError, RefusedError, TerraformError
from wrapper.home import Home, Place, Record, root
from wrapper.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
    from wrapper.deployment.world import World

__all__ = ["told", "world"]  # fixtures, for pytest to find here

WHERE = Place("local", "us-east-1", "123456789012")
SPOT = {"instance_id": "i-1", "spot_request_id": "sir-1", "data_volume_id": "vol-1"}


class Course:
    """What is seen, look by look, and what each `up` comes to; time passes only by waiting."""

    def __init__(self, *seen: Any, ups: tuple[Any, ...] = ()) -> None:
        self.seen, self.ups = list(seen), list(ups)
        self.now = 0.0
        self.worlds: list[World] = []
        self.wanted: list[Wanted] = []
        self.when: list[float] = []
        """The moment of each `up`."""

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        if not self.seen:
            raise KeyboardInterrupt  # nothing more to see
        self.now += seconds

    def see(self, *_: Any) -> tuple[str, str]:
        now = self.seen.pop(0)
        if isinstance(now, Exception):
            raise now
        return now, f"it is {now}"

    def up(self, world: World, wanted: Wanted) -> Any:
        self.worlds.append(world)
        self.wanted.append(wanted)
        self.when.append(self.now)
        now = self.ups.pop(0) if self.ups else "answers"
        if isinstance(now, Exception):
            raise now
        return now


@pytest.fixture
def stay(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Watches a deployment through a course; the answers that were told, then the last one."""

    def run(course: Course, **changes: Any) -> list[Any]:
        home = Home(root(world.environment) / "x")
        home.create()
        given: dict[str, Any] = {"outputs": SPOT, "settings": {"fallback": ["zone"]}} | changes
        home.remember(Record(name="x", place=WHERE, **given))
        monkeypatch.setattr(staying, "time", course)
        monkeypatch.setattr(staying, "_see", course.see)
        monkeypatch.setattr(bring_up, "up", course.up)
        wanted = Wanted(
            name="x",
            settings=Settings(),
            new_password=lambda: PASSWORD,
            watch=True,
            replace=True,
            password_said=True,
        )
        answers: list[Any] = []
        first: Any = "first"
        answers.append(staying.stay(world, wanted, first, answers.append))
        return answers

    return run


def texts(told: list[Any]) -> list[str]:
    return [one.text for one in told]


def test_while_it_runs_nothing_is_done_until_ctrl_c(
    stay: Callable[..., list[Any]], told: list[Any]
) -> None:
    course = Course(*["runs"] * 5)
    assert stay(course) == ["first"]
    assert course.when == []
    assert texts(told) == [
        "Watching x, until Ctrl-C; the notebook runs on without it",
        "x is not watched any more, and stays as it is",
    ]


def test_a_machine_that_ec2_starts_again_is_verified_and_told(
    stay: Callable[..., list[Any]],
) -> None:
    course = Course("taken", "taken", "runs", "runs", ups=("back",))
    assert stay(course) == ["back", "back"]
    (asked,) = course.wanted
    assert (asked.replace, asked.password_said, asked.watch) == (False, False, False)


def test_where_capacity_does_not_return_it_moves_as_allowed(stay: Callable[..., list[Any]]) -> None:
    course = Course(*["taken"] * 30, ups=("moved",))
    assert stay(course)[:1] == ["moved"]
    assert course.when[0] == pytest.approx(130, abs=staying.EVERY), "it was given some time"


def test_where_nothing_else_is_allowed_it_waits_for_ever(stay: Callable[..., list[Any]]) -> None:
    course = Course(*["taken"] * 500, "runs", ups=("back",))
    assert stay(course, settings={}) == ["back", "back"]
    assert len(course.when) == 1


def test_a_machine_that_ec2_ended_is_made_anew_at_once(stay: Callable[..., list[Any]]) -> None:
    course = Course("runs", "lost", "runs", ups=("anew",))
    assert stay(course, settings={}) == ["anew", "anew"]
    assert course.when == [2 * staying.EVERY]


@pytest.mark.parametrize(
    "error",
    [
        RefusedError("EC2 gives no machine.", hint="", code="capacity-not-available"),
        LockedError("locked by process 1", hint=""),
        NoAnswerError("it was taken again", hint=""),
    ],
    ids=["refused", "another command", "taken again"],
)
def test_what_may_go_better_later_is_tried_again(
    stay: Callable[..., list[Any]], error: Exception
) -> None:
    course = Course(*["lost"] * 40, ups=(error, "made"))
    assert stay(course)[0] == "made"
    first, second = course.when[:2]
    assert second - first >= staying.AGAIN


@pytest.mark.parametrize(
    "error",
    [TerraformError("broken", hint=""), NoAnswerError("its boot failed", hint="")],
    ids=["terraform", "no answer"],
)
def test_any_other_failure_is_the_users(stay: Callable[..., list[Any]], error: Exception) -> None:
    with pytest.raises(type(error)):
        stay(Course("lost", "runs", "runs", ups=(error,)))


def test_a_hiccup_of_the_api_is_told_once_and_changes_nothing(
    stay: Callable[..., list[Any]], told: list[Any]
) -> None:
    hiccup = AwsError("EC2 does not answer", hint="")
    course = Course(hiccup, hiccup, "runs")
    assert stay(course) == ["first"]
    assert texts(told).count("EC2 does not answer") == 1
    assert course.when == []


def test_who_stops_or_ends_it_is_not_worked_against(
    stay: Callable[..., list[Any]], told: list[Any]
) -> None:
    course = Course("rests", "rests", "runs", "over")
    assert stay(course) == ["first"]
    assert course.when == []
    assert texts(told)[1:] == ["x: it is rests", "x: it is over"]


@pytest.mark.parametrize(
    "changes",
    [{"outputs": {"instance_id": "i-1", "spot_request_id": ""}}, {"ended": True}],
    ids=["on-demand", "ended"],
)
def test_where_nothing_is_taken_away_it_does_not_stay(
    stay: Callable[..., list[Any]], changes: dict[str, Any]
) -> None:
    course = Course("taken")
    assert stay(course, **changes) == ["first"]
    assert course.now == 0


def test_nobody_is_asked_as_long_as_the_data_goes_along(world: World, tmp_path: Path) -> None:
    home = Home(tmp_path / "x")
    home.create()
    asks = replace(world, confirm=lambda _: False)
    home.remember(Record(name="x", place=WHERE, outputs=SPOT))
    assert staying._unattended(asks, home).confirm("move?") is True
    home.remember(Record(name="x", place=WHERE, outputs={**SPOT, "data_volume_id": None}))
    assert staying._unattended(asks, home).confirm("WHAT IS ON ITS DISK IS LOST") is False


def test_what_is_seen_of_a_machine(
    world: World, ec2: EC2Client, account: Account, name: str
) -> None:
    way = place.back_to(world, Record(name=name, place=WHERE))

    def see(machine: str, request: str | None) -> str:
        outputs = {"instance_id": machine, "spot_request_id": request}
        return staying._see(way, Record(name=name, place=WHERE, outputs=outputs))[0]

    request = request_spot(ec2, name)
    machine = fulfilled(ec2, request)
    assert see(machine, request) == "runs"
    ec2.stop_instances(InstanceIds=[machine])
    until(lambda: state(ec2, machine) == "stopped")
    assert see(machine, request) == "rests"
    ec2.start_instances(InstanceIds=[machine])
    until(lambda: state(ec2, machine) == "running")
    account.control.capacity("none", market="spot")
    account.control.interrupt(machine, after=0)
    until(lambda: state(ec2, machine) == "stopped")
    assert see(machine, request) == "taken"
    account.control.capacity("back")
    ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])
    ec2.terminate_instances(InstanceIds=[machine])
    assert see(machine, request) == "over"


def test_a_one_time_machine_that_was_taken_is_lost_and_one_that_was_ended_is_over(
    world: World, ec2: EC2Client, account: Account, name: str
) -> None:
    way = place.back_to(world, Record(name=name, place=WHERE))

    def made() -> Any:
        market: Any = {
            "MarketType": "spot",
            "SpotOptions": {
                "SpotInstanceType": "one-time",
                "InstanceInterruptionBehavior": "terminate",
            },
        }
        one: Any = ec2.run_instances(
            ImageId=image(ec2),
            InstanceType="t3.large",
            MinCount=1,
            MaxCount=1,
            InstanceMarketOptions=market,
        )["Instances"][0]
        until(lambda: state(ec2, one["InstanceId"]) == "running")
        return SimpleNamespace(id=one["InstanceId"], request=one["SpotInstanceRequestId"])

    def see(one: Any) -> str:
        outputs = {"instance_id": one.id, "spot_request_id": one.request}
        return staying._see(way, Record(name=name, place=WHERE, outputs=outputs))[0]

    taken, ended = made(), made()
    assert see(taken) == "runs"
    account.control.interrupt(taken.id, after=0)
    until(lambda: state(ec2, taken.id) == "terminated")
    assert see(taken) == "lost"
    ec2.terminate_instances(InstanceIds=[ended.id])
    assert see(ended) == "over"
