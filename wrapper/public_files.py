"""Files of the user's that may be read by everybody: a public key, an authority's certificate."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wrapper.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_PUBLIC_KEY = re.compile(r"(ssh-|ecdsa-|sk-)[a-z0-9@.-]+ AAAA[0-9A-Za-z+/]+={0,3}( [^\n]*)?")


def authority(path: Path) -> str:
    """The file's certificates. SettingsError when it has none."""
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"--acme-ca {path} cannot be read: {error}.", hint=f"ls -l {path}"
        ) from error
    found = _CERTIFICATE.findall(content)
    if not found or "PRIVATE KEY" in content:
        raise SettingsError(f"{path} is no certificate in PEM, or has a private key beside it.")
    return "\n".join(found) + "\n"


def public_key(path: Path) -> str:
    """The file's one line. SettingsError when it is no public key."""
    try:
        content = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The public key {path} cannot be read: {error}.", hint=f"ls -l {path}"
        ) from error
    if not _PUBLIC_KEY.fullmatch(content):
        private = "PRIVATE KEY" in content
        raise SettingsError(
            f"{path} is {'a private key' if private else 'no public key of SSH'}.",
            hint=f"--ssh-public-key {path}.pub" if private else "ssh-keygen -t ed25519",
        )
    return content
