"""Whose key it is that answers, before anything is said to it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec

from tests.unit.conftest import free_port, mint
from tests.unit.tls_servers import showing, tls_server
from wrapper import clock
from wrapper.carrier import Upstream
from wrapper.carrier.dialing import dial
from wrapper.certificate import fingerprints
from wrapper.errors import FingerprintError, NoAnswerError
from wrapper.notebook import pin
from wrapper.notebook.pinning import connect, trust_only
from wrapper.notebook.session import PinnedSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.unit.conftest import LiveJupyter, Minted


def key_of(pem: str) -> str:
    return fingerprints(ssl.PEM_cert_to_DER_cert(pem)).key_sha256


def test_the_certificate_of_the_named_key_is_pinned(jupyter: LiveJupyter) -> None:
    key = key_of(jupyter.minted.certificate)
    pinned = pin(jupyter.host, jupyter.port, key_sha256=key)
    assert pinned.key_sha256 == key
    assert pinned.pem.split() == jupyter.minted.certificate.split()
    with_colons = ":".join(key.upper()[i : i + 2] for i in range(0, 64, 2))
    assert pin(jupyter.host, jupyter.port, key_sha256=with_colons) == pinned


def test_another_key_is_refused_and_told_nothing(tmp_path: Path) -> None:
    expected = key_of(mint("127.0.0.1").certificate)
    with tls_server(showing(mint("127.0.0.1"), tmp_path)) as server:
        with pytest.raises(FingerprintError, match="another key") as raised:
            pin("127.0.0.1", server.port, key_sha256=expected)
        server.end()
        assert server.heard == [b""]
    assert expected in raised.value.message


def test_pinning_itself_sends_nothing(tmp_path: Path) -> None:
    minted = mint("127.0.0.1")
    with tls_server(showing(minted, tmp_path)) as server:
        pin("127.0.0.1", server.port, key_sha256=key_of(minted.certificate))
        server.end()
        assert server.heard == [b"", b""]


def test_a_renewal_with_the_same_key_is_pinned_anew(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    before, after = mint("127.0.0.1", key=key), mint("127.0.0.1", key=key)
    expected = key_of(before.certificate)
    with tls_server(showing(before, tmp_path)) as server:
        old = pin("127.0.0.1", server.port, key_sha256=expected)
        server.context.load_cert_chain(*after.write(tmp_path))
        with pytest.raises(FingerprintError):
            connect("127.0.0.1", server.port, context=trust_only(old.pem), timeout=5, proxy=None)
        new = pin("127.0.0.1", server.port, key_sha256=expected)
    assert new.certificate_sha256 != old.certificate_sha256


@pytest.mark.parametrize(
    ("minted", "reason"),
    [
        pytest.param(mint("127.0.0.2"), "IP address mismatch", id="another address"),
        pytest.param(mint("localhost"), "IP address mismatch", id="only a name"),
        pytest.param(mint("127.0.0.1", days=(-9, -1)), "expired", id="run out"),
        pytest.param(mint("127.0.0.1", days=(1, 9)), "not yet valid", id="of the future"),
    ],
)
def test_the_right_key_does_not_excuse_a_wrong_certificate(
    tmp_path: Path, minted: Minted, reason: str
) -> None:
    with (
        tls_server(showing(minted, tmp_path)) as server,
        pytest.raises(FingerprintError, match=reason),
    ):
        pin("127.0.0.1", server.port, key_sha256=key_of(minted.certificate))


def test_a_certificate_of_the_domain_alone_serves_whoever_connects_by_number(
    tmp_path: Path,
) -> None:
    minted, domain = mint("notebook.example.org"), "notebook.example.org"
    key = key_of(minted.certificate)
    with tls_server(showing(minted, tmp_path)) as server:
        found = pin("127.0.0.1", server.port, key_sha256=key, domain=domain)
        context = trust_only(found.pem, found.name)
        session = PinnedSession("127.0.0.1", server.port, found, proxy=None, timeout=5)
        # It hears the request, and says nothing.
        with closing(session), pytest.raises(NoAnswerError, match="without response"):
            session.send("GET", "/of-the-session")
        asyncio.run(dial(Upstream("127.0.0.1", server.port, context, {}))).close()
        with pytest.raises(FingerprintError, match="IP address mismatch"):
            pin("127.0.0.1", server.port, key_sha256=key, domain="another.example.org")
        server.end()
        told = b"".join(server.heard)
    assert found.name == domain
    assert b"GET /of-the-session" in told


def test_a_certificate_of_both_is_verified_for_the_number(tmp_path: Path) -> None:
    minted = mint("127.0.0.1", "notebook.example.org")
    with tls_server(showing(minted, tmp_path)) as server:
        key = key_of(minted.certificate)
        found = pin("127.0.0.1", server.port, key_sha256=key, domain="notebook.example.org")
    assert found.name is None


@pytest.mark.parametrize("days", [(-400, -335), (335, 400)], ids=["a year fast", "a year slow"])
def test_a_clock_that_is_wrong_by_a_year_is_named(tmp_path: Path, days: tuple[int, int]) -> None:
    minted = mint("127.0.0.1", days=days)
    with (
        tls_server(showing(minted, tmp_path)) as server,
        pytest.raises(FingerprintError, match="this computer's clock, which says 20") as raised,
    ):
        pin("127.0.0.1", server.port, key_sha256=key_of(minted.certificate))
    assert clock.command() in str(raised.value.hint)


def test_a_certificate_of_an_authority_is_pinned_without_trusting_the_authority() -> None:
    authority = trustme.CA()
    issued, other = authority.issue_cert("127.0.0.1"), authority.issue_cert("127.0.0.1")
    pem = issued.cert_chain_pems[0].bytes().decode()
    with tls_server(issued.configure_cert) as server:
        pinned = pin("127.0.0.1", server.port, key_sha256=key_of(pem))
    with tls_server(other.configure_cert) as server, pytest.raises(FingerprintError):
        connect("127.0.0.1", server.port, context=trust_only(pinned.pem), timeout=5, proxy=None)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_a_server_of_tls_1_1_is_refused(tmp_path: Path) -> None:
    minted = mint("127.0.0.1")

    def old(context: ssl.SSLContext) -> None:
        showing(minted, tmp_path)(context)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1

    with tls_server(old) as server, pytest.raises(NoAnswerError, match="does not answer with TLS"):
        pin("127.0.0.1", server.port, key_sha256=key_of(minted.certificate))


def closed() -> Iterator[int]:
    yield free_port()


def silent() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield listening.getsockname()[1]


def answering(words: bytes) -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def answer() -> None:
            sock, _ = listening.accept()
            with sock:
                sock.sendall(words)
                sock.recv(65536)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(5)


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        pytest.param(closed, "refused", id="closed port"),
        pytest.param(silent, "takes connections, and says nothing", id="silent"),
        pytest.param(lambda: answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "TLS", id="http"),
        pytest.param(lambda: answering(b""), "TLS", id="hangs up"),
    ],
)
def test_what_speaks_no_tls_is_no_notebook(
    server: Callable[[], Iterator[int]], reason: str
) -> None:
    running = server()
    port = next(running)
    with pytest.raises(NoAnswerError, match=reason) as raised:
        pin("127.0.0.1", port, key_sha256="0" * 64, timeout=0.5)
    assert f"127.0.0.1:{port}" in raised.value.message
    assert raised.value.hint
    with pytest.raises(StopIteration):
        next(running)


def test_an_unknown_name_is_told_as_such() -> None:
    with pytest.raises(NoAnswerError, match=r"no-such-host\.invalid"):
        pin("no-such-host.invalid", 9999, key_sha256="0" * 64, timeout=5)
