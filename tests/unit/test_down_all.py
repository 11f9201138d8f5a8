"""`down --all`: every deployment of this computer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.ending import PLACE
from tests.unit.two_regions import Scene, scene, typed
from wrapper import cli, deployment
from wrapper.deployment import take_down
from wrapper.deployment.take_down import Down
from wrapper.errors import FailedError, Interrupted
from wrapper.home import Record

__all__ = ["scene", "typed"]  # fixtures, for pytest to find here


@pytest.fixture
def told_down(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names that `down` was told of; it fails for "broken"."""
    names: list[str] = []

    def down(_: Any, name: str, **__: Any) -> Down:
        names.append(name)
        if name == "broken":
            raise FailedError("it is broken", hint="")
        if name == "cut":
            raise Interrupted("Interrupted half-way.")
        return Down(name, (), ())

    monkeypatch.setattr(take_down, "down", down)
    return names


def test_all_of_this_computer_are_ended_whatever_becomes_of_one(
    scene: Scene, told_down: list[str]
) -> None:
    for name in ("broken", "gpu", "notebook"):
        scene.remember(name)
    ended = scene.remember("over")
    ended.end(Record("over", PLACE))
    with pytest.raises(FailedError, match="Not down: broken"):
        deployment.down_all(scene.world)
    assert told_down == ["broken", "gpu", "notebook"]


def test_an_interruption_begins_nothing_further(scene: Scene, told_down: list[str]) -> None:
    for name in ("cut", "notebook"):
        scene.remember(name)
    with pytest.raises(Interrupted):
        deployment.down_all(scene.world)
    assert told_down == ["cut"]


def test_down_all_on_the_command_line(
    typed: Scene, told_down: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["down", "--all", "--yes"]) == 0
    assert capsys.readouterr().out == "No deployments on this computer.\n"
    typed.remember("gpu")
    assert cli.main(["down", "--all", "--yes"]) == 0
    assert capsys.readouterr().out.split() == ["gpu", "0", "left"]
    assert told_down == ["gpu"]
