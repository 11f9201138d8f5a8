"""Certificates: their fingerprints, and a pair that the user brings."""

from __future__ import annotations

import hashlib
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.unit.conftest import mint
from wrapper import certificate
from wrapper.errors import CertificateError

if TYPE_CHECKING:
    from pathlib import Path


def test_fingerprints_are_openssls(tmp_path: Path) -> None:
    path, _ = mint("127.0.0.1").write(tmp_path)
    found = certificate.fingerprints(ssl.PEM_cert_to_DER_cert(path.read_text()))
    pem = openssl(path, "-pubkey").replace("PUBLIC KEY", "CERTIFICATE")
    _, _, fingerprint = openssl(path, "-fingerprint", "-sha256").strip().partition("=")
    assert found.certificate_sha256 == fingerprint.replace(":", "").lower()
    assert found.key_sha256 == hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def openssl(path: Path, *options: str) -> str:
    return subprocess.run(
        ["openssl", "x509", "-in", path, "-noout", *options],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_a_renewal_keeps_the_keys_fingerprint() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    first, second = (
        certificate.fingerprints(ssl.PEM_cert_to_DER_cert(mint("127.0.0.1", key=key).certificate))
        for _ in range(2)
    )
    assert first.key_sha256 == second.key_sha256
    assert first.certificate_sha256 != second.certificate_sha256


def test_what_is_no_certificate_has_no_fingerprint() -> None:
    with pytest.raises(CertificateError):
        certificate.fingerprints(b"\x30\x03\x02\x01\x05")


def test_a_pair_is_read_with_its_names_and_its_end(tmp_path: Path) -> None:
    minted = mint("notebook.example.org", "203.0.113.7")
    pair = certificate.read_pair(*minted.write(tmp_path), host="notebook.example.org")
    assert pair.names == ("notebook.example.org", "203.0.113.7")
    assert (pair.certificate, pair.private_key) == (minted.certificate, minted.private_key)
    assert timedelta(days=29) < pair.not_after - datetime.now(UTC) <= timedelta(days=30)
    assert minted.private_key not in repr(pair)


def test_a_chain_in_order_is_taken(tmp_path: Path) -> None:
    issued = trustme.CA().create_child_ca().issue_cert("notebook.example.org")
    path, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    path.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    assert certificate.read_pair(path, key).names == ("notebook.example.org",)


@pytest.mark.parametrize(
    ("names", "host", "covered"),
    [
        (("notebook.example.org",), "Notebook.Example.org.", True),
        (("*.example.org",), "notebook.example.org", True),
        (("*.example.org",), "a.notebook.example.org", False),
        (("*.example.org",), "example.org", False),
        (("203.0.113.7",), "203.0.113.7", True),
        (("203.0.113.7",), "203.0.113.70", False),
        (("2001:db8::7",), "2001:db8:0:0::7", True),
        ((), "notebook.example.org", False),
    ],
)
def test_the_host_has_to_be_named(
    tmp_path: Path, names: tuple[str, ...], host: str, covered: bool
) -> None:
    files = mint(*names).write(tmp_path)
    if covered:
        certificate.read_pair(*files, host=host)
    else:
        with pytest.raises(CertificateError, match="is not for"):
            certificate.read_pair(*files, host=host)


def encrypted(pem: str) -> bytes:
    key = serialization.load_pem_private_key(pem.encode(), None)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"passphrase"),
    )


MINTED, ANOTHER = mint("a.example"), mint("b.example")
DER = ssl.PEM_cert_to_DER_cert(MINTED.certificate)


@pytest.mark.parametrize(
    ("shown", "key", "reason"),
    [
        pytest.param(None, MINTED.private_key, "cannot be read: No such file", id="no file"),
        pytest.param(MINTED.certificate, None, "cannot be read: No such file", id="no key file"),
        pytest.param("", MINTED.private_key, "no certificate in PEM", id="empty"),
        pytest.param(DER, MINTED.private_key, "no certificate in PEM", id="DER"),
        pytest.param(MINTED.certificate, "nonsense", "no private key in PEM", id="no key"),
        pytest.param(MINTED.private_key, MINTED.certificate, "no certificate in PEM", id="swapped"),
        pytest.param(
            MINTED.certificate, encrypted(MINTED.private_key), "is encrypted", id="encrypted key"
        ),
        pytest.param(
            MINTED.certificate, ANOTHER.private_key, "does not belong", id="another's key"
        ),
        pytest.param(
            ANOTHER.certificate + MINTED.certificate,
            MINTED.private_key,
            "does not belong",
            id="chain with the server's certificate last",
        ),
        pytest.param(
            MINTED.certificate + ANOTHER.certificate,
            MINTED.private_key,
            "out of order",
            id="chain with a stranger in it",
        ),
    ],
)
def test_a_pair_that_cannot_be_served_is_refused(
    tmp_path: Path, shown: str | bytes | None, key: str | bytes | None, reason: str
) -> None:
    paths = tmp_path / "chain.pem", tmp_path / "key.pem"
    for path, content in zip(paths, (shown, key), strict=True):
        if content is not None:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(CertificateError, match=reason) as raised:
        certificate.read_pair(*paths)
    assert raised.value.hint
    assert "PRIVATE KEY" not in raised.value.message


@pytest.mark.parametrize(
    ("days", "reason"), [((-10, -1), "ran out on"), ((1, 10), "not valid before")]
)
def test_a_certificate_out_of_its_time_is_refused(
    tmp_path: Path, days: tuple[int, int], reason: str
) -> None:
    with pytest.raises(CertificateError, match=reason):
        certificate.read_pair(*mint("a.example", days=days).write(tmp_path))
