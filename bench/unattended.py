"""`run` of a notebook, against the same notebook executed on the machine by hand."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from typing import TYPE_CHECKING, Any

from bench import measure
from bench.embedded import logged_in
from bench.report import Row

if TYPE_CHECKING:
    from pathlib import Path

CELLS, SECONDS = 5, 2
TIMES = 3
FILE = "bench.ipynb"
BY_HAND = """import subprocess, time
began = time.monotonic()
subprocess.run(["/opt/conda/envs/server/bin/jupyter", "execute", {file!r}], check=True,
    capture_output=True)
print(time.monotonic() - began)"""


def document() -> dict[str, Any]:
    """Cells that each take two seconds and print."""
    source = f"import time\ntime.sleep({SECONDS})\nprint('done')"
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "id": f"c{n}", "source": source, "metadata": {}}
        | {"outputs": [], "execution_count": None}
        for n in range(CELLS)
    ]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}


def rows(
    folder: Path, environment: dict[str, str], made: dict[str, Any], password: str
) -> list[Row]:
    """From the command to its end, results fetched; by hand without sending or fetching."""
    (folder / FILE).write_text(json.dumps(document()))
    ours, by_hand = [], []
    for _ in range(TIMES):
        ours.append(measure.seconds(lambda: _run(folder, environment)))
        by_hand.append(_by_hand(made, password))
    mine, theirs = statistics.median(ours), statistics.median(by_hand)
    what = f"run, a notebook of {CELLS * SECONDS} s"
    return [Row(what, mine, "`jupyter execute`, typed on the machine", theirs, aim=1.2)]


def _run(folder: Path, environment: dict[str, str]) -> None:
    words = [measure.PYTHON, "-m", "wrapper", "run", "bench", FILE]
    known = {**environment, "PYTHONPATH": os.getcwd()}  # noqa: PTH109 - where `make` is called
    subprocess.run(words, cwd=folder, env=known, check=True, capture_output=True)


def _by_hand(made: dict[str, Any], password: str) -> float:
    with logged_in(made["url"], made["key_sha256"], password) as notebook:
        body = {"type": "notebook", "format": "json", "content": document()}
        notebook.call("PUT", f"/api/contents/{FILE}", body)
        return float(notebook.run_cell(BY_HAND.format(file=FILE), timeout=300))
