"""`env update`: what is sent to the machine, and what that does there with an environment."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from wrapper import cli, run_plan
from wrapper.update_environment import changes, versions

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "dependencies:\n  - python\n  - 'quote\"d'\n"
URL = "https://conda.anaconda.org/conda-forge/linux-64"
# As much of conda as is asked here: what it has installed are the lines of a file.
CONDA = """
[ "$CONDA_PKGS_DIRS" = /opt/conda/pkgs-notebook ] || exit 8
state=$CONDA_PREFIX/explicit
case "$*" in
"list --explicit --md5 --prefix $CONDA_PREFIX") cat "$state" ;;
"env update --quiet --prefix $CONDA_PREFIX --file environment.yml") UPDATE ;;
"install --yes --quiet --prefix $CONDA_PREFIX --file "*)
    file=${*: -1}
    [ "$(head -1 "$file")" = @EXPLICIT ] || exit 7
    tail -n +2 "$file" | while read -r line; do
        name=${line##*/}; name=${name%-*-*}
        sed -i "\\,/$name-[^/-]*-[^/-]*$,d" "$state"; echo "$line" >>"$state"
    done ;;
"remove --yes --force --quiet --prefix $CONDA_PREFIX "*)
    for name in "${@:7}"; do sed -i "\\,/$name-[^/-]*-[^/-]*$,d" "$state"; done ;;
*) echo "conda $*" >&2; exit 9 ;;
esac || exit
cd "$CONDA_PREFIX/conda-meta" && rm -f -- *.json
sed -n 's,.*/\\(.*\\)\\.conda#.*,\\1.json,p' "$state" | xargs touch
"""
INSTALLS = """
echo URL/polars-1.30.0-py312_0.conda#1 >>"$state"
mv "$CONDA_PREFIX"/lib/python3.12/site-packages/old_thing-{1,2}.0.dist-info
"""
FAILS = "echo 'LibMambaUnsatisfiableError: nope' >&2; exit 1"
# As it does: https://github.com/conda/conda/issues/7740
PIP_FAILS = """
sed -i s/ca-certificates-2026.1.1/ca-certificates-2027.1.1/ "$state"
echo URL/polars-1.30.0-py312_0.conda#1 >>"$state"
cd "$CONDA_PREFIX/conda-meta" && touch polars-1.30.0-py312_0.json
mv ca-certificates-202{6,7}.1.1-hbd8a1cb_0.json
echo 'CondaEnvException: Pip failed' >&2; exit 1
"""
PIP = """#!/bin/bash
echo "pip: ${*:3} $(cat "${*: -1}")"
grep -q broken "${*: -1}" && exit 2
cd "${0%/bin/python}"/lib/python3.12/site-packages && mv old_thing-{1,2}.0.dist-info
"""
LOCK: dict[str, Any] = {
    "conda": [f"{URL}/ca-certificates-2026.2.2-hbd8a1cb_0.conda#2"],
    "pip": ["old-thing==2.0 --hash=sha256:ab"],
    "addresses": [],
    "python": "3.12",
}


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An environment, with packages of conda's and of pip's."""
    found = tmp_path / "prefix"
    packages = found / "lib/python3.12/site-packages"
    for folder in (found / "conda-meta", packages / "old_thing-1.0.dist-info"):
        folder.mkdir(parents=True)
    there = ("python-3.12.3-h99_0_cpython", "ca-certificates-2026.1.1-hbd8a1cb_0")
    for one in there:
        (found / f"conda-meta/{one}.json").touch()
    (found / "explicit").write_text("".join(f"{URL}/{one}.conda#0\n" for one in there))
    (found / "bin").mkdir()
    (found / "bin/python").write_text(PIP)
    (found / "bin/python").chmod(0o755)
    return found


