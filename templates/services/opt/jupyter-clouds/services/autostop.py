#!/usr/bin/python3 -Su
"""Stops this machine when nobody and nothing uses it, or its hours are over.

Says so in JupyterLab before, and has saved what can be saved. docs/adr/0009-autostop.md tells what
counts as use, and who may say what.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bin"))
import clouds
from activity import Unanswered
from lifetime import now
from listening import Listener, Watchdog
from verdict import Verdict

SOCKET = os.environ.get("JUPYTER_CLOUDS_AUTOSTOP", f"{clouds.RUN}/autostop.sock")
RESCUE = 130  # seconds; its unit ends it after 110
PATIENCE = 180  # seconds for an orderly shutdown
# Seconds: the time in a notice is approximate.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
EARLY = 20


class Program:
    """The watch, what it listens to, and who watches it."""

    def __init__(self) -> None:
        self.watchdog = Watchdog()
        self.verdict = Verdict()
        self.listener = Listener(SOCKET, {0, clouds.USER.pw_uid}, clouds.USER.pw_gid)
        self.ended = False
        self.off = 0.0

    def wait(self, seconds: float) -> None:
        """So much time passed, or something was asked and answered meanwhile."""
        ends = now() + seconds
        while not self.ended:
            self.watchdog.pat()
            left = min(ends - now(), self.watchdog.pause)
            if self.listener.serve(max(left, 0), self.verdict.answer):
                return
            if now() >= ends:
                return

    def run(self) -> None:
        """Until systemd ends it."""
        self.verdict.look()
        self.watchdog.ready()
        next_look = now() + self.verdict.pause
        while not self.ended:
            if now() >= next_look:
                self.verdict.look()
                next_look = now() + self.verdict.pause
            due = self.verdict.due()
            if not self.off:
                self.verdict.show(due)
                if why := self.verdict.over():
                    self.stop(why)
            elif now() > self.off:
                self.power_off("--force")
            present = now()
            # Sooner, where it was told of a shorter time meanwhile.
            next_look = min(next_look, present + self.verdict.pause)
            # What is over and waits for a look waits for the next.
            coming = [one for one in due.values() if one > present]
            self.wait(max(0.05, min([next_look, *coming]) - present))
        self.going_down()

    def stop(self, why: str) -> None:
        """All is saved, and the machine goes down; or somebody came back in the last minute."""
        clouds.console(f"jupyter-clouds: autostop reason={why}")
        self.verdict.stopping = why
        rescue = ["systemctl", "start", f"jupyter-clouds-rescue@{why}.service"]
        with subprocess.Popen(rescue) as child:
            ends = now() + RESCUE
            while child.poll() is None and now() < ends and not self.ended:
                self.wait(0.2)
            child.kill()
        if self.ended:
            return
        self.verdict.look()
        if not self.verdict.over():
            clouds.console(f"jupyter-clouds: autostop reason={why} called off")
            self.verdict.stopping = ""
            with contextlib.suppress(Unanswered):
                self.verdict.take_away(f"{why}-")
            return
        self.verdict.lifetime.end(why)
        self.power_off()

    def power_off(self, *how: str) -> None:
        """The machine goes down; harder where it did not."""
        done = subprocess.run(["systemctl", "poweroff", *how], check=False)
        print(f"poweroff {' '.join(how)}: {done.returncode}")
        self.off = now() + PATIENCE

    def going_down(self) -> None:
        """Whoever stops the machine starts it again: with all its hours.

        But EC2 does, after an interruption, and a reboot is no end.
        """
        self.verdict.note()
        if self.off or announced():
            return
        command = ["systemctl", "list-jobs", "--no-legend"]
        jobs = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        if any(f"{one}.target" in jobs for one in ("poweroff", "halt")):
            self.verdict.lifetime.end("stopped")


def announced() -> bool:
    """Whether EC2 has said that it takes the machine about now; until then an owner may stop it."""
    if not (clouds.RUN / "notice-interruption.acted").exists():
        return False
    try:
        given = json.loads((clouds.RUN / "notice-interruption.json").read_text())
        moment = dt.datetime.fromisoformat(given["time"]).timestamp()
    except (OSError, ValueError, KeyError, TypeError):
        return True
    return time.time() > moment - EARLY


def main() -> None:
    clouds.RUN.mkdir(parents=True, exist_ok=True)
    program = Program()

    def end(*_: object) -> None:
        program.ended = True

    signal.signal(signal.SIGTERM, end)
    program.run()


if __name__ == "__main__":
    main()
