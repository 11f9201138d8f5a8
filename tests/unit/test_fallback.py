"""What may take the place of a machine that EC2 does not give, as it is asked for and chosen."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from wrapper import refusals
from wrapper.deployment import fallback
from wrapper.errors import RequestError, SettingsError
from wrapper.home import Place, Record
from wrapper.market_settings import fallback as parsed
from wrapper.settings import Settings, check

if TYPE_CHECKING:
    from tests.ec2 import Account
    from wrapper.aws import Aws


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("zone", ("zone",)),
        ("zone, m5.large,on-demand", ("zone", "m5.large", "on-demand")),
        ("none", ()),
        ("", ()),
        ("zone,zone", ("zone",)),
    ],
)
def test_a_fallback_is_read(words: str, expected: tuple[str, ...]) -> None:
    assert parsed(words) == expected


@pytest.mark.parametrize("words", ["somewhere", "zone;on-demand", "spot", "M5.LARGE", "--yes"])
def test_a_word_that_is_no_fallback_is_refused(words: str) -> None:
    with pytest.raises(SettingsError, match="--fallback"):
        parsed(words)


@pytest.mark.parametrize(
    ("now", "before", "spot", "fallbacks"),
    [
        (Settings(market="auto"), {}, True, ("zone", "on-demand")),
        (Settings(market="auto", fallback=()), {}, True, ()),
        (Settings(market="auto", subnet_id="subnet-1"), {}, True, ("on-demand",)),
        (Settings(market="spot"), {}, True, ()),
        (Settings(market="on-demand", fallback=("zone", "on-demand")), {}, False, ("zone",)),
        (Settings(spot=False), {"market": "auto", "spot": True}, False, ()),
        (Settings(), {"market": "auto", "spot": True}, True, ("zone", "on-demand")),
        (Settings(market="spot"), {"spot": False}, True, ()),
    ],
)
def test_market_and_fallback_go_together(
    now: Settings, before: dict[str, Any], spot: bool, fallbacks: tuple[str, ...]
) -> None:
    found = now.over(before)
    assert (found.spot, found.fallbacks) == (spot, fallbacks)
    assert not {"market", "fallback"} & set(found.variables(name="x", generation=1))


@pytest.mark.parametrize(
    "wrong",
    [
        Settings(market="auto", spot=False),
        Settings(market="on-demand", spot=True),
        Settings(subnet_id="subnet-1", fallback=("zone",)),
    ],
    ids=["auto and on-demand", "on-demand and spot", "zone and subnet"],
)
def test_what_contradicts_itself_is_refused(wrong: Settings) -> None:
    with pytest.raises(SettingsError):
        check(wrong.over({}))


def candidates(aws: Aws, asked: Settings, **more: Any) -> list[str]:
    facts = aws.check_request(fallback.request(asked, aws.region))
    return [str(one) for one in fallback.candidates(aws, asked, facts, data=True, **more)]


def test_candidates_come_in_the_order_that_was_allowed(aws: Aws) -> None:
    asked = Settings(spot=True, fallback=("m5.large", "zone", "on-demand"))
    found = candidates(aws, asked, now="us-east-1b")
    assert found[:3] == [
        "t3.large, spot, in us-east-1b",
        "m5.large, spot, in us-east-1b",
        "t3.large, spot, in us-east-1a",
    ]
    markets = ["spot" in one for one in found]
    assert markets == sorted(markets, reverse=True), "on-demand is the last resort"
    assert "t3.large, on-demand, in us-east-1b" in found
    assert len(set(found)) == len(found)


def test_without_a_fallback_there_is_one_candidate_where_the_module_puts_it(
    aws: Aws, account: Account
) -> None:
    (found,) = candidates(aws, Settings(spot=True))
    first = min(account.client().describe_subnets()["Subnets"], key=lambda one: one["SubnetId"])
    if first["AvailabilityZone"] != "us-east-1e":  # which has no t3
        assert first["AvailabilityZone"] in found


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("t3.lrge", 'no instance type "t3.lrge"'),
        ("t3.micro", "is smaller"),
        ("m6g.large", "arm64"),
        ("t2.large", "Xen generation"),
    ],
)
def test_a_type_that_cannot_take_the_place_is_refused(aws: Aws, word: str, reason: str) -> None:
    with pytest.raises(RequestError, match=reason):
        candidates(aws, Settings(spot=True, fallback=(word,)))


@pytest.mark.parametrize(
    ("first", "word", "reason"),
    [
        ("g4dn.xlarge", "m5.4xlarge", "has no NVIDIA GPU, g4dn.xlarge has 1 NVIDIA GPU of 16 GiB"),
        ("g4dn.12xlarge", "g4dn.16xlarge", "has 1 NVIDIA GPU of 16 GiB, .* has 4 NVIDIA GPUs"),
        ("g5.xlarge", "g4dn.xlarge", "has 1 NVIDIA GPU of 16 GiB, .* 1 NVIDIA GPU of 2"),
    ],
    ids=["none", "fewer", "smaller"],
)
def test_a_type_with_less_of_gpus_is_refused(aws: Aws, first: str, word: str, reason: str) -> None:
    with pytest.raises(RequestError, match=reason):
        candidates(aws, Settings(spot=True, instance_type=first, fallback=(word,)))


def test_a_type_with_as_many_gpus_may_take_the_place(aws: Aws) -> None:
    asked = Settings(spot=True, instance_type="g4dn.xlarge", fallback=("g4dn.2xlarge",))
    assert [one.split(",")[0] for one in candidates(aws, asked)] == ["g4dn.xlarge", "g4dn.2xlarge"]


@pytest.mark.parametrize(
    ("code", "helped"),
    [
        ("capacity-not-available", {"zone", "type", "market"}),
        ("InsufficientInstanceCapacity", {"zone", "type", "market"}),
        ("MaxSpotInstanceCountExceeded", {"type", "market"}),
        ("VcpuLimitExceeded", {"type"}),
        ("bad-parameters", set()),
    ],
)
def test_only_what_may_help_is_tried(code: str, helped: set[str]) -> None:
    refusal = refusals.of_code(code)
    asked = fallback.Candidate(
        "t3.large", spot=code != "VcpuLimitExceeded", zone="a", subnet_id="s"
    )
    others = {
        "zone": dataclasses.replace(asked, zone="b"),
        "type": dataclasses.replace(asked, instance_type="m5.large"),
    }
    if asked.spot:
        others["market"] = dataclasses.replace(asked, spot=False)
    tried = {way for way, one in others.items() if fallback.may_help(refusal, asked, one)}
    assert tried == helped


@pytest.mark.parametrize(
    ("settings", "replace", "kept"),
    [
        ({}, False, {"instance_type": "m5.large", "spot": False, "subnet_id": "subnet-b"}),
        ({"instance_type": "c5.large"}, False, {"subnet_id": "subnet-b"}),
        ({"subnet_id": "subnet-c"}, False, {}),
        ({}, True, {"subnet_id": "subnet-b"}),
    ],
    ids=["the same", "another type", "another subnet", "another machine"],
)
def test_what_was_chosen_holds_until_another_is_asked_for(
    settings: dict[str, Any], replace: bool, kept: dict[str, Any]
) -> None:
    chosen = {"instance_type": "m5.large", "spot": False, "subnet_id": "subnet-b"}
    place = Place("aws", "us-east-1", "123456789012")
    before = Record(name="x", place=place, chosen=chosen, instance_ids=("i-1",))
    assert fallback.still_chosen(before, settings, replace=replace, data=True) == kept
    never = dataclasses.replace(before, instance_ids=())
    assert fallback.still_chosen(never, settings, replace=replace, data=False) == {}
    stays = {key: value for key, value in kept.items() if key == "subnet_id"}
    assert fallback.still_chosen(never, settings, replace=replace, data=True) == stays
