"""What `up` is asked for, from its options."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from wrapper.cli import bringing, everywhere, needing

if TYPE_CHECKING:
    from pathlib import Path

    from wrapper.cli.person import Person
    from wrapper.deployment.wanted import Wanted
    from wrapper.settings import Settings


def wanted(name: str, given: dict[str, Any], person: Person) -> Wanted:
    """As the story takes it. UsageError, SettingsError: what cannot be."""
    from pathlib import Path  # noqa: PLC0415 (after --help)

    from wrapper.deployment import Wanted  # noqa: PLC0415 (after --help)

    def path(key: str) -> Path | None:
        return Path(given[key]).expanduser() if given[key] else None

    needs = needing.needs_of(given)
    needing.refuse_unneeded(needs)
    environment, packages = _environment(given)
    file, generate = given["password_file"], bool(given["generate_password"])
    return Wanted(
        name=name,
        settings=_settings(given, environment),
        packages=packages,
        new_password=lambda: person.choose_password(file, generate=generate),
        password_said=bool(file),
        generate_password=generate and not file,
        local=bool(given["local"]),
        region=given["region"],
        certificate=path("certificate"),
        private_key=path("private_key"),
        watch=given["watch"],
        fresh=given["fresh"],
        replace=given["replace"],
        from_region=given["from_region"],
        needs=needs,
        regions=everywhere.regions_asked(given["regions"]),
        max_price=given["max_price"],
    )


def _environment(given: dict[str, Any]) -> tuple[str | None, dict[str, Any] | None]:
    """What goes into user data, and what is sent later."""
    if not given["environment"]:
        return None, None
    from wrapper import environment_file  # noqa: PLC0415 (yaml when needed)

    said = partial(click.echo, err=True)
    asked = environment_file.of_word(given["environment"], os.environ, said)
    return environment_file.for_user_data(asked, said)


def _settings(given: dict[str, Any], environment: str | None) -> Settings:
    from pathlib import Path  # noqa: PLC0415 (after --help)

    from wrapper import market_settings, public_files, settings  # noqa: PLC0415 (after --help)

    kept = {key: given[key] for key in settings.PLAIN if given[key] is not None}
    kept |= {key: True for key in ("allow_world",) if given[key]}
    private = bringing.is_ours(given)
    if private:
        del kept["repository"]
    if given["synced"] or given["beside"] or private:
        if given["ssh"] is False:
            raise click.UsageError("--sync, --with and git@... go by SSH: leave out --no-ssh.")
        kept["ssh"] = True
    if given["fresh_data"]:
        kept["data_snapshot_id"] = _no_data(given)
    kept |= {key: tuple(given[key]) for key in ("allow", "ssh_cidrs") if given[key]}
    if given["fallback"] is not None:
        kept["fallback"] = market_settings.fallback(given["fallback"])
    if given["tags"]:
        kept["tags"] = settings.tags(given["tags"])
    if environment is not None:
        kept["environment"] = environment
    if given["acme_ca"]:
        kept["acme_ca"] = public_files.authority(Path(given["acme_ca"]).expanduser())
    if given["ssh_public_key"]:
        kept["ssh_public_key"] = public_files.public_key(Path(given["ssh_public_key"]).expanduser())
    return settings.Settings(**kept)


def _no_data(given: dict[str, Any]) -> str:
    from wrapper.data_settings import NO_DATA  # noqa: PLC0415 (after --help)

    if given["data_snapshot_id"] not in (None, NO_DATA) or given["from_region"]:
        raise click.UsageError("--fresh-data starts empty: there is nothing to start from.")
    return NO_DATA
