"""SSH: a key of the deployment's own, and a host key that the machine's console has shown."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

from wrapper import console, openssh, session_manager, ssh_include
from wrapper.deployment import awake, logging_in, look, place, verify
from wrapper.deployment.events import Step
from wrapper.errors import FailedError, FingerprintError, NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from wrapper.deployment.place import Way
    from wrapper.deployment.world import World
    from wrapper.home import Home, Record

USER = "notebook"
_MACHINE = "machine"
"""File with the id of the machine whose host key is pinned, and which lets the key in."""

# As the notebook's user, in a kernel: the file may have keys of theirs.
_LET_IN = """\
import pathlib
folder = pathlib.Path.home() / ".ssh"
folder.mkdir(mode=0o700, exist_ok=True)
keys = folder / "authorized_keys"
known = keys.read_text() if keys.exists() else ""
if KEY not in known.splitlines():
    keys.touch(mode=0o600)
    with keys.open("a") as stream:
        stream.write("\\n" * (known[-1:] not in ("", "\\n")) + KEY + "\\n")
print("let in")
"""


def folder(home: Home) -> Path:
    """Where the deployment's key, its known host and its configuration are."""
    return home.path / "ssh"


def reach(
    wanted: bool | None, named: Iterable[str] | None, allowed: Iterable[str]
) -> dict[str, Any]:
    """The module's `ssh_cidrs`: who may reach the notebook, and whom the user named."""
    if wanted is None:
        return {}
    return {"ssh_cidrs": list(dict.fromkeys([*(allowed if wanted else ()), *(named or ())]))}


def connect(world: World, name: str) -> Path:
    """ssh gets to the machine with the folder's configuration; the folder.

    FailedError: port 22 is closed. NoAnswerError: no machine runs, or it is not reached.
    FingerprintError: another answers.
    """
    home, record = look.known(world, name)
    if not leads_there(home):
        raise FailedError(
            f"Port 22 of {name} is closed.",
            hint=f"python -m wrapper up {name} --ssh, or with no port open: --session-manager",
        )
    if _carried(home):
        session_manager.check_programs()
    way = place.back_to(world, record)
    found = awake.running(way, record)
    there = folder(home)
    openssh.public_key(there)
    address = found.public_ip or str(record.outputs.get("public_ip"))
    _write(home, record, address)
    marker = there / _MACHINE
    if not marker.exists() or marker.read_text(encoding="utf-8") != found.instance_id:
        _meet(world, way, home, record, found.instance_id)
        home.write(f"{there.name}/{_MACHINE}", found.instance_id)
    return there


def follow(home: Home, address: str | None) -> None:
    """Where ssh is configured it leads to the address that the machine has now."""
    if address and (folder(home) / openssh.CONFIG).exists():
        _write(home, home.record(), address)


def leads_there(home: Home) -> bool:
    """There is a way for ssh: an open port, or AWS's Session Manager."""
    return bool(home.variables().get("ssh_cidrs")) or _carried(home)


def _carried(home: Home) -> bool:
    """By the Session Manager: only where the port is closed, which is the faster way."""
    told = home.variables()
    return bool(told.get("session_manager")) and not told.get("ssh_cidrs")


def _write(home: Home, record: Record | None, address: str) -> None:
    if record and _carried(home):
        openssh.write(
            folder(home),
            address=str(record.instance_id),
            user=USER,
            proxy=session_manager.proxy_command(record.place.region),
        )
    else:
        openssh.write(folder(home), address=address, user=USER)


def forget(root_of_all: Path, config: Path) -> None:
    """No line of ours is in the user's configuration where no deployment is left to lead to."""
    if not any(root_of_all.glob(f"*/ssh/{openssh.CONFIG}")):
        ssh_include.remove(config, root_of_all)


def users_config() -> Path:
    """That of whoever runs this: ssh does not look at HOME, nor does this."""
    return Path(pwd.getpwuid(os.getuid()).pw_dir) / ".ssh" / "config"


def _meet(world: World, way: Way, home: Home, record: Record, instance_id: str) -> None:
    """The machine's host key is pinned, and it lets the deployment's key in."""
    world.report(Step(f"Reading SSH's host key from the console of {instance_id}"))
    host_key = console.ssh_host_key(way.aws.console(instance_id))
    if host_key is None:
        raise NoAnswerError(
            f"The console of {instance_id} shows no SSH host key (yet).",
            hint="Again in a minute. A machine that an older version made shows none: "
            f"python -m wrapper up {home.name} --replace",
        )
    openssh.know(folder(home), host_key)
    if not _tried(world, home):
        _let_in(world, home, record)
        if not _tried(world, home):
            raise NoAnswerError(
                f"{instance_id} refuses the key of {home.name}, which its user has let in.",
                hint=f"Is its ~/.ssh writable by others? python -m wrapper check {home.name}",
            )


def _tried(world: World, home: Home) -> bool:
    """Whether the key is let in. NoAnswerError, FingerprintError where nobody could ask."""
    name = home.name
    done = openssh.try_to(folder(home), ["true"], world.environment)
    if done.returncode != openssh.UNREACHED:
        return True
    said = done.stderr.strip()
    if "Permission denied" in said:
        return False
    if "Host key verification failed" in said:
        raise FingerprintError(
            f"What answers on port 22 has not the host key that {name}'s console shows: {said}",
            hint=f"Do not go there. Replace the machine: python -m wrapper up {name} --replace",
        )
    raise NoAnswerError(
        f"{name} is not reached by SSH: {said}",
        hint=session_manager.what_helps(said, name)
        if _carried(home)
        else f"Your address may have changed: python -m wrapper allow {name}",
    )


def _let_in(world: World, home: Home, record: Record) -> None:
    """Over the pinned connection: docs/adr/0003-secrets-after-boot.md."""
    key = openssh.public_key(folder(home))
    if record.key_sha256 is None:
        raise NoAnswerError(
            f"{home.name} has no verified notebook.", hint=f"python -m wrapper up {home.name}"
        )
    world.report(Step("Letting the key in, through the notebook"))
    where = verify.address(record)
    pin = world.look_whose(where, record.key_sha256)
    with logging_in.logged_in(world, home, where, pin) as notebook:
        notebook.run_cell(f"KEY = {json.dumps(key)}\n{_LET_IN}")
