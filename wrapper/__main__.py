"""`python -m wrapper` and `jupyter-clouds`."""

import sys

from wrapper.cli import main

if __name__ == "__main__":
    sys.exit(main())
