"""What git would leave out of a folder, asked of git itself: its rules are its own.

https://git-scm.com/docs/git-ls-files, https://git-scm.com/docs/gitignore
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
    git = Git(folder, environment)
    return git.names() if git.program else None


class Git:
    """git in a folder, which may be in no repository, nor git on this computer."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.program = shutil.which("git")
        kept = {key: value for key, value in environment.items() if not key.startswith("GIT_")}
        self.environment = kept

    def is_repository(self) -> bool:
        """Whether the folder is in one."""
        inside = self.program and self._ask("rev-parse", "--is-inside-work-tree").stdout.strip()
        return inside == b"true"

    def names(self, bare: Path | None = None) -> list[bytes]:
        """What is left out; an empty repository is made there, where there is none. FailedError."""
        if self.program is None:
            return []
        if self.is_repository():
            return self._listed(*_ASK)
        with tempfile.TemporaryDirectory() as empty:
            place = bare or Path(empty)
            place.parent.mkdir(parents=True, exist_ok=True)
            self._ask("init", "-q", "--bare", str(place))
            return self._listed(f"--git-dir={place}", f"--work-tree={self.folder}", *_ASK)

    def tracked(self) -> list[bytes]:
        """What the repository has, though a rule says to leave it out. FailedError."""
        if not self.is_repository():
            return []
        return self._listed("ls-files", "-z", "--cached", "--ignored", "--exclude-standard")

    def rules(self) -> bytes:
        """What counts for all of it: the user's rules, the repository's, its own .gitignore."""
        if self.program is None:
            return b""
        named = self._ask("config", "--path", "core.excludesFile").stdout.strip()
        settings = self.environment.get("XDG_CONFIG_HOME") or (
            f"{self.environment.get('HOME', '')}/.config"
        )
        files = [Path(os.fsdecode(named)) if named else Path(settings, "git/ignore")]
        if self._ask("rev-parse", "--show-prefix").stdout == b"\n":
            path = self._ask("rev-parse", "--git-path", "info/exclude").stdout
            files.append(self.folder / os.fsdecode(path.removesuffix(b"\n")))
        files.append(self.folder / ".gitignore")
        found = b""
        for file in files:
            with suppress(OSError):
                found += file.read_bytes().removesuffix(b"\n") + b"\n"
        return found

    def _ask(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        command = [str(self.program), "-C", str(self.folder), *words]
        return subprocess.run(command, check=False, capture_output=True, env=self.environment)

    def _listed(self, *words: str) -> list[bytes]:
        done = self._ask(*words)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            raise FailedError(
                f"git does not say what it ignores in {self.folder}: {said}",
                hint=f"See it: git -C {self.folder} status. Or take everything: --no-gitignore",
            )
        return [name for name in done.stdout.split(b"\0") if name]
