"""`up` that failed, and the commands after it; no Terraform, an account with no machines."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.aws_answers import KEYS, refusing
from tests.unit.conftest import PASSWORD
from tests.unit.failing import Failing, home_of, terraform, told, up, world
from tests.unit.fleet import fulfilled, launch, request_spot, state, until
from tests.unit.worlds import bare_world
from wrapper import clock, deployment
from wrapper.deployment import applying, place, preparing, question
from wrapper.deployment.wanted import Wanted
from wrapper.errors import (
    CloudsError,
    CredentialsError,
    DiskError,
    NoAnswerError,
    PasswordError,
    RequestError,
    TerraformError,
    UsageError,
)
from wrapper.home import Home, Place, Record, homes, root
from wrapper.settings import Settings
from wrapper.terraform import Change, Plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
    from wrapper.deployment.world import World

__all__ = ["terraform", "told", "up", "world"]  # fixtures, for pytest to find here

ZONED: dict[str, Any] = {"domain": "a.example.org", "tls": "letsencrypt", "zone_id": "Z0123456789"}


class Applied(Failing):
    """One that has made everything, and keeps no plan that would change nothing."""

    told: dict[str, Any] = {"url": "https://198.18.0.1:9999/"}  # noqa: RUF012 (never changed)

    def plan(self) -> Plan:  # type: ignore[override] # the other one never returns
        """Nothing is left to do."""
        return Plan(())

    def apply(self, *_: Any) -> None:
        """What no plan was kept of."""
        raise TerraformError("no plan", hint="")

    def outputs(self) -> dict[str, Any]:
        """As in the state."""
        return self.told


@pytest.mark.parametrize(
    ("step", "refusal"),
    [
        ("init", TerraformError("refused", hint="")),
        ("plan", TerraformError("refused", hint="")),
        ("plan", UsageError("refused", hint="")),
    ],
    ids=["no provider", "no plan", "not possible"],
)
def test_down_finds_the_place_of_an_up_that_failed(
    world: World, up: Callable[..., None], terraform: Failing, step: str, refusal: CloudsError
) -> None:
    terraform.errors = {step: refusal}
    with pytest.raises(type(refusal), match="refused"):
        up()
    (home,) = homes(world.environment)
    done = deployment.down(world, home.name)
    assert (done.ended, done.removed, done.left) == ((), (), ())


def test_an_up_that_was_killed_when_terraform_was_done_learns_what_it_made(
    world: World, name: str, up: Callable[..., None]
) -> None:
    with pytest.raises(TerraformError):
        up()
    applied = replace(world, terraform=Applied())  # type: ignore[arg-type] # as much as is asked
    wanted = Wanted(name=name, settings=Settings(), new_password=lambda: PASSWORD, local=True)
    with pytest.raises(NoAnswerError, match="has no machine"):  # it made none here
        deployment.up(applied, wanted)
    record = home_of(world, name).record()
    assert record is not None
    assert record.outputs == Applied.told


def test_down_finds_the_place_of_an_up_that_was_not_agreed_to(
    world: World, name: str, up: Callable[..., None]
) -> None:
    with pytest.raises(PasswordError):
        up("password1")
    refusing = replace(world, confirm=lambda _: False)
    wanted = Wanted(
        name=name,
        settings=Settings(allow=("203.0.113.7/32",)),
        new_password=lambda: PASSWORD,
        local=True,
    )
    with pytest.raises(UsageError, match="Nothing was made"):
        deployment.up(refusing, wanted)
    assert home_of(world, name).password() is None
    assert deployment.every(world) == []
    assert deployment.down(world, name).left == ()


def test_a_region_that_does_not_exist_is_not_where_down_looks(
    world: World, name: str, up: Callable[..., None]
) -> None:
    with pytest.raises(RequestError, match="atlantis-1"):
        up(region="atlantis-1")
    assert homes(world.environment) == []
    with pytest.raises(RequestError, match="gigantic"):
        up(settings=Settings(instance_type="t3.gigantic"))
    assert deployment.down(world, name).left == ()


def test_a_refused_request_does_not_wait_for_providers(
    world: World, name: str, up: Callable[..., None], terraform: Failing
) -> None:
    terraform.slow = True
    with pytest.raises(RequestError, match="gigantic"):
        up(settings=Settings(instance_type="t3.gigantic"))
    assert home_of(world, name).is_bare()


@pytest.mark.parametrize(
    ("ahead", "wrong"), [(3600, "60 minutes slow"), (-3600, "60 minutes fast")]
)
def test_a_wrong_clock_is_told_with_what_mends_it_and_nothing_is_made(
    world: World, name: str, terraform: Failing, ahead: float, wrong: str
) -> None:
    """As AWS answers a signature of another hour; its answer has its own date."""
    terraform.slow = True
    wanted = Wanted(name=name, new_password=lambda: PASSWORD, settings=Settings())
    with refusing("RequestExpired", "Request has expired", ahead) as endpoint:
        aws = {**KEYS, "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": endpoint}
        there = replace(world, environment={**world.environment, **aws})
        with pytest.raises(CredentialsError, match=f"clock is {wrong}") as raised:
            deployment.up(there, wanted)
    assert raised.value.hint == clock.command()
    assert home_of(world, name).is_bare()


def test_more_hours_than_a_month_has_are_asked_about_before_anything_is_made(
    world: World, name: str
) -> None:
    asked: list[str] = []
    no = replace(world, confirm=lambda question: bool(asked.append(question)))  # type: ignore[func-returns-value] # None is a no
    wanted = Wanted(name=name, new_password=lambda: PASSWORD, settings=Settings(max_hours=721))
    with pytest.raises(UsageError, match="Nothing was changed"):
        deployment.up(no, wanted)
    assert "721 hours are more than a month" in asked[0]
    assert home_of(world, name).is_bare()


def test_what_lies_in_a_directory_is_left_until_the_request_is_checked(
    world: World, name: str, up: Callable[..., None]
) -> None:
    home = home_of(world, name)
    home.create()
    state = home.write("terraform.tfstate", "a machine that nobody else knows of")
    with pytest.raises(RequestError, match="gigantic"):
        up(settings=Settings(instance_type="t3.gigantic"))
    assert state.read_text() == "a machine that nobody else knows of"


def test_a_full_disk_is_told_before_anything_is_made(
    up: Callable[..., None], monkeypatch: pytest.MonkeyPatch, told: list[Any]
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    with pytest.raises(DiskError, match="has 1 MiB free; 50 are needed") as raised:
        up()
    assert "df -h" in (raised.value.hint or "")
    assert told == []


def test_what_was_refused_is_taken_up_by_no_other_command(
    world: World, name: str, up: Callable[..., None], ec2: EC2Client
) -> None:
    with pytest.raises(TerraformError):
        up()
    launch(ec2, name)
    before = home_of(world, name).variables()
    with pytest.raises(TerraformError, match="planned"):
        up(settings=Settings(allow=("203.0.113.7/32",), root_volume_size=99))
    assert home_of(world, name).variables() == before
    deployment.down(world, name)


def test_a_bucket_that_an_interrupted_up_left_half_made_is_removed_before_it_is_made_again(
    tmp_path: Path, account: Account
) -> None:
    told: list[Any] = []
    terraform = Failing({"init": TerraformError("stopped", hint="")})
    world = bare_world(tmp_path, account, terraform, told)
    wanted = Wanted(name="half", settings=Settings(), new_password=lambda: PASSWORD, local=True)
    home = Home(root(world.environment) / "half")
    home.create()
    home.remember(Record("half", Place("local", "us-east-1", "123456789012")))
    s3 = account.client(service="s3")
    lost, kept = (f"jupyter-clouds-half-{digits}" for digits in ("0123456789ab", "ba9876543210"))
    for one in (lost, kept):
        s3.create_bucket(Bucket=one)
    resource = {"mode": "managed", "type": "aws_s3_bucket", "name": "this"}
    state = {"resources": [resource | {"instances": [{"attributes": {"id": kept}}]}]}
    (home.path / "terraform.tfstate").write_text(json.dumps(state))
    with pytest.raises(TerraformError, match="stopped"):
        deployment.up(world, wanted)
    there = [one["Name"] for one in s3.list_buckets()["Buckets"]]
    s3.delete_bucket(Bucket=kept)
    assert (lost in there, kept in there) == (False, True)
    assert any(lost in getattr(one, "text", "") for one in told)


@pytest.mark.parametrize(
    ("before", "warned"),
    [
        pytest.param({**ZONED, "zone_id": None}, True, id="by-port-80-until-now"),
        pytest.param({**ZONED, "zone_id": "Z9999999999"}, True, id="by-another-zone"),
        pytest.param(ZONED, False, id="as-before"),
    ],
)
def test_which_way_its_certificate_comes_a_machine_is_told_once(
    before: dict[str, Any], *, warned: bool
) -> None:
    told: list[Any] = []
    world: Any = SimpleNamespace(report=told.append)
    record = Record("moon", Place("local", "us-east-1", "123456789012"), settings=before)
    preparing._warn_of_the_ineffective(world, record, Settings(**ZONED))
    assert ["--zone-id" in one.text for one in told] == ([True] if warned else [])
    assert question._role(replace(record, settings=ZONED)) == [
        "  role         may write _acme-challenge.a.example.org in the zone Z0123456789"
    ]
    assert question._role(replace(record, settings={**ZONED, "tls": None})) == []


@pytest.mark.parametrize("known", [None, "state", "record"])
def test_a_machine_that_an_interrupted_up_left_runs_beside_no_other(
    tmp_path: Path, account: Account, ec2: EC2Client, name: str, known: str | None
) -> None:
    """But for one that Terraform goes on with, and for the deployment's own."""
    terraform = Failing({"init": TerraformError("stopped", hint="")})
    told: list[Any] = []
    world = bare_world(tmp_path, account, terraform, told)
    wanted = Wanted(name=name, settings=Settings(), new_password=lambda: PASSWORD, local=True)
    request = request_spot(ec2, name)
    machine = fulfilled(ec2, request)
    home = Home(root(world.environment) / name)
    home.create()
    outputs = {"instance_id": machine} if known == "record" else {}
    home.remember(Record(name, Place("local", "us-east-1", "123456789012"), outputs=outputs))
    if known == "state":
        resource = {"mode": "managed", "type": "aws_spot_instance_request", "name": "this"}
        tainted = {"attributes": {"id": request}, "status": "tainted"}
        document = {"resources": [resource | {"instances": [tainted]}]}
        (home.path / "terraform.tfstate").write_text(json.dumps(document))
    with pytest.raises(TerraformError, match="stopped"):
        deployment.up(world, wanted)
    assert state(ec2, machine) == ("running" if known else "terminated")
    assert any(machine in getattr(one, "text", "") for one in told) == (known is None)
    ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])
    ec2.terminate_instances(InstanceIds=[machine])


