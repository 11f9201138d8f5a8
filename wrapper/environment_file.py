"""What the user says of packages, as the text of an environment.yml, before a machine reads it.

An environment.yml is taken as it is. Of requirements and of a pyproject.toml conda makes an
environment whose packages pip brings:
https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-environments.html
What conda-lock has locked needs no solving: `conda_lock`.
"""

from __future__ import annotations

import gzip
import re
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from wrapper import conda_lock, current_environment, environment_secrets
from wrapper.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wrapper.conda_lock import Pinned

MOST_BYTES = 2048
"""Of it, gzipped: EC2 takes 16 KB of user data, and the rest of ours is never below 14 KB. Whether
it fits beside this SSH key, the module counts at plan time, before anything is made."""
_EXAMPLE = "dependencies:\n  - python=3.12\n  - numpy"
_EXAMPLE_PIP = "A package a line, as in: polars>=1.0"
_HERE = re.compile(
    r"^(-r|-c|-e|--requirement|--constraint|--editable)\b|^\.{0,2}/|^\.(\[|$)|\bfile:|@ *\.{0,2}/"
)
_PYTHON = re.compile(r"(?:\S+::)?python(?![\w-])\s*(?P<version>[^\[]*)")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the kernel is to have."""

    name: str
    """The file, or the environment, in words."""
    word: str
    """The same as the user typed it."""
    text: str = field(default="", repr=False)
    """An environment.yml; empty for a lock file."""
    locks: dict[str, Pinned] = field(default_factory=dict, repr=False)
    """Of a lock file, by platform."""

    def sent(self) -> dict[str, Any]:
        """As the machine is told over the pinned connection: at any size, and with secrets."""
        return asdict(self)


def of_word(word: str, given: Mapping[str, str], said: Callable[[str], None]) -> Asked:
    """As `read`, of the environment that is active in this shell where the word says so.

    Where it cannot be the same, a line is said. SettingsError.
    """
    if word != current_environment.WORD:
        return read(Path(word).expanduser())
    found = current_environment.current(given)
    for line in found.differences:
        said(line)
    content = str(yaml.safe_dump(found.environment, sort_keys=False))
    return Asked(name=f"environment {found.prefix}", word=word, text=content)


def for_user_data(asked: Asked, said: Callable[[str], None]) -> tuple[str, dict[str, Any] | None]:
    """The environment.yml that a machine begins with, and what is to be sent once it answers.

    None: nothing. SettingsError for what is secret: user data is read by others.
    """
    if not asked.locks:
        _refuse_secrets(asked)
        packed = len(gzip.compress(asked.text.encode()))
        if packed <= MOST_BYTES:
            return asked.text, None
        said(
            f"{asked.name} is too large for EC2's user data ({packed} bytes gzipped, {MOST_BYTES} "
            "fit): it is sent once the notebook answers"
        )
    else:
        said(f"{asked.name} is a lock file: it is sent once the notebook answers")
    begin = {"dependencies": [_python(asked), "ipykernel", "pip"]}
    return str(yaml.safe_dump(begin, sort_keys=False)), asked.sent()


def _python(asked: Asked) -> str:
    """The Python that it asks for, so that it need not be replaced afterwards."""
    for pinned in asked.locks.values():
        return f"python={pinned.python}" if pinned.python else "python"
    for one in yaml.safe_load(asked.text)["dependencies"]:
        if isinstance(one, str) and _PYTHON.fullmatch(one):
            return one
    return "python"


def _refuse_secrets(asked: Asked) -> None:
    if secret := environment_secrets.found(asked.text, yaml.safe_load(asked.text)):
        raise SettingsError(
            f"{asked.name} has {secret}: user data can be read by whoever may describe the "
            "machine.",
            hint="Over the pinned connection, on a machine that runs: python -m wrapper env "
            f"update {asked.word}",
        )


def read(path: Path) -> Asked:
    """What the file asks for, whatever it is. SettingsError: unreadable, no such file."""
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
    document = _parsed(content, path)
    if conda_lock.is_lock(document, path):
        return Asked(name=str(path), word=str(path), locks=conda_lock.read(document, path))
    _check(document, path)
    return Asked(name=str(path), word=str(path), text=content)


def _of_pip(lines: list[str], python: str = "") -> str:
    document = {"dependencies": [f"python{python}", "ipykernel", "pip", {"pip": lines}]}
    return str(yaml.safe_dump(document, sort_keys=False))


def _requirements(path: Path, content: str) -> list[str]:
    """Its lines. SettingsError when there are none."""
    # A line goes on behind a backslash; what follows " #" is a comment:
    # https://pip.pypa.io/en/stable/reference/requirements-file-format/
    joined = re.sub(r"\\\n\s*", " ", content)
    lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in joined.splitlines()]
    found = [line for line in lines if line]
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


def _parsed(content: str, path: Path) -> Any:
    try:
        return yaml.safe_load(content)
    except yaml.YAMLError as error:
        where = " ".join(str(error).split())
        raise SettingsError(
            f"The environment file {path} is not YAML: {where}",
            hint=f"It begins, for example:\n{_EXAMPLE}",
        ) from error


def _check(document: Any, path: Path) -> None:
    """It has dependencies, and none of them is only on this computer. SettingsError."""
    dependencies = document.get("dependencies") if isinstance(document, dict) else None
    if not isinstance(dependencies, list) or not dependencies:
        raise SettingsError(
            f"The environment file {path} has no dependencies.",
            hint=f"It needs a list of at least one package:\n{_EXAMPLE}",
        )
    of_pip = [one["pip"] for one in dependencies if isinstance(one, dict) and one.get("pip")]
    for line in (str(line) for some in of_pip if isinstance(some, list) for line in some):
        if _HERE.search(line.strip()):
            raise SettingsError(
                f"{path} names a file or a folder of this computer, which the machine has not: "
                f"{line}",
                hint="Leave it out here, and bring it with: python -m wrapper push",
            )
