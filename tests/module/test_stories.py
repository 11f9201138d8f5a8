"""The stories, with a real Terraform against the EC2 API and a real Jupyter behind the address.

Only two things are not as in life: no machine boots (its console says at once what a booted one
says), and connections to its address are led to the Jupyter of the test.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import ssl
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from werkzeug.serving import make_server

from tests.provider import Provider
from tests.unit.conftest import PASSWORD, jupyter, machines_jupyter
from wrapper import certificate, deployment
from wrapper.aws import Aws
from wrapper.aws.model import Leftover
from wrapper.deployment import applying, place
from wrapper.deployment.events import BootPhase, Checked, Warned
from wrapper.deployment.wanted import Wanted
from wrapper.deployment.world import World
from wrapper.errors import (
    BootError,
    CredentialsError,
    FingerprintError,
    LocalError,
    LockedError,
    LoginError,
    NoAnswerError,
    NothingToDo,
    RefusedError,
    RequestError,
    SettingsError,
    UnknownDeploymentError,
    UsageError,
)
from wrapper.home import Home, Place, Record, root
from wrapper.local import Status
from wrapper.local.api import create_app
from wrapper.local.api.imaginary import ImaginaryMachines
from wrapper.notebook import Notebook, pin
from wrapper.settings import Settings
from wrapper.terraform import Terraform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.unit.conftest import LiveJupyter
    from wrapper.deployment.answering import Up
    from wrapper.deployment.events import Event
    from wrapper.local.api.control import Control

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("terraform") or shutil.which("tofu")), reason="needs terraform or tofu"
    ),
]

__all__ = ["jupyter", "machines_jupyter"]  # fixtures, for pytest to find here

ME = "198.51.100.7"


class Speaking(ImaginaryMachines):
    """Machines that say on their console what a booted one says."""

    def __init__(self, key_sha256: str, certificate_sha256: str) -> None:
        super().__init__()
        prefix = "jupyter-clouds: "
        self.says = "".join(
            f"{prefix}{line}\r\n"
            for line in (
                "phase=conda state=started",
                "phase=conda seconds=12.3",
                f"fingerprint certificate_sha256={certificate_sha256} key_sha256={key_sha256}",
                "ready port=9999",
            )
        )

        self.says_after_a_restart: str | None = None

    def start(self, instance_id: str) -> None:
        """A boot that may go otherwise than the one before."""
        self.says = self.says_after_a_restart or self.says
        super().start(instance_id)

    def console(self, instance_id: str) -> bytes:
        """The same from every machine."""
        del instance_id
        return self.says.encode()


class NoEmbedded:
    """A computer on which the embedded EC2 does not run."""

    def status(self) -> Any:
        """Not running."""
        return Status(running=False)

    def settled(self, **_: Any) -> Any:
        """Likewise."""
        return self.status()

    def clear(self) -> None:
        """Nothing was left."""


@dataclass
class Stage:
    """A world, what was told in it, and the machine room behind it."""

    world: World
    told: list[Event]
    machines: Speaking
    control: Control
    asked: list[str] = field(default_factory=list)

    def wanted(self, name: str, **more: Any) -> Wanted:
        """What `up` is asked for, unless more is said. Volumes have stories of their own."""
        said = {"settings": Settings(data_volume_size=0), "new_password": lambda: PASSWORD, **more}
        return Wanted(name=name, **said)

    def aws(self) -> Aws:
        """The EC2 adapter."""
        return Aws(environment=self.world.environment, region="us-east-1")

    def home(self, name: str) -> Home:
        """The deployment's directory."""
        return Home(root(self.world.environment) / name)

    def of(self, kind: type) -> list[Any]:
        """What was told of one kind."""
        return [event for event in self.told if isinstance(event, kind)]


def _world(
    environment: dict[str, str],
    jupyter: LiveJupyter,
    report: Callable[[Event], None],
    provider: Provider,
) -> World:
    def terraform(path: Path, *, environment: dict[str, str], **more: Any) -> Terraform:
        return Terraform(path, environment=environment | provider.environment, **more)

    def led_pin(host: str, port: int, **more: Any) -> Any:
        assert port == 9999
        if not host.startswith("198.18."):  # not the Elastic IP yet, which a machine waits for
            raise NoAnswerError(f"Nothing answers at {host}.", hint="Wait")
        return pin(jupyter.host, jupyter.port, **more)

    def led_notebook(url: str, *given: Any, **more: Any) -> Notebook:
        assert url.startswith("https://198.18.")
        return Notebook(jupyter.url, *given, **more)

    return World(
        environment=environment,
        aws=Aws,
        terraform=terraform,  # type: ignore[arg-type] # as the class is called
        pin=led_pin,
        notebook=led_notebook,
        embedded=NoEmbedded,  # type: ignore[arg-type] # half of it is enough here
        public_address=lambda: ME,
        report=report,
        confirm=lambda _: True,
    )


