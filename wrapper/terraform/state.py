"""What a state file holds, without a Terraform to ask: a look must cost nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

FILE = "terraform.tfstate"


def is_there(directory: Path) -> bool:
    """Terraform has made something there, or was about to."""
    state = directory / FILE
    return state.is_file() and state.stat().st_size > 0


def managed(directory: Path, resource_type: str) -> dict[str, str]:
    """What the state manages of one type: id to address. Empty for no state, or a damaged one.

    The file's format is the same since Terraform 0.12 (version 4); what cannot be read here is
    found by its tags.
    """
    return {one: address for one, address, _ in _read(directory, resource_type)}


def tainted(directory: Path, resource_type: str) -> dict[str, str]:
    """Of those, what Terraform would make anew, since it did not see it finished."""
    return {
        one: address
        for one, address, status in _read(directory, resource_type)
        if status == "tainted"
    }


def output(directory: Path, name: str) -> object:
    """The value of an output, as Terraform's last work left it; None without one."""
    try:
        found = json.loads((directory / FILE).read_text(encoding="utf-8"))
        return found["outputs"][name]["value"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read(directory: Path, resource_type: str) -> list[tuple[str, str, str | None]]:
    """Id, address and status of each."""
    try:
        resources = json.loads((directory / FILE).read_text(encoding="utf-8"))["resources"]
        return [
            (instance["attributes"]["id"], _address(one, instance), instance.get("status"))
            for one in resources
            if (one["mode"], one["type"]) == ("managed", resource_type)
            for instance in one["instances"]
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _address(resource: dict[str, Any], instance: dict[str, Any]) -> str:
    module = f"{resource['module']}." if "module" in resource else ""
    index = f"[{json.dumps(instance['index_key'])}]" if "index_key" in instance else ""
    return f"{module}{resource['type']}.{resource['name']}{index}"
