"""The embedded EC2's API on a free port of this computer, with nothing behind its instances."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore import useragent
from botocore.client import ClientCreator
from botocore.config import Config
from botocore.hooks import EventAliaser
from botocore.loaders import Loader
from werkzeug.serving import make_server

from wrapper.local.api import create_app
from wrapper.local.door import guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _typeshed.wsgi import WSGIApplication

    from wrapper.local.api.control import Control
    from wrapper.local.machines import Machines


def _once(owner: Any, name: str) -> None:
    """The method finds out a thing once for all who ask it of that first word.

    The SDK keeps what it read for a session, of which every command and so nearly every test has
    its own: a tenth of a second each time.
    """
    find, known = getattr(owner, name), dict[str, Any]()

    def found(one: Any, *words: Any, **named: Any) -> Any:
        first = [*words, *named.values()][0]
        if first not in known:
            known[first] = find(one, *words, **named)
        return known[first]

    setattr(owner, name, found)


_once(Loader, "list_available_services")
_once(ClientCreator, "_create_client_class")
_once(EventAliaser, "_alias_event_name")
# The same words, letter by letter, at every question: an eighth of what one costs the client.
useragent.sanitize_user_agent_string_component = cache(
    useragent.sanitize_user_agent_string_component
)


@dataclass(frozen=True)
class Account:
    """An account of its own, and the way to it."""

    endpoint: str
    control: Control
    """Capacity, prices and quotas, decided without asking the API."""
    services: Any = None
    """Its S3 and Route 53, behind every check: what the machines' door leads to."""
    app: WSGIApplication | None = None
    """What answers at the endpoint."""

    @property
    def environment(self) -> dict[str, str]:
        """What any AWS client, Terraform's too, needs to find it."""
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def client(self, region: str = "us-east-1", service: str = "ec2") -> Any:
        """A boto3 client that asks each question once."""
        return _shared(self.endpoint, region, service)

    def left(self, region: str = "us-east-1") -> list[str]:
        """Ids of all that costs money or stands in the way of the next deployment."""
        ec2 = self.client(region)
        instances = [
            one
            for reservation in ec2.describe_instances()["Reservations"]
            for one in reservation["Instances"]
        ]
        requests = ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
        groups = ec2.describe_security_groups()["SecurityGroups"]
        return [
            *(one["InstanceId"] for one in instances if one["State"]["Name"] != "terminated"),
            *(
                one["SpotInstanceRequestId"]
                for one in requests
                if one["State"] not in ("cancelled", "closed")
            ),
            *(one["VolumeId"] for one in ec2.describe_volumes()["Volumes"]),
            *(one["AllocationId"] for one in ec2.describe_addresses()["Addresses"]),
            *(one["GroupId"] for one in groups if one["GroupName"] != "default"),
            *(
                one["NetworkInterfaceId"]
                for one in ec2.describe_network_interfaces()["NetworkInterfaces"]
            ),
            *(one["Name"] for one in self.client(region, "s3").list_buckets()["Buckets"]),
        ]


@cache
def _shared(endpoint: str, region: str, service: str) -> Any:
    """Half a second of reading what the service can do, and safe to share among threads."""
    return client_of(endpoint, region, service)


def client_of(
    endpoint: str, region: str = "us-east-1", service: str = "ec2", *, attempts: int = 1
) -> Any:
    """A boto3 client of its own: what is done to it is done to no other."""
    return boto3.client(  # type: ignore[call-overload] # overloaded by literals
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}),
    )


@contextmanager
def served(
    machines: Machines | None = None, clock: Callable[[], float] = time.time
) -> Iterator[Account]:
    """An empty account, served threaded until the block ends; its market goes by the clock."""
    app = create_app(machines, clock)
    # Guarded as the daemon's, so that whatever Terraform and boto3 send is seen to get through.
    door = guarded(app)
    with listening(door) as endpoint:
        yield Account(endpoint, app.control, app.services, door)


@contextmanager
def listening(app: WSGIApplication) -> Iterator[str]:
    """An address at which it is served, threaded, until the block ends."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server, over = make_server("127.0.0.1", 0, app, threaded=True), threading.Event()

    def serve() -> None:
        # Not serve_forever, which looks around twenty times a second to end as soon as this does.
        while not over.is_set():
            server.handle_request()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        over.set()
        with suppress(OSError):  # it has seen that it is over
            socket.create_connection(("127.0.0.1", server.server_port)).close()
        thread.join()
        server.server_close()


def terraform_environment(account: Account) -> dict[str, str]:
    """The account and what a child process needs to run; nothing of the caller's own AWS set-up."""
    kept = {key: os.environ[key] for key in ("HOME", "LANG", "PATH", "TMPDIR") if key in os.environ}
    # The provider collects garbage a fifth of its time at start-up; memory is not what is short.
    quick = {"CHECKPOINT_DISABLE": "1", "GOGC": "400", "TF_IN_AUTOMATION": "1"}
    return {**kept, **account.environment, **quick}