@contextlib.contextmanager
def _stage(tmp_path: Path, jupyter: LiveJupyter, providers: Path) -> Iterator[Stage]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    der = ssl.PEM_cert_to_DER_cert(jupyter.minted.certificate)
    prints = certificate.fingerprints(der)
    machines = Speaking(prints.key_sha256, prints.certificate_sha256)
    app = create_app(machines)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
    }
    told: list[Event] = []
    provider = Provider(providers, environment)
    try:
        world = _world(environment, jupyter, told.append, provider)
        yield Stage(world, told, machines, app.control)
    finally:
        provider.stop()
        server.shutdown()
        thread.join()


@pytest.fixture
def stage(tmp_path: Path, jupyter: LiveJupyter, providers: Path) -> Iterator[Stage]:
    """A plain Jupyter behind the address."""
    with _stage(tmp_path, jupyter, providers) as made:
        yield made


@pytest.fixture
def full_stage(tmp_path: Path, machines_jupyter: LiveJupyter, providers: Path) -> Iterator[Stage]:
    """Jupyter as the machine runs it behind the address."""
    with _stage(tmp_path, machines_jupyter, providers) as made:
        yield made


def test_the_life_of_a_deployment(full_stage: Stage) -> None:
    stage, world = full_stage, full_stage.world
    answers: list[Up] = []
    made = deployment.up(world, stage.wanted("life"), answers=answers.append)
    assert answers == [made]
    assert made.changed
    assert (made.summary.state, made.summary.market) == ("running", "on-demand")
    assert made.summary.seconds["conda"] == 12.3
    passed = {event.name for event in stage.of(Checked) if event.ok}
    assert passed == {"fingerprint", "TLS", "login", "kernel"}
    assert BootPhase("conda", "done", 12.3) in stage.told

    again = deployment.up(world, stage.wanted("life"))
    assert not again.changed
    assert again.summary == made.summary

    found = deployment.status(world, "life")
    assert (found.answers, found.reach) == (True, (f"{ME}/32",))
    assert found.phases["conda"]["state"] == "done"
    assert [one.name for one in deployment.every(world)] == ["life"]
    assert deployment.check(world, "life").key_sha256 == made.summary.key_sha256
    _what_comes_too_late_is_told(stage)
    _secrets_are_nowhere(stage.home("life").path)
    _password_is_rotated(stage)

    moved = replace(world, public_address=lambda: "198.51.100.8")
    assert deployment.allow(moved, "life").allowed_cidrs == ("198.51.100.8/32",)
    assert not deployment.allow(moved, "life").changed
    assert stage.aws().instance(made.summary.instance_id or "") is not None

    ended = deployment.down(world, "life")
    assert ended.ended == (f"instance {made.summary.instance_id}",)
    assert stage.aws().leftovers("life") == []
    assert deployment.down(world, "life").ended == ()
    assert stage.home("life").password() is None
    with pytest.raises(UnknownDeploymentError, match="There is none"):
        deployment.status(world, "life")


def _what_comes_too_late_is_told(stage: Stage) -> None:
    """A machine is told of its bucket when it is made."""
    stage.aws()._account.s3.create_bucket(Bucket="my-data")
    asked = stage.wanted("life", settings=Settings(data_volume_size=0, bucket="my-data"))
    before = stage.home("life").variables()
    with pytest.raises(UsageError, match="Nothing was made"):
        deployment.up(replace(stage.world, confirm=lambda _: False), asked)
    assert stage.home("life").variables() == before, "or the next command would make it"
    [told] = [one.text for one in stage.of(Warned) if one.text.startswith("--bucket")]
    assert "first boot, which is over" in told
    assert "up life --replace" in told


def _secrets_are_nowhere(folder: Path) -> None:
    for path in folder.rglob("*"):
        inside = path.is_file() and ".terraform" not in path.parts and path.name != "password"
        if inside:
            assert PASSWORD.encode() not in path.read_bytes(), path


def _password_is_rotated(stage: Stage) -> None:
    fresh = "gutih-babad-lusab-tugad"
    before = stage.home("life").variables()["password_hash"]
    assert deployment.new_password(stage.world, "life", lambda: fresh) == fresh
    assert deployment.password(stage.world, "life") == fresh
    assert deployment.check(stage.world, "life").state == "running"
    assert stage.home("life").variables()["password_hash"] != before
    with pytest.raises(UsageError, match="has a password already"):
        deployment.up(stage.world, stage.wanted("life", password_said=True))


