"""The machine's key and certificate: made, kept, renewed, and a user's own left alone."""

from __future__ import annotations

import hashlib
import socket
import ssl
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.unit.machine_root import MachineRoot
from wrapper import console

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PEM = serialization.Encoding.PEM


@pytest.fixture
def machine(tmp_path: Path) -> MachineRoot:
    return MachineRoot(tmp_path)


def folder(machine: MachineRoot) -> Path:
    return machine.root / "var/lib/jupyter-clouds/notebook/tls"


def certificate(machine: MachineRoot) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder(machine) / "certificate.pem").read_bytes())


def key(machine: MachineRoot) -> bytes:
    return (folder(machine) / "key.pem").read_bytes()


def names_of(found: x509.Certificate) -> list[str]:
    extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return [str(name.value) for name in extension.value]


def mint(*, private: bytes, organization: str, days: int, extensions: Iterable[Any] = ()) -> bytes:
    """A self-signed certificate of that organization for a key, for so many days more."""
    loaded = serialization.load_pem_private_key(private, None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)])
    now = datetime.now(UTC)
    end = now + timedelta(days=days)
    builder = x509.CertificateBuilder(name, name, loaded.public_key(), 1, now, end)
    for one in extensions:
        builder = builder.add_extension(one.value, one.critical)
    return builder.sign(loaded, hashes.SHA256()).public_bytes(PEM)


def new_key() -> bytes:
    private = ec.generate_private_key(ec.SECP256R1())
    return private.private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize(
    ("settings", "metadata", "names"),
    [
        pytest.param({"address": "198.18.0.9"}, {}, ["198.18.0.9"], id="elastic address"),
        pytest.param(
            {"address": "198.18.0.9", "domain": "lab.example.org"},
            {},
            ["198.18.0.9", "lab.example.org"],
            id="and a domain",
        ),
        pytest.param({}, {"public-ipv4": "198.18.0.7"}, ["198.18.0.7"], id="present address"),
        pytest.param({}, {}, ["10.0.0.5"], id="private subnet"),
    ],
)
def test_the_certificate_names_what_people_type(
    machine: MachineRoot,
    settings: dict[str, Any],
    metadata: dict[str, str],
    names: list[str],
) -> None:
    machine.settings(**settings)
    machine.metadata |= metadata

    assert machine.phase("certificate").returncode == 0

    assert names_of(certificate(machine)) == names


def test_the_key_is_readable_by_its_owner_only(machine: MachineRoot) -> None:
    machine.phase("certificate")

    assert (folder(machine) / "key.pem").stat().st_mode & 0o777 == 0o600
    assert folder(machine).stat().st_mode & 0o777 == 0o700
    assert folder(machine).parent.stat().st_mode & 0o777 == 0o700


def test_a_strict_client_that_trusts_the_certificate_connects_by_address(
    machine: MachineRoot,
) -> None:
    machine.settings(address="198.18.0.9")
    machine.phase("certificate")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder(machine) / "certificate.pem", folder(machine) / "key.pem")
    client = ssl.create_default_context(cafile=str(folder(machine) / "certificate.pem"))
    client.verify_flags |= ssl.VERIFY_X509_STRICT

    here, there = socket.socketpair()
    thread = threading.Thread(target=lambda: server.wrap_socket(there, server_side=True).close())
    thread.start()
    with client.wrap_socket(here, server_hostname="198.18.0.9") as connection:
        assert connection.version() == "TLSv1.3"
    thread.join(5)


def test_the_console_shows_the_fingerprints_that_cryptography_computes(
    machine: MachineRoot,
) -> None:
    machine.phase("certificate")

    shown = console.parse(machine.console()).fingerprint
    assert shown is not None
    found = certificate(machine)
    assert shown.certificate_sha256 == found.fingerprint(hashes.SHA256()).hex()
    public = found.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert shown.key_sha256 == hashlib.sha256(public).hexdigest()


def test_the_console_shows_ssh_s_host_key_without_its_comment(machine: MachineRoot) -> None:
    folder = machine.root / "etc/ssh"
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / "ssh_host_ed25519_key"
    subprocess.run(
        ["ssh-keygen", "-qt", "ed25519", "-N", "", "-C", "root@host", "-f", made], check=True
    )
    machine.phase("certificate")

    public = made.with_suffix(".pub").read_text().removesuffix(" root@host\n")
    assert console.ssh_host_key(machine.console()) == public


