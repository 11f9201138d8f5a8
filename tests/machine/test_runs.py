"""`run` and `logs` on a real machine, by no SSH of theirs: one machine for all, in this order.

It is the tutorial's, whose `up` and `down` are typed as they stand there.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.machine import pages
from tests.machine.live import Live, open_channels
from tests.machine.reach import until
from tests.machine.shells import hurry
from tests.machine.story import illustrate
from tests.machine.tutorial import Machine, machine
from tests.machine.typed import UP_SECONDS, document, wrapper
from wrapper.notebook.kernel import _execute as cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

__all__ = ["machine"]  # a fixture, for pytest to find here

# Of its wheel of 2.1.0, on PyPI.
INICONFIG = "9deba5723312380e77435581c6bf4935c94cbfab9b1ed33ef8d238ea168eb760"
ON_ALL = (
    "python -m wrapper run analysis.ipynb -p data=/home/notebook/work/trips/full.csv "
    "-o speed.csv -o speed.png"
)
FIRST = "import sys\nopen('first.txt', 'w').write(sys.prefix)"


def _typed(words: Sequence[str], machine: Machine) -> subprocess.CompletedProcess[str]:
    """`python -m wrapper ...`, in the machine's directory."""
    return wrapper(*words, environment=machine.environment, seconds=UP_SECONDS, here=machine.here)


def notebook(machine: Machine, *cells: tuple[str, list[str]]) -> str:
    """A notebook in the directory: sources and tags."""
    made: list[dict[str, Any]] = [
        {"cell_type": "code", "id": f"c{n}", "source": source, "metadata": {"tags": tags}}
        | {"outputs": [], "execution_count": None}
        for n, (source, tags) in enumerate(cells)
    ]
    document = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}
    (machine.here / "train.ipynb").write_text(json.dumps(document))
    return "train.ipynb"


def test_up_runs_in_the_notebook_that_is_there(machine: Machine) -> None:
    (machine.here / "first.py").write_text(FIRST)
    words = ("up", machine.name, "--yes", "--json", "--run", "first.py", "-o", "first.txt")
    told = document(_typed(words, machine))
    assert (told["run"]["state"], told["exit_code"]) == ("done", 0)
    # Not before the environment was there, which the notebook does not wait for.
    found = machine.here / told["folder"] / "first.txt"
    assert found.read_text() == "/opt/conda/envs/notebook"


def test_a_notebook_runs_in_the_users_environment_and_its_outputs_come_back(
    machine: Machine,
) -> None:
    file = notebook(
        machine,
        ("n = 1", ["parameters"]),
        ("import sys\nprint(sys.prefix, n)", []),
        ("import pathlib\n_ = pathlib.Path('out.txt').write_text('made')", []),
    )
    code, out, said = machine.run(file, "-p", "n=42", "-o", "out.txt")
    assert code == 0, said
    assert out == "/opt/conda/envs/notebook 42\n"
    assert (machine.fetched() / "out.txt").read_text() == "made"
    cells = json.loads((machine.fetched() / "train.executed.ipynb").read_text())["cells"]
    assert cells[2]["outputs"][0]["text"] == ["/opt/conda/envs/notebook 42\n"]


def test_a_script_is_the_users_in_a_unit_of_its_own_and_ends_with_its_code(
    machine: Machine,
) -> None:
    (machine.here / "job.py").write_text(
        "import os, sys\nprint(os.getuid(), open('/proc/self/cgroup').read())\n"
        "os.system('sudo -n true; echo sudo $?')\nsys.exit(7)"
    )
    code, out, said = machine.run("job.py")
    assert code == 7, said
    uid = machine.shell.run("id -u notebook").stdout.strip()
    assert out.startswith(f"{uid} ")
    assert "/jupyter-clouds-run@" in out
    assert "jupyter-clouds-notebook.service" not in out
    assert "sudo 1" in out


def test_the_client_killed_and_jupyter_restarted_it_goes_on(machine: Machine) -> None:
    words = "echo begun; while [ ! -e go ]; do sleep 0.2; done; echo ended; echo x > made"
    client = machine.start("-o", "made", "--", "sh", "-c", words)
    assert client.stdout
    assert client.stdout.readline() == "begun\n"
    client.send_signal(signal.SIGKILL)
    client.communicate()
    machine.as_root("systemctl restart jupyter-clouds-notebook")
    (name,) = until(machine.going, "it does not go on")
    status = document(wrapper("status", machine.name, "--json", environment=machine.environment))
    assert [one["name"] for one in status["runs"]] == [name]
    assert f"run {name}" in status["autostop"]["busy"]
    code, _, said = machine.run("--detach", "--", "touch", f"/home/notebook/work/runs/{name}/go")
    assert code == 0, said
    code, out, said = machine.run(f"--attach={name}")
    assert code == 0, said
    assert out == "begun\nended\n"
    assert (machine.here / "runs" / name / "made").read_text() == "x\n"


