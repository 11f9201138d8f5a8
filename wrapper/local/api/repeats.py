"""A question that a client asks again, not having heard the answer, is not acted on twice.

AWS's SDKs name each question, and say it again under that name when a connection broke. Once, on a
busy computer, Terraform heard of its own rule that it `already exists`. That an answer was lost is
the likeliest reason, and was not seen: a question that comes again is in the log from now on.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_KEPT = 200
"""Answers; a client asks again within seconds."""
_NAME = "amz-sdk-invocation-id"

log = logging.getLogger("jupyter-clouds.api")


class Repeats:
    """Answers to what was done, by the client's name of the question. For one thread at a time."""

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[str, str], Any] = OrderedDict()

    def once(self, action: str, headers: Mapping[str, str], act: Callable[[], Any]) -> Any:
        """The answer of `act`, or of the first time; what was refused is tried anew."""
        name = headers.get(_NAME)
        if name is None or action.startswith(("Describe", "Get")):
            return act()
        key = (action, name)
        if key in self._answers:
            log.warning("%s was asked again: its answer is that of before", action)
            return self._answers[key]
        answer = act()
        if answer[0] == HTTPStatus.OK:
            self._answers[key] = answer
            if len(self._answers) > _KEPT:
                self._answers.popitem(last=False)
        return answer
