"""A type's architecture, by name: main.tf, local.graviton. Pure."""

from __future__ import annotations

import re
from typing import Literal

Architecture = Literal["x86_64", "arm64"]


def of(instance_type: str) -> Architecture:
    """What its processors are."""
    graviton = re.match(r"(a1\.|[a-z]+[0-9]+[a-z]*g)", instance_type)
    return "arm64" if graviton else "x86_64"
