"""`sync --watch`: the real Unison and the monitor at both ends, with a stand-in between."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shutil
import signal
import socketserver
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.unit.far_machine import ODD, contents
from tests.unit.synced import Ends, ends, fill, git
from wrapper.deployment import far_end, ssh
from wrapper.deployment.events import Progress, Warned

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ends"]  # a fixture, for pytest to find here


class Watching:
    """A `sync --watch` beside the test, until its end; what it says, and how it ends."""

    def __init__(self, ends: Ends) -> None:
        self.ends, self.said = ends, []  # type: ignore[var-annotated] # events of any kind
        self.over = False

    def __enter__(self) -> Self:
        def report(event: Any) -> None:
            self.said.append(event)
            if self.over and not isinstance(event, Progress):  # told by another thread
                raise KeyboardInterrupt

        self.ends.world = dataclasses.replace(self.ends.world, report=report)
        self.pool = ThreadPoolExecutor()
        self.running = self.pool.submit(self.ends.sync, watch=True)
        (self.ends.here / "marker").touch()
        self.until((self.ends.there / "marker").exists)
        return self

    def __exit__(self, *_: object) -> None:
        self.over = True
        while not self.running.done():  # that its Unison has ended is told, and whatever is ends it
            for child in _children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGTERM)
            time.sleep(0.05)
        self.pool.shutdown()
        assert isinstance(self.running.exception(), KeyboardInterrupt)

    def until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + 30
        while not true():
            if self.running.done():
                self.running.result()
            assert time.monotonic() < end, self.said
            time.sleep(0.02)

    def arrives(self, name: str, *, there: bool = True) -> None:
        folder = self.ends.there if there else self.ends.here
        self.until((folder / name).exists)


def _children() -> list[int]:
    """This process's Unisons."""
    tasks = Path("/proc/self/task").glob("*/children")
    found = [int(one) for task in tasks for one in task.read_text().split()]
    return [one for one in found if _name(one) == "unison"]


