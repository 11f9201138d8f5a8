"""The addresses under /clouds/: status, outputs of running cells, password, certificate."""

import asyncio
import json
import os
import re
import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from jupyter_server import __version__
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

from . import SETTINGS, STATE

# The formats that jupyter_server.auth.passwd_check reads; of any other it refuses every password.
HASH = re.compile(r"argon2:\$argon2id?\$\S+|(sha|blake2)\w+:[^:]+:[0-9a-f]{40,}")


def replace(path: Path, text: str) -> None:
    """Put `text` at `path`, readable by its owner only, at once or not at all."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)


def check_certificate(certificate: Path, key: Path) -> None:
    """Raise ValueError unless the two files fit each other and the certificate is still good."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, OSError) as error:
        raise ValueError(f"the certificate and the private key do not fit: {error}") from error
    command = ["openssl", "x509", "-noout", "-checkend", "0", "-in", str(certificate)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise ValueError("the certificate has run out")


class Handler(APIHandler):
    """Asked for by programs of ours, so no sign that somebody is at work."""

    _track_activity = False

    def field(self, name: str) -> str:
        """Return the text `name` of the request's JSON body; anything else is a 400."""
        value = (self.get_json_body() or {}).get(name)
        if not isinstance(value, str) or not value:
            raise web.HTTPError(400, f'"{name}" has to be a text in a JSON object')
        return value


class Status(Handler):
    """GET: the boot phases, the bytes of the user's disk, and the server's version."""

    @web.authenticated
    def get(self) -> None:
        try:
            path = Path(
                os.environ.get("JUPYTER_CLOUDS_STATUS_JSON", "/run/jupyter-clouds/status.json")
            )
            status: dict[str, Any] = json.loads(path.read_text())
        except (OSError, ValueError):
            status = {"phases": {}}
        status["disk_total"], _, status["disk_free"] = shutil.disk_usage(SETTINGS["work"])
        self.finish(status | {"version": {"jupyter_server": __version__}})


class Password(Handler):
    """PUT {"hash"}: the password is another from now on; whoever was logged in is not any more."""

    @web.authenticated
    def put(self) -> None:
        value = self.field("hash").strip()
        if not HASH.fullmatch(value):
            raise web.HTTPError(400, "not a hash: argon2:... or ALGORITHM:SALT:HEX")
        replace(STATE / "password_hash", f"{value}\n{SETTINGS['password_hash']}\n")
        self.identity_provider.hashed_password = value
        # Cookies are signed with a secret that hashes the password too: made anew as at a start.
        secret = self.serverapp._default_cookie_secret()  # noqa: SLF001  (there is no other way)
        self.settings["cookie_secret"] = secret
        self.set_status(204)


class Certificate(Handler):
    """PUT {"certificate", "private_key"}, both PEM: served from the next handshake on."""

    @web.authenticated
    async def put(self) -> None:
        texts = {"certificate.pem": self.field("certificate"), "key.pem": self.field("private_key")}
        with tempfile.TemporaryDirectory(dir=STATE) as directory:
            paths = [Path(directory, name) for name in texts]
            for path, text in zip(paths, texts.values(), strict=True):
                replace(path, text)
            try:
                await asyncio.to_thread(check_certificate, *paths)
            except ValueError as error:
                raise web.HTTPError(400, str(error)) from error
            for path in paths:
                path.replace(STATE / "tls" / path.name)
        self.set_status(204)


class Outputs(Handler):
    """GET ?path=&client=: what the cells made that this tab (its kernel client) may have missed."""

    @web.authenticated
    async def get(self) -> None:
        path, client = self.get_argument("path"), self.get_argument("client", "")
        self.finish({"cells": await self.contents_manager.missed(path, client)})


def routes(base_url: str) -> list[tuple[str, type[Handler]]]:
    """Return the handlers with their addresses."""
    names = {
        "status": Status,
        "outputs": Outputs,
        "password": Password,
        "certificate": Certificate,
    }
    return [(url_path_join(base_url, "clouds", name), names[name]) for name in names]
