"""What user data carries is what the sources say, and arrives whole."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scripts import bundle
from templates.unpack import expand, picker

if TYPE_CHECKING:
    from pathlib import Path

NOISE = hashlib.shake_256().digest(3000)
PROGRAMS = sorted(name for name in bundle.sources() if name.endswith(".py"))


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, unpacked by the program that does it on a machine."""
    root = tmp_path_factory.mktemp("machine")
    unpack(root)
    return root


def unpack(root: Path) -> Path:
    """The files are laid out; where the mark of it is."""
    copy = root / "machine.bin"
    if not copy.exists():
        shutil.copyfile(bundle.BUNDLE, copy)
    subprocess.run([sys.executable, bundle.SENT, root, copy], check=True)
    return root / "machine.done"


def test_the_bundle_is_made_of_the_sources_as_they_are() -> None:
    assert bundle.DIGEST.read_text().strip() == bundle.digest(), "run: make bundle"


def test_every_file_arrives(machine: Path) -> None:
    arrived = {str(path.relative_to(machine)) for path in machine.rglob("*") if path.is_file()}
    assert arrived - {"machine.bin", "machine.done"} == set(bundle.sources())


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_still_one(machine: Path, name: str) -> None:
    compile((machine / name).read_text(), name, "exec")


def test_what_is_started_by_its_first_line_keeps_it(machine: Path) -> None:
    def first_lines(texts: dict[str, str]) -> dict[str, str]:
        return {k: v.splitlines()[0] for k, v in texts.items() if v.startswith("#!")}

    sources = bundle.sources()
    assert first_lines(sources)
    assert first_lines({k: (machine / k).read_text() for k in sources}) == first_lines(sources)


def test_programs_can_be_run_and_nothing_else(machine: Path) -> None:
    files = {path for path in machine.rglob("*") if path.is_file() and path.stat().st_mode & 0o100}
    assert files
    assert {path.parent.name for path in files} == {"bin"}


@pytest.mark.parametrize(
    ("line", "program", "kept"),
    [
        ("import network; print(network.REDIRECT)", "network.py", "REDIRECT"),
        ("from conda import FINAL", "conda.py", "FINAL"),
        ("import clouds; clouds.retry(step=print)", "clouds.py", "def retry(step)"),
        ("from clouds import retry; retry(step=print)", "clouds.py", "def retry(step)"),
        ("from jupyter_clouds.login import LONGEST", "login.py", "LONGEST"),
    ],
    ids=["attribute", "import", "keyword", "keyword-of-import", "package"],
)
def test_names_that_the_services_use_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, program: str, kept: str
) -> None:
    monkeypatch.setattr(bundle, "SERVICES", tmp_path)

    def sent() -> str:
        return next(text for name, text in bundle.minified().items() if name.endswith(program))

    without, stale = sent(), bundle.digest()
    (tmp_path / "own.py").write_text(f"{line}\n")

    assert kept not in without
    assert kept in sent()
    assert bundle.digest() != stale, "the test of the committed bundle would not see it"


def test_unpacking_that_was_cut_short_is_done_again(tmp_path: Path) -> None:
    done = unpack(tmp_path)
    broken = tmp_path / "opt/jupyter-clouds/bin/clouds.py"
    text = broken.read_text()
    broken.write_text(text[:100])
    done.unlink()
    unpack(tmp_path)
    assert broken.read_text() == text


def test_what_was_unpacked_is_left_alone_until_another_bundle_comes(tmp_path: Path) -> None:
    done = unpack(tmp_path)
    file = tmp_path / "opt/jupyter-clouds/server.txt"
    file.write_text("changed by hand")
    unpack(tmp_path)
    assert file.read_text() == "changed by hand"
    os.utime(done, (0, 0))
    unpack(tmp_path)
    assert file.read_text() != "changed by hand"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("a", id="one-character"),
        pytest.param("".join(map(chr, range(2, 127))), id="every-character"),
        pytest.param("ab" * 3000, id="run"),
        pytest.param("".join("\0 etaoin\n_()"[n % 12] for n in NOISE), id="noise"),
    ],
)
@pytest.mark.parametrize("known", ["", "def eta(): return noise\n"])
def test_what_is_packed_comes_out_again(text: str, known: str) -> None:
    packed = bundle.compressed(text, known)

    assert expand(picker(iter(packed)), known) == text


def test_a_text_that_the_packer_cannot_tell_is_refused() -> None:
    with pytest.raises(ValueError, match="not ASCII: 'ü'"):
        bundle.compressed("für", "")


def test_comments_and_docstrings_stay_at_home(machine: Path) -> None:
    text = "".join((machine / name).read_text() for name in PROGRAMS)
    assert '"""' not in text
