"""Conda's way to ask for packages, turned into Python's (PEP 508).

https://docs.conda.io/projects/conda/en/stable/user-guide/concepts/pkg-specs.html
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass

from . import names

_SPEC = re.compile(r"(?:[\w./-]+::)?(?P<name>[A-Za-z0-9_.-]+)\s*(?P<version>.*)")
_BRACKET = re.compile(r"\[(?P<inside>.*)\]")
_INSIDE = re.compile(r"version\s*=\s*['\"]?([^'\"\]]+)")
_EXACT = re.compile(r"(?P<version>[^=<>!~,|\s]+)(?:[=\s](?P<build>\S+))?")
_TERM = re.compile(r"(?P<operator>==|>=|<=|!=|~=|<|>|=)?\s*(?P<version>[A-Za-z0-9_.+!*-]+)")


class SpecError(Exception):
    """What was asked for cannot be understood, or is not to be had."""


@dataclass(frozen=True)
class Spec:
    """A name as conda knows it, and a version as Python writes it (may be empty)."""

    name: str
    version: str

    @property
    def requirement(self) -> str | None:
        """What to ask PyPI for; None when the machine has it anyway. Raises SpecError."""
        if self.name == "python" or self.name in names.CONTAINED:
            return None
        if self.name in names.PROGRAMS:
            if shutil.which(names.PROGRAMS[self.name]):
                return None
            raise SpecError(
                f"PackagesNotFoundError: {self.name} is no Python package and this machine has no "
                f"`{names.PROGRAMS[self.name]}`; the stand-in for conda cannot bring it"
            )
        return names.PYPI.get(self.name, self.name) + self.version


def parse(text: str) -> Spec:
    """`conda-forge::numpy=1.26.*=py311_0` and its like. Raises SpecError."""
    bracket = _BRACKET.search(text)
    plain = _BRACKET.sub("", text).strip()
    match = _SPEC.fullmatch(plain)
    if not match:
        raise SpecError(f"InvalidMatchSpec: Invalid spec '{text}'")
    version = match["version"].strip()
    if bracket and (inside := _INSIDE.search(bracket["inside"])):
        version = inside[1]
    return Spec(match["name"].lower(), _version(version, text))


def _version(version: str, text: str) -> str:
    if version in {"", "*"}:
        return ""
    if "|" in version:
        raise SpecError(f"InvalidMatchSpec: '{text}': the stand-in for conda knows no '|'")
    if version.startswith("==") and (exact := _EXACT.fullmatch(version[2:])):
        return f"=={exact['version']}"
    # "=1.26" and "1.26" ask for the series, with or without a build behind a second "=".
    bare = version.removeprefix("=").strip()
    if exact := _EXACT.fullmatch(bare):
        return _series(exact["version"], fuzzy=version.startswith("="))
    terms = [_TERM.fullmatch(term.strip()) for term in version.split(",")]
    if not all(terms):
        raise SpecError(f"InvalidMatchSpec: Invalid spec '{text}'")
    return ",".join(
        f"{term['operator']}{term['version']}"
        if term["operator"] not in {None, "="}
        else _series(term["version"], fuzzy=term["operator"] == "=")
        for term in terms
        if term
    )


def _series(version: str, *, fuzzy: bool) -> str:
    if version.endswith("*"):
        return f"=={version.rstrip('*').rstrip('.')}.*"
    return f"=={version}.*" if fuzzy else f"=={version}"


def wants_python(spec: Spec, present: str) -> str | None:
    """None when the machine's Python (like "3.11.2") will do, else what is asked for instead.

    Raises SpecError for a Python that nobody has.
    """
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - only where it is needed

    asked = SpecifierSet(spec.version)
    if asked.contains(present):
        return None
    known = [f"{series}.{patch}" for series in names.PYTHONS for patch in range(30)]
    if not any(asked.contains(version) for version in known):
        raise SpecError(f"PackagesNotFoundError: nothing provides python{spec.version}")
    return spec.version
