"""The notebook's adapter, against a real Jupyter."""

from __future__ import annotations

import json
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
import requests

from tests.unit.conftest import mint
from wrapper.certificate import fingerprints
from wrapper.errors import FingerprintError, KernelError, LoginError, NoAnswerError
from wrapper.notebook import Notebook, Pin, pin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.conftest import LiveJupyter


def pin_of(pem: str) -> Pin:
    found = fingerprints(ssl.PEM_cert_to_DER_cert(pem))
    return Pin(pem, found.certificate_sha256, found.key_sha256)


@pytest.fixture
def notebook(jupyter: LiveJupyter) -> Iterator[Notebook]:
    with Notebook(jupyter.url, pin_of(jupyter.minted.certificate), jupyter.password) as found:
        yield found


def test_the_right_password_logs_in_and_a_cell_runs(notebook: Notebook) -> None:
    notebook.login()
    assert notebook.run_cell("import sys\nprint(6 * 7)\nprint('to stderr', file=sys.stderr)") == (
        "42\n"
    )
    assert notebook.status().kernels == 0


def test_output_in_pieces_arrives_whole(notebook: Notebook) -> None:
    notebook.login()
    code = "import time\nfor i in range(3):\n    print(i, flush=True)\n    time.sleep(0.3)"
    assert notebook.run_cell(code) == "0\n1\n2\n"


def test_a_wrong_password_is_refused_and_not_repeated(jupyter: LiveJupyter) -> None:
    pinned = pin_of(jupyter.minted.certificate)
    with Notebook(jupyter.url, pinned, "wrong-password-7") as notebook:
        with pytest.raises(LoginError, match="refuses the password") as raised:
            notebook.login()
        assert "wrong-password-7" not in f"{raised.value} {raised.value.hint}"
        with pytest.raises(LoginError, match="not logged in"):
            notebook.status()


def test_without_a_login_nothing_is_answered(notebook: Notebook) -> None:
    with pytest.raises(LoginError, match=r"/api/kernels answered 403"):
        notebook.run_cell("1")


def test_a_cell_that_raises_is_an_error_and_its_kernel_is_gone(notebook: Notebook) -> None:
    notebook.login()
    with pytest.raises(KernelError, match="ZeroDivisionError: division by zero"):
        notebook.run_cell("1 / 0")
    assert notebook.status().kernels == 0


def test_a_cell_that_takes_too_long_is_given_up_and_its_kernel_is_gone(
    notebook: Notebook,
) -> None:
    notebook.login()
    with pytest.raises(KernelError, match="time was up"):
        notebook.run_cell("import time\ntime.sleep(60)", timeout=3)
    assert notebook.status().kernels == 0


def test_a_cell_that_kills_its_kernel_is_an_error_at_once(notebook: Notebook) -> None:
    notebook.login()
    with pytest.raises(KernelError, match="kernel died"):
        notebook.run_cell("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")


def test_a_file_of_the_work_folder_is_read(notebook: Notebook, jupyter: LiveJupyter) -> None:
    notebook.login()
    (jupyter.work / "größe & so.txt").write_text("7\n")
    assert notebook.read_text("größe & so.txt") == "7\n"
    with pytest.raises(NoAnswerError, match="404"):
        notebook.read_text("missing.txt")


def test_a_server_without_our_extension_is_told_as_such(notebook: Notebook) -> None:
    notebook.login()
    with pytest.raises(NoAnswerError, match=r"/clouds/status answered 404"):
        notebook.clouds_status()
    assert notebook.resources() is None


