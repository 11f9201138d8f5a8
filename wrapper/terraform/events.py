"""Terraform's machine-readable output, read. Pure.

https://developer.hashicorp.com/terraform/internals/machine-readable-ui
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

Action = Literal["create", "update", "delete", "replace", "other"]
_ACTIONS: dict[str, Action] = {
    "create": "create",
    "update": "update",
    "delete": "delete",
    "replace": "replace",
}
OUTPUTS = "outputs"
"""Type of the change that stands for all of the root's outputs."""
_LOOKS = ("noop", "no-op", "read")


@dataclass(frozen=True)
class Change:
    """One thing that Terraform would do."""

    address: str
    """In the module, as in `aws_instance.this[0]`."""
    type: str
    action: Action
    reason: str | None = None


@dataclass(frozen=True)
class Plan:
    """All that Terraform would do."""

    changes: tuple[Change, ...]
    """Of resources."""
    warnings: tuple[str, ...] = ()
    outputs_change: bool = False


@dataclass(frozen=True)
class Applying:
    """One step of an apply or a destroy."""

    address: str
    type: str
    action: Action
    state: Literal["started", "running", "done", "failed"]
    id: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Outputs:
    """The root module's outputs after an apply, but for the sensitive ones."""

    values: dict[str, Any]


@dataclass(frozen=True)
class Diagnostic:
    """An error or a warning of Terraform's."""

    severity: str
    summary: str
    detail: str
    address: str | None

    def __str__(self) -> str:
        where = f" ({self.address})" if self.address else ""
        return f"{self.summary}{where}" + (f": {self.detail}" if self.detail else "")


_STATES: dict[str, Literal["started", "running", "done", "failed"]] = {
    "apply_start": "started",
    "apply_progress": "running",
    "apply_complete": "done",
    "apply_errored": "failed",
}


Event = Change | Applying | Outputs | Diagnostic

_DAMAGED = "does not match any of the checksums"
"""https://github.com/hashicorp/terraform/blob/v1.11.4/internal/command/meta_providers.go"""


@dataclass
class Said:
    """All that one run says, told as it comes."""

    on_event: Callable[[Applying], None]
    on_change: Callable[[Change], None]
    seen: list[Change | Diagnostic] = field(default_factory=list)
    outputs: dict[str, Any] | None = None
    began: bool = False
    """Something may have been made or changed."""

    def take(self, line: str) -> None:
        """One more line is heard."""
        item = read(line)
        if isinstance(item, Applying):
            self.began = True
            self.on_event(item)
        elif isinstance(item, Outputs):
            self.outputs = item.values
        elif item is not None:
            self.seen.append(item)
        if isinstance(item, Change) and item.type != OUTPUTS:
            self.on_change(item)

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """Errors and warnings."""
        return [item for item in self.seen if isinstance(item, Diagnostic)]

    @property
    def package_is_damaged(self) -> bool:
        """A provider is not what `init` installed, for which reason nothing was done."""
        return not self.began and any(_DAMAGED in item.detail for item in self.diagnostics)


def read(line: str) -> Event | None:
    """What a line says; None for everything that nobody here asks about."""
    try:
        event = json.loads(line)
        kind = event["type"]
        if kind == "planned_change":
            return _change(event["change"])
        if kind == "outputs":
            return _outputs(event["outputs"])
        if kind == "diagnostic":
            return _diagnostic(event["diagnostic"])
        if kind in _STATES:
            return _applying(kind, event["hook"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # a panic's text, or a version that speaks otherwise
    return None


def _action(name: str) -> Action:
    return _ACTIONS.get(name, "other")


def _address(resource: dict[str, Any]) -> str:
    return str(resource["resource"])


def _change(raw: dict[str, Any]) -> Change | None:
    if raw["action"] in _LOOKS:
        return None
    resource = raw["resource"]
    reason = raw.get("reason")
    return Change(_address(resource), resource["resource_type"], _action(raw["action"]), reason)


def _outputs(raw: dict[str, Any]) -> Change | Outputs | None:
    """Actions in a plan, values after an apply."""
    actions = {output["action"] for output in raw.values() if "action" in output}
    if raw and not actions:
        return Outputs({name: item["value"] for name, item in raw.items() if "value" in item})
    return Change("outputs", OUTPUTS, "update") if actions - {*_LOOKS} else None


def _applying(kind: str, hook: dict[str, Any]) -> Applying | None:
    if hook["action"] in _LOOKS:
        return None
    resource = hook["resource"]
    return Applying(
        address=_address(resource),
        type=resource["resource_type"],
        action=_action(hook["action"]),
        state=_STATES[kind],
        id=hook.get("id_value"),
        seconds=float(hook.get("elapsed_seconds", 0)),
    )


def _diagnostic(raw: dict[str, Any]) -> Diagnostic:
    detail = " ".join(str(raw.get("detail") or "").split())
    return Diagnostic(raw["severity"], str(raw["summary"]).strip(), detail, raw.get("address"))
