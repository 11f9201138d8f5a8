"""Packages come compiled, as conda's do: by the embedded EC2, once; else by the machine itself."""

from __future__ import annotations

import io
import socket
import subprocess
import sys
import tarfile
import threading
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest
import requests

from wrapper.local.conda.compiled import PYTHON
from wrapper.local.conda.index import Index
from wrapper.local.conda.mirror import Mirror
from wrapper.local.conda.standin import modules

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = {
    "demo/__init__.py": "from .inner import VALUE\n",
    "demo/inner.py": "VALUE = 1\n",
    "demo/template.py": "{{ no_python }} =\n",
    "demo/tests/test_demo.py": "assert True\n",
    "demo-1.0.data/scripts/tool.py": "print(1)\n",
    "demo-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: Demo\nVersion: 1.0\n",
}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A package cache that has the wheel."""
    folder = tmp_path / "cache/demo"
    folder.mkdir(parents=True)
    with ZipFile(folder / "demo-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in FILES.items():
            wheel.writestr(name, text)
    return folder.parent


@pytest.fixture
def url(cache: Path) -> Iterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))
    mirror = Mirror(listening, Index("http://127.0.0.1:9/simple", cache), b"")
    threading.Thread(target=mirror.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    mirror.shutdown()
    mirror.server_close()


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An environment in which the package was installed, uncompiled."""
    prefix = tmp_path / "prefix"
    site = prefix / f"lib/python3.{sys.version_info.minor}/site-packages"
    for name, text in FILES.items():
        if ".data" not in name:
            (site / name).parent.mkdir(parents=True, exist_ok=True)
            (site / name).write_text(text)
    names = [name for name in FILES if ".data" not in name]
    record = "".join(f"{name},sha256=0,1\n" for name in names) + "../../../bin/tool.py,,\n"
    (site / "demo-1.0.dist-info/RECORD").write_text(record)
    (prefix / "bin").mkdir()
    (prefix / "bin/python").symlink_to(sys.executable)
    return prefix


def compiled(prefix: Path) -> set[str]:
    """The modules beside which a compiled one lies."""
    return {path.name.split(".")[0] for path in prefix.rglob("*.pyc")}


def imported(prefix: Path) -> str:
    """What a new Python of the machine finds in the package."""
    site = next(prefix.glob("lib/*/site-packages"))
    code = f"import sys; sys.path.insert(0, {str(site)!r}); import demo; print(demo.VALUE)"
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_archive_has_every_module_but_the_tests(url: str) -> None:
    for _ in range(2):
        reply = requests.get(f"{url}/compiled/{PYTHON}/demo/1.0", timeout=60)
        with tarfile.open(fileobj=io.BytesIO(reply.content)) as packed:
            tag = sys.implementation.cache_tag
            assert packed.getnames() == [
                f"demo/__pycache__/__init__.{tag}.pyc",
                f"demo/__pycache__/inner.{tag}.pyc",
            ]


def test_a_package_that_the_index_compiled_is_not_compiled_again(
    url: str, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(modules, "_compile")

    modules.bring(prefix, url)

    assert compiled(prefix) == {"__init__", "inner"}
    assert imported(prefix) == "1"


def test_a_module_that_somebody_edits_counts_at_once(url: str, prefix: Path) -> None:
    modules.bring(prefix, url)

    # As long as before: a date and a length would not tell the two apart within a second.
    next(prefix.glob("lib/*/site-packages/demo/inner.py")).write_text("VALUE = 2\n")

    assert imported(prefix) == "2"


@pytest.mark.parametrize(
    ("python", "version", "project"),
    [
        pytest.param("00000000", "1.0", "demo", id="another-python"),
        pytest.param(PYTHON, "1.1", "demo", id="another-version"),
        pytest.param(PYTHON, "1.0", "other", id="no-such-package"),
        pytest.param(PYTHON, "1.0", "..", id="no-name"),
    ],
)
def test_what_cannot_be_given_is_not_found(
    url: str, python: str, version: str, project: str
) -> None:
    asked = requests.Request("GET", f"{url}/compiled/{python}/{project}/{version}").prepare()
    asked.url = f"{url}/compiled/{python}/{project}/{version}"
    with requests.Session() as session:
        assert session.send(asked, timeout=60).status_code == requests.codes.not_found


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(b"no wheel", id="no-wheel"),
        pytest.param(None, id="not-kept"),
    ],
)
def test_a_machine_compiles_what_the_index_has_not(
    cache: Path, url: str, prefix: Path, broken: bytes | None
) -> None:
    wheel = cache / "demo/demo-1.0-py3-none-any.whl"
    if broken is None:
        wheel.unlink()
    else:
        wheel.write_bytes(broken)

    modules.bring(prefix, url)

    assert compiled(prefix) == {"__init__", "inner"}
    assert imported(prefix) == "1"


def test_a_machine_without_its_index_compiles_all(prefix: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"

    modules.bring(prefix, url)

    assert compiled(prefix) == {"__init__", "inner"}


def test_what_is_compiled_is_left_alone(url: str, prefix: Path) -> None:
    modules.bring(prefix, url)
    inner = next(prefix.rglob("inner.*.pyc"))
    inner.unlink()

    modules.bring(prefix, url)

    assert not inner.exists()
