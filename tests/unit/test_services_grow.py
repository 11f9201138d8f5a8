"""A volume that is enlarged while mounted: its file system follows, or the console says when."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.machine_tree import lay_out
from tests.unit.data_volume import can_grow_mounted, process_status, run
from tests.unit.machine_root import MIB, MachineRoot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.unit.data_volume import Rooms, Volume

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts, as root alone may"),
]
PATIENCE = 30


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "gave up waiting"
        time.sleep(0.05)


def enlarge(volume: Volume, mib: int) -> None:
    """As EC2 does it to an attached one."""
    with volume.file.open("ab") as stream:
        stream.truncate(mib * MIB)
    run("losetup", "--set-capacity", volume.device)


class Grower:
    """A machine with its data volume mounted, and the program at work."""

    def __init__(self, machine: MachineRoot) -> None:
        self.machine, self.place = machine, machine.root / "mnt/jupyter-clouds"
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """It has looked once."""
        programs = lay_out(self.machine.root)
        environment = self.machine.environment() | {"CLOUDS_GROW_PAUSE": "0.05"}
        log = self.machine.root / "grow.log"
        self._child = subprocess.Popen(
            [programs / "services/grow.sh"],
            env=environment,
            stdout=log.open("wb"),
            stderr=subprocess.STDOUT,
        )
        until(lambda: "Nothing to do" in log.read_text() or bool(self.told()))

    def end(self) -> None:
        if self._child:
            self._child.kill()
            self._child.wait()

    def told(self) -> list[str]:
        """Of the data volume, on the console."""
        return [one for one in self.machine.console().splitlines() if " data volume " in one]

    def mib(self) -> int:
        return shutil.disk_usage(self.place).total // MIB


@pytest.fixture
def grower(rooms: Rooms, volume: Volume) -> Iterator[Grower]:
    machine = rooms.new()
    volume.attach(machine)
    done = machine.phase("data")
    assert done.returncode == 0, done.stdout
    found = Grower(machine)
    yield found
    found.end()


@pytest.mark.skipif(not can_grow_mounted(), reason="no CAP_SYS_RESOURCE: ext4 grows unmounted only")
def test_the_file_system_follows_while_it_is_in_use(grower: Grower, volume: Volume) -> None:
    grower.start()
    with (grower.place / "home/open").open("w") as file:
        enlarge(volume, 200)
        until(lambda: grower.mib() > 150)
        file.write("still")
    enlarge(volume, 300)
    until(lambda: grower.mib() > 250)
    until(lambda: len(grower.told()) == 2)
    assert grower.told() == [
        f"jupyter-clouds: data volume grown to {mib} MiB" for mib in (200, 300)
    ]
    assert (grower.place / "home/open").read_text() == "still"


def test_what_grew_before_it_looked_is_not_missed(grower: Grower, volume: Volume) -> None:
    asked = grower.machine.root / "asked"
    grower.machine.tool("resize2fs", f"echo $* >> {asked}; echo Nothing to do")
    enlarge(volume, 200)
    grower.start()
    until(asked.exists)
    assert asked.read_text() == f"{volume.device}\n"
    assert grower.told() == []


def test_where_it_cannot_grow_now_the_console_says_when_and_only_once(
    grower: Grower, volume: Volume
) -> None:
    tries = grower.machine.root / "tries"
    script = f"echo Nothing to do; echo try >> {tries}; test $(wc -l < {tries}) = 1"
    grower.machine.tool("resize2fs", script)
    grower.start()
    enlarge(volume, 200)
    until(lambda: len(grower.told()) == 1)
    assert grower.told() == [
        "jupyter-clouds: data volume 200 MiB, its file system at the next start"
    ]
    enlarge(volume, 300)
    until(lambda: len(grower.told()) == 2)
    assert tries.read_text() == "try\n" * 3, "not every few seconds"


def test_without_a_volume_it_ends(rooms: Rooms) -> None:
    machine = rooms.new()
    program = lay_out(machine.root) / "services/grow.sh"
    done = subprocess.run([program], env=machine.environment(), check=False, timeout=PATIENCE)
    assert done.returncode == 1


def test_it_is_small(grower: Grower) -> None:
    grower.start()
    assert grower._child
    assert int(process_status(grower._child.pid, "VmRSS")) < 4096, "KiB"
