#!/usr/bin/python3 -u
"""Saves what can be saved, step by step, each in its time: rescue.py REASON.

`interruption` and whatever word somebody calls it with: everything. `rebalance`, a chance of an
interruption: documents. `stop`, an ordinary one of the machine: what takes no thought.
docs/adr/0008-interruption.md tells why it does what it does.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

import bounded
import clouds
import door
import runs
from lifetime import now

# Seconds that each step may take, in order: together well below the two minutes of a notice.
STEPS = {"documents": 12, "kernels": 5, "notify": 5, "git": 35, "hook": 25, "sync": 15}
STEPS_FOR = {"rebalance": ["documents"], "stop": ["documents", "kernels", "sync"]}
LEAST = 2  # seconds that a step gets, late as it may be
FRESH = 150  # seconds for which a rescue makes the one at a stop needless
HOOK = ".config/jupyter-clouds/on-interruption"
END = 2000  # characters of the hook's output in the report
DOOR = 4  # seconds that Jupyter waits for its tabs
TEXTS = {
    "stop": "AWS stops this spot machine at {time}. All is being saved. It comes back here by"
    " itself, without what kernels hold in memory.",
    "terminate": "AWS takes this spot machine away at {time}. All is being saved. What kernels"
    " hold in memory is lost.",
    "hibernate": "AWS hibernates this spot machine now. All is being saved. It comes back here"
    " by itself, kernels and all.",
    "rebalance": "AWS may soon interrupt this spot machine. All documents are being saved.",
    "shutdown": "This machine is being stopped. All documents are being saved.",
}
# For who is not in front of it. Who stops it is told nothing.
FAR = {
    "stop": "AWS stops this spot machine{at}. All is being saved. It comes back by itself when"
    " there is capacity.",
    "terminate": "AWS takes this spot machine away{at}. All is being saved.",
    "hibernate": "AWS hibernates this spot machine now. It comes back by itself.",
    "idle": "Nothing has run here for a while. All is being saved, then this machine stops.",
    "lifetime": "The hours of this machine are over. All is being saved, then it stops.",
}


def notice(reason: str, given: dict[str, str]) -> dict[str, Any] | None:
    """What JupyterLab shows; it cuts a text at 140 characters."""
    if reason == "interruption":
        kind = given.get("action", "terminate")
    else:
        ends = dict.fromkeys(("idle", "lifetime", "run", "stop"), "shutdown")
        kind = {"rebalance": "rebalance", **ends}.get(reason, "")
    text = TEXTS.get(kind)
    if not text:
        return None
    level = "info" if kind in {"rebalance", "shutdown"} else "warning"
    return {
        # The same notice is shown once, however often it is sent.
        "id": f"{reason}-{given.get('time', '')}",
        "level": level,
        "text": text,
        "time": given.get("time", ""),
    }


class Rescue:
    """One run: what was asked for, and what became of it."""

    def __init__(self, reason: str, given: dict[str, str]) -> None:
        self.reason, self.given = reason, given
        self.names = STEPS_FOR.get(reason, list(STEPS))
        self.begun = time.monotonic()
        self.stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        self.report: dict[str, Any] = {
            "reason": reason,
            "notice": given,
            "begun": self.stamp,
            "host": os.uname().nodename,
            "runs": runs.going(),
            "steps": {},
        }

    def limit(self, name: str) -> float:
        """Seconds for the step: its own, or what is left until the machine is taken."""
        left = float("inf")
        with contextlib.suppress(KeyError, ValueError):
            end = dt.datetime.fromisoformat(self.given["time"])
            if end.tzinfo and self.reason == "interruption":
                left = end.timestamp() - time.time()
        # A notice of the past is a clock that is wrong, or one more try.
        if left < 0:
            left = float("inf")
        # The disk comes last, and needs a moment of its own.
        return max(LEAST, min(STEPS[name], left if name == "sync" else left - 2 * LEAST))

    def step(self, name: str) -> None:
        """The step has ended, well or not, and the console and the report tell."""
        begun, limit = time.monotonic(), self.limit(name)
        found = bounded.call(lambda: getattr(self, name)(limit), limit + 1)
        seconds = round(time.monotonic() - begun, 1)
        failed = f" failed={found['failed']}" if found.get("failed") else ""
        clouds.console(
            f"jupyter-clouds: rescue step={name} seconds={seconds} ok={found['ok']}{failed}"
        )
        self.report["steps"][name] = {"seconds": seconds, **found}
        self.write()

    def write(self) -> None:
        """The report has what is known, and one copy lasts as long as this boot."""
        text = json.dumps(self.report, indent=1)
        volume = clouds.ROOT / "mnt/jupyter-clouds/clouds"
        clouds.write(clouds.RUN / "rescue.json", text)
        # A full disk must not end the rescue.
        with contextlib.suppress(OSError):
            place = volume if volume.is_dir() else clouds.VAR
            clouds.write(place / "rescue.json", text, 0o640, clouds.USER.pw_gid)

    def documents(self, limit: float) -> dict[str, Any]:
        """Tabs are told and have saved, and what cells printed is in the files."""
        if shown := notice(self.reason, self.given):
            with contextlib.suppress(OSError, ValueError):
                door.ask("POST", "/notice", shown, LEAST)
        seconds = min(DOOR, limit / 2)
        found = door.ask("POST", "/save", {"seconds": seconds}, limit)
        if found is None:
            return {"ok": 0, "note": "Jupyter does not run"}
        bad = [one for one in found["documents"] if one["state"] != "saved"]
        return {"ok": len(found["documents"]) - len(bad), "failed": len(bad), **found}

    def kernels(self, limit: float) -> dict[str, Any]:
        """The work folder has a list of the kernels, and of what they ran."""
        found = door.ask("POST", "/kernels", {"name": f"kernels-{self.stamp}.json"}, limit)
        return {"ok": found["kernels"] if found else 0, **(found or {})}

    def notify(self, limit: float) -> dict[str, Any]:
        """Whoever gave a webhook knows why the machine goes away."""
        interrupted = self.reason == "interruption"
        text = FAR.get(self.given.get("action", "terminate") if interrupted else self.reason)
        if text is None:
            return {"ok": 0, "note": f"nobody is told of a {self.reason}"}
        moment = self.given.get("time")
        text = text.format(at=f" at {moment.replace('T', ' ')}" if moment else "")
        program = Path(__file__).with_name("notify.py")
        # The user's: root sends nothing to where they say.
        done = bounded.run(
            [sys.executable, "-IBu", program, self.reason, text],
            limit,
            CLOUDS_WEBHOOK=str(clouds.STATE / "webhook"),
        )
        with contextlib.suppress(ValueError, TypeError):
            found: dict[str, Any] = json.loads(done.output)
            return dict(found)
        return {"ok": 0, "failed": 1, "error": ending(done)}

    def git(self, limit: float) -> dict[str, Any]:
        """Side branches have the work in progress."""
        program = Path(__file__).with_name("autosave.py")
        work = bounded.HOME / "work"
        # A second less: it then tells itself what it did not get done.
        done = bounded.run([sys.executable, "-IBu", program, work, f"{limit - 1}"], limit)
        found: dict[str, dict[str, Any]] = {}
        for line in done.output.splitlines():
            with contextlib.suppress(ValueError, TypeError, KeyError):
                one = json.loads(line)
                found[one["path"]] = one
        repositories = list(found.values())
        bad = [one for one in repositories if {"error", "not_pushed"} & set(one)]
        result = {"failed": len(bad), "repositories": repositories}
        if done.code != 0:
            result |= {"failed": len(bad) + 1, "error": ending(done)}
        return {"ok": len([one for one in repositories if "branch" in one]), **result}

    def hook(self, limit: float) -> dict[str, Any]:
        """The user's own program has run."""
        hook = bounded.HOME / HOOK
        # Looked for by the user, too: root follows no link of theirs.
        if bounded.run(["test", "-f", hook, "-a", "-x", hook], LEAST).code != 0:
            return {"ok": 0, "note": f"no executable ~/{HOOK}"}
        words = {f"CLOUDS_{name.upper()}": value for name, value in self.given.items()}
        inside = ["sh", "-c", 'cd "$HOME/work" 2>/dev/null || cd; exec "$0" "$@"', hook]
        done = bounded.run([*inside, self.reason], limit, CLOUDS_REASON=self.reason, **words)
        result = {"ok": int(done.code == 0), "output": done.output[-END:]}
        return result if done.code == 0 else {**result, "failed": 1, "error": ending(done)}

    def sync(self, _: float) -> dict[str, Any]:
        """File systems are on their disks."""
        os.sync()
        return {"ok": 1}

    def run(self) -> None:
        """All steps have ended, and the console says so."""
        if going := self.report["runs"]:
            # Each writes down by itself how far it came, when its unit is stopped.
            clouds.console(f"jupyter-clouds: rescue runs={','.join(going)}")
        for name in self.names:
            self.step(name)
        seconds = round(time.monotonic() - self.begun, 1)
        self.report |= {"seconds": seconds, "done": now()}
        self.write()
        clouds.console(f"jupyter-clouds: rescue done seconds={seconds}")


