"""What git would leave out of a folder, and the rules that say so.

https://git-scm.com/docs/git-ls-files, https://git-scm.com/docs/gitignore
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from wrapper.errors import FailedError
from wrapper.monitor.rules import GitError, Tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def names(folder: Path, environment: Mapping[str, str]) -> list[bytes] | None:
    """Names below the folder, folders with a slash at their end; None without a git to ask.

    Also where the folder is in no repository. FailedError when git cannot say.
    """
    git = Git(folder, environment)
    return git.names() if git.program else None


class Git:
    """git in a folder, which may be in no repository, nor there yet, nor git on this computer."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.nearest = next(one for one in (folder, *folder.parents) if one.is_dir())
        self.program = shutil.which("git")
        kept = {key: value for key, value in environment.items() if not key.startswith("GIT_")}
        self.environment = kept

    def is_repository(self) -> bool:
        """Whether the folder is in one that does not leave it out as a whole."""
        inside = self.program and self._ask("rev-parse", "--is-inside-work-tree").stdout.strip()
        if inside != b"true":
            return False
        if missing := self._missing:
            return self._ask("check-ignore", "-q", f"./{'/'.join(missing)}/").returncode != 0
        if self._ask("rev-parse", "--show-prefix").stdout == b"\n":
            return True
        # Asked what it leaves out in a folder that it leaves out, ls-files fails. And asked about
        # ".", check-ignore takes what leaves out all that is in a folder for what leaves out it.
        return self._ask("-C", "..", "check-ignore", "-q", f"./{self.folder.name}").returncode != 0

    def names(self, bare: Path | None = None) -> list[bytes]:
        """What is left out; an empty repository is made there, where there is none. FailedError."""
        if self.program is None or self._missing:
            return []
        if self.is_repository():
            return self._left_out("")
        with tempfile.TemporaryDirectory() as empty:
            place = bare or Path(empty)
            place.parent.mkdir(parents=True, exist_ok=True)
            self._ask("init", "-q", "--bare", str(place))
            return self._left_out(str(place))

    def tracked(self) -> list[bytes]:
        """What the repository has, though a rule says to leave it out. FailedError."""
        if self._missing or not self.is_repository():
            return []
        done = self._ask("ls-files", "-z", "--cached", "--ignored", "--exclude-standard")
        if done.returncode:
            raise self._silent(done.stderr.decode(errors="replace").strip())
        return [name for name in done.stdout.split(b"\0") if name]

    def rules(self) -> bytes:
        """What counts for all of it: the user's rules, the repository's, each .gitignore above."""
        if self.program is None:
            return b""
        named = self._ask("config", "--path", "core.excludesFile").stdout.strip()
        settings = self.environment.get("XDG_CONFIG_HOME") or (
            f"{self.environment.get('HOME', '')}/.config"
        )
        user = Path(os.fsdecode(named)) if named else Path(settings, "git/ignore")
        found = _read(user)
        prefix: tuple[str, ...] = ()
        if self.is_repository():
            # Both end with a line break, and may have others.
            path = self._ask("rev-parse", "--git-path", "info/exclude").stdout
            below = self._ask("rev-parse", "--show-prefix").stdout
            prefix = (*Path(os.fsdecode(below.removesuffix(b"\n"))).parts, *self._missing)
            found += _seen_from(prefix, _read(self.nearest / os.fsdecode(path.removesuffix(b"\n"))))
        above = [self.folder, *self.folder.parents][len(prefix) :: -1]
        for depth, folder in enumerate(above):
            found += _seen_from(prefix[depth:], _read(folder / ".gitignore"))
        return found

    @property
    def _missing(self) -> tuple[str, ...]:
        """What of the folder's name is not there yet."""
        return self.folder.relative_to(self.nearest).parts

    def _ask(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        command = [str(self.program), "-C", str(self.nearest), *words]
        return subprocess.run(command, check=False, capture_output=True, env=self.environment)

    def _left_out(self, git: str) -> list[bytes]:
        try:
            return Tree(os.fsencode(self.folder), git, self.environment).names()
        except GitError as error:
            raise self._silent(str(error)) from error

    def _silent(self, said: str) -> FailedError:
        return FailedError(
            f"git does not say what it ignores in {self.folder}: {said}",
            hint=f"See it: git -C {self.folder} status. Or take everything: --no-gitignore",
        )


def _read(file: Path) -> bytes:
    with suppress(OSError):
        return file.read_bytes().removesuffix(b"\n") + b"\n"
    return b""


def _seen_from(prefix: tuple[str, ...], rules: bytes) -> bytes:
    """The same rules as a .gitignore in the folder of that name would have them.

    https://git-scm.com/docs/gitignore#_pattern_format
    """
    if not prefix:
        return rules
    lines = []
    for line in os.fsdecode(rules).split("\n"):
        rule = line.removesuffix("\r")
        no = "!" if rule.startswith("!") else ""
        pattern = rule.removeprefix("!")
        if rule.startswith("#") or "/" not in pattern.rstrip().removesuffix("/"):
            lines.append(line)  # a remark, or a name at any depth
        else:
            parts = tuple(pattern.removeprefix("/").split("/"))
            lines += [no + "/" + "/".join(left) for left in _left(parts, prefix)]
    return os.fsencode("\n".join(lines))


def _left(parts: tuple[str, ...], prefix: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """What is left of a pattern below the prefix; nothing, where it leads elsewhere."""
    if not prefix:
        if any(parts):
            yield parts
    elif parts and parts[0] == "**":
        yield from _left(parts, prefix[1:])
        yield from _left(parts[1:], prefix)
    elif parts and fnmatchcase(prefix[0], _as_python_has_it(parts[0])):
        yield from _left(parts[1:], prefix[1:])


def _as_python_has_it(part: str) -> str:
    """git negates a class by ^ too, and takes any character after a backslash as it is."""
    return re.sub(r"\\(.)", r"[\1]", part.replace("[^", "[!"))
