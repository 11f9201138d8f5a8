"""The phases address and firewall, and the instance metadata service."""

from __future__ import annotations

import http.client
import os
import shutil
import time
import urllib.error
import urllib.request

import clouds

METADATA = os.environ.get("CLOUDS_METADATA", "http://169.254.169.254")
PATIENCE = 900  # seconds; the address is associated once the machine runs
# No proxy ever stands between a machine and its own metadata.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

# `fib daddr type local`: what containers here send to 443 elsewhere passes.
REDIRECT = """
chain https {{
type nat hook prerouting priority dstnat
fib daddr type local tcp dport 443 redirect to :{port}
}}"""
REJECT = """
chain metadata {{
type filter hook output priority filter
meta skuid {user} ip daddr 169.254.169.254 reject
meta skuid {user} ip6 daddr fd00:ec2::254 reject
}}"""


def ask(path: str, header: str, value: str, method: str = "GET") -> str:
    headers = {f"X-aws-ec2-metadata-token{header}": value}
    url = f"{METADATA}/latest/{path}"
    request = urllib.request.Request(url, headers=headers, method=method)  # noqa: S310 - the metadata service
    with OPENER.open(request, timeout=2) as reply:
        return str(reply.read().decode().strip())


def metadata(path: str) -> str | None:
    """What the instance metadata says, empty for nothing; None when it does not answer."""
    try:
        token = ask("api/token", "-ttl-seconds", "60", "PUT")
        return ask(f"meta-data/{path}", "", token)
    except urllib.error.HTTPError as error:
        return "" if error.code == 404 else None  # noqa: PLR2004 - not there
    except (OSError, http.client.HTTPException):
        return None


def address() -> None:
    """The machine has the public address that its certificate names."""
    expected = clouds.settings()["address"]
    ends = time.monotonic() + PATIENCE
    while (present := metadata("public-ipv4")) != expected and expected:
        if time.monotonic() > ends:
            raise SystemExit(
                f"the public address is {present}, not {expected}: associate the Elastic IP"
            )
        time.sleep(2)
    print(present)


def firewall() -> None:
    """443 leads to the notebook, and the notebook's user does not reach the metadata."""
    if not shutil.which("nft"):
        install = "apt-get -qq update; apt-get -qq -o DPkg::Lock::Timeout=300 install nftables"
        clouds.retry(lambda _: clouds.run(["sh", "-c", install]))
    settings = clouds.settings()
    chains = REDIRECT if settings["https"] else ""
    chains += "" if settings["metadata_access"] else REJECT
    table = "table inet jupyter_clouds"
    body = chains.format(port=settings["port"], user=clouds.USER.pw_uid)
    # One transaction: the table as the settings want it, whatever was there.
    rules = clouds.RUN / "firewall.nft"
    clouds.write(rules, f"{table}\ndelete {table}\n{table} {{{body}\n}}\n")
    clouds.run(["nft", "-f", rules])
