"""The embedded EC2's machines, seen through the API, the network and their own eyes. Needs root."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.machine import reach
from tests.machine.reach import until
from wrapper import local

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.machine, pytest.mark.slow]

STATE = Path("/var/lib/jupyter-clouds-local/machines")
HOST = "198.19.255.1/32"
"""This host as its machines see it."""
USER_DATA = """\
#cloud-config
bootcmd:
- echo boot >> /root/boots
- printf '\\nboots=%s\\n' "$(wc -l < /root/boots)" > /dev/console
- systemd-run --no-block --unit=web python3 -m http.server 9999 --directory /srv
"""


def opens(address: str, port: int = 9999) -> bool:
    """Whether a connection is accepted."""
    with closing(socket.socket()) as client:
        client.settimeout(1)
        return client.connect_ex((address, port)) == 0


@dataclass
class Instance:
    """One instance of the test's own."""

    ec2: Any
    id: str

    def described(self) -> Any:
        """As DescribeInstances has it."""
        found = self.ec2.describe_instances(InstanceIds=[self.id])
        return found["Reservations"][0]["Instances"][0]

    def state(self) -> str:
        return str(self.described()["State"]["Name"])

    def address(self) -> str:
        return str(self.described()["PublicIpAddress"])

    def console(self) -> str:
        reply = self.ec2.get_console_output(InstanceId=self.id, Latest=True)
        return str(reply.get("Output", ""))

    def is_(self, state: str) -> None:
        """It comes to be in that state."""
        until(lambda: self.state() == state)

    def booted(self, times: int = 1) -> None:
        """Its console tells of so many boots from this disk."""
        until(lambda: f"\nboots={times}\r\n" in self.console())

    def group(self) -> str:
        return str(self.described()["SecurityGroups"][0]["GroupId"])

    def inside(self, *command: str, check: bool = True) -> str:
        """What the command prints, run by root inside the machine."""
        return reach.inside(self.id, *command, check=check)


def machines() -> list[dict[str, Any]]:
    return local.status().machines


