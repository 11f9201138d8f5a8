"""`sync`: the real Unison at both ends, with a stand-in for the way between."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.test_files_there_and_back import writing
from tests.unit.worlds import StandIn, bare_world
from wrapper import deployment, openssh, unison
from wrapper.cli import main
from wrapper.deployment import far_end, ssh
from wrapper.deployment.events import News, Note, Progress, Warned
from wrapper.deployment.syncing import Wish
from wrapper.errors import (
    AwsError,
    CloudsError,
    DiskError,
    ExitCode,
    FailedError,
    LockedError,
    NoAnswerError,
    SettingsError,
)
from wrapper.git_ignored import Git
from wrapper.monitor.rules import Tree
from wrapper.unison.words import Heard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ec2 import Account
    from wrapper.unison import Outcome

ODD = (
    *("a b", "ü", "-n", "$(touch x)", "quote'\"", "star*[1]?", "{x},y", "a:b", "a from b to c"),
    *("back\\slash", "new\nline", " edges ", os.fsdecode(b"no\xffutf\xfe")),
)

# What sshd does: the words are joined, and a shell reads them in the user's home directory.
SSH = """#!{python}
import os, sys
words = sys.argv[sys.argv.index("clouds-moon") + 1 :]
if words[:2] == ["-e", "none"]:
    words = words[2:]
words = words[1:] if words[:1] == ["--"] else words
os.chdir({home!r})
kept = {{key: value for key, value in os.environ.items() if not key.startswith("UNISON")}}
os.execve("/bin/sh", ["sh", "-c", " ".join(words)], kept | {{"HOME": {home!r}}})
"""


class Ends:
    """A folder here, and one in the machine's home directory."""

    def __init__(self, here: Path, home: Path, world: deployment.World, told: list[Any]) -> None:
        self.here, self.home, self.world, self.told = here, home, world, told
        self.there = home / "work" / here.name

    def sync(self, **wish: bool) -> Outcome:
        """What did not come together; what did is seen in the folders."""
        return dataclasses.replace(self.synced(**wish), changed=())

    def synced(self, **wish: bool) -> Outcome:
        return deployment.sync(self.world, "moon", self.here, None, Wish(**wish))


@pytest.fixture
def ends(tmp_path: Path, account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ends]:
    here, home, tools = (tmp_path / one for one in ("my project", "far away", "tools"))
    folder = tmp_path / "it's data" / "moon" / "ssh"
    for one in (here, home / "work", tools, folder):
        one.mkdir(parents=True)
    (tools / "ssh").write_text(SSH.format(python=sys.executable, home=str(home)))
    (tools / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setattr(ssh, "connect", lambda *_: folder)
    told: list[Any] = []
    world = bare_world(tmp_path, account, StandIn(), told)
    world = dataclasses.replace(world, environment={**os.environ, **world.environment})
    yield Ends(here, home, world, told)
    shutil.rmtree(folder)


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(os.fsencode(f"of {folder.parent.name}: {name}"))


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True)


def contents(folder: Path) -> set[str]:
    return {str(one.relative_to(folder)) for one in folder.rglob("*") if not one.is_dir()}


def test_both_ends_become_the_same(ends: Ends) -> None:
    fill(ends.here, *ODD, "deep/er/file")
    fill(ends.there, "result", "deep/result")
    assert ends.sync() == unison.Outcome()
    assert (
        contents(ends.here)
        == contents(ends.there)
        == {*ODD, "deep/er/file"}
        | {
            "result",
            "deep/result",
        }
    )


@pytest.mark.parametrize("end", ["here", "there"])
@pytest.mark.parametrize("name", [*ODD, "\tt\r"], ids=ascii)
def test_an_ignored_file_of_an_odd_name_stays_where_it_is(name: str, end: str, ends: Ends) -> None:
    one, other = (ends.here, ends.there) if end == "here" else (ends.there, ends.here)
    fill(one, f"left/{name}", "left/kept", name)
    (one / ".gitignore").write_text("left/*\n!left/kept\n")
    ends.sync()
    assert contents(other) == {".gitignore", "left/kept", name}


def test_every_odd_name_is_told_whole(ends: Ends) -> None:
    fill(ends.here, "a", *ODD)
    told = {os.fsencode(one).decode(errors="replace") for one in ODD}
    assert set(ends.synced().changed) == {"a", *told}


