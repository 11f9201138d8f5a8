"""How full a disk is, in words, and the command that helps."""

from __future__ import annotations

from typing import Any

import pytest

from wrapper.deployment import disk
from wrapper.deployment.disk import GIB, MIB
from wrapper.home import Place, Record
from wrapper.notebook import CloudsStatus

VOLUME = {"data_volume_id": "vol-0123"}


def record(*, outputs: dict[str, Any] = VOLUME, **settings: Any) -> Record:
    place = Place("aws", "eu-central-1", "123456789012")
    return Record(name="gpu", place=place, outputs=outputs, settings=settings)


def of(free: int, total: int, deployment: Record | None = None) -> disk.Disk:
    told = CloudsStatus({}, disk_free=free, disk_total=total)
    found = disk.of(deployment or record(), told)
    assert found
    return found


@pytest.mark.parametrize(
    ("free", "total", "state", "words"),
    [
        (20 * GIB, 49 * GIB, "ok", "59 % of 49 GiB used, 20 GiB free"),
        (5 * GIB, 49 * GIB, "ok", "90 % of 49 GiB used, 5 GiB free"),
        (4 * GIB, 49 * GIB, "nearly full", "NEARLY FULL: 92 % of 49 GiB used, 4 GiB free"),
        (99 * MIB, 49 * GIB, "full", "FULL: 100 % of 49 GiB used, 99 MiB free"),
        (0, 49 * GIB, "full", "FULL: 100 % of 49 GiB used, 0 MiB free"),
        (6 * GIB, 2000 * GIB, "ok", "100 % of 2000 GiB used, 6 GiB free"),
        (200 * MIB, 1 * GIB, "ok", "80 % of 1 GiB used, 200 MiB free"),
        (50 * MIB, 1 * GIB, "nearly full", "NEARLY FULL: 95 % of 1 GiB used, 50 MiB free"),
        (5 * MIB, 1 * GIB, "full", "FULL: 100 % of 1 GiB used, 5 MiB free"),
    ],
)
def test_how_full_it_is(free: int, total: int, state: str, words: str) -> None:
    found = of(free, total)
    assert (found.state, found.words) == (state, words)
    assert (found.hint is None) == (state == "ok")


@pytest.mark.parametrize(
    ("total", "deployment", "hint"),
    [
        (49 * GIB, record(), "python -m wrapper up gpu --data-size 80"),
        (15000 * GIB, record(), "python -m wrapper up gpu --data-size 16384"),
        (16384 * GIB, record(), "Delete what is not needed"),
        (30 * GIB, record(outputs={}), "Delete what is not needed"),
        (
            49 * GIB,
            record(data_volume_id="vol-0123"),
            "aws ec2 modify-volume --region eu-central-1 --volume-id vol-0123 --size 80",
        ),
    ],
    ids=["grows", "as far as it can", "as large as can be", "no data volume", "adopted"],
)
def test_what_makes_room(total: int, deployment: Record, hint: str) -> None:
    assert (of(0, total, deployment).hint or "").startswith(hint)


@pytest.mark.parametrize("told", [{}, {"disk_free": 0}, {"disk_free": 1, "disk_total": 0}])
def test_a_machine_that_does_not_tell_is_not_judged(told: dict[str, Any]) -> None:
    assert disk.of(record(), CloudsStatus({}, **told)) is None
