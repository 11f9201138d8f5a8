"""A live notebook: one that the options point at, or a deployment on the embedded EC2.

    pytest tests/machine/test_notebook.py --notebook-url https://203.0.113.7:9999 \
        --notebook-fingerprint KEY_SHA256 --notebook-password-file FILE [--notebook-ssh USER@HOST]

The password may also stand in JUPYTER_CLOUDS_NOTEBOOK_PASSWORD; never on the command line, where
every user of the computer sees it. KEY_SHA256 is the console's: `python -m wrapper status --json`.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import pytest
import websocket

from wrapper.aws import Aws
from wrapper.errors import NoAnswerError
from wrapper.notebook import Notebook, Pin, pin

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD_VARIABLE = "JUPYTER_CLOUDS_NOTEBOOK_PASSWORD"
ROOT = Path(__file__).parents[2]
UP_SECONDS = 1200
"""From nothing to a verified notebook, on two slow cores and with no root file system cached."""


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


@dataclass(frozen=True)
class Live:
    """A notebook that answers, and what is needed to verify it."""

    url: str
    password: str
    key_sha256: str
    shell: Shell | None = None
    own: bool = False
    """Made for these tests: they may change it."""
    name: str = ""
    """Of an own one's deployment."""
    environment: dict[str, str] = field(default_factory=dict)
    """In which commands know of it."""
    bucket: str = ""
    """NAME/PREFIX in the embedded S3, which an own one's machine has."""

    @property
    def host(self) -> str:
        """The address in the URL."""
        return str(urlsplit(self.url).hostname)

    @property
    def port(self) -> int:
        """The port in the URL."""
        return urlsplit(self.url).port or 443

    @contextmanager
    def notebook(self, *, password: str | None = None) -> Iterator[Notebook]:
        """The notebook over a connection of its own, pinned, not logged in."""
        pinned = pin(self.host, self.port, key_sha256=self.key_sha256, environment=os.environ)
        with Notebook(
            self.url, pinned, password or self.password, environment=os.environ
        ) as notebook:
            yield notebook

    @contextmanager
    def logged_in(self) -> Iterator[Notebook]:
        """The notebook, logged in; waits while it lets nobody log in from here."""
        with self.notebook() as notebook:
            answering(notebook.login, within=180)
            yield notebook


def answering(call: Any, *, within: float) -> Any:
    """What the call returns, tried until it raises no NoAnswerError, for so many seconds."""
    until = time.monotonic() + within
    while True:
        try:
            return call()
        except NoAnswerError:
            if time.monotonic() > until:
                raise
            time.sleep(1)


def open_channels(
    live: Live,
    notebook: Notebook,
    kernel_id: str,
    *,
    origin: str,
    path: str = "api/kernels/{}/channels",
) -> websocket.WebSocket:
    """A kernel's websocket as a page of that origin opens it, with the user's cookies."""
    session = notebook._session
    cookies = "; ".join(f"{name}={value}" for name, value in session.cookies.items())
    sock = session.context.wrap_socket(
        socket.create_connection((live.host, live.port), 20), server_hostname=live.host
    )
    try:
        return websocket.create_connection(
            f"{live.url.rstrip('/').replace('https', 'wss', 1)}/{path.format(kernel_id)}",
            socket=sock,
            origin=origin,
            cookie=cookies,
            timeout=20,
        )
    except websocket.WebSocketException:
        sock.close()
        raise


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("notebook", "a live notebook to verify, instead of one made for it")
    group.addoption("--notebook-url", metavar="URL", help="https://address:9999")
    group.addoption("--notebook-fingerprint", metavar="HEX", help="SHA-256 of its key")
    group.addoption(
        "--notebook-password-file", metavar="FILE", help=f"or the variable {PASSWORD_VARIABLE}"
    )
    group.addoption("--notebook-ssh", metavar="USER@HOST", help="a user with sudo, by your SSH")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.machine)


def pytest_sessionfinish(session: pytest.Session) -> None:
    workers = session.config.getoption("numprocesses", default=None)
    if workers and not hasattr(session.config, "workerinput"):
        _stop_if_idle(dict(os.environ))


