"""Starting, stopping and looking at the daemon, from whatever process and user."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from wrapper.errors import LocalError

from . import guest, health, installation
from .health import STARTING, status
from .host import LOG, RUN, STATE, locked, log
from .record import FILE, PORT_VARIABLE, forget, is_daemon, port, read
from .requirements import missing, search_path, sudo
from .sweep import held, remains, sweep

if TYPE_CHECKING:
    from collections.abc import Callable

    from . import Status

_STOP = 60.0
_KEYS = ("PATH", PORT_VARIABLE, "JUPYTER_CLOUDS_LOCAL_CONDA", "PIP_INDEX_URL", *guest.PASSED_ON)


def start(report: Callable[[str], None]) -> Status:
    """See the door."""
    port()
    now = status()
    if now.running:
        _tell_whose(report)
        return now
    if absent := missing():
        names = ", ".join(item.name for item in absent)
        commands = dict.fromkeys(item.command for item in absent if item.command)
        raise LocalError(
            f"the embedded EC2 needs what this host lacks: {names}",
            hint=" && ".join(commands) or "run it on Linux",
        )
    if os.geteuid() != 0:
        _as_root("start")
    else:
        _start(report)
    return status()


def _tell_whose(report: Callable[[str], None]) -> None:
    """A daemon of another installation is used, and said to be. LocalError when that is gone."""
    found = read()
    remark = found and installation.remark(
        package_of=found.package, prefix_of=found.prefix, made_of=found.made
    )
    if remark:
        report(remark)


def _as_root(verb: str) -> None:
    """The same, by sudo; its complaint becomes ours."""
    keep = f"--preserve-env={','.join(_KEYS)}"
    command = [*sudo(), keep, sys.executable, "-m", "wrapper.local.service", verb]
    done = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    if done.returncode != 0:
        told = json.loads(done.stdout or "{}")
        message = told.get("message", f"`{' '.join(command)}` ended with {done.returncode}")
        raise LocalError(message, hint=told.get("hint", "sudo -v"))


def _start(report: Callable[[str], None]) -> None:
    RUN.mkdir(parents=True, exist_ok=True)
    STATE.mkdir(parents=True, exist_ok=True)
    with locked(RUN / "start.lock", wait=STARTING):
        if _answers(report):  # somebody else was faster, or it was slow
            return
        if old := read():
            _end(old.pid, patience=_STOP)
        forget()
        if LOG.exists() and LOG.stat().st_size > 1 << 24:
            LOG.replace(LOG.with_suffix(".log.1"))
        with LOG.open("a") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "wrapper.local.daemon"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                env=os.environ | {"PATH": search_path()},
                cwd=Path(__file__).parents[2],
            )
        LOG.chmod(0o644)
        _wait(process, report)


def _answers(report: Callable[[str], None]) -> bool:
    """Whether the daemon that is there does; LocalError when it does not, and may not be ended."""
    try:
        return health.settled(report).running
    except LocalError as error:
        if not (lost := held()):
            return False
        raise LocalError(
            f"{error.message}; it holds {lost}, which would end with it",
            hint=f"again in a moment, or less {LOG}; to lose them: python -m wrapper local stop",
        ) from error


def _wait(process: subprocess.Popen[bytes], report: Callable[[str], None]) -> None:
    end, stage = time.monotonic() + STARTING, ""
    while time.monotonic() < end:
        record = read()
        if record and record.pid == process.pid:
            if record.error:
                process.wait(timeout=_STOP)  # it cleans up behind itself first
                raise LocalError(record.error, hint=record.hint)
            if record.stage and record.stage != stage:
                stage = record.stage
                report(stage)
            if not record.stage and health.ask(record):
                return
        if process.poll() is not None:
            _explain(process.returncode)
        time.sleep(0.05)
    process.terminate()
    raise LocalError(f"the embedded EC2 does not answer; it was {stage}", hint=f"less {LOG}")


def _explain(code: int) -> None:
    try:
        told = json.loads(FILE.read_text())
    except (OSError, ValueError):
        told = {}
    if told.get("error"):
        raise LocalError(told["error"], hint=told.get("hint"))
    tail = "\n".join(LOG.read_text().splitlines()[-10:])
    raise LocalError(
        f"the embedded EC2 ended with {code}; its log ends:\n{tail}", hint=f"less {LOG}"
    )


def stop() -> Status:
    """See the door."""
    if os.geteuid() != 0:
        if read() or remains():
            _as_root("stop")
        return status()
    RUN.mkdir(parents=True, exist_ok=True)
    with locked(RUN / "start.lock", wait=_STOP):
        record = read()
        if record:
            _end(record.pid, patience=_STOP)
        sweep()
        forget()
    return status()


def clear() -> None:
    """See the door."""
    if not remains():
        return
    if os.geteuid() != 0:
        _as_root("clear")
    else:
        _clear()
    if remains():
        raise LocalError(
            "of an embedded EC2 that was killed something is left on this host, and stays",
            hint=f"python -m wrapper local stop, and less {LOG}",
        )


def _clear() -> None:
    RUN.mkdir(parents=True, exist_ok=True)
    with locked(RUN / "start.lock", wait=STARTING):
        if record := read():
            raise LocalError(
                f"the embedded EC2 was started meanwhile, as process {record.pid}", hint="again"
            )
        with locked(RUN / "daemon.lock", wait=5):  # held by one that has no record any more, too
            sweep()
        forget()


def _end(pid: int, *, patience: float) -> None:
    """The daemon is gone: asked first, then not asked."""
    end = time.monotonic() + patience
    os.kill(pid, signal.SIGTERM)
    while is_daemon(pid):
        if time.monotonic() > end:
            log.warning("daemon %d does not end by itself", pid)
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
        try:
            os.waitpid(pid, os.WNOHANG)  # when it is our own child
        except ChildProcessError:
            continue


def _main(verb: str) -> int:
    try:
        if verb == "start":
            _start(lambda stage: print(f"embedded EC2: {stage}", file=sys.stderr))
        elif verb == "clear":
            _clear()
        else:
            stop()
    except LocalError as error:
        print(json.dumps({"message": error.message, "hint": error.hint}))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
