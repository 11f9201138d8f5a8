"""The machine's programs that look for its use, and a user whose processes they see."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.machine_tree import lay_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

USER = 1000
"""Whose processes are a user's; root, as whom the tests may run, is not one."""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """The machine's modules, as they lie beside each other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(lay_out(tmp_path_factory.mktemp("machine")) / "services"))
        yield importlib.import_module
    for name in ("activity", "processes", "terminals"):
        sys.modules.pop(name, None)


def whose() -> dict[str, Any]:
    """A user's process, also where the tests are root's."""
    return {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}
