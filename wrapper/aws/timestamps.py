"""Times that AWS tells, read fast.

botocore tries every notation there is, which takes a tenth of a millisecond a time: seconds, for
the prices of all types in all regions.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.utils import parse_timestamp

if TYPE_CHECKING:
    import botocore.session


def read_fast(session: botocore.session.Session) -> None:
    """Clients of the session read ISO 8601 directly, and leave the rest to botocore.

    https://github.com/boto/botocore/blob/develop/botocore/parsers.py: ResponseParserFactory.
    """
    factory: Any = session.get_component("response_parser_factory")
    factory.set_parser_defaults(timestamp_parser=moment)


def moment(told: Any) -> datetime:
    """An aware time, as botocore itself would tell it. ValueError."""
    if isinstance(told, str) and told[10:11] == "T":
        try:
            found = datetime.fromisoformat(told)
        except ValueError:
            found = None
        if found is not None and found.tzinfo is not None:
            return found
    other: datetime = parse_timestamp(told)
    return other
