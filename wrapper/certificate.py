"""Certificates: what identifies one, and whether one of the user's own can be served."""

from __future__ import annotations

import hashlib
import ipaddress
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from wrapper.errors import CertificateError

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes


@dataclass(frozen=True)
class Fingerprints:
    """SHA-256 of a certificate's DER and of its key's SPKI, 64 hexadecimal digits each."""

    certificate_sha256: str
    key_sha256: str


@dataclass(frozen=True)
class Pair:
    """A certificate of the user's own, with its chain, and the key that belongs to it."""

    certificate: str
    private_key: str = field(repr=False)
    names: tuple[str, ...]
    """DNS names and addresses that the certificate is for."""
    not_after: datetime
    fingerprints: Fingerprints


def fingerprints(der: bytes) -> Fingerprints:
    """What identifies a certificate and its key. CertificateError when it is none."""
    try:
        key = x509.load_der_x509_certificate(der).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError("What was sent as a certificate cannot be read as one.") from error
    spki = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Fingerprints(
        certificate_sha256=hashlib.sha256(der).hexdigest(),
        key_sha256=hashlib.sha256(spki).hexdigest(),
    )


def is_for(der: bytes, host: str) -> bool:
    """Whether a certificate that can be read names the domain or address."""
    return _covers(_names(x509.load_der_x509_certificate(der)), host)


def read_pair(
    certificate: Path, private_key: Path, *, host: str | None = None, now: datetime | None = None
) -> Pair:
    """The two files belong together, are valid now and name the host.

    `host` is the domain or address that people will type; None leaves it unchecked.
    CertificateError says which of it is not so.
    """
    pem = _read(certificate, "certificate")
    chain = _chain(pem, certificate)
    key_pem = _read(private_key, "private key")
    key = _key(key_pem, private_key)
    _check_fit(chain, key, certificate, private_key)
    _check_dates(chain[0], certificate, now or datetime.now(UTC))
    names = _names(chain[0])
    if host is not None and not _covers(names, host):
        raise CertificateError(
            f"{certificate} is not for {host}, but for: {', '.join(names) or 'no name at all'}.",
            hint=f"Give a certificate that names {host}, or the --domain that it names.",
        )
    return Pair(
        certificate=pem.decode("ascii"),
        private_key=key_pem.decode("ascii"),
        names=names,
        not_after=chain[0].not_valid_after_utc,
        fingerprints=fingerprints(chain[0].public_bytes(serialization.Encoding.DER)),
    )


def _read(path: Path, what: str) -> bytes:
    try:
        content = path.read_bytes()
        content.decode("ascii")
    except OSError as error:
        raise CertificateError(
            f"The {what} {path} cannot be read: {error.strerror}.",
            hint=f"Check it: ls -l {path}",
        ) from error
    except UnicodeDecodeError as error:
        raise _not_pem(what, path) from error
    return content


def _not_pem(what: str, path: Path) -> CertificateError:
    return CertificateError(
        f"{path} holds no {what} in PEM format (-----BEGIN ...).",
        hint=f"Convert it: openssl {'x509' if what == 'certificate' else 'pkey'} "
        f"-inform DER -in {path} -out {path.with_suffix('.pem')}",
    )


def _chain(pem: bytes, path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _not_pem("certificate", path) from error


def _key(pem: bytes, path: Path) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise CertificateError(
            f"The private key {path} is encrypted; a server that starts by itself cannot ask "
            "for its passphrase.",
            hint=f"Decrypt a copy of it: openssl pkey -in {path} -out {path.stem}.plain.pem",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _not_pem("private key", path) from error


def _check_fit(
    chain: list[x509.Certificate], key: PrivateKeyTypes, certificate: Path, private_key: Path
) -> None:
    """The key is the first certificate's, and each certificate issued the one before it."""
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if chain[0].public_key().public_bytes(*form) != key.public_key().public_bytes(*form):
        raise CertificateError(
            f"The private key {private_key} does not belong to the certificate {certificate}.",
            hint="Give the pair that was made together; in a chain the server's own certificate "
            "comes first.",
        )
    for issued, issuer in itertools.pairwise(chain):
        try:
            issued.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature) as error:
            raise CertificateError(
                f"The chain in {certificate} is out of order: "
                f'"{issuer.subject.rfc4514_string()}" did not issue '
                f'"{issued.subject.rfc4514_string()}".',
                hint="Put the server's certificate first, then each one's issuer.",
            ) from error


def _check_dates(leaf: x509.Certificate, path: Path, now: datetime) -> None:
    if now >= leaf.not_valid_after_utc:
        raise CertificateError(
            f"The certificate {path} ran out on {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC.",
            hint="Renew it, or leave it out: the machine makes one of its own.",
        )
    if now < leaf.not_valid_before_utc:
        raise CertificateError(
            f"The certificate {path} is not valid before "
            f"{leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC; it is {now:%Y-%m-%d %H:%M} here.",
            hint="Check this computer's clock: date -u",
        )


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    names = extension.value
    addresses = (str(address) for address in names.get_values_for_type(x509.IPAddress))
    return (*names.get_values_for_type(x509.DNSName), *addresses)


def _covers(names: tuple[str, ...], host: str) -> bool:
    """As browsers decide it (RFC 6125): a star stands for one whole leftmost label."""
    try:
        return str(ipaddress.ip_address(host)) in names
    except ValueError:
        wanted = host.rstrip(".").lower()
    _, _, parent = wanted.partition(".")
    return any(name.lower() in (wanted, f"*.{parent}") for name in names)
