"""The stories behind the command line, each of which answers at once with what a user may see."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wrapper import deployment
from wrapper.deployment.answering import Up
from wrapper.deployment.budgeting import Budget
from wrapper.deployment.change import Allowed
from wrapper.deployment.copies import Copies, Taken
from wrapper.deployment.disk import Disk
from wrapper.deployment.events import Checked, Note
from wrapper.deployment.kept import Kept
from wrapper.deployment.look import Status
from wrapper.deployment.monthly import Resting
from wrapper.deployment.plain_terraform import Configured
from wrapper.deployment.reckoning import Spent
from wrapper.deployment.summary import Summary
from wrapper.deployment.take_down import Down
from wrapper.notebook import Autostop

FACTS: dict[str, Any] = {
    "name": "notebook",
    "url": "https://198.18.0.10:9999/",
    "state": "running",
    "region": "us-east-1",
    "zone": "us-east-1a",
    "instance_id": "i-0123456789abcdef0",
    "instance_type": "t3.large",
    "market": "spot",
    "certificate_sha256": "ab" * 32,
    "key_sha256": "cd" * 32,
    "data_volume_id": None,
    "hourly_price": 0.0312,
    "seconds": {"conda": 12.5},
}
SUMMARY = Summary(**FACTS)
SPENT = Spent(
    name="gpu",
    place="aws",
    region="us-east-1",
    since="2026-11-01T00:00:00+00:00",
    until="2026-11-08T00:00:00+00:00",
    hours=12.5,
    machines=1.25,
    disks=1.5,
    addresses=0.84,
    snapshots=0.0,
    total=3.59,
    assumptions=("Disks: gp3.",),
)
SNAPSHOT = Kept(
    kind="snapshot",
    id="snap-0123456789abcdef0",
    gib=50,
    state="completed",
    taken="final",
    when="2026-11-20T10:00:00+00:00",
    monthly_price=2.5,
)
VOLUME = replace(SNAPSHOT, kind="volume", id="vol-1", state="available", taken=None)
AUTOSTOP = Autostop(
    busy=(),
    idle_minutes=45,
    max_hours=12,
    began="2026-11-23T08:00:00Z",
    ends_at="2026-11-23T20:00:00Z",
    idle_since="2026-11-23T09:00:00Z",
    idle_stops_at="2026-11-23T09:45:00Z",
)
ANSWERS: dict[str, Any] = {
    "up": Up(SUMMARY, changed=True),
    "delete_kept": None,
    "down": Down("notebook", ended=("instance i-1",), removed=()),
    "snapshot": Taken("notebook", SNAPSHOT, "flushed"),
    "snapshots": Copies("notebook", "us-east-1", (SNAPSHOT,), (VOLUME,)),
    "status": Status(
        **FACTS,
        answers=True,
        phases={"conda": {"state": "done", "seconds": 3.0}},
        disk=Disk(free_bytes=0, total_bytes=2**30, state="full", hint="python -m wrapper up"),
        autostop=AUTOSTOP,
    ),
    "extend": AUTOSTOP,
    "console_text": "Linux version",
    "every": [Resting(**FACTS, monthly={"disks": 6.4, "address": 3.65})],
    "budget": Budget(name="gpu", monthly=50, email=None, changed=True, tag_active=True),
    "remove_budget": Budget(name=None, monthly=None, email=None, changed=True, tag_active=False),
    "cost": [SPENT],
    "check": SUMMARY,
    "password": "lusab-babad-gutih-tugad",
    "new_password": "gutih-tugad-lusab-babad",
    "allow": Allowed("notebook", ("198.51.100.1/32",), changed=True),
    "configure": Configured(Path("/x.json"), ("198.51.100.1/32",), "lusab-babad-gutih-tugad"),
}


class Calls(list[tuple[str, tuple[Any, ...], dict[str, Any]]]):
    """Which stories were told, with what."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Calls:
    """Stories that answer at once; nothing of the surroundings has a say."""
    made = Calls()

    def story(name: str) -> Any:
        def tell(world: Any, *given: Any, **more: Any) -> Any:
            made.append((name, given, more))
            if name == "check":
                world.report(Checked("TLS", ok=True, detail="1.2 or newer"))
            world.report(Note("a note"))
            if "answers" in more:
                more["answers"](ANSWERS[name])
            return ANSWERS[name]

        return tell

    for name in ANSWERS:
        monkeypatch.setattr(deployment, name, story(name), raising=False)
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("JUPYTER_CLOUDS_")]:
        monkeypatch.delenv(name)
    return made
