"""`make bench`: the embedded EC2 is started, measured and left as it was found.

`up` against its floor, which is the same machine booted from the same user data and the same
environments installed, by the EC2 API alone; and against the tutorial typed out by hand.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import door, files, images, market, measure, other_ways, recovery, unattended
from bench.embedded import TYPE, Account
from bench.memory import in_use
from bench.report import Row, phases, table
from wrapper import local

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = Path("/var/cache/jupyter-clouds/packages")
"""Where the embedded EC2 keeps what machines install, and has compiled it."""


def main() -> None:
    """The table is printed, and written where `--write` says."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table there, too")
    asked = parser.parse_args()
    # As for a user, whose Python keeps what it has compiled.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    was_running = local.status().running
    with packages_put_aside() if not was_running else nullcontext():
        status = local.start()
        try:
            with tempfile.TemporaryDirectory() as folder:
                text = measured(Path(folder), status.env, bare=not was_running)
        finally:
            if not was_running:
                local.stop()
    print(text)
    if asked.write:
        asked.write.write_text(text)


@contextmanager
def packages_put_aside() -> Iterator[None]:
    """The embedded EC2 has none of the packages that machines install; in the end those of before
    are there again.
    """
    before = PACKAGES.with_name("packages.before")
    if before.exists():  # of a bench that was killed
        shutil.rmtree(PACKAGES, ignore_errors=True)
    elif PACKAGES.exists():
        PACKAGES.rename(before)
    try:
        yield
    finally:
        if before.exists():
            shutil.rmtree(PACKAGES, ignore_errors=True)
            before.rename(PACKAGES)


def measured(folder: Path, embedded: dict[str, str], *, bare: bool) -> str:
    """All measurements, as Markdown; `bare`: no packages are kept at the beginning."""
    # The first `up` finds nothing here that others left, Terraform's provider neither.
    own = {"XDG_DATA_HOME": str(folder / "data"), "XDG_CACHE_HOME": str(folder / "cache")}
    environment = {**os.environ, **own}
    account = Account(embedded)
    arguments = ("up", "bench", "--local", "--yes", "--fresh-data", "--instance-type", TYPE)
    say("offers")
    offered = market.rows(folder, environment)
    say("up with nothing kept" if bare else "once for the caches, not counted")
    first = images.made(account, arguments, environment)
    saved = ended(environment)
    say("up, by the wrapper")
    up = images.made(account, arguments, environment)
    made, verified = up.document, up.verified
    password = (folder / "data/jupyter-clouds/bench/password").read_text().strip()
    user_data = account.user_data(made["instance_id"])
    image = account.image(made["instance_id"])
    rows = work(folder, environment, arguments, made, password)
    say("an image of it")
    measure.wrapper("bake", "bench", "--yes", environment=environment)
    say("down")
    down = ended(environment, "--data", "delete")
    say("up, with the image")
    fresh = images.Fresh(up, first if bare else None)
    begun = images.rows(account, arguments, environment, fresh)
    say("an interruption")
    interrupted = recovery.rows(account, folder, environment)
    say("the floor: the same machine by the EC2 API alone")
    floor, installed, gone = other_ways.the_floor(account, image, user_data, made["url"], password)
    say("Terraform, typed")
    terraform = other_ways.by_terraform(account, folder, embedded)
    say("the tutorial, typed")
    typed = other_ways.the_tutorial(account, image, folder, embedded)
    what = "up to a cell that ran"
    ups = [
        Row(what, verified, "its floor, one environment installed", floor),
        Row(what, verified, "its floor, both environments installed", installed, aim=1.3),
        Row(what, verified, "plain Terraform, then a login by hand", terraform),
        Row(what, verified, "the tutorial, typed", typed),
        Row("up to its end", up.whole, "up to a cell that ran", verified),
        Row("down to `0 left`, data deleted", down, "terminating the machine alone", gone),
        Row("down to `0 left`, with a snapshot", saved, "down, data deleted", down),
    ]
    return f"{table([*ups, *begun, *rows, *interrupted, *offered])}\n\n{phases(made['seconds'])}\n"


def ended(environment: dict[str, str], *more: str) -> float:
    """Seconds of the wrapper's `down`."""
    return measure.seconds(
        lambda: measure.wrapper("down", "bench", "--yes", *more, environment=environment)
    )


def work(
    folder: Path,
    environment: dict[str, str],
    arguments: tuple[str, ...],
    made: dict[str, Any],
    password: str,
) -> list[Row]:
    """What is done with the machine that `up` has made with these arguments."""
    rows = [*commands(environment), *memory(made, password)]
    say("the door of open")
    rows += door.rows()
    say("a notebook, unattended")
    rows += unattended.rows(folder, environment, made, password)
    say("files there")
    # The same machine: only its port 22 is opened.
    measure.wrapper(*arguments, "--ssh", environment=environment)
    (folder / "files").mkdir()
    return rows + files.rows(folder / "files", environment, "bench")


def commands(environment: dict[str, str]) -> list[Row]:
    """How long commands take to start, against Python with nothing."""
    say("start-up of commands")
    bare = measure.median([measure.PYTHON, "-c", "pass"], environment)
    command = [measure.PYTHON, "-m", "wrapper"]
    helped = measure.median([*command, "--help"], environment)
    status = measure.median([*command, "status", "bench"], environment)
    against = "python -c pass"
    return [Row("--help", helped, against, bare), Row("status", status, against, bare)]


def memory(made: dict[str, Any], password: str) -> list[Row]:
    """Memory of our Jupyter server, against a plain one on the same machine; and of all of it."""
    say("memory")
    machine, ours, plain = in_use(made["url"], made["key_sha256"], password)
    server = "memory of the notebook's server"
    return [
        Row(server, ours, "plain JupyterLab", plain, unit="MiB"),
        Row("memory of the machine, one kernel", machine, server, ours, unit="MiB"),
        Row("memory of the machine, one kernel", machine, "700 MB", 7e8 / 2**20, unit="MiB", aim=1),
    ]


def say(what: str) -> None:
    """Progress, on standard error."""
    print(f"bench: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
