"""Unison over ssh, both ways: what changed at both ends is left at both, and named.

https://github.com/bcpierce00/unison/blob/master/doc/unison-manual.tex
"""

from wrapper.unison.pair import MONITORS, Pair, locked, path
from wrapper.unison.running import PACKAGE, Tell, program, synchronise
from wrapper.unison.words import Outcome, RulesError

__all__ = [
    "MONITORS",
    "PACKAGE",
    "Outcome",
    "Pair",
    "RulesError",
    "Tell",
    "locked",
    "path",
    "program",
    "synchronise",
]
