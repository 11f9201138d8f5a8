"""The real world, as the stories take it: each adapter is loaded when it is first used."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrapper.cli.person import Person
    from wrapper.deployment import World
    from wrapper.deployment.events import Event


def real(report: Callable[[Event], None], person: Person) -> World:
    """This computer, its environment, and whoever is at the keyboard."""
    from wrapper.deployment import World  # noqa: PLC0415 (after --help)

    return World(
        environment=dict(os.environ),
        aws=_aws,
        terraform=_terraform,
        pin=_pin,
        notebook=_notebook,
        embedded=_embedded,
        public_address=_public_address,
        report=report,
        confirm=person.confirm,
        choose=person.choose,
    )


def _aws(**how: Any) -> Any:
    from wrapper.aws import Aws  # noqa: PLC0415 (boto3 when needed)

    return Aws(**how)


def _terraform(*where: Any, **how: Any) -> Any:
    from wrapper.terraform import Terraform  # noqa: PLC0415 (python_terraform when needed)

    return Terraform(*where, **how)


def _pin(*where: Any, **how: Any) -> Any:
    from wrapper.notebook import pin  # noqa: PLC0415 (cryptography when needed)

    return pin(*where, **how)


def _notebook(*where: Any, **how: Any) -> Any:
    from wrapper.notebook import Notebook  # noqa: PLC0415 (requests when needed)

    return Notebook(*where, **how)


def _embedded() -> Any:
    from wrapper import local  # noqa: PLC0415 (when needed)

    return local


def _public_address() -> str:
    from wrapper.caller import public_address  # noqa: PLC0415 (when needed)

    return str(public_address())