@pytest.fixture(scope="module")
def ec2() -> Iterator[Any]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    was_running = local.status().running
    env = local.start().env
    yield boto3.client(
        "ec2",
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name=env["AWS_REGION"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )
    if not was_running:
        local.stop()


def launch(ec2: Any, **more: Any) -> Instance:
    """An instance in a group of its own that lets nothing in."""
    named = [{"Name": "name", "Values": ["*ubuntu-noble-24.04-amd64-server*"]}]
    found = ec2.describe_images(Filters=named)["Images"]
    name = f"test-{time.monotonic_ns()}"
    group = ec2.create_security_group(GroupName=name, Description=name)["GroupId"]
    reply = ec2.run_instances(
        ImageId=found[0]["ImageId"],
        InstanceType="t3.medium",
        MinCount=1,
        MaxCount=1,
        SecurityGroupIds=[group],
        UserData=USER_DATA,
        **more,
    )
    return Instance(ec2, reply["Instances"][0]["InstanceId"])


@pytest.fixture(scope="module")
def instance(ec2: Any) -> Iterator[Instance]:
    here = launch(ec2)
    here.booted()
    yield here
    ec2.terminate_instances(InstanceIds=[here.id])


def rule(ports: int = 9999, cidr: str = HOST) -> list[dict[str, Any]]:
    ranges = [{"CidrIp": cidr}]
    return [{"IpProtocol": "tcp", "FromPort": ports, "ToPort": ports, "IpRanges": ranges}]


def test_a_port_is_closed_until_a_rule_opens_it(ec2: Any, instance: Instance) -> None:
    until(lambda: "LISTEN" in instance.inside("ss", "-ltn", "sport", "=", "9999"))
    assert not opens(instance.address())
    ec2.authorize_security_group_ingress(
        GroupId=instance.group(), IpPermissions=rule(cidr="203.0.113.7/32")
    )
    assert not opens(instance.address()), "open to somebody else is not open to us"
    ec2.authorize_security_group_ingress(GroupId=instance.group(), IpPermissions=rule())
    assert opens(instance.address())
    ec2.revoke_security_group_ingress(GroupId=instance.group(), IpPermissions=rule())
    assert not opens(instance.address())
    ec2.authorize_security_group_ingress(GroupId=instance.group(), IpPermissions=rule())


def test_an_elastic_address_takes_the_automatic_ones_place(ec2: Any, instance: Instance) -> None:
    automatic = instance.address()
    elastic = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(InstanceId=instance.id, AllocationId=elastic["AllocationId"])
    until(lambda: opens(elastic["PublicIp"]), seconds=10)
    assert not opens(automatic)
    assert instance.address() == elastic["PublicIp"]
    token = "curl -sX PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $M/api/token"
    ask = f'M=http://169.254.169.254/latest; T="$({token})"; '
    ask += 'curl -s -H "X-aws-ec2-metadata-token: $T" $M/meta-data/public-ipv4'
    assert instance.inside("sh", "-c", ask) == elastic["PublicIp"]


def test_the_machine_sees_the_memory_of_its_type(instance: Instance) -> None:
    words = instance.inside("head", "-1", "/proc/meminfo").split()
    assert words[:2] == ["MemTotal:", str(4096 * 1024)]


def test_more_memory_than_the_type_has_is_not_to_be_had(instance: Instance) -> None:
    # Through its systemd: what enters from outside is not in the machine's control group.
    service = ["systemd-run", "--wait", "--pipe", "--quiet", "python3", "-c"]
    for gib, expected in ((1, "ok"), (5, "")):
        hog = f"bytearray(b'x') * ({gib} << 30); print('ok')"
        assert instance.inside(*service, hog, check=False).strip() == expected
    instance.inside("systemctl", "reset-failed")
    assert instance.state() == "running"


def test_the_machine_knows_that_it_is_an_instance(instance: Instance) -> None:
    assert instance.inside("cloud-init", "query", "cloud_name").strip() == "aws"
    assert instance.inside("cloud-init", "query", "instance_id").strip() == instance.id


def test_no_unit_of_the_guest_fails(instance: Instance) -> None:
    failed = json.loads(instance.inside("systemctl", "--failed", "--output=json"))
    assert [unit["unit"] for unit in failed] == []


def test_stopped_and_started_it_boots_from_the_same_disk(ec2: Any, instance: Instance) -> None:
    address = instance.address()
    ec2.stop_instances(InstanceIds=[instance.id])
    instance.is_("stopped")
    assert not opens(address)
    ec2.start_instances(InstanceIds=[instance.id])
    instance.is_("running")
    instance.booted(2)
    assert instance.address() == address


def test_rebooted_it_stays_an_instance_that_runs(ec2: Any, instance: Instance) -> None:
    ec2.reboot_instances(InstanceIds=[instance.id])
    assert instance.state() == "running"
    instance.booted(3)


def test_a_reboot_from_inside_is_followed(instance: Instance) -> None:
    instance.inside("systemctl", "reboot", check=False)
    instance.booted(4)
    assert instance.state() == "running"


def test_a_shutdown_from_inside_shows_as_stopped(ec2: Any, instance: Instance) -> None:
    instance.inside("systemctl", "poweroff", check=False)
    instance.is_("stopped")
    ec2.start_instances(InstanceIds=[instance.id])
    instance.booted(5)


def test_a_machine_that_dies_shows_as_stopped(ec2: Any, instance: Instance) -> None:
    children = subprocess.run(
        ["pgrep", "-f", f"systemd-nspawn.*{instance.id}"],
        capture_output=True,
        text=True,
        check=True,
    )
    subprocess.run(["kill", "-9", *children.stdout.split()], check=True)
    instance.is_("stopped")
    ec2.start_instances(InstanceIds=[instance.id])
    instance.booted(6)


def test_machines_reach_each_other_only_where_a_rule_says_so(ec2: Any, instance: Instance) -> None:
    other = launch(ec2)
    other.booted()
    private = instance.described()["PrivateIpAddress"]
    until(lambda: "LISTEN" in instance.inside("ss", "-ltn", "sport", "=", "9999"))
    ask = ["curl", "--silent", "--max-time", "2", f"http://{private}:9999/"]
    assert other.inside(*ask, check=False) == ""
    source = f"{other.described()['PrivateIpAddress']}/32"
    ec2.authorize_security_group_ingress(GroupId=instance.group(), IpPermissions=rule(cidr=source))
    assert other.inside(*ask) != ""
    ec2.terminate_instances(InstanceIds=[other.id])
    other.is_("terminated")
    until(lambda: not (STATE / other.id).exists())


METADATA = """
import sys, urllib.error, urllib.request
def ask(path, method="GET", **headers):
    url = f"http://169.254.169.254/latest/{path}"
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return urllib.request.urlopen(urllib.request.Request(url, method=method, headers=names)).read()
token = ask("api/token", "PUT", X_aws_ec2_metadata_token_ttl_seconds="60").decode()
try:
    print(ask(f"meta-data/{sys.argv[1]}", X_aws_ec2_metadata_token=token).decode())
except urllib.error.HTTPError as error:
    print(error.code)
"""


def test_an_interrupted_machine_reads_its_notice_and_comes_back_in_place(ec2: Any) -> None:
    options = {"SpotInstanceType": "persistent", "InstanceInterruptionBehavior": "stop"}
    here = launch(ec2, InstanceMarketOptions={"MarketType": "spot", "SpotOptions": options})
    request = here.described()["SpotInstanceRequestId"]

    def standing() -> tuple[str, str]:
        found = ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[request])
        one = found["SpotInstanceRequests"][0]
        return one["State"], one["Status"]["Code"]

    def told(path: str) -> str:
        return here.inside("python3", "-c", METADATA, path).strip()

    here.booted()
    private = here.described()["PrivateIpAddress"]
    assert told("spot/instance-action") == "404"
    local.capacity("none", instance_type="t3.medium", market="spot")
    try:
        coming = local.interrupt(here.id, after=8)
        assert json.loads(told("spot/instance-action")) == {"action": "stop", "time": coming["at"]}
        assert "noticeTime" in told("events/recommendations/rebalance")
        assert told("spot/termination-time") == "404"
        assert standing() == ("active", "marked-for-stop")

        # Nobody asks the API meanwhile: the daemon's own clock ends it.
        until(
            lambda: (
                [one["state"] for one in machines() if one["instance_id"] == here.id] == ["stopped"]
            )
        )
        assert standing() == ("disabled", "instance-stopped-no-capacity")
        local.capacity("back")
        here.booted(2)
        here.is_("running")
        assert standing() == ("active", "fulfilled")
        assert here.described()["PrivateIpAddress"] == private
        assert told("spot/instance-action") == "404"
    finally:
        local.capacity("back")
        ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])
        ec2.terminate_instances(InstanceIds=[here.id])


