"""`Notebook`: what the rest of the wrapper asks of a live notebook."""

from __future__ import annotations

from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode, urlsplit

from wrapper.errors import LoginError, NoAnswerError
from wrapper.notebook import kernel, login_form, resources
from wrapper.notebook.model import CloudsStatus, Logs, Phase, Status
from wrapper.notebook.pinning import TIMEOUT
from wrapper.notebook.proxy import proxy_for
from wrapper.notebook.session import PinnedSession
from wrapper.notebook.unattended import Runs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

    from wrapper.notebook.model import Autostop, Pin
    from wrapper.notebook.resources import Resources


class Notebook:
    """One notebook over pinned TLS; a context manager, which closes its connections.

    Every call raises NoAnswerError when no answer comes within `timeout` seconds or it is a
    refusal, and FingerprintError when another certificate is shown.
    """

    def __init__(
        self,
        url: str,
        pin: Pin,
        password: str,
        *,
        timeout: float = TIMEOUT,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing is sent yet. `url` is https://host[:port][/base]; `environment`: proxies only."""
        parts = urlsplit(url)
        if parts.scheme != "https" or parts.hostname is None:
            raise NoAnswerError(f"{url} is no https:// address of a notebook.")
        self._password = password
        self._base = parts.path.rstrip("/")
        self._session = PinnedSession(
            parts.hostname,
            parts.port or 443,
            pin,
            proxy=proxy_for(parts.hostname, environment or {}),
            timeout=timeout,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """No connection is left open; the login stays good."""
        self._session.close()

    @property
    def cookies(self) -> dict[str, str]:
        """What the notebook knows a login by; secret."""
        return {one.name: one.value or "" for one in self._session.cookies}

    def login(self, *, patience: float = login_form.PATIENCE) -> None:
        """The password was accepted and its cookie is kept. LoginError when it was not.

        A password is tried once: the notebook makes each further one from this address wait longer.
        ThrottledError when it waits longer than `patience` seconds for others' tries.
        """
        answer = login_form.log_in(self._session, self._base, self._password, patience=patience)
        method = answer.request.method or ""
        if method == "POST" and answer.status_code == HTTPStatus.FOUND:
            return
        forbidden = answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
        if method == "POST" and forbidden:
            raise LoginError(
                f"The notebook at {self._session.origin} refuses the password.",
                hint="See the one that is kept here: python -m wrapper password",
            )
        raise self._trouble(method, "/login", answer)

    def status(self) -> Status:
        """Jupyter's own account of itself."""
        raw = self.call("GET", "/api/status")
        try:
            return Status(
                started=str(raw["started"]),
                last_activity=str(raw["last_activity"]),
                connections=int(raw["connections"]),
                kernels=int(raw["kernels"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise self._nonsense("/api/status") from error

    def clouds_status(self) -> CloudsStatus:
        """The machine's account of itself: its phases, from our server extension."""
        raw = self.call("GET", "/clouds/status")
        try:
            phases = {
                str(name): Phase(
                    state=str(phase["state"]),
                    seconds=None if phase.get("seconds") is None else float(phase["seconds"]),
                    error=None if phase.get("error") is None else str(phase["error"]),
                )
                for name, phase in raw.get("phases", {}).items()
            }
            versions = {str(name): str(value) for name, value in raw.get("version", {}).items()}
            sizes = (raw.get(f"disk_{which}") for which in ("free", "total"))
            free, total = (None if size is None else int(size) for size in sizes)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self._nonsense("/clouds/status") from error
        return CloudsStatus(phases, versions, disk_free=free, disk_total=total, raw=raw)

    def autostop(self, wish: Mapping[str, Any] | None = None) -> Autostop | None:
        """When the machine stops by itself, after `wish` was done; None: it knows nothing of it.

        {"do": "extend", "hours"}, {"do": "set" or "begin", "idle_minutes"?, "max_hours"?}
        """
        path = "/clouds/autostop"
        raw = self.ask("POST" if wish else "GET", path, wish or None)
        if raw is None:
            return None
        try:
            return resources.autostop(raw)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self._nonsense(path) from error

    def logs(self, phase: str | None, *, lines: int, after: str | None = None) -> Logs | None:
        """The last lines that the machine's units wrote, behind `after` if that is given.

        None: it shows no logs.
        """
        query = {"phase": phase, "lines": str(lines), "after": after}
        known = urlencode({name: value for name, value in query.items() if value})
        raw = self.ask("GET", f"/clouds/logs?{known}")
        if raw is None:
            return None
        try:
            cursor = raw["cursor"]
            return Logs(str(raw["text"]), None if cursor is None else str(cursor))
        except (KeyError, TypeError) as error:
            raise self._nonsense("/clouds/logs") from error

    @property
    def runs(self) -> Runs:
        """What runs unattended there."""
        return Runs(self)

    def download(self, path: str, stream: IO[bytes], heard: Callable[[int], None]) -> bool:
        """A file of the work folder is in the stream, whatever its size; False: there is none.

        `heard` is told how many bytes came each time.
        """
        where = f"/files/{quote(path)}"
        status = self._session.save(self._base + where, stream, heard)
        if status not in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
            raise NoAnswerError(
                f"GET {self._session.origin}{self._base}{where} answered {status}.",
                hint="See what is there: python -m wrapper status",
            )
        return status == HTTPStatus.OK

    def resources(self) -> Resources | None:
        """What the machine has and uses now; None: it is of an older version, and does not tell."""
        raw = self.ask("GET", "/clouds/resources")
        try:
            return None if raw is None else resources.parse(raw)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise self._nonsense("/clouds/resources") from error

    def run_cell(self, code: str, *, timeout: float = 60.0) -> str:
        """What the code printed, run in a kernel of its own that is gone afterwards.

        `timeout` in seconds, for the kernel's start and the code together. KernelError when no
        kernel starts, the code raises, or time runs out.
        """
        return kernel.run(self._session, self.call, self._base, code, timeout=timeout)

    def set_password_hash(self, password_hash: str) -> None:
        """New logins need the new password, from now on and after every restart."""
        self.call("PUT", "/clouds/password", {"hash": password_hash})

    def set_certificate(self, certificate: str, private_key: str) -> None:
        """The next handshake shows that certificate (PEM, with its chain): pin it before."""
        self.call(
            "PUT", "/clouds/certificate", {"certificate": certificate, "private_key": private_key}
        )

    def read_text(self, path: str) -> str:
        """A text file of the work folder. NoAnswerError when there is none of that name."""
        found = self.call("GET", f"/api/contents/{quote(path)}?type=file&format=text&content=1")
        if not isinstance(found, dict) or not isinstance(found.get("content"), str):
            raise self._nonsense(f"/api/contents/{path}")
        return str(found["content"])

    def call(self, method: str, path: str, payload: Any = None) -> Any:
        """The JSON that the server answers, None for an empty answer.

        NoAnswerError for a status other than 2xx, with the server's own words and never with
        the payload; LoginError when the login is missing or has ended.
        """
        answer = self._session.send(method, self._base + path, json=payload)
        return self._content(method, path, answer)

    def ask(self, method: str, path: str, payload: Any = None) -> Any:
        """As `call`; None where the server knows no such address, or nothing of that name."""
        answer = self._session.send(method, self._base + path, json=payload)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        return self._content(method, path, answer)

    def _content(self, method: str, path: str, answer: requests.Response) -> Any:
        if not answer.ok or answer.is_redirect:
            raise self._refusal(method, path, answer)
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError as error:
            raise self._nonsense(path) from error

    def _refusal(self, method: str, path: str, answer: requests.Response) -> NoAnswerError:
        forbidden = answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
        if forbidden or answer.is_redirect:
            where = f"{method} {self._session.origin}{self._base}{path}"
            return LoginError(
                f"{where} answered {answer.status_code}: not logged in.",
                hint="Check the password: python -m wrapper check",
            )
        return self._trouble(method, path, answer)

    def _trouble(self, method: str, path: str, answer: requests.Response) -> NoAnswerError:
        where = f"{method} {self._session.origin}{self._base}{path}"
        return NoAnswerError(
            f"{where} answered {answer.status_code}{_server_words(answer)}.",
            hint="See the machine's own report: python -m wrapper status",
        )

    def _nonsense(self, path: str) -> NoAnswerError:
        return NoAnswerError(
            f"{self._session.origin}{self._base}{path} answered something else than is known.",
            hint="Check what runs there: python -m wrapper status",
        )


def _server_words(answer: requests.Response) -> str:
    """Jupyter's {"message": ...}, shortened and printable; nothing for a page."""
    try:
        message = answer.json()["message"]
    except (ValueError, KeyError, TypeError):
        return ""
    words = "".join(char if char.isprintable() else " " for char in str(message))[:300]
    return f": {words}" if words else ""