def run(
    prefix: Path, update: str = "", **locks: dict[str, Any]
) -> subprocess.CompletedProcess[str]:
    """What the machine runs, with a conda that does this with a file."""
    tools = prefix.parent / "tools"
    tools.mkdir()
    conda = CONDA.replace("UPDATE", update).replace("URL", URL)
    (tools / "conda").write_text(f"#!/bin/bash\n{conda}\n")
    (tools / "conda").chmod(0o755)
    there = {name.replace("_", "-"): lock for name, lock in locks.items()}
    asked = {"name": "conda-lock.yml", "text": "" if locks else TEXT, "locks": there}
    plan = run_plan.of_environment(asked)
    assert not plan.arguments
    (prefix.parent / plan.file).write_text(plan.source)
    done = subprocess.run(
        [sys.executable, "-I", plan.file],
        check=False,
        cwd=prefix.parent,
        env={"PATH": f"{tools}:{os.environ['PATH']}", "CONDA_PREFIX": str(prefix)},
        capture_output=True,
        text=True,
    )
    # It may have a password in it, and the folder of a run stays.
    assert {one.name for one in prefix.parent.iterdir()} <= {"prefix", "tools", "before.txt"}
    return done


def test_the_machine_installs_what_the_file_says_and_tells_what_changed(prefix: Path) -> None:
    seen = f"cp environment.yml {prefix}; "
    done = run(prefix, seen + INSTALLS)
    assert (done.returncode, done.stderr) == (0, "")
    assert (prefix / "environment.yml").read_text() == f"{TEXT}\n"
    assert (prefix / "environment.yml").stat().st_mode & 0o077 == 0
    assert done.stdout.splitlines() == ["old-thing 1.0 -> 2.0", "polars - -> 1.30.0"]


def test_what_cannot_be_solved_ends_with_condas_words_and_code(prefix: Path) -> None:
    done = run(prefix, FAILS)
    assert done.returncode == 1
    assert "LibMambaUnsatisfiableError" in done.stderr
    assert done.stdout == "Nothing changed.\n"


def test_where_pip_fails_behind_conda_condas_part_is_taken_back(prefix: Path) -> None:
    before = versions(prefix)
    done = run(prefix, PIP_FAILS)
    assert done.returncode == 1
    assert "Pip failed" in done.stderr
    assert done.stdout.splitlines() == [
        "It failed half-way: back to what was there.",
        "Nothing changed.",
    ]
    assert versions(prefix) == before


def test_a_lock_is_installed_by_its_files_and_nothing_is_solved(prefix: Path) -> None:
    done = run(prefix, linux_64=LOCK, linux_aarch64=LOCK)
    assert (done.returncode, done.stderr) == (0, "")
    pip, *told = done.stdout.splitlines()
    assert "install --no-deps" in pip
    assert pip.endswith("pip.txt old-thing==2.0 --hash=sha256:ab")
    assert told == ["ca-certificates 2026.1.1 -> 2026.2.2", "old-thing 1.0 -> 2.0"]


def test_a_lock_whose_part_for_pip_fails_changes_nothing(prefix: Path) -> None:
    broken = LOCK | {"pip": ["broken==1 --hash=sha256:ab"]}
    done = run(prefix, linux_64=broken, linux_aarch64=broken)
    assert done.returncode == 2
    assert done.stdout.splitlines()[1:] == [
        "It failed half-way: back to what was there.",
        "Nothing changed.",
    ]


def test_a_lock_for_another_platform_is_refused_by_the_machine(prefix: Path) -> None:
    done = run(prefix, linux_riscv64=LOCK)
    assert done.returncode == 1
    assert "this machine is; it has linux-riscv64" in done.stderr
    assert "conda-lock --file environment.yml --platform linux-" in done.stderr
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


def test_up_refuses_a_secret_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    file = tmp_path / "environment.yml"
    file.write_text("channels: ['https://h/t/hidden/me']\ndependencies: [x]")
    assert cli.main(["up", "--local", "--yes", "--environment", str(file)]) == 2
    said = capsys.readouterr().err
    assert "a token in a channel's address" in said
    assert f"env update {file}" in said
    assert "hidden" not in said
    assert not (tmp_path / "data").exists()
