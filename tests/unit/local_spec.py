"""A machine of the embedded EC2, as it is asked for."""

from __future__ import annotations

from wrapper.local.machines import MachineSpec

SPEC = MachineSpec(
    instance_id="i-0123456789abcdef0",
    image="debian-12",
    architecture="x86_64",
    instance_type="t3.large",
    memory_mib=8192,
    private_ip="127.0.0.1",
    mac="02:11:22:33:44:55",
    subnet_cidr="127.0.0.0/20",
    vpc_cidr="127.0.0.0/16",
    region="eu-central-1",
    zone="eu-central-1a",
    account_id="123456789012",
    ami_id="ami-0abcdef1234567890",
    root_gib=30,
    user_data=b"\x1f\x8b\x00binary",
    public_keys=("ssh-ed25519 AAAA me@laptop",),
    security_groups=("notebook",),
    lifecycle="spot",
)
