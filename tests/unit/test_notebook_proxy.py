"""The notebook behind a proxy, which sees nothing."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.unit.carrier_doors import Browser, Door, upstream
from wrapper.certificate import fingerprints
from wrapper.errors import NoAnswerError
from wrapper.notebook import Notebook, pin, proxy
from wrapper.notebook.pinning import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.conftest import LiveJupyter


class Tunnels:
    """A proxy that passes CONNECT on, and remembers its requests."""

    def __init__(self, refusal: bytes | None = None) -> None:
        self.refusal = refusal
        self.asked: list[str] = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                sock, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self.tunnel, args=(sock,), daemon=True).start()

    def tunnel(self, sock: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += sock.recv(65536)
        self.asked.append(request.decode())
        if self.refusal:
            sock.sendall(self.refusal)
            sock.close()
            return
        host, _, port = request.split()[1].decode().rpartition(":")
        behind = socket.create_connection((host, int(port)), TIMEOUT)
        sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=pump, args=(sock, behind), daemon=True).start()
        pump(behind, sock)


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        sink.close()


@contextmanager
def tunnels(refusal: bytes | None = None) -> Iterator[Tunnels]:
    running = Tunnels(refusal)
    try:
        yield running
    finally:
        running.listening.shutdown(socket.SHUT_RDWR)
        running.listening.close()


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    """This computer's own addresses count as somewhere else, so that a proxy is asked."""
    monkeypatch.setattr(proxy, "_NEVER", ())


@pytest.mark.usefixtures("far")
def test_everything_goes_through_the_proxy_and_is_verified_behind_it(jupyter: LiveJupyter) -> None:
    key = fingerprints(ssl.PEM_cert_to_DER_cert(jupyter.minted.certificate)).key_sha256
    with tunnels() as running:
        environment = {"HTTPS_PROXY": f"http://me:w%40rd@127.0.0.1:{running.port}"}
        pinned = pin(jupyter.host, jupyter.port, key_sha256=key, environment=environment)
        with Notebook(jupyter.url, pinned, jupyter.password, environment=environment) as notebook:
            notebook.login()
            assert notebook.run_cell("print(1)") == "1\n"
    login = base64.b64encode(b"me:w@rd").decode()
    assert len(running.asked) >= 4
    for asked in running.asked:
        assert asked.startswith(f"CONNECT 127.0.0.1:{jupyter.port} ")
        assert f"Proxy-Authorization: Basic {login}" in asked


@pytest.mark.usefixtures("far")
def test_a_proxy_that_refuses_is_named_without_its_password(jupyter: LiveJupyter) -> None:
    with tunnels(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as running:
        environment = {"HTTPS_PROXY": f"http://me:s3cret@127.0.0.1:{running.port}"}
        with pytest.raises(NoAnswerError, match="407") as raised:
            pin(jupyter.host, jupyter.port, key_sha256="0" * 64, environment=environment)
    assert f"through the proxy http://127.0.0.1:{running.port}" in raised.value.message
    assert "s3cret" not in raised.value.message


@pytest.mark.usefixtures("far")
def test_a_proxy_of_an_unknown_kind_is_refused(jupyter: LiveJupyter) -> None:
    environment = {"ALL_PROXY": "socks5://127.0.0.1:1080"}
    with pytest.raises(NoAnswerError, match="no known kind"):
        pin(jupyter.host, jupyter.port, key_sha256="0" * 64, environment=environment)


PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("host", "environment", "chosen"),
    [
        pytest.param("203.0.113.7", {}, None, id="none"),
        pytest.param("203.0.113.7", {"HTTPS_PROXY": PROXY}, PROXY, id="capitals"),
        pytest.param("203.0.113.7", {"https_proxy": PROXY}, PROXY, id="small letters"),
        pytest.param("203.0.113.7", {"ALL_PROXY": PROXY}, PROXY, id="for everything"),
        pytest.param("203.0.113.7", {"HTTP_PROXY": PROXY}, None, id="for plain http only"),
        pytest.param(
            "203.0.113.7", {"HTTPS_PROXY": "proxy.example:3128"}, PROXY, id="without a scheme"
        ),
        pytest.param(
            "203.0.113.7", {"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}, None, id="exempt: all"
        ),
        pytest.param(
            "203.0.113.7",
            {"HTTPS_PROXY": PROXY, "no_proxy": "203.0.113.0/24"},
            None,
            id="exempt: network",
        ),
        pytest.param(
            "a.example.org",
            {"HTTPS_PROXY": PROXY, "NO_PROXY": "localhost,.example.org"},
            None,
            id="exempt: domain",
        ),
        pytest.param(
            "a.example.com",
            {"HTTPS_PROXY": PROXY, "NO_PROXY": ".example.org"},
            PROXY,
            id="not exempt",
        ),
        pytest.param("198.18.0.10", {"HTTPS_PROXY": PROXY}, None, id="the embedded EC2"),
        pytest.param("127.0.0.1", {"HTTPS_PROXY": PROXY}, None, id="the loopback"),
        pytest.param("localhost", {"HTTPS_PROXY": PROXY}, None, id="the loopback's name"),
        pytest.param("2001:db8::7", {"HTTPS_PROXY": PROXY}, PROXY, id="IPv6"),
    ],
)
def test_the_environments_proxy_is_chosen(
    host: str, environment: dict[str, str], chosen: str | None
) -> None:
    assert proxy.proxy_for(host, environment) == chosen


@pytest.mark.parametrize(
    ("refusal", "status"),
    [(None, 200), (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", 503)],
    ids=["open", "refused"],
)
def test_the_local_door_leads_through_it_too(
    jupyter: LiveJupyter, refusal: bytes | None, status: int
) -> None:
    with tunnels(refusal) as running:
        there = replace(upstream(jupyter), proxy=f"http://me:w%40rd@127.0.0.1:{running.port}")
        door = Door(there, lambda: there)
        try:
            browser = Browser(door)
            browser.enter()
            assert browser.ask("GET", "/api/status").status == status
        finally:
            door.close()
    login = base64.b64encode(b"me:w@rd").decode()
    assert running.asked[0].startswith(f"CONNECT 127.0.0.1:{jupyter.port} HTTP/1.1\r\n")
    assert f"Proxy-Authorization: Basic {login}\r\n" in running.asked[0]