def test_an_up_that_failed_names_the_reason_and_converges_when_it_is_gone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wrapper.deployment.watch.SETTLED", 1.0)
    right = stage.machines.says
    broken = stage.machines.says = (
        "jupyter-clouds: phase=conda state=started\r\n"
        "jupyter-clouds: phase=conda state=failed seconds=3.2 exit=1\r\n"
        'jupyter-clouds: log phase=conda text="sha256sum: checksum mismatch"\r\n'
    )
    with pytest.raises(BootError, match=r"conda\n  \| sha256sum: checksum mismatch"):
        deployment.up(stage.world, stage.wanted("late"))
    # Somebody else answers: no password is sent.
    stage.machines.says = re.sub(r"key_sha256=\w+", "key_sha256=" + "0" * 64, right)
    with pytest.raises(FingerprintError):
        deployment.up(stage.world, stage.wanted("late"))
    # The failed phase is begun again by a restart; then the password is refused.
    stage.machines.says, stage.machines.says_after_a_restart = broken, right
    stage.home("late").write_password("gutih-babad-lusab-tugad")
    with pytest.raises(LoginError) as caught:
        deployment.up(stage.world, stage.wanted("late"))
    assert caught.value.exit_code == 3
    stage.home("late").write_password(PASSWORD)
    assert deployment.up(stage.world, stage.wanted("late")).summary.state == "running"
    assert len(stage.machines.specs) == 1, "one machine all along"


def test_markets_are_switched_one_machine_at_a_time_and_nothing_stays_open(stage: Stage) -> None:
    first = deployment.up(stage.world, stage.wanted("switch")).summary
    larger = deployment.resize(stage.world, "switch", "t3.xlarge").summary
    assert (larger.instance_id, larger.instance_type) == (first.instance_id, "t3.xlarge")
    with pytest.raises(NothingToDo):
        deployment.resize(stage.world, "switch", "t3.xlarge")
    stage.told.clear()
    asked = stage.wanted("switch", settings=Settings(data_volume_size=0, spot=True))
    second = deployment.up(stage.world, asked).summary
    assert (first.market, second.market) == ("on-demand", "spot")
    assert second.url == first.url, "the address stays"
    assert second.instance_type == "t3.xlarge"
    texts = [getattr(event, "text", "") for event in stage.told]
    assert texts.index(f"Stopping the machine of before, {first.instance_id}") < texts.index(
        "Terraform applies it"
    )

    # As an apply that failed would leave it: a request that is open and has no machine.
    record = stage.home("switch").record()
    assert record is not None
    _terminate(stage, record.instance_id)
    way = place.back_to(stage.world, record)
    applying._after_failure(stage.world, stage.home("switch"), way, record)
    assert [one.state for one in stage.aws().find_spot_requests("switch")] == ["cancelled"]
    assert any("is cancelled" in event.text for event in stage.of(Warned))
    # Half made as it is now, it can be ended.
    deployment.down(stage.world, "switch")
    assert stage.aws().leftovers("switch") == []


def test_a_spot_machine_is_carried_through_what_terraform_alone_cannot(stage: Stage) -> None:
    asked = stage.wanted("spot", settings=Settings(data_volume_size=0, spot=True))
    first = deployment.up(stage.world, asked).summary
    assert (first.market, bool(first.hourly_price)) == ("spot", True)

    # Ended outside while its request is open: EC2 would launch another one, plans would fail.
    _terminate(stage, first.instance_id)
    second = deployment.up(stage.world, asked).summary
    assert second.instance_id != first.instance_id
    assert second.url == first.url, "the address stays"
    assert [one.instance_id for one in stage.aws().find_instances("spot")] == [second.instance_id]

    # The state is lost: the name and the tags are enough.
    shutil.rmtree(stage.home("spot").path)
    with pytest.raises(UsageError, match="whose Terraform state is not on this computer"):
        deployment.up(stage.world, asked)
    ended = deployment.down(stage.world, "spot")
    assert f"instance {second.instance_id}" in ended.ended
    assert {one.partition(" ")[0] for one in ended.removed} >= {"address", "group"}
    assert stage.aws().leftovers("spot") == []


def _terminate(stage: Stage, instance_id: str | None) -> None:
    stage.aws().remove(Leftover("instance", instance_id or "", ""))


