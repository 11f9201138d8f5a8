"""The SDK's descriptions of itself, read once in a process.

Moto makes a session for each list of regions that it wants, four while it is imported, and each
reads the list of endpoints and the description of EC2 anew: a third of the time that it takes.
"""

from __future__ import annotations

from typing import Any

from botocore import loaders

_loader: Any = loaders.JSONFileLoader
_read = _loader.load_file
_known: dict[str, Any] = {}


def _load_file(loader: Any, file_path: str) -> Any:
    if file_path not in _known:
        _known[file_path] = _read(loader, file_path)
    return _known[file_path]


_loader.load_file = _load_file
