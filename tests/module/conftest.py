"""The module on clean copies: no state, no lock file, no tfvars of the repository come along."""

from __future__ import annotations

import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import tftest

from tests import provider
from tests.ec2 import Account, served
from tests.module import lives as ways
from tests.module.copies import BINARY, REPOSITORY, Copy
from tests.provider import Provider
from wrapper import provider_mirror
from wrapper.local.api.imaginary import ImaginaryBlocks, ImaginaryMachines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from wrapper.local.machines import Progress

AT_ONCE = 4
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".terraform*", "*.tfstate*", "*.tfvars*")


@pytest.fixture(scope="session")
def providers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory in which `terraform init` has run; copying its .terraform costs nothing."""
    directory = tmp_path_factory.mktemp("providers")
    shutil.copy(REPOSITORY / "versions.tf", directory)
    terraform = tftest.TerraformTest(str(directory), binary=BINARY)
    mirror = provider_mirror.find(terraform.env, BINARY)
    terraform.init(plugin_dir=str(mirror) if mirror else None)
    yield directory
    provider.end()


@pytest.fixture
def account() -> Iterator[Account]:
    """An empty account."""
    with served() as account:
        yield account


class Blocks(ImaginaryBlocks):
    """Blocks of which a test decides how far a snapshot is."""

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[str, Progress] = {}

    def snapshot(self, snapshot_id: str) -> Progress:
        return self.said.get(snapshot_id) or super().snapshot(snapshot_id)


@pytest.fixture(scope="session")
def blocks() -> Blocks:
    """Those of the shared account."""
    return Blocks()


@pytest.fixture(scope="session")
def shared_account(blocks: Blocks) -> Iterator[Account]:
    """An account that is planned against and never changed."""
    machines = ImaginaryMachines()
    machines.blocks = blocks
    with served(machines) as account:
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
            return Copy(root, account, Provider(providers, account))
        shutil.copytree(REPOSITORY / "examples", root / "examples", ignore=LEFT_OUT)
        copy = Copy(root / "examples" / example, account, Provider(providers, account))
        copy.directory.mkdir(exist_ok=True)
        _give_providers(providers, copy.directory)
        return copy

    return make


def _give_providers(providers: Path, directory: Path) -> None:
    shutil.copytree(providers / ".terraform", directory / ".terraform", symlinks=True)
    shutil.copy(providers / ".terraform.lock.hcl", directory)


@dataclass(frozen=True)
class Lives:
    """What tests/module/lives.py has under way; asking for one waits for its end."""

    futures: Mapping[str, Future[Any]]
    switched: Future[Any]
    upstream: Future[Any]

    def seen(self, name: str) -> Any:
        return self.futures[name].result()


@pytest.fixture(scope="session")
def lives(make_copy: Callable[..., Copy]) -> Iterator[Lives]:
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))

        def begin(way: Callable[..., Any], *more: Any, example: str | None = None) -> Future[Any]:
            copy = make_copy(stack.enter_context(served()), example)
            if example in ways.EXAMPLES:
                copy.get()
            return pool.submit(way, copy, *more)

        switched = begin(ways.switch)
        upstream = begin(ways.change_upstream, example="upstream")
        plain = {name: begin(ways.live, values) for name, values in ways.PLAIN.items()}
        examples = {
            name: begin(ways.live, {}, ways.REGIONS.get(name, "us-east-1"), example=name)
            for name in ways.EXAMPLES
        }
        yield Lives({**plain, **examples}, switched, upstream)
        # Before the accounts go: what still runs ends on its own, what has not begun never does.
        pool.shutdown(cancel_futures=True)