def test_neither_ca_bundles_nor_proxies_of_the_process_reach_the_connection(
    jupyter: LiveJupyter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With these set, requests would verify against the bundle and go through the proxy."""
    another = tmp_path / "another.pem"
    another.write_text(mint("127.0.0.1").certificate)
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "WEBSOCKET_CLIENT_CA_BUNDLE"):
        monkeypatch.setenv(variable, str(another))
    for variable in ("HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    pinned = pin(
        jupyter.host, jupyter.port, key_sha256=pin_of(jupyter.minted.certificate).key_sha256
    )
    with Notebook(jupyter.url, pinned, jupyter.password) as notebook:
        notebook.login()
        assert notebook.run_cell("print(1)") == "1\n"


def test_another_certificate_is_refused_before_the_password_is_sent(jupyter: LiveJupyter) -> None:
    stranger = pin_of(mint("127.0.0.1").certificate)
    with (
        Notebook(jupyter.url, stranger, jupyter.password) as notebook,
        pytest.raises(FingerprintError, match="not accepted"),
    ):
        notebook.login()


def test_the_authorities_that_requests_brings_along_are_not_trusted(jupyter: LiveJupyter) -> None:
    with Notebook(jupyter.url, pin_of(jupyter.minted.certificate), jupyter.password) as notebook:
        notebook.login()
        assert notebook._session.context.cert_store_stats()["x509"] == 1


@contextmanager
def impostor(
    folder: Path, answers: dict[str, tuple[int, bytes, dict[str, str]]]
) -> Iterator[Notebook]:
    """A server with the pinned certificate that answers what no notebook does."""

    class Answer(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body, headers = answers.get(f"{self.command} {self.path}", (404, b"", {}))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 (the server's names)

        def log_message(self, *_: object) -> None:
            pass

    minted = mint("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*minted.write(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        with Notebook(
            f"https://127.0.0.1:{server.server_port}", pin_of(minted.certificate), "s3cret-word"
        ) as notebook:
            yield notebook
    finally:
        server.shutdown()
        server.server_close()


LOGIN = {"GET /login": (200, b"", {"Set-Cookie": "_xsrf=2; Path=/"})}


@pytest.mark.parametrize(
    ("status", "headers", "reason"),
    [
        pytest.param(429, {"Retry-After": "60"}, "for 60 s: too many tries", id="throttled"),
        pytest.param(401, {}, "refuses the password", id="wrong password"),
        pytest.param(200, {}, "answered 200", id="the page again"),
        pytest.param(500, {}, "answered 500", id="out of order"),
    ],
)
def test_a_login_that_fails_says_why(
    tmp_path: Path, status: int, headers: dict[str, str], reason: str
) -> None:
    answers = {**LOGIN, "POST /login": (status, b"", headers)}
    with impostor(tmp_path, answers) as notebook:
        with pytest.raises(NoAnswerError, match=reason) as raised:
            notebook.login()
        assert raised.value.hint
        assert "s3cret-word" not in f"{raised.value} {raised.value.hint}"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"<html>", "something else", id="a page"),
        pytest.param(b"[]", "something else", id="a list"),
        pytest.param(b"", "something else", id="nothing"),
        pytest.param(b'{"started": 1}', "something else", id="half of it"),
        pytest.param(b"x" * (17 << 20), "more than 16 MB", id="endless"),
    ],
)
def test_nonsense_is_no_status(tmp_path: Path, body: bytes, reason: str) -> None:
    with (
        impostor(tmp_path, {"GET /api/status": (200, body, {})}) as notebook,
        pytest.raises(NoAnswerError, match=reason),
    ):
        notebook.status()


@pytest.mark.parametrize(
    "body", [b"[]", b'{"phases": []}', b'{"phases": {"conda": 7}}', b'{"phases": {"conda": {}}}']
)
def test_nonsense_is_no_status_of_the_machine(tmp_path: Path, body: bytes) -> None:
    with (
        impostor(tmp_path, {"GET /clouds/status": (200, body, {})}) as notebook,
        pytest.raises(NoAnswerError, match="something else"),
    ):
        notebook.clouds_status()


def test_a_kernel_that_is_none_is_refused(tmp_path: Path) -> None:
    with (
        impostor(tmp_path, {"POST /api/kernels": (201, b"[]", {})}) as notebook,
        pytest.raises(KernelError, match="started no kernel"),
    ):
        notebook.run_cell("1")


def test_a_websocket_that_does_not_open_is_told_without_the_cookies(tmp_path: Path) -> None:
    answers = {
        "POST /api/kernels": (201, b'{"id": "1"}', {"Set-Cookie": "login=c00kie; Path=/"}),
    }
    with impostor(tmp_path, answers) as notebook:
        with pytest.raises(KernelError, match="the server answered 404") as raised:
            notebook.run_cell("1")
        assert "c00kie" not in f"{raised.value} {raised.value.__cause__}"


def test_the_servers_words_are_told_and_made_harmless(tmp_path: Path) -> None:
    words = json.dumps({"message": "no such \x1b[2J hash" + "!" * 999}).encode()
    with impostor(tmp_path, {"PUT /clouds/password": (400, words, {})}) as notebook:
        with pytest.raises(NoAnswerError, match=r"400: no such  \[2J hash") as raised:
            notebook.set_password_hash("argon2:s3cret-hash")
        assert len(str(raised.value)) < 500
        assert "s3cret-hash" not in str(raised.value)


def errors_of_requests() -> list[type[requests.RequestException]]:
    kinds = [requests.RequestException]
    for kind in kinds:
        kinds += kind.__subclasses__()
    # Raised by .json() alone, where it is caught as the ValueError that it is.
    return [kind for kind in kinds if kind is not requests.JSONDecodeError]


@pytest.mark.parametrize("kind", errors_of_requests())
def test_every_error_of_requests_is_one_of_ours(
    jupyter: LiveJupyter, kind: type[requests.RequestException]
) -> None:
    with Notebook(jupyter.url, pin_of(jupyter.minted.certificate), jupyter.password) as notebook:
        assert isinstance(notebook._session._mapped(kind("some words")), NoAnswerError)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9999", "127.0.0.1:9999", "https://", ""])
def test_only_https_is_a_notebooks_address(jupyter: LiveJupyter, url: str) -> None:
    with pytest.raises(NoAnswerError, match="no https"):
        Notebook(url, pin_of(jupyter.minted.certificate), jupyter.password)
