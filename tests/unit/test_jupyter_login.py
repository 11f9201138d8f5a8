"""The notebook's login: guessers wait longer and longer, others never; and what it is served by."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.machine_tree import lay_out
from tests.unit.conftest import as_on_a_machine, without_grammar
from wrapper.password import hash_password

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.unit.conftest import LiveJupyter


@pytest.fixture(scope="module")
def login(machines_module: Callable[[str], Any]) -> Any:
    """The machine's module."""
    return machines_module("login")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_each_failure_doubles_the_wait_up_to_a_minute(login: Any) -> None:
    clock = Clock()
    throttle = login.Throttle(clock)
    waits = []
    for _ in range(9):
        assert throttle.wait("192.0.2.1") == 0
        waits.append(throttle.wait("192.0.2.1"))
        clock.now += waits[-1]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_asking_too_early_makes_the_wait_no_longer(login: Any) -> None:
    throttle = login.Throttle(Clock())
    throttle.wait("192.0.2.1")
    assert [throttle.wait("192.0.2.1") for _ in range(5)] == [1] * 5


def test_a_success_and_a_quiet_quarter_of_an_hour_start_anew(login: Any) -> None:
    clock = Clock()
    throttle = login.Throttle(clock)
    throttle.wait("192.0.2.1")
    throttle.passed("192.0.2.1")
    assert throttle.wait("192.0.2.1") == 0
    clock.now += 1000
    throttle.wait("192.0.2.1")
    assert throttle.wait("192.0.2.1") == 1


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        pytest.param("192.0.2.1", "192.0.2.2", False, id="IPv4"),
        pytest.param("2001:db8::1", "2001:db8::2", True, id="one host's IPv6"),
        pytest.param("2001:db8::1", "2001:db8:0:1::1", False, id="two hosts' IPv6"),
        pytest.param("192.0.2.1", "::ffff:192.0.2.1", True, id="IPv4 in IPv6"),
        pytest.param("::ffff:192.0.2.1", "::ffff:192.0.2.2", False, id="two IPv4 in IPv6"),
        pytest.param("fe80::1%eth0", "fe80::2%eth0", True, id="link-local"),
    ],
)
def test_addresses_wait_for_their_own_failures(
    login: Any, one: str, other: str, together: bool
) -> None:
    throttle = login.Throttle(Clock())
    throttle.wait(one)
    assert (throttle.wait(other) > 0) is together


def test_the_table_is_bounded_and_keeps_the_newest(login: Any) -> None:
    throttle = login.Throttle(Clock(), size=10)
    for number in range(50):
        throttle.wait(f"192.0.2.{number}")
    assert len(throttle.failures) == 10
    assert throttle.wait("192.0.2.49") > 0


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveJupyter]:
    """One for those who change nothing."""
    with as_on_a_machine(tmp_path_factory.mktemp("shared")) as live:
        yield live


@pytest.fixture
def session(machines_jupyter: LiveJupyter, tmp_path: Path) -> requests.Session:
    return trusting(machines_jupyter, tmp_path)


def trusting(live: LiveJupyter, folder: Path) -> requests.Session:
    """Somebody who has not logged in."""
    found = requests.Session()
    found.trust_env = False
    ca = folder / "trusted.pem"
    ca.write_text(live.minted.certificate)
    found.verify = str(ca)
    return found


def log_in(live: LiveJupyter, session: requests.Session, password: str, **headers: str) -> Any:
    """The answer to the login form."""
    session.get(f"{live.url}/login", timeout=10)
    return session.post(
        f"{live.url}/login",
        {"password": password, "_xsrf": session.cookies["_xsrf"]},
        headers=headers,
        timeout=20,
        allow_redirects=False,
    )


def test_a_guesser_is_slowed_whatever_address_it_claims(
    machines_jupyter: LiveJupyter, session: requests.Session
) -> None:
    live = machines_jupyter
    assert log_in(live, session, "wrong").status_code == 401
    answer = log_in(live, session, live.password, **{"X-Forwarded-For": "192.0.2.9"})
    assert answer.status_code == 429
    wait = int(answer.headers["Retry-After"])
    assert wait == 1
    assert "wait 1 s" in answer.text
    time.sleep(wait)
    assert log_in(live, session, live.password).status_code == 302
    assert session.get(f"{live.url}/api/status", timeout=10).status_code == 200


def test_guesses_side_by_side_count_as_one_and_block_nobody(
    machines_jupyter: LiveJupyter, session: requests.Session
) -> None:
    live = machines_jupyter
    session.get(f"{live.url}/login", timeout=10)

    def guess(number: int) -> int:
        return requests.post(
            f"{live.url}/login",
            {"password": f"guess {number}", "_xsrf": session.cookies["_xsrf"]},
            cookies=session.cookies.get_dict(),
            verify=str(session.verify),
            timeout=20,
        ).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(guess, range(24)))
    assert answers.count(401) <= 3
    assert set(answers) == {401, 429}


