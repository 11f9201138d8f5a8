"""What stands in the way of a `sync`, and what is told then."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.far_machine import contents
from tests.unit.synced import Ends, ends, fill
from wrapper import openssh, unison
from wrapper.cli import main
from wrapper.deployment import far_end
from wrapper.deployment.events import Warned
from wrapper.errors import (
    CloudsError,
    DiskError,
    ExitCode,
    FailedError,
    NoAnswerError,
    SettingsError,
)
from wrapper.unison.words import Heard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["ends"]  # a fixture, for pytest to find here


def test_a_home_directory_is_refused(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(ends.here))
    with pytest.raises(SettingsError, match="a home directory"):
        ends.sync()
    assert not ends.there.exists()


@pytest.mark.parametrize(
    ("code", "said", "error"),
    [
        pytest.param(3, "Fatal error: Lost connection with the server", NoAnswerError, id="lost"),
        pytest.param(2, "write: No space left on device", DiskError, id="full disk"),
        pytest.param(2, "  failed: x", FailedError, id="one file not"),
        pytest.param(2, "  skipped: x ([root 1]: cannot be read)", FailedError, id="nor read"),
        pytest.param(3, "Fatal error: something else", FailedError, id="anything else"),
    ],
)
def test_how_unison_ends_is_told(code: int, said: str, error: Any) -> None:
    heard = Heard(lambda _: None, lambda _: None)
    heard.listen([f"{said}\n"])
    with pytest.raises(error, match=r"x|something|Lost|space") as raised:
        heard.judge(code)
    assert raised.value.hint


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        pytest.param([0], None, id="there"),
        pytest.param([1, 0, 4, 4, 0], None, id="installed meanwhile"),
        pytest.param([1, 4, 4, 0, 4, 0], None, id="of a machine that still boots"),
        pytest.param([1, 1], "a version that does not install", id="an old machine"),
        pytest.param([1, 0, 4, 3], "could not install", id="the package cannot be had"),
        pytest.param([255], "ssh: ", id="nobody to ask"),
    ],
)
def test_the_machine_installs_its_own_end(
    answers: list[int], error: str | None, ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(*_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], answers.pop(0), "", "")

    monkeypatch.setattr(openssh, "try_to", answer)
    monkeypatch.setattr(far_end, "_PAUSE", 0.0)
    if error is None:
        far_end.have(ends.world, ends.here, "moon", "unison")
    else:
        with pytest.raises(CloudsError, match=error) as raised:
            far_end.have(ends.world, ends.here, "moon", "unison")
        assert raised.value.hint
    assert answers == []


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        pytest.param(["--no-ssh"], "leave out --no-ssh", id="without the way"),
        pytest.param([], "a home directory", id="a home directory"),
    ],
)
def test_up_makes_nothing_where_it_could_not_sync(
    typed: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path if typed else folder))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert main(["up", "moon", "--local", "--yes", "--sync", str(folder), *typed]) == ExitCode.USAGE
    assert words in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("watch", [False, True], ids=["once", "watching"])
@pytest.mark.parametrize("why", ["full", "denied"])
def test_what_could_not_be_written_is_told(why: str, watch: bool, ends: Ends) -> None:
    fill(ends.here, *(f"{number}" for number in range(20)))
    ends.sync()
    (ends.here / "many").mkdir()
    for number in range(12):  # the reason is far above the last lines
        (ends.here / "many" / f"{number}").write_bytes(os.urandom(50_000))
    fill(ends.here, "small")
    told = []

    def report(event: Any) -> None:
        told.append(event)
        if watch and isinstance(event, Warned):
            raise KeyboardInterrupt

    ends.world = dataclasses.replace(ends.world, report=report)
    with refusing(ends.there, why):
        errors = {"full": DiskError, "denied": FailedError}
        expected: Any = KeyboardInterrupt if watch else errors[why]
        with pytest.raises(expected) as raised:
            ends.sync(watch=watch)
    [words] = [one.text for one in told if isinstance(one, Warned)]
    assert {"full": "No space left on device", "denied": "not permitted"}[why] in words
    assert "many" in words
    if not watch:
        assert "many" in raised.value.message
    assert contents(ends.here) >= {"small", "many/0"}


def test_a_disk_of_this_computer_that_is_full_is_told_and_loses_nothing(ends: Ends) -> None:
    fill(ends.here, "a")
    ends.sync()
    (ends.there / "big").write_bytes(os.urandom(2**20))
    (ends.there / "a").write_text("changed there")
    with refusing(ends.here, "full"):
        with pytest.raises(DiskError, match="big"):
            ends.sync(force=True)  # it is all of a disk now
        # What Unison began is told apart by its name, and never taken for a file.
        assert {one for one in contents(ends.here) if not one.startswith(".unison.")} == {"a"}


def test_names_that_a_disk_takes_for_one_are_named_and_stay(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unison takes macOS's for such, and any that it is told of."""
    write = unison.pair.write

    def told(pair: unison.Pair) -> None:
        write(pair)
        with (pair.own / f"{pair.profile}.prf").open("a") as profile:
            profile.write("ignorecase = true\n")

    monkeypatch.setattr(unison.pair, "write", told)
    fill(ends.there, "A", "a", "other")
    with pytest.raises(FailedError, match=r"(?i)a: .*identical except for (their )?case") as raised:
        ends.sync()
    assert contents(ends.here) == {"other"}
    assert contents(ends.there) == {"A", "a", "other"}
    assert raised.value.hint


@contextmanager
def refusing(folder: Path, why: str) -> Iterator[None]:
    """A disk with no room for it; or one that takes nothing, from root neither."""
    if why == "full":
        kept = folder.with_name("kept")
        folder.rename(kept)
        folder.mkdir()
        size = f"size={300 * 1024}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], check=True)
        shutil.copytree(kept, folder, dirs_exist_ok=True)
    else:
        subprocess.run(["chattr", "+i", folder], check=True)
    try:
        yield
    finally:
        undo = ["umount", "-l"] if why == "full" else ["chattr", "-i"]
        subprocess.run([*undo, folder], check=True)
