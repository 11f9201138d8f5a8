"""`logs`: the machine's journal over the connection, else its console."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.unit.fleet import launch
from tests.unit.worlds import StandIn, bare_world
from wrapper import console, deployment
from wrapper.cli import logs as cli_logs
from wrapper.deployment import reading_logs, ssh
from wrapper.deployment.events import Note, Warned
from wrapper.deployment.reading_logs import Log, Wanted
from wrapper.errors import FingerprintError, LoginError, NoAnswerError, UnreachableError
from wrapper.home import Home, Place, Record, root
from wrapper.notebook import Logs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
    from wrapper.deployment.world import World

KEY = "a" * 64

CONSOLE = """\
[    0.1] Linux
jupyter-clouds: phase=conda state=started\r
jupyter-clouds: phase=conda seconds=3.1\r
jupyter-clouds: autostop reason=idle
jupyter-clouds: rescue step=git seconds=1.0 ok=1
jupyter-clouds: ready port=9999
"""


class Machine:
    """A notebook that shows pieces of a journal, one at each look, or raises."""

    def __init__(self, *pieces: Logs | BaseException | None) -> None:
        self.pieces = list(pieces)
        self.asked: list[tuple[Any, ...]] = []

    def __call__(self, *_: Any, **__: Any) -> Machine:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def login(self) -> None:
        """In."""

    def close(self) -> None:
        """Out."""

    def logs(self, phase: str | None, *, lines: int, after: str | None) -> Logs | None:
        self.asked.append((phase, lines, after))
        found = self.pieces.pop(0)
        if isinstance(found, BaseException):
            raise found
        return found


@pytest.fixture
def told() -> list[Any]:
    return []


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks follow each other without a pause."""
    monkeypatch.setattr(reading_logs, "EVERY", 0)
    monkeypatch.setattr(reading_logs, "EVERY_CONSOLE", 0)


@pytest.fixture
def there(
    tmp_path: Path,
    account: Account,
    name: str,
    ec2: EC2Client,
    told: list[Any],
) -> Callable[[Machine], World]:
    """The world with a machine that runs, and its notebook."""

    def made(notebook: Any) -> World:
        world = dataclasses.replace(
            bare_world(tmp_path, account, StandIn(), told), pin=notebook,
            notebook=notebook,
        )  # fmt: skip
        home = Home(root(world.environment) / name)
        home.create()
        home.write_password("secret")
        outputs = {"instance_id": launch(ec2, name), "public_ip": "198.18.0.9"}
        place = Place("local", "us-east-1", "123456789012")
        home.remember(Record(name, place, outputs=outputs, key_sha256=KEY))
        return world

    return made


def showing(monkeypatch: pytest.MonkeyPatch, *texts: str) -> None:
    """Its console, at each look."""
    left = list(texts)
    monkeypatch.setattr("wrapper.aws.Aws.console", lambda *_: left.pop(0))


def test_a_notebook_that_answers_is_asked_for_its_journal(
    there: Callable[[Machine], World], name: str, told: list[Any]
) -> None:
    machine = Machine(Logs("a line\n", "c1"))
    lines: list[str] = []
    world = there(machine)
    found = deployment.logs(world, name, Wanted(phase="idle", lines=5), lines.append)
    assert found == Log("journal", "a line\n")
    assert lines == ["a line\n"]
    assert machine.asked == [("idle", 5, None)]
    assert [type(one) for one in told] == [Note]


