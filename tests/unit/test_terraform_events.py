"""Terraform's machine-readable lines, as 1.11.4 wrote them, and what is made of its complaints."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wrapper import errors
from wrapper.terraform import Applying, Change, events
from wrapper.terraform.diagnosis import explain
from wrapper.terraform.events import Diagnostic, Outputs

RESOURCE = {
    "addr": "module.notebook.aws_instance.this[0]",
    "module": "module.notebook",
    "resource": "aws_instance.this[0]",
    "implied_provider": "aws",
    "resource_type": "aws_instance",
    "resource_name": "this",
    "resource_key": 0,
}


def _line(kind: str, **content: Any) -> str:
    return json.dumps({"@level": "info", "@message": "…", "type": kind, **content})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            _line("planned_change", change={"resource": RESOURCE, "action": "create"}),
            Change("aws_instance.this[0]", "aws_instance", "create"),
        ),
        (
            _line(
                "planned_change",
                change={"resource": RESOURCE, "action": "replace", "reason": "tainted"},
            ),
            Change("aws_instance.this[0]", "aws_instance", "replace", "tainted"),
        ),
        (_line("planned_change", change={"resource": RESOURCE, "action": "noop"}), None),
        (_line("planned_change", change={"resource": RESOURCE, "action": "read"}), None),
        (
            _line("apply_start", hook={"resource": RESOURCE, "action": "create"}),
            Applying("aws_instance.this[0]", "aws_instance", "create", "started"),
        ),
        (
            _line(
                "apply_complete",
                hook={
                    "resource": RESOURCE,
                    "action": "create",
                    "id_key": "id",
                    "id_value": "i-0123456789abcdef0",
                    "elapsed_seconds": 11,
                },
            ),
            Applying(
                "aws_instance.this[0]", "aws_instance", "create", "done", "i-0123456789abcdef0", 11
            ),
        ),
        (
            _line(
                "diagnostic",
                diagnostic={"severity": "error", "summary": "No", "detail": "not\n  so"},
            ),
            Diagnostic("error", "No", "not so", None),
        ),
        (
            _line("outputs", outputs={"url": {"sensitive": False, "action": "update"}}),
            Change("outputs", "outputs", "update"),
        ),
        (_line("outputs", outputs={"url": {"sensitive": False, "action": "noop"}}), None),
        (
            _line(
                "outputs",
                outputs={"url": {"sensitive": False, "value": "x"}, "secret": {"sensitive": True}},
            ),
            Outputs({"url": "x"}),
        ),
        (_line("version", terraform="1.11.4", ui="1.2"), None),
        (_line("planned_change"), None),
        ("panic: runtime error", None),
        ("", None),
        ("[]", None),
        ('"x"', None),
    ],
    ids=[
        "create",
        "replace",
        "noop",
        "read",
        "start",
        "complete",
        "diagnostic",
        "outputs change",
        "outputs stay",
        "outputs told",
        "version",
        "another version",
        "panic",
        "empty",
        "a list",
        "a string",
    ],
)
def test_a_line_is_read(line: str, expected: object) -> None:
    assert events.read(line) == expected


def _error(summary: str, detail: str = "") -> Diagnostic:
    return Diagnostic("error", summary, detail, None)


@pytest.mark.parametrize(
    ("text", "kind", "hint"),
    [
        ("No valid credential sources found", errors.CredentialsError, "doctor"),
        ("api error ExpiredToken: The security token", errors.CredentialsError, "doctor"),
        ("api error RequestExpired", errors.CredentialsError, "doctor"),
        ("api error InvalidClientTokenId", errors.CredentialsError, "doctor"),
        ("api error UnauthorizedOperation: You are not", errors.CredentialsError, "docs/aws.md"),
        ("api error AddressLimitExceeded", errors.TerraformError, "--no-elastic-ip"),
        ("no matching Route 53 Hosted Zone found", errors.RequestError, "list-hosted-zones"),
        ("Error acquiring the state lock", errors.LockedError, "Wait"),
        ("write /x: no space left on device", errors.DiskError, "df -h"),
        (
            "reading EC2 Spot Instance Request: terminated",
            errors.TerraformError,
            "down",
        ),
        ("Failed to query available provider packages", errors.TerraformError, "doctor"),
        (
            "Failed to query available provider packages: x509: certificate has expired or is",
            errors.TerraformError,
            "clock says",
        ),
        ("something nobody has seen", errors.TerraformError, "less /log"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_each_known_complaint_has_its_error_and_a_way_on(
    text: str, kind: type[errors.CloudsError], hint: str
) -> None:
    found = explain("apply", [_error("creating it", text)], began=True, log="/log")
    assert type(found) is kind
    assert text in found.message
    assert hint in (found.hint or "")


@pytest.mark.parametrize(
    ("summary", "kind"),
    [
        ("Invalid value for variable", errors.SettingsError),
        ("Resource precondition failed", errors.RequestError),
        ("Resource postcondition failed", errors.RequestError),
    ],
)
def test_a_wrong_input_is_usage_as_long_as_nothing_was_made(
    summary: str, kind: type[errors.CloudsError]
) -> None:
    wrong = [_error(summary, "name: 1 to 32 letters.")]
    before = explain("apply", wrong, began=False)
    assert type(before) is kind
    assert before.message == "name: 1 to 32 letters."
    assert type(explain("apply", wrong, began=True)) is errors.TerraformError


def test_a_crash_is_told_with_the_end_of_what_it_said() -> None:
    found = explain("plan", [], began=False, stderr="panic: runtime error\n", log="/log")
    assert "panic: runtime error" in found.message


def test_warnings_are_no_reason() -> None:
    found = explain("plan", [Diagnostic("warning", "old", "", None)], began=False)
    assert "old" not in found.message