@pytest.fixture(scope="session")
def live(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    """A notebook that answers."""
    url = request.config.getoption("--notebook-url", default=None)
    if url:
        yield _given(url, request.config)
        return
    folder = tmp_path_factory.mktemp("live")
    with ExitStack() as stack:
        yield _deployed(folder, stack)


def _given(url: str, config: pytest.Config) -> Live:
    fingerprint = config.getoption("--notebook-fingerprint")
    file = config.getoption("--notebook-password-file")
    password = Path(file).read_text().splitlines()[0] if file else os.environ.get(PASSWORD_VARIABLE)
    if not fingerprint or not password:
        raise pytest.UsageError(
            "--notebook-url needs --notebook-fingerprint, and --notebook-password-file or "
            f"{PASSWORD_VARIABLE}"
        )
    admin, _, host = (config.getoption("--notebook-ssh") or "").rpartition("@")
    return Live(url, password, fingerprint, Shell(host, admin, ()) if host else None)


def wrapper(
    *arguments: str, environment: dict[str, str], seconds: float = 300
) -> subprocess.CompletedProcess[str]:
    """`python -m wrapper ...`, nobody at the keyboard."""
    return subprocess.run(
        [sys.executable, "-m", "wrapper", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        timeout=seconds,
    )


def document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The JSON that a command printed; the test fails when it did not succeed."""
    if done.returncode != 0:
        pytest.fail(f"{' '.join(done.args[1:])}: exit {done.returncode}\n{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _deployed(folder: Path, stack: ExitStack) -> Live:
    """A deployment of the tests' own, gone when the stack unwinds, whatever happens before."""
    environment = {**os.environ, "XDG_DATA_HOME": str(folder / "data")}
    name = f"checks-{secrets.token_hex(3)}"
    before = document(wrapper("local", "status", "--json", environment=environment))
    if not before["running"]:
        stack.callback(_stop_if_idle, environment)
    key = _ssh_key(folder)
    bucket = make_bucket(name, environment)
    stack.callback(wrapper, "down", name, "--local", "--yes", environment=environment)
    made = document(
        wrapper(
            *("up", name, "--local", "--yes", "--json", "--generate-password"),
            *("--ssh-public-key", f"{key}.pub", "--ssh-cidr", "198.18.0.0/15"),
            *("--bucket", f"{bucket}/of-the-machine"),
            environment=environment,
            seconds=UP_SECONDS,
        )
    )
    password = document(wrapper("password", name, "--json", environment=environment))["password"]
    shell = _shell(made, key, folder, environment)
    return Live(
        made["url"],
        password,
        made["key_sha256"],
        shell,
        own=True,
        name=name,
        environment=environment,
        bucket=f"{bucket}/of-the-machine",
    )


def client(service: Any, environment: dict[str, str]) -> Any:
    """Of a service of the embedded EC2's, as the account's owner."""
    found = document(wrapper("local", "status", "--json", environment=environment))["env"]
    return boto3.client(
        service,
        region_name=found["AWS_REGION"],
        endpoint_url=found["AWS_ENDPOINT_URL"],
        aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
    )


def s3_of(environment: dict[str, str]) -> Any:
    """The embedded S3, as its owner."""
    return client("s3", environment)


def make_bucket(name: str, environment: dict[str, str]) -> str:
    """A bucket in the embedded S3, which runs then; it goes with that."""
    started = wrapper("local", "start", environment=environment, seconds=UP_SECONDS)
    assert started.returncode == 0, started.stderr
    bucket = f"data-of-{name}"
    s3_of(environment).create_bucket(Bucket=bucket)
    return bucket


def _stop_if_idle(environment: dict[str, str]) -> None:
    """The embedded EC2 is stopped, unless somebody else has a machine on it by now.

    Side by side, somebody else may be about to have one: it is left for `pytest_sessionfinish`.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    now = document(wrapper("local", "status", "--json", environment=environment))
    if now["running"] and not now["machines"]:
        wrapper("local", "stop", environment=environment)


def _ssh_key(folder: Path) -> Path:
    key = folder / "id_ed25519"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True, timeout=30
    )
    return key


def _shell(made: dict[str, Any], key: Path, folder: Path, environment: dict[str, str]) -> Shell:
    """SSH that trusts the host keys which the machine showed on its console."""
    if shutil.which("ssh") is None:
        pytest.fail("ssh is missing: apt-get install openssh-client")
    embedded = document(wrapper("local", "status", "--json", environment=environment))
    aws = Aws(environment=embedded["env"], region=made["region"])
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


def _is_key(line: str) -> bool:
    with suppress(ValueError):
        return base64.b64decode(line.split()[1], validate=True)[4:11] in (
            b"ssh-ed2",
            b"ssh-rsa",
            b"ecdsa-s",
        )
    return False


@pytest.fixture(scope="session")
def pinned(live: Live) -> Pin:
    return pin(live.host, live.port, key_sha256=live.key_sha256)
