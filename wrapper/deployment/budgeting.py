"""`budget`: an alert by AWS Budgets for what a notebook costs, or all of them."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from wrapper.deployment import look, place
from wrapper.deployment.events import Note, Warned
from wrapper.errors import CloudsError, CredentialsError, UsageError

if TYPE_CHECKING:
    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World

LEAST, MOST = 0.01, 1_000_000.0
_TAGS = "https://console.aws.amazon.com/costmanagement/home#/tags"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What there is now; its field names are a contract."""

    name: str | None
    """None: for all notebooks of the account."""
    monthly: float | None
    """US dollars; None when it was removed."""
    email: str | None
    changed: bool
    """False: there was none to remove."""
    tag_active: bool
    """AWS tells costs by our tag; without that the budget stays empty."""

    def document(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


def budget(
    world: World, name: str | None, *, monthly: float, email: str | None = None, local: bool = False
) -> Budget:
    """There is a budget of so much a month, with mails at 50, 80 and 100 %; None is for all.

    UsageError, UnknownDeploymentError; CredentialsError where it is not permitted.
    """
    _check(monthly, email)
    way = _way(world, name, local=local)
    way.aws.put_budget(name, monthly, email)
    if email is None:
        world.report(Warned("Nobody gets a mail of it: --email you@example.org"))
    return Budget(
        name=name, monthly=monthly, email=email, changed=True, tag_active=_activate(world, way)
    )


def remove_budget(world: World, name: str | None, *, local: bool = False) -> Budget:
    """There is no such budget."""
    gone = _way(world, name, local=local).aws.remove_budget(name)
    return Budget(name=name, monthly=None, email=None, changed=gone, tag_active=False)


def end(world: World, way: Way, name: str) -> None:
    """None is left of a notebook that is down; who may not look has made none."""
    try:
        if way.aws.remove_budget(name):
            world.report(Note(f"The budget of {name} is removed"))
    except CredentialsError:
        return
    except CloudsError as error:
        world.report(Warned(f"A budget of {name} may be left: {error.message}"))


def _way(world: World, name: str | None, *, local: bool) -> Way:
    if name is None:
        return place.search(world, local=local, region=None)
    return place.back_to(world, look.known(world, name)[1])


def _activate(world: World, way: Way) -> bool:
    try:
        refused = way.aws.activate_tag()
    except CloudsError as error:
        refused = error.message
    if refused is None:
        world.report(Note("The cost allocation tag jupyter-clouds:deployment is active"))
        return True
    world.report(
        Warned(
            "The budget stays empty until the cost allocation tag jupyter-clouds:deployment is "
            f"active: {refused} AWS offers it a day after its first use, to the organisation's "
            f"management account alone: {_TAGS}"
        )
    )
    return False


def _check(monthly: float, email: str | None) -> None:
    if not (math.isfinite(monthly) and LEAST <= monthly <= MOST):
        raise UsageError(
            f"--monthly {monthly:g}: from {LEAST} to {MOST:,.0f} US dollars.",
            hint="For example: --monthly 50",
        )
    if email is not None and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", email):
        raise UsageError(f"--email {email}: no address.", hint="For example: you@example.org")
