"""The local door, in front of a real Jupyter with a certificate that only the pin trusts."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import websocket

from tests.unit.carrier_doors import Browser, Door, upstream
from tests.unit.conftest import free_port, mint
from wrapper.carrier import Upstream
from wrapper.carrier.serving import _serve
from wrapper.errors import (
    FailedError,
    FingerprintError,
    NoAnswerError,
    ReplacedError,
    ThrottledError,
)
from wrapper.notebook.pinning import trust_only

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.conftest import LiveJupyter


@pytest.fixture
def browser(jupyter: LiveJupyter) -> Iterator[Browser]:
    door = Door(upstream(jupyter), lambda: upstream(jupyter))
    yield Browser(door)
    door.close()


@pytest.fixture
def inside(browser: Browser) -> Browser:
    browser.enter()
    return browser


def test_the_link_lets_in_once_and_its_cookie_is_the_doors_alone(browser: Browser) -> None:
    link = browser.door.links.get(timeout=30)
    browser.door.links.put(link)
    answer = browser.enter()
    assert answer.status == 200
    assert b"url=/lab" in answer.body
    given = answer.headers["Set-Cookie"]
    assert "HttpOnly" in given
    assert "SameSite=Strict" in given
    assert browser.ask("GET", "/api/status").status == 200
    path = "/" + link.split("/", 3)[3]
    assert browser.ask("GET", path, Cookie="").status == 403
    assert browser.door.links.get(timeout=30) != link


def test_the_notebooks_own_cookies_stay_behind_the_door(inside: Browser) -> None:
    answer = inside.ask("GET", "/login")
    assert not answer.headers.get_all("Set-Cookie")


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        pytest.param("GET", {"Host": "evil.example:{port}"}, 421, id="DNS rebinding"),
        pytest.param("GET", {"Host": "localhost:{port}"}, 421, id="another name of the loopback"),
        pytest.param("GET", {"Host": "127.0.0.1"}, 421, id="without the port"),
        pytest.param("GET", {"Cookie": ""}, 403, id="no cookie"),
        pytest.param("GET", {"Cookie": "clouds-door-{port}=x"}, 403, id="a made-up cookie"),
        pytest.param("GET", {"Origin": "http://127.0.0.1:1"}, 403, id="another port's page"),
        pytest.param("GET", {"Origin": "null"}, 403, id="a page of no origin"),
        pytest.param("POST", {"Origin": "https://evil.example"}, 403, id="another site's form"),
        pytest.param("POST", {"Origin": ""}, 403, id="a change by nobody"),
        pytest.param("GET", {"Sec-Fetch-Site": "same-site"}, 403, id="another port's picture"),
        pytest.param("GET", {"Upgrade": "websocket"}, 403, id="a websocket of nobody"),
        pytest.param("GET", {}, 200, id="its own page"),
    ],
)
def test_who_may_pass(method: str, headers: dict[str, str], status: int, inside: Browser) -> None:
    given: Any = {key: value.format(port=inside.door.port) for key, value in headers.items()}
    assert inside.ask(method, "/api/status", **given).status == status


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param("GET http://127.0.0.1/ HTTP/1.1", id="a proxy's request"),
        pytest.param(
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", id="two"
        ),
        pytest.param("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2", id="lengths"),
        pytest.param("POST / HTTP/1.1\r\nContent-Length: +1", id="a length that is none"),
        pytest.param("GET / HTTP/1.1\r\nX : 1", id="a space before the colon"),
        pytest.param("GET / HTTP/1.1\r\nX: 1\nY: 2", id="half a line end"),
        pytest.param("GET / HTTP/1.1\r\nX: " + "x" * 600_000, id="no end"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(raw: str, inside: Browser) -> None:
    fields = f"Host: {inside.host}\r\nCookie: {inside.cookie}\r\nOrigin: http://{inside.host}"
    first, _, rest = raw.partition("\r\n")
    text = "\r\n".join(filter(None, [first, fields, rest])) + "\r\n\r\n"
    with socket.create_connection(("127.0.0.1", inside.door.port), timeout=30) as sock:
        try:
            sock.sendall(text.encode())
            said = sock.recv(100)
        except ConnectionError:
            said = b""
    assert not said or said.startswith(b"HTTP/1.1 400 ")


def test_large_files_go_both_ways_whole(inside: Browser, jupyter: LiveJupyter) -> None:
    content = os.urandom(1 << 20) * 20
    (jupyter.work / "large.bin").write_bytes(content)
    assert inside.ask("GET", "/files/large.bin").body == content
    text = json.dumps({"type": "file", "format": "text", "content": "x" * 3_000_000}).encode()
    sent = inside.ask("PUT", "/api/contents/up.txt", text, Content_Type="application/json")
    assert sent.status == 201
    pieces = [text[at : at + 70_000] for at in range(0, len(text), 70_000)]
    sent = inside.ask(
        "PUT", "/api/contents/chunks.txt", iter(pieces), chunked=True,
        Content_Type="application/json", Transfer_Encoding="chunked",
    )  # fmt: skip
    for name in ("up.txt", "chunks.txt"):
        assert (jupyter.work / name).read_text() == "x" * 3_000_000


def test_hundreds_of_requests_at_once_are_all_answered(inside: Browser) -> None:
    with ThreadPoolExecutor(100) as pool:
        found = [*pool.map(lambda _: inside.ask("GET", "/api/status").status, range(300))]
    assert found == [200] * 300


def test_a_kernel_answers_over_its_websocket(inside: Browser) -> None:
    made = json.loads(inside.ask("POST", "/api/kernels", "{}").body)
    path = f"/api/kernels/{made['id']}"
    try:
        line = websocket.create_connection(
            f"ws://{inside.host}{path}/channels",
            origin=f"http://{inside.host}",
            cookie=inside.cookie,
            timeout=60,
        )
        header = {"msg_id": "1", "msg_type": "kernel_info_request", "session": "1"}
        header |= {"username": "", "version": "5.3", "date": "2026-11-23T00:00:00Z"}
        asked = {"header": header, "parent_header": {}, "metadata": {}, "content": {}}
        line.send(json.dumps({**asked, "channel": "shell", "buffers": []}))
        while json.loads(line.recv())["header"]["msg_type"] != "kernel_info_reply":
            pass
        line.close()
    finally:
        assert inside.ask("DELETE", path).status == 204


def _elsewhere(jupyter: LiveJupyter) -> Upstream:
    good = upstream(jupyter)
    return Upstream(good.host, free_port(), good.context, good.cookies)


def test_a_notebook_that_moved_is_found_and_waited_for(jupyter: LiveJupyter) -> None:
    there = threading.Event()

    def find() -> Upstream:
        if there.is_set():
            return upstream(jupyter)
        raise NoAnswerError("The machine of moon is stopped.", hint="python -m wrapper start moon")

    door = Door(_elsewhere(jupyter), find)
    try:
        browser = Browser(door)
        browser.enter()
        answer = browser.ask("GET", "/lab")
        assert answer.status == 503
        assert b"python -m wrapper start moon" in answer.body
        assert b'http-equiv="refresh"' in answer.body
        there.set()
        for _ in range(60):
            if browser.ask("GET", "/api/status").status == 200:
                break
            threading.Event().wait(0.5)
        assert browser.ask("GET", "/api/status").status == 200
    finally:
        door.close()


def test_a_replaced_machine_is_refused_for_good_and_sent_nothing(jupyter: LiveJupyter) -> None:
    asked: list[int] = []
    good = upstream(jupyter)
    other = Upstream(
        good.host, good.port, trust_only(mint("127.0.0.1").certificate), {"secret": "1"}
    )

    def find() -> Upstream:
        asked.append(1)
        raise ReplacedError("moon has another key.", hint="python -m wrapper open moon")

    door = Door(other, find)
    try:
        browser = Browser(door)
        browser.enter()
        for _ in range(2):
            answer = browser.ask("GET", "/lab")
            assert answer.status == 502
            assert b"python -m wrapper open moon" in answer.body
        assert asked == [1]
    finally:
        door.close()


@pytest.mark.parametrize(
    ("passing", "status"),
    [
        pytest.param(FingerprintError("another's network"), 502, id="another key for a moment"),
        pytest.param(ThrottledError("wait", seconds=0.1), 503, id="somebody else logs in"),
    ],
)
def test_what_passes_does_not_end_the_door(
    passing: NoAnswerError, status: int, jupyter: LiveJupyter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wrapper.carrier.far_end._PAUSE", 0.0)
    refusals = [passing]

    def find() -> Upstream:
        if refusals:
            raise refusals.pop()
        return upstream(jupyter)

    door = Door(_elsewhere(jupyter), find)
    try:
        browser = Browser(door)
        browser.enter()
        assert browser.ask("GET", "/api/status").status == status
        threading.Event().wait(0.2)
        assert browser.ask("GET", "/api/status").status == 200
    finally:
        door.close()


def test_a_file_that_may_not_be_read_is_no_reason_to_log_in_again(jupyter: LiveJupyter) -> None:
    logins: list[int] = []

    def find() -> Upstream:
        logins.append(1)
        return upstream(jupyter)

    forbidden = jupyter.work / "forbidden.txt"
    forbidden.write_text("not for the notebook's user")
    door = Door(upstream(jupyter), find)
    try:
        browser = Browser(door)
        browser.enter()
        for _ in range(3):
            assert browser.ask("GET", "/api/contents/forbidden.txt").status == 403
        assert browser.ask("GET", "/api/status").status == 200
    finally:
        door.close()
        forbidden.unlink()
    assert not logins


@pytest.mark.parametrize(("method", "done"), [("GET", 200), ("POST", 201)])
def test_a_login_that_is_forgotten_is_renewed(jupyter: LiveJupyter, method: str, done: int) -> None:
    good = upstream(jupyter)
    door = Door(Upstream(good.host, good.port, good.context, {}), lambda: upstream(jupyter))
    try:
        browser = Browser(door)
        browser.enter()
        asked = (method, "/api/contents", None if method == "GET" else '{"type": "directory"}')
        assert browser.ask(*asked).status == 403
        assert browser.ask(*asked).status == done
    finally:
        door.close()


def test_a_port_that_was_asked_for_is_not_exchanged(jupyter: LiveJupyter) -> None:
    good = upstream(jupyter)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(FailedError, match=f"Port {port} .* is in use") as raised:
            asyncio.run(_serve("moon", good, lambda: good, lambda *_, **__: None, port))
    assert raised.value.hint == "Let one be chosen: python -m wrapper open moon"


def test_a_usual_port_that_is_taken_is_exchanged(browser: Browser, jupyter: LiveJupyter) -> None:
    second = Door(upstream(jupyter), lambda: upstream(jupyter))
    try:
        assert second.port != browser.door.port
    finally:
        second.close()
