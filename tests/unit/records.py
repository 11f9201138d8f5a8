"""Records that a deployment has made in a zone of Route 53."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.unit.fleet import tags

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account


def in_a_zone(account: Account, ec2: EC2Client, name: str) -> tuple[Any, str, str]:
    """Route 53, the zone of example.org, and the address of name.example.org in it."""
    route53 = account.client(service="route53")
    zone = route53.create_hosted_zone(Name="example.org", CallerReference=name)["HostedZone"]["Id"]
    zone = zone.rpartition("/")[2]
    made = ec2.allocate_address(Domain="vpc", TagSpecifications=tags(name, "elastic-ip"))
    told = f"{zone}/{name}.example.org"
    ec2.create_tags(
        Resources=[made["AllocationId"]], Tags=[{"Key": "jupyter-clouds:record", "Value": told}]
    )
    return route53, zone, made["PublicIp"]


def lead(route53: Any, zone: str, name: str, address: str) -> None:
    records = {"TTL": 60, "ResourceRecords": [{"Value": address}]}
    made = {"Name": f"{name}.example.org", "Type": "A", **records}
    change = {"Action": "UPSERT", "ResourceRecordSet": made}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})


def leads(route53: Any, zone: str) -> list[str]:
    sets = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return [one["Name"] for one in sets if one["Type"] == "A"]


def prove(account: Account, ec2: EC2Client, name: str) -> tuple[Any, str]:
    """Route 53 and a zone, in which the machine of that name has left what proves its domain."""
    route53, zone, address = in_a_zone(account, ec2, name)
    record = f"_acme-challenge.{name}.example.org"
    found = ec2.describe_addresses(PublicIps=[address])["Addresses"][0]["AllocationId"]
    told = f"{zone}/{record}"
    ec2.create_tags(Resources=[found], Tags=[{"Key": "jupyter-clouds:challenge", "Value": told}])
    for one in (record, f"_acme-challenge.other-{name}.example.org"):
        text = {"Name": one, "Type": "TXT", "TTL": 10, "ResourceRecords": [{"Value": '"a digest"'}]}
        change = {"Action": "UPSERT", "ResourceRecordSet": text}
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})
    return route53, zone


def proofs(route53: Any, zone: str) -> list[str]:
    sets = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return [one["Name"] for one in sets if one["Type"] == "TXT"]
