"""The AWS provider kept running: Terraform's commands start it four times each.

https://developer.hashicorp.com/terraform/plugin/debugging#terraform-cli-development-overrides
Commands at one must come one after another: each configures it anew. Where its account is, it reads
once, when it starts; it is led to an address of its own, at which any account can answer.
"""

from __future__ import annotations

import atexit
import json
import subprocess
from collections import defaultdict
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

from tests.ec2 import listening
from tests.schemas import Abridged
from wrapper.terraform.commands import _quick

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

VARIABLE = "TF_REATTACH_PROVIDERS"
_ALL: list[_Process] = []
_RESTING = defaultdict[str, list["_Process"]](list)
"""Those that run, and nobody uses: by the endpoint that they are led to for good, if by any."""


class Account(Protocol):
    """Where a provider is led to."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that do it."""

    @property
    def app(self) -> WSGIApplication | None:
        """What answers there; None where another process does."""


class Provider:
    """Of one account; taken up when it is first asked for."""

    def __init__(self, directory: Path, account: Account) -> None:
        self._account = account
        self._resting = _RESTING["" if account.app else account.environment["AWS_ENDPOINT_URL"]]
        found = directory.glob(".terraform/providers/*/hashicorp/aws/*/*/terraform-provider-aws*")
        self._program = next(found)
        self._process: _Process | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What leads Terraform to it."""
        if self._process is None:
            resting = self._resting
            self._process = resting.pop() if resting else _Process(self._program, self._account)
            self._process.account = self._account
        return self._process.environment

    def rest(self) -> None:
        """No command is at it any more, and another account may have it; asked again, one comes."""
        if self._process is None:
            return
        self._process.account = None
        self._resting.append(self._process)
        self._process = None

    def stop(self) -> None:
        """It does not run; asked again, it starts again."""
        if self._process is None:
            return
        self._process.end()
        self._process = None


@atexit.register
def end() -> None:
    """None runs any more."""
    _RESTING.clear()
    while _ALL:
        _ALL.pop().end()


class _Process:
    """One that runs."""

    def __init__(self, program: Path, account: Account) -> None:
        self.account: Account | None = account
        self._open = ExitStack()
        led = {name: value for name, value in account.environment.items() if "AWS_" in name}
        if account.app:
            led["AWS_ENDPOINT_URL"] = self._open.enter_context(listening(self._answer))
        self._process = subprocess.Popen(
            [program, "-debug"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**_quick({}), "HOME": "/", "PATH": "", **led},
        )
        self._open.callback(self._kill)
        _ALL.append(self)
        assert self._process.stdout
        for line in self._process.stdout:
            name, equals, value = line.strip().partition("=")
            if name == VARIABLE and equals:
                self.environment = {VARIABLE: self._abridge(value.strip("'"))}
                return
        raise AssertionError(f"{program} has ended")

    def end(self) -> None:
        """It does not run any more."""
        self._open.close()

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """As the account that it is at now."""
        if self.account is None or self.account.app is None:
            start_response("410 Gone", [])
            return []
        return self.account.app(environ, start_response)

    def _abridge(self, value: str) -> str:
        (name, found), *_ = json.loads(value).items()
        address = found["Addr"]["String"]
        abridged = Abridged(address, f"{address}.abridged")
        self._open.callback(abridged.stop)
        found["Addr"]["String"] = f"{address}.abridged"
        return json.dumps({name: found})

    def _kill(self) -> None:
        self._process.terminate()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
