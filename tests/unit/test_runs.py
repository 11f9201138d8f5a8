"""`run`: sent, executed apart from this computer, watched, fetched; with a real Jupyter."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit import unattended
from tests.unit.fleet import launch
from tests.unit.services_machine import until
from tests.unit.test_files_there_and_back import SSH
from tests.unit.worlds import StandIn, bare_world
from wrapper import deployment, run_plan
from wrapper.deployment import attending, running, ssh
from wrapper.deployment.events import News, Printed, Progress
from wrapper.errors import FailedError, Interrupted, NoAnswerError, SettingsError
from wrapper.home import Home, Place, Record, root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
    from tests.unit.unattended import Unattended
    from wrapper.deployment.attending import Fetched
    from wrapper.deployment.world import World

TAGGED = {"tags": ["parameters"]}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unattended]:
    with unattended.machine(tmp_path_factory.mktemp("runs")) as found:
        yield found


class Here:
    """This computer: a folder, and a deployment that it knows."""

    def __init__(self, world: World, name: str, told: list[Any]) -> None:
        self.world, self.name, self.told = world, name, told

    def run(self, plan: run_plan.Plan) -> Fetched:
        return deployment.run(self.world, self.name, plan)

    def start(self, plan: run_plan.Plan) -> str:
        return deployment.start_run(self.world, self.name, plan).name

    def attend(self, which: str) -> Fetched:
        return deployment.attend(self.world, self.name, which)

    @property
    def printed(self) -> str:
        return "".join(one.text for one in self.told if isinstance(one, Printed))


@pytest.fixture
def here(  # noqa: PLR0913, PLR0917 - what a world is made of
    tmp_path: Path,
    account: Account,
    ec2: EC2Client,
    name: str,
    machine: Unattended,
    monkeypatch: pytest.MonkeyPatch,
) -> Here:
    told: list[Any] = []
    world = dataclasses.replace(
        bare_world(tmp_path, account, StandIn(), told),
        pin=lambda *_, **__: machine.pinned,
        notebook=machine.notebook,
    )
    home = Home(root(world.environment) / name)
    home.create()
    home.write_password("secret")
    outputs = {"instance_id": launch(ec2, name), "public_ip": "198.18.0.9"}
    place = Place("local", "us-east-1", "123456789012")
    home.remember(Record(name, place, outputs=outputs, key_sha256="a" * 64))
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    return Here(world, name, told)


def notebook(*cells: str | tuple[str, dict[str, Any]], name: str = "train.ipynb") -> Path:
    """A notebook of these cells in the current directory."""
    made = [one if isinstance(one, tuple) else (one, {}) for one in cells]
    document = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {},
        "cells": [
            {"cell_type": "code", "id": f"c{n}", "source": source, "metadata": metadata}
            | {"outputs": [], "execution_count": None}
            for n, (source, metadata) in enumerate(made)
        ],
    }
    path = Path(name)
    path.write_text(json.dumps(document))
    return path


def script(text: str) -> Path:
    path = Path("job.py")
    path.write_text(text)
    return path


def folders(machine: Unattended) -> set[str]:
    """Runs that the machine knows of, prepared ones too."""
    return {one.name for one in (machine.work / "runs").glob("*-*")}


def sources(found: Fetched) -> list[dict[str, Any]]:
    """Cells of the executed notebook."""
    path = Path(found.folder, found.run.executed)
    cells: list[dict[str, Any]] = json.loads(path.read_text())["cells"]
    return cells


def test_a_notebook_is_executed_with_parameters_and_what_it_made_is_here(here: Here) -> None:
    path = notebook(
        ("n = 1\nname: str = 'none'", TAGGED),
        "print(n * 2, name)",
        "import os\nos.mkdir('figs')\nopen('figs/a b#1?.txt', 'w').write(name)\n"
        "os.symlink('/etc/passwd', 'figs/link')\nopen('table.csv', 'w').write('x')",
    )
    plan = run_plan.of_file(
        path, parameters=["n=21", 'name="moon 1.10"'], outputs=["figs", "*.csv"]
    )
    found = here.run(plan)
    assert (found.run.state, found.exit_code) == ("done", 0)
    assert here.printed == "42 moon 1.10\n'x'\n".replace("'x'", "1")
    cells = sources(found)
    assert cells[1]["metadata"]["tags"] == ["injected-parameters"]
    assert cells[2]["outputs"][0]["text"] == ["42 moon 1.10\n"]
    assert set(found.files) == {
        "output.log", "train.executed.ipynb", "figs/a b#1?.txt", "table.csv"
    }  # fmt: skip
    assert Path(found.folder, "figs/a b#1?.txt").read_text() == "moon 1.10"
    assert Path(found.folder, "output.log").read_text() == here.printed
    assert [one.done for one in here.told if isinstance(one, Progress)][-1] == 4
    (news,) = [one.text for one in here.told if isinstance(one, News)]
    assert news == f"{found.run.name} on {here.name} has ended: done"
    assert json.loads(path.read_text())["cells"][1]["outputs"] == []


def test_a_cell_that_fails_is_named_and_the_rest_does_not_run(here: Here) -> None:
    found = here.run(run_plan.of_file(notebook("x = 1", "print('so far')\n1 / 0", "print('no')")))
    assert (found.run.state, found.exit_code) == ("failed", 1)
    assert found.run.error == "cell 2: ZeroDivisionError: division by zero"
    assert sources(found)[1]["outputs"][1]["ename"] == "ZeroDivisionError"
    assert sources(found)[2]["outputs"] == []
    assert "so far" in here.printed
    assert "ZeroDivisionError" in here.printed


def test_a_kernel_that_dies_ends_it(here: Here) -> None:
    found = here.run(run_plan.of_file(notebook("import os\nos.kill(os.getpid(), 9)")))
    assert (found.run.state, found.exit_code) == ("failed", 1)
    assert "the kernel died in cell 1" in str(found.run.error)


def test_a_script_has_its_arguments_its_output_and_its_exit_code(here: Here) -> None:
    path = script("import sys\nprint(sys.argv[1:])\nprint('bad', file=sys.stderr)\nsys.exit(7)")
    found = here.run(run_plan.of_file(path, arguments=["--name", "a b", "$HOME"]))
    assert (found.run.state, found.run.exit_code, found.exit_code) == ("failed", 7, 7)
    assert here.printed == "['--name', 'a b', '$HOME']\nbad\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [(["sh", "-c", "exit 3"], 3), (["sh", "-c", "kill -9 $$"], 137), (["no-such-program"], 127)],
    ids=["its own", "by a signal", "none there"],
)
def test_a_command_ends_with_its_own_code(words: list[str], code: int, here: Here) -> None:
    assert here.run(run_plan.of_command(words, (), None)).exit_code == code


def test_an_output_that_was_not_made_is_named(here: Here) -> None:
    plan = run_plan.of_command(["touch", "a", "d[1]"], ["a", "b", "c*", "d[1]", "**x"], None)
    found = here.run(plan)
    assert found.run.state == "done"
    assert found.run.missing == ["b", "c*", "**x"]
    assert found.exit_code == 1
    assert Path(found.folder, "a").exists()


def test_leaving_ends_nothing_and_coming_back_finds_it(here: Here, machine: Unattended) -> None:
    plan = run_plan.of_command(
        ["sh", "-c", "echo begun; while [ ! -e go ]; do sleep 0.1; done; echo ended"], (), None
    )
    heard = here.world.report

    def leave(event: Any) -> None:
        heard(event)
        if isinstance(event, Printed):
            raise KeyboardInterrupt

    here.world = dataclasses.replace(here.world, report=leave)
    with pytest.raises(Interrupted) as raised:
        here.run(plan)
    (name,) = [one.name for one in deployment.runs(here.world, here.name) if one.going]
    assert f"run {here.name} --attach {name}" in str(raised.value.hint)
    assert not Path("runs").exists()
    (machine.work / "runs" / name / "go").touch()
    here.world = dataclasses.replace(here.world, report=heard)
    found = here.attend(running.find(here.world, here.name, None).name)
    assert found.run.state == "done"
    assert Path(found.folder, "output.log").read_text() == "begun\nended\n"


@pytest.mark.parametrize("kind", ["notebook", "command"])
def test_one_that_is_cancelled_ends_and_says_so(kind: str, here: Here, machine: Unattended) -> None:
    plan = {
        "notebook": lambda: run_plan.of_file(
            notebook("print('here')", "import time\ntime.sleep(600)", "print('never')")
        ),
        "command": lambda: run_plan.of_command(["sh", "-c", "echo here; sleep 600"], (), None),
    }[kind]()
    name = here.start(plan)
    log = machine.work / "runs" / name / ".run/output.log"
    until(lambda: log.exists() and "here" in log.read_text())
    assert deployment.cancel(here.world, here.name, None).name == name
    found = here.attend(name)
    assert (found.run.state, found.exit_code) == ("cancelled", 143)
    assert here.printed == "here\n"
    with pytest.raises(FailedError, match="has ended already: cancelled"):
        deployment.cancel(here.world, here.name, name)


@pytest.mark.parametrize(
    ("kind", "how"),
    [("notebook", signal.SIGTERM), ("command", signal.SIGTERM), ("command", signal.SIGKILL)],
    ids=["notebook stopped", "command stopped", "cut off"],
)
def test_one_whose_machine_goes_is_told_as_interrupted(
    kind: str, how: signal.Signals, here: Here, machine: Unattended
) -> None:
    plan = {
        "notebook": lambda: run_plan.of_file(
            notebook("print('here')\nimport time\ntime.sleep(60)")
        ),
        "command": lambda: run_plan.of_command(["sh", "-c", "echo here; exec sleep 60"], (), None),
    }[kind]()
    name = here.start(plan)
    log = machine.work / "runs" / name / ".run/output.log"
    until(lambda: log.exists() and "here" in log.read_text())
    machine.running[name].send_signal(how)
    found = here.attend(name)
    assert found.run.state == "interrupted"
    assert found.exit_code != 0


def test_a_folder_goes_along_and_the_file_keeps_its_place_in_it(
    here: Here, machine: Unattended, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By the real rsync, with a stand-in for the way between."""
    tools, folder = tmp_path / "tools", tmp_path / "moon/ssh"
    for one in (tools, folder, Path("project/src")):
        one.mkdir(parents=True)
    home, python = str(machine.root / "home"), sys.executable
    (tools / "ssh").write_text(SSH.format(python=python, home=home).replace("moon", here.name))
    (tools / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setattr(ssh, "connect", lambda *_: folder)
    known = {**os.environ, **here.world.environment}
    here.world = dataclasses.replace(here.world, environment=known)
    Path("project/src/job.py").write_text("print(open('data.txt').read())")
    Path("project/data.txt").write_text("sent")
    plan = run_plan.of_file(Path("project/src/job.py"), beside=Path("project"))
    found = deployment.run(here.world, here.name, plan, beside=Path("project"))
    assert (found.exit_code, here.printed) == (0, "sent\n")


def test_where_a_folder_cannot_go_nothing_stays(here: Here, machine: Unattended) -> None:
    before = folders(machine)
    Path("project").mkdir()
    plan = run_plan.of_command(["true"], (), None)
    with pytest.raises(FailedError, match="Port 22"):
        deployment.run(here.world, here.name, plan, beside=Path("project"))
    assert folders(machine) == before


def test_a_kernel_that_is_not_there_is_refused_before_anything_is_sent(
    here: Here, machine: Unattended
) -> None:
    before = folders(machine)
    plan = run_plan.of_file(notebook("1"), kernel="julia-1.9")
    with pytest.raises(SettingsError, match=r"kernel julia-1\.9.*It has .*python3"):
        here.run(plan)
    assert folders(machine) == before


def test_what_runs_waits_for_the_environment(
    here: Here, machine: Unattended, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.status("running")
    monkeypatch.setattr("time.sleep", lambda _: machine.status("done"))
    assert here.run(run_plan.of_command(["true"], (), None)).exit_code == 0


def test_without_an_environment_nothing_runs(here: Here, machine: Unattended) -> None:
    machine.status("failed")
    try:
        with pytest.raises(FailedError, match="no such package"):
            here.run(run_plan.of_command(["true"], (), None))
    finally:
        machine.status("done")


def test_nothing_stays_of_a_run_that_nobody_could_start(here: Here, machine: Unattended) -> None:
    before = folders(machine)
    machine.deaf()
    try:
        with pytest.raises(FailedError, match="nothing that starts runs"):
            here.run(run_plan.of_command(["true"], (), None))
    finally:
        machine.listen()
    assert folders(machine) == before


def test_a_machine_that_is_to_stop_is_told_and_waits_for_what_is_fetched(
    here: Here, machine: Unattended
) -> None:
    machine.wishes.clear()
    found = here.run(run_plan.of_command(["touch", "a"], ["a"], "stop"))
    assert machine.wishes == [
        {"do": "run", "name": found.run.name, "stop": True},
        {"do": "hold"},
    ]


def test_a_connection_that_is_lost_is_made_again(
    here: Here, machine: Unattended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wrapper.deployment.reaching.PAUSE", 0)
    broken = [2]

    def notebook(*_: Any, **__: Any) -> Any:
        made = machine.notebook()
        if broken[0]:
            broken[0] -= 1
            monkeypatch.setattr(made.runs.__class__, "news", _silent(broken), raising=True)
        return made

    here.world = dataclasses.replace(here.world, notebook=notebook)
    assert here.run(run_plan.of_command(["echo", "x"], (), None)).exit_code == 0
    assert here.printed == "x\n"
    assert any("Asking again" in str(one) for one in here.told)


def _silent(left: list[int]) -> Callable[..., Any]:
    """As ever, after it did not answer once."""
    from wrapper.notebook.unattended import Runs  # noqa: PLC0415

    real = Runs.news
    failed = [False]

    def news(self: Runs, *words: Any, **more: Any) -> Any:
        if not failed[0]:
            failed[0], left[0] = True, 0
            raise NoAnswerError("Silence.")
        return real(self, *words, **more)

    return news


@pytest.mark.parametrize(
    "asked",
    [
        {"kind": "script", "file": "../x.py"},
        {"kind": "script", "file": "/etc/x.py"},
        {"kind": "script", "file": ".run/plan.json"},
        {"kind": "command", "arguments": ["true"], "outputs": ["../../secret"]},
        {"kind": "command", "arguments": "true"},
        {"kind": "notebook", "file": "a.ipynb", "parameters": {"a;b": 1}},
        {"kind": "other"},
        {},
    ],
    ids=str,
)
def test_the_machine_itself_refuses_what_leads_elsewhere(
    asked: dict[str, Any], machine: Unattended
) -> None:
    with machine.notebook() as there:
        there.login()
        with pytest.raises(NoAnswerError, match="answered 400"):
            there.runs.prepare(asked)


def test_the_log_goes_on_from_any_byte(machine: Unattended, here: Here) -> None:
    found = here.run(run_plan.of_file(script("print('ü' * 200_000, end='')")))
    assert Path(found.folder, "output.log").read_text() == "ü" * 200_000
    with machine.notebook() as there:
        there.login()
        news = there.runs.news(found.run.name, -4)
        assert news
        assert (news.text, news.next) == ("üü", 400_000)


def test_results_stay_in_their_own_folder(here: Here, machine: Unattended) -> None:
    found = here.run(run_plan.of_command(["true"], (), None))
    state = machine.work / "runs" / found.run.name / ".run/state.json"
    known = json.loads(state.read_text())
    state.write_text(json.dumps(known | {"outputs": {"x": ["../../../evil"]}}))
    with pytest.raises(FailedError, match="none of"), suppress(NoAnswerError):
        here.attend(found.run.name)
    assert attending.HERE == "runs"
