"""The network room: a router namespace, one cable to the host, one namespace per machine.

    host ── jclouds0 ═ uplink ── router namespace ── vm-… ═ ens5 ── machine's namespace
            198.19.255.1  .2     gateways, metadata, mirror,          its private address
                                 public addresses, security groups

The router answers ARP for whole subnets and forwards by host routes, so that machines of one
subnet also speak through it and security groups hold between them, as on AWS. On the host there
is one link, one route, one nft table, and forwarding switched on; `down` puts that back.
"""

from __future__ import annotations

import ctypes
import ipaddress
import json
import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from wrapper.errors import LocalError

from . import firewall
from .host import PREFIX, RUN, log, nft, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .machines import IngressRule, MachineSpec

ROUTER = f"{PREFIX}-router"
PUBLIC = "198.18.0.0/15"
"""For benchmarks between networks (RFC 2544): nobody's public address is in it."""
HOST_ADDRESS = "198.19.255.1"
ROUTER_ADDRESS = "198.19.255.2"
MIRROR_ADDRESS = "198.19.255.10"
GATEWAY_ADDRESS = "198.19.255.11"
METADATA_ADDRESS = "169.254.169.254"
_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_FORWARDED = RUN / "ip_forward"
"""What it was before us. Of this boot: after the next, somebody else's decision is in force."""
_SPACES = Path("/run/netns")
_CLONE_NEWNET = 0x40000000


def namespace(instance_id: str) -> str:
    """The name of the machine's network namespace."""
    return f"{PREFIX}-{instance_id}"


def _cable(instance_id: str) -> str:
    return f"{firewall.CABLE}{instance_id[-11:]}"  # the kernel's names end at 15 characters


def _ip(*batch: str, inside: str | None = None) -> None:
    where = ["-n", inside] if inside else []
    run(["ip", *where, "-batch", "-"], text="\n".join(batch) + "\n")


def _sysctl(inside: str, **values: str) -> None:
    lines = [f"echo {v} > /proc/sys/net/ipv4/{k.replace('__', '/')}" for k, v in values.items()]
    run(["ip", "netns", "exec", inside, "sh", "-ec", "\n".join(lines)])


def namespaces() -> list[str]:
    """Our network namespaces, the router's included."""
    listing = run(["ip", "-j", "netns", "list"]).strip()
    names = [item["name"] for item in json.loads(listing or "[]")]
    return [name for name in names if name.startswith(f"{PREFIX}-")]


def _mtu() -> int:
    """The narrowest of the host's ways out: packets that do not fit are lost on many networks."""
    routes = json.loads(run(["ip", "-j", "route", "show", "default"]) or "[]")
    sizes = [int(Path(f"/sys/class/net/{r['dev']}/mtu").read_text()) for r in routes if "dev" in r]
    return min([1500, *sizes])


def up() -> None:
    """The router runs and the host has its cable to it; raises LocalError."""
    foreign = json.loads(run(["ip", "-j", "route", "show", PUBLIC]) or "[]")
    if foreign:
        raise LocalError(
            f"this host already routes {PUBLIC} through {foreign[0].get('dev', '?')}, "
            "where the embedded EC2's public addresses live",
            hint=f"ip route show {PUBLIC}",
        )
    mtu = _mtu()
    run(["ip", "netns", "add", ROUTER])
    _sysctl(ROUTER, ip_forward="1")
    cable = f"mtu {mtu} type veth peer name {firewall.UPLINK} mtu {mtu} netns {ROUTER}"
    _ip(f"link add {firewall.HOST_LINK} {cable}")
    _ip(
        "link set lo up",
        f"link set {firewall.UPLINK} up",
        f"addr add {ROUTER_ADDRESS}/30 dev {firewall.UPLINK}",
        f"addr add {METADATA_ADDRESS}/32 dev lo",
        f"addr add {MIRROR_ADDRESS}/32 dev lo",
        f"addr add {GATEWAY_ADDRESS}/32 dev lo",
        f"route add blackhole {PUBLIC}",
        f"route add default via {HOST_ADDRESS}",
        inside=ROUTER,
    )
    _ip(
        f"addr add {HOST_ADDRESS}/30 dev {firewall.HOST_LINK}",
        f"link set {firewall.HOST_LINK} up",
        f"route add {PUBLIC} via {ROUTER_ADDRESS} dev {firewall.HOST_LINK}",
    )
    nft(firewall.router((METADATA_ADDRESS, GATEWAY_ADDRESS), MIRROR_ADDRESS), namespace=ROUTER)
    was = _remember_forwarding()
    nft(firewall.host(PUBLIC, forwarded_before=was))
    firewall.let_through()
    _FORWARDING.write_text("1")


