"""EC2's reasons for giving no machine, or for taking one back, in words. Pure.

Spot status codes: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-request-status.html
Error codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wrapper.errors import RefusedError

Way = Literal["zone", "type", "on-demand"]
"""What may help: another zone, another type, the other market."""

_QUOTAS = "https://console.aws.amazon.com/servicequotas/home/services/ec2/quotas"
_WAY_WORDS: dict[Way, str] = {
    "zone": "--fallback zone",
    "type": "--instance-type with another type",
    "on-demand": "--on-demand",
}


@dataclass(frozen=True)
class Refusal:
    """One reason, and what may be done about it."""

    code: str
    words: str
    """A whole clause: what is so."""
    elsewhere: tuple[Way, ...] = ()
    hint: str = ""
    """The next step; made of `elsewhere` when there is no better one."""

    @property
    def next_step(self) -> str:
        """What to type."""
        if self.hint:
            return self.hint
        ways = ", or ".join(_WAY_WORDS[way] for way in self.elsewhere)
        return f"python -m wrapper up with {ways}"


_EVERYWHERE: tuple[Way, ...] = ("zone", "type", "on-demand")


def _known(*refusals: Refusal) -> dict[str, Refusal]:
    return {one.code: one for one in refusals}


REQUESTS = _known(
    Refusal("capacity-not-available", "there is no spot capacity for it now", _EVERYWHERE),
    Refusal("capacity-oversubscribed", "more spot machines are asked for than there are",
            _EVERYWHERE),
    Refusal("price-too-low", "the spot price is above the highest that the request pays",
            _EVERYWHERE),
    Refusal("constraint-not-fulfillable", "a constraint of the request (zone, subnet, group) "
            "cannot be met", _EVERYWHERE),
    Refusal("az-group-constraint", "not all machines of the request's zone group fit into one zone",
            ("zone", "on-demand")),
    Refusal("placement-group-constraint", "no more spot machines fit into the placement group",
            ("zone", "on-demand")),
    Refusal("launch-group-constraint", "not all machines of the launch group can start together",
            ("zone", "on-demand")),
    Refusal("limit-exceeded", "the account's quota of EBS volumes or of their total size is used "
            "up", hint=f"Delete disks that you do not need, or ask for more: {_QUOTAS}"),
    Refusal("bad-parameters", "EC2 calls the request's parameters bad; most often the disk's "
            "encryption key is not granted to spot",
            hint="A key of your own needs a grant to AWSServiceRoleForEC2Spot: docs/aws.md"),
    Refusal("system-error", "EC2 failed inside", hint="python -m wrapper up, in a minute"),
    Refusal("schedule-expired", "the request's time had passed before there was a machine",
            _EVERYWHERE),
    Refusal("not-scheduled-yet", "the request's time has not come yet", _EVERYWHERE),
)  # fmt: skip
"""Status codes of a request that has no machine."""

ERRORS = _known(
    Refusal("InsufficientInstanceCapacity", "there is no capacity for it now", _EVERYWHERE,
            "python -m wrapper up with --fallback zone, with --instance-type of another type, or, "
            "for spot, --on-demand"),
    Refusal("InsufficientHostCapacity", "there is no host with room for it now", _EVERYWHERE,
            "python -m wrapper up with --fallback zone, or with another --instance-type; on the "
            "embedded EC2, once this computer has room"),
    Refusal("SpotMaxPriceTooLow", "the spot price is above the highest that the request pays",
            _EVERYWHERE),
    Refusal("MaxSpotInstanceCountExceeded", "the account's quota of spot vCPUs is used up",
            ("type", "on-demand"),
            f"A smaller --instance-type, --on-demand (its quota is another one), or ask for more "
            f"spot vCPUs: {_QUOTAS}"),
    Refusal("VcpuLimitExceeded", "the account's quota of on-demand vCPUs is used up", ("type",),
            f"A smaller --instance-type, --spot (its quota is another one), or ask for more "
            f"on-demand vCPUs: {_QUOTAS}"),
    Refusal("InstanceLimitExceeded", "the account's quota of machines is used up", ("type",),
            f"End one that you do not need, or ask for more: {_QUOTAS}"),
    Refusal("InsufficientFreeAddressesInSubnet", "the subnet has no free address", ("zone",),
            "python -m wrapper up with --fallback zone, or with another --subnet-id"),
    Refusal("InsufficientVolumeCapacity", "the zone has no room for its disk now", ("zone",)),
    Refusal("VolumeLimitExceeded", "the account's quota of disks is used up",
            hint=f"Delete disks that you do not need, or ask for more: {_QUOTAS}"),
    Refusal("MaxIOPSLimitExceeded", "the account's quota of the disks' IOPS is used up",
            hint=f"Delete disks that you do not need, or ask for more: {_QUOTAS}"),
)  # fmt: skip
"""Error codes of RunInstances and RequestSpotInstances."""

UNSUPPORTED = Refusal("Unsupported", "the zone does not have that type", ("zone", "type"))
"""By itself too common a word to be looked for in a text: `find` wants EC2's sentence with it."""
_UNSUPPORTED_SENTENCE = "is not supported in your requested Availability Zone"

