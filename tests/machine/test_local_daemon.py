"""The embedded EC2 as a process on this host: what it leaves behind, and what it survives.

It needs root, and the host's one embedded EC2 for itself: skipped while machines run on it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.machine.reach import inside
from wrapper import local
from wrapper.aws import Aws
from wrapper.errors import LocalError
from wrapper.local import cgroups, firewall, health, loop, network, service
from wrapper.local.host import CACHE, RUN, STATE, unmount_below
from wrapper.local.record import port

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.machine, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
BLOCKS = STATE / "blocks"
CGROUPS = Path("/sys/fs/cgroup")


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


OF_TESTS = "/pytest-of-"
"""In paths of other tests, which run beside these."""


def host() -> dict[str, list[str]]:
    """All of the host that the embedded EC2 may touch."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    loops = output("losetup", "--all").splitlines()
    arguments = [text(path) for path in Path("/proc").glob("[0-9]*/cmdline")]
    return {
        "control groups": sorted(str(path) for path in CGROUPS.glob("**/jupyter-clouds")),
        "forwarding": [Path("/proc/sys/net/ipv4/ip_forward").read_text()],
        "links": sorted(path.name for path in Path("/sys/class/net").iterdir()),
        "loop devices": [line for line in loops if OF_TESTS not in line],
        # A /run that is no mount of its own gets one from `ip netns`, for good.
        "mounts": sorted(one for one in mounts if one != "/run/netns" and OF_TESTS not in one),
        "namespaces": sorted(re.findall(r"jupyter-clouds\S*", output("ip", "netns", "list"))),
        "nft": output("nft", "list", "ruleset").splitlines(),
        "processes": [line for line in arguments if "wrapper.local.daemon" in line],
        "routes": output("ip", "route").splitlines(),
        "traces of nspawn": [str(path) for path in Path("/run/systemd/nspawn").glob("*/i-*")],
    }


def changed(before: dict[str, list[str]]) -> dict[str, tuple[list[str], list[str]]]:
    """What is gone and what is new, by kind."""
    found = {}
    for kind, now in host().items():
        gone = [item for item in before[kind] if item not in now]
        new = [item for item in now if item not in before[kind]]
        if gone or new:
            found[kind] = (gone, new)
    return found


def text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # the process ended


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if local.status().machines:
        pytest.skip("machines run on this host's embedded EC2: python -m wrapper local stop")
    local.stop()
    yield
    local.stop()


def client(status: local.Status) -> Any:
    return boto3.client(
        "ec2",
        endpoint_url=status.endpoint,
        region_name="us-east-1",
        aws_access_key_id="embedded",
        aws_secret_access_key="embedded",
    )


def launch(status: local.Status) -> str:
    """An instance whose systemd runs."""
    ec2 = client(status)
    names = [{"Name": "name", "Values": ["*ubuntu-noble-24.04-amd64-server*"]}]
    image = ec2.describe_images(Filters=names)["Images"][0]["ImageId"]
    reply = ec2.run_instances(ImageId=image, InstanceType="t3.small", MinCount=1, MaxCount=1)
    instance_id = str(reply["Instances"][0]["InstanceId"])
    end = time.monotonic() + 120
    output = ""
    while "Welcome to" not in output:
        assert time.monotonic() < end, output
        time.sleep(0.5)
        output = ec2.get_console_output(InstanceId=instance_id, Latest=True).get("Output", "")
    return instance_id


def freeze_a_volume(status: local.Status, instance_id: str) -> None:
    """The machine has a volume mounted, and it stands still, as while it is being copied."""
    ec2 = client(status)
    described = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]
    zone = described["Instances"][0]["Placement"]["AvailabilityZone"]
    volume_id = ec2.create_volume(AvailabilityZone=zone, Size=1, VolumeType="gp3")["VolumeId"]
    ec2.attach_volume(VolumeId=volume_id, InstanceId=instance_id, Device="/dev/sdf")
    steps = "until test -b /dev/nvme1n1; do sleep 0.1; done; mkfs.ext4 -q /dev/nvme1n1"
    steps += "; mount /dev/nvme1n1 /mnt; fsfreeze --freeze /mnt"
    inside(instance_id, "sh", "-ec", steps)


