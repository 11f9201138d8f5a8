"""`clone`: a repository of the user's in the work folder, also a private one.

The machine clones by itself; what lets it in stays this computer's. An agent of SSH is forwarded
for as long as that takes, with the host keys that are known here. A credential goes over the pinned
SSH connection into the memory of one git, which shows it to its own host alone; no file and no
argument has it.
"""

from __future__ import annotations

import dataclasses
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wrapper import git_access, openssh
from wrapper.deployment import ssh
from wrapper.deployment.events import Note, Step
from wrapper.deployment.precautions import WORK
from wrapper.errors import FailedError, NoAnswerError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from wrapper.deployment.world import World
    from wrapper.errors import CloudsError
    from wrapper.git_access import Credential, Repository

_THERE, _NO_GIT = 117, 118
"""Exit codes of the script that are none of git's."""

# Of standard input: user, password, then host keys. Debian's images have no git of their own.
# An empty helper forgets those of the machine, which might write the password down.
# https://git-scm.com/docs/gitcredentials#_configuration_options
_SCRIPT: Final = """\
set -eu
IFS= read -r U && IFS= read -r S
mkdir -p ~/.ssh ~/WORK
chmod 700 ~/.ssh
while IFS= read -r line; do
  grep -qxF -- "$line" ~/.ssh/known_hosts 2>/dev/null || printf '%s\\n' "$line" >>~/.ssh/known_hosts
done
cd ~/WORK
if [ -e "$folder" ] || [ -L "$folder" ]; then exit THERE; fi
PATH="$PATH:/opt/conda/envs/server/bin"
command -v git >/dev/null || exit NO_GIT
partial=".$folder.cloning"
rm -rf -- "$partial"
trap 'rm -rf -- "$partial"' EXIT
trap 'exit 130' HUP INT TERM
export U S GIT_TERMINAL_PROMPT=0
export GIT_SSH_COMMAND='ssh -o BatchMode=yes -o StrictHostKeyChecking=yes'
git -c credential.helper= -c "credential.$origin.helper=$helper" \\
  clone $options ${branch:+--branch "$branch"} -- "$url" "$partial"
mv -T -- "$partial" "$folder"
"""
_HELPER: Final = """\
!f() {
  test "$1" = get && test -n "$S" && printf 'username=%s\\npassword=%s\\n' "$U" "$S"
}; f"""


@dataclass(frozen=True)
class Cloned:
    """What is on the machine."""

    folder: str
    """Below the work folder."""
    url: str
    branch: str | None
    new: bool
    """Whether it was not there before."""


@dataclass(frozen=True, kw_only=True)
class CloneWish:
    """How it is cloned."""

    known_hosts: Path | None = None
    """Where the server's host key is known, instead of in ssh's own files."""
    progress: bool = False
    again: bool = False
    """What is there already is as good."""


def clone(world: World, name: str, url: str, wish: CloneWish) -> Cloned:
    """The repository is in the work folder, whole.

    UsageError: something of its name is there, and not `again`. FailedError: git could not, or
    what is needed here is missing. NoAnswerError: the machine is not reached.
    """
    repository = git_access.parse(url)
    keys, credential = _pass(world, repository, wish.known_hosts)
    there = ssh.connect(world, name)
    world.report(Step(f"Cloning {repository.url} on the machine"))
    code = openssh.feed(
        there,
        [_script(repository, progress=wish.progress)],
        ("-o", "BatchMode=yes", *(("-o", "ForwardAgent=yes") if repository.ssh else ())),
        _input(credential, keys),
        world.environment,
    )
    if code == _THERE and wish.again:
        world.report(Note(f"{WORK}/{repository.folder} is on the machine, and left as it is"))
    elif code:
        raise _failure(name, code, repository, credential)
    return Cloned(repository.folder, repository.url, repository.branch, new=code == 0)


def _failure(
    name: str, code: int, repository: Repository, credential: Credential | None
) -> CloudsError:
    if code == openssh.UNREACHED:
        return NoAnswerError(
            "ssh did not get there, or lost it.", hint=f"python -m wrapper ssh {name}"
        )
    if code == _NO_GIT:
        return FailedError(
            "The machine has no git (yet): it comes with JupyterLab.",
            hint=f"python -m wrapper status {name}",
        )
    if code == _THERE:
        folder = f"{WORK}/{repository.folder}"
        return UsageError(
            f"There is something called {folder} on the machine. Nothing was changed.",
            hint=f"python -m wrapper ssh {name} -- ls -la {folder}",
        )
    return FailedError(
        f"git could not clone {repository.url} on the machine: its words are above.",
        hint=_hint(repository, credential),
    )


def refuse(world: World, url: str) -> None:
    """Where it could not be done, nothing is made either. FailedError, SettingsError."""
    _pass(world, git_access.parse(url), None)


def _pass(
    world: World, repository: Repository, known_hosts: Path | None
) -> tuple[list[str], Credential | None]:
    """The host's keys, or a credential for it."""
    if not repository.ssh:
        return [], git_access.credential(repository, world.environment)
    git_access.agent(world.environment)
    return git_access.known_hosts(repository, [known_hosts] if known_hosts else None), None


def _script(repository: Repository, *, progress: bool) -> str:
    values = {
        "folder": repository.folder,
        "url": repository.url,
        "branch": repository.branch or "",
        "origin": f"https://{repository.host}",
        "helper": _HELPER,
        "options": "--recurse-submodules " + ("--progress" if progress else "--quiet"),
    }
    said = "".join(f"{key}={shlex.quote(value)}\n" for key, value in values.items())
    script = _SCRIPT.replace("WORK", WORK)
    return said + script.replace("THERE", str(_THERE)).replace("NO_GIT", str(_NO_GIT))


def _input(credential: Credential | None, keys: list[str]) -> str:
    who = dataclasses.astuple(credential) if credential else ("", "")
    return "".join(f"{line}\n" for line in (*who, *keys))


def _hint(repository: Repository, credential: Credential | None) -> str:
    if repository.ssh:
        return f"May you? git ls-remote {repository.url}"
    if credential is None:
        return (
            f"git has no credential for {repository.host} here. Give it one, such as with gh auth "
            f"login, or go by SSH: python -m wrapper clone git@{repository.host}:..."
        )
    return f"May {credential.username or 'that user'}? git ls-remote {repository.url}"
