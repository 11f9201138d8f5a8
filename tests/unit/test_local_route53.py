"""Route 53 for machines: one record of one zone, and nothing else of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.unit.zones import NAME, a_zone
from wrapper.local import credentials
from wrapper.local.api.policy import decision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.zones import Zone


@dataclass
class World:
    """A zone, and Route 53 as the machine finds it."""

    zone: Zone
    machine: Any

    def change(self, *records: tuple[str, str, str, str], zone_id: str | None = None) -> str:
        """By the machine; the id of the change."""
        changes = [
            {
                "Action": action,
                "ResourceRecordSet": {
                    "Name": name,
                    "Type": kind,
                    "TTL": 10,
                    "ResourceRecords": [{"Value": value}],
                },
            }
            for action, name, kind, value in records
        ]
        said = {"HostedZoneId": zone_id or self.zone.zone_id, "ChangeBatch": {"Changes": changes}}
        return str(self.machine.change_resource_record_sets(**said)["ChangeInfo"]["Id"])


@pytest.fixture
def world() -> Iterator[World]:
    with a_zone() as zone:
        given = credentials.issue(zone.role)
        machine = boto3.client(
            "route53",
            region_name="eu-central-1",
            endpoint_url=zone.door,
            aws_access_key_id=given.key,
            aws_secret_access_key=given.secret,
            aws_session_token=given.token,
            config=Config(retries={"total_max_attempts": 1}),
        )
        yield World(zone, machine)


def test_the_role_writes_its_record_and_takes_it_away(world: World) -> None:
    change = world.change(("UPSERT", NAME, "TXT", '"proof"'))

    assert world.machine.get_change(Id=change)["ChangeInfo"]["Status"] == "INSYNC"
    assert world.zone.held() == {f"{NAME}.": '"proof"'}
    world.change(("DELETE", f"{NAME}.", "TXT", '"proof"'))
    assert world.zone.held() == {}


MINE = ("UPSERT", NAME, "TXT", '"proof"')


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([("UPSERT", "notebook.example.org", "TXT", '"x"')], id="name"),
        pytest.param([("UPSERT", f"deeper.{NAME}", "TXT", '"x"')], id="below"),
        pytest.param([("UPSERT", NAME, "CNAME", "elsewhere.example.org")], id="type"),
        pytest.param([("CREATE", NAME, "TXT", '"x"')], id="action"),
        pytest.param([MINE, ("UPSERT", "www.example.org", "TXT", '"x"')], id="one-of-two"),
    ],
)
def test_no_other_record_is_written(world: World, records: list[tuple[str, str, str, str]]) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        world.change(*records)
    assert world.zone.held() == {}


def test_nothing_else_of_route_53_is_asked(world: World) -> None:
    other = {"Name": "of.example.org", "CallerReference": "other"}
    made = world.zone.route53.create_hosted_zone(**other)["HostedZone"]
    with pytest.raises(ClientError, match="AccessDenied"):
        world.change(MINE, zone_id=made["Id"].rpartition("/")[2])
    for call in (
        world.machine.list_hosted_zones,
        lambda: world.machine.list_resource_record_sets(HostedZoneId=world.zone.zone_id),
        lambda: world.machine.delete_hosted_zone(Id=world.zone.zone_id),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            call()


def test_a_body_that_was_not_signed_is_refused(world: World) -> None:
    def forge(request: Any, **_: Any) -> None:
        request.body = request.body.replace(b"proof", b"forge")

    world.machine.meta.events.register("before-send", forge)

    with pytest.raises(ClientError, match="AccessDenied"):
        world.change(MINE)
    assert world.zone.held() == {}


def test_without_a_signature_there_is_nothing(world: World) -> None:
    reply = requests.get(f"{world.zone.door}/2013-04-01/hostedzone", timeout=10)

    assert (reply.status_code, b"example.org" in reply.content) == (403, False)


@pytest.mark.parametrize(
    ("present", "said"),
    [(("a",), "Allow"), (("a", "b"), "Allow"), (("a", "c"), None), ((), "Allow")],
)
def test_for_all_values_asks_that_there_be_no_other(
    present: tuple[str, ...], said: str | None
) -> None:
    statement = {
        "Effect": "Allow",
        "Action": "x:Do",
        "Resource": "*",
        "Condition": {"ForAllValues:StringEquals": {"x:Key": ["a", "b"]}},
    }
    context = {"x:key": present} if present else {}
    asked: dict[str, Any] = {"action": "x:Do", "resource": "r", "context": context}

    assert decision({"Statement": [statement]}, **asked, identity=True) == said
