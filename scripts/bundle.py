"""Writes templates/machine.bin: what user data carries of templates/machine.

EC2 takes 16 KB of user data, compressed, and Terraform has gzip only. So the archive is made here
and committed, for templates/unpack.py to read, which lies beside it as it is sent. So does the
digest of the sources, by which a test sees that both are stale. Made with the oldest Python that
machines have (3.11): the minifier writes for the one it runs on.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import python_minifier

from templates.unpack import END, expand

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parent.parent
MACHINE = ROOT / "templates/machine"
SERVICES = ROOT / "templates/services"
BUNDLE = ROOT / "templates/machine.bin"
UNPACK = ROOT / "templates/unpack.py"
SENT = ROOT / "templates/unpack.min"
DIGEST = ROOT / "templates/machine.sha256"


def sources() -> dict[str, str]:
    """Path on the machine and text of every file, in the archive's order."""
    # Backwards: found by trying.
    paths = sorted((path for path in MACHINE.rglob("*") if path.is_file()), reverse=True)
    return {
        str(path.relative_to(MACHINE)): path.read_text()
        for path in paths
        if "__pycache__" not in path.parts
    }


def digest() -> str:
    """SHA-256 of all sources, names and the unpacker included."""
    found = hashlib.sha256(UNPACK.read_bytes())
    for name, text in sources().items():
        found.update(f"{name}\0{text}\0".encode())
    for name in sorted(set.union(*names_of_others())):
        found.update(f"{name}\0".encode())
    return found.hexdigest()


def names_of_others() -> tuple[set[str], set[str]]:
    """What templates/services uses of our modules: names, and names of arguments in calls."""
    paths = [Path(name) for name in sources() if name.endswith(".py")]
    ours = {path.parent.name if path.stem == "__init__" else path.stem for path in paths}
    names: set[str] = set()
    keywords: set[str] = set()
    for path in sorted(SERVICES.rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        given = [one for one in nodes if isinstance(one, ast.ImportFrom) and one.module]
        given = [one for one in given if str(one.module).rpartition(".")[2] in ours]
        imported = {alias.name for one in given for alias in one.names}
        attributes = (one for one in nodes if isinstance(one, ast.Attribute))
        names |= imported | {one.attr for one in attributes if _is_one_of(one.value, ours)}
        for call in (one for one in nodes if isinstance(one, ast.Call)):
            whole = call.func.value if isinstance(call.func, ast.Attribute) else call.func
            if _is_one_of(whole, ours | imported):
                keywords |= {one.arg for one in call.keywords if one.arg}
    return names, keywords


def _is_one_of(node: ast.expr, names: set[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in names


def shared_names(texts: Iterable[str]) -> list[str]:
    """Names that one module may use of another, which therefore cannot be shortened."""
    nodes = [node for text in texts for node in ast.walk(ast.parse(text))]
    imports = (node.names for node in nodes if isinstance(node, ast.Import | ast.ImportFrom))
    found = {alias.asname or alias.name for names in imports for alias in names}
    found |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    # Found by their names: Jupyter's entry points.
    functions = (node.name for node in nodes if isinstance(node, ast.FunctionDef))
    found |= {name for name in functions if name.startswith("_")}
    # The model knows these better than a line that renames them.
    return sorted(found | set(dir(builtins)))


def keyword_names(texts: Iterable[str]) -> set[str]:
    """Names by which any call of ours passes an argument."""
    nodes = [node for text in texts for node in ast.walk(ast.parse(text))]
    return {node.arg for node in nodes if isinstance(node, ast.keyword) and node.arg}


def with_parameters_by_position(text: str, keywords: set[str]) -> str:
    """The text, where functions that nobody calls by keyword say so: the minifier renames theirs.

    Not methods, nor what Jupyter finds by its name (_): others may call those.
    """
    tree = ast.parse(text)
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    methods = {id(member) for one in classes for member in one.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and id(node) not in methods:
            arguments = node.args
            if not node.name.startswith("_") and not {a.arg for a in arguments.args} & keywords:
                arguments.posonlyargs, arguments.args = arguments.args, []
    # How it is started is a comment to ast.
    first = re.match(r"#!.*\n", text)
    return (first[0] if first else "") + ast.unparse(tree)


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
        text = re.sub(r"(?m)^\s+", "", text)
        # Spaces about signs, but for those in texts. There are no regular expressions in ours.
        return re.sub(r"('.*?'|`.*?`)| ?([=(){},;:?<>|&*]+) ?", r"\1\2", text)
    if name.endswith(".json"):
        return json.dumps(json.loads(text), separators=(",", ":"))
    return re.sub(r"(?m)^[ \t]*# .*\n", "", text)


def compressed(text: str, known: str) -> bytes:
    """The bytes from which templates/unpack.py, knowing itself, makes the same choices again."""
    if strange := set(text) - set(map(chr, range(127))) | set(END) & set(text):
        raise ValueError(f"not ASCII: {''.join(sorted(strange))!r}")
    rest, goal = iter(text + END), ""
    low, width, size = 0, 1, 0

    def pick(table: dict[str, int], total: int, stay: int) -> str:
        nonlocal goal, low, width, size
        goal = goal or next(rest)
        while width < 2**40:
            low, width, size = low << 8, width << 8, size + 1
        unit = width * stay // (total << 16)
        for one in reversed(table):
            part = unit * table[one]
            if one == goal:
                goal, width = "", part
                return one
            low, width = low + part, width - part
        return ""

    expand(pick, known)
    # Of all numbers in the last range, the one with the most zeros at its end, which need no bytes.
    zeros = max(n for n in range(8 * size) if -(-low >> n) << n < low + width) // 8 * 8
    return (-(-low >> zeros)).to_bytes(size - zeros // 8, "big")


def unpacker() -> str:
    """templates/unpack.py as it is sent."""
    program = UNPACK.read_text()
    return shortened(UNPACK.name, program, shared_names([program]))


def minified() -> dict[str, str]:
    """The sources as they are sent."""
    found = sources()
    programs = [text for name, text in found.items() if name.endswith(".py")]
    names, keywords = names_of_others()
    shared = sorted({*shared_names(programs), *names})
    keywords |= keyword_names(programs)
    for name, text in found.items():
        if name.endswith(".py"):
            found[name] = with_parameters_by_position(text, keywords)
    return {name: shortened(name, text, shared) for name, text in found.items()}


def bundled() -> bytes:
    """Paths and texts of all sources in turn, as templates/unpack.py wants them."""
    parts = (part for pair in minified().items() for part in pair)
    return compressed("\0".join(parts), unpacker())


if __name__ == "__main__":
    SENT.write_text(unpacker())
    BUNDLE.write_bytes(bundled())
    DIGEST.write_text(f"{digest()}\n")
    for path in (BUNDLE, SENT):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")
