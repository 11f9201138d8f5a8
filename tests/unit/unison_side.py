"""Unison's side of the conversation with the monitor of a folder."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from typing import TYPE_CHECKING, Self
from urllib.parse import quote_from_bytes, unquote_to_bytes

import pytest

from wrapper.monitor import program

if TYPE_CHECKING:
    from pathlib import Path

BLIND = """
from wrapper.monitor import serving
def none(_):
    raise OSError("no inotify here")
if {blind}:
    serving.Inotify.__init__ = none
serving._WRITING, serving._LONGEST = {patience}, 2 * {patience}
serving.main()
"""


class Unison:
    """What it asks of a monitor of one folder."""

    def __init__(
        self,
        root: Path,
        *words: str,
        blind: bool = False,
        patience: float = 0.5,
        scans: bool = True,
    ) -> None:
        archive = root.parent / "monitor.pyz"
        archive.write_bytes(program.archive())
        code = f"import sys; sys.path.insert(0, {str(archive)!r})\n"
        code += BLIND.format(blind=blind, patience=patience)
        self.root, self.scans = root, scans
        self.child = subprocess.Popen(
            [sys.executable, "-I", "-c", code, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        self.say("VERSION 1")
        assert self.hear() == "VERSION 1"
        if self.scans:
            self.scan()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.child.stdin
        assert self.child.stdout
        self.child.stdin.close()
        assert self.child.wait(20) == 0
        self.child.stdout.close()

    def scan(self, path: str = "", *folders: str) -> None:
        """All of it, or just that path."""
        self.begin(path)
        assert self.hear() == "OK"
        for folder in ("", *folders):
            assert self.enter(folder) == "OK"
        self.say("DONE")

    def begin(self, path: str = "") -> None:
        root = quote_from_bytes(os.fsencode(self.root), "/")
        self.say(f"START hash {root} {path}")

    def enter(self, folder: str = "") -> str:
        """What it is answered."""
        self.say(f"DIR {folder}")
        return self.hear()

    def changes(self) -> set[str]:
        """Waited for, then asked for; also the error instead."""
        self.say("WAIT hash")
        assert self.hear() == "CHANGES hash"
        self.say("CHANGES hash")
        found = set()
        while (line := self.hear()) != "DONE":
            word, _, path = line.partition(" ")
            found.add(os.fsdecode(unquote_to_bytes(path)))
            if word == "ERROR":
                break
            assert word == "RECURSIVE"
        return found

    def all_changes(self, wanted: set[str]) -> None:
        """Exactly those are told, in one round or in several."""
        found: set[str] = set()
        while not found >= wanted:
            found |= self.changes()
        assert found == wanted

    def is_quiet(self) -> bool:
        """Nothing is told for longer than a change takes."""
        assert self.child.stdout
        self.say("WAIT hash")
        return not select.select([self.child.stdout], [], [], 1.5)[0]

    def say(self, line: str) -> None:
        assert self.child.stdin
        self.child.stdin.write(f"{line}\n".encode())
        self.child.stdin.flush()

    def hear(self) -> str:
        assert self.child.stdout
        return self.child.stdout.readline().decode().removesuffix("\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "a folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "old").write_text("old")
    return folder
