"""Experiments of the Fault Injection Service that interrupt spot machines.

The action: https://docs.aws.amazon.com/fis/latest/userguide/fis-actions-reference.html#send-spot-instance-interruptions
Its targets: https://docs.aws.amazon.com/fis/latest/userguide/targets.html
What comes of it: https://docs.aws.amazon.com/fis/latest/userguide/fis-tutorial-spot-interruptions.html
When an experiment is over is ours: as soon as every machine has its notice. After that a stop
takes nothing back.
"""

from __future__ import annotations

import random
import re
import secrets
import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from wrapper.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wrapper.local.api.backend import Ec2

ACTION: Final = "aws:ec2:send-spot-instance-interruptions"
RESOURCE: Final = "aws:ec2:spot-instance"
DURATION: Final = "durationBeforeInterruption"
LONGEST: Final = 15 * 60.0
"""Of AWS. Its shortest is two minutes; here it may be less, so that a rehearsal need not wait."""
MOST_MACHINES: Final = 5
"""https://docs.aws.amazon.com/fis/latest/userguide/fis-quotas.html"""
Status = Literal["initiating", "running", "completed", "stopped", "failed"]


def new_id(kind: Literal["EXT", "EXP"]) -> str:
    """An id of a template or an experiment."""
    letters = string.ascii_letters + string.digits
    return kind + "".join(secrets.choice(letters) for _ in range(15))


def seconds_of(duration: str) -> float | None:
    """An ISO 8601 duration of minutes and seconds; None for what is none, or too long."""
    match = re.fullmatch(r"PT(?=\d)(?:(\d{1,4})M)?(?:(\d{1,5})S)?", duration)
    if not match:
        return None
    minutes, seconds = (float(part or 0) for part in match.groups())
    total = 60 * minutes + seconds
    return total if total <= LONGEST else None


@dataclass
class Template:
    """What CreateExperimentTemplate was given, checked."""

    asked: Mapping[str, Any]
    arn: str
    made: float
    id: str

    def describe(self) -> dict[str, Any]:
        """As GetExperimentTemplate shows it."""
        return {
            "id": self.id,
            "arn": self.arn,
            "description": self.asked["description"],
            "targets": self.asked.get("targets", {}),
            "actions": self.asked["actions"],
            "stopConditions": self.asked["stopConditions"],
            "creationTime": self.made,
            "lastUpdateTime": self.made,
            "roleArn": self.asked["roleArn"],
            "tags": self.asked.get("tags", {}),
            "experimentOptions": self.asked.get("experimentOptions", {}),
            "targetAccountConfigurationsCount": 0,
        }


@dataclass
class Experiment:
    """One run of a template."""

    template: Mapping[str, Any]
    arn: str
    id: str
    made: float
    tags: Mapping[str, str]
    backend: Ec2
    clock: Callable[[], float]
    status: Status = "initiating"
    reason: str = "Experiment is initiating."
    ended: float | None = None
    machines: list[Any] = field(default_factory=list)

    def run(self) -> None:
        """Its targets are chosen and the interruptions ordered, or it failed."""
        actions = self.template["actions"].values()
        chosen = [(action, self._targets(action)) for action in actions]
        if not all(machines for _, machines in chosen):
            self._end("failed", "Target resolution returned empty set")
            return
        if any(len(machines) > MOST_MACHINES for _, machines in chosen):
            self._end("failed", f"Target resolution returned more than {MOST_MACHINES} resources")
            return
        try:
            for action, machines in chosen:
                after = seconds_of(action.get("parameters", {}).get(DURATION, "PT2M"))
                for machine in machines:
                    self.backend.spot.interruptions.order(
                        machine, "by-experiment", after=after or 0.0
                    )
                    self.machines.append(machine)
        except LocalError as error:
            self._end("failed", error.message)

    def refresh(self) -> None:
        """It stands as far as its machines are."""
        if self.ended is None and self.clock() > self.made:
            if self._unnoticed():
                self.status, self.reason = "running", "Experiment is running."
            else:
                self._end("completed", "Experiment completed.")

    def stop(self) -> None:
        """Machines that have no notice yet are not interrupted; nothing if it was over."""
        self.refresh()
        if self.ended is None:
            for machine in self._unnoticed():
                self.backend.spot.interruptions.withdraw(machine.id)
            self._end("stopped", "Experiment stopped.")

    def describe(self) -> dict[str, Any]:
        """As GetExperiment shows it."""
        state = {"status": self.status, "reason": self.reason}
        actions = {
            name: {**action, "state": state, "startTime": self.made}
            for name, action in self.template["actions"].items()
        }
        described = {
            **{key: self.template[key] for key in ("roleArn", "stopConditions", "targets")},
            "id": self.id,
            "arn": self.arn,
            "experimentTemplateId": self.template["id"],
            "state": state,
            "actions": actions,
            "creationTime": self.made,
            "startTime": self.made,
            "tags": self.tags,
            "experimentOptions": {
                "accountTargeting": "single-account",
                "actionsMode": "run-all",
                "emptyTargetResolutionMode": "fail",
            },
            "targetAccountConfigurationsCount": 0,
        }
        if self.ended is not None:
            described["endTime"] = self.ended
            for action in actions.values():
                action["endTime"] = self.ended
        return described

    def _end(self, status: Status, reason: str) -> None:
        self.status, self.reason, self.ended = status, reason, self.clock()

    def _unnoticed(self) -> list[Any]:
        coming = {one.instance.id: one for one in self.backend.spot.interruptions.coming}
        return [one for one in self.machines if one.id in coming and not coming[one.id].noticed]

    def _targets(self, action: Mapping[str, Any]) -> list[Any]:
        target = self.template["targets"][action["targets"]["SpotInstances"]]
        found = [one for one in self.backend.all_instances() if _is_meant(one, target)]
        mode, _, share = target["selectionMode"].removesuffix(")").partition("(")
        if mode == "ALL":
            return found
        wanted = int(share) if mode == "COUNT" else len(found) * int(share) // 100
        return random.sample(found, min(wanted, len(found)))


