"""A clock that is wrong is told with the command that sets it on this system."""

from __future__ import annotations

import platform

import pytest

from wrapper import clock


@pytest.mark.parametrize(
    ("system", "release", "typed"),
    [
        pytest.param("Linux", "6.8.0-31-generic", "timedatectl", id="Linux"),
        pytest.param("Linux", "5.15.153.1-microsoft-standard-WSL2", "hwclock", id="WSL"),
        pytest.param("Darwin", "24.1.0", "sntp", id="macOS"),
    ],
)
def test_what_sets_the_clock_fits_the_system(
    system: str, release: str, typed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "release", lambda: release)
    assert clock.command().split()[:2] == ["sudo", typed]
