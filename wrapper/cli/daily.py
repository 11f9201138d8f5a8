"""`status`, `list`, `check`, `password`, `allow`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from wrapper.cli import everywhere, live, options, runs, worlds
from wrapper.cli.failure import fitting
from wrapper.cli.opening import for_editors
from wrapper.cli.person import Person
from wrapper.cli.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrapper.carrier.standing import Standing
    from wrapper.deployment.look import Status
    from wrapper.deployment.monthly import Resting
    from wrapper.deployment.whole_account import Found
    from wrapper.notebook import Autostop


@click.command()
@options.name_argument
@click.option("--console", is_flag=True, help="What the machine wrote to its console.")
@click.option("--watch", is_flag=True, help="Go on until Ctrl-C: what runs there, and its cost.")
@click.option(
    "--every",
    type=click.FloatRange(min=0.5),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks of --watch.",
)
@options.as_json
def status(name: str, *, console: bool, watch: bool, every: float, as_json: bool) -> None:
    """Show one deployment in full.

    With --watch also processors, memory, GPUs and kernels, again and again; with --json one
    document a line.
    """
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    if watch:
        if console:
            raise click.UsageError("--console is read once: it does not go with --watch.")
        live.watch(name, every=every, as_json=as_json)
        return
    with Screen() as screen:
        world = worlds.real(screen.report, Person(yes=False))
        if console:
            text = deployment.console_text(world, name)
            click.echo(json.dumps({"name": name, "console": text}) if as_json else text)
            return
        found = deployment.status(world, name)
        door = deployment.door_that_answers(world, name)
    if as_json:
        # Without its token: `open --json` and `open --editor` show that.
        at = None if door is None else {"port": door.port, "pid": door.pid}
        click.echo(json.dumps({**found.document(), "door": at}, indent=2))
        return
    click.echo(fitting(_in_full(found, door), name))


@click.command("list")
@click.option(
    "--all-regions", is_flag=True, help="All of the account, by tag: other computers' as well."
)
@options.local
@options.as_json
def every(*, all_regions: bool, local: bool | None, as_json: bool) -> None:
    """Show all deployments of this computer, or of the account."""
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    if local and not all_regions:
        raise click.UsageError("--local says which account: it goes with --all-regions.")
    with Screen() as screen:
        world = worlds.real(screen.report, Person(yes=False))
        if all_regions:
            _tell_account(deployment.census(world, local=bool(local)).found, as_json=as_json)
            return
        found = deployment.every(world)
    if as_json:
        click.echo(json.dumps([one.document() for one in found], indent=2))
        return
    if not found:
        click.echo(fitting("No deployments. Make one: python -m wrapper up", None), err=True)
    _tell_all(found)


def _tell_all(found: Sequence[Resting]) -> None:
    from wrapper import list_prices  # noqa: PLC0415 (after --help)

    for one in found:
        where = "local" if one.place == "local" else one.region
        costs = f"${sum(one.monthly.values()):.2f} a month" if one.monthly else "-"
        so_far = "-" if one.spent is None else f"${one.spent:.2f} so far"
        click.echo(
            f"{one.name:<16} {one.state:<10} {one.instance_type or '-':<14} "
            f"{one.market or '-':<10} {where:<14} {costs:<15} {so_far:<14} {one.url or '-'}"
        )
    asked = [one for one in found if one.monthly]
    if asked:
        total = sum(sum(one.monthly.values()) for one in asked)
        basis = list_prices.basis_of_many({one.region for one in asked})
        click.echo(f"all of it, while no machine runs: about ${total:.2f} a month ({basis})")
    if any(one.spent for one in found):
        total = sum(one.spent or 0 for one in found)
        click.echo(fitting(f"so far: about ${total:.2f}; python -m wrapper cost says how", None))


def _tell_account(found: Sequence[Found], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([one.document() for one in found], indent=2))
        return
    for one in found:
        mark = "" if one.known else "  (not of this computer)"
        click.echo(f"{everywhere.line(one)}{mark}")
    monthly = sum(one.monthly_price for one in found)
    monthly += sum(thing.monthly_price for one in found for thing in one.kept)
    hourly = sum(one.hourly_price or 0 for one in found)
    so_far = sum(one.spent or 0 for one in found)
    click.echo(
        f"all of it: about ${monthly:.2f} a month, and ${hourly:.4f} an hour; about "
        f"${so_far:.2f} so far"
    )


@click.command()
@options.name_argument
@options.as_json
def check(name: str, *, as_json: bool) -> None:
    """Verify TLS, fingerprint, login, kernel and disk again."""
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    checks: dict[str, Any] = {}

    def keep(event: Any) -> None:
        if type(event).__name__ == "Checked":
            checks[event.name] = {"ok": event.ok, "detail": event.detail}
        screen.report(event)

    with Screen(checks_to_stdout=not as_json) as screen:
        found = deployment.check(worlds.real(keep, Person(yes=False)), name)
    if as_json:
        click.echo(json.dumps({**found.document(), "checks": checks}, indent=2))


@click.command()
@options.name_argument
@click.option("--new", is_flag=True, help="Change it on the running machine, at once.")
@options.password_file
@options.generate_password
@options.yes
@options.as_json
def password(name: str, *, new: bool, as_json: bool, **given: Any) -> None:
    """Print the password; --new rotates it without touching kernels."""
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    person = Person(yes=given["yes"])
    file, generate = given["password_file"], bool(given["generate_password"])
    with Screen() as screen:
        world = worlds.real(screen.report, person)
        if new:
            found = deployment.new_password(
                world, name, lambda: person.choose_password(file, generate=generate)
            )
        else:
            found = deployment.password(world, name)
    click.echo(json.dumps({"name": name, "password": found}) if as_json else found)


@click.command()
@options.name_argument
@options.as_json
def allow(name: str, *, as_json: bool) -> None:
    """Let in the address that you have now; nothing else changes."""
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    with Screen() as screen:
        found = deployment.allow(worlds.real(screen.report, Person(yes=False)), name)
    if as_json:
        document = {
            "name": name,
            "allowed_cidrs": found.allowed_cidrs,
            "changed": found.changed,
        }
        click.echo(json.dumps(document, indent=2))
    else:
        word = "now let in" if found.changed else "let in, as before"
        click.echo(f"{', '.join(found.allowed_cidrs)}: {word}")


def _in_full(found: Status, door: Standing | None) -> str:
    from wrapper.deployment import monthly  # noqa: PLC0415 (after --help)

    price = f"${found.hourly_price:.4f} an hour" if found.hourly_price is not None else "not told"
    rows = [
        ("name", found.name),
        ("address", found.url),
        ("machine", f"{found.instance_id}, {found.instance_type}, {found.market}"),
        ("state", found.state + (f" ({found.state_reason})" if found.state_reason else "")),
        ("notebook", "answers" if found.answers else "does not answer"),
        ("for editors", _for_editors(found, door)),
        ("environment", found.environment),
        *by_itself(found.autostop),
        *(("run", runs.line(one)) for one in found.runs),
        ("guard", found.guard),
        ("disk", found.disk.words if found.disk else None),
        ("more room", found.disk.hint if found.disk else None),
        ("spot request", found.spot_request),
        ("place", f"{found.place} {found.region}, {found.zone}"),
        ("let in", ", ".join(found.reach) or "nobody"),
        ("fingerprint", found.certificate_sha256),
        ("price", price),
        ("while stopped", monthly.in_words(found.monthly, found.region)),
        ("phases", _phases(found)),
        ("next", _next(found)),
    ]
    return "\n".join(f"{label:<13} {value}" for label, value in rows if value)


def _next(found: Status) -> str:
    from wrapper import next_steps  # noqa: PLC0415 (after --help)

    if found.state == "pending":  # some `up` or `start` is at work
        return ""
    return next_steps.of(found.name, found.state, taken=found.waits_for_ec2)


def _for_editors(found: Status, door: Standing | None) -> str | None:
    """The address to paste into an editor, or the command that makes one."""
    if door is not None:
        return for_editors(door.port, door.token)
    return f"python -m wrapper open {found.name} --editor" if found.answers else None


def by_itself(known: Autostop | None) -> list[tuple[str, str]]:
    """What goes on, and when the machine stops by itself."""
    from wrapper import hours  # noqa: PLC0415 (after --help)

    if known is None:
        return []
    if known.idle_since is None:
        work = ", ".join(known.busy)
    else:
        work = f"none since {hours.moment(known.idle_since)}"
    ends = []
    if known.stopping:
        ends.append("now: all is being saved")
    if known.idle_stops_at:
        ends.append(f"at {hours.moment(known.idle_stops_at)} if nothing begins")
    elif known.idle_minutes:
        ends.append(f"after {known.idle_minutes:g} minutes without work")
    if known.ends_at:
        ends.append(f"at {hours.moment(known.ends_at)} in any case")
    return [("work", work), ("stops", ", ".join(ends) or "never by itself")]


def _phases(found: Status) -> str:
    told = []
    for name, phase in found.phases.items():
        seconds = f" {phase['seconds']:.0f} s" if phase.get("seconds") is not None else ""
        told.append(f"{name} {phase['state']}{seconds}")
    return ", ".join(told)
