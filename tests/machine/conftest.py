"""A live notebook: one that the options point at, or a deployment on the embedded EC2.

    pytest tests/machine/test_notebook.py --notebook-url https://203.0.113.7:9999 \
        --notebook-fingerprint KEY_SHA256 --notebook-password-file FILE [--notebook-ssh USER@HOST]

The password may also stand in JUPYTER_CLOUDS_NOTEBOOK_PASSWORD; never on the command line, where
every user of the computer sees it. KEY_SHA256 is the console's: `python -m wrapper status --json`.
"""

from __future__ import annotations

import os
import secrets
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.machine.certified import certified
from tests.machine.live import Live
from tests.machine.shells import Shell, shell_to, ssh_key
from tests.machine.typed import UP_SECONDS, document, make_bucket, stop_if_idle, wrapper
from wrapper import local
from wrapper.notebook import Pin, pin

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["certified"]  # a fixture, for pytest to find here

PASSWORD_VARIABLE = "JUPYTER_CLOUDS_NOTEBOOK_PASSWORD"


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
        stop_if_idle(dict(os.environ))


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


def _deployed(folder: Path, stack: ExitStack) -> Live:
    """A deployment of the tests' own, gone when the stack unwinds, whatever happens before."""
    environment = {**os.environ, "XDG_DATA_HOME": str(folder / "data")}
    name = f"checks-{secrets.token_hex(3)}"
    if not local.status().running:
        stack.callback(stop_if_idle, environment)
    key = ssh_key(folder)
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
    shell = shell_to(made, key, folder)
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


@pytest.fixture(scope="session")
def pinned(live: Live) -> Pin:
    return pin(live.host, live.port, key_sha256=live.key_sha256)
