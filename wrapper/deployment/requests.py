"""A deployment's spot request, looked at while Terraform waits for its machine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from wrapper import refusals

if TYPE_CHECKING:
    import threading
    from collections.abc import Collection

    from wrapper.aws import Aws
    from wrapper.refusals import Refusal

PATIENCE = 25.0
"""Seconds that a request may stand refused: EC2's first word is not always its last."""


class Requests:
    """Ends what waits for a request to which EC2 keeps saying no."""

    def __init__(
        self, aws: Aws, name: str, give_up: threading.Event, *, ignore: Collection[str] = ()
    ) -> None:
        """`give_up` is set then; `ignore`: requests of before."""
        self.refusal: Refusal | None = None
        """Why it was given up."""
        self._aws = aws
        self._name = name
        self._give_up = give_up
        self._ignore = frozenset(ignore)
        self._no: tuple[str, float] | None = None

    def look(self) -> None:
        """What EC2 says now is known. AwsError."""
        said = [
            refusals.REQUESTS.get(one.status)
            for one in self._aws.find_spot_requests(self._name)
            if one.instance_id is None
            and one.state in ("open", "failed")
            and one.request_id not in self._ignore
        ]
        refused = next((one for one in said if one is not None), None)
        if refused is None:
            self._no = None
            return
        if self._no is None or self._no[0] != refused.code:
            self._no = (refused.code, time.monotonic())
        if time.monotonic() - self._no[1] >= PATIENCE:
            self.refusal = refused
            self._give_up.set()
