"""A spot machine on its way back after an interruption, and what its watches cost at rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bench import measure
from bench.embedded import TYPE, logged_in
from bench.report import Row
from wrapper import local

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

PROGRAMS = ("watch.py", "autostop.py")

def running(program):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if f"services/{program}".encode() in open(f"/proc/{pid}/cmdline", "rb").read():
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

pids = [running(program) for program in PROGRAMS]
bare = subprocess.Popen(["/usr/bin/python3", "-c", "input()"], stdin=subprocess.PIPE)
before = [ticks(pid) for pid in pids]
time.sleep(IDLE)
used = [(ticks(pid) - was) / os.sysconf("SC_CLK_TCK") for pid, was in zip(pids, before)]
print(json.dumps([[resident(pid) for pid in pids], used, resident(bare.pid)]))
bare.communicate()
"""


def rows(account: Account, folder: Path, environment: Mapping[str, str]) -> list[Row]:
    """The watches at rest, a stop and start by hand, an interruption; all is gone after."""
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
    resident, used, bare = json.loads(printed)
    hour = 3600.0
    rows = []
    for number, what in enumerate(("the watch", "the watch for idleness")):
        rows += [
            Row(
                f"memory of {what}", resident[number], "Python that does nothing", bare, unit="MiB"
            ),
            Row(
                f"processor time of {what} in an hour", used[number] * hour / IDLE, "the hour", hour
            ),
        ]
    return rows


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
    given = ("--yes", "--no-capacity", "--after", str(NOTICE))
    taken = measure.wrapper("local", "interrupt", NAME, *given, environment=environment)
    account.wait_for_state(machine, "stopped")
    pool = {"zone": taken["zone"], "instance_type": taken["instance_type"], "market": "spot"}
    local.capacity("back", **pool)
    # How long EC2 takes to notice is the embedded one's own figure, and says nothing of AWS.
    account.wait_for_state(machine, "pending", "running")
    seen = measure.seconds(lambda: account.wait_until_verified(machine, address, password))
    what = "started by EC2 after an interruption, to a cell that ran"
    return Row(what, seen, "the machine's own boot", floor)
