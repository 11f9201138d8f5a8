"""The tutorial's steps, one after another over SSH, as a person would type them (without pauses).

Launch, open the ports, log in, install conda, install the packages, hash a password, make a
certificate with openssl, write the configuration, start with nohup, look whether it answers.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from bench.embedded import Account

PATIENCE = 120  # seconds until SSH answers
HOST_KEY = re.compile(r"^ssh-ed25519 \S+", re.MULTILINE)

STEPS = r"""
curl -fsSLo miniforge.sh {installer}

bash miniforge.sh -b -p $HOME/miniforge

$HOME/miniforge/bin/conda env create -q -y -p $HOME/notebook -f environment.yml

$HOME/miniforge/bin/conda install -q -y -p $HOME/notebook {packages}

mkdir -p .jupyter && umask 077 &&
openssl req -x509 -nodes -days 365 -newkey rsa:2048 -subj /CN=notebook \
  -addext subjectAltName=IP:{address} -keyout .jupyter/key.pem -out .jupyter/certificate.pem

make_hash="from jupyter_server.auth import passwd; print(passwd(input()))" &&
hash=$($HOME/notebook/bin/python -c "$make_hash" < .password) &&
cat > .jupyter/jupyter_server_config.py <<EOF
c.ServerApp.ip = '0.0.0.0'
c.ServerApp.port = 9999
c.ServerApp.open_browser = False
c.ServerApp.certfile = '$HOME/.jupyter/certificate.pem'
c.ServerApp.keyfile = '$HOME/.jupyter/key.pem'
c.PasswordIdentityProvider.hashed_password = '$hash'
EOF

nohup $HOME/notebook/bin/jupyter lab > jupyter.log 2>&1 < /dev/null &

until curl -fso /dev/null --cacert .jupyter/certificate.pem https://{address}:9999/login
do sleep 0.2; done
""".strip().split("\n\n")


@dataclass(frozen=True)
class Task:
    """What the person has at hand."""

    folder: Path
    address: str
    key: Path
    user: str
    installer: str
    environment: str
    packages: list[str]


class Person:
    """Somebody with a key and a terminal."""

    def __init__(self, task: Task) -> None:
        options = (
            f"UserKnownHostsFile={task.folder / 'known_hosts'}",
            "StrictHostKeyChecking=yes",
            "BatchMode=yes",
            "ConnectTimeout=5",
        )
        self.arguments = [
            *("ssh", "-q", "-i", str(task.key)),
            *(part for option in options for part in ("-o", option)),
            f"{task.user}@{task.address}",
        ]

    def waits_for_ssh(self) -> None:
        """SSH answers. Raises RuntimeError when it does not within PATIENCE."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.types("true")
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)

    def types(self, command: str, *, stdin: str = "") -> None:
        """The command ran to its end. Raises CalledProcessError."""
        done = subprocess.run(
            [*self.arguments, f"bash -c {shlex.quote(command)}"],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def make_key(folder: Path) -> Path:
    """An SSH key pair lies in the folder; the private key's path."""
    key = folder / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    return key


def follow(account: Account, instance_id: str, task: Task) -> None:
    """A notebook answers on that machine, made by hand."""
    _remember_host_key(account, instance_id, task)
    person = Person(task)
    person.waits_for_ssh()
    person.types("cat > environment.yml", stdin=task.environment)
    person.types("umask 077; cat > .password", stdin="a long pass phrase of the bench\n")
    for step in STEPS:
        person.types(
            step.replace("{installer}", task.installer)
            .replace("{address}", task.address)
            .replace("{packages}", shlex.join(task.packages))
        )


def _remember_host_key(account: Account, instance_id: str, task: Task) -> None:
    """The host key is known, from the console as a careful person would read it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = HOST_KEY.search(account.shown(instance_id).replace("\r", ""))
        if found:
            (task.folder / "known_hosts").write_text(f"{task.address} {found.group()}\n")
            return
        time.sleep(0.5)
    raise TimeoutError(f"{instance_id} shows no SSH host key after {PATIENCE} s")
