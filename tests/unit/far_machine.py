"""A machine's home directory on this computer, reached by a stand-in for SSH's way between."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from wrapper.deployment import ssh

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

ODD = (
    *("a b", "ü", "-n", "$(touch x)", "quote'\"", "star*[1]?", "{x},y", "a:b", "a from b to c"),
    *("back\\slash", "new\nline", " edges ", os.fsdecode(b"no\xffutf\xfe")),
)
"""Names that files may have."""

# What sshd does: the words are joined, and a shell reads them in the user's home directory.
SSH = """#!{python} -IS
import os, sys
words = sys.argv[sys.argv.index("clouds-moon") + 1 :]
if words[:2] == ["-e", "none"]:
    words = words[2:]
words = words[1:] if words[:1] == ["--"] else words
os.chdir({home!r})
kept = {{key: value for key, value in os.environ.items() if not key.startswith("UNISON")}}
os.execve("/bin/sh", ["sh", "-c", " ".join(words)], kept | {{"HOME": {home!r}}})
"""
PYTHON = Path("/usr/bin/python3")


def set_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> tuple[Path, Path, Path]:
    """A folder of that name here, the machine's home, and what SSH needs of the deployment."""
    here, home, tools = (tmp_path / one for one in (name, "far away", "tools"))
    folder = tmp_path / "it's data" / "moon" / "ssh"
    for one in (here, home / "work", tools, folder):
        one.mkdir(parents=True)
    (tools / "ssh").write_text(SSH.format(python=sys.executable, home=str(home)))
    (tools / "ssh").chmod(0o755)
    # A machine's is the system's; what else is of this name here may take longer than all the rest.
    if PYTHON.exists():
        (tools / "python3").symlink_to(PYTHON)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setattr(ssh, "connect", lambda *_: folder)
    return here, home, folder


def contents(folder: Path) -> set[str]:
    """Names of all files below it."""
    return {str(one.relative_to(folder)) for one in folder.rglob("*") if not one.is_dir()}


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Somebody appends to it all the time."""
    over = threading.Event()

    def write() -> None:
        with file.open("ab", buffering=0) as stream:
            while not over.wait(0.0005):
                stream.write(b"line\n")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
