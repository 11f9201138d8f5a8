"""Whose account the SDK will act in, as far as the environment and AWS's files tell. Asks nobody.

https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html
"""

from __future__ import annotations

import configparser
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL", "AWS_ROLE_ARN")
_KEYS = (
    "aws_access_key_id",
    "credential_process",
    "role_arn",
    "source_profile",
    "sso_account_id",
    "sso_role_name",
    "sso_session",
)
"""Of a profile: what names an account, and no secret."""
_DEPTH = 5
"""Profiles that lead to each other."""


def whose(environment: Mapping[str, str]) -> list[str]:
    """Words that differ where the account does."""
    told = [environment.get(one, "") for one in _VARIABLES]
    if environment.get("AWS_ACCESS_KEY_ID"):
        return told
    name = environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE") or "default"
    files = [_read(path) for path in _paths(environment)]
    for _ in range(_DEPTH):
        found = {key: value for one in files for key, value in _profile(one, name).items()}
        told += [name, *(f"{key}={_plain(key, found[key])}" for key in _KEYS if key in found)]
        name = found.get("source_profile", name)
        if name in told:
            break
    return told


def _plain(key: str, value: str) -> str:
    """A command line may have a password in it, and these words are kept with each answer."""
    return hashlib.sha256(value.encode()).hexdigest() if key == "credential_process" else value


def _paths(environment: Mapping[str, str]) -> tuple[Path, Path]:
    folder = Path(environment.get("HOME") or "~").expanduser() / ".aws"
    credentials = environment.get("AWS_SHARED_CREDENTIALS_FILE") or folder / "credentials"
    config = environment.get("AWS_CONFIG_FILE") or folder / "config"
    return Path(config).expanduser(), Path(credentials).expanduser()


def _read(path: Path) -> configparser.RawConfigParser:
    """Empty where it cannot be read: the SDK will say why."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, configparser.Error):
        return configparser.RawConfigParser()
    return parser


def _profile(parser: configparser.RawConfigParser, name: str) -> dict[str, str]:
    """A profile is called otherwise in the two files."""
    for section in (name, f"profile {name}"):
        if parser.has_section(section):
            return dict(parser.items(section))
    return {}
