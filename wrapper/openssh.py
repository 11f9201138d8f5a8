"""OpenSSH's programs: a key, a host that is known beforehand, a configuration that uses both.

https://man.openbsd.org/ssh_config, https://man.openbsd.org/sshd#SSH_KNOWN_HOSTS_FILE_FORMAT
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, NoReturn

from wrapper.errors import FailedError, SettingsError
from wrapper.home import DIRECTORY_MODE, as_disk_error, write_private

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

UNREACHED = 255
"""ssh's own exit status, where it is not the remote command's."""
CONFIG = "config"
_KEY, _KNOWN = "id_ed25519", "known_hosts"
_SECRET_PREFIXES = ("AWS_", "TF_VAR_", "JUPYTER_CLOUDS_")
_PROXY = "ProxyCommand"
_PACKAGE = "apt-get install openssh-client, dnf install openssh-clients, or brew install openssh"


def alias(name: str) -> str:
    """What a deployment is called for ssh, scp, rsync and editors."""
    return f"clouds-{name}"


def program(name: str, *, package: str = _PACKAGE) -> str:
    """Where it is. FailedError when this computer lacks it."""
    found = shutil.which(name)
    if found is None:
        raise FailedError(f"{name} is missing on this computer.", hint=package)
    return found


def public_key(folder: Path) -> str:
    """The public half of the folder's key, which is made where there is none; the other is 0600."""
    private = folder / _KEY
    public = private.with_suffix(".pub")
    with as_disk_error(folder):
        folder.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        if not (private.exists() and public.exists()):
            for one in (private, public):  # of a half that somebody has left
                one.unlink(missing_ok=True)
            command = [
                program("ssh-keygen"),
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-C",
                folder_name(folder),
            ]
            done = subprocess.run(
                [*command, "-f", private], check=False, capture_output=True, text=True
            )
            if done.returncode:
                raise FailedError(
                    f"ssh-keygen made no key in {folder}: {done.stderr.strip()}",
                    hint=f"ls -ld {folder}",
                )
        return public.read_text(encoding="utf-8").strip()


def folder_name(folder: Path) -> str:
    """The deployment's alias: its folder of SSH lies in its own."""
    return alias(folder.parent.name)


def know(folder: Path, host_key: str) -> None:
    """That host key is the machine's, and no other."""
    write_private(folder / _KNOWN, f"{folder_name(folder)} {host_key}\n")


def write(folder: Path, *, address: str, user: str, proxy: str | None = None) -> Path:
    """The configuration leads there, and only to the host key that is known; the configuration.

    With `proxy`, this command carries the connection.
    """
    name = folder_name(folder)
    settings = {
        "HostName": address,
        "User": user,
        "IdentityFile": quoted(folder / _KEY),
        "IdentitiesOnly": "yes",
        # The host key is the console's: never asked about, never learnt from the network.
        "HostKeyAlias": name,
        "HostKeyAlgorithms": "ssh-ed25519",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": quoted(folder / _KNOWN),
        "GlobalKnownHostsFile": "/dev/null",
        "UpdateHostKeys": "no",
        "VerifyHostKeyDNS": "no",
        "CheckHostIP": "no",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "ForwardAgent": "no",
        "ConnectTimeout": "15",
        "ServerAliveInterval": "30",
    }
    if proxy:
        settings |= {_PROXY: proxy, "ConnectTimeout": "60"}  # a session takes seconds to begin
    lines = [f"Host {name}", *(f"    {key} {value}" for key, value in settings.items())]
    return write_private(folder / CONFIG, "\n".join(lines) + "\n")


def quoted(path: Path) -> str:
    """As ssh's configuration takes a file's name. SettingsError for one that it cannot take."""
    text = str(path)
    if any(char in text for char in '"\\\n*?['):
        raise SettingsError(
            f"{text}: ssh's configuration cannot name this folder.",
            hint="Keep deployments elsewhere: export XDG_DATA_HOME=...",
        )
    return '"' + text.replace("%", "%%") + '"'


def command(folder: Path, words: Sequence[str] = (), options: Sequence[str] = ()) -> list[str]:
    """What runs the words there, as the machine's shell reads them; none: a shell."""
    name = folder_name(folder)
    return [
        program("ssh"),
        "-F",
        str(folder / CONFIG),
        *options,
        name,
        *(("--", *words) if words else ()),
    ]


def environment(given: Mapping[str, str], config: Path | None = None) -> dict[str, str]:
    """What ssh and rsync get to see: no credentials, unless AWS carries the connection."""
    hidden: tuple[str, ...] = _SECRET_PREFIXES
    if config and config.exists() and f" {_PROXY} " in config.read_text(encoding="utf-8"):
        hidden = tuple(one for one in hidden if one != "AWS_")
    return {key: value for key, value in given.items() if not key.startswith(hidden)}


def try_to(
    folder: Path, words: Sequence[str], given: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """The words were run there with nobody at the keyboard; 255 where ssh did not get there."""
    done = exactly(folder, words, given)
    said = (one.decode(errors="replace") for one in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, *said)


def exactly(
    folder: Path, words: Sequence[str], given: Mapping[str, str], text: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Likewise; they read the text, and what they say is as they said it."""
    return subprocess.run(
        command(folder, words, ("-o", "BatchMode=yes")),
        check=False,
        capture_output=True,
        input=text,
        env=environment(given, folder / CONFIG),
    )


def feed(
    folder: Path, words: Sequence[str], options: Sequence[str], text: str, given: Mapping[str, str]
) -> int:
    """The words were run there, which read the text; what they say on stderr is said on ours."""
    return subprocess.run(
        command(folder, words, options),
        check=False,
        input=text.encode(),
        stdout=subprocess.DEVNULL,
        env=environment(given, folder / CONFIG),
    ).returncode


def become(words: Sequence[str], folder: Path, given: Mapping[str, str]) -> NoReturn:
    """This process is that program: its terminal, its signals, its exit status."""
    os.execve(words[0], list(words), environment(given, folder / CONFIG))  # noqa: S606 - no shell is wanted
