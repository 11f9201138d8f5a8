"""`notify`: the machine tells a webhook of interruptions, of stops by itself, and of runs' ends.

A webhook's address is a secret: it goes over the pinned connection and is kept by the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from wrapper.deployment import look, place
from wrapper.deployment.reaching import logged_in
from wrapper.errors import FailedError, SettingsError

if TYPE_CHECKING:
    from wrapper.deployment.world import World

_PATH = "/clouds/notify"


def webhook(world: World, name: str) -> str | None:
    """The host of the webhook that the machine tells; None: it tells none."""
    host = _ask(world, name, "GET")["host"]
    return None if host is None else str(host)


def set_webhook(world: World, name: str, url: str) -> str:
    """The machine tells this webhook, and no other; its host. SettingsError, NoAnswerError."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise SettingsError(
            "A webhook's address begins with https://.",
            hint="Copy it as the service shows it into a file: notify --webhook-file FILE",
        )
    _ask(world, name, "PUT", {"webhook": url})
    return parts.hostname


def forget_webhook(world: World, name: str) -> None:
    """The machine tells nobody."""
    _ask(world, name, "DELETE")


def try_webhook(world: World, name: str) -> None:
    """A message was sent from the machine, and taken. FailedError."""
    found = _ask(world, name, "POST")
    if found.get("note"):
        raise FailedError(
            f"{name} tells nobody yet.",
            hint=f"python -m wrapper notify {name} --webhook-file FILE",
        )
    if not found.get("ok"):
        raise FailedError(
            f"The machine sent a message, and failed: {found.get('error', 'it does not say why')}.",
            hint=f"Another webhook: python -m wrapper notify {name} --webhook-file FILE",
        )


def _ask(world: World, name: str, method: str, body: Any = None) -> Any:
    home, record = look.known(world, name)
    with logged_in(world, place.back_to(world, record), home, record) as notebook:
        # The first question tells whether the machine knows of webhooks.
        known = notebook.ask("GET", _PATH)
        if known is None:
            raise FailedError(
                f"The machine of {name} was made by an older version, which tells no webhook.",
                hint=f"python -m wrapper up {name} --replace",
            )
        return known if method == "GET" else notebook.call(method, _PATH, body)
