"""One TLS connection to the notebook: read and written by asyncio, or for a while by threads.

asyncio's own TLS copies each byte three times, holding the interpreter's lock. Here a long body
goes to the browser's socket by two threads: one deciphers into a few buffers, the other sends from
there. OpenSSL and the kernel work without the interpreter's lock.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING

from wrapper.carrier.messages import LIMIT, ClosedError

if TYPE_CHECKING:
    from wrapper.carrier.records import Records

_AT_ONCE = 8
"""Long bodies that have a thread; one more goes by asyncio."""
_LONG = 2 * 2**20
"""Bytes from which on a body has one."""
_ROOMS = 4
"""Pieces of a body between the two threads."""
_LOOKS_UP = 0.5
"""Seconds until a thread that waits sees that it is to end."""
_threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="door")
_free = threading.Semaphore(_AT_ONCE)


class Line:
    """As much of asyncio's streams as is needed, both ways."""

    def __init__(self, records: Records) -> None:
        self._sock = records
        self._loop = asyncio.get_running_loop()
        self._come = bytearray()
        self._room = memoryview(bytearray(LIMIT))
        self._going = bytearray()
        self._failure: OSError | None = None
        self._reading: asyncio.Future[None] | None = None
        self._writing: asyncio.Future[None] | None = None

    async def shake_hands(self) -> None:
        """The other end has shown its certificate, and it is trusted. OSError."""
        while True:
            try:
                self._sock.do_handshake()
            except ssl.SSLWantReadError:
                await self._readable()
            except ssl.SSLWantWriteError:
                await self._writable()
            else:
                return

    async def readuntil(self, separator: bytes) -> bytes:
        """As asyncio's."""
        while (at := self._come.find(separator)) < 0:
            if len(self._come) > LIMIT:
                raise asyncio.LimitOverrunError("no end", 0)
            if not await self._more():
                raise asyncio.IncompleteReadError(bytes(self._come), None)
        return self._take(at + len(separator))

    async def read(self, count: int) -> bytes:
        """As asyncio's; nothing at the end."""
        if not self._come and not await self._more():
            return b""
        return self._take(count)

    def write(self, data: bytes) -> None:
        """It is on its way; what does not fit is kept."""
        self._going += data
        self._flush()

    async def drain(self) -> None:
        """Everything is on its way. OSError."""
        while (self._going or self._sock.behind) and self._failure is None:
            await self._writable()
            self._flush()
        if self._failure:
            raise self._failure

    def close(self) -> None:
        """Nothing is read or written any more, and whoever waits for that is told."""
        if self._sock.fileno() < 0:
            return
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        for waiting in (self._reading, self._writing):
            if waiting and not waiting.done():
                waiting.set_exception(ConnectionAbortedError("closed"))
        self._sock.close()

    async def carry(self, writer: asyncio.StreamWriter, count: int) -> bool:
        """So many bytes are passed on, by a thread; False: they are too few, or all are at work.

        ClosedError, OSError.
        """
        busy = self._going or self._sock.behind
        if count < _LONG or busy or not _free.acquire(blocking=False):
            return False
        try:
            writer.transport.set_write_buffer_limits(0)
            writer.write(early := self._take(count))
            await writer.drain()  # nothing is left that would come behind what the thread sends
            sock = writer.get_extra_info("socket")
            with socket.socket(fileno=os.dup(sock.fileno())) as there:
                there.settimeout(_LOOKS_UP)
                await self._by_a_thread(there, count - len(early))
        finally:
            writer.transport.set_write_buffer_limits()
            _free.release()
        return True

    async def _by_a_thread(self, there: socket.socket, count: int) -> None:
        over = threading.Event()
        work = self._loop.run_in_executor(_threads, _pass_on, self._sock, there, count, over)
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            over.set()  # the sockets are its own until it has seen that
            with suppress(ClosedError, OSError):
                await work
            raise

    def _take(self, count: int) -> bytes:
        piece = bytes(self._come[:count])
        del self._come[:count]
        return piece

    async def _more(self) -> bool:
        """Something has come; False at the end. Whoever else waits has had a turn."""
        while True:
            try:
                filled = self._received()
            except ssl.SSLWantReadError:
                await self._readable()
            except ssl.SSLWantWriteError:
                await self._writable()
            else:
                self._come += self._room[:filled]
                await asyncio.sleep(0)
                return filled > 0

    def _received(self) -> int:
        """Bytes of the records that are there; 0 at the end. OSError where nothing is."""
        filled = 0
        while filled < LIMIT:
            try:
                count = self._sock.recv_into(self._room[filled:])
            except OSError:
                if not filled:
                    raise
                return filled
            if not count:
                return filled
            filled += count
        return filled

    def _flush(self) -> None:
        try:
            while self._going:
                del self._going[: self._sock.send(self._going)]
            self._sock.flush()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            self._loop.add_writer(self._sock, self._resume)
        except OSError as error:
            self._failure = error
            self._going.clear()

    def _resume(self) -> None:
        self._loop.remove_writer(self._sock)
        if self._writing and not self._writing.done():
            self._writing.set_result(None)
        else:
            self._flush()

    async def _readable(self) -> None:
        self._reading = self._loop.create_future()
        self._loop.add_reader(self._sock, _done, self._reading)
        try:
            await self._reading
        finally:
            if self._sock.fileno() >= 0:
                self._loop.remove_reader(self._sock)

    async def _writable(self) -> None:
        self._writing = self._loop.create_future()
        self._loop.add_writer(self._sock, self._resume)
        try:
            await self._writing
        finally:
            self._writing = None


def _done(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def _pass_on(here: Records, there: socket.socket, count: int, over: threading.Event) -> None:
    """So many bytes went from the one to the other. ClosedError, OSError.

    A thread deciphers while this one sends: the second costs a quarter of the first.
    """
    free: SimpleQueue[memoryview | None] = SimpleQueue()
    full: SimpleQueue[tuple[memoryview, int] | Exception] = SimpleQueue()
    for _ in range(_ROOMS):
        free.put(memoryview(bytearray(LIMIT)))

    def decipher() -> None:
        left = count
        try:
            while left and (room := free.get()):
                filled = _fill(here, room[: min(left, LIMIT)], over)
                left -= filled
                full.put((room, filled))
        except (ClosedError, OSError) as error:
            full.put(error)

    thread = threading.Thread(target=decipher, name="door-tls")
    thread.start()
    try:
        while count:
            found = full.get()
            if isinstance(found, Exception):
                raise found
            room, filled = found
            _send(there, room[:filled], over)
            count -= filled
            free.put(room)
    finally:
        over.set()
        free.put(None)
        thread.join()


def _send(there: socket.socket, piece: memoryview, over: threading.Event) -> None:
    sent = 0
    while sent < len(piece):
        if over.is_set():
            raise ClosedError
        with suppress(TimeoutError):
            sent += there.send(piece[sent:])


def _fill(here: Records, room: memoryview, over: threading.Event) -> int:
    """As much as is there, a record of 16 KB after the other, and something at least."""
    filled = 0
    waiting = select.poll()
    waiting.register(here, select.POLLIN)
    while filled < len(room):
        try:
            count = here.recv_into(room[filled:])
        except ssl.SSLWantReadError:
            if filled:
                return filled
            waiting.poll(1000 * _LOOKS_UP)
            if over.is_set():
                raise ClosedError from None
            continue
        if not count:
            if filled:
                return filled
            raise ClosedError
        filled += count
    return filled
