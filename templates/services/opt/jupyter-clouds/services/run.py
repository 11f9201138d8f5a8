"""One run, as the notebook's user: run.py NAME, in the server's environment.

Its folder, work/runs/NAME, has what was sent. In .run/ there are plan.json, written before it was
started; state.json, how far it is; output.log, all that it printed; cancel, once somebody wants it
to end. docs/adr/0013-runs.md
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

OURS = ".run"
ROOT = Path(os.environ.get("CLOUDS_ROOT", "/"))  # the tests set it
HOME = Path(os.environ.get("CLOUDS_HOME", "~")).expanduser()
KERNEL = ROOT / "opt/jupyter-clouds/bin/kernel"
PREFIX = ROOT / "opt/conda/envs/notebook"
LOOK = 0.3  # seconds between two looks for somebody's wish to end it
GRACE = 5  # seconds that a program has between a polite end and another
MOST = 10_000  # files of outputs
WORDS = {"done": "is done", "failed": "has failed", "cancelled": "was cancelled"}
SIGNALLED = 128  # and the signal's number: as shells tell it


def now() -> str:
    """As everybody reads it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Ended(Exception):  # noqa: N818 - nobody's mistake
    """The run is to end before its own end: cancelled, or interrupted."""


class Run:
    """One run: its folder, what was planned, how far it is."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ours = folder, folder / OURS
        self.plan: dict[str, Any] = json.loads((self.ours / "plan.json").read_text())
        self.state: dict[str, Any] = {"state": "running", "began": now()}
        self.log = (self.ours / "output.log").open("ab", buffering=0)
        self.lock = threading.Lock()

    def tell(self, **news: Any) -> None:
        """Whoever looks sees it, whole; a full disk ends no run."""
        with self.lock, contextlib.suppress(OSError):
            self.state |= news
            partial = self.ours / ".state.json"
            partial.write_text(json.dumps(self.state))
            partial.replace(self.ours / "state.json")

    def say(self, text: str) -> None:
        """It is in the log."""
        with contextlib.suppress(OSError):
            self.log.write(text.encode(errors="replace"))

    def cancelled(self) -> bool:
        """Whether somebody wants it to end."""
        return (self.ours / "cancel").exists()

    def outputs(self) -> dict[str, list[str]]:
        """What there is of the outputs that were asked for, each file below its name."""
        found: dict[str, list[str]] = {}
        top = self.folder.resolve()
        for wanted in self.plan.get("outputs", []):
            files: set[str] = set()
            for path in self.named(wanted):
                for one in [path, *(path.rglob("*") if path.is_dir() else [])]:
                    inside = one.resolve().is_relative_to(top)
                    relative = one.relative_to(self.folder)
                    if inside and one.is_file() and OURS not in relative.parts[:1]:
                        files.add(relative.as_posix())
            found[wanted] = sorted(files)[:MOST]
        return found

    def named(self, wanted: str) -> list[Path]:
        """What is called so; else what fits it as a pattern."""
        exact = self.folder / wanted
        if exact.exists():
            return [exact]
        try:
            return list(self.folder.glob(wanted))
        except (ValueError, NotImplementedError, OSError) as error:
            self.say(f"{wanted}: {error}\n")
            return []

    def command(self) -> list[str]:
        """What is executed, inside the user's environment."""
        words = list(self.plan.get("arguments", []))
        if self.plan["kind"] == "script":
            words = ["python", "-u", self.plan["file"], *words]
        return [str(KERNEL), str(PREFIX), *words]

    def execute(self) -> int:
        """The program's exit code; 128 and the signal's number for one that was ended by one."""
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        try:
            child = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=self.log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            self.say(f"{error}\n")
            return 126
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = child.wait(LOOK)
                    return code if code >= 0 else SIGNALLED - code
                if self.cancelled():
                    raise Ended("cancelled")
        finally:
            end(child)


def end(child: subprocess.Popen[bytes]) -> None:
    """The program, and what is left of its session, has ended: politely, then not."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(GRACE)
            return


def work(run: Run) -> tuple[int, str | None]:
    """The exit code of what was planned, and in words why it is none of success."""
    if run.plan["kind"] == "notebook":
        import run_notebook  # noqa: PLC0415 - scripts need no second of imports

        return run_notebook.execute(run)
    return run.execute(), None


def tell_far(text: str, state: str) -> None:
    """The webhook knows, where there is one; of an interruption it was told by the rescue."""
    if state == "interrupted":
        return
    words = [sys.executable, "-IB", str(Path(__file__).with_name("notify.py")), "run", text]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(words, check=False, timeout=GRACE, stdout=subprocess.DEVNULL)


def main() -> int:
    run = Run(HOME / "work/runs" / sys.argv[1])

    def interrupt(*_: object) -> None:
        # The next one, while it ends, changes nothing.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Ended("cancelled" if run.cancelled() else "interrupted")

    signal.signal(signal.SIGTERM, interrupt)
    run.tell()
    code, error, state = 1, None, "failed"
    try:
        code, error = work(run)
        state = "failed" if code else "done"
    except Ended as why:
        code, state = SIGNALLED + signal.SIGTERM, str(why)
    except Exception as why:  # noqa: BLE001 - of whatever kind, whoever waits has to know
        error = f"{type(why).__name__}: {why}"[:2000]
        run.say(f"{error}\n")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    run.tell(state=state, exit_code=code, error=error, ended=now(), outputs=run.outputs())
    # Whoever reads the state next may have a machine that is gone the moment after.
    os.sync()
    tell_far(f"The run {sys.argv[1]} {WORDS[state]}.", state)
    return 0


if __name__ == "__main__":
    # Once: run_notebook imports it too.
    import run

    sys.exit(run.main())
