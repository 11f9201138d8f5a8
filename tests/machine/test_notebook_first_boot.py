"""A first boot that is cut off, again and again, and what comes of it. Needs root.

On Debian 13, that the template is seen there too: the other tests' notebook runs on what the
embedded EC2 calls Ubuntu 24.04, which is Debian 12.
"""

from __future__ import annotations

import base64
import gzip
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from bench.embedded import Account
from wrapper import console, local
from wrapper.notebook import Notebook, pin

if TYPE_CHECKING:
    from tests.machine.conftest import Live

pytestmark = [pytest.mark.machine, pytest.mark.slow]

PHASES = (
    *("data", "certificate", "address", "services", "conda", "server"),
    *("notebook", "environment"),
)
ZONE = "us-east-1a"
BOOT = "Welcome to "
"""What systemd writes first at every boot."""


def wait_for(account: Account, instance_id: str, line: str, *, seconds: float = 240) -> None:
    """The line is on the console since the last boot."""
    until = time.monotonic() + seconds
    while line not in account.shown(instance_id).rpartition(BOOT)[2]:
        assert time.monotonic() < until, account.shown(instance_id)[-3000:]
        time.sleep(0.1)


def pull_the_plug(account: Account, instance_id: str) -> None:
    """The machine lost its power, and has it again."""
    ids = [instance_id]
    # EC2 stops no pending instance, and the console may be ahead of its state.
    account.ec2.get_waiter("instance_running").wait(InstanceIds=ids, WaiterConfig={"Delay": 1})
    account.ec2.stop_instances(InstanceIds=ids, Force=True)
    account.ec2.get_waiter("instance_stopped").wait(InstanceIds=ids, WaiterConfig={"Delay": 1})
    account.ec2.start_instances(InstanceIds=ids)


@pytest.mark.timeout(900)
def test_a_power_loss_in_each_phase_of_the_first_boot_ends_in_an_answering_notebook(
    live: Live,
) -> None:
    if not live.own:
        pytest.skip("only machines of the tests' own lose their power")
    account = Account(local.status().env)
    described = account.ec2.describe_addresses(PublicIps=[live.host])["Addresses"][0]
    like = described["InstanceId"]
    text = gzip.decompress(base64.b64decode(account.user_data(like))).decode()
    named = [{"Name": "name", "Values": ["debian-13-amd64-*"]}]
    image = account.ec2.describe_images(Filters=named)["Images"][0]["ImageId"]
    with ExitStack() as stack:
        address, allocation = stack.enter_context(account.address())
        group = stack.enter_context(account.group(9999))
        text = text.replace(live.host, address)
        text = stack.enter_context(account.programs(text, address))
        attach = stack.enter_context(account.volume(ZONE))
        with account.machine(
            image=image,
            allocation=allocation,
            Placement={"AvailabilityZone": ZONE},
            UserData=gzip.compress(text.encode()),
            SecurityGroupIds=[group],
        ) as instance_id:
            attach(instance_id)
            for phase in PHASES:
                wait_for(account, instance_id, f"jupyter-clouds: phase={phase} state=started")
                pull_the_plug(account, instance_id)
            wait_for(account, instance_id, "jupyter-clouds: phase=environment seconds=")
            assert "Welcome to Debian GNU/Linux 13" in account.shown(instance_id)
            boot = console.parse(account.shown(instance_id))
            assert boot.fingerprint is not None
            pinned = pin(address, 9999, key_sha256=boot.fingerprint.key_sha256)
            with Notebook(f"https://{address}:9999", pinned, live.password) as notebook:
                notebook.login()
                assert notebook.run_cell("import pandas; print(6 * 7)").strip() == "42"
