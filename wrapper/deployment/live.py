"""`status --watch`: one look after the other at a deployment. Nothing changes.

What the machine tells comes over the pinned connection. EC2 is asked at the beginning, and while
nothing answers; a look never waits for it.
"""

from __future__ import annotations

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from wrapper.deployment import logging_in, look, place, reckoning, remembering, verify
from wrapper.deployment.disk import Disk
from wrapper.deployment.disk import judge as judge_disk
from wrapper.deployment.events import Warned
from wrapper.deployment.summary import following
from wrapper.errors import CloudsError, LoginError, NoAnswerError, ThrottledError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from wrapper.aws import Instance
    from wrapper.deployment.world import World
    from wrapper.home import Record
    from wrapper.notebook import Autostop, Gpu, Kernel, Notebook, Resources

_SILENCE = 5.0
"""Seconds; a machine that is busy answers late."""
_ASK_EC2_EVERY = 10.0
"""Seconds, while nothing answers."""
_AFTER_REFUSAL = 60.0
"""Seconds until a password that was refused is tried again: each try makes it wait longer."""


@dataclass(frozen=True, kw_only=True)
class Live:
    """One look; its field names are a contract (`status --watch --json`).

    Moments are ISO 8601, in UTC. What the machine last told stays, also while it is silent.
    """

    name: str
    at: str
    state: str
    """Of the machine, as EC2 last told it; "ended" after a `down`."""
    answers: bool = False
    trouble: str | None = None
    """Why it does not answer."""
    told_at: str | None = None
    """When the machine told what follows."""
    url: str | None = None
    cpu_percent: float | None = None
    """Of all cores, since the look before."""
    cores: int | None = None
    load: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    disk: Disk | None = None
    gpus: tuple[Gpu, ...] = ()
    kernels: tuple[Kernel, ...] = ()
    notice: str | None = None
    """What JupyterLab shows too: an interruption, a stop to come."""
    notice_time: str | None = None
    autostop: Autostop | None = None
    spent: float | None = None
    """US dollars so far, about, as `list` reckons them."""
    hourly_price: float | None = None

    def document(self) -> dict[str, Any]:
        """As JSON takes it."""
        return dataclasses.asdict(self)


def watch_status(world: World, name: str, tell: Callable[[Live], None], *, every: float) -> None:
    """Each look was told, until Ctrl-C or until there is no such deployment any more.

    UnknownDeploymentError, when there was none.
    """
    with _Watching(world, name) as watching:
        try:
            while True:
                begun = time.monotonic()
                seen = watching.look()
                tell(seen)
                if seen.state == "ended":
                    return
                time.sleep(max(0.0, every - (time.monotonic() - begun)))
        except KeyboardInterrupt:
            return


class _Watching:
    """What is known from one look to the next."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._home, record = look.known(world, name)
        self._open = ExitStack()
        self._notebook: Notebook | None = None
        self._instance: Instance | None = None
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._asked: Future[None] | None = None
        self._asked_at = 0.0
        self._complaint = ""
        self._silent_until = 0.0
        self._before: Resources | None = None
        self._known = Live(name=name, at="", state="not known yet", url=record.outputs.get("url"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def look(self) -> Live:
        """How it is now, as far as can be known."""
        record = self._home.record()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        if record is None or record.ended:
            return dataclasses.replace(
                self._known, at=now, state="ended", answers=False, trouble="It was ended by `down`."
            )
        # `up --replace` may have put another machine in its place since EC2 was asked.
        seen = self._instance
        instance = seen if seen and seen.instance_id == record.instance_id else None
        record = following(record, instance)
        try:
            told = self._ask(record)
            self._known = self._with(told, record, now)
        except CloudsError as error:
            self._hang_up()
            self._known = dataclasses.replace(self._known, answers=False, trouble=error.message)
        self._ask_ec2(record)
        state = instance.state if instance else self._known.state
        self._known = dataclasses.replace(
            self._known,
            at=now,
            # EC2 was asked longer ago.
            state="running" if self._known.answers else state,
            url=record.outputs.get("url"),
            spent=reckoning.so_far(self._home),
            hourly_price=float(record.hourly_price) if record.hourly_price else None,
        )
        return self._known

    def _ask(self, record: Record) -> Resources | None:
        """What the machine tells; of the first two looks one is for the rate alone."""
        if self._notebook is None:
            self._notebook = self._connect(record)
            self._before = self._notebook.resources()
            time.sleep(0.2 if self._before else 0.0)
        return self._notebook.resources()

    def _connect(self, record: Record) -> Notebook:
        if time.monotonic() < self._silent_until:
            raise NoAnswerError(self._known.trouble or "It does not answer.")
        if record.key_sha256 is None:
            raise NoAnswerError("It has no verified notebook yet.")
        where = verify.address(record)
        pin = self._world.look_whose(where, record.key_sha256, timeout=_SILENCE)
        try:
            notebook = logging_in.logged_in(self._world, self._home, where, pin, timeout=_SILENCE)
        except LoginError:
            self._silent_until = time.monotonic() + _AFTER_REFUSAL
            raise
        except ThrottledError as error:
            self._silent_until = time.monotonic() + error.seconds
            raise
        return self._open.enter_context(notebook)

    def _hang_up(self) -> None:
        self._open.close()
        self._open, self._notebook = ExitStack(), None

    def _with(self, told: Resources | None, record: Record, now: str) -> Live:
        """What was told, over what was known. A machine of before this tells nothing more."""
        if told is None:
            older = "It answers, but is of an older version, which tells no numbers."
            return dataclasses.replace(self._known, answers=True, told_at=now, trouble=older)
        before, self._before = self._before or told, told
        spent = told.cpu_total - before.cpu_total
        share = (told.cpu_used - before.cpu_used) / spent if spent > 0 else None
        return dataclasses.replace(
            self._known,
            answers=True,
            trouble=None,
            told_at=now,
            cpu_percent=None if share is None else round(100 * min(max(share, 0.0), 1.0), 1),
            cores=told.cores,
            load=told.load,
            memory_used_bytes=told.memory_total - told.memory_available,
            memory_total_bytes=told.memory_total,
            disk=judge_disk(record, told.disk_free, told.disk_total),
            gpus=told.gpus,
            kernels=told.kernels,
            notice=told.notice,
            notice_time=told.notice_time,
            autostop=told.autostop,
        )

    def _ask_ec2(self, record: Record) -> None:
        """It is being asked, or was lately; what it said is known at a later look."""
        if self._asked is not None:
            if not self._asked.done():
                return
            due = not self._known.answers
            if not due or time.monotonic() - self._asked_at < _ASK_EC2_EVERY:
                return
        self._asked_at = time.monotonic()
        self._asked = self._pool.submit(self._see, record)

    def _see(self, record: Record) -> None:
        try:
            way = place.back_to(self._world, record)
            found = way.aws.instance(record.instance_id) if record.instance_id else None
            if found:
                remembering.observe(self._home, record, found)
                self._instance = found
        except CloudsError as error:
            if error.message != self._complaint:  # once, and not every ten seconds
                self._complaint = error.message
                told = f"EC2 does not tell how the machine is: {error.message}"
                self._world.report(Warned(told))
