"""What a plan holds, by address and attribute. One plan of many cases: see cases.py."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.module.cases import ED25519, ME, Planned, write_cases

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ec2 import Account
    from tests.module.copies import Copy

DRIVER = "OSS Nvidia Driver GPU AMI (Ubuntu 24.04)"

CASES: dict[str, dict[str, Any]] = {
    "default": {},
    "mirrored": {"services_url": "https://mirror.example/programs.json"},
    "spot": {"spot": True, "root_volume_size": 55},
    "one_time": {"spot": True, "on_interruption": "terminate"},
    "one_cidr": {"allowed_cidrs": [ME]},
    "without_https": {"allowed_cidrs": [ME], "https": False},
    "host_bits": {"allowed_cidrs": ["203.0.113.7/24", "2001:DB8::1/64"], "https": False},
    "world": {"allowed_cidrs": ["0.0.0.0/0"], "allow_world": True, "https": False},
    "ssh": {"ssh_cidrs": [ME], "ssh_public_key": ED25519},
    "graviton": {"instance_type": "t4g.large"},
    "gpu": {"instance_type": "g5.xlarge"},
    "gpu_of_graviton": {"instance_type": "g5g.xlarge"},
    "gpu_without_driver": {"instance_type": "p3dn.24xlarge"},
    "own_image": {"ami_id": "debian-13-amd64-*"},
    "tagged": {"name": "mine", "owner": "ada", "tags": {"team": "blue"}, "allowed_cidrs": [ME]},
    "browsers_trust_it": {"allowed_cidrs": [ME], "https": False, "tls": "letsencrypt"},
    "bucket": {"bucket": "my-data", "spot": True},
    "prefix": {"bucket": "my-data/of/mine", "services_endpoint": "https://bucket.vpce.example"},
    "sessions": {"session_manager": True},
    "in_a_zone": {"domain": "notebook.of.example.org"},
    "the_zone_itself": {"domain": "example.org"},
    "proved_by_a_record": {
        "allowed_cidrs": [ME],
        "domain": "notebook.of.example.org",
        "https": False,
        "tls": "letsencrypt",
    },
    "proved_in_sight": {
        "domain": "notebook.of.example.org",
        "metadata_access": True,
        "session_manager": True,
        "tls": "letsencrypt",
    },
    "proved_by_port_80": {"domain": "notebook.example.net", "tls": "letsencrypt"},
    "no_address": {"elastic_ip": False, "root_volume_size": 55},
}


WITH_A_BUCKET = ("default", "prefix", "tagged")
"""The others do without the programs' three hundred kilobytes each."""
IN_A_ZONE = ("in_a_zone", "the_zone_itself", "proved_by_a_record", "proved_in_sight")


@pytest.fixture(scope="module")
def planned(make_copy: Callable[..., Copy], shared_account: Account) -> dict[str, Planned]:
    copy = make_copy(shared_account, "cases")
    cases = {
        name: {**({} if name in WITH_A_BUCKET else CASES["mirrored"]), **variables}
        for name, variables in CASES.items()
    }
    route53 = shared_account.client(service="route53")
    made = route53.create_hosted_zone(Name="example.org", CallerReference="cases")["HostedZone"]
    for case in IN_A_ZONE:
        cases[case]["zone_id"] = made["Id"].rpartition("/")[2]
    cases["own_image"]["ami_id"] = _image_id(shared_account, "debian-13-amd64-*")
    write_cases(copy.directory, cases)
    copy.get()
    plan = copy.plan()
    failed = [one["address"] for one in plan["checks"] if one["status"] == "fail"]
    return {
        name: Planned(
            plan.modules[f"module.{name}"].resources,
            plan.outputs.get(name) or {},
            {one["name"] for one in failed if one.get("module") == f"module.{name}"},
        )
        for name in cases
    }


@pytest.mark.parametrize(
    ("case", "opened"),
    [
        ("default", set()),
        ("one_cidr", {(9999, ME), (443, ME)}),
        ("without_https", {(9999, ME)}),
        # As EC2 keeps them, or every later plan would show a difference.
        ("host_bits", {(9999, "203.0.113.0/24"), (9999, "2001:db8::/64")}),
        ("world", {(9999, "0.0.0.0/0")}),
        ("ssh", {(22, ME)}),
        # An authority does not say from where it looks.
        ("browsers_trust_it", {(9999, ME), (80, "0.0.0.0/0")}),
        ("proved_by_port_80", {(80, "0.0.0.0/0")}),
        ("proved_by_a_record", {(9999, ME)}),
    ],
)
def test_only_what_was_asked_for_is_open(
    planned: dict[str, Planned], case: str, opened: set[tuple[int, str]]
) -> None:
    assert planned[case].ingress() == opened


