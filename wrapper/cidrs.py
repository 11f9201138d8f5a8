"""Who is let in, as address blocks, checked before anything is made. Pure."""

from __future__ import annotations

import ipaddress

from wrapper.errors import SettingsError

_WORLD = 8
"""A prefix this short is as good as the whole internet."""
_UNREACHABLE = tuple(
    ipaddress.IPv4Network(block)
    for block in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
    )
)
"""Nobody arrives at a public address from these. 198.18.0.0/15 is not among them: the embedded
EC2's internet is there."""


def check_cidr(cidr: str, *, option: str, world: bool) -> str:
    """The block; SettingsError: no CIDR, private, or the whole world without `world`."""
    try:
        network = ipaddress.ip_network(cidr)
    except ValueError as error:
        raise SettingsError(
            f"{option} {cidr} is not a CIDR block: {error}.",
            hint=f"One address is written as {option} 203.0.113.7/32",
        ) from error
    if not isinstance(network, ipaddress.IPv4Network):
        raise SettingsError(
            f"{option} {cidr}: the notebook has an IPv4 address only.",
            hint="Your IPv4 address: https://checkip.amazonaws.com",
        )
    if network.prefixlen < _WORLD and not world:
        raise SettingsError(
            f"{option} {cidr} lets in the whole internet, or as good as that.",
            hint=f"Name your own address, as in {option} 203.0.113.7/32, or, if you mean it, "
            "add --allow-world",
        )
    if any(network.subnet_of(private) for private in _UNREACHABLE):
        raise SettingsError(
            f"{option} {cidr} is private: nobody arrives at the notebook's public address "
            "from there.",
            hint="Your address as the internet sees it: https://checkip.amazonaws.com",
        )
    return cidr
