"""As much of the machine's watch for idleness as Jupyter speaks to."""

from __future__ import annotations

import json
import socketserver
import threading
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.conftest import Lab


class Watch(socketserver.UnixStreamServer):
    """What was said to it."""

    heard: list[dict[str, Any]]


class _Handler(socketserver.StreamRequestHandler):
    server: Watch

    def handle(self) -> None:
        self.server.heard.append(json.loads(self.rfile.readline()))
        self.wfile.write(b"{}")


@pytest.fixture
def watch(lab: Lab) -> Iterator[Watch]:
    path = lab.folder / "autostop.sock"
    with Watch(str(path), _Handler) as found:
        found.heard = []
        threading.Thread(target=found.serve_forever, args=(0.05,), daemon=True).start()
        yield found
        found.shutdown()
    path.unlink()
