"""Git repositories over HTTP, for who logs in: git's own server program behind basic auth."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class _Server(ThreadingHTTPServer):
    """Of one folder, for one user."""

    def __init__(self, folder: Path, user: str, password: str) -> None:
        self.folder, self.user = folder, user
        word = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.wanted = f"Basic {word}"
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def answer(self) -> None:
        if self.headers.get("Authorization") != self.server.wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        head, _, body = self._said_by_git().partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in {**fields, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer  # noqa: N815 (as the library calls them)

    def _said_by_git(self) -> bytes:
        """https://git-scm.com/docs/git-http-backend."""
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        words = {
            "CONTENT_LENGTH": str(length),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROJECT_ROOT": str(self.server.folder),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REMOTE_USER": self.server.user,
            "REQUEST_METHOD": self.command,
        }
        return subprocess.run(
            ["git", "http-backend"],
            check=True,
            env={"PATH": os.environ["PATH"], "HOME": str(self.server.folder), **words},
            input=self.rfile.read(length),
            stdout=subprocess.PIPE,
        ).stdout

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def served(folder: Path, user: str, password: str) -> Iterator[str]:
    """Address of the folder's repositories, until the block ends."""
    with _Server(folder, user, password) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
