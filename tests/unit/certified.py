"""A machine that asks an authority for its certificate, with the real certbot."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.machine_tree import lay_out
from tests.unit.conftest import free_port
from tests.unit.machine_root import MachineRoot
from wrapper.local import credentials

if TYPE_CHECKING:
    from tests.pebble import Authority
    from wrapper.local.machines import Role

PACKAGE = "certbot>=5.3,<6"
SDK = "boto3>=1.40,<2"


class Machine(MachineRoot):
    """One that asks an authority."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.programs = lay_out(root)
        self.port = free_port()
        self.settings(address="127.0.0.1")
        certbot = root / "opt/conda/envs/certbot/bin/certbot"
        certbot.parent.mkdir(parents=True)
        certbot.symlink_to(Path(sys.executable).with_name("certbot"))
        python = certbot.with_name("python")
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')  # a link would be no venv's
        python.chmod(0o755)
        self.installed(PACKAGE)

    def installed(self, packages: str) -> None:
        """certbot's environment has them."""
        stamp = self.root / "var/lib/jupyter-clouds/certbot.stamp"
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(packages)

    def told(self, authority: Authority, **more: object) -> None:
        told = {"ca": authority.ca, "directory": authority.directory, "dns": None, **more}
        (self.root / "etc/jupyter-clouds/acme.json").write_text(json.dumps(told))

    def ask(self, **more: str) -> int:
        """As the unit does, with such an environment; its exit code."""
        return self._service("letsencrypt.py", **more).returncode

    def write(self, dns: dict[str, str], domain: str, **more: str) -> str:
        """Its hook was asked for the record of the domain; what it says went wrong, or nothing."""
        where = (dns["zone"], dns["region"], dns["endpoint"])
        asked = {"CERTBOT_DOMAIN": domain, "CERTBOT_VALIDATION": "of this test"}
        return self._service("letsencrypt_dns.py", "UPSERT", *where, **asked, **more).stderr

    def _service(self, name: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        own = {"CLOUDS_ACME_PORT": str(self.port), "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url}
        return subprocess.run(
            [sys.executable, "-B", self.programs / "services" / name, *words],
            env=self.environment() | own | more,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )

    def due(self, *clock: float) -> list[bool]:
        """Whether another one is wanted, when the clock says these times one after another."""
        code = [
            f"sys.path.insert(0, {str(self.programs / 'services')!r})",
            "import json, time, certificate, letsencrypt",
            f"clock = iter({clock}); time.time = lambda: next(clock)",
            f"found = [letsencrypt.due(certificate.names()) for _ in range({len(clock)})]",
            "print(json.dumps(found))",
        ]
        found: list[bool] = json.loads(self.python(code))
        return found

    def has(self, role: Role | None) -> None:
        """Its metadata gives that role's credentials."""
        place = "iam/security-credentials/"
        self.metadata = {one: v for one, v in self.metadata.items() if not one.startswith(place)}
        if role:
            given = credentials.issue(role)
            told = {
                "AccessKeyId": given.key,
                "SecretAccessKey": given.secret,
                "Token": given.token,
                "Expiration": datetime.fromtimestamp(given.ends, UTC).isoformat(),
            }
            self.metadata |= {place: role.name, place + role.name: json.dumps(told)}

    @property
    def folder(self) -> Path:
        return self.root / "var/lib/jupyter-clouds/notebook/tls"

    def chain(self) -> list[x509.Certificate]:
        return x509.load_pem_x509_certificates((self.folder / "certificate.pem").read_bytes())

    def is_ours(self) -> bool:
        return self.chain()[0].issuer.rfc4514_string() == "O=jupyter-clouds"

    def fits(self) -> bool:
        """The certificate is of the key, which is the one of the first day."""
        loaded = serialization.load_pem_private_key((self.folder / "key.pem").read_bytes(), None)
        return loaded.public_key() == self.chain()[0].public_key()

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.status()["letsencrypt"]
        return found


def with_its_own(root: Path) -> Machine:
    """One whose notebook just answers, with the machine's own certificate."""
    made, first = Machine(root), Path(_first().name)
    for part in ("run/jupyter-clouds", "var/lib/jupyter-clouds", "var/log/jupyter-clouds"):
        shutil.copytree(first / part, root / part, dirs_exist_ok=True)
    shutil.copy(first / "dev/console", root / "dev/console")
    assert made.is_ours()
    return made


@cache
def _first() -> TemporaryDirectory[str]:
    """One that has made it, once for all: openssl begins ten times for it."""
    folder = TemporaryDirectory()
    assert Machine(Path(folder.name)).phase("certificate").returncode == 0
    return folder
