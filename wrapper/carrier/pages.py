"""Answers of the door's own."""

from __future__ import annotations

import html
from http import HTTPStatus


def page(
    status: HTTPStatus, title: str, words: str, *, refresh: str | None = None, cookie: str = ""
) -> bytes:
    """A whole answer, after which the connection is closed. `refresh`: seconds, or a place too."""
    again = f'<meta http-equiv="refresh" content="{html.escape(refresh)}">' if refresh else ""
    body = (
        f'<!doctype html><html lang="en"><meta charset="utf-8">{again}'
        f"<title>{html.escape(title)}</title>"
        f'<body style="font:16px sans-serif;margin:4em auto;max-width:40em">'
        f"<h1>{html.escape(title)}</h1><p>{html.escape(words)}</p></body></html>\n"
    ).encode()
    more = f"Set-Cookie: {cookie}\r\n" if cookie else ""
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        more += "Retry-After: 3\r\n"
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "Content-Type: text/html; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\n"
        "Referrer-Policy: no-referrer\r\n"
        "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "
        "frame-ancestors 'none'\r\n"
        f"{more}"
        "Connection: close\r\n\r\n"
    )
    return head.encode("latin-1") + body
