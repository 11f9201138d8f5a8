#!/usr/bin/python3 -u
"""Runs one phase of the boot, and tells the console, the status file and the log about it."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time

import clouds
from certificate import certificate, fingerprint
from conda import conda
from data import data
from environments import environment, server
from network import address, firewall
from notebook import notebook, settings
from repository import repository
from services import services

PHASES = (
    address,
    certificate,
    conda,
    data,
    environment,
    firewall,
    notebook,
    repository,
    server,
    services,
    settings,
)
END_OF_LOG = 1500  # bytes; the console keeps 64 KB in all


def prepare() -> None:
    """The folders that every phase counts on are there, with the owner they need."""
    for folder in (clouds.LOG, clouds.RUN, clouds.VAR):
        folder.mkdir(parents=True, exist_ok=True)
    clouds.STATE.mkdir(mode=0o700, exist_ok=True)
    os.chown(clouds.STATE, clouds.USER.pw_uid, clouds.USER.pw_gid)


def own() -> None:
    """What is on this disk is this machine's. SystemExit when it is a copy's, still to be renewed.

    https://docs.cloud-init.io/en/latest/explanation/boot.html#first-boot-determination
    """
    here = (clouds.ROOT / "var/lib/cloud/data/instance-id").read_text().strip()
    whose = clouds.VAR / "instance"
    with (clouds.RUN / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not whose.exists():
            clouds.write(whose, here)
    if (other := whose.read_text()) != here:
        raise SystemExit(
            f"a copy of {other}, with its keys: give the image to this module (ami_id), whose"
            " user data removes them"
        )


def update(name: str, state: str, seconds: float | None, error: str | None) -> str | None:
    """status.json tells it, whole at every moment; returns the error that was there before."""
    path = clouds.RUN / "status.json"
    with (clouds.RUN / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        phases = json.loads(path.read_text())["phases"] if path.exists() else {}
        before: str | None = phases.get(name, {}).get("error")
        phases[name] = {"state": state, "seconds": seconds, "error": error}
        clouds.write(path, json.dumps({"phases": phases}))
    return before


def run(name: str) -> tuple[int, str]:
    """The phase has run, in a process of its own; its exit code and its log."""
    path = clouds.LOG / f"{name}.log"
    with path.open("wb") as log:
        child = os.fork()
        if not child:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            try:
                own()
                {phase.__name__: phase for phase in PHASES}[name]()
            except clouds.PassingError as error:
                sys.exit(f"given up: {error}")
            sys.exit()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    text = path.read_text(errors="replace").strip()
    print(text)
    # A shell's way to name a signal, 137 when memory ran out.
    return code if code >= 0 else 128 - code, text


def report(name: str) -> int:
    """The phase has run, and who looks knows how it went."""
    begin = f"jupyter-clouds: phase={name}"
    started = time.monotonic()
    before = update(name, "running", None, None)
    clouds.console(f"{begin} state=started")
    code, text = run(name)
    seconds = round(time.monotonic() - started, 1)
    if not code:
        update(name, "done", seconds, None)
        (clouds.RUN / f"{name}.done").touch()
        clouds.console(f"{begin} seconds={seconds}")
        return 0
    error = text.rsplit("\n", 1)[-1][-300:]
    update(name, "failed", seconds, error)
    lines = f"{begin} state=failed seconds={seconds} exit={code}"
    # A service that fails again and again the same way would push all else off the console.
    if error != before:
        end = text if len(text) <= END_OF_LOG else text[-END_OF_LOG:].partition("\n")[2]
        # At once: who reads the first line is to find the second.
        lines += f"\njupyter-clouds: log phase={name} text={json.dumps(end)}"
    clouds.console(lines)
    return code


def main() -> int:
    name = sys.argv[1]
    prepare()
    # Every ten minutes, with no report but its own line.
    code = run("certificate")[0] if name == "fingerprint" else report(name)
    if not code and name in {"certificate", "fingerprint"}:
        fingerprint()
    if not code and name == "notebook":
        clouds.console(f"jupyter-clouds: ready port={clouds.settings()['port']}")
    return code


if __name__ == "__main__":
    sys.exit(main())
