"""The package cache against a real index over HTTP, with the replies that indexes really give."""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest
import requests

from wrapper.local.conda import installer
from wrapper.local.conda.index import AbsentError, Index
from wrapper.local.conda.mirror import Mirror

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHEEL = "demo-1.0-py3-none-any.whl"


@cache
def wheel() -> bytes:
    """Made once: it holds the time of its making."""
    packed = io.BytesIO()
    with ZipFile(packed, "w") as archive:
        archive.writestr("demo/__init__.py", "")
        archive.writestr("demo-1.0.dist-info/METADATA", "Name: demo\nVersion: 1.0\n")
    return packed.getvalue()


@dataclass
class Upstream:
    """An index that can be told to fail, and counts what it is asked."""

    url: str
    pages: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    down: bool = False


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            here.asked.append(self.path)
            here.headers.update(self.headers.items())
            kind, body = here.pages.get(self.path, ("text/plain", b""))
            self.send_response(503 if here.down else 200 if body else 404)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        here = Upstream(f"http://127.0.0.1:{server.server_port}/simple")
        digest = hashlib.sha256(wheel()).hexdigest()
        page = {
            "meta": {"api-version": "1.1"},
            "name": "demo",
            "files": [{"filename": WHEEL, "url": f"../../f/{WHEEL}", "hashes": {"sha256": digest}}],
        }
        html = f'<a href="/f/{WHEEL}#sha256={digest}" data-requires-python="&gt;=3.8">x</a>'
        here.pages = {
            "/simple/demo/": ("application/vnd.pypi.simple.v1+json", json.dumps(page).encode()),
            "/simple/old/": ("text/html", html.encode()),
            f"/f/{WHEEL}": ("application/octet-stream", wheel()),
        }
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield here
        server.shutdown()


@pytest.mark.parametrize("project", ["demo", "old"], ids=["pep-691-json", "pep-503-html"])
def test_a_file_is_fetched_once_and_kept(upstream: Upstream, tmp_path: Path, project: str) -> None:
    index = Index(upstream.url, tmp_path)
    for _ in range(2):
        assert index.file(project, WHEEL).read_bytes() == wheel()
    assert upstream.asked == [f"/simple/{project}/", f"/f/{WHEEL}"]


def test_html_keeps_what_the_resolver_needs(upstream: Upstream, tmp_path: Path) -> None:
    (file,) = Index(upstream.url, tmp_path).page("old")["files"]
    assert file["requires-python"] == ">=3.8"
    assert file["hashes"] == {"sha256": hashlib.sha256(wheel()).hexdigest()}


def test_what_no_machine_here_could_install_is_left_out(upstream: Upstream, tmp_path: Path) -> None:
    ours = [
        "demo-1.0-cp311-cp311-manylinux_2_17_{}.manylinux2014_{}.whl",
        "demo-1.0-cp311-cp311-linux_{}.whl",
        "demo-1.0-py3-none-any.whl",
        "demo-1.0.tar.gz",
    ]
    others = ["macosx_11_0_arm64", "musllinux_1_2_{}", "manylinux2014_s390x", "win_amd64"]
    listed = [*ours, *(f"demo-1.0-cp311-cp311-{one}.whl" for one in others)]
    machine = os.uname().machine
    files = [
        {"filename": one.format(machine, machine), "url": "x", "hashes": {}, "size": 7}
        for one in listed
    ]
    page = {"meta": {"api-version": "1.1"}, "name": "demo", "files": files}
    kind = "application/vnd.pypi.simple.v1+json"
    upstream.pages["/simple/demo/"] = (kind, json.dumps(page).encode())
    found = Index(upstream.url, tmp_path).page("demo")["files"]
    assert [one["filename"] for one in found] == [one.format(machine, machine) for one in ours]
    assert {key for one in found for key in one} == {"filename", "url", "hashes"}


def test_metadata_is_given_though_upstream_has_none(upstream: Upstream, tmp_path: Path) -> None:
    assert b"Version: 1.0" in Index(upstream.url, tmp_path).metadata("demo", WHEEL)


def test_a_file_with_another_hash_is_refused_and_not_kept(
    upstream: Upstream, tmp_path: Path
) -> None:
    upstream.pages[f"/f/{WHEEL}"] = ("application/octet-stream", b"something else")
    with pytest.raises(AbsentError, match="not the file that the index tells of"):
        Index(upstream.url, tmp_path).file("demo", WHEEL)
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["page.json"]


def test_an_old_page_is_used_while_upstream_is_down(upstream: Upstream, tmp_path: Path) -> None:
    index = Index(upstream.url, tmp_path)
    before = index.page("demo")
    kept = tmp_path / "demo/page.json"
    week = time.time() - 7 * 86400
    os.utime(kept, (week, week))
    upstream.down = True
    assert index.page("demo") == before


@pytest.mark.parametrize("name", ["nothing-there", "../demo", "Demo"])
def test_what_upstream_lacks_is_absent(upstream: Upstream, tmp_path: Path, name: str) -> None:
    with pytest.raises(AbsentError):
        Index(upstream.url, tmp_path).page(name)


def test_credentials_of_the_index_go_into_a_header(upstream: Upstream, tmp_path: Path) -> None:
    Index(upstream.url.replace("http://", "http://user:secret@"), tmp_path).page("demo")
    assert upstream.headers["Authorization"] == "Basic dXNlcjpzZWNyZXQ="


def test_the_mirror_serves_packages_under_its_own_address(
    upstream: Upstream, tmp_path: Path
) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{listening.getsockname()[1]}"
    script = installer.build(base)
    mirror = Mirror(listening, Index(upstream.url, tmp_path), script)
    threading.Thread(target=mirror.serve_forever, args=(0.02,), daemon=True).start()
    try:
        (file,) = requests.get(f"{base}/simple/demo/", timeout=5).json()["files"]
        assert requests.get(base + file["url"], timeout=5).content == wheel()
        assert "Name: demo" in requests.get(f"{base}{file['url']}.metadata", timeout=5).text
        served = requests.get(f"{base}/{installer.NAME}", timeout=5).content
        assert installer.checksum(served) == installer.checksum(installer.build(base))
    finally:
        mirror.shutdown()
        mirror.server_close()
