"""What one `terraform init` installed, given to the next directory: with Terraform itself, whose
registry is a mirror in a folder and whose provider is a file that no test starts.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from wrapper import provider_mirror
from wrapper.errors import CloudsError, TerraformError
from wrapper.terraform import Terraform, kept

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    not (shutil.which("terraform") or shutil.which("tofu")), reason="needs terraform or tofu"
)

ROOT = 'module "notebook" {\n  source = "./module"\n}\n'
VERSIONS = """
terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}
"""
PROGRAM = "terraform-provider-aws_v5.100.0_x5"


@dataclass
class Desk:
    """A user's home, with a mirror, and deployments in it."""

    home: Path
    more: dict[str, str] = field(default_factory=dict)

    @property
    def room(self) -> Path:
        """Where it is kept."""
        return self.home / ".cache" / "jupyter-clouds" / "terraform"

    @property
    def entries(self) -> list[Path]:
        """Those in it."""
        return sorted(self.room.iterdir()) if self.room.exists() else []

    def put_mirror(self, content: bytes = b"a provider\n") -> None:
        """Terraform finds the provider by itself."""
        for registry in (provider_mirror.HOSTNAME, provider_mirror.OPENTOFUS):
            place = self.home / ".terraform.d" / "plugins" / registry / provider_mirror.PROVIDER
            place.mkdir(parents=True, exist_ok=True)
            name = f"terraform-provider-aws_5.100.0_{provider_mirror._platform()}.zip"
            with zipfile.ZipFile(place / name, "w") as packed:
                program = zipfile.ZipInfo(PROGRAM)
                program.external_attr = 0o755 << 16
                packed.writestr(program, content)

    def terraform(self, name: str, root: str = ROOT) -> Terraform:
        """Of a directory of that name, with nothing but the root in it where it is new."""
        directory = self.home / name
        if not directory.exists():
            (directory / "module").mkdir(parents=True)
            (directory / "main.tf").write_text(root)
            (directory / "module" / "versions.tf").write_text(VERSIONS)
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), **self.more}
        return Terraform(directory, environment=environment)

    def init(self, name: str, root: str = ROOT) -> bool:
        """The directory is initialised; whether Terraform was run for it."""
        terraform = self.terraform(name, root)
        log = terraform.directory / "init.log"
        log.unlink(missing_ok=True)
        terraform.init(say=lambda _: None)
        assert (terraform.directory / ".terraform.lock.hcl").is_file()
        assert self.program(name).is_file()
        return log.exists()

    def program(self, name: str) -> Path:
        """The provider's, in the directory of that name."""
        (found,) = kept.packages(self.home / name / ".terraform")
        return found / PROGRAM


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path)
    made.put_mirror()
    return made


def test_the_next_directory_of_the_same_module_is_not_initialised_again(desk: Desk) -> None:
    assert desk.init("first")
    assert not desk.init("second")
    assert desk.program("second").samefile(desk.program("first")), "no disk is taken"
    assert desk.room.stat().st_mode & 0o777 == 0o700
    assert not list((desk.home / "second").glob(".terraform.coming*"))
    lock = desk.home / "second" / ".terraform.lock.hcl"
    assert lock.read_text() == (desk.home / "first" / ".terraform.lock.hcl").read_text()
    assert not lock.samefile(desk.home / "first" / ".terraform.lock.hcl"), "Terraform rewrites it"
    assert not desk.init("second"), "and is there the second time"


def test_terraform_takes_what_was_given_for_its_own(desk: Desk) -> None:
    desk.init("first")
    desk.init("second")
    with pytest.raises(CloudsError) as caught:
        desk.terraform("second").plan()
    # It gets as far as starting that file, which is no provider.
    assert "Failed to load plugin schemas" in caught.value.message
    assert not (desk.home / "second" / "init.log").exists()


def test_with_no_mirror_and_no_registry_the_next_one_still_gets_it(desk: Desk) -> None:
    desk.init("first")
    shutil.rmtree(desk.home / ".terraform.d")
    assert not desk.init("second")


