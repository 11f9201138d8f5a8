"""TLS that trusts one certificate: the one whose key the machine's console named."""

from __future__ import annotations

import base64
import http.client
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from wrapper import clock
from wrapper.certificate import fingerprints, is_for
from wrapper.errors import BusyError, CertificateError, FingerprintError, NoAnswerError
from wrapper.notebook.model import Pin
from wrapper.notebook.proxy import proxy_for, without_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT = 10.0
"""Seconds until a connection, or the next bytes on it, are given up."""

_BY_DATE = (9, 10)
"""Not yet valid, and expired: https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/"""


def pin(  # noqa: PLR0913 (each is one fact about who may answer)
    host: str,
    port: int,
    *,
    key_sha256: str,
    domain: str | None = None,
    timeout: float = TIMEOUT,
    environment: Mapping[str, str] | None = None,
) -> Pin:
    """The certificate that answers there, whose key is the one named, valid and for that host.

    Or for the domain, which leads there for whoever can resolve it: it is the only name in a
    certificate by dns-01. One for both is verified for the host.
    `key_sha256`: SHA-256 of the SPKI DER as 64 hexadecimal digits, colons allowed.
    `environment` is asked for proxies only. NoAnswerError when nothing answers with TLS,
    FingerprintError when the key is another's, or the certificate has run out or another name.
    """
    proxy = proxy_for(host, environment or {})
    der = _presented(host, port, timeout=timeout, proxy=proxy)
    try:
        found = fingerprints(der)
    except CertificateError as error:
        raise FingerprintError(
            f"What {host}:{port} shows as its certificate cannot be read.",
            hint="Try again, or replace the machine: python -m wrapper down, then up.",
        ) from error
    expected = key_sha256.replace(":", "").lower()
    if found.key_sha256 != expected:
        raise FingerprintError(
            f"{host}:{port} answers with another key than the machine's: its SHA-256 is "
            f"{found.key_sha256}, the console says {expected}. Nothing was sent to it.",
            hint="Somebody may be in between. From another network: python -m wrapper check",
        )
    pem = ssl.DER_cert_to_PEM_cert(der)
    name = domain if domain and is_for(der, domain) and not is_for(der, host) else None
    pinned = Pin(pem, found.certificate_sha256, found.key_sha256, name)
    # Verified for the first time here: dates, host name, TLS version.
    connect(host, port, context=trust_only(pem, name), timeout=timeout, proxy=proxy).close()
    return pinned


class _Named(ssl.SSLContext):
    """Checks for a name of its own, where the host that was connected to is not in the certificate.

    Here and not with whoever connects: http.client, which does so for two of three, cannot be told.
    """

    name: str | None = None

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        return super().wrap_socket(*args, **self._named(kwargs))

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        return super().wrap_bio(*args, **self._named(kwargs))

    def _named(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        return kwargs if self.name is None else kwargs | {"server_hostname": self.name}


def trust_only(pem: str, name: str | None = None) -> ssl.SSLContext:
    """TLS 1.2 or newer, the host's name checked (or that name), that certificate the only one
    trusted."""
    context = _Named(ssl.PROTOCOL_TLS_CLIENT)
    context.name = name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Without it OpenSSL insists on a chain that ends in a self-signed certificate, and so never
    # accepts a pinned one that an authority issued.
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=pem)
    return context


def connect(
    host: str, port: int, *, context: ssl.SSLContext, timeout: float, proxy: str | None
) -> ssl.SSLSocket:
    """A TLS connection over which nothing was sent yet; through the proxy when there is one.

    NoAnswerError when there is none to be had, FingerprintError when verification fails.
    """
    connection = _connection(host, port, context=context, timeout=timeout, proxy=proxy)
    try:
        connection.connect()
    except ssl.SSLCertVerificationError as error:
        connection.close()
        raise refused(host, port, error) from error
    except (OSError, http.client.HTTPException) as error:
        # The kernel takes connections for a server that has no time to look at them.
        busy = connection.sock is not None and isinstance(error, TimeoutError) and not proxy
        connection.close()
        if busy:
            raise BusyError(
                f"{host}:{port} takes connections, and says nothing in {timeout:g} s.",
                hint="It may be very busy: python -m wrapper status",
            ) from error
        raise unreachable(host, port, error, proxy=proxy) from error
    # connect() of an HTTPSConnection leaves a TLS socket, or raises.
    assert isinstance(connection.sock, ssl.SSLSocket)  # noqa: S101 (for mypy)
    return connection.sock


def refused(host: str, port: int, error: ssl.SSLCertVerificationError) -> FingerprintError:
    """The error for a certificate that the pinned context does not accept."""
    if error.verify_code in _BY_DATE:
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        return FingerprintError(
            f"The certificate of {host}:{port} is not accepted: {error.verify_message}, by this "
            f"computer's clock, which says {now}.",
            hint=f"If that is wrong: {clock.command()}. If it is right, the machine renews its own "
            "at every start: python -m wrapper check",
        )
    return FingerprintError(
        f"The certificate of {host}:{port} is not accepted: {error.verify_message or error}",
        hint="The machine renews its own at every start: python -m wrapper check",
    )


def unreachable(
    host: str, port: int, error: BaseException, *, proxy: str | None = None
) -> NoAnswerError:
    """The error for a port that is closed, silent, or speaks no TLS."""
    through = f" (through the proxy {without_credentials(proxy)})" if proxy else ""
    return NoAnswerError(
        f"{host}:{port} does not answer with TLS{through}: {_words(error)}.",
        hint="If your address has changed: python -m wrapper allow. "
        "Otherwise see how far the machine is: python -m wrapper status",
    )


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLError):
        return error.reason or "the handshake failed"
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or "it hung up"


def _presented(host: str, port: int, *, timeout: float, proxy: str | None) -> bytes:
    """DER of the certificate that is shown there, whoever shows it.

    A certificate has to be seen before it can be compared, and this machine's is signed by
    nobody. So this one handshake verifies nothing, sends nothing (no request, no password, no
    cookie; the peer proves that it has the key in the handshake itself), and is closed at once;
    the caller compares what came before it opens another connection.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with connect(host, port, context=context, timeout=timeout, proxy=proxy) as sock:
        der = sock.getpeercert(binary_form=True)
    if not der:
        raise NoAnswerError(f"{host}:{port} shows no certificate.", hint="python -m wrapper status")
    return der


def _connection(
    host: str, port: int, *, context: ssl.SSLContext, timeout: float, proxy: str | None
) -> http.client.HTTPSConnection:
    if proxy is None:
        return http.client.HTTPSConnection(host, port, context=context, timeout=timeout)
    parts = urlsplit(proxy)
    if parts.scheme != "http" or parts.hostname is None:
        raise NoAnswerError(
            f"The proxy {without_credentials(proxy)} is of no known kind: only http:// is.",
            hint=f"Leave it out for this host: export NO_PROXY={host}",
        )
    tunnel = http.client.HTTPSConnection(
        parts.hostname, parts.port or 80, context=context, timeout=timeout
    )
    headers = {}
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    tunnel.set_tunnel(host, port, headers=headers)
    return tunnel
