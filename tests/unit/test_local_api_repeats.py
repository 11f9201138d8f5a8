"""A client that did not hear the answer asks again: AWS's SDK over a connection that breaks."""

from __future__ import annotations

import http.client
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.ec2 import client_of, served
from tests.unit.local_api import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

RULE = [
    {
        "IpProtocol": "tcp",
        "FromPort": 9999,
        "ToPort": 9999,
        "IpRanges": [{"CidrIp": "192.0.2.0/24"}],
    }
]


@contextmanager
def breaking(endpoint: str, lost: int) -> Iterator[tuple[str, list[str]]]:
    """The way to the endpoint, on which so many answers are lost; the attempts that were made."""
    attempts: list[str] = []

    class Wire(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            there = urlsplit(endpoint)
            connection = http.client.HTTPConnection(str(there.hostname), there.port, timeout=20)
            headers = {**dict(self.headers.items()), "Host": there.netloc}
            connection.request("POST", self.path, body, headers)
            answer = connection.getresponse()
            said = answer.read()
            attempts.append(self.headers["amz-sdk-request"])
            if len(attempts) <= lost:
                self.close_connection = True  # done there, and nobody here hears of it
                return
            self.send_response(answer.status)
            self.send_header("Content-Type", str(answer.headers["Content-Type"]))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Wire) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", attempts
        server.shutdown()


def test_a_rule_whose_answer_was_lost_is_made_once_and_told() -> None:
    with served() as account:
        vpc = account.client().describe_vpcs()["Vpcs"][0]["VpcId"]
        group = account.client().create_security_group(GroupName="x", Description="x", VpcId=vpc)[
            "GroupId"
        ]
        with breaking(account.endpoint, lost=2) as (endpoint, attempts):
            told = client_of(endpoint, attempts=3).authorize_security_group_ingress(
                GroupId=group, IpPermissions=RULE
            )
        assert len(attempts) == 3
        rules = account.client().describe_security_group_rules(
            Filters=[{"Name": "group-id", "Values": [group]}]
        )["SecurityGroupRules"]
        made = [one for one in rules if not one["IsEgress"]]
        assert [one["SecurityGroupRuleId"] for one in made] == [
            one["SecurityGroupRuleId"] for one in told["SecurityGroupRules"]
        ]
        # Asked anew, and not again, it is there already.
        again = refusal(
            lambda: account.client().authorize_security_group_ingress(
                GroupId=group, IpPermissions=RULE
            )
        )
        assert again[0] == "InvalidPermission.Duplicate"
