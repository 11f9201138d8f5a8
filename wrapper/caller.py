"""The caller's own public address, as the internet sees it: asked of a service over TLS."""

from __future__ import annotations

import http.client
import ipaddress
import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from wrapper import clock
from wrapper.errors import AddressError

if TYPE_CHECKING:
    from collections.abc import Sequence

SERVICES = ("https://checkip.amazonaws.com/", "https://api.ipify.org/")
"""AWS's own first; the other where that one does not answer. Each answers with the address."""

_HINT = "Name your network yourself: --allow 203.0.113.7/32"
_MOST = 64
"""Bytes read of an answer: the longest address has 39 characters."""


def public_address(
    *,
    services: Sequence[str] = SERVICES,
    timeout: float = 5.0,
    context: ssl.SSLContext | None = None,
) -> ipaddress.IPv4Address:
    """The address that the first service to answer saw us come from; IPv4, public.

    `timeout` in seconds, for each service. AddressError when none tells a usable one.
    `context` holds the authorities to trust; None is this computer's own.
    """
    trusted = context or ssl.create_default_context()
    reasons = []
    for service in services:
        try:
            return _public(_ask(service, timeout, trusted))
        except (OSError, http.client.HTTPException) as error:
            # HTTPError and URLError are OSErrors; so are refusals and timeouts of the socket.
            reasons.append(f"{service} {_words(error)}")
        except ValueError as error:
            reasons.append(f"{service} {error}")
    told = "; ".join(reasons)
    raise AddressError(
        f"Your public address is not known: {told}.", hint=clock.blamed(told) or _HINT
    )


def _ask(service: str, timeout: float, context: ssl.SSLContext) -> str:
    if not service.startswith("https://"):
        # Whoever answers this decides who may reach the notebook.
        raise ValueError("is not asked, since it is not https")
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _NoRedirect)
    with opener.open(service, timeout=timeout) as answer:
        content: bytes = answer.read(_MOST)
    return content.decode("ascii", errors="replace").strip()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect could lead away from TLS, or to a login page of the network's own."""

    def redirect_request(self, *_args: object) -> None:
        return


def _public(answer: str) -> ipaddress.IPv4Address:
    """ValueError in words that go on after the service's name."""
    try:
        address = ipaddress.ip_address(answer)
    except ValueError:
        raise ValueError("answered with something else than an address") from None
    if not isinstance(address, ipaddress.IPv4Address):
        raise ValueError(f"sees you at {address}, which is IPv6: the notebook has IPv4 only")  # noqa: TRY004 (not a type that a caller passed)
    if not address.is_global:
        raise ValueError(f"answered {address}, which is no public address")
    return address


def _words(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"answered {error.code}"
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"shows a certificate that is not trusted ({reason.verify_message})"
    if isinstance(reason, TimeoutError):
        return "does not answer in time"
    return f"cannot be reached ({reason})"
