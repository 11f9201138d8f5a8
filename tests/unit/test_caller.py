"""This computer's public address, as services tell it."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
import trustme

from tests.unit.conftest import free_port, mint
from tests.unit.tls_servers import showing, tls_server
from wrapper import caller, clock
from wrapper.errors import AddressError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AUTHORITY = trustme.CA()


@contextmanager
def service(
    body: bytes = b"", *, status: int = 200, location: str | None = None, name: str = "localhost"
) -> Iterator[str]:
    """A service over TLS that gives everybody the same answer."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(name).configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def ask(*services: str, timeout: float = 5) -> IPv4Address:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return caller.public_address(services=services, timeout=timeout, context=context)


def test_the_address_is_what_the_service_says() -> None:
    with service(b"93.184.216.34\n") as url:
        assert ask(url) == IPv4Address("93.184.216.34")


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        pytest.param(b"10.1.2.3", 200, "no public address", id="private"),
        pytest.param(b"127.0.0.1", 200, "no public address", id="loopback"),
        pytest.param(b"100.64.0.1", 200, "no public address", id="carrier-grade NAT"),
        pytest.param(b"0.0.0.0", 200, "no public address", id="everybody"),
        pytest.param(b"2606:2800:220:1::1", 200, "IPv6", id="IPv6"),
        pytest.param(b"0.0.0.0/0", 200, "something else", id="a network"),
        pytest.param(b"<html>Log in to the hotel", 200, "something else", id="a page"),
        pytest.param(b"", 200, "something else", id="nothing"),
        pytest.param(b"\xff\xfe", 200, "something else", id="bytes"),
        pytest.param(b"93.184.216.34" * 9999, 200, "something else", id="endless"),
        pytest.param(b"93.184.216.34", 503, "answered 503", id="out of order"),
    ],
)
def test_any_other_answer_is_refused_and_the_flag_named(
    body: bytes, status: int, reason: str
) -> None:
    with service(body, status=status) as url, pytest.raises(AddressError, match=reason) as raised:
        ask(url)
    assert "--allow" in str(raised.value.hint)


def test_the_next_service_is_asked_when_the_first_does_not_tell() -> None:
    gone = f"https://localhost:{free_port()}/"
    with service(b"10.1.2.3") as lying, service(b"93.184.216.34") as good:
        assert ask(gone, lying, good) == IPv4Address("93.184.216.34")


def test_a_redirect_is_not_followed() -> None:
    with (
        service(b"93.184.216.34") as good,
        service(status=302, location=good) as url,
        pytest.raises(AddressError, match="answered 302"),
    ):
        ask(url)


def test_a_certificate_of_another_name_is_refused() -> None:
    with (
        service(b"93.184.216.34", name="elsewhere.example") as url,
        pytest.raises(AddressError, match="not trusted"),
    ):
        ask(url)


def test_an_authority_that_nobody_trusts_is_refused() -> None:
    with service(b"93.184.216.34") as url, pytest.raises(AddressError, match="not trusted"):
        caller.public_address(services=[url])


def test_a_clock_that_is_wrong_by_a_year_is_named(tmp_path: Path) -> None:
    minted = mint("localhost", days=(-400, -335))
    trusted = ssl.create_default_context(cadata=minted.certificate)
    with tls_server(showing(minted, tmp_path)) as server:
        url = f"https://localhost:{server.port}/"
        with pytest.raises(AddressError, match="has expired") as raised:
            caller.public_address(services=[url], context=trusted)
    assert clock.command() in str(raised.value.hint)


def test_a_service_without_tls_is_not_asked() -> None:
    with pytest.raises(AddressError, match="not https"):
        ask(f"http://localhost:{free_port()}/")


def test_a_silent_service_is_given_up() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"https://localhost:{silent.getsockname()[1]}/"
        with pytest.raises(AddressError, match="does not answer in time"):
            ask(url, timeout=0.3)


def test_the_services_are_asked_over_tls() -> None:
    assert len(caller.SERVICES) > 1
    assert all(service.startswith("https://") for service in caller.SERVICES)
