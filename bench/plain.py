"""The way in without Python: Terraform typed in a copy of the repository."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

from wrapper import provider_mirror
from wrapper.terraform.commands import find_binary

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class PlainTerraform:
    """`terraform`, or `tofu`, in a clean copy of the module."""

    def __init__(self, root: Path, directory: Path, environment: Mapping[str, str]) -> None:
        """The copy is there; nothing was run."""
        directory.mkdir()
        for path in root.glob("*.tf"):
            shutil.copy(path, directory)
        shutil.copytree(root / "templates", directory / "templates")
        self.directory, self.environment = directory, dict(environment)
        self.binary = find_binary(self.environment)

    def run(self, *arguments: str) -> str:
        """What it prints. Raises CalledProcessError."""
        done = subprocess.run(
            [self.binary, *arguments],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"terraform {arguments[0]}: {done.stderr[-2000:]}")
        return done.stdout

    def up(self, **variables: object) -> dict[str, str]:
        """Initialised and applied; the outputs."""
        mirror = provider_mirror.find(self.environment, self.binary)
        self.run("init", "-input=false", *([f"-plugin-dir={mirror}"] if mirror else []))
        (self.directory / "terraform.tfvars.json").write_text(json.dumps(variables))
        self.run("apply", "-auto-approve", "-input=false")
        outputs = json.loads(self.run("output", "-json"))
        return {name: one["value"] for name, one in outputs.items()}

    def down(self) -> None:
        """Destroyed."""
        self.run("destroy", "-auto-approve", "-input=false")
