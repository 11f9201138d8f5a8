"""What lies on this computer for SSH to a deployment named "moon"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wrapper import openssh
from wrapper.home import Home, Place

if TYPE_CHECKING:
    from pathlib import Path


HOST_KEY = "ssh-ed25519 " + "A" * 68
PLACE = Place("local", "us-east-1", "123456789012")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As it lies in the directory of the deployment "moon", whose path is an awkward one."""
    made = tmp_path / "50% of it" / "moon" / "ssh"
    openssh.public_key(made)
    openssh.know(made, HOST_KEY)
    openssh.write(made, address="198.18.0.9", user="notebook")
    return made


@pytest.fixture
def moon(folder: Path) -> Home:
    """That deployment."""
    return Home(folder.parent)
