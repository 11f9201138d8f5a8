"""The AWS provider kept running between Terraform's commands, which start it four times each.

https://developer.hashicorp.com/terraform/plugin/debugging#terraform-cli-development-overrides
Commands must come one after another: each configures it anew. The account is its environment's.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from tests.schemas import Abridged

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_VARIABLE = "TF_REATTACH_PROVIDERS"


class Provider:
    """Started when it is first asked for."""

    def __init__(self, directory: Path, account: Mapping[str, str]) -> None:
        self._account = {name: value for name, value in account.items() if name.startswith("AWS_")}
        found = directory.glob(".terraform/providers/*/hashicorp/aws/*/*/terraform-provider-aws*")
        self._program = next(found)
        self._process: subprocess.Popen[str] | None = None
        self._abridged: Abridged | None = None
        self._environment: dict[str, str] = {}

    @property
    def environment(self) -> dict[str, str]:
        """What leads Terraform to it."""
        if self._process is None:
            self._start()
        return self._environment

    def _start(self) -> None:
        self._process = process = subprocess.Popen(
            [self._program, "-debug"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            # It collects garbage a fifth of its time at start-up; memory is not what is short.
            env={"GOGC": "400", "HOME": "/", "PATH": "", **self._account},
        )
        assert process.stdout
        for line in process.stdout:
            name, equals, value = line.strip().partition("=")
            if name == _VARIABLE and equals:
                self._environment = {_VARIABLE: self._abridge(value.strip("'"))}
                return
        raise AssertionError(f"{self._program} has ended")

    def _abridge(self, value: str) -> str:
        (name, found), *_ = json.loads(value).items()
        address = found["Addr"]["String"]
        self._abridged = Abridged(address, f"{address}.abridged")
        found["Addr"]["String"] = f"{address}.abridged"
        return json.dumps({name: found})

    def stop(self) -> None:
        """It does not run; asked again, it starts again."""
        if self._process is None:
            return
        if self._abridged:
            self._abridged.stop()
        self._process.terminate()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._process, self._abridged, self._environment = None, None, {}
