"""Unpacks what scripts/bundle.py packed: paths and texts in turn, parted by NUL, in bzip2."""

import bz2
import pathlib
import sys

root, bundle = map(pathlib.Path, sys.argv[1:])
parts = iter(bz2.decompress(bundle.read_bytes()).decode().split("\0"))
for name, text in zip(parts, parts):  # noqa: B905 - the same iterator twice
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    # At every boot, beside programs that run: never half a file, and none that is there already.
    if not path.exists() or path.read_text() != text:
        partial = path.with_name(f".{path.name}.new")
        partial.write_text(text)
        partial.chmod(0o755 if "/bin/" in name else 0o644)
        partial.replace(path)
