"""Which proxy leads to a host, from an environment that is passed in."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from requests.utils import should_bypass_proxies

if TYPE_CHECKING:
    from collections.abc import Mapping

_NEVER = tuple(ipaddress.ip_network(net) for net in ("127.0.0.0/8", "::1/128", "198.18.0.0/15"))
"""This computer, and the embedded EC2's addresses on it (RFC 2544: routed nowhere else)."""


def proxy_for(host: str, environment: Mapping[str, str]) -> str | None:
    """The URL of the proxy that HTTPS_PROXY, ALL_PROXY and NO_PROXY choose; None for none."""
    names = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    found = next((environment[name] for name in names if environment.get(name)), None)
    if found is None or _is_here(host):
        return None
    exempt = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    shown = f"[{host}]" if ":" in host else host
    if should_bypass_proxies(f"https://{shown}/", no_proxy=exempt):
        return None
    return found if "://" in found else f"http://{found}"


def without_credentials(url: str) -> str:
    """The URL as it may be shown: proxies often carry a password."""
    return url.replace(f"{urlsplit(url).netloc.rpartition('@')[0]}@", "", 1)


def _is_here(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return any(address in net for net in _NEVER)
