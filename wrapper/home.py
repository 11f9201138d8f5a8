"""A deployment's own directory: Terraform root, state, password, record, lock. All of it 0700.

$XDG_DATA_HOME/jupyter-clouds/NAME/
    deployment.json          where it lives and what is known of it
    main.tf  module/         the root that calls the module, and the module
    terraform.tfvars.json    its values
    terraform.tfstate        Terraform's
    password                 0600
    password.new             the next one, from before the machine is told until it holds
    packages.json            those that user data has no room for
    packages-sent.json       the machine that they are on, or the run there that installs them
    journal.jsonl            when its machines ran and what it held
    lock                     held, with the holder's pid in it, while a command works on it
    packages.lock            likewise, while an `up` has packages installed
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from wrapper import lock
from wrapper.errors import DiskError, FailedError, LockedError
from wrapper.settings import DEFAULT_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wrapper.lock import Holder

DIRECTORY_MODE = 0o700
SECRET_MODE = 0o600


@dataclass(frozen=True)
class Place:
    """Where a deployment lives."""

    kind: Literal["aws", "local"]
    region: str
    account: str

    def __str__(self) -> str:
        where = "the embedded EC2" if self.kind == "local" else f"AWS account {self.account}"
        return f"{where}, region {self.region}"


@dataclass(frozen=True)
class Record:
    """What a deployment remembers between commands; no secret in it."""

    name: str
    place: Place
    settings: dict[str, Any] = field(default_factory=dict)
    """What the user asked for; `up` without options asks for the same again."""
    chosen: dict[str, Any] = field(default_factory=dict)
    """What EC2 had, where it did not have what was asked for: type, market, subnet."""
    move: dict[str, str] = field(default_factory=dict)
    """A move that is going on: the volume that the data was on, the snapshot it travels in."""
    guard: dict[str, str] = field(default_factory=dict)
    """The schedule that ends its hours: at which moment, or why there is none."""
    rehearsal: str | None = None
    """Marks what was made to send an interruption, until all of it is gone."""
    own_cidr: str | None = None
    """The caller's address as last let in; `allow` makes it follow."""
    image: str | None = None
    """The image baked of it that a new machine begins with; None for Ubuntu's, or one's own."""
    generation: int = 1
    """Raised by `up --replace`."""
    outputs: dict[str, Any] = field(default_factory=dict)
    """Terraform's outputs after the last apply, so that looking needs no Terraform."""
    key_sha256: str | None = None
    """The pin: SHA-256 of the key's SPKI, as the console showed it."""
    certificate_sha256: str | None = None
    certificate_for: str | None = None
    """The name that the user's own certificate is for: the pin is that one's, not the machine's."""
    verified: bool = False
    """A cell ran on this machine."""
    hourly_price: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    instance_ids: tuple[str, ...] = ()
    """Every machine seen under this name: spot leaves some without a tag."""
    request_ids: tuple[str, ...] = ()
    ended: bool = False
    """`down` found nothing left; only the place is remembered, and what the data needs."""
    last_type: str | None = None
    """Of the machine before `down`: environments that were kept run on its architecture."""

    @property
    def instance_id(self) -> str | None:
        """The machine Terraform knows of."""
        found = self.outputs.get("instance_id")
        return found if isinstance(found, str) else None


JOURNAL = "journal.jsonl"
_LASTING = ("deployment.json", "lock", JOURNAL)


