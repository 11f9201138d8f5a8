"""The documentation says what is so."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import boto3
import pytest

from scripts import reference

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")


def shown(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """GitHub's anchors of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


@pytest.mark.parametrize("name", reference.PAGES)
def test_a_reference_page_is_what_the_code_says(name: str) -> None:
    assert (ROOT / name).read_text() == reference.PAGES[name](), "run: make reference"


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        links = (link.partition("#")[0] for link in LINK.findall(page.read_text()))
        found = ((page.parent / link).resolve() for link in links if link.endswith(".md"))
        waiting += [one for one in found if one.exists()]
    assert {shown(page) for page in PAGES} == {shown(page) for page in seen}


CALL = re.compile(r"account\.(\w+)\.(\w+)\(\s*(?:\"(\w+)\")?")
SERVICES = {"cost_explorer": "ce", "quotas": "service-quotas"}
"""The SDK's name, where the account's differs from it."""
PREFIXES = {"service-quotas": "servicequotas"}
"""The policy's name of a service, where it differs from the SDK's."""
OTHERWISE = {
    "budgets:CreateBudget": "budgets:ModifyBudget",
    "budgets:CreateNotification": "budgets:ModifyBudget",
    "budgets:DeleteBudget": "budgets:ModifyBudget",
    "budgets:DeleteNotification": "budgets:ModifyBudget",
    "budgets:DescribeBudget": "budgets:ViewBudget",
    "budgets:DescribeBudgets": "budgets:ViewBudget",
    "budgets:DescribeNotificationsForBudget": "budgets:ViewBudget",
    "budgets:UpdateBudget": "budgets:ModifyBudget",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
}
"""Calls that a policy knows by another name:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""


def called() -> set[str]:
    """Every action that the wrapper asks of AWS, by the policy's name of it."""
    found = set()
    for path in (ROOT / "wrapper" / "aws").glob("*.py"):
        for service, method, page in CALL.findall(path.read_text()):
            name = SERVICES.get(service, service)
            client = boto3.client(
                name, region_name="us-east-1", aws_access_key_id="-", aws_secret_access_key="-"
            )
            call = client.meta.method_to_api_mapping[page if method == "get_paginator" else method]
            action = f"{PREFIXES.get(name, name)}:{call}"
            found.add(OTHERWISE.get(action, action))
    return found


def test_the_policies_allow_every_call_of_the_wrapper() -> None:
    blocks = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "aws.md").read_text(), re.DOTALL)
    told = [json.loads(block) for block in blocks]
    statements = [
        one for block in told for one in (block if isinstance(block, list) else block["Statement"])
    ]
    assert len({one["Sid"] for one in statements}) == len(statements)
    allowed = {
        action
        for one in statements
        for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])
    }
    asked = called()
    assert {"ec2:RunInstances", "iam:PassRole"} <= allowed  # Terraform, and an API, on our behalf
    assert {"ec2:DescribeInstances", "pricing:GetProducts", "iam:CreateRole"} <= asked
    assert not {one for one in asked if not any(fnmatchcase(one, rule) for rule in allowed)}


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`?\bmake ([a-z]+)\b", (ROOT / "README.md").read_text()))
    assert named
    assert named <= targets


def test_no_registry_is_named() -> None:
    """Lock files and sources serve behind any mirror."""
    hosts = re.compile(r"\b(files\.pythonhosted|pypi|deb\.debian|registry\.npmjs)\.(org|python)\b")
    kinds = {".txt", ".toml", ".py", ".md", ".sh", ".tf", ".yml", ".yaml", ""}
    skipped = {".git", ".venv", ".terraform", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
    for path in ROOT.rglob("*"):
        if skipped & set(path.parts) or path.suffix not in kinds or not path.is_file():
            continue
        found = hosts.search(path.read_text(errors="replace"))
        assert found is None or path == Path(__file__), f"{path}: {found}"
