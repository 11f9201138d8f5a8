"""A machine's image, and a machine that begins with it: nothing installed, nothing personal.

The machine is that of test_acme.py, whose tests come before.
"""

from __future__ import annotations

import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.embedded import Account
from tests.machine.live import Live
from tests.machine.reach import until
from tests.machine.typed import UP_SECONDS, document, wrapper
from wrapper import local

if TYPE_CHECKING:
    from tests.machine.certified import Certified

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

MACHINES = Path("/var/lib/jupyter-clouds-local/machines")
SECRET = f"personal-{secrets.token_hex(8)}"
# Home is on the root disk: these machines have no data volume.
LIVED_IN = f"""
import pathlib, subprocess
home = pathlib.Path.home()
for name in (
    ".aws/credentials",
    ".bash_history",
    ".git-credentials",
    ".local/share/jupyter/nbsignatures.db",
    ".local/share/jupyter/notebook_secret",
    ".ssh/authorized_keys",
    "work/thesis.txt",
):
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    (home / name).write_text("{SECRET}")
for name in ("tmp", "var/tmp"):
    pathlib.Path(f"/{{name}}/upload").write_text("{SECRET}")
subprocess.run(["logger", "{SECRET}"], check=True)
for name in (
    "root/.ssh/authorized_keys",
    "root/notes",
    "swap-hibinit",
    "var/crash/_usr_bin_python3.0.crash",
    "var/lib/systemd/coredump/core.python3",
    "var/mail/notebook",
    "var/spool/cron/crontabs/notebook",
):
    write = f'mkdir -p "$(dirname /{{name}})"; echo "{SECRET}" >/{{name}}'
    subprocess.run(["sudo", "sh", "-c", write], check=True)
pathlib.Path("/opt/conda/envs/notebook/added").write_text("by hand")
child = subprocess.Popen(["sleep", "987654"], start_new_session=True)
print("lived in by", child.pid)
"""


@dataclass
class Images:
    """Two machines of one name, the second begun with the image of the first."""

    name: str
    environment: dict[str, str]
    first: dict[str, Any]
    baked: dict[str, Any]
    second: dict[str, Any]
    before: dict[str, bytes]
    """Of the first machine's disk: files whose contents must not come again."""
    hashes: list[str]
    """Of the first machine's passwords: the one that it was given, the one that took its place."""
    alive: str
    """The command of a process of the first machine, as seen after the baking."""

    def command(self, *words: str) -> Any:
        return document(wrapper(*words, environment=self.environment, seconds=UP_SECONDS))

    def live(self) -> Live:
        password = self.command("password", self.name, "--json")["password"]
        return Live(self.second["url"], password, self.second["key_sha256"], own=True)

    @property
    def disk(self) -> Path:
        """The second machine's root file system."""
        return MACHINES / str(self.second["instance_id"]) / "root"


KEYS = ("ecdsa", "ed25519")
PERSONAL = (
    "etc/jupyter-clouds/machine.json",
    "etc/machine-id",
    *(f"etc/ssh/ssh_host_{kind}_key" for kind in KEYS),
    "var/lib/jupyter-clouds/notebook/cookie_secret",
    "var/lib/jupyter-clouds/notebook/tls/certificate.pem",
    "var/lib/jupyter-clouds/notebook/tls/key.pem",
)
ROTATED = "var/lib/jupyter-clouds/notebook/password_hash"
ACCOUNTS = "var/lib/jupyter-clouds/acme/config/accounts"


