"""Errors of the SDK and of AWS as ours: what happened, where, and what to type."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from botocore import exceptions as sdk
from botocore.parsers import ResponseParserError

from wrapper import clock, refusals
from wrapper.errors import (
    AwsError,
    CloudsError,
    CredentialsError,
    RequestError,
    UnreachableError,
)

_CONFIGURE = (
    "aws configure, or export AWS_PROFILE=... ; without an account: python -m wrapper up --local"
)
_UNREACHABLE = (
    "Check the network, AWS_ENDPOINT_URL, and the region's name; the embedded EC2: "
    "python -m wrapper local status"
)
_KINDS: tuple[tuple[tuple[type[Exception], ...], type[CloudsError], str, str], ...] = (
    (
        (sdk.InvalidRegionError,),
        RequestError,
        "That is no AWS region",
        "python -m wrapper up --region eu-central-1",
    ),
    (
        (sdk.NoCredentialsError, sdk.PartialCredentialsError),
        CredentialsError,
        "AWS credentials are missing",
        _CONFIGURE,
    ),
    (
        (
            sdk.ProfileNotFound,
            sdk.ConfigNotFound,
            sdk.ConfigParseError,
            sdk.InvalidConfigError,
            sdk.InfiniteLoopConfigError,
        ),
        CredentialsError,
        "The AWS configuration is not usable",
        _CONFIGURE,
    ),
    (
        (sdk.SSOError, sdk.TokenRetrievalError),
        CredentialsError,
        "The AWS sign-in has expired or was never made",
        "aws sso login",
    ),
    (
        (
            sdk.CredentialRetrievalError,
            sdk.MetadataRetrievalError,
            sdk.UnknownCredentialError,
            sdk.RefreshWithMFAUnsupportedError,
        ),
        CredentialsError,
        "AWS credentials could not be had",
        _CONFIGURE,
    ),
    (
        (sdk.HTTPClientError, sdk.ConnectionError),
        UnreachableError,
        "AWS{where} cannot be reached while {doing}",
        _UNREACHABLE,
    ),
    (
        # A proxy's or a hotel's page, or a server that has broken down.
        (ResponseParserError,),
        AwsError,
        "What answered{where} while {doing} does not speak AWS's language",
        _UNREACHABLE,
    ),
)
"""The SDK's own errors: the first kind that fits counts."""
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_REFUSED = {
    "AuthFailure",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_SKEW = timedelta(minutes=5)
"""Between a request's time and AWS's, after which services refuse it, some later:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-signing.html"""
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedAccess", "UnauthorizedOperation"}
_ACCOUNT = {"OptInRequired", "PendingVerification", "Blocked"}
_LIMITS = {
    "AddressLimitExceeded": "Release one you do not need, or python -m wrapper up --no-elastic-ip.",
}


def code_of(error: BaseException) -> str:
    """AWS's error code, such as InvalidInstanceID.NotFound; empty for the SDK's own errors."""
    if isinstance(error, sdk.ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return ""


def is_absent(error: BaseException) -> bool:
    """AWS says that there is no such thing (any more)."""
    known = (".NotFound", "NotFound", "NoSuchBucket", ".Malformed", ".Unavailable", ".Unknown")
    return code_of(error).endswith(known)


def missing_region() -> RequestError:
    """The error for a region that nobody named."""
    return RequestError(
        "No AWS region is chosen.",
        hint="export AWS_REGION=eu-central-1, or add: --region eu-central-1. What was made on the "
        "embedded EC2 is found with: --local",
    )


def in_words(error: Exception, *, doing: str, region: str | None) -> CloudsError:
    """Our error for any of botocore's; AwsError for those with no words of their own."""
    where = f" in {region}" if region else ""
    if isinstance(error, sdk.ClientError):
        return _client_error(error, doing=doing, where=where)
    if isinstance(error, sdk.NoRegionError):
        return missing_region()
    for kinds, family, message, hint in _KINDS:
        if isinstance(error, kinds):
            told = " ".join(str(error).split())
            words = f"{message.format(where=where, doing=doing)}: {told[:500]}"
            return family(words, hint=clock.blamed(told) or hint)
    return AwsError(
        f"The AWS SDK failed{where} while {doing}: {error}", hint="python -m wrapper doctor"
    )


def _client_error(error: sdk.ClientError, *, doing: str, where: str) -> CloudsError:
    code = code_of(error)
    # The encoded part is for `aws sts decode-authorization-message`: a kilobyte of letters.
    message = str(error.response.get("Error", {}).get("Message", ""))
    message = message.partition("Encoded authorization failure message")[0].strip().rstrip(".")
    if code in _EXPIRED | _REFUSED:
        return _unaccepted(error, code=code, message=message, where=where)
    if code in _DENIED:
        return CredentialsError(
            f"The AWS user may not do this{where}, {doing}: {message} ({error.operation_name}, "
            f"{code}).",
            hint="The policy it needs is in docs/aws.md.",
        )
    if code in _ACCOUNT:
        return CredentialsError(
            f"The AWS account is not ready{where}: {message} ({code}).",
            hint="See the account's notices: https://console.aws.amazon.com/",
        )
    if refusal := refusals.of_code(code):
        return refusals.error(refusal, where=doing, told=message)
    return AwsError(
        f"AWS refused{where} while {doing}: {message} ({error.operation_name}, {code}).",
        hint=_LIMITS.get(
            code, "What is missing in the account, if that is it: python -m wrapper doctor"
        ),
    )


def _unaccepted(error: sdk.ClientError, *, code: str, message: str, where: str) -> CredentialsError:
    if wrong := _clock(error):
        return CredentialsError(
            f"This computer's clock is {wrong}, so AWS{where} refuses what it signs ({code}).",
            hint=clock.command(),
        )
    if code in _EXPIRED:
        return CredentialsError(
            f"The AWS credentials have expired ({code}).",
            hint="Get new ones: aws sso login, or aws configure",
        )
    return CredentialsError(
        f"AWS{where} refuses the credentials: {message} ({code}). A wrong or deleted key, a "
        "clock that is wrong, or a region that the account has not enabled.",
        hint="aws sts get-caller-identity",
    )


def _clock(error: sdk.ClientError) -> str | None:
    """How wrong this computer's clock is, by the answer's date; None when it is right enough."""
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        there = parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError):
        return None
    if there.tzinfo is None:  # "-0000", which tells no zone: it is UTC all the same
        there = there.replace(tzinfo=UTC)
    wrong = datetime.now(UTC) - there
    if abs(wrong) < _SKEW:
        return None
    minutes = round(abs(wrong).total_seconds() / 60)
    return f"{minutes} minutes {'fast' if wrong > _SKEW else 'slow'}"
