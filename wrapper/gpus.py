"""Types with NVIDIA's GPUs, by name. Pure."""

from __future__ import annotations

import re


def nvidia(instance_type: str) -> bool:
    """Whether the module gives this type an image with NVIDIA's driver: main.tf, local.nvidia."""
    other = re.match(r"(g4ad|g6f|gr6f)\.", instance_type)
    return bool(re.match(r"(g|gr|p)[4-9]", instance_type)) and not other
