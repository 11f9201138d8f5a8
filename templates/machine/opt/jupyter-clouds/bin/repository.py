"""The phase repository: the user's code is in the work folder."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import clouds

if TYPE_CHECKING:
    from pathlib import Path

FILE = clouds.ETC / "repository"
GIT = clouds.CONDA / "envs/server/bin"
# How git says that another try would end the same way; its word for a private repository is that
# it may ask nobody for a name.
REFUSED = r"could not read Username|Authentication failed|not found|is not a git repository"


def repository() -> None:
    """The repository is cloned. Once: what the user does with it is never undone."""
    given = FILE.read_text().strip()
    if clouds.stamped("repository", given):
        return
    url, _, branch = given.partition("@")
    name = url.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git")
    place = clouds.ROOT / clouds.USER.pw_dir[1:] / "work" / name
    if name in {"", ".", ".."}:
        raise SystemExit(f"{url} has no name for a folder")
    # A data volume brings it along.
    if not os.path.lexists(place):
        clone(url, branch, place)
    clouds.stamp("repository", given)


def clone(url: str, branch: str, place: Path) -> None:
    """The folder is there, whole. SystemExit says what there is to do."""
    # Ubuntu's images have git, Debian's do not.
    os.environ["PATH"] += f":{GIT}"
    os.environ["GIT_TERMINAL_PROMPT"] = "0"
    partial = place.with_name(f".{place.name}.cloning")
    wanted = ["--branch", branch] if branch else []

    def attempt(_: int) -> None:
        clouds.run(["mkdir", "-p", place.parent], as_user=True)
        clouds.run(["rm", "-rf", partial], as_user=True)
        command = ["git", "clone", "--quiet", "--recurse-submodules", *wanted, "--", url]
        try:
            clouds.run([*command, partial], as_user=True)
        except clouds.PassingError as error:
            if re.search(REFUSED, str(error)):
                raise SystemExit(
                    f"{error}: is it there, and open to everybody? A private one:"
                    f" python -m wrapper clone {url}"
                ) from error
            raise

    clouds.retry(attempt)
    clouds.run(["mv", "-T", partial, place], as_user=True)
