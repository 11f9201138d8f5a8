"""The module in a deployment's directory, and the root that calls it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from wrapper import module_copy
from wrapper.home import Home

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "x")
    made.create()
    module_copy.write(made)
    return made


def _names(kind: str, text: str) -> set[str]:
    return set(re.findall(rf'^{kind} "(\w+)"', text, re.MULTILINE))


def test_the_root_has_every_variable_and_output_of_the_module(home: Home) -> None:
    root = (home.path / "main.tf").read_text()
    module = "\n".join(path.read_text() for path in module_copy.source().glob("*.tf"))
    assert _names("variable", root) == _names("variable", module)
    assert _names("output", root) == _names("output", module)
    for name in _names("variable", module):
        assert re.search(rf"^  {name} += var\.{name}$", root, re.MULTILINE)


def test_nothing_said_to_the_root_is_nothing_said_to_the_module(home: Home) -> None:
    root = (home.path / "main.tf").read_text()
    module = "\n".join(path.read_text() for path in module_copy.source().glob("*.tf"))
    for name in _names("variable", module):
        of_module, of_root = (
            re.search(rf'^variable "{name}" \{{\n(.*?)^\}}', text, re.MULTILINE | re.DOTALL)
            for text in (module, root)
        )
        assert of_module, name
        assert of_root, name
        own = re.search(r"^  default +(= .+)$", of_module[1], re.MULTILINE)
        said = re.search(r"^  default +(= .+)$", of_root[1], re.MULTILINE)
        assert own, name
        assert said, name
        # Null is no value for a variable that is not nullable: there its default holds.
        kept = re.search(r"nullable +(=) false", of_module[1]) and said[1] == "= null"
        assert kept or said[1] == own[1], name


def test_what_the_module_hides_the_root_hides(home: Home) -> None:
    root = (home.path / "main.tf").read_text()
    for block in ('variable "password_hash"', 'output "password"'):
        body = root.partition(f"{block} {{")[2].partition("}")[0]
        assert re.search(r"sensitive += true", body), block


def test_the_copy_is_the_module_and_no_more(home: Home) -> None:
    source, copy = module_copy.source(), home.path / "module"
    assert {path.name for path in copy.iterdir()} == {
        "templates",
        *(path.name for path in source.glob("*.tf")),
    }
    assert not [path for path in copy.rglob("*") if "__pycache__" in path.parts]


def test_a_second_writing_leaves_nothing_of_an_older_version(home: Home) -> None:
    (home.path / "module" / "old.tf").write_text("")
    module_copy.write(home)
    assert not (home.path / "module" / "old.tf").exists()


@pytest.mark.skipif(not shutil.which("terraform"), reason="needs terraform")
def test_the_root_is_formatted_as_terraform_would(home: Home) -> None:
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-diff", "main.tf"],
        cwd=home.path,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stdout


def test_the_wheel_takes_the_whole_module_along() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    taken = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    wanted = {path.name for path in ROOT.glob("*.tf")} | {"templates"}
    assert taken == {name: f"wrapper/module/{name}" for name in wanted}
