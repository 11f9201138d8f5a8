"""What the door is told, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping


@dataclass(frozen=True)
class Upstream:
    """A notebook that answers, and the login there."""

    host: str
    port: int
    context: ssl.SSLContext
    """Trusts the pinned certificate alone."""
    cookies: Mapping[str, str]
    proxy: str | None = None
    """http://[user:password@]host:port that leads there; secret."""

    @property
    def authority(self) -> str:
        """As in a Host field."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Told(Protocol):
    """Hears of the link that opens the door next: the first one, and one after each use."""

    def __call__(self, url: str, port: int, *, first: bool, token: str) -> None:
        """The link is good for one use, the token for as long as the door is open."""
        ...
