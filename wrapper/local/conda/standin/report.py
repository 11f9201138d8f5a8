"""The commands that print: what is where."""

from __future__ import annotations

import json
import os
from typing import Any

import yaml

from . import explicit, packages, prefixes
from .options import SAYING, parse
from .version import VERSION


def list_packages(argv: list[str]) -> int:
    """Printed: what is in the environment."""
    options = parse("list", argv, "pattern")
    prefix = prefixes.existing(prefixes.chosen(options.name, options.prefix))
    found = packages.listed(prefix)
    if options.pattern:
        found = [item for item in found if options.pattern[0] in str(item["name"])]
    if options.json:
        print(json.dumps([item | {"channel": "pypi"} for item in found], indent=2))
        return 0
    if options.explicit:
        print(explicit.MARK)
        for item in found:
            print(explicit.address(item["name"], item["version"]))
        return 0
    print(f"# packages in environment at {prefix}:\n#")
    print(f"# {'Name':<23} {'Version':<20} {'Build':<15} Channel")
    for item in found:
        print(f"{item['name']:<25} {item['version']:<20} {'pypi_0':<15} pypi")
    return 0


def _facts() -> dict[str, Any]:
    return {
        "active_prefix": os.environ.get("CONDA_PREFIX"),
        "conda_version": VERSION,
        "default_prefix": str(prefixes.chosen(None, None)),
        "envs": [str(path) for path in prefixes.all_environments()],
        "envs_dirs": [str(path) for path in prefixes.directories()],
        "pkgs_dirs": [str(prefixes.packages())],
        "platform": f"linux-{'64' if os.uname().machine == 'x86_64' else os.uname().machine}",
        "root_prefix": str(prefixes.ROOT),
        "stand_in": SAYING,
    }


def info(argv: list[str]) -> int:
    """Printed: where things are."""
    options = parse("info", argv)
    if options.envs and not options.json:
        return list_environments([])
    facts = _facts()
    if options.json:
        print(json.dumps(facts, indent=2))
        return 0
    for key, value in facts.items():
        print(f"{key.replace('_', ' '):>20} : {value}")
    return 0


def list_environments(argv: list[str]) -> int:
    """Printed: name and place of each environment."""
    options = parse("env list", argv)
    if options.json:
        print(json.dumps({"envs": _facts()["envs"]}, indent=2))
        return 0
    print("\n# conda environments:\n#")
    for path in prefixes.all_environments():
        name = "base" if path == prefixes.ROOT else path.name
        mark = "*" if str(path) == os.environ.get("CONDA_PREFIX") else " "
        print(f"{name:<20} {mark} {path}")
    print()
    return 0


def export(argv: list[str]) -> int:
    """Printed: an environment file that makes the same environment again."""
    options = parse("env export", argv)
    prefix = prefixes.existing(prefixes.chosen(options.name, options.prefix))
    found = packages.listed(prefix)
    python = next(item["version"] for item in found if item["name"] == "python")
    rest = [f"{item['name']}=={item['version']}" for item in found if item["name"] != "python"]
    content = {"name": prefix.name, "channels": ["conda-forge"]}
    content["dependencies"] = [f"python={python}", "pip", {"pip": rest}]  # type: ignore[list-item] # conda nests pip's
    print(yaml.safe_dump(content, sort_keys=False), end="")
    return 0
