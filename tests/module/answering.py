"""A notebook that answers wherever a machine runs: these lives are about machines and data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from wrapper.errors import NoAnswerError
from wrapper.notebook import Pin
from wrapper.notebook.model import CloudsStatus

if TYPE_CHECKING:
    from tests.module.workroom import WorkRoom

KEY, CERTIFICATE = "ab" * 32, "cd" * 32
_PRODUCT = re.compile(r"print\((\d+) \* (\d+)\)")


@dataclass
class Answering:
    """The notebook of the machine that has the address."""

    room: WorkRoom
    host: str

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def login(self) -> None:
        """The password is right. NoAnswerError: nobody is there."""
        if not self.room.at(self.host):
            raise NoAnswerError(f"{self.host} does not answer.")

    def autostop(self, _: object = None) -> None:
        """As of a machine that knows nothing of it."""
        self.login()

    def clouds_status(self) -> CloudsStatus:
        """Likewise."""
        self.login()
        return CloudsStatus({})

    def run_cell(self, code: str) -> str:
        """What it prints: a product, or that everything is written out."""
        self.login()
        if asked := _PRODUCT.fullmatch(code):
            return str(int(asked[1]) * int(asked[2]))
        assert "os.sync()" in code
        self.room.disks.sync()
        return "flushed"


def pin(room: WorkRoom, host: str, _: int, *, key_sha256: str, **__: Any) -> Pin:
    """The certificate that answers there. NoAnswerError: nobody does."""
    Answering(room, host).login()
    assert key_sha256 == KEY
    return Pin("", CERTIFICATE, KEY)


def speak(room: WorkRoom, url: str, *_: Any, **__: Any) -> Answering:
    """The notebook there."""
    return Answering(room, url.removeprefix("https://").partition(":")[0])
