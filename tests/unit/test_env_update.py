"""`env update`: what is sent to the machine, and what that does there with an environment."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from wrapper import cli, run_plan
from wrapper.update_environment import changes, versions

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "dependencies:\n  - python\n  - 'quote\"d'\n"
INSTALLS = """
[ "$*" = "env update --quiet --prefix $CONDA_PREFIX --file environment.yml" ] || exit 9
[ "$CONDA_PKGS_DIRS" = /opt/conda/pkgs-notebook ] || exit 8
cd "$CONDA_PREFIX"
touch conda-meta/polars-1.30.0-py312_0.json
cd lib/python3.12/site-packages
mv old_thing-1.0.dist-info old_thing-2.0.dist-info
"""
FAILS = "echo 'LibMambaUnsatisfiableError: nope' >&2; exit 1"


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An environment, with packages of conda's and of pip's."""
    found = tmp_path / "prefix"
    packages = found / "lib/python3.12/site-packages"
    for folder in (found / "conda-meta", packages / "old_thing-1.0.dist-info"):
        folder.mkdir(parents=True)
    (found / "conda-meta/python-3.12.3-h99_0_cpython.json").touch()
    (found / "conda-meta/ca-certificates-2026.1.1-hbd8a1cb_0.json").touch()
    return found


def run(prefix: Path, conda: str) -> subprocess.CompletedProcess[str]:
    """What the machine runs, with a conda that does this."""
    tools = prefix.parent / "tools"
    tools.mkdir()
    (tools / "conda").write_text(f"#!/bin/bash\n{conda}\n")
    (tools / "conda").chmod(0o755)
    plan = run_plan.of_environment(TEXT)
    assert not plan.arguments
    (prefix.parent / plan.file).write_text(plan.source)
    return subprocess.run(
        [sys.executable, "-I", plan.file],
        check=False,
        cwd=prefix.parent,
        env={"PATH": f"{tools}:{os.environ['PATH']}", "CONDA_PREFIX": str(prefix)},
        capture_output=True,
        text=True,
    )


def test_the_machine_installs_what_the_file_says_and_tells_what_changed(prefix: Path) -> None:
    done = run(prefix, INSTALLS)
    assert (done.returncode, done.stderr) == (0, "")
    assert (prefix.parent / "environment.yml").read_text() == TEXT
    assert done.stdout.splitlines() == ["old-thing 1.0 -> 2.0", "polars - -> 1.30.0"]


def test_what_cannot_be_solved_ends_with_condas_words_and_code(prefix: Path) -> None:
    done = run(prefix, FAILS)
    assert done.returncode == 1
    assert "LibMambaUnsatisfiableError" in done.stderr
    assert done.stdout == "Nothing changed.\n"


def test_packages_are_known_by_name_whoever_installed_them(prefix: Path) -> None:
    assert versions(prefix) == {
        "python": "3.12.3",
        "ca-certificates": "2026.1.1",
        "old-thing": "1.0",
    }
    assert changes({"a": "1", "b": "1"}, {"a": "1", "c": "2"}) == ["b 1 -> -", "c - -> 2"]


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), ("-e .", "of this computer")],
    ids=["absent", "of here"],
)
def test_a_wrong_file_is_told_before_anybody_is_asked(
    content: str | None,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    file = tmp_path / "requirements.txt"
    if content is not None:
        file.write_text(content)
    assert cli.main(["env", "update", str(file)]) == 2
    assert said in capsys.readouterr().err
