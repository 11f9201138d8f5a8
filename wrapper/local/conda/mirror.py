"""HTTP inside the router: the installer, its engine, and the packages that machines ask for."""

from __future__ import annotations

import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from wrapper.errors import LocalError
from wrapper.local.host import log

from . import installer
from .compiled import Compiled
from .index import AbsentError

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from .index import Index

_JSON = "application/vnd.pypi.simple.v1+json"


class Mirror(ThreadingHTTPServer):
    """Serves machines for as long as `serve_forever` runs."""

    daemon_threads = True

    def __init__(self, listening: socket.socket, index: Index, script: bytes) -> None:
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.index = index
        self.compiled = Compiled()
        self.script = script
        self.engine = installer.engine()


def _local(file: dict[str, Any], project: str) -> dict[str, Any]:
    """The entry as a machine sees it: everything is fetched from here."""
    local = file | {"url": f"/simple/{project}/{file['filename']}"}
    local.pop("dist-info-metadata", None)  # as core-metadata was called before
    local["core-metadata"] = file["filename"].endswith(".whl")
    return local


class _Handler(BaseHTTPRequestHandler):
    server: Mirror
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        parts = self.path.split("?")[0].strip("/").split("/")
        try:
            match parts:
                case [installer.NAME]:
                    self._bytes(self.server.script, "application/x-sh")
                case ["uv"]:
                    self._file(self.server.engine)
                case ["simple", project]:
                    self._page(project)
                case ["simple", project, name] if name.endswith(".whl.metadata"):
                    wheel = name.removesuffix(".metadata")
                    self._bytes(self.server.index.metadata(project, wheel))
                case ["simple", project, name]:
                    self._file(self._kept(project, name))
                case ["compiled", python, project, version]:
                    folder = self.server.index.folder(project)
                    self._file(self.server.compiled.archive(folder, version, python))
                case _:
                    self._bytes(b"", status=HTTPStatus.NOT_FOUND)
        except (ConnectionResetError, BrokenPipeError):
            self.close_connection = True  # the machine went away in the middle
        except AbsentError as error:
            log.debug("mirror: %s", error)
            self._bytes(f"{error}\n".encode(), status=HTTPStatus.NOT_FOUND)
        except LocalError as error:
            self._bytes(f"{error}\n".encode(), status=HTTPStatus.INSUFFICIENT_STORAGE)

    def _kept(self, project: str, name: str) -> Path:
        kept = self.server.index.file(project, name)
        if kept.suffix == ".whl":
            self.server.compiled.begin(kept)
        return kept

    def _page(self, project: str) -> None:
        page = self.server.index.page(project)
        files = [_local(file, project) for file in page["files"]]
        self._bytes(json.dumps(page | {"files": files}).encode(), _JSON)

    def _head(self, status: HTTPStatus, kind: str, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _bytes(
        self, body: bytes, kind: str = "text/plain", status: HTTPStatus = HTTPStatus.OK
    ) -> None:
        self._head(status, kind, len(body))
        self.wfile.write(body)

    def _file(self, path: Path) -> None:
        with path.open("rb") as file:
            self._head(HTTPStatus.OK, "application/octet-stream", path.stat().st_size)
            self.connection.sendfile(file)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        log.debug("mirror %s " + format, self.client_address[0], *args)
