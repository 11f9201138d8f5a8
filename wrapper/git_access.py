"""What lets a machine read a repository that not everybody may read, and is this computer's.

A credential, from whatever helper its git has (https://git-scm.com/docs/git-credential); or an
agent of SSH, with the host keys that its ssh knows (https://man.openbsd.org/ssh-keygen#F).
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wrapper import openssh
from wrapper.errors import FailedError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NAME: Final = r"(?P<path>/?[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*)/?(@(?P<branch>[A-Za-z0-9._/-]+))?"
_HOST: Final = r"(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*)"
_FORMS: Final = (
    re.compile(rf"(?P<scheme>https)://{_HOST}(:(?P<port>\d+))?/{_NAME}"),
    re.compile(rf"(?P<scheme>ssh)://(?P<user>[A-Za-z0-9._-]+)@{_HOST}(:(?P<port>\d+))?/{_NAME}"),
    re.compile(rf"(?P<user>[A-Za-z0-9._-]+)@{_HOST}:{_NAME}"),
)
_GLOBAL: Final = (Path("/etc/ssh/ssh_known_hosts"), Path("/etc/ssh/ssh_known_hosts2"))


@dataclass(frozen=True)
class Repository:
    """Where one is cloned from."""

    url: str
    branch: str | None
    folder: str
    """What it is called in the work folder."""
    host: str
    """With the port, where one is named."""
    ssh: bool


@dataclass(frozen=True)
class Credential:
    """Of one host."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Credential({self.username!r})"


def is_by_ssh(url: str) -> bool:
    """Whether it can be nothing but a repository behind SSH."""
    return any(form.fullmatch(url) for form in _FORMS[1:])


def parse(text: str) -> Repository:
    """Of https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH, each with @BRANCH or without.

    SettingsError for anything else, and for a user or a password in an https address.
    """
    found = next(filter(None, (form.fullmatch(text) for form in _FORMS)), None)
    known = found.groupdict() if found else {}
    folder = known.get("path", "").rsplit("/", 1)[-1].removesuffix(".git")
    if not known or folder in ("", ".", "..") or folder.startswith("-"):
        raise SettingsError(
            f"{_hidden(text)} is no repository that could be cloned.",
            hint="https://HOST/PATH or git@HOST:PATH, with @BRANCH after it for another branch; "
            "never with a password or a token in it.",
        )
    branch = known["branch"]
    port = f":{known['port']}" if known.get("port") else ""
    return Repository(
        url=text.removesuffix(f"@{branch}") if branch else text,
        branch=branch,
        folder=folder,
        host=f"{known['host']}{port}",
        ssh=known.get("scheme") != "https",
    )


def _hidden(text: str) -> str:
    """Without what may be a password."""
    return re.sub(r"(://)[^/@]*@", r"\1...@", text)


def credential(repository: Repository, given: Mapping[str, str]) -> Credential | None:
    """What this computer's git would show to the host; None where it would have to ask somebody."""
    git = shutil.which("git")
    if git is None:
        return None
    # Nobody is asked: whoever has given git a credential finds it used, and nobody else waits.
    silent = {"GIT_TERMINAL_PROMPT": "0", "GCM_INTERACTIVE": "never"}
    asking = ("GIT_ASKPASS", "SSH_ASKPASS")
    done = subprocess.run(
        [git, "-c", "core.askPass=", "credential", "fill"],
        input=f"url={repository.url}\n\n",
        env={key: value for key, value in given.items() if key not in asking} | silent,
        check=False,
        capture_output=True,
        text=True,
    )
    told = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    if done.returncode or not told.get("password"):
        return None
    return Credential(told.get("username", ""), told["password"])


def known_hosts(repository: Repository, files: Iterable[Path] | None = None) -> list[str]:
    """The lines of ssh's files that say which key the host has. FailedError: none says it."""
    host, _, port = repository.host.partition(":")
    name = f"[{host}]:{port}" if port not in ("", "22") else host
    searched = [*files] if files else [*_users_files(), *_GLOBAL]
    keygen, lines = openssh.program("ssh-keygen"), []
    for file in filter(Path.exists, searched):
        done = subprocess.run(
            [keygen, "-F", name, "-f", file], check=False, capture_output=True, text=True
        )
        lines += [one for one in done.stdout.splitlines() if one and not one.startswith("#")]
    if not lines:
        raise FailedError(
            f"No file of ssh's here says which host key {name} has, and none is taken on trust.",
            hint=f"Connect once, and compare: ssh -T {repository.url.partition(':')[0]}"
            if "://" not in repository.url
            else f"Connect once, and compare: ssh -T {repository.url}",
        )
    return list(dict.fromkeys(lines))


def _users_files() -> list[Path]:
    """Those of whoever runs this: ssh does not look at HOME, nor does this."""
    folder = Path(pwd.getpwuid(os.getuid()).pw_dir) / ".ssh"
    return [folder / "known_hosts", folder / "known_hosts2"]


def agent(given: Mapping[str, str]) -> None:
    """An agent has a key. FailedError when none does."""
    done = subprocess.run(
        [openssh.program("ssh-add"), "-l"],
        env=openssh.environment(given),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise FailedError(
            "No agent of ssh's has a key here, which the machine could be let use while it clones: "
            f"{(done.stdout + done.stderr).strip()}",
            hint='ssh-add; without an agent first: eval "$(ssh-agent)"',
        )