@pytest.mark.parametrize(
    ("more", "kind", "said"),
    [
        ({"name": "my notebook"}, SettingsError, "cannot be"),
        ({"settings": Settings(allow=("10.0.0.1/32",))}, SettingsError, "private"),
        ({"settings": Settings(instance_type="t3.gigantic")}, RequestError, "t3.gigantic"),
        ({"settings": Settings(domain="no domain")}, SettingsError, "domain"),
        ({"settings": Settings(bucket="absent-bucket/x")}, RequestError, "no bucket absent-bucket"),
        ({"new_password": lambda: "password1"}, UsageError, "weak"),
        ({"region": "atlantis-1"}, RequestError, "atlantis-1"),
        ({"certificate": True}, UsageError, "go together"),
        (
            {"certificate": 1, "private_key": 1, "settings": Settings(tls="letsencrypt")},
            UsageError,
            "two certificates",
        ),
    ],
    ids=[
        *("name", "cidr", "type", "domain", "bucket"),
        *("password", "region", "certificate", "certificates"),
    ],
)
def test_bad_input_is_refused_before_anything_is_made(
    stage: Stage, more: dict[str, Any], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        deployment.up(stage.world, stage.wanted(**{"name": "bad", **more}))
    assert stage.machines.specs == {}
    assert stage.aws().leftovers("bad") == []
    assert deployment.every(stage.world) == []


def test_that_a_bucket_may_not_be_looked_into_is_told_before_anything_is_made(
    stage: Stage,
) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "403"}}, "HeadBucket")

    def aws(**given: Any) -> Aws:
        made = Aws(**given)
        made._account.s3.meta.events.register("before-call.s3.HeadBucket", refuse)
        return made

    world = replace(stage.world, aws=aws, confirm=lambda _: False)
    wanted = stage.wanted("no", settings=Settings(data_volume_size=0, bucket="somebodys"))
    with pytest.raises(UsageError, match="Nothing was made"):
        deployment.up(world, wanted)
    assert any("may not look into the bucket somebodys" in one.text for one in stage.of(Warned))
    assert stage.machines.specs == {}
    assert stage.aws().leftovers("no") == []


def test_a_no_leaves_nothing(stage: Stage) -> None:
    with pytest.raises(UsageError, match="Nothing was made"):
        deployment.up(replace(stage.world, confirm=lambda _: False), stage.wanted("no"))
    assert stage.machines.specs == {}
    assert deployment.every(stage.world) == []


def test_a_second_up_is_told_who_works_on_it(stage: Stage) -> None:
    stage.home("busy").create()
    with stage.home("busy").locked("up busy"), pytest.raises(LockedError, match=str(os.getpid())):
        deployment.up(stage.world, stage.wanted("busy"))


def _remembered(stage: Stage, **changes: Any) -> None:
    where = {"kind": "aws", "region": "us-east-1", "account": "123456789012", **changes}
    stage.home("there").create()
    stage.home("there").remember(Record(name="there", place=Place(**where)))


def test_a_deployment_stays_where_it_is(stage: Stage) -> None:
    _remembered(stage, region="eu-west-1")
    with pytest.raises(UsageError, match="region eu-west-1"):
        deployment.up(stage.world, stage.wanted("there", region="us-east-1"))
    with pytest.raises(UsageError, match="not in the embedded EC2"):
        deployment.up(stage.world, stage.wanted("there", local=True))


def test_another_accounts_credentials_are_noticed(stage: Stage) -> None:
    _remembered(stage, account="999999999999")
    with pytest.raises(CredentialsError, match="account 999999999999"):
        deployment.status(stage.world, "there")
    assert [one.state for one in deployment.every(stage.world)] == ["unknown"]


def test_a_computer_without_room_is_told_of_and_with_room_it_works(stage: Stage) -> None:
    launch = stage.machines.launch

    def full(spec: Any) -> None:
        del spec
        raise LocalError("5 MiB free, 2000 MiB are needed: the disk is full", hint="df -h /var")

    stage.machines.launch = full  # type: ignore[method-assign] # what Room does, see its own test
    with pytest.raises(RefusedError, match=r"the disk is full \(df -h /var\)") as raised:
        deployment.up(stage.world, stage.wanted("full"))
    assert "once this computer has room" in str(raised.value.hint)
    stage.machines.launch = launch  # type: ignore[method-assign] # likewise
    assert deployment.up(stage.world, stage.wanted("full")).summary.state == "running"
    deployment.down(stage.world, "full")
    assert stage.aws().leftovers("full") == []


def test_what_was_on_a_stopped_embedded_ec2_is_gone(stage: Stage) -> None:
    _remembered(stage, kind="local")
    with pytest.raises(LocalError, match="does not run"):
        deployment.status(stage.world, "there")
    assert deployment.down(stage.world, "there").ended == ()
    assert deployment.every(stage.world) == []
