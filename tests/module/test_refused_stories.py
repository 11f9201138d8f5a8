"""What `up` and others refuse, and what is told instead; with a real Terraform."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.module.stage import Stage, pytestmark, stage
from tests.unit.conftest import jupyter
from wrapper import deployment
from wrapper.aws import Aws
from wrapper.deployment.events import Warned
from wrapper.errors import (
    CredentialsError,
    LocalError,
    LockedError,
    RefusedError,
    RequestError,
    SettingsError,
    UsageError,
)
from wrapper.home import Place, Record
from wrapper.settings import Settings

__all__ = ["jupyter", "pytestmark", "stage"]  # fixtures and marks, for pytest to find here


@pytest.mark.parametrize(
    ("more", "kind", "said"),
    [
        ({"name": "my notebook"}, SettingsError, "cannot be"),
        ({"settings": Settings(allow=("10.0.0.1/32",))}, SettingsError, "private"),
        ({"settings": Settings(instance_type="t3.gigantic")}, RequestError, "t3.gigantic"),
        ({"settings": Settings(domain="no domain")}, SettingsError, "domain"),
        ({"settings": Settings(bucket="absent-bucket/x")}, RequestError, "no bucket absent-bucket"),
        ({"new_password": lambda: "password1"}, UsageError, "weak"),
        ({"region": "atlantis-1"}, RequestError, "atlantis-1"),
        ({"certificate": True}, UsageError, "go together"),
        (
            {"certificate": 1, "private_key": 1, "settings": Settings(tls="letsencrypt")},
            UsageError,
            "two certificates",
        ),
    ],
    ids=[
        *("name", "cidr", "type", "domain", "bucket"),
        *("password", "region", "certificate", "certificates"),
    ],
)
def test_bad_input_is_refused_before_anything_is_made(
    stage: Stage, more: dict[str, Any], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        deployment.up(stage.world, stage.wanted(**{"name": "bad", **more}))
    assert stage.machines.specs == {}
    assert stage.aws().leftovers("bad") == []
    assert deployment.every(stage.world) == []


def test_that_a_bucket_may_not_be_looked_into_is_told_before_anything_is_made(
    stage: Stage,
) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "403"}}, "HeadBucket")

    def aws(**given: Any) -> Aws:
        made = Aws(**given)
        made._account.s3.meta.events.register("before-call.s3.HeadBucket", refuse)
        return made

    world = replace(stage.world, aws=aws, confirm=lambda _: False)
    wanted = stage.wanted("no", settings=Settings(data_volume_size=0, bucket="somebodys"))
    with pytest.raises(UsageError, match="Nothing was made"):
        deployment.up(world, wanted)
    assert any("may not look into the bucket somebodys" in one.text for one in stage.of(Warned))
    assert stage.machines.specs == {}
    assert stage.aws().leftovers("no") == []


def test_a_no_leaves_nothing(stage: Stage) -> None:
    with pytest.raises(UsageError, match="Nothing was made"):
        deployment.up(replace(stage.world, confirm=lambda _: False), stage.wanted("no"))
    assert stage.machines.specs == {}
    assert deployment.every(stage.world) == []


def test_a_second_up_is_told_who_works_on_it(stage: Stage) -> None:
    stage.home("busy").create()
    with stage.home("busy").locked("up busy"), pytest.raises(LockedError, match=str(os.getpid())):
        deployment.up(stage.world, stage.wanted("busy"))


def _remembered(stage: Stage, **changes: Any) -> None:
    where = {"kind": "aws", "region": "us-east-1", "account": "123456789012", **changes}
    stage.home("there").create()
    stage.home("there").remember(Record(name="there", place=Place(**where)))


def test_a_deployment_stays_where_it_is(stage: Stage) -> None:
    _remembered(stage, region="eu-west-1")
    with pytest.raises(UsageError, match="region eu-west-1"):
        deployment.up(stage.world, stage.wanted("there", region="us-east-1"))
    with pytest.raises(UsageError, match="not in the embedded EC2"):
        deployment.up(stage.world, stage.wanted("there", local=True))


def test_another_accounts_credentials_are_noticed(stage: Stage) -> None:
    _remembered(stage, account="999999999999")
    with pytest.raises(CredentialsError, match="account 999999999999"):
        deployment.status(stage.world, "there")
    assert [one.state for one in deployment.every(stage.world)] == ["unknown"]


def test_a_computer_without_room_is_told_of_and_with_room_it_works(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(spec: Any) -> None:
        del spec
        raise LocalError("5 MiB free, 2000 MiB are needed: the disk is full", hint="df -h /var")

    with monkeypatch.context() as patch:
        patch.setattr(stage.machines, "launch", full)  # as Room does, see its own test
        with pytest.raises(RefusedError, match=r"the disk is full \(df -h /var\)") as raised:
            deployment.up(stage.world, stage.wanted("full"))
    assert "once this computer has room" in str(raised.value.hint)
    assert deployment.up(stage.world, stage.wanted("full")).summary.state == "running"
    deployment.down(stage.world, "full")
    assert stage.aws().leftovers("full") == []


def test_what_was_on_a_stopped_embedded_ec2_is_gone(stage: Stage) -> None:
    _remembered(stage, kind="local")
    with pytest.raises(LocalError, match="does not run"):
        deployment.status(stage.world, "there")
    assert deployment.down(stage.world, "there").ended == ()
    assert deployment.every(stage.world) == []
