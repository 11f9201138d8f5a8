"""What git would leave out of a folder, asked of git itself: its rules are its own.

https://git-scm.com/docs/git-ls-files
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from wrapper.errors import FailedError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ASK = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")


def names(folder: Path, environment: Mapping[str, str]) -> list[bytes] | None:
    """Names below the folder, folders with a slash at their end; None without a git to ask.

    Also where the folder is in no repository. FailedError when git cannot say.
    """
    git = _Git(folder, environment)
    if git.program is None:
        return None
    if git.is_repository():
        return git.listed(*_ASK)
    with tempfile.TemporaryDirectory() as empty:
        git.ask("init", "-q", "--bare", empty)
        return git.listed(f"--git-dir={empty}", f"--work-tree={folder}", *_ASK)


def tracked(folder: Path, environment: Mapping[str, str]) -> list[bytes]:
    """Names below the folder that its repository has, though a rule says to leave them out."""
    git = _Git(folder, environment)
    if git.program is None or not git.is_repository():
        return []
    return git.listed("ls-files", "-z", "--cached", "--ignored", "--exclude-standard")


def rules(folder: Path, environment: Mapping[str, str]) -> bytes:
    """What counts here for all of the folder: the user's, the repository's, its own .gitignore."""
    git = _Git(folder, environment)
    if git.program is None:
        return b""
    named = git.ask("config", "--path", "core.excludesFile").stdout.strip()
    settings = environment.get("XDG_CONFIG_HOME") or f"{environment.get('HOME', '')}/.config"
    files = [Path(os.fsdecode(named)) if named else Path(settings, "git/ignore")]
    if git.ask("rev-parse", "--show-prefix").stdout == b"\n":
        path = git.ask("rev-parse", "--git-path", "info/exclude").stdout.removesuffix(b"\n")
        files.append(folder / os.fsdecode(path))
    files.append(folder / ".gitignore")
    found = b""
    for file in files:
        with suppress(OSError):
            found += file.read_bytes().removesuffix(b"\n") + b"\n"
    return found


class _Git:
    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.program = shutil.which("git")
        kept = {key: value for key, value in environment.items() if not key.startswith("GIT_")}
        self.environment = kept

    def ask(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        command = [str(self.program), "-C", str(self.folder), *words]
        return subprocess.run(command, check=False, capture_output=True, env=self.environment)

    def is_repository(self) -> bool:
        return self.ask("rev-parse", "--is-inside-work-tree").stdout.strip() == b"true"

    def listed(self, *words: str) -> list[bytes]:
        """What ends with a zero byte each. FailedError."""
        done = self.ask(*words)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            raise FailedError(
                f"git does not say what it ignores in {self.folder}: {said}",
                hint=f"See it: git -C {self.folder} status. Or take everything: --no-gitignore",
            )
        return [name for name in done.stdout.split(b"\0") if name]


def simple(folder: Path) -> list[str]:
    """Patterns for names of the folder's own .gitignore, for files that come to be later.

    None of them where the file has exceptions or paths: only git understands those.
    """
    try:
        lines = (folder / ".gitignore").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    if any(line.startswith("!") for line in lines):
        return []
    names = [line.strip().removesuffix("/") for line in lines if line.strip()]
    return [name for name in names if not set(name) & set("/#\\[]{},")]
