"""What may replace a running machine, and what may not."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.ec2 import served
from tests.module.cases import TOO_LARGE, with_a_large_root, with_a_second_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.module.conftest import Lives
    from tests.module.copies import Copy

pytestmark = pytest.mark.slow

SPOT = "aws_spot_instance_request.this[0]"
RULE = "aws_vpc_security_group_ingress_rule"


@pytest.fixture(scope="module")
def running(make_copy: Callable[..., Copy], lives: Lives) -> Iterator[Copy]:
    """A spot machine that runs; no test changes it for the next one."""
    assert lives  # under way meanwhile
    with served() as account:
        copy = make_copy(account)
        copy.apply(spot=True)
        yield copy
        # The last test may have left variables of things that are gone.
        copy.settings(spot=True)
        copy.destroy()
        assert account.left() == []


def test_the_machine_takes_the_generated_password(running: Copy) -> None:
    ec2 = running.account.client()
    outputs = running.terraform.output()
    data = ec2.describe_instance_attribute(InstanceId=outputs["instance_id"], Attribute="userData")[
        "UserData"
    ]["Value"]
    document = yaml.safe_load(gzip.decompress(base64.b64decode(data)))
    files = {one["path"]: one["content"] for one in document["write_files"]}
    settings = json.loads(files["/etc/jupyter-clouds/machine.json"])

    algorithm, salt, digest = settings["password_hash"].split(":")
    computed = hashlib.new(algorithm, f"{outputs['password']}{salt}".encode())
    assert computed.hexdigest() == digest
    assert outputs["password"] not in json.dumps(document)
    assert settings["address"] == outputs["public_ip"]


def test_no_plan_prints_the_generated_password(running: Copy) -> None:
    password = running.terraform.output()["password"]

    shown = running.terraform.execute_command("plan", "-destroy", "-input=false", "-no-color").out

    assert "terraform_data.password will be destroyed" in shown
    assert password not in shown
    assert "jupyter-clouds-services.target" not in shown, "a thousand lines of programs"


def test_neither_a_newer_image_nor_a_newer_module_replaces_it(running: Copy) -> None:
    # Another is the newest now, as after a publication.
    running.account.control.withdraw_image(running.terraform.output()["ami_id"])
    template = running.directory / "templates" / "environment.yml"
    template.write_text(template.read_text().replace("scipy", "sympy"))

    assert running.changes(spot=True) == {}
    assert running.changes(spot=True, generation=2)[SPOT] == "replace"


def test_only_a_new_machine_is_refused_for_an_image_of_several_disks(
    running: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = [{"Name": "name", "Values": ["ubuntu/images/*-amd64-server-*"]}]
    images = running.account.client().describe_images(Filters=named)["Images"]
    with_a_second_disk(monkeypatch, *(one["ImageId"] for one in images))
    state = running.directory / "terraform.tfstate"
    now = state.read_text()

    for known in (now, _having_kept(now, None)):  # by a version that judged every plan
        state.write_text(known)
        assert running.changes(spot=True) == {}
        words = running.refusal(spot=True, generation=2)
        assert "brings further disks (/dev/sdb), which the machine could take" in words
    state.write_text(now)
    words = running.refusal(spot=True, ami_id=images[0]["ImageId"])
    assert "brings further disks" in words, "another image"


def test_only_a_new_machine_is_refused_for_what_it_would_begin_with(
    running: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = [{"Name": "name", "Values": ["debian-12-amd64-*"]}]
    (image,) = running.account.client().describe_images(Filters=named)["Images"]
    with_a_large_root(monkeypatch, image["ImageId"], gib=31)
    too_much: dict[str, Any] = {"spot": True, "environment": TOO_LARGE, "ami_id": image["ImageId"]}
    state = running.directory / "terraform.tfstate"
    now = state.read_text()

    for known in (now, _having_kept(now, "the newest")):  # as by a version of before
        state.write_text(known)
        assert running.changes(**too_much) == {}
    for another, refused in (
        ({"instance_type": "t3.xlarge"}, ["environment: too large", "a larger disk than 30 GiB"]),
        ({"generation": 2}, ["environment: too large"]),
        ({"generation": 2, "environment": None}, ["a larger disk than 30 GiB"]),
    ):
        words = running.refusal(**{**too_much, **another})
        assert [one for one in refused if one not in words] == []
    state.write_text(now)


def test_other_programs_reach_the_bucket_and_not_the_machine(running: Copy) -> None:
    target = next((running.directory / "templates/services").rglob("*.target"))
    target.write_text(f"{target.read_text()}# A newer version's.\n")

    changes = running.changes(spot=True)

    target.write_text(target.read_text().removesuffix("# A newer version's.\n"))
    assert changes == {
        "aws_s3_bucket_policy.this[0]": "update",
        "aws_s3_object.this[0]": "replace",
    }


def test_a_bucket_comes_and_goes_without_the_machine(running: Copy) -> None:
    changes = running.changes(spot=True, services_url="https://mirror.example/programs.json")

    # As for a deployment of before there was a bucket, the other way round.
    assert changes == {
        f"aws_s3_{kind}.this[0]": "delete"
        for kind in ("bucket", "bucket_policy", "bucket_public_access_block", "object")
    }


def test_a_role_comes_without_the_machine(running: Copy) -> None:
    changes = running.changes(spot=True, bucket="my-data")

    assert changes == {
        "aws_iam_instance_profile.this[0]": "create",
        "aws_iam_role.this[0]": "create",
        "aws_iam_role_policy.bucket[0]": "create",
    }


def test_port_80_follows_what_the_machine_was_told_and_not_what_is_given_now(
    running: Copy,
) -> None:
    route53, port_80 = running.account.client(service="route53"), f"{RULE}.validation[0]"
    zone = route53.create_hosted_zone(Name="example.org", CallerReference="it")["HostedZone"]["Id"]
    trusted = {"spot": True, "tls": "letsencrypt", "domain": "notebook.example.org"}
    zoned = {**trusted, "zone_id": zone.rpartition("/")[2]}
    state = running.directory / "terraform.tfstate"
    now = state.read_text()
    by_port = json.loads(now)  # as of one that was made with `trusted`
    (told,) = (one for one in by_port["resources"] if one["name"] == "challenge")
    told["instances"][0]["attributes"]["triggers_replace"]["value"]["way"] = "port"

    assert port_80 not in running.changes(**trusted), "the machine asks nobody"
    state.write_text(json.dumps(by_port))
    changes = running.changes(**zoned)
    anew = running.changes(**zoned, generation=2)
    state.write_text(now)

    assert changes[port_80] == "create"
    assert changes["aws_route53_record.this[0]"] == "create"
    assert port_80 not in anew
    assert anew["aws_route53_record.this[0]"] == "create"


def test_a_larger_data_volume_changes_the_volume_alone(running: Copy) -> None:
    assert running.changes(spot=True, data_volume_size=60) == {"aws_ebs_volume.data[0]": "update"}


def test_a_smaller_data_volume_is_refused_by_the_plan(running: Copy) -> None:
    words = running.refusal(spot=True, data_volume_size=40)

    assert "the data volume has 50 GiB, and never becomes smaller. Give as many, or more." in words


def test_a_volume_of_another_zone_is_refused_where_a_deployment_stands(running: Copy) -> None:
    ec2, zone = running.account.client(), running.terraform.output()["availability_zone"]
    elsewhere = next(one for one in ("us-east-1a", "us-east-1b") if one != zone)
    volume = ec2.create_volume(AvailabilityZone=elsewhere, Size=8)["VolumeId"]

    words = running.refusal(spot=True, data_volume_id=volume)

    assert f"in {elsewhere}, and this deployment stands in {zone}. Give subnet_id" in words
    ec2.delete_volume(VolumeId=volume)


def test_a_stopped_machine_stays_stopped(running: Copy) -> None:
    ec2, machine = running.account.client(), running.terraform.output()["instance_id"]

    ec2.stop_instances(InstanceIds=[machine])
    _wait_for(running, machine, "stopped")

    assert running.changes(spot=True) == {}

    ec2.start_instances(InstanceIds=[machine])
    _wait_for(running, machine, "running")
    assert running.changes(spot=True) == {}


def test_other_addresses_let_in_change_rules_only(running: Copy) -> None:
    changes = running.changes(spot=True, allowed_cidrs=["203.0.113.7/32"])

    assert changes == {
        'aws_vpc_security_group_ingress_rule.this["443 203.0.113.7/32"]': "create",
        'aws_vpc_security_group_ingress_rule.this["9999 203.0.113.7/32"]': "create",
    }


def test_going_on_demand_keeps_address_and_group_and_ends_the_machine(lives: Lives) -> None:
    seen = lives.switched.result()

    assert seen.after["market"] == "on-demand"
    for kept in ("availability_zone", "password", "public_ip", "security_group_id"):
        assert seen.after[kept] == seen.before[kept]
    assert seen.unchanged
    assert seen.for_a_larger_environment == {}, "this machine has its own"
    assert seen.first_machine == "terminated"
    assert seen.left == []


def test_a_change_upstream_of_a_module_with_depends_on_replaces_nothing(lives: Lives) -> None:
    assert lives.upstream.result() == {"aws_vpc.this": "update"}


def _having_kept(state: str, image: str | None) -> str:
    """The state, where an earlier version has kept no more than that of its machine."""
    document = json.loads(state)
    (generation,) = (one for one in document["resources"] if one["name"] == "generation")
    kept = None if image is None else {"value": image, "type": "string"}
    generation["instances"][0]["attributes"] |= {"input": kept, "output": kept}
    return json.dumps(document)


def _wait_for(copy: Copy, machine: str, state: str) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = copy.account.client().describe_instances(InstanceIds=[machine])
        instance: dict[str, Any] = found["Reservations"][0]["Instances"][0]
        if instance["State"]["Name"] == state:
            return instance
        time.sleep(0.2)
    raise AssertionError(f"{machine} is {instance['State']['Name']}, not {state}")