def test_what_is_taken_away_is_taken_from_nobody_else(desk: Desk) -> None:
    desk.init("first")
    shutil.rmtree(desk.home / "first")
    assert not desk.init("second"), "what `down` empties is still kept"
    shutil.rmtree(desk.room)
    assert not desk.init("second"), "and what is kept may be cleared at any time"
    assert desk.init("third")
    assert not desk.init("fourth"), "after which it is kept again"


def _module(desk: Desk) -> None:
    (desk.home / "other").mkdir()
    shutil.copytree(desk.home / "first" / "module", desk.home / "other" / "module")
    (desk.home / "other" / "main.tf").write_text(ROOT)
    (desk.home / "other" / "module" / "main.tf").write_text("# a newer one\n")


def _program(desk: Desk) -> None:
    folder = desk.home / "bin"
    folder.mkdir()
    program = shutil.which("terraform") or shutil.which("tofu")
    (folder / "terraform").write_text(f'#!/bin/sh\nexec {program} "$@"\n')
    (folder / "terraform").chmod(0o755)
    desk.more["PATH"] = f"{folder}:{os.environ['PATH']}"


def _configuration(desk: Desk) -> None:
    (desk.home / ".terraformrc").write_text("disable_checkpoint = true\n")


def _named_configuration(desk: Desk) -> None:
    (desk.home / "mine.tfrc").write_text("disable_checkpoint = true\n")
    desk.more["TF_CLI_CONFIG_FILE"] = str(desk.home / "mine.tfrc")


def _configuration_beside_it(desk: Desk) -> None:
    """Terraform reads the one in the directory where it runs; none stands in the first."""
    desk.more["TF_CLI_CONFIG_FILE"] = "mine.tfrc"
    desk.init("first-named")
    other = desk.terraform("other").directory
    (other / "mine.tfrc").write_text("disable_checkpoint = true\n")


def _plugin_cache(desk: Desk) -> None:
    (desk.home / "plugins").mkdir()
    desk.more["TF_PLUGIN_CACHE_DIR"] = str(desk.home / "plugins")


def _age(desk: Desk) -> None:
    long_ago = time.time() - kept.GIVEN_FOR - 60
    os.utime(desk.entries[0] / ".terraform.lock.hcl", (long_ago, long_ago))


def _clock_put_back(desk: Desk) -> None:
    later = time.time() + 3600
    os.utime(desk.entries[0] / ".terraform.lock.hcl", (later, later))


def _anybody_writes(desk: Desk) -> None:
    desk.room.chmod(0o770)


def _no_lock_file(desk: Desk) -> None:
    (desk.entries[0] / ".terraform.lock.hcl").unlink()


def _no_package(desk: Desk) -> None:
    shutil.rmtree(desk.entries[0] / ".terraform" / "providers")


def _empty_package(desk: Desk) -> None:
    (package,) = kept.packages(desk.entries[0] / ".terraform")
    (package / PROGRAM).unlink()


def _a_lock_file_of_its_own(desk: Desk) -> None:
    terraform = desk.terraform("other")
    shutil.copy(desk.home / "first" / ".terraform.lock.hcl", terraform.directory)


