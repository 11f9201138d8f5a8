"""The daemon's own paths: the hand on the market, for this computer's users and no web page."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
import requests
from werkzeug.serving import make_server

from tests.unit.local_api import Clock, Machines
from wrapper import local
from wrapper.errors import LocalError
from wrapper.local import door, market
from wrapper.local.api import create_app
from wrapper.local.health import CONTROL, HEALTH
from wrapper.local.record import Record
from wrapper.local.room import Room

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A door as the daemon opens it, which `local` asks."""
    clock = Clock()
    app = create_app(Machines(clock), clock)
    wsgi = door.beside(app, Room(), app.control)
    server = make_server("127.0.0.1", 0, wsgi, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    record = Record(stage="", port=server.server_port)
    monkeypatch.setattr(market, "read", lambda: record)
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def decided(endpoint: str) -> dict[str, Any]:
    told: dict[str, dict[str, Any]] = requests.get(endpoint + HEALTH, timeout=5).json()
    return told["market"]


def test_what_is_asked_is_decided_and_told(endpoint: str) -> None:
    local.capacity("none", zone="us-east-1a", market="spot")
    local.price("t3.large", 0.05)
    local.quota("on-demand", 8)

    told = decided(endpoint)
    assert told["capacity"][0]["zone"] == "us-east-1a"
    assert told["prices"][0]["dollars"] == "0.05"
    assert told["quotas"] == [{"market": "on-demand", "family": "standard", "vcpus": 8}]

    local.capacity("back")
    assert decided(endpoint)["capacity"] == []


def test_a_refusal_comes_back_in_its_words(endpoint: str) -> None:
    with pytest.raises(LocalError) as caught:
        local.capacity("none", zone="us-east-1z")
    assert "no availability zone 'us-east-1z'" in caught.value.message
    assert "us-east-1a" in str(caught.value.hint)

    for ask in (local.interrupt, local.recommend):
        with pytest.raises(LocalError, match="no instance 'i-0'"):
            ask("i-0")
    assert decided(endpoint)["capacity"] == []


def test_without_a_daemon_there_is_nobody_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market, "read", lambda: None)

    with pytest.raises(LocalError, match="does not run"):
        local.capacity("none")


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        pytest.param("POST", "capacity", {"Content-Type": "text/plain"}, id="a form of a page"),
        pytest.param("POST", "capacity", {"Host": "evil.example:5999"}, id="a name made to point"),
        pytest.param("GET", "capacity", {}, id="a link"),
        pytest.param("POST", "describe", {}, id="no such verb"),
    ],
)
def test_a_page_in_a_browser_decides_nothing(
    endpoint: str, method: str, path: str, headers: dict[str, str]
) -> None:
    sent = {"Content-Type": "application/json", **headers}
    answer = requests.request(
        method, endpoint + CONTROL + path, data='{"verb": "none"}', headers=sent, timeout=5
    )

    assert answer.status_code == 404
    assert decided(endpoint)["capacity"] == []


@pytest.mark.parametrize("body", ["", "[]", '{"verb": "none", "more": 1}', "{}"])
def test_what_makes_no_sense_is_said_to(endpoint: str, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = requests.post(endpoint + CONTROL + "capacity", data=body, headers=headers, timeout=5)

    assert answer.status_code == 400
    assert "makes no sense" in answer.json()["message"]
