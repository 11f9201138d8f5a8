"""The metadata service as a guest's software asks it, over real HTTP."""

from __future__ import annotations

import json
import socket
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
import requests

from tests.unit.local_spec import SPEC
from wrapper.local.machines import MachineSpec, Notice, Role
from wrapper.local.metadata import Server
from wrapper.local.metadata_tree import look_up, tree

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Machine:
    """What the service asks of a machine."""

    spec: MachineSpec = SPEC
    public_ip: str | None = "198.18.0.10"
    launched: str = "2026-11-22T12:00:00Z"
    notice: Notice | None = None
    role: Role | None = None
    block_devices: tuple[str, ...] = ("/dev/sdf", "/dev/sdg")


class Guest:
    """Asks as a guest does."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.token: str | None = None

    def ask(self, path: str, *, method: str = "GET", **headers: str) -> tuple[int, bytes]:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            names["X-aws-ec2-metadata-token"] = self.token
        reply = requests.request(method, self.base + path, headers=names, timeout=5)
        return reply.status_code, reply.content

    def get_token(self, seconds: str = "60", **headers: str) -> int:
        headers["X_aws_ec2_metadata_token_ttl_seconds"] = seconds
        status, body = self.ask("/latest/api/token", method="PUT", **headers)
        self.token = body.decode() or None
        return status


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def guest(machine: Machine) -> Iterator[Guest]:
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    server = Server(listening, lambda ip: machine if ip == machine.spec.private_ip else None)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield Guest(port)
    server.shutdown()
    server.server_close()


def test_nothing_is_told_without_a_token(guest: Guest) -> None:
    assert guest.ask("/latest/meta-data/instance-id") == (401, b"")
    guest.token = "made-up"
    assert guest.ask("/latest/meta-data/instance-id") == (401, b"")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/latest/meta-data/instance-id", b"i-0123456789abcdef0"),
        ("/2021-03-23/meta-data/placement/availability-zone", b"eu-central-1a"),
        ("/latest/meta-data/public-ipv4", b"198.18.0.10"),
        ("/latest/meta-data/hostname", b"ip-127-0-0-1.eu-central-1.compute.internal"),
        ("/latest/meta-data/instance-life-cycle", b"spot"),
        ("/latest/meta-data/public-keys/", b"0=me@laptop"),
        ("/latest/meta-data/public-keys/0/openssh-key", b"ssh-ed25519 AAAA me@laptop"),
        ("/latest/meta-data/network/interfaces/macs/", b"02:11:22:33:44:55/"),
        ("/latest/meta-data/block-device-mapping/", b"ami\nebs1\nebs2\nroot"),
        ("/latest/meta-data/block-device-mapping/ebs2", b"/dev/sdg"),
        ("/latest/user-data", b"\x1f\x8b\x00binary"),
        ("/latest/", b"dynamic/\nmeta-data/\nuser-data"),
    ],
)
def test_with_a_token_the_machine_reads_its_own(guest: Guest, path: str, value: bytes) -> None:
    assert guest.get_token() == 200
    assert guest.ask(path) == (200, value)


@pytest.mark.parametrize(
    "path",
    [
        "/latest/meta-data/spot/instance-action",
        "/latest/meta-data/spot/termination-time",
        "/latest/meta-data/events/recommendations/rebalance",
        "/latest/meta-data/iam/security-credentials/",
        "/latest/meta-data/instance-id/more",
        "/oldest/meta-data/",
    ],
)
def test_what_there_is_not_is_not_found(guest: Guest, path: str) -> None:
    guest.get_token()
    assert guest.ask(path)[0] == 404


@pytest.mark.parametrize("seconds", ["0", "21601", "-1", "soon", ""])
def test_a_token_lives_as_long_as_aws_lets_it(guest: Guest, seconds: str) -> None:
    assert guest.get_token(seconds) == 400


def test_a_token_through_a_proxy_is_refused(guest: Guest) -> None:
    assert guest.get_token(X_Forwarded_For="203.0.113.9") == 403


def test_the_public_address_follows_the_elastic_one(guest: Guest, machine: Machine) -> None:
    guest.get_token()
    machine.public_ip = "198.18.0.77"
    assert guest.ask("/latest/meta-data/public-ipv4") == (200, b"198.18.0.77")
    machine.public_ip = None
    assert guest.ask("/latest/meta-data/public-ipv4")[0] == 404


@pytest.mark.parametrize(
    ("notice", "found"),
    [
        pytest.param(
            Notice(rebalance="2026-11-22T12:00:00Z"),
            {"events/recommendations/rebalance": {"noticeTime": "2026-11-22T12:00:00Z"}},
            id="likely",
        ),
        pytest.param(
            Notice("stop", "2026-11-22T12:02:00Z"),
            {"spot/instance-action": {"action": "stop", "time": "2026-11-22T12:02:00Z"}},
            id="stop",
        ),
        pytest.param(
            Notice("terminate", "2026-11-22T12:02:00Z", "2026-11-22T12:00:00Z"),
            {
                "events/recommendations/rebalance": {"noticeTime": "2026-11-22T12:00:00Z"},
                "spot/instance-action": {"action": "terminate", "time": "2026-11-22T12:02:00Z"},
                "spot/termination-time": "2026-11-22T12:02:00Z",
            },
            id="terminate",
        ),
    ],
)
def test_a_notice_is_told_as_aws_writes_it(
    guest: Guest, machine: Machine, notice: Notice, found: dict[str, object]
) -> None:
    guest.get_token()
    machine.notice = notice

    for path in (
        "events/recommendations/rebalance",
        "spot/instance-action",
        "spot/termination-time",
    ):
        status, body = guest.ask(f"/latest/meta-data/{path}")
        assert status == (200 if path in found else 404)
        if path in found:
            told = body.decode()
            assert (told if path.endswith("time") else json.loads(told)) == found[path]


def test_another_machine_reads_nothing_of_this_one(guest: Guest, machine: Machine) -> None:
    guest.get_token()
    machine.spec = replace(SPEC, private_ip="10.0.0.9")
    assert guest.ask("/latest/meta-data/instance-id")[0] == 404


def test_the_identity_document_is_json_as_aws_signs_it() -> None:
    document = look_up(tree(Machine()), "dynamic/instance-identity/document")
    assert document is not None
    assert json.loads(document)["availabilityZone"] == "eu-central-1a"


def test_no_user_data_is_not_empty_user_data() -> None:
    assert look_up(tree(Machine(replace(SPEC, user_data=b""))), "user-data") is None


def test_the_credentials_of_a_role_are_told_as_aws_writes_them(
    guest: Guest, machine: Machine
) -> None:
    guest.get_token()
    assert guest.ask("/latest/meta-data/iam/security-credentials/")[0] == 404

    machine.role = Role(
        "123456789012", "of-the-machine", "arn:aws:iam::1:instance-profile/p", "AIP"
    )

    assert guest.ask("/latest/meta-data/iam/security-credentials/") == (200, b"of-the-machine")
    status, body = guest.ask("/latest/meta-data/iam/security-credentials/of-the-machine")
    told = json.loads(body)
    assert (status, told["Code"], told["Type"]) == (200, "Success", "AWS-HMAC")
    assert told["AccessKeyId"].startswith("ASIA")
    info = json.loads(guest.ask("/latest/meta-data/iam/info")[1])
    assert info["InstanceProfileArn"] == "arn:aws:iam::1:instance-profile/p"
