"""Credentials, region and clients; errors of the SDK in words; waiting."""

from __future__ import annotations

import ipaddress
import threading
import time
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from wrapper.aws.model import Identity, Pace
from wrapper.aws.timestamps import read_fast
from wrapper.aws.words import in_words, missing_region
from wrapper.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

_T = TypeVar("_T")

LIST_REGION = "us-east-1"
"""One of three that tell the prices of all regions.

https://docs.aws.amazon.com/general/latest/gr/billing.html
"""
_ATTEMPTS = 6
_AT_ONCE = 20
"""Questions that one client carries at a time."""
_CONNECT_SECONDS = 5
_READ_SECONDS = 30

_CONFIG_VARIABLES = {
    "AWS_CONFIG_FILE": "config_file",
    "AWS_SHARED_CREDENTIALS_FILE": "credentials_file",
    "AWS_CA_BUNDLE": "ca_bundle",
}


class _Sdk:
    """Configuration, credentials and the SDK's descriptions of services, read once."""

    def __init__(self, session: botocore.session.Session) -> None:
        self.session = session
        read_fast(session)
        self._boto3 = boto3.Session(botocore_session=session)
        self._lock = threading.Lock()

    def client(self, service: str, **how: Any) -> Any:
        """A client; those may be used by threads, but not made by several at once:
        https://boto3.amazonaws.com/v1/documentation/api/latest/guide/session.html
        """
        make: Any = self._boto3.client
        with self._lock:
            made = make(service, **how)
            # The SDK reads what comes in pages at the first question, once for each that asks then.
            made.can_paginate(next(iter(made.meta.method_to_api_mapping)))
            return made


