"""A provider mirror on disk, linked where Terraform looks by itself."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
import tftest

from tests.module.copies import BINARY, REPOSITORY
from wrapper import provider_mirror

if TYPE_CHECKING:
    from pathlib import Path


def test_a_plain_init_finds_the_linked_mirror(tmp_path: Path) -> None:
    home, module = tmp_path / "home", tmp_path / "module"
    mirror = provider_mirror.find(os.environ)
    if mirror is None:
        pytest.skip("no provider mirror on this computer: it reaches the registry")
    before = {**os.environ, "HOME": str(home), "TF_CLI_CONFIG_FILE": str(tmp_path / "none")}
    # As an earlier version of ours left it: Terraform ignores a link in the middle of the path.
    stale = home / ".terraform.d/plugins/registry.terraform.io/hashicorp"
    stale.parent.mkdir(parents=True)
    stale.symlink_to(mirror / "registry.terraform.io/hashicorp")

    linked = provider_mirror.link(before)

    if linked is None:
        pytest.skip("the only mirror is the user's own directory")
    module.mkdir()
    shutil.copy(REPOSITORY / "versions.tf", module)
    said = tftest.TerraformTest(str(module), binary=BINARY, env=before).init()
    assert "successfully initialized" in said
    assert linked != provider_mirror.implied(before)
