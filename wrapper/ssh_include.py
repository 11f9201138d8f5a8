"""The user's own ~/.ssh/config: one line of ours at its top, and nothing else of it touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrapper import openssh
from wrapper.errors import SettingsError
from wrapper.home import DIRECTORY_MODE, as_disk_error, write_private

if TYPE_CHECKING:
    from pathlib import Path

_MARK = "# jupyter-clouds: the notebooks' machines (python -m wrapper ssh-config --remove)"


def line(root: Path) -> str:
    """What includes every deployment's configuration, also of those to come."""
    # A pattern, and tokens only in newer versions: https://man.openbsd.org/ssh_config#Include
    place = openssh.quoted(root).replace("%%", "?").removesuffix('"')
    return f'Include {place}/*/ssh/{openssh.CONFIG}"'


def included(config: Path, root: Path) -> bool:
    """Whether the line is there."""
    return line(root) in _text(config).splitlines()


def include(config: Path, root: Path) -> None:
    """The line is at the top, where it belongs to no Host; the rest is as it was."""
    with as_disk_error(config):
        config.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    _replace(config, f"{_MARK}\n{line(root)}\n\n" + _without(config, root))


def remove(config: Path, root: Path) -> None:
    """The line is gone; the rest is as it was."""
    if included(config, root):
        _replace(config, _without(config, root))


def _without(config: Path, root: Path) -> str:
    text = _text(config)
    for ours in (f"{_MARK}\n{line(root)}\n\n", f"{_MARK}\n{line(root)}\n", f"{line(root)}\n"):
        text = text.replace(ours, "", 1)
    return text


def _text(config: Path) -> str:
    with as_disk_error(config):
        try:
            return config.read_bytes().decode("utf-8")
        except FileNotFoundError:
            return ""
        except UnicodeDecodeError as error:
            raise SettingsError(
                f"{config} is not UTF-8: it stays as it is.",
                hint=f"At its top, by hand: iconv -t utf-8 {config}",
            ) from error


def _replace(config: Path, text: str) -> None:
    """Where a link leads, if it is one: the link stays."""
    write_private(config.resolve(), text)
