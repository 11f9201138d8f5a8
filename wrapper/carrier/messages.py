"""HTTP/1.1 as it is passed on: heads are read strictly, bodies go by in pieces.

RFC 9112 (https://www.rfc-editor.org/rfc/rfc9112), sections 2.2, 5 and 6: what could be read in
two ways is refused, so that both ends agree where a message ends.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LIMIT = 256 * 1024
"""Bytes of a head, and of what is held of a body."""
CHUNKED: Final = -1
TO_THE_END: Final = -2

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_REQUEST = re.compile(r"[A-Z]+ /[\x21-\x7e]* HTTP/1\.1")
_RESPONSE = re.compile(r"HTTP/1\.[01] [1-5][0-9]{2}( [^\r\n]*)?")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(;[^\r\n]*)?\r\n")


class Reader(Protocol):
    """What is read of a stream."""

    async def readuntil(self, separator: bytes) -> bytes:
        """Up to the separator, with it."""
        ...

    async def read(self, count: int, /) -> bytes:
        """So many bytes at most; none at the end."""
        ...


class Writer(Protocol):
    """What is written to one."""

    def write(self, data: bytes, /) -> None:
        """It is on its way."""
        ...

    async def drain(self) -> None:
        """There is room again."""
        ...


class MalformedError(Exception):
    """Not HTTP/1.1, or more of it than is taken."""


class ClosedError(Exception):
    """The other end has hung up."""


@dataclass(frozen=True)
class Head:
    """First line and fields, in their order."""

    first: str
    fields: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value for key, value in self.fields if key.lower() == name]

    def one(self, name: str) -> str | None:
        """The only value. MalformedError when there are several."""
        found = self.all(name)
        if len(found) > 1:
            raise MalformedError(f"{name} is there {len(found)} times")
        return found[0] if found else None

    def tokens(self, name: str) -> set[str]:
        """The words of a list, in small letters."""
        return {word.strip().lower() for value in self.all(name) for word in value.split(",")}

    def without(self, *names: str) -> tuple[tuple[str, str], ...]:
        """The other fields."""
        return tuple((key, value) for key, value in self.fields if key.lower() not in names)

    def encode(self) -> bytes:
        """As it is sent."""
        lines = [self.first, *(f"{key}: {value}" for key, value in self.fields), "", ""]
        return "\r\n".join(lines).encode("latin-1")


async def read_request(reader: Reader) -> Head:
    """The next request. ClosedError when there is none, MalformedError."""
    return await _read(reader, _REQUEST)


async def read_response(reader: Reader) -> Head:
    """The next answer. ClosedError, MalformedError."""
    return await _read(reader, _RESPONSE)


async def _read(reader: Reader, first: re.Pattern[str]) -> Head:
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        raise ClosedError from error
    except asyncio.LimitOverrunError as error:
        raise MalformedError("a head that has no end") from error
    line, *rest = raw[:-4].decode("latin-1").split("\r\n")
    if not first.fullmatch(line):
        raise MalformedError("its first line")
    return Head(line, tuple(map(_field, rest)))


def _field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not _TOKEN.fullmatch(name) or any(one in value for one in "\r\n\0"):
        raise MalformedError("one of its fields")
    return name, value.strip(" \t")


def request_length(head: Head) -> int:
    """Bytes of a request's body, or CHUNKED. MalformedError."""
    coding, length = head.one("transfer-encoding"), head.one("content-length")
    if coding is not None:
        if coding.lower() != "chunked" or length is not None:
            raise MalformedError("two lengths")
        return CHUNKED
    if length is None:
        return 0
    if not re.fullmatch(r"[0-9]{1,18}", length):
        raise MalformedError("its length")
    return int(length)


def response_length(head: Head, method: str) -> int:
    """Bytes of an answer's body, CHUNKED, or TO_THE_END of the connection. MalformedError."""
    if method == "HEAD" or status(head) in (204, 304):
        return 0
    if not head.all("transfer-encoding") and not head.all("content-length"):
        return TO_THE_END
    return request_length(head)


def status(head: Head) -> int:
    """An answer's."""
    return int(head.first.split(" ")[1])


async def carry(
    reader: Reader,
    writer: Writer,
    length: int,
    quick: Callable[[int], Awaitable[bool]] | None = None,
) -> None:
    """The body is passed on as it came, no more than a piece of it held. ClosedError.

    `quick` does it for so many bytes in another way, or says that it does not.
    """
    if length == CHUNKED:
        await _carry_chunks(reader, writer, quick)
        return
    if length > 0 and quick and await quick(length):
        return
    left = length
    while left:
        piece = await reader.read(LIMIT if left < 0 else min(left, LIMIT))
        if not piece:
            if left < 0:
                return
            raise ClosedError
        left -= len(piece) if left > 0 else 0
        writer.write(piece)
        await writer.drain()


async def _carry_chunks(
    reader: Reader, writer: Writer, quick: Callable[[int], Awaitable[bool]] | None
) -> None:
    size = 1
    while size:
        line = await _line(reader)
        found = _SIZE.fullmatch(line)
        if found is None:
            raise MalformedError("a chunk's size")
        size = int(found[1], 16)
        writer.write(line)
        if size:
            await carry(reader, writer, size, quick)
            if (end := await _line(reader)) != b"\r\n":
                raise MalformedError("a chunk's end")
            writer.write(end)
    while (line := await _line(reader)) != b"\r\n":  # trailers
        writer.write(line)
    writer.write(line)
    await writer.drain()


async def _line(reader: Reader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n")
    except asyncio.IncompleteReadError as error:
        raise ClosedError from error
    except asyncio.LimitOverrunError as error:
        raise MalformedError("a line that has no end") from error
