"""Compiled modules beside their sources: fetched where the index has them, made here otherwise."""

from __future__ import annotations

import email.parser
import io
import re
import subprocess
import tarfile
from http.client import HTTPConnection, HTTPException
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from urllib.parse import urlsplit

_PYTHON = MAGIC_NUMBER.hex()
_TESTS = {"test", "tests"}


def _sources(info: Path) -> list[Path]:
    """What an installed package's list of files tells, without its tests."""
    record = info / "RECORD"
    lines = record.read_text().splitlines() if record.exists() else []
    names = [line.rsplit(",", 2)[0].strip('"') for line in lines]
    return [
        info.parent / name
        for name in names
        if name.endswith(".py")
        and not name.startswith(("../", "/"))
        and not _TESTS.intersection(name.split("/"))
    ]


def _is_compiled(sources: list[Path]) -> bool:
    # The first stands for all: they came together.
    return all(Path(cache_from_source(one)).exists() for one in sources[:1])


def _identity(info: Path) -> tuple[str, str]:
    """The project as the index calls it, and the version as file names have it."""
    with (info / "METADATA").open(encoding="utf-8") as file:
        told = email.parser.Parser().parse(file, headersonly=True)
    project = re.sub(r"[-_.]+", "-", str(told["Name"])).lower()
    return project, info.name.removesuffix(".dist-info").rpartition("-")[2]


def _fetch(server: HTTPConnection, info: Path) -> bool:
    """Whether the index had the package's modules, which are now in place."""
    project, version = _identity(info)
    server.request("GET", f"/compiled/{_PYTHON}/{project}/{version}")
    reply = server.getresponse()
    body = reply.read()
    if reply.status != 200:  # noqa: PLR2004 - HTTP's OK
        return False
    with tarfile.open(fileobj=io.BytesIO(body)) as packed:
        for member in packed:
            target, content = info.parent / member.name, packed.extractfile(member)
            if content and ".." not in target.parts and target.parent.parent.is_dir():
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(content.read())
    return True


def _compile(python: Path, sources: list[Path]) -> None:
    """What is no Python, as some packages' templates, is left as it is."""
    listed = "\n".join(map(str, sources)).encode()
    command = [str(python), "-I", "-m", "compileall", "-q", "-j", "0", "-i", "-"]
    subprocess.run(command, input=listed, capture_output=True, check=False)


def bring(prefix: Path, index: str) -> None:
    """Every installed package is compiled, so that no import has to be made twice."""
    server = HTTPConnection(urlsplit(index).netloc, timeout=300)
    own: list[Path] = []
    for info in sorted(prefix.glob("lib/python3.*/site-packages/*.dist-info")):
        sources = [one for one in _sources(info) if one.exists()]
        if _is_compiled(sources):
            continue
        try:
            fetched = _fetch(server, info)
        except (OSError, HTTPException, tarfile.TarError):
            server.close()
            fetched = False
        if not fetched:
            own += sources
    server.close()
    if own:
        _compile(prefix / "bin/python", own)
