"""Answers kept for a while, readable by their owner alone; what is broken or old is not there.

~/.cache/jupyter-clouds/   0700; XDG_CACHE_HOME
    DIGEST.json            the question, when it was answered, and the answer
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KEPT = 7 * 86400
"""Seconds after which nobody wants an answer any more."""


def directory(environment: Mapping[str, str]) -> Path:
    """Where answers are kept."""
    named = Path(environment.get("XDG_CACHE_HOME") or "")
    # The specification: a relative path is to be ignored.
    base = named if named.is_absolute() else Path(environment.get("HOME") or "~") / ".cache"
    return base.expanduser() / "jupyter-clouds"


class Cache:
    """Answers by question, in files of their own: many may read and write at a time."""

    def __init__(
        self,
        folder: Path,
        *,
        refresh: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """With `refresh`, answers of before are not looked at."""
        self._folder, self._clock = folder, clock
        self._since = clock() if refresh else 0.0
        self.oldest = 0.0
        """Seconds since the oldest answer that was given from here."""

    def get(self, question: str, within: float) -> Any:
        """The answer as JSON has it, unless it is older than so many seconds; else None."""
        return self.aged(question, within)[0]

    def aged(self, question: str, within: float) -> tuple[Any, float]:
        """Likewise, and how old it is, in seconds."""
        try:
            kept = json.loads(self._file(question).read_text(encoding="utf-8"))
            at, asked, answer = float(kept["at"]), kept["question"], kept["answer"]
        except (OSError, ValueError, KeyError, TypeError):
            return None, 0.0
        age = self._clock() - at
        # From the future: this computer's clock was put back.
        if asked != question or not 0 <= age <= within or at < self._since:
            return None, 0.0
        self.oldest = max(self.oldest, age)
        return answer, age

    def put(self, question: str, answer: Any) -> None:
        """The answer is kept; nothing happens where that cannot be."""
        kept = {"question": question, "at": self._clock(), "answer": answer}
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=self._folder, delete=False, encoding="utf-8"
            ) as new:
                json.dump(kept, new)
            Path(new.name).replace(self._file(question))
        except OSError:
            return

    def sweep(self) -> None:
        """What is too old for anybody is gone."""
        for one in self._folder.glob("*"):
            try:
                if self._clock() - one.stat().st_mtime > KEPT:
                    one.unlink()
            except OSError:
                continue

    def _file(self, question: str) -> Path:
        return self._folder / f"{hashlib.sha256(question.encode()).hexdigest()[:32]}.json"
