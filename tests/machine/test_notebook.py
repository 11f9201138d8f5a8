"""A live notebook verified from the outside. Against any: see conftest.py."""

from __future__ import annotations

import base64
import http.client
import json
import re
import socket
import ssl
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest
import websocket
from cryptography import x509

from tests.machine.conftest import answering
from wrapper.certificate import fingerprints
from wrapper.errors import FingerprintError, LoginError, NoAnswerError
from wrapper.notebook import Notebook, Pin, pin
from wrapper.notebook.pinning import trust_only

if TYPE_CHECKING:
    from tests.machine.conftest import Live, Shell

WRONG = "not-the-password-of-anybody"
AWAY_SECONDS = 65
"""Jupyter drops what a closed tab was to get after a minute."""


@pytest.fixture(scope="module")
def pinned(live: Live) -> Pin:
    return pin(live.host, live.port, key_sha256=live.key_sha256)


@pytest.fixture
def shell(live: Live) -> Shell:
    if live.shell is None:
        pytest.skip("give --notebook-ssh USER@HOST")
    return live.shell


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


def open_channels(
    live: Live, notebook: Notebook, kernel_id: str, *, origin: str
) -> websocket.WebSocket:
    """A kernel's websocket as a page of that origin opens it, with the user's cookies."""
    session = notebook._session
    cookies = "; ".join(f"{name}={value}" for name, value in session.cookies.items())
    sock = session.context.wrap_socket(
        socket.create_connection((live.host, live.port), 20), server_hostname=live.host
    )
    try:
        return websocket.create_connection(
            f"{live.url.rstrip('/').replace('https', 'wss', 1)}/api/kernels/{kernel_id}/channels",
            socket=sock,
            origin=origin,
            cookie=cookies,
            timeout=20,
        )
    except websocket.WebSocketException:
        sock.close()
        raise


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
    pinned = pin(live.host, 443, key_sha256=live.key_sha256)
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


def test_what_a_cell_prints_is_in_its_notebook_with_the_browser_closed_for_a_minute(
    live: Live,
) -> None:
    """While it still runs: the connection is closed early, and the file is read in between."""
    name = f"away-{time.time_ns()}.ipynb"
    seconds = AWAY_SECONDS + 60
    code = f"import time\nfor i in range({seconds}):\n    print(i)\n    time.sleep(1)"
    with live.logged_in() as notebook:
        put_notebook(notebook, name, code)
        kernel = notebook.call(
            "POST",
            "/api/sessions",
            {"path": name, "type": "notebook", "name": name, "kernel": {"name": "python3"}},
        )["kernel"]["id"]
        try:
            channels = open_channels(live, notebook, kernel, origin=live.url.rstrip("/"))
            channels.send(json.dumps(execute_request(code)))
            answering(lambda: _printed(notebook, name, at_least=1), within=60)
            channels.close()
            notebook.close()
            time.sleep(AWAY_SECONDS)
            printed = _printed(notebook, name, at_least=AWAY_SECONDS - 5)
            assert printed == list(range(len(printed)))
            assert notebook.call("GET", f"/api/kernels/{kernel}")["execution_state"] == "busy"
        finally:
            with suppress(NoAnswerError):
                notebook.call("DELETE", f"/api/kernels/{kernel}")
            notebook.call("DELETE", f"/api/contents/{name}")


CELL = "0123abcd"


