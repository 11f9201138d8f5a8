"""Explicit files: each line the address of one file of conda's, nothing to solve.

https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-environments.html
Of that file a stand-in has but the name and the version, and takes PyPI's of the same.
"""

from __future__ import annotations

import json
import re
import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit

from . import names, packages, specs

MARK = "@EXPLICIT"
_FILE = re.compile(r"(?P<name>[^/]+)-(?P<version>[^-/]+)-[^-/]+\.(?:conda|tar\.bz2)")


def addresses(lines: list[str]) -> list[str]:
    """Those of an explicit file. Raises SpecError."""
    found = [line for line in lines if line and line != MARK]
    for line in found:
        if "://" not in line or not _FILE.fullmatch(line.rpartition("/")[2]):
            raise specs.SpecError(f"ParseError: Could not parse explicit URL: {line}")
    return found


def address(name: str, version: str) -> str:
    """As a real conda tells of a package that it has installed."""
    return f"https://conda.anaconda.org/conda-forge/noarch/{name}-{version}-pypi_0.conda"


def requirements(urls: list[str]) -> list[str]:
    """Lines for the engine; what PyPI has not is told, and left out."""
    found, absent = [], []
    if urls:
        print("stand-in for conda: of each file its name and version, of PyPI; no hash", flush=True)
    index = urlsplit(packages.index())
    server = HTTPConnection(index.netloc, timeout=300)
    for url in urls:
        match = _FILE.fullmatch(url.rpartition("/")[2])
        if match is None or match["name"] == "python" or match["name"] in names.CONTAINED:
            continue
        name = names.PYPI.get(match["name"], match["name"])
        if _has(server, f"{index.path}/{re.sub(r'[-_.]+', '-', name).lower()}", match["version"]):
            found.append(f"{name}=={match['version']}")
        else:
            absent.append(f"{match['name']} {match['version']}")
    server.close()
    if absent:
        print(f"stand-in for conda: not on PyPI, left out: {', '.join(absent)}", file=sys.stderr)
    return found


def _has(server: HTTPConnection, path: str, version: str) -> bool:
    server.request("GET", path)
    reply = server.getresponse()
    body = reply.read()
    if reply.status != 200:  # noqa: PLR2004 - HTTP's OK
        return False
    files = [str(one["filename"]) for one in json.loads(body)["files"]]
    ends = re.compile(rf"-{re.escape(version)}(?:-|\.tar\.gz$|\.zip$)")
    return any(ends.search(one) for one in files)
