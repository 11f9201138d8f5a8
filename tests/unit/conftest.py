"""Real servers on this computer: a Jupyter with TLS, an EC2 API; and certificates for them."""

from __future__ import annotations

import importlib
import ipaddress
import json
import os
import secrets
import signal
import socket
import subprocess
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.ec2 import served
from tests.forked import Nursery
from tests.machine_tree import lay_out, tell_jupyter
from tests.unit.data_volume import rooms, volume  # noqa: F401 - fixtures
from wrapper.aws import Aws, Pace
from wrapper.password import hash_password

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
    from tests.forked import Child

ROOT = Path(__file__).parents[2]
PASSWORD = "lusab-babad-gutih-tugad"


@pytest.fixture(scope="module")
def machines_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """Imports a module of the machine's Jupyter extension, with settings of the test's own."""
    settings = tmp_path_factory.mktemp("jupyter") / "notebook.json"
    settings.write_text(json.dumps({"state": str(settings.parent)}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_CLOUDS_NOTEBOOK_JSON", str(settings))
        patch.syspath_prepend(str(lay_out(settings.parent) / "jupyter"))
        yield lambda name: importlib.import_module(f"jupyter_clouds.{name}")


@pytest.fixture
def heard_hangups() -> Iterator[None]:
    """Children hear a closed terminal, also where the tests themselves were started by nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@dataclass(frozen=True)
class Minted:
    """A self-signed certificate and its key, as PEM."""

    certificate: str
    private_key: str

    def write(self, folder: Path) -> tuple[Path, Path]:
        """The two files, in a folder that exists."""
        certificate, key = folder / "certificate.pem", folder / "key.pem"
        certificate.write_text(self.certificate)
        key.write_text(self.private_key)
        return certificate, key


@dataclass(frozen=True)
class LiveJupyter:
    """A running notebook server."""

    url: str
    host: str
    port: int
    password: str
    minted: Minted
    work: Path


def mint(
    *names: str,
    key: ec.EllipticCurvePrivateKey | None = None,
    days: tuple[int, int] = (-1, 30),
) -> Minted:
    """A fresh certificate for the names and addresses, valid from and until so many days on."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jupyter-clouds test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName([*map(_general_name, names)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Minted(
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveJupyter]:
    """A plain jupyter_server on the loopback, with TLS, a password and no token."""
    home = tmp_path_factory.mktemp("jupyter")
    work = home / "work"
    work.mkdir()
    minted = mint("127.0.0.1", "localhost")
    certificate, key = minted.write(home)
    port = free_port()
    config = home / "config.py"
    config.write_text(
        # Root, as which tests may run, reads every file: this one is refused to it as to others.
        "from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager\n"
        "class Manager(AsyncLargeFileManager):\n"
        "    async def get(self, path, *words, **more):\n"
        "        with self.perm_to_403():\n"
        "            if path.endswith('forbidden.txt'): raise PermissionError(13, 'denied', path)\n"
        "        return await super().get(path, *words, **more)\n"
        "c.ServerApp.contents_manager_class = Manager\n"
        f"c.ServerApp.certfile = {str(certificate)!r}\n"
        f"c.ServerApp.keyfile = {str(key)!r}\n"
        f"c.ServerApp.root_dir = {str(work)!r}\n"
        f"c.ServerApp.ip, c.ServerApp.port, c.ServerApp.port_retries = '127.0.0.1', {port}, 0\n"
        "c.ServerApp.open_browser, c.ServerApp.allow_root = False, True\n"
        "c.LanguageServerManager.autodetect = False\n"  # a second of Node's, for nobody here
        "c.IdentityProvider.token = ''\n"
        f"c.PasswordIdentityProvider.hashed_password = {hash_password(PASSWORD)!r}\n"
    )
    with serving(home, port, "-m", "jupyter_server", "--config", str(config)):
        yield LiveJupyter(f"https://127.0.0.1:{port}", "127.0.0.1", port, PASSWORD, minted, work)


@pytest.fixture
def machines_jupyter(tmp_path: Path) -> Iterator[LiveJupyter]:
    """JupyterLab as the machine runs it, its status and its state in folders of the test's own."""
    with as_on_a_machine(tmp_path) as live:
        yield live


@contextmanager
def as_on_a_machine(folder: Path) -> Iterator[LiveJupyter]:
    """JupyterLab as the machine runs it, its status and its state in the folder."""
    minted = mint("127.0.0.1")
    work, state = folder / "work", folder / "state"
    for one in (work, state, state / "tls"):
        one.mkdir()
    minted.write(state / "tls")
    port = free_port()
    settings = tell_jupyter(folder, port, PASSWORD, work=work, state=state)
    status = folder / "status.json"
    status.write_text('{"phases": {"conda": {"state": "done", "seconds": 12.3, "error": null}}}')
    config = lay_out(folder) / "jupyter/jupyter_server_config.py"
    with serving(
        folder,
        port,
        *("-m", "jupyterlab", "--config", str(config), "--allow-root"),
        JUPYTER_CLOUDS_NOTEBOOK_JSON=str(settings),
        JUPYTER_CLOUDS_STATUS_JSON=str(status),
    ):
        yield LiveJupyter(f"https://127.0.0.1:{port}", "127.0.0.1", port, PASSWORD, minted, work)


def without_grammar(folder: Path) -> dict[str, str]:
    """An environment in which a Python that begins with Jupyter begins in half of the time.

    Jsonschema would have a grammar of IRIs compiled, which takes 1.6 s and nobody here asks for:
    https://github.com/python-jsonschema/jsonschema/blob/v4.26.0/jsonschema/_format.py#L327
    """
    start = folder / "start"
    start.mkdir(exist_ok=True)
    (start / "sitecustomize.py").write_text("import sys; sys.modules['rfc3987_syntax'] = None\n")
    return {"PYTHONPATH": str(start)}


LIBRARIES = Nursery(
    *("IPython.display", "httpcore", "httpx", "jupyter_server.serverapp"),
    *("jupyterlab.commands", "jupyterlab.extensions", "nbclient", "terminado"),
)
"""All but what finds out of the environment where a user's settings are: jupyterlab.labapp."""


@contextmanager
def serving(home: Path, port: int, *arguments: str, **environment: str) -> Iterator[None]:
    """This Python runs a server that listens on the port; it ends with the block."""
    (without_node := home / "without-node").mkdir(exist_ok=True)
    node = without_node / "node"
    # JupyterLab asks Node for a setting of yarn, half a second each time; a machine has no Node.
    node.write_text("#!/bin/sh\nexit 1\n")
    node.chmod(0o755)
    environment = {
        "PATH": f"{without_node}:{os.environ['PATH']}",
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "none"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "PYTHONDONTWRITEBYTECODE": "1",
        **without_grammar(home),
        **environment,
    }
    log = home / "log"
    with log.open("wb") as output:
        server = LIBRARIES.begin(
            *arguments, environment=environment, folder=home, output=output.fileno()
        )
        try:
            _wait_for(port, server, log)
            yield
        finally:
            _end(server)


def _wait_for(port: int, server: Child, log: Path) -> None:
    until = time.monotonic() + 180
    while time.monotonic() < until and server.poll() is None:
        with closing(socket.socket()) as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"jupyter_server does not listen:\n{log.read_text()}")


def _end(server: Child) -> None:
    server.send(signal.SIGTERM)
    try:
        server.wait(15)
    except subprocess.TimeoutExpired:
        server.send(signal.SIGKILL)
        server.wait()


QUICK = Pace(first=0.05, growth=1.2, longest=0.3)


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """An account on the embedded EC2's API, with nothing behind its instances.

    For one file of tests: with what ends in it, each question takes longer; another takes 20 ms.
    """
    with served() as running:
        yield running


@pytest.fixture(scope="module")
def ec2(account: Account) -> EC2Client:
    """What somebody else, and Terraform, sees of it."""
    found: EC2Client = account.client()
    return found


@pytest.fixture(scope="module")
def aws(account: Account) -> Aws:
    """The adapter under test."""
    return Aws(environment=account.environment, pace=QUICK)


@pytest.fixture
def name() -> str:
    """A deployment of the test's own: the account is shared."""
    return f"test-{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def ec2_environment(account: Account) -> dict[str, str]:
    """What points an AWS client at it."""
    return account.environment
