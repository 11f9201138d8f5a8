"""What becomes of data between `down` and `up`, with a real Terraform: its state is what counts.

No machine boots, and volumes are sparse files: what is on them, tests/machine sees.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.ec2 import Account
from tests.module.stage import Stage, pytestmark, stage
from tests.unit.conftest import QUICK, jupyter
from wrapper import deployment
from wrapper.aws import Aws, Request
from wrapper.deployment.take_down import Wish
from wrapper.errors import UsageError
from wrapper.settings import Settings
from wrapper.terraform import state

if TYPE_CHECKING:
    from wrapper.aws import Snapshot
    from wrapper.deployment.summary import Summary

__all__ = ["jupyter", "pytestmark", "stage"]  # fixtures and marks, for pytest to find here

VOLUME = "aws_ebs_volume"


def test_data_is_restored_kept_adopted_and_put_into_a_snapshot(stage: Stage) -> None:
    stage.world = replace(stage.world, aws=partial(Aws, pace=QUICK))
    aws = stage.aws()
    old = _old_snapshot(stage, gib=3)
    first = deployment.up(stage.world, stage.wanted("data", settings=Settings())).summary
    _told_before_terraform_was_done(stage)
    made = aws.volume(first.data_volume_id or "")
    assert made is not None
    assert (made.snapshot_id, made.gib, made.attached_to) == (old.snapshot_id, 3, first.instance_id)
    assert list(state.managed(stage.home("data").path, VOLUME)) == [made.volume_id]
    assert not [one for one in stage.told if VOLUME in getattr(one, "text", "")], "taken over"

    there = _to_another_zone(stage, first)
    down = deployment.down(stage.world, "data", wish=Wish("keep"))
    assert [one.id for one in down.kept] == [there.data_volume_id, old.snapshot_id]
    assert aws.leftovers("data") == []

    back = _to_another_zone(stage, there)
    assert f"{there.data_volume_id}, kept since" in stage.asked[-1]
    assert not deployment.up(stage.world, stage.wanted("data", settings=Settings())).changed

    down = deployment.down(stage.world, "data")
    taken = aws.snapshot(down.kept[0].id)
    assert taken is not None
    assert (taken.volume_id, taken.kind, taken.state) == (back.data_volume_id, "final", "completed")
    assert aws.volume(back.data_volume_id or "") is None
    assert [one.snapshot_id for one in aws.find_snapshots("data")] == [
        taken.snapshot_id,
        old.snapshot_id,
    ]
    assert aws.leftovers("data") == []


def _to_another_zone(stage: Stage, before: Summary) -> Summary:
    """What a subnet there makes of it. The data goes along, also of a volume that was kept."""
    aws = stage.aws()
    was = aws.volume(before.data_volume_id or "")
    assert was is not None
    subnets = aws.check_request(Request("t3.large", spot=False)).subnets
    elsewhere = next(zone for zone in sorted(subnets) if zone != was.zone)

    def agree(question: str) -> bool:
        stage.asked.append(question)
        return True

    asked = stage.wanted("data", settings=Settings(subnet_id=subnets[elsewhere]))
    moved = deployment.up(replace(stage.world, confirm=agree), asked).summary
    assert f"goes to {elsewhere}, by a snapshot" in stage.asked[-1]
    volume = aws.volume(moved.data_volume_id or "")
    assert volume is not None
    assert (volume.zone, volume.gib, volume.attached_to) == (elsewhere, 3, moved.instance_id)
    assert volume.snapshot_id not in (None, was.snapshot_id), "it has what the old one had"
    assert aws.volume(was.volume_id) is None
    assert list(state.managed(stage.home("data").path, VOLUME)) == [volume.volume_id]
    return moved


def test_a_spot_machine_is_resized_by_another_with_data_address_and_key_kept(stage: Stage) -> None:
    stage.world = replace(stage.world, aws=partial(Aws, pace=QUICK))
    asked = stage.wanted("grows", settings=Settings(spot=True, data_volume_size=3))
    first = deployment.up(stage.world, asked).summary
    before = stage.home("grows").record()

    refusing = replace(stage.world, confirm=lambda _: False)
    with pytest.raises(UsageError, match="Nothing was made"):
        deployment.resize(refusing, "grows", "t3.xlarge")
    assert stage.home("grows").record() == before

    second = deployment.resize(stage.world, "grows", "t3.xlarge").summary
    assert (second.instance_type, second.market) == ("t3.xlarge", "spot")
    assert second.instance_id != first.instance_id
    for kept in ("data_volume_id", "url", "key_sha256", "zone"):
        assert getattr(second, kept) == getattr(first, kept), kept
    volume = stage.aws().volume(first.data_volume_id or "")
    assert volume
    assert volume.attached_to == second.instance_id
    deployment.down(stage.world, "grows", wish=Wish("delete"))
    assert stage.aws().leftovers("grows") == []


def _told_before_terraform_was_done(stage: Stage) -> None:
    """The provider waits long for an attachment: who has a notebook that answers need not."""
    told = stage.told
    answered = next(n for n, one in enumerate(told) if getattr(one, "name", "") == "kernel")
    attached = next(
        n
        for n, one in enumerate(told)
        if "aws_volume_attachment" in getattr(one, "text", "") and getattr(one, "ended", False)
    )
    assert answered < attached
    assert sum(getattr(one, "name", "") == "kernel" for one in told) == 1, "once is enough"


def _old_snapshot(stage: Stage, gib: int) -> Snapshot:
    """Of an earlier deployment of that name, in a zone where no machine will be."""
    aws = stage.aws()
    account = Account(stage.world.environment["AWS_ENDPOINT_URL"], stage.control)
    made = account.client().create_volume(AvailabilityZone="us-east-1d", Size=gib, Encrypted=True)
    volume = aws.volume(made["VolumeId"])
    assert volume is not None
    begun = aws.create_snapshot(volume, "data", "final")
    aws.delete_volume(volume.volume_id)
    return aws.wait_for_snapshot(begun.snapshot_id, lambda _: None)
