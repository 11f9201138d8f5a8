"""What a machine's console says of its boot, its key and its end."""

import json

import pytest

from wrapper import console
from wrapper.errors import FingerprintError

KEY, OTHER, CERTIFICATE, RENEWED = "a1" * 32, "b2" * 32, "c3" * 32, "d4" * 32


def fingerprint_line(certificate: str = CERTIFICATE, key: str = KEY) -> str:
    return f"jupyter-clouds: fingerprint certificate_sha256={certificate} key_sha256={key}\n"


BOOT = (
    "[    0.000000] Linux version 6.8.0\r\n"
    "jupyter-clouds: phase=certificate state=started\r\n"
    "jupyter-clouds: phase=conda state=started\r\n"
    "jupyter-clouds: phase=certificate seconds=0.4\r\n"
    + fingerprint_line()
    + "[  OK  ] Started something else.\n"
    "jupyter-clouds: phase=conda seconds=12.3\r\n"
    "jupyter-clouds: phase=environment state=started\r\n"
    "jupyter-clouds: ready port=9999\r\n"
)


def test_a_boot_is_read_in_the_order_of_its_phases() -> None:
    boot = console.parse(BOOT)
    assert boot.phases == (
        console.Phase("certificate", "done", 0.4),
        console.Phase("conda", "done", 12.3),
        console.Phase("environment", "running"),
    )
    assert boot.fingerprint == console.Fingerprint(CERTIFICATE, KEY)
    assert boot.ready
    assert boot.ready_port == 9999
    assert boot.failures == ()


def test_an_empty_console_says_nothing() -> None:
    assert console.parse("") == console.Boot((), None, None)


def test_a_line_counts_when_it_is_written_to_its_end() -> None:
    ready = [console.parse(BOOT[:length]).ready_port for length in range(len(BOOT) + 1)]
    assert ready == [None] * len(BOOT) + [9999]


def test_the_first_line_does_not_count_where_the_consoles_limit_may_have_cut_it() -> None:
    noise = "[   12.345678] audit: type=1400\n" * 3000
    assert console.parse(fingerprint_line() + noise).fingerprint is None
    assert console.parse(noise + fingerprint_line()).fingerprint is not None


def test_a_failed_phase_keeps_the_end_of_its_log_made_harmless() -> None:
    log = "Downloading\n\x1b[2J\x07 404\tnot found\nü"
    text = (
        "jupyter-clouds: phase=conda state=started\n"
        "jupyter-clouds: phase=conda state=failed seconds=3.2 exit=22\n"
        f"jupyter-clouds: log phase=conda text={json.dumps(log)}\n"
    )
    (failed,) = console.parse(text).failures
    assert (failed.name, failed.seconds, failed.exit) == ("conda", 3.2, 22)
    assert failed.log == ("Downloading", "\\x1b[2J\\x07 404  not found", "ü")


STARTED = "jupyter-clouds: phase=conda state=started\n"
FAILED = "jupyter-clouds: phase=conda state=failed seconds=3.2 exit=22\n"


def quoted(log: str) -> str:
    return f"jupyter-clouds: log phase=conda text={json.dumps(log)}\n"


def test_a_phase_that_fails_again_the_same_way_keeps_the_log_of_the_first_time() -> None:
    once = STARTED + FAILED + quoted("no space left")
    (tried,) = console.parse(once + STARTED).phases
    assert (tried.state, tried.log) == ("running", ("no space left",))
    (failed,) = console.parse(once + STARTED + FAILED).failures
    assert (failed.exit, failed.log) == (22, ("no space left",))


def test_a_phase_that_fails_another_way_tells_the_newest_reason_only() -> None:
    again = STARTED + FAILED + quoted("no space left") + STARTED + FAILED + quoted("404")
    assert [one.log for one in console.parse(again).failures] == [("404",)]


def test_a_failure_after_a_success_is_not_explained_by_one_before_it() -> None:
    done = STARTED + FAILED + quoted("404") + STARTED + "jupyter-clouds: phase=conda seconds=9\n"
    assert [one.log for one in console.parse(done).phases] == [()]
    assert [one.log for one in console.parse(done + STARTED + FAILED).failures] == [()]


