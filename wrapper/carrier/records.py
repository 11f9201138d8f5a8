"""TLS of one connection, in memory: its records are read from the socket many at a time.

OpenSSL that has the socket itself asks the kernel twice for each record of 16 KB, and Python does
not offer its way out: https://docs.openssl.org/3.0/man3/SSL_CTX_set_read_ahead/
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

_AT_ONCE = 256 * 1024


class Records:
    """As much of a socket that does not block as is needed, and errors as of `ssl.SSLSocket`."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._come, self._going = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._come, self._going, server_hostname=host)
        self._room = memoryview(bytearray(_AT_ONCE))
        self._left = memoryview(b"")

    def fileno(self) -> int:
        """The socket's; -1 once it is closed."""
        return self._sock.fileno()

    def close(self) -> None:
        """The socket is closed."""
        self._sock.close()

    @property
    def behind(self) -> bool:
        """Something is enciphered, and not on its way yet."""
        return bool(self._left or self._going.pending)

    def do_handshake(self) -> None:
        """The other end has shown its certificate, and it is trusted. OSError."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self.flush()
                self._feed()
            except ssl.SSLError:
                with suppress(OSError):
                    self.flush()  # says why
                raise
            else:
                self.flush()
                return

    def recv_into(self, room: memoryview) -> int:
        """Bytes of one record; 0 at the end. SSLWantReadError where none is whole, OSError."""
        while True:
            try:
                # A number, with a buffer: https://docs.python.org/3/library/ssl.html#ssl.SSLSocket.read
                return int(self._tls.read(len(room), room))
            except ssl.SSLWantReadError:
                self._feed()
            except ssl.SSLEOFError:
                return 0

    def send(self, data: bytearray) -> int:
        """So many bytes of it are on their way, or kept. SSLWantWriteError: none is; OSError."""
        self.flush()
        with memoryview(data) as whole, whole[:_AT_ONCE] as piece:
            count = self._tls.write(piece)
        with suppress(ssl.SSLWantWriteError):
            self.flush()
        return count

    def flush(self) -> None:
        """All that was enciphered is on its way. SSLWantWriteError, OSError."""
        while self.behind:
            if not self._left:
                self._left = memoryview(self._going.read())
            try:
                self._left = self._left[self._sock.send(self._left) :]
            except BlockingIOError:
                raise ssl.SSLWantWriteError from None

    def _feed(self) -> None:
        """Whatever is there is with OpenSSL; what that has to answer goes first."""
        with suppress(ssl.SSLWantWriteError):
            self.flush()
        try:
            count = self._sock.recv_into(self._room)
        except BlockingIOError:
            raise ssl.SSLWantReadError from None
        if count:
            self._come.write(self._room[:count])
        else:
            self._come.write_eof()
