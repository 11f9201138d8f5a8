"""The upstream package index, read as PEP 691 or PEP 503 and kept in the cache."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import defaultdict
from html.parser import HTMLParser
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit
from zipfile import ZipFile

from wrapper.errors import LocalError
from wrapper.local.host import log, need_space

_JSON = "application/vnd.pypi.simple.v1+json"
_ACCEPT = f"{_JSON}, text/html;q=0.5"
_FRESH = 24 * 3600
_TIMEOUT = 60
_SERVERS_FAULT = 500
_METADATA = re.compile(r"[^/]+\.dist-info/METADATA")
_TOLD = ("filename", "url", "hashes", "requires-python", "yanked")
"""Of each file, all that a resolver needs."""
_OURS = re.compile(rf"any|(many)?linux.*_{os.uname().machine}")
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")


class AbsentError(Exception):
    """Upstream has no such project or file, or cannot be reached and nothing is kept."""


def configured() -> str:
    """The index that pip uses on this host."""
    if named := os.environ.get("PIP_INDEX_URL"):  # pip takes a quarter of a second to say so
        return named
    asked = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return told or _default()


def _default() -> str:
    try:
        from pip._internal.models.index import PyPI  # noqa: PLC0415 - pip may be missing
    except ImportError as error:
        raise LocalError(
            "this Python has no pip, which knows where packages come from",
            hint="jupyter-clouds doctor",
        ) from error
    return str(PyPI.simple_url)


def _fits(filename: str) -> bool:
    """Whether a machine here could install it: wheels of other systems are most of many pages.

    https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/
    """
    if not filename.endswith(".whl"):
        return True
    systems = filename.removesuffix(".whl").rpartition("-")[2].split(".")
    return any(_OURS.fullmatch(one) for one in systems)


def _fitting(page: dict[str, Any]) -> dict[str, Any]:
    """The page, a quarter as long: each machine asks for a hundred."""
    files = [one for one in page["files"] if _fits(one["filename"])]
    told = [{key: one[key] for key in _TOLD if key in one} for one in files]
    return {"meta": {"api-version": "1.0"}, "name": page["name"], "files": told}


class _Links(HTMLParser):
    """The files of a PEP 503 page, in PEP 691's words."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.files: list[dict[str, Any]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Part of the parser's protocol."""
        values = dict(attrs)
        if tag != "a" or not values.get("href"):
            return
        parts = urlsplit(urljoin(self._url, values["href"] or ""))
        algorithm, _, digest = parts.fragment.partition("=")
        url = urlunsplit(parts._replace(fragment=""))
        entry: dict[str, Any] = {"filename": Path(parts.path).name, "url": url}
        entry["hashes"] = {algorithm: digest} if digest else {}
        if values.get("data-requires-python"):
            entry["requires-python"] = values["data-requires-python"]
        if "data-yanked" in values:
            entry["yanked"] = values["data-yanked"] or True
        self.files.append(entry)


class Index:
    """Pages are fresh for a day, and used beyond it when upstream does not answer."""

    def __init__(self, upstream: str, cache: Path) -> None:
        self._upstream = upstream.rstrip("/")
        self._cache = cache
        self._locks: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)
        self._read: dict[Path, tuple[int, dict[str, Any]]] = {}
        """Pages by when they were written: each is asked for again with each of its files."""

    def _open(self, url: str, accept: str) -> Any:
        parts = urlsplit(url)
        request = urllib.request.Request(  # noqa: S310 - the index that pip itself would use
            urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])),
            headers={"Accept": accept, "User-Agent": "jupyter-clouds"},
        )
        if parts.username:
            user = f"{parts.username}:{parts.password or ''}"
            request.add_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
        return urllib.request.urlopen(request, timeout=_TIMEOUT)  # noqa: S310 - likewise

    def folder(self, project: str) -> Path:
        """Where its files are kept. Raises AbsentError."""
        if not _NAME.fullmatch(project):
            raise AbsentError(project)
        return self._cache / project

    def page(self, project: str) -> dict[str, Any]:
        """The project's files, each with its upstream URL. Raises AbsentError."""
        kept = self.folder(project) / "page.json"
        with self._locks[kept]:
            if kept.exists() and time.time() - kept.stat().st_mtime < _FRESH:
                return self._known(kept)
            try:
                page = _fitting(self._fetch_page(project))
            except OSError as error:
                gone = isinstance(error, urllib.error.HTTPError) and error.code < _SERVERS_FAULT
                if gone or not kept.exists():
                    raise AbsentError(f"{project}: {error}") from error
                log.warning("%s: %s; an older page is used", project, error)
                return self._known(kept)
            kept.parent.mkdir(parents=True, exist_ok=True)
            _replace(kept, json.dumps(page).encode())
            return page

    def _known(self, kept: Path) -> dict[str, Any]:
        written = kept.stat().st_mtime_ns
        if kept not in self._read or self._read[kept][0] != written:
            # Also one of before, which was kept whole.
            self._read[kept] = written, _fitting(json.loads(kept.read_text()))
        return self._read[kept][1]

    def _fetch_page(self, project: str) -> dict[str, Any]:
        with self._open(f"{self._upstream}/{project}/", _ACCEPT) as reply:
            url, body = reply.geturl(), reply.read()
            kind = reply.headers.get_content_type()
        if kind == _JSON:
            page: dict[str, Any] = json.loads(body)
            for file in page["files"]:
                file["url"] = urljoin(url, file["url"])
            return page
        links = _Links(url)
        links.feed(body.decode())
        return {"meta": {"api-version": "1.0"}, "name": project, "files": links.files}

    def file(self, project: str, name: str) -> Path:
        """The file, complete and with the hash that the page tells. Raises AbsentError."""
        entry = next((f for f in self.page(project)["files"] if f["filename"] == name), None)
        if entry is None:
            raise AbsentError(f"{project} has no {name}")
        kept = self._cache / project / name
        with self._locks[kept]:
            if not kept.exists():
                self._download(entry, kept)
        return kept

    def metadata(self, project: str, name: str) -> bytes:
        """A wheel's METADATA, also where upstream offers none by itself (PEP 658)."""
        with ZipFile(self.file(project, name)) as wheel:
            inside = (item for item in wheel.namelist() if _METADATA.fullmatch(item))
            return wheel.read(next(inside))

    def _download(self, entry: dict[str, Any], kept: Path) -> None:
        need_space(self._cache, 500)
        part, digest = kept.with_name(f".{kept.name}.part"), hashlib.sha256()
        try:
            with self._open(entry["url"], "*/*") as reply, part.open("wb") as out:
                while data := reply.read(1 << 20):
                    digest.update(data)
                    out.write(data)
        except (OSError, HTTPException) as error:
            raise AbsentError(f"{kept.name}: {error!r}") from error
        expected = entry["hashes"].get("sha256")
        if expected and expected != digest.hexdigest():
            part.unlink()
            raise AbsentError(f"{kept.name}: not the file that the index tells of")
        part.replace(kept)


def _replace(path: Path, data: bytes) -> None:
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(data)
    new.replace(path)
