"""Kernels get ports that nobody else is given while they start."""

from __future__ import annotations

import itertools
import socket
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HERE = "127.0.0.1"


@pytest.fixture
def ports(machines_module: Callable[[str], Any], tmp_path: Path) -> Any:
    """The machine's module, on a computer that gives ports from 40000 on to whoever asks."""
    found = machines_module("ports")
    found.ANY = tmp_path / "range"
    found.ANY.write_text("40000\t60999\n")
    return found


def test_a_kernels_ports_are_below_those_that_the_system_gives(ports: Any) -> None:
    cache = ports.Ports()
    given = [cache.find_available_port(HERE) for _ in range(50)]
    assert all(30_000 <= port < 40_000 for port in given)
    assert len(set(given)) == len(given)


def test_a_port_that_somebody_has_is_given_to_no_kernel(
    ports: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind((HERE, 0))
        port = taken.getsockname()[1]
        numbers = itertools.count()
        monkeypatch.setattr(ports.secrets, "randbelow", lambda _: next(numbers))
        ports.ANY.write_text(f"{port + 1}\t60999\n")
        assert ports.Ports().find_available_port(HERE) < port


def test_where_none_is_free_below_the_system_chooses(ports: Any) -> None:
    ports.ANY.write_text("1024\t60999\n")
    assert ports.Ports().find_available_port(HERE) >= 1024


def test_it_takes_the_place_of_jupyters_own(ports: Any) -> None:
    upstream = ports.LocalPortCache
    upstream.clear_instance()
    try:
        assert ports.Ports.instance() is upstream.instance()
    finally:
        ports.Ports.clear_instance()
