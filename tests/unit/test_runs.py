"""`run`: sent, executed apart from this computer, and fetched; with a real Jupyter."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.far_machine import SSH
from tests.unit.runs_here import Here, here, machine, notebook, script
from wrapper import deployment, run_plan
from wrapper.deployment import ssh
from wrapper.deployment.events import News, Progress
from wrapper.errors import FailedError, NoAnswerError, SettingsError

if TYPE_CHECKING:
    from tests.unit.unattended import Unattended
    from wrapper.deployment.attending import Fetched

__all__ = ["here", "machine"]  # fixtures, for pytest to find here

TAGGED = {"tags": ["parameters"]}


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
