"""The phase certificate: a key made here, a certificate that names the machine and is in date."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time

import clouds
import network

RENEW = 30 * 86400  # seconds left at which a new certificate is made, with the same key
OURS = "O=jupyter-clouds"  # alone, since a machine's name may change
KEY = clouds.STATE / "tls/key.pem"
CERTIFICATE = clouds.STATE / "tls/certificate.pem"
# Python 3.13 verifies strictly by default and wants the key identifiers.
REQUEST = """
[req]
prompt = no
distinguished_name = subject
x509_extensions = extensions
[subject]
{ours}
[extensions]
subjectAltName = {names}
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


def openssl(arguments: str, given: str = "") -> str:
    """What openssl printed; it printed nothing useful when it refused."""
    command = ["openssl", *arguments.split()]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    return done.stdout


def names() -> list[str]:
    """What people type to get here, as openssl prints it."""
    settings = clouds.settings()
    address = settings["address"] or network.metadata("public-ipv4")
    address = address or network.metadata("local-ipv4") or "127.0.0.1"
    return [f"IP Address:{address}"] + [f"DNS:{name}" for name in [settings["domain"]] if name]


def facts() -> list[str]:
    """Lines about the certificate in use."""
    what = f"-pubkey -subject -issuer -nameopt RFC2253 -ext subjectAltName -checkend {RENEW}"
    return [line.strip() for line in openssl(f"x509 -noout -in {CERTIFICATE} {what}").split("\n")]


def fits(found: list[str]) -> bool:
    """Whether the certificate is the key's."""
    public = openssl(f"pkey -pubout -in {KEY}").split("\n")
    return len(public) > 1 and set(public) <= set(found)


def make(wanted: list[str]) -> None:
    """A certificate for the key that is there; a key, where none is."""
    if not openssl(f"pkey -pubout -in {KEY}"):
        curve = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"
        partial = KEY.with_suffix(".new")
        openssl(f"genpkey {curve} -out {partial}")
        partial.replace(KEY)
    alternatives = ",".join(wanted).replace("IP Address", "IP")
    request = REQUEST.format(ours=OURS, names=alternatives)
    arguments = f"-x509 -sha256 -days 365 -config /dev/stdin -key {KEY}"
    partial = CERTIFICATE.with_suffix(".new")
    openssl(f"req -new {arguments} -out {partial}", request)
    partial.replace(CERTIFICATE)


def certificate() -> None:
    """The notebook can be served; a certificate of the user's own stays."""
    wanted = names()
    # Nothing below acts for root in a folder that the user can rearrange.
    os.umask(0o077)
    if os.geteuid() == 0:
        user = clouds.user()
        os.setgroups(user["extra_groups"])
        os.setgid(user["group"])
        os.setuid(user["user"])
    KEY.parent.mkdir(exist_ok=True)
    if CERTIFICATE.exists() and not fits(facts()):
        time.sleep(1)  # a pair of the user's own may be halfway through being stored
    found = facts()
    ours = f"subject={OURS}" in found and f"issuer={OURS}" in found
    good = ", ".join(wanted) in found and "Certificate will not expire" in found
    if not fits(found) or (ours and not good):
        make(wanted)
    print("\n".join(facts()))


def fingerprint() -> None:
    """The console shows the fingerprints of the certificate in use and of its key."""
    pem = CERTIFICATE.read_bytes()

    def digest(*arguments: str) -> str:
        script = f"set -o pipefail; openssl x509 {' | openssl '.join(arguments)}"
        done = subprocess.run(["bash", "-c", script], input=pem, capture_output=True, check=True)
        return hashlib.sha256(done.stdout).hexdigest()

    key = digest("-noout -pubkey", "pkey -pubin -outform DER")
    whole = digest("-outform DER")
    clouds.console(f"jupyter-clouds: fingerprint certificate_sha256={whole} key_sha256={key}")
