"""A first boot that is cut off, again and again, and what comes of it. Needs root.

On Debian 13, that the template is seen there too: the other tests' notebook runs on what the
embedded EC2 calls Ubuntu 24.04, which is Debian 12.
"""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from bench.embedded import Account
from tests.machine import reach
from tests.machine_tree import TEMPLATES
from wrapper import console, local
from wrapper.notebook import Notebook, pin

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from tests.machine.live import Live

pytestmark = [pytest.mark.machine, pytest.mark.slow]

CUTS = (
    ("settings", "firewall", "address", "data", "services", "conda"),
    ("certificate", "server"),
    ("repository", "environment"),
    ("notebook",),
)
"""At each power loss, the phases that it meets: those that run side by side at once."""
PHASES = {
    one.name.removeprefix("jupyter-clouds-").removesuffix(".service")
    for one in (TEMPLATES / "machine/etc/systemd/system").glob("jupyter-clouds-*.service")
} - {"fingerprint"}  # every ten minutes
ZONE = "us-east-1a"
BOOT = "Welcome to "
"""What systemd writes first at every boot."""
FOLDER = "/opt/held"
ENVIRONMENT = "/etc/jupyter-clouds/environment.yml"
# Most phases take a tenth of a second. Here they stay where they are as soon as the first program
# that they started has ended, or, where they start none, before they tell of their own end.
HOLD = f"""
import os, sys, time
if "".join(sys.orig_argv[-2:-1]).endswith("/phase.py"):
    name, real, parent = sys.orig_argv[-1], os.waitpid, os.getpid()
    def waitpid(*words):
        found = real(*words)
        try:
            with open("{FOLDER}/now") as file: held = file.read().split()
        except FileNotFoundError: held = {list(CUTS[0])!r}
        if name in held:
            with open("/dev/console", "w") as file: print("\\nheld:", name, file=file, flush=True)
            time.sleep(3600)
        if f"not-{{name}}" in held and os.getpid() != parent:
            os._exit(1)
        return found
    os.waitpid = waitpid
"""


def bundle(folder: Path) -> bytes:
    """A repository in one file, which git clones like any other."""
    identity = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    subprocess.run(["git", "init", "-q", folder], check=True)
    for words in (
        (*identity, "commit", "-q", "--allow-empty", "-m", "begun"),
        ("bundle", "create", "-q", "one", "HEAD"),
    ):
        subprocess.run(["git", "-C", folder, *words], check=True)
    return (folder / "one").read_bytes()


def held(user_data: str, repository: bytes) -> str:
    """The user data of a machine with a repository and few packages, whose phases can be held."""
    document: dict[str, Any] = yaml.safe_load(user_data)
    drop_in = "/etc/systemd/system/jupyter-clouds-.service.d/held.conf"
    (environment,) = (one for one in document["write_files"] if one["path"] == ENVIRONMENT)
    environment["content"] = json.dumps({"dependencies": ["python", "ipykernel", "iniconfig"]})
    document["write_files"] += [
        {"path": f"{FOLDER}/sitecustomize.py", "content": HOLD},
        {"path": drop_in, "content": f"[Service]\nEnvironment=PYTHONPATH={FOLDER}\n"},
        {
            "path": f"{FOLDER}/thesis",
            "content": base64.b64encode(repository).decode(),
            "encoding": "b64",
        },
        {"path": "/etc/jupyter-clouds/repository", "content": f"{FOLDER}/thesis"},
    ]
    return f"#cloud-config\n{json.dumps(document)}"