def test_stopped_it_leaves_the_host_as_it_was() -> None:
    before = host()
    launch(local.start())
    during = host()
    assert during["namespaces"] != before["namespaces"]
    assert not local.stop().running
    assert changed(before) == {}


def test_two_at_once_are_one_and_starting_and_stopping_again_changes_nothing() -> None:
    code = "from wrapper import local; print(local.start().pid)"
    both = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    pids = {process.communicate(timeout=300)[0].strip() for process in both}
    first = local.status()
    assert pids == {str(first.pid)}
    assert local.start() == first
    assert not local.stop().running
    assert not local.stop().running


def kill_with_a_machine(status: local.Status) -> str:
    """The daemon is gone, and what is left of a machine on it."""
    instance_id = launch(status)
    freeze_a_volume(status, instance_id)
    assert status.pid is not None
    os.kill(status.pid, signal.SIGKILL)
    os.waitpid(status.pid, 0)
    assert not local.status().running
    assert instance_id in Path("/proc/self/mounts").read_text(), "nothing was left to clean"
    return instance_id


def test_after_a_killed_daemon_its_remains_are_cleaned_by_a_start_and_by_a_stop() -> None:
    before = host()
    status = local.start()
    instance_id = kill_with_a_machine(status)
    again = local.start()
    assert again.pid != status.pid
    assert again.machines == []
    assert instance_id not in Path("/proc/self/mounts").read_text()
    kill_with_a_machine(again)
    local.stop()
    assert changed(before) == {}
    assert not BLOCKS.exists()


FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


def reboot(pid: int, *, decided: str) -> None:
    """What a reboot of the host takes: every process, mount, link, namespace, and /run.

    Whoever decides about forwarding at boot decides otherwise than before.
    """
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    cgroups.kill()
    cgroups.remove()
    unmount_below(STATE)
    for device in loop.below(BLOCKS):
        loop.detach(device)
    for name in network.namespaces():
        output("ip", "netns", "delete", name)
    subprocess.run(["ip", "link", "delete", firewall.HOST_LINK], check=False, capture_output=True)
    output("nft", "delete", "table", "ip", firewall.TABLE)
    for trace in Path("/run/systemd/nspawn").glob("*/i-*"):
        shutil.rmtree(trace)
    shutil.rmtree(RUN)
    FORWARDING.write_text(decided)


def reboot_with_a_machine(status: local.Status, *, decided: str) -> str:
    """The host was rebooted with a machine on it."""
    instance_id = launch(status)
    assert status.pid is not None
    reboot(status.pid, decided=decided)
    assert (STATE / "machines" / instance_id).is_dir(), "nothing was left to clean"
    return instance_id


def test_after_a_reboot_of_the_host_nothing_stale_is_left_by_a_start_and_by_a_stop() -> None:
    before = host()
    forwarded = FORWARDING.read_text()
    decided = "0\n" if forwarded == "1\n" else "1\n"
    try:
        instance_id = reboot_with_a_machine(local.start(), decided=decided)
        again = local.start()
        assert again.machines == []
        assert not (STATE / "machines" / instance_id).exists()
        assert FORWARDING.read_text() == "1\n"
        reboot_with_a_machine(again, decided=decided)
        local.stop()
        assert FORWARDING.read_text() == decided
    finally:
        FORWARDING.write_text(forwarded)
    assert changed(before) == {}
    assert not BLOCKS.exists()
    assert not (STATE / "machines").exists()


