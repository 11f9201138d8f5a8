"""The door of `open` beside a TLS connection to the same server: what it costs a download, a click.

Server, door and client are three processes on this computer's loopback, whose processors they
share: on a network the network is the limit sooner. python -m bench.door
"""

from __future__ import annotations

import http.client
import json
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report import Row, table

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 5
SIZE = 400 * 2**20
PIECE = 2**18
CLICKS = 300
MB = 1e6

SERVER = """
import http.server, ssl, sys

size, piece = int(sys.argv[2]), bytes(int(sys.argv[3]))

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        left = size if self.path == "/files/large" else 2
        self.send_response(200)
        self.send_header("Content-Length", str(left))
        self.end_headers()
        while left:
            part = piece[:left]
            self.wfile.write(part)
            left -= len(part)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + "/certificate.pem", sys.argv[1] + "/key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"""

DOOR = """
import json, sys
from pathlib import Path
from wrapper.carrier import Upstream, serve
from wrapper.notebook.pinning import trust_only

pem = Path(sys.argv[1], "certificate.pem").read_text()
there = Upstream("127.0.0.1", int(sys.argv[2]), trust_only(pem), {})

def told(url, port, *, first, token):
    print(json.dumps([url, port]), flush=True)

serve("bench", there, lambda: there, told)
"""


@contextmanager
def running(code: str, *words: object) -> Iterator[str]:
    """This Python runs the code; its first line. It ends with the block."""
    child = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)], stdout=subprocess.PIPE, text=True
    )
    try:
        yield child.stdout.readline() if child.stdout else ""
    finally:
        child.terminate()
        child.wait()


def certificate(folder: Path) -> ssl.SSLContext:
    """The server's certificate is in the folder; who trusts it alone."""
    command = (
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {folder}"
        f"/key.pem -out {folder}/certificate.pem -days 2 -subj /CN=127.0.0.1"
        " -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    return ssl.create_default_context(cafile=str(folder / "certificate.pem"))


def download(connection: http.client.HTTPConnection, headers: dict[str, str]) -> float:
    """MB a second of one large file."""
    buffer = memoryview(bytearray(PIECE))
    begun = time.perf_counter()
    connection.request("GET", "/files/large", headers=headers)
    answer = connection.getresponse()
    size = 0
    while count := answer.readinto(buffer):
        size += count
    assert size == SIZE  # noqa: S101 (a benchmark of half a file is none)
    return SIZE / MB / (time.perf_counter() - begun)


def click(connection: http.client.HTTPConnection, headers: dict[str, str]) -> float:
    """Milliseconds of a small answer, on a connection that is there."""
    begun = time.perf_counter()
    connection.request("GET", "/api/small", headers=headers)
    connection.getresponse().read()
    return 1000 * (time.perf_counter() - begun)


def rows() -> list[Row]:
    """Taken in turn, so that whatever else goes on here is both's."""
    with tempfile.TemporaryDirectory() as name:
        context = certificate(Path(name))
        with running(SERVER, name, SIZE, PIECE) as port, running(DOOR, name, port.strip()) as line:
            url, door_port = json.loads(line)
            direct = http.client.HTTPSConnection("127.0.0.1", int(port), context=context)
            door = http.client.HTTPConnection("127.0.0.1", door_port)
            door.request("GET", url.partition(str(door_port))[2])
            answer = door.getresponse()
            answer.read()
            headers = {"Cookie": str(answer.getheader("Set-Cookie")).partition(";")[0]}
            nothing: dict[str, str] = {}
            ways = ((door, headers), (direct, nothing))
            fast = [[download(*way) for way in ways] for _ in range(ROUNDS)]
            quick = [[click(*way) for way in ways] for _ in range(CLICKS)]
            door.close()
            direct.close()
    ours, theirs = (statistics.median(found) for found in zip(*fast, strict=True))
    soon, sooner = (statistics.median(found) for found in zip(*quick, strict=True))
    large = f"a file of {SIZE >> 20} MiB over TLS, directly"
    return [
        Row("the same by the door of open", ours, large, theirs, unit="MB/s"),
        Row("a small answer by the door", soon, "the same over TLS, directly", sooner, unit="ms"),
    ]


if __name__ == "__main__":
    print(table(rows()))
