"""What user data carries is what the sources say, and arrives whole."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scripts import bundle

if TYPE_CHECKING:
    from pathlib import Path

UNPACK = bundle.ROOT / "templates/unpack.py"
PROGRAMS = sorted(name for name in bundle.sources() if name.endswith(".py"))


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, unpacked by the program that does it on a machine."""
    root = tmp_path_factory.mktemp("machine")
    unpack(root)
    return root


def unpack(root: Path) -> None:
    subprocess.run([sys.executable, UNPACK, root, bundle.BUNDLE], check=True)


def test_the_bundle_is_made_of_the_sources_as_they_are() -> None:
    assert bundle.DIGEST.read_text().strip() == bundle.digest(), "run: make bundle"


def test_every_file_arrives(machine: Path) -> None:
    arrived = {str(path.relative_to(machine)) for path in machine.rglob("*") if path.is_file()}
    assert arrived == set(bundle.sources())


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_still_one(machine: Path, name: str) -> None:
    compile((machine / name).read_text(), name, "exec")


def test_programs_can_be_run_and_nothing_else(machine: Path) -> None:
    files = {path for path in machine.rglob("*") if path.is_file() and path.stat().st_mode & 0o100}
    assert files
    assert {path.parent.name for path in files} == {"bin"}


def test_unpacking_again_mends_what_was_cut_short_and_leaves_the_rest(tmp_path: Path) -> None:
    unpack(tmp_path)
    whole = tmp_path / "opt/jupyter-clouds/bin/phase.py"
    broken = tmp_path / "opt/jupyter-clouds/bin/clouds.py"
    text, written = broken.read_text(), whole.stat().st_mtime_ns
    broken.write_text(text[:100])
    unpack(tmp_path)
    assert broken.read_text() == text
    assert whole.stat().st_mtime_ns == written


def test_comments_and_docstrings_stay_at_home(machine: Path) -> None:
    text = "".join((machine / name).read_text() for name in PROGRAMS)
    assert '"""' not in text
