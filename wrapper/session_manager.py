"""AWS's Session Manager as a way for ssh: its programs, and the command that carries a connection.

https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-getting-started-enable-ssh-connections.html
Written from its documentation; tried with a stand-in, not yet on AWS.
"""

from __future__ import annotations

import shlex
import shutil

from wrapper.openssh import program

_DOCS = "https://docs.aws.amazon.com"
_CLI = f"{_DOCS}/cli/latest/userguide/getting-started-install.html"
_PLUGIN = (
    f"{_DOCS}/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html"
)


def check_programs() -> str:
    """Where what carries a connection is on this computer. FailedError says what to install."""
    aws = program("aws", package=f"The AWS CLI, version 2: {_CLI}")
    return f"{aws}, {program('session-manager-plugin', package=f'For the AWS CLI: {_PLUGIN}')}"


def proxy_command(region: str) -> str:
    """For ssh's configuration, where the host's name is the machine's id."""
    aws = shlex.quote(shutil.which("aws") or "aws").replace("%", "%%")
    return (
        f"{aws} ssm start-session --region {region} --target %h "
        "--document-name AWS-StartSSHSession --parameters portNumber=%p"
    )


def what_helps(said: str, name: str) -> str:
    """The next step, where it was Session Manager that gave no connection."""
    if "TargetNotConnected" in said:
        return (
            "The machine's SSM agent has not reported yet: a minute after the machine got its "
            "role; Debian's images have no agent. docs/files.md. "
            f"Else open the port: python -m wrapper up {name} --ssh"
        )
    if "AccessDenied" in said:
        return "You need ssm:StartSession on the machine: docs/aws.md"
    return (
        "What is missing here, credentials too: python -m wrapper doctor. "
        f"Else open the port: python -m wrapper up {name} --ssh"
    )
