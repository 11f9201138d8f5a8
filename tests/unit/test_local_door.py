"""The daemon's own paths: the hand on the market, for this computer's users and no web page."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
import requests
from botocore.exceptions import ClientError
from werkzeug.serving import make_server

from tests.ec2 import client_of
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
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
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


REBOUND = "evil.example:{port}"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Host": REBOUND}, id="a name made to point here"),
        pytest.param({"Host": "127.0.0.1"}, id="no port"),
        pytest.param({"Host": "127.0.0.1:1"}, id="another port"),
        pytest.param({"Host": "127.0.0.1.evil.example:{port}"}, id="a name that begins well"),
        pytest.param({"Host": ""}, id="no name"),
        pytest.param({"Origin": "http://evil.example"}, id="another page"),
        pytest.param({"Origin": "null"}, id="a page in a sandbox"),
        pytest.param({"Origin": "http://127.0.0.1:{port}"}, id="a page of the API's own"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="a picture of a page"),
    ],
)
def test_a_page_can_ask_nothing_of_the_api(endpoint: str, headers: dict[str, str]) -> None:
    port = endpoint.rsplit(":", 1)[1]
    sent = {name: value.format(port=port) for name, value in headers.items()}

    def marked(request: Any, **_: Any) -> None:
        for name, value in sent.items():
            request.headers[name] = value

    ours = client_of(endpoint)
    image = ours.describe_images()["Images"][0]["ImageId"]
    given: dict[str, Any] = {"ImageId": image, "InstanceType": "t3.small"}
    (made,) = ours.run_instances(**given, MinCount=1, MaxCount=1)["Instances"]
    page = client_of(endpoint)  # signed, as no page could; and marked as a browser marks
    page.meta.events.register("before-send.ec2", marked)
    for ask in (
        lambda: page.run_instances(**given, MinCount=1, MaxCount=1),
        lambda: page.terminate_instances(InstanceIds=[made["InstanceId"]]),
        page.describe_instances,
    ):
        with pytest.raises(ClientError, match="answers no web page"):
            ask()
    for path in (HEALTH, CONTROL + "capacity"):
        kind = {"Content-Type": "application/json"}
        answer = requests.post(endpoint + path, data="{}", headers={**kind, **sent}, timeout=5)
        assert answer.status_code == 403

    (kept,) = ours.describe_instances()["Reservations"]
    # Its clock stands still.
    assert [one["State"]["Name"] for one in kept["Instances"]] == ["pending"]
    assert decided(endpoint)["capacity"] == []


def test_a_preflight_gets_nothing(endpoint: str) -> None:
    asked = {
        "Origin": "http://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    for path in ("/", HEALTH, CONTROL + "capacity", "/bucket/key"):
        answer = requests.options(endpoint + path, headers=asked, timeout=5)
        assert answer.status_code == 403
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_programs_of_this_computer_are_answered(endpoint: str, name: str) -> None:
    port = endpoint.rsplit(":", 1)[1]
    answer = requests.get(endpoint + HEALTH, headers={"Host": f"{name}:{port}"}, timeout=5)
    assert answer.status_code == 200
