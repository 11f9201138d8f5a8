"""The phases settings and notebook: what Jupyter needs to know, and that it answers."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import time
from pathlib import Path

import certificate
import clouds

UNIT = "jupyter-clouds-notebook.service"
PATIENCE = 300  # seconds; a small machine reads JupyterLab from a cold disk
# What keeps a service's processes from gaining rights keeps sudo from working.
UNCONFINED = "[Service]\nNoNewPrivileges=no\nRestrictSUIDSGID=no\nCapabilityBoundingSet=~\n"


def settings() -> None:
    """What Terraform gave the machine is where Jupyter, sudo and systemd look for it."""
    given = clouds.settings()
    found = {
        "port": given["port"],
        "password_hash": given["password_hash"],
        "work": f"{clouds.USER.pw_dir}/work",
        "state": str(clouds.STATE),
    }
    text = json.dumps(found)
    clouds.write(clouds.ETC / "notebook.json", text, 0o640, clouds.USER.pw_gid)
    rules = clouds.ROOT / "etc/sudoers.d/jupyter-clouds"
    drop_in = clouds.ROOT / f"etc/systemd/system/{UNIT}.d/sudo.conf"
    if given["sudo"]:
        clouds.write(rules, f"{clouds.USER.pw_name} ALL=(ALL) NOPASSWD:ALL\n", 0o440)
        clouds.write(drop_in, UNCONFINED)
    else:
        rules.unlink(missing_ok=True)
        drop_in.unlink(missing_ok=True)
    subprocess.run(["systemctl", "daemon-reload"], check=True)


def status(port: int) -> int:
    """What the login page answers, from a server that holds the certificate's key."""
    context = ssl.create_default_context(cafile=str(certificate.CERTIFICATE))
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    # This very certificate is the only anchor; the names in it are not the loopback's.
    context.check_hostname = False
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    connection.request("GET", "/login")
    return connection.getresponse().status


def notebook() -> None:
    """The notebook answers over TLS, with the certificate that is on the disk."""
    port = clouds.settings()["port"]
    process = Path("/proc", os.environ.get("MAINPID", "self"))
    ends = time.monotonic() + PATIENCE
    why: object = None
    while process.exists() and time.monotonic() < ends:
        try:
            if (why := status(port)) == http.HTTPStatus.OK:
                return
        except (OSError, http.client.HTTPException) as error:
            why = error
        time.sleep(0.3)
    subprocess.run(["journalctl", "-n", "20", "-o", "cat", "--no-pager", "-u", UNIT], check=False)
    state = "does not answer" if process.exists() else "has ended"
    raise SystemExit(f"the notebook {state}: {why}")