@pytest.mark.parametrize("taken", [False, True], ids=["stopped by its owner", "taken by EC2"])
def test_no_machine_comes_back_by_itself_while_another_takes_its_place(
    world: World, account: Account, ec2: EC2Client, name: str, *, taken: bool
) -> None:
    request = request_spot(ec2, name)
    machine = fulfilled(ec2, request)
    if taken:
        account.control.capacity("none", market="spot")
        account.control.interrupt(machine, after=0)
    else:
        ec2.stop_instances(InstanceIds=[machine])
    until(lambda: state(ec2, machine) == "stopped")
    record = Record(name, Place("local", "us-east-1", "123456789012"))
    kind = "aws_spot_instance_request"
    plan = Plan((Change(f"module.notebook.{kind}.this[0]", kind, "replace", ""),))
    nothing: Any = None
    ready = preparing.Prepared(
        way=place.back_to(world, record),
        record=record,
        fresh=False,
        facts=nothing,
        pair=None,
        terraform=nothing,
        plan=plan,
        candidates=(),
        give_up=threading.Event(),
    )
    done = applying.make_way(world, ready)
    account.control.capacity("back")
    assert (state(ec2, machine), done.plan) == (
        ("terminated", None) if taken else ("stopped", plan)
    ), "planned anew"
    ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])
