"""Kernels and their connections: who asked for what, and what was said with nobody listening."""

import asyncio
import json
import time
from collections import deque
from types import SimpleNamespace
from typing import Any

from jupyter_client.session import Session
from jupyter_server.services.kernels.connection.base import deserialize_msg_from_ws_v1
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

from .executions import Execution
from .outputs import Recorder
from .ports import Ports

# Bytes of messages kept for a tab that may come back: upstream keeps all of them, for ever. What
# falls out is put right from the recording.
BUFFER = 16_000_000
# Seconds in which a new kernel's recorder hears it, and between its questions.
HEARING, ASKING = 10, 0.5


class Buffer(deque[tuple[str, list[bytes]]]):
    """The newest messages."""

    size = 0

    def __init__(self, recorder: Recorder | None) -> None:
        super().__init__()
        self.recorder = recorder

    def append(self, item: tuple[str, list[bytes]]) -> None:
        """Add a message; over the limit the oldest go."""
        super().append(item)
        if item[0] == "stdin" and self.recorder:
            self.recorder.asked(item[1])
        self.size += sum(map(len, item[1]))
        while self.size > BUFFER:
            self.size -= sum(map(len, self.popleft()[1]))


class KernelManager(AsyncMappingKernelManager):
    """Jupyter's, with a recorder beside each kernel."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.recorders: dict[str, Recorder] = {}
        self.streams: dict[str, Any] = {}
        Ports.instance()  # in the place of upstream's

    def start_watching_activity(self, kernel_id: str) -> None:
        """Record from the kernel's start, so that no cell's first words are missed."""
        super().start_watching_activity(kernel_id)
        kernel = self.get_kernel(kernel_id)
        session = Session(config=kernel.session.config, key=kernel.session.key)
        if kernel_id not in self.recorders:

            def send(msg: dict[str, Any]) -> None:
                shell = kernel.connect_shell()
                # The stream would queue it, and lose it when closed; the socket sends it first.
                session.send(shell.socket, msg)
                shell.close(linger=1000)

            client = SimpleNamespace(session=session, shell_channel=SimpleNamespace(send=send))
            self.recorders[kernel_id] = Recorder(session, client)
        self.streams[kernel_id] = stream = kernel.connect_iopub()
        # Read once a second: texts that follow one another cost as much as one.
        stream.on_recv(self.recorders[kernel_id].received.append)

    async def heard(self, kernel_id: str) -> None:
        """Return once the recorder hears the kernel: before, its words would be lost to it.

        A subscription is there a while after it was asked for, and each of a kernel's listeners has
        one of its own: https://zguide.zeromq.org/docs/chapter1/#Getting-the-Message-Out
        """
        recorder, kernel = self.recorders.get(kernel_id), self.get_kernel(kernel_id)
        # As upstream: what is asked of a busy kernel waits in line, and is not needed.
        if recorder is None or kernel.execution_state == "busy":
            return
        control = kernel.connect_control()
        questions: set[str] = set()
        begun = time.monotonic()
        asked = begun - ASKING
        try:
            # Until one of them is answered: the recorder then takes it out.
            while questions <= recorder.questions and time.monotonic() - begun < HEARING:
                if time.monotonic() - asked >= ASKING:
                    asked = time.monotonic()
                    message = recorder.session.send(control, "kernel_info_request")
                    questions.add(message["header"]["msg_id"])
                    recorder.questions |= questions
                await asyncio.sleep(0.01)
                recorder.process()
        finally:
            recorder.questions -= questions
            control.close()

    def stop_watching_activity(self, kernel_id: str) -> None:
        """Stop recording; what is recorded stays, for tabs that come back."""
        super().stop_watching_activity(kernel_id)
        if stream := self.streams.pop(kernel_id, None):
            stream.close()
        if recorder := self.recorders.get(kernel_id):
            recorder.process()
            recorder.end()

    async def _async_shutdown_kernel(self, kernel_id: str, **kwargs: Any) -> None:
        # Also at the end of the server, which shuts all kernels down.
        await self.parent.contents_manager.keep(at_once=True)
        await super()._async_shutdown_kernel(kernel_id, **kwargs)

    shutdown_kernel = _async_shutdown_kernel

    def start_buffering(self, kernel_id: str, session_key: str, channels: dict[str, Any]) -> None:
        """Buffer within limits."""
        super().start_buffering(kernel_id, session_key, channels)
        self._kernel_buffers[kernel_id]["buffer"] = Buffer(self.recorders.get(kernel_id))


class Connection(ZMQChannelsWebsocketConnection):
    """A tab's connection to its kernel."""

    @property
    def recorder(self) -> Recorder | None:
        """The recorder of this kernel."""
        return self.multi_kernel_manager.recorders.get(self.kernel_id)

    def connect(self) -> Any:
        """Let a new tab find in the kernel what the Output widgets show."""
        if self.recorder and any(e.lost for e in self.recorder.executions.values()):
            self.recorder.process()
            self.recorder.sync()
        return super().connect()

    def nudge(self) -> asyncio.Future[None]:
        """The kernel answers this tab, and the recorder hears what it says."""

        async def both(nudged: asyncio.Future[None]) -> None:
            await nudged
            if self.kernel_id in self.multi_kernel_manager:
                await self.multi_kernel_manager.heard(self.kernel_id)

        return asyncio.ensure_future(both(super().nudge()))

    def handle_incoming_message(self, incoming_msg: Any) -> None:
        """Note each request to run a cell before the kernel gets it."""
        try:
            self.note(incoming_msg)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            self.log.warning("Request not recorded: %r", error)
        super().handle_incoming_message(incoming_msg)

    def note(self, message: Any) -> None:
        """Record what the message asks to run."""
        if not self.recorder or not self.channels:
            return
        if self.subprotocol == "v1.kernel.websocket.jupyter.org":
            channel, parts = deserialize_msg_from_ws_v1(message)
            if channel == "stdin":
                self.recorder.answered()
            if channel != "shell" or b"execute_request" not in parts[0]:
                return
            header, _, metadata, content = (json.loads(part) for part in parts[:4])
        elif isinstance(message, str) and ("execute_request" in message or '"stdin"' in message):
            msg = json.loads(message)
            if msg.get("channel") == "stdin":
                self.recorder.answered()
                return
            header, metadata, content = msg["header"], msg.get("metadata", {}), msg["content"]
        else:
            return
        if header["msg_type"] == "execute_request" and not content.get("silent"):
            execution = Execution(metadata.get("cellId"), content["code"], self.session.session)
            self.recorder.request(header["msg_id"], execution)

    def handle_outgoing_message(self, stream: Any, outgoing_msg: list[Any]) -> None:
        """Note that a cell waits for input."""
        channel = stream if isinstance(stream, str) else getattr(stream, "channel", None)
        if channel == "stdin" and self.recorder:
            self.recorder.asked(outgoing_msg)
        super().handle_outgoing_message(stream, outgoing_msg)

    def disconnect(self) -> None:
        """Trust nothing this tab has: some messages may have gone into a dead connection."""
        if self.recorder:
            for e in self.recorder.executions.values():
                e.lost = e.lost or e.client == self.session.session
        super().disconnect()
