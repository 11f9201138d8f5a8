"""The phase certificate, and the fingerprints on the console."""

from __future__ import annotations

import hashlib
import subprocess

import clouds
import network

CERTIFICATE = clouds.STATE / "tls/certificate.pem"


def certificate() -> None:
    """The notebook has a key and a certificate with the names that people type."""
    settings = clouds.settings()
    address = settings["address"] or network.metadata("public-ipv4")
    names = f"IP Address:{address or network.metadata('local-ipv4') or '127.0.0.1'}"
    if settings["domain"]:
        names += f", DNS:{settings['domain']}"
    script = clouds.BIN / "certificate.sh"
    clouds.run(["bash", script, CERTIFICATE.parent, names], as_user=True)


def fingerprint() -> None:
    """The console shows the fingerprints of the certificate in use and of its key."""

    def digest(script: str) -> str:
        command = ["bash", "-o", "pipefail", "-c", script]
        with CERTIFICATE.open() as pem:
            done = subprocess.run(command, stdin=pem, stdout=subprocess.PIPE, check=True)
        return hashlib.sha256(done.stdout).hexdigest()

    whole = digest("openssl x509 -outform DER")
    key = digest("openssl x509 -noout -pubkey | openssl pkey -pubin -outform DER")
    clouds.console(f"jupyter-clouds: fingerprint certificate_sha256={whole} key_sha256={key}")
