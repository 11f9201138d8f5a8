"""The files behind volumes and snapshots, no machine near them."""

from __future__ import annotations

import resource
import time
from typing import TYPE_CHECKING

import pytest

from wrapper.errors import LocalError
from wrapper.local import blocks as room
from wrapper.local import devices, plugs
from wrapper.local.blocks import Blocks
from wrapper.local.machines import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

GIB = 1 << 30
MIB = 1 << 20


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in (room, plugs):
        monkeypatch.setattr(module, "HERE", tmp_path)
    return tmp_path


@pytest.fixture
def blocks(here: Path) -> Blocks:
    del here
    return Blocks(lambda _: None)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def write(file: Path, at: int, data: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(data)


def read(file: Path, at: int, count: int) -> bytes:
    with file.open("rb") as opened:
        opened.seek(at)
        return opened.read(count)


def snapshot(blocks: Blocks, snapshot_id: str, volume_id: str) -> None:
    blocks.create_snapshot(snapshot_id, volume_id)
    until(lambda: blocks.snapshot(snapshot_id) == Progress(100))


def restored(blocks: Blocks, volume_id: str, gib: int, snapshot_id: str) -> None:
    blocks.create_volume(volume_id, gib, snapshot_id)
    until(lambda: blocks.volume(volume_id) == "available")


def test_a_volume_takes_room_only_for_what_is_written(blocks: Blocks, here: Path) -> None:
    blocks.create_volume("vol-1", 50)

    file = here / "volumes/vol-1"
    assert blocks.volume("vol-1") == "available"
    assert (file.stat().st_size, file.stat().st_blocks) == (50 * GIB, 0)


def test_a_copy_of_a_copy_holds_every_block_and_no_more(blocks: Blocks, here: Path) -> None:
    blocks.create_volume("vol-1", 3)
    written = {0: b"first", 700 * MIB + 5: b"middle" * 99999, 3 * GIB - 4: b"last"}
    for at, data in written.items():
        write(here / "volumes/vol-1", at, data)

    snapshot(blocks, "snap-1", "vol-1")
    blocks.copy_snapshot("snap-2", "snap-1")
    until(lambda: blocks.snapshot("snap-2") == Progress(100))
    blocks.delete_snapshot("snap-1")
    restored(blocks, "vol-2", 4, "snap-2")

    file = here / "volumes/vol-2"
    assert file.stat().st_size == 4 * GIB
    assert file.stat().st_blocks * 512 < 4 * MIB
    for at, data in written.items():
        assert read(file, at, len(data)) == data
    assert not any(read(file, 5, MIB))


def test_a_snapshot_keeps_what_the_volume_held(blocks: Blocks, here: Path) -> None:
    blocks.create_volume("vol-1", 1)
    write(here / "volumes/vol-1", 0, b"before")
    snapshot(blocks, "snap-1", "vol-1")
    write(here / "volumes/vol-1", 0, b"after!")
    blocks.grow_volume("vol-1", 2)
    blocks.delete_volume("vol-1")

    restored(blocks, "vol-2", 1, "snap-1")

    assert read(here / "volumes/vol-2", 0, 6) == b"before"
    assert [file.name for file in (here / "volumes").iterdir()] == ["vol-2"]


def test_a_volume_that_grows_keeps_its_blocks(blocks: Blocks, here: Path) -> None:
    blocks.create_volume("vol-1", 1)
    write(here / "volumes/vol-1", 9, b"kept")
    blocks.grow_volume("vol-1", 5)

    assert (here / "volumes/vol-1").stat().st_size == 5 * GIB
    assert read(here / "volumes/vol-1", 9, 4) == b"kept"


def test_what_is_deleted_while_it_is_being_made_leaves_nothing(blocks: Blocks, here: Path) -> None:
    blocks.create_volume("vol-1", 1)
    write(here / "volumes/vol-1", 0, b"x" * 32 * MIB)
    snapshot(blocks, "snap-1", "vol-1")
    blocks.create_snapshot("snap-2", "vol-1")
    blocks.delete_snapshot("snap-2")
    blocks.create_volume("vol-2", 1, "snap-1")
    blocks.delete_volume("vol-2")

    def left() -> list[str]:
        return sorted(file.name for file in here.glob("*/*"))

    until(lambda: left() == ["snap-1", "vol-1"])


def test_a_disk_without_room_is_told_at_once(
    blocks: Blocks, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks.create_volume("vol-1", 1)
    monkeypatch.setattr(room, "_ROOM_MIB", 1 << 40)

    asked: list[Callable[[], None]] = [
        lambda: blocks.create_volume("vol-2", 1),
        lambda: blocks.grow_volume("vol-1", 2),
        lambda: blocks.create_snapshot("snap-1", "vol-1"),
    ]
    for ask in asked:
        with pytest.raises(LocalError, match="the disk is full") as caught:
            ask()
        assert caught.value.hint == f"df -h {here}"
    monkeypatch.undo()
    # Whoever was refused holds nothing: the volume can still be copied.
    monkeypatch.setattr(room, "HERE", here)
    monkeypatch.setattr(plugs, "HERE", here)
    snapshot(blocks, "snap-2", "vol-1")


@pytest.fixture
def _small_files() -> Iterator[None]:
    """Writing fails beyond a megabyte, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_copy_that_fails_says_why_and_leaves_no_half(
    blocks: Blocks, here: Path, request: pytest.FixtureRequest
) -> None:
    blocks.create_volume("vol-1", 1)
    write(here / "volumes/vol-1", 0, b"x" * 4 * MIB)
    snapshot(blocks, "snap-1", "vol-1")
    request.getfixturevalue("_small_files")

    blocks.create_snapshot("snap-2", "vol-1")
    blocks.create_volume("vol-2", 1, "snap-1")

    until(lambda: "File too large" in blocks.snapshot("snap-2").error)
    until(lambda: blocks.volume("vol-2") == "error")
    assert sorted(file.name for file in here.glob("*/*")) == ["snap-1", "vol-1"]


def test_a_machine_that_is_off_has_its_volumes_by_name_only(blocks: Blocks) -> None:
    for number in (1, 2, 3):
        blocks.create_volume(f"vol-{number}", 1)
        blocks.attach(f"vol-{number}", "i-1", f"/dev/sd{'efg'[number - 1]}")
    assert blocks.attachment("vol-2") == "attached"
    blocks.detach("vol-2")
    assert blocks.attachment("vol-2") == "detached"
    assert blocks.devices("i-1") == ["/dev/sde", "/dev/sdg"]

    blocks.attach("vol-2", "i-1", "/dev/sdh")

    assert blocks.devices("i-1") == ["/dev/sde", "/dev/sdh", "/dev/sdg"]


def test_a_volume_is_linked_by_its_serial() -> None:
    name = devices.link_name("vol-0123456789abcdef0")

    assert name == "nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0"
