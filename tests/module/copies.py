"""A copy of the module, and Terraform in it."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tftest

from tests.ec2 import terraform_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.ec2 import Account
    from tests.provider import Provider

REPOSITORY = Path(__file__).parents[2]
BINARY = shutil.which("terraform") or shutil.which("tofu") or "terraform"


class _Terraform(tftest.TerraformTest):  # type: ignore[misc] # untyped
    """A provider is at hand for each command, and for another copy's afterwards."""

    def __init__(self, directory: Path, env: Mapping[str, str], provider: Provider | None) -> None:
        # Left to find the last out by itself, it reads the source of every caller.
        super().__init__(str(directory), binary=BINARY, env=env, cache_dir=directory)
        self._provider = provider

    @contextmanager
    def led(self) -> Iterator[None]:
        """For one command its environment leads to a provider."""
        if self._provider is None:
            yield
            return
        self.env |= self._provider.environment
        try:
            yield
        finally:
            self._provider.rest()

    def execute_command(self, cmd: str, *cmd_args: str) -> Any:
        """As its every verb does."""
        with self.led():
            return super().execute_command(cmd, *cmd_args)


@dataclass(frozen=True)
class Copy:
    """A root module in a directory of its own. tftest's clean-up may do there what it likes."""

    directory: Path
    account: Account
    provider: Provider | None = None
    """Kept running between commands; None where none is needed."""

    @property
    def terraform(self) -> _Terraform:
        return _Terraform(self.directory, terraform_environment(self.account), self.provider)

    def plan(self, **variables: Any) -> Any:
        """The plan as tftest parses it; TerraformTestError with Terraform's words otherwise."""
        self.settings(**variables)
        return self.terraform.plan(output=True)

    def refusal(self, **variables: Any) -> str:
        """What Terraform says to a plan that it refuses, its line breaks and frames taken out."""
        self.settings(**variables)
        terraform = self.terraform
        with terraform.led():
            # Not by tftest, which waits for ever once there are more words than a pipe holds.
            done = subprocess.run(
                [BINARY, "plan", "-no-color", "-input=false"],
                cwd=self.directory,
                env=terraform.env,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert done.returncode == 1
        return " ".join(done.stderr.replace("│", " ").replace("╷", " ").split())

    def settings(self, **variables: Any) -> None:
        """The variables of every later command."""
        (self.directory / "terraform.tfvars.json").write_text(json.dumps(variables))

    def get(self) -> None:
        """The configuration's calls of the module are known; its providers are there already."""
        self.terraform.execute_command("get")

    def apply(self, **variables: Any) -> dict[str, Any]:
        """Applied; the outputs."""
        self.settings(**variables)
        self.terraform.apply()
        outputs = self.terraform.output()
        return {name: outputs[name] for name in outputs}

    def destroy(self) -> None:
        """Destroyed. tftest takes most exit codes for success, so the state is looked at too."""
        self.terraform.destroy()
        state = self.terraform.state_pull()
        assert state["resources"] == []

    def changes(self, **variables: Any) -> dict[str, str]:
        """Address of each resource that a plan would change: create, update, replace, delete."""
        self.settings(**variables)
        flags = ("-json", "-input=false", "-detailed-exitcode")
        lines = self.terraform.execute_command("plan", *flags).out.splitlines()
        planned = [one for one in map(json.loads, lines) if one["type"] == "planned_change"]
        return {
            one["change"]["resource"]["addr"]: one["change"]["action"]
            for one in planned
            if one["change"]["action"] not in ("noop", "read")
        }

    def is_unchanged(self) -> bool:
        """A plan with the same variables finds nothing to do, outputs included."""
        flags = ("-detailed-exitcode", "-input=false", "-no-color")
        return bool(self.terraform.execute_command("plan", *flags).retcode == 0)
