"""The module's files in a deployment's directory, and the root module that calls them.

A copy and not a reference: the deployment can be ejected (`cd` there, plain `terraform`), and
neither a moved checkout nor an upgrade of the wheel breaks it.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from wrapper.errors import DiskError, FailedError

if TYPE_CHECKING:
    from wrapper.home import Home

_BLOCK = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
_TYPE = re.compile(r"^  type\s+= (.+)$", re.MULTILINE)
_DEFAULT = re.compile(r"^  default\s+= (.+)$", re.MULTILINE)
_NOT_NULLABLE = re.compile(r"^  nullable\s+= false$", re.MULTILINE)
_SENSITIVE = re.compile(r"^  sensitive\s+= true$", re.MULTILINE)

# The provider takes a lack of capacity for a hiccup. Its own 25 tries last the better part of an
# hour, and one that is interrupted does not say why; eight last some 15 s (docs/gotchas.md).
_PROVIDER = 'provider "aws" {\n  max_retries = 8\n}'


def source() -> Path:
    """The module: inside the wheel, or the checkout that this runs from."""
    package = Path(__file__).resolve().parent
    for candidate in (package / "module", package.parent):
        if (candidate / "main.tf").is_file() and (candidate / "templates").is_dir():
            return candidate
    raise FailedError(
        f"The Terraform module is neither in {package / 'module'} nor in {package.parent}.",
        hint="Install it again: pip install --force-reinstall jupyter-clouds",
    )


def write(home: Home) -> None:
    """The directory holds the module as of this version, and the root that calls it. DiskError."""
    module = source()
    target = home.path / "module"
    try:
        if target.exists():
            shutil.rmtree(target)
        target.mkdir(mode=0o700)
        for path in sorted(module.glob("*.tf")):
            shutil.copyfile(path, target / path.name)
        shutil.copytree(
            module / "templates",
            target / "templates",
            ignore=shutil.ignore_patterns("__pycache__", "*.pyc"),
        )
    except (OSError, shutil.Error) as error:
        raise DiskError(f"{target} cannot be written: {error}", hint="df -h ~") from error
    home.write("main.tf", root_module(module))


def root_module(module: Path) -> str:
    """HCL that hands every variable in and every output out, so that both keep their names."""
    blocks = [
        (kind, name, body)
        for path in sorted(module.glob("*.tf"))
        for kind, name, body in _BLOCK.findall(path.read_text(encoding="utf-8"))
    ]
    inputs = [(name, body) for kind, name, body in blocks if kind == "variable"]
    outputs = [(name, body) for kind, name, body in blocks if kind == "output"]
    width = max(len(name) for name, _ in inputs)
    calls = "\n".join(f"  {name:{width}} = var.{name}" for name, _ in inputs)
    parts = [_PROVIDER, f'module "notebook" {{\n  source = "./module"\n\n{calls}\n}}']
    parts += [_variable(name, body) for name, body in inputs]
    parts += [_output(name, body) for name, body in outputs]
    return "# Made by jupyter-clouds; the values are in terraform.tfvars.json.\n" + "\n\n".join(
        (*parts, "")
    )


def _variable(name: str, body: str) -> str:
    # Null where nothing is said: the module's own defaults hold, and its validations; but not where
    # null says something.
    found, own = _TYPE.search(body), _DEFAULT.search(body)
    default = own[1] if own and not _NOT_NULLABLE.search(body) else "null"
    lines = [("type", found[1] if found else "any"), ("default", default)]
    if _SENSITIVE.search(body):
        lines.append(("sensitive", "true"))
    return _block("variable", name, lines)


def _output(name: str, body: str) -> str:
    lines = [("value", f"module.notebook.{name}")]
    if _SENSITIVE.search(body):
        lines.append(("sensitive", "true"))
    return _block("output", name, lines)


def _block(kind: str, name: str, lines: list[tuple[str, str]]) -> str:
    width = max(len(key) for key, _ in lines)
    content = "\n".join(f"  {key:{width}} = {value}" for key, value in lines)
    return f'{kind} "{name}" {{\n{content}\n}}'
