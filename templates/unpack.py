"""Unpacks what scripts/bundle.py packed: paths and texts in turn, ended by NUL, compressed by PPM.

Prediction by partial matching: each character is looked for among those that followed the same
characters before, the longest context first, and an escape leads to the next shorter one (Cleary
and Witten 1984), where what the longer ones ruled out is left out; only the contexts that were
asked learn (Moffat 1990). How likely an escape is, is learned from contexts that look alike (Bloom
1998). Integers only: packer and machine have to agree to the last bit.
"""

from __future__ import annotations

import os
import pathlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    # One of the weighted characters, or "", the escape. The characters' part of 65536 comes last.
    Pick = Callable[[dict[str, int], int, int], str]

END = "\1"


def expand(pick: Pick, known: str) -> str:
    """The text up to END, one choice at a time.

    `known` is a text to learn from before: this program, as both sides have it.
    """
    text = found = word = ""
    # Characters last seen come last in each.
    contexts = {(0, ""): dict.fromkeys(map(chr, range(127)), 1)}
    stays: dict[tuple[int, ...], list[int]] = {}
    while found != END:
        given = known[len(text) : len(text) + 1]
        asked = []
        seen: set[str] = set()
        for order in 6, 4, 7, 2, 1, 0:
            # 7: the word so far, from its second letter.
            if order > 6 and not word[1:]:  # noqa: PLR2004 - see above
                continue
            key = word if order > 6 else text[len(text) - order :]  # noqa: PLR2004 - likewise
            counts = contexts.setdefault((order, key), {})
            asked.append(counts)
            if table := {one: counts[one] for one in counts if one not in seen}:
                total = sum(table.values())
                look = (
                    order,
                    len(table).bit_length(),
                    total.bit_length(),
                    len(seen) > 0,
                    len(word[:2]),
                )
                stay = stays.setdefault(look, [total * 65536 // (total + len(table)), 2])
                table[next(reversed(table))] += 1
                found = given[: given in table] if given else pick(table, total + 1, stay[0])
                stay[1] += stay[1] < 255  # noqa: PLR2004 - learns on for ever
                stay[0] += (65500 * (found > "") + 18 - stay[0]) // stay[1]
                if found:
                    break
                seen |= table.keys()
        for counts in asked:
            counts[found] = counts.pop(found, 0) + 1
        text += found
        word = word + found if found.isalnum() else ""
    return text[len(known) : -1]


def picker(code: Iterator[int]) -> Pick:
    """Makes the choices that the bytes stand for: arithmetic coding with carries (Martin 1979)."""
    value, width = 0, 1

    def pick(table: dict[str, int], total: int, stay: int) -> str:
        nonlocal value, width
        while width < 2**40:
            value, width = value * 256 + next(code, 0), width * 256
        unit = width * stay // (total << 16)
        for one in reversed(table):
            part = unit * table[one]
            if value < part:
                width = part
                return one
            value, width = value - part, width - part
        return ""

    return pick


if __name__ == "__main__":
    program, root, bundle = map(pathlib.Path, sys.argv)
    done = bundle.with_suffix(".done")
    # At every boot: what a power loss cut short is unpacked again, what is whole is left alone.
    if not done.exists() or done.stat().st_mtime < bundle.stat().st_mtime:
        texts = expand(picker(iter(bundle.read_bytes())), program.read_text())
        parts = iter(texts.split("\0"))
        for name, text in zip(parts, parts):  # noqa: B905 - the same iterator twice
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755 if "/bin/" in name else 0o644)
        os.sync()
        done.touch()
