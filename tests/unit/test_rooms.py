"""Rooms: one module for each external thing, and the arrows between ours (DESIGN, section 2)."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "wrapper").rglob("*.py"))

OWNERS = {
    "argon2": ("wrapper/password.py",),
    "boto3": ("wrapper/aws/",),
    "botocore": ("wrapper/aws/", "wrapper/local/"),
    "click": ("wrapper/cli/",),
    "cryptography": ("wrapper/certificate.py", "wrapper/local/"),
    "flask": ("wrapper/local/",),
    "matplotlib": ("wrapper/plot.py",),
    "moto": ("wrapper/local/",),
    "mypy_boto3_ec2": ("wrapper/aws/",),
    "mypy_boto3_s3": ("wrapper/aws/",),
    "python_terraform": ("wrapper/terraform/",),
    "requests": ("wrapper/notebook/",),
    "rich": ("wrapper/cli/screen.py",),
    "tomllib": ("wrapper/project_file.py", "wrapper/environment_file.py"),
    "urllib3": ("wrapper/notebook/",),
    "websocket": ("wrapper/notebook/",),
    "werkzeug": ("wrapper/local/",),
    "yaml": ("wrapper/environment_file.py", "wrapper/local/"),
    "zxcvbn": ("wrapper/password.py",),
}
"""Library: where alone it may be imported."""

ADAPTERS = ("aws", "terraform", "notebook", "local", "carrier")
PURE = (
    "architecture",
    "cidrs",
    "clock",
    "console",
    "data_settings",
    "domain_settings",
    "errors",
    "garbage",
    "gpus",
    "hours",
    "list_prices",
    "market_settings",
    "next_steps",
    "quotas",
    "refusals",
    "role_settings",
    "settings",
    "since",
    "spending",
)


def _where(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _imports(path: Path) -> Iterator[str]:
    """Full names of all that a module imports, also within functions and for types."""
    package = list(path.relative_to(ROOT).with_suffix("").parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", SOURCES, ids=_where)
def test_only_its_room_imports_a_library(path: Path) -> None:
    for name in _imports(path):
        owners = OWNERS.get(name.partition(".")[0])
        if owners:
            assert _where(path).startswith(owners), f"{_where(path)} imports {name}"


def _room(path: Path) -> str:
    parts = path.relative_to(ROOT / "wrapper").parts
    return parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", SOURCES, ids=_where)
def test_arrows_point_one_way(path: Path) -> None:
    mine = _room(path)
    for name in _imports(path):
        if not name.startswith("wrapper."):
            continue
        theirs = name.split(".")[1]
        wrong = (
            # An adapter knows no other adapter, no story, and nothing of the command line.
            (mine in ADAPTERS and theirs in {*ADAPTERS, "deployment", "cli"} - {mine})
            # A story knows nothing of the command line.
            or (mine == "deployment" and theirs == "cli")
            # What is pure stays pure.
            or (mine in PURE and theirs not in PURE)
            # The embedded EC2 has one narrow door.
            or (mine != "local" and theirs == "local" and len(name.split(".")) > 3)
        )
        assert not wrong, f"{_where(path)} imports {name}"


@pytest.mark.parametrize("path", SOURCES, ids=_where)
def test_stories_and_adapters_neither_print_nor_exit(path: Path) -> None:
    if _room(path) not in ("deployment", "home", "settings", *ADAPTERS[:3], "carrier"):
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("print", "exit", "sys.exit", "os._exit"), f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", SOURCES, ids=_where)
def test_files_stay_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300
