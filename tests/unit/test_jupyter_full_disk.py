"""A data volume without a byte left: Jupyter still answers, runs cells, and says so."""

from __future__ import annotations

import json
import os
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.machine_tree import lay_out
from tests.unit.conftest import PASSWORD, free_port, mint, serving
from tests.unit.data_volume import fill, run
from wrapper.certificate import fingerprints
from wrapper.errors import NoAnswerError
from wrapper.notebook import Notebook, Pin
from wrapper.password import hash_password

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
    given = {"password_hash": hash_password(PASSWORD), "work": str(work), "state": str(state)}
    port = free_port()
    settings = folder / "notebook.json"
    settings.write_text(json.dumps({"port": port, **given}))
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
        assert notebook.clouds_status().raw["disk_free"] == 0
        new = {"type": "file", "format": "text", "content": "x" * 2**20}
        with pytest.raises(NoAnswerError):
            notebook.call("PUT", "/api/contents/kept.txt", new)
    assert kept.read_text() == "what there was"
