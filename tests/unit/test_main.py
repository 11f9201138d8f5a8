"""`python -m wrapper` with whatever Python is at hand."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has no packages."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder / "bin" / "python"


def run(python: Path, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-m", "wrapper", "--help"],
        check=False,
        capture_output=True,
        text=True,
        cwd=directory,
        timeout=60,
    )


def test_a_python_without_our_packages_hands_over_to_the_checkouts(
    bare: Path, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "wrapper", tmp_path / "wrapper")
    (tmp_path / ".venv").symlink_to(sys.prefix)

    done = run(bare, tmp_path)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: python -m wrapper")


def test_without_a_checkouts_python_it_says_how_to_get_one(bare: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "wrapper", tmp_path / "wrapper")

    done = run(bare, tmp_path)

    assert done.returncode == 1
    assert "lacks argon2" in done.stderr
    assert "make setup" in done.stderr
