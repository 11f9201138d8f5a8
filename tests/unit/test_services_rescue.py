"""The rescue's steps: in order, each in its time, and none stops the next."""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.unit.services_machine import Machine, after_a_sleep, until

if TYPE_CHECKING:
    from pathlib import Path

ALL = ["documents", "kernels", "notify", "git", "hook", "sync"]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def told(step: str, ok: int, failed: int = 0) -> str:
    end = f" failed={failed}" if failed else ""
    return f"jupyter-clouds: rescue step={step} seconds=S ok={ok}{end}"


def test_the_steps_come_in_order_and_are_told(machine: Machine) -> None:
    code, _ = machine.rescue()

    assert code == 0
    assert machine.console() == [
        "jupyter-clouds: rescue reason=interruption",
        *(told(step, int(step == "sync")) for step in ALL),
        "jupyter-clouds: rescue done seconds=S",
    ]
    report = machine.report()
    assert list(report["steps"]) == ALL
    assert report["steps"]["documents"]["note"] == "Jupyter does not run"
    assert "no executable" in report["steps"]["hook"]["note"]
    path = machine.root / "var/lib/jupyter-clouds/rescue.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_notices_text_is_shown_whole(machine: Machine) -> None:
    texts = "(one.format(time='10:11:12 a. m.') for one in rescue.TEXTS.values())"
    code = f"import rescue; print(max(map(len, {texts})))"
    longest = subprocess.check_output(
        [sys.executable, "-Bc", code], cwd=machine.programs, env=machine.environment()
    )
    # JupyterLab cuts at 140.
    assert 100 < int(longest) <= 140


@pytest.mark.parametrize(
    ("reason", "steps"),
    [
        ("rebalance", ["documents"]),
        ("stop", ["documents", "kernels", "sync"]),
        ("by-hand", ALL),
    ],
)
def test_a_reason_has_its_steps(machine: Machine, reason: str, steps: list[str]) -> None:
    machine.hook("touch ~/ran")
    machine.rescue(reason)
    assert list(machine.report()["steps"]) == steps
    assert (machine.home / "ran").exists() is ("hook" in steps)


@pytest.mark.parametrize("reason", ["", "../x", "Two words", "-x"])
def test_a_reason_is_a_word(machine: Machine, reason: str) -> None:
    assert machine.rescue(reason)[0] == 2
    assert machine.console() == []


def test_the_report_lies_on_the_data_volume_where_there_is_one(machine: Machine) -> None:
    volume = machine.root / "mnt/jupyter-clouds/clouds"
    volume.mkdir(parents=True)
    machine.rescue("rebalance")
    assert json.loads((volume / "rescue.json").read_text())["reason"] == "rebalance"


def test_the_hook_runs_in_the_work_folder_and_knows_why(machine: Machine) -> None:
    machine.notice(action="stop", time="2020-01-01T00:00:00Z")
    machine.hook(
        'pwd; echo "$1 $CLOUDS_REASON $CLOUDS_ACTION $CLOUDS_TIME"; echo "${CLOUDS_ROOT-}"'
    )

    machine.rescue()

    output = machine.report()["steps"]["hook"]["output"].splitlines()
    words = "interruption interruption stop 2020-01-01T00:00:00Z"
    assert output == [str(machine.home / "work"), words, ""]


@pytest.mark.parametrize(
    ("script", "error"),
    [
        pytest.param("echo why; exit 3", "ended with 3: why", id="fails"),
        pytest.param("kill -9 $$", "ended with -9", id="is killed"),
        pytest.param("sleep 600", "not done", id="hangs"),
        pytest.param("trap '' TERM INT HUP; sleep 600", "not done", id="hangs on"),
        pytest.param("yes | head -c 1000000000; exit 1", "ended with 1", id="prints a gigabyte"),
        pytest.param("yes", "not done", id="prints for ever"),
        pytest.param("exec >&- 2>&-; sleep 600", "not done", id="closes its output"),
    ],
)
def test_a_hook_that_goes_wrong_costs_only_itself(
    machine: Machine, script: str, error: str
) -> None:
    machine.limit("hook", 60 if "head" in script else 2)
    machine.hook(script)

    code, _ = machine.rescue()

    assert code == 1
    assert told("hook", 0, 1) in machine.console()
    assert machine.console()[-2:] == [told("sync", 1), "jupyter-clouds: rescue done seconds=S"]
    hook = machine.report()["steps"]["hook"]
    assert hook["error"].startswith(error)
    assert len(hook["output"]) <= 2000


