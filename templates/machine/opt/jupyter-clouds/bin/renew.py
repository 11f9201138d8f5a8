"""renew.py INSTANCE: of the machine that this one is a copy of, nothing personal is left.

cloud-init's bootcmd calls it on a machine that began with an image of another one: before users,
their keys, the files of user data and SSH, and before anything of ours. Cut short, it is done again
at the next boot; until it is done, no phase runs (phase.py).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import clouds
from environments import COPIED, FILE

if TYPE_CHECKING:
    from pathlib import Path

STAMPS = ("conda.stamp", "server.stamp", "services.stamp")
CLOUD = clouds.ROOT / "var/lib/cloud/instances"
GONE = (
    "etc/jupyter-clouds/*",
    "etc/ssh/ssh_host_*",
    "etc/sudoers.d/jupyter-clouds",
    # Memory, of this machine's or of a hibernation; the agent for these makes another one:
    # https://github.com/aws/amazon-ec2-hibinit-agent
    "swap*",
    "var/crash/*",
    "var/lib/dbus/machine-id",
    "var/lib/dhcp/*",
    "var/lib/systemd/coredump/*",
    "var/lib/systemd/credential.secret",
    "var/lib/systemd/random-seed",
    "var/mail/*",
    "var/spool/cron/*/*",
    "var/tmp/*",
)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def empty(home: Path) -> None:
    """As useradd made it: https://man7.org/linux/man-pages/man8/useradd.8.html"""
    for path in home.iterdir():
        remove(path)
    owner = home.stat()
    for path in (clouds.ROOT / "etc/skel").iterdir():
        shutil.copy(path, home)
        os.chown(home / path.name, owner.st_uid, owner.st_gid)


def forget_state() -> None:
    """Ours, but for what is installed."""
    if (clouds.VAR / "environment.stamp").exists() and FILE.exists():
        clouds.write(COPIED, hashlib.sha256(FILE.read_bytes()).hexdigest())
    for path in clouds.VAR.iterdir():
        if path.name not in {*STAMPS, "instance"} and path != COPIED:
            remove(path)


def forget_instance(instance: str) -> None:
    """What the system and its users left of another one than this."""
    for path in (path for pattern in GONE for path in clouds.ROOT.glob(pattern)):
        if path.name.startswith("swap"):
            subprocess.run(["swapoff", path], check=False)  # in use, it cannot be removed
        remove(path)
    for home in (clouds.ROOT / "root", *(clouds.ROOT / "home").iterdir()):
        empty(home)
    for path in CLOUD.iterdir():
        if path.name != instance:
            remove(path)
    for path in (clouds.ROOT / "var/log").rglob("*"):
        if path.parent.parent.name == "journal" and path.name != "system.journal":
            path.unlink()  # a user's, for one, which nobody has opened yet
        elif path.is_file() and path.suffix != ".journal":
            os.truncate(path, 0)  # some are being written: they stay, and begin anew


def renew(instance: str) -> None:
    # What the boot has in mind to start knows the programs of the image, not of user data.
    subprocess.run(["systemctl", "stop", "--no-block", "jupyter-clouds*"], check=False)
    forget_state()
    forget_instance(instance)
    # Not systemd-machine-id-setup: it may find the old one in PID 1, which has begun with it.
    clouds.write(clouds.ROOT / "etc/machine-id", f"{uuid.uuid4().hex}\n", 0o444)
    vacuum = ["journalctl", "--quiet", "--rotate", "--vacuum-time=1s"]
    subprocess.run(vacuum, check=False)  # a journal may be in memory only
    subprocess.run(["sync"], check=True)
    clouds.write(clouds.VAR / "instance", instance)


if __name__ == "__main__":
    renew(sys.argv[1])
