"""Pebble: an ACME authority for tests, from a newer Debian than this computer's may be.

https://github.com/letsencrypt/pebble. 2.4, of Debian 12, knows no profiles and puts an address in
the subject, at which certbot gives up.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests
import trustme

from tests.unit.conftest import free_port
from wrapper.local import image
from wrapper.local.host import CACHE, locked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUITE = "forky"
PATIENCE = 20


@dataclass(frozen=True)
class Authority:
    """One that runs, and validates at a port of its own choice."""

    directory: str
    ca: str
    """PEM that its own address is verified by."""
    log: Path
    management: str
    own: Path
    """A file with `ca`."""

    def root(self) -> str:
        """PEM of what it signs with, another one each time that it starts."""
        found = requests.get(f"{self.management}/roots/0", verify=str(self.own), timeout=10)
        return found.text

    def issued(self) -> int:
        """How many certificates."""
        return self.log.read_text().count("Issued certificate")


def program() -> Path:
    """Where it is; fetched the first time, by Debian's archive and its signatures."""
    target = CACHE / "pebble"
    with locked(CACHE / ".pebble.lock", wait=300):
        if not target.exists():
            _fetch(target)
    return target / "usr/bin/pebble"


def _fetch(target: Path) -> None:
    building = target.with_name(".pebble.building")
    shutil.rmtree(building, ignore_errors=True)
    suites = {f" {one} " for one in image.SUITES.values()}
    lines = [line for line in image.sources("debian-12") if any(one in line for one in suites)]
    sources = [line.replace(f" {image.SUITES['debian-12']} ", f" {SUITE} ") for line in lines]
    # A mirror that lags is as good here; signatures are checked.
    stale = '--aptopt=Acquire::Check-Valid-Until "false"'
    command = ["mmdebstrap", "--variant=extract", "--include=pebble", stale]
    subprocess.run(
        [*command, *image.apt_options(), SUITE, str(building), *sources],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    building.rename(target)


@contextmanager
def running(
    folder: Path, host: str, port: int, seconds: int = 576_000, name_server: int | None = None
) -> Iterator[Authority]:
    """It answers at the host, a name or address of this computer, and validates at the port.

    Its certificates are valid for so many seconds. Names it asks this computer's resolver for, or
    the server at that port.
    """
    own = trustme.CA()
    issued = own.issue_cert(host, "127.0.0.1")
    issued.private_key_pem.write_to_path(folder / "pebble.key")
    issued.cert_chain_pems[0].write_to_path(folder / "pebble.pem")
    listens, manages = free_port(), free_port()
    settings = {
        "listenAddress": f"0.0.0.0:{listens}",
        "managementListenAddress": f"127.0.0.1:{manages}",
        "certificate": str(folder / "pebble.pem"),
        "privateKey": str(folder / "pebble.key"),
        "httpPort": port,
        "tlsPort": free_port(),
        "keyAlgorithm": "ecdsa",
        "retryAfter": {"authz": 1, "order": 1},
        # As Let's Encrypt has them: https://letsencrypt.org/docs/profiles/
        "profiles": {
            "classic": {"description": "", "validityPeriod": 7776000},
            "shortlived": {"description": "", "validityPeriod": seconds},
        },
    }
    (folder / "pebble.json").write_text(json.dumps({"pebble": settings}))
    log = folder / "pebble.log"
    # Else it would sleep for seconds, and refuse requests at random.
    environment = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
    command = [str(program()), "-config", str(folder / "pebble.json")]
    command += ["-dnsserver", f"127.0.0.1:{name_server}"] if name_server else []
    with log.open("w") as out:
        child = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
    try:
        _wait(child, listens, log)
        ca = own.cert_pem.bytes().decode()
        management = f"https://127.0.0.1:{manages}"
        own.cert_pem.write_to_path(folder / "ca.pem")
        yield Authority(f"https://{host}:{listens}/dir", ca, log, management, folder / "ca.pem")
    finally:
        child.terminate()
        child.wait(10)


def _wait(child: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert child.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)
