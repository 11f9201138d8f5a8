"""The module on clean copies: no state, no lock file, no tfvars of the repository come along."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tftest

from tests.ec2 import Account, served, terraform_environment
from wrapper import provider_mirror

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORY = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".terraform*", "*.tfstate*", "*.tfvars*")


@dataclass(frozen=True)
class Copy:
    """A root module in a directory of its own. tftest's clean-up may do there what it likes."""

    directory: Path
    account: Account

    @property
    def terraform(self) -> tftest.TerraformTest:
        return tftest.TerraformTest(str(self.directory), env=terraform_environment(self.account))

    def plan(self, **variables: Any) -> Any:
        """The plan as tftest parses it; TerraformTestError with Terraform's words otherwise."""
        self.settings(**variables)
        return self.terraform.plan(output=True)

    def refusal(self, **variables: Any) -> str:
        """What Terraform says to a plan that it refuses, its line breaks and frames taken out."""
        self.settings(**variables)
        with pytest.raises(tftest.TerraformTestError) as caught:
            self.terraform.plan()
        return " ".join(str(caught.value.cmd_error).replace("│", " ").replace("╷", " ").split())

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


@pytest.fixture(scope="session")
def providers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which `terraform init` has run; copying its .terraform costs nothing."""
    directory = tmp_path_factory.mktemp("providers")
    shutil.copy(REPOSITORY / "versions.tf", directory)
    terraform = tftest.TerraformTest(str(directory))
    mirror = provider_mirror.find(terraform.env)
    terraform.init(plugin_dir=str(mirror) if mirror else None)
    return directory


@pytest.fixture
def account() -> Iterator[Account]:
    """An empty account."""
    with served() as account:
        yield account


@pytest.fixture(scope="session")
def shared_account() -> Iterator[Account]:
    """An account that is planned against and never changed."""
    with served() as account:
        yield account


@pytest.fixture(scope="session")
def make_copy(providers: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Copy]:
    """A function that copies the module, or one of its examples, and has it initialised."""

    def make(account: Account, example: str | None = None) -> Copy:
        root = tmp_path_factory.mktemp("copy")
        for path in REPOSITORY.glob("*.tf"):
            shutil.copy(path, root)
        shutil.copytree(REPOSITORY / "templates", root / "templates", ignore=LEFT_OUT)
        if example is None:
            _give_providers(providers, root)
            return Copy(root, account)
        shutil.copytree(REPOSITORY / "examples", root / "examples", ignore=LEFT_OUT)
        copy = Copy(root / "examples" / example, account)
        copy.directory.mkdir(exist_ok=True)
        _give_providers(providers, copy.directory)
        return copy

    return make


def _give_providers(providers: Path, directory: Path) -> None:
    shutil.copytree(providers / ".terraform", directory / ".terraform", symlinks=True)
    shutil.copy(providers / ".terraform.lock.hcl", directory)
