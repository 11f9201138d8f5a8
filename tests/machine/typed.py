"""Commands typed at this computer, and what they print; the embedded EC2 that they run on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.provider import VARIABLE, Provider
from wrapper import local

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
UP_SECONDS = 1200
"""From nothing to a verified notebook, on two slow cores and with no root file system cached."""


def kernel_alone(folder: Path) -> tuple[str, str]:
    """Options of an `up` whose machine computes nothing: what is installed by default is large."""
    file = folder / "environment.yml"
    file.write_text("dependencies: [python, ipykernel]\n")
    return "--environment", str(file)


def wrapper(
    *arguments: str, environment: dict[str, str], seconds: float = 300, here: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """`python -m wrapper ...`, nobody at the keyboard; results come to the directory."""
    path = f"{ROOT / 'tests/machine/led'}:{environment['PATH']}"
    with _provider(arguments[0], environment):
        return subprocess.run(
            [sys.executable, "-m", "wrapper", *arguments],
            check=False,
            capture_output=True,
            text=True,
            env={**environment, "PATH": path, "PYTHONPATH": str(ROOT)},
            cwd=here,
            stdin=subprocess.DEVNULL,
            timeout=seconds,
        )


@dataclass(frozen=True)
class _Embedded:
    """The account that the embedded EC2 has."""

    environment: Mapping[str, str]
    app: None = None


@contextmanager
def _provider(verb: str, environment: Mapping[str, str]) -> Iterator[None]:
    """Terraform is led to a provider that runs already, and has no more schemas than it needs.

    The first `up` in a folder has Terraform start its own, as everybody's does: that takes three
    seconds of a processor more, each time. A wrapper hands on nothing that would lead it elsewhere.
    """
    folder = Path(environment.get("XDG_DATA_HOME", "/nowhere")) / "jupyter-clouds"
    installed = [one.parent.parent for one in folder.glob("*/.terraform/providers")]
    if verb not in ("up", "down", "resize") or not installed or not local.status().running:
        yield
        return
    provider = Provider(installed[0], _Embedded(local.status().env))
    named = folder / ".provider"
    named.write_text(provider.environment[VARIABLE])
    try:
        yield
    finally:
        named.unlink(missing_ok=True)
        provider.rest()


def document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The JSON that a command printed; the test fails when it did not succeed."""
    if done.returncode != 0:
        pytest.fail(f"{' '.join(done.args[1:])}: exit {done.returncode}\n{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def client(service: Any) -> Any:
    """Of a service of the embedded EC2's, as the account's owner."""
    found = local.status().env
    return boto3.client(
        service,
        region_name=found["AWS_REGION"],
        endpoint_url=found["AWS_ENDPOINT_URL"],
        aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
    )


def make_bucket(name: str, environment: dict[str, str]) -> str:
    """A bucket in the embedded S3, which runs then; it goes with that."""
    started = wrapper("local", "start", environment=environment, seconds=UP_SECONDS)
    assert started.returncode == 0, started.stderr
    bucket = f"data-of-{name}"
    client("s3").create_bucket(Bucket=bucket)
    return bucket


def stop_if_idle(environment: dict[str, str]) -> None:
    """The embedded EC2 is stopped, unless somebody else has a machine on it by now.

    Side by side, somebody else may be about to have one: it is left for `pytest_sessionfinish`.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    now = local.status()
    if now.running and not now.machines:
        wrapper("local", "stop", environment=environment)
