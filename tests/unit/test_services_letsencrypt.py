"""A certificate that browsers trust: certbot, and an authority that looks at port 80 itself."""

from __future__ import annotations

import os
import subprocess
import time
from datetime import UTC, datetime
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.verification import PolicyBuilder, Store

from tests import pebble
from tests.unit.certified import with_its_own
from tests.unit.conftest import free_port, mint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.pebble import Authority
    from tests.unit.certified import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """With its own certificate, as it is when the notebook answers first."""
    return with_its_own(tmp_path / "machine")


@pytest.fixture
def authority(machine: Machine, tmp_path: Path) -> Iterator[Authority]:
    with pebble.running(tmp_path, "127.0.0.1", machine.port) as running:
        machine.told(running)
        yield running


def trusted(machine: Machine, root: str) -> bool:
    """As a browser that knows the root judges it, for the machine's address."""
    leaf, *others = machine.chain()
    store = Store(x509.load_pem_x509_certificates(root.encode()))
    address = x509.IPAddress(IPv4Address("127.0.0.1"))
    verifier = PolicyBuilder().store(store).time(datetime.now(UTC)).build_server_verifier(address)
    return bool(verifier.verify(leaf, others))


def test_it_takes_the_place_of_ours_with_the_same_key(
    machine: Machine, authority: Authority
) -> None:
    key = (machine.folder / "key.pem").read_bytes()
    assert machine.ask() == 0
    assert trusted(machine, authority.root())
    assert machine.fits()
    assert (machine.folder / "key.pem").read_bytes() == key
    assert machine.state()["state"] == "done"
    shown = machine.chain()[0].fingerprint(hashes.SHA256()).hex()
    assert f"certificate_sha256={shown} " in machine.console()
    assert "BEGIN" not in machine.console()


def test_it_is_asked_for_once(machine: Machine, authority: Authority) -> None:
    assert machine.ask() == 0
    console = machine.console()
    assert machine.ask() == 0
    assert (authority.issued(), machine.console()) == (1, console)
    assert machine.phase("certificate").returncode == 0
    assert not machine.is_ours()


def test_a_domain_is_named_beside_the_address(machine: Machine, authority: Authority) -> None:
    machine.settings(domain="localhost")
    assert machine.ask() == 0
    names = machine.chain()[0].extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert {str(one.value) for one in names.value} == {"127.0.0.1", "localhost"}
    assert machine.ask() == 0
    assert authority.issued() == 1


def test_with_half_of_its_time_over_it_is_renewed(machine: Machine, tmp_path: Path) -> None:
    with pebble.running(tmp_path, "127.0.0.1", machine.port, seconds=8) as authority:
        machine.told(authority)
        assert machine.ask() == 0
        first = machine.chain()[0].serial_number
        time.sleep(4.5)
        assert machine.ask() == 0
        assert (authority.issued(), machine.fits()) == (2, True)
    assert machine.chain()[0].serial_number != first


@pytest.mark.parametrize("why", ["it has run out", "the address is another"])
def test_one_that_helps_nobody_any_more_gives_its_place_back_at_the_boot(
    machine: Machine, tmp_path: Path, why: str
) -> None:
    seconds = 2 if why == "it has run out" else 500_000
    with pebble.running(tmp_path, "127.0.0.1", machine.port, seconds=seconds) as authority:
        machine.told(authority)
        assert machine.ask() == 0
    if seconds == 2:
        time.sleep(2.5)
    else:
        machine.settings(address="198.18.0.7")
    assert machine.phase("certificate").returncode == 0
    assert (machine.is_ours(), machine.fits()) == (True, True)


def test_a_port_that_is_closed_leaves_ours_and_is_told(machine: Machine, tmp_path: Path) -> None:
    with pebble.running(tmp_path, "127.0.0.1", free_port()) as authority:
        machine.told(authority)
        assert machine.ask() == 1
    told = machine.state()
    assert told["state"] == "failed"
    assert "no certificate that browsers trust" in told["error"]
    assert "connection refused" in told["error"]
    assert "The pinned one serves on" in told["error"]
    assert (machine.is_ours(), machine.fits()) == (True, True)


def test_an_authority_that_cannot_be_verified_is_told_nothing(
    machine: Machine, authority: Authority
) -> None:
    machine.told(authority, ca=trustme.CA().cert_pem.bytes().decode())
    assert machine.ask() == 1
    assert "certificate verify failed" in machine.state()["error"]
    assert machine.is_ours()


def test_a_certificate_of_the_users_own_is_left_alone(
    machine: Machine, authority: Authority
) -> None:
    mint("127.0.0.1").write(machine.folder)
    before = (machine.folder / "certificate.pem").read_text()
    assert machine.ask() == 0
    assert (machine.folder / "certificate.pem").read_text() == before
    assert authority.issued() == 0


HOUR, YEAR = 3600, 365 * 86400


def test_a_clock_that_is_wrong_neither_asks_at_every_look_nor_never(
    machine: Machine, authority: Authority
) -> None:
    assert authority
    assert machine.ask() == 0
    # Of six days and sixteen hours.
    looks, expected = (0, 6 * HOUR, 75 * HOUR, 85 * HOUR), [False, False, False, True]
    for wrong in (-YEAR, 0, YEAR):
        came = time.time() + wrong
        os.utime(machine.folder / "acme.pem", (came, came))
        assert machine.due(*(came + past for past in looks)) == expected, wrong
    # Set right again meanwhile, where it was ahead: the certificate's own dates.
    assert machine.due(*(time.time() + past for past in looks)) == expected


def test_what_is_not_of_the_key_is_never_shown(machine: Machine) -> None:
    before = (machine.folder / "certificate.pem").read_text()
    done = subprocess.run(
        ["bash", machine.programs / "services/letsencrypt.sh", machine.folder, "store", "x"],
        input=mint("127.0.0.1").certificate, text=True, check=False,
    )  # fmt: skip
    assert done.returncode
    assert (machine.folder / "certificate.pem").read_text() == before
