#!/usr/bin/python3
"""Runs one phase of the boot, and tells the console, the status file and the log about it."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from typing import Any

import certificate
import clouds
import conda
import environments
import network
import notebook

PHASES = {
    "address": network.address,
    "certificate": certificate.certificate,
    "conda": conda.conda,
    "environment": environments.environment,
    "fingerprint": certificate.certificate,
    "firewall": network.firewall,
    "notebook": notebook.answer,
    "server": environments.server,
    "settings": notebook.settings,
}
END_OF_LOG = 1500  # bytes; the console keeps 64 KB in all


def prepare() -> None:
    """The folders that every phase counts on are there, with the owner they need."""
    for folder in (clouds.LOG, clouds.RUN, clouds.VAR):
        folder.mkdir(parents=True, exist_ok=True)
    clouds.STATE.mkdir(mode=0o700, exist_ok=True)
    os.chown(clouds.STATE, clouds.user()["user"], clouds.user()["group"])


def update(name: str, state: str, seconds: float | None, error: object) -> Any:
    """status.json tells it, whole at every moment; the error that was there before."""
    path = clouds.RUN / "status.json"
    with (clouds.RUN / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        status = json.loads(path.read_text()) if path.exists() else {"phases": {}}
        before = status["phases"].get(name, {}).get("error")
        status["phases"][name] = {
            "state": state,
            "seconds": seconds,
            "error": before if state == "running" else error,
        }
        clouds.write(path, json.dumps(status))
    return before


def run(name: str) -> tuple[int, str]:
    """The phase has run, in a process of its own; its exit code and its log."""
    path = clouds.LOG / f"{name}.log"
    with path.open("wb") as log:
        child = os.fork()
        if not child:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            try:
                PHASES[name]()
            except clouds.PassingError as error:
                sys.exit(str(error))
            sys.exit()
    exit_code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    # A shell's way to name a signal, 137 when memory ran out.
    return exit_code if exit_code >= 0 else 128 - exit_code, path.read_text(errors="replace").strip()


def end_of(text: str) -> str:
    """Its last lines, none of them cut."""
    return text if len(text) <= END_OF_LOG else text[-END_OF_LOG:].partition("\n")[2]


def main() -> int:
    name = sys.argv[1]
    prepare()
    if name == "fingerprint":
        exit_code, text = run(name)
        certificate.fingerprint()
        return exit_code
    started = time.monotonic()
    update(name, "running", None, None)
    clouds.console(f"jupyter-clouds: phase={name} state=started")
    exit_code, text = run(name)
    seconds = round(time.monotonic() - started, 1)
    print(text)
    if exit_code:
        error = text.rsplit("\n", 1)[-1][-300:]
        before = update(name, "failed", seconds, error)
        failed = f"state=failed seconds={seconds} exit={exit_code}"
        clouds.console(f"jupyter-clouds: phase={name} {failed}")
        # A service that fails again and again the same way would push all else off the console.
        if error != before:
            clouds.console(f"jupyter-clouds: log phase={name} text={json.dumps(end_of(text))}")
        return 1
    update(name, "done", seconds, None)
    (clouds.RUN / f"{name}.done").touch()
    clouds.console(f"jupyter-clouds: phase={name} seconds={seconds}")
    if name == "certificate":
        certificate.fingerprint()
    if name == "notebook":
        clouds.console(f"jupyter-clouds: ready port={clouds.settings()['port']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
