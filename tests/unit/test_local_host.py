"""What the embedded EC2 does on its host, as far as it can be seen without root."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from wrapper.errors import LocalError
from wrapper.local import (
    daemon,
    firewall,
    guest,
    host,
    image,
    installation,
    memory,
    record,
    requirements,
)
from wrapper.local.api import create_app
from wrapper.local.console import KEPT, Console
from wrapper.local.machines import IMAGES, IngressRule

ROOT = Path(__file__).parents[2]


def test_the_console_keeps_its_last_64_kib(tmp_path: Path) -> None:
    console = Console(tmp_path / "console")
    console.add(b"first\n" + b"x" * KEPT)
    console.add(b"last\n")
    assert len(console.read()) == KEPT
    assert console.read().endswith(b"last\n")
    assert b"first" not in console.read()
    assert (tmp_path / "console").read_bytes() == console.read()


def test_the_console_follows_a_descriptor_to_its_end(tmp_path: Path) -> None:
    console, (reading, writing) = Console(tmp_path / "console"), os.pipe()
    thread = console.follow(reading)
    os.write(writing, b"booted\r\n")
    os.close(writing)
    thread.join(timeout=5)
    assert console.read() == b"booted\r\n"


@pytest.mark.parametrize(
    ("rule", "match"),
    [
        (IngressRule("tcp", 99, 99, "203.0.113.7/32"), "ip saddr 203.0.113.7/32 tcp dport 99-99"),
        (IngressRule("6", 22, 22, "0.0.0.0/0"), "ip saddr 0.0.0.0/0 tcp dport 22-22"),
        (IngressRule("udp", 1000, 2000, "10.0.0.0/8"), "ip saddr 10.0.0.0/8 udp dport 1000-2000"),
        (IngressRule("-1", 0, 65535, "10.0.0.0/8"), "ip saddr 10.0.0.0/8"),
        (IngressRule("icmp", -1, -1, "0.0.0.0/0"), "ip saddr 0.0.0.0/0 ip protocol icmp"),
        (IngressRule("icmp", 8, -1, "0.0.0.0/0"), "ip saddr 0.0.0.0/0 icmp type 8"),
    ],
    ids=lambda value: value.protocol if isinstance(value, IngressRule) else "",
)
def test_an_ingress_rule_becomes_one_of_nfts(rule: IngressRule, match: str) -> None:
    assert f"group_i_1 {match} accept" in firewall.ingress("i-1", [rule])


def test_ipv6_rules_open_nothing_where_there_is_no_ipv6() -> None:
    assert "accept" not in firewall.ingress("i-1", [IngressRule("tcp", 1, 1, "::/0")])


def test_a_host_that_did_not_forward_forwards_only_for_machines() -> None:
    closed, opened = (firewall.host("198.18.0.0/15", forwarded_before=was) for was in (False, True))
    assert closed.count("drop") == opened.count("drop") + 1


def test_meminfo_keeps_its_length_and_tells_the_types_memory() -> None:
    idle = memory.text(8192, {})
    busy = memory.text(8192, {"used": 3 << 30, "file": 1 << 30, "shmem": 1 << 28})
    assert len(idle) == len(busy)
    values = {line.split(":")[0]: int(line.split()[1]) for line in busy.splitlines()}
    assert values["MemTotal"] == 8192 * 1024
    assert values["MemFree"] == 5 * 1024 * 1024
    assert values["MemAvailable"] == (6 * 1024 - 256) * 1024


def test_every_image_has_a_suite_and_a_key_of_its_own() -> None:
    assert set(image.SUITES) == set(IMAGES)
    assert len({image.key(name) for name in IMAGES}) == len(IMAGES)


def test_an_unknown_image_is_refused_with_the_known_ones() -> None:
    with pytest.raises(LocalError) as caught:
        image.ensure("debian-99")
    assert caught.value.hint is not None
    assert "debian-12" in caught.value.hint


def test_a_changed_guest_file_changes_the_images_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = image.key("debian-12")
    monkeypatch.setattr(guest, "IMAGE_FILES", (*guest.IMAGE_FILES, ("etc/motd", 0o644, "hi\n")))
    assert image.key("debian-12") != before


def test_a_machine_gets_the_hosts_way_into_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "company.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    guest.personalise(tmp_path / "upper")
    etc = tmp_path / "upper/etc"
    assert (etc / "ssl/certs/ca-certificates.crt").read_text() == bundle.read_text()
    environment = (etc / "environment").read_text()
    assert 'https_proxy="http://proxy.example:3128"' in environment
    assert 'SSL_CERT_FILE="/etc/ssl/certs/ca-certificates.crt"' in environment
    assert str(tmp_path) not in environment


def test_a_full_disk_is_told_with_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="the disk is full") as caught:
        host.need_space(tmp_path, 1 << 40)
    assert caught.value.hint == f"df -h {tmp_path}"


def test_a_tool_that_fails_is_quoted() -> None:
    with pytest.raises(LocalError, match="ended with 3: no such thing"):
        host.run(["sh", "-c", "echo no such thing >&2; exit 3"])


def test_a_tool_that_is_missing_is_named() -> None:
    with pytest.raises(LocalError, match="not-installed-here is not installed"):
        host.run(["not-installed-here"])


def test_a_held_lock_names_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holds = pytest.raises(LocalError, match=f"process {os.getpid()} holds")
    with host.locked(path, wait=0), holds, host.locked(path, wait=0.2):
        pytest.fail("locked twice")


@pytest.mark.parametrize("text", ["", "https", "80", "70000", "-1"])
def test_a_port_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("JUPYTER_CLOUDS_LOCAL_PORT", text)
    with pytest.raises(LocalError, match="is no port"):
        record.port()


def test_a_port_in_use_is_told_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("JUPYTER_CLOUDS_LOCAL_PORT", str(port))
        with pytest.raises(LocalError, match=f"port {port} .* in use") as raised:
            daemon._listen(create_app(None))
    assert "JUPYTER_CLOUDS_LOCAL_PORT=" in str(raised.value.hint)


def test_missing_packages_come_with_one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(requirements, "_SBIN", "/nonexistent")
    packages = [item for item in requirements.missing() if "apt-get" in item.command]
    assert {item.name for item in packages} == {
        "iproute2",
        "mmdebstrap",
        "nftables",
        "systemd-container",
    }
    (command,) = {item.command for item in packages}
    assert command.endswith("apt-get install --yes iproute2 mmdebstrap nftables systemd-container")


def test_pythons_packages_come_with_a_command_that_this_python_can_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def lacking(*names: str) -> str:
        real = importlib.util.find_spec
        with monkeypatch.context() as patch:
            patch.setattr(
                importlib.util,
                "find_spec",
                lambda name: None if name in names else real(name),
            )
            found = [item for item in requirements.missing() if "Python's" in item.name]
        assert [item.name for item in found] == [f"Python's {name}" for name in names]
        return found[0].command

    assert lacking("moto") == "make setup", "in a clone"
    monkeypatch.setattr(requirements, "__file__", str(tmp_path / "a/b/c.py"))
    assert lacking("uv") == f"{sys.executable} -m pip install 'jupyter-clouds[local]'"
    assert lacking("pip").startswith(f"{sys.executable} -m uv pip install --python")
    assert lacking("pip", "uv").startswith(f"uv pip install --python {sys.executable} ")


def test_all_that_the_embedded_ec2_asks_for_is_in_its_extra() -> None:
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]["local"]
    named = {re.split(r"[\[>=]", one)[0] for one in extra}
    assert named == set(requirements._PACKAGES)


PUBLISHED = {"stage": "", "pid": 1, "port": 5999}


@pytest.mark.parametrize("more", [{}, {"from_the_future": 1}], ids=["older", "newer"])
def test_what_a_daemon_of_another_version_tells_is_understood(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, more: dict[str, int]
) -> None:
    monkeypatch.setattr(record, "FILE", tmp_path / "daemon.json")
    monkeypatch.setattr(record, "is_daemon", lambda _: True)
    (tmp_path / "daemon.json").write_text(json.dumps(PUBLISHED | more))
    found = record.read()
    assert found is not None
    assert (found.port, found.package) == (5999, "")


def _remark(package: Path, prefix: Path, made: int) -> str | None:
    return installation.remark(package_of=str(package), prefix_of=str(prefix), made_of=made)


def test_a_daemon_of_another_installation_is_told_of(tmp_path: Path) -> None:
    assert installation.remark(package_of="", prefix_of="", made_of=0) is None
    own = (Path(installation.package()), Path(installation.prefix()))
    assert _remark(*own, installation.made()) is None
    assert "is older than" in str(_remark(*own, 1))
    assert f"started from {tmp_path}" in str(_remark(tmp_path, tmp_path, 0))
    with pytest.raises(LocalError, match=f"{tmp_path}/gone, which is gone") as raised:
        _remark(own[0], tmp_path / "gone", 0)
    assert "local stop" in str(raised.value.hint)


def test_the_door_imports_nothing_heavy() -> None:
    heavy = {"boto3", "flask", "moto", "werkzeug"}
    code = f"import sys, wrapper.local; print({heavy} & set(sys.modules))"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    assert out.strip() == "set()"
