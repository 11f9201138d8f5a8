"""The EC2 API, and the only room that imports boto3. `Aws` is its door.

Light to import: boto3 takes 0.2 s and is loaded with `Aws`, not with the values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wrapper.aws.model import (
    Ended,
    Facts,
    Holding,
    Identity,
    Image,
    Instance,
    Kind,
    Leftover,
    Market,
    Needs,
    Pace,
    Request,
    Snapshot,
    SpotPrice,
    SpotRequest,
    Volume,
)

if TYPE_CHECKING:
    from wrapper.aws.door import Aws

__all__ = [
    "Aws",
    "Ended",
    "Facts",
    "Holding",
    "Identity",
    "Image",
    "Instance",
    "Kind",
    "Leftover",
    "Market",
    "Needs",
    "Pace",
    "Request",
    "Snapshot",
    "SpotPrice",
    "SpotRequest",
    "Volume",
]


def __getattr__(name: str) -> Any:
    if name == "Aws":
        from wrapper.aws.door import Aws  # noqa: PLC0415 (boto3 only when it is needed)

        return Aws
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
