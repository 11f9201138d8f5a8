"""The command line as a process: what it loads, asks nobody, and does when told to end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 45
"""Seconds; less than the sleeper would sleep on, undisturbed."""


def _run(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=ROOT,
        **more,
    )


def test_help_loads_nothing_that_it_does_not_need() -> None:
    program = (
        "import sys; from wrapper.cli import main; main(['--help']); "
        "print([name for name in ('boto3', 'requests', 'rich', 'cryptography', 'yaml', "
        "'python_terraform', 'argon2', 'zxcvbn', 'moto') if name in sys.modules])"
    )
    assert _run("-c", program).stdout.splitlines()[-1] == "[]"


def test_without_a_terminal_a_question_is_an_error_that_names_the_flag(tmp_path: Path) -> None:
    (tmp_path / "jupyter-clouds.auto.tfvars.json").write_text("{}")
    done = _run(
        "-m",
        "wrapper",
        "configure",
        str(tmp_path),
        "--allow",
        "8.8.8.8/32",
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert (tmp_path / "jupyter-clouds.auto.tfvars.json").read_text() == "{}"


def test_configure_writes_what_plain_terraform_needs(tmp_path: Path) -> None:
    done = _run("-m", "wrapper", "configure", str(tmp_path), "--allow", "8.8.8.8/32", "--json")
    assert done.returncode == 0, done.stderr
    file = tmp_path / "jupyter-clouds.auto.tfvars.json"
    assert file.stat().st_mode & 0o777 == 0o600
    written = json.loads(file.read_text())
    assert written["allowed_cidrs"] == ["8.8.8.8/32"]
    assert written["password_hash"].startswith("argon2:")
    told = json.loads(done.stdout)
    assert told["file"] == str(file)
    assert told["password"] not in file.read_text()


def test_configure_refuses_the_whole_world(tmp_path: Path) -> None:
    done = _run("-m", "wrapper", "configure", str(tmp_path), "--allow", "0.0.0.0/0")
    assert done.returncode == 2
    assert not list(tmp_path.iterdir())


SLEEPER = """
import sys, time
from wrapper import cli, deployment
def sleeps(*_):
    print("asleep", flush=True)
    time.sleep(60)
deployment.status = sleeps
sys.exit(cli.main(["status"]))
"""


def asleep(*before: str) -> subprocess.Popen[str]:
    """A command of ours that is at work, started by these words."""
    child = subprocess.Popen(
        [*before, sys.executable, "-c", SLEEPER],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "asleep\n"
    return child


@pytest.mark.usefixtures("heard_hangups")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_kill_and_a_closed_terminal_are_130(sent: signal.Signals) -> None:
    child = asleep()
    child.send_signal(sent)
    _, said = child.communicate(timeout=PATIENCE)
    assert child.returncode == 130
    assert "Interrupted" in said
    assert "Traceback" not in said


def test_what_a_script_started_in_the_background_can_be_interrupted(tmp_path: Path) -> None:
    said = tmp_path / "said"
    until = f"until grep -q asleep {said}; do sleep 0.1; done"
    script = f'"$0" -c "$1" > {said} & child=$!; {until}; kill -INT $child; wait $child'
    done = subprocess.run(
        ["sh", "-c", script, sys.executable, SLEEPER],
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 130


def test_under_nohup_a_closed_terminal_is_no_interruption() -> None:
    child = asleep("nohup")
    child.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(timeout=0.5)
    child.terminate()
    child.communicate(timeout=PATIENCE)
    assert child.returncode == 130


def test_output_that_nobody_reads_any_more_is_no_traceback() -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m wrapper --help | head -n 1"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert "Traceback" not in done.stderr


def test_the_version_is_told_in_a_clone_too() -> None:
    done = _run("-m", "wrapper", "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("jupyter-clouds, version ")
