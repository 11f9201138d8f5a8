"""The machines' door to S3: what a bucket's policy lets somebody without credentials read."""

from __future__ import annotations

import json
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.ec2 import served
from wrapper.local.api.policy import decision
from wrapper.local.gateway import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ec2 import Account

ADDRESS = "198.18.0.10"
ARN = "arn:aws:s3:::programs-of-a-test"


@dataclass
class Machine:
    """What the door asks of a machine."""

    public_ip: str | None = ADDRESS


@dataclass
class Door:
    """The door, and the machine that stands before it."""

    url: str
    machine: Machine | None

    def get(self, path: str = "/programs-of-a-test/a/b.json") -> tuple[int, bytes]:
        reply = requests.get(f"{self.url}{path}", timeout=10)
        return reply.status_code, reply.content


@pytest.fixture
def account() -> Iterator[Account]:
    """An account with one bucket and one object."""
    with served() as running:
        s3 = running.client(service="s3")
        s3.create_bucket(Bucket="programs-of-a-test")
        s3.put_object(Bucket="programs-of-a-test", Key="a/b.json", Body=b"{}")
        yield running
        s3.delete_object(Bucket="programs-of-a-test", Key="a/b.json")
        s3.delete_bucket(Bucket="programs-of-a-test")


@pytest.fixture
def door(account: Account) -> Iterator[Door]:
    listening = socket.create_server(("127.0.0.1", 0))
    found = Door(f"http://127.0.0.1:{listening.getsockname()[1]}", Machine())
    server = serve(listening, lambda _: found.machine, account.services)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def allow(account: Account, *more: dict[str, Any], resource: str = f"{ARN}/a/b.json") -> None:
    reads = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": resource,
        "Condition": {"IpAddress": {"aws:SourceIp": f"{ADDRESS}/32"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [reads, *more]})
    account.client(service="s3").put_bucket_policy(Bucket="programs-of-a-test", Policy=policy)


def test_without_a_policy_nobody_reads(account: Account, door: Door) -> None:
    assert account
    assert door.get()[0] == 403


def test_the_machine_reads_what_the_policy_lets_its_address_read(
    account: Account, door: Door
) -> None:
    allow(account)

    assert door.get() == (200, b"{}")
    assert door.get("/programs-of-a-test/a%2Fb.json") == (200, b"{}")
    for path in ("/programs-of-a-test/a/c.json", "/programs-of-a-test/", "/another/a/b.json", "/"):
        assert door.get(path)[0] == 403


@pytest.mark.parametrize(
    "machine",
    [Machine("198.18.0.11"), Machine(None), None],
    ids=["another-address", "no-address", "no-machine"],
)
def test_nobody_else_reads(account: Account, door: Door, machine: Machine | None) -> None:
    allow(account)
    door.machine = machine

    assert door.get()[0] == 403


def test_an_object_that_is_allowed_and_not_there_looks_like_one_that_is_not_allowed(
    account: Account, door: Door
) -> None:
    allow(account, resource=f"{ARN}/*")

    assert door.get("/programs-of-a-test/absent")[0] == 403


def test_a_denial_of_plain_http_holds_at_the_door_and_not_for_the_owner(
    account: Account, door: Door
) -> None:
    denied = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [ARN, f"{ARN}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    allow(account, denied)

    assert door.get()[0] == 403
    s3 = account.client(service="s3")
    assert s3.head_object(Bucket="programs-of-a-test", Key="a/b.json")["ContentLength"] == 2


def test_the_owner_is_denied_what_is_denied_to_all(account: Account) -> None:
    denied = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"{ARN}/*"}
    allow(account, denied)

    with pytest.raises(ClientError, match="403"):
        account.client(service="s3").get_object(Bucket="programs-of-a-test", Key="a/b.json")


def test_the_api_itself_asks_for_credentials(account: Account) -> None:
    allow(account)

    reply = requests.get(f"{account.endpoint}/programs-of-a-test/a/b.json", timeout=10)

    assert (reply.status_code, b"AccessDenied" in reply.content) == (403, True)


def test_accounts_see_their_own_buckets(account: Account) -> None:
    with served() as other:
        assert other.client(service="s3").list_buckets()["Buckets"] == []
    assert account.client(service="s3").list_buckets()["Buckets"]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ({}, "Allow"),
        ({"Action": ["s3:Put*", "S3:get*"]}, "Allow"),
        ({"Action": "s3:PutObject"}, None),
        ({"Principal": {"AWS": "*"}}, "Allow"),
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}, None),
        ({"Resource": f"{ARN}/*"}, "Allow"),
        ({"Resource": f"{ARN}/[a]/b.json"}, None),
        ({"Condition": {"IpAddress": {"aws:sourceip": ["10.0.0.0/8", "198.18.0.0/15"]}}}, "Allow"),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, None),
        ({"Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}, None),
        ({"Effect": "Deny"}, "Deny"),
    ],
)
def test_a_policy_is_read_as_aws_reads_it(statement: dict[str, Any], said: str | None) -> None:
    base = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    whole = {**base, "Resource": f"{ARN}/a/b.json", **statement}

    found = decision(
        {"Statement": [whole]},
        action="s3:GetObject",
        resource=f"{ARN}/a/b.json",
        context={"aws:sourceip": ADDRESS},
    )

    assert found == said


def test_a_condition_that_nobody_knows_is_no_consent() -> None:
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": "*",
        "Condition": {"StringNotLike": {"aws:UserAgent": "*"}},
    }
    with pytest.raises(ValueError, match="StringNotLike"):
        decision({"Statement": [statement]}, action="s3:GetObject", resource=ARN, context={})
