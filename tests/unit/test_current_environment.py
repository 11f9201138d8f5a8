"""`current`: of virtual environments and prefixes of conda, as they lie on disk."""

from __future__ import annotations

import json
import os
import sys
import venv
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from wrapper import environment_file
from wrapper.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PYTHON = f"python={sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An environment with nothing in it."""
    venv.create(tmp_path / "env", with_pip=False)
    return tmp_path / "env"


def add(prefix: Path, name: str, version: str = "1.0", **of: Any) -> None:
    """As pip leaves a package."""
    packages = next(prefix.glob("lib/python*/site-packages"))
    info = packages / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    needs = "".join(f"Requires-Dist: {one}\n" for one in of.get("needs", []))
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
    )
    (info / "INSTALLER").write_text(of.get("installer", "pip") + "\n")
    if of.get("asked"):
        (info / "REQUESTED").touch()
    if "origin" in of:
        (info / "direct_url.json").write_text(json.dumps(of["origin"]))


def add_conda(prefix: Path, name: str, version: str = "1.0", depends: tuple[str, ...] = ()) -> None:
    (prefix / "conda-meta").mkdir(exist_ok=True)
    told = {"name": name, "version": version, "depends": [*depends]}
    (prefix / f"conda-meta/{name}-{version}-0.json").write_text(json.dumps(told))


def active(prefix: Path, variable: str = "VIRTUAL_ENV") -> dict[str, str]:
    return {"PATH": f"{prefix / 'bin'}:{os.environ['PATH']}", variable: str(prefix)}


def read(given: Mapping[str, str]) -> tuple[list[Any], list[str]]:
    said: list[str] = []
    asked = environment_file.of_word("current", given, said.append)
    return yaml.safe_load(asked.text)["dependencies"], said


def test_what_was_asked_for_is_named_and_what_came_along_is_not(prefix: Path) -> None:
    add(prefix, "pandas", "2.3.0", asked=True, needs=["numpy>=1", "hypothesis; extra == 'test'"])
    add(prefix, "numpy", "2.1.0")
    add(prefix, "pytz", "2025.1", asked=True)
    add(prefix, "Old_Style", "3")
    add(prefix, "hypothesis", "6")
    add(prefix, "pip", "25")
    found, said = read(active(prefix))
    pip = ["hypothesis==6", "old-style==3", "pandas==2.3.0", "pytz==2025.1"]
    assert found == [PYTHON, "ipykernel", "pip", {"pip": pip}]
    assert said == []


@pytest.mark.parametrize(
    ("package", "of", "line", "words"),
    [
        pytest.param("torch 2.3+cu121", {}, "torch==2.3", "becomes 2.3", id="another index"),
        pytest.param(
            "mine 1",
            {"origin": {"url": "file:///home/me/mine", "dir_info": {"editable": True}}},
            None,
            "push brings it",
            id="editable",
        ),
        pytest.param(
            "vcs 1",
            {
                "origin": {
                    "url": "https://github.com/a/b.git",
                    "vcs_info": {"vcs": "git", "commit_id": "abc"},
                }
            },
            "vcs @ git+https://github.com/a/b.git@abc",
            None,
            id="a commit",
        ),
        pytest.param(
            "wheel-of 1",
            {"origin": {"url": "https://x.example/w.whl", "archive_info": {}}},
            "wheel-of @ https://x.example/w.whl",
            None,
            id="a wheel",
        ),
        pytest.param(
            "hidden 1",
            {"origin": {"url": "https://token@x.example/w.whl", "archive_info": {}}},
            None,
            "a password in it",
            id="a secret",
        ),
        pytest.param("appnope 0.1", {}, None, "system", id="a Mac's"),
        pytest.param("pywin32 306", {}, None, "system", id="Windows'"),
        pytest.param("jupyterlab 4.4", {}, None, "outside", id="JupyterLab itself"),
    ],
)
def test_what_cannot_be_the_same_is_told(
    prefix: Path, package: str, of: dict[str, Any], line: str | None, words: str | None
) -> None:
    add(prefix, "other")
    add(prefix, *package.split(" "), asked=True, **of)
    found, said = read(active(prefix))
    assert sorted(found[-1]["pip"]) == sorted(filter(None, ["other==1.0", line]))
    assert "token" not in "".join(said)
    assert len(said) == (words is not None)
    assert (words or "") in "".join(said)


