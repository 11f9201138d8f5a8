"""A machine that is not used stops by itself, and one that is does not: a minute in a second.

One spot machine for all of it, in this order; the clock is the unit's environment, not its code.
Its data volume is somebody's own, of another file system than the machines make.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from bench.embedded import Account
from tests.machine import pages
from tests.machine.live import Live, answering, open_channels
from tests.machine.reach import until
from tests.machine.shells import Shell, hurry, shell_to, ssh_key
from tests.machine.typed import UP_SECONDS, document, kernel_alone, stop_if_idle, wrapper
from tests.machine.work import notebook as of_one_cell
from tests.machine.work import request
from wrapper import local
from wrapper.aws import Aws

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wrapper.notebook import Autostop, Notebook

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

SPEED = 60
WINDOW = 20
"""Minutes, and so seconds here; a third of it is the notice."""
HELD = 1.2 * WINDOW
LONG = "import time\ntime.sleep(1000)"
VOLUMES = Path("/var/lib/jupyter-clouds-local/blocks/volumes")


@dataclass
class Machine:
    """A deployment on the embedded EC2, and a person who is logged in."""

    name: str
    environment: dict[str, str]
    made: dict[str, Any]
    live: Live
    shell: Shell
    aws: Aws
    volume_id: str

    def run(self, command: str) -> str:
        done = self.shell.run(command)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def wrapper(self, *words: str) -> dict[str, Any]:
        return document(wrapper(*words, environment=self.environment, seconds=UP_SECONDS))

    def state(self) -> str:
        found = self.aws.instance(self.made["instance_id"])
        return found.state if found else "absent"

    def lines(self) -> list[str]:
        """What its console tells of this."""
        text = self.aws.console(self.made["instance_id"]).replace("\r", "")
        return [line for line in text.split("\n") if " autostop reason=" in line]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("autostop")
    with ExitStack() as stack:
        yield _up(folder, stack)


@contextmanager
def _xfs(account: Account, folder: Path) -> Iterator[str]:
    """A volume with XFS and a file on it; deleted in the end, since no `down` does that."""
    asked = {"AvailabilityZone": "us-east-1a", "Size": 1, "VolumeType": "gp3"}
    made = account.ec2.create_volume(**asked)["VolumeId"]
    (folder / "thesis").write_text("of another machine\n")
    # https://man7.org/linux/man-pages/man8/mkfs.xfs.8.html
    (folder / "files").write_text(
        f"/dev/null\n0 0\nd--755 0 0\nthesis ---644 0 0 {folder}/thesis\n$\n"
    )
    root = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run([*root, "mkfs.xfs", "-q", "-p", folder / "files", VOLUMES / made], check=True)
    yield made
    account.ec2.delete_volume(VolumeId=made)


def _up(folder: Path, stack: ExitStack) -> Machine:
    environment = {**os.environ, "XDG_DATA_HOME": str(folder / "data")}
    name = f"autostop-{secrets.token_hex(3)}"
    if not local.status().running:
        stack.callback(stop_if_idle, environment)
    account = Account(local.start().env)
    volume_id = stack.enter_context(_xfs(account, folder))
    key = ssh_key(folder)
    stack.callback(wrapper, "down", name, "--local", "--yes", environment=environment)
    asked = [
        *("up", name, "--local", "--yes", "--json", "--generate-password", "--spot"),
        *("--instance-type", "t3.xlarge"),  # not the rehearsal's
        *("--ssh-public-key", f"{key}.pub", "--ssh-cidr", "198.18.0.0/15"),
        *("--data-volume", volume_id),
        *kernel_alone(folder),
        *("--idle", str(WINDOW), "--hours", "600"),
    ]
    made = document(wrapper(*asked, environment=environment, seconds=UP_SECONDS))
    password = document(wrapper("password", name, "--json", environment=environment))["password"]
    shell = shell_to(made, key, folder)
    live = Live(made["url"], password, made["key_sha256"], shell, own=True)
    aws = Aws(environment=local.status().env, region=made["region"])
    found = Machine(name, environment, made, live, shell, aws, volume_id)
    with live.logged_in() as there:
        # Packages are still being installed: not before that is it idle at all.
        until(lambda: not [one for one in _known(there).busy if "phase" in one], "still set up")
        assert (_known(there).idle_minutes, _known(there).max_hours) == (WINDOW, 600)
    hurry(shell, SPEED)
    return found


@pytest.fixture
def there(machine: Machine) -> Iterator[Notebook]:
    """Jupyter, with a tab open that asks for its status as often as a browser does."""
    with machine.live.logged_in() as found:
        # A watch that was restarted begins to listen a moment later.
        until(lambda: found.autostop({"do": "stay"}) is not None, "no watch")
        yield found


def _known(there: Notebook) -> Autostop:
    # A watch that was started again tells nothing until its first look.
    found: Autostop = until(there.autostop, "the watch tells nothing")
    return found


def held(machine: Machine, there: Notebook, word: str) -> None:
    """It is seen, and keeps the machine for longer than a window, with nobody looking."""
    until(lambda: any(word in one for one in _known(there).busy), f"{word} is never seen")
    ends = time.monotonic() + HELD
    while time.monotonic() < ends:
        there.call("GET", "/api/status")
        assert there.call("GET", "/clouds/notice")["notice"] is None
        time.sleep(0.5)
    assert any(word in one for one in _known(there).busy)
    assert machine.state() == "running"
    assert machine.lines() == []


def noticed(there: Notebook) -> dict[str, Any]:
    """What JupyterLab shows, as soon as it does."""

    def look() -> Any:
        there.call("GET", "/api/status")
        return there.call("GET", "/clouds/notice")["notice"]

    found: dict[str, Any] = until(look, "no notice")
    return found


@contextmanager
def running_cell(machine: Machine, there: Notebook) -> Iterator[None]:
    """A cell runs, its tab closed."""
    there.call("PUT", "/api/contents/long.ipynb", of_one_cell(LONG))
    session = {"path": "long.ipynb", "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    kernel = there.call("POST", "/api/sessions", session)["kernel"]["id"]
    channels = open_channels(machine.live, there, kernel, origin=machine.live.url.rstrip("/"))
    channels.send(json.dumps(request(LONG)))
    while json.loads(channels.recv())["msg_type"] != "execute_input":
        pass
    channels.close()
    yield
    if machine.state() == "running":
        there.call("DELETE", f"/api/kernels/{kernel}")


def test_an_xfs_volume_of_ones_own_is_its_home_and_grows_under_it(machine: Machine) -> None:
    assert machine.made["data_volume_id"] == machine.volume_id
    assert machine.run("findmnt -no FSTYPE /home/notebook") == "xfs\n"
    assert machine.run("sudo cat /mnt/jupyter-clouds/thesis") == "of another machine\n"
    size = "findmnt -bno SIZE /home/notebook"
    before = int(machine.run(size))
    local_ec2 = Account(local.status().env).ec2
    local_ec2.modify_volume(VolumeId=machine.volume_id, Size=3)
    until(lambda: int(machine.run(size)) > before + (1 << 30), "it never grows")


def test_a_cell_that_runs_keeps_it(machine: Machine, there: Notebook) -> None:
    with running_cell(machine, there):
        held(machine, there, "cell of long.ipynb")


def test_a_job_in_a_terminal_of_jupyters_keeps_it(machine: Machine, there: Notebook) -> None:
    name = there.call("POST", "/api/terminals", {})["name"]
    socket = open_channels(
        machine.live,
        there,
        name,
        origin=machine.live.url.rstrip("/"),
        path="terminals/websocket/{}",
    )
    socket.send(json.dumps(["stdin", "sleep 1000\r"]))
    until(lambda: any("sleep in terminal" in one for one in _known(there).busy), "no job")
    socket.close()
    held(machine, there, "sleep in terminal")
    there.call("DELETE", f"/api/terminals/{name}")


def test_an_ssh_session_keeps_it_while_somebody_types_there(
    machine: Machine, there: Notebook
) -> None:
    shell = machine.shell
    command = ["ssh", "-tt", *shell.options, f"{shell.admin}@{shell.host}"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as session:
        assert session.stdin
        seen = False
        ends = time.monotonic() + HELD
        while time.monotonic() < ends:
            session.stdin.write(b"echo hello\n")
            session.stdin.flush()
            seen = seen or any("input in terminal" in one for one in _known(there).busy)
            time.sleep(0.5)
        assert seen
        # Seen every eight seconds; by now it would have stopped.
        assert machine.state() == "running"
        assert machine.lines() == []
        # Left open, it is as good as closed.
        assert noticed(there)["id"].startswith("autostop-idle")
        there.autostop({"do": "stay"})
        session.kill()


def test_a_command_over_ssh_keeps_it(machine: Machine, there: Notebook) -> None:
    shell = machine.shell
    command = ["ssh", *shell.options, f"{shell.admin}@{shell.host}", "sleep 1000"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as session:
        held(machine, there, "sleep over SSH")
        session.kill()


def test_the_notice_is_seen_in_a_browser_and_stay_is_another_window(
    machine: Machine, there: Notebook, tmp_path: Path
) -> None:
    with pages.chromium(tmp_path, machine.live.key_sha256) as browser:
        page = browser.page()
        browser.log_in(page, machine.live)
        page.wait_for_selector("#jp-main-statusbar")
        there.autostop({"do": "set", "idle_minutes": 2 * WINDOW})
        toast = page.locator(pages.TOASTS)
        expect(toast).to_contain_text("Nothing runs here and nobody types.")
        pages.picture(page, "machine-idle")
        notice = there.call("GET", "/clouds/notice")["notice"]
        assert notice["actions"] == [{"label": "Stay", "command": "jupyter-clouds:stay"}]
        before = _known(there).idle_stops_at
        toast.get_by_text("Stay").click()
        expect(toast).to_have_count(0)
        assert browser.errors == []
    assert there.call("GET", "/clouds/notice")["notice"] is None
    assert str(_known(there).idle_stops_at) > str(before)
    assert machine.state() == "running"


def test_a_watch_that_hangs_is_ended_and_started_again(machine: Machine, there: Notebook) -> None:
    there.autostop({"do": "set", "idle_minutes": 10_000})
    asked = "systemctl show -P MainPID jupyter-clouds-autostop"
    before = machine.run(asked)
    machine.run(f"sudo kill -STOP {before}")
    until(lambda: machine.run(asked).strip() not in (before.strip(), "0"), "it still hangs")
    assert _known(there).idle_minutes == 10_000
    told = machine.run("sudo journalctl -u jupyter-clouds-autostop -o cat --no-pager")
    assert "Watchdog timeout" in told


def test_hours_are_added_to_the_running_machine(machine: Machine, there: Notebook) -> None:
    before = _known(there)
    told = machine.wrapper("extend", machine.name, "50", "--json")
    assert str(told["ends_at"]) > str(before.ends_at)
    status = machine.wrapper("status", machine.name, "--json")
    assert status["autostop"]["ends_at"] == told["ends_at"]
    assert status["state"] == "running"


def test_an_unused_machine_saves_and_stops_and_is_started_where_it_was(machine: Machine) -> None:
    with machine.live.logged_in() as there:
        began = _known(there).began
        there.autostop({"do": "set", "idle_minutes": WINDOW})
    until(lambda: machine.state() == "stopped", "it never stops")
    assert machine.lines() == ["jupyter-clouds: autostop reason=idle"]
    found = machine.wrapper("status", machine.name, "--json")
    assert "instance-stopped-by-user" in found["spot_request"]
    again = machine.wrapper("start", machine.name, "--json")
    same = ("instance_id", "url", "key_sha256")
    assert [again[one] for one in same] == [machine.made[one] for one in same]
    with machine.live.logged_in() as there:
        assert there.run_cell("print(6 * 7)") == "42\n"
        known = _known(there)
        assert known.began > began
        assert known.max_hours == 600
        report = json.loads(machine.run("sudo cat /mnt/jupyter-clouds/clouds/rescue.json"))
    # By then the stop itself may have reported, in a few words: what is seen is what was done.
    assert report["reason"] in ("idle", "stop")


def test_its_hours_end_whatever_runs(machine: Machine) -> None:
    hurry(machine.shell, SPEED)
    with machine.live.logged_in() as there:
        until(lambda: there.autostop() is not None, "no watch")
        with running_cell(machine, there):
            answering(lambda: there.autostop({"do": "begin", "max_hours": 0.5}), within=30)
            notice = noticed(there)
            assert notice["id"].startswith("autostop-lifetime")
            assert notice["actions"][0]["command"] == "jupyter-clouds:extend"
            until(lambda: machine.state() == "stopped", "it never stops")
    assert "jupyter-clouds: autostop reason=lifetime" in machine.lines()