CHANGES = [
    pytest.param(_module, id="another module"),
    pytest.param(_program, id="another Terraform"),
    pytest.param(_configuration, id="a configuration"),
    pytest.param(_named_configuration, id="a configuration that is named"),
    pytest.param(_configuration_beside_it, id="a configuration in the directory"),
    pytest.param(_plugin_cache, id="a plugin cache of the user's"),
    pytest.param(_age, id="a month later"),
    pytest.param(_clock_put_back, id="from the future"),
    pytest.param(_anybody_writes, id="where others may write"),
    pytest.param(_no_lock_file, id="no lock file"),
    pytest.param(_no_package, id="no package"),
    pytest.param(_empty_package, id="an empty package"),
    pytest.param(_a_lock_file_of_its_own, id="a lock file of its own"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_terraform_is_asked_when_it_might_answer_otherwise(
    desk: Desk, change: Callable[[Desk], None]
) -> None:
    desk.init("first")
    change(desk)
    assert desk.init("other")


def test_what_is_for_one_directory_alone_is_not_kept(desk: Desk) -> None:
    backend = 'terraform {\n  backend "local" {\n    path = "mine.tfstate"\n  }\n}\n'
    assert desk.init("first", ROOT + backend)
    assert desk.init("second", ROOT + backend), "its settings are in .terraform"
    (desk.home / "elsewhere").mkdir()
    elsewhere = 'module "mine" {\n  source = "../elsewhere"\n}\n'
    assert desk.init("third", ROOT + elsewhere)
    assert desk.init("fourth", ROOT + elsewhere), "nobody looks whether that has changed"
    assert desk.entries == []


def test_a_link_into_the_users_own_plugin_cache_is_kept_as_one(desk: Desk) -> None:
    _plugin_cache(desk)
    desk.init("first")
    assert not desk.init("second")
    for name in ("first", "second"):
        assert desk.program(name).resolve().is_relative_to(desk.home / "plugins")
    shutil.rmtree(desk.home / "plugins")
    (desk.home / "plugins").mkdir()
    assert desk.init("third"), "it has gone there"
    assert not desk.init("fourth"), "and is there again"


def test_a_damaged_provider_is_installed_anew_and_others_get_the_sound_one(desk: Desk) -> None:
    desk.init("first")
    desk.program("first").write_bytes(b"half a pro")
    assert not desk.init("second")
    terraform = desk.terraform("second")
    told: list[str] = []
    terraform.init(say=told.append)
    with pytest.raises(CloudsError) as caught:
        terraform.plan()
    assert "Failed to load plugin schemas" in caught.value.message, "once it is sound"
    assert ["installed anew" in one for one in told] == [True]
    assert desk.program("second").read_bytes() == b"a provider\n"
    assert not desk.init("third")
    assert desk.program("third").samefile(desk.program("second"))


def test_a_damaged_one_that_cannot_be_had_again_is_an_error_and_given_to_nobody(
    desk: Desk,
) -> None:
    desk.init("first")
    desk.program("first").write_bytes(b"half a pro")
    desk.init("second")
    desk.put_mirror(b"of the same version, and another\n")
    with pytest.raises(TerraformError, match="checksums"):
        desk.terraform("second").plan()
    assert desk.entries == []
    shutil.rmtree(desk.home / "second")  # as `up` does where nothing was made yet
    assert desk.init("second")


def test_many_at_once_are_all_served_and_one_is_kept(desk: Desk) -> None:
    names = [f"deployment-{number}" for number in range(6)]
    with ThreadPoolExecutor(len(names)) as pool:
        assert all(pool.map(lambda name: desk.init(name) is not None, names))
    (entry,) = desk.entries
    assert {one.name for one in entry.iterdir()} == {".terraform", ".terraform.lock.hcl"}
    assert not desk.init("after")


def test_what_a_killed_command_left_is_in_nobodys_way(desk: Desk) -> None:
    desk.init("first")
    half = desk.terraform("second").directory / ".terraform.coming" / "providers"
    half.mkdir(parents=True)
    old = desk.room / ".new-left"
    (old / "new").mkdir(parents=True)
    long_ago = time.time() - kept.GIVEN_FOR - 60
    os.utime(old, (long_ago, long_ago))
    assert not desk.init("second")
    assert not half.parent.exists()
    desk.init("other", ROOT + "# other\n")
    assert not old.exists()


def test_on_another_file_system_all_is_as_if_nothing_were_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", link)
    assert desk.init("first")
    assert desk.init("second")
    assert desk.entries == []


def test_modules_json_is_each_ones_own(desk: Desk) -> None:
    desk.init("first")
    desk.init("second")
    one, other = (
        desk.home / name / ".terraform" / "modules" / "modules.json" for name in ("first", "second")
    )
    assert json.loads(one.read_text()) == json.loads(other.read_text())
    assert not one.samefile(other), "Terraform writes it in place"
