"""Ways to the same notebook without the wrapper: the EC2 API alone, Terraform, the tutorial."""

from __future__ import annotations

import base64
import gzip
import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bench import measure, tutorial
from bench.embedded import TYPE
from bench.plain import PlainTerraform

if TYPE_CHECKING:
    from bench.embedded import Account

ROOT = Path(__file__).parent.parent
PORT = 9999
ZONE = "us-east-1a"


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
