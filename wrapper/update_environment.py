"""What the machine runs to bring its kernel's environment up to a file; sent there as a script.

It runs inside that environment, as a run of its own (docs/adr/0013-runs.md), and imports nothing of
ours. `source` makes the script.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ASKED: dict[str, Any] = {}
# Beside the environment, on its disk: gigabytes, which home would keep in every snapshot.
PACKAGES = "/opt/conda/pkgs-notebook"
PLATFORMS = {"x86_64": "linux-64", "aarch64": "linux-aarch64"}
# Of conda's explicit files: .../NAME-VERSION-BUILD.conda#MD5
FILE = re.compile(r"/(?P<name>[^/#]+)-[^-/#]+-[^-/#]+\.(?:conda|tar\.bz2)(?:#|$)")


def source(asked: dict[str, Any]) -> str:
    """The script, with what is asked for in it: no argument shows that."""
    script = Path(__file__).read_text(encoding="utf-8")
    begin = "\nASKED: dict[str, Any] = "
    return script.replace(f"{begin}{{}}\n", f"{begin}{json.dumps(asked)}\n", 1)


def versions(prefix: Path) -> dict[str, str]:
    """What is installed, by name: conda's packages, and pip's."""
    found = {}
    for path in (prefix / "conda-meta").glob("*.json"):
        # NAME-VERSION-BUILD.json
        name, _, version = path.stem.rpartition("-")[0].rpartition("-")
        found[name] = version
    for path in prefix.glob("lib/python*/site-packages/*.dist-info"):
        name, _, version = path.name.removesuffix(".dist-info").rpartition("-")
        found[re.sub(r"[-_.]+", "-", name).lower()] = version
    return found


def changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """A line for each package that came, went or changed."""
    return [
        f"{name} {before.get(name, '-')} -> {after.get(name, '-')}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


class Conda:
    """conda, at work on one environment.

    Not mamba: what that makes of an update has surprised others.
    https://github.com/mamba-org/mamba/issues/3209
    """

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix

    def run(self, *words: str | Path, show: bool = True) -> subprocess.CompletedProcess[str]:
        """It ran, and said what it has to say."""
        return subprocess.run(
            ["conda", *words],
            env={**os.environ, "CONDA_PKGS_DIRS": PACKAGES},
            stdin=subprocess.DEVNULL,
            stdout=None if show else subprocess.PIPE,
            check=False,
            text=True,
        )

    def update(self, file: Path) -> int:
        """What an environment.yml asks for is there."""
        return self.run("env", "update", *self.how, "--file", file).returncode

    def install(self, file: Path) -> int:
        """The files that an explicit file names are installed, and nothing is solved."""
        return self.run("install", "--yes", *self.how, "--file", file).returncode

    @property
    def how(self) -> tuple[str | Path, ...]:
        """Where, without bars."""
        return ("--quiet", "--prefix", self.prefix)

    def explicit(self) -> dict[str, str] | None:
        """The file of each package that is conda's, by name. None: conda does not tell."""
        told = self.run("list", "--explicit", "--md5", "--prefix", self.prefix, show=False)
        lines = [line for line in told.stdout.splitlines() if FILE.search(line)]
        names = [found["name"] for line in lines if (found := FILE.search(line))]
        return None if told.returncode else dict(zip(names, lines, strict=True))

    def restore(self, before: dict[str, str]) -> None:
        """Its packages are those of before, from their files: what was solved once is not again."""
        after = self.explicit() or {}
        # Another Python has other places for what is made for any of them.
        every = after.get("python") != before.get("python")
        lost = [line for name, line in before.items() if every or after.get(name) != line]
        came = sorted(after.keys() - before.keys())
        if came:
            self.run("remove", "--yes", "--force", *self.how, *came)
        if lost:
            self.install(written("before.txt", ["@EXPLICIT", *lost]))


def written(name: str, lines: list[str]) -> Path:
    """The file, which the user alone can read."""
    path = Path(name)
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def pip(prefix: Path, file: Path) -> int:
    """What is locked for pip is installed, and nothing that would come along with it."""
    # The environment's own, which conda may have replaced since this began.
    words = ["-m", "pip", "install", "--no-deps", "--no-input", "--requirement", str(file)]
    command = [str(prefix / "bin/python"), *words]
    return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode


def locked(conda: Conda, locks: dict[str, dict[str, list[str]]]) -> int:
    """What was locked for this platform is installed; else the exit code of what failed."""
    here = PLATFORMS.get(platform.machine(), platform.machine())
    found = locks.get(here)
    if found is None:
        print(
            f"{ASKED['name']} has no {here}, which this machine is; it has {', '.join(locks)}.\n"
            f"Lock for it too: conda-lock --file environment.yml --platform {here}",
            file=sys.stderr,
        )
        return 1
    code = 0
    if found["conda"]:
        code = conda.install(written("explicit.txt", ["@EXPLICIT", *found["conda"]]))
    # One with hashes wants them of all.
    for name in ("pip", "addresses"):
        if found[name] and not code:
            code = pip(conda.prefix, written(f"{name}.txt", found[name]))
    return code


def update() -> int:
    """The environment has what was asked for, or is as before; what changed is printed."""
    prefix = Path(os.environ["CONDA_PREFIX"])
    conda = Conda(prefix)
    before, files = versions(prefix), conda.explicit()
    if ASKED["locks"]:
        code = locked(conda, ASKED["locks"])
    else:
        code = conda.update(written("environment.yml", [ASKED["text"]]))
    # conda alone changes nothing where it finds no solution. Of a file with a part for pip, conda's
    # own part stays when pip fails behind it: https://github.com/conda/conda/issues/7740
    if code and files is not None and changes(before, versions(prefix)):
        print("It failed half-way: back to what was there.", flush=True)
        conda.restore(files)
    told = changes(before, versions(prefix))
    print("\n".join(told) or "Nothing changed.", flush=True)
    return code


def main() -> int:
    """As `update`; what was sent, which may have a password in it, is gone afterwards."""
    os.umask(0o077)
    here = Path(__file__)
    try:
        here.unlink(missing_ok=True)
        return update()
    finally:
        for name in ("environment.yml", "explicit.txt", "pip.txt", "addresses.txt"):
            Path(name).unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
