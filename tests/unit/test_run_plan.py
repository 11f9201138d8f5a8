"""What is to run is checked before anything is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wrapper import run_plan
from wrapper.cli import main
from wrapper.errors import SettingsError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory of the test's own, and no deployments."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def notebook(*tagged: str, **metadata: Any) -> Path:
    """One whose cells are tagged for parameters."""
    cells = [
        {"cell_type": "code", "source": source, "metadata": {"tags": ["parameters"]}}
        for source in tagged
    ] or [{"cell_type": "code", "source": ["x = 1"], "metadata": {}}]
    path = Path("a.ipynb")
    path.write_text(json.dumps({"nbformat": 4, "metadata": metadata, "cells": cells}))
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("0.1", 0.1),
        ("1e-3", 0.001),
        ("true", True),
        ("True", True),
        ("None", None),
        ("null", None),
        ("[1, 2]", [1, 2]),
        ('{"a": 1}', {"a": 1}),
        ("moon", "moon"),
        ('"3"', "3"),
        ("1.10.2", "1.10.2"),
        ("NaN", "NaN"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_a_value_is_json_or_a_text(text: str, value: Any) -> None:
    found = run_plan.of_file(notebook("x = 0"), parameters=[f"x={text}"]).parameters
    assert found == {"x": value}
    assert type(found["x"]) is type(value)


@pytest.mark.parametrize(
    "source",
    ["x = 0", "x: int = 0", "a, x = 0, 1", "%matplotlib inline\nx = 0\n!ls", "if True:\n    x = 0"],
)
def test_a_parameter_is_what_the_tagged_cell_sets(source: str) -> None:
    assert run_plan.of_file(notebook(source), parameters=["x=1"]).parameters == {"x": 1}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (lambda: notebook("rate = 0"), "no parameter x .*There is: rate"),
        (lambda: notebook("rate = x"), "no parameter x "),
        (notebook, "no cell that is tagged parameters"),
        (lambda: notebook("x = = 1"), "is no Python"),
        (lambda: notebook("x = 0", kernelspec={"language": "R"}), "is in R"),
    ],
    ids=["another", "only read", "no such cell", "no Python", "another language"],
)
def test_a_parameter_that_would_do_nothing_is_refused(path: Any, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        run_plan.of_file(path(), parameters=["x=1"])


@pytest.mark.parametrize("word", ["x", "=1", "a-b=1", "1x=1"])
def test_a_parameter_is_a_name_and_a_value(word: str) -> None:
    with pytest.raises(SettingsError, match="NAME=VALUE"):
        run_plan.of_file(notebook("x = 0"), parameters=[word])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("print(1)", "not JSON"),
        ("[]", "says no nbformat"),
        ('{"nbformat": 3, "worksheets": []}', "nbformat 3"),
        ('{"nbformat": 4, "cells": [1]}', "cells are damaged"),
        ('{"nbformat": 4, "cells": [{"cell_type": "markdown", "source": ""}]}', "no cell with"),
        ("\udcff", "cannot be read"),
    ],
)
def test_what_is_no_notebook_is_refused(text: str, said: str) -> None:
    path = Path("a.ipynb")
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SettingsError, match=said):
        run_plan.of_file(path)


def test_what_is_not_there_is_told_with_where() -> None:
    with pytest.raises(SettingsError, match=r"There is no a\.py"):
        run_plan.of_file(Path("a.py"))


def test_the_kernel_is_the_notebooks_unless_another_is_named() -> None:
    assert run_plan.of_file(notebook()).kernel == "python3"
    path = notebook(kernelspec={"name": "ir"})
    assert run_plan.of_file(path).kernel == "ir"
    assert run_plan.of_file(path, kernel="python3").kernel == "python3"


def test_a_file_of_a_folder_that_goes_along_keeps_its_place() -> None:
    path = Path("project/src/a.py")
    path.parent.mkdir(parents=True)
    path.write_text("1")
    assert run_plan.of_file(path, beside=Path("project")).file == "src/a.py"
    assert run_plan.of_file(path, beside=Path("project/src/../src")).file == "a.py"
    assert run_plan.of_file(path).file == "a.py"


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "~/x", "", ".", ".run/x"])
def test_an_output_is_below_the_runs_folder(path: str) -> None:
    with pytest.raises(SettingsError, match="below the run's own folder"):
        run_plan.of_command(["true"], [path], None)


@pytest.mark.parametrize(
    "words",
    [
        ["run"],
        ["run", "moon"],
        ["run", "--"],
        ["run", "a", "b", "--", "true"],
        ["run", "a.py", "b.py"],
        ["run", "a.py", "--attach"],
        ["run", "--attach", "--list"],
        ["run", "-p", "x=1", "--", "true"],
        ["run", "a.py", "-p", "x=1"],
        ["run", "a.ipynb", "--", "word"],
    ],
    ids=" ".join,
)
def test_words_that_mean_nothing_are_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.py").write_text("1")
    notebook()
    assert main(words) == 2
    assert "error: " in capsys.readouterr().err