COUNT = "n=0; while :; do n=$((n + 1)); echo $n >/run/number; sleep 0.1; done"


@pytest.mark.parametrize("end", ["wakes", "is terminated"])
def test_a_hibernated_machine_goes_on_where_it_was_or_is_gone(ec2: Any, end: str) -> None:
    options = {"SpotInstanceType": "persistent", "InstanceInterruptionBehavior": "hibernate"}
    here = launch(ec2, InstanceMarketOptions={"MarketType": "spot", "SpotOptions": options})
    request = here.described()["SpotInstanceRequestId"]

    def number() -> int:
        return int(here.inside("sh", "-c", "cat /run/number || echo 0").strip() or 0)

    here.booted()
    here.inside("systemd-run", "--quiet", "sh", "-c", COUNT)
    until(number)
    local.capacity("none", instance_type="t3.medium", market="spot")
    try:
        local.interrupt(here.id, after=0)
        here.is_("stopped")
        asleep = number()
        if end == "wakes":
            local.capacity("back")
            here.is_("running")
            until(lambda: number() > asleep + 1)
            assert "boots=2" not in here.console()
    finally:
        local.capacity("back")
        ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])
        ec2.terminate_instances(InstanceIds=[here.id])
    here.is_("terminated")
    until(lambda: not (STATE / here.id).exists())


def test_terminated_nothing_of_it_is_left(ec2: Any) -> None:
    here = launch(ec2)
    here.booted()
    ec2.terminate_instances(InstanceIds=[here.id])
    here.is_("terminated")
    until(lambda: not (STATE / here.id).exists())
    assert here.id not in Path("/proc/self/mounts").read_text()
    assert (
        here.id
        not in subprocess.run(["ip", "netns"], capture_output=True, check=True).stdout.decode()
    )
    assert "boots=1" in here.console(), "EC2 keeps a console after termination too"