class Account:
    """One account in one region, asked with what the environment holds."""

    def __init__(
        self,
        *,
        environment: Mapping[str, str],
        region: str | None = None,
        pace: Pace | None = None,
        sdk: _Sdk | None = None,
    ) -> None:
        self._environment = environment
        self._pace = pace or Pace()
        with self.mapped("reading the configuration"):
            self._sdk = sdk or _Sdk(_session(environment))
            chosen = (
                region
                or environment.get("AWS_REGION")
                or environment.get("AWS_DEFAULT_REGION")
                or self._sdk.session.get_config_variable("region")
            )
        if not chosen:
            raise missing_region()
        self.region: str = chosen

    def elsewhere(self, region: str) -> Account:
        """The same account in another region, which reads no configuration a second time."""
        return Account(environment=self._environment, region=region, pace=self._pace, sdk=self._sdk)

    @cached_property
    def ec2(self) -> EC2Client:
        """The EC2 API of the region."""
        found: EC2Client = self._client("ec2")
        return found

    @cached_property
    def s3(self) -> S3Client:
        """The S3 API of the region."""
        found: S3Client = self._client("s3")
        return found

    @cached_property
    def sts(self) -> STSClient:
        """The API that knows whose credentials these are."""
        found: STSClient = self._client("sts")
        return found

    @cached_property
    def fis(self) -> Any:
        """The Fault Injection Service of the region."""
        return self._client("fis")

    @cached_property
    def route53(self) -> Any:
        """The client of Route 53."""
        return self._client("route53")

    @cached_property
    def iam(self) -> Any:
        """Roles."""
        return self._client("iam")

    @cached_property
    def budgets(self) -> Any:
        """AWS Budgets, of all regions."""
        return self._client("budgets", region=LIST_REGION)

    @cached_property
    def cost_explorer(self) -> Any:
        """Likewise."""
        return self._client("ce", region=LIST_REGION)

    @cached_property
    def scheduler(self) -> Any:
        """EventBridge Scheduler of the region."""
        return self._client("scheduler")

    @cached_property
    def cloudtrail(self) -> Any:
        """Who asked what of the region."""
        return self._client("cloudtrail")

    @cached_property
    def pricing(self) -> Any:
        """The Price List, of all regions."""
        return self._client("pricing", region=LIST_REGION)

    @cached_property
    def quotas(self) -> Any:
        """Service Quotas of the region."""
        return self._client("service-quotas")

    def _client(self, service: str, *, region: str | None = None) -> Any:
        # The region is each client's: the SDK may be shared with other regions.
        return self._sdk.client(
            service,
            region_name=region or self.region,
            config=self._config,
            endpoint_url=self._endpoint(service.upper().replace("-", "_")),
        )

    @property
    def known_regions(self) -> list[str]:
        """Every region that this SDK has heard of, in all partitions; newer ones may exist."""
        partitions = self._sdk.session.get_available_partitions()
        return [
            region
            for partition in partitions
            for region in self._sdk.session.get_available_regions("ec2", partition_name=partition)
        ]

    def identity(self) -> Identity:
        """Whose credentials these are. CredentialsError: missing, expired or refused."""
        with self.mapped("asking whose credentials these are"):
            caller = self.sts.get_caller_identity()
        return Identity(account=caller["Account"], arn=caller["Arn"])

    def now(self) -> datetime:
        """The time as AWS tells it: this computer's clock may be wrong."""
        with self.mapped("asking for the time"):
            answer = self.sts.get_caller_identity()
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])

    @contextmanager
    def mapped(self, doing: str) -> Iterator[None]:
        """Errors of the SDK leave as ours; `doing` completes "AWS failed while ..."."""
        try:
            yield
        except (BotoCoreError, ClientError, ResponseParserError) as error:
            raise in_words(error, doing=doing, region=getattr(self, "region", None)) from error
        except ValueError as error:
            # botocore's own for an endpoint that is no URL.
            if "endpoint" not in str(error).lower():
                raise
            raise AwsError(
                f"AWS_ENDPOINT_URL is no URL: {error}",
                hint="For AWS itself: unset AWS_ENDPOINT_URL. "
                "For the embedded EC2: python -m wrapper local status",
            ) from error

    def wait(self, until: Callable[[], _T | None], *, what: str, minutes: float = 10) -> _T:
        """What `until` returned first that is not None. AwsError when that takes longer."""
        deadline = time.monotonic() + minutes * 60
        pause = self._pace.first
        while (found := until()) is None:
            if time.monotonic() + pause > deadline:
                raise AwsError(
                    f"Gave up after {minutes:g} minutes in {self.region}: {what}.",
                    hint="EC2 may still be at it: python -m wrapper status, then again.",
                )
            time.sleep(pause)
            pause = min(pause * self._pace.growth, self._pace.longest)
        return found

    @property
    def _config(self) -> Config:
        # A proxy has no way to this computer's own addresses.
        proxies: dict[str, str] | None = {} if _is_loopback(self._endpoint("EC2")) else None
        return Config(
            retries={"mode": "adaptive", "total_max_attempts": _ATTEMPTS},
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            max_pool_connections=_AT_ONCE,
            proxies=proxies,
            user_agent_extra="jupyter-clouds",
        )

    def _endpoint(self, service: str) -> str | None:
        return self._environment.get(f"AWS_ENDPOINT_URL_{service}") or self._environment.get(
            "AWS_ENDPOINT_URL"
        )


def _session(environment: Mapping[str, str]) -> botocore.session.Session:
    """The SDK's session as if it had been started in that environment."""
    profile = environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE")
    session = botocore.session.Session(profile=profile)
    for variable, name in _CONFIG_VARIABLES.items():
        if value := environment.get(variable):
            session.set_config_variable(name, value)
    key, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if key and secret:
        session.set_credentials(key, secret, environment.get("AWS_SESSION_TOKEN"))
        return session
    resolver = session.get_component("credential_provider")
    if profile is None:
        # The process's own environment, which is not the one that was passed.
        resolver.remove("env")
    if environment.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        resolver.remove("iam-role")
    return session


def _is_loopback(endpoint: str | None) -> bool:
    host = urlsplit(endpoint or "").hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
