"""The stories from `up` to `down`, with a real Terraform and a real Jupyter."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.module.stage import ME, Stage, full_stage, pytestmark, stage
from tests.unit.conftest import PASSWORD, jupyter, machines_jupyter
from wrapper import deployment
from wrapper.aws.model import Leftover
from wrapper.deployment import applying, place
from wrapper.deployment.events import BootPhase, Checked, Warned
from wrapper.errors import (
    BootError,
    FingerprintError,
    LoginError,
    NothingToDo,
    UnknownDeploymentError,
    UsageError,
)
from wrapper.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from wrapper.deployment.answering import Up

__all__ = [
    "full_stage",
    "jupyter",
    "machines_jupyter",
    "pytestmark",
    "stage",
]  # fixtures and marks, for pytest to find here


def test_the_life_of_a_deployment(full_stage: Stage) -> None:
    stage, world = full_stage, full_stage.world
    answers: list[Up] = []

    def tell(answer: Up) -> None:
        with stage.home("life").locked("stop life"):  # from then on every other command works
            answers.append(answer)

    made = deployment.up(world, stage.wanted("life"), answers=tell)
    assert answers == [made]
    assert made.changed
    assert (made.summary.state, made.summary.market) == ("running", "on-demand")
    assert made.summary.seconds["conda"] == 12.3
    passed = {event.name for event in stage.of(Checked) if event.ok}
    assert passed == {"fingerprint", "TLS", "login", "kernel"}
    assert BootPhase("conda", "done", 12.3) in stage.told

    again = deployment.up(world, stage.wanted("life"))
    assert not again.changed
    assert again.summary == made.summary

    found = deployment.status(world, "life")
    assert (found.answers, found.reach) == (True, (f"{ME}/32",))
    assert found.phases["conda"]["state"] == "done"
    assert [one.name for one in deployment.every(world)] == ["life"]
    assert deployment.check(world, "life").key_sha256 == made.summary.key_sha256
    _what_comes_too_late_is_told(stage)
    _secrets_are_nowhere(stage.home("life").path)
    _password_is_rotated(stage)

    moved = replace(world, public_address=lambda: "198.51.100.8")
    assert deployment.allow(moved, "life").allowed_cidrs == ("198.51.100.8/32",)
    assert not deployment.allow(moved, "life").changed
    assert stage.aws().instance(made.summary.instance_id or "") is not None

    ended = deployment.down(world, "life")
    assert ended.ended == (f"instance {made.summary.instance_id}",)
    assert stage.aws().leftovers("life") == []
    assert deployment.down(world, "life").ended == ()
    assert stage.home("life").password() is None
    with pytest.raises(UnknownDeploymentError, match="There is none"):
        deployment.status(world, "life")


def _what_comes_too_late_is_told(stage: Stage) -> None:
    """A machine is told of its bucket when it is made."""
    stage.aws()._account.s3.create_bucket(Bucket="my-data")
    asked = stage.wanted("life", settings=Settings(data_volume_size=0, bucket="my-data"))
    before = stage.home("life").variables()
    with pytest.raises(UsageError, match="Nothing was made"):
        deployment.up(replace(stage.world, confirm=lambda _: False), asked)
    assert stage.home("life").variables() == before, "or the next command would make it"
    [told] = [one.text for one in stage.of(Warned) if one.text.startswith("--bucket")]
    assert "first boot, which is over" in told
    assert "up life --replace" in told


def _secrets_are_nowhere(folder: Path) -> None:
    for path in folder.rglob("*"):
        inside = path.is_file() and ".terraform" not in path.parts and path.name != "password"
        if inside:
            assert PASSWORD.encode() not in path.read_bytes(), path


def _password_is_rotated(stage: Stage) -> None:
    fresh = "gutih-babad-lusab-tugad"
    before = stage.home("life").variables()["password_hash"]
    assert deployment.new_password(stage.world, "life", lambda: fresh) == fresh
    assert deployment.password(stage.world, "life") == fresh
    assert deployment.check(stage.world, "life").state == "running"
    assert stage.home("life").variables()["password_hash"] != before
    with pytest.raises(UsageError, match="has a password already"):
        deployment.up(stage.world, stage.wanted("life", password_said=True))


def test_an_up_that_failed_names_the_reason_and_converges_when_it_is_gone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wrapper.deployment.watch.SETTLED", 1.0)
    right = stage.machines.says
    broken = stage.machines.says = (
        "jupyter-clouds: phase=conda state=started\r\n"
        "jupyter-clouds: phase=conda state=failed seconds=3.2 exit=1\r\n"
        'jupyter-clouds: log phase=conda text="sha256sum: checksum mismatch"\r\n'
    )
    with pytest.raises(BootError, match=r"conda\n  \| sha256sum: checksum mismatch"):
        deployment.up(stage.world, stage.wanted("late"))
    # Somebody else answers: no password is sent.
    stage.machines.says = re.sub(r"key_sha256=\w+", "key_sha256=" + "0" * 64, right)
    with pytest.raises(FingerprintError):
        deployment.up(stage.world, stage.wanted("late"))
    # The failed phase is begun again by a restart; then the password is refused.
    stage.machines.says, stage.machines.says_after_a_restart = broken, right
    stage.home("late").write_password("gutih-babad-lusab-tugad")
    with pytest.raises(LoginError) as caught:
        deployment.up(stage.world, stage.wanted("late"))
    assert caught.value.exit_code == 3
    stage.home("late").write_password(PASSWORD)
    assert deployment.up(stage.world, stage.wanted("late")).summary.state == "running"
    assert len(stage.machines.specs) == 1, "one machine all along"


def test_markets_are_switched_one_machine_at_a_time_and_nothing_stays_open(stage: Stage) -> None:
    first = deployment.up(stage.world, stage.wanted("switch")).summary
    larger = deployment.resize(stage.world, "switch", "t3.xlarge").summary
    assert (larger.instance_id, larger.instance_type) == (first.instance_id, "t3.xlarge")
    with pytest.raises(NothingToDo):
        deployment.resize(stage.world, "switch", "t3.xlarge")
    stage.told.clear()
    asked = stage.wanted("switch", settings=Settings(data_volume_size=0, spot=True))
    second = deployment.up(stage.world, asked).summary
    assert (first.market, second.market) == ("on-demand", "spot")
    assert second.url == first.url, "the address stays"
    assert second.instance_type == "t3.xlarge"
    texts = [getattr(event, "text", "") for event in stage.told]
    assert texts.index(f"Stopping the machine of before, {first.instance_id}") < texts.index(
        "Terraform applies it"
    )

    # As an apply that failed would leave it: a request that is open and has no machine.
    record = stage.home("switch").record()
    assert record is not None
    _terminate(stage, record.instance_id)
    way = place.back_to(stage.world, record)
    applying._after_failure(stage.world, stage.home("switch"), way, record)
    assert [one.state for one in stage.aws().find_spot_requests("switch")] == ["cancelled"]
    assert any("is cancelled" in event.text for event in stage.of(Warned))
    # Half made as it is now, it can be ended.
    deployment.down(stage.world, "switch")
    assert stage.aws().leftovers("switch") == []


def test_a_spot_machine_is_carried_through_what_terraform_alone_cannot(stage: Stage) -> None:
    asked = stage.wanted("spot", settings=Settings(data_volume_size=0, spot=True))
    first = deployment.up(stage.world, asked).summary
    assert (first.market, bool(first.hourly_price)) == ("spot", True)

    # Ended outside while its request is open: EC2 would launch another one, plans would fail.
    _terminate(stage, first.instance_id)
    second = deployment.up(stage.world, asked).summary
    assert second.instance_id != first.instance_id
    assert second.url == first.url, "the address stays"
    assert [one.instance_id for one in stage.aws().find_instances("spot")] == [second.instance_id]

    # The state is lost: the name and the tags are enough.
    shutil.rmtree(stage.home("spot").path)
    with pytest.raises(UsageError, match="whose Terraform state is not on this computer"):
        deployment.up(stage.world, asked)
    ended = deployment.down(stage.world, "spot")
    assert f"instance {second.instance_id}" in ended.ended
    assert {one.partition(" ")[0] for one in ended.removed} >= {"address", "group"}
    assert stage.aws().leftovers("spot") == []


def _terminate(stage: Stage, instance_id: str | None) -> None:
    stage.aws().remove(Leftover("instance", instance_id or "", ""))
