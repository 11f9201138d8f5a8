"""What an account holds of deployments, whoever made them; and what of it may be ended."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.fleet import data_volume, fulfilled, launch, request_spot, state, tags, until
from tests.unit.two_regions import HERE, THERE, Scene, scene, typed
from wrapper import cli, deployment, journal
from wrapper.aws import tagged
from wrapper.deployment.events import Warned
from wrapper.deployment.take_down import Wish
from wrapper.errors import AwsError, CloudsError, CredentialsError, UsageError
from wrapper.spending import Moment

__all__ = ["scene", "typed"]  # fixtures, for pytest to find here


def test_an_account_is_searched_region_by_region_with_what_it_costs(scene: Scene) -> None:
    ec2 = scene.account.client()
    machine = fulfilled(ec2, request_spot(ec2, "alive"))
    volume = data_volume(ec2, "alive", machine, gib=100)
    scene.address("lost", THERE)
    scene.remember("lost", HERE)  # the same name elsewhere is another deployment
    scene.remember("alive")
    found = scene.found()
    assert set(found) == {("alive", HERE), ("lost", THERE)}
    alive, lost = found["alive", HERE], found["lost", THERE]
    assert (alive.known, alive.state, alive.instance_id) == (True, "running", machine)
    assert f"volume {volume}" in alive.left
    assert alive.hourly_price
    assert alive.monthly_price > 8
    assert (lost.known, lost.state, lost.hourly_price) == (False, "absent", None)
    assert lost.monthly_price == 3.65


def test_what_another_computers_notebook_has_cost_is_reckoned_from_the_account(
    scene: Scene,
) -> None:
    ec2 = scene.account.client()
    machine = launch(ec2, "theirs")
    once = scene.found()["theirs", HERE].spent
    assert once
    # A run costs a minute at least.
    assert once >= 0.0832 / 60 * 0.9
    ec2.stop_instances(InstanceIds=[machine])
    until(lambda: state(ec2, machine) == "stopped")
    ec2.start_instances(InstanceIds=[machine])
    until(lambda: state(ec2, machine) == "running")
    twice = scene.found()["theirs", HERE].spent
    assert twice
    assert twice >= 1.9 * once, "CloudTrail knows of the first run"
    scene.account.control.refuse("cloudtrail:LookupEvents", "denied")
    less = scene.found()["theirs", HERE].spent
    assert less
    assert less < twice


def test_what_this_computer_saw_of_its_own_counts(scene: Scene) -> None:
    home = scene.remember("mine")
    scene.address("mine")
    now = datetime.now(UTC)
    kind = journal.Machine("t3.large", "us-east-1a", "on-demand", "0.5")
    gone = "i-0123456789abcdef0"
    for hours, what in ((5, "started"), (3, "stopped")):
        moment = Moment(now - timedelta(hours=hours), what, gone)  # type: ignore[arg-type] # literals
        journal.add_moment(home, moment, kind)
    spent = scene.found()["mine", HERE].spent
    assert spent
    assert 2 * 0.08 < spent < 2 * 0.5 + 0.1


def test_all_regions_are_those_of_the_account(scene: Scene) -> None:
    scene.address("lost", "ap-southeast-2")
    seen = deployment.census(scene.world, local=True)
    assert len(seen.ways) > 10
    assert [(one.name, one.region) for one in seen.found] == [("lost", "ap-southeast-2")]


def test_what_nobody_remembers_is_ended_in_every_region(scene: Scene) -> None:
    scene.address("lost"), scene.address("lost", THERE)
    bucket = "jupyter-clouds-forlorn-0123456789ab"
    s3 = scene.account.client(service="s3")
    s3.create_bucket(Bucket=bucket)
    tag = {"Key": "jupyter-clouds:deployment", "Value": "forlorn"}
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [tag]})
    done = scene.sweep()
    assert [one.name for one in done.ended] == ["lost", "forlorn", "lost"]
    assert scene.found() == {}
    assert scene.sweep().ended == (), "again: nothing to do"


def test_what_may_be_somebodys_is_spared_and_said(scene: Scene) -> None:
    ec2 = scene.account.client()
    machine = launch(ec2, "theirs")
    scene.address("mine")
    scene.remember("mine")
    done = scene.sweep()
    assert done.ended == ()
    assert {one.name: why for one, why in done.spared} == {
        "mine": "this computer's: python -m wrapper down mine",
        "theirs": "has a machine (running), perhaps another computer's: sweep --machines",
    }
    done = scene.sweep(machines=True)
    assert [(one.name, one.ended) for one in done.ended] == [("theirs", (f"instance {machine}",))]
    assert [one.name for one, _ in done.spared] == ["mine"]


def test_data_goes_into_a_snapshot_unless_told_otherwise_and_is_spared_then(scene: Scene) -> None:
    volume = data_volume(scene.account.client(), "lost", gib=8)
    done = scene.sweep(wish=Wish("snapshot"))
    (kept,) = done.ended[0].kept
    assert (kept.kind, kept.gib) == ("snapshot", 8)
    assert done.ended[0].removed == ()
    left = scene.account.client().describe_volumes()["Volumes"]
    assert volume not in [one["VolumeId"] for one in left]
    again = scene.sweep()
    assert again.ended == ()
    assert [(one.name, why) for one, why in again.spared] == [("lost", "kept on purpose")]


def test_each_one_is_asked_about(scene: Scene) -> None:
    # A disk; and what holds nothing, as an address does: it may be somebody's all the same.
    scene.account.client().create_volume(
        AvailabilityZone="us-east-1a", Size=1, TagSpecifications=tags("first", "volume")
    )
    scene.address("second"), scene.address("third")
    scene.agrees = [False, False, True]
    done = scene.sweep()
    assert [one.name for one in done.ended] == ["third"]
    assert [(one.name, why) for one, why in done.spared] == [
        ("first", "Nothing was ended."),
        ("second", "Nothing was ended."),
    ]


@pytest.mark.parametrize("error", [AwsError, CredentialsError])
def test_a_region_that_cannot_be_asked_is_told_and_the_others_are_searched(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, error: type[CloudsError]
) -> None:
    scene.address("lost")
    names = tagged.names

    def denied(account: Any) -> list[str]:
        if account.region == THERE:
            raise error("UnauthorizedOperation: not there", hint="")
        return names(account)

    monkeypatch.setattr(tagged, "names", denied)
    assert set(scene.found()) == {("lost", HERE)}
    warned = [one.text for one in scene.told if isinstance(one, Warned)]
    assert warned == [f"{THERE} was not searched: UnauthorizedOperation: not there"]
    # Where nobody answers there is no list.
    with pytest.raises(error, match="not there"):
        deployment.census(scene.world, local=True, regions=(THERE,))


def test_a_region_that_is_none_is_refused_before_anything_is_asked(scene: Scene) -> None:
    with pytest.raises(UsageError, match=r"Not a region .*: us-moon-1") as caught:
        scene.sweep(regions=("us-moon-1", HERE))
    assert HERE in str(caught.value.hint)


def test_the_command_line_tells_all_of_it(
    typed: Scene, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed.address("lost")
    monkeypatch.setattr(tagged, "regions", lambda _: [THERE, HERE])
    assert cli.main(["list", "--all-regions", "--local", "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["name"], one["known"], one["monthly_price"]) == ("lost", False, 3.65)
    assert cli.main(["list", "--all-regions", "--local"]) == 0
    printed = capsys.readouterr().out
    assert "(not of this computer)" in printed
    assert "all of it: about $3.65 a month, and $0.0000 an hour; about $0.00 so far" in printed
    assert cli.main(["sweep", "--local", "--regions", HERE, "--yes"]) == 0
    assert capsys.readouterr().out == "1 swept\n"
    assert cli.main(["sweep", "--local", "--regions", HERE, "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"ended": [], "spared": []}


@pytest.mark.parametrize(
    "words",
    [["down", "gpu", "--all"], ["down", "--all", "--region", HERE], ["list", "--local"]],
    ids=["a name and all", "a region and all", "local and not the account"],
)
@pytest.mark.usefixtures("typed")
def test_contradictions_are_usage_errors(words: list[str]) -> None:
    assert cli.main([*words]) == 2