class Machine:
    """The machine, from outside and from inside."""

    def __init__(self, account: Account, instance_id: str) -> None:
        self.account, self.id = account, instance_id

    def boot(self) -> str:
        """What is on its console since the last boot."""
        return self.account.shown(self.id).rpartition(BOOT)[2]

    def shows(self, *lines: str, seconds: float = 240) -> None:
        """The lines are on the console since the last boot."""

        def shown() -> bool:
            boot = self.boot()
            return all(line in boot for line in lines)

        self.until(shown, seconds=seconds)

    def until(self, done: Callable[[], bool], *, seconds: float = 240) -> None:
        """It is so."""
        reach.until(done, lambda: self.account.shown(self.id)[-3000:], seconds=seconds)

    def inside(self, command: str) -> str:
        """What the command prints, run by root inside the machine."""
        return reach.inside(self.id, "sh", "-ec", command)

    def hold(self, names: Collection[str]) -> None:
        """These phases do not end, from now on."""
        # No power loss takes it back.
        self.inside(f"echo {' '.join(names)} >{FOLDER}/now; sync {FOLDER}/now {FOLDER}")

    def pull_the_plug(self) -> str:
        """The machine lost its power, and has it again; what its console had until then."""
        ids, soon = [self.id], {"Delay": 1}
        # EC2 stops no pending instance, and the console may be ahead of its state.
        ec2 = self.account.ec2
        ec2.get_waiter("instance_running").wait(InstanceIds=ids, WaiterConfig=soon)
        ec2.stop_instances(InstanceIds=ids, Force=True)
        ec2.get_waiter("instance_stopped").wait(InstanceIds=ids, WaiterConfig=soon)
        shown = self.boot()
        ec2.start_instances(InstanceIds=ids)
        return shown


def no_notebook_without_its_firewall(machine: Machine) -> None:
    """What was to keep the notebook's user from the metadata failed: none starts, until it went."""
    machine.shows("jupyter-clouds: phase=firewall state=failed")
    asked = "systemctl show jupyter-clouds-notebook -P ConditionTimestampMonotonic"
    machine.until(lambda: machine.inside(asked).strip() != "0")
    assert "inactive" in machine.inside("systemctl is-active jupyter-clouds-notebook || :")
    machine.hold(["notebook"])
    # Its timer does, every ten minutes.
    machine.inside("systemctl start jupyter-clouds-fingerprint")


@pytest.mark.timeout(900)
def test_a_power_loss_in_each_phase_of_the_first_boot_ends_in_an_answering_notebook(
    live: Live, tmp_path: Path
) -> None:
    if not live.own:
        pytest.skip("only machines of the tests' own lose their power")
    assert {name for names in CUTS for name in names} == PHASES
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
            UserData=gzip.compress(held(text, bundle(tmp_path)).encode()),
            SecurityGroupIds=[group],
        ) as instance_id:
            attach(instance_id)
            machine = Machine(account, instance_id)
            for names, following in zip(CUTS, [*CUTS[1:], ("none",)], strict=True):
                if names == ("notebook",):
                    no_notebook_without_its_firewall(machine)
                machine.shows(*(f"held: {name}" for name in names))
                machine.hold(following if following != ("notebook",) else ("not-firewall",))
                cut = machine.pull_the_plug()
                for name in names:
                    assert f"jupyter-clouds: phase={name} state=started" in cut
                    assert f"jupyter-clouds: phase={name} seconds=" not in cut
            machine.shows(
                "jupyter-clouds: phase=environment seconds=",
                "jupyter-clouds: phase=repository seconds=",
                "jupyter-clouds: ready port=",
            )
            assert "Welcome to Debian GNU/Linux 13" in account.shown(instance_id)
            boot = console.parse(account.shown(instance_id))
            assert boot.fingerprint is not None
            pinned = pin(address, 9999, key_sha256=boot.fingerprint.key_sha256)
            with Notebook(f"https://{address}:9999", pinned, live.password) as notebook:
                notebook.login()
                assert notebook.run_cell("import iniconfig; print(6 * 7)").strip() == "42"
                cloned = (
                    "import pathlib; print((pathlib.Path.home() / 'work/thesis/.git').is_dir())"
                )
                assert notebook.run_cell(cloned).strip() == "True"
