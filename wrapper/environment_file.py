"""What the user says of packages, as the text of an environment.yml, before a machine reads it.

An environment.yml is taken as it is. Of requirements and of a pyproject.toml conda makes an
environment whose packages pip brings:
https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-environments.html
"""

from __future__ import annotations

import gzip
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from wrapper import current_environment
from wrapper.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_BYTES = 2048
"""Of it, gzipped: EC2 takes 16 KB of user data, and the rest of ours is never below 14 KB. Whether
it fits beside this SSH key, the module counts at plan time, before anything is made."""
_EXAMPLE = "dependencies:\n  - python=3.12\n  - numpy"
_EXAMPLE_PIP = "A package a line, as in: polars>=1.0"
_HERE = re.compile(
    r"^(-r|-c|-e|--requirement|--constraint|--editable)\b|^\.{0,2}/|^\.(\[|$)|\bfile:|@ *\.{0,2}/"
)
_SECRET = re.compile(r"://[^/\s]*@")


def of_word(
    word: str, given: Mapping[str, str], said: Callable[[str], None], *, for_user_data: bool = True
) -> str:
    """As `read`, of the environment that is active in this shell where the word says so.

    Where it cannot be the same, a line is said. SettingsError.
    """
    if word != current_environment.WORD:
        return read(Path(word).expanduser(), for_user_data=for_user_data)
    found = current_environment.current(given)
    for line in found.differences:
        said(line)
    content = str(yaml.safe_dump(found.environment, sort_keys=False))
    if for_user_data:
        _check_size(content, f"environment {found.prefix}")
    return content


def read(path: Path, *, for_user_data: bool = True) -> str:
    """An environment.yml, whatever the file is. SettingsError: unreadable, no such file, too large.

    Not `for_user_data`: it may be as large as it likes.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"The environment file {path} cannot be read: {error.strerror}.", hint=f"ls -l {path}"
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"The environment file {path} is not text in UTF-8.") from error
    if path.suffix == ".txt":
        content = _of_pip(_requirements(path, content))
    elif path.suffix == ".toml":
        content = _of_pip(*_project(path, content))
    _check(content, path)
    if for_user_data:
        _check_size(content, f"environment file {path}")
    return content


def _of_pip(lines: list[str], python: str = "") -> str:
    document = {"dependencies": [f"python{python}", "ipykernel", "pip", {"pip": lines}]}
    return str(yaml.safe_dump(document, sort_keys=False))


def _requirements(path: Path, content: str) -> list[str]:
    """Its lines. SettingsError for what is only on this computer, or secret."""
    # A line goes on behind a backslash; what follows " #" is a comment:
    # https://pip.pypa.io/en/stable/reference/requirements-file-format/
    joined = re.sub(r"\\\n\s*", " ", content)
    lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in joined.splitlines()]
    found = [line for line in lines if line]
    for line in found:
        if _HERE.search(line):
            raise SettingsError(
                f"{path} names a file or a folder of this computer, which the machine has not: "
                f"{line}",
                hint="Leave it out here, and bring it with: python -m wrapper push",
            )
        if _SECRET.search(line):
            raise SettingsError(
                f"{path} has a user or a password in an address: user data can be read by whoever "
                "may describe the machine.",
                hint="Install that package on the machine: python -m wrapper ssh",
            )
    if not found:
        raise SettingsError(f"The environment file {path} has no requirements.", hint=_EXAMPLE_PIP)
    return found


def _project(path: Path, content: str) -> tuple[list[str], str]:
    """What the project needs, and of which Python. SettingsError when it does not say."""
    try:
        project = tomllib.loads(content).get("project", {})
        needs, python = project.get("dependencies", []), project.get("requires-python", "")
    except (tomllib.TOMLDecodeError, AttributeError) as error:
        raise SettingsError(f"{path} is no pyproject.toml: {error}", hint=f"cat {path}") from error
    if not isinstance(needs, list) or not isinstance(python, str) or not needs:
        raise SettingsError(
            f"{path} has no project.dependencies.",
            hint="https://packaging.python.org/en/latest/guides/writing-pyproject-toml/",
        )
    return _requirements(path, "\n".join(map(str, needs))), python.replace(" ", "")


def _check(content: str, path: Path) -> None:
    try:
        document: Any = yaml.safe_load(content)
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


def _check_size(content: str, what: str) -> None:
    packed = len(gzip.compress(content.encode()))
    if packed > MOST_BYTES:
        raise SettingsError(
            f"The {what} is too large for EC2's user data: "
            f"{packed} bytes gzipped, {MOST_BYTES} fit.",
            hint="Name only what you import, not the whole of `conda env export`: conda env export "
            "--from-history. Or later, at any size: python -m wrapper env update",
        )
