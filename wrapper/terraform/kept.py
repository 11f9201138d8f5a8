"""What `terraform init` once installed, kept for the next deployment that asks for the same.

~/.cache/jupyter-clouds/terraform/    0700; XDG_CACHE_HOME
    DIGEST/                           of all that `init` hangs on
        .terraform.lock.hcl
        .terraform/                   providers as hard links, modules.json

Not Terraform's own plugin cache: two `init` at once damage that one, and without a lock file it
fetches anew what it has: https://developer.hashicorp.com/terraform/cli/config/config-file
Hard links, so that neither `down` nor whoever clears the cache takes anything from the other.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from wrapper import cache

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DATA, LOCK = ".terraform", ".terraform.lock.hcl"
STAMP = "initialised"
"""In DATA, with the digest of what it was initialised for."""
GIVEN_FOR = 30 * 86400
"""Seconds until the registry is asked for a newer provider."""


class Kept:
    """What was kept for one root module, to be given to a directory that has nothing yet."""

    def __init__(self, directory: Path, *, environment: Mapping[str, str], binary: str) -> None:
        self._directory = directory
        self._room = cache.directory(environment) / "terraform"
        digest = hashlib.sha256(f"{platform.system()} {platform.machine()}".encode())
        for part in _parts(directory, environment, binary):
            digest.update(hashlib.sha256(part).digest())
        self._entry = self._room / digest.hexdigest()[:32]

    def give(self) -> bool:
        """The directory is as `init` would leave it. False where nothing was changed."""
        if (self._directory / DATA).exists() or (self._directory / LOCK).exists():
            return False
        coming = self._directory / f"{DATA}.coming"
        try:
            if not (_private(self._room) and 0 <= self._age() < GIVEN_FOR):
                return False
            shutil.rmtree(coming, ignore_errors=True)
            _copy(self._entry / DATA, coming)
            if not packages(coming) or not all(map(_whole, packages(coming))):
                return False
            shutil.copyfile(self._entry / LOCK, self._directory / LOCK)
            coming.rename(self._directory / DATA)
        except (OSError, shutil.Error):  # cleared meanwhile, or on another file system
            (self._directory / LOCK).unlink(missing_ok=True)
            return False
        finally:
            shutil.rmtree(coming, ignore_errors=True)
        return True

    def keep(self) -> None:
        """What `init` has just installed is kept, unless it is only for this very directory.

        Nothing happens where that cannot be. Two at once: the second stays.
        """
        data = self._directory / DATA
        if not _of_anybody(data):
            return
        try:
            self._room.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _private(self._room):
                return
            self._sweep()
            with tempfile.TemporaryDirectory(dir=self._room, prefix=".new-") as folder:
                new = Path(folder) / "new"
                _copy(data, new / DATA)
                (new / DATA / STAMP).unlink(missing_ok=True)
                shutil.copyfile(self._directory / LOCK, new / LOCK)
                self.forget()
                new.rename(self._entry)
        except (OSError, shutil.Error):
            return

    def forget(self) -> None:
        """Nothing is kept for it; what other deployments have stays theirs."""
        with (
            suppress(OSError),
            tempfile.TemporaryDirectory(
                dir=self._room, prefix=".old-", ignore_cleanup_errors=True
            ) as folder,
        ):
            self._entry.rename(Path(folder) / "old")  # at once: nobody sees half of it

    def _age(self) -> float:
        return time.time() - (self._entry / LOCK).stat().st_mtime

    def _sweep(self) -> None:
        """What is not given any more is gone, and what a killed command left."""
        for one in self._room.iterdir():
            dated = one / LOCK if (one / LOCK).exists() else one
            if time.time() - dated.stat().st_mtime > GIVEN_FOR:
                shutil.rmtree(one, ignore_errors=True)


def fingerprint(directory: Path, binary: str) -> str:
    """What a directory that is initialised depends on: root, module's requirements, program."""
    digest = hashlib.sha256(binary.encode())
    for path in sorted((*directory.glob("*.tf"), *directory.glob("*/versions.tf"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def are_there(directory: Path) -> bool:
    """None of the providers that were installed has gone since."""
    # A provider out of a mirror is a link into it, and mirrors get removed.
    return all(path.exists() for path in packages(directory / DATA))


def packages(data: Path) -> list[Path]:
    """The directories of the providers that are installed there."""
    # HOSTNAME/NAMESPACE/TYPE/VERSION/OS_ARCH
    return list((data / "providers").glob("*/*/*/*/*"))


def _parts(directory: Path, environment: Mapping[str, str], binary: str) -> Iterator[bytes]:
    """All that `init` hangs on."""
    program = Path(binary).resolve()
    seen = program.stat()
    yield f"{program} {seen.st_size} {seen.st_mtime_ns}".encode()
    for pattern in ("*.tf", "*.tf.json", "*/*.tf", "*/*.tf.json"):
        for path in sorted(directory.glob(pattern)):
            yield str(path.relative_to(directory)).encode()
            yield path.read_bytes()
    yield environment.get("TF_PLUGIN_CACHE_DIR", "").encode()
    for path in _configurations(directory, environment):
        yield str(path).encode()
        with suppress(OSError):
            yield path.read_bytes()


def _configurations(directory: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    """https://developer.hashicorp.com/terraform/cli/config/config-file#locations, and OpenTofu's"""
    home = Path(environment.get("HOME") or Path.home())
    own = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    if named := environment.get("TF_CLI_CONFIG_FILE"):
        yield directory / named  # where Terraform runs, unless it is absolute
    else:
        yield from (home / ".terraformrc", home / ".tofurc", own / "opentofu" / "tofurc")
    yield from sorted((home / ".terraform.d").glob("*.tfrc*"))


def _of_anybody(data: Path) -> bool:
    """No backend's settings, and no module but those that lie in the directory itself."""
    try:
        if {one.name for one in data.iterdir()} - {"providers", "modules", STAMP}:
            return False
        modules = data / "modules" / "modules.json"
        known = json.loads(modules.read_text(encoding="utf-8"))["Modules"]
        inside = all(Path(one["Dir"]).parent == Path() for one in known)
        return inside and bool(packages(data)) and all(map(_whole, packages(data)))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _whole(package: Path) -> bool:
    """Something is in it. A package out of a mirror is a link into that, and mirrors get removed.

    What else may be wrong with it Terraform finds by its lock file, at every start.
    """
    return package.is_dir() and any(package.iterdir())


def _copy(source: Path, target: Path) -> None:
    """Files as hard links, but for those that Terraform may write anew; links as they are."""

    def one(from_: str, to: str) -> None:
        if Path(from_).parent.name == "modules":
            shutil.copyfile(from_, to)
        else:
            os.link(from_, to, follow_symlinks=False)

    shutil.copytree(source, target, symlinks=True, copy_function=one)


def _private(room: Path) -> bool:
    """Nobody else can put a program there, which would run with this user's credentials."""
    seen = room.stat()
    return seen.st_uid == os.geteuid() and not seen.st_mode & 0o022
