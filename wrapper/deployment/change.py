"""Small changes to a live deployment: the password, who is let in."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrapper import module_copy
from wrapper import password as passwords
from wrapper.deployment import awake, beginning, logging_in, look, place, preparing, ssh, verify
from wrapper.deployment.applying import with_outputs
from wrapper.deployment.events import Note, Progress, Step
from wrapper.errors import FailedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrapper.deployment.world import World
    from wrapper.terraform import Applying, Plan

RULES = (
    "aws_vpc_security_group_ingress_rule",
    "aws_s3_bucket_policy",  # follows an address that changed with a start
)


@dataclass(frozen=True)
class Allowed:
    """Who may reach the notebook."""

    name: str
    allowed_cidrs: tuple[str, ...]
    changed: bool


def password(world: World, name: str) -> str:
    """The one that is kept here. FailedError when none is."""
    home, _ = look.known(world, name)
    return logging_in.password(home)


def new_password(world: World, name: str, choose: Callable[[], str]) -> str:
    """New logins need the new password, at once; machine and kernels go on. The new password."""
    home, record = look.known(world, name)
    with home.locked(f"password --new {name}"):
        way = place.back_to(world, record)
        where = verify.address(record, awake.running(way, record).public_ip)
        if record.key_sha256 is None:
            raise FailedError(
                f"{name} has no verified notebook.", hint=f"python -m wrapper up {name}"
            )
        pin = world.look_whose(where, record.key_sha256)
        chosen = choose()
        passwords.check_strength(chosen, related=[name])
        hashed = passwords.hash_password(chosen)
        with logging_in.logged_in(world, home, where, pin) as notebook:
            # Kept before it holds: nobody is locked out by a power cut in between.
            home.write(logging_in.NEW, chosen + "\n")
            notebook.set_password_hash(hashed)
        with world.speak(where, pin, chosen) as notebook:
            notebook.login()
        logging_in.keep(home, chosen, hashed)
    return chosen


def allow(world: World, name: str) -> Allowed:
    """The rules let in the caller's present address; nothing else was changed."""
    home, record = look.known(world, name)
    with home.locked(f"allow {name}") as lock:
        way = place.back_to(world, record)
        own = place.own_cidr(world, local=record.place.kind == "local")
        record = dataclasses.replace(record, own_cidr=own)
        cidrs = preparing.allowed(record)
        beginning.spare(way, home)
        before = home.variables()
        if not (home.path / "module").is_dir():
            module_copy.write(home)
        of_ssh = ssh.reach(record.settings.get("ssh"), record.settings.get("ssh_cidrs"), cidrs)
        home.write_variables({**before, "allowed_cidrs": list(cidrs), **of_ssh})
        terraform = world.terraform(
            home.path, environment=way.for_terraform(world), keep_open=(lock,)
        )
        world.report(Step(f"Letting in {own}"))
        try:
            terraform.init(say=lambda text: world.report(Note(text)))
            plan = terraform.plan()
            _refuse_other_changes(plan, name)
        except BaseException:
            home.write_variables(before)
            raise
        if plan.changes or plan.outputs_change:
            terraform.apply(_reporter(world, len(plan.changes)))
            record = with_outputs(record, terraform.outputs())
        home.remember(record)
    return Allowed(name, cidrs, changed=bool(plan.changes))


def _refuse_other_changes(plan: Plan, name: str) -> None:
    others = [change for change in plan.changes if change.type not in RULES]
    if others:
        listed = ", ".join(f"{change.action} {change.address}" for change in others)
        raise UsageError(
            f"More than the rules would change: {listed}.",
            hint=f"See it and decide: python -m wrapper up {name}",
        )


def _reporter(world: World, total: int) -> Callable[[Applying], None]:
    done: set[str] = set()

    def report(event: Applying) -> None:
        ended = event.state == "done"
        if ended:
            done.add(f"{event.action} {event.address}")
        world.report(Progress(len(done), total, f"Terraform: {event.address}", ended=ended))

    return report