def test_at_the_next_boot_everything_stays(machine: MachineRoot) -> None:
    machine.phase("certificate")
    before = certificate(machine), key(machine)

    machine.phase("certificate")

    assert (certificate(machine), key(machine)) == before


@pytest.mark.parametrize("change", ["address", "end"])
def test_renewal_keeps_the_key(machine: MachineRoot, change: str) -> None:
    machine.metadata["public-ipv4"] = "198.18.0.7"
    machine.phase("certificate")
    before, private = certificate(machine), key(machine)
    if change == "address":
        machine.metadata["public-ipv4"] = "198.18.0.8"
    else:
        ending = mint(private=private, organization="jupyter-clouds", days=20)
        (folder(machine) / "certificate.pem").write_bytes(ending)

    machine.phase("fingerprint")

    after = certificate(machine)
    assert after.serial_number != before.serial_number
    assert after.not_valid_after_utc > datetime.now(UTC) + timedelta(days=300)
    assert key(machine) == private
    # Two fingerprints of one key: console.parse refuses anything else.
    shown = console.parse(machine.console()).fingerprint
    assert shown is not None
    assert shown.certificate_sha256 == after.fingerprint(hashes.SHA256()).hex()


@pytest.mark.parametrize("silent", ["public-ipv4", "all"])
def test_a_metadata_service_that_does_not_answer_changes_no_certificate(
    machine: MachineRoot, silent: str
) -> None:
    machine.metadata["public-ipv4"] = "198.18.0.7"
    machine.phase("certificate")
    before = certificate(machine)
    machine.broken = {"public-ipv4"} if silent == "public-ipv4" else {"public-ipv4", "local-ipv4"}

    assert machine.phase("fingerprint").returncode == 0

    assert certificate(machine) == before
    # What is due is done, with the names that it has.
    ending = mint(
        private=key(machine), organization="jupyter-clouds", days=20, extensions=before.extensions
    )
    (folder(machine) / "certificate.pem").write_bytes(ending)
    assert machine.phase("fingerprint").returncode == 0
    renewed = certificate(machine)
    assert names_of(renewed) == ["198.18.0.7"]
    assert renewed.not_valid_after_utc > datetime.now(UTC) + timedelta(days=300)


def test_a_first_certificate_does_not_wait_for_the_metadata(machine: MachineRoot) -> None:
    machine.broken = {"public-ipv4"}
    assert machine.phase("certificate").returncode == 0
    assert names_of(certificate(machine)) == ["127.0.0.1"]
    machine.broken = set()
    machine.phase("fingerprint")
    assert names_of(certificate(machine)) == ["10.0.0.5"]


def test_the_ten_minutes_check_says_nothing_but_the_fingerprint(machine: MachineRoot) -> None:
    machine.phase("certificate")
    (machine.root / "dev/console").write_text("")

    machine.phase("fingerprint")

    (line,) = machine.console().split("\n")[1:-1]
    assert line.startswith("jupyter-clouds: fingerprint ")
    assert machine.status().keys() == {"certificate"}


def test_a_certificate_of_ones_own_stays(machine: MachineRoot) -> None:
    machine.phase("certificate")
    theirs = new_key()
    own = mint(private=theirs, organization="jupyter", days=3)
    (folder(machine) / "key.pem").write_bytes(theirs)
    (folder(machine) / "certificate.pem").write_bytes(own)

    machine.phase("certificate")

    assert (folder(machine) / "certificate.pem").read_bytes() == own
    assert key(machine) == theirs


def test_a_chain_of_an_authority_stays(machine: MachineRoot) -> None:
    machine.phase("certificate")
    issued = trustme.CA().issue_cert("lab.example.org")
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    (folder(machine) / "key.pem").write_bytes(issued.private_key_pem.bytes())
    (folder(machine) / "certificate.pem").write_bytes(chain)

    machine.phase("certificate")

    assert (folder(machine) / "certificate.pem").read_bytes() == chain


@pytest.mark.parametrize("broken", ["key of another", "half a certificate", "no key"])
def test_a_pair_that_does_not_fit_is_mended(machine: MachineRoot, broken: str) -> None:
    machine.phase("certificate")
    if broken == "key of another":
        (folder(machine) / "key.pem").write_bytes(new_key())
    elif broken == "half a certificate":
        text = (folder(machine) / "certificate.pem").read_bytes()
        (folder(machine) / "certificate.pem").write_bytes(text[:200])
    else:
        (folder(machine) / "key.pem").unlink()

    machine.phase("certificate")

    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder(machine) / "certificate.pem", folder(machine) / "key.pem")
