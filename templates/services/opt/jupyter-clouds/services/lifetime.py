"""How long this machine may run: what it was told, and since when; kept on the data volume."""

from __future__ import annotations

import json
import math
import os
import time
from typing import Any

import clouds

# A test's clock: so many times as fast as the world's.
SPEED = float(os.environ.get("CLOUDS_CLOCK_SPEED", "1"))
MINUTE, HOUR = 60 / SPEED, 3600 / SPEED
MOST_MINUTES, MOST_HOURS = 60 * 24 * 31, 24 * 366
NOTICE = 10 * MINUTE
DEFAULTS = {"idle_minutes": 45.0, "max_hours": 12.0}
MOST = {"idle_minutes": MOST_MINUTES, "max_hours": MOST_HOURS}


def now() -> float:
    """Seconds since the boot, those of a hibernation included: a monotonic clock stands still then.

    https://man7.org/linux/man-pages/man2/clock_gettime.2.html
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def number(value: object, most: float) -> float:
    """The number, from 0. Raises ValueError."""
    found = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        found = float(value)
    # Nothing is true of NaN.
    if not 0 <= found <= most:
        raise ValueError(f"not a number from 0 to {most}: {value!r}")
    return found


def warning(seconds: float) -> float:
    """Seconds before the end in which it is announced."""
    return min(NOTICE, seconds / 3)


class Lifetime:
    """The times. All of them are the world's, so that they outlive this boot."""

    def __init__(self) -> None:
        volume = clouds.ROOT / "mnt/jupyter-clouds/clouds"
        self.path = (volume if volume.is_dir() else clouds.VAR) / "autostop.json"
        self.known: dict[str, Any] = {}
        self.booted = time.time()
        boot = clouds.ROOT / "proc/sys/kernel/random/boot_id"
        machine = clouds.ROOT / "etc/machine-id"
        self.here = {"boot": _text(boot), "machine": _text(machine)}
        self._read()

    def _read(self) -> None:
        try:
            self.known = dict(json.loads(self.path.read_text()))
        except (OSError, ValueError, TypeError):
            self.known = {}
        told = clouds.settings()
        given = {name: told.get(name, default) for name, default in DEFAULTS.items()}
        for name, value in DEFAULTS.items():
            # What a machine was told later holds until Terraform tells it something else.
            if self.known.get("given") != given or name not in self.known:
                self.known[name] = number(given.get(name, value), MOST[name])
        self.known["given"] = given
        before = {name: self.known.get(name) for name in self.here}
        if before["boot"] == self.here["boot"] and "begun" in self.known:
            self.booted = self.known["booted"]
            return
        same = before["machine"] == self.here["machine"]
        if not same:
            # Another machine's, whose data this one has.
            self.known.pop("ended_at", None)
        # EC2 starts a machine that it took back by itself, perhaps at night: that is no new life.
        goes_on = same and not self.known.get("ended")
        if not goes_on or "begun" not in self.known:
            self.begin()
        self.known |= {**self.here, "booted": self.booted, "ended": None, "wanted": not goes_on}
        self.write()

    def begin(self) -> None:
        """The time is counted from now on."""
        self.known |= {"begun": time.time(), "extra": 0.0, "ended": None, "wanted": True}

    @property
    def wanted(self) -> bool:
        """Whether somebody asked for this boot."""
        return bool(self.known.get("wanted", True))

    @property
    def quiet(self) -> float | None:
        """Seconds since the last use that was noted, boots before this one included."""
        try:
            return max(0.0, time.time() - float(self.known["active"]))
        except (KeyError, TypeError, ValueError):
            return None

    def note(self, quiet: float, least: float = 1.0) -> None:
        """The last use was so many seconds ago; written down when that is `least` seconds news."""
        moment = time.time() - quiet
        before = self.quiet
        if before is None or before - quiet > least:
            self.known["active"] = moment
            self.write()

    def write(self) -> None:
        """It outlives this boot; not where the disk is full, which is no reason to run on."""
        try:
            clouds.write(self.path, json.dumps(self.known))
        except OSError as error:
            print(f"{self.path}: {error}")

    @property
    def window(self) -> float:
        """Seconds without work after which the machine stops; 0 for never."""
        return float(self.known["idle_minutes"]) * MINUTE

    @property
    def seconds(self) -> float:
        """That it may run in all; 0 for no limit."""
        if not self.known["max_hours"]:
            return 0.0
        return float(self.known["max_hours"] + self.known["extra"]) * HOUR

    @property
    def ends(self) -> float | None:
        """When it ends. After a boot there is always time for the notice."""
        if not self.seconds:
            return None
        told = float(self.known["begun"]) + self.seconds
        return max(told, self.booted + warning(self.seconds))

    def extend(self, hours: float) -> None:
        """The end is so much later, from now on if it is over. Raises ValueError without an end."""
        if self.ends is None:
            raise ValueError("this machine has no end: max_hours is 0")
        late = max(time.time() - (self.known["begun"] + self.seconds), 0) / HOUR
        self.known["extra"] += hours + late
        self.write()

    def set(self, wanted: dict[str, Any]) -> None:
        """These hold from now on, over what Terraform said. Raises ValueError."""
        self.known |= {
            name: number(wanted[name], MOST[name]) for name in DEFAULTS if name in wanted
        }
        self.write()

    def end(self, why: str) -> None:
        """The next boot is a new beginning: somebody will have wanted it."""
        self.known |= {"ended": why, "ended_at": time.time()}
        self.write()

    @property
    def last_ended(self) -> float | None:
        """When this machine went down before this boot; None where nobody knows.

        EC2 does not tell of a shutdown from inside when it was.
        """
        at = self.known.get("ended_at")
        return float(at) if at and at < self.booted else None


def _text(path: Any) -> str:
    try:
        return str(path.read_text()).strip()
    except OSError:
        return ""
