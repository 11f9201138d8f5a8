"""A machine that is being made, which on a busy computer takes a while."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.test_local_metadata import SPEC
from wrapper.errors import LocalError
from wrapper.local import disk, guest, image, machine, network
from wrapper.local.blocks import Blocks
from wrapper.local.machines import IngressRule

if TYPE_CHECKING:
    from collections.abc import Sequence
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
        patch.setattr(image, "ensure", lambda _: self.go_on.wait(30) and tmp_path)
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
