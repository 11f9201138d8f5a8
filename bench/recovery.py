"""A spot machine on its way back after an interruption, and what its watch costs at rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bench import measure
from bench.embedded import TYPE, logged_in
from bench.report import Row

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench.embedded import Account

NAME = "bench-spot"
NOTICE = 10  # seconds; the rescue takes two
IDLE = 60  # seconds, scaled to the hour

# Any user may read how much another's process holds and has run.
CELL = """
import json, os, subprocess, time

def watch():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if b"services/watch.py" in open(f"/proc/{pid}/cmdline", "rb").read():
                return pid
        except OSError:
            pass

def resident(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024

def ticks(pid):
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])

pid = watch()
bare = subprocess.Popen(["/usr/bin/python3", "-c", "input()"], stdin=subprocess.PIPE)
before = ticks(pid)
time.sleep(IDLE)
used = (ticks(pid) - before) / os.sysconf("SC_CLK_TCK")
print(json.dumps([resident(pid), resident(bare.pid), used]))
bare.communicate()
"""


def rows(account: Account, folder: Path, environment: Mapping[str, str]) -> list[Row]:
    """The watch at rest, then a stop and start by hand, then an interruption; all is gone after."""
    given = ("--local", "--yes", "--spot", "--fresh-data", "--instance-type", TYPE)
    made = measure.wrapper("up", NAME, *given, environment=environment)
    try:
        password = (folder / f"data/jupyter-clouds/{NAME}/password").read_text().strip()
        account.wait_until_installed(made["instance_id"])
        return [*_watch(made, password), _recovery(account, made, password, environment)]
    finally:
        measure.wrapper("down", NAME, "--yes", "--data", "delete", environment=environment)


def _watch(made: dict[str, Any], password: str) -> list[Row]:
    with logged_in(made["url"], made["key_sha256"], password) as notebook:
        printed = notebook.run_cell(CELL.replace("IDLE", str(IDLE)), timeout=2 * IDLE)
    resident, bare, used = json.loads(printed)
    hour = 3600.0
    return [
        Row("memory of the watch", resident, "Python that does nothing", bare, unit="MiB"),
        Row("processor time of the watch in an hour", used * hour / IDLE, "the hour", hour),
    ]


def _recovery(
    account: Account, made: dict[str, Any], password: str, environment: Mapping[str, str]
) -> Row:
    machine = made["instance_id"]
    address = made["url"].split("/")[2].split(":", maxsplit=1)[0]
    account.stop(machine)

    def boot() -> None:
        account.ec2.start_instances(InstanceIds=[machine])
        account.wait_until_verified(machine, address, password)

    floor = measure.seconds(boot)
    seen = measure.wrapper(
        "interrupt", NAME, "--yes", "--after", str(NOTICE), environment=environment
    )
    what = "started by EC2 after an interruption, to a cell that ran"
    return Row(what, seen["capacity_to_answering"], "the machine's own boot", floor)
