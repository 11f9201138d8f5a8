"""The tree of errors: what is drawn is what there is, and each has its exit code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from wrapper import errors
from wrapper.errors import CloudsError, ExitCode

TREE = errors.__doc__ or ""


def _all(kind: type[CloudsError] = CloudsError) -> list[type[CloudsError]]:
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in _all(child))]


CLASSES = [kind for kind in _all() if kind.__module__ == "wrapper.errors"]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_each_error_is_drawn_in_the_tree_at_its_depth(kind: type[CloudsError]) -> None:
    depth = len(kind.__mro__) - len(CloudsError.__mro__)
    line = re.search(rf"^.*\b{kind.__name__}\b.*$", TREE, re.MULTILINE)
    assert line, f"{kind.__name__} is not drawn"
    indent = len(re.match(r"[│├└─ ]*", line[0])[0])  # type: ignore[index] # matches always
    assert indent == depth * 4, f"{kind.__name__} is drawn at another depth"


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_the_exit_code_drawn_is_the_one_that_is_used(kind: type[CloudsError]) -> None:
    drawn = re.search(rf"\b{kind.__name__} +(\d+) ", TREE)
    if drawn:
        assert int(drawn[1]) == kind.exit_code


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.NothingToDo, 0),
        (errors.TerraformError, 1),
        (errors.CredentialsError, 1),
        (errors.LockedError, 1),
        (errors.LeftoverError, 1),
        (errors.SettingsError, 2),
        (errors.RequestError, 2),
        (errors.UnansweredError, 2),
        (errors.BootError, 3),
        (errors.FingerprintError, 3),
        (errors.LoginError, 3),
        (errors.KernelError, 3),
        (errors.Interrupted, 130),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_exit_codes_are_the_documented_ones(kind: type[CloudsError], code: int) -> None:
    assert kind("it happened").exit_code == code
    assert ExitCode(code) is kind("it happened").exit_code


def test_errors_import_nothing_of_ours() -> None:
    tree = ast.parse(Path(errors.__file__).read_text(encoding="utf-8"))
    imported = {
        getattr(node, "module", None) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
    }
    assert imported == {"enum"}
