"""`Runs`: what runs unattended on the machine, over the addresses of our server extension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from wrapper.errors import FailedError, NoAnswerError
from wrapper.notebook.model import News, Run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wrapper.notebook.client import Notebook

_PATH = "/clouds/runs"


class Runs:
    """Of one notebook; each call raises what the notebook's do."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook

    def all(self) -> list[Run] | None:
        """The newest, newest first; None: the machine, an older one, knows nothing of runs."""
        raw = self._notebook.ask("GET", _PATH)
        return None if raw is None else [_run(one) for one in raw.get("runs", [])]

    def prepare(self, plan: Mapping[str, Any]) -> Run:
        """Its folder is there with what was sent; nothing runs yet. FailedError: too old."""
        raw = self._notebook.ask("POST", _PATH, dict(plan))
        if raw is None:
            raise FailedError(
                "The machine cannot run anything unattended: an older version made it, or its "
                "phase services failed.",
                hint="python -m wrapper status; a new one: python -m wrapper up --replace",
            )
        return _run(raw)

    def do(self, name: str, what: str) -> Run | None:
        """What was said (start, cancel, forget, hold, settled) is done; None: no such run."""
        raw = self._notebook.ask("POST", f"{_PATH}/{name}", {"do": what})
        return _run(raw) if raw else None

    def news(self, name: str, start: int, *, seen: str = "", wait: float = 0) -> News | None:
        """What came since, within `wait` seconds; None: there is no such run."""
        query = urlencode({"from": start, "seen": seen, "wait": wait})
        raw = self._notebook.ask("GET", f"{_PATH}/{name}?{query}")
        if raw is None:
            return None
        return News(_run(raw["run"]), str(raw["text"]), int(raw["next"]), str(raw["seen"]))

    def kernels(self) -> list[str]:
        """Names of the kernels that can be started there."""
        return sorted(self._notebook.call("GET", "/api/kernelspecs")["kernelspecs"])


def _run(raw: Any) -> Run:
    try:
        cells = raw.get("cells") or {}
        return Run(
            name=str(raw["name"]),
            folder=str(raw["folder"]),
            kind=str(raw["kind"]),
            state=str(raw["state"]),
            executed=str(raw["executed"]),
            cells_done=int(cells.get("done", 0)),
            cells=int(cells.get("of", 0)),
            outputs={str(one): tuple(files) for one, files in (raw.get("outputs") or {}).items()}
            if isinstance(raw.get("outputs"), dict)
            else {},
            **{name: raw.get(name) for name in ("exit_code", "error", "began", "ended", "after")},
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise NoAnswerError(
            f"{_PATH} answered something else than is known.",
            hint="Check what runs there: python -m wrapper status",
        ) from error