def test_spot_is_a_persistent_request_that_stops(planned: dict[str, Planned]) -> None:
    request = planned["spot"].values("aws_spot_instance_request.this[0]")

    assert request["spot_type"] == "persistent"
    assert request["instance_interruption_behavior"] == "stop"
    assert request["wait_for_fulfillment"] is True
    assert "aws_instance.this[0]" not in planned["spot"].resources


def test_a_spot_machine_that_may_end_is_an_instance_with_market_options(
    planned: dict[str, Planned],
) -> None:
    options = planned["one_time"].values("aws_instance.this[0]")["instance_market_options"][0]

    assert options["market_type"] == "spot"
    assert options["spot_options"][0]["spot_instance_type"] == "one-time"
    assert "aws_spot_instance_request.this[0]" not in planned["one_time"].resources


@pytest.mark.parametrize(
    ("case", "address", "size"),
    [
        ("spot", "aws_spot_instance_request.this[0]", 55),
        ("no_address", "aws_instance.this[0]", 55),
        ("default", "aws_instance.this[0]", 30),
        # Its image is larger.
        ("gpu", "aws_instance.this[0]", 125),
    ],
)
def test_the_disk_is_encrypted_gp3_of_the_size_asked_for(
    planned: dict[str, Planned], case: str, address: str, size: int
) -> None:
    disk = planned[case].values(address)["root_block_device"][0]

    assert disk["encrypted"] is True
    assert disk["volume_type"] == "gp3"
    assert disk["volume_size"] == size
    assert disk["delete_on_termination"] is True


def test_an_instance_asks_for_imdsv2(planned: dict[str, Planned]) -> None:
    options = planned["default"].values("aws_instance.this[0]")["metadata_options"][0]

    assert options["http_tokens"] == "required"
    assert options["http_put_response_hop_limit"] == 1


@pytest.mark.parametrize(
    ("case", "owner", "name"),
    [
        ("default", "099720109477", "ubuntu-noble-24.04-amd64-server-20261105"),
        ("graviton", "099720109477", "ubuntu-noble-24.04-arm64-server-20261105"),
        ("own_image", "136693071363", "debian-13-amd64-20261110-2204"),
        ("gpu", "898082745236", f"Learning Base {DRIVER} 20261113"),
        ("gpu_of_graviton", "898082745236", f"Learning ARM64 Base {DRIVER} 20261113"),
        ("gpu_without_driver", "099720109477", "ubuntu-noble-24.04-amd64-server-20261105"),
    ],
)
def test_the_image_is_the_newest_that_suits_the_type_or_ones_own(
    planned: dict[str, Planned], shared_account: Account, case: str, owner: str, name: str
) -> None:
    chosen = planned[case].values("aws_instance.this[0]")["ami"]

    image = shared_account.client().describe_images(ImageIds=[chosen])["Images"][0]
    assert image["Name"].endswith(name)
    assert image["OwnerId"] == owner


def test_no_address_is_kept_when_none_is_wanted(planned: dict[str, Planned]) -> None:
    assert not [one for one in planned["no_address"].resources if one.startswith("aws_eip")]


def test_a_mirror_of_the_programs_makes_no_bucket(planned: dict[str, Planned]) -> None:
    assert [one for one in planned["default"].resources if one.startswith("aws_s3")]
    assert not [one for one in planned["mirrored"].resources if one.startswith("aws_s3")]


def test_everything_that_can_be_is_tagged(planned: dict[str, Planned]) -> None:
    tagged = {
        address: one["values"]["tags"]
        for address, one in planned["tagged"].resources.items()
        if "tags" in one.get("values", {})
    }

    expected = {
        "Name": "jupyter-clouds-mine",
        "jupyter-clouds:deployment": "mine",
        "jupyter-clouds:owner": "ada",
        "team": "blue",
    }
    # S3 takes ten tags for an object: it goes with its bucket.
    assert tagged.pop("aws_s3_object.this[0]") is None
    assert set(tagged) >= {
        "aws_eip.this[0]",
        "aws_instance.this[0]",
        "aws_s3_bucket.this[0]",
        "aws_security_group.this",
    }
    volume = tagged.pop("aws_ebs_volume.data[0]")
    assert volume == {
        **expected,
        "jupyter-clouds:data-of": "mine",
        "jupyter-clouds:architecture": "x86_64",
    }
    assert all(tags == expected for tags in tagged.values()), tagged
    instance = planned["tagged"].values("aws_instance.this[0]")
    assert instance["root_block_device"][0]["tags"] == expected


def _image_id(account: Account, name: str) -> str:
    named = [{"Name": "name", "Values": [name]}]
    return str(account.client().describe_images(Filters=named)["Images"][0]["ImageId"])


