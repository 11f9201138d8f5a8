"""certbot's hook of dns-01: the record by which an authority knows the domain, in Route 53.

letsencrypt_dns.py UPSERT|DELETE ZONE REGION [ENDPOINT], by certbot's Python, which has AWS's SDK.
certbot-dns-route53 takes no zone: it would have to list all that the account has.
"""

from __future__ import annotations

import os
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

TTL = 10
# Within a minute, mostly: https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetChange.html
PATIENCE = {"Delay": 5, "MaxAttempts": 60}
WORDS = {
    "AccessDenied": "the machine's role may not write {name} in the zone {zone}",
    "NoSuchHostedZone": "there is no zone {zone}",
}


def change(action: str, zone: str, region: str, endpoint: str | None = None) -> None:
    """All servers of the zone tell the record, or it is taken away. SystemExit says why not."""
    name = f"_acme-challenge.{os.environ['CERTBOT_DOMAIN']}"
    value = {"Value": f'"{os.environ["CERTBOT_VALIDATION"]}"'}
    record = {"Name": name, "Type": "TXT", "TTL": TTL, "ResourceRecords": [value]}
    try:
        route53 = boto3.client("route53", region_name=region, endpoint_url=endpoint)
        made = route53.change_resource_record_sets(
            HostedZoneId=zone,
            ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]},
        )
        if action == "UPSERT":
            in_force = route53.get_waiter("resource_record_sets_changed")
            in_force.wait(Id=made["ChangeInfo"]["Id"], WaiterConfig=PATIENCE)
    except NoCredentialsError:
        fail("the machine has no role (associate its instance profile)")
    except ClientError as error:
        words = WORDS.get(error.response["Error"]["Code"], "{error}")
        fail(words.format(name=name, zone=zone, error=error))
    except BotoCoreError as error:
        fail(str(error))


def fail(reason: str) -> None:
    """certbot goes on all the same; letsencrypt.py takes the first reason that it finds."""
    sys.exit(f"Detail: Route 53: {reason}")


if __name__ == "__main__":
    # No proxy ever stands between a machine and its own metadata; of the two, this one is heeded.
    past = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    os.environ["no_proxy"] = ",".join(filter(None, [past, "169.254.169.254"]))
    change(*sys.argv[1:])
