#!/usr/bin/python3 -u
"""The bucket that the machine's role is for, as a folder of the notebook's user, mounted by root.

By rclone, so that the credentials stay root's: the user does not reach the metadata. Where it
cannot be had, the notebook goes without, and the status says why. docs/adr/0018-role.md
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bin"))
import clouds
import phase
from network import metadata

TOLD = clouds.ETC / "s3.json"
MOUNT = clouds.ROOT / "mnt/jupyter-clouds-s3"
UNIT = "jupyter-clouds-s3-mount.service"
ROLE = "iam/security-credentials/"
REMOTE = "clouds"
INSTALL = (
    "apt-get -qq update; DEBIAN_FRONTEND=noninteractive"
    " apt-get -qq -o DPkg::Lock::Timeout=300 --no-install-recommends install rclone fuse3"
)
# A link, into which neither git nor rsync, Unison and an image follow; not in place of a file of
# the user's.
LINK = 'mkdir -p "$0"; cd "$0"; [ -e s3 ] || ln -snf "$1" s3'
# IAM tells all of AWS of a new role and its rights within seconds, mostly:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
PATIENCE = float(os.environ.get("CLOUDS_S3_PATIENCE", "90"))
PAUSE = 3
# What S3 says, by how rclone repeats it.
WORDS = {
    "AccessDenied": "the machine's role may not list it, or there is no such bucket",
    "directory not found": "there is no such bucket",
    "NoSuchBucket": "there is no such bucket",
    "NoCredentialProviders": "the machine has no role (associate its instance profile)",
}


def install() -> None:
    if not (shutil.which("rclone") and shutil.which("fusermount3")):
        clouds.retry(lambda _: clouds.run(["sh", "-c", INSTALL]))


def variables(told: dict[str, Any]) -> dict[str, str]:
    """What rclone is told, for its look and for the unit that mounts."""
    place = "/".join(part for part in (told["bucket"], told["prefix"]) if part)
    remote = {
        "TYPE": "s3",
        "ENV_AUTH": "true",  # the machine's role
        "NO_CHECK_BUCKET": "true",  # it may make none
        "REGION": told["region"],
    }
    if told["endpoint"]:
        # As AWS's own, but with the bucket's name in the path.
        remote |= {"ENDPOINT": told["endpoint"], "FORCE_PATH_STYLE": "true"}
    remote["PROVIDER"] = "Other" if told["endpoint"] else "AWS"
    # No proxy ever stands between a machine and its own metadata.
    past = [os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or "", "169.254.169.254"]
    return {
        **{f"RCLONE_CONFIG_{REMOTE.upper()}_{name}": value for name, value in remote.items()},
        "RCLONE_CONFIG": "/dev/null",
        "NO_PROXY": ",".join(filter(None, past)),
        "CLOUDS_PLACE": f"{REMOTE}:{place}",
        "CLOUDS_UID": str(clouds.USER.pw_uid),
        "CLOUDS_GID": str(clouds.USER.pw_gid),
    }


def look(found: dict[str, str]) -> str:
    """Why the place cannot be listed; empty when it can."""
    environment = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}
    command = ["rclone", "lsf", "--max-depth=1", "--retries=1", "--low-level-retries=3"]
    command += ["--contimeout=10s", "--timeout=30s", f"{found['CLOUDS_PLACE']}/"]
    try:
        done = subprocess.run(
            command,
            env={**environment, **found},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    except subprocess.TimeoutExpired:
        return "S3 does not answer"
    print(done.stderr)
    if not done.returncode:
        return ""
    known = [words for said, words in WORDS.items() if said in done.stderr]
    last = done.stderr.strip().rsplit("\n", 1)[-1][-200:]
    return known[0] if known else last or f"rclone ended with {done.returncode}"


def s3() -> None:
    """The bucket is a folder beside the user's work."""
    told = json.loads(TOLD.read_text())
    install()
    ends = time.monotonic() + PATIENCE
    found = variables(told)
    while why := look(found) if metadata(ROLE) else WORDS["NoCredentialProviders"]:
        if time.monotonic() > ends:
            place = found["CLOUDS_PLACE"].partition(":")[2]
            raise SystemExit(f"bucket {place}: {why}. Tried again every minute")
        time.sleep(PAUSE)
    MOUNT.mkdir(parents=True, exist_ok=True)
    lines = [f"{name}={json.dumps(value)}\n" for name, value in found.items()]
    clouds.write(clouds.RUN / "s3.env", "".join(lines), 0o600)
    clouds.run(["systemctl", "restart", UNIT])
    work = clouds.ROOT / clouds.USER.pw_dir[1:] / "work"
    clouds.run(["sh", "-c", LINK, work, MOUNT], as_user=True)


def main() -> int:
    phase.prepare()
    phase.PHASES += (s3,)
    return phase.report("s3")


if __name__ == "__main__":
    sys.exit(main())
