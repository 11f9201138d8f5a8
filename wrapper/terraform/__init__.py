"""Terraform (or OpenTofu), and the only room that imports python_terraform.

Light to import: the library is loaded with `Terraform`, not with the values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wrapper.terraform.events import Applying, Change, Plan

if TYPE_CHECKING:
    from wrapper.terraform.commands import Terraform

__all__ = ["Applying", "Change", "Plan", "Terraform"]


def __getattr__(name: str) -> Any:
    if name == "Terraform":
        from wrapper.terraform.commands import Terraform  # noqa: PLC0415 (when it is needed)

        return Terraform
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
