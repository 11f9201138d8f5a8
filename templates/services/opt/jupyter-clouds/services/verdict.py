"""When this machine stops by itself: what is known of it, what is announced, what was wished."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import clouds
import runs
from activity import Activity, Door, Unanswered
from lifetime import DEFAULTS, MINUTE, MOST_HOURS, Lifetime, now, number, warning

DOOR = os.environ.get("JUPYTER_CLOUDS_DOOR", f"{clouds.RUN}/door/jupyter.sock")
MEMORY = clouds.RUN / "autostop.json"
LOOKS = 45  # in a window
NOTED = 5 * MINUTE  # between two notes of the last use, which outlive this boot
LEAST, LONGEST = 0.5, MINUTE / 2  # seconds between two looks
AWAITED = MINUTE / 15  # likewise, while the end of a run is to stop the machine
AFTER = MINUTE  # between a run's end and the machine's
OURS = "autostop-"  # how the ids of our notices begin
TEXTS = {
    "idle": "Nothing runs here and nobody types. At {time} everything is saved and this machine"
    " stops.",
    "lifetime": "This machine's hours are over at {time}. Then everything is saved and it stops.",
    "run": "The run has ended. At {time} everything is saved and this machine stops, as was asked.",
}
STAY = {"label": "Stay", "command": "jupyter-clouds:stay"}
BUTTONS = {
    "idle": STAY,
    "run": STAY,
    "lifetime": {
        "label": "One more hour",
        "command": "jupyter-clouds:extend",
        "args": {"hours": 1},
    },
}


def instant(moment: float) -> str:
    """The time as everybody reads it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


