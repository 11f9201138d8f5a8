"""The metadata room: IMDSv2 on 169.254.169.254 inside the router, one tree per machine."""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Protocol

from . import credentials
from .host import log

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from .machines import MachineSpec, Notice, Role

Tree = dict[str, "str | bytes | Tree"]
_MAX_TTL = 21600
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}")
_TOKEN = "X-aws-ec2-metadata-token"  # noqa: S105 - a header's name
_TTL = f"{_TOKEN}-ttl-seconds"


class Described(Protocol):
    """What the metadata tells about a machine."""

    spec: MachineSpec
    public_ip: str | None
    launched: str

    @property
    def block_devices(self) -> Sequence[str]:
        """Of its volumes but the root's, as they were when it last started."""

    notice: Notice | None
    role: Role | None


def tree(machine: Described) -> Tree:
    """All that the machine may read below /latest/, as AWS lays it out."""
    spec, public = machine.spec, machine.public_ip
    domain = "ec2.internal" if spec.region == "us-east-1" else f"{spec.region}.compute.internal"
    hostname = f"ip-{spec.private_ip.replace('.', '-')}.{domain}"
    interface: Tree = {
        "device-number": "0",
        "interface-id": f"eni-{spec.instance_id.removeprefix('i-')}",
        "local-hostname": hostname,
        "local-ipv4s": spec.private_ip,
        "mac": spec.mac,
        "owner-id": spec.account_id,
        "security-groups": "\n".join(spec.security_groups),
        "subnet-ipv4-cidr-block": spec.subnet_cidr,
        "vpc-ipv4-cidr-block": spec.vpc_cidr,
        "vpc-ipv4-cidr-blocks": spec.vpc_cidr,
    }
    data: Tree = {
        "ami-id": spec.ami_id,
        "ami-launch-index": "0",
        "block-device-mapping": {
            "ami": "/dev/sda1",
            **{f"ebs{number}": name for number, name in enumerate(machine.block_devices, 1)},
            "root": "/dev/sda1",
        },
        "hostname": hostname,
        "instance-action": "none",
        "instance-id": spec.instance_id,
        "instance-life-cycle": spec.lifecycle,
        "instance-type": spec.instance_type,
        "local-hostname": hostname,
        "local-ipv4": spec.private_ip,
        "mac": spec.mac,
        "network": {"interfaces": {"macs": {spec.mac: interface}}},
        "placement": {"availability-zone": spec.zone, "region": spec.region},
        "profile": "default-hvm",
        "reservation-id": f"r-{spec.instance_id.removeprefix('i-')}",
        "security-groups": "\n".join(spec.security_groups),
        "services": {"domain": "amazonaws.com", "partition": "aws"},
    }
    if public:
        interface["public-ipv4s"] = data["public-ipv4"] = public
        interface["ipv4-associations"] = {public: spec.private_ip}
    if machine.notice:
        data |= _notice(machine.notice)
    if machine.role:
        data["iam"] = _role(machine.role)
    if spec.public_keys:
        data["public-keys"] = {
            f"{index}={key.split()[-1] if len(key.split()) > 2 else 'key'}": {"openssh-key": key}  # noqa: PLR2004 - type, key, comment
            for index, key in enumerate(spec.public_keys)
        }
    document = {
        "accountId": spec.account_id,
        "architecture": spec.architecture,
        "availabilityZone": spec.zone,
        "imageId": spec.ami_id,
        "instanceId": spec.instance_id,
        "instanceType": spec.instance_type,
        "pendingTime": machine.launched,
        "privateIp": spec.private_ip,
        "region": spec.region,
        "version": "2017-09-30",
    }
    found: Tree = {
        "dynamic": {"instance-identity": {"document": json.dumps(document, indent=2)}},
        "meta-data": data,
    }
    if spec.user_data:
        found["user-data"] = spec.user_data
    return found


