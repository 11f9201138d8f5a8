"""`up` that failed, and the commands after it; no Terraform, an account with no machines."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.conftest import PASSWORD
from tests.unit.fleet import launch
from tests.unit.test_aws_account import KEYS, refusing
from tests.unit.test_password import passwd_check
from tests.unit.worlds import bare_world
from wrapper import deployment
from wrapper.deployment import preparing, question
from wrapper.deployment.events import Note
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
from wrapper.terraform import Plan

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
    from wrapper.deployment.world import World

OTHER = "gutih-babad-lusab-tugad"
ZONED: dict[str, Any] = {"domain": "a.example.org", "tls": "letsencrypt", "zone_id": "Z0123456789"}


@dataclass
class Failing:
    """A Terraform that refuses at one of its steps."""

    errors: dict[str, CloudsError] = field(default_factory=dict)
    cancelled: threading.Event | None = None
    slow: bool = False
    """Providers come only after an hour."""

    def __call__(self, *_: Any, cancelled: threading.Event | None = None, **__: Any) -> Failing:
        """The adapter of one directory."""
        self.cancelled = cancelled or self.cancelled
        return self

    def _at(self, step: str) -> None:
        if step in self.errors:
            raise self.errors[step]

    def init(self, **_: Any) -> None:
        """Providers are there."""
        self._at("init")
        if self.slow and self.cancelled:
            assert self.cancelled.wait(3600)

    def plan_and_apply(self, *_: Any, **__: Any) -> list[str]:
        """What is asked of a first `up`."""
        self._at("plan")
        return []

    def plan(self) -> None:
        """What is asked of a later one; here it always ends."""
        raise TerraformError("planned", hint="")


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


@pytest.fixture
def terraform() -> Failing:
    return Failing({"plan": TerraformError("refused", hint="")})


@pytest.fixture
def told() -> list[Any]:
    return []


@pytest.fixture
def world(tmp_path: Path, account: Account, terraform: Failing, told: list[Any]) -> World:
    return bare_world(tmp_path, account, terraform, told)


@pytest.fixture
def up(world: World, name: str) -> Callable[..., None]:
    """`up --local` of the test's deployment, with a password."""

    def again(password: str = PASSWORD, **more: Any) -> None:
        said = {"settings": Settings(allow=("203.0.113.7/32",)), **more}
        wanted = Wanted(name=name, new_password=lambda: password, local=True, **said)
        deployment.up(world, wanted)

    return again


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
    record = _home(world, name).record()
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
    assert _home(world, name).password() is None
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
    assert _home(world, name).is_bare()


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
    assert "timedatectl" in (raised.value.hint or "")
    assert _home(world, name).is_bare()


def test_more_hours_than_a_month_has_are_asked_about_before_anything_is_made(
    world: World, name: str
) -> None:
    asked: list[str] = []
    no = replace(world, confirm=lambda question: bool(asked.append(question)))  # type: ignore[func-returns-value] # None is a no
    wanted = Wanted(name=name, new_password=lambda: PASSWORD, settings=Settings(max_hours=721))
    with pytest.raises(UsageError, match="Nothing was changed"):
        deployment.up(no, wanted)
    assert "721 hours are more than a month" in asked[0]
    assert _home(world, name).is_bare()


def test_what_lies_in_a_directory_is_left_until_the_request_is_checked(
    world: World, name: str, up: Callable[..., None]
) -> None:
    home = _home(world, name)
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


def _home(world: World, name: str) -> Home:
    return Home(root(world.environment) / name)


def test_a_generated_password_is_generated_once(
    world: World, name: str, up: Callable[..., None], told: list[Any]
) -> None:
    for password in (PASSWORD, OTHER):
        with pytest.raises(TerraformError):
            up(password, generate_password=True)
    assert _home(world, name).password() == PASSWORD
    assert any("password is kept" in one.text for one in told if isinstance(one, Note))


def test_the_same_password_may_be_named_again(
    world: World, name: str, up: Callable[..., None]
) -> None:
    for _ in range(2):
        with pytest.raises(TerraformError):
            up(password_said=True)
    assert _home(world, name).password() == PASSWORD


def test_another_password_is_taken_while_there_is_no_machine(
    world: World, name: str, up: Callable[..., None]
) -> None:
    with pytest.raises(TerraformError):
        up()
    before = _home(world, name).variables()["password_hash"]
    with pytest.raises(TerraformError):
        up(OTHER, password_said=True)
    assert _home(world, name).password() == OTHER
    assert _home(world, name).variables()["password_hash"] != before


def test_what_was_refused_is_taken_up_by_no_other_command(
    world: World, name: str, up: Callable[..., None], ec2: EC2Client
) -> None:
    with pytest.raises(TerraformError):
        up()
    launch(ec2, name)
    before = _home(world, name).variables()
    with pytest.raises(TerraformError, match="planned"):
        up(settings=Settings(allow=("203.0.113.7/32",), root_volume_size=99))
    assert _home(world, name).variables() == before
    deployment.down(world, name)


def test_a_password_and_its_hash_stay_together_where_an_up_fails(
    world: World, name: str, up: Callable[..., None]
) -> None:
    with pytest.raises(TerraformError):
        up()
    with pytest.raises(TerraformError):
        up(OTHER, password_said=True)
    home = _home(world, name)
    assert home.password() == OTHER
    assert passwd_check(home.variables()["password_hash"], OTHER)


def test_another_password_is_refused_for_a_machine_that_has_one(
    world: World, name: str, up: Callable[..., None], ec2: EC2Client
) -> None:
    with pytest.raises(TerraformError):
        up()
    launch(ec2, name)
    with pytest.raises(UsageError, match="has a password already") as raised:
        up(OTHER, password_said=True)
    assert "password --new" in (raised.value.hint or "")
    assert _home(world, name).password() == PASSWORD
    with pytest.raises(TerraformError, match="planned"):
        up(OTHER, generate_password=True)
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
