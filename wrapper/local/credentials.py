"""Credentials of the machines' roles: what the metadata gives out, and whose a signature is.

Signature Version 4: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .machines import Role

_LIFE: Final = 6 * 3600
_SCHEME: Final = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Credentials:
    """Of one role, for a time."""

    role: Role
    key: str
    secret: str
    token: str
    made: float
    """As time.time()."""

    @property
    def ends(self) -> float:
        """When they hold no more."""
        return self.made + _LIFE


_known: dict[str, Credentials] = {}
_lock = threading.Lock()


def issue(role: Role) -> Credentials:
    """The role's credentials, with half of their time left at least."""
    now = time.time()
    with _lock:
        for one in [one for one in _known.values() if one.ends < now]:
            del _known[one.key]
        for one in _known.values():
            if one.role == role and one.made + _LIFE / 2 > now:
                return one
        key = "ASIA" + "".join(
            secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(16)
        )
        made = Credentials(role, key, secrets.token_urlsafe(30), secrets.token_urlsafe(200), now)
        _known[key] = made
        return made


@dataclass(frozen=True)
class Signed:
    """A request as it came, as far as its signature covers it."""

    method: str
    path: str
    """Percent-encoded."""
    query: str
    headers: Mapping[str, str]
    """By lower-case name."""
    payload: str
    """SHA-256 of the body, or the word that stands for it."""


@dataclass(frozen=True)
class Call:
    """One action that a request asks for, as policies name it."""

    action: str
    resource: str
    context: Mapping[str, str | tuple[str, ...]]
    """Condition keys in lower case; several values where the key may have them."""


def whose(request: Signed) -> tuple[Role, str] | None:
    """The role that signed it, and for which service; None for any other's signature."""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    said = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    key, *scope = said.get("Credential", "").split("/")
    with _lock:
        known = _known.get(key)
    if scheme != _SCHEME or known is None or len(scope) != 4 or known.ends < time.time():  # noqa: PLR2004 - date, region, service, aws4_request
        return None
    names = said.get("SignedHeaders", "").split(";")
    token = request.headers.get("x-amz-security-token", "")
    if "host" not in names or not hmac.compare_digest(token, known.token):
        return None
    right = _signature(request, known.secret, scope, names)
    return (known.role, scope[2]) if hmac.compare_digest(right, said.get("Signature", "")) else None


def _signature(request: Signed, secret: str, scope: list[str], names: list[str]) -> str:
    headers = request.headers
    pairs = (part.partition("=") for part in request.query.split("&") if part)
    query = "&".join(sorted(f"{_encoded(name)}={_encoded(value)}" for name, _, value in pairs))
    signed = "".join(f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in names)
    lines = (request.method, request.path, query, signed, ";".join(names), request.payload)
    whole = "\n".join(lines)
    digest = hashlib.sha256(whole.encode()).hexdigest()
    text = "\n".join((_SCHEME, headers.get("x-amz-date", ""), "/".join(scope), digest))
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def _encoded(text: str) -> str:
    return quote(unquote(text), safe="-_.~")
