"""Servers that show a certificate, and what they were sent."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.unit.conftest import Minted


class Server:
    """TLS on the loopback that answers nothing, and remembers what it was told."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self.heard: list[bytes] = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]
        self.threads = [threading.Thread(target=self.serve, daemon=True)]
        self.threads[0].start()

    def serve(self) -> None:
        while True:
            try:
                raw, _ = self.listening.accept()
            except OSError:
                return
            self.threads.append(threading.Thread(target=self.listen, args=(raw,), daemon=True))
            self.threads[-1].start()

    def listen(self, raw: socket.socket) -> None:
        try:
            with self.context.wrap_socket(raw, server_side=True) as sock:
                self.heard.append(sock.recv(65536))
        except OSError as error:
            self.heard.append(repr(error).encode())

    def end(self) -> None:
        if self.listening.fileno() != -1:
            # Closing alone does not wake accept().
            self.listening.shutdown(socket.SHUT_RDWR)
            self.listening.close()
        for thread in self.threads:
            thread.join(5)


@contextmanager
def tls_server(configure: Callable[[ssl.SSLContext], None]) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    configure(context)
    server = Server(context)
    try:
        yield server
    finally:
        server.end()


def showing(minted: Minted, folder: Path) -> Callable[[ssl.SSLContext], None]:
    files = minted.write(folder)
    return lambda context: context.load_cert_chain(*files)
