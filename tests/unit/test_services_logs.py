"""The machine's program that reads its journal for `logs`."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.machine_tree import lay_out

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., tuple[dict[str, Any], list[str]]]:
    """The program as systemd starts it; what it answered, and how journalctl was called."""
    program = lay_out(tmp_path) / "services/logs.py"
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "journalctl").write_text(
        f'#!/bin/sh\nfor one in "$@"; do echo "$one" >> {tmp_path}/called; done\n'
        f"cat {tmp_path}/says 2>/dev/null || exit 3\n"
    )
    (tools / "journalctl").chmod(0o755)

    def asked(words: object, says: str | None = "line\n-- cursor: s=1;i=2\n") -> Any:
        if says is not None:
            (tmp_path / "says").write_text(says)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(json.dumps(words).encode() + b"\n")
            subprocess.run(
                [sys.executable, "-S", program],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                env={"PATH": f"{tools}:/usr/bin:/bin"},
                check=True,
                timeout=30,
            )
            theirs.close()
            answer = json.loads(ours.makefile().read())
        called = tmp_path / "called"
        return answer, called.read_text().splitlines() if called.exists() else []

    return asked


def test_the_journal_of_our_units_is_shown_and_where_to_go_on(
    ask: Callable[..., tuple[dict[str, Any], list[str]]],
) -> None:
    answer, called = ask({})
    assert answer == {"text": "line\n", "cursor": "s=1;i=2"}
    units = {one for one in called if one.startswith("-u")}
    assert {"-ujupyter-clouds-notebook", "-ujupyter-clouds-run@*"} <= units
    assert all(one.startswith("-ujupyter-clouds-") for one in units)
    # What shows logs is in none: each look would make the next one's lines.
    assert not any(one.startswith(("-ujupyter-clouds-logs", "-ujupyter-clouds-*")) for one in units)


def test_of_a_phase_its_units_are_shown_behind_a_cursor(
    ask: Callable[..., tuple[dict[str, Any], list[str]]],
) -> None:
    _, called = ask({"phase": "idle", "lines": 7, "after": "s=1;i=2"})
    assert called[-3:] == ["-n7", "--after-cursor=s=1;i=2", "-ujupyter-clouds-autostop"]


def test_nothing_new_is_told_from_where_it_was(
    ask: Callable[..., tuple[dict[str, Any], list[str]]],
) -> None:
    assert ask({"after": "s=1;i=2"}, "")[0] == {"text": "", "cursor": "s=1;i=2"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"phase": "sshd"}, "no such phase: 'sshd'"),
        ({"phase": ["boot"]}, "no such phase"),
        ({"lines": 0}, "lines: a whole number"),
        ({"lines": "9; rm"}, "lines: a whole number"),
        ({"after": "s=1 --file=/etc/shadow"}, "no cursor"),
        ({"after": 7}, "no cursor"),
        ([1], "no JSON object"),
    ],
    ids=str,
)
def test_nonsense_never_comes_to_the_journal(
    words: object, said: str, ask: Callable[..., tuple[dict[str, Any], list[str]]]
) -> None:
    answer, called = ask(words)
    assert said in answer["error"]
    assert not called


def test_a_journal_that_cannot_be_read_is_told(
    ask: Callable[..., tuple[dict[str, Any], list[str]]],
) -> None:
    assert "journalctl ended with 3" in ask({}, None)[0]["error"]


def test_the_program_asks_itself_where_it_is_given_a_question(tmp_path: Path) -> None:
    program = lay_out(tmp_path) / "services/logs.py"
    heard: list[bytes] = []

    def answer(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            heard.append(connection.recv(4096))
            connection.sendall(b"{}")

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "logs.sock"))
        listening.listen()
        threading.Thread(target=answer, args=(listening,), daemon=True).start()
        said = subprocess.check_output(
            [sys.executable, "-S", program, '{"phase": "idle"}'],
            env={"JUPYTER_CLOUDS_LOGS": str(tmp_path / "logs.sock")},
            timeout=30,
        )
    assert (said, heard) == (b"{}", [b'{"phase": "idle"}\n'])
