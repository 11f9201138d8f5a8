"""The adapter and the machine's own Jupyter configuration, which have to understand each other."""

from __future__ import annotations

import re
import ssl
import time
from typing import TYPE_CHECKING

import pytest

from tests.unit.conftest import mint
from wrapper.certificate import fingerprints
from wrapper.errors import FingerprintError, LoginError, NoAnswerError, ThrottledError
from wrapper.notebook import Notebook, Phase, pin
from wrapper.password import hash_password

if TYPE_CHECKING:
    from tests.unit.conftest import LiveJupyter


def key_of(pem: str) -> str:
    return fingerprints(ssl.PEM_cert_to_DER_cert(pem)).key_sha256


def test_status_cell_password_and_certificate(machines_jupyter: LiveJupyter) -> None:
    """One server for all of it: each start costs seconds."""
    live = machines_jupyter
    pinned = pin(live.host, live.port, key_sha256=key_of(live.minted.certificate))
    with Notebook(live.url, pinned, live.password) as notebook:
        notebook.login()
        found = notebook.clouds_status()
        assert found.phases == {"conda": Phase("done", 12.3)}
        assert found.versions["jupyter_server"]
        assert found.raw["phases"]["conda"]["seconds"] == 12.3
        assert notebook.run_cell("print('ready')") == "ready\n"
        seen = notebook.resources()
        assert seen
        assert 0 < seen.memory_available < seen.memory_total
        assert (seen.kernels, seen.autostop, seen.notice) == ((), None, None)

        with pytest.raises(NoAnswerError, match="400: not a hash"):
            notebook.set_password_hash("plain words")
        notebook.set_password_hash(hash_password("another password"))
    with Notebook(live.url, pinned, live.password) as notebook, pytest.raises(LoginError):
        notebook.login()

    time.sleep(1.5)  # the wrong password has made this address wait

    with Notebook(live.url, pinned, "another password") as notebook:
        notebook.login()
        new = mint(live.host)
        with pytest.raises(NoAnswerError, match="answered 400: "):
            notebook.set_certificate(new.certificate, live.minted.private_key)
        notebook.set_certificate(new.certificate, new.private_key)
        notebook.close()
        with pytest.raises(FingerprintError):
            notebook.status()
    pinned = pin(live.host, live.port, key_sha256=key_of(new.certificate))
    with Notebook(live.url, pinned, "another password") as notebook:
        notebook.login()


def test_guessing_is_told_as_such(machines_jupyter: LiveJupyter) -> None:
    live = machines_jupyter
    pinned = pin(live.host, live.port, key_sha256=key_of(live.minted.certificate))
    with Notebook(live.url, pinned, "not-the-password") as notebook:
        for _ in range(10):
            with pytest.raises((LoginError, ThrottledError)) as raised:
                notebook.login(patience=0)
            if re.search(r"for \d+ s: too many tries", raised.value.message):
                return
    pytest.fail("ten guesses in a row were each answered")
