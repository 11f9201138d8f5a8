"""SSH to a machine, its host key known beforehand."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from wrapper import local
from wrapper.aws import Aws

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Shell:
    """SSH to the machine, its host key known beforehand."""

    host: str
    admin: str
    """A user with sudo."""
    options: tuple[str, ...]

    def run(self, command: str, *, user: str | None = None) -> subprocess.CompletedProcess[str]:
        """The command's exit code and output."""
        return subprocess.run(
            [
                "ssh",
                "-o",
                "BatchMode=yes",
                "-o",
                "ConnectTimeout=10",
                *self.options,
                f"{user or self.admin}@{self.host}",
                command,
            ],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )


def ssh_key(folder: Path) -> Path:
    key = folder / "id_ed25519"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True, timeout=30
    )
    return key


def shell_to(made: dict[str, Any], key: Path, folder: Path) -> Shell:
    """SSH that trusts the host keys which the machine showed on its console."""
    if shutil.which("ssh") is None:
        pytest.fail("ssh is missing: apt-get install openssh-client")
    aws = Aws(environment=local.status().env, region=made["region"])
    console = aws.console(made["instance_id"])
    host = str(urlsplit(made["url"]).hostname)
    keys = re.findall(r"^((?:ssh|ecdsa)-\S+ \S+)", console.replace("\r", ""), re.MULTILINE)
    keys = [one for one in keys if _is_key(one)]
    if not keys:
        pytest.fail(f"the console shows no SSH host keys:\n{console[-4000:]}")
    known = folder / "known_hosts"
    known.write_text("".join(f"{host} {one}\n" for one in keys))
    options = ("-i", str(key), "-o", f"UserKnownHostsFile={known}", "-F", "none")
    for admin in ("debian", "ubuntu", "admin"):
        shell = Shell(host, admin, options)
        if shell.run("sudo -n true").returncode == 0:
            return shell
    said = shell.run("true")
    pytest.fail(f"no user with sudo lets us in by SSH: {said.stderr}")


DROP_IN = "/run/systemd/system/jupyter-clouds-autostop.service.d"


def hurry(shell: Shell, speed: int) -> None:
    """For what stops the machine, time runs so fast until the next boot."""
    lines = f"[Service]\\nEnvironment=CLOUDS_CLOCK_SPEED={speed}\\nWatchdogSec=6\\n"
    for command in (
        f"mkdir -p {DROP_IN}",
        f"sh -c \"printf '{lines}' > {DROP_IN}/clock.conf\"",
        "systemctl daemon-reload",
        "systemctl stop jupyter-clouds-autostop",
        # What it remembers of the present is old already, by the new clock.
        "rm -f /run/jupyter-clouds/autostop.json",
        "systemctl start jupyter-clouds-autostop",
    ):
        done = shell.run(f"sudo {command}")
        assert done.returncode == 0, done.stderr


def _is_key(line: str) -> bool:
    with suppress(ValueError):
        return base64.b64decode(line.split()[1], validate=True)[4:11] in (
            b"ssh-ed2",
            b"ssh-rsa",
            b"ecdsa-s",
        )
    return False
