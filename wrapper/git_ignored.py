"""What git would leave out of a folder, asked of git itself: its rules are its own.

https://git-scm.com/docs/git-ls-files
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from typing import TYPE_CHECKING

from wrapper.errors import FailedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ASK = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")


def names(folder: Path, environment: Mapping[str, str]) -> list[bytes] | None:
    """Names below the folder, folders with a slash at their end; None without a git to ask.

    Also where the folder is in no repository. FailedError when git cannot say.
    """
    git = shutil.which("git")
    if git is None:
        return None
    kept = {key: value for key, value in environment.items() if not key.startswith("GIT_")}

    def ask(*words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [git, "-C", folder, *words], check=False, capture_output=True, env=kept
        )

    if ask("rev-parse", "--is-inside-work-tree").stdout.strip() == b"true":
        done = ask(*_ASK)
    else:
        with tempfile.TemporaryDirectory() as empty:
            ask("init", "-q", "--bare", empty)
            done = ask(f"--git-dir={empty}", f"--work-tree={folder}", *_ASK)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise FailedError(
            f"git does not say what it ignores in {folder}: {said}",
            hint=f"See it: git -C {folder} status. Or take everything: --no-gitignore",
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
