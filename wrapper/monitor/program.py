"""The monitor as one file that Python runs: a zip archive."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

_HERE = Path(__file__).parent
_PARTS = ("folders.py", "known.py", "rules.py", "saving.py", "serving.py")
_MAIN = "from wrapper.monitor.serving import main\n\nmain()\n"


def archive() -> bytes:
    """https://docs.python.org/3/library/zipapp.html, without a file's help."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("__main__.py", _MAIN)
        for folder in ("wrapper", "wrapper/monitor"):
            file.writestr(f"{folder}/__init__.py", "")
        for name in _PARTS:
            file.writestr(f"wrapper/monitor/{name}", (_HERE / name).read_bytes())
    return buffer.getvalue()


def saving() -> bytes:
    """Likewise the part that has open documents saved, as a script."""
    return (_HERE / "saving.py").read_bytes()


def listing() -> str:
    """Likewise the part that asks git, for a shell."""
    return (_HERE / "rules.py").read_text(encoding="utf-8")
