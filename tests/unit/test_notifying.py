"""`notify`: a webhook handed to a machine's Jupyter, over the pinned connection."""

from __future__ import annotations

import dataclasses
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.fleet import launch
from tests.unit.worlds import StandIn, bare_world
from wrapper.certificate import fingerprints
from wrapper.cli import main
from wrapper.deployment import notifying
from wrapper.errors import FailedError, SettingsError
from wrapper.home import Home, Place, Record, root
from wrapper.notebook import Notebook, pin

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
    from tests.unit.conftest import LiveJupyter
    from wrapper.deployment.world import World


def world_of(
    live: LiveJupyter, tmp_path: Path, account: Account, ec2: EC2Client, name: str
) -> World:
    """A deployment whose notebook is that one."""
    key = fingerprints(ssl.PEM_cert_to_DER_cert(live.minted.certificate)).key_sha256

    def look(*_: Any, **__: Any) -> Any:
        return pin(live.host, live.port, key_sha256=key)

    def speak(_: str, pinned: Any, password: str, **__: Any) -> Notebook:
        return Notebook(live.url, pinned, password)

    world = bare_world(tmp_path, account, StandIn(), [])
    world = dataclasses.replace(world, pin=look, notebook=speak)  # type: ignore[arg-type] # as much as is asked
    home = Home(root(world.environment) / name)
    home.create()
    home.write_password(live.password)
    outputs = {"instance_id": launch(ec2, name), "public_ip": "198.18.0.9"}
    place = Place("local", "us-east-1", "123456789012")
    home.remember(Record(name, place, outputs=outputs, key_sha256=key))
    return world


def test_a_webhook_is_set_tried_and_forgotten(
    machines_jupyter: LiveJupyter, tmp_path: Path, account: Account, ec2: EC2Client, name: str
) -> None:
    world = world_of(machines_jupyter, tmp_path, account, ec2, name)
    assert notifying.webhook(world, name) is None
    with pytest.raises(FailedError, match="tells nobody yet"):
        notifying.try_webhook(world, name)
    with pytest.raises(SettingsError):
        notifying.set_webhook(world, name, "http://127.0.0.1/x")
    assert notifying.set_webhook(world, name, "https://127.0.0.1:1/secret") == "127.0.0.1"
    assert notifying.webhook(world, name) == "127.0.0.1"
    with pytest.raises(FailedError, match="cannot be reached") as raised:
        notifying.try_webhook(world, name)
    assert "secret" not in f"{raised.value.message} {raised.value.hint}"
    notifying.forget_webhook(world, name)
    assert notifying.webhook(world, name) is None


def test_an_older_machine_is_told_as_such(
    jupyter: LiveJupyter, tmp_path: Path, account: Account, ec2: EC2Client, name: str
) -> None:
    world = world_of(jupyter, tmp_path, account, ec2, name)
    with pytest.raises(FailedError, match="older version") as raised:
        notifying.set_webhook(world, name, "https://127.0.0.1:1/secret")
    assert raised.value.hint == f"python -m wrapper up {name} --replace"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--off", "--test"], "--off forgets the webhook"),
        (["--webhook"], "Nobody is there to type"),
        (["--webhook-file", "EMPTY"], "is empty"),
    ],
    ids=["both", "nobody to ask", "empty file"],
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    given = [str(empty) if one == "EMPTY" else one for one in arguments]
    assert main(["notify", "moon", *given]) == 2
    assert said in capsys.readouterr().err
