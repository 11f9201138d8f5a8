"""A provider in front of which its schemas are cut down to what this repository's Terraform uses.

Terraform reads all of them at every command: two seconds of a processor for some 2,000 types, of
which we have forty. At every walk it has the provider's own configuration looked at, and the
provider looks at all of its schemas too, with the same answer. Every other call goes through as it
is, to the real provider.
https://developer.hashicorp.com/terraform/plugin/terraform-plugin-protocol
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    from collections.abc import Iterator

    _Handler = grpc.RpcMethodHandler[bytes, bytes]  # as they are: nobody here knows their types

_REPOSITORY = Path(__file__).parents[1]
_SERVICE, _SCHEMAS, _PREPARE = "/tfplugin5.Provider/", "GetSchema", "PrepareProviderConfig"
_BY_TYPE = {2, 3, 8}
"""Fields of GetProviderSchema.Response: resources, data sources, ephemeral resources, by type."""
_BYTES = 2
"""The wire type of strings and messages."""
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_AT_ONCE = 16
"""Calls that one command makes at a time: as many as Terraform walks resources, and some more."""


class Abridged(grpc.GenericRpcHandler):
    """Listens on a Unix socket, until it is stopped, for the provider that listens on another."""

    def __init__(self, provider: str, socket: str) -> None:
        self._prepared: dict[bytes, bytes] = {}
        self._channel = grpc.insecure_channel(f"unix:{provider}", options=_UNLIMITED)
        self._server = grpc.server(ThreadPoolExecutor(_AT_ONCE), [self], options=_UNLIMITED)
        self._server.add_insecure_port(f"unix:{socket}")
        self._server.start()

    def service(self, details: grpc.HandlerCallDetails) -> _Handler | None:
        """The provider's own answer; what go-plugin asks for besides is optional, and not here."""
        if not details.method.startswith(_SERVICE):
            return None
        ask: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(details.method)

        def schemas(request: bytes) -> bytes:
            if not _KNOWN:  # they are the program's, whichever process is asked
                _KNOWN.append(b"".join(_cut(ask(request))))
            return _KNOWN[0]

        def prepared(request: bytes) -> bytes:
            if request not in self._prepared:
                self._prepared[request] = ask(request)
            return self._prepared[request]

        own = {_SCHEMAS: schemas, _PREPARE: prepared}
        answer = own.get(details.method.removeprefix(_SERVICE), ask)
        return grpc.unary_unary_rpc_method_handler(lambda request, _: answer(request))

    def stop(self) -> None:
        """Nobody listens any more."""
        self._server.stop(None).wait()
        self._channel.close()


_KNOWN: list[bytes] = []


@cache
def _used() -> frozenset[bytes]:
    """Types that some Terraform in this repository has, that of the tests too."""
    files = [*_REPOSITORY.glob("*.tf"), *_REPOSITORY.glob("examples/*/*.tf")]
    files += (_REPOSITORY / "tests").rglob("*.py")
    return frozenset(one for file in files for one in re.findall(rb"\baws_\w+", file.read_bytes()))


def _cut(message: bytes) -> Iterator[bytes]:
    """Its fields without those of unused types: https://protobuf.dev/programming-guides/encoding/."""
    at = 0
    while at < len(message):
        begun = at
        tag, at = _number(message, at)
        assert tag & 7 == _BYTES, "all fields of the answer are messages"
        length, at = _number(message, at)
        if tag >> 3 not in _BY_TYPE or _key(message[at : at + length]) in _used():
            yield message[begun : at + length]
        at += length


def _key(entry: bytes) -> bytes:
    """Of an entry of a map: its first field."""
    _, at = _number(entry, 0)
    length, at = _number(entry, at)
    return entry[at : at + length]


def _number(message: bytes, at: int) -> tuple[int, int]:
    """A varint, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