@pytest.fixture(scope="module")
def images(certified: Certified) -> Images:
    name, first, command = certified.name, certified.told, certified.command
    disk = MACHINES / first["instance_id"] / "root"
    until(certified.is_certified, certified.authority.log.read_text)
    assert (disk / ACCOUNTS).is_dir()
    again = ("password", name, "--new", "--generate-password", "--json")
    command(*again)
    with certified.live().logged_in() as notebook:
        pid = notebook.run_cell(LIVED_IN).split()[-1]
        baked = command("bake", name, "--yes", "--json")
        alive = notebook.run_cell(f"print(open('/proc/{pid}/cmdline').read())")
    before = {one: (disk / one).read_bytes() for one in PERSONAL}
    hashes = (disk / ROTATED).read_text().splitlines()
    command("down", name, "--yes", "--json")
    up = ("up", name, "--local", "--yes", "--json", "--generate-password", *certified.packages)
    # What has an address of its own for as long as it runs only.
    second = command(*up, "--data-size", "0", "--no-elastic-ip")
    return Images(name, certified.environment, first, baked, second, before, hashes, alive)


def test_the_machine_that_was_baked_went_on(images: Images) -> None:
    assert "987654" in images.alive
    assert images.baked["shows"] == "flushed"
    assert images.baked["packages"].startswith("python=3.")
    assert " jupyterlab=4." in images.baked["packages"]
    assert len(images.baked["environment"]) == len(images.baked["programs"]) == 12


def test_the_next_begins_with_it_and_installs_nothing(images: Images) -> None:
    assert images.second["instance_id"] != images.first["instance_id"]
    phases = images.command("status", images.name, "--json")["phases"]
    assert {one["state"] for one in phases.values()} == {"done"}
    for name in ("conda", "server", "environment"):
        log = images.disk / "var/log/jupyter-clouds" / f"{name}.log"
        assert log.read_text() == "", f"{name} was installed"


def test_what_was_added_to_the_environment_is_there_and_a_cell_runs(images: Images) -> None:
    with images.live().logged_in() as notebook:
        printed = notebook.run_cell("print(open('/opt/conda/envs/notebook/added').read())")
    assert printed.strip() == "by hand"


def test_nothing_personal_came_along(images: Images) -> None:
    assert len(images.hashes) == 2
    words = [f"--regexp={one}" for one in (SECRET, *images.hashes)]
    # Everywhere, also where nobody thought of.
    # Bytes, not letters: in seconds.
    search = ["env", "LC_ALL=C", "grep", "-rlaF", "--devices=skip", *words, str(images.disk)]
    assert subprocess.run(search, capture_output=True, text=True, check=False).stdout == ""
    for name, content in images.before.items():
        assert (images.disk / name).read_bytes() != content, name
    assert not (images.disk / ACCOUNTS).exists(), "with the authority of its certificate"
    assert images.second["key_sha256"] != images.first["key_sha256"]
    instances = [one.name for one in (images.disk / "var/lib/cloud/instances").iterdir()]
    assert instances == [images.second["instance_id"]]
    keys = {one.name for one in (images.disk / "etc/ssh").glob("ssh_host_*_key")}
    assert keys == {f"ssh_host_{kind}_key" for kind in KEYS}


def test_it_outlives_its_image_and_a_run_with_down_leaves_its_result_and_nothing_else(
    images: Images, tmp_path: Path
) -> None:
    (listed,) = images.command("images", "--local", "--name", images.name, "--json")
    assert listed["id"] == images.baked["id"]
    assert listed["monthly_price"] > 0
    images.command("images", "--local", "prune", images.name, "--keep", "0", "--yes", "--json")
    assert images.command("images", "--local", "--name", images.name, "--json") == []
    images.command("stop", images.name, "--json")
    images.command("start", images.name, "--json")
    words = ("-o", "answer", "--down", "--", "sh", "-c", "echo 42 | tee answer")
    done = wrapper("run", images.name, *words, here=tmp_path, environment=images.environment)
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr
    (answer,) = tmp_path.glob("runs/*/answer")
    assert answer.read_text() == "42\n"
    assert done.stderr.splitlines()[-1] == "0 left"
    ec2 = Account(local.status().env).ec2
    by = [{"Name": "tag:jupyter-clouds:deployment", "Values": [images.name]}]
    there = {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}
    assert ec2.describe_instances(Filters=[*by, there])["Reservations"] == []
    assert ec2.describe_security_groups(Filters=by)["SecurityGroups"] == []
    assert ec2.describe_volumes(Filters=by)["Volumes"] == []