def _role(role: Role) -> Tree:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html"""
    given = credentials.issue(role)
    made, ends = (
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for at in (given.made, given.ends)
    )
    told = {
        "Code": "Success",
        "LastUpdated": made,
        "Type": "AWS-HMAC",
        "AccessKeyId": given.key,
        "SecretAccessKey": given.secret,
        "Token": given.token,
        "Expiration": ends,
    }
    info = {
        "Code": "Success",
        "LastUpdated": made,
        "InstanceProfileArn": role.profile_arn,
        "InstanceProfileId": role.profile_id,
    }
    return {
        "info": json.dumps(info, indent=2),
        "security-credentials": {role.name: json.dumps(told, indent=2)},
    }


def _notice(notice: Notice) -> Tree:
    """What the market tells; an item that there is not is not found.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/rebalance-recommendations.html
    """
    found: Tree = {}
    if notice.rebalance:
        told = json.dumps({"noticeTime": notice.rebalance})
        found["events"] = {"recommendations": {"rebalance": told}}
    if notice.action:
        spot: Tree = {"instance-action": json.dumps({"action": notice.action, "time": notice.time})}
        if notice.action == "terminate":
            spot["termination-time"] = notice.time
        found["spot"] = spot
    return found


def look_up(top: Tree, path: str) -> bytes | None:
    """The value at a path like `meta-data/placement/`, or a listing, or None."""
    node: str | bytes | Tree = top
    for part in [part for part in path.split("/") if part]:
        if not isinstance(node, dict):
            return None
        if part in node:
            node = node[part]
            continue
        # Keys are listed as `0=name` and read as `0`.
        numbered = [value for name, value in node.items() if name.split("=")[0] == part]
        if not numbered:
            return None
        node = numbered[0]
    if isinstance(node, dict):
        names = (f"{n}/" if isinstance(v, dict) and "=" not in n else n for n, v in node.items())
        return "\n".join(names).encode()
    return node.encode() if isinstance(node, str) else node


class Tokens:
    """Session tokens of IMDSv2, each good for one machine and a time."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def make(self, address: str, seconds: int) -> str:
        """A new token, good for `seconds`."""
        token = secrets.token_urlsafe(40)
        now = time.monotonic()
        with self._lock:
            self._until = {key: end for key, end in self._until.items() if end > now}
            self._until[address, token] = now + seconds
        return token

    def good(self, address: str, token: str) -> bool:
        """Whether the token was made for that machine and has not run out."""
        with self._lock:
            return self._until.get((address, token), 0) > time.monotonic()


class Server(ThreadingHTTPServer):
    """Answers every machine with its own metadata, for as long as `serve_forever` runs."""

    daemon_threads = True

    def __init__(self, listening: socket.socket, find: Callable[[str], Described | None]) -> None:
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.find = find
        self.tokens = Tokens()


class _Handler(BaseHTTPRequestHandler):
    server: Server
    server_version = "EC2ws"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_PUT(self) -> None:
        seconds = self.headers.get(_TTL, "")
        if self.path != "/latest/api/token":
            self._answer(HTTPStatus.NOT_FOUND)
        elif "X-Forwarded-For" in self.headers:
            self._answer(HTTPStatus.FORBIDDEN)  # as AWS: it went through somebody's open proxy
        elif not seconds.isdecimal() or not 1 <= int(seconds) <= _MAX_TTL:
            self._answer(HTTPStatus.BAD_REQUEST)
        else:
            token = self.server.tokens.make(self.client_address[0], int(seconds))
            self._answer(HTTPStatus.OK, token.encode(), **{_TTL: seconds})

    def do_GET(self) -> None:
        address = self.client_address[0]
        if not self.server.tokens.good(address, self.headers.get(_TOKEN, "")):
            self._answer(HTTPStatus.UNAUTHORIZED)
            return
        machine = self.server.find(address)
        _, version, *rest = (*self.path.split("?")[0].split("/"), "")
        value: bytes | None = None
        if machine and not version:
            value = b"latest"
        elif machine and (version == "latest" or _DATED.fullmatch(version)):
            value = look_up(tree(machine), "/".join(rest))
        self._answer(HTTPStatus.NOT_FOUND if value is None else HTTPStatus.OK, value or b"")

    def _answer(self, status: HTTPStatus, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        log.debug("metadata %s " + format, self.client_address[0], *args)