def test_one_that_is_cancelled_leaves_nothing_running(machine: Machine) -> None:
    words = "sleep 1000 & echo begun; sleep 1000"
    client = machine.start("--", "sh", "-c", words)
    assert client.stdout
    assert client.stdout.readline() == "begun\n"
    assert machine.run("--cancel")[0] == 0
    assert client.wait(60) == 143
    client.communicate()
    until(lambda: not machine.going(), "it goes on")
    assert machine.shell.run("pgrep -u notebook -x sleep").returncode == 1


def test_the_environment_is_brought_up_to_a_file_or_stays_and_no_kernel_ends(
    machine: Machine,
) -> None:
    def update(name: str, text: str) -> subprocess.CompletedProcess[str]:
        (machine.here / name).write_text(text)
        words = ("env", "update", name, "--name", machine.name)
        return _typed(words, machine)

    fetched = set((machine.here / "runs").iterdir())
    with kernel(machine) as asked:
        asked("kept = 6 * 7")
        done = update("requirements.txt", "iniconfig==2.0.0")
        # It imports what has come, too, as long as it has nothing of that yet.
        assert asked("import iniconfig; print(kept)") == "42\n"
    assert done.returncode == 0, done.stderr
    assert "iniconfig - -> 2.0.0" in done.stdout.splitlines()
    # conda's part can be had, pip's cannot.
    half = "dependencies: [iniconfig=2.1, pip, pip: [iniconfig==999]]"
    done = update("environment.yml", half)
    assert done.returncode == 1
    assert "It failed half-way" in done.stdout
    assert "Nothing changed." in done.stdout
    assert set((machine.here / "runs").iterdir()) == fetched
    assert version(machine, "iniconfig") == "2.0.0"


@contextmanager
def kernel(machine: Machine) -> Iterator[Callable[[str], str]]:
    """Runs cells in one kernel; what each prints."""
    told = document(wrapper("password", machine.name, "--json", environment=machine.environment))
    live = Live(machine.made["url"], told["password"], machine.made["key_sha256"])
    with live.logged_in() as there:
        made = there.call("POST", "/api/kernels", {"name": "python3"})["id"]
        line = open_channels(live, there, made, origin=live.url.rstrip("/"))
        try:
            yield lambda code: cell(line, code, until=time.monotonic() + UP_SECONDS)
        finally:
            line.close()
            there.call("DELETE", f"/api/kernels/{made}")


def version(machine: Machine, package: str) -> str:
    show = f"import importlib.metadata as m; print(m.version('{package}'))"
    code, out, said = machine.run("--", "python", "-c", show)
    assert code == 0, said
    return out.strip()