def test_a_daemon_that_does_not_answer_is_replaced_unless_machines_are_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "SLOW", 1.0)
    monkeypatch.setattr(health, "_ONE_REQUEST", 1.0)
    status = local.start()
    assert status.pid is not None
    os.kill(status.pid, signal.SIGSTOP)
    monkeypatch.setattr(service, "_STOP", 1.0)
    again = local.start()
    assert again.running
    assert again.pid not in (None, status.pid)

    instance_id = launch(again)
    assert again.pid is not None
    os.kill(again.pid, signal.SIGSTOP)
    with pytest.raises(LocalError, match="holds 1 machine, which would end with it"):
        local.start()
    os.kill(again.pid, signal.SIGCONT)
    (machine,) = local.start().machines
    assert (machine["instance_id"], machine["state"]) == (instance_id, "running")


def test_a_machine_that_does_not_end_itself_is_ended_by_its_schedule() -> None:
    """Fifteen hours in a moment: whatever hangs on the machine, its clock is its own."""
    status = local.start()
    instance_id = launch(status)
    aws = Aws(environment=status.env, region="us-east-1")
    end = datetime.now(UTC) + timedelta(hours=15)
    aws.put_schedule("hangs", instance_id, "stop", end)

    def state() -> str:
        return str(next(one["state"] for one in local.status().machines))

    assert local.clock(skip=14.9 * 3600)["ahead"] > 14 * 3600
    assert state() == "running"
    assert local.clock(skip=600)["ahead"] > 15 * 3600
    deadline = time.monotonic() + 60
    while state() != "stopped":
        assert time.monotonic() < deadline, state()
        time.sleep(0.2)
    found = aws.instance(instance_id)
    assert found is not None
    assert found.state == "stopped"
    assert "initiated" in str(found.state_reason)


def test_a_port_in_use_is_named_and_freed_it_works() -> None:
    before = host()
    with closing(socket.create_server(("127.0.0.1", port()))):
        with pytest.raises(LocalError, match=f"port {port()} on 127.0.0.1 is in use") as caught:
            local.start()
        assert caught.value.hint is not None
        assert "JUPYTER_CLOUDS_LOCAL_PORT=" in caught.value.hint
    assert changed(before) == {}
    assert local.start().running


@contextmanager
def another_cache(mib: int) -> Iterator[None]:
    """The cache is empty and that large."""
    options = f"size={mib}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", CACHE], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", CACHE], check=True)


def test_a_full_disk_is_told_and_with_room_it_works() -> None:
    with another_cache(64):
        with pytest.raises(LocalError, match="the disk is full") as caught:
            local.start()
        assert caught.value.hint == f"df -h {CACHE}"
        assert not local.status().running
    assert local.start().running


def test_a_failed_image_is_told_with_the_end_of_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    with another_cache(4096):
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody listens on discard
        with pytest.raises(LocalError, match="mmdebstrap could not build debian-12") as caught:
            local.start()
        assert "127.0.0.1" in caught.value.message
        assert not list((CACHE / "images").glob("debian-12-*/")), "half an image was left"
    monkeypatch.delenv("http_proxy")
    assert local.start().running


def test_a_host_that_drops_forwarded_traffic_lets_the_machines_pass() -> None:
    # As Docker leaves a host: the policy of iptables' FORWARD chain is to drop.
    chain = "chain FORWARD { type filter hook forward priority 0; policy drop; };"
    subprocess.run(["nft", f"table ip filter {{ {chain} }};"], check=True)
    try:
        before = output("nft", "list", "chain", "ip", "filter", "FORWARD")
        local.start()
        during = output("nft", "list", "chain", "ip", "filter", "FORWARD")
        assert during.count("jclouds0") == 2
        local.stop()
        assert output("nft", "list", "chain", "ip", "filter", "FORWARD") == before
    finally:
        subprocess.run(["nft", "delete", "table", "ip", "filter"], check=True)


def test_an_index_that_does_not_answer_is_no_reason_not_to_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    assert local.start().running
