"""A spot machine at work is interrupted, stopped, ended: and what of the work is there afterwards.

`make rehearsal` does it and prints the report; `--draw FILE.svg` draws the one with notice.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import secrets
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.machine.acts import Act, shown
from tests.machine.live import Live, answering
from tests.machine.reach import until
from tests.machine.typed import UP_SECONDS, document, kernel_alone, wrapper
from tests.machine.work import Work, digests
from wrapper import local
from wrapper.aws import Aws
from wrapper.notebook import pin

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    Watching = Callable[[Live, str], AbstractContextManager[None]]

NOTICE_SECONDS = 15
"""In place of the two minutes: all that happens in them happens in their first seconds."""
WORK_SECONDS = 8
"""More than what is written takes to be on the disk, without anybody asking for it."""


TYPE = "t3.large"
"""Of which capacity is withheld: tests beside this one take others."""


class Rehearsal:
    """A deployment of its own on the embedded EC2, gone when the stack unwinds."""

    def __init__(self, folder: Path, stack: ExitStack, watching: Watching | None = None) -> None:
        self.watching = watching
        self.environment = {**os.environ, "XDG_DATA_HOME": str(folder / "data")}
        self.name = f"rehearsal-{secrets.token_hex(3)}"
        self.packages = kernel_alone(folder)
        was_running = local.status().running
        if not was_running:
            stack.callback(self._stop_if_idle)
        stack.callback(local_capacity_is_back)
        prune = ("images", "--local", "prune", self.name, "--keep", "0", "--yes")
        stack.callback(wrapper, *prune, environment=self.environment)
        stack.callback(
            wrapper,
            *("down", self.name, "--local", "--yes", "--data", "delete"),
            environment=self.environment,
        )
        self.live = self._made("--on-interruption", "terminate", "--data-size", "4")
        self.aws = Aws(environment=local.status().env, region=self.made["region"])
        self.notices: list[str] = []
        """What the console told of notices before the act."""

    def _made(self, *more: str, key: str | None = None) -> Live:
        """A new deployment answers; with the key of before, if one is given."""
        asked = ("--local", "--generate-password", "--spot", "--instance-type", TYPE)
        self.made = self._told("up", *asked, *self.packages, *more)
        password = self._told("password")["password"]
        return Live(self.made["url"], password, key or self.made["key_sha256"], own=True)

    def _told(self, command: str, *more: str) -> dict[str, Any]:
        sure = ("--yes",) if command in ("bake", "down", "up") else ()
        words = (command, self.name, "--json", *sure, *more)
        return document(wrapper(*words, environment=self.environment, seconds=UP_SECONDS))

    @staticmethod
    def _stop_if_idle() -> None:
        if "PYTEST_XDIST_WORKER" not in os.environ and not local.status().machines:
            local.stop()

    def act(self, name: str, end: Callable[[Act, float], None]) -> Act:
        """Somebody is at work; `end` ends the machine and brings a notebook back."""
        act = Act(name)
        watched = self.watching(self.live, name) if self.watching else nullcontext()
        with Work(self.live).under_way() as work, watched:
            before = digests(self.live)
            time.sleep(WORK_SECONDS)
            self.notices = self._notices()
            began = time.time()
            end(act, began)
        act.left = work.left(self.live, began + act.moments["ended"])
        return self._compared(act, before)

    def _compared(self, act: Act, before: dict[str, str]) -> Act:
        """With what the machine itself shows, to who knows only what was true before."""
        now = digests(self.live)
        act.compared = len(before)
        act.changed = sorted(path for path, digest in before.items() if now.get(path) != digest)
        machine = self.aws.instance(self.machine)
        act.same = {
            "address": machine is not None and machine.public_ip == self.live.host,
            "key": shown(
                lambda: pin(self.live.host, self.live.port, key_sha256=self.live.key_sha256)
            ),
            "password": shown(self._log_in),
        }
        return act

    def _log_in(self) -> None:
        with self.live.notebook() as notebook:
            notebook.login()

    def terminated(self, act: Act, began: float) -> None:
        """A one-time machine, after a word of warning; `up` makes another."""
        local.recommend(self.machine)
        until(lambda: "rebalance" in self._reasons() and " rescue done" in self._console())
        local.interrupt(self.machine, after=NOTICE_SECONDS)
        self._rescued(act, began)
        self._ended(act, began)
        act.moments["capacity"] = time.time() - began
        self._goes_on(act, began, self._told("up", "--on-interruption", "stop"))

    def bake(self) -> None:
        """Machines to come begin with an image of this one, which was made from nothing."""
        self._told("bake")

    def with_notice(self, act: Act, began: float) -> None:
        """Interrupted as AWS does it, and back as soon as there is capacity."""
        local.capacity("none", market="spot", instance_type=TYPE)
        local.interrupt(self.machine, after=NOTICE_SECONDS)
        self._rescued(act, began)
        self._ended(act, began)
        self._back(act, began)

    def without_notice(self, act: Act, began: float) -> None:
        """The plug is pulled."""
        local.capacity("none", market="spot", instance_type=TYPE)
        local.interrupt(self.machine, notice=False)
        act.moments["ended"] = time.time() - began
        self._ended(act, began, "off")
        self._back(act, began)

    def without_capacity(self, act: Act, began: float) -> None:
        """Its zone has nothing left: it moves, by a snapshot, to another one."""
        zone = self.made["zone"]
        local.capacity("none", zone=zone, market="spot", instance_type=TYPE)
        local.interrupt(self.machine, after=NOTICE_SECONDS)
        self._rescued(act, began)
        self._ended(act, began)
        act.moments["capacity"] = time.time() - began  # elsewhere there was some all the time
        moved = self._told("up", "--fallback", "zone")
        self._goes_on(act, began, moved)
        assert moved["zone"] != zone, moved
        local.capacity("back", zone=zone, market="spot", instance_type=TYPE)

    def stopped_and_kept(self, act: Act, began: float) -> None:
        """Stopped by its owner, and ended with the volume kept: another one begins with that."""
        with ThreadPoolExecutor() as pool:
            stopping = pool.submit(self._told, "stop")
            self._ended(act, began)
            stopping.result()
        act.reasons = self._reasons()
        self._told("down", "--data", "keep")
        self.live = self._made(key=self.live.key_sha256)
        act.moments["answers"] = time.time() - began

    def restored(self) -> Act:
        """Ended with a last snapshot, of which another one is made."""
        act, began, before = Act("restored"), time.time(), digests(self.live)
        self._told("down", "--data", "snapshot")
        self.live = self._made(key=self.live.key_sha256)
        act.moments["answers"] = time.time() - began
        return self._compared(act, before)

    def _goes_on(self, act: Act, began: float, made: dict[str, Any]) -> None:
        act.moments["answers"] = time.time() - began
        self.made = {**self.made, "zone": made["zone"], "instance_id": made["instance_id"]}

    @property
    def machine(self) -> str:
        """Its instance id."""
        return str(self.made["instance_id"])

    def _rescued(self, act: Act, began: float) -> None:
        def look() -> bool:
            told = self._notices()[len(self.notices) :]
            if told and "noticed" not in act.moments:
                act.moments["noticed"] = time.time() - began
            for line in told:
                words = dict(word.split("=", 1) for word in line.split() if "=" in word)
                if " rescue step=" in line:
                    act.steps[words["step"]] = float(words["seconds"])
            return any(" rescue done" in line for line in told)

        until(look)
        act.moments["saved"] = time.time() - began
        act.reasons = self._reasons()
        with self.live.logged_in() as there:
            act.notice = (there.call("GET", "/clouds/notice")["notice"] or {}).get("text", "")

    def _console(self) -> str:
        return self.aws.console(self.machine).replace("\r", "")

    def _reasons(self) -> list[str]:
        """Of every rescue since the machine was made."""
        return re.findall(r"^jupyter-clouds: rescue reason=(\S+)$", self._console(), re.MULTILINE)

    def _notices(self) -> list[str]:
        """The console's lines from its first notice on."""
        lines = self._console().split("\n")
        starts = (at for at, line in enumerate(lines) if " notice kind=interruption" in line)
        return lines[next(starts, len(lines)) :]

    def _ended(self, act: Act, began: float, name: str = "ended") -> None:
        until(lambda: self._state() not in ("running", "pending"))
        act.moments[name] = time.time() - began
        until(lambda: self._state() in ("stopped", "terminated"))
        act.moments["stopped"] = time.time() - began

    def _back(self, act: Act, began: float) -> None:
        local.capacity("back", market="spot", instance_type=TYPE)
        act.moments["capacity"] = time.time() - began
        until(lambda: self._state() == "running")
        act.moments["running"] = time.time() - began

        def look() -> None:
            with self.live.notebook() as notebook:
                notebook.login()
                assert notebook.run_cell("print(6 * 7)") == "42\n"

        answering(look, within=300)
        act.moments["answers"] = time.time() - began

    def _state(self) -> str:
        found = self.aws.instance(self.machine)
        return found.state if found else "absent"