def test_without_a_login_nothing_is_served(shared: LiveJupyter, tmp_path: Path) -> None:
    live, session = shared, trusting(shared, tmp_path)
    for path in ("/clouds/status", "/clouds/outputs?path=a.ipynb", "/api/contents", "/api/status"):
        assert session.get(f"{live.url}{path}", timeout=10).status_code == 403, path
    lab = session.get(f"{live.url}/lab", timeout=10, allow_redirects=False)
    assert (lab.status_code, lab.headers["Location"][:6]) == (302, "/login")
    token = {"Authorization": "token "}
    assert session.get(f"{live.url}/api/contents", headers=token, timeout=10).status_code == 403


def test_a_new_password_ends_old_logins_and_is_kept(
    machines_jupyter: LiveJupyter, session: requests.Session
) -> None:
    live = machines_jupyter
    assert log_in(live, session, live.password).status_code == 302
    headers = {"X-XSRFToken": session.cookies["_xsrf"]}
    put = f"{live.url}/clouds/password"
    for nonsense in ("", "plain", "argon2:", "sha1:salt:", "none:salt:" + "0" * 40):
        answer = session.put(put, json={"hash": nonsense}, headers=headers, timeout=10)
        assert answer.status_code == 400, nonsense
    new = hash_password("another password, 9999")
    assert session.put(put, json={"hash": new}, timeout=10).status_code == 403
    assert session.put(put, json={"hash": new}, headers=headers, timeout=10).status_code == 204
    assert session.get(f"{live.url}/api/status", timeout=10).status_code == 403
    kept = live.work.parent / "state/password_hash"
    # With the hash that it takes the place of: a machine that is given another one since uses that.
    assert kept.read_text().splitlines()[0] == new
    assert hash_of(live) == kept.read_text().splitlines()[1]
    assert kept.stat().st_mode & 0o777 == 0o600
    assert log_in(live, session, live.password).status_code == 401
    time.sleep(1.1)
    assert log_in(live, session, "another password, 9999").status_code == 302


def hash_of(live: LiveJupyter) -> str:
    """What user data gave the machine."""
    found: str = json.loads((live.work.parent / "notebook.json").read_text())["password_hash"]
    return found


@pytest.mark.parametrize(
    ("kept", "used"),
    [
        pytest.param(None, "given", id="never changed"),
        pytest.param("changed\ngiven\n", "changed", id="changed here"),
        pytest.param("changed\nearlier\n", "given", id="another deployment's volume"),
        pytest.param("changed\n", "changed", id="of a version that kept no second line"),
        pytest.param("", "given", id="an empty file"),
    ],
)
def test_a_changed_password_counts_where_it_took_the_place_of_the_given_one(
    tmp_path: Path, kept: str | None, used: str
) -> None:
    if kept is not None:
        (tmp_path / "password_hash").write_text(kept)
    assert configured(tmp_path, "PasswordIdentityProvider.hashed_password") == used


@pytest.mark.parametrize("installed", [False, True], ids=["not there", "there"])
def test_language_servers_are_looked_for_where_an_extension_asks_them(
    tmp_path: Path, installed: bool
) -> None:
    if installed:
        without_grammar(tmp_path)
        (tmp_path / "start/jupyterlab_lsp.py").touch()
    assert configured(tmp_path, "LanguageServerManager.autodetect") == str(installed)


def configured(folder: Path, name: str) -> str:
    """What the machine's configuration says, its state and its settings in the folder."""
    given = {"port": 1, "password_hash": "given", "work": str(folder), "state": str(folder)}
    (folder / "notebook.json").write_text(json.dumps(given))
    config = lay_out(folder) / "jupyter/jupyter_server_config.py"
    # As jupyter_server reads it, in a process of its own: it changes sys.path and the environment.
    code = (
        "import sys; from traitlets.config import PyFileConfigLoader as Loader;"
        f"c = Loader(sys.argv[1]).load_config(); print(c.{name})"
    )
    own = {"JUPYTER_CLOUDS_NOTEBOOK_JSON": str(folder / "notebook.json")}
    environment = {**os.environ, **without_grammar(folder), **own}
    command = [sys.executable, "-B", "-c", code, str(config)]
    return subprocess.check_output(command, env=environment, text=True).strip()


@pytest.mark.parametrize(
    ("newest", "served"),
    [
        pytest.param(ssl.TLSVersion.TLSv1_1, False, id="TLS 1.1"),
        pytest.param(ssl.TLSVersion.TLSv1_2, True, id="TLS 1.2"),
        pytest.param(ssl.TLSVersion.TLSv1_3, True, id="TLS 1.3"),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_only_tls_of_today_is_spoken(
    shared: LiveJupyter, newest: ssl.TLSVersion, served: bool
) -> None:
    live = shared
    context = ssl.create_default_context(cadata=live.minted.certificate)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = newest
    # Else this side would refuse the old version, and the server would not be asked.
    context.set_ciphers("ALL:@SECLEVEL=0")
    try:
        with (
            socket.create_connection((live.host, live.port), 10) as plain,
            context.wrap_socket(plain, server_hostname=live.host) as tls,
        ):
            assert re.match(r"TLSv1\.[23]", tls.version() or "")
            found = True
    except (ssl.SSLError, ConnectionResetError):
        found = False
    assert found is served
