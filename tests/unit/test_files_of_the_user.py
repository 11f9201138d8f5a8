"""The project file and the environment file: read, or refused with the place of the mistake."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from wrapper import environment_file, project_file
from wrapper.errors import SettingsError

KNOWN = {"spot", "instance_type", "allow", "name"}


def test_no_project_file_means_no_defaults(tmp_path: Path) -> None:
    assert project_file.read(tmp_path, known=KNOWN) == {}


def test_a_project_file_gives_defaults_with_hyphens_or_without(tmp_path: Path) -> None:
    (tmp_path / project_file.FILE).write_text('spot = true\ninstance-type = "t3.small"\n')
    found = project_file.read(tmp_path, known=KNOWN)
    assert found == {"spot": True, "instance_type": "t3.small"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("spto = true", 'did you mean "spot"'),
        ("zzz = 1", "known: allow, instance_type, name, spot"),
        ("spot = ", "not TOML"),
        (b"\xff\xfe", "not TOML"),
    ],
    ids=["close", "far", "broken", "no text"],
)
def test_a_wrong_project_file_is_refused(tmp_path: Path, content: str | bytes, said: str) -> None:
    raw = content.encode() if isinstance(content, str) else content
    (tmp_path / project_file.FILE).write_bytes(raw)
    with pytest.raises(SettingsError, match=said) as caught:
        project_file.read(tmp_path, known=KNOWN)
    assert str(tmp_path / project_file.FILE) in caught.value.message


def test_an_environment_file_is_taken_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "environment.yml"
    content = "# mine\nname: x\ndependencies:\n  - python=3.12\n  - pip:\n    - tqdm\n"
    file.write_text(content)
    assert environment_file.read(file) == content


LARGE = "dependencies:\n" + "".join(f"  - {secrets.token_hex(16)}\n" for _ in range(400))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: [b", "not YAML"),
        ("name: x", "no dependencies"),
        ("dependencies: []", "no dependencies"),
        ("dependencies: python", "no dependencies"),
        ("- python", "no dependencies"),
        ("", "no dependencies"),
        (LARGE, "too large"),
        (b"\xff\xfe\x00", "not text"),
    ],
    ids=["broken", "none", "empty list", "no list", "no mapping", "empty", "large", "binary"],
)
def test_a_wrong_environment_file_is_refused(
    tmp_path: Path, content: str | bytes, said: str
) -> None:
    file = tmp_path / "environment.yml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(SettingsError, match=said) as caught:
        environment_file.read(file)
    assert str(file) in caught.value.message


def test_a_missing_environment_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        environment_file.read(tmp_path / "none.yml")


def test_the_modules_own_environment_file_would_be_taken() -> None:
    repository = Path(__file__).resolve().parents[2]
    assert environment_file.read(repository / "templates" / "environment.yml")
