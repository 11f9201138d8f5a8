"""What a machine may read of itself, as AWS lays it out: values in folders."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Protocol

from . import credentials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .machines import MachineSpec, Notice, Role

Tree = dict[str, "str | bytes | Tree"]


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
    """All that the machine may read below /latest/."""
    spec = machine.spec
    found: Tree = {
        "dynamic": {"instance-identity": {"document": json.dumps(_identity(machine), indent=2)}},
        "meta-data": _meta_data(machine),
    }
    if spec.user_data:
        found["user-data"] = spec.user_data
    return found


def _meta_data(machine: Described) -> Tree:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-metadata.html"""
    spec, hostname = machine.spec, _hostname(machine.spec)
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
        "network": {"interfaces": {"macs": {spec.mac: _interface(machine)}}},
        "placement": {"availability-zone": spec.zone, "region": spec.region},
        "profile": "default-hvm",
        "reservation-id": f"r-{spec.instance_id.removeprefix('i-')}",
        "security-groups": "\n".join(spec.security_groups),
        "services": {"domain": "amazonaws.com", "partition": "aws"},
    }
    if machine.public_ip:
        data["public-ipv4"] = machine.public_ip
    if machine.notice:
        data |= _notice(machine.notice)
    if machine.role:
        data["iam"] = _role(machine.role)
    if spec.public_keys:
        data["public-keys"] = {
            f"{index}={key.split()[-1] if len(key.split()) > 2 else 'key'}": {"openssh-key": key}  # noqa: PLR2004 - type, key, comment
            for index, key in enumerate(spec.public_keys)
        }
    return data


def _hostname(spec: MachineSpec) -> str:
    domain = "ec2.internal" if spec.region == "us-east-1" else f"{spec.region}.compute.internal"
    return f"ip-{spec.private_ip.replace('.', '-')}.{domain}"


def _interface(machine: Described) -> Tree:
    spec, public = machine.spec, machine.public_ip
    found: Tree = {
        "device-number": "0",
        "interface-id": f"eni-{spec.instance_id.removeprefix('i-')}",
        "local-hostname": _hostname(spec),
        "local-ipv4s": spec.private_ip,
        "mac": spec.mac,
        "owner-id": spec.account_id,
        "security-groups": "\n".join(spec.security_groups),
        "subnet-ipv4-cidr-block": spec.subnet_cidr,
        "vpc-ipv4-cidr-block": spec.vpc_cidr,
        "vpc-ipv4-cidr-blocks": spec.vpc_cidr,
    }
    if public:
        found["public-ipv4s"] = public
        found["ipv4-associations"] = {public: spec.private_ip}
    return found


def _identity(machine: Described) -> dict[str, str]:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html"""
    spec = machine.spec
    return {
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
