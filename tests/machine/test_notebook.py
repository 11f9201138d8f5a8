"""A live notebook verified from the outside. Against any: see conftest.py."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import websocket
from cryptography import x509

from tests.machine.conftest import PASSWORD_VARIABLE
from tests.machine.live import answering, open_channels
from tests.machine.typed import ROOT, wrapper
from wrapper.certificate import fingerprints
from wrapper.errors import FingerprintError, LoginError, NoAnswerError
from wrapper.notebook import Notebook, Pin, pin
from wrapper.notebook.pinning import trust_only

if TYPE_CHECKING:
    from pathlib import Path

    from tests.machine.live import Live


def raw(live: Live, pinned: Pin, method: str, path: str, **headers: str) -> tuple[int, bytes]:
    """An answer without any session's cookies."""
    connection = http.client.HTTPSConnection(
        live.host, live.port, context=trust_only(pinned.pem), timeout=20
    )
    with closing(connection):
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_tls_is_verified_against_the_pinned_certificate(live: Live, pinned: Pin) -> None:
    assert pinned.key_sha256 == live.key_sha256
    with socket.create_connection((live.host, live.port), 20) as sock:
        context = trust_only(pinned.pem)
        with context.wrap_socket(sock, server_hostname=live.host) as tls:
            assert tls.version() in ("TLSv1.2", "TLSv1.3")


def test_the_certificate_names_the_address_and_is_the_servers_only(live: Live, pinned: Pin) -> None:
    certificate = x509.load_pem_x509_certificate(pinned.pem.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    shown = [str(name.value) for name in names]
    assert live.host in shown
    assert certificate.not_valid_after_utc > certificate.not_valid_before_utc
    own = fingerprints(ssl.PEM_cert_to_DER_cert(pinned.pem))
    assert own.certificate_sha256 == pinned.certificate_sha256


def test_another_key_is_refused(live: Live) -> None:
    with pytest.raises(FingerprintError, match="another key"):
        pin(live.host, live.port, key_sha256="0" * 64)


def test_another_certificate_is_refused_before_the_password_is_sent(
    live: Live, another_certificate: str
) -> None:
    stranger = Pin(another_certificate, "0" * 64, "0" * 64)
    with (
        Notebook(live.url, stranger, live.password) as notebook,
        pytest.raises(FingerprintError, match="not accepted"),
    ):
        notebook.login()


@pytest.fixture(scope="module")
def another_certificate() -> str:
    import trustme  # noqa: PLC0415 (for this one alone)

    return trustme.CA().cert_pem.bytes().decode()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_tls_1_1_is_refused_by_the_server(live: Live, pinned: Pin) -> None:
    context = trust_only(pinned.pem)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection((live.host, live.port), 20) as sock,
        pytest.raises(ssl.SSLError) as raised,
    ):
        context.wrap_socket(sock, server_hostname=live.host)
    # The server's alert: the client's own refusal would have another reason.
    assert raised.value.reason.startswith("TLSV1_ALERT_")


def test_plain_http_gets_no_page(live: Live) -> None:
    with closing(http.client.HTTPConnection(live.host, live.port, timeout=20)) as connection:
        connection.request("GET", "/login")
        with pytest.raises((http.client.HTTPException, OSError)):
            connection.getresponse()


def test_the_right_password_logs_in_and_a_cell_runs(live: Live) -> None:
    with live.logged_in() as notebook:
        assert notebook.run_cell("print(6 * 7)") == "42\n"


# Ends by itself, whatever becomes of its kernel.
SERVE = """
import pathlib, socket, subprocess, sys, tempfile, time
folder = tempfile.mkdtemp()
pathlib.Path(folder, "answer").write_text("[42]")
with socket.socket() as found:
    found.bind(("127.0.0.1", 0))
    port = found.getsockname()[1]
serve = [sys.executable, "-m", "http.server", str(port), "--bind=127.0.0.1", "-d", folder]
subprocess.Popen(["timeout", "60", *serve], start_new_session=True, stderr=subprocess.DEVNULL)
while True:
    with socket.socket() as asked:
        if not asked.connect_ex(("127.0.0.1", port)):
            break
    time.sleep(0.1)
print(port)
"""


