"""`open`: which notebook the door leads to, and what stands in its way."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.fleet import launch
from tests.unit.worlds import told, world
from wrapper import deployment
from wrapper.cli import main
from wrapper.deployment import opening
from wrapper.errors import FingerprintError, NoAnswerError
from wrapper.home import Home, Place, Record, root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_ec2 import EC2Client

    from wrapper.deployment.world import World

__all__ = ["told", "world"]  # fixtures, for pytest to find here

KEY = "a" * 64


def remember(world: World, name: str, machine: str | None, key: str | None) -> None:
    home = Home(root(world.environment) / name)
    home.create()
    outputs = {"instance_id": machine, "public_ip": "198.18.0.9"}
    place = Place("local", "us-east-1", "123456789012")
    home.remember(Record(name, place, outputs=outputs, key_sha256=key))


def unheard(*_: Any, **__: Any) -> None:
    pytest.fail("no door was to open")


def test_what_was_never_verified_has_no_door(world: World, name: str) -> None:
    remember(world, name, None, None)
    with pytest.raises(NoAnswerError) as raised:
        deployment.open_door(world, name, unheard)
    assert raised.value.hint == f"python -m wrapper up {name}"


def test_a_stopped_machine_is_told_with_what_starts_it(
    world: World, name: str, ec2: EC2Client
) -> None:
    machine = launch(ec2, name)
    remember(world, name, machine, KEY)
    ec2.stop_instances(InstanceIds=[machine])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[machine], WaiterConfig={"Delay": 1})
    with pytest.raises(NoAnswerError, match="stopped") as raised:
        deployment.open_door(world, name, unheard)
    assert raised.value.hint == f"python -m wrapper start {name}"


def test_a_machine_that_was_replaced_under_an_open_door_is_refused(
    world: World, name: str, ec2: EC2Client
) -> None:
    remember(world, name, launch(ec2, name), "b" * 64)
    with pytest.raises(FingerprintError, match="was replaced") as raised:
        opening._find(world, name, KEY)
    assert f"python -m wrapper open {name}" in str(raised.value.hint)


@pytest.fixture
def stood_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[list[str], list[str]]]:
    """The deployment "moon", a door that is used once, and a browser: what it got, and its file."""
    started: list[str] = []
    seen: list[str] = []
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    home = Home(root({"XDG_DATA_HOME": str(tmp_path)}) / "moon")
    home.create()
    home.remember(Record("moon", Place("local", "us-east-1", "123456789012")))

    def browse(url: str) -> bool:
        file = Path(url.removeprefix("file://"))
        started.append(url)
        seen.append(f"{stat.S_IMODE(file.stat().st_mode):o} {file.read_text()}")
        return True

    def door(_: Any, __: str, told: Any, *, port: int | None) -> None:
        assert port == 8899
        told("http://127.0.0.1:8899/open/secret", 8899, first=True, token="t0")
        told("http://127.0.0.1:8899/open/next", 8899, first=False, token="t0")
        assert not [*tmp_path.rglob("open.html")], "the link's file outlived its use"
        raise KeyboardInterrupt

    monkeypatch.setattr("webbrowser.open", browse)
    monkeypatch.setattr(opening, "open_door", door)
    yield started, seen
    assert not [*tmp_path.rglob("open.html")]


def test_the_browser_is_given_a_file_and_not_the_link(
    stood_in: tuple[list[str], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["open", "moon", "--port", "8899"]) == 130
    started, seen = stood_in
    assert "secret" not in "".join(started)
    assert seen[0].startswith("600 ")
    assert "http://127.0.0.1:8899/open/secret" in seen[0]
    said = capsys.readouterr()
    assert said.out == "http://127.0.0.1:8899/open/secret\n"
    assert "/open/next" in said.err


@pytest.mark.parametrize("flag", ["--no-browser", "--print-url"])
def test_without_a_browser_there_is_a_document(
    stood_in: tuple[list[str], list[str]], capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    main(["open", "moon", "--port", "8899", flag, "--json"])
    assert not stood_in[0]
    document = json.loads(capsys.readouterr().out.splitlines()[0])
    url = "http://127.0.0.1:8899/open/secret"
    assert document == {"name": "moon", "url": url, "port": 8899, "token": "t0"}


def test_an_editor_is_given_an_address_with_a_token_and_no_browser_starts(
    stood_in: tuple[list[str], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["open", "moon", "--port", "8899", "--editor"])
    assert not stood_in[0]
    assert capsys.readouterr().out == "http://127.0.0.1:8899/?token=t0\n"
