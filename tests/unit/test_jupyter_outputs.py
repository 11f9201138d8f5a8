"""What the recorder makes of a real kernel's messages, and whose outputs a save keeps."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.manager import start_new_kernel
from jupyter_client.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 30


@pytest.fixture(scope="module")
def outputs(machines_module: Callable[[str], Any]) -> Any:
    """The machine's module."""
    return machines_module("outputs")


@pytest.mark.parametrize(
    ("text", "new", "shown"),
    [
        pytest.param("one\n", "two", "one\ntwo", id="plain"),
        pytest.param("", "10%\r20%", "20%", id="over the line"),
        pytest.param("100%\r", "5", "500%", id="over its beginning"),
        pytest.param("a\n10%", "\r20%\n", "a\n20%\n", id="only its own line"),
        pytest.param("10%", "\r", "10%\r", id="not yet"),
        pytest.param("abc\r", "\n", "abc\n", id="a line's end of Windows"),
        pytest.param("ab", "\bc", "ac", id="one back"),
        pytest.param("a\n", "\b\bc", "a\nc", id="not into the line above"),
    ],
)
def test_text_is_what_a_terminal_shows(outputs: Any, text: str, new: str, shown: str) -> None:
    assert outputs.terminal(text, new) == shown


class Kernel:
    """A real kernel, its raw messages handed to a recorder."""

    def __init__(self, outputs: Any) -> None:
        self.outputs = outputs
        self.manager, self.client = start_new_kernel(startup_timeout=PATIENCE)
        session = Session(key=self.manager.session.key)
        self.sent: list[Any] = []
        shell = SimpleNamespace(send=self.sent.append)
        self.recorder = outputs.Recorder(
            session, SimpleNamespace(session=session, shell_channel=shell)
        )
        self.runs = 0

    def run(self, code: str, *, lost: bool = False, deaf_to: str = "nothing") -> Any:
        """The execution, once the kernel is done with it; one type of message is not heard."""
        self.runs += 1
        execution = self.outputs.Execution(f"cell-{self.runs}", code, "tab", lost=lost)
        message = self.client.session.msg("execute_request", {"code": code, "silent": False})
        self.recorder.request(message["header"]["msg_id"], execution)
        self.client.shell_channel.send(message)
        deadline = time.monotonic() + PATIENCE
        while execution.running is not False:
            assert time.monotonic() < deadline, execution
            if self.client.iopub_channel.socket.poll(100):
                message_parts = self.client.iopub_channel.socket.recv_multipart()
                if f'"{deaf_to}"'.encode() not in message_parts[3]:  # the header
                    self.recorder.received.append(message_parts)
            self.recorder.process()
        return execution


@pytest.fixture(scope="module")
def kernel(outputs: Any) -> Iterator[Kernel]:
    found = Kernel(outputs)
    yield found
    found.client.stop_channels()
    found.manager.shutdown_kernel(now=True)


def stream(text: str, name: str = "stdout") -> dict[str, str]:
    return {"output_type": "stream", "name": name, "text": text}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param("for i in range(3): print(i, flush=True)", [stream("0\n1\n2\n")], id="stream"),
        pytest.param(
            "import sys\nprint('a', flush=True); print('b', file=sys.stderr, flush=True)",
            [stream("a\n"), stream("b\n", "stderr")],
            id="two streams",
        ),
        pytest.param(
            "for i in range(3): print(f'\\r{i}', end='', flush=True)", [stream("2")], id="progress"
        ),
        pytest.param(
            "from IPython.display import clear_output\n"
            "for i in range(3):\n    clear_output(wait=True); print(i)",
            [stream("2\n")],
            id="cleared, then printed",
        ),
        pytest.param("print('a'); clear_output(wait=False)", [], id="cleared"),
        pytest.param("print('a'); clear_output(wait=True)", [stream("a\n")], id="never cleared"),
    ],
)
def test_outputs_are_those_of_a_notebook(kernel: Kernel, code: str, expected: Any) -> None:
    assert kernel.run(f"from IPython.display import clear_output\n{code}").outputs() == expected


def test_an_update_reaches_the_cell_that_displayed(kernel: Kernel) -> None:
    first = kernel.run("from IPython.display import display\nh = display('old', display_id=True)")
    before = first.version
    kernel.run("h.update('new')")
    assert first.outputs()[0]["data"]["text/plain"] == "'new'"
    assert first.version > before


