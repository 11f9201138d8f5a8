"""The local door: plain HTTP on this computer's loopback, carried to one notebook over pinned TLS.

Light to import: asyncio comes with `serve`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wrapper.carrier.model import Told, Upstream

if TYPE_CHECKING:
    from wrapper.carrier.serving import serve

__all__ = ["Told", "Upstream", "serve"]


def __getattr__(name: str) -> Any:
    if name == "serve":
        from wrapper.carrier.serving import serve  # noqa: PLC0415 (asyncio when needed)

        return serve
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