def test_a_server_of_ones_own_is_reached_through_the_notebook_by_who_is_logged_in(
    live: Live, pinned: Pin
) -> None:
    with live.logged_in() as notebook:
        path = f"/proxy/{notebook.run_cell(SERVE).strip()}/answer"
        assert notebook.call("GET", path) == [42]
    status, body = raw(live, pinned, "GET", path)
    assert (status in (302, 403), b"42" in body) == (True, False)


def test_notebook_7_answers_beside_jupyterlab(live: Live, pinned: Pin) -> None:
    with live.logged_in() as notebook:
        cookies = notebook._session.cookies.items()
    words = "; ".join(f"{name}={value}" for name, value in cookies)
    status, body = raw(live, pinned, "GET", "/tree", Cookie=words)
    assert status == 200
    assert b'"notebookPage": "tree"' in body


def test_a_kernel_has_the_default_environments_packages(live: Live) -> None:
    with live.logged_in() as notebook:
        environment = notebook.clouds_status().phases.get("environment")
        if environment is None or environment.state != "done":
            answering(lambda: _environment_done(notebook), within=600)
        printed = notebook.run_cell(
            "import numpy, pandas\nprint(pandas.DataFrame({'a': numpy.arange(4)})['a'].sum())"
        )
    assert printed == "6\n"


def _environment_done(notebook: Notebook) -> None:
    phase = notebook.clouds_status().phases.get("environment")
    if phase is None or phase.state != "done":
        raise NoAnswerError(f"the environment is not done: {phase}")


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        pytest.param("/api/contents", {}, id="nothing"),
        pytest.param("/api/kernels", {}, id="kernels"),
        pytest.param("/api/contents?token=", {}, id="an empty token"),
        pytest.param("/api/contents?token=jupyter", {}, id="a token"),
        pytest.param("/api/contents", {"Authorization": "token "}, id="an empty token header"),
        pytest.param("/api/contents", {"Authorization": "token x"}, id="a token header"),
        pytest.param("/clouds/status", {}, id="the machine's status"),
    ],
)
def test_without_a_login_nothing_is_told(
    live: Live, pinned: Pin, path: str, headers: dict[str, str]
) -> None:
    status, body = raw(live, pinned, "GET", path, **headers)
    assert status in (302, 401, 403)
    assert b"phases" not in body
    assert b'"content"' not in body


def test_without_a_login_nothing_can_be_run(live: Live, pinned: Pin) -> None:
    for path in ("/api/kernels", "/api/sessions", "/api/terminals"):
        status, _ = raw(live, pinned, "POST", path)
        assert status in (401, 403)
    with live.notebook() as notebook, pytest.raises(LoginError):
        notebook.run_cell("print(1)")


def test_a_page_of_another_origin_reaches_no_kernel(live: Live) -> None:
    with live.logged_in() as notebook:
        kernel = notebook.call("POST", "/api/kernels", {})["id"]
        try:
            with pytest.raises(websocket.WebSocketBadStatusException) as raised:
                open_channels(live, notebook, kernel, origin="https://elsewhere.example")
            assert raised.value.status_code == 403
            own = open_channels(live, notebook, kernel, origin=live.url.rstrip("/"))
            own.close()
        finally:
            notebook.call("DELETE", f"/api/kernels/{kernel}")


def test_a_page_of_another_origin_cannot_log_out_or_change_anything(live: Live) -> None:
    """Without the XSRF token, which only the notebook's own pages can read."""
    with live.logged_in() as notebook:
        cookies = "; ".join(f"{k}={v}" for k, v in notebook._session.cookies.items())
        status, _ = raw(
            live,
            pin(live.host, live.port, key_sha256=live.key_sha256),
            "POST",
            "/api/kernels",
            Cookie=cookies,
            Origin="https://elsewhere.example",
        )
        assert status in (403, 404)
        assert notebook.status().kernels >= 0


def test_443_reaches_the_same_notebook(live: Live) -> None:
    if live.port == 443:
        pytest.skip("that is where it is already")
    pinned = answering(lambda: pin(live.host, 443, key_sha256=live.key_sha256), within=180)
    with Notebook(f"https://{live.host}", pinned, live.password) as by_443:
        answering(by_443.login, within=180)
        started = by_443.status().started
    with live.logged_in() as by_9999:
        assert by_9999.status().started == started


