"""What a live notebook outlives: closed browsers, ended sessions, restarts, guessers."""

from __future__ import annotations

import base64
import errno
import json
import re
import shlex
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from bench.embedded import Account
from tests.machine.live import answering, open_channels
from tests.unit.data_volume import can_grow_mounted
from wrapper import local
from wrapper.aws.model import DATA_TAG as DATA
from wrapper.errors import KernelError, LoginError, NoAnswerError, ThrottledError
from wrapper.notebook import Notebook, Pin
from wrapper.notebook.kernel import _execute as run

if TYPE_CHECKING:
    from tests.machine.live import Live
    from tests.machine.shells import Shell


WRONG = "not-the-password-of-anybody"
AWAY_SECONDS = 65
"""Jupyter drops what a closed tab was to get after a minute."""


@pytest.fixture
def shell(live: Live) -> Shell:
    if live.shell is None:
        pytest.skip("give --notebook-ssh USER@HOST")
    return live.shell


def test_what_a_cell_prints_is_in_its_notebook_with_the_browser_closed_for_a_minute(
    live: Live,
) -> None:
    """While it still runs: the connection is closed early, and the file is read in between."""
    name = f"away-{time.time_ns()}.ipynb"
    seconds = AWAY_SECONDS + 60
    code = f"import time\nfor i in range({seconds}):\n    print(i)\n    time.sleep(1)"
    with live.logged_in() as notebook:
        put_notebook(notebook, name, code)
        kernel = notebook.call(
            "POST",
            "/api/sessions",
            {"path": name, "type": "notebook", "name": name, "kernel": {"name": "python3"}},
        )["kernel"]["id"]
        try:
            channels = open_channels(live, notebook, kernel, origin=live.url.rstrip("/"))
            channels.send(json.dumps(execute_request(code)))
            answering(lambda: _printed(notebook, name, at_least=1), within=60)
            channels.close()
            notebook.close()
            time.sleep(AWAY_SECONDS)
            printed = _printed(notebook, name, at_least=AWAY_SECONDS - 5)
            assert printed == list(range(len(printed)))
            assert notebook.call("GET", f"/api/kernels/{kernel}")["execution_state"] == "busy"
        finally:
            with suppress(NoAnswerError):
                notebook.call("DELETE", f"/api/kernels/{kernel}")
            notebook.call("DELETE", f"/api/contents/{name}")


CELL = "0123abcd"


