"""What the machine is told, as a plan holds it: known at once, because no address is waited for."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from scripts import services
from tests.module.cases import ARGON2, ED25519, HASH, RSA, Planned, write_cases
from tests.module.copies import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ec2 import Account
    from tests.module.copies import Copy

CASES: dict[str, dict[str, Any]] = {
    "told": {
        "bucket": "my-data/of/mine",
        "domain": "notebook.example.org",
        "name": "mine",
        "repository": "https://git.example.org/team/code.git@next",
        "ssh_public_key": ED25519,
        "sudo": True,
    },
    # The largest that is usual: a long key, a name, a long hash.
    "large": {
        "domain": "notebook.example.org",
        "password_hash": ARGON2,
        "ssh_public_key": RSA,
    },
    "commented": {
        "environment": "# Mine.\ndependencies:  # all\n  - python\n  - 'git#1'  # or #2\n",
    },
    # In a block of text, what looks like a comment is none: nothing is left out.
    "block": {
        "environment": "dependencies: [python]  # one\nvariables:\n  A: |\n    # text\n    more\n",
    },
    "authority": {"domain": "notebook.example.org", "tls": "letsencrypt"},
    # A mirror, where an endpoint is known too.
    "endpoint": {"services_endpoint": "http://198.51.100.1"},
    "mirrored": {
        "environment": "dependencies: [python, ipykernel, xarray]\n",
        "miniforge_sha256": "ab" * 32,
        "miniforge_url": "https://mirror.example/miniforge.sh",
    },
}
SHA256 = hashlib.sha256(services.text().encode()).hexdigest()
# As the bucket's own is, which has a random part: nothing is known of it when a plan is made.
PROGRAMS = (
    f"https://jupyter-clouds-notebook-8a15c3f0d972.s3.eu-central-1.amazonaws.com/{SHA256}.json"
)


@pytest.fixture(scope="module")
def planned(make_copy: Callable[..., Copy], shared_account: Account) -> dict[str, Planned]:
    copy = make_copy(shared_account, "told")
    common = {"elastic_ip": False, "password_hash": HASH, "services_url": PROGRAMS}
    write_cases(copy.directory, {name: {**common, **one} for name, one in CASES.items()})
    copy.get()
    plan = copy.plan()
    return {name: Planned(plan.modules[f"module.{name}"].resources, {}) for name in CASES}


def test_the_machine_is_told_its_settings_readable_by_root_only(
    planned: dict[str, Planned],
) -> None:
    settings = planned["told"].settings()

    assert planned["told"].files()["/etc/jupyter-clouds/machine.json"]["permissions"] == "0600"
    assert settings["domain"] == "notebook.example.org"
    assert settings["name"] == "mine"
    assert settings["password_hash"] == HASH
    assert settings["port"] == 9999
    assert settings["sudo"] is True
    assert settings["address"] is None
    assert set(settings["miniforge"]) == {"x86_64"}
    assert settings["miniforge"]["x86_64"]["url"].endswith("-Linux-x86_64.sh")


def test_the_machine_is_told_its_bucket(planned: dict[str, Planned]) -> None:
    told = json.loads(planned["told"].files()["/etc/jupyter-clouds/s3.json"]["content"])

    assert told == {
        "bucket": "my-data",
        "endpoint": None,
        "prefix": "of/mine",
        "region": "us-east-1",
    }
    assert "/etc/jupyter-clouds/s3.json" not in planned["large"].files()


def test_the_machine_is_told_of_an_authority_and_of_no_zone_that_it_has_not(
    planned: dict[str, Planned],
) -> None:
    told = json.loads(planned["authority"].files()["/etc/jupyter-clouds/acme.json"]["content"])

    assert told == {
        "ca": None,
        "directory": "https://acme-v02.api.letsencrypt.org/directory",
        "dns": None,
    }
    assert "/etc/jupyter-clouds/acme.json" not in planned["large"].files()


def test_a_mirror_of_miniforge_is_handed_on(planned: dict[str, Planned]) -> None:
    assert planned["mirrored"].settings()["miniforge"]["x86_64"] == {
        "sha256": "ab" * 32,
        "url": "https://mirror.example/miniforge.sh",
    }


def test_the_machine_is_told_where_its_programs_are_and_their_digest(
    planned: dict[str, Planned],
) -> None:
    for case in ("told", "endpoint"):
        assert planned[case].settings()["services"] == {"sha256": SHA256, "url": PROGRAMS}


def test_cloud_init_gets_yaml_with_the_key_that_was_given(planned: dict[str, Planned]) -> None:
    document = planned["told"].user_data()

    assert document.startswith("#cloud-config\n")
    assert ED25519 in yaml.safe_load(document)["ssh_authorized_keys"]


@pytest.mark.parametrize(
    ("case", "packages"),
    [
        ("told", {"ipykernel", "ipywidgets", "numpy", "pandas", "polars", "scikit-learn"}),
        ("mirrored", {"python", "ipykernel", "xarray"}),
    ],
)
def test_the_machine_gets_the_environment_file(
    planned: dict[str, Planned], case: str, packages: set[str]
) -> None:
    content = planned[case].files()["/etc/jupyter-clouds/environment.yml"]["content"]

    assert packages <= set(yaml.safe_load(content)["dependencies"])


def test_the_machine_is_told_of_a_repository_only_where_there_is_one(
    planned: dict[str, Planned],
) -> None:
    path = "/etc/jupyter-clouds/repository"
    assert planned["told"].files()[path]["content"] == CASES["told"]["repository"]
    assert path not in planned["mirrored"].files()


@pytest.mark.parametrize(
    ("case", "content"),
    [
        ("commented", "dependencies:\n  - python\n  - 'git#1'\n"),
        ("block", CASES["block"]["environment"]),
    ],
)
def test_comments_are_not_sent(planned: dict[str, Planned], case: str, content: str) -> None:
    assert planned[case].files()["/etc/jupyter-clouds/environment.yml"]["content"] == content


def test_half_a_kilobyte_is_left_with_a_long_key_a_domain_and_a_long_hash(
    planned: dict[str, Planned],
) -> None:
    assert RSA in planned["large"].user_data()
    assert len(planned["large"].sent()) <= 16384 - 512


def test_every_file_of_the_templates_is_there_and_programs_are_executable(
    planned: dict[str, Planned], tmp_path: Path
) -> None:
    root = REPOSITORY / "templates" / "machine"
    sources = {
        f"/{path.relative_to(root)}"
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    files = planned["told"].unpack(tmp_path)

    assert set(files) == sources
    executable = {path for path, file in files.items() if os.access(file, os.X_OK)}
    assert executable == {path for path in sources if path.startswith("/opt/jupyter-clouds/bin/")}
    for path, file in files.items():
        if path.endswith(".py"):
            compile(file.read_text(), path, "exec")
