"""Passwords: made, judged, hashed."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import argon2
from zxcvbn import zxcvbn

from wrapper.errors import PasswordError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_CONSONANTS = "bdfghjklmnprstvz"
_VOWELS = "aiou"
_WORDS = 5
"""Proquints of 16 bits each: 80 bits, twice what a century of offline guessing reaches."""

_LEAST_SCORE = 3
"""Of zxcvbn's 0 to 4: "safely unguessable: moderate protection from offline slow-hash scenario";
the hash is in user data and state, so whoever reads those can guess offline."""
_MOST_JUDGED = 72
"""zxcvbn's own limit, in characters: its time grows with the length."""
_LONGEST = 1024

_PREFIX = "argon2:"
_HINT = "Let one be made: python -m wrapper up --generate-password"


def generate() -> str:
    """A fresh password of 80 bits in five words that can be spoken, such as "lusab-babad-...".

    The words are proquints (https://arxiv.org/html/0901.4016): no word list to ship.
    """
    return "-".join(_proquint(secrets.randbits(16)) for _ in range(_WORDS))


def _proquint(number: int) -> str:
    return "".join(
        (
            _CONSONANTS[number >> 12 & 15],
            _VOWELS[number >> 10 & 3],
            _CONSONANTS[number >> 6 & 15],
            _VOWELS[number >> 4 & 3],
            _CONSONANTS[number & 15],
        )
    )


def from_file(path: Path) -> str:
    """The file's first line, without its line end. PasswordError when there is none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise PasswordError(
            f"The password file {path} cannot be read: {error.strerror}.",
            hint=f"Check it: ls -l {path}",
        ) from error
    except UnicodeDecodeError:
        # Not chained: the exception carries the file's content.
        raise PasswordError(
            f"The password file {path} is not text in UTF-8.",
            hint=f"Write one: printf '%s\\n' 'your password' > {path}",
        ) from None
    if not lines or not lines[0]:
        raise PasswordError(f"The password file {path} has an empty first line.", hint=_HINT)
    return lines[0]


def check_strength(password: str, *, related: Iterable[str] = ()) -> None:
    """The password is worth using. PasswordError says why it is not, and never repeats it.

    `related` are words that an attacker would try first: the deployment's name, the owner's.
    """
    if not password:
        raise PasswordError("The password is empty.", hint=_HINT)
    if len(password) > _LONGEST:
        raise PasswordError(f"The password is longer than {_LONGEST} characters.", hint=_HINT)
    if not password.isprintable():
        raise PasswordError("The password holds a character that cannot be typed.", hint=_HINT)
    result = zxcvbn(password[:_MOST_JUDGED], user_inputs=["jupyter", "notebook", *related])
    if result["score"] >= _LEAST_SCORE:
        return
    feedback = result["feedback"]
    reason = feedback["warning"] or " ".join(feedback["suggestions"])
    guessed = result["crack_times_display"]["offline_slow_hashing_1e4_per_second"]
    raise PasswordError(
        f"The password is too weak: whoever has its hash finds it within {guessed}. {reason}",
        hint=_HINT,
    )


def hash_password(password: str) -> str:
    """The password's argon2id hash, in Jupyter's own form and with Jupyter's own costs."""
    # As in jupyter_server.auth.security.passwd: 10 MiB, 10 passes, 8 lanes.
    hasher = argon2.PasswordHasher(memory_cost=10240, time_cost=10, parallelism=8)
    return _PREFIX + hasher.hash(password)
