"""Unpacks what scripts/bundle.py packed: paths and texts in turn, parted by NUL, in bzip2."""

import bz2
import os
import pathlib
import sys

root, bundle = map(pathlib.Path, sys.argv[1:])
done = bundle.with_suffix(".done")
# At every boot: what a power loss cut short is unpacked again, what is whole is left alone.
if not done.exists() or done.stat().st_mtime < bundle.stat().st_mtime:
    parts = iter(bz2.decompress(bundle.read_bytes()).decode().split("\0"))
    for name, text in zip(parts, parts):  # noqa: B905 - the same iterator twice
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if "/bin/" in name else 0o644)
    os.sync()
    done.touch()
