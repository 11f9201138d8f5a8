"""Children that are real: followed as they speak, interrupted once, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from typing import TYPE_CHECKING

import pytest

from wrapper.errors import DiskError, Interrupted, TerraformError
from wrapper.terraform import process

if TYPE_CHECKING:
    from pathlib import Path

DRIVER = """
    import signal, sys
    from pathlib import Path
    from wrapper.errors import Interrupted
    from wrapper.terraform import process
    folder, *command = sys.argv[1:]
    try:
        process.run(
            command, directory=Path(folder), environment={"PATH": "/usr/bin:/bin"},
            log=Path(folder) / "child.jsonl", on_line=lambda line: print(line, flush=True),
        )
    except Interrupted as error:
        print("interrupted:", error.message, flush=True)
        sys.exit(error.exit_code)
    print("the end", flush=True)
"""
WAIT = "echo ready; while :; do sleep 0.05; done"
POLITE = f"trap 'echo asked; sleep 0.3; echo saved; exit 1' INT; {WAIT}"
STUBBORN = f"n=0; trap 'n=$((n+1)); echo asked $n; [ $n -ge 2 ] && exit 1' INT; {WAIT}"


class Driven:
    """A wrapper process that runs a child, in a session of its own as a terminal would."""

    def __init__(self, folder: Path, *command: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(DRIVER), str(folder), *command],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def line(self) -> str:
        """The next line of its output."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def rest(self) -> list[str]:
        """Its output to the end."""
        assert self.process.stdout is not None
        out = self.process.stdout.read()  # and not communicate(), which misses what is buffered
        self.process.wait(timeout=20)
        return out.splitlines()


def _run(folder: Path, *command: str, lines: list[str]) -> process.Run:
    return process.run(
        command,
        directory=folder,
        environment={"PATH": os.environ["PATH"]},
        log=folder / "child.jsonl",
        on_line=lines.append,
    )


def test_each_line_is_handed_on_also_one_without_an_end(tmp_path: Path) -> None:
    lines: list[str] = []
    ended = _run(tmp_path, "sh", "-c", "echo one; echo ü; echo oops >&2; printf two", lines=lines)
    assert lines == ["one", "ü", "two"]
    assert ended == process.Run(0, "oops\n")


def test_lines_come_while_the_child_still_runs(tmp_path: Path) -> None:
    waits = "echo first; until test -e go; do sleep 0.05; done; echo last"
    driven = Driven(tmp_path, "sh", "-c", waits)
    assert driven.line() == "first"
    (tmp_path / "go").touch()
    assert driven.rest() == ["last", "the end"]


def test_a_child_reads_nothing_and_sees_only_its_environment(tmp_path: Path) -> None:
    lines: list[str] = []
    _run(tmp_path, "sh", "-c", "cat; env | cut -d= -f1 | sort | tr '\\n' ' '", lines=lines)
    assert set(lines[0].split()) <= {"PATH", "PWD", "SHLVL", "_", "OLDPWD"}


@pytest.mark.usefixtures("heard_hangups")
@pytest.mark.parametrize("signal_sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_reaches_the_child_once_and_is_waited_for(
    tmp_path: Path, signal_sent: signal.Signals
) -> None:
    driven = Driven(tmp_path, "bash", "-c", POLITE)
    assert driven.line() == "ready"
    # To the whole foreground group, as a terminal does for Ctrl-C.
    os.killpg(driven.process.pid, signal_sent)
    rest = driven.rest()
    assert rest[:2] == ["asked", "saved"]
    assert rest[2].startswith("interrupted: ")
    assert driven.process.returncode == 130


def test_a_second_interrupt_is_left_to_the_child(tmp_path: Path) -> None:
    driven = Driven(tmp_path, "bash", "-c", STUBBORN)
    assert driven.line() == "ready"
    os.killpg(driven.process.pid, signal.SIGINT)
    assert driven.line() == "asked 1"
    assert driven.process.poll() is None
    os.killpg(driven.process.pid, signal.SIGINT)
    assert driven.line() == "asked 2"
    assert driven.rest()[0].startswith("interrupted: ")


def test_a_wrapper_that_is_killed_takes_no_child_along(tmp_path: Path) -> None:
    done = tmp_path / "done"
    script = f"echo ready; sleep 1; echo more; echo still here >&2; touch {done}"
    driven = Driven(tmp_path, "bash", "-c", script)
    assert driven.line() == "ready"
    driven.process.kill()
    driven.process.wait()
    until = time.monotonic() + 10
    while not done.exists():
        assert time.monotonic() < until, "the child died with its parent"
        time.sleep(0.05)


def test_a_missing_program_is_an_error_with_a_way_on(tmp_path: Path) -> None:
    with pytest.raises(TerraformError, match="cannot be run") as caught:
        _run(tmp_path, "/no/such/terraform", lines=[])
    assert "doctor" in (caught.value.hint or "")


def test_a_directory_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DiskError):
        process.run(
            ["true"],
            directory=tmp_path,
            environment={},
            log=tmp_path / "none" / "log",
            on_line=lambda _: None,
        )


def test_signals_are_put_back(tmp_path: Path) -> None:
    before = [signal.getsignal(one) for one in process.ENDING_SIGNALS]
    _run(tmp_path, "true", lines=[])
    assert [signal.getsignal(one) for one in process.ENDING_SIGNALS] == before


def test_under_nohup_a_closed_terminal_ends_nothing(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        lines: list[str] = []
        _run(tmp_path, "sh", "-c", "kill -HUP $PPID; echo goes on", lines=lines)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert lines == ["goes on"]


def test_a_cancelled_child_is_interrupted_once(tmp_path: Path) -> None:
    cancelled = threading.Event()
    lines: list[str] = []

    def take(line: str) -> None:
        lines.append(line)
        cancelled.set()

    with pytest.raises(Interrupted):
        process.run(
            ["sh", "-c", POLITE],
            directory=tmp_path,
            environment={"PATH": os.environ["PATH"]},
            log=tmp_path / "child.jsonl",
            on_line=take,
            cancelled=cancelled,
        )
    assert lines == ["ready", "asked", "saved"]
