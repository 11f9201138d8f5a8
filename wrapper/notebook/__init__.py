"""A live notebook over pinned TLS, and the only room that imports requests and websocket.

Light to import: the libraries are loaded with `Notebook` and `pin`, not with the values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wrapper.notebook.model import Autostop, CloudsStatus, Logs, News, Phase, Pin, Run, Status
from wrapper.notebook.resources import Gpu, Kernel, Resources

if TYPE_CHECKING:
    from wrapper.notebook.client import Notebook
    from wrapper.notebook.pinning import pin

__all__ = [
    "Autostop",
    "CloudsStatus",
    "Gpu",
    "Kernel",
    "Logs",
    "News",
    "Notebook",
    "Phase",
    "Pin",
    "Resources",
    "Run",
    "Status",
    "pin",
]


def __getattr__(name: str) -> Any:
    if name == "Notebook":
        from wrapper.notebook.client import Notebook  # noqa: PLC0415 (requests when needed)

        return Notebook
    if name == "pin":
        from wrapper.notebook.pinning import pin  # noqa: PLC0415 (cryptography when needed)

        return pin
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
