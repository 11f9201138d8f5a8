"""The door of `open` beside a TLS connection to the same server: what it costs a download, a click.

Server, door and client are three processes on this computer's loopback, whose processors they
share. A network is the limit sooner: so the server also sends no faster than a link of that speed
would take it. python -m bench.door
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
LINKS = (1, 5)
"""Gbit/s: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-network-bandwidth.html,
where one flow from outside a placement group has 5 at most.
"""
MB = 1e6

SERVER = """
import http.server, ssl, sys, time

size, piece = int(sys.argv[2]), bytes(int(sys.argv[3]))

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        large, link = self.path.startswith("/files/large"), self.path[len("/files/large/"):]
        left, link = (size, link) if large else (2, "")
        begun, total, seconds = time.monotonic(), left, 8e-9 / float(link) if link else 0
        self.send_response(200)
        self.send_header("Content-Length", str(left))
        self.end_headers()
        while left:
            part = piece[:left]
            self.wfile.write(part)
            left -= len(part)
            early = begun + (total - left) * seconds - time.monotonic()
            if early > 0:
                time.sleep(early)

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


def download(
    connection: http.client.HTTPConnection, headers: dict[str, str], link: int | None = None
) -> float:
    """MB a second of one large file, over a link of so many Gbit/s."""
    buffer = memoryview(bytearray(PIECE))
    begun = time.perf_counter()
    path = f"/files/large/{link}" if link else "/files/large"
    connection.request("GET", path, headers=headers)
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
            linked = {
                link: [[download(*way, link) for way in ways] for _ in range(ROUNDS)]
                for link in LINKS
            }
            quick = [[click(*way) for way in ways] for _ in range(CLICKS)]
            door.close()
            direct.close()
    ours, theirs = _medians(fast)
    soon, sooner = _medians(quick)
    large = f"a file of {SIZE >> 20} MiB over TLS, directly"
    over = {link: _medians(found) for link, found in linked.items()}
    return [
        Row("the same by the door of open", ours, large, theirs, unit="MB/s"),
        *(
            Row(f"by the door, from a link of {link} Gbit/s", one, large, other, unit="MB/s")
            for link, (one, other) in over.items()
        ),
        Row("a small answer by the door", soon, "the same over TLS, directly", sooner, unit="ms"),
    ]


def _medians(found: list[list[float]]) -> tuple[float, float]:
    ours, theirs = zip(*found, strict=True)
    return statistics.median(ours), statistics.median(theirs)


if __name__ == "__main__":
    print(table(rows()))
