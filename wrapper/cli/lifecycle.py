"""`up` and `down`."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import click

from wrapper.cli import (
    bringing,
    ends,
    everywhere,
    needing,
    news,
    options,
    run_options,
    runs,
    tls_options,
    wanting,
    worlds,
)
from wrapper.cli.failure import fitting
from wrapper.cli.options import option
from wrapper.cli.person import Person
from wrapper.cli.screen import Screen

if TYPE_CHECKING:
    from wrapper.deployment.answering import Up


@click.command()
@click.argument("name_given", metavar="[NAME]", required=False)
@option("--name", default="notebook", metavar="NAME", help="The same as NAME.")
@options.local
@options.region
@option("--spot/--on-demand", help="A third of the price, with interruptions; or not.")
@option(
    "--market",
    type=click.Choice(["spot", "on-demand", "auto"]),
    help="auto: spot, and --fallback zone,on-demand unless said otherwise.",
)
@option(
    "--fallback",
    metavar="WAYS",
    help="What to try where EC2 gives none: zone, a type, on-demand, in this order; or none.",
)
@option(
    "--on-interruption",
    type=click.Choice(["stop", "hibernate", "terminate"]),
    help="What EC2 does with a spot machine that it needs back.  [default: stop]",
)
@option("--instance-type", metavar="TYPE", help="EC2 instance type.  [default: t3.large]")
@needing.options
@option("--regions", metavar="A,B", help='Where to look for those; "all".  [default: yours]')
@option("--allow", multiple=True, metavar="CIDR", help="Who may reach it.  [default: you]")
@option("--allow-world", is_flag=True, help="Let --allow be the whole internet.")
@options.password_file
@options.generate_password
@option(
    "--environment",
    type=click.Path(dir_okay=False),
    help="Of the kernel: environment.yml, requirements.txt, pyproject.toml, conda-lock.yml; "
    "current: this shell's.",
)
@bringing.options
@option("--root-volume-size", type=click.IntRange(min=10), metavar="GIB", help="Size of the disk.")
@option(
    "--data-size",
    "data_volume_size",
    type=click.IntRange(0, 16384),
    metavar="GIB",
    help="Size of the data volume, which outlives machines; 0 for none.",
)
@option("--data-volume", "data_volume_id", metavar="VOL", help="A volume of your own instead.")
@option(
    "--data-snapshot",
    "data_snapshot_id",
    metavar="SNAP",
    help="What the data starts from; none: empty.  [default: the newest that is kept]",
)
@click.option("--fresh-data", is_flag=True, help="Start empty, whatever is kept.")
@click.option("--from-region", metavar="REGION", help="Region of the snapshot; it is copied.")
@option("--bucket", metavar="NAME/PREFIX", help="S3 that the machine may use; a folder shows it.")
@option("--ami-id", metavar="AMI", help="Image to start from.  [default: Ubuntu 24.04]")
@option("--subnet-id", metavar="SUBNET", help="Subnet.  [default: of the default VPC]")
@tls_options.options
@option("--ssh/--no-ssh", help="Open 22 too, to who may reach it, with a key made for it.")
@option("--session-manager/--no-session-manager", help="ssh by AWS's Session Manager: no port.")
@option("--ssh-public-key", type=click.Path(dir_okay=False), help="Lets its owner in by SSH.")
@option("--ssh-cidr", "ssh_cidrs", multiple=True, metavar="CIDR", help="From where SSH may come.")
@option("--sudo/--no-sudo", help="Give the notebook's user sudo.")
@option("--https/--no-https", help="Open 443 beside 9999.  [default: https]")
@option("--elastic-ip/--no-elastic-ip", help="A fixed address.  [default: elastic-ip]")
@option(
    "--hours",
    "max_hours",
    type=float,
    metavar="H",
    help="How long it runs at most, then saves and stops; 0: no limit.  [default: 12]",
)
@option(
    "--idle",
    "idle_minutes",
    type=float,
    metavar="MINUTES",
    help="After how long without work it stops by itself; 0: never.  [default: 45]",
)
@option("--owner", metavar="WHO", help="For the owner tag.")
@option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A further tag on everything.")
@option("--miniforge-url", metavar="URL", help="Another installer: a mirror's.")
@option("--miniforge-sha256", metavar="HEX", help="Its checksum.")
@click.option(
    "--watch",
    is_flag=True,
    help="Stay, until Ctrl-C: where EC2 takes the machine, wait, or move as --fallback allows.",
)
@run_options.of_up
@click.option("--fresh", is_flag=True, help="Begin with Ubuntu's image, whatever was baked.")
@click.option("--replace", is_flag=True, help="Another machine: newest image and environment.")
@options.yes
@options.as_json
@click.pass_context
def up(ctx: click.Context, /, **given: Any) -> None:
    """Make a notebook, and verify it from the outside. Again: converges.

    NAME is "notebook" when not given.
    """
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    name = given["name_given"] or given["name"]
    ctx.obj["name"] = name
    person = Person(yes=given["yes"])
    plan = runs.of_up_planned(given)
    with Screen(all_to_stderr=given["as_json"]) as screen:
        world, wanted = worlds.real(screen.report, person), wanting.wanted(name, given, person)
        bringing.refuse(world, given)
        wanted = deployment.settled(world, wanted)

        def tell(answers: Up) -> None:
            screen.close()
            ctx.obj["document"] = answers.summary.document()
            if not given["as_json"]:
                click.echo(fitting(ending(answers), name))

        done = deployment.up(world, wanted, answers=tell)
        bringing.bring(world, name, given)
        world = dataclasses.replace(world, report=news.also_on_the_desktop(screen.report))
        if plan:
            ctx.exit(runs.done_by_up(world, name, plan, given, done.summary.document()))
        if wanted.watch:
            done = deployment.stay(world, wanted, done, tell)
    if given["as_json"]:
        click.echo(json.dumps(done.summary.document(), indent=2))


@click.command()
@options.name_argument
@options.local
@options.region
@click.option(  # never found in the environment: it can be "delete"
    "--data",
    type=click.Choice(["snapshot", "keep", "delete"]),
    help="What becomes of the data volume.  [default: asked; with --yes a snapshot]",
)
@options.snapshots_kept
@options.manual_kept
@click.option("--all", "every", is_flag=True, help="All deployments of this computer.")
@options.yes
@options.as_json
@click.pass_context
def down(ctx: click.Context, /, name: str, *, as_json: bool, every: bool, **given: Any) -> None:
    """End everything of it, and search the account for anything left.

    The data volume's contents are kept in a snapshot, or as you say. --local and --region say where
    to search when this computer does not remember NAME.
    """
    from wrapper import deployment  # noqa: PLC0415 (after --help)

    with Screen() as screen:
        world = worlds.real(screen.report, Person(yes=given["yes"]))
        wish = deployment.Wish(given["data"], given["snapshots_kept"], given["manual_kept"])
        if every:
            _refuse_one_and_all(ctx, given)
            all_of_them = deployment.down_all(world, wish=wish)
            told = json.dumps([ends.document(one) for one in all_of_them], indent=2)
            click.echo(told if as_json else everywhere.ended(all_of_them))
            return
        done = deployment.down(
            world, name, local=bool(given["local"]), region=given["region"], wish=wish
        )
    click.echo(json.dumps(ends.document(done), indent=2) if as_json else ends.in_words(done))


def _refuse_one_and_all(ctx: click.Context, given: dict[str, Any]) -> None:
    typed = ctx.get_parameter_source("name") is click.core.ParameterSource.COMMANDLINE
    if typed or given["local"] or given["region"]:
        raise click.UsageError("--all means every deployment of this computer: say no other.")


def ending(done: Up) -> str:
    from wrapper import hours  # noqa: PLC0415 (after --help)

    told = done.summary
    known = told.hourly_price is not None
    price = f"${told.hourly_price:.4f} an hour" if known else "see aws.amazon.com/ec2/pricing"
    first = "The notebook answers, verified." if done.changed else "Nothing to do: it answers."
    lines = [
        first,
        "",
        f"  address      {told.url}",
        f"  fingerprint  {_colons(told.certificate_sha256)}",
        "               (SHA-256 of the certificate: compare it with your browser's warning)",
        "  password     python -m wrapper password",
        f"  price        {price} ({told.instance_type}, {told.market})",
        f"  stops        {hours.in_words(told.idle_minutes, told.max_hours)}",
        "  end it       python -m wrapper down",
    ]
    return "\n".join(lines)


def _colons(digest: str | None) -> str:
    raw = (digest or "").upper()
    return ":".join(raw[at : at + 2] for at in range(0, len(raw), 2))
