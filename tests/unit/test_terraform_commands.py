"""Terraform itself, on roots of built-in resources: no provider, no network, a second each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from wrapper import provider_mirror
from wrapper.errors import SettingsError, TerraformError
from wrapper.terraform import Applying, Change, Terraform, state

pytestmark = pytest.mark.skipif(
    not (shutil.which("terraform") or shutil.which("tofu")), reason="needs terraform or tofu"
)

ROOT = """
variable "size" {
  type    = number
  default = null
  validation {
    condition     = var.size == null || try(var.size < 10, false)
    error_message = "size: below 10."
  }
}
variable "secret" {
  type      = string
  sensitive = true
  default   = "hidden"
}
resource "terraform_data" "this" {
  triggers_replace = [var.size]
}
output "id" { value = terraform_data.this.id }
output "secret" {
  value     = var.secret
  sensitive = true
}
"""


@pytest.fixture
def terraform(tmp_path: Path) -> Terraform:
    (tmp_path / "main.tf").write_text(ROOT)
    made = Terraform(tmp_path, environment={"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
    made.init(say=lambda _: pytest.fail("no mirror is needed"))
    return made


def _values(terraform: Terraform, **values: object) -> None:
    (terraform.directory / "terraform.tfvars.json").write_text(json.dumps(values))


def _ignore(_: object) -> None:
    pass


def test_a_plan_is_applied_and_then_empty(terraform: Terraform) -> None:
    assert terraform.plan().changes == (Change("terraform_data.this", "terraform_data", "create"),)
    seen: list[Applying] = []
    terraform.apply(seen.append)
    assert [event.state for event in seen] == ["started", "done"]
    assert terraform.plan().changes == ()


def test_no_plan_file_is_left_with_its_values(terraform: Terraform) -> None:
    terraform.plan()
    terraform.apply(_ignore)
    assert not (terraform.directory / "next.tfplan").exists()


def test_what_is_new_is_planned_and_applied_in_one_run(terraform: Terraform) -> None:
    changes: list[Change] = []
    terraform.plan_and_apply(_ignore, on_change=changes.append)
    assert [change.action for change in changes] == ["create"]
    told = terraform.outputs()
    assert told["id"]
    assert "secret" not in told
    asked = Terraform(terraform.directory, environment=os.environ).outputs()
    assert asked == {**told, "secret": "hidden"}


def test_a_replacement_is_told_as_one(terraform: Terraform) -> None:
    terraform.plan_and_apply(_ignore, on_change=_ignore)
    _values(terraform, size=2)
    assert [change.action for change in terraform.plan().changes] == ["replace"]


def test_destroying_leaves_nothing_and_can_be_repeated(terraform: Terraform) -> None:
    terraform.plan_and_apply(_ignore, on_change=_ignore)
    seen: list[Applying] = []
    terraform.destroy(seen.append)
    assert [(event.action, event.state) for event in seen][-1] == ("delete", "done")
    terraform.destroy(_ignore)
    assert terraform.outputs() == {}


def test_what_is_forgotten_is_not_destroyed(terraform: Terraform) -> None:
    terraform.plan_and_apply(_ignore, on_change=_ignore)
    assert state.is_there(terraform.directory)
    known = state.managed(terraform.directory, "terraform_data")
    assert list(known.values()) == ["terraform_data.this"]
    terraform.forget(*known.values())
    assert state.managed(terraform.directory, "terraform_data") == {}
    seen: list[Applying] = []
    terraform.destroy(seen.append)
    assert seen == []


def test_what_terraform_did_not_see_finished_is_kept_as_it_is(terraform: Terraform) -> None:
    terraform.plan_and_apply(_ignore, on_change=_ignore)
    known = state.managed(terraform.directory, "terraform_data")
    assert state.tainted(terraform.directory, "terraform_data") == {}
    (address,) = known.values()
    terraform._run("taint", ["taint", address])
    assert state.tainted(terraform.directory, "terraform_data") == known
    assert [change.action for change in terraform.plan().changes] == ["replace"]
    terraform.untaint(address)
    assert terraform.plan().changes == ()
    assert state.managed(terraform.directory, "terraform_data") == known


def test_what_is_in_a_module_and_counted_has_its_address(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('module "notebook" {\n  source = "./module"\n}\n')
    (tmp_path / "module").mkdir()
    (tmp_path / "module" / "main.tf").write_text(
        'resource "terraform_data" "this" {\n  for_each = toset(["a b"])\n}\n'
        'resource "terraform_data" "other" {\n  count = 1\n}\n'
    )
    made = Terraform(tmp_path, environment={"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
    made.init(say=_ignore)
    made.plan_and_apply(_ignore, on_change=_ignore)
    known = state.managed(tmp_path, "terraform_data")
    assert set(known.values()) == {
        'module.notebook.terraform_data.this["a b"]',
        "module.notebook.terraform_data.other[0]",
    }
    made.forget(*known.values())
    assert state.managed(tmp_path, "terraform_data") == {}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"resources": [{}]}', '{"version": 4}'])
def test_a_damaged_state_manages_nothing(tmp_path: Path, content: str) -> None:
    assert not state.is_there(tmp_path)
    (tmp_path / "terraform.tfstate").write_text(content)
    assert state.managed(tmp_path, "terraform_data") == {}


@pytest.mark.parametrize("verb", ["plan", "apply"])
def test_a_wrong_value_is_usage_in_the_modules_own_words(terraform: Terraform, verb: str) -> None:
    _values(terraform, size=11)
    with pytest.raises(SettingsError) as caught:
        terraform.plan() if verb == "plan" else terraform.plan_and_apply(_ignore, on_change=_ignore)
    assert caught.value.message.startswith("size: below 10.")


def test_no_value_is_ever_on_a_command_line_or_in_a_log(terraform: Terraform) -> None:
    _values(terraform, secret="hunter2-hunter2")
    terraform.plan_and_apply(_ignore, on_change=_ignore)
    for path in terraform.directory.glob("*.*l*"):
        if path.suffix in (".jsonl", ".log", ".err"):
            assert "hunter2" not in path.read_text()


def test_init_is_done_once_and_again_when_something_changed(terraform: Terraform) -> None:
    log = terraform.directory / "init.log"
    log.unlink()
    terraform.init(say=_ignore)
    assert not log.exists()
    (terraform.directory / "main.tf").write_text(ROOT + "# changed\n")
    terraform.init(say=_ignore)
    assert log.exists()


def test_init_is_done_again_when_the_mirror_behind_a_provider_is_gone(terraform: Terraform) -> None:
    (terraform.directory / "init.log").unlink()
    version = terraform.directory / ".terraform" / "providers" / "host" / "us" / "aws" / "5.100.0"
    version.mkdir(parents=True)
    (version / "linux_amd64").symlink_to(terraform.directory / "gone")
    terraform.init(say=_ignore)
    assert (terraform.directory / "init.log").exists()


def test_a_broken_root_is_an_error_with_its_log(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text("resource {")
    made = Terraform(tmp_path, environment={"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
    with pytest.raises(TerraformError) as caught:
        made.init(say=_ignore)
    assert "main.tf line 1" in caught.value.message
    assert str(tmp_path / "init.log") in (caught.value.hint or "")


def test_without_terraform_the_error_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(TerraformError) as caught:
        Terraform(tmp_path, environment={"PATH": str(tmp_path)})
    assert "https://developer.hashicorp.com/terraform/install" in (caught.value.hint or "")


def _program(folder: Path, name: str, version: str) -> None:
    """It says its version, and is too old for whatever it is to initialise."""
    file = folder / name
    said = f'{{"terraform_version": "{version}"}}'
    file.write_text(f"#!/bin/sh\n[ \"$1\" = version ] && echo '{said}'\n")
    file.chmod(0o755)


def test_opentofu_is_accepted(tmp_path: Path) -> None:
    _program(tmp_path, "tofu", "1.9.1")
    made = Terraform(tmp_path, environment={"PATH": str(tmp_path)})
    assert made.binary == str(tmp_path / "tofu")
    assert made.version() == (1, 9, 1)


@pytest.mark.parametrize(
    ("asked", "told"),
    [({}, "OFF,OFF"), ({"TF_LOG": "DEBUG"}, ","), ({"TF_LOG_PROVIDER": "TRACE"}, "TRACE,")],
    ids=["nobody asked", "all", "the provider's"],
)
def test_the_provider_writes_a_log_for_who_asked_for_one(
    tmp_path: Path, asked: dict[str, str], told: str
) -> None:
    program = tmp_path / "terraform"
    program.write_text('#!/bin/sh\necho "$TF_LOG_PROVIDER,$TF_LOG_SDK" >told\nexit 1\n')
    program.chmod(0o755)
    with pytest.raises(TerraformError):
        Terraform(tmp_path, environment={"PATH": str(tmp_path), **asked}).plan()
    assert (tmp_path / "told").read_text() == f"{told}\n"


def test_an_old_terraform_is_refused(tmp_path: Path) -> None:
    _program(tmp_path, "terraform", "1.5.7")
    made = Terraform(tmp_path, environment={"PATH": str(tmp_path)})
    with pytest.raises(TerraformError, match=r"1\.9 or newer"):
        made.init(say=_ignore)


def _mirror(place: Path, name: str = provider_mirror.HOSTNAME) -> Path:
    here = provider_mirror._platform()
    provider = place / name / provider_mirror.PROVIDER / "5.100.0" / here
    provider.mkdir(parents=True)
    (provider / "terraform-provider-aws_v5.100.0_x5").touch()
    return place


def test_a_mirror_is_found_where_terraform_looks_first(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "XDG_DATA_DIRS": str(tmp_path / "share")}
    system = _mirror(tmp_path / "share" / "terraform" / "plugins")
    assert provider_mirror.find(environment) == system
    own = _mirror(tmp_path / ".terraform.d" / "plugins")
    assert provider_mirror.find(environment) == own


def test_linking_makes_it_one_that_terraform_finds_by_itself(tmp_path: Path) -> None:
    mirror = _mirror(tmp_path / "share" / "terraform" / "plugins")
    environment = {"HOME": str(tmp_path), "XDG_DATA_DIRS": str(tmp_path / "share")}
    assert provider_mirror.link(environment) == mirror
    provider = f"{provider_mirror.HOSTNAME}/{provider_mirror.PROVIDER}"
    package = f"{provider}/5.100.0/{provider_mirror._platform()}"
    linked = tmp_path / ".terraform.d" / "plugins" / package
    assert linked.is_symlink()
    assert linked.resolve() == mirror / package
    assert provider_mirror.link(environment) is not None, "a second time is as good"


def test_linking_mends_a_link_whose_mirror_has_moved(tmp_path: Path) -> None:
    linked = tmp_path / ".terraform.d" / "plugins" / provider_mirror.HOSTNAME / "hashicorp"
    linked.parent.mkdir(parents=True)
    linked.symlink_to(tmp_path / "gone")
    _mirror(tmp_path / "share" / "terraform" / "plugins")
    environment = {"HOME": str(tmp_path), "XDG_DATA_DIRS": str(tmp_path / "share")}
    assert provider_mirror.link(environment)
    assert linked.exists()


def test_linking_leaves_a_directory_of_the_users_own_alone(tmp_path: Path) -> None:
    own = tmp_path / ".terraform.d" / "plugins" / provider_mirror.HOSTNAME / "hashicorp" / "null"
    own.mkdir(parents=True)
    _mirror(tmp_path / "share" / "terraform" / "plugins")
    environment = {"HOME": str(tmp_path), "XDG_DATA_DIRS": str(tmp_path / "share")}
    provider_mirror.link(environment)
    assert own.is_dir()
    assert not own.parent.is_symlink()


@pytest.mark.parametrize("held", [provider_mirror.HOSTNAME, provider_mirror.OPENTOFUS])
def test_linking_serves_terraform_and_opentofu_whichever_the_mirror_was_made_for(
    tmp_path: Path, held: str
) -> None:
    mirror = _mirror(tmp_path / "share" / "terraform" / "plugins", held)
    environment = {"HOME": str(tmp_path), "XDG_DATA_DIRS": str(tmp_path / "share")}
    other = {"registry.terraform.io": "tofu", "registry.opentofu.org": "terraform"}[held]
    assert provider_mirror.find(environment, f"/usr/bin/{other}") != mirror
    assert provider_mirror.link(environment) == mirror
    for binary in ("/usr/bin/terraform", "/usr/bin/tofu"):
        assert provider_mirror.find(environment, binary)
    for name in (provider_mirror.HOSTNAME, provider_mirror.OPENTOFUS):
        (package,) = (tmp_path / ".terraform.d/plugins" / name / "hashicorp/aws/5.100.0").iterdir()
        assert package.resolve().is_relative_to(mirror)
    assert provider_mirror.link(environment) is not None, "a second time is as good"


def test_a_terraform_that_is_opentofu_by_another_name_is_known(tmp_path: Path) -> None:
    _program(tmp_path, "tofu", "1.9.1")
    (tmp_path / "terraform").symlink_to(tmp_path / "tofu")
    assert provider_mirror.hostname(str(tmp_path / "terraform")) == provider_mirror.OPENTOFUS
    assert provider_mirror.hostname("/usr/bin/terraform") == provider_mirror.HOSTNAME


@pytest.mark.parametrize(
    ("name", "says", "refused"),
    [
        pytest.param("terraform", "Terraform v1.8.5", "1.8.5", id="too old"),
        pytest.param("tofu", "OpenTofu v1.6.0", "1.6.0", id="OpenTofu too old"),
        pytest.param("terraform", "no words", "?", id="something else"),
        pytest.param("terraform", "Terraform v0.15.5", "0.15.5", id="much too old"),
    ],
)
def test_setup_refuses_what_the_module_would_refuse(
    tmp_path: Path, name: str, says: str, refused: str
) -> None:
    for tool in ("bash", "dirname", "sed"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    (tmp_path / name).write_text(f"#!{shutil.which('bash')}\necho '{says}'\n")
    (tmp_path / name).chmod(0o755)
    setup = Path(__file__).parents[2] / "scripts" / "setup"
    done = subprocess.run(
        [setup], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"{tmp_path / name} is version {refused}; 1.9 or newer is needed" in done.stderr
