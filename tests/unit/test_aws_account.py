"""Whose account it is, in which region, and what its refusals become."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest
from botocore import exceptions as sdk

from tests.unit.aws_answers import KEYS, answering, refusing
from tests.unit.conftest import free_port, mint
from tests.unit.tls_servers import showing, tls_server
from wrapper import clock
from wrapper.aws import Aws, Identity
from wrapper.aws.words import in_words
from wrapper.errors import AwsError, CloudsError, CredentialsError, RefusedError, RequestError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ec2 import Account


def test_the_credentials_owner_is_told(account: Account) -> None:
    assert Aws(environment=account.environment).identity() == Identity(
        "123456789012", "arn:aws:sts::123456789012:user/moto"
    )


@pytest.mark.parametrize(
    ("given", "environment", "region"),
    [
        ("eu-west-1", {"AWS_REGION": "us-east-1"}, "eu-west-1"),
        (None, {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "eu-west-1"}, "us-east-1"),
        (None, {"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        (None, {"AWS_PROFILE": "work"}, "eu-north-1"),
        (None, {}, "ap-south-1"),
    ],
    ids=["given", "environment", "older variable", "profile", "default profile"],
)
def test_the_region_is_the_one_asked_for_else_the_environments(
    tmp_path: Path, given: str | None, environment: dict[str, str], region: str
) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\nregion = ap-south-1\n[profile work]\nregion = eu-north-1\n")
    environment = {**KEYS, **environment, "AWS_CONFIG_FILE": str(config)}
    assert Aws(environment=environment, region=given).region == region


def test_without_any_region_the_error_names_the_flag(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="No AWS region") as raised:
        Aws(environment={**KEYS, "AWS_CONFIG_FILE": str(tmp_path / "none")})
    assert "--region" in str(raised.value.hint)


def test_keys_of_the_process_are_not_used_in_place_of_missing_ones(
    account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    environment = {
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": account.endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }
    with pytest.raises(CredentialsError, match="missing") as raised:
        Aws(environment=environment).identity()
    assert "--local" in str(raised.value.hint)


def test_a_profile_that_does_not_exist_is_told(tmp_path: Path) -> None:
    environment = {"AWS_PROFILE": "work", "AWS_CONFIG_FILE": str(tmp_path / "none")}
    with pytest.raises(CredentialsError, match=r"profile \(work\) could not be found"):
        Aws(environment=environment, region="us-east-1")


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("nonsense", "AWS_ENDPOINT_URL is no URL"),
        (f"http://127.0.0.1:{free_port()}", "cannot be reached while asking whose"),
    ],
    ids=["no address", "nobody listens"],
)
def test_an_endpoint_that_does_not_answer_is_told(endpoint: str, reason: str) -> None:
    environment = {**KEYS, "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": endpoint}
    with pytest.raises(AwsError, match=reason) as raised:
        Aws(environment=environment).identity()
    assert raised.value.hint


def test_a_proxy_is_not_asked_for_the_loopback(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert Aws(environment=account.environment).identity().account == "123456789012"


DENIED = "You are not authorized. Encoded authorization failure message: " + "x" * 999


@pytest.mark.parametrize(
    ("code", "message", "kind", "words"),
    [
        ("ExpiredToken", "The token is expired", CredentialsError, "have expired"),
        ("RequestExpired", "Request has expired", CredentialsError, "have expired"),
        ("InvalidClientTokenId", "The token is invalid", CredentialsError, "refuses the credent"),
        ("SignatureDoesNotMatch", "The signature differs", CredentialsError, "refuses the cred"),
        ("AuthFailure", "AWS was not able to validate", CredentialsError, "refuses the credent"),
        ("UnauthorizedOperation", DENIED, CredentialsError, r"may not do this.*GetCallerIdentity"),
        ("AccessDenied", "User: me is not allowed", CredentialsError, "may not do this"),
        ("OptInRequired", "You are not subscribed", CredentialsError, "account is not ready"),
        (
            "VcpuLimitExceeded",
            "More than 0 vCPU",
            RefusedError,
            "on-demand vCPUs.*More than 0 vCPU",
        ),
        ("SomethingNew", "Whatever that is", AwsError, r"Whatever that is \(.*SomethingNew\)"),
    ],
)
def test_a_refusal_is_told_in_words(
    code: str, message: str, kind: type[CloudsError], words: str
) -> None:
    with refusing(code, message) as endpoint:
        environment = {**KEYS, "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": endpoint}
        with pytest.raises(kind, match=words) as raised:
            Aws(environment=environment).identity()
    assert raised.value.hint
    assert len(raised.value.message) < 300
    assert "s3cret" not in raised.value.message


@pytest.mark.parametrize(
    ("code", "ahead", "words"),
    [
        ("RequestExpired", 3600, "clock is 60 minutes slow"),
        ("SignatureDoesNotMatch", -3600, "clock is 60 minutes fast"),
        ("AuthFailure", 86400, "clock is 1440 minutes slow"),
        ("SignatureDoesNotMatch", -365 * 86400, "clock is 525600 minutes fast"),
        ("InvalidSignatureException", 3600, "clock is 60 minutes slow"),
        ("RequestExpired", 60, "credentials have expired"),
        ("UnauthorizedOperation", 3600, "may not do this"),
    ],
    ids=[
        "slow",
        "fast",
        "a day",
        "a year",
        "a JSON service's",
        "near enough",
        "not the clock's fault",
    ],
)
def test_a_wrong_clock_is_told_of_where_it_is_the_reason(
    code: str, ahead: float, words: str
) -> None:
    with refusing(code, "Signature expired", ahead) as endpoint:
        environment = {**KEYS, "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": endpoint}
        with pytest.raises(CredentialsError, match=words):
            Aws(environment=environment).identity()


@pytest.mark.parametrize("days", [(-400, -335), (335, 400)], ids=["a year fast", "a year slow"])
def test_a_clock_that_is_wrong_by_a_year_is_told_of_before_anything_is_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: tuple[int, int]
) -> None:
    """By such a clock AWS's own certificate is out of date."""
    monkeypatch.setattr("wrapper.aws.account._ATTEMPTS", 1)
    minted = mint("127.0.0.1", days=days)
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(minted.certificate)
    with tls_server(showing(minted, tmp_path)) as server:
        there = {"AWS_ENDPOINT_URL": f"https://127.0.0.1:{server.port}"}
        environment = {**KEYS, **there, "AWS_REGION": "eu-west-1", "AWS_CA_BUNDLE": str(bundle)}
        with pytest.raises(AwsError, match=r"cannot be reached.*certificate") as raised:
            Aws(environment=environment).identity()
    assert "clock says 20" in str(raised.value.hint)
    assert clock.command() in str(raised.value.hint)


