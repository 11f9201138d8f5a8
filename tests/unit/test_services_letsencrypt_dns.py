"""A certificate for a domain by a record in its zone, which an authority's resolver asks for."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from tests import name_server, pebble
from tests.unit.certified import PACKAGE, SDK, Machine, with_its_own
from tests.unit.conftest import free_port
from tests.unit.zones import NAME, Zone, a_zone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.pebble import Authority


@dataclass(frozen=True)
class World:
    """A machine that may write in the zone, and an authority that asks the zone's name server."""

    machine: Machine
    zone: Zone
    authority: Authority
    asked: list[str]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    machine = with_its_own(tmp_path / "machine")
    machine.installed(f"{PACKAGE} {SDK}")
    machine.settings(domain="notebook.example.org")
    with ExitStack() as stack:
        zone = stack.enter_context(a_zone())
        machine.has(zone.role)
        port, asked = stack.enter_context(name_server.serving(zone.route53, zone.zone_id))
        closed = free_port()
        there = pebble.running(tmp_path, "127.0.0.1", closed, name_server=port)
        authority = stack.enter_context(there)
        dns = {"endpoint": zone.door, "region": "eu-central-1", "zone": zone.zone_id}
        machine.told(authority, dns=dns)
        yield World(machine, zone, authority, asked)


def test_a_domain_in_a_zone_of_ours_is_proved_by_its_record_with_no_port(world: World) -> None:
    machine = world.machine
    assert machine.ask() == 0
    names = machine.chain()[0].extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert [str(one.value) for one in names.value] == ["notebook.example.org"]
    assert machine.fits()
    assert f"{NAME}. TXT" in world.asked
    assert world.zone.held() == {}
    # What people type is still more than what it names: nobody asks again for that.
    assert machine.ask() == 0
    assert world.authority.issued() == 1
    assert machine.phase("certificate").returncode == 0
    assert not machine.is_ours()


@pytest.mark.parametrize(
    ("lacks", "reason"),
    [
        ("right", f"Route 53: the machine's role may not write {NAME} in the zone "),
        ("role", "Route 53: the machine has no role"),
    ],
)
def test_a_record_that_may_not_be_written_leaves_ours_and_is_told(
    world: World, lacks: str, reason: str
) -> None:
    machine = world.machine
    if lacks == "right":
        world.zone.forbid()
    else:
        machine.has(None)
    assert machine.ask() == 1
    assert reason in machine.state()["error"]
    assert "The pinned one serves on" in machine.state()["error"]
    assert machine.is_ours()
    assert (world.zone.held(), world.authority.issued()) == ({}, 0)
