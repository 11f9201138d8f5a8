"""The project file and the environment file: read, or refused with the place of the mistake."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest
import yaml

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
    asked = environment_file.read(file)
    assert asked.text == content
    assert environment_file.for_user_data(asked, print) == (content, None)


OF_PIP = ["python", "ipykernel", "pip"]


@pytest.mark.parametrize(
    ("name", "content", "dependencies"),
    [
        (
            "requirements.txt",
            "polars>=1 # fast\n\n# all of it\ntqdm\n",
            [*OF_PIP, ["polars>=1", "tqdm"]],
        ),
        (
            "requirements.txt",
            "a==1 \\\n  --hash=sha256:ab\n",
            [*OF_PIP, ["a==1  --hash=sha256:ab"]],
        ),
        ("dev.txt", "x @ https://h/x.whl#egg=x\n", [*OF_PIP, ["x @ https://h/x.whl#egg=x"]]),
        ("pyproject.toml", '[project]\ndependencies = ["a"]\n', [*OF_PIP, ["a"]]),
        (
            "pyproject.toml",
            '[project]\nrequires-python = ">= 3.11, <3.14"\ndependencies = ["a[b]>1"]\n',
            ["python>=3.11,<3.14", "ipykernel", "pip", ["a[b]>1"]],
        ),
    ],
    ids=["requirements", "hashes", "address", "project", "python"],
)
def test_what_pip_reads_becomes_an_environment_of_conda(
    tmp_path: Path, name: str, content: str, dependencies: list[Any]
) -> None:
    (tmp_path / name).write_text(content)
    found = yaml.safe_load(environment_file.read(tmp_path / name).text)
    assert found == {"dependencies": [*dependencies[:-1], {"pip": dependencies[-1]}]}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("requirements.txt", "a\n-r more.txt\n", "of this computer.*-r more.txt"),
        ("requirements.txt", "-e .\n", "of this computer"),
        ("requirements.txt", "./mine\n", "of this computer"),
        ("requirements.txt", "mine @ file:///home/me/mine\n", "of this computer"),
        ("environment.yml", "dependencies: [pip, pip: [-e .]]", "of this computer.*-e ."),
        ("requirements.txt", "# nothing\n", "no requirements"),
        ("pyproject.toml", "[tool.ruff]\n", "no project.dependencies"),
        ("pyproject.toml", "project = 1\n", "no pyproject.toml"),
        ("pyproject.toml", "[project", "no pyproject.toml"),
    ],
    ids=["file", "editable", "folder", "url", "in yml", "empty", "none", "no table", "broken"],
)
def test_what_the_machine_could_not_install_is_refused(
    tmp_path: Path, name: str, content: str, said: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(SettingsError, match=said) as caught:
        environment_file.read(tmp_path / name)
    assert str(tmp_path / name) in caught.value.message


SECRETS = {
    "password for pip": "dependencies: [pip: ['x @ git+https://me:hidden@h/x']]",
    "token for pip": "dependencies: [pip: ['git+https://hidden@github.com/me/x']]",
    "index": "dependencies: [python, pip: ['--index-url https://me:hidden@h/simple', x]]",
    "channel": "channels: ['https://me:hidden@h/conda']\ndependencies: [x]",
    "token of a channel": "channels: ['https://h/t/hidden/me']\ndependencies: [x]",
    "token further on": "channels: ['https://h/conda/t/hidden/me']\ndependencies: [x]",
    "channel of a package": "dependencies: ['https://h/t/hidden/me::x']",
    "query": "dependencies: [pip: ['x @ https://h/x.whl?private_token=hidden']]",
    "comment": "# https://me:hidden@h/conda\ndependencies: [x]",
    "variable": "dependencies: [x]\nvariables:\n  HF_TOKEN: hidden",
}


@pytest.mark.parametrize("content", SECRETS.values(), ids=SECRETS)
def test_what_is_secret_does_not_go_into_user_data(tmp_path: Path, content: str) -> None:
    file = tmp_path / "environment.yml"
    file.write_text(content)
    asked = environment_file.read(file)
    with pytest.raises(SettingsError, match="user data can be read") as caught:
        environment_file.for_user_data(asked, print)
    assert f"env update {file}" in str(caught.value.hint)
    assert "hidden" not in f"{caught.value.message}{caught.value.hint}{asked!r}"
    # That way is open to it.
    assert "hidden" in asked.sent()["text"]


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml"])
def test_nor_does_what_pip_reads(tmp_path: Path, name: str) -> None:
    lines = ["--index-url https://me:hidden@h/simple", "a"]
    toml = '[project]\ndependencies = ["a @ https://me:hidden@h/a.whl"]'
    (tmp_path / name).write_text(toml if name.endswith("toml") else "\n".join(lines))
    with pytest.raises(SettingsError, match="a user or a password") as caught:
        environment_file.for_user_data(environment_file.read(tmp_path / name), print)
    assert "hidden" not in caught.value.message


@pytest.mark.parametrize(
    "content",
    [
        "# see https://forum.example.org/t/a-thread/12\ndependencies: [x]",
        "dependencies: [pip: ['x @ https://h/x.whl#sha256=ab']]",
        "dependencies: [x]\nvariables: {OMP_NUM_THREADS: 4, HF_TOKEN: ''}",
        "channels: [conda-forge, 'https://h/test/tools']\ndependencies: [x]",
    ],
    ids=["forum", "address", "variables", "channel"],
)
def test_what_is_not_secret_goes(tmp_path: Path, content: str) -> None:
    (tmp_path / "environment.yml").write_text(content)
    asked = environment_file.read(tmp_path / "environment.yml")
    assert environment_file.for_user_data(asked, print) == (content, None)


@pytest.mark.parametrize(
    ("python", "begins"),
    [
        ("python=3.12", "python=3.12"),
        ("conda-forge::python>=3.11", "conda-forge::python>=3.11"),
        ("python-dateutil", "python"),
    ],
)
def test_what_is_too_large_for_user_data_follows_and_the_machine_begins_with_its_python(
    tmp_path: Path, python: str, begins: str
) -> None:
    said: list[str] = []
    (tmp_path / "environment.yml").write_text(f"{LARGE}  - {python}\n")
    asked = environment_file.read(tmp_path / "environment.yml")
    first, sent = environment_file.for_user_data(asked, said.append)
    assert yaml.safe_load(first) == {"dependencies": [begins, "ipykernel", "pip"]}
    assert sent == asked.sent()
    assert sent["text"] == asked.text
    assert "too large" in said[0]


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
        (b"\xff\xfe\x00", "not text"),
    ],
    ids=["broken", "none", "empty list", "no list", "no mapping", "empty", "binary"],
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
    assert environment_file.read(repository / "templates" / "environment.yml").text
