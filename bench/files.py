"""`push` and `sync` against rsync as one types it, over the same SSH; and one change's way.

python -m bench.files, with a notebook of its own on the embedded EC2.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench import measure
from bench.report import Row, table
from wrapper import local

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL, FOLDERS = 10_000, 100
LARGE = 2 * 2**30
CHANGES, REPEATED = 7, 3
PATIENCE = 60  # seconds

# The machine is on this computer, and has its clock.
SEEN = "until [ -e work/{path} ]; do sleep 0.005; done; date +%s.%N"


class Ways:
    """Over SSH to the notebook of that name, and by the wrapper's commands."""

    def __init__(self, folder: Path, environment: dict[str, str], name: str) -> None:
        self.environment, self.name = environment, name
        config = Path(environment["XDG_DATA_HOME"], "jupyter-clouds", name, "ssh/config")
        self.ssh = ["ssh", "-F", str(config), f"clouds-{name}"]
        self.rsync = ["rsync", "-a", "-e", f"ssh -F {config}"]
        self.folder = folder

    def ours(self, *words: str) -> float:
        """Seconds of a command of ours."""
        command = [measure.PYTHON, "-m", "wrapper", *words, "--name", self.name]
        return measure.seconds(lambda: self._quietly(command))

    def theirs(self, source: Path, target: str) -> float:
        """Seconds of the rsync that one would type."""
        command = [*self.rsync, f"{source}/", f"clouds-{self.name}:work/{target}/"]
        return measure.seconds(lambda: self._quietly(command))

    def there(self, words: str) -> str:
        """What a command on the machine prints."""
        return subprocess.check_output([*self.ssh, words], text=True, timeout=PATIENCE)

    def _quietly(self, command: list[str]) -> None:
        subprocess.run(command, env=self.environment, check=True, stdout=subprocess.DEVNULL)


def rows(folder: Path, environment: dict[str, str], name: str) -> list[Row]:
    """All of it; the notebook is reached by SSH. Each way has a folder of its own there."""
    ways = Ways(folder, environment, name)
    small, large = folder / "small", folder / "large"
    for number in range(SMALL):
        path = small / str(number % FOLDERS) / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number}\n" * 50)
    large.mkdir()
    with (large / "file").open("wb") as file:
        for _ in range(LARGE >> 20):
            file.write(os.urandom(2**20))
    ways.ours("push", str(small), "warm")  # its packages are there, and the machine's cache
    found = []
    for what, source in ((f"{SMALL} small files", small), ("a file of 2 GiB", large)):
        by_hand = ways.theirs(source, f"typed-{source.name}")
        for command in ("push", "sync"):
            taken = ways.ours(command, str(source), f"{command}-{source.name}")
            found.append(Row(f"{command}, {what}", taken, "rsync -a, typed", by_hand))
        again = ways.ours("sync", str(source), f"sync-{source.name}")
        nothing = ways.theirs(source, f"typed-{source.name}")
        found.append(Row(f"sync again, {what}", again, "rsync -a again", nothing))
        ways.there(f"rm -rf work/warm work/*-{source.name}")
    empty = folder / "watched"
    empty.mkdir()
    found += watched(ways, empty, "watched", "nothing else")
    return [*found, *watched(ways, small, "watched-small", f"{SMALL} files")]


def watched(ways: Ways, here: Path, target: str, what: str) -> list[Row]:
    """Milliseconds from a write at one end to the file at the other, beside the rsync of it."""
    with _watching(ways, here, target):
        (here / "first").touch()
        ways.there(SEEN.format(path=f"{target}/first"))
        time.sleep(3)
        sent, fetched = [], []
        for number in range(CHANGES):
            time.sleep(2.3)  # at another moment of its second each time
            begun = time.time()
            (here / f"sent{number}").write_text("changed")
            sent.append(
                1000 * (float(ways.there(SEEN.format(path=f"{target}/sent{number}"))) - begun)
            )
            time.sleep(2.3)
            begun = float(ways.there(f"touch work/{target}/back{number}; date +%s.%N"))
            while not (here / f"back{number}").exists():
                time.sleep(0.005)
            fetched.append(1000 * (time.time() - begun))
    by_hand = statistics.median(
        [1000 * ways.theirs(here, f"typed-{target}") for _ in range(1 + REPEATED)][1:]
    )
    typed = "rsync -a, typed at once"
    return [
        Row(
            f"sync --watch, a change {way}, {what}",
            statistics.median(taken),
            typed,
            by_hand,
            unit="ms",
        )
        for way, taken in (("here", sent), ("there", fetched))
    ]


@contextmanager
def _watching(ways: Ways, here: Path, target: str) -> Iterator[None]:
    words = ["sync", str(here), target, "--watch", "--name", ways.name]
    with subprocess.Popen(
        [measure.PYTHON, "-m", "wrapper", *words],
        env=ways.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as child:
        try:
            yield
        finally:
            child.terminate()


def main() -> None:
    """The table is printed; what was made for it is gone."""
    was_running = local.status().running
    local.start()
    with tempfile.TemporaryDirectory() as name:
        environment = {**os.environ, "XDG_DATA_HOME": f"{name}/data"}
        try:
            measure.wrapper("up", "bench", "--local", "--yes", "--ssh", environment=environment)
            (Path(name) / "files").mkdir()
            found = rows(Path(name) / "files", environment, "bench")
        finally:
            words = ("down", "bench", "--yes", "--data", "delete")
            measure.wrapper(*words, environment=environment)
            if not was_running:
                local.stop()
    print(table(found))


if __name__ == "__main__":
    main()