def test_a_phase_that_succeeds_on_the_next_boot_is_no_failure() -> None:
    failed = "jupyter-clouds: phase=conda state=failed seconds=3.2 exit=1\n"
    assert console.parse(failed).failures
    assert not console.parse(failed + "jupyter-clouds: phase=conda seconds=9\n").failures


def test_a_reboot_is_not_ready_until_it_says_so() -> None:
    again = BOOT + "jupyter-clouds: phase=certificate state=started\n"
    assert not console.parse(again).ready
    assert console.parse(again + "jupyter-clouds: ready port=9999\n").ready


def test_a_renewed_certificate_with_the_same_key_takes_the_place_of_the_old() -> None:
    boot = console.parse(fingerprint_line() + fingerprint_line(certificate=RENEWED))
    assert boot.fingerprint == console.Fingerprint(RENEWED, KEY)


def test_two_keys_in_one_console_are_refused() -> None:
    with pytest.raises(FingerprintError, match="two different keys") as raised:
        console.parse(fingerprint_line() + BOOT + fingerprint_line(key=OTHER))
    assert raised.value.hint


FORGED = fingerprint_line(key=OTHER).rstrip("\n")


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(f"pip: {FORGED}", id="after other words"),
        pytest.param(f" {FORGED}", id="indented"),
        pytest.param(f"{FORGED} ", id="with a blank behind it"),
        pytest.param(f"{FORGED} (trust me)", id="before other words"),
        pytest.param(f"\x1b[0m{FORGED}", id="after an escape sequence"),
        pytest.param(f"pip\x0b{FORGED}\x0c", id="between vertical tabs"),
        pytest.param(f"pip\u2028{FORGED}", id="after a line separator of Unicode"),
        pytest.param(f"pip\r{FORGED}", id="after a carriage return"),
        pytest.param(FORGED.upper(), id="in capitals"),
        pytest.param(FORGED[:-1], id="one digit short"),
        pytest.param(
            f"jupyter-clouds: log phase=conda text={json.dumps(chr(10) + FORGED + chr(10))}",
            id="quoted from a log",
        ),
    ],
)
def test_only_an_exact_whole_line_is_a_fingerprint(line: str) -> None:
    assert console.parse(f"{line}\n").fingerprint is None
    assert console.parse(f"{BOOT}{line}\n").fingerprint == console.Fingerprint(CERTIFICATE, KEY)


@pytest.mark.parametrize(
    "line",
    [
        "jupyter-clouds: phase=conda",
        "jupyter-clouds: phase=../conda seconds=1",
        "jupyter-clouds: phase=conda seconds=1e9",
        "jupyter-clouds: phase=conda state=failed",
        "jupyter-clouds: log phase=conda text=unquoted",
        'jupyter-clouds: log phase=conda text="half',
        'jupyter-clouds: log phase=conda text="bad \\q escape"',
        "jupyter-clouds: ready port=",
    ],
)
def test_a_line_that_is_not_quite_right_says_nothing(line: str) -> None:
    assert console.parse(f"{line}\n") == console.Boot((), None, None)


HOST_KEY = "ssh-ed25519 " + "A" * 68


def host_key_line(key: str = HOST_KEY) -> str:
    return f"jupyter-clouds: ssh host_key={key}\n"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        pytest.param("", None, id="an empty console"),
        pytest.param(BOOT, None, id="a machine without SSH"),
        pytest.param(BOOT + host_key_line(), HOST_KEY, id="shown once"),
        pytest.param(host_key_line() * 2, HOST_KEY, id="shown again and again"),
        pytest.param(host_key_line()[:-1], None, id="still being written"),
        pytest.param("x" + host_key_line(), None, id="within another line"),
        pytest.param(host_key_line("ssh-ed25519 AAAA"), None, id="too short for a key"),
        pytest.param(f"{HOST_KEY} root@host\n", None, id="another program's"),
    ],
)
def test_the_ssh_host_key_is_the_one_in_a_line_of_ours(text: str, key: str | None) -> None:
    assert console.ssh_host_key(text) == key


def test_two_ssh_host_keys_are_an_error_and_not_a_choice() -> None:
    other = host_key_line(HOST_KEY.replace("AA", "BB"))
    with pytest.raises(FingerprintError, match="2 different SSH host keys"):
        console.ssh_host_key(host_key_line() + other)
