"""The embedded Fault Injection Service, asked as boto3 asks AWS's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.ec2 import served
from tests.unit.local_api import Clock, Machines, SpotStage, refusal
from wrapper.local.api.experiments import check_template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ec2 import Account

ROLE = "arn:aws:iam::123456789012:role/interrupts"
ACTION = "aws:ec2:send-spot-instance-interruptions"


def template(*, duration: str = "PT2M", **target: Any) -> dict[str, Any]:
    chosen = target or {"resourceTags": {"of": "mine"}}
    return {
        "description": "a rehearsal",
        "roleArn": ROLE,
        "stopConditions": [{"source": "none"}],
        "targets": {
            "one": {
                "resourceType": "aws:ec2:spot-instance",
                "selectionMode": "ALL",
                **chosen,
            }
        },
        "actions": {
            "interrupt": {
                "actionId": ACTION,
                "parameters": {"durationBeforeInterruption": duration},
                "targets": {"SpotInstances": "one"},
            }
        },
    }


class Stage(SpotStage):
    """One whose machine has a tag, with its Fault Injection Service."""

    def __init__(self, account: Account, machines: Machines, clock: Clock) -> None:
        super().__init__(account, machines, clock)
        self.fis = account.client(service="fis")

    def fulfil(self, **asked: Any) -> None:
        super().fulfil(**asked)
        self.ec2.create_tags(Resources=[self.machine], Tags=[{"Key": "of", "Value": "mine"}])

    def start(self, **how: Any) -> str:
        made = self.fis.create_experiment_template(**template(**how))["experimentTemplate"]
        started = self.fis.start_experiment(experimentTemplateId=made["id"])["experiment"]
        return str(started["id"])

    def state(self, experiment: str) -> tuple[str, str]:
        state = self.fis.get_experiment(id=experiment)["experiment"]["state"]
        return state["status"], state["reason"]

    @property
    def noticed(self) -> str | None:
        notice = self.machines.notices.get(self.machine)
        return notice.action if notice else None


@pytest.fixture
def stage() -> Iterator[Stage]:
    clock = Clock()
    machines = Machines(clock)
    with served(machines, clock) as account:
        yield Stage(account, machines, clock)


def test_an_experiment_stops_a_machine_which_its_owner_alone_starts_again(stage: Stage) -> None:
    stage.fulfil()
    experiment = stage.start()
    assert stage.state(experiment)[0] == "initiating"
    assert stage.noticed == "stop"
    assert stage.pass_(60) == ("active", "marked-for-stop-by-experiment", "running")
    assert stage.state(experiment)[0] == "completed"
    stage.pass_(60)
    assert stage.pass_(1) == ("disabled", "instance-stopped-by-experiment", "stopped")

    assert stage.pass_(86400)[2] == "stopped", "EC2 has capacity, and does not start it"
    stage.ec2.start_instances(InstanceIds=[stage.machine])
    assert stage.pass_(1) == ("active", "fulfilled", "running")


def test_an_experiment_terminates_what_was_asked_to_be(stage: Stage) -> None:
    stage.fulfil(Type="one-time", InstanceInterruptionBehavior="terminate")
    arn = f"arn:aws:ec2:us-east-1:123456789012:instance/{stage.machine}"
    stage.start(duration="PT5S", resourceArns=[arn])

    assert (stage.noticed, stage.pass_(4)[2]) == ("terminate", "running")
    stage.pass_(1)
    assert stage.pass_(1) == ("closed", "instance-terminated-by-experiment", "terminated")


def test_a_longer_wait_begins_without_a_notice_and_can_be_stopped_till_then(stage: Stage) -> None:
    stage.fulfil()
    experiment = stage.start(duration="PT5M")
    notice = stage.machines.notices[stage.machine]
    assert notice is not None
    assert (bool(notice.rebalance), stage.noticed) == (True, None)
    stage.pass_(179)
    assert stage.state(experiment)[0] == "running"

    assert stage.fis.stop_experiment(id=experiment)["experiment"]["state"]["status"] == "stopped"
    assert stage.pass_(600) == ("active", "fulfilled", "running")
    assert stage.state(experiment)[0] == "stopped"


@pytest.mark.parametrize(
    "target",
    [
        pytest.param({"resourceTags": {"of": "another"}}, id="tag"),
        pytest.param(
            {"resourceArns": ["arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789abcdef0"]},
            id="arn",
        ),
        pytest.param(
            {
                "resourceTags": {"of": "mine"},
                "filters": [{"path": "State.Name", "values": ["stopped"]}],
            },
            id="filter",
        ),
        pytest.param(
            {"resourceTags": {"of": "mine"}, "selectionMode": "PERCENT(50)"}, id="half of one"
        ),
    ],
)
def test_an_experiment_without_a_target_fails(stage: Stage, target: dict[str, Any]) -> None:
    stage.fulfil()

    assert stage.state(stage.start(**target)) == ("failed", "Target resolution returned empty set")
    assert stage.noticed is None


def test_a_machine_that_does_not_run_fails_the_experiment(stage: Stage) -> None:
    stage.fulfil()
    stage.ec2.stop_instances(InstanceIds=[stage.machine])
    stage.pass_(1)

    status, reason = stage.state(stage.start())
    assert (status, f"{stage.machine} is stopped" in reason) == ("failed", True)


def test_templates_and_experiments_are_listed_shown_and_deleted(stage: Stage) -> None:
    stage.fulfil()
    asked = template()
    made = stage.fis.create_experiment_template(
        **asked, clientToken="once", tags={"Name": "rehearsal"}
    )["experimentTemplate"]
    again = stage.fis.create_experiment_template(**asked, clientToken="once")
    assert again["experimentTemplate"]["id"] == made["id"]
    assert made["actions"] == asked["actions"]

    (listed,) = stage.fis.list_experiment_templates()["experimentTemplates"]
    assert (listed["id"], listed["tags"]) == (made["id"], {"Name": "rehearsal"})
    shown = stage.fis.get_experiment_template(id=made["id"])["experimentTemplate"]
    assert (shown["targets"], shown["roleArn"]) == (asked["targets"], ROLE)

    started = stage.fis.start_experiment(experimentTemplateId=made["id"])["experiment"]
    stage.fis.delete_experiment_template(id=made["id"])
    assert stage.fis.list_experiment_templates()["experimentTemplates"] == []
    (listed,) = stage.fis.list_experiments()["experiments"]
    assert (listed["id"], listed["experimentTemplateId"]) == (started["id"], made["id"])


@pytest.mark.parametrize("ask", ["get_experiment", "stop_experiment", "delete_experiment_template"])
def test_what_does_not_exist_is_not_found(stage: Stage, ask: str) -> None:
    code, message = refusal(lambda: getattr(stage.fis, ask)(id="EX0"))

    assert (code, "EX0 does not exist" in message) == ("ResourceNotFoundException", True)


def test_a_template_that_cannot_be_is_refused_as_fis_does(stage: Stage) -> None:
    with pytest.raises(ClientError) as caught:
        stage.fis.create_experiment_template(**template(duration="PT16M"))

    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert "PT2M to PT15M, not 'PT16M'" in caught.value.response["Error"]["Message"]


BARE = ["i-0123456789abcdef0"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        pytest.param(template(), None, id="good"),
        pytest.param({**template(), "roleArn": "arn:aws:iam::1:role/x"}, "Role ARN", id="role"),
        pytest.param({**template(), "stopConditions": []}, "stop condition", id="conditions"),
        pytest.param({**template(), "actions": {}}, "At least one action", id="no action"),
        pytest.param({**template(), "targets": {}}, "SpotInstances has to be", id="no target"),
        pytest.param(
            {**template(), "actions": {"a": {"actionId": "aws:ec2:reboot-instances"}}},
            "no action 'aws:ec2:reboot-instances'",
            id="another action",
        ),
        pytest.param(template(resourceType="aws:ec2:instance"), "resource type", id="kind"),
        pytest.param(template(resourceTags={}), "either resource ARNs or", id="neither"),
        pytest.param(
            template(resourceTags={"of": "mine"}, resourceArns=BARE),
            "either resource ARNs or",
            id="both",
        ),
        pytest.param(template(resourceArns=BARE), "not the ARN of an instance", id="bare id"),
        pytest.param(
            template(resourceTags={"of": "mine"}, selectionMode="COUNT(0)"), "COUNT(n)", id="mode"
        ),
        *(
            pytest.param(template(duration=one), "PT2M to PT15M", id=one)
            for one in ("2 minutes", "PT", "P1D", "PT2H", "PT-1M", "PT901S")
        ),
    ],
)
def test_a_template_is_checked(asked: dict[str, Any], words: str | None) -> None:
    problem = check_template(asked)

    assert (problem is None) if words is None else (words in str(problem))
