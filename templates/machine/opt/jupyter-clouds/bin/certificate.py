"""The phase certificate, and the fingerprints and SSH's host key on the console."""

from __future__ import annotations

import hashlib
import subprocess

import clouds
import network

CERTIFICATE = clouds.STATE / "tls/certificate.pem"
HOST_KEY = clouds.ROOT / "etc/ssh/ssh_host_ed25519_key.pub"


def names() -> str:
    """What people type, as openssl prints it; empty when the metadata does not answer."""
    settings = clouds.settings()
    address = settings["address"] or network.metadata("public-ipv4")
    if address == "":
        address = network.metadata("local-ipv4")
    if not address:
        return ""
    found = f"IP Address:{address}"
    if settings["domain"]:
        found += f", DNS:{settings['domain']}"
    return found


def certificate() -> None:
    """The notebook has a key and a certificate with the names that people type."""
    script = clouds.BIN / "certificate.sh"
    clouds.run(["bash", script, CERTIFICATE.parent, names()], as_user=True)


def fingerprint() -> None:
    """The console shows the fingerprints of the certificate in use and of its key.

    And SSH's host key: cloud-init shows it too, but before the data volume's has taken its place.
    """

    def digest(script: str) -> str:
        command = ["bash", "-o", "pipefail", "-c", script]
        with CERTIFICATE.open() as pem:
            done = subprocess.run(command, stdin=pem, stdout=subprocess.PIPE, check=True)
        return hashlib.sha256(done.stdout).hexdigest()

    whole = digest("openssl x509 -outform DER")
    key = digest("openssl x509 -noout -pubkey | openssl pkey -pubin -outform DER")
    clouds.console(f"jupyter-clouds: fingerprint certificate_sha256={whole} key_sha256={key}")
    if HOST_KEY.exists():
        # It is told once for all: no power loss takes it back.
        subprocess.run(["sync", HOST_KEY, HOST_KEY.with_suffix(""), HOST_KEY.parent], check=False)
        kind, host_key = HOST_KEY.read_text().split()[:2]
        clouds.console(f"jupyter-clouds: ssh host_key={kind} {host_key}")
