"""What the data of an `up` begins with, asked as `up` asks; machines are imaginary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.unit.conftest import PASSWORD
from tests.unit.ending import PLACE, Scene
from tests.unit.fleet import data_volume
from wrapper.deployment import preparing, restoring
from wrapper.deployment.place import Way
from wrapper.deployment.wanted import Wanted
from wrapper.home import Record
from wrapper.settings import Settings

if TYPE_CHECKING:
    from wrapper.aws import Snapshot
    from wrapper.deployment.origins import Origin


def wanted(scene: Scene, **more: Any) -> Wanted:
    said = {"settings": Settings(allow=("203.0.113.7/32",)), "local": True, **more}
    return Wanted(name=scene.name, new_password=lambda: PASSWORD, **said)


def begin(
    scene: Scene, asked: Settings | None = None, before: Record | None = None, **more: Any
) -> tuple[Origin, Settings]:
    way = Way(PLACE, scene.world.aws(environment={}, region=None), scene.account.environment)
    asked = asked or Settings()
    return restoring.begin(scene.world, way, wanted(scene, **more), asked, before)


def snapshot(scene: Scene, gib: int = 50, kind: Any = "final") -> Snapshot:
    """Of a volume that is gone."""
    volume_id = data_volume(scene.ec2, scene.name, gib=gib)
    volume = scene.aws.volume(volume_id)
    assert volume is not None
    made = scene.aws.create_snapshot(volume, scene.name, kind)
    done = scene.aws.wait_for_snapshot(made.snapshot_id, lambda _: None)
    scene.aws.delete_volume(volume_id)
    return done


def kept_volume(scene: Scene, gib: int = 50, architecture: str | None = None) -> str:
    volume_id = data_volume(scene.ec2, scene.name, gib=gib, architecture=architecture)
    scene.aws.release_volume(volume_id, scene.name)
    return volume_id


def settle(scene: Scene, origin: Origin, pinned: Settings) -> Any:
    """What is done between the question and Terraform."""
    nothing: Any = None
    scene.home.create()
    way = Way(PLACE, scene.world.aws(environment={}, region=None), scene.account.environment)
    ready = preparing.Prepared(
        way=way,
        record=Record(scene.name, PLACE, settings=pinned.said()),
        fresh=True,
        facts=nothing,
        pair=None,
        terraform=nothing,
        plan=None,
        candidates=(),
        give_up=nothing,
        origin=origin,
    )
    return restoring.settle(scene.world, scene.home, ready)
