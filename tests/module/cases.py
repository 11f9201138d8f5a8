"""Several uses of the module in one configuration, so that one plan answers for all of them."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from wrapper.local.api.images import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    import pytest

HASH = "sha512:0123456789abcdef:" + "ab" * 64
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDdGKqHHqqPjzdvFFzO0TVbCJxLYjYUc7pwcNGZ7SYXb me"
ARGON2 = (
    "argon2:$argon2id$v=19$m=10240,t=10,p=8$IY1HTnrDLQyDdyIwZNH0Fw$"
    "1Yl6zAFEiQmVVWYPRDTDDfhXvNPuCIFhCXQFSEYsbVs"
)
# As long as a real one and compressing as badly: ssh-rsa, 65537 and 4096 bits.
_RSA = b"\0\0\0\7ssh-rsa\0\0\0\3\1\0\1\0\0\2\1\0" + hashlib.shake_256().digest(512)
RSA = f"ssh-rsa {base64.b64encode(_RSA).decode()} me@laptop"
ME = "203.0.113.7/32"
# Numbers that compress badly, as a lock file with hashes would.
TOO_LARGE = "dependencies:\n" + "\n".join(f"- p{7**n % 2**521:x}" for n in range(900, 1200))
"""An environment for which user data has no room."""


def write_cases(directory: Path, cases: Mapping[str, Mapping[str, Any]]) -> None:
    """A root module with the module once for each case; its outputs are the cases' outputs."""
    document = {
        "module": {name: {"source": "../..", **values} for name, values in cases.items()},
        "output": {name: {"value": f"${{module.{name}}}", "sensitive": True} for name in cases},
    }
    (directory / "main.tf.json").write_text(json.dumps(document))


@dataclass(frozen=True)
class Planned:
    """What a plan holds for one case."""

    resources: Mapping[str, Any]
    outputs: Mapping[str, Any]
    warned: Collection[str] = ()
    """Names of the checks that failed."""

    def values(self, address: str) -> dict[str, Any]:
        """A resource's planned attributes, without those that are not known yet."""
        found: dict[str, Any] = self.resources[address]["values"]
        return found

    def ingress(self) -> set[tuple[int, str]]:
        """Port and network of every rule that lets something in."""
        rules = [
            one["values"]
            for address, one in self.resources.items()
            if address.startswith("aws_vpc_security_group_ingress_rule.")
        ]
        return {(rule["from_port"], rule["cidr_ipv4"] or rule["cidr_ipv6"]) for rule in rules}

    def sent(self) -> bytes:
        """What EC2 hands to the machine; known when no address has to be waited for."""
        return base64.b64decode(self.values("aws_instance.this[0]")["user_data_base64"])

    def user_data(self) -> str:
        """The document that cloud-init reads."""
        return gzip.decompress(self.sent()).decode()

    def files(self) -> dict[str, dict[str, Any]]:
        """Each file that user data writes, by path."""
        return {one["path"]: one for one in yaml.safe_load(self.user_data())["write_files"]}

    def unpack(self, root: Path) -> dict[str, Path]:
        """The programs that user data carries, unpacked as the machine does it, by path there."""
        files = self.files()
        for name in ("machine.bin", "unpack.py"):
            one = files[f"/opt/jupyter-clouds/{name}"]
            content: str = one["content"]
            packed = one.get("encoding") == "b64"
            (root / name).write_bytes(base64.b64decode(content) if packed else content.encode())
        target = root / "root"
        unpack = map(str, (sys.executable, root / "unpack.py", target, root / "machine.bin"))
        subprocess.run(list(unpack), check=True)
        return {
            f"/{path.relative_to(target)}": path for path in target.rglob("*") if path.is_file()
        }

    def settings(self) -> dict[str, Any]:
        """machine.json."""
        found: dict[str, Any] = json.loads(
            self.files()["/etc/jupyter-clouds/machine.json"]["content"]
        )
        return found


def with_a_large_root(patch: pytest.MonkeyPatch, image_id: str, *, gib: int) -> None:
    """The image needs a root disk of so many GiB."""
    alone: Callable[[Image], list[dict[str, Any]]] = vars(Image)["block_device_mappings"].fget

    def mappings(self: Image) -> list[dict[str, Any]]:
        (root,) = alone(self)
        large = {**root, "Ebs": {**root["Ebs"], "VolumeSize": gib}}
        return [large if self.id == image_id else root]

    patch.setattr(Image, "block_device_mappings", property(mappings))


def with_a_second_disk(patch: pytest.MonkeyPatch, *image_ids: str) -> None:
    """The images map one, as those do that were made of a machine with all its volumes."""
    alone: Callable[[Image], list[dict[str, Any]]] = vars(Image)["block_device_mappings"].fget

    def mappings(self: Image) -> list[dict[str, Any]]:
        (root,) = alone(self)
        again = {**root, "DeviceName": "/dev/sdb"}
        return [root, again] if self.id in image_ids else [root]

    patch.setattr(Image, "block_device_mappings", property(mappings))
