"""Questions as a person at a terminal sees them: each test types at a terminal of its own."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BEGIN = "from wrapper.cli.person import Person; p = Person(yes=False); "


def typed(code: str, *answers: tuple[str, str]) -> tuple[str, int]:
    """What the terminal showed and the exit code; each answer was typed after its question."""
    pid, terminal = pty.fork()
    if pid == 0:  # the terminal is its controlling one: a hidden answer is read from /dev/tty
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "-c", BEGIN + code])  # noqa: S606 (no shell)
    seen, waiting = "", list(answers)
    begin = 0
    while True:
        ready, _, _ = select.select([terminal], [], [], 60)
        assert ready, f"nothing more was shown after: {seen}"
        try:
            part = os.read(terminal, 4096)
        except OSError:  # Linux's way to say that the other end is closed
            break
        if not part:
            break
        seen += part.decode().replace("\r\n", "\n")
        if waiting and waiting[0][0] in seen[begin:]:
            begin = len(seen)
            os.write(terminal, f"{waiting.pop(0)[1]}\n".encode())
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert not waiting, f"never asked: {waiting[0][0]}\n{seen}"
    return seen, os.waitstatus_to_exitcode(status)


@pytest.mark.parametrize(
    ("answer", "agreed"),
    [("y", "True"), ("n", "False"), ("", "False")],
    ids=["yes", "no", "nothing typed is no"],
)
def test_a_question_is_answered_at_the_terminal(answer: str, agreed: str) -> None:
    seen, code = typed("print('agreed', p.confirm('Go on?'))", ("Go on?", answer))
    assert code == 0
    assert f"agreed {agreed}" in seen


def test_another_answer_than_those_offered_is_asked_again() -> None:
    ask = "print('chose', p.choose('What becomes of it?', ('snapshot', 'keep'), 'snapshot'))"
    question = "What becomes of it?"
    seen, _ = typed(ask, (question, "burn"), (question, "keep"))
    assert "chose keep" in seen


def test_a_password_is_typed_twice_and_never_shown() -> None:
    code = "import hashlib; print(hashlib.sha256(p.choose_password(None, generate=False).encode())"
    first, again = ("Password for the notebook", "tangerine walrus 7 orbit"), "Once more"
    seen, _ = typed(
        f"{code}.hexdigest())",
        first,
        (again, "tangerine walrus 8 orbit"),
        first,
        (again, "tangerine walrus 7 orbit"),
    )
    assert "These were not the same." in seen
    assert "walrus" not in seen
    expected = subprocess.run(
        ["sha256sum"], input=first[1], capture_output=True, text=True, check=True
    )
    assert expected.stdout.split()[0] in seen


def test_no_password_typed_is_one_made() -> None:
    seen, _ = typed(
        "print('made', len(p.choose_password(None, generate=False)) > 15)",
        ("Password for the notebook", ""),
    )
    assert "made True" in seen


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("p.confirm('Go on?')", "Add --yes"),
        ("p.choose('Data?', ('snapshot', 'keep'), 'snapshot')", "--yes --data snapshot|keep"),
    ],
    ids=["a question", "a choice"],
)
def test_without_a_terminal_the_flag_is_named(code: str, hint: str) -> None:
    program = (
        f"{BEGIN}\nfrom wrapper.errors import UnansweredError\n"
        f"try: {code}\nexcept UnansweredError as error: print(error.hint)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
    )
    assert hint in done.stdout
