"""The schedule behind a machine's hours: made, moved, carried out, and nothing left of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.ec2 import served
from tests.unit.ending import PLACE
from tests.unit.fleet import fulfilled, launch, request_spot, state
from tests.unit.local_api import Clock
from tests.unit.worlds import StandIn, bare_world
from wrapper import deployment
from wrapper.aws import schedules
from wrapper.deployment import clearing, guarding, place
from wrapper.home import Home, Record, root
from wrapper.local.api.imaginary import TRANSITION_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ec2 import Account
    from wrapper.aws import Instance
    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World

NAME = "jupyter-clouds-schedule-one"


class Scene:
    """A deployment with a machine, on an account whose time passes when a test says so."""

    def __init__(self, account: Account, clock: Clock, world: World) -> None:
        self.account, self.clock, self.world = account, clock, world
        self.home = Home(root(world.environment) / "one")
        self.home.create()

    def machine(self, spot: dict[str, Any] | None = None) -> str:
        if spot is None:
            made = launch(self.account.client(), "one")
        else:
            made = fulfilled(self.account.client(), request_spot(self.account.client(), "one"))
        self.home.remember(Record("one", PLACE, outputs={"instance_id": made}))
        return made

    @property
    def record(self) -> Record:
        found = self.home.record()
        assert found
        return found

    @property
    def way(self) -> Way:
        return place.back_to(self.world, self.record)

    def guard(self, hours: float | None = 1) -> None:
        found = self.way.aws.instance(self.record.instance_id or "")
        assert found
        ends = None if hours is None else self.now + timedelta(hours=hours)
        guarding.guard(self.world, self.way, self.home, found, ends)

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)

    def schedules(self) -> list[str]:
        found = self.account.client(service="scheduler").list_schedules()["Schedules"]
        return [one["Name"] for one in found]

    def roles(self) -> list[str]:
        found = self.account.client(service="iam").list_roles()["Roles"]
        return [one["RoleName"] for one in found if "schedule" in one["RoleName"]]

    def state(self) -> str:
        return state(self.account.client(), str(self.record.instance_id))


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setattr(clearing, "AGAIN", (0.0, 0.1))
    clock = Clock()
    with served(clock=clock) as account:
        yield Scene(account, clock, bare_world(tmp_path, account, StandIn(), []))


def test_it_stops_a_machine_that_did_not_stop_by_itself_and_is_gone(scene: Scene) -> None:
    scene.machine()
    scene.guard(hours=1)
    told = scene.account.client(service="scheduler").get_schedule(Name=NAME)
    assert told["Target"]["Arn"] == "arn:aws:scheduler:::aws-sdk:ec2:stopInstances"
    assert json.loads(told["Target"]["Input"]) == {"InstanceIds": [scene.record.instance_id]}
    assert told["ActionAfterCompletion"] == "DELETE"
    scene.clock.advance(3.9 * 3600)
    assert scene.state() == "running"
    scene.clock.advance(600)
    assert scene.state() in ("stopping", "stopped")
    assert scene.schedules() == []


def test_its_role_may_stop_this_machine_alone(scene: Scene) -> None:
    machine = scene.machine()
    scene.guard()
    (role,) = scene.roles()
    iam = scene.account.client(service="iam")
    policy = iam.get_role_policy(RoleName=role, PolicyName="stop")["PolicyDocument"]
    (allowed,) = policy["Statement"]
    assert allowed["Action"] == "ec2:StopInstances"
    assert allowed["Resource"].endswith(f":instance/{machine}")


def test_more_hours_move_it(scene: Scene) -> None:
    scene.machine()
    scene.guard(hours=1)
    scene.guard(hours=9)
    assert scene.schedules() == [NAME]
    scene.clock.advance(5 * 3600)
    assert scene.state() == "running"


def test_no_limit_takes_it_away(scene: Scene) -> None:
    scene.machine()
    scene.guard()
    scene.guard(hours=None)
    assert (scene.schedules(), scene.roles(), scene.record.guard) == ([], [], {})


@pytest.mark.parametrize("how", ["stop", "down"])
def test_nothing_is_left_of_it(scene: Scene, how: str) -> None:
    scene.machine()
    scene.guard()
    assert (scene.schedules(), len(scene.roles())) == ([NAME], 1)
    # The account's time stands still: each look brings the machines forward.
    scene.clock.advance(TRANSITION_SECONDS)
    getattr(deployment, how)(scene.world, "one")
    assert (scene.schedules(), scene.roles()) == ([], [])


def test_without_permission_it_is_a_line_of_status_and_no_error(scene: Scene) -> None:
    scene.machine()
    scene.account.control.refuse("scheduler:CreateSchedule", "denied")
    scene.guard()
    told = deployment.status(scene.world, "one").guard or ""
    assert told.startswith("none but the machine itself: The AWS user may not do this")
    assert scene.roles() == []
    scene.account.control.refuse("scheduler:CreateSchedule", None)
    scene.guard()
    assert "even where it hangs" in (deployment.status(scene.world, "one").guard or "")


@pytest.mark.parametrize(
    "denied",
    [
        pytest.param(["UpdateSchedule"], id="moving it"),
        pytest.param(["UpdateSchedule", "DeleteSchedule"], id="both"),
    ],
)
def test_one_that_may_not_be_moved_is_not_left_for_ever(scene: Scene, denied: list[str]) -> None:
    scene.machine()
    scene.guard(hours=1)
    for one in denied:
        scene.account.control.refuse(f"scheduler:{one}", "denied")
    scene.guard(hours=9)
    assert "none but the machine itself" in (deployment.status(scene.world, "one").guard or "")
    for one in denied:
        scene.account.control.refuse(f"scheduler:{one}", None)
    scene.clock.advance(TRANSITION_SECONDS)
    deployment.down(scene.world, "one")
    assert (scene.schedules(), scene.roles()) == ([], [])


def test_accounts_see_their_own_roles(scene: Scene) -> None:
    scene.machine()
    scene.guard()
    with served() as other:
        assert other.client(service="iam").list_roles()["Roles"] == []
    assert scene.roles()


def test_a_machine_that_is_gone_is_guarded_by_nobody(scene: Scene) -> None:
    machine = scene.machine()
    scene.guard()
    scene.account.client().terminate_instances(InstanceIds=[machine])
    assert scene.state() == "shutting-down"
    assert deployment.status(scene.world, "one").guard is None


@pytest.mark.parametrize(("persistent", "action"), [(True, "stop"), (False, "terminate")])
def test_a_one_time_machine_is_ended_since_it_cannot_be_stopped(
    scene: Scene, persistent: bool, action: str
) -> None:
    ec2 = scene.account.client()
    if persistent:
        machine = fulfilled(ec2, request_spot(ec2, "one"))
    else:
        machine = launch(ec2, "one", InstanceMarketOptions={"MarketType": "spot"})
    found: Instance | None = None
    scene.home.remember(Record("one", PLACE, outputs={"instance_id": machine}))
    found = scene.way.aws.instance(machine)
    assert found
    request = found.spot_request_id
    outputs = {"instance_id": machine, "spot_request_id": request}
    scene.home.remember(Record("one", PLACE, outputs=outputs, request_ids=(str(request),)))
    scene.guard()
    told = scene.account.client(service="scheduler").get_schedule(Name=NAME)
    assert told["Target"]["Arn"].endswith(f":{action}Instances")
    scene.clock.advance(5 * 3600)
    ended = {"stop": ("stopping", "stopped"), "terminate": ("shutting-down", "terminated")}
    assert scene.state() in ended[action]


@pytest.mark.parametrize("region", ["us-east-1", "ap-southeast-1", "us-gov-west-1"])
def test_no_two_names_share_a_role(region: str) -> None:
    alike = ["a-course-of-the-winter-term-1", "a-course-of-the-winter-term-2", "a" * 32, "one"]
    roles = {schedules.role_name(name, region) for name in alike}
    assert len(roles) == len(alike)
    assert all(len(one) <= 64 and one.endswith(f"-{region}") for one in roles)
    assert f"jupyter-clouds-schedule-one-{region}" in roles


def test_a_schedule_needs_a_role_that_is_there(scene: Scene) -> None:
    target = {
        "Arn": "arn:aws:scheduler:::aws-sdk:ec2:stopInstances",
        "RoleArn": "arn:aws:iam::123456789012:role/nobody",
        "Input": "{}",
    }
    scene.machine()
    client = scene.account.client(service="scheduler")
    with pytest.raises(client.exceptions.ValidationException, match="execution role"):
        client.create_schedule(
            Name="x",
            ScheduleExpression="at(2030-01-01T00:00:00)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=target,
        )
