"""The phases server and environment: JupyterLab's packages apart from the user's."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from typing import TYPE_CHECKING

import clouds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PREFIX = clouds.CONDA / "envs/notebook"
FILE = clouds.ETC / "environment.yml"
CHANNEL = ("--override-channels", "--channel", "conda-forge")
NATIVE = "share/jupyter/kernels/python3"
# On a copy of another machine: the digest of the file that the environment there was made of.
COPIED = clouds.VAR / "environment.copied"


def create(name: str, arguments: Sequence[str | Path], *, as_user: bool = False) -> None:
    """The environment is there; what an interrupted try left is not."""
    prefix = clouds.CONDA / "envs" / name
    begun = clouds.VAR / f"{name}.begun"
    cache = clouds.CONDA / ("pkgs-notebook" if as_user else "pkgs")
    cut_off = begun.exists()
    begun.touch()
    if as_user:
        # Beside the environment, on its disk: gigabytes, which home would keep in every snapshot.
        os.environ["CONDA_PKGS_DIRS"] = str(cache)

    def attempt(number: int) -> None:
        if number == 1 or (cut_off and not number):
            # A package in it may be damaged, or unpacked by half before a power loss. Once: what
            # a bad connection has brought is kept.
            clouds.run(["rm", "-rf", cache])
        cache.mkdir(parents=True, exist_ok=True)
        if as_user:
            os.chown(cache, clouds.USER.pw_uid, clouds.USER.pw_gid)
        clouds.run(["rm", "-rf", prefix])
        # mamba is several times faster; where it fails, conda may yet manage.
        tool = clouds.CONDA / "bin" / ("conda" if number else "mamba")
        clouds.run([tool, *arguments, "--yes", "--quiet", "--prefix", prefix], as_user=as_user)

    clouds.retry(attempt)
    begun.unlink()


def server() -> None:
    """JupyterLab and what belongs to it is installed."""
    packages = (clouds.HERE / "server.txt").read_text().split()
    if not clouds.stamped("server", " ".join(packages)):
        create("server", ["create", *CHANNEL, *packages])
        # Else jsonschema compiles a grammar of IRIs when Jupyter starts: half of what that takes.
        # https://github.com/python-jsonschema/jsonschema/blob/v4.26.0/jsonschema/_format.py#L327
        for path in (clouds.CONDA / "envs/server").glob("lib/python*/site-packages"):
            (path / "quick.pth").write_text("import sys; sys.modules['rfc3987_syntax'] = None\n")
        clouds.stamp("server", " ".join(packages))


def ensure_kernel() -> None:
    """A kernel can start in the environment, whether its file thought of that or not."""
    if not list(PREFIX.glob("lib/python*/site-packages/ipykernel")):
        add = ["install", "--yes", "--quiet", *CHANNEL, "ipykernel", "--prefix"]
        tool = clouds.CONDA / "bin/mamba"
        clouds.retry(lambda _: clouds.run([tool, *add, PREFIX], as_user=True))


def show() -> None:
    """Jupyter offers the environment under the name that every notebook asks for."""
    shared = clouds.HERE / NATIVE
    shared.mkdir(parents=True, exist_ok=True)
    for logo in (clouds.CONDA / "envs/server" / NATIVE).glob("logo-*"):
        shutil.copy(logo, shared)
    module = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {
        "argv": [str(clouds.HERE / "bin/kernel"), str(PREFIX), *module],
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "metadata": {"debugger": True},
    }
    clouds.write(shared / "kernel.json", json.dumps(spec))


def environment() -> None:
    """The user's environment is installed, and is the default kernel."""
    # Once: what the user adds to it later is never replaced behind their back.
    if not clouds.stamped("environment", ""):
        digest = hashlib.sha256(FILE.read_bytes()).hexdigest()
        if not COPIED.exists() or COPIED.read_text() != digest:
            COPIED.unlink(missing_ok=True)
            create("notebook", ["env", "create", "--file", FILE], as_user=True)
            ensure_kernel()
        clouds.stamp("environment", "")
    show()
