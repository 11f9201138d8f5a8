#!/usr/bin/python3 -u
"""Commits the work in progress of git repositories to side branches, and pushes those.

Run as the notebook's user: a repository's own configuration can start programs. The user's
branch, index, stash and files are not touched: the commit is made from an index of its own.
Prints one JSON object a line for each repository; docs/adr/0008-interruption.md.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

# Started apart from what a user's Python would add.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from repository import GitError, Repository

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPTH = 4  # folders below the work folder
FOLDERS = 20_000  # looked into, at most
PASSED = {"node_modules", "__pycache__", "site-packages", "venv", "env"}


def work_trees(top: Path) -> Iterator[Path]:
    """Folders with a git repository, nearest first."""
    level, seen = [top], 0
    for _ in range(DEPTH + 1):
        below: list[Path] = []
        for folder in level:
            seen += 1
            if seen > FOLDERS:
                return
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError:
                continue
            if any(entry.name == ".git" for entry in entries):
                yield folder
            below += [
                Path(entry.path)
                for entry in entries
                if entry.is_dir(follow_symlinks=False)
                and entry.name not in PASSED
                and not entry.name.startswith(".")
            ]
        level = below


def main() -> None:
    top, seconds = Path(sys.argv[1]), float(sys.argv[2])
    deadline = time.monotonic() + seconds
    host = socket.gethostname().partition(".")[0]
    host = re.sub(r"[^\w-]+", "-", host, flags=re.ASCII).strip("-")
    saved: list[tuple[Repository, str]] = []
    for path in work_trees(top):
        one = Repository(path, deadline, host or "machine", {"path": str(path)})
        try:
            one.prepare()
            if one.ask("config", "--bool", "clouds.autosave") == "false":
                continue
            side = one.save()
        except (GitError, OSError) as error:
            one.report["error"] = str(error)
            side = None
        # At once: the time may be over before the next.
        if len(one.report) > 1:
            print(json.dumps(one.report))
        if side:
            saved.append((one, side))
    # Everything is safe on this disk before anything waits for a network.
    with ThreadPoolExecutor(4) as pool:
        for one, _ in zip(saved, pool.map(lambda pair: pair[0].push(pair[1]), saved), strict=True):
            print(json.dumps(one[0].report))


if __name__ == "__main__":
    main()
