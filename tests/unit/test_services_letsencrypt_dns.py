"""A certificate for a domain by a record in its zone, which an authority's resolver asks for."""

from __future__ import annotations

import ssl
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import trustme
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
    dns: dict[str, str]
    """What the machine is told of the zone."""
    folder: Path

    def ask(self) -> int:
        """The machine asks. Its company's authority vouches for AWS, as one that looks into TLS."""
        return self.machine.ask(REQUESTS_CA_BUNDLE=str(self.folder / "company.pem"))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    machine = with_its_own(tmp_path / "machine")
    machine.installed(f"{PACKAGE} {SDK}")
    machine.settings(domain="notebook.example.org")
    company, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    company.issue_cert("127.0.0.1").configure_cert(tls)
    company.cert_pem.write_to_path(tmp_path / "company.pem")
    with ExitStack() as stack:
        zone = stack.enter_context(a_zone(tls))
        machine.has(zone.role)
        port, asked = stack.enter_context(name_server.serving(zone.route53, zone.zone_id))
        closed = free_port()
        there = pebble.running(tmp_path, "127.0.0.1", closed, name_server=port)
        authority = stack.enter_context(there)
        dns = {"endpoint": zone.door, "region": "eu-central-1", "zone": zone.zone_id}
        machine.told(authority, dns=dns)
        yield World(machine, zone, authority, asked, dns, tmp_path)


def test_a_domain_in_a_zone_of_ours_is_proved_by_its_record_with_no_port(world: World) -> None:
    machine = world.machine
    assert world.ask() == 0
    names = machine.chain()[0].extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert [str(one.value) for one in names.value] == ["notebook.example.org"]
    assert machine.fits()
    assert f"{NAME}. TXT" in world.asked
    assert world.zone.held() == {}
    # What people type is still more than what it names: nobody asks again for that.
    assert world.ask() == 0
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
    assert world.ask() == 1
    assert reason in machine.state()["error"]
    assert "The pinned one serves on" in machine.state()["error"]
    assert machine.is_ours()
    assert (world.zone.held(), world.authority.issued()) == ({}, 0)


@pytest.mark.parametrize(
    ("authority", "written"),
    [
        pytest.param("company.pem", True, id="its own"),
        pytest.param("ca.pem", False, id="the one that is asked for certificates"),
        pytest.param(None, False, id="those that every SDK knows"),
    ],
)
def test_route_53_is_spoken_to_where_an_authority_vouches_for_it_and_nowhere_else(
    world: World, authority: str | None, *, written: bool
) -> None:
    known = {"AWS_CA_BUNDLE": str(world.folder / authority)} if authority else {}
    said = world.machine.write(world.dns, "notebook.example.org", AWS_MAX_ATTEMPTS="1", **known)
    assert ("Detail: Route 53: SSL validation failed" in said) != written
    assert world.zone.held() == ({f"{NAME}.": '"of this test"'} if written else {})
