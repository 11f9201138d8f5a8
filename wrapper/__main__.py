"""`python -m wrapper` and `jupyter-clouds`.

In a checkout, any Python will do: one without our packages hands over to the .venv of `make setup`.
"""

import importlib.util
import os
import sys
from pathlib import Path

from wrapper import garbage

# By the names they are imported with; pyproject.toml has the packages.
NEEDED = (
    *("argon2", "boto3", "click", "cryptography", "python_terraform"),
    *("requests", "rich", "websocket", "yaml", "zxcvbn"),
)


def main() -> int:
    """The exit code of the command that was typed."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return _elsewhere(missing)
    garbage.look_seldom()
    from wrapper.cli import main as command  # noqa: PLC0415 - only now is it known to be there

    return command()


def _elsewhere(missing: list[str]) -> int:
    venv = Path(__file__).resolve().parent.parent / ".venv"
    python = venv / "bin" / "python"
    if python.exists() and Path(sys.prefix).resolve() != venv.resolve():
        os.execv(python, [str(python), "-m", "wrapper", *sys.argv[1:]])  # noqa: S606 - no shell
    print(
        f"error: {sys.executable} lacks {', '.join(missing)}.\n"
        "  → make setup   (in a checkout; then the same again)\n"
        "    pip install 'jupyter-clouds[local]'   (elsewhere)",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
