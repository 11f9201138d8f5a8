#!/usr/bin/python3 -S
"""Shows what this machine's own units wrote to the journal, to who asks on its socket.

One JSON object in: {"phase"?, "lines"?, "after"?}, the last a cursor; one out: {"text", "cursor"}.
Started by systemd for each question, with the connection as standard input and output. With the
question as its argument it asks there itself: `logs.py JSON`, over SSH.
"""

from __future__ import annotations

import json
import os
import re
import select
import socket
import subprocess
import sys
from typing import Any

PHASES = "address certificate conda data environment firewall server services settings fingerprint"
UNITS = {
    "boot": [f"jupyter-clouds-{one}" for one in PHASES.split()],
    "jupyter": ["jupyter-clouds-notebook"],
    "idle": ["jupyter-clouds-autostop"],
    "spot": ["jupyter-clouds-watch", "jupyter-clouds-rescue@*", "jupyter-clouds-flush"],
    "run": ["jupyter-clouds-run@*"],
    "files": ["jupyter-clouds-files", "jupyter-clouds-grow"],
}
# https://www.freedesktop.org/software/systemd/man/latest/sd_journal_get_cursor.html
CURSOR = re.compile(r"[\w=;.-]{1,400}", re.ASCII)
MARK = "-- cursor: "
MOST, LARGEST = 5000, 2**20  # lines, and bytes of an answer
SILENCE = 5  # seconds in which who asks has to have asked
SOCKET = os.environ.get("JUPYTER_CLOUDS_LOGS", "/run/jupyter-clouds/logs.sock")


def command(asked: dict[str, Any]) -> list[str]:
    """What shows it. Raises ValueError for nonsense."""
    phase, lines, after = asked.get("phase"), asked.get("lines", 200), asked.get("after")
    if phase is not None and not (isinstance(phase, str) and phase in UNITS):
        raise ValueError(f"no such phase: {phase!r}; there are {', '.join(UNITS)}")
    if not isinstance(lines, int) or not 0 < lines <= MOST:
        raise ValueError(f"lines: a whole number up to {MOST}, not {lines!r}")
    if after is not None and not (isinstance(after, str) and CURSOR.fullmatch(after)):
        raise ValueError("no cursor of a journal")
    units = UNITS[phase] if phase else [one for some in UNITS.values() for one in some]
    words = ["journalctl", "-q", "--no-pager", "--show-cursor", "-o", "short-iso", f"-n{lines}"]
    return [*words, *([f"--after-cursor={after}"] if after else []), *(f"-u{one}" for one in units)]


def answer(asked: object) -> dict[str, Any]:
    """The journal's text, and where to go on from."""
    if not isinstance(asked, dict):
        return {"error": "no JSON object"}
    try:
        words = command(asked)
    except ValueError as error:
        return {"error": str(error)}
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        return {"error": f"journalctl ended with {done.returncode}: {done.stderr.strip()[-300:]}"}
    text, mark, cursor = done.stdout.rpartition(MARK)
    if not mark:
        # Nothing new.
        return {"text": done.stdout[-LARGEST:], "cursor": asked.get("after")}
    return {"text": text[-LARGEST:], "cursor": cursor.strip()}


def ask(words: str) -> None:
    """What is answered there is printed. Raises OSError."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(SOCKET)
        connection.sendall(words.encode() + b"\n")
        sys.stdout.write(connection.makefile(errors="replace").read())


def main() -> None:
    if len(sys.argv) > 1:
        ask(sys.argv[1])
        return
    if not select.select([sys.stdin], [], [], SILENCE)[0]:
        return
    try:
        asked = json.loads(sys.stdin.buffer.readline(2**12))
    except ValueError:
        asked = None
    sys.stdout.write(json.dumps(answer(asked)))


if __name__ == "__main__":
    main()
