"""The words of --market and --fallback. Pure."""

from __future__ import annotations

import re

from wrapper.errors import SettingsError

ZONE, ON_DEMAND, AUTO = "zone", "on-demand", "auto"
_TYPE = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9-]+")


def check_one_market(market: str, spot: bool | None) -> None:
    """Both say the same, or one says nothing. SettingsError."""
    if spot is not None and spot != (market != ON_DEMAND):
        raise SettingsError(
            f"--market {market} and --{'spot' if spot else 'on-demand'} are two markets.",
            hint="Say one of them.",
        )


def fallback(words: str) -> tuple[str, ...]:
    """Of comma separated words; "none" is nothing. SettingsError for what can be no such word."""
    found = tuple(word.strip() for word in words.split(",") if word.strip())
    if found == ("none",):
        return ()
    for word in found:
        if word not in (ZONE, ON_DEMAND) and not _TYPE.fullmatch(word):
            raise SettingsError(
                f'--fallback: "{word}" is neither {ZONE} nor {ON_DEMAND} nor an instance type.',
                hint=f"--fallback {ZONE},m7i.large,{ON_DEMAND}, in the order to try them",
            )
    return tuple(dict.fromkeys(found))
