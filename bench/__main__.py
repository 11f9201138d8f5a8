"""`make bench`: the embedded EC2 is started, measured and left as it was found.

`up` against its floor, which is the same machine booted from the same user data and the same
environments installed, by the EC2 API alone; and against the tutorial typed out by hand.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import os
import shutil
import sys
import tempfile
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import door, files, images, market, measure, recovery, tutorial, unattended
from bench.embedded import TYPE, Account
from bench.memory import in_use
from bench.plain import PlainTerraform
from bench.report import Row, phases, table
from wrapper import local

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
PORT = 9999
ZONE = "us-east-1a"
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
    environment = {**os.environ, "XDG_DATA_HOME": str(folder / "data")}
    account = Account(embedded)
    arguments = ("up", "bench", "--local", "--yes", "--fresh-data", "--instance-type", TYPE)
    say("offers")
    offered = market.rows(folder, environment)
    say("up with nothing kept" if bare else "once for the caches, not counted")
    first = images.made(account, arguments, environment)
    saved = measure.seconds(
        lambda: measure.wrapper("down", "bench", "--yes", environment=environment)
    )
    say("up, by the wrapper")
    up = images.made(account, arguments, environment)
    made, verified = up.document, up.verified
    password = (folder / "data/jupyter-clouds/bench/password").read_text().strip()
    user_data = account.user_data(made["instance_id"])
    image = account.image(made["instance_id"])
    rows = [*commands(environment), *memory(made, password)]
    say("the door of open")
    rows += door.rows()
    say("a notebook, unattended")
    rows += unattended.rows(folder, environment, made, password)
    say("files there")
    # The same machine: only its port 22 is opened.
    measure.wrapper(*arguments, "--ssh", environment=environment)
    (folder / "files").mkdir()
    rows += files.rows(folder / "files", environment, "bench")
    say("an image of it")
    measure.wrapper("bake", "bench", "--yes", environment=environment)
    say("down")
    down = measure.seconds(
        lambda: measure.wrapper(
            "down", "bench", "--yes", "--data", "delete", environment=environment
        )
    )
    say("up, with the image")
    fresh = images.Fresh(up, first if bare else None)
    begun = images.rows(account, arguments, environment, fresh)
    say("an interruption")
    interrupted = recovery.rows(account, folder, environment)
    say("the floor: the same machine by the EC2 API alone")
    floor, installed, gone = the_floor(account, image, user_data, made["url"], password)
    say("Terraform, typed")
    terraform = by_terraform(account, folder, embedded)
    say("the tutorial, typed")
    typed = the_tutorial(account, image, folder, embedded)
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


def the_floor(
    account: Account, image: str, user_data: str, url: str, password: str
) -> tuple[float, float, float]:
    """Seconds from RunInstances to a cell that ran, to all installed; and of the machine's end."""
    old_address = url.split("/")[2].split(":", maxsplit=1)[0]
    given = gzip.decompress(base64.b64decode(user_data)).decode()
    with ExitStack() as stack:
        address, allocation = stack.enter_context(account.address())
        group = stack.enter_context(account.group(PORT))
        text = given.replace(old_address, address)
        text = stack.enter_context(account.programs(text, address))
        attach = stack.enter_context(account.volume(ZONE))
        machine = account.machine(
            image=image,
            allocation=allocation,
            Placement={"AvailabilityZone": ZONE},
            UserData=gzip.compress(text.encode()),
            SecurityGroupIds=[group],
        )
        ids: list[str] = []

        def boot() -> None:
            ids.append(machine.__enter__())
            attach(ids[0])
            account.wait_until_verified(ids[0], address, password)

        floor = measure.seconds(boot)
        installing = measure.seconds(lambda: account.wait_until_installed(ids[0]))
        gone = measure.seconds(lambda: machine.__exit__(None, None, None))
    return floor, floor + installing, gone


def by_terraform(account: Account, folder: Path, embedded: dict[str, str]) -> float:
    """Seconds from `terraform init` to a cell that ran, with no wrapper."""
    terraform = PlainTerraform(ROOT, folder / "plain", {**os.environ, **embedded})

    def all_of_it() -> None:
        made = terraform.up(
            name="bench-plain",
            instance_type=TYPE,
            allow_world=True,
            allowed_cidrs=["0.0.0.0/0"],
        )
        account.wait_until_verified(made["instance_id"], made["public_ip"], made["password"])

    try:
        return measure.seconds(all_of_it)
    finally:
        terraform.down()


def the_tutorial(account: Account, image: str, folder: Path, embedded: dict[str, str]) -> float:
    """Seconds from RunInstances to a notebook that answers, everything done by hand."""
    key = tutorial.make_key(folder)
    name = "bench-tutorial"
    account.ec2.import_key_pair(
        KeyName=name, PublicKeyMaterial=key.with_suffix(".pub").read_bytes()
    )
    packages = (ROOT / "templates/machine/opt/jupyter-clouds/server.txt").read_text()
    try:
        with account.address() as (address, allocation), account.group(22, PORT) as group:
            task = tutorial.Task(
                folder=folder,
                address=address,
                key=key,
                user="debian",
                installer=embedded["TF_VAR_miniforge_url"],
                environment=(ROOT / "templates/environment.yml").read_text(),
                packages=[line for line in packages.split("\n") if line and line[0] != "#"],
            )
            machine = account.machine(
                image=image, allocation=allocation, KeyName=name, SecurityGroupIds=[group]
            )

            def by_hand() -> None:
                tutorial.follow(account, machine.__enter__(), task)

            try:
                return measure.seconds(by_hand)
            finally:
                machine.__exit__(None, None, None)
    finally:
        account.ec2.delete_key_pair(KeyName=name)


def say(what: str) -> None:
    """Progress, on standard error."""
    print(f"bench: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