def test_how_far_it_is_is_told(ends: Ends) -> None:
    (ends.here / "large").write_bytes(os.urandom(2**24))
    ends.sync()
    told = [one for one in ends.told if isinstance(one, Progress)]
    assert [one.done for one in told] == sorted({one.done for one in told})
    assert any(0 < one.done < one.total and not one.over for one in told)
    assert (told[-1].done, told[-1].over) == (100, True)


def test_what_went_over_is_listed_by_name(ends: Ends) -> None:
    fill(ends.here, "a b", "deep/c")
    fill(ends.there, "from d")
    assert set(ends.synced().changed) == {"a b", "deep", "from d"}
    (ends.here / "deep/c").write_text("changed")
    (ends.here / "a b").unlink()
    assert set(ends.synced(delete=True).changed) == {"a b", "deep/c"}


def test_a_change_at_one_end_goes_to_the_other(ends: Ends) -> None:
    fill(ends.here, "a", "b")
    ends.sync()
    (ends.here / "a").write_text("changed here")
    (ends.there / "b").write_text("changed there")
    assert ends.sync() == unison.Outcome()
    assert (ends.there / "a").read_text() == "changed here"
    assert (ends.here / "b").read_text() == "changed there"


@pytest.mark.parametrize("known", [True, False], ids=["of a file both had", "at first sight"])
def test_a_conflict_stays_both_and_is_named(known: bool, ends: Ends) -> None:
    if known:
        fill(ends.here, "a b")
        ends.sync()
    fill(ends.here, "other")
    (ends.here / "a b").write_text("here")
    ends.there.mkdir(exist_ok=True)
    (ends.there / "a b").write_text("there!")
    for _ in range(2):
        assert ends.sync() == unison.Outcome(conflicts=("a b",))
        assert (ends.here / "a b").read_text() == "here"
        assert (ends.there / "a b").read_text() == "there!"
    assert (ends.there / "other").exists()
    assert any("a b" in one.text for one in ends.told if isinstance(one, Note))


def test_a_conflict_is_over_once_one_of_the_two_was_taken(ends: Ends) -> None:
    fill(ends.here, "a")
    ends.sync()
    (ends.here / "a").write_text("here")
    (ends.there / "a").write_text("there!")
    assert ends.sync().conflicts == ("a",)
    shutil.copy2(ends.here / "a", ends.there / "a")
    assert ends.sync() == unison.Outcome()
    assert (ends.here / "a").read_text() == (ends.there / "a").read_text() == "here"


@pytest.mark.parametrize("delete", [False, True], ids=["stays", "goes when told"])
def test_what_was_deleted_at_one_end(delete: bool, ends: Ends) -> None:
    fill(ends.here, "a", "b", "c")
    ends.sync()
    (ends.here / "a").unlink()
    (ends.there / "b").unlink()
    outcome = ends.sync(delete=delete)
    assert contents(ends.here) == ({"c"} if delete else {"b", "c"})
    assert contents(ends.there) == ({"c"} if delete else {"a", "c"})
    assert set(outcome.kept) == (set() if delete else {"a", "b"})
    assert outcome.conflicts == ()


def test_a_folder_that_is_gone_as_a_whole_empties_no_other(ends: Ends) -> None:
    fill(ends.here, "a", "b")
    ends.sync()
    shutil.rmtree(ends.there)
    with pytest.raises(FailedError):
        ends.sync(delete=True)
    assert contents(ends.here) == {"a", "b"}


@pytest.mark.parametrize("end", ["here", "there"])
def test_an_end_that_forgot_deletes_nothing_and_overwrites_nothing(end: str, ends: Ends) -> None:
    fill(ends.here, "a", "b")
    ends.sync()
    memory = ends.home / ".unison"
    if end == "here":
        memory = ends.here.parent / "it's data/moon/ssh/unison"
    for one in memory.glob("ar*"):
        one.unlink()
    (ends.here / "a").unlink()
    (ends.here / "b").write_text("changed here")
    assert ends.sync(delete=True) == unison.Outcome(conflicts=("b",))
    assert (ends.here / "a").exists()
    assert (ends.there / "b").read_text() != "changed here"


