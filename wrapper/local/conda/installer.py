"""The stand-in for the Miniforge installer, put together from the files beside this one."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
from importlib.metadata import files
from pathlib import Path

from wrapper.errors import LocalError

_HERE = Path(__file__).parent
NAME = "Miniforge3-standin-Linux-x86_64.sh"


def engine() -> Path:
    """The uv that machines get: the very file that this installation has."""
    for file in files("uv") or []:
        if file.name == "uv" and file.parent.name == "bin":
            return Path(str(file.locate())).resolve()
    raise LocalError("the package uv has no program in it", hint="pip install --force-reinstall uv")


def sha256(path: Path) -> str:
    """Hexadecimal, of the whole file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _payload() -> str:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for source in sorted((_HERE / "standin").glob("*.py")):
            member = tarfile.TarInfo(f"standin/{source.name}")  # no date, no owner: one checksum
            member.size, member.mode = source.stat().st_size, 0o644
            archive.addfile(member, io.BytesIO(source.read_bytes()))
    return base64.encodebytes(gzip.compress(packed.getvalue(), mtime=0)).decode()


def checksum(script: bytes) -> str:
    """Hexadecimal SHA-256, as the machine checks it."""
    return hashlib.sha256(script).hexdigest()


def build(mirror: str) -> bytes:
    """The installer, for machines that reach the mirror at that URL; the same bytes every time."""
    script = (_HERE / "installer.sh").read_text()
    script = script.replace("@MIRROR@", mirror).replace("@UV_SHA256@", sha256(engine()))
    return (script + _payload()).encode()
