"""The person at the keyboard, if there is one: questions and passwords."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wrapper.errors import UnansweredError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Person:
    """Asks on standard error, so that standard output stays the document's."""

    yes: bool

    @property
    def there(self) -> bool:
        """Somebody can answer."""
        return sys.stdin.isatty()

    def confirm(self, question: str) -> bool:
        """The answer. UnansweredError when nobody is there and --yes was not said."""
        if self.yes:
            click.echo(question.removesuffix("Go on?").rstrip(), err=True)
            return True
        if not self.there:
            click.echo(question, err=True)
            raise UnansweredError(
                "Nobody is there to answer: this is no terminal.", hint="Add --yes"
            )
        return click.confirm(question, err=True)

    def choose(self, question: str, answers: Sequence[str], default: str) -> str:
        """One of the answers; with --yes the default. UnansweredError when nobody is there."""
        if self.yes:
            return default
        if not self.there:
            click.echo(question, err=True)
            raise UnansweredError(
                "Nobody is there to answer: this is no terminal.",
                hint=f"Add --yes ({default}), or --yes --data {'|'.join(answers)}",
            )
        chosen: str = click.prompt(
            question, type=click.Choice([*answers]), default=default, err=True
        )
        return chosen

    def choose_password(self, file: str | None, *, generate: bool) -> str:
        """From the file, typed twice, or made; the strength is judged by the story."""
        from wrapper import password  # noqa: PLC0415 (argon2 and zxcvbn, when needed)

        if file:
            return password.from_file(Path(file).expanduser())
        if generate or self.yes or not self.there:
            return password.generate()
        while typed := hidden("Password for the notebook (empty: one is made)"):
            if typed == hidden("Once more"):
                return typed
            click.echo("These were not the same.", err=True)
        return password.generate()


def hidden(question: str) -> str:
    """What is typed, unseen; empty for nothing."""
    typed: str = click.prompt(question, default="", show_default=False, hide_input=True, err=True)
    return typed
