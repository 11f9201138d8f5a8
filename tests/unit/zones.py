"""A zone of Route 53, and a machine's role that may write one record of it."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.ec2 import served
from wrapper.local.gateway import serve
from wrapper.local.machines import Role

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from tests.ec2 import Account

NAME = "_acme-challenge.notebook.example.org"


def policy(zone_id: str) -> str:
    """As the module makes it: role.tf."""
    key = "route53:ChangeResourceRecordSets"
    statements = [
        {
            "Effect": "Allow",
            "Action": ["route53:ChangeResourceRecordSets"],
            "Resource": [f"arn:aws:route53:::hostedzone/{zone_id}"],
            "Condition": {
                "ForAllValues:StringEquals": {
                    f"{key}NormalizedRecordNames": [NAME],
                    f"{key}RecordTypes": ["TXT"],
                    f"{key}Actions": ["DELETE", "UPSERT"],
                }
            },
        },
        {
            "Effect": "Allow",
            "Action": ["route53:GetChange"],
            "Resource": ["arn:aws:route53:::change/*"],
        },
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@dataclass(frozen=True)
class Zone:
    """example.org, in an account of its own."""

    account: Account
    zone_id: str
    role: Role
    door: str
    """Where machines find Route 53."""

    @property
    def route53(self) -> Any:
        """As its owner."""
        return self.account.client(service="route53")

    def held(self) -> dict[str, str]:
        """Values of its TXT records."""
        sets = self.route53.list_resource_record_sets(HostedZoneId=self.zone_id)
        texts = [one for one in sets["ResourceRecordSets"] if one["Type"] == "TXT"]
        return {one["Name"]: one["ResourceRecords"][0]["Value"] for one in texts}

    def forbid(self) -> None:
        """The role has no right any more."""
        iam = self.account.client(service="iam")
        iam.delete_role_policy(RoleName=self.role.name, PolicyName="p")


@contextmanager
def a_zone(tls: ssl.SSLContext | None = None) -> Iterator[Zone]:
    """It, with a role for one record and the door that machines go through, plain or over TLS."""
    with served() as account:
        iam, route53 = account.client(service="iam"), account.client(service="route53")
        made = route53.create_hosted_zone(Name="example.org", CallerReference="it")["HostedZone"]
        zone_id = made["Id"].rpartition("/")[2]
        role = iam.create_role(RoleName="of-the-machine", AssumeRolePolicyDocument="{}")["Role"]
        text = policy(zone_id)
        iam.put_role_policy(RoleName="of-the-machine", PolicyName="p", PolicyDocument=text)
        listening = socket.create_server(("127.0.0.1", 0))
        server = serve(listening, lambda _: None, account.services)
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield Zone(
                account,
                zone_id,
                Role(role["Arn"].split(":")[4], "of-the-machine", "arn", "AIPA"),
                f"http{'s' if tls else ''}://127.0.0.1:{listening.getsockname()[1]}",
            )
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