def test_a_lock_file_follows_once_the_notebook_answers(machine: Machine) -> None:
    none: dict[str, str] = {}
    conda = [("python", "3.12.7", none), ("zipp", "3.20.0", none), ("libzlib", "1.3.1", none)]
    locked = [_locked(*one) for one in (*conda, ("iniconfig", "2.1.0", {"sha256": "0" * 64}))]
    up = ("up", machine.name, "--yes", "--json", "--environment", "conda-lock.yml")

    def again(*packages: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        lock = {"version": 1, "metadata": {}, "package": packages}
        (machine.here / "conda-lock.yml").write_text(json.dumps(lock))
        return _typed(up, machine)

    done = again(*locked)
    assert done.returncode == 1, done.stderr
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.stderr
    assert "The notebook answers, and conda-lock.yml could not be installed" in done.stderr
    locked[-1]["hash"] = {"sha256": INICONFIG}
    done = again(*locked)
    assert document(done)["instance_id"] == machine.made["instance_id"]
    assert "left out: libzlib 1.3.1" in done.stderr
    assert (version(machine, "zipp"), version(machine, "iniconfig")) == ("3.20.0", "2.1.0")


def _locked(name: str, version: str, hashes: dict[str, str]) -> dict[str, Any]:
    """An entry of a lock file for this computer's platform; pip's has a SHA-256."""
    return {
        "name": name,
        "version": version,
        "manager": "pip" if hashes else "conda",
        "platform": f"linux-{'64' if os.uname().machine == 'x86_64' else os.uname().machine}",
        "dependencies": {},
        "url": f"https://conda.anaconda.org/conda-forge/noarch/{name}-{version}-h1_0.conda",
        "hash": hashes or {"md5": "0" * 32},
        "category": "main",
        "optional": False,
    }


@pytest.mark.parametrize(
    ("phase", "line"),
    [
        ("boot", "phase=conda"),
        ("jupyter", "jupyter-clouds-notebook.service"),
        ("run", "jupyter-clouds-run@"),
    ],
)
def test_the_journal_is_read_through_the_notebook(machine: Machine, phase: str, line: str) -> None:
    words = ("logs", machine.name, "--json", "--phase", phase, "--lines", "5000")
    found = document(wrapper(*words, environment=machine.environment))
    assert found["source"] == "journal"
    assert line in found["text"]


def test_without_the_notebook_the_console_is_read(machine: Machine) -> None:
    # What lets the wrapper's key in, as `up --sync` has.
    known = "/home/notebook/.ssh/authorized_keys"
    machine.as_root(f"mv {known} {known}.away")
    machine.as_root("systemctl stop jupyter-clouds-notebook")
    try:
        words = ("logs", machine.name, "--json", "--phase", "boot")
        found = document(wrapper(*words, environment=machine.environment))
    finally:
        machine.as_root(f"mv {known}.away {known}")
        machine.as_root("systemctl start jupyter-clouds-notebook")
    assert found["source"] == "console"
    assert "jupyter-clouds: phase=notebook" in found["text"]


def test_without_the_notebook_and_with_ssh_the_journal_is_read_by_that(machine: Machine) -> None:
    done = wrapper("ssh", machine.name, "--", "true", environment=machine.environment)
    assert done.returncode == 0, done.stderr
    machine.as_root("systemctl stop jupyter-clouds-notebook")
    try:
        words = ("logs", machine.name, "--json", "--phase", "jupyter")
        done = wrapper(*words, environment=machine.environment)
    finally:
        machine.as_root("systemctl start jupyter-clouds-notebook")
    assert document(done)["source"] == "journal"
    assert "over SSH" in done.stderr
    assert "Stopped jupyter-clouds-notebook.service" in document(done)["text"]


# Of the user with sudo, whom the deployment's key does not let in.
PRIVATE = """set -e
rm -rf private && git init -q private && cd private && echo ok >words && git add .
git -c user.name=me -c user.email=me@example.org commit -qm one
"""


def test_a_private_repository_is_cloned_with_this_computers_agent(
    machine: Machine, tmp_path: Path
) -> None:
    assert machine.shell.run(PRIVATE).returncode == 0
    url, (_, key, *_) = f"{machine.shell.admin}@127.0.0.1:private", machine.shell.options
    (known,) = machine.here.parent.glob("known_hosts")
    here = known.read_text().replace(f"{machine.shell.host} ", "127.0.0.1 ")
    (tmp_path / "known").write_text(here)
    words = ("clone", url, "--name", machine.name, "--known-hosts", str(tmp_path / "known"))
    with _agent(tmp_path, key) as agent:
        environment = {**machine.environment, "SSH_AUTH_SOCK": agent}
        done = wrapper(*words, "--json", environment=environment)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["folder"] == "private"
    seen = "cat work/private/words; ssh-add -l; git -C work/private fetch"
    done = wrapper("ssh", machine.name, "--", seen, environment=machine.environment)
    assert done.stdout == "ok\n"
    assert "Permission denied" in done.stderr, "what let it in is still there"


@contextmanager
def _agent(folder: Path, key: str) -> Iterator[str]:
    """Where an agent listens that has the key."""
    where = folder / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", where], stdout=subprocess.DEVNULL) as child:
        try:
            until(where.exists, "no agent")
            environment = {**os.environ, "SSH_AUTH_SOCK": str(where)}
            subprocess.run(["ssh-add", "-q", key], env=environment, check=True)
            yield str(where)
        finally:
            child.terminate()


def test_the_tutorials_story_is_true(machine: Machine, tmp_path: Path) -> None:
    story = machine.story
    printed = story.type_to(ON_ALL)
    assert "500,000 trips" in printed
    (executed,) = story.folder.glob("runs/*-analysis/*.executed.ipynb")
    with story.open() as link, pages.chromium(tmp_path, machine.made["key_sha256"]) as browser:
        illustrate(
            browser, machine.made["url"], link, executed.relative_to(story.folder).as_posix()
        )
    assert "Run on all trips" in story.type_to("git show --stat --format=%s")
    speeds = [line.split(",") for line in (story.folder / "speed.csv").read_text().splitlines()[1:]]
    slowest = min(speeds, key=lambda one: float(one[1]))
    assert len(speeds) == 24
    assert slowest[0] in ("8", "9", "17", "18")


def test_the_last_one_stops_the_machine_and_its_results_are_fetched_later(
    machine: Machine,
) -> None:
    # Unused for three quarters of an hour, it would stop too: here they are three minutes.
    hurry(machine.shell, 15)
    code, out, said = machine.run("--detach", "--stop", "-o", "f", "--", "touch", "f")
    assert code == 0, said
    name = out.strip()
    until(lambda: machine.state() == "stopped", "it never stops")
    code, _, said = machine.run("--attach")
    assert code == 3
    assert "is stopped" in said
    code, _, said = machine.run("--attach", name, "--yes")
    assert code == 0, said
    assert (machine.here / "runs" / name / "f").exists()
    assert machine.state() in ("stopping", "stopped")


def test_the_tutorial_ends_with_nothing_left(machine: Machine) -> None:
    # A snapshot is what Enter stands for.
    printed = machine.story.type_to("python -m wrapper down", answers="\ny\n")
    assert "0 left" in printed
    assert "kept: " in printed
    assert machine.state() in ("absent", "terminated")
    assert machine.story.left == []
