"""The modules of wheels, compiled once for all machines: conda's packages come compiled too."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tarfile
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from zipfile import BadZipFile, ZipFile

from wrapper.errors import LocalError
from wrapper.local.host import need_space

from .index import AbsentError

PYTHON = importlib.util.MAGIC_NUMBER.hex()
"""The form of compiled modules that this Python writes, and any of the same minor version reads."""
_TESTS = {"test", "tests"}
"""Folders of packages that are seldom imported: two fifths of pandas, scipy and scikit-learn."""


def _modules(wheel: ZipFile) -> list[str]:
    """What an installation puts where modules are looked for, as it is called there."""
    found = [PurePosixPath(name) for name in wheel.namelist() if name.endswith(".py")]
    return [
        str(path)
        for path in found
        if not path.parts[0].endswith(".data") and not _TESTS.intersection(path.parts)
    ]


def _compile(wheel: Path, archive: Path) -> None:
    """The archive holds each module's `__pycache__` file; what is no Python is left out."""
    need_space(archive.parent, 500)
    with TemporaryDirectory(prefix="jupyter-clouds-compiled-") as made:
        with ZipFile(wheel) as opened:
            opened.extractall(made, _modules(opened))  # noqa: S202 - zipfile keeps inside
        # Checked by the source's hash: a file that somebody edits on a machine counts at once, and
        # no date has to agree. https://docs.python.org/3/reference/import.html#pyc-invalidation
        subprocess.run(
            [
                *(sys.executable, "-I", "-m", "compileall", "-q", "-s", made),
                *("--invalidation-mode", "checked-hash", made),
            ],
            stdout=subprocess.DEVNULL,
            check=False,
        )
        part = archive.with_name(f".{archive.name}.part")
        with tarfile.open(part, "w") as packed:
            for path in sorted(Path(made).rglob("*.pyc")):
                packed.add(path, str(path.relative_to(made)))
    part.replace(archive)


class Compiled:
    """Archives beside the wheels; begun when a wheel is handed out, wanted when it is installed."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="compiled")
        self._lock = threading.Lock()
        self._made: dict[Path, Future[Path]] = {}

    def begin(self, wheel: Path) -> Future[Path]:
        """The wheel's archive, which is there once the future is done."""
        with self._lock:
            if wheel not in self._made:
                self._made[wheel] = self._pool.submit(self._archive, wheel)
            return self._made[wheel]

    def archive(self, folder: Path, version: str, python: str) -> Path:
        """That of a wheel in the folder. Raises AbsentError: the machine compiles it itself."""
        wheels = sorted(folder.glob(f"*-{version}-*.whl"), key=lambda one: one.stat().st_atime)
        if python != PYTHON or not wheels:
            raise AbsentError(f"{folder.name} {version} for {python}")
        try:
            return self.begin(wheels[-1]).result()
        except (BadZipFile, LocalError, OSError) as error:
            raise AbsentError(f"{wheels[-1].name}: {error}") from error

    @staticmethod
    def _archive(wheel: Path) -> Path:
        archive = wheel.with_name(f"{wheel.name}.{PYTHON}.tar")
        if not archive.exists():
            _compile(wheel, archive)
        return archive
