"""Terraform's verbs on one directory, its command lines built by python_terraform.

Of that library only the builder of command lines is used. Running is ours, since its own `cmd`
is silent until the end, gives the child the whole environment, and shares Ctrl-C with it
(docs/gotchas.md). Values travel in terraform.tfvars.json, never in `var=`: that would leave them
in a file under the temporary directory.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import python_terraform
from python_terraform import IsFlagged

from wrapper import provider_mirror
from wrapper.errors import DiskError, TerraformError
from wrapper.terraform import events, process
from wrapper.terraform.diagnosis import explain
from wrapper.terraform.kept import DATA, STAMP, Kept, are_there, fingerprint

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from wrapper.terraform.events import Applying, Change, Diagnostic, Plan

HINT_GET = (
    "Get it: https://developer.hashicorp.com/terraform/install "
    "(OpenTofu's tofu does as well: https://opentofu.org/docs/intro/install)"
)
LEAST_VERSION = (1, 9)
PLAN_FILE = "next.tfplan"


def find_binary(environment: Mapping[str, str]) -> str:
    """Path of terraform, or else of tofu. TerraformError says how to get one."""
    for name in ("terraform", "tofu"):
        if found := shutil.which(name, path=environment.get("PATH")):
            return found
    raise TerraformError("Neither terraform nor tofu is on PATH.", hint=HINT_GET)


def _quick(environment: Mapping[str, str]) -> dict[str, str]:
    """A fourth less processor time, of which a command with the AWS provider takes three seconds.

    Most of it is garbage that is left, for a twentieth more memory; the rest are lines that the
    provider writes and Terraform reads and drops, unless somebody asked for a log.
    """
    # https://go.dev/doc/gc-guide, https://developer.hashicorp.com/terraform/plugin/log/managing
    asked = any(name.startswith("TF_LOG") for name in environment)
    silent = {} if asked else {"TF_LOG_PROVIDER": "OFF", "TF_LOG_SDK": "OFF"}
    return {"GOGC": "400", **silent}


class Terraform:
    """One root module. Raises TerraformError, or what `diagnosis` makes of the complaint."""

    def __init__(
        self,
        directory: Path,
        *,
        environment: Mapping[str, str],
        keep_open: Sequence[int] = (),
        cancelled: threading.Event | None = None,
    ) -> None:
        """Nothing is run yet; TerraformError when there is no terraform.

        `keep_open` are descriptors that the child inherits: the deployment's lock. Once
        `cancelled` is set, what runs is interrupted as by Ctrl-C.
        """
        self.directory = directory
        self.binary = find_binary(environment)
        self._environment = {**_quick(environment), **environment}
        self._keep_open = tuple(keep_open)
        self._cancelled = cancelled
        self._told: dict[str, Any] | None = None
        self._say: Callable[[str], None] = lambda _: None
        self._builder = python_terraform.Terraform(
            working_dir=str(directory), terraform_bin_path=self.binary, is_env_vars_included=False
        )

    def version(self) -> tuple[int, ...]:
        """As in (1, 11, 4)."""
        lines: list[str] = []
        self._run("version", ["version", "-json"], on_line=lines.append)
        try:
            text = str(json.loads("\n".join(lines))["terraform_version"])
            return tuple(int(part) for part in text.partition("-")[0].split("."))
        except (ValueError, KeyError) as error:
            raise TerraformError(
                f"{self.binary} does not tell its version.", hint=HINT_GET
            ) from error

    def init(self, *, say: Callable[[str], None]) -> None:
        """Providers and modules are there; costs nothing when they were already.

        Nor where another directory was initialised for the same. Without a way to the registry, a
        provider mirror on disk is used, and `say` told which.
        """
        self._say = say
        stamp = self.directory / DATA / STAMP
        wanted = fingerprint(self.directory, self.binary)
        if stamp.is_file() and stamp.read_text() == wanted and are_there(self.directory):
            return
        kept = self._kept()
        given = kept.give()
        if not given:
            self._init_or_mirror(say)
        try:
            stamp.parent.mkdir(exist_ok=True)  # a root without providers has none yet
            stamp.write_text(wanted)
        except OSError as error:
            raise DiskError(
                f"{stamp} cannot be written: {error.strerror}", hint="df -h ~"
            ) from error
        if not given:
            kept.keep()

    def _init_or_mirror(self, say: Callable[[str], None]) -> None:
        try:
            self._init()
        except TerraformError:
            self._refuse_an_old_one()
            mirror = provider_mirror.find(self._environment, self.binary)
            if mirror is None:
                raise
            say(f"The provider registry does not answer; providers come from {mirror}")
            self._init(plugin_dir=str(mirror))

    def _kept(self) -> Kept:
        return Kept(self.directory, environment=self._environment, binary=self.binary)

    def _init_anew(self) -> None:
        """What was installed, and may be kept for others, is damaged: it is fetched once more."""
        self._say("Terraform's provider is not as its lock file says; it is installed anew")
        self._kept().forget()
        shutil.rmtree(self.directory / DATA / "providers", ignore_errors=True)
        (self.directory / DATA / STAMP).unlink(missing_ok=True)
        self.init(say=self._say)

    def _refuse_an_old_one(self) -> None:
        """This Terraform is one that the module is for. Asked once `init`, which knows, has failed:
        every start of it costs a tenth of a second."""
        found = self.version()
        if found[:2] < LEAST_VERSION:
            raise TerraformError(
                f"{self.binary} is {'.'.join(map(str, found))}; 1.9 or newer is needed.",
                hint=HINT_GET,
            )

    def plan(self) -> Plan:
        """What an apply would do, kept for `apply`."""
        seen = self._json("plan", input=False, out=PLAN_FILE)
        changes = [item for item in seen if isinstance(item, events.Change)]
        if not changes:
            (self.directory / PLAN_FILE).unlink(missing_ok=True)
        of_resources = tuple(one for one in changes if one.type != events.OUTPUTS)
        outputs_change = len(of_resources) < len(changes)
        return events.Plan(of_resources, _warnings(seen), outputs_change)

    def apply(self, on_event: Callable[[Applying], None]) -> None:
        """What was planned is done. Interrupted, after Terraform's own shut-down, on Ctrl-C."""
        try:
            self._json("apply", PLAN_FILE, on_event=on_event, input=False)
        finally:
            (self.directory / PLAN_FILE).unlink(missing_ok=True)

    def plan_and_apply(
        self,
        on_event: Callable[[Applying], None],
        *,
        on_change: Callable[[Change], None],
        replace: Sequence[str] = (),
    ) -> tuple[str, ...]:
        """All is done in one run, each planned change told first; the warnings. As `apply`.

        For what does not exist yet: the provider is started half as often, which takes seconds.
        What is at the addresses in `replace` is made anew.
        """
        seen = self._json(
            "apply",
            on_event=on_event,
            on_change=on_change,
            input=False,
            auto_approve=True,
            **({"replace": [*replace]} if replace else {}),
        )
        return _warnings(seen)

    def destroy(self, on_event: Callable[[Applying], None]) -> None:
        """Nothing is left of what the state knows."""
        # python_terraform's own destroy() would add -force, which Terraform has dropped.
        self._json("destroy", on_event=on_event, input=False, auto_approve=True)

    def forget(self, *addresses: str) -> None:
        """The state knows nothing of these any more; they themselves are as they were."""
        there = self._listed()
        if found := [one for one in addresses if one in there]:
            # python_terraform has no word for a verb of two words.
            self._run("state", ["state", "rm", "-no-color", *found])

    def untaint(self, address: str) -> None:
        """What is there is kept: Terraform does not make it anew for not having seen it finished.

        https://developer.hashicorp.com/terraform/cli/commands/untaint
        """
        self._run("untaint", self._command("untaint", address))

    def _listed(self) -> set[str]:
        lines: list[str] = []
        self._run("state", ["state", "list", "-no-color"], on_line=lines.append)
        return {line.strip() for line in lines}

    def outputs(self) -> dict[str, Any]:
        """The root module's outputs, of which the sensitive ones may be missing.

        An apply of this object told them; otherwise they are asked for, which takes a second.
        """
        if self._told is not None:
            return self._told
        lines: list[str] = []
        self._run("output", self._command("output", json=IsFlagged), on_line=lines.append)
        try:
            return {name: item["value"] for name, item in json.loads("\n".join(lines)).items()}
        except (ValueError, KeyError, AttributeError) as error:
            raise TerraformError(
                "terraform output: not the JSON that was expected.",
                hint=f"cd {self.directory} && terraform output",
            ) from error

    def _command(self, verb: str, *arguments: str, **options: Any) -> list[str]:
        built: list[str] = self._builder.generate_cmd_string(
            verb, *arguments, no_color=IsFlagged, **options
        )
        return built[1:]

    def _json(
        self,
        verb: str,
        *arguments: str,
        on_event: Callable[[Applying], None] = lambda _: None,
        on_change: Callable[[Change], None] = lambda _: None,
        **options: Any,
    ) -> list[Change | Diagnostic]:
        # -json wants its place right after the verb's other flags, and no -no-color beside it.
        command = self._builder.generate_cmd_string(verb, *arguments, json=IsFlagged, **options)
        log = self.directory / f"{verb}.jsonl"

        def run() -> tuple[events.Said, process.Run]:
            said = events.Said(on_event, on_change)
            return said, self._start(command[1:], log, said.take)

        self._told = None
        said, ended = run()
        if ended.code != 0 and said.package_is_damaged:
            self._init_anew()
            said, ended = run()
        self._told = said.outputs
        if ended.code != 0:
            raise explain(
                verb, said.diagnostics, began=said.began, stderr=ended.stderr, log=str(log)
            )
        return said.seen

    def _run(
        self, verb: str, command: Sequence[str], *, on_line: Callable[[str], None] = lambda _: None
    ) -> None:
        log = self.directory / f"{verb}.log"
        ended = self._start(command, log, on_line)
        if ended.code != 0:
            raise explain(verb, (), began=True, stderr=ended.stderr, log=str(log))

    def _start(
        self, command: Sequence[str], log: Path, on_line: Callable[[str], None]
    ) -> process.Run:
        return process.run(
            [self.binary, *command],
            directory=self.directory,
            environment=self._environment,
            log=log,
            keep_open=self._keep_open,
            on_line=on_line,
            cancelled=self._cancelled,
        )

    def _init(self, **options: Any) -> None:
        self._run("init", self._command("init", input=False, **options))


def _warnings(seen: Sequence[Change | Diagnostic]) -> tuple[str, ...]:
    return tuple(
        f"{item.summary}: {item.detail}"
        for item in seen
        if isinstance(item, events.Diagnostic) and item.severity == "warning"
    )
