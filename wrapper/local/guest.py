"""What makes a Debian root file system a guest of the embedded EC2."""

from __future__ import annotations

import os
import shutil
import ssl
from pathlib import Path

_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_CERTIFICATES = (
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
)
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
PASSED_ON = (*_CERTIFICATES, *_PROXIES)
"""Variables of the host that its machines get too: how a company network is reached."""

# Debian 12's smallest has none, and no DNS knows localhost.
_HOSTS = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"

_CLOUD_CFG = """\
datasource_list: [Ec2]
datasource:
  Ec2: {strict_id: false, metadata_urls: ["http://169.254.169.254"], max_wait: 30, timeout: 5}
network: {config: disabled}
growpart: {mode: "off"}
resize_rootfs: false
apt: {preserve_sources_list: true}
manage_etc_hosts: true
locale: C.UTF-8
"""

# What a hypervisor would show: the instance type's memory (a container sees the host's), and the
# identifier by which software knows that it runs on EC2. /sys is the host's sysfs, where nothing
# can be added: a tmpfs with the same entries and one more goes on top.
_HARDWARE = """\
#!/bin/sh
set -e
mount --bind /run/instance/meminfo /proc/meminfo
new=/run/instance-sys
mkdir -p "$new"
mount -t tmpfs -o mode=0755,nosuid,nodev,noexec tmpfs "$new"
for entry in /sys/*; do
    mkdir "$new/${entry#/sys/}"
    mount --rbind "$entry" "$new/${entry#/sys/}"
done
mkdir "$new/hypervisor"
cp /run/instance/uuid "$new/hypervisor/uuid"
mount --rbind "$new" /sys
mount --make-rprivate "$new"
umount --lazy --recursive "$new"
"""
_HARDWARE_UNIT = """\
[Unit]
Description=Hardware of the instance
DefaultDependencies=no
Before=sysinit.target cloud-init-local.service cloud-init-main.service systemd-journald.service
ConditionPathExists=/run/instance

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/lib/instance-hardware

[Install]
WantedBy=sysinit.target
"""

IMAGE_FILES = (
    ("etc/cloud/cloud.cfg.d/90-embedded-ec2.cfg", 0o644, _CLOUD_CFG),
    ("etc/cloud/ds-identify.cfg", 0o644, "policy: enabled\ndatasource: Ec2\n"),
    ("etc/systemd/system/instance-hardware.service", 0o644, _HARDWARE_UNIT),
    ("etc/machine-id", 0o444, ""),
    ("usr/local/lib/instance-hardware", 0o755, _HARDWARE),
)
_ENABLED = {"etc/systemd/system/sysinit.target.wants": "instance-hardware.service"}
MASKED = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "systemd-firstboot.service",
)
_REMOVED = ("etc/hostname", "etc/resolv.conf", "var/log/apt", "var/log/bootstrap.log")


def furnish(root: Path) -> None:
    """The fresh root file system asks for EC2 metadata at boot and holds no host's keys."""
    for path, mode, text in IMAGE_FILES:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_text(text)
        file.chmod(mode)
    for folder, unit in _ENABLED.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / unit).symlink_to(f"/etc/systemd/system/{unit}")
    for unit in MASKED:
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    for path in _REMOVED:
        if (root / path).is_dir():
            shutil.rmtree(root / path)
        else:
            (root / path).unlink(missing_ok=True)
    for stamp in ("etc/.updated", "var/.updated"):  # else ldconfig and friends run at first boot
        (root / stamp).touch()


def personalise(upper: Path) -> None:
    """The machine's own layer holds what this host needs to reach the network with TLS verified."""
    etc = upper / "etc"
    _put(etc / "hosts", _HOSTS)
    _put(etc / "resolv.conf", _resolv_conf())
    bundle = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or _BUNDLE
    if Path(bundle).is_file():
        _put(upper / _BUNDLE.lstrip("/"), Path(bundle).read_text())
    values = {name: _BUNDLE for name in _CERTIFICATES if name in os.environ}
    values |= {name: os.environ[name] for name in _PROXIES if name in os.environ}
    if not values:
        return
    lines = [f'{name}="{value}"' for name, value in sorted(values.items())]
    _put(etc / "environment", "\n".join(lines) + "\n")
    quoted = " ".join(f'"{name}={value}"' for name, value in sorted(values.items()))
    _put(etc / "systemd/system.conf.d/50-host.conf", f"[Manager]\nDefaultEnvironment={quoted}\n")


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _resolv_conf() -> str:
    """The host's, unless it points at a resolver on the host's own loopback."""
    candidates = [Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf")]
    texts = [path.read_text() for path in candidates if path.exists()]
    for text in texts:
        servers = [line.split()[1] for line in text.splitlines() if line.startswith("nameserver ")]
        if servers and not any(server.startswith(("127.", "::1")) for server in servers):
            return text
    return texts[0] if texts else ""
