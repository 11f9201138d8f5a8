"""What is on a machine: asked of it, since what it was once told may not be what it has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from wrapper.deployment import logging_in, verify
from wrapper.deployment.events import Warned
from wrapper.errors import CloudsError

if TYPE_CHECKING:
    from wrapper.aws import Instance
    from wrapper.deployment.world import World
    from wrapper.home import Home, Record

PROGRAMS = "/opt/jupyter-clouds"
_LONGEST = 256
"""Characters of a tag's value."""
_CELL = """
import hashlib, json, os, pathlib, sys
from importlib import metadata

def packages(prefix):
    files = (one.stem.rsplit("-", 2) for one in (prefix / "conda-meta").glob("*.json"))
    found = {parts[0]: parts[1] for parts in files if len(parts) == 3}
    where = [str(one) for one in prefix.glob("lib/python*/site-packages")]
    for one in metadata.distributions(path=where):
        found.setdefault(str(one.metadata["Name"]).lower(), one.version)
    return found

def digest(parts):
    return hashlib.sha256(b"\\0".join(parts)).hexdigest()[:12]

here = pathlib.Path(PROGRAMS)
files = sorted(one for one in here.rglob("*") if one.is_file() and one.suffix != ".pyc")
files = [one for one in files if os.access(one, os.R_OK)]
own = {"python": sys.version.split()[0], **packages(pathlib.Path(sys.prefix))}
server = packages(pathlib.Path(sys.prefix).parent / "server")
print(json.dumps({
    "programs": digest(part for one in files for part in (str(one).encode(), one.read_bytes())),
    "environment": digest(f"{name}={own[name]}".encode() for name in sorted(own)),
    "own": own,
    "server": server,
}))
"""
_NAMED = ("python", "numpy", "pandas", "scikit-learn", "torch", "tensorflow")
"""Of many packages, those that people ask for first."""


def ask(world: World, home: Home, record: Record, machine: Instance) -> dict[str, str]:
    """Digests of its programs and of its packages, and the versions of some; empty when it does
    not answer, which is told of.
    """
    if machine.state != "running" or record.key_sha256 is None or not machine.public_ip:
        return {}
    try:
        where = verify.address(record, machine.public_ip)
        pin = world.look_whose(where, record.key_sha256)
        with logging_in.logged_in(world, home, where, pin) as notebook:
            told = json.loads(notebook.run_cell(cell()))
        own, server = told["own"], told["server"]
        named = [f"{name}={own[name]}" for name in _NAMED if name in own]
        if "jupyterlab" in server:
            named.append(f"jupyterlab={server['jupyterlab']}")
        others = len(own) + len(server) - len(named)
        found = {
            "programs": str(told["programs"]),
            "environment": str(told["environment"]),
            "packages": f"{' '.join(named)} and {others} others"[:_LONGEST],
        }
    except (CloudsError, LookupError, TypeError, ValueError) as error:
        world.report(Warned(f"What is on the machine it did not tell: {error}"))
        return {}
    return found


def cell(programs: str = PROGRAMS) -> str:
    """The code, for a kernel of the user's environment."""
    return f"PROGRAMS = {programs!r}\n{_CELL}"
