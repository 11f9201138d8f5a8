"""What the machine runs to bring its kernel's environment up to a file; sent there as a script.

It runs inside that environment, as a run of its own (docs/adr/0013-runs.md), and imports nothing of
ours. `source` makes the script.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

TEXT = ""
FILE = Path("environment.yml")
# Beside the environment, on its disk: gigabytes, which home would keep in every snapshot.
PACKAGES = "/opt/conda/pkgs-notebook"


def source(text: str) -> str:
    """The script, with the contents of the environment.yml in it: no argument shows them."""
    script = Path(__file__).read_text(encoding="utf-8")
    return script.replace('\nTEXT = ""\n', f"\nTEXT = {json.dumps(text)}\n", 1)


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


def update() -> int:
    """The environment has what the file says; conda's exit code, and what changed is printed."""
    FILE.write_text(TEXT, encoding="utf-8")
    prefix = Path(os.environ["CONDA_PREFIX"])
    before = versions(prefix)
    # conda, which changes nothing where it finds no solution; what mamba makes of an update has
    # surprised others: https://github.com/mamba-org/mamba/issues/3209
    done = subprocess.run(
        ["conda", "env", "update", "--quiet", "--prefix", prefix, "--file", FILE],
        env={**os.environ, "CONDA_PKGS_DIRS": PACKAGES},
        stdin=subprocess.DEVNULL,
        check=False,
    )
    told = changes(before, versions(prefix))
    print("\n".join(told) or "Nothing changed.", flush=True)
    return done.returncode


if __name__ == "__main__":
    sys.exit(update())