def test_an_update_of_an_output_cleared_away_still_reaches_the_others(kernel: Kernel) -> None:
    code = "from IPython.display import display\ng = display('old', display_id='shared')"
    first, second = kernel.run(code), kernel.run(code)
    first.cell["outputs"] = []
    kernel.run("g.update('new')")
    assert first.outputs() == []
    assert second.outputs()[0]["data"]["text/plain"] == "'new'"


def test_a_cell_whose_first_message_was_missed_is_recorded(kernel: Kernel) -> None:
    assert kernel.run("print('heard')", deaf_to="execute_input").outputs() == [stream("heard\n")]


def test_an_error_and_a_result_are_kept(kernel: Kernel) -> None:
    assert kernel.run("1/0").outputs()[0]["ename"] == "ZeroDivisionError"
    done = kernel.run("6 * 7")
    assert done.outputs()[0]["data"]["text/plain"] == "42"
    assert done.cell["execution_count"] == done.outputs()[0]["execution_count"]


def test_what_an_output_widget_shows_is_told_to_the_kernel_once_its_tab_is_lost(
    kernel: Kernel,
) -> None:
    code = "import ipywidgets as w\nout = w.Output()\nwith out:\n    print('in')\nprint('outside')"
    assert kernel.run(code).outputs() == [stream("outside\n")]
    assert not kernel.sent
    kernel.run(code, lost=True)
    states = [message["content"]["data"]["state"]["outputs"] for message in kernel.sent]
    assert states[-1] == [stream("in\n")]


def test_too_much_output_is_cut_and_said(kernel: Kernel, outputs: Any) -> None:
    code = "for i in range(12): print('x' * 10**6, flush=True)\nprint('the end')"
    last = kernel.run(code).outputs()[-1]
    assert last == stream(outputs.FULL, "stderr")
    size = sum(len(str(output)) for output in kernel.run(code).outputs())
    assert size <= outputs.CELL + 10**6
    # Printed as much, kept little: no reason to cut.
    assert kernel.run("for i in range(12): print('x' * 10**6, end='\\r', flush=True)").full is False


def test_old_outputs_are_forgotten_beyond_the_limit(
    kernel: Kernel, outputs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = kernel.run("print('first')")
    first.changed = None
    monkeypatch.setattr(outputs, "KERNEL", 1)
    kernel.run("print('second')")
    assert first not in kernel.recorder.executions.values()


def test_the_same_cell_run_again_is_recorded_anew(kernel: Kernel, outputs: Any) -> None:
    old, new = (outputs.Execution("same", "1", "tab") for _ in range(2))
    kernel.recorder.request("old", old)
    kernel.recorder.request("new", new)
    found = kernel.recorder.executions.values()
    assert new in found
    assert old not in found


@pytest.mark.parametrize(
    ("ours", "theirs", "state", "wins"),
    [
        pytest.param("a\nb\n", "a\n", {"lost": True, "running": True}, True, id="behind, lost"),
        pytest.param("a\nb\n", "", {"lost": True, "running": True}, True, id="empty, lost"),
        pytest.param("a\nb\n", "a\n", {"lost": True, "shown": True}, True, id="an old tab"),
        pytest.param("a\nb\n", "", {"lost": True, "shown": True}, False, id="seen and cleared"),
        pytest.param("a\nb\n", "", {"lost": True}, True, id="ended, never seen"),
        pytest.param("a\nb\n", "a\n", {"running": True}, False, id="behind by a blink"),
        pytest.param("a\nb\n", "b\n", {"running": True}, False, id="cleared, then more"),
        pytest.param("a\nb\n", "a\nb\n", {"lost": True}, False, id="the same"),
    ],
)
def test_a_save_keeps_what_its_tab_missed(
    outputs: Any, ours: str, theirs: str, state: dict[str, bool], wins: bool
) -> None:
    execution = outputs.Execution("cell", "code", "tab", **({"running": False} | state))
    execution.cell["outputs"] = [stream(ours)]
    assert execution.overrules([stream(theirs)] if theirs else []) is wins


def test_a_clear_while_running_clears_the_recording(outputs: Any) -> None:
    execution = outputs.Execution("cell", "code", "tab", running=True)
    execution.cell["outputs"] = [stream("a\nb\n")]
    assert not execution.overrules([stream("b\n")])
    assert execution.outputs() == [stream("b\n")]


def test_a_clear_after_the_end_forgets_the_recording(outputs: Any) -> None:
    execution = outputs.Execution("cell", "code", "tab", running=False, ended=time.monotonic())
    execution.cell["outputs"] = [stream("a\n")]
    assert not execution.overrules([stream("a\n")])
    assert execution.running is False
    assert not execution.overrules([])
    assert execution.running is None
