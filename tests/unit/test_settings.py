"""Settings: bad input is refused with a reason and a way out, before anything is made."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from wrapper import cidrs, public_files, settings
from wrapper.errors import SettingsError
from wrapper.settings import Settings


@pytest.mark.parametrize("name", ["a", "notebook", "gpu-2", "x" * 32])
def test_a_fitting_name_is_taken(name: str) -> None:
    assert settings.check_name(name) == name


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("my notebook", "my-notebook"),
        ("x" * 33, "x" * 32),
        ("Grün", "gr-n"),
        ("-a-", "a"),
        ("", "notebook"),
        ("9lives", "lives"),
        ("a/../b", "a-b"),
        ("a\n", "a"),
    ],
)
def test_a_name_that_does_not_fit_is_refused_with_one_that_does(name: str, suggested: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.check_name(name)
    assert caught.value.hint is not None
    assert caught.value.hint.endswith(f" up {suggested}")
    assert settings.check_name(suggested)


@pytest.mark.parametrize("cidr", ["203.0.113.7/32", "8.8.0.0/16", "198.19.255.1/32"])
def test_a_public_block_is_taken(cidr: str) -> None:
    assert cidrs.check_cidr(cidr, option="--allow", world=False) == cidr


@pytest.mark.parametrize(
    ("cidr", "reason"),
    [
        ("somewhere", "not a CIDR"),
        ("203.0.113.7/33", "not a CIDR"),
        ("203.0.113.7/24", "not a CIDR"),
        ("2001:db8::/64", "IPv4"),
        ("10.1.2.3/32", "private"),
        ("192.168.0.0/16", "private"),
        ("127.0.0.1/32", "private"),
        ("100.64.0.1/32", "private"),
        ("0.0.0.0/0", "whole internet"),
        ("128.0.0.0/1", "whole internet"),
    ],
)
def test_a_block_that_would_not_do_is_refused_with_the_reason(cidr: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        settings.check(Settings(allow=(cidr,)))


def test_the_world_is_let_in_when_it_was_meant() -> None:
    asked = Settings(allow=("0.0.0.0/0",), allow_world=True)
    assert settings.check(asked) is asked


def test_ssh_needs_a_key() -> None:
    with pytest.raises(SettingsError, match="nobody could log in"):
        settings.check(Settings(ssh_cidrs=("203.0.113.7/32",)))


def test_an_installer_needs_its_checksum() -> None:
    with pytest.raises(SettingsError, match="unchecked"):
        settings.check(Settings(miniforge_url="https://mirror.example/Miniforge3.sh"))


def test_what_was_said_before_holds_until_something_else_is_said() -> None:
    before = Settings(spot=True, instance_type="r7i.large", allow=("8.8.8.8/32",)).said()
    now = Settings(instance_type="r7i.xlarge").over(before)
    assert now == Settings(spot=True, instance_type="r7i.xlarge", allow=("8.8.8.8/32",))


def test_off_is_something_that_was_said() -> None:
    assert Settings(spot=False).over({"spot": True}).spot is False


def test_only_what_was_said_becomes_a_variable() -> None:
    variables = Settings(spot=True, allow=("8.8.8.8/32",)).variables(name="x", generation=2)
    assert variables == {
        "allowed_cidrs": ["8.8.8.8/32"],
        "generation": 2,
        "name": "x",
        "spot": True,
    }


def test_each_variable_is_one_of_the_modules() -> None:
    declared = (Path(__file__).resolve().parents[2] / "variables.tf").read_text()
    module_variables = set(re.findall(r'^variable "(\w+)"', declared, re.MULTILINE))
    full: dict[str, Any] = {**dict.fromkeys(Settings.__dataclass_fields__, "x"), "max_hours": 1}
    assert set(Settings(**full).variables(name="x", generation=1)) <= module_variables


@pytest.mark.parametrize(
    ("variable", "default"),
    [
        ("instance_type", f'"{settings.DEFAULT_TYPE}"'),
        ("data_volume_size", str(settings.DEFAULT_DATA_GIB)),
    ],
)
def test_a_default_that_is_known_here_is_the_modules(variable: str, default: str) -> None:
    declared = (Path(__file__).resolve().parents[2] / "variables.tf").read_text()
    found = re.search(rf'variable "{variable}" {{[^}}]*?default += (\S+)', declared, re.DOTALL)
    assert found
    assert found[1] == default


def test_tags_are_pairs() -> None:
    assert settings.tags(["a=b", "c="]) == {"a": "b", "c": ""}
    with pytest.raises(SettingsError, match="KEY=VALUE"):
        settings.tags(["nothing"])


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3pzLZ5QgIwHyTCgQ6v me@here"


def test_a_public_key_is_read(tmp_path: Path) -> None:
    file = tmp_path / "id.pub"
    file.write_text(KEY + "\n")
    assert public_files.public_key(file) == KEY


@pytest.mark.parametrize(
    ("content", "reason"),
    [("-----BEGIN OPENSSH PRIVATE KEY-----", "private key"), ("hello", "no public key")],
)
def test_what_is_no_public_key_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    file = tmp_path / "id"
    file.write_text(content)
    with pytest.raises(SettingsError, match=reason):
        public_files.public_key(file)


def test_a_missing_public_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        public_files.public_key(tmp_path / "none")


CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def test_an_authoritys_certificate_is_read_without_the_words_around_it(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(f"# of the company\n{CERTIFICATE}subject=O=company\n{CERTIFICATE}")
    assert public_files.authority(file) == CERTIFICATE * 2


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("hello", id="none"),
        pytest.param(f"{CERTIFICATE}-----BEGIN PRIVATE KEY-----\nMC4\n", id="with a key"),
        pytest.param("\xff", id="no text"),
    ],
)
def test_what_is_no_certificate_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(SettingsError):
        public_files.authority(file)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param({"acme_directory": "https://ca.example/dir"}, "say whom", id="alone"),
        pytest.param({"acme_ca": CERTIFICATE}, "say whom", id="its certificate alone"),
        pytest.param(
            {"tls": "letsencrypt", "acme_directory": "http://ca.example"}, "is not https", id="http"
        ),
        pytest.param(
            {"tls": "letsencrypt", "acme_directory": "https://me@ca.example"}, "is not", id="user"
        ),
    ],
)
def test_another_authority_goes_with_letsencrypt(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        settings.check(Settings(**given))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param({"zone_id": "example.org"}, "no hosted zone's id", id="name"),
        pytest.param({"zone_id": "Z0123456789"}, "no name is said", id="no domain"),
        pytest.param(
            {"zone_id": "Z0123456789", "domain": "a.example.org", "elastic_ip": False},
            "address changes",
            id="no fixed address",
        ),
    ],
)
def test_a_zone_holds_a_name_of_a_fixed_address(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        settings.check(Settings(**given))


@pytest.mark.parametrize("bucket", ["s3://mine", "mine/", "mine/*", "Mine", "mi", "mine/../a"])
def test_a_bucket_is_a_name_and_a_prefix(bucket: str) -> None:
    with pytest.raises(SettingsError, match=r"neither NAME nor NAME/PREFIX"):
        settings.check(Settings(bucket=bucket))