@pytest.mark.parametrize(
    "why", [NoAnswerError("It is quiet."), LoginError("No."), None], ids=["silent", "no", "old"]
)
def test_else_the_console_is_read_and_that_is_said(
    why: Exception | None,
    there: Callable[[Machine], World],
    name: str,
    told: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    showing(monkeypatch, CONSOLE)
    found = deployment.logs(there(Machine(why)), name, Wanted(lines=2), lambda _: None)
    assert found.source == "console"
    assert found.text.splitlines() == CONSOLE.splitlines()[-2:]
    (warned,) = told
    assert isinstance(warned, Warned)
    assert "through the EC2 API" in warned.text


def test_where_only_jupyter_is_silent_the_journal_is_read_over_ssh(
    there: Callable[[Machine], World],
    name: str,
    told: list[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    says = json.dumps({"text": "a line\n", "cursor": "c"})
    (tmp_path / "says").write_text(says)
    (tools / "ssh").write_text(f'#!/bin/sh\necho "$*" >{tmp_path}/words\ncat {tmp_path}/says\n')
    (tools / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setattr(ssh, "connect", lambda *_: tmp_path / "moon/ssh")
    world = there(Machine(NoAnswerError("It is quiet.")))
    Home(root(world.environment) / name).write_variables({"ssh_cidrs": ["8.8.8.8/32"]})
    found = deployment.logs(world, name, Wanted(phase="jupyter"), lambda _: None)
    assert found == Log("journal", "a line\n")
    assert "over SSH" in told[-1].text
    words = shlex.split((tmp_path / "words").read_text())
    assert json.loads(words[-1]) == {"phase": "jupyter", "lines": 200, "after": None}


def test_another_hosts_key_is_no_reason_to_look_elsewhere(
    there: Callable[[Machine], World], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise FingerprintError("Another.")

    monkeypatch.setattr(ssh, "connect", refuse)
    world = there(Machine(NoAnswerError("It is quiet.")))
    Home(root(world.environment) / name).write_variables({"ssh_cidrs": ["8.8.8.8/32"]})
    with pytest.raises(FingerprintError):
        deployment.logs(world, name, Wanted(), lambda _: None)


def test_another_ones_certificate_is_no_reason_to_look_elsewhere(
    there: Callable[[Machine], World], name: str
) -> None:
    with pytest.raises(FingerprintError):
        deployment.logs(
            there(Machine(FingerprintError("Another."))), name, Wanted(), lambda _: None
        )


@pytest.mark.parametrize(
    ("phase", "first"),
    [
        ("boot", "jupyter-clouds: phase=conda"),
        ("idle", "jupyter-clouds: autostop"),
        ("spot", "jupyter-clouds: rescue"),
    ],
)
def test_the_console_has_lines_of_a_phase(phase: str, first: str) -> None:
    found = console.of_phase(CONSOLE, phase)
    assert found.startswith(first)
    assert len(found.splitlines()) < len(CONSOLE.splitlines())


@pytest.mark.parametrize("phase", ["jupyter", "run"])
def test_what_the_console_never_shows_is_told(
    phase: str, there: Callable[[Machine], World], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    showing(monkeypatch, CONSOLE)
    with pytest.raises(NoAnswerError, match=f"nothing of {phase}"):
        deployment.logs(
            there(Machine(NoAnswerError("Quiet."))), name, Wanted(phase=phase), lambda _: None
        )


def test_following_goes_on_where_it_was_over_a_time_without_answer(
    there: Callable[[Machine], World], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    showing(monkeypatch, "one\ntwo\n", "two\nthree\n")
    machine = Machine(
        Logs("a\n", "c1"),
        NoAnswerError("Gone."),
        NoAnswerError("Gone."),
        Logs("b\n", "c2"),
        KeyboardInterrupt(),
    )
    lines: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        deployment.logs(there(machine), name, Wanted(follow=True), lines.append)
    assert lines == ["a\n", "one\ntwo\n", "three\n", "b\n"]
    assert [one[2] for one in machine.asked] == [None, "c1", "c1", "c1", "c2"]


def test_following_outlasts_a_network_that_is_gone(
    there: Callable[[Machine], World], name: str, told: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = NoAnswerError("Gone.")
    machine = Machine(Logs("a\n", "c1"), gone, gone, Logs("b\n", "c2"))

    def offline(*_: Any) -> str:
        raise UnreachableError("AWS cannot be reached.")

    monkeypatch.setattr("wrapper.aws.Aws.console", offline)
    lines: list[str] = []

    def tell(text: str) -> None:
        lines.append(text)
        if text == "b\n":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deployment.logs(there(machine), name, Wanted(follow=True), tell)
    assert lines == ["a\n", "b\n"]
    assert [one.text for one in told if isinstance(one, Warned)] == [
        "AWS cannot be reached. Asking again."
    ]


def test_nothing_in_a_log_acts_on_the_terminal() -> None:
    assert cli_logs.plain("a\tb\x1b[2J\r\nü") == "a\tb�[2J�\nü"
