"""Writes templates/machine.bz2: what user data carries of templates/machine.

EC2 takes 16 KB of user data, compressed, and Terraform has gzip only. So the archive is made here
and committed, for templates/unpack.py to read; tar alone would cost 800 bytes. Beside it lies the
digest of its sources, by which a test sees that it is stale. Made with the oldest Python that
machines have (3.11): the minifier writes for the one it runs on.
"""

from __future__ import annotations

import ast
import builtins
import bz2
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import python_minifier

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parent.parent
MACHINE = ROOT / "templates/machine"
BUNDLE = ROOT / "templates/machine.bz2"
DIGEST = ROOT / "templates/machine.sha256"


def sources() -> dict[str, str]:
    """Path on the machine and text of every file, in the archive's order."""
    paths = sorted(path for path in MACHINE.rglob("*") if path.is_file())
    return {
        str(path.relative_to(MACHINE)): path.read_text()
        for path in paths
        if "__pycache__" not in path.parts
    }


def digest() -> str:
    """SHA-256 of all sources, names included."""
    found = hashlib.sha256()
    for name, text in sources().items():
        found.update(f"{name}\0{text}\0".encode())
    return found.hexdigest()


def shared_names(texts: Iterable[str]) -> list[str]:
    """Names that one module may use of another, which therefore cannot be shortened."""
    nodes = [node for text in texts for node in ast.walk(ast.parse(text))]
    imports = (node.names for node in nodes if isinstance(node, ast.Import | ast.ImportFrom))
    found = {alias.asname or alias.name for names in imports for alias in names}
    found |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    # Found by their names: Jupyter's entry points.
    functions = (node.name for node in nodes if isinstance(node, ast.FunctionDef))
    found |= {name for name in functions if name.startswith("_")}
    # bzip2 knows these better than a line that renames them.
    return sorted(found | set(dir(builtins)))


def without_unused_imports(text: str) -> str:
    """The text without what was imported for annotations, which are gone."""
    text = re.sub(r"(?m)^if TYPE_CHECKING:.*\n|^from __future__ .*\n", "", text)

    def used(found: re.Match[str]) -> str:
        others = text.replace(found[0], "")
        names = [name for name in found[2].split(",") if re.search(rf"\b{name}\b", others)]
        return f"from {found[1]} import {','.join(names)}\n" if names else ""

    return re.sub(r"(?m)^from (\S+) import ([\w,]+)\n", used, text)


def shortened(name: str, text: str, shared: list[str]) -> str:
    """The text without what only readers of this repository need."""
    if name.endswith(".py"):
        short: str = python_minifier.minify(
            text,
            filename=name,
            rename_globals=True,
            preserve_globals=shared,
            hoist_literals=False,
            remove_literal_statements=True,
        )
        return without_unused_imports(f"{short}\n")
    if name.endswith(".js"):
        text = re.sub(r"(?s)/\* .*?\*/", "", text)
        return re.sub(r"(?m)^\s+", "", text)
    if name.endswith(".json"):
        return json.dumps(json.loads(text), separators=(",", ":"))
    return re.sub(r"(?m)^[ \t]*# .*\n", "", text)


def archive(files: dict[str, str]) -> bytes:
    """Paths and texts in turn, as templates/unpack.py wants them."""
    parts = [part for pair in files.items() for part in pair]
    return bz2.compress("\0".join(parts).encode(), 9)


def bundled() -> bytes:
    """The archive of all sources."""
    found = sources()
    shared = shared_names(text for name, text in found.items() if name.endswith(".py"))
    return archive({name: shortened(name, text, shared) for name, text in found.items()})


if __name__ == "__main__":
    BUNDLE.write_bytes(bundled())
    DIGEST.write_text(f"{digest()}\n")
    print(f"{BUNDLE.relative_to(ROOT)}: {BUNDLE.stat().st_size} bytes")
