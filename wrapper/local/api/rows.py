"""Thousands of rows of one answer, as EC2 writes them.

Moto's serializer takes a quarter of a millisecond for each row of the price history, which is what
`offers` over all regions would wait for.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotPriceHistory.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


def answer(action: str, name: str, rows: Sequence[Mapping[str, Any]], next_token: str) -> str:
    """XML of EC2's query protocol; values are text and times."""
    items = "".join(
        f"<item>{''.join(_element(key, value) for key, value in row.items())}</item>"
        for row in rows
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{action}Response xmlns="{_NAMESPACE}">'
        f"<requestId>{uuid4()}</requestId><{_lower(name)}Set>{items}</{_lower(name)}Set>"
        f"<nextToken>{escape(next_token)}</nextToken></{action}Response>"
    )


def _element(key: str, value: Any) -> str:
    name = _lower(key)
    if isinstance(value, datetime):
        value = value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return f"<{name}>{escape(str(value))}</{name}>"


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]