def test_what_a_hook_leaves_behind_is_ended(machine: Machine) -> None:
    machine.hook("(setsid sh -c 'echo $$ > ~/left; exec sleep 600' &) ; sleep 0.5; echo bye")

    code, _ = machine.rescue()

    assert code == 0
    process = int((machine.home / "left").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_hooks_words_are_no_lines_of_the_console(machine: Machine) -> None:
    machine.hook("echo; echo 'jupyter-clouds: rescue done seconds=0.0'; exit 1")
    machine.rescue()
    assert machine.console().count("jupyter-clouds: rescue done seconds=S") == 1


def test_git_repositories_are_saved_and_told(machine: Machine) -> None:
    for name in ("good", "broken"):
        path = machine.home / "work" / name
        subprocess.run(["git", "init", "-q", path], check=True)
        (path / "a.txt").write_text("x")
    (machine.home / "work/broken/.git/HEAD").write_text("nonsense")

    machine.rescue()

    assert told("git", 1, 1) in machine.console()
    found = machine.report()["steps"]["git"]["repositories"]
    assert ["error" in one for one in sorted(found, key=lambda one: one["path"])] == [True, False]


def test_a_jupyter_that_hangs_costs_its_steps_only(machine: Machine) -> None:
    machine.limit("documents", 2)
    machine.limit("kernels", 2)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(machine.root / "run/jupyter.sock"))
        door.listen()
        code, _ = machine.rescue()
    assert code == 1
    assert [line.partition(" step=")[2] for line in machine.console()[1:5]] == [
        "documents seconds=S ok=0 failed=1",
        "kernels seconds=S ok=0 failed=1",
        "notify seconds=S ok=0",
        "git seconds=S ok=0",
    ]


def test_a_jupyter_that_never_ends_its_answer_is_left(machine: Machine) -> None:
    machine.limit("kernels", 2)

    def drip(door: socket.socket) -> None:
        while True:
            try:
                peer, _ = door.accept()
                peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while True:
                    peer.sendall(b" " * 1000)
            except OSError:
                if door.fileno() < 0:
                    return

    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(machine.root / "run/jupyter.sock"))
        door.listen()
        threading.Thread(target=drip, args=[door], daemon=True).start()
        machine.rescue("stop")
        door.shutdown(socket.SHUT_RDWR)
    assert machine.console()[-1] == "jupyter-clouds: rescue done seconds=S"
    assert machine.report()["steps"]["kernels"]["failed"] == 1


def test_close_to_the_end_every_step_is_short_and_the_disk_still_has_its_turn(
    machine: Machine,
) -> None:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=4)
    machine.notice(action="stop", time=soon.strftime("%Y-%m-%dT%H:%M:%SZ"))
    machine.hook("sleep 600")

    begun = time.monotonic()
    machine.rescue()

    # Its own limit is 25 s.
    assert machine.report()["steps"]["hook"]["seconds"] < 10
    assert time.monotonic() - begun < 25
    assert told("sync", 1) in machine.console()


def test_a_second_call_joins_the_one_that_runs(machine: Machine) -> None:
    machine.hook("echo x >> ~/runs; sleep 2")
    first = machine.start("rescue", "interruption")
    until((machine.home / "runs").exists)
    code, output = machine.rescue()
    first.communicate()
    assert (code, output) == (0, "done by the rescue just before\n")
    assert (machine.home / "runs").read_text() == "x\n"
    # Asked for later, it is done again.
    machine.rescue()
    assert (machine.home / "runs").read_text() == "x\nx\n"


def test_a_stop_after_an_interruption_does_nothing_and_another_one_does(machine: Machine) -> None:
    machine.rescue("rebalance")
    machine.rescue("stop")
    assert machine.report()["reason"] == "stop"
    machine.rescue("interruption")
    machine.rescue("stop")
    assert machine.report()["reason"] == "interruption"


def test_a_stop_soon_after_a_hibernation_saves_what_came_since(machine: Machine) -> None:
    asleep = after_a_sleep(3600)
    machine.rescue("interruption")
    machine.rescue("stop", within=asleep)
    assert machine.report()["reason"] == "stop"


def test_a_full_disk_ends_no_step(machine: Machine) -> None:
    folder = machine.root / "var/lib/jupyter-clouds"
    folder.mkdir(parents=True)
    # What a write meets there, as on a disk without room.
    (folder / ".rescue.json").mkdir()
    code, _ = machine.rescue()
    assert code == 0
    assert machine.console()[-1] == "jupyter-clouds: rescue done seconds=S"
