"""A machine that is being made, which on a busy computer takes a while."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.ec2 import served
from tests.unit.local_api import describe, image, refusal, run, wait_for
from tests.unit.local_spec import SPEC
from wrapper.errors import LocalError
from wrapper.local import disk, guest, machine, network
from wrapper.local import image as images
from wrapper.local.blocks import Blocks
from wrapper.local.machines import IngressRule
from wrapper.local.room import Room

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from wrapper.local.machines import MachineSpec

ANYBODY = IngressRule("tcp", 9999, 9999, "0.0.0.0/0")


class Making:
    """What has come to the network, of a machine whose image is held up until told."""

    def __init__(self, patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.go_on = threading.Event()
        self.rules: list[Sequence[IngressRule]] = []
        self.addresses: list[tuple[str | None, str | None]] = []
        patch.setattr(machine, "STATE", tmp_path)
        patch.setattr(images, "ensure", lambda _: self.go_on.wait(30) and tmp_path)
        for module, name in ((disk, "make"), (disk, "mount"), (guest, "personalise")):
            patch.setattr(module, name, lambda *_, **__: tmp_path)
        patch.setattr(network, "attach", self._attach)
        patch.setattr(network, "detach", lambda *_: None)
        patch.setattr(network, "set_public_address", self._address)

    def _attach(self, _: MachineSpec, rules: Sequence[IngressRule]) -> None:
        self.rules.append(rules)

    def _address(self, _: str, old: str | None, new: str | None) -> None:
        self.addresses.append((old, new))
        raise LocalError("enough was seen")


@pytest.fixture
def making(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Making:
    return Making(monkeypatch, tmp_path)


def made(making: Making, act: Any) -> None:
    one = machine.Machine(SPEC, Blocks(lambda _: None))
    act(one)
    making.go_on.set()
    assert one.wait(30)


def test_who_is_let_in_meanwhile_is_let_in(making: Making) -> None:
    made(making, lambda one: one.set_ingress([ANYBODY]))
    assert making.rules == [[ANYBODY]]


@pytest.mark.parametrize("address", ["198.18.0.10", None])
def test_the_address_is_the_last_one_given(making: Making, address: str | None) -> None:
    made(making, lambda one: one.set_public_address(address))
    assert making.addresses == [(None, address)]


class Full(NamedTuple):
    """The disk of a computer, as its file system tells."""

    total: int = 10 << 30
    used: int = 10 << 30
    free: int = 5 << 20


@pytest.fixture
def room(making: Making) -> Iterator[Room]:
    made = Room()
    yield made
    making.go_on.set()
    for one in made.all():
        assert one.wait(30)


@pytest.mark.parametrize("market", ["on-demand", "spot"])
def test_a_full_disk_refuses_a_launch_in_words_and_lets_the_next_one_in(
    room: Room, monkeypatch: pytest.MonkeyPatch, market: str
) -> None:
    with served(room) as account:
        ec2 = account.client()

        def launch() -> None:
            if market == "spot":
                wanted = {"ImageId": image(ec2), "InstanceType": "t3.small"}
                ec2.request_spot_instances(InstanceCount=1, LaunchSpecification=wanted)
            else:
                run(ec2)

        with monkeypatch.context() as full:
            full.setattr("shutil.disk_usage", lambda _: Full())
            code, message = refusal(launch)
            assert code == "InsufficientHostCapacity"
            assert "5 MiB free, 2000 MiB are needed: the disk is full (df -h" in message
            assert room.all() == []
            assert ec2.describe_volumes()["Volumes"] == []
            assert ec2.describe_spot_instance_requests()["SpotInstanceRequests"] == []
        launch()
        assert len(room.all()) == 1


def test_what_the_host_could_not_make_says_why(
    room: Room, making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise LocalError("mmdebstrap could not build debian-12")

    monkeypatch.setattr(images, "ensure", fails)
    making.go_on.set()
    with served(room) as account:
        ec2 = account.client()
        instance_id = run(ec2)
        wait_for(ec2, instance_id, "terminated")
        assert describe(ec2, instance_id)["StateReason"] == {
            "Code": "Server.InternalError",
            "Message": "Server.InternalError: mmdebstrap could not build debian-12",
        }
