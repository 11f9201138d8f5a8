"""A data volume without a byte left: Jupyter still answers, runs cells, and says so."""

from __future__ import annotations

import os
import shutil
import ssl
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.machine_tree import lay_out, tell_jupyter
from tests.unit.conftest import PASSWORD, free_port, mint, serving
from tests.unit.data_volume import fill, run
from wrapper.certificate import fingerprints
from wrapper.deployment import look
from wrapper.errors import FailedError, NoAnswerError
from wrapper.home import Home, Place, Record
from wrapper.notebook import Notebook, Pin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.data_volume import Volume

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts, as root alone may"),
]


@pytest.fixture
def place(tmp_path: Path, volume: Volume) -> Iterator[Path]:
    """Where the volume is mounted."""
    run("mkfs.ext4", "-qm0", volume.device)
    found = tmp_path / "place"
    found.mkdir()
    run("mount", volume.device, found)
    yield found
    run("umount", found)


@contextmanager
def logged_in(folder: Path, place: Path) -> Iterator[Notebook]:
    """JupyterLab as the machine runs it, with home, work and state on the volume."""
    state, work = place / "state", place / "home/work"
    tls = state / "tls"
    if not tls.exists():
        tls.mkdir(parents=True)
        work.mkdir(parents=True)
        mint("127.0.0.1").write(tls)
    pem = (tls / "certificate.pem").read_text()
    port = free_port()
    settings = tell_jupyter(folder, port, PASSWORD, work=work, state=state)
    config = lay_out(folder) / "jupyter/jupyter_server_config.py"
    found = fingerprints(ssl.PEM_cert_to_DER_cert(pem))
    with (
        serving(
            folder,
            port,
            *("-m", "jupyterlab", "--config", str(config), "--allow-root"),
            HOME=str(place / "home"),
            JUPYTER_CLOUDS_NOTEBOOK_JSON=str(settings),
        ),
        Notebook(
            f"https://127.0.0.1:{port}",
            Pin(pem, found.certificate_sha256, found.key_sha256),
            PASSWORD,
        ) as notebook,
    ):
        notebook.login()
        yield notebook


class Again:
    """That notebook, which lets in whoever is logged in."""

    def __init__(self, live: Notebook) -> None:
        self.clouds_status = live.clouds_status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """It stays open."""

    def login(self) -> None:
        """Done before."""


def check_of(folder: Path, live: Notebook) -> tuple[str, bool]:
    """What `check` says of the disk, by way of a notebook that answers; it failed."""
    told: list[Any] = []
    world: Any = SimpleNamespace(speak=lambda *_, **__: Again(live), report=told.append)
    home = Home(folder / "deployment")
    home.create()
    home.write_password(PASSWORD)
    outputs = {"data_volume_id": "vol-0123456789abcdef0"}
    record = Record(name="gpu", place=Place("local", "us-east-1", ""), outputs=outputs)
    unused: Any = None
    with pytest.raises(FailedError, match="can save nothing") as raised:
        look._check_disk(world, home, record, unused, unused)
    assert raised.value.hint == "python -m wrapper up gpu --data-size 10"
    ((name, detail, ok),) = [(one.name, one.detail, one.ok) for one in told]
    assert name == "disk"
    return detail, ok


def test_jupyter_lets_in_and_runs_cells_and_tells_that_the_disk_is_full(
    tmp_path: Path, place: Path
) -> None:
    with logged_in(tmp_path, place) as notebook:
        assert notebook.run_cell("print(1)") == "1\n"
    kept = place / "home/work/kept.txt"
    kept.write_text("what there was")
    fill(place)
    with logged_in(tmp_path, place) as notebook:
        assert notebook.run_cell("print(2)") == "2\n"
        told = notebook.clouds_status()
        total = shutil.disk_usage(place).total
        assert (told.disk_free, told.disk_total) == (0, total)
        words = f"FULL: 100 % of {total >> 20} MiB used, 0 MiB free"
        assert check_of(tmp_path, notebook) == (words, False)
        new = {"type": "file", "format": "text", "content": "x" * 2**20}
        with pytest.raises(NoAnswerError):
            notebook.call("PUT", "/api/contents/kept.txt", new)
    assert kept.read_text() == "what there was"
