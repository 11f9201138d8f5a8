"""What user data has no room for: sent to each machine that comes, once; with a real Jupyter."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit import unattended
from tests.unit.runs_here import here
from tests.unit.services_machine import until
from wrapper import deployment
from wrapper.deployment import packages
from wrapper.deployment.events import Printed
from wrapper.deployment.wanted import Wanted
from wrapper.errors import FailedError, Interrupted, LockedError
from wrapper.home import Home, root
from wrapper.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.runs_here import Here
    from tests.unit.unattended import Unattended

__all__ = ["here"]  # a fixture, for pytest to find here

ASKED = {"name": "environment.yml", "text": "dependencies: [polars]", "locks": {}}
SLOW = ASKED | {"text": "dependencies: [slow]"}
# As much of conda as is asked here; each update leaves a line.
CONDA = """#!/bin/bash
[ "$1" = env ] || exit 0
grep -q broken environment.yml && exit 3
grep -q slow environment.yml && echo solving &&
  until [ -e "$CONDA_PREFIX/solved" ]; do sleep 0.05; done
cat environment.yml >>"$CONDA_PREFIX/asked"
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unattended]:
    with unattended.machine(tmp_path_factory.mktemp("packages")) as found:
        prefix = found.root / "prefix"
        (prefix / "bin").mkdir(parents=True)
        (prefix / "bin/conda").write_text(CONDA)
        (prefix / "bin/conda").chmod(0o755)
        kernel = found.root / "opt/jupyter-clouds/bin/kernel"
        active = f"export CONDA_PREFIX={prefix} PATH={prefix}/bin:$PATH"
        kernel.write_text(f'#!/bin/sh\nshift\n{active}\nexec "$@"\n')
        yield found


@pytest.fixture
def home(here: Here, machine: Unattended) -> Home:
    (machine.root / "prefix/asked").unlink(missing_ok=True)
    return Home(root(here.world.environment) / here.name)


def wanted(environment: str | None, asked: dict[str, Any] | None = None) -> Wanted:
    settings = Settings(environment=environment)
    return Wanted(name="any", settings=settings, packages=asked, new_password=str)


def installed(machine: Unattended) -> list[str]:
    path = machine.root / "prefix/asked"
    return path.read_text().splitlines() if path.exists() else []


def test_they_are_installed_once_on_each_machine(
    here: Here, home: Home, machine: Unattended
) -> None:
    packages.keep(home, wanted("dependencies: [python]", ASKED))
    for _ in range(2):
        packages.settle(here.world, home)
        # Later `up`s say nothing of it, or the same.
        packages.keep(home, wanted(None))
        packages.keep(home, wanted("dependencies: [python]", ASKED))
    assert installed(machine) == ["dependencies: [polars]"]

    record = home.record()
    assert record
    before = home.path / "packages-sent.json"
    moved = before.read_text().replace(str(record.instance_id), "i-0123456789abcdef0")
    before.write_text(moved)
    packages.settle(here.world, home)
    assert len(installed(machine)) == 2


@pytest.fixture
def solved(machine: Unattended) -> Iterator[Path]:
    """A file that ends what is slow; there at the latest when the test ends."""
    found = machine.root / "prefix/solved"
    found.unlink(missing_ok=True)
    yield found
    found.touch()


def test_meanwhile_every_command_has_the_deployment_but_another_up(
    here: Here, home: Home, machine: Unattended, solved: Path
) -> None:
    packages.keep(home, wanted("x", SLOW))
    with ThreadPoolExecutor() as pool:
        settling = pool.submit(packages.settle, here.world, home)
        try:
            until((home.path / "packages-sent.json").exists)
            with home.locked("stop"):
                pass
            with pytest.raises(LockedError, match="up "):
                packages.settle(here.world, home)
            # Half of it would be in the image.
            with pytest.raises(LockedError, match="up "):
                deployment.bake(here.world, home.name)
        finally:
            solved.touch()
        settling.result()
    packages.settle(here.world, home)
    assert installed(machine) == ["dependencies: [slow]"]


def test_one_that_was_left_is_waited_for_and_not_sent_again(
    here: Here, home: Home, machine: Unattended, solved: Path
) -> None:
    def leave(event: Any) -> None:
        if isinstance(event, Printed):
            raise KeyboardInterrupt

    packages.keep(home, wanted("x", SLOW))
    with pytest.raises(Interrupted, match="goes on"):
        packages.settle(dataclasses.replace(here.world, report=leave), home)
    solved.touch()
    packages.settle(here.world, home)
    packages.settle(here.world, home)
    assert installed(machine) == ["dependencies: [slow]"]


def test_another_file_that_goes_by_user_data_ends_it(
    here: Here, home: Home, machine: Unattended
) -> None:
    packages.keep(home, wanted("dependencies: [python]", ASKED))
    packages.keep(home, wanted("dependencies: [numpy]"))
    packages.settle(here.world, home)
    assert installed(machine) == []


def test_where_they_cannot_be_it_is_an_error_and_the_next_up_tries_again(
    here: Here, home: Home, machine: Unattended
) -> None:
    packages.keep(home, wanted("x", ASKED | {"text": "broken"}))
    with pytest.raises(FailedError, match=r"The notebook answers, and environment\.yml could not"):
        packages.settle(here.world, home)
    packages.keep(home, wanted("x", ASKED))
    packages.settle(here.world, home)
    assert installed(machine) == ["dependencies: [polars]"]


def test_what_may_have_a_password_in_it_is_the_users_alone(home: Home) -> None:
    packages.keep(home, wanted("x", ASKED))
    assert (home.path / "packages.json").stat().st_mode & 0o077 == 0


def test_without_any_nobody_is_asked(here: Here, home: Home) -> None:
    nobody: Any = None
    packages.settle(dataclasses.replace(here.world, notebook=nobody), home)
