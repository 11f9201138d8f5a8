"""A login at a deployment's notebook, with the password that is kept here."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from wrapper.deployment.events import Note
from wrapper.deployment.world import TIMEOUT
from wrapper.errors import FailedError, LoginError

NEW = "password.new"
"""Beside the password: the next one, from before the machine is told until it holds."""

if TYPE_CHECKING:
    from wrapper.deployment.world import Address, World
    from wrapper.home import Home
    from wrapper.notebook import Notebook, Pin


def logged_in(
    world: World, home: Home, where: Address, pin: Pin, *, timeout: float = TIMEOUT
) -> Notebook:
    """The notebook there, to be closed by whoever asked. LoginError, ThrottledError."""
    kept = password(home)
    try:
        return _with(world, where, pin, kept, timeout)
    except LoginError:
        newer = home.password(NEW)
        if newer is None or newer == kept:
            raise
    from wrapper import password as passwords  # noqa: PLC0415 (a tenth of a second, and rare)

    # `password --new` was interrupted once the machine had it.
    notebook = _with(world, where, pin, newer, timeout)
    keep(home, newer, passwords.hash_password(newer))
    world.report(Note(f"The password of {home.name} is the one that `password --new` made last."))
    return notebook


def keep(home: Home, new: str, hashed: str) -> None:
    """The password that was about to hold does, and a machine made later begins with it."""
    home.write_password(new)
    home.write_variables({**home.variables(), "password_hash": hashed})
    (home.path / NEW).unlink(missing_ok=True)


def _with(world: World, where: Address, pin: Pin, password: str, timeout: float) -> Notebook:
    with ExitStack() as stack:
        notebook = stack.enter_context(world.speak(where, pin, password, timeout=timeout))
        notebook.login()
        stack.pop_all()
        return notebook


def password(home: Home) -> str:
    """The deployment's password. FailedError when it is not kept here."""
    found = home.password()
    if found is None:
        raise FailedError(
            f"The password of {home.name} is not kept in {home.path}.",
            hint=f"Put it there: (umask 077; cat > {home.path / 'password'})",
        )
    return found
