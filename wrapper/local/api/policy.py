"""What a policy says of somebody, with credentials or without. Pure.

An explicit Deny wins, then an Allow counts, then nothing is allowed:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import fnmatch
import ipaddress
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def decision(
    policy: Mapping[str, Any],
    *,
    action: str,
    resource: str,
    context: Mapping[str, str | tuple[str, ...]],
    identity: bool = False,
) -> Literal["Allow", "Deny"] | None:
    """What it says of a request by anybody, or by the `identity` whose policy it is.

    `context` holds condition keys in lower case.

    ValueError for a condition that is not known here: it is neither met nor missed.
    """
    effects = {
        str(one["Effect"])
        for one in policy["Statement"]
        if (identity or one.get("Principal") in ("*", {"AWS": "*"}))
        and _any(action.lower(), one.get("Action", ()), lower=True)
        and _any(resource, one.get("Resource", ()))
        and _conditions(one.get("Condition", {}), context)
    }
    if "Deny" in effects:
        return "Deny"
    return "Allow" if "Allow" in effects else None


def _many(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, (list, tuple)) else [str(value)]


def _any(text: str, patterns: object, *, lower: bool = False) -> bool:
    wanted = [one.lower() if lower else one for one in _many(patterns)]
    return any(_like(text, one) for one in wanted)


def _like(text: str, pattern: str) -> bool:
    # [ is no special character in a policy.
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


def _conditions(
    conditions: Mapping[str, Mapping[str, Any]], context: Mapping[str, str | tuple[str, ...]]
) -> bool:
    """Every one is met; one about a key that the request does not have is not.

    But by ForAllValues, which asks that there be no other value:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
    """
    for operator, keys in conditions.items():
        of_all, _, name = operator.rpartition(":")
        if name not in _OPERATORS or of_all not in ("", "ForAllValues"):
            raise ValueError(f"the embedded EC2 knows no condition {operator}")
        for key, values in keys.items():
            present = _many(context.get(key.lower(), ()))
            if not present and not of_all:
                return False
            if not all(
                any(_OPERATORS[name](one, value) for value in _many(values)) for one in present
            ):
                return False
    return True


def _in_network(address: str, network: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "Bool": lambda present, value: present == value.lower(),
    "IpAddress": _in_network,
    "StringEquals": lambda present, value: present == value,
    "StringLike": _like,
}
