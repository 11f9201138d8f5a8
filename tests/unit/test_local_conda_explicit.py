"""The stand-in reads an explicit file: of each of conda's files PyPI's of the same version."""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from wrapper.local.conda.index import Index
from wrapper.local.conda.mirror import Mirror
from wrapper.local.conda.standin import explicit, packages
from wrapper.local.conda.standin.specs import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHANNEL = "https://conda.anaconda.org/conda-forge/linux-64"


@pytest.fixture(autouse=True)
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An index that has Demo-Two, of two versions, and nothing else."""
    names = ["Demo_Two-1.0-py3-none-any.whl", "Demo_Two-1.1.tar.gz"]
    files = [{"filename": one, "url": f"http://h/{one}", "hashes": {}} for one in names]
    for project in ("demo-two", "torch"):
        (tmp_path / project).mkdir()
        page = {"meta": {"api-version": "1.0"}, "name": project, "files": files}
        (tmp_path / project / "page.json").write_text(json.dumps(page))
    listening = socket.create_server(("127.0.0.1", 0))
    found = Mirror(listening, Index("http://127.0.0.1:9/simple", tmp_path), b"")
    threading.Thread(target=found.serve_forever, args=(0.02,), daemon=True).start()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/simple"
    monkeypatch.setattr(packages, "index", lambda: url)
    yield
    found.shutdown()
    found.server_close()


def test_what_pypi_has_is_asked_for_by_its_version_and_the_rest_is_told(
    capfd: pytest.CaptureFixture[str],
) -> None:
    files = [
        "python-3.12.7-h1_0_cpython.conda",
        "demo_two-1.0-py312h1_0.conda",
        "demo-two-1.1-h2_0.tar.bz2",
        "demo-two-9.9-h2_0.conda",
        "pytorch-1.0-cpu_0.conda",
        "libzlib-1.3.1-hb9d3cd8_2.conda",
        "openssl-3.4.0-hb9d3cd8_0.conda",
    ]
    found = explicit.requirements([f"{CHANNEL}/{one}" for one in files])
    assert found == ["demo_two==1.0", "demo-two==1.1", "torch==1.0"]
    said = capfd.readouterr()
    assert "no hash" in said.out
    assert "left out: demo-two 9.9, libzlib 1.3.1" in said.err


def test_a_line_that_is_no_file_of_condas_is_refused() -> None:
    assert explicit.addresses([explicit.MARK, "", f"{CHANNEL}/a-1-0.conda"]) == [
        f"{CHANNEL}/a-1-0.conda"
    ]
    with pytest.raises(SpecError, match="Could not parse explicit URL: numpy"):
        explicit.addresses([explicit.MARK, "numpy"])
