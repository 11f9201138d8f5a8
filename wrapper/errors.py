"""Everything that can go wrong on purpose; anything else is a bug and shows its traceback.

CloudsError
├── NothingToDo                  0   it is already so
├── UsageError                   2   what was asked for cannot be; nothing was made
│   ├── RequestError                 region, zone, type, image, subnet
│   ├── SettingsError                options, project file, environment variables
│   ├── PasswordError                too weak, unreadable, in no known format
│   ├── CertificateError             does not fit its key, or has run out
│   ├── UnknownDeploymentError       no deployment of that name here
│   └── UnansweredError              a question with nobody to answer it
├── FailedError                  1
│   ├── CredentialsError             AWS does not know, or refuses, the caller
│   ├── AwsError                     any other refusal of AWS
│   │   └── UnreachableError             no way to AWS: mostly this computer is offline
│   ├── RefusedError                 EC2 gives no machine: capacity, price, quota, place
│   ├── TerraformError               terraform missing, or it failed
│   ├── LockedError                  another process works on the deployment
│   ├── LocalError                   the embedded EC2
│   ├── LeftoverError                something is left after `down`
│   ├── AddressError                 the caller's own public address is not known
│   └── DiskError                    no space, or not writable
├── NoAnswerError                3   the machine exists, and costs money, without answering
│   ├── BusyError                    it takes connections, and says nothing in time
│   ├── BootError                    the machine's set-up failed or takes too long
│   ├── FingerprintError             not the certificate that the console shows
│   │   └── ReplacedError                the console shows another one than before
│   ├── LoginError                   the notebook refuses the password
│   ├── ThrottledError               it lets nobody log in for some seconds
│   ├── KernelError                  no kernel, or the cell did not run
│   └── GpuError                     no kernel sees the GPUs that the machine has
└── Interrupted                130   Ctrl-C or kill
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the shell gets to see."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NO_ANSWER = 3
    INTERRUPTED = 130


class CloudsError(Exception):
    """What happened and where; `hint` is the next command to type."""

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class NothingToDo(CloudsError):  # noqa: N818 - not an error: the exit code is 0
    """It is already so."""

    exit_code = ExitCode.DONE


class UsageError(CloudsError):
    """What was asked for cannot be; nothing was made."""

    exit_code = ExitCode.USAGE


class RequestError(UsageError):
    """AWS has no such region, zone, type, image or subnet, or they do not go together."""


class SettingsError(UsageError):
    """An option, the project file or an environment variable holds a wrong value."""


class PasswordError(UsageError):
    """A password is too weak or unreadable, or a hash is in no known format."""


class CertificateError(UsageError):
    """A certificate does not fit its key, has run out, or cannot be read."""


class UnknownDeploymentError(UsageError):
    """No deployment of that name is known here."""


class UnansweredError(UsageError):
    """A question came up and nobody can answer it."""


class FailedError(CloudsError):
    """It was tried and failed."""


class CredentialsError(FailedError):
    """AWS credentials are missing, expired or refused."""


class AwsError(FailedError):
    """AWS refused a call, or could not be reached."""


class UnreachableError(AwsError):
    """AWS could not be reached: it passes, as a lost network does."""


class RefusedError(FailedError):
    """EC2 gives no such machine now: capacity, price, quota, place."""

    def __init__(self, message: str, *, hint: str | None = None, code: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code
        """EC2's own, as in InsufficientInstanceCapacity or capacity-not-available."""


class TerraformError(FailedError):
    """Terraform is missing, or it failed."""


class LockedError(FailedError):
    """Another process works on the deployment."""


class LocalError(FailedError):
    """The embedded EC2 cannot do it."""


class LeftoverError(FailedError):
    """Something is left in the account."""


class AddressError(FailedError):
    """The caller's own public address could not be found out."""


class DiskError(FailedError):
    """A file could not be written: no space, or no permission."""


class NoAnswerError(CloudsError):
    """The machine exists, and costs money, but the notebook does not answer."""

    exit_code = ExitCode.NO_ANSWER


class BusyError(NoAnswerError):
    """The way to the notebook is open, and nothing comes back in time."""


class BootError(NoAnswerError):
    """The machine's set-up failed or takes too long."""


class FingerprintError(NoAnswerError):
    """What answers does not show the certificate that the console shows."""


class ReplacedError(FingerprintError):
    """Another machine is in the place of the one that was known, with a key of its own."""


class LoginError(NoAnswerError):
    """The notebook refuses the password."""


class ThrottledError(NoAnswerError):
    """The notebook lets nobody log in from here for some seconds, right password or not."""

    def __init__(self, message: str, *, hint: str | None = None, seconds: float = 0.0) -> None:
        super().__init__(message, hint=hint)
        self.seconds = seconds


class KernelError(NoAnswerError):
    """No kernel started, or the cell did not run."""


class GpuError(NoAnswerError):
    """The machine's type has GPUs, and its kernels see none."""


class Interrupted(CloudsError):  # noqa: N818 - a wish, not an error
    """Ctrl-C or kill."""

    exit_code = ExitCode.INTERRUPTED