def _name(process: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/comm").read_text(encoding="utf-8").strip()
    return ""


def test_a_watch_brings_changes_both_ways(ends: Ends) -> None:
    odd = os.fsdecode(b"odd\xff %2f")
    fill(ends.here, *ODD, "deep/er/a")
    with Watching(ends) as watching:
        fill(ends.here, "new/folder/b", "-x y")
        fill(ends.there, "other/folder/c", odd)
        for name in ("new/folder/b", "-x y"):
            watching.arrives(name)
        for name in ("other/folder/c", odd):
            watching.arrives(name, there=False)
        (ends.there / "deep/er/a").write_text("changed there")
        (ends.here / "other/folder/c").write_text("changed here")
        watching.until(lambda: (ends.here / "deep/er/a").read_text() == "changed there")
        watching.until(lambda: (ends.there / "other/folder/c").read_text() == "changed here")


def test_a_watch_names_a_conflict_and_leaves_both(ends: Ends) -> None:
    fill(ends.here, "a", "b")
    ends.sync()
    with Watching(ends) as watching:
        for one in (ends.here, ends.there):
            (one / "a").write_text(f"of {one.parent.name}")
        watching.until(lambda: any("left as it is: a" in one.text for one in watching.said))
        assert (ends.here / "a").read_text() != (ends.there / "a").read_text()


RULES = "/build/\n*.py[cod]\nsub/*.log\n!sub/kept.log\n__pycache__/\n"


def without_git(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine has the one in the notebook's environment alone, as Debian's images."""
    programs, server = (ends.home.parent / one for one in ("programs", "server"))
    programs.mkdir()
    for one in Path("/usr/bin").iterdir():
        if not one.name.startswith("git"):
            (programs / one.name).symlink_to(one)
    server.mkdir()
    (server / "git").symlink_to("/usr/bin/git")
    monkeypatch.setattr(far_end, "_SERVER", str(server))
    tool = ends.home.parent / "tools/ssh"
    tool.write_text(
        tool.read_text().replace('kept | {"HOME"', f'kept | {{"PATH": "{programs}", "HOME"')
    )
    assert str(programs) in tool.read_text()


@pytest.mark.parametrize(
    ("end", "repository"),
    [("here", True), ("there", False), ("there", None)],
    ids=["here, in a repository", "there, of none", "there, by the notebook's own git"],
)
def test_what_is_ignored_and_comes_to_be_under_a_watch_stays(
    end: str, repository: bool | None, ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    if repository:
        git(ends.here, "init", "-q")
    if repository is None:
        without_git(ends, monkeypatch)
    (ends.here / ".gitignore").write_text(RULES)
    fill(ends.here, "sub/a")
    with Watching(ends) as watching:
        one, other = (ends.here, ends.there) if end == "here" else (ends.there, ends.here)
        names = ("x.pyc", "sub/x.log", "build/x", "__pycache__/y", "build/deep/z")
        fill(one, *names)
        fill(one, "new/x.pyd", "new/__pycache__/z", "new/seen", "sub/kept.log", "odd [1]{*}")
        for name in ("new/seen", "sub/kept.log", "odd [1]{*}"):
            watching.arrives(name, there=end == "here")
        fill(one, *(f"new/{name}" for name in names if "sub" not in name), "last")
        watching.arrives("last", there=end == "here")
        watching.arrives("new/build/deep/z", there=end == "here")
    # Unison's own are of what the end of the watch cut off: it never takes them for files.
    passing = ("last", ".unison.", ".git/")
    assert {name for name in contents(other) if not name.startswith(passing)} == {
        *(".gitignore", "marker", "sub/a", "sub/kept.log", "new/seen", "odd [1]{*}"),
        *("new/build/x", "new/build/deep/z"),
    }


MEANWHILE = """import time
if "-server" in " ".join(sys.argv):
    with open({count!r}, "a") as done:
        done.write("x")
        again = done.tell() <= {times}
    for name in {names!r} if again else ():
        open(name + str(time.time_ns()) + ".log", "w").close()
"""


def coming_to_be(ends: Ends, *, times: int) -> None:
    """So often, after git was asked and before Unison looks, both ends get what git leaves out."""
    tool = ends.home.parent / "tools/ssh"
    ends.there.mkdir()
    code = MEANWHILE.format(
        count=str(ends.home.parent / "count"),
        times=times,
        names=[str(one / "new") for one in (ends.here, ends.there)],
    )
    tool.write_text(tool.read_text().replace("import os, sys\n", "import os, sys\n" + code))
    assert "time_ns" in tool.read_text()


def test_what_is_ignored_and_comes_to_be_as_a_watch_begins_stays(ends: Ends) -> None:
    (ends.here / ".gitignore").write_text("*.log\n")
    coming_to_be(ends, times=2)
    with Watching(ends):
        pass
    mine, theirs = ({one.name for one in end.glob("*.log")} for end in (ends.here, ends.there))
    assert (len(mine), len(theirs), mine & theirs) == (2, 2, set())


def test_a_watch_begins_though_what_is_ignored_comes_to_be_all_the_time(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wrapper.deployment.syncing._TRIES", 2)
    (ends.here / ".gitignore").write_text("*.log\n")
    coming_to_be(ends, times=1000)
    with Watching(ends) as watching:
        [warned] = [one.text for one in watching.said if isinstance(one, Warned)]
    assert re.fullmatch(r"new\d+\.log and others come to be faster .*", warned)


def test_rules_that_change_count_at_once(ends: Ends) -> None:
    fill(ends.here, "a.log", "b")
    (ends.here / ".gitignore").write_text("*.log\n")
    with Watching(ends) as watching:
        (ends.here / ".gitignore").write_text("*.csv\n")
        watching.arrives("a.log")
        fill(ends.there, "x.csv", "after")
        watching.arrives("after", there=False)
        assert not (ends.here / "x.csv").exists()


def test_what_is_open_there_is_saved_before_a_change_arrives(
    ends: Ends, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for the notebook's extension writes what somebody has typed in a tab."""
    fill(ends.here, "open.txt", "other")
    ends.sync()
    with Door(tmp_path / "door", ends.there / "open.txt") as door:
        monkeypatch.setattr(far_end, "_DOOR", str(tmp_path / "door"))
        (ends.here / "open.txt").write_text("from here")
        door.typed = "typed there"
        assert ends.sync().conflicts == ("open.txt",)
        assert (ends.there / "open.txt").read_text() == "typed there"
        shutil.copy2(ends.there / "open.txt", ends.here / "open.txt")
        with Watching(ends) as watching:
            # The first round, which began with a save of its own, is over then.
            fill(ends.here, "second round")
            watching.arrives("second round")
            door.typed = "typed under a watch"
            (ends.here / "open.txt").write_text("changed here under a watch")
            watching.until(lambda: any("left as it is: open" in e.text for e in watching.said))
            # A round that had begun may have told it, and saved before the words were typed.
            fill(ends.here, "one more round")
            watching.until(lambda: (ends.there / "open.txt").read_text() == "typed under a watch")
        assert (ends.here / "open.txt").read_text() == "changed here under a watch"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"documents": [{"path": "a", "state": "saved"}]}, None),
        ({"documents": [{"path": "a", "state": "failed", "error": "asks"}]}, "a is open.*asks"),
        (None, "did not save"),
    ],
    ids=["saved", "one not", "nonsense"],
)
def test_what_could_not_be_saved_is_told(
    answer: Any, told: str | None, ends: Ends, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(far_end, "_DOOR", str(tmp_path / "door"))
    with Door(tmp_path / "door", tmp_path / "unused", answer=answer):
        far_end.save_open(ends.world, ssh.connect(ends.world, "moon"))
    warned = [one.text for one in ends.told if isinstance(one, Warned)]
    if told is None:
        assert warned == []
    else:
        assert re.search(told, " ".join(warned))


class Door:
    """HTTP on a unix socket: a file gets what was typed when it is asked to save."""

    def __init__(self, path: Path, file: Path, answer: Any = False) -> None:
        door = self
        self.typed: str | None = None
        self.answer = {"documents": []} if answer is False else answer

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                if door.typed is not None:
                    file.write_text(door.typed)
                body = json.dumps(door.answer).encode()
                self.send_response(200 if self.path == "/save" else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

            def address_string(self) -> str:
                return "tab"

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True

        self.server = Server(str(path), Handler)

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
