"""The phases with a full volume, a boot cut short, and homes that users rearranged."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.unit.data_volume import FOREIGN, LINKS, VOLUME, fill, home, run
from wrapper import console

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.data_volume import Rooms, Volume
    from tests.unit.machine_root import MachineRoot

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts, as root alone may"),
]


def booted(rooms: Rooms, volume: Volume) -> MachineRoot:
    """A new machine that found the volume."""
    machine = rooms.new()
    volume.attach(machine)
    done = machine.phase("data")
    assert done.returncode == 0, done.stdout
    return machine


def lines(machine: MachineRoot) -> list[str]:
    return (home(machine) / ".ssh/authorized_keys").read_text().splitlines()


def test_an_adopted_volume_with_partitions_is_refused_in_words_and_at_once(
    rooms: Rooms, volume: Volume
) -> None:
    machine = rooms.new()
    machine.settings(data_volume=VOLUME.replace("vol", "vol-"))
    FOREIGN["partitions"](volume.device)
    before = volume.digest()
    volume.attach(machine)
    # As udev names the partition.
    (machine.root / f"{LINKS}{VOLUME}-part1").symlink_to(volume.device)
    assert machine.phase("data").returncode != 0
    assert "nothing was written to it" in machine.console()
    assert volume.digest() == before


def test_keys_of_the_user_stay_as_they_are_and_those_of_the_machine_are_added_once(
    rooms: Rooms, volume: Volume
) -> None:
    first = booted(rooms, volume)
    (home(first) / ".ssh/authorized_keys").write_text("# laptop\nzzz\n\n# desktop\naaa")
    rooms.off(first)
    second = booted(rooms, volume)
    mine = ["# laptop", "zzz", "", "# desktop", "aaa"]
    assert lines(second) == [*mine, "key of machine1"]
    rooms.off(second)
    assert second.phase("data").returncode == 0
    assert lines(second) == [*mine, "key of machine1"]


def test_the_key_that_the_console_told_of_survives_a_power_loss(
    rooms: Rooms, volume: Volume, tmp_path: Path
) -> None:
    machine = booted(rooms, volume)
    assert machine.phase("certificate").returncode == 0
    told = console.parse(machine.console()).fingerprint
    assert told is not None
    # What the device has been given so far is all that is left.
    left = tmp_path / "left"
    shutil.copyfile(volume.file, left)
    rooms.off(machine)
    run("dd", f"if={left}", f"of={volume.device}", "conv=notrunc,fsync", "status=none")
    assert machine.phase("data").returncode == 0
    assert machine.phase("certificate").returncode == 0
    again = console.parse(machine.console()).fingerprint
    assert again is not None
    assert again.key_sha256 == told.key_sha256


def test_formatting_that_was_cut_short_is_done_again(rooms: Rooms, volume: Volume) -> None:
    machine = rooms.new()
    volume.attach(machine)
    machine.tool("mkfs.ext4", "printf half >${@: -1}; kill -9 $PPID; sleep 60")
    assert machine.phase("data").returncode != 0
    (machine.root / "tools/mkfs.ext4").unlink()
    done = machine.phase("data")
    assert done.returncode == 0, done.stdout
    assert (home(machine) / ".bashrc").read_text() == "# as it comes"
    assert not list((machine.root / "var/lib/jupyter-clouds").glob("*.begun"))


ODD: dict[str, Callable[[Path], object]] = {
    "a file": lambda ssh: ssh.write_text("mine"),
    "a link to nowhere": lambda ssh: ssh.symlink_to("nowhere/at/all"),
    "a folder of that name": lambda ssh: (ssh / "authorized_keys").mkdir(parents=True),
}


@pytest.mark.parametrize("kind", ODD)
def test_whatever_the_user_made_of_the_ssh_folder_the_phase_is_done(
    rooms: Rooms, volume: Volume, kind: str
) -> None:
    machine = booted(rooms, volume)
    ssh = home(machine) / ".ssh"
    shutil.rmtree(ssh)
    ODD[kind](ssh)
    rooms.off(machine)
    done = machine.phase("data")
    assert done.returncode == 0, done.stdout


def test_host_keys_that_were_stored_by_half_are_never_used(rooms: Rooms, volume: Volume) -> None:
    machine = rooms.new()
    volume.attach(machine)
    half = ': >"${@: -1}/ssh_host_ed25519_key"; exit 1'
    cp = machine.tool("cp", f'[[ "$*" != *ssh_host_* ]] || {{ {half}; }}; exec /bin/cp "$@"')
    assert machine.phase("data").returncode != 0
    cp.unlink()
    rooms.off(machine)
    assert machine.phase("data").returncode == 0
    for folder in ("etc/ssh", "mnt/jupyter-clouds/ssh"):
        assert (machine.root / folder / "ssh_host_ed25519_key").read_text() == "of machine0"


@pytest.mark.parametrize("other", [False, True], ids=["the same machine", "another one"])
def test_a_full_volume_keeps_nobody_out(rooms: Rooms, volume: Volume, other: bool) -> None:
    machine = booted(rooms, volume)
    assert machine.phase("certificate").returncode == 0
    fill(home(machine))
    rooms.off(machine)
    machine = booted(rooms, volume) if other else machine
    done = machine.phase("data")
    assert done.returncode == 0, done.stdout
    assert "key of machine0" in lines(machine)
    done = machine.phase("certificate")
    assert done.returncode == 0, done.stdout


def test_on_a_full_volume_the_old_certificate_is_kept_until_there_is_room(
    rooms: Rooms, volume: Volume
) -> None:
    machine = booted(rooms, volume)
    assert machine.phase("certificate").returncode == 0
    pem = machine.root / "var/lib/jupyter-clouds/notebook/tls/certificate.pem"
    before = pem.read_text()
    big = fill(home(machine))
    machine.settings(address="198.51.100.9")
    done = machine.phase("certificate")
    assert done.returncode == 0, done.stdout
    assert pem.read_text() == before
    big.unlink()
    assert machine.phase("certificate").returncode == 0
    assert "IP Address:198.51.100.9" in machine.log("certificate")