class Home:
    """One deployment's directory. Nothing is made before `create`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name

    def create(self) -> None:
        """The directory exists and is the user's alone. DiskError when it cannot."""
        with as_disk_error(self.path):
            self.path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            self.path.chmod(DIRECTORY_MODE)

    def record(self) -> Record | None:
        """What is remembered; None when there is no such deployment. FailedError when damaged."""
        path = self.path / "deployment.json"
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            place = Place(**raw.pop("place"))
            instances, requests = raw.pop("instance_ids", ()), raw.pop("request_ids", ())
            known = {one.name for one in dataclasses.fields(Record)}
            kept = {key: value for key, value in raw.items() if key in known}
            return Record(
                place=place, instance_ids=tuple(instances), request_ids=tuple(requests), **kept
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise FailedError(
                f"{path} cannot be read: {error}",
                hint=f"mv {path} {path}.broken; python -m wrapper down {self.name} --region REGION",
            ) from error

    def remember(self, record: Record) -> Record:
        """The record is on disk; the same record."""
        self.write("deployment.json", json.dumps(dataclasses.asdict(record), indent=2) + "\n")
        return record

    def write(self, name: str, content: str) -> Path:
        """The file holds that content and is the user's alone; never half of it. DiskError."""
        return write_private(self.path / name, content)

    def write_variables(self, variables: Mapping[str, Any]) -> None:
        """The module's values are in the tfvars file."""
        self.write("terraform.tfvars.json", json.dumps(dict(variables), indent=2) + "\n")

    def variables(self) -> dict[str, Any]:
        """The module's values as last written; empty before."""
        try:
            loaded = json.loads((self.path / "terraform.tfvars.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return loaded if isinstance(loaded, dict) else {}

    def password(self, file: str = "password") -> str | None:
        """The notebook's password; None when none is kept here."""
        try:
            return (self.path / file).read_text(encoding="utf-8").removesuffix("\n")
        except FileNotFoundError:
            return None

    def write_password(self, password: str) -> None:
        """The password is kept, readable by its owner alone."""
        self.write("password", password + "\n")

    def is_bare(self) -> bool:
        """At most a record is here."""
        with as_disk_error(self.path):
            return all(entry.name in _LASTING for entry in self.path.iterdir())

    def empty(self) -> None:
        """Everything but the record is gone, the password first."""
        with as_disk_error(self.path):
            (self.path / "password").unlink(missing_ok=True)
            for entry in self.path.iterdir():
                if entry.name in _LASTING:
                    continue
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()

    def end(self, record: Record) -> None:
        """Only the place and the type are remembered: a later `down` knows where to look."""
        self.empty()
        last = record.last_type
        if record.instance_ids:
            asked = record.chosen.get("instance_type") or record.settings.get("instance_type")
            last = asked or DEFAULT_TYPE
        self.remember(Record(name=record.name, place=record.place, ended=True, last_type=last))

    @contextmanager
    def locked(self, command: str, file: str = "lock") -> Iterator[int]:
        """Nobody else works on the deployment; yields the lock's descriptor. LockedError.

        A child that inherits the descriptor keeps the lock: Terraform goes on when its parent is
        killed, and nobody may start a second one beside it.
        """
        with as_disk_error(self.path):
            descriptor = os.open(self.path / file, os.O_RDWR | os.O_CREAT, SECRET_MODE)
        try:
            if holder := lock.take(descriptor, command):
                raise _locked_by(self.name, holder)
            yield descriptor
        finally:
            os.close(descriptor)


def root(environment: Mapping[str, str]) -> Path:
    """Where all deployments are kept."""
    data = environment.get("XDG_DATA_HOME") or ""
    # The specification: a relative path is to be ignored.
    base = Path(data) if Path(data).is_absolute() else _home(environment) / ".local" / "share"
    return base / "jupyter-clouds"


def _home(environment: Mapping[str, str]) -> Path:
    named = environment.get("HOME")
    return Path(named) if named else Path.home()


def homes(environment: Mapping[str, str]) -> list[Home]:
    """Every deployment's directory, by name; also of those that are down."""
    try:
        found = sorted(root(environment).iterdir())
    except FileNotFoundError:
        return []
    return [Home(path) for path in found if (path / "deployment.json").is_file()]


def write_private(path: Path, content: str) -> Path:
    """The file holds that content, mode 0600, and was never half written. DiskError."""
    with as_disk_error(path):
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            # mkstemp: 0600. Names of files in it may be any bytes.
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    return path


@contextmanager
def as_disk_error(path: Path) -> Iterator[None]:
    """What the disk refuses leaves as DiskError."""
    try:
        yield
    except (LockedError, DiskError):
        raise
    except OSError as error:
        raise DiskError(
            f"{error.filename or path} cannot be written: {error.strerror}",
            hint=f"df -h {path.parent}; ls -ld {path.parent}",
        ) from error


def _locked_by(name: str, holder: Holder) -> LockedError:
    if holder.lives:
        return LockedError(
            f"{name} is locked by process {holder.pid} (`{holder.command}`).",
            hint=f"Wait for it, or end it: kill {holder.pid}",
        )
    return LockedError(
        f"{name} is locked: process {holder.pid or 'unknown'} (`{holder.command}`) is gone, "
        "but the Terraform that it started still finishes its work.",
        hint="Wait for it: pgrep -a terraform",
    )
