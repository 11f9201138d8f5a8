"""Who may pass the door: this user's browser with a page of the door's own, and programs.

The latter were given the door's token, as they are for a Jupyter server of this computer.
"""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from wrapper.carrier.messages import MalformedError

if TYPE_CHECKING:
    from wrapper.carrier.messages import Head

_LINK = "/open/"
_SCHEMES = ("token", "bearer")
_READING = ("GET", "HEAD")
PARAMETER = "token"


class Gate:
    """A cookie of its own, and a link that gives it, once."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.host = f"127.0.0.1:{port}"
        self.origin = f"http://{self.host}"
        # A browser sends a cookie to every port of a host: the name tells doors apart.
        self._name = f"clouds-door-{port}"
        self._secret = secrets.token_urlsafe(32)
        self._once = secrets.token_urlsafe(32)
        self.token = secrets.token_hex(24)
        """For editors and other programs; as Jupyter's own, in the address or as a header."""

    @property
    def link(self) -> str:
        """Opens the door, once."""
        return f"{self.origin}{_LINK}{self._once}"

    @property
    def set_cookie(self) -> str:
        """Gives the right to pass, until the browser or the door is closed."""
        return f"{self._name}={self._secret}; Path=/; HttpOnly; SameSite=Strict"

    def takes(self, head: Head) -> bool:
        """The link of this moment was opened; it is another one from now on."""
        method, path, _ = head.first.split(" ")
        if method != "GET" or not hmac.compare_digest(path, f"{_LINK}{self._once}"):
            return False
        self._once = secrets.token_urlsafe(32)
        return True

    def is_here(self, head: Head) -> bool:
        """Sent to this door by name. Another name that leads to the loopback is DNS rebinding."""
        return head.one("host") == self.host

    def lets_in(self, head: Head) -> bool:
        """It has the cookie, and no page of another origin has sent it.

        Pages of other ports of 127.0.0.1 are of the same site, so that SameSite does not keep
        them out: https://developer.mozilla.org/en-US/docs/Glossary/Site. Origin and
        Sec-Fetch-Site do.
        """
        if self._has_token(head):
            return True  # which no page of another origin knows
        method = head.first.split(" ")[0]
        try:
            origin, site = head.one("origin"), head.one("sec-fetch-site")
            visited = head.one("sec-fetch-mode") == "navigate"
        except MalformedError:
            return False
        needed = method not in _READING or bool(head.all("upgrade"))
        if origin != self.origin and (needed or origin is not None):
            return False
        if site in ("cross-site", "same-site") and not (visited and method == "GET"):
            return False
        return self._has_cookie(head)

    def _has_token(self, head: Head) -> bool:
        """As Jupyter takes it: https://jupyter-server.readthedocs.io/en/latest/operators/security.html"""
        query = head.first.split(" ")[1].partition("?")[2]
        shown = [value for name, value in parse_qsl(query) if name == PARAMETER]
        for line in head.all("authorization"):
            scheme, _, value = line.strip().partition(" ")
            shown += [value.strip()] * (scheme.lower() in _SCHEMES)
        known = self.token.encode()
        return any(hmac.compare_digest(one.encode("latin-1", "replace"), known) for one in shown)

    def _has_cookie(self, head: Head) -> bool:
        pairs = (
            one.strip().partition("=") for line in head.all("cookie") for one in line.split(";")
        )
        return any(
            name == self._name
            and hmac.compare_digest(value.encode("latin-1"), self._secret.encode())
            for name, _, value in pairs
        )
