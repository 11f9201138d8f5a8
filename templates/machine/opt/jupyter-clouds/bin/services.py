"""The phase services: programs that user data has no room for, fetched and started."""

from __future__ import annotations

import hashlib
import http.client
import json
import subprocess
import time
import urllib.request

import clouds
from conda import SILENCE

PATIENCE = 75  # seconds; the notebook starts after this, however it ends
PAUSE = 2


def fetch(url: str) -> bytes:
    """What is there, whole. Raises SystemExit after 75 seconds."""
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(url, timeout=SILENCE) as reply:  # noqa: S310 - checksum pinned
                data: bytes = reply.read()
                return data
        except (OSError, http.client.HTTPException) as error:
            # Refusals too: bucket, policy and the machine's address are made while this asks.
            if time.monotonic() > ends:
                raise SystemExit(f"{url}: {error!r}: set services_url to a copy") from error
            time.sleep(PAUSE)


def services() -> None:
    """The programs are those that Terraform has sent, and run."""
    source = clouds.settings()["services"]
    if not clouds.stamped("services", source["sha256"]):
        data = fetch(source["url"])
        if (found := hashlib.sha256(data).hexdigest()) != source["sha256"]:
            raise SystemExit(
                f"wrong checksum: {source['url']} has sha256 {found}, expected"
                f" {source['sha256']}; nothing of it was used: set services_url to a true copy"
            )
        files: dict[str, str] = json.loads(data)
        if outside := [name for name in files if {"", ".."} & set(name.split("/"))]:
            raise SystemExit(f"no paths below the root: {outside}; nothing of it was used")
        for name, text in files.items():
            mode = 0o755 if text.startswith("#!") else 0o644
            clouds.write(clouds.ROOT / name, text, mode)
        clouds.stamp("services", source["sha256"])
        subprocess.run(["systemctl", "daemon-reload"], check=True)
    start = ["systemctl", "start", "--no-block", "jupyter-clouds-services.target"]
    subprocess.run(start, check=True)