@pytest.mark.parametrize("port", [80, 8888, 9998])
def test_a_closed_port_is_closed(live: Live, port: int) -> None:
    socket.create_connection((live.host, live.port), 10).close()
    with pytest.raises(OSError, match=r"timed out|refused|unreachable"):
        socket.create_connection((live.host, port), 3)


def test_the_same_checks_verify_a_notebook_that_is_pointed_at(live: Live) -> None:
    """As somebody does with one on AWS; a wrong fingerprint fails them."""
    if not live.own:
        pytest.skip("is pointed at one already")

    def pointed(fingerprint: str) -> subprocess.CompletedProcess[str]:
        checks = "tls_is_verified or a_cell_runs or plain_http"
        return subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", checks),
                *(f"--notebook-url={live.url}", f"--notebook-fingerprint={fingerprint}"),
                "tests/machine/test_notebook.py",
            ],
            check=False,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, PASSWORD_VARIABLE: live.password},
            timeout=300,
        )

    done = pointed(live.key_sha256)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
    refused = pointed("0" * 64)
    assert refused.returncode == 1
    assert "another key" in refused.stdout


def test_a_command_over_ssh_ends_as_there_and_files_go_there_and_back(
    live: Live, tmp_path: Path
) -> None:
    """The machine was made without the deployment's key: the notebook lets it in."""
    if not live.own:
        pytest.skip("needs a deployment of this computer")
    here = tmp_path / "tree"
    for name in ("a b", "deep/$(x)", "left.log"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(name)
    (here / ".gitignore").write_text("*.log\n")

    def typed(*words: str, code: int = 0) -> str:
        done = wrapper(*words, environment=live.environment)
        assert done.returncode == code, done.stderr
        return done.stdout

    assert typed("ssh", live.name, "--", "id -un; exit 7", code=7) == "notebook\n"
    sent = json.loads(typed("push", str(here), "--name", live.name, "--json"))
    assert sorted(sent["changed"]) == [".gitignore", "a b", "deep/$(x)"]
    listed = typed("ssh", live.name, "--", "cd work/tree; find . -type f | sort")
    assert listed.splitlines() == ["./.gitignore", "./a b", "./deep/$(x)"]
    typed("ssh", live.name, "--", "echo result > work/tree/deep/result")
    typed("pull", "tree", str(tmp_path / "back"), "--name", live.name)
    assert (tmp_path / "back/deep/result").read_text() == "result\n"
    assert (tmp_path / "back/a b").read_text() == "a b"
    typed("ssh", live.name, "--", "echo both > work/tree/deep/both")
    synced = json.loads(typed("sync", str(here), "--name", live.name, "--json"))
    assert sorted(synced["changed"]) == ["deep/both", "deep/result"]
    assert (here / "deep/both").read_text() == "both\n"
    assert (here / "left.log").exists()
    typed("ssh", live.name, "--", "echo again > work/tree/deep/again")
    told = json.loads(typed("up", live.name, "--yes", "--json", "--sync", str(here)))
    assert told["url"] == live.url
    assert (here / "deep/again").read_text() == "again\n"


# As user data and a boot would have it, from a repository of the machine's own.
CLONE = """set -e
sudo -u notebook sh -c 'rm -rf /var/tmp/code && git init -q /var/tmp/code && cd /var/tmp/code &&
echo ok >file && git add . && git -c user.name=me -c user.email=me@example.org commit -qm one'
echo file:///var/tmp/{name} | sudo tee /etc/jupyter-clouds/repository >/dev/null
sudo systemctl restart jupyter-clouds-repository"""


def test_a_repository_is_cloned_and_one_that_is_not_there_is_told(live: Live) -> None:
    if not live.own or live.shell is None:
        pytest.skip("needs root on a machine that the test may change")
    done = live.shell.run(CLONE.format(name="code"))
    assert done.returncode == 0, done.stderr
    with live.logged_in() as notebook:
        assert notebook.call("GET", "/api/contents/code/file")["content"] == "ok\n"
        assert live.shell.run(CLONE.format(name="absent")).returncode != 0
        told = notebook.clouds_status().phases["repository"]
    assert told.state == "failed"
    assert "the repository exists" in str(told.error)
