"""A data volume made larger: what is told of the machine's file system afterwards."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import pytest

from wrapper.deployment import growing
from wrapper.deployment.disk import GIB
from wrapper.deployment.events import Note, Step, Warned
from wrapper.errors import NoAnswerError
from wrapper.home import Home, Place, Record
from wrapper.notebook import CloudsStatus
from wrapper.terraform import Change

if TYPE_CHECKING:
    from pathlib import Path

GROWN = Change("aws_ebs_volume.data[0]", "aws_ebs_volume", "update")


class Notebook:
    """Tells sizes of its disk, one after another; then the last for ever."""

    def __init__(self, *gib: float | None) -> None:
        self.sizes = list(gib)
        self.asked = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def login(self) -> None:
        """Let in."""

    def clouds_status(self) -> CloudsStatus:
        """The next size."""
        self.asked += 1
        if not self.sizes:
            raise NoAnswerError("nobody there", hint="")
        size = self.sizes.pop(0) if len(self.sizes) > 1 else self.sizes[0]
        return CloudsStatus({}, disk_total=None if size is None else int(size * GIB))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "EVERY", 0.001)
    monkeypatch.setattr(growing, "PATIENCE", 0.05)


def told(
    folder: Path,
    notebook: Notebook,
    *changes: Change,
    size: int | None = 60,
    machine: str | None = None,
) -> list[Any]:
    """All that was reported after an `up` that changed this; `machine` was there before."""
    home = Home(folder / "gpu")
    home.create()
    home.write_password("lusab-babad-gutih-tugad")
    settings = {} if size is None else {"data_volume_size": size}
    place, outputs = Place("local", "us-east-1", ""), {"public_ip": "198.18.0.1"}
    home.remember(Record(name="gpu", place=place, outputs=outputs, settings=settings))
    events: list[Any] = []
    world: Any = SimpleNamespace(
        look_whose=lambda *_: None, speak=lambda *_, **__: notebook, report=events.append
    )
    before = Record(name="gpu", place=place, settings=settings, outputs={"instance_id": machine})
    ready: Any = SimpleNamespace(record=before, changes=changes)
    growing.settle(world, home, ready)
    return events


def test_the_file_system_is_waited_for_and_its_size_told(tmp_path: Path) -> None:
    notebook = Notebook(49, 49, 59)
    assert told(tmp_path, notebook, GROWN) == [
        Step("Waiting for the file system to grow"),
        Note("The disk has 59 GiB for files now"),
    ]
    assert notebook.asked == 3


def test_one_that_cannot_grow_now_has_its_command(tmp_path: Path) -> None:
    last = told(tmp_path, Notebook(49), GROWN)[-1]
    assert isinstance(last, Warned)
    assert "60 GiB now, its file system still 49 GiB" in last.text
    assert "python -m wrapper stop gpu, then start" in last.text


def test_a_notebook_that_does_not_answer_is_told_and_no_failure(tmp_path: Path) -> None:
    last = told(tmp_path, Notebook(), GROWN)[-1]
    assert last == Warned("How large the disk is now could not be seen: nobody there")


@pytest.mark.parametrize(
    "given",
    [
        {"changes": ()},
        {"changes": (Change("aws_eip.this[0]", "aws_eip", "update"),)},
        {"changes": (Change("aws_ebs_volume.data[0]", "aws_ebs_volume", "create"),)},
        {"changes": (GROWN,), "size": None},
        {"changes": (GROWN,), "machine": "i-0123456789abcdef0"},
    ],
    ids=["nothing changed", "something else", "a new volume", "the default size", "of another"],
)
def test_otherwise_nobody_is_asked(tmp_path: Path, given: dict[str, Any]) -> None:
    notebook = Notebook(49)
    assert told(tmp_path, notebook, *given.pop("changes"), **given) == []
    assert notebook.asked == 0


def test_a_machine_that_does_not_tell_is_not_waited_for(tmp_path: Path) -> None:
    notebook = Notebook(None)
    assert told(tmp_path, notebook, GROWN) == [Step("Waiting for the file system to grow")]
    assert notebook.asked == 1
