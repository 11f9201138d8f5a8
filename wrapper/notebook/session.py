"""HTTP over a pinned connection: sent once, answered in time, and errors in words."""

from __future__ import annotations

import ssl
from typing import IO, TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError as Urllib3Error

from wrapper.errors import NoAnswerError
from wrapper.notebook.pinning import refused, trust_only, unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrapper.notebook.model import Pin

_MOST = 16 * 1024 * 1024
"""Bytes of one answer that are read; a notebook with pictures is smaller."""


class PinnedSession:
    """Requests to one server that shows the pinned certificate, with its cookies.

    Nothing of the environment is heeded: REQUESTS_CA_BUNDLE would replace the pin, .netrc would
    send somebody's password.
    """

    def __init__(
        self, host: str, port: int, pin: Pin, *, proxy: str | None, timeout: float
    ) -> None:
        self.host, self.port, self.proxy, self.timeout = host, port, proxy, timeout
        self.context = trust_only(pin.pem, pin.name)
        self.cookies = requests.cookies.RequestsCookieJar()
        shown = f"[{host}]" if ":" in host else host
        self.origin = f"https://{shown}" if port == 443 else f"https://{shown}:{port}"  # noqa: PLR2004 (https's port)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies = self.cookies
        self._session.proxies = {"https": proxy} if proxy else {}
        self._session.mount("https://", _PinnedAdapter(self.context))

    def send(
        self, method: str, path: str, *, data: Any = None, json: Any = None
    ) -> requests.Response:
        """The server's answer, whatever its status; redirects are not followed.

        NoAnswerError when none comes, FingerprintError when the certificate is another.
        """
        try:
            answer = self._session.request(
                method,
                self.origin + path,
                data=data,
                json=json,
                # Jupyter's proof that a page of its own sent this: the cookie, repeated.
                headers={"X-XSRFToken": self.cookies.get("_xsrf") or "", "Referer": self.origin},
                allow_redirects=False,
                timeout=self.timeout,
                stream=True,
            )
            with answer:
                _read(answer, self.origin + path)
        except (requests.RequestException, Urllib3Error) as error:
            raise self._mapped(error) from error
        return answer

    def save(self, path: str, stream: IO[bytes], heard: Callable[[int], None]) -> int:
        """The body of a GET is in the stream, whatever its size, as it came; the answer's status.

        `heard` is told how many bytes came each time. NoAnswerError, FingerprintError as `send`.
        """
        headers = {"X-XSRFToken": self.cookies.get("_xsrf") or "", "Referer": self.origin}
        try:
            with self._session.get(
                self.origin + path,
                headers=headers,
                allow_redirects=False,
                timeout=self.timeout,
                stream=True,
            ) as answer:
                if answer.ok:
                    for part in answer.iter_content(256 * 1024):
                        stream.write(part)
                        heard(len(part))
                return answer.status_code
        except (requests.RequestException, Urllib3Error) as error:
            raise self._mapped(error) from error

    def close(self) -> None:
        """No connection is left open."""
        self._session.close()

    def _mapped(self, error: Exception) -> NoAnswerError:
        cause: BaseException = error
        for found in _causes(error):
            if isinstance(found, ssl.SSLCertVerificationError):
                return refused(self.host, self.port, found)
            if isinstance(found, OSError) and not isinstance(found, requests.RequestException):
                cause = found
        if isinstance(error, requests.Timeout):
            cause = TimeoutError()
        return unreachable(self.host, self.port, cause, proxy=self.proxy)


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what it wraps: requests puts urllib3's into args, urllib3 its own likewise."""
    found: list[BaseException] = []
    pending: list[object] = [error]
    while pending:
        one = pending.pop(0)
        if isinstance(one, BaseException) and not any(one is other for other in found):
            found.append(one)
            pending += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return found


def _read(answer: requests.Response, url: str) -> None:
    """The body is in `answer.content`, unless it is larger than any that is meant."""
    content = bytearray()
    for part in answer.iter_content(64 * 1024):
        content += part
        if len(content) > _MOST:
            raise NoAnswerError(f"{url} answers with more than {_MOST >> 20} MB; given up.")
    answer._content = bytes(content)  # noqa: SLF001 (requests has no limit of its own)


class _PinnedAdapter(HTTPAdapter):
    """requests' transport with one TLS context, its own trust store left out."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ARG002 (requests calls it so)
        # requests would load certifi's authorities into our context here, and any certificate
        # that one of them issued would be as good as the pinned one.
        conn.cert_reqs = "CERT_REQUIRED"
        conn.ca_certs = None
        conn.ca_cert_dir = None
