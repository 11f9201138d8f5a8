"""TLS in memory, against Python's own over a socket: what is whole, what is kept, how it ends."""

from __future__ import annotations

import os
import select
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from tests.unit.conftest import mint
from wrapper.carrier.records import Records
from wrapper.notebook.pinning import trust_only

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAME = "notebook.example.org"
LONG = os.urandom(3 * 2**20)


class End:
    """The server's end: it does as it is told, once it has shaken hands."""

    def __init__(self, folder: Path, does: Callable[[ssl.SSLSocket], None]) -> None:
        minted = mint(NAME)
        self.context = trust_only(minted.certificate, NAME)
        self._server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server.load_cert_chain(*minted.write(folder))
        self.here, self._there = socket.socketpair()
        self._does = does
        self.refused = ""
        self.thread = threading.Thread(target=self._answer)

    def _answer(self) -> None:
        with self._there:
            try:
                with self._server.wrap_socket(self._there, server_side=True) as found:
                    self._does(found)
            except ssl.SSLError as error:
                self.refused = str(error)

    @contextmanager
    def records(self, context: ssl.SSLContext | None = None) -> Iterator[Records]:
        self.thread.start()
        try:
            # The address is not in the certificate: the pin has the name.
            found = Records(self.here, context or self.context, "198.18.0.9")
            until(found, found.do_handshake)
            yield found
        finally:
            self.here.close()
            self.thread.join(60)


def until(records: Records, call: Callable[[], int | None]) -> int:
    """What it returns, once the other end has done its part."""
    while True:
        try:
            return call() or 0
        except ssl.SSLWantReadError:
            select.select([records], [], [])
        except ssl.SSLWantWriteError:
            select.select([], [records], [])


def read(records: Records, count: int) -> bytes:
    room, come = memoryview(bytearray(70_000)), bytearray()
    while len(come) < count and (filled := until(records, lambda: records.recv_into(room))):
        come += room[:filled]
    return bytes(come)


def send_all(records: Records, going: bytearray) -> None:
    while going:
        del going[: records.send(going)]
    records.flush()


def test_many_records_come_whole_and_a_goodbye_is_the_end(tmp_path: Path) -> None:
    def does(there: ssl.SSLSocket) -> None:
        there.sendall(LONG)
        with suppress(OSError):
            there.unwrap()

    with End(tmp_path, does).records() as records:
        assert read(records, len(LONG) + 1) == LONG


def test_hanging_up_without_a_goodbye_is_the_end_too(tmp_path: Path) -> None:
    with End(tmp_path, lambda there: there.sendall(b"half")).records() as records:
        assert read(records, 100) == b"half"
        assert until(records, lambda: records.recv_into(memoryview(bytearray(9)))) == 0


def test_what_an_end_that_rests_does_not_take_is_kept_and_goes_when_it_reads(
    tmp_path: Path,
) -> None:
    awake, come = threading.Event(), bytearray()

    def does(there: ssl.SSLSocket) -> None:
        awake.wait(60)
        while data := there.recv(65536):
            come.extend(data)

    end = End(tmp_path, does)
    with end.records() as records:
        going = bytearray(LONG)
        with pytest.raises(ssl.SSLWantWriteError):
            send_all(records, going)
        kept = records.behind
        assert kept
        assert 0 < len(going) < len(LONG)
        awake.set()
        until(records, lambda: send_all(records, going))
        assert not records.behind
    assert bytes(come) == LONG


def test_another_certificate_is_refused_and_the_other_end_is_told(tmp_path: Path) -> None:
    end = End(tmp_path, lambda _: None)
    other = trust_only(mint(NAME).certificate, NAME)
    with pytest.raises(ssl.SSLCertVerificationError), end.records(other):
        pass
    assert "ALERT" in end.refused.upper()
