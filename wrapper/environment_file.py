"""The user's environment.yml, read before a machine reads it."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import yaml

from wrapper.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 2048
"""Of it, gzipped: EC2 takes 16 KB of user data, and the rest of ours is never below 14 KB. Whether
it fits beside this SSH key, the module counts at plan time, before anything is made."""
_EXAMPLE = "dependencies:\n  - python=3.12\n  - numpy"


def read(path: Path) -> str:
    """Its content. SettingsError: unreadable, not YAML, no dependencies, too large."""
    try:
        content = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"The environment file {path} cannot be read: {error.strerror}.", hint=f"ls -l {path}"
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"The environment file {path} is not text in UTF-8.") from error
    _check(content, path)
    return content


def _check(content: str, path: Path) -> None:
    try:
        document = yaml.safe_load(content)
    except yaml.YAMLError as error:
        where = " ".join(str(error).split())
        raise SettingsError(
            f"The environment file {path} is not YAML: {where}",
            hint=f"It begins, for example:\n{_EXAMPLE}",
        ) from error
    dependencies = document.get("dependencies") if isinstance(document, dict) else None
    if not isinstance(dependencies, list) or not dependencies:
        raise SettingsError(
            f"The environment file {path} has no dependencies.",
            hint=f"It needs a list of at least one package:\n{_EXAMPLE}",
        )
    packed = len(gzip.compress(content.encode()))
    if packed > MOST_BYTES:
        raise SettingsError(
            f"The environment file {path} is too large for EC2's user data: "
            f"{packed} bytes gzipped, {MOST_BYTES} fit.",
            hint="Name only what you import, not the whole of `conda env export`: "
            "conda env export --from-history",
        )
