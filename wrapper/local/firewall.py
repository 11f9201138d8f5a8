"""The nft rules, as text: public addresses and security groups in the router, one table outside."""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING

from wrapper.errors import LocalError

from .host import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .machines import IngressRule

TABLE = "jupyter_clouds"
HOST_LINK = "jclouds0"
UPLINK = "uplink"
CABLE = "vm-"
_PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp"}


def router(machines_only: Sequence[str], mirror: str) -> str:
    """The router's rules before there is a machine: nothing is let in, nothing goes out.

    A public address is translated one to one, as the internet gateway does: the machine itself
    never sees it. Connections of an address that was taken away die with it, as on AWS.
    """
    return f"""
table ip {TABLE} {{
    map private_of {{ type ipv4_addr : ipv4_addr; }}
    map public_of {{ type ipv4_addr : ipv4_addr; }}
    map groups {{ type ipv4_addr : verdict; }}
    set public {{ type ipv4_addr; }}
    set addressed {{ type ipv4_addr; }}
    chain prerouting {{
        type nat hook prerouting priority dstnat;
        dnat to ip daddr map @private_of
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        oifname "{UPLINK}" snat to ip saddr map @public_of
        ct status dnat snat to ip saddr map @public_of
    }}
    chain forward {{
        type filter hook forward priority filter; policy drop;
        ct status dnat ct original ip daddr != @public drop
        ct status snat ct reply ip daddr != @public drop
        ct state established,related accept
        ct state invalid drop
        iifname "{CABLE}*" oifname "{UPLINK}" ip saddr @addressed accept
        oifname "{CABLE}*" ip daddr vmap @groups
    }}
    chain input {{
        type filter hook input priority filter; policy drop;
        ct state established,related accept
        iifname "lo" accept
        ip protocol icmp accept
        iifname "{CABLE}*" ip daddr {{ {", ".join(machines_only)} }} tcp dport 80 accept
        ip daddr {mirror} tcp dport 80 accept
        tcp dport 0-65535 reject with tcp reset
    }}
}}
"""


def _chain(instance_id: str) -> str:
    return "group_" + instance_id.replace("-", "_")


def machine(instance_id: str, private_ip: str, rules: Sequence[IngressRule]) -> str:
    """The machine is known to the router, with these rules."""
    chain = _chain(instance_id)
    return (
        f"add chain ip {TABLE} {chain}\n"
        f"add element ip {TABLE} groups {{ {private_ip} : jump {chain} }}\n"
        + ingress(instance_id, rules)
    )


def ingress(instance_id: str, rules: Sequence[IngressRule]) -> str:
    """In one transaction: the old rules are gone, these are there."""
    chain = _chain(instance_id)
    lines = [f"flush chain ip {TABLE} {chain}"]
    lines += [
        f"add rule ip {TABLE} {chain} {match} accept" for match in map(_match, rules) if match
    ]
    return "\n".join(lines) + "\n"


def _match(rule: IngressRule) -> str | None:
    network = ipaddress.ip_network(rule.cidr, strict=False)
    if network.version != 4:  # noqa: PLR2004 - IP versions are their own names
        return None  # machines have no IPv6 address
    source = f"ip saddr {network}"
    protocol = _PROTOCOLS.get(rule.protocol, rule.protocol)
    if protocol == "-1":
        return source
    if protocol in {"tcp", "udp"}:
        return f"{source} {protocol} dport {rule.from_port}-{rule.to_port}"
    if protocol == "icmp":
        # For ICMP, AWS's from_port is the type and -1 all of them.
        return (
            f"{source} icmp type {rule.from_port}"
            if rule.from_port >= 0
            else (f"{source} ip protocol icmp")
        )
    return f"{source} ip protocol {protocol}"


def public_address(private_ip: str, old: str | None, new: str | None) -> str:
    """In one transaction: `old` leads nowhere, `new` leads to the machine."""
    lines = []
    if old:
        lines += [
            f"delete element ip {TABLE} private_of {{ {old} : {private_ip} }}",
            f"delete element ip {TABLE} public_of {{ {private_ip} : {old} }}",
            f"delete element ip {TABLE} public {{ {old} }}",
            f"delete element ip {TABLE} addressed {{ {private_ip} }}",
        ]
    if new:
        lines += [
            f"add element ip {TABLE} private_of {{ {new} : {private_ip} }}",
            f"add element ip {TABLE} public_of {{ {private_ip} : {new} }}",
            f"add element ip {TABLE} public {{ {new} }}",
            f"add element ip {TABLE} addressed {{ {private_ip} }}",
        ]
    return "\n".join(lines) + "\n"


def forget(instance_id: str, private_ip: str, public: str | None) -> str:
    """The router does not know the machine any more."""
    chain = _chain(instance_id)
    return public_address(private_ip, public, None) + (
        f"delete element ip {TABLE} groups {{ {private_ip} }}\n"
        f"flush chain ip {TABLE} {chain}\ndelete chain ip {TABLE} {chain}\n"
    )


def host(public: str, *, forwarded_before: bool) -> str:
    """The host's one table: machines reach the network through it, nobody reaches them.

    Where the host did not forward before, it still forwards nothing but the machines' traffic.
    """
    others = "" if forwarded_before else "drop"
    return f"""
table ip {TABLE} {{
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        ip saddr {public} oifname != "{HOST_LINK}" masquerade
    }}
    chain forward {{
        type filter hook forward priority filter;
        iifname "{HOST_LINK}" accept
        oifname "{HOST_LINK}" ct state established,related accept
        oifname "{HOST_LINK}" drop
        {others}
    }}
}}
"""


def let_through() -> None:
    """A host whose own forward policy drops (as Docker's does) lets the machines' traffic pass."""
    if _forward_chain() is None:
        return
    for side in ("iifname", "oifname"):
        rule = f'{side} {HOST_LINK} counter accept comment "{TABLE}"'
        run(["nft", "insert", "rule", "ip", "filter", "FORWARD", *rule.split()])


def _forward_chain() -> list[dict[str, object]] | None:
    """The rules of iptables' FORWARD chain when its policy drops."""
    listing = run(["nft", "-j", "list", "chain", "ip", "filter", "FORWARD"], check=False)
    items = json.loads(listing)["nftables"] if listing.strip() else []
    policies = [item["chain"].get("policy") for item in items if "chain" in item]
    if "drop" not in policies:
        return None
    return [item["rule"] for item in items if "rule" in item]


def remove_from_host() -> None:
    """No rule of ours is left on the host."""
    tables = json.loads(run(["nft", "-j", "list", "tables"]))["nftables"]
    if any(item.get("table", {}).get("name") == TABLE for item in tables):
        run(["nft", "delete", "table", "ip", TABLE])
    for rule in _forward_chain() or []:
        if rule.get("comment") == TABLE:
            handle = str(rule["handle"])
            run(["nft", "delete", "rule", "ip", "filter", "FORWARD", "handle", handle])
    if run(["nft", "list", "tables"]).count(TABLE):
        raise LocalError(
            f"nft table {TABLE} could not be removed", hint=f"nft delete table ip {TABLE}"
        )
