"""The type that `up --memory` takes, by an EC2 API on this computer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.fleet import data_volume
from tests.unit.looking import LARGE, TWO, Look, look, market, told
from wrapper import deployment
from wrapper.aws import Needs
from wrapper.aws.model import DATA_TAG
from wrapper.data_settings import NO_DATA
from wrapper.deployment import market_data
from wrapper.deployment.events import Note
from wrapper.deployment.wanted import Wanted
from wrapper.errors import RequestError
from wrapper.home import Home, Place, Record, root
from wrapper.settings import Settings

if TYPE_CHECKING:
    from tests.ec2 import Account
    from wrapper.aws import Kind

__all__ = ["look", "market", "told"]  # fixtures, for pytest to find here

SMALL = Needs(memory_gib=20, cpus=4)


def wish(**more: Any) -> Wanted:
    settings = more.pop("settings", Settings(spot=True))
    return Wanted(name="big", settings=settings, new_password=str, needs=LARGE, **more)


def test_up_takes_the_best_offer_and_says_why(look: Look, told: list[Any]) -> None:
    best = look(regions=TWO).offers[0]
    found = deployment.settled(look.world, wish(regions=TWO))
    assert found.settings.instance_type == best.instance_type
    assert (found.region, found.zone) == (best.region, best.zone)
    why = [one.text for one in told if isinstance(one, Note)][-1]
    assert best.instance_type in why
    assert "cheapest of" in why


def test_a_named_type_rules(look: Look) -> None:
    wanted = wish(settings=Settings(instance_type="t3.large"))
    assert deployment.settled(look.world, wanted) == wanted


def test_a_machine_that_has_enough_keeps_its_type_whatever_is_cheaper_now(
    look: Look, told: list[Any]
) -> None:
    world = look.world
    home = Home(root(world.environment) / "big")
    home.create()
    place = Place("aws", "us-east-1", "123456789012")
    home.remember(Record("big", place, {"instance_type": "r5.24xlarge", "spot": True}))
    assert deployment.settled(world, wish()).settings.instance_type == "r5.24xlarge"
    assert "it stays" in told[-1].text
    home.remember(Record("big", place, {"instance_type": "r5.large", "spot": True}))
    chosen = deployment.settled(world, wish(regions=("eu-west-1",)))
    assert chosen.settings.instance_type not in (None, "r5.large")
    # Its data does not leave the region by itself.
    assert chosen.region == "us-east-1"


@pytest.fixture
def mine(look: Look) -> Home:
    """A deployment whose environments were made on arm64; of all that fits, x86_64 is cheaper."""
    assert look(SMALL).offers[0].architecture == "x86_64"
    home = Home(root(look.world.environment) / "big")
    home.create()
    place = Place("aws", "us-east-1", "123456789012")
    home.remember(Record("big", place, {"instance_type": "r7g.large"}, instance_ids=("i-1",)))
    return home


def chosen_for(look: Look, needs: Needs = SMALL, **more: Any) -> Kind:
    world = look.world
    found = deployment.settled(world, replace(wish(**more), needs=needs)).settings.instance_type
    assert found
    return market_data.MarketData(world).kinds("us-east-1", [found])[0]


def test_a_machine_that_grows_stays_on_the_architecture_of_its_environments(
    look: Look, mine: Home
) -> None:
    assert chosen_for(look).architecture == "arm64"
    with pytest.raises(RequestError, match="big is arm64") as refused:
        chosen_for(look, replace(SMALL, architectures=("x86_64",)))
    assert "--fresh-data" in (refused.value.hint or "")
    fresh = Settings(spot=True, data_snapshot_id=NO_DATA)
    assert chosen_for(look, settings=fresh).architecture == "x86_64"
    assert mine.record()


def test_so_does_what_is_made_anew_from_data_that_was_kept(
    look: Look, mine: Home, market: Account
) -> None:
    record = mine.record()
    assert record
    mine.end(record)
    assert chosen_for(look).architecture == "x86_64", "nothing of it is kept"
    ec2 = market.client()
    volume = ec2.create_volume(
        AvailabilityZone="us-east-1a",
        Size=5,
        TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": DATA_TAG, "Value": "big"}]}],
    )["VolumeId"]
    try:
        assert chosen_for(look).architecture == "arm64"
    finally:
        ec2.delete_volume(VolumeId=volume)


def test_kept_data_tells_a_computer_that_knows_nothing_else_of_it(
    look: Look, market: Account, told: list[Any]
) -> None:
    assert chosen_for(look).architecture == "x86_64"
    ec2 = market.client()
    volume = data_volume(ec2, "big", architecture="arm64")
    try:
        assert chosen_for(look).architecture == "arm64"
        assert any("arm64 only" in one.text and volume in one.text for one in told)
        with pytest.raises(RequestError, match="big is arm64"):
            chosen_for(look, replace(SMALL, architectures=("x86_64",)))
    finally:
        ec2.delete_volume(VolumeId=volume)


def test_what_no_quota_allows_is_refused_with_the_way_to_more(look: Look, market: Account) -> None:
    for family in ("standard", "g-and-vt", "p", "x"):
        market.control.quota("spot", 0, family=family)
    try:
        with pytest.raises(RequestError, match="may run 0 of its family") as failed:
            deployment.settled(look.world, wish())
    finally:
        for family in ("standard", "g-and-vt", "p", "x"):
            market.control.quota("spot", None, family=family)
    assert "by the quota L-" in failed.value.message
    code = failed.value.message.rpartition(" ")[2].rstrip(".")
    assert (
        "aws service-quotas request-service-quota-increase --service-code ec2 "
        f"--quota-code {code} --region us-east-1 --desired-value "
    ) in (failed.value.hint or "")
    assert f"servicequotas/home/services/ec2/quotas/{code}" in (failed.value.hint or "")
