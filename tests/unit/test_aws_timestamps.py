"""Times in AWS's answers, read as the SDK reads them, and sooner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.utils import parse_timestamp

from wrapper.aws import Aws, timestamps
from wrapper.aws.timestamps import moment

if TYPE_CHECKING:
    from datetime import datetime

    from tests.ec2 import Account


@pytest.mark.parametrize(
    "told",
    [
        "2026-11-23T10:15:00Z",
        "2026-11-23T10:15:00.000Z",
        "2026-11-23T10:15:00.123456Z",
        "2026-11-23T10:15:00+02:00",
        "2026-11-23T10:15:00",
        "2026-11-23",
        "20261123T101500Z",
        "Mon, 23 Nov 2026 10:15:00 GMT",
        "1795428900",
        1795428900,
        1795428900.5,
    ],
)
def test_a_time_is_read_as_the_sdk_reads_it(told: Any) -> None:
    ours, theirs = moment(told), parse_timestamp(told)
    assert ours.utcoffset() == theirs.utcoffset()
    assert ours == theirs


def test_what_is_no_time_is_refused_as_by_the_sdk() -> None:
    with pytest.raises(ValueError, match="Invalid timestamp"):
        moment("tomorrow")


def test_clients_read_times_so(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[object] = []

    def noted(told: object) -> datetime:
        read.append(told)
        return moment(told)

    monkeypatch.setattr(timestamps, "moment", noted)
    prices = Aws(environment=account.environment).spot_prices(["m5.large"])
    assert prices
    assert len(read) >= len(prices)