INTERRUPTED = {
    "marked-for-stop": "EC2 is about to stop it, within two minutes",
    "marked-for-termination": "EC2 is about to terminate it, within two minutes",
    "marked-for-stop-by-experiment": "a rehearsal is about to stop it",
    "marked-for-termination-by-experiment": "a rehearsal is about to terminate it",
    "instance-stopped-no-capacity": "EC2 stopped it: no spot capacity was left",
    "instance-stopped-capacity-oversubscribed": "EC2 stopped it: more spot machines were asked "
    "for than there are",
    "instance-stopped-by-price": "EC2 stopped it: the spot price rose above the highest that it "
    "pays",
    "instance-stopped-by-experiment": "a rehearsal stopped it",
    "instance-terminated-no-capacity": "EC2 terminated it: no spot capacity was left",
    "instance-terminated-capacity-oversubscribed": "EC2 terminated it: more spot machines were "
    "asked for than there are",
    "instance-terminated-by-price": "EC2 terminated it: the spot price rose above the highest "
    "that it pays",
    "instance-terminated-by-experiment": "a rehearsal terminated it",
    "instance-terminated-by-service": "EC2 terminated it",
    "instance-terminated-by-schedule": "it was terminated at the end of its scheduled time",
}
"""Status codes of a machine that was taken back."""
WAITS_FOR_ITS_OWNER = ("instance-stopped-by-user", "instance-stopped-by-experiment")
"""Status codes of a machine that EC2 does not start by itself."""
_OTHERS = {
    "fulfilled": "it runs",
    "instance-stopped-by-user": "you stopped it, or it stopped by itself",
    "instance-terminated-by-user": "somebody ended it",
    "pending-evaluation": "EC2 has not looked at the request yet",
    "pending-fulfillment": "EC2 is about to start it",
    "canceled-before-fulfillment": "the request was cancelled before there was a machine",
    "request-canceled-and-instance-running": "the request is cancelled, and its machine still runs",
}
_BACK_BY_ITSELF = "it starts again by itself when capacity returns, and cannot be started by you"


def find(text: str) -> Refusal | None:
    """The reason that a message of EC2's, or of Terraform's about it, names; None if none."""
    for code, refusal in (*ERRORS.items(), *REQUESTS.items()):
        if code in text:
            return refusal
    return UNSUPPORTED if _UNSUPPORTED_SENTENCE in text else None


def of_code(code: str) -> Refusal | None:
    """The reason with that code; None for one that is no reason to give up."""
    return (
        ERRORS.get(code) or REQUESTS.get(code) or (UNSUPPORTED if code == "Unsupported" else None)
    )


def error(refusal: Refusal, *, where: str = "", told: str = "") -> RefusedError:
    """To be raised; `where` is the machine that was asked for, `told` what EC2 said."""
    about = f"{where}: " if where else ""
    quoted = f" EC2's words: {told}" if told else ""
    return RefusedError(
        f"EC2 gives no machine. {about}{refusal.words} ({refusal.code}).{quoted}",
        hint=refusal.next_step,
        code=refusal.code,
    )


def was_interrupted(status: str) -> bool:
    """EC2 took the machine back, or is about to; its owner did not."""
    return status in INTERRUPTED


def was_terminated(status: str) -> bool:
    """EC2 took the machine back for good, or is about to."""
    return status in INTERRUPTED and "-terminat" in status


def waits_for_capacity(state: str, status: str) -> bool:
    """The machine is stopped and EC2 alone can start it again."""
    return state == "disabled" and status in INTERRUPTED and status not in WAITS_FOR_ITS_OWNER


def of_interruption(status: str) -> Refusal:
    """Why the machine was taken back, as the refusal of another one like it."""
    return REQUESTS["price-too-low" if status.endswith("-by-price") else "capacity-not-available"]


def in_words(state: str, status: str) -> str:
    """How a spot request stands, for a person."""
    known = INTERRUPTED.get(status) or _OTHERS.get(status)
    if known is None and status in REQUESTS:
        known = REQUESTS[status].words
    words = f"{state}, {status}" + (f": {known}" if known else "")
    return f"{words}; {_BACK_BY_ITSELF}" if waits_for_capacity(state, status) else words