def test_what_git_leaves_out_stays_where_it_is(ends: Ends) -> None:
    fill(ends.here, "a", "x.log", "build/z", "odd [1],{2}", ".git/config")
    (ends.here / ".gitignore").write_text("*.log\n/build/\nodd*\n")
    ends.sync()
    assert contents(ends.there) == {"a", ".gitignore"}
    fill(ends.there, "y.log", "deep/z.log", "build/there")
    ends.sync()
    assert contents(ends.here) == {
        *("a", ".gitignore", "x.log", "build/z", "odd [1],{2}", ".git/config")
    }
    ends.sync(gitignore=False)
    assert contents(ends.there) >= {"x.log", "build/z", "odd [1],{2}"}
    assert not (ends.there / ".git").exists()


@pytest.mark.parametrize("end", ["here", "there"])
def test_beside_what_is_left_out_others_come_to_a_folder(end: str, ends: Ends) -> None:
    """git lists a folder of which it leaves out all that is in it as if it left out the folder."""
    one, other = (ends.here, ends.there) if end == "here" else (ends.there, ends.here)
    fill(one, "results/x.log", "results/deep/y.log")
    fill(other, "results/table", "results/deep/er/z")
    (ends.here / ".gitignore").write_text("*.log\n")
    ends.sync()
    assert contents(one) >= {"results/table", "results/deep/er/z"}
    assert not {name for name in contents(other) if name.endswith(".log")}


@pytest.mark.parametrize("around", ["repository", "none"])
@pytest.mark.parametrize("how", ["cloned", "submodule"])
def test_a_repository_within_has_rules_of_its_own(how: str, around: str, ends: Ends) -> None:
    if around == "repository":
        git(ends.here, "init", "-q")
    elif how == "submodule":
        pytest.skip("a submodule is in a repository")
    fill(ends.here, "x.log", "deep/inner/venv/a", "deep/inner/b", "deep/inner/x.log")
    inner = ends.here / "deep/inner"
    (ends.here / ".gitignore").write_text("/x.log\n")
    (inner / ".gitignore").write_text("venv/\n")
    git(inner, "init", "-q")
    if how == "submodule":
        me = ("-c", "user.name=me", "-c", "user.email=me@localhost")
        git(inner, "add", "b")
        git(inner, *me, "commit", "-qm", "first")
        git(ends.here, "submodule", "-q", "add", "./deep/inner", "deep/inner")
    (inner / ".git/info/exclude").write_text("x.log\n")
    ends.sync()
    assert {one for one in contents(ends.there) if one != ".gitmodules"} == {
        *(".gitignore", "deep/inner/.gitignore", "deep/inner/b")
    }


