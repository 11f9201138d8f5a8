"""Whether conda's own servers can be reached from here."""

from __future__ import annotations

import os
import urllib.error
import urllib.request

from wrapper.local.host import log

_MINIFORGE = "https://github.com/conda-forge/miniforge/releases/latest"
_CHOICE = "JUPYTER_CLOUDS_LOCAL_CONDA"


def conda_can_be_reached() -> bool:
    """True where the real Miniforge is to be used; the variable decides where it is set."""
    choice = os.environ.get(_CHOICE, "")
    if choice in {"real", "stand-in"}:
        return choice == "real"
    request = urllib.request.Request(_MINIFORGE, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310 - a constant https URL
            return True
    except (urllib.error.URLError, TimeoutError, OSError) as error:
        log.info("%s: %s; machines get a stand-in for Miniforge", _MINIFORGE, error)
        return False
