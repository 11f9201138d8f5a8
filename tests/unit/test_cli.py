"""The command line: what is typed becomes a call of a story, or is refused with a reason."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.told import ANSWERS, SUMMARY, Calls, calls
from wrapper import cli, deployment
from wrapper.deployment.answering import Up
from wrapper.deployment.copies import Where
from wrapper.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["calls"]  # a fixture, for pytest to find here


@pytest.mark.parametrize(
    ("typed", "story", "given"),
    [
        ("status", "status", ("notebook",)),
        ("status gpu", "status", ("gpu",)),
        ("status gpu --console", "console_text", ("gpu",)),
        ("list", "every", ()),
        ("cost", "cost", (None,)),
        ("budget gpu --monthly 50", "budget", ("gpu",)),
        ("budget --all --monthly 50 --local", "budget", (None,)),
        ("budget --all --remove", "remove_budget", (None,)),
        ("cost gpu --since 7d", "cost", ("gpu",)),
        ("check gpu", "check", ("gpu",)),
        ("password", "password", ("notebook",)),
        ("allow gpu", "allow", ("gpu",)),
        ("down gpu --yes", "down", ("gpu",)),
        ("extend 2", "extend", ("notebook", 2.0)),
        ("extend gpu 0.5", "extend", ("gpu", 0.5)),
        ("extend gpu -3", "extend", ("gpu", -3.0)),
        ("extend --name gpu 2 --yes", "extend", ("gpu", 2.0)),
        ("snapshot gpu", "snapshot", ("gpu", Where())),
        ("snapshots gpu", "snapshots", ("gpu", Where())),
        ("snapshots --region eu-west-1", "snapshots", ("notebook", Where(region="eu-west-1"))),
    ],
)
def test_what_is_typed_becomes_a_call(
    calls: Calls, typed: str, story: str, given: tuple[Any, ...]
) -> None:
    assert cli.main(typed.split()) == 0
    assert [(name, args) for name, args, _ in calls] == [(story, given)]


@pytest.mark.parametrize("as_json", [True, False])
def test_a_watch_stays_and_tells_each_time_that_the_notebook_answers(
    calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    as_json: bool,
) -> None:
    moved = Up(replace(SUMMARY, zone="us-east-1b"), changed=True)

    def stay(world: Any, wanted: Any, done: Any, tell: Any) -> Any:
        assert (world is not None, wanted.watch, done) == (True, True, ANSWERS["up"])
        tell(moved)
        return moved

    monkeypatch.setattr(deployment, "stay", stay, raising=False)
    assert cli.main(["up", "--watch", "--yes", *(["--json"] if as_json else [])]) == 0
    assert [name for name, _, _ in calls] == ["up"]
    shown = capsys.readouterr().out
    if as_json:
        assert json.loads(shown)["zone"] == "us-east-1b", "one document, at the end"
    else:
        assert shown.count("The notebook answers, verified.") == 2


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", {}),
        ("--spot", {"spot": True}),
        ("--on-demand", {"spot": False}),
        ("--instance-type r7i.2xlarge", {"instance_type": "r7i.2xlarge"}),
        ("--allow 8.8.8.8/32 --allow 9.9.9.9/32", {"allow": ("8.8.8.8/32", "9.9.9.9/32")}),
        ("--allow 0.0.0.0/0 --allow-world", {"allow": ("0.0.0.0/0",), "allow_world": True}),
        ("--root-volume-size 50", {"root_volume_size": 50}),
        ("--repo https://h/p/r@b", {"repository": "https://h/p/r@b"}),
        ("--on-interruption terminate", {"on_interruption": "terminate"}),
        ("--ami-id ami-0123456789abcdef0", {"ami_id": "ami-0123456789abcdef0"}),
        ("--subnet-id subnet-0123456789abcdef0", {"subnet_id": "subnet-0123456789abcdef0"}),
        ("--domain n.example.org", {"domain": "n.example.org"}),
        ("--sudo --no-https --no-elastic-ip", {"sudo": True, "https": False, "elastic_ip": False}),
        ("--hours 0.5 --idle 0", {"max_hours": 0.5, "idle_minutes": 0}),
        ("--owner me --tag a=b --tag c=d", {"owner": "me", "tags": {"a": "b", "c": "d"}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_options_of_up_become_settings(calls: Calls, typed: str, expected: dict[str, Any]) -> None:
    assert cli.main(["up", "--yes", *typed.split()]) == 0
    wanted = calls[0][1][0]
    assert wanted.settings == Settings(**expected)
    assert wanted.name == "notebook"


def test_up_knows_where_and_which(calls: Calls) -> None:
    assert cli.main(["up", "gpu", "--local", "--region", "eu-central-1", "--replace", "-y"]) == 0
    wanted = calls[0][1][0]
    assert (wanted.name, wanted.local, wanted.region, wanted.replace) == (
        "gpu",
        True,
        "eu-central-1",
        True,
    )


def test_files_are_read_before_the_story(calls: Calls, tmp_path: Path) -> None:
    (tmp_path / "environment.yml").write_text("dependencies: [numpy]\n")
    (tmp_path / "id.pub").write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me\n")
    (tmp_path / "password").write_text("gutih-tugad-lusab\n")
    typed = "up --environment environment.yml --ssh-public-key id.pub --password-file password -y"
    assert cli.main(typed.split()) == 0
    wanted = calls[0][1][0]
    assert wanted.settings.environment == "dependencies: [numpy]\n"
    assert wanted.settings.ssh_public_key == "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me"
    assert wanted.password_said
    assert wanted.new_password() == "gutih-tugad-lusab"


def test_a_password_is_made_when_nobody_is_there_to_ask(calls: Calls) -> None:
    assert cli.main(["up", "--yes"]) == 0
    wanted = calls[0][1][0]
    assert not wanted.password_said
    assert len(wanted.new_password()) >= 20


def test_options_go_before_the_environment_before_the_project_file(
    calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jupyter-clouds.toml").write_text(
        'name = "mine"\nspot = true\ninstance-type = "t3.small"\nowner = "file"\n'
        'allow = ["8.8.8.8/32", "9.9.9.9/32"]\n[tags]\na = "b"\n'
    )
    monkeypatch.setenv("JUPYTER_CLOUDS_INSTANCE_TYPE", "t3.medium")
    monkeypatch.setenv("JUPYTER_CLOUDS_OWNER", "environment")
    assert cli.main(["up", "--yes", "--owner", "option"]) == 0
    wanted = calls[0][1][0]
    assert wanted.name == "mine"
    assert wanted.settings == Settings(
        spot=True,
        instance_type="t3.medium",
        owner="option",
        allow=("8.8.8.8/32", "9.9.9.9/32"),
        tags={"a": "b"},
    )
    assert cli.main(["status"]) == 0
    assert calls[1][1] == ("mine",)


def test_the_environment_may_name_the_deployment(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_CLOUDS_NAME", "from-environment")
    monkeypatch.setenv("JUPYTER_CLOUDS_SPOT", "0")
    assert cli.main(["up", "--yes"]) == 0
    assert calls[0][1][0].name == "from-environment"
    assert calls[0][1][0].settings.spot is False
    assert cli.main(["check"]) == 0
    assert calls[1][1] == ("from-environment",)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["up", "--nonsense"], "No such option"),
        (["nonsense"], "No such command"),
        (["up", "--root-volume-size", "5"], "x>=10"),
        (["up", "--tag", "x", "--yes"], "KEY=VALUE"),
        (["up", "--hours", "long", "--yes"], "not a valid float"),
        (["extend"], "Missing argument"),
        (["extend", "gpu"], "gpu is no number of hours"),
        (["extend", "gpu", "more", "2"], "takes a name and hours"),
        (["up", "--environment", "none.yml", "--yes"], "cannot be read"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_a_2_with_a_reason(
    calls: Calls, capsys: pytest.CaptureFixture[str], typed: list[str], said: str
) -> None:
    assert cli.main(typed) == 2
    assert said in capsys.readouterr().err
    assert not calls


def test_an_unknown_key_of_the_project_file_is_a_2(
    calls: Calls, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "jupyter-clouds.toml").write_text("spto = true\n")
    assert cli.main(["status"]) == 2
    assert 'did you mean "spot"' in capsys.readouterr().err
    assert not calls


def test_a_wrong_value_is_told_with_the_place_where_it_stands(
    calls: Calls,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "jupyter-clouds.toml").write_text('spot = "maybe"\n')
    assert cli.main(["up", "--yes"]) == 2
    assert "error: jupyter-clouds.toml: Invalid value for '--spot'" in capsys.readouterr().err
    monkeypatch.setenv("JUPYTER_CLOUDS_SPOT", "perhaps")
    assert cli.main(["up", "--yes"]) == 2
    said = capsys.readouterr().err
    assert "The environment's JUPYTER_CLOUDS_SPOT: Invalid value" in said
    assert "up --help" in said
    assert not calls


def test_wrong_usage_is_a_document_too(calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--json", "--nonsense"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert (told["exit_code"], "--nonsense" in told["error"]) == (2, True)
    assert told["hint"].endswith("status --help")
    assert not calls
