"""`--tls letsencrypt` on a real machine: an authority that looks at its port 80 from outside."""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

from tests import pebble
from tests.machine.conftest import UP_SECONDS, _stop_if_idle, document, wrapper
from wrapper.local.network import HOST_ADDRESS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PATIENCE = 180


def status(name: str, environment: dict[str, str]) -> dict[str, Any]:
    """Of the boot's phases."""
    told = document(wrapper("status", name, "--json", environment=environment))
    found: dict[str, Any] = told["phases"]
    return found


def test_browsers_trust_it_and_the_pin_holds(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "data")}
    name = f"acme-{secrets.token_hex(3)}"
    with ExitStack() as stack:
        if not document(wrapper("local", "status", "--json", environment=environment))["running"]:
            stack.callback(_stop_if_idle, environment)
        authority = stack.enter_context(pebble.running(tmp_path, HOST_ADDRESS, 80))
        down = ("down", name, "--local", "--yes")
        stack.callback(wrapper, *down, environment=environment)
        made = document(
            wrapper(
                *("up", name, "--local", "--yes", "--json", "--generate-password"),
                *("--data-size", "0", "--tls", "letsencrypt"),
                *("--acme-directory", authority.directory, "--acme-ca", str(authority.own)),
                environment=environment,
                seconds=UP_SECONDS,
            )
        )
        end = time.monotonic() + PATIENCE
        while (phase := status(name, environment).get("letsencrypt", {})).get("state") != "done":
            assert phase.get("state") != "failed", f"{phase}\n{authority.log.read_text()}"
            assert time.monotonic() < end, phase
            time.sleep(1)
        (tmp_path / "root.pem").write_text(authority.root())
        # As a browser: the authority's root, and nothing pinned.
        seen = requests.get(f"{made['url']}login", verify=str(tmp_path / "root.pem"), timeout=20)
        assert seen.status_code == 200
        checked = wrapper("check", name, "--json", environment=environment)
        assert checked.returncode == 0, checked.stderr
        told = json.loads(checked.stdout)
        assert told["key_sha256"] == made["key_sha256"]
        assert told["certificate_sha256"] != made["certificate_sha256"]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((urlsplit(made["url"]).hostname or "", 80), 5)
