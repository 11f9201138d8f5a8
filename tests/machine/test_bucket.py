"""A bucket as a folder: what is written on the machine is in S3, and the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.machine.live import is_done
from tests.machine.reach import until
from tests.machine.typed import client

if TYPE_CHECKING:
    from tests.machine.live import Live
    from tests.machine.shells import Shell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def shell(live: Live) -> Shell:
    if not live.bucket or live.shell is None:
        pytest.skip("needs a machine of the tests' own")

    with live.logged_in() as notebook:
        until(lambda: is_done(notebook, "s3"))
    return live.shell


def test_what_is_written_on_the_machine_is_in_the_bucket(live: Live, shell: Shell) -> None:
    bucket, _, prefix = live.bucket.partition("/")
    s3 = client("s3")

    done = shell.run("mkdir -p work/s3/new; echo of the machine >work/s3/new/file", user="notebook")

    assert done.returncode == 0, done.stderr
    wanted = f"{prefix}/new/file"
    until(lambda: s3.list_objects_v2(Bucket=bucket, Prefix=wanted).get("Contents"))
    assert s3.get_object(Bucket=bucket, Key=wanted)["Body"].read() == b"of the machine\n"


def test_jupyterlab_shows_what_is_put_into_the_bucket(live: Live, shell: Shell) -> None:
    assert shell
    bucket, _, prefix = live.bucket.partition("/")
    client("s3").put_object(Bucket=bucket, Key=f"{prefix}/put.txt", Body=b"from afar")

    with live.logged_in() as notebook:

        def listed() -> bool:
            found = notebook.call("GET", "/api/contents/s3")["content"]
            return "put.txt" in {one["name"] for one in found}

        until(listed, seconds=60)
        shown = notebook.read_text("s3/put.txt")

    assert shown == "from afar"


def test_the_machine_has_no_right_beyond_its_prefix(live: Live, shell: Shell) -> None:
    bucket = live.bucket.partition("/")[0]
    client("s3").put_object(Bucket=bucket, Key="of-others/secret", Body=b"x")
    as_root = "sudo sh -c 'set -a; . /run/jupyter-clouds/s3.env; exec rclone --low-level-retries=1 "

    for command in (f"lsf clouds:{bucket}/of-others/", f"cat clouds:{bucket}/of-others/secret"):
        done = shell.run(f"{as_root} --retries=1 {command}'")
        assert done.returncode != 0
        assert "secret" not in done.stdout
        assert "x" not in done.stdout
    # And the user has the folder, not the credentials.
    address = "http://169.254.169.254/latest/meta-data/iam/security-credentials/"
    assert shell.run(f"curl -sS -m 5 {address}", user="notebook").returncode != 0