@pytest.mark.parametrize("status", [200, 403, 500])
def test_a_page_for_people_is_no_answer_of_aws(status: int) -> None:
    page = b"<!doctype html>\n<html lang=en>\n<title>Sign in to the hotel's network</title>"
    with answering(status, page + b"<br>" * 500) as endpoint:
        environment = {**KEYS, "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": endpoint}
        with pytest.raises(AwsError, match=r"does not speak AWS.s language.*the hotel") as raised:
            Aws(environment=environment).identity()
    assert "\n" not in raised.value.message
    assert len(raised.value.message) < 700
    assert raised.value.hint


def exceptions_of_the_sdk() -> list[type[Exception]]:
    return [
        kind
        for _, kind in inspect.getmembers(sdk, inspect.isclass)
        if issubclass(kind, (sdk.BotoCoreError, sdk.ClientError))
    ]


@pytest.mark.parametrize("kind", exceptions_of_the_sdk())
def test_every_error_of_the_sdk_is_one_of_ours(kind: type[Exception]) -> None:
    error: Any = kind.__new__(kind)
    error.args = ("some words",)
    error.response = {"Error": {"Code": "Whatever", "Message": "some words"}}
    error.operation_name = "DescribeInstances"
    ours = in_words(error, doing="looking", region="eu-west-1")
    assert isinstance(ours, CloudsError)
    assert ours.message
    assert ours.hint
