"""The phase repository, with a real git and a real server."""

from __future__ import annotations

import functools
import http.server
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from tests.unit.machine_root import MachineRoot
from tests.unit.services_machine import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PRIVATE = "private"


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Files, which is enough for git; for a private one it asks who is there."""

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        if PRIVATE in self.path:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            super().do_GET()


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    return subprocess.check_output(["git", *who, *words], cwd=folder, text=True)


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of code.git, with a branch `next` beside its own."""
    folder = tmp_path_factory.mktemp("origin")
    git(folder, "init", "--quiet", "--initial-branch=main", "code")
    for branch in ("main", "next"):
        git(folder / "code", "checkout", "--quiet", "-B", branch)
        (folder / "code/branch").write_text(branch)
        git(folder / "code", "add", ".")
        git(folder / "code", "commit", "--quiet", "--message", branch)
    git(folder / "code", "checkout", "--quiet", "main")
    git(folder, "clone", "--quiet", "--bare", "code", "code.git")
    git(folder / "code.git", "update-server-info")
    handler = functools.partial(_Handler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def machine(tmp_path: Path) -> MachineRoot:
    return MachineRoot(tmp_path)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def wanted(machine: MachineRoot, repository: str) -> Path:
    """The machine is to clone it; the work folder."""
    (machine.root / "etc/jupyter-clouds/repository").write_text(repository)
    return machine.root / machine.home[1:] / "work"


@pytest.mark.parametrize(
    ("asked", "branch"),
    [
        pytest.param("/code.git", "main", id="its own branch"),
        pytest.param("/code.git/", "main", id="with a slash"),
        pytest.param("/code.git@next", "next", id="another branch"),
    ],
)
def test_the_repository_is_in_the_work_folder(
    machine: MachineRoot, origin: str, asked: str, branch: str
) -> None:
    work = wanted(machine, origin + asked)
    assert machine.phase("repository").returncode == 0, machine.log("repository")
    assert (work / "code/branch").read_text() == branch
    assert git(work / "code", "status", "--porcelain") == ""
    assert names(work) == ["code"]


def test_what_the_user_does_with_it_is_never_undone(machine: MachineRoot, origin: str) -> None:
    work = wanted(machine, f"{origin}/code.git")
    machine.phase("repository")
    (work / "code").rename(work / "mine")
    # Written behind the phase.
    until((machine.root / "var/lib/jupyter-clouds/repository.stamp").exists)
    assert machine.phase("repository").returncode == 0
    assert names(work) == ["mine"]


def test_one_that_the_data_volume_brought_is_left_alone(machine: MachineRoot, origin: str) -> None:
    work = wanted(machine, f"{origin}/code.git")
    (work / "code").mkdir(parents=True)
    (work / "code/branch").write_text("mine")
    assert machine.phase("repository").returncode == 0
    assert (work / "code/branch").read_text() == "mine"


def test_a_clone_that_was_cut_off_is_begun_again(machine: MachineRoot, origin: str) -> None:
    work = wanted(machine, f"{origin}/code.git")
    (work / ".code.cloning").mkdir(parents=True)
    (work / ".code.cloning/half").touch()
    assert machine.phase("repository").returncode == 0
    assert names(work) == ["code"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        pytest.param("/none.git", "not found", id="absent"),
        pytest.param("/code.git@none", "Remote branch none not found", id="branch"),
        pytest.param("/private.git", "could not read Username", id="private"),
    ],
)
def test_one_that_cannot_be_cloned_is_told_at_once(
    machine: MachineRoot, origin: str, asked: str, words: str
) -> None:
    work = wanted(machine, origin + asked)
    machine.settings(pauses="30 30")
    assert machine.phase("repository").returncode == 1
    error = machine.status()["repository"]["error"]
    assert words in error
    assert "A private one: python -m wrapper clone http" in error
    assert not (work / "code").exists()


def test_a_server_that_is_not_there_yet_is_asked_again(machine: MachineRoot) -> None:
    wanted(machine, "http://127.0.0.1:9/code.git")
    assert machine.phase("repository").returncode == 1
    assert machine.log("repository").count("; again in") == 2
