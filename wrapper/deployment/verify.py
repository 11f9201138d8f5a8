"""A notebook verified from the outside: TLS pinned, logged in, a cell run."""

from __future__ import annotations

import secrets
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wrapper.deployment import logging_in
from wrapper.deployment.events import Checked
from wrapper.deployment.watch import EVERY
from wrapper.deployment.world import TIMEOUT, Address
from wrapper.errors import (
    AwsError,
    BootError,
    BusyError,
    CloudsError,
    FailedError,
    FingerprintError,
    KernelError,
    NoAnswerError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wrapper.deployment.watch import Watch
    from wrapper.deployment.world import World
    from wrapper.home import Home, Record
    from wrapper.notebook import Pin

READY_WITHIN = 45 * 60.0
"""Seconds until a boot counts as failed whatever it says."""


def address(record: Record, public_ip: str | None = None) -> Address:
    """Of the deployment's notebook. FailedError when it never had one."""
    host = record.certificate_for or public_ip or record.outputs.get("public_ip")
    if not host:
        raise FailedError(
            f"{record.name} has no address: it was never finished.",
            hint=f"python -m wrapper up {record.name}, or: python -m wrapper down {record.name}",
        )
    return Address(str(host), domain=record.settings.get("domain"))


def wait_for_fingerprint(watch: Watch) -> str:
    """SHA-256 of the machine's key, as its console shows it. BootError, FingerprintError."""
    end = time.monotonic() + READY_WITHIN
    while True:
        _look(watch)
        if watch.boot and watch.boot.fingerprint:
            return watch.boot.fingerprint.key_sha256
        _still_hope(watch, end, "has not shown its certificate's fingerprint")
        time.sleep(EVERY)


def wait_for_answer(world: World, watch: Watch, where: Address, key_sha256: str) -> Pin:
    """The certificate that the notebook answers with, its key the one named.

    BootError when the machine cannot get there; FingerprintError when somebody else answers.
    """
    end = time.monotonic() + READY_WITHIN
    look_at = 0.0
    while True:
        try:
            ready = watch.boot is not None and watch.boot.ready
            return world.look_whose(where, key_sha256, timeout=TIMEOUT if ready else 2.0)
        except FingerprintError:
            raise
        except NoAnswerError as error:
            unanswered = error
        if time.monotonic() > look_at:
            _look(watch)
            look_at = time.monotonic() + EVERY
            grace = _BUSY_GRACE if isinstance(unanswered, BusyError) else _GRACE
            if watch.boot and watch.boot.ready and watch.quiet > grace:
                raise unanswered
            _still_hope(watch, end, f"does not answer at {where.url}")
        time.sleep(_KNOCK_EVERY)


_KNOCK_EVERY = 0.25
"""Seconds between tries of the notebook, which unlike EC2's API counts nobody's requests."""
_GRACE = 60.0
"""Seconds after "ready" in which the way to the machine may still be opening."""
_BUSY_GRACE = 600.0
"""Likewise, once it is open: environments that install take all there is of a small machine."""


def _look(watch: Watch) -> None:
    try:
        watch.look()
    except AwsError:
        if watch.quiet > _GRACE:  # a hiccup of the API is no reason to give up a boot
            raise


def _still_hope(watch: Watch, end: float, otherwise: str) -> None:
    watch.check_alive()
    if time.monotonic() > end:
        raise BootError(
            f"The machine {watch.instance_id} {otherwise} after {READY_WITHIN / 60:.0f} minutes.",
            hint="Look again: python -m wrapper check. End it: python -m wrapper down",
        )


def shown(key_sha256: str) -> Checked:
    """What the console shows."""
    return Checked("fingerprint", ok=True, detail=f"the console shows the key {key_sha256}")


def pinned(pin: Pin) -> Checked:
    """Whose certificate is trusted from now on."""
    return Checked("TLS", ok=True, detail=f"pinned to the certificate {pin.certificate_sha256}")


def log_in_and_compute(world: World, home: Home, where: Address, pin: Pin) -> None:
    """Login and kernel work; each was reported. LoginError, KernelError, NoAnswerError."""
    with checked(world, "login"):
        notebook = logging_in.logged_in(world, home, where, pin)
    with notebook:
        world.report(Checked("login", ok=True, detail="the password is accepted"))
        left, right = (secrets.randbelow(10**6) for _ in range(2))
        with checked(world, "kernel"):
            printed = notebook.run_cell(f"print({left} * {right})").strip()
            if printed != str(left * right):
                raise KernelError(
                    f"The cell `print({left} * {right})` printed {printed[:200]!r}.",
                    hint="python -m wrapper status",
                )
        world.report(Checked("kernel", ok=True, detail=f"{left} * {right} = {printed}"))


@contextmanager
def checked(world: World, name: str) -> Iterator[None]:
    """A failure inside is reported as that check's, and goes on."""
    try:
        yield
    except CloudsError as error:
        world.report(Checked(name, ok=False, detail=error.message))
        raise
