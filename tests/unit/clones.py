"""A server of repositories behind TLS and a password, and a machine that clones from it."""

from __future__ import annotations

import base64
import dataclasses
import functools
import http.server
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.unit.conftest import mint
from tests.unit.worlds import StandIn, bare_world
from wrapper import deployment
from wrapper.deployment import ssh as deployments_ssh

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ec2 import Account
    from wrapper.deployment.cloning import Cloned
    from wrapper.deployment.world import World

SECRET = "ghp_of-a-test"

# As sshd: a shell reads the words in the user's home directory, with none of this side's
# configuration. As git's own ssh: the server's program, in a folder that is all of the server.
SSH = """#!{python}
import json, os, sys
words = sys.argv[1:]
with open({log!r}, "a") as log:
    log.write(json.dumps(words) + "\\n")
os.environ["HOME"] = {home!r}
os.environ.pop("GIT_CONFIG_GLOBAL", None)
if "clouds-moon" in words:
    words = words[words.index("clouds-moon") + 2 :]
    os.chdir({home!r})
    os.execv("/bin/sh", ["sh", "-c", " ".join(words)])
os.chdir({origin!r})
os.execv("/bin/sh", ["sh", "-c", words[-1]])
"""


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    return subprocess.check_output(["git", *who, *words], cwd=folder, text=True)


class Server(http.server.ThreadingHTTPServer):
    """Files, which is enough for git, for who shows the password."""

    def __init__(self, folder: Path, shown: list[str]) -> None:
        self.shown = shown
        """By whoever asked, to be let in."""
        super().__init__(("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder)))


class _Handler(http.server.SimpleHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        shown = self.headers.get("Authorization")
        if shown is not None:
            self.server.shown.append(shown)
        wanted = base64.b64encode(f"me:{SECRET}".encode()).decode()
        if shown != f"Basic {wanted}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            super().do_GET()


@dataclass
class Origin:
    """A server of repositories."""

    folder: Path
    certificate: Path
    url: str = ""
    shown: list[str] = field(default_factory=list)
    """What it was shown to be let in."""

    def repository(self, name: str) -> Path:
        """Its clone, to commit in; `publish` makes it seen."""
        git(self.folder, "init", "--quiet", "--initial-branch=main", name)
        return self.folder / name

    def publish(self, name: str, branch: str = "main") -> None:
        clone = self.folder / name
        git(clone, "checkout", "--quiet", "-B", branch)
        git(clone, "add", ".")
        git(clone, "commit", "--quiet", "--message", branch)
        git(self.folder, "clone", "--quiet", "--bare", name, f"{name}.git")
        git(self.folder / f"{name}.git", "update-server-info")


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[Origin]:
    folder, trusted = tmp_path / "origin", tmp_path / "trusted"
    for one in (folder, trusted):
        one.mkdir()
    minted = mint("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*minted.write(trusted))
    (trusted / "ca.pem").write_text(minted.certificate)
    made = Origin(folder, trusted / "ca.pem")
    with Server(folder, made.shown) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        made.url = f"https://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        (made.repository("code") / "words").write_text("main")
        git(folder / "code", "checkout", "--quiet", "-b", "next")
        made.publish("code", "next")
        (folder / "code/words").write_text("of main")
        shutil.rmtree(folder / "code.git")
        made.publish("code")
        yield made
        server.shutdown()


@dataclass
class Machine:
    """Its user's home directory, and the way there."""

    home: Path
    world: World
    log: Path

    @property
    def work(self) -> Path:
        return self.home / "work"

    def clone(self, url: str, known: Path | None = None, *, again: bool = False) -> Cloned:
        wish = deployment.CloneWish(known_hosts=known, again=again)
        return deployment.clone(self.world, "moon", url, wish)

    def connections(self) -> list[list[str]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def machine(
    tmp_path: Path, account: Account, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> Machine:
    home, tools, folder = tmp_path / "far away", tmp_path / "tools", tmp_path / "data/moon/ssh"
    for one in (home / "work", tools, folder):
        one.mkdir(parents=True)
    log = tmp_path / "connections"
    names = {"home": str(home), "log": str(log), "origin": str(origin.folder)}
    (tools / "ssh").write_text(SSH.format(python=sys.executable, **names))
    (tools / "ssh").chmod(0o755)
    helper = f"!f() {{ echo username=me; echo password={SECRET}; }}; f"
    (tmp_path / "gitconfig").write_text(
        f'[credential "{origin.url}"]\n\thelper = {json.dumps(helper)}\n'
    )
    (home / ".gitconfig").write_text("[credential]\n\thelper = store\n")
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setattr(deployments_ssh, "connect", lambda *_: folder)
    world = bare_world(tmp_path, account, StandIn(), [])
    environment = {
        **os.environ,
        **world.environment,
        "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_SSL_CAINFO": str(origin.certificate),
    }
    return Machine(home, dataclasses.replace(world, environment=environment), log)
