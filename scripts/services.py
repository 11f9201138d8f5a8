"""Prints templates/services as a machine fetches it, for services_url: byte by byte Terraform's.

python -m scripts.services > services.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

SERVICES = Path(__file__).resolve().parent.parent / "templates/services"
# https://developer.hashicorp.com/terraform/language/functions/jsonencode
ESCAPED = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def text() -> str:
    """Path on the machine and text of every file, as one JSON text."""
    files = {
        path.relative_to(SERVICES).as_posix(): path.read_text()
        for path in SERVICES.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    found = json.dumps(files, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return found.translate(ESCAPED)


if __name__ == "__main__":
    sys.stdout.write(text())
