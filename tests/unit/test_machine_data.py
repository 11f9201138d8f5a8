"""The phase data on a real loop device: formatted once, never when foreign, the same place."""

from __future__ import annotations

import os
import shutil
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.unit.data_volume import FOREIGN, VOLUME, Volume, home, run
from tests.unit.machine_root import MIB

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.data_volume import Rooms

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts, as root alone may"),
]


def test_without_a_volume_nothing_is_done(rooms: Rooms) -> None:
    machine = rooms.new()
    machine.settings(data_volume=None)
    assert machine.phase("data").returncode == 0
    assert (machine.root / "run/jupyter-clouds/data.done").exists()
    assert not (machine.root / "mnt").exists()


def test_a_blank_volume_is_formatted_and_holds_the_home_from_then_on(
    rooms: Rooms, volume: Volume
) -> None:
    machine = rooms.new()
    volume.attach(machine)
    done = machine.phase("data")
    assert done.returncode == 0, done.stdout
    assert 'LABEL="jupyter-clouds"' in run("blkid", "-p", volume.device)
    assert (home(machine) / ".bashrc").read_text() == "# as it comes"
    (home(machine) / "work").mkdir()
    (home(machine) / "work/saved").write_text("mine")
    (machine.root / "var/lib/jupyter-clouds/notebook/key.pem").write_text("secret")
    inside = machine.root / "mnt/jupyter-clouds"
    assert (inside / "home/work/saved").read_text() == "mine"
    assert (inside / "state/key.pem").read_text() == "secret"
    for name in ("clouds", "ssh"):
        assert (inside / name).stat().st_mode & 0o777 == 0o700
    # Its next boot.
    rooms.off(machine)
    assert not (home(machine) / "work").exists()
    assert machine.phase("data").returncode == 0
    assert (home(machine) / "work/saved").read_text() == "mine"
    # And the phase once more, with everything mounted.
    assert machine.phase("data").returncode == 0
    assert (home(machine) / "work/saved").read_text() == "mine"


def test_another_machine_with_the_volume_is_the_same_place(rooms: Rooms, volume: Volume) -> None:
    first = rooms.new()
    volume.attach(first)
    assert first.phase("data").returncode == 0
    (home(first) / "settings").write_text("mine")
    outside = first.root / "outside"
    outside.write_text("root's")
    (home(first) / "link").symlink_to(outside)
    # As on an image on which the user had another number.
    run("chown", "-hR", "4242:4242", first.root / "mnt/jupyter-clouds/home")
    rooms.off(first)
    second = rooms.new()
    volume.attach(second)
    done = second.phase("data")
    assert done.returncode == 0, done.stdout
    assert (home(second) / "settings").read_text() == "mine"
    for path in (home(second), home(second) / "settings"):
        assert path.stat().st_uid == os.geteuid()
    assert (home(second) / "link").lstat().st_uid == os.geteuid()
    assert outside.stat().st_uid == os.geteuid()
    assert (second.root / "etc/ssh/ssh_host_ed25519_key").read_text() == "of machine0"
    keys = (home(second) / ".ssh/authorized_keys").read_text()
    assert keys.split("\n") == ["key of machine0", "", "key of machine1", ""]


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_foreign_is_refused_and_not_touched(
    rooms: Rooms, volume: Volume, kind: str
) -> None:
    FOREIGN[kind](volume.device)
    before = volume.digest()
    machine = rooms.new()
    volume.attach(machine)
    done = machine.phase("data")
    assert done.returncode != 0
    assert "nothing was written to it" in machine.console()
    assert volume.digest() == before
    assert not (machine.root / "run/jupyter-clouds/data.done").exists()


def test_an_enlarged_volume_is_used_whole(rooms: Rooms, volume: Volume) -> None:
    machine = rooms.new()
    volume.attach(machine)
    assert machine.phase("data").returncode == 0
    (home(machine) / "saved").write_text("mine")
    rooms.off(machine)
    with volume.file.open("ab") as stream:
        stream.truncate(200 * MIB)
    run("losetup", "--set-capacity", volume.device)
    done = machine.phase("data")
    assert done.returncode == 0, done.stdout
    assert shutil.disk_usage(home(machine)).total > 150 * MIB
    assert (home(machine) / "saved").read_text() == "mine"


@pytest.mark.parametrize("tools", [True, False], ids=["xfsprogs", "without xfsprogs"])
def test_an_xfs_volume_of_ones_own_is_the_home_and_grows_where_it_can(
    rooms: Rooms, tmp_path: Path, *, tools: bool
) -> None:
    volume = Volume(tmp_path / "xfs", mib=320)  # XFS wants 300 at least
    run("mkfs.xfs", "-q", volume.device)
    run("truncate", f"--size={600 * MIB}", volume.file)
    run("losetup", "--set-capacity", volume.device)
    machine = rooms.new()
    if not tools:
        machine.tool("xfs_growfs", "exit 127")
    volume.attach(machine)
    done = machine.phase("data")
    assert done.returncode == 0, done.stdout
    assert (home(machine) / ".bashrc").read_text() == "# as it comes"
    assert (shutil.disk_usage(home(machine)).total > 450 * MIB) is tools
    rooms.off(machine)
    run("losetup", "--detach", volume.device)


def test_a_volume_that_comes_late_is_waited_for(rooms: Rooms, volume: Volume) -> None:
    machine = rooms.new()
    child = machine.start("data")
    time.sleep(1.5)
    assert child.poll() is None
    volume.attach(machine)
    output, _ = child.communicate(timeout=60)
    assert child.returncode == 0, output


def test_the_machines_own_disk_is_not_taken_for_it(rooms: Rooms, volume: Volume) -> None:
    machine = rooms.new()
    for name in ("vol0aaa", "vol0aaa_1", "vol0aaa-part1", "vol0aaa_1-part1"):
        volume.attach(machine, name)
    timer = threading.Timer(1.0, lambda: volume.attach(machine, VOLUME))
    timer.start()
    assert machine.phase("data").returncode == 0
    assert (machine.root / "var/lib/jupyter-clouds/volume").read_text().endswith(VOLUME)


def test_of_two_volumes_the_one_of_before_is_taken_and_else_none(
    rooms: Rooms, volume: Volume
) -> None:
    machine = rooms.new()
    volume.attach(machine, "vol0aaa")
    volume.attach(machine, "vol0bbb")
    assert machine.phase("data").returncode != 0
    assert "several volumes" in machine.console()
    machine.settings(data_volume="vol-0bbb")
    assert machine.phase("data").returncode == 0
    rooms.off(machine)
    machine.settings(data_volume="vol")
    assert machine.phase("data").returncode == 0
