"""Whose account it is, as far as files tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wrapper import aws_files

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """[default]
region = eu-central-1
[profile work]
role_arn = arn:aws:iam::111111111111:role/notebooks
source_profile = default
"""
CREDENTIALS = "[default]\naws_access_key_id = AKIAONE\naws_secret_access_key = never-told\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text(CONFIG)
    (tmp_path / ".aws/credentials").write_text(CREDENTIALS)
    return tmp_path


@pytest.mark.parametrize("profile", ["default", "work"])
def test_another_key_in_the_same_profile_is_another_account(home: Path, profile: str) -> None:
    environment = {"HOME": str(home), "AWS_PROFILE": profile}
    before = aws_files.whose(environment)
    assert before == aws_files.whose(environment)
    assert "never-told" not in " ".join(before)
    (home / ".aws/credentials").write_text(CREDENTIALS.replace("ONE", "TWO"))
    assert aws_files.whose(environment) != before


def test_another_role_or_profile_is_another_account(home: Path) -> None:
    environment = {"HOME": str(home), "AWS_PROFILE": "work"}
    before = aws_files.whose(environment)
    assert aws_files.whose({"HOME": str(home)}) != before
    (home / ".aws/config").write_text(CONFIG.replace("1" * 12, "2" * 12))
    assert aws_files.whose(environment) != before


def test_a_command_that_gives_keys_is_told_apart_and_not_told(home: Path) -> None:
    def asks(command: str) -> list[str]:
        (home / ".aws/config").write_text(f"[default]\ncredential_process = {command}\n")
        return aws_files.whose({"HOME": str(home)})

    one, other = asks("vault --token hidden-1"), asks("vault --token hidden-2")
    assert one != other
    assert "hidden" not in " ".join([*one, *other])


def test_keys_of_the_environment_rule(home: Path) -> None:
    environment = {"HOME": str(home), "AWS_ACCESS_KEY_ID": "AKIATHREE"}
    before = aws_files.whose(environment)
    (home / ".aws/credentials").write_text("")
    assert aws_files.whose(environment) == before
    assert aws_files.whose({**environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}) != before


@pytest.mark.parametrize("content", [b"\xff\xfe", b"no section", b"[a]\n[a]\n"])
def test_a_file_that_cannot_be_read_tells_nothing(home: Path, content: bytes) -> None:
    (home / ".aws/config").write_bytes(content)
    assert "aws_access_key_id=AKIAONE" in aws_files.whose({"HOME": str(home)})


def test_profiles_that_lead_to_each_other_come_to_an_end(home: Path) -> None:
    (home / ".aws/config").write_text(
        "[profile a]\nsource_profile = b\n[profile b]\nsource_profile = a\n"
    )
    assert "source_profile=a" in aws_files.whose({"HOME": str(home), "AWS_PROFILE": "a"})