@pytest.mark.parametrize("end", ["here", "there"])
def test_rules_of_a_folder_above_count_at_both_ends(end: str, ends: Ends, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text("*.log\n/my project/data/\n!kept.log\n/other/\n")
    (tmp_path / ".git/info/exclude").write_text("my*/*.csv\n")
    one, other = (ends.here, ends.there) if end == "here" else (ends.there, ends.here)
    fill(one, "x.log", "data/a", "b.csv", "deep/data/c", "deep/d.csv", "kept.log", "other/e")
    ends.sync()
    assert contents(other) == {"deep/data/c", "deep/d.csv", "kept.log", "other/e"}


@pytest.mark.parametrize("rule", ["/my project/", "**"])
def test_a_folder_that_its_repository_leaves_out_goes_when_it_is_named(
    rule: str, ends: Ends, tmp_path: Path
) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text(f"{rule}\n")
    fill(ends.here, "a", "x.log", "deep/b")
    (ends.here / ".gitignore").write_text("*.log\n")
    ends.sync()
    assert contents(ends.there) == {"a", "deep/b", ".gitignore"}


RULES_ABOVE = (
    *("a/b/x", "/a/b/x", "/a/x", "a/*/x", "/*/b/x/", "**/x", "a/**/x", "/a/**/b/x"),
    *("a/b/**/x", "**/b/x", "**/deep/x", "# a/b/x", "!x", "/a/b/*\n!/a/b/x", "x", "deep/", "/x"),
    *(
        "a/[ab]/x",
        "a/[^b]/x",
        "a/[!a]/x",
        "a/\\b/x",
        "a/b/deep/",
        "a/b/de?p/x",
        "b/x",
        "/a/b/x ",
        "",
    ),
)


@pytest.mark.parametrize("rule", RULES_ABOVE)
def test_a_rule_of_a_folder_above_means_the_same_below(rule: str, tmp_path: Path) -> None:
    """git is asked here in the repository itself, and as the machine asks it."""
    below = tmp_path / "above/a/b"
    fill(below, "x", "deep/x", "deep/b/x", "b/x", "a/b/x", "other")
    git(tmp_path / "above", "init", "-q")
    (tmp_path / "above/.gitignore").write_text(rule + "\n")
    asked = Git(below, os.environ)
    bare = tmp_path / "bare"
    git(tmp_path, "init", "-q", "--bare", str(bare))
    (bare / "info/exclude").write_bytes(asked.rules())
    assert asked.is_repository()
    assert _files(asked.names(), below) == _files(
        Tree(os.fsencode(below), str(bare)).names(), below
    )


def _files(names: list[bytes], root: Path) -> set[str]:
    """What is in folders too: the listing may name the folder, or all that is in it."""
    return {
        one
        for one in contents(root)
        if any(f"{one}/".startswith(os.fsdecode(name).rstrip("/") + "/") for name in names)
    }


def test_a_home_directory_is_refused(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(ends.here))
    with pytest.raises(SettingsError, match="a home directory"):
        ends.sync()
    assert not ends.there.exists()


@pytest.mark.parametrize(
    ("code", "said", "error"),
    [
        pytest.param(3, "Fatal error: Lost connection with the server", NoAnswerError, id="lost"),
        pytest.param(2, "write: No space left on device", DiskError, id="full disk"),
        pytest.param(2, "  failed: x", FailedError, id="one file not"),
        pytest.param(2, "  skipped: x ([root 1]: cannot be read)", FailedError, id="nor read"),
        pytest.param(3, "Fatal error: something else", FailedError, id="anything else"),
    ],
)
def test_how_unison_ends_is_told(code: int, said: str, error: Any) -> None:
    heard = Heard(lambda _: None, lambda _: None)
    heard.listen([f"{said}\n"])
    with pytest.raises(error, match=r"x|something|Lost|space") as raised:
        heard.judge(code)
    assert raised.value.hint


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        pytest.param([0], None, id="there"),
        pytest.param([1, 0, 4, 4, 0], None, id="installed meanwhile"),
        pytest.param([1, 4, 4, 0, 4, 0], None, id="of a machine that still boots"),
        pytest.param([1, 1], "a version that does not install", id="an old machine"),
        pytest.param([1, 0, 4, 3], "could not install", id="the package cannot be had"),
        pytest.param([255], "ssh: ", id="nobody to ask"),
    ],
)
def test_the_machine_installs_its_own_end(
    answers: list[int], error: str | None, ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(*_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], answers.pop(0), "", "")

    monkeypatch.setattr(openssh, "try_to", answer)
    monkeypatch.setattr(far_end, "_PAUSE", 0.0)
    if error is None:
        far_end.have(ends.world, ends.here, "moon", "unison")
    else:
        with pytest.raises(CloudsError, match=error) as raised:
            far_end.have(ends.world, ends.here, "moon", "unison")
        assert raised.value.hint
    assert answers == []


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        pytest.param(["--no-ssh"], "leave out --no-ssh", id="without the way"),
        pytest.param([], "a home directory", id="a home directory"),
    ],
)
def test_up_makes_nothing_where_it_could_not_sync(
    typed: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path if typed else folder))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert main(["up", "moon", "--local", "--yes", "--sync", str(folder), *typed]) == ExitCode.USAGE
    assert words in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_a_watch_goes_on_when_the_connection_was_lost(
    ends: Ends, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wrapper.deployment.syncing._AGAIN", 0.05)
    fill(ends.here, "a")
    tool = tmp_path / "tools/ssh"
    whole = tool.read_text()
    # Unison waits for changes by then, or has just begun: it is the same to who watches.
    limited = '"/usr/bin/timeout", ["timeout", "1", "sh",'
    tool.write_text(whole.replace('"/bin/sh", ["sh",', limited))
    assert limited in tool.read_text()
    said: list[str] = []

    def report(event: Any) -> None:
        said.append(event.text)
        if isinstance(event, News):
            tool.write_text(whole)
            fill(ends.here, "b")
        if "b" in event.text.split():
            raise KeyboardInterrupt

    ends.world = dataclasses.replace(ends.world, report=report)
    with pytest.raises(KeyboardInterrupt):
        ends.sync(watch=True)
    assert any(one.startswith("The connection ended") for one in said)
    assert "The machine is reached again" in said


def test_a_tracked_file_that_a_rule_leaves_out_goes_every_time(ends: Ends) -> None:
    fill(ends.here, "model.csv", "data/x.csv", "other.csv")
    (ends.here / ".gitignore").write_text("*.csv\ndata/\n")
    git(ends.here, "init", "-q")
    git(ends.here, "add", "-f", "model.csv", "data/x.csv")
    for words in ("first", "once again"):
        (ends.here / "model.csv").write_text(words)
        (ends.here / "data/x.csv").write_text(words)
        fill(ends.there, "data/theirs.csv")
        ends.sync()
        assert (ends.there / "model.csv").read_text() == words
        assert (ends.there / "data/x.csv").read_text() == words
    assert not (ends.there / "other.csv").exists()
    assert not (ends.here / "data/theirs.csv").exists()


def test_two_pairs_of_one_deployment_keep_out_of_each_others_way(
    ends: Ends, tmp_path: Path
) -> None:
    """The other one begins when this one has said what it will do, and has not begun to do it."""
    fill(ends.here, "a")
    other = tmp_path / "other"
    fill(other, "b")
    tool = tmp_path / "tools/ssh"
    whole = tool.read_text()
    marker, go = tmp_path / "begun", tmp_path / "go"
    waits = f"""import os, time
if "-server" in " ".join(os.sys.argv) and not os.path.exists({str(marker)!r}):
    open({str(marker)!r}, "w").close()
    while not os.path.exists({str(go)!r}):
        time.sleep(0.02)
"""
    tool.write_text(whole.replace("import os, sys\n", "import os, sys\n" + waits))
    with ThreadPoolExecutor() as pool:
        first = pool.submit(ends.sync, delete=True)
        while not marker.exists():
            assert not first.done()
            time.sleep(0.01)
        with pytest.raises(LockedError, match="together already") as raised:
            ends.sync()
        assert f"kill {os.getpid()}" in str(raised.value.hint)
        deployment.sync(ends.world, "moon", other, None, Wish())
        go.touch()
        assert first.result() == unison.Outcome()
    assert contents(ends.there) == contents(ends.here) == {"a"}
    assert contents(ends.home / "work/other") == {"b"}
    ends.sync()


def test_a_sync_that_was_cut_off_is_in_nobodys_way(ends: Ends) -> None:
    """Unison leaves locks at both ends then."""
    fill(ends.here, "a")
    ends.sync()
    memories = (ends.home / ".unison", ends.here.parent / "it's data/moon/ssh/unison")
    for memory in memories:
        [archive] = memory.glob("ar*")
        archive.with_name(f"lk{archive.name[2:]}").touch()
    (ends.here / "a").write_text("changed")
    ends.sync()
    assert (ends.there / "a").read_text() == "changed"


@pytest.mark.parametrize("watch", [False, True], ids=["once", "watching"])
@pytest.mark.parametrize("why", ["full", "denied"])
def test_what_could_not_be_written_is_told(why: str, watch: bool, ends: Ends) -> None:
    fill(ends.here, *(f"{number}" for number in range(20)))
    ends.sync()
    (ends.here / "many").mkdir()
    for number in range(12):  # the reason is far above the last lines
        (ends.here / "many" / f"{number}").write_bytes(os.urandom(50_000))
    fill(ends.here, "small")
    told = []

    def report(event: Any) -> None:
        told.append(event)
        if watch and isinstance(event, Warned):
            raise KeyboardInterrupt

    ends.world = dataclasses.replace(ends.world, report=report)
    with refusing(ends.there, why):
        errors = {"full": DiskError, "denied": FailedError}
        expected: Any = KeyboardInterrupt if watch else errors[why]
        with pytest.raises(expected) as raised:
            ends.sync(watch=watch)
    [words] = [one.text for one in told if isinstance(one, Warned)]
    assert {"full": "No space left on device", "denied": "not permitted"}[why] in words
    assert "many" in words
    if not watch:
        assert "many" in raised.value.message
    assert contents(ends.here) >= {"small", "many/0"}


def test_a_disk_of_this_computer_that_is_full_is_told_and_loses_nothing(ends: Ends) -> None:
    fill(ends.here, "a")
    ends.sync()
    (ends.there / "big").write_bytes(os.urandom(2**20))
    (ends.there / "a").write_text("changed there")
    with refusing(ends.here, "full"):
        with pytest.raises(DiskError, match="big"):
            ends.sync(force=True)  # it is all of a disk now
        # What Unison began is told apart by its name, and never taken for a file.
        assert {one for one in contents(ends.here) if not one.startswith(".unison.")} == {"a"}


def test_names_that_a_disk_takes_for_one_are_named_and_stay(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unison takes macOS's for such, and any that it is told of."""
    write = unison.pair.write

    def told(pair: unison.Pair) -> None:
        write(pair)
        with (pair.own / f"{pair.profile}.prf").open("a") as profile:
            profile.write("ignorecase = true\n")

    monkeypatch.setattr(unison.pair, "write", told)
    fill(ends.there, "A", "a", "other")
    with pytest.raises(FailedError, match=r"(?i)a: .*identical except for (their )?case") as raised:
        ends.sync()
    assert contents(ends.here) == {"other"}
    assert contents(ends.there) == {"A", "a", "other"}
    assert raised.value.hint


@contextmanager
def refusing(folder: Path, why: str) -> Iterator[None]:
    """A disk with no room for it; or one that takes nothing, from root neither."""
    if why == "full":
        kept = folder.with_name("kept")
        folder.rename(kept)
        folder.mkdir()
        size = f"size={300 * 1024}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], check=True)
        shutil.copytree(kept, folder, dirs_exist_ok=True)
    else:
        subprocess.run(["chattr", "+i", folder], check=True)
    try:
        yield
    finally:
        undo = ["umount", "-l"] if why == "full" else ["chattr", "-i"]
        subprocess.run([*undo, folder], check=True)


@pytest.mark.parametrize(
    "why",
    [
        pytest.param(AwsError("AWS cannot be reached"), id="this computer is offline"),
        pytest.param(NoAnswerError("The machine of moon is stopped."), id="the machine stopped"),
    ],
)
def test_a_watch_waits_until_it_can_go_on(
    why: CloudsError, ends: Ends, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offline neither the machine is reached, nor AWS, which would say where it is."""
    monkeypatch.setattr("wrapper.deployment.syncing._AGAIN", 0.05)
    fill(ends.here, "a")
    ends.sync()
    tool = tmp_path / "tools/ssh"
    whole = tool.read_text()
    folder = ssh.connect(ends.world, "moon")
    tool.write_text("#!/bin/sh\necho no route to host >&2\nexit 255\n")
    asked: list[str] = []
    said: list[str] = []

    def connect(*_: object) -> Path:
        if not said:  # before the watch
            return folder
        if len(asked) < 2:
            asked.append("AWS")
            raise why
        tool.write_text(whole)
        return folder

    def report(event: Any) -> None:
        said.append(event.text)
        if isinstance(event, News) and "again" in event.text and asked:
            raise KeyboardInterrupt

    monkeypatch.setattr(ssh, "connect", connect)
    ends.world = dataclasses.replace(ends.world, report=report)
    with pytest.raises(KeyboardInterrupt):
        ends.sync(watch=True)
    assert asked == ["AWS", "AWS"]
    assert said.count(why.message) == 1
    assert said[-1] == "The machine is reached again"


def test_links_go_as_links_and_those_out_of_the_tree_are_named(ends: Ends) -> None:
    fill(ends.here, "a", "deep/b", "left/c")
    (ends.here / ".gitignore").write_text("left/\n")
    leads = {"in": "a", "deep/up": "../a", "out": "/etc/passwd", "deep/beside": "../../x"}
    for name, target in {**leads, "left/out": "/etc/passwd"}.items():
        (ends.here / name).symlink_to(target)
    ends.sync()
    assert {name: str((ends.there / name).readlink()) for name in leads} == leads
    [words] = [one.text for one in ends.told if isinstance(one, Warned)]
    assert "out -> /etc/passwd" in words
    assert "deep/beside -> ../../x" in words
    assert words.count("->") == 2


def test_a_file_that_changes_while_it_is_read_is_never_half_new(ends: Ends) -> None:
    (ends.here / "log").write_bytes(b"0" * 2**22)
    with writing(ends.here / "log"):
        for _ in range(4):
            with suppress(FailedError):
                ends.sync()
            sent = (ends.there / "log").read_bytes() if (ends.there / "log").exists() else b""
            assert set(sent[2**22 :]) <= set(b"line\n")
    ends.sync()
    assert (ends.there / "log").read_bytes() == (ends.here / "log").read_bytes()
