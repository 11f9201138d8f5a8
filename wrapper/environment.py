"""What of the environment a child or a library gets to see: what it needs, and no more. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_EVERY_CHILD = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_DIRS",
)
_NETWORK = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
_TERRAFORM = (
    "TF_CLI_CONFIG_FILE",
    "TF_PLUGIN_CACHE_DIR",
    "TF_LOG",
    "TF_LOG_CORE",
    "TF_LOG_PROVIDER",
    "TF_LOG_PATH",
)
"""Not TF_CLI_ARGS, TF_WORKSPACE, TF_DATA_DIR: they would change what our commands mean."""


def for_aws(environment: Mapping[str, str], local: Mapping[str, str] | None) -> dict[str, str]:
    """What decides who calls the EC2 API. With the embedded EC2's variables, those alone do."""
    network = {
        name: value
        for name, value in environment.items()
        if name.upper() in (*_NETWORK, "HOME") or (local is None and name.startswith("AWS_"))
    }
    return network | {k: v for k, v in (local or {}).items() if k.startswith("AWS_")}


def for_terraform(
    environment: Mapping[str, str], local: Mapping[str, str] | None
) -> dict[str, str]:
    """What Terraform and its provider need."""
    kept = {
        name: value
        for name, value in environment.items()
        if name in (*_EVERY_CHILD, *_TERRAFORM) or name.upper() in _NETWORK
    }
    return {
        **kept,
        **for_aws(environment, local),
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
    }


def terraform_variables(local: Mapping[str, str] | None) -> dict[str, str]:
    """The module's values that the embedded EC2 asks for, such as its stand-in for Miniforge."""
    prefix = "TF_VAR_"
    return {
        name.removeprefix(prefix): value
        for name, value in (local or {}).items()
        if name.startswith(prefix)
    }