def put_notebook(notebook: Notebook, name: str, code: str) -> None:
    """A notebook of one cell that has not run."""
    cell: dict[str, Any] = {
        "id": CELL,
        "cell_type": "code",
        "source": code,
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    notebook.call(
        "PUT",
        f"/api/contents/{name}",
        {"type": "notebook", "format": "json", "content": content},
    )


def _printed(notebook: Notebook, name: str, *, at_least: int) -> list[int]:
    """The numbers in the outputs of the file. NoAnswerError when they are too few."""
    cells = notebook.call("GET", f"/api/contents/{name}?content=1")["content"]["cells"]
    texts = ["".join(output.get("text", "")) for output in cells[0]["outputs"]]
    found = [int(number) for number in "".join(texts).split()]
    if len(found) < at_least:
        raise NoAnswerError(f"{name} holds {len(found)} lines of output, not {at_least}")
    return found


def execute_request(code: str) -> dict[str, Any]:
    """As JupyterLab runs the notebook's cell."""
    return {
        "header": {
            "msg_id": f"away-{time.time_ns()}",
            "msg_type": "execute_request",
            "session": "checks",
            "username": "checks",
            "version": "5.3",
        },
        "parent_header": {},
        "metadata": {"cellId": CELL},
        "channel": "shell",
        "content": {"code": code, "silent": False, "store_history": True, "allow_stdin": False},
    }


def test_an_ssh_sessions_end_does_not_stop_it(live: Live, shell: Shell) -> None:
    with live.logged_in() as notebook:
        started = notebook.status().started
        for user in (shell.admin, "notebook"):
            said = shell.run("sleep 1; echo out", user=user)
            if user == shell.admin:
                assert said.stdout == "out\n", said.stderr
        time.sleep(3)
        assert notebook.status().started == started
        assert notebook.run_cell("print(1)") == "1\n"


def test_a_restart_of_the_service_keeps_it_answering(live: Live, shell: Shell) -> None:
    with live.logged_in() as notebook:
        started = notebook.status().started
    done = shell.run("sudo -n systemctl restart jupyter-clouds-notebook")
    assert done.returncode == 0, done.stderr
    _came_back(live, started)


def test_a_server_that_is_killed_comes_back(live: Live) -> None:
    """A kernel's parent is the server, and both are the notebook user's."""
    with live.logged_in() as notebook:
        started = notebook.status().started
        with pytest.raises(NoAnswerError):
            notebook.run_cell("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)")
    _came_back(live, started)


IN_USE = """
fields = dict(line.split(":") for line in open("/proc/meminfo"))
total, available = (int(fields[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
print((total - available) * 1024)
"""
LIGHT = 7e8


def test_a_machine_with_jupyterlab_up_is_light(live: Live) -> None:
    if not live.own:
        pytest.skip("what else runs on another machine is not ours")
    with live.logged_in() as notebook:
        # Of the machine's control group, what can be dropped left out: wrapper/local/memory.py
        # Its environment may still be being installed.
        until = time.monotonic() + 240
        while (used := int(notebook.run_cell(IN_USE))) >= LIGHT and time.monotonic() < until:
            time.sleep(2)
        assert used < LIGHT


# As an upgrade does it: another file of that name, while programs use the one of before.
UPGRADE = """set -e
export DEBIAN_FRONTEND=noninteractive
apt-get -qq -o DPkg::Lock::Timeout=120 update
apt-get -qq -o DPkg::Lock::Timeout=120 install needrestart >/dev/null
printf '[Service]\\nExecStart=/usr/bin/python3 -c "import ssl, time; time.sleep(9999)"\\n' \
  >/run/systemd/system/another.service
systemctl start another
pids() { for one in jupyter-clouds-notebook another; do systemctl show -P MainPID $one; done; }
until grep -q libssl /proc/$(systemctl show -P MainPID another)/maps; do sleep 0.2; done
pids
for file in $(for pid in $(pids); do grep -o '/.*libssl.*' /proc/$pid/maps; done | sort -u); do
  cp -a $file $file.new
  mv $file.new $file
done
needrestart -b -l -r l | grep SVC
needrestart -l -r a >&2
pids
"""


def test_an_upgrade_at_night_restarts_other_services_and_no_notebook(
    live: Live, shell: Shell
) -> None:
    if not live.own:
        pytest.skip("it installs needrestart, which Ubuntu has and Debian does not")
    done = shell.run(f"sudo -n bash -c {shlex.quote(UPGRADE)}")
    assert done.returncode == 0, done.stdout + done.stderr
    notebook, another, *due, notebook_after, another_after = done.stdout.split("\n")[:-1]
    assert "NEEDRESTART-SVC: another.service" in due
    # Without its settings it would be restarted, too.
    assert "NEEDRESTART-SVC: jupyter-clouds-notebook.service" in due
    assert another != another_after
    assert notebook == notebook_after


HOARD = "hoard = []\nwhile True:\n    hoard.append(bytearray(b'x') * 2**26)"


def test_a_kernel_out_of_memory_costs_that_kernel_only(live: Live) -> None:
    if not live.own:
        pytest.skip("only machines of the tests' own run out of memory")
    with live.logged_in() as notebook:
        started = notebook.status().started
        other = notebook.call("POST", "/api/kernels", {"name": "python3"})["id"]
        try:
            channels = open_channels(live, notebook, other, origin=live.url.rstrip("/"))
            run(channels, "kept = 6 * 7", until=time.monotonic() + 60)
            with pytest.raises(KernelError, match="died"):
                notebook.run_cell(HOARD, timeout=120)
            assert run(channels, "print(kept)", until=time.monotonic() + 60) == "42\n"
            channels.close()
        finally:
            notebook.call("DELETE", f"/api/kernels/{other}")
        assert notebook.status().started == started


FILL = """
import os
with open("big", "wb", buffering=0) as file:
    # Blocks without anything in them: the disk that is behind it stays as it is.
    left = os.statvfs(".")
    os.posix_fallocate(file.fileno(), 0, left.f_bavail * left.f_frsize - 2**24)
    for size in (2**20, 4096, 1):
        try:
            while True:
                os.posix_fallocate(file.fileno(), file.seek(0, 2), size)
        except OSError as error:
            last = error
print(last.errno)
"""


def test_a_full_data_disk_is_told_by_a_notebook_that_answers(live: Live) -> None:
    if not live.own:
        pytest.skip("only disks of the tests' own are filled")
    with live.logged_in() as notebook:
        before = notebook.clouds_status()
        try:
            assert notebook.run_cell(FILL) == f"{errno.ENOSPC}\n"
            with live.logged_in() as other:
                assert other.run_cell("print(6 * 7)") == "42\n"
                assert other.clouds_status().disk_free == 0
                new = {"type": "file", "format": "text", "content": "x" * 2**20}
                with pytest.raises(NoAnswerError):
                    other.call("PUT", "/api/contents/kept.txt", new)
        finally:
            notebook.run_cell("import os; os.unlink('big')")
        after = notebook.clouds_status()
    assert before.disk_free
    assert after.disk_free == pytest.approx(before.disk_free, rel=0.1)


def test_a_data_volume_that_is_enlarged_is_used_whole_while_kernels_run(live: Live) -> None:
    if not live.own:
        pytest.skip("only volumes of the tests' own are enlarged")
    ec2 = Account(local.status().env).ec2
    machine = ec2.describe_addresses(PublicIps=[live.host])["Addresses"][0]["InstanceId"]
    attached = [{"Name": "attachment.instance-id", "Values": [machine]}]
    volumes = ec2.describe_volumes(Filters=[*attached, {"Name": "tag-key", "Values": [DATA]}])
    (volume,) = volumes["Volumes"]
    with live.logged_in() as notebook:
        started, size = notebook.status().started, notebook.clouds_status().disk_total or 0
        ec2.modify_volume(VolumeId=volume["VolumeId"], Size=volume["Size"] + 30)

        def look() -> str:
            """How it went; NoAnswerError while nothing has happened."""
            if (notebook.clouds_status().disk_total or 0) > size + 25 * 2**30:
                return "grown"
            shown = Account(local.status().env).shown(machine)
            if "its file system at the next start" in shown:
                return "at the next start"
            raise NoAnswerError("the volume's file system is as it was", hint="")

        expected = "grown" if can_grow_mounted() else "at the next start"
        assert answering(look, within=60) == expected
        assert notebook.status().started == started
        assert notebook.run_cell("print(6 * 7)") == "42\n"


def _came_back(live: Live, before: str) -> None:
    """The same key, the same password, another start."""

    def look() -> str:
        with live.notebook() as notebook:
            notebook.login()
            assert notebook.run_cell("print(2)") == "2\n"
            return notebook.status().started

    assert answering(look, within=180) != before


def test_wrong_passwords_are_slowed_while_another_address_still_logs_in(
    live: Live, pinned: Pin
) -> None:
    """Guessing from here gets 401, then 429 with a wait that grows; the owner, who comes from
    elsewhere (here: the machine's own loopback), is not locked out; and after the wait the right
    password is let in from here too."""
    with live.logged_in() as owner:
        waits = [_guess(live, pinned) for _ in range(2)]
        until = time.monotonic() + 60
        while not waits[-1] and time.monotonic() < until:
            waits.append(_guess(live, pinned))
        assert waits[0] == 0, "the first wrong guess is answered as such"
        assert waits[-1] > 0, f"never slowed: {waits}"
        with live.notebook() as notebook, pytest.raises(ThrottledError, match="lets nobody"):
            notebook.login(patience=0)
        assert owner.run_cell(_log_in_from_the_machine(live, pinned)) == "302\n"
        first = waits[-1]
        time.sleep(first + 0.5)
        assert _next_wait(live, pinned) > first, "the wait grows"
    with live.logged_in() as notebook:
        assert notebook.status().kernels >= 0


def _guess(live: Live, pinned: Pin) -> float:
    """Seconds that the notebook then wants us to wait; 0 for a plain refusal."""
    with Notebook(live.url, pinned, WRONG) as notebook:
        with pytest.raises((LoginError, ThrottledError)) as raised:
            notebook.login(patience=0)
        found = re.search(r"for (\d+) s", raised.value.message)
        assert found or "refuses the password" in raised.value.message
        return float(found[1]) if found else 0.0


def _next_wait(live: Live, pinned: Pin) -> float:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if wait := _guess(live, pinned):
            return wait
    return 0.0


def _log_in_from_the_machine(live: Live, pinned: Pin) -> str:
    """A cell that logs in over the loopback, verified against the same certificate."""
    port = 9999 if live.port == 443 else live.port
    quoted = base64.b64encode(json.dumps([live.host, live.password, pinned.pem]).encode()).decode()
    return f"""
import base64, http.client, json, socket, ssl, urllib.parse
host, password, pem = json.loads(base64.b64decode({quoted!r}))
context = ssl.create_default_context(cadata=pem)
context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
context.verify_flags &= ~ssl.VERIFY_X509_STRICT
class Here(http.client.HTTPSConnection):
    def connect(self):
        sock = socket.create_connection(("127.0.0.1", {port}), 20)
        self.sock = context.wrap_socket(sock, server_hostname=host)
connection = Here(host, 9999)
connection.request("GET", "/login")
answer = connection.getresponse()
answer.read()
cookie = answer.headers["Set-Cookie"].partition(";")[0]
body = urllib.parse.urlencode({{"password": password, "_xsrf": cookie.partition("=")[2]}})
connection.request("POST", "/login", body, {{
    "Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}})
print(connection.getresponse().status)
"""