def local_capacity_is_back() -> None:
    """Nothing is withheld any more."""
    if local.status().running:
        local.capacity("back", instance_type=TYPE)


def rehearse(folder: Path, watching: Watching | None = None) -> list[Act]:
    """All acts, in the order in which each needs the one before; somebody may watch each."""
    with ExitStack() as stack:
        there = Rehearsal(folder, stack, watching)
        first = there.act("terminated", there.terminated)
        there.bake()
        acts = (
            there.with_notice,
            there.without_notice,
            there.without_capacity,
            there.stopped_and_kept,
        )
        played = [there.act(one.__name__.replace("_", " "), one) for one in acts]
        return [first, *played, there.restored()]


def main() -> None:
    """The report is printed, and the picture drawn where `--draw` says."""
    parser = argparse.ArgumentParser(prog="rehearsal", description=__doc__)
    parser.add_argument("--draw", type=Path, metavar="FILE", help="draw the act with notice")
    asked = parser.parse_args()
    local.start(report=lambda text: print(text, file=sys.stderr))
    with tempfile.TemporaryDirectory() as folder:
        acts = rehearse(Path(folder))
    for act in acts:
        document_of = {"name": act.name, "seconds": act.seconds, **dataclasses.asdict(act)}
        document_of["moments"] = {name: round(at, 1) for name, at in act.moments.items()}
        print(json.dumps(document_of, indent=2))
    if asked.draw:
        from tests.machine import timeline  # noqa: PLC0415 (matplotlib when needed)

        timeline.draw(next(one for one in acts if one.name == "with notice"), asked.draw)


if __name__ == "__main__":
    main()