def _remember_forwarding() -> bool:
    if not _FORWARDED.exists():  # else: what a killed daemon had found
        _FORWARDED.write_text(_FORWARDING.read_text())
    return _FORWARDED.read_text().strip() == "1"


def is_there() -> bool:
    """Something of ours is in the host's network; needs no root."""
    spaces = any(_SPACES.glob(f"{PREFIX}-*"))
    return spaces or Path(f"/sys/class/net/{firewall.HOST_LINK}").exists() or _FORWARDED.exists()


def down() -> None:
    """No namespace, link, route or rule of ours is left and forwarding is as it was."""
    for name in namespaces():
        run(["ip", "netns", "delete", name], check=False)
    if Path(f"/sys/class/net/{firewall.HOST_LINK}").exists():
        run(["ip", "link", "delete", firewall.HOST_LINK], check=False)
    if _FORWARDED.exists():
        _FORWARDING.write_text(_FORWARDED.read_text())
        _FORWARDED.unlink()
    firewall.remove_from_host()


def attach(spec: MachineSpec, rules: Sequence[IngressRule]) -> None:
    """The machine's namespace has its address, its gateway, and the security groups around it."""
    inside, cable = namespace(spec.instance_id), _cable(spec.instance_id)
    subnet = ipaddress.ip_network(spec.subnet_cidr)
    gateway = subnet.network_address + 1
    mtu = _mtu()
    run(["ip", "netns", "add", inside])
    peer = f"peer name ens5 address {spec.mac} mtu {mtu} netns {inside}"
    _ip(
        f"link add {cable} mtu {mtu} type veth {peer}",
        f"addr replace {gateway}/32 dev lo",
        f"link set {cable} up",
        f"route add {spec.private_ip}/32 dev {cable}",
        inside=ROUTER,
    )
    _sysctl(ROUTER, **{f"conf__{cable}__proxy_arp": "1", f"neigh__{cable}__proxy_delay": "0"})
    nft(firewall.machine(spec.instance_id, spec.private_ip, rules), namespace=ROUTER)
    _ip(
        "link set lo up",
        "link set ens5 up",
        f"addr add {spec.private_ip}/{subnet.prefixlen} dev ens5",
        f"route add default via {gateway}",
        inside=inside,
    )


def detach(spec: MachineSpec, public: str | None) -> None:
    """Nothing of the machine is left in the network."""
    nft(firewall.forget(spec.instance_id, spec.private_ip, public), namespace=ROUTER, check=False)
    run(["ip", "-n", ROUTER, "link", "delete", _cable(spec.instance_id)], check=False)
    run(["ip", "netns", "delete", namespace(spec.instance_id)], check=False)


def set_public_address(private_ip: str, old: str | None, new: str | None) -> None:
    """The machine is reached at `new` and goes out with it; connections through `old` are dead."""
    nft(firewall.public_address(private_ip, old, new), namespace=ROUTER)


def set_ingress(instance_id: str, rules: Sequence[IngressRule]) -> None:
    """Exactly these rules are in force for the machine."""
    nft(firewall.ingress(instance_id, rules), namespace=ROUTER)


def listen(address: str, port: int) -> socket.socket:
    """A listening socket inside the router; it stays there whoever accepts from it."""
    made: list[socket.socket] = []

    def make() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor = os.open(_SPACES / ROUTER, os.O_RDONLY)
        try:
            # Only this thread moves, and it ends below: the daemon stays where it was.
            if libc.setns(descriptor, _CLONE_NEWNET) != 0:
                log.error("setns: %s", os.strerror(ctypes.get_errno()))
                return
            made.append(socket.create_server((address, port), backlog=128))
        finally:
            os.close(descriptor)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if not made:
        raise LocalError(
            f"cannot listen on {address}:{port} inside {ROUTER}",
            hint=f"ip netns exec {ROUTER} ss -ltn",
        )
    return made[0]
