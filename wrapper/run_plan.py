"""What is to run unattended, checked before anything is sent. Pure, but for reading the file."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from wrapper import update_environment
from wrapper.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NOTEBOOK = ".ipynb"
_WORDS = {"True": True, "False": False, "None": None}
_TAG = "parameters"
_OURS = ".run"
_LARGEST = 64 * 2**20
"""Bytes of a file that is sent as part of a request."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the machine is told; field names are those of its addresses."""

    kind: str
    title: str
    file: str = ""
    source: str = field(default="", repr=False)
    arguments: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    kernel: str = ""
    outputs: tuple[str, ...] = ()
    after: str | None = None

    def document(self) -> dict[str, Any]:
        """As it is sent."""
        return asdict(self)


def of_command(words: Sequence[str], outputs: Sequence[str], after: str | None) -> Plan:
    """A program and its words. SettingsError for outputs that cannot be."""
    title = PurePosixPath(words[0]).name or "command"
    return Plan(
        kind="command",
        title=title,
        arguments=tuple(words),
        outputs=_checked(outputs),
        after=after,
    )


def of_environment(asked: Mapping[str, Any]) -> Plan:
    """The kernel's environment is brought up to what `environment_file` has read."""
    return Plan(
        kind="script",
        title="environment",
        file="update_environment.py",
        source=update_environment.source(dict(asked)),
    )


def of_file(  # noqa: PLR0913 - each is an option of the command
    path: Path,
    *,
    beside: Path | None = None,
    arguments: Sequence[str] = (),
    parameters: Sequence[str] = (),
    kernel: str | None = None,
    outputs: Sequence[str] = (),
    after: str | None = None,
) -> Plan:
    """A notebook or a script; one in the folder `beside` keeps its place there. SettingsError."""
    text = _text(path)
    file = path.name
    if beside and path.resolve().is_relative_to(beside.resolve()):
        file = path.resolve().relative_to(beside.resolve()).as_posix()
    given = dict(map(_parameter, parameters))
    if path.suffix == NOTEBOOK:
        notebook = _notebook(path, text)
        if arguments:
            raise SettingsError(
                f"{path} is a notebook, which takes no arguments.",
                hint="Parameters: python -m wrapper run NOTEBOOK.ipynb -p name=value",
            )
        _check_parameters(path, notebook, given)
        kernel = kernel or _kernel(notebook)
    elif given or kernel:
        raise SettingsError(
            f"{path} is a script: parameters and kernels are a notebook's.",
            hint=f"Arguments: python -m wrapper run {path} -- --name value",
        )
    return Plan(
        kind="notebook" if path.suffix == NOTEBOOK else "script",
        title=path.stem,
        file=file,
        source=text,
        arguments=tuple(arguments),
        parameters=given,
        kernel=kernel or "",
        outputs=_checked(outputs),
        after=after,
    )


def value(text: str) -> Any:
    """What is JSON is that, and True, False and None are Python's; all else is a text."""
    if text in _WORDS:
        return _WORDS[text]
    try:
        return json.loads(text, parse_constant=_no_number)
    except ValueError:
        return text


def _no_number(name: str) -> Any:
    raise ValueError(name)


def _parameter(word: str) -> tuple[str, Any]:
    name, equals, text = word.partition("=")
    if not equals or not name.isidentifier():
        raise SettingsError(
            f"-p {word}: a parameter is NAME=VALUE, with a name of Python's.",
            hint="As in: -p rate=0.1 -p name=moon -p sizes=[1,2]",
        )
    return name, value(text)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise SettingsError(
                f"{path} is larger than {_LARGEST >> 20} MB.",
                hint="Without outputs: python -m nbconvert --clear-output --inplace FILE",
            )
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(f"There is no {path}.", hint=f"ls {path.parent}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}", hint=f"file {path}") from error


def _notebook(path: Path, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise _no_notebook(path, f"not JSON ({error})") from error
    if not isinstance(found, dict) or not isinstance(found.get("nbformat"), int):
        raise _no_notebook(path, "it says no nbformat")
    if found["nbformat"] != 4:  # noqa: PLR2004 - the format of today
        raise _no_notebook(path, f"nbformat {found['nbformat']}, and 4 is known here")
    cells = found.get("cells")
    if not isinstance(cells, list) or not all(
        isinstance(one, dict) and isinstance(one.get("source"), str | list) for one in cells
    ):
        raise _no_notebook(path, "its cells are damaged")
    if not any(one.get("cell_type") == "code" for one in cells):
        raise _no_notebook(path, "it has no cell with code")
    return found


def _no_notebook(path: Path, why: str) -> SettingsError:
    return SettingsError(
        f"{path} is no notebook that could be run: {why}.", hint="Open and save it in JupyterLab."
    )


def _metadata(found: dict[str, Any], *names: str) -> Any:
    here: Any = found.get("metadata")
    for name in names:
        here = here.get(name) if isinstance(here, dict) else None
    return here


def _kernel(notebook: dict[str, Any]) -> str:
    return str(_metadata(notebook, "kernelspec", "name") or "python3")


def _check_parameters(path: Path, notebook: dict[str, Any], given: dict[str, Any]) -> None:
    """Each is set in the cell that is tagged for that; else it would do nothing, unnoticed."""
    if not given:
        return
    language = _metadata(notebook, "kernelspec", "language") or _metadata(
        notebook, "language_info", "name"
    )
    if language not in (None, "python"):
        raise SettingsError(f"{path} is in {language}; -p knows only Python's parameters.")
    known = _assigned(notebook)
    if known is None:
        raise SettingsError(
            f"{path} has no cell that is tagged {_TAG}: nothing would take -p.",
            hint=f"In JupyterLab: the cell, the gears at the right, Cell Tags: {_TAG}",
        )
    unknown = [name for name in given if name not in known]
    if unknown:
        there = f"There is: {', '.join(known)}." if known else "It sets none."
        raise SettingsError(
            f"{path} has no parameter {', '.join(unknown)} in its cell tagged {_TAG}. {there}",
            hint="Give it a default there, or leave -p out",
        )


def _assigned(notebook: dict[str, Any]) -> list[str] | None:
    """Names that the cells tagged for it set; None where there is no such cell."""
    sources = [
        one["source"] if isinstance(one["source"], str) else "".join(map(str, one["source"]))
        for one in notebook["cells"]
        if one.get("cell_type") == "code" and _TAG in (_metadata(one, "tags") or [])
    ]
    if not sources:
        return None
    # Lines of IPython's own are no Python.
    text = re.sub(r"^\s*[%!].*$", "", "\n".join(sources), flags=re.MULTILINE)
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise SettingsError(
            f"The cell tagged {_TAG} is no Python: {error.msg}, line {error.lineno}."
        ) from error
    names = [
        one.id
        for one in ast.walk(tree)
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
    ]
    return list(dict.fromkeys(names))


def _checked(outputs: Sequence[str]) -> tuple[str, ...]:
    for one in outputs:
        parts = PurePosixPath(one).parts
        if not parts or one.startswith(("/", "~")) or ".." in parts or parts[0] == _OURS:
            raise SettingsError(
                f"-o {one}: an output is a file or a folder below the run's own folder.",
                hint="As in: -o model.pt -o figures -o 'tables/*.csv'",
            )
    return tuple(outputs)
