"""A spot machine at work is interrupted: with notice, without, with nothing to come back to.

`make rehearsal` does it and prints the report; `--draw FILE.svg` draws the first of the three.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import secrets
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.machine.conftest import UP_SECONDS, Live, answering, document, wrapper
from tests.machine.work import Left, Work
from wrapper import local
from wrapper.aws import Aws

if TYPE_CHECKING:
    from collections.abc import Callable

NOTICE_SECONDS = 15
"""In place of the two minutes: all that happens in them happens in their first seconds."""
PATIENCE = 300
WORK_SECONDS = 8
"""More than what is written takes to be on the disk, without anybody asking for it."""


@dataclass
class Act:
    """One interruption: when things happened, in seconds from its beginning, and what was lost."""

    name: str
    moments: dict[str, float] = field(default_factory=dict)
    steps: dict[str, float] = field(default_factory=dict)
    """Seconds of each step of the rescue."""
    left: Left | None = None
    same: dict[str, bool] = field(default_factory=dict)
    """Whether address, key, password were those of before."""


TYPE = "t3.large"
"""Of which capacity is withheld: tests beside this one take others."""


class Rehearsal:
    """A deployment of its own on the embedded EC2, gone when the stack unwinds."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.environment = {**os.environ, "XDG_DATA_HOME": str(folder / "data")}
        self.name = f"rehearsal-{secrets.token_hex(3)}"
        was_running = local.status().running
        if not was_running:
            stack.callback(self._stop_if_idle)
        stack.callback(local_capacity_is_back)
        stack.callback(
            wrapper,
            *("down", self.name, "--local", "--yes", "--data", "delete"),
            environment=self.environment,
        )
        asked = ("--spot", "--instance-type", TYPE, "--data-size", "4")
        self.made = self._up("--local", "--generate-password", *asked)
        said = document(wrapper("password", self.name, "--json", environment=self.environment))
        self.live = Live(self.made["url"], said["password"], self.made["key_sha256"], own=True)
        self.aws = Aws(environment=local.status().env, region=self.made["region"])
        self.notices: list[str] = []
        """What the console told of notices before the act."""

    def _up(self, *more: str) -> dict[str, Any]:
        words = ("up", self.name, "--yes", "--json", *more)
        return document(wrapper(*words, environment=self.environment, seconds=UP_SECONDS))

    @staticmethod
    def _stop_if_idle() -> None:
        if "PYTEST_XDIST_WORKER" not in os.environ and not local.status().machines:
            local.stop()

    def act(self, name: str, end: Callable[[Act, float], None]) -> Act:
        """Somebody is at work; `end` ends the machine and brings a notebook back."""
        act = Act(name)
        with Work(self.live).under_way() as work:
            time.sleep(WORK_SECONDS)
            self.notices = self._notices()
            began = time.time()
            end(act, began)
        act.left = work.left(began + act.moments["ended"])
        now = document(wrapper("status", self.name, "--json", environment=self.environment))
        act.same = {
            "address": now["url"] == self.made["url"],
            "key": now["key_sha256"] == self.made["key_sha256"],
        }
        return act

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
        moved = self._up("--fallback", "zone")
        act.moments["answers"] = time.time() - began
        assert moved["zone"] != zone, moved
        self.made = {**self.made, "zone": moved["zone"], "instance_id": moved["instance_id"]}

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

    def _notices(self) -> list[str]:
        """The console's lines from its first notice on."""
        lines = self.aws.console(self.machine).replace("\r", "").split("\n")
        starts = (at for at, line in enumerate(lines) if " notice kind=interruption" in line)
        return lines[next(starts, len(lines)) :]

    def _ended(self, act: Act, began: float, name: str = "ended") -> None:
        until(lambda: self._state() not in ("running", "pending"))
        act.moments[name] = time.time() - began
        until(lambda: self._state() == "stopped")
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

        answering(look, within=PATIENCE)
        act.moments["answers"] = time.time() - began

    def _state(self) -> str:
        found = self.aws.instance(self.machine)
        return found.state if found else "absent"


def until(done: Callable[[], bool]) -> None:
    """It is so. AssertionError when it does not come to it."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.2)


def local_capacity_is_back() -> None:
    """Nothing is withheld any more."""
    if local.status().running:
        local.capacity("back", instance_type=TYPE)


def rehearse(folder: Path) -> list[Act]:
    """The three acts."""
    with ExitStack() as stack:
        there = Rehearsal(folder, stack)
        acts = (there.with_notice, there.without_notice, there.without_capacity)
        return [there.act(one.__name__.replace("_", " "), one) for one in acts]


def main() -> None:
    """The report is printed, and the picture drawn where `--draw` says."""
    parser = argparse.ArgumentParser(prog="rehearsal", description=__doc__)
    parser.add_argument("--draw", type=Path, metavar="FILE", help="draw the first act")
    asked = parser.parse_args()
    local.start(report=lambda text: print(text, file=sys.stderr))
    with tempfile.TemporaryDirectory() as folder:
        acts = rehearse(Path(folder))
    for act in acts:
        document_of = dataclasses.asdict(act)
        document_of["moments"] = {name: round(at, 1) for name, at in act.moments.items()}
        print(json.dumps(document_of, indent=2))
    if asked.draw:
        from tests.machine import timeline  # noqa: PLC0415 (matplotlib when needed)

        timeline.draw(acts[0], asked.draw)


if __name__ == "__main__":
    main()
