#!/usr/bin/python3 -u
"""In place of our own certificate, one that browsers trust: of the same key, so that pins hold.

Asked for by certbot, with a request of our own (--csr). Where none is to be had, ours serves on,
and the status says why. https://letsencrypt.org/docs/profiles/#shortlived
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bin"))
import certificate
import clouds
import environments
import phase

SCRIPT = Path(__file__).with_name("letsencrypt.sh")
HOOK = Path(__file__).with_name("letsencrypt_dns.py")
TOLD = clouds.ETC / "acme.json"
FOLDER = clouds.VAR / "acme"
# Five have the profile, the addresses, and requests that name them.
PACKAGE = "certbot>=5.3,<6"
SDK = "boto3>=1.40,<2"  # what the hook writes the record with
SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"
PORT = os.environ.get("CLOUDS_ACME_PORT", "80")
# certbot's last lines, which say nothing of what happened.
IDLE = ("Ask for help", "See the logfile", "Some challenges have failed", "Hint:")


def as_user(step: str, *words: str, given: str = "") -> str:
    """What the script printed: the folder is the notebook's user's, who may rearrange it."""
    user: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = {"user": clouds.USER.pw_uid, "group": clouds.USER.pw_gid, "extra_groups": []}
    command = ["bash", SCRIPT, certificate.CERTIFICATE.parent, step, *words]
    return subprocess.run(
        command, input=given, stdout=subprocess.PIPE, text=True, check=True, cwd="/", **user
    ).stdout


def due(names: str) -> bool:
    """Whether another certificate is wanted; not in place of the user's own."""
    whose, *told = as_user("whose").splitlines()
    if whose != "authority":
        return whose == "ours"
    begin, end = (ssl.cert_time_to_seconds(date) for date in told[:2])
    # Since it came, by the clock that says what time it is now: of one that is a year ahead of the
    # authority's, every certificate has run out, and each look would ask for another.
    now, came = time.time(), int(told[2])
    over = now - (came if came <= now else begin)
    # Half of six days are left for an authority that is away.
    return told[3:] != [names] or over > (end - begin) / 2


def named() -> None:
    """The machine knows what people type. Raises PassingError."""
    if not certificate.names():
        error = clouds.PassingError("the metadata service does not answer")
        error.tries = 5
        raise error


def install(*, sdk: bool) -> Path:
    """Where certbot is."""
    packages = [PACKAGE, *([SDK] if sdk else [])]
    if not clouds.stamped("certbot", " ".join(packages)):
        environments.create("certbot", ["create", *environments.CHANNEL, *packages])
        clouds.stamp("certbot", " ".join(packages))
    return clouds.CONDA / "envs/certbot/bin/certbot"


def challenge(certbot: Path, dns: dict[str, Any] | None) -> list[str]:
    """How certbot proves whose the names are: by port 80, or by a record in the domain's zone."""
    if dns is None:
        return ["--standalone", f"--http-01-port={PORT}"]
    where = [dns["zone"], dns["region"], *filter(None, [dns["endpoint"]])]
    hooks = {"auth": "UPSERT", "cleanup": "DELETE"}
    return ["--manual", "--preferred-challenges=dns"] + [
        f"--manual-{kind}-hook="
        + shlex.join([str(certbot.with_name("python")), str(HOOK), action, *where])
        for kind, action in hooks.items()
    ]


def ask(names: str) -> str:
    """The chain that the authority gave. SystemExit says why there is none."""
    told = json.loads(TOLD.read_text())
    certbot = install(sdk=bool(told["dns"]))
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    request = FOLDER / "request.pem"
    # In a zone there is no address: https://www.rfc-editor.org/rfc/rfc8738#section-7
    asked = [one for one in names.split(", ") if not told["dns"] or one.startswith("DNS:")]
    request.write_text(as_user("request", ", ".join(asked)))
    for old in ("cert", "chain", "fullchain"):  # certbot would number the new ones
        (FOLDER / f"{old}.pem").unlink(missing_ok=True)
    environment = dict(os.environ)
    if told["ca"]:
        clouds.write(FOLDER / "ca.pem", told["ca"])
        # Not for AWS, which the hook asks.
        usual = environment.get("REQUESTS_CA_BUNDLE", SYSTEM_CA)
        environment["AWS_CA_BUNDLE"] = environment.get("AWS_CA_BUNDLE", usual)
        environment["REQUESTS_CA_BUNDLE"] = str(FOLDER / "ca.pem")
    folders = [f"--{one}-dir={FOLDER / one}" for one in ("config", "work", "logs")]
    files = [f"--{one}-path={FOLDER / one}.pem" for one in ("cert", "chain", "fullchain")]
    options = ["--non-interactive", "--agree-tos", "--register-unsafely-without-email"]
    options += [*challenge(certbot, told["dns"]), "--preferred-profile=shortlived"]
    options += [f"--server={told['directory']}", f"--csr={request}", *folders, *files]
    done = subprocess.run(
        [certbot, "certonly", *options],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(done.stdout)
    if done.returncode:
        raise SystemExit(why(done.stdout))
    return (FOLDER / "fullchain.pem").read_text()


def why(output: str) -> str:
    """What the authority said, or certbot's last word."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    found = [line.partition("Detail: ")[2] for line in lines if "Detail: " in line]
    found += [line for line in lines[::-1] if not line.startswith(IDLE)]
    # What a connection failed of comes last.
    reason = found[0] if found else "certbot said nothing"
    return f"no certificate that browsers trust: {reason[-200:]}. The pinned one serves on"


def letsencrypt() -> None:
    """The notebook shows a certificate that browsers trust, with half of its time left."""
    if not (names := certificate.names()):
        raise SystemExit("the metadata service does not tell this machine's address")
    # One that has run out, or has another address, goes before anything is asked for.
    certificate.certificate()
    chain = ask(names)
    as_user("store", names, given=chain)
    certificate.fingerprint()


def main() -> int:
    with contextlib.suppress(clouds.PassingError):
        clouds.retry(lambda _: named())
    # Without names, it is the phase that fails, and says so.
    if (names := certificate.names()) and not due(names):
        return 0
    phase.prepare()
    phase.PHASES += (letsencrypt,)
    return phase.report("letsencrypt")


if __name__ == "__main__":
    sys.exit(main())
