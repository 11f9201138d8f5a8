"""The certificate that the user brings along."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrapper import certificate
from wrapper.errors import UsageError
from wrapper.settings import LETSENCRYPT

if TYPE_CHECKING:
    from wrapper.certificate import Pair
    from wrapper.deployment.wanted import Wanted
    from wrapper.home import Record
    from wrapper.settings import Settings


def read(wanted: Wanted, asked: Settings, before: Record | None) -> Pair | None:
    """The pair, fit for the notebook's name; None when none is given. UsageError: it is not fit."""
    if (wanted.certificate is None) != (wanted.private_key is None):
        raise UsageError(
            "--certificate and --private-key go together.",
            hint="--certificate chain.pem --private-key key.pem",
        )
    if wanted.certificate is None or wanted.private_key is None:
        return None
    if asked.tls == LETSENCRYPT:
        raise UsageError(
            "--certificate and --tls letsencrypt are two certificates.", hint="Say one of them."
        )
    host = asked.domain or (before.outputs.get("public_ip") if before else None)
    pair = certificate.read_pair(wanted.certificate, wanted.private_key, host=host)
    if host is None:
        # The address is not known before it was made, so the certificate cannot be for it.
        raise UsageError(
            f"{wanted.certificate} is for {', '.join(pair.names) or 'no name'}, and the notebook "
            "has no name.",
            hint="Give it one: --domain notebook.example.org",
        )
    return pair