def test_of_conda_the_history_says_what_was_asked_for(prefix: Path) -> None:
    add_conda(prefix, "numpy", "2.1.0", ("python >=3.11", "libblas"))
    add_conda(prefix, "libblas", "3.9")
    add_conda(prefix, "polars", "1.9", ("numpy",))
    add_conda(prefix, "removed-later", "1")
    (prefix / "conda-meta/removed-later-1-0.json").unlink()
    (prefix / "conda-meta/history").write_text(
        "==> 2026-01-01 00:00:00 <==\n# cmd: conda create numpy\n"
        "# update specs: ['python=3.12', 'conda-forge::numpy[version=\">=2\"]', 'removed-later']\n"
        "+conda-forge/linux-64::numpy-2.1.0-py312\n# update specs: ['libblas=*=*openblas']\n"
    )
    add(prefix, "numpy", "2.1.0", installer="conda")
    add(prefix, "tiny", "7", asked=True)
    found, said = read(active(prefix, "CONDA_PREFIX"))
    expected = [PYTHON, "ipykernel", "libblas=3.9", "numpy=2.1.0", "pip", {"pip": ["tiny==7"]}]
    assert (found, said) == (expected, [])


def test_of_conda_without_a_history_it_is_what_nothing_else_needs(prefix: Path) -> None:
    add_conda(prefix, "numpy", "2.1.0")
    add_conda(prefix, "polars", "1.9", ("numpy >=1", "python"))
    add_conda(prefix, "python", "3.12")
    assert read(active(prefix, "CONDA_PREFIX"))[0] == [PYTHON, "ipykernel", "polars=1.9"]


def test_a_virtual_environment_within_condas_is_the_one_on_the_path(
    prefix: Path, tmp_path: Path
) -> None:
    outer = tmp_path / "conda"
    venv.create(outer, with_pip=False)
    add_conda(outer, "numpy")
    add(prefix, "tiny", asked=True)
    given = active(outer, "CONDA_PREFIX") | active(prefix)
    assert read(given)[0][-1] == {"pip": ["tiny==1.0"]}
    given |= {"PATH": f"{outer / 'bin'}:{given['PATH']}"}
    assert "numpy=1.0" in read(given)[0]


@pytest.mark.parametrize("left", ["nothing", "a variable"])
def test_without_one_there_is_a_way_to_it(prefix: Path, left: str) -> None:
    given = {"PATH": os.environ["PATH"]}
    if left == "a variable":
        given["VIRTUAL_ENV"] = str(prefix)
    with pytest.raises(SettingsError, match="No Python environment is active") as raised:
        read(given)
    assert "activate" in str(raised.value.hint)


def test_a_python_that_does_not_run_is_named(prefix: Path) -> None:
    program = prefix / "bin/python"
    program.unlink()
    program.write_text("#!/bin/sh\necho broken >&2; exit 3\n")
    program.chmod(0o755)
    with pytest.raises(SettingsError, match="broken"):
        read(active(prefix))


def test_one_that_is_too_large_for_user_data_goes_another_way(prefix: Path) -> None:
    for number in range(600):
        add(prefix, f"package-{number}-{number * 7919 % 1000}", f"{number}.{number * 31 % 97}")
    said: list[str] = []
    asked = environment_file.of_word("current", active(prefix), said.append)
    first, sent = environment_file.for_user_data(asked, said.append)
    assert sent is not None
    assert sent["text"].count("package-") == 600
    assert "package-" not in first
    assert "once the notebook answers" in said[-1]


def test_a_secret_in_it_is_refused_with_the_word_that_takes_it(prefix: Path) -> None:
    secret = {"url": "https://h.example/a.whl?private_token=hidden", "archive_info": {}}
    add(prefix, "a", asked=True, origin=secret)
    asked = environment_file.of_word("current", active(prefix), print)
    with pytest.raises(SettingsError, match="a secret in an address") as caught:
        environment_file.for_user_data(asked, print)
    assert str(caught.value.hint).endswith("env update current")
