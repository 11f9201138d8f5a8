"""What the owner of the embedded EC2 gave, as it is meant; LocalError where it makes no sense."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Final

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES

from wrapper.errors import LocalError

ZONES: Final = sorted(
    {
        offering["Location"]
        for offerings in INSTANCE_TYPE_OFFERINGS["availability-zone"].values()
        for offering in offerings
    }
)


def choice(what: str, given: str, known: tuple[str, ...]) -> None:
    """It is one of those."""
    if given not in known:
        raise LocalError(f"{given!r} is no {what}: {' or '.join(known)}")


def zone(name: str | None) -> None:
    """There is such an availability zone; None is every one."""
    if name is None or name in ZONES:
        return
    near = [one for one in ZONES if one[:-1] == name.rstrip("abcdefghijklmnopqrstuvwxyz")]
    near = near or get_close_matches(name, ZONES, n=5)
    raise LocalError(
        f"there is no availability zone {name!r}",
        hint=f"one of {', '.join(near)}" if near else "a name like us-east-1a",
    )


def instance_type(name: str | None) -> None:
    """There is such a type; None is every one."""
    if name is None or name in INSTANCE_TYPES:
        return
    near = get_close_matches(name, INSTANCE_TYPES, n=5)
    raise LocalError(
        f"there is no instance type {name!r}",
        hint=f"one of {', '.join(near)}" if near else "a name like t3.large",
    )


def moment(text: str | None) -> datetime | None:
    """An ISO 8601 time, in UTC unless it says otherwise; None is now."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise LocalError(
            f"{text!r} is no time", hint="such as 2026-11-23T10:00, in UTC unless it says otherwise"
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def price(dollars: str | float) -> Decimal:
    """Dollars an hour."""
    try:
        found = Decimal(str(dollars))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or found <= 0:
        raise LocalError(f"{dollars!r} is no price", hint="dollars an hour, such as 0.05")
    return found