def put_notebook(notebook: Notebook, name: str, code: str) -> None:
    """A notebook of one cell that has not run."""
    cell: dict[str, Any] = {
        "id": CELL,
        "cell_type": "code",
        "source": code,
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    notebook.call(
        "PUT",
        f"/api/contents/{name}",
        {"type": "notebook", "format": "json", "content": content},
    )


def _printed(notebook: Notebook, name: str, *, at_least: int) -> list[int]:
    """The numbers in the outputs of the file. NoAnswerError when they are too few."""
    cells = notebook.call("GET", f"/api/contents/{name}?content=1")["content"]["cells"]
    texts = ["".join(output.get("text", "")) for output in cells[0]["outputs"]]
    found = [int(number) for number in "".join(texts).split()]
    if len(found) < at_least:
        raise NoAnswerError(f"{name} holds {len(found)} lines of output, not {at_least}")
    return found


def execute_request(code: str) -> dict[str, Any]:
    """As JupyterLab runs the notebook's cell."""
    return {
        "header": {
            "msg_id": f"away-{time.time_ns()}",
            "msg_type": "execute_request",
            "session": "checks",
            "username": "checks",
            "version": "5.3",
        },
        "parent_header": {},
        "metadata": {"cellId": CELL},
        "channel": "shell",
        "content": {"code": code, "silent": False, "store_history": True, "allow_stdin": False},
    }


def test_an_ssh_sessions_end_does_not_stop_it(live: Live, shell: Shell) -> None:
    with live.logged_in() as notebook:
        started = notebook.status().started
        for user in (shell.admin, "notebook"):
            said = shell.run("sleep 1; echo out", user=user)
            if user == shell.admin:
                assert said.stdout == "out\n", said.stderr
        time.sleep(3)
        assert notebook.status().started == started
        assert notebook.run_cell("print(1)") == "1\n"


def test_a_restart_of_the_service_keeps_it_answering(live: Live, shell: Shell) -> None:
    with live.logged_in() as notebook:
        started = notebook.status().started
    done = shell.run("sudo -n systemctl restart jupyter-clouds-notebook")
    assert done.returncode == 0, done.stderr
    _came_back(live, started)


def test_a_server_that_is_killed_comes_back(live: Live) -> None:
    """A kernel's parent is the server, and both are the notebook user's."""
    with live.logged_in() as notebook:
        started = notebook.status().started
        with pytest.raises(NoAnswerError):
            notebook.run_cell("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)")
    _came_back(live, started)


def _came_back(live: Live, before: str) -> None:
    """The same key, the same password, another start."""

    def look() -> str:
        with live.notebook() as notebook:
            notebook.login()
            assert notebook.run_cell("print(2)") == "2\n"
            return notebook.status().started

    assert answering(look, within=180) != before


def test_wrong_passwords_are_slowed_while_another_address_still_logs_in(
    live: Live, pinned: Pin
) -> None:
    """Guessing from here gets 401, then 429 with a wait that grows; the owner, who comes from
    elsewhere (here: the machine's own loopback), is not locked out; and after the wait the right
    password is let in from here too."""
    with live.logged_in() as owner:
        waits = [_guess(live, pinned) for _ in range(2)]
        until = time.monotonic() + 60
        while not waits[-1] and time.monotonic() < until:
            waits.append(_guess(live, pinned))
        assert waits[0] == 0, "the first wrong guess is answered as such"
        assert waits[-1] > 0, f"never slowed: {waits}"
        with live.notebook() as notebook, pytest.raises(LoginError, match="lets nobody log in"):
            notebook.login()
        assert owner.run_cell(_log_in_from_the_machine(live, pinned)) == "302\n"
        first = waits[-1]
        time.sleep(first + 0.5)
        assert _next_wait(live, pinned) > first, "the wait grows"
    with live.logged_in() as notebook:
        assert notebook.status().kernels >= 0


def _guess(live: Live, pinned: Pin) -> float:
    """Seconds that the notebook then wants us to wait; 0 for a plain refusal."""
    with Notebook(live.url, pinned, WRONG) as notebook:
        with pytest.raises(LoginError) as raised:
            notebook.login()
        found = re.search(r"for (\d+) s", raised.value.message)
        assert found or "refuses the password" in raised.value.message
        return float(found[1]) if found else 0.0


def _next_wait(live: Live, pinned: Pin) -> float:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if wait := _guess(live, pinned):
            return wait
    return 0.0


def _log_in_from_the_machine(live: Live, pinned: Pin) -> str:
    """A cell that logs in over the loopback, verified against the same certificate."""
    port = 9999 if live.port == 443 else live.port
    quoted = base64.b64encode(json.dumps([live.host, live.password, pinned.pem]).encode()).decode()
    return f"""
import base64, http.client, json, socket, ssl, urllib.parse
host, password, pem = json.loads(base64.b64decode({quoted!r}))
context = ssl.create_default_context(cadata=pem)
context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
context.verify_flags &= ~ssl.VERIFY_X509_STRICT
class Here(http.client.HTTPSConnection):
    def connect(self):
        sock = socket.create_connection(("127.0.0.1", {port}), 20)
        self.sock = context.wrap_socket(sock, server_hostname=host)
connection = Here(host, 9999)
connection.request("GET", "/login")
answer = connection.getresponse()
answer.read()
cookie = answer.headers["Set-Cookie"].partition(";")[0]
body = urllib.parse.urlencode({{"password": password, "_xsrf": cookie.partition("=")[2]}})
connection.request("POST", "/login", body, {{
    "Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}})
print(connection.getresponse().status)
"""
