"""Unison over ssh, both ways: what changed at both ends is left at both, and named.

https://github.com/bcpierce00/unison/blob/master/doc/unison-manual.tex
"""

from wrapper.unison.pair import Pair, locked, path
from wrapper.unison.running import PACKAGE, Tell, program, synchronise
from wrapper.unison.words import Outcome

__all__ = ["PACKAGE", "Outcome", "Pair", "Tell", "locked", "path", "program", "synchronise"]