class Verdict:
    """What is known now. Clocks: `now` and `active` are this boot's, ends are the world's."""

    def __init__(self) -> None:
        self.lifetime = Lifetime()
        self.door = Door(DOOR, clouds.USER.pw_uid)
        self.activity = Activity(self.door, clouds.RUN / "status.json", runs.going)
        self.active, self.announced = self._remembered()
        self.asleep = now() - time.monotonic()
        self.awaited, self.leaving = self._awaited()
        self.busy: list[str] = []
        self.stopping = ""
        self.shown = False

    def _remembered(self) -> tuple[float, dict[str, float]]:
        """Since when nothing goes on and what was announced, as a watch before this one knew it.

        Else one that hangs again and again would never come to an end; nor would a machine that
        EC2 takes and brings back all night.
        """
        present = now()
        try:
            known = json.loads(MEMORY.read_text())
            announced = {
                kind: min(present, float(known["announced"][kind]))
                for kind in TEXTS
                if kind in known["announced"]
            }
            return min(present, float(known["active"])), announced
        except (OSError, ValueError, KeyError, TypeError):
            quiet = None if self.lifetime.wanted else self.lifetime.quiet
            return present - (quiet or 0.0), {}

    @staticmethod
    def _awaited() -> tuple[set[str], bool]:
        """The runs whose end stops the machine, and whether the last of them has ended."""
        try:
            known = json.loads(MEMORY.read_text())
            return set(map(str, known["awaited"])), bool(known["leaving"])
        except (OSError, ValueError, KeyError, TypeError):
            return set(), False

    @property
    def pause(self) -> float:
        """Seconds between two looks."""
        if self.awaited or self.leaving:
            return max(LEAST, AWAITED)
        spans = [one for one in (self.lifetime.window, self.lifetime.seconds) if one]
        return max(LEAST, min([LONGEST, *(one / LOOKS for one in spans)]))

    def look(self) -> None:
        """What goes on is known."""
        self.busy, quiet = self.activity.look()
        present = now()
        asleep = present - time.monotonic()
        if asleep > self.asleep + MINUTE:
            self.announced.clear()  # nobody could answer
        self.asleep = asleep
        # A boot that nobody asked for is no use, as long as it takes.
        booting = not self.lifetime.wanted and any(one.startswith("phase ") for one in self.busy)
        if self.busy and not booting:
            self.active = present
        else:
            self.active = max(self.active, present - quiet)
        if self.awaited and not self.awaited & set(runs.going()):
            self.awaited, self.leaving = set(), True
            # Whatever was quiet until now: its end was work.
            self.active = present
        self.remember()

    def remember(self) -> None:
        """The next watch of this boot goes on from here, and that of the next about from here."""
        known = {"active": self.active, "announced": self.announced}
        known |= {"awaited": sorted(self.awaited), "leaving": self.leaving}
        clouds.write(MEMORY, json.dumps(known))
        self.note(NOTED)

    def note(self, least: float = 1.0) -> None:
        """The last use is known to the next boot, if it is news of so many seconds."""
        self.lifetime.note(now() - self.active, least)

    def ends(self) -> dict[str, float]:
        """What would stop the machine, and when, on the clock of this boot."""
        found = {}
        if self.leaving:
            found["run"] = self.active + AFTER
        if self.lifetime.window:
            found["idle"] = self.active + self.lifetime.window
        if self.lifetime.ends is not None:
            found["lifetime"] = now() + self.lifetime.ends - time.time()
        return found

    def due(self) -> dict[str, float]:
        """Of those, what is near; nothing ends sooner than it could be read and answered."""
        present, found = now(), {}
        spans = {
            "idle": warning(self.lifetime.window),
            "lifetime": warning(self.lifetime.seconds),
            "run": AFTER,
        }
        for kind, end in self.ends().items():
            before = spans[kind]
            if end - present <= before:
                first = self.announced.setdefault(kind, present)
                # A watch that was not there for a while begins with the notice, too.
                found[kind] = max(end, first + before * 0.9)
        for kind in set(self.announced) - set(found):
            del self.announced[kind]
        return found

    def show(self, due: dict[str, float]) -> None:
        """JupyterLab shows what comes first, or nothing of ours."""
        kind = min(due, key=lambda one: due[one], default="")
        try:
            if kind:
                self.door.ask("POST", "/notice", self._notice(kind, due[kind]))
            elif self.shown:
                self.take_away(OURS)
            self.shown = bool(kind)
        except Unanswered as error:
            print(f"no notice: {error}")

    def take_away(self, begins: str) -> None:
        """JupyterLab no longer shows a notice whose id begins so. Raises Unanswered."""
        self.door.ask("POST", "/notice", {"gone": begins})

    def _notice(self, kind: str, end: float) -> dict[str, Any]:
        moment = time.time() + end - now()
        return {
            # One for each time that it is announced.
            "id": f"{OURS}{kind}-{self.announced[kind]:.0f}",
            "level": "warning",
            "text": TEXTS[kind],
            "time": instant(moment),
            "actions": [BUTTONS[kind]],
            "yields": True,
        }

    def answer(self, words: dict[str, Any]) -> dict[str, Any]:
        """What is known, after what was asked for was done. Raises ValueError."""
        wish = words.get("do", "status")
        doing = {"extend": self._extend, "set": self._set, "begin": self._set}
        doing |= {"run": self._run, "stay": self._stay, "hold": _nothing, "status": _nothing}
        if not isinstance(wish, str) or wish not in doing:
            raise ValueError(f"no such wish: {wish!r}")
        doing[wish](words)
        if wish != "status":
            # Whoever says anything of this is there.
            self.active = now()
            self.announced.pop("idle", None)
            if wish != "hold":
                self.announced.pop("run", None)
            if wish in {"extend", "set", "begin"}:
                self.announced.pop("lifetime", None)
            self.show(self.due())
            self.remember()
        return self.status()

    def _extend(self, words: dict[str, Any]) -> None:
        self.lifetime.extend(number(words.get("hours"), MOST_HOURS))

    def _set(self, words: dict[str, Any]) -> None:
        self.lifetime.set({name: words[name] for name in DEFAULTS if name in words})
        if words["do"] == "begin":
            self.lifetime.begin()
            self.lifetime.write()

    def _run(self, words: dict[str, Any]) -> None:
        runs.start(words.get("name"))
        # Not only from the next look on.
        self.busy = sorted({*self.busy, *(f"run {name}" for name in runs.going())})
        if words.get("stop"):
            self.awaited.add(words["name"])
        else:
            self.leaving = False

    def _stay(self, _: dict[str, Any]) -> None:
        self.awaited, self.leaving = set(), False

    def status(self) -> dict[str, Any]:
        """What everybody who got in may know."""
        ends, known = self.ends(), self.lifetime.known
        world, last = time.time() - now(), self.lifetime.last_ended
        quiet = bool(self.lifetime.window) and not self.busy
        idle_end = max(ends.get("idle", 0.0), self.due().get("idle", 0.0))
        return {
            "busy": self.busy,
            "stopping": self.stopping or None,
            "run_stops": bool(self.awaited or self.leaving),
            "idle_minutes": known["idle_minutes"],
            "max_hours": known["max_hours"],
            "idle_since": None if self.busy else instant(self.active + world),
            "idle_stops_at": instant(idle_end + world) if quiet else None,
            "began": instant(known["begun"]),
            "last_ended": last and instant(last),
            "ends_at": None if self.lifetime.ends is None else instant(self.lifetime.ends),
        }

    def over(self) -> str:
        """Why the machine stops now; empty while it does not."""
        present = now()
        ended = [kind for kind, end in sorted(self.due().items()) if end <= present]
        # Packages may still be installing.
        return next((kind for kind in ended if kind != "idle" or not self.busy), "")


def _nothing(_: dict[str, Any]) -> None:
    """Only told, or only heard of."""
