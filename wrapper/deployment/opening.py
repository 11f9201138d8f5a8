"""`open`: the notebook at an address of this computer, without a warning or a login."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from wrapper import carrier
from wrapper.carrier import standing
from wrapper.deployment import awake, logging_in, look, place, verify
from wrapper.deployment.events import Step
from wrapper.errors import FailedError, LoginError, NoAnswerError, NothingToDo, ReplacedError
from wrapper.home import root
from wrapper.notebook.pinning import trust_only
from wrapper.notebook.proxy import proxy_for

if TYPE_CHECKING:
    from wrapper.carrier.standing import Standing
    from wrapper.deployment.world import World
    from wrapper.home import Home

_OPENS_WITHIN = 60.0
"""Seconds: a login over a slow line."""


def open_door(world: World, name: str, told: carrier.Told, *, port: int | None = None) -> None:
    """The door is open until KeyboardInterrupt.

    NoAnswerError, FingerprintError, LoginError: the notebook does not answer now, is another's, or
    refuses the password. FailedError: the port is in use, or another door of it stands open.
    """
    home, record = look.known(world, name)
    if record.key_sha256 is None:
        raise NoAnswerError(
            f"{name} has no verified notebook.", hint=f"python -m wrapper up {name}"
        )
    key = record.key_sha256

    def tell(url: str, port: int, *, first: bool, token: str) -> None:
        standing.tell(home.path, url, port, token)
        told(url, port, first=first, token=token)

    with standing.claimed(home.path, name):
        world.report(Step(f"Logging in to {name}"))
        find = _Finder(world, name, key)
        carrier.serve(name, find(), find, tell, port=port)


def open_behind(world: World, name: str, *, port: int | None = None) -> Standing:
    """A process of its own holds the door open, whatever becomes of this one or its terminal.

    Errors as of `open_door`; FailedError: the process ended, and its last words.
    """
    home, record = look.known(world, name)
    if record.key_sha256 is not None:
        _find(world, name, record.key_sha256)  # what stands in the way is told here
    log = home.write(standing.LOG, "")
    chosen = () if port is None else ("--port", str(port))
    with log.open("w") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "wrapper", "open", name, "--as-process", *chosen],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # No terminal's end reaches it; and it is no reason why a disk cannot be unmounted.
            start_new_session=True,
            cwd=Path(__file__).resolve().parents[2],
            env=dict(world.environment),
        )
    door = None
    try:
        door = _opened(home, child)
    finally:
        if door is None:
            child.terminate()
    if door is None:
        raise _last_words(name, log)
    return door


def _opened(home: Home, child: subprocess.Popen[bytes]) -> Standing | None:
    """The child's door, once it can be opened; None when that never happens."""
    ends = time.monotonic() + _OPENS_WITHIN
    while child.poll() is None and time.monotonic() < ends:
        door = standing.found(home.path)
        if door and door.pid == child.pid and standing.answers(door):
            return door
        time.sleep(0.05)
    return None


def standing_door(world: World, name: str) -> Standing | None:
    """The door that stands open; one that hangs is ended. FailedError."""
    home, _ = look.known(world, name)
    door = standing.found(home.path)
    if door is None or standing.answers(door):
        return door
    standing.end(home.path)
    return None


def door_that_answers(world: World, name: str) -> Standing | None:
    """The door that stands open and can be used. Nothing changes."""
    door = standing.found(root(world.environment) / name)
    return door if door and standing.answers(door) else None


def close_door(world: World, name: str) -> None:
    """The deployment's door does not stand open. NothingToDo: it did not; FailedError."""
    home, _ = look.known(world, name)
    if not standing.end(home.path):
        raise NothingToDo(f"No door of {name} is open.")


def _last_words(name: str, log: Path) -> FailedError:
    said, _, hint = log.read_text(encoding="utf-8", errors="replace").partition("\n  → ")
    words = said.rpartition("error: ")[2].strip() or "it says nothing."
    return FailedError(
        f"The door of {name} did not open: {words[-500:]}", hint=hint.strip() or f"cat {log}"
    )


class _Finder:
    """Finds the notebook; a password that was refused is not tried twice, for nobody's sake.

    Each try would make every login from this address wait longer.
    """

    def __init__(self, world: World, name: str, key_sha256: str) -> None:
        self._world, self._name, self._key = world, name, key_sha256
        self._refused: tuple[str | None, LoginError] | None = None

    def __call__(self) -> carrier.Upstream:
        home, _ = look.known(self._world, self._name)
        kept = home.password()
        if self._refused and self._refused[0] == kept:
            raise self._refused[1]
        self._refused = None
        try:
            return _find(self._world, self._name, self._key)
        except LoginError as error:
            self._refused = kept, error
            raise


def _find(world: World, name: str, key_sha256: str) -> carrier.Upstream:
    """Where the notebook is now, with a fresh login; its key still that one."""
    home, record = look.known(world, name)
    if record.key_sha256 != key_sha256:
        raise ReplacedError(
            f"{name} has another key than when this door was opened: its machine, "
            "or its certificate, was replaced.",
            hint=f"End this door (Ctrl-C), then: python -m wrapper open {name}",
        )
    found = awake.running(place.back_to(world, record), record)
    where = verify.address(record, found.public_ip)
    pin = world.look_whose(where, key_sha256)
    with logging_in.logged_in(world, home, where, pin) as notebook:
        cookies = notebook.cookies
    proxy = proxy_for(where.host, world.environment)
    context = trust_only(pin.pem, pin.name)
    return carrier.Upstream(where.host, where.port, context, cookies, proxy)