def _is_meant(instance: Any, target: Mapping[str, Any]) -> bool:
    if instance.lifecycle != "spot" or instance.state in ("shutting-down", "terminated"):
        return False
    names = [arn.rpartition("/")[2] for arn in target.get("resourceArns", [])]
    if names and instance.id not in names:
        return False
    tags = {tag["key"]: tag["value"] for tag in instance.get_tags()}
    if any(tags.get(key) != value for key, value in target.get("resourceTags", {}).items()):
        return False
    return all(_passes(instance, one) for one in target.get("filters", []))


def _passes(instance: Any, one: Mapping[str, Any]) -> bool:
    """A filter names an attribute as DescribeInstances shows it."""
    known = {
        "ImageId": instance.image_id,
        "InstanceId": instance.id,
        "InstanceType": instance.instance_type,
        "Placement.AvailabilityZone": instance.availability_zone,
        "State.Name": instance.state,
        "SubnetId": instance.subnet_id,
        "VpcId": instance.vpc_id,
    }
    return known.get(one["path"]) in one["values"]


def check_template(asked: Mapping[str, Any]) -> str | None:
    """What FIS would not take about it, in words; None if it takes it."""
    role = asked.get("roleArn", "")
    if not re.fullmatch(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+", role):
        return f"Role ARN {role!r} is not valid."
    if not asked.get("stopConditions"):
        return "At least one stop condition is needed; its source may be none."
    if not asked.get("actions"):
        return "At least one action is needed."
    targets = asked.get("targets", {})
    for name, target in targets.items():
        if problem := _check_target(name, target):
            return problem
    for name, action in asked["actions"].items():
        if problem := _check_action(name, action, targets):
            return problem
    return None


def _check_target(name: str, target: Mapping[str, Any]) -> str | None:
    arns, tags = target.get("resourceArns"), target.get("resourceTags")
    if target.get("resourceType") != RESOURCE:
        return f"Target {name}: the resource type {target.get('resourceType')!r} is not supported."
    if bool(arns) == bool(tags):
        return f"Target {name}: specify either resource ARNs or resource tags."
    if arns and len(arns) > MOST_MACHINES:
        return f"Target {name}: at most {MOST_MACHINES} resource ARNs."
    for arn in arns or []:
        if not re.fullmatch(r"arn:aws[a-z-]*:ec2:[a-z0-9-]+:\d{12}:instance/i-[0-9a-f]+", arn):
            return f"Target {name}: {arn!r} is not the ARN of an instance."
    if not re.fullmatch(r"ALL|(COUNT|PERCENT)\([1-9]\d*\)", target.get("selectionMode", "")):
        return f"Target {name}: the selection mode is ALL, COUNT(n) or PERCENT(n)."
    return None


def _check_action(name: str, action: Mapping[str, Any], targets: Mapping[str, Any]) -> str | None:
    if action.get("actionId") != ACTION:
        return f"Action {name}: there is no action {action.get('actionId')!r}."
    if action.get("targets", {}).get("SpotInstances") not in targets:
        return f"Action {name}: SpotInstances has to be one of the template's targets."
    duration = action.get("parameters", {}).get(DURATION)
    if duration is None or seconds_of(duration) is None:
        return f"Action {name}: {DURATION} is a time from PT2M to PT15M, not {duration!r}."
    return None
