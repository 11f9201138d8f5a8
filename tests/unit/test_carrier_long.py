"""Long bodies by the local door: a thread carries them, and what follows is in its place."""

from __future__ import annotations

import hashlib
import http.client
import os
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.carrier_doors import Door
from tests.unit.conftest import mint
from wrapper.carrier import Upstream, line
from wrapper.notebook.pinning import trust_only

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONG = os.urandom(5 * 2**20)
DIGEST = hashlib.sha256(LONG).hexdigest()
ENDLESS = 2**40


class Server(ThreadingHTTPServer):
    """Answers at length; `hung_up`, once somebody has had enough."""

    pem = ""

    def __init__(self) -> None:
        self.hung_up = threading.Event()
        super().__init__(("127.0.0.1", 0), Files)


class Files(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path == "/chunks":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in (LONG, b"between", LONG):
                self.wfile.write(b"%x\r\n" % len(piece) + piece + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
        elif self.path == "/endless":
            self.send_header("Content-Length", str(ENDLESS))
            self.end_headers()
            try:
                while True:
                    self.wfile.write(LONG)
            except OSError:
                self.close_connection = True
                self.server.hung_up.set()
        elif self.path == "/stream":
            self.send_header("Connection", "close")
            self.end_headers()
            with suppress(OSError):
                while True:
                    self.wfile.write(LONG)
        elif self.path == "/broken":
            self.send_header("Content-Length", str(2 * len(LONG)))
            self.end_headers()
            self.wfile.write(LONG)
            self.close_connection = True
        else:
            body = LONG if self.path == "/long" else b"short"
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server() as found:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        minted = mint("127.0.0.1")
        context.load_cert_chain(*minted.write(tmp_path))
        found.socket = context.wrap_socket(found.socket, server_side=True)
        found.pem = minted.certificate
        threading.Thread(target=found.serve_forever, args=(0.05,), daemon=True).start()
        yield found
        found.shutdown()


@pytest.fixture
def door(server: Server) -> Iterator[Door]:
    context = trust_only(server.pem)
    there = Upstream("127.0.0.1", server.server_port, context, {})
    found = Door(there, lambda: there)
    yield found
    found.close()


def connected(door: Door) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", door.port, timeout=60)


def ask(door: Door, connection: http.client.HTTPConnection, path: str) -> http.client.HTTPResponse:
    connection.request("GET", path, headers={"Authorization": f"token {door.token}"})
    return connection.getresponse()


def test_long_and_short_answers_follow_each_other_on_one_connection(door: Door) -> None:
    connection = connected(door)
    for path, expected in [
        ("/long", LONG),
        ("/short", b"short"),
        ("/chunks", LONG + b"between" + LONG),
        ("/long", LONG),
        ("/short", b"short"),
    ]:
        answer = ask(door, connection, path)
        assert hashlib.sha256(answer.read()).digest() == hashlib.sha256(expected).digest(), path
        assert not answer.will_close
    connection.close()


def test_more_of_them_than_there_are_threads_come_whole(door: Door) -> None:
    def digest(_: int) -> str:
        connection = connected(door)
        try:
            return hashlib.sha256(ask(door, connection, "/long").read()).hexdigest()
        finally:
            connection.close()

    with ThreadPoolExecutor(3 * line._AT_ONCE) as pool:
        assert {*pool.map(digest, range(3 * line._AT_ONCE))} == {DIGEST}


def test_a_stream_without_an_end_leaves_others_their_turn(door: Door) -> None:
    over, first = threading.Event(), threading.Event()

    def listen() -> None:
        connection = connected(door)
        answer = ask(door, connection, "/stream")
        while not over.is_set() and answer.read(2**20):
            first.set()
        answer.close()
        connection.close()

    listening = threading.Thread(target=listen)
    listening.start()
    try:
        assert first.wait(60)
        for _ in range(20):
            connection = connected(door)
            assert ask(door, connection, "/short").read() == b"short"
            connection.close()
    finally:
        over.set()
        listening.join(60)
    assert not listening.is_alive()


def test_one_that_breaks_off_is_seen_as_broken(door: Door) -> None:
    connection = connected(door)
    with pytest.raises(http.client.IncompleteRead):
        ask(door, connection, "/broken").read()
    connection.close()


def test_who_hangs_up_ends_it_there_too(door: Door, server: Server) -> None:
    connection = connected(door)
    ask(door, connection, "/endless").read(2**22)
    connection.close()
    assert server.hung_up.wait(30)
    connection = connected(door)
    assert ask(door, connection, "/short").read() == b"short"
    connection.close()


def test_a_reader_who_rests_holds_nobody_else_up_and_the_door_closes(door: Door) -> None:
    resting = [connected(door) for _ in range(line._AT_ONCE)]
    answers = [ask(door, one, "/endless") for one in resting]
    time.sleep(0.5)
    other = connected(door)
    assert hashlib.sha256(ask(door, other, "/long").read()).hexdigest() == DIGEST
    other.close()
    # The fixture closes the door now, and waits until nothing of it runs.
    assert all(one.status == 200 for one in answers)
