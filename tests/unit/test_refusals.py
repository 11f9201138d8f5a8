"""EC2's reasons in words: each its own, each with a next step."""

from __future__ import annotations

import pytest

from wrapper import refusals
from wrapper.errors import ExitCode, RefusedError
from wrapper.terraform import events
from wrapper.terraform.diagnosis import explain

ALL = [*refusals.ERRORS.values(), *refusals.REQUESTS.values(), refusals.UNSUPPORTED]


@pytest.mark.parametrize("refusal", ALL, ids=lambda one: one.code)
def test_each_reason_has_words_and_a_next_step_of_its_own(refusal: refusals.Refusal) -> None:
    error = refusals.error(refusal, where="t3.large, spot, in us-east-1a")
    assert refusal.words in error.message
    assert f"({refusal.code})" in error.message
    assert error.hint
    assert (error.code, error.exit_code) == (refusal.code, ExitCode.FAILED)
    assert refusals.of_code(refusal.code) is refusal


def test_no_two_reasons_have_the_same_words() -> None:
    told = {(one.words, one.next_step) for one in ALL if one.code != "SpotMaxPriceTooLow"}
    assert len(told) == len(ALL) - 1  # the error and the status say the same of the price


RUN = "creating EC2 Instance: operation error EC2: RunInstances, https response error StatusCode: "
WAIT = "waiting for EC2 Spot Instance Request (sir-1) to be fulfilled: unexpected state "


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        (RUN + "500, api error InsufficientInstanceCapacity: We currently do not have sufficient "
         "t3.large capacity", "InsufficientInstanceCapacity", "--fallback zone"),
        (RUN + "400, api error VcpuLimitExceeded: more vCPU capacity than your current vCPU limit "
         "of 0", "VcpuLimitExceeded", "--spot"),
        (RUN + "400, api error MaxSpotInstanceCountExceeded: Max spot instance count exceeded",
         "MaxSpotInstanceCountExceeded", "--on-demand"),
        (RUN + "400, api error SpotMaxPriceTooLow: Your Spot request price of 0.001 is lower than",
         "SpotMaxPriceTooLow", "--on-demand"),
        (RUN + "400, api error Unsupported: Your requested instance type (p5.48xlarge) is not "
         "supported in your requested Availability Zone (us-east-1a)", "Unsupported", "zone"),
        (WAIT + "'capacity-not-available', wanted target 'fulfilled'", "capacity-not-available",
         "--on-demand"),
        (WAIT + "'price-too-low'", "price-too-low", "--on-demand"),
        (WAIT + "'constraint-not-fulfillable'", "constraint-not-fulfillable", "--fallback zone"),
        (WAIT + "'bad-parameters'", "bad-parameters", "docs/aws.md"),
    ],
    ids=lambda value: value if len(value) < 30 else "",
)  # fmt: skip
def test_terraforms_chain_of_reasons_is_told_as_ec2s(text: str, code: str, hint: str) -> None:
    found = explain("apply", [events.Diagnostic("error", "", text, None)], began=True, log="/log")
    assert isinstance(found, RefusedError)
    assert found.code == code
    assert hint in (found.hint or "")
    assert "operation error" not in found.message, "EC2's own sentence, not the way it took"


@pytest.mark.parametrize(
    "text",
    ["api error AddressLimitExceeded: too many", "api error InvalidParameterValue: Unsupported"],
)
def test_other_complaints_are_no_refusals(text: str) -> None:
    assert refusals.find(text) is None


@pytest.mark.parametrize(
    ("state", "status", "interrupted", "waits", "words"),
    [
        ("active", "fulfilled", False, False, "it runs"),
        ("disabled", "instance-stopped-by-user", False, False, "you stopped it"),
        ("active", "marked-for-stop", True, False, "within two minutes"),
        ("disabled", "instance-stopped-no-capacity", True, True, "starts again by itself"),
        ("disabled", "instance-stopped-by-price", True, True, "cannot be started by you"),
        ("open", "instance-terminated-no-capacity", True, False, "terminated it"),
        ("open", "capacity-not-available", False, False, "no spot capacity"),
        ("open", "something-new", False, False, "open, something-new"),
    ],
    ids=str,
)
def test_how_a_request_stands_is_told(
    state: str, status: str, interrupted: bool, waits: bool, words: str
) -> None:
    assert refusals.was_interrupted(status) is interrupted
    assert refusals.waits_for_capacity(state, status) is waits
    assert words in refusals.in_words(state, status)
