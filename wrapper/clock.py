"""This computer's clock, where it is wrong: how that shows, and what sets it. Pure."""

from __future__ import annotations

import platform
from datetime import UTC, datetime

_BY_DATE = ("certificate has expired", "certificate is not yet valid")
"""As OpenSSL says it, and Go in one: https://pkg.go.dev/crypto/x509#InvalidReason"""
_MAC = "sudo sntp -sS time.apple.com"
# Linux under Windows, whose clock stays behind while the computer sleeps:
# https://github.com/microsoft/WSL/issues/4245
_WSL = "sudo hwclock -s (or, in Windows: wsl --shutdown)"
_LINUX = "sudo timedatectl set-ntp true"


def command() -> str:
    """What sets it right on this system, to be typed."""
    if platform.system() == "Darwin":
        return _MAC
    return _WSL if "microsoft" in platform.release().lower() else _LINUX


def blamed(told: str) -> str | None:
    """What to look at where a certificate was refused for its dates; None where none was."""
    if not any(one in told for one in _BY_DATE):
        return None
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"This computer's clock says {now}. If that is wrong: {command()}"
