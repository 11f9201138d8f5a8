"""One cell in a kernel of its own, over the kernel's websocket.

The protocol: https://jupyter-client.readthedocs.io/en/stable/messaging.html
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import websocket

from wrapper.errors import KernelError, NoAnswerError
from wrapper.notebook.pinning import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrapper.notebook.session import PinnedSession

_HINT = "See the machine's own report: python -m wrapper status"


def run(
    session: PinnedSession,
    call: Callable[[str, str, Any], Any],
    base: str,
    code: str,
    *,
    timeout: float,
) -> str:
    """What the code printed. The kernel is started for it and deleted whatever happens."""
    until = time.monotonic() + timeout
    made = call("POST", "/api/kernels", {"path": ""})  # the work folder
    kernel_id = made.get("id") if isinstance(made, dict) else None
    if not isinstance(kernel_id, str):
        raise KernelError(f"{session.origin} started no kernel.", hint=_HINT)
    try:
        query = f"session_id={uuid.uuid4().hex}"
        channels = _open(session, f"{base}/api/kernels/{kernel_id}/channels?{query}")
        with contextlib.closing(channels):
            return _execute(channels, code, until=until)
    finally:
        # What went wrong above says more than a kernel that is already gone.
        with contextlib.suppress(NoAnswerError):
            call("DELETE", f"/api/kernels/{kernel_id}", None)


def _open(session: PinnedSession, path: str) -> websocket.WebSocket:
    sock = connect(
        session.host,
        session.port,
        context=session.context,
        timeout=session.timeout,
        proxy=session.proxy,
    )
    cookies = "; ".join(f"{name}={value}" for name, value in session.cookies.items())
    try:
        # Given the socket, the library looks at no proxy and no CA bundle of the environment.
        return websocket.create_connection(
            session.origin.replace("https://", "wss://", 1) + path,
            socket=sock,
            cookie=cookies,
            origin=session.origin,
            timeout=session.timeout,
            redirect_limit=0,
        )
    except (websocket.WebSocketException, OSError) as error:
        sock.close()
        raise KernelError(
            f"The kernel's websocket at {session.origin} does not open: {_words(error)}.",
            hint="A proxy on the way may not pass websockets. " + _HINT,
        ) from None  # the library's exception quotes the headers, cookies among them


@dataclass
class _Execution:
    """One execute request and what has come back for it."""

    message_id: str
    printed: list[str] = field(default_factory=list)
    failure: str | None = None
    idle: bool = False

    def take(self, message: dict[str, Any]) -> None:
        """What the message says of our request; others' messages say nothing, but a death."""
        if message.get("content", {}).get("execution_state") in ("restarting", "dead"):
            self.failure, self.idle = "its kernel died", True
        if message.get("parent_header", {}).get("msg_id") != self.message_id:
            return
        content = message.get("content", {})
        kind = message.get("header", {}).get("msg_type")
        if kind == "stream" and content.get("name") == "stdout":
            self.printed.append(str(content.get("text", "")))
        elif kind == "error":
            self.failure = f"{content.get('ename')}: {content.get('evalue')}"
        elif kind == "status":
            self.idle = content.get("execution_state") == "idle"


def _execute(channels: websocket.WebSocket, code: str, *, until: float) -> str:
    execution = _Execution(uuid.uuid4().hex)
    try:
        channels.send(json.dumps(_request(execution.message_id, code)))
        while not execution.idle:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError  # noqa: TRY301 (one place where time running out is told)
            channels.settimeout(left)
            execution.take(json.loads(channels.recv() or "{}"))
    except (TimeoutError, websocket.WebSocketTimeoutException) as error:
        raise KernelError("The cell was still running when its time was up.", hint=_HINT) from error
    except (websocket.WebSocketException, OSError) as error:
        raise KernelError(
            f"The connection to the kernel broke: {_words(error)}.", hint=_HINT
        ) from error
    except (ValueError, AttributeError) as error:
        raise KernelError("The kernel answered something that is not known.", hint=_HINT) from error
    if execution.failure is not None:
        raise KernelError(f"The cell failed: {execution.failure}", hint=_HINT)
    return "".join(execution.printed)


def _request(message_id: str, code: str) -> dict[str, Any]:
    return {
        "header": {
            "msg_id": message_id,
            "msg_type": "execute_request",
            "session": uuid.uuid4().hex,
            "username": "jupyter-clouds",
            "version": "5.3",
        },
        "parent_header": {},
        "metadata": {},
        "channel": "shell",
        "content": {
            "code": code,
            "silent": False,
            "store_history": False,
            "allow_stdin": False,
            "stop_on_error": True,
        },
    }


def _words(error: Exception) -> str:
    """The library's words without what follows: its exceptions carry headers, cookies too."""
    if isinstance(error, websocket.WebSocketBadStatusException):
        return f"the server answered {error.status_code}"
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
