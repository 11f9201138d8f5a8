"""A certificate of one's own, served by the machine's Jupyter, verified by its authority."""

from __future__ import annotations

import dataclasses
import http.client
import ssl
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from tests.unit.carrier_doors import pinned
from tests.unit.fleet import launch
from tests.unit.worlds import StandIn, bare_world
from wrapper.certificate import read_pair
from wrapper.deployment import answering, logging_in, verify
from wrapper.deployment.opening import _Finder
from wrapper.errors import ReplacedError
from wrapper.home import Home, Place, Record, root
from wrapper.notebook import Notebook, pin

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_ec2 import EC2Client

    from tests.ec2 import Account
    from tests.unit.conftest import LiveJupyter
    from wrapper.deployment.world import World
    from wrapper.notebook import Pin


def _world(folder: Path, account: Account, live: LiveJupyter, told: list[Any]) -> World:
    """Whose connections to port 9999 are led to the Jupyter."""

    def look(host: str, port: int, *, key_sha256: str, **__: Any) -> Pin:
        assert port == 9999
        return pin(host, live.port, key_sha256=key_sha256)

    def speak(url: str, pin: Pin, password: str, **__: Any) -> Notebook:
        assert url == f"https://{live.host}:9999/"
        return Notebook(live.url, pin, password)

    return dataclasses.replace(
        bare_world(folder, account, StandIn(), told), pin=look, notebook=speak
    )


def test_it_is_shown_from_then_on_and_its_authority_alone_is_asked_for(
    tmp_path: Path, account: Account, ec2: EC2Client, name: str, machines_jupyter: LiveJupyter
) -> None:
    live, told = machines_jupyter, list[Any]()
    first = pinned(live)
    (folder := tmp_path / "here").mkdir()
    world = _world(folder, account, live, told)
    home = Home(root(world.environment) / name)
    home.create()
    home.write_password(live.password)
    outputs = {"instance_id": launch(ec2, name), "public_ip": live.host}
    place = Place("local", "us-east-1", "123456789012")
    record = home.remember(Record(name, place, outputs=outputs, key_sha256=first.key_sha256))
    authority = trustme.CA()
    issued = authority.issue_cert(live.host)
    issued.private_key_pem.write_to_path(folder / "key.pem")
    for one in issued.cert_chain_pems:
        one.write_to_path(folder / "chain.pem", append=True)
    pair = read_pair(folder / "chain.pem", folder / "key.pem", host=live.host)
    open_door = _Finder(world, name, first.key_sha256)

    own = answering._serve_own(world, home, record, first, pair)

    assert own.key_sha256 == pair.fingerprints.key_sha256
    assert [one.detail for one in told if getattr(one, "name", "") == "certificate"] == [
        "yours is shown"
    ]
    trusting = ssl.create_default_context()
    trusting.load_verify_locations(cadata=authority.cert_pem.bytes().decode())
    connection = http.client.HTTPSConnection(live.host, live.port, context=trusting, timeout=30)
    connection.request("GET", "/login")
    assert connection.getresponse().status == 200
    connection.close()
    where = verify.address(own)
    there = world.look_whose(where, own.key_sha256 or "")
    with logging_in.logged_in(world, home, where, there) as notebook:
        assert notebook.status().kernels == 0
    with pytest.raises(ReplacedError, match="its certificate, was replaced"):
        open_door()