def test_a_machine_has_no_role_unless_something_needs_one(planned: dict[str, Planned]) -> None:
    assert not [one for one in planned["default"].resources if one.startswith("aws_iam_")]
    assert not planned["default"].values("aws_instance.this[0]").get("iam_instance_profile")


@pytest.mark.parametrize(
    ("case", "folder", "condition"),
    [
        ("bucket", "my-data/*", None),
        # The slash is what keeps of/mine from being of/mine-too.
        ("prefix", "my-data/of/mine/*", {"StringLike": {"s3:prefix": ["of/mine/*"]}}),
    ],
)
def test_a_role_is_for_the_bucket_or_the_prefix_alone(
    planned: dict[str, Planned], case: str, folder: str, condition: object
) -> None:
    text = planned[case].values("aws_iam_role_policy.bucket[0]")["policy"]
    listing, region, objects = json.loads(text)["Statement"]

    assert listing["Action"] == ["s3:ListBucket"]
    assert listing["Resource"] == region["Resource"] == ["arn:aws:s3:::my-data"]
    assert listing.get("Condition") == condition
    assert region["Action"] == ["s3:GetBucketLocation"]
    assert objects["Resource"] == [f"arn:aws:s3:::{folder}"]
    assert not {one for one in objects["Action"] if "*" in one}


def test_ec2_alone_takes_the_role_and_the_wrapper_finds_it(planned: dict[str, Planned]) -> None:
    role = planned["prefix"].values("aws_iam_role.this[0]")
    profile = planned["prefix"].values("aws_iam_instance_profile.this[0]")

    (trusted,) = json.loads(role["assume_role_policy"])["Statement"]
    assert trusted["Principal"] == {"Service": "ec2.amazonaws.com"}
    assert role["path"] == profile["path"] == "/jupyter-clouds/us-east-1/"
    assert role["tags"]["jupyter-clouds:deployment"] == "notebook"


def test_a_role_for_sessions_opens_no_port_and_reads_no_parameter(
    planned: dict[str, Planned],
) -> None:
    text = planned["sessions"].values("aws_iam_role_policy.session_manager[0]")["policy"]

    (allowed,) = json.loads(text)["Statement"]
    assert {one.split(":")[0] for one in allowed["Action"]} == {"ssm", "ssmmessages"}
    assert [one for one in allowed["Action"] if one.startswith("ssm:")] == [
        "ssm:UpdateInstanceInformation"
    ]
    assert planned["sessions"].ingress() == set()
    assert "aws_iam_role_policy.bucket[0]" not in planned["sessions"].resources


def test_a_domain_in_a_zone_is_proved_by_one_record_that_the_machine_may_write(
    planned: dict[str, Planned],
) -> None:
    case = planned["proved_by_a_record"]
    record, in_force = json.loads(case.values("aws_iam_role_policy.dns_challenge[0]")["policy"])[
        "Statement"
    ]
    (zone,) = record["Resource"]

    assert zone.startswith("arn:aws:route53:::hostedzone/")
    assert record["Action"] == ["route53:ChangeResourceRecordSets"]
    key = "route53:ChangeResourceRecordSets"
    assert record["Condition"] == {
        "ForAllValues:StringEquals": {
            f"{key}NormalizedRecordNames": ["_acme-challenge.notebook.of.example.org"],
            f"{key}RecordTypes": ["TXT"],
            f"{key}Actions": ["DELETE", "UPSERT"],
        }
    }
    assert in_force["Action"] == ["route53:GetChange"]
    assert case.values("aws_iam_instance_profile.this[0]")


def test_what_a_user_with_the_roles_credentials_could_do_is_warned_of(
    planned: dict[str, Planned],
) -> None:
    of_the_role = {"dns_challenge", "session_manager"}

    assert of_the_role <= set(planned["proved_in_sight"].warned)
    assert not of_the_role & set(planned["proved_by_a_record"].warned)
    assert not of_the_role & set(planned["sessions"].warned)


@pytest.mark.parametrize("case", ["browsers_trust_it", "proved_by_port_80", "in_a_zone"])
def test_without_zone_and_authority_no_machine_may_write_a_record(
    planned: dict[str, Planned], case: str
) -> None:
    assert not [one for one in planned[case].resources if one.startswith("aws_iam_")]


@pytest.mark.parametrize("case", ["in_a_zone", "the_zone_itself"])
def test_the_domains_record_is_made_in_its_zone(planned: dict[str, Planned], case: str) -> None:
    record = planned[case].values("aws_route53_record.this[0]")
    told = planned[case].values("aws_eip.this[0]")["tags"]["jupyter-clouds:record"]
    assert told == f"{record['zone_id']}/{record['name']}"

    assert record["name"] == CASES[case]["domain"]
    assert (record["type"], record["ttl"]) == ("A", 60)
    assert "aws_route53_record.this[0]" not in planned["default"].resources
