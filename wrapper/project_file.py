"""jupyter-clouds.toml: defaults for a project, in the directory that commands are typed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wrapper.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

FILE = "jupyter-clouds.toml"


def read(directory: Path, *, known: Collection[str]) -> dict[str, Any]:
    """Its keys, hyphens as underscores; empty without a file. SettingsError names what is wrong."""
    path = directory / FILE
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read: {error.strerror}", hint=f"ls -l {path}"
        ) from error
    # Of every command only those with such a file pay for these.
    import difflib  # noqa: PLC0415 (for a wrong key only)
    import tomllib  # noqa: PLC0415 (as said)

    try:
        raw = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}", hint=f"Correct it: {path}") from error
    values = {key.replace("-", "_"): value for key, value in raw.items()}
    for key in values:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            meant = f'did you mean "{close[0]}"?' if close else f"known: {', '.join(sorted(known))}"
            raise SettingsError(f'{path}: unknown key "{key}"; {meant}', hint=f"Correct it: {path}")
    return values