def ending(done: bounded.Done) -> str:
    """Why a program is no success."""
    if done.code is None:
        return "not done in time"
    return f"ended with {done.code}: {done.output.strip()[-300:]}"


def before() -> dict[str, Any]:
    """The last rescue of this boot."""
    with contextlib.suppress(OSError, ValueError):
        found: dict[str, Any] = json.loads((clouds.RUN / "rescue.json").read_text())
        return found
    return {}


def covered(reason: str, begun: float) -> bool:
    """Whether a rescue that was done meanwhile, or just before a stop, did all of this one."""
    last = before()
    names = set(STEPS_FOR.get(reason, STEPS))
    if not names <= set(last.get("steps", {})) or "done" not in last:
        return False
    return bool(last["done"] > begun - (FRESH if reason == "stop" else 0))


def main() -> int:
    reason = sys.argv[1] if len(sys.argv) == 2 else ""  # noqa: PLR2004 - program and word
    if not re.fullmatch(r"[a-z][a-z-]{0,31}", reason):
        print("rescue.py REASON, a word: interruption, rebalance, stop, or one of yours")
        return 2
    begun = now()
    clouds.RUN.mkdir(parents=True, exist_ok=True)
    with (clouds.RUN / "rescue.lock").open("w") as lock:
        # A second call joins the first, or takes its turn; the watch and a stop may meet.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if covered(reason, begun):
            print("done by the rescue just before")
            return 0
        given: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError):
            given = json.loads((clouds.RUN / f"notice-{reason}.json").read_text())
        clouds.console(f"jupyter-clouds: rescue reason={reason}")
        rescue = Rescue(reason, given)
        rescue.run()
    return int(any(step.get("failed") for step in rescue.report["steps"].values()))


if __name__ == "__main__":
    sys.exit(main())
