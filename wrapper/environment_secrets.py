"""What an environment.yml may not have in it, when whoever describes the machine can read it.

User data is no secret: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html. The
module's variable refuses the same, as far as its language can (variables.tf). Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_USER = re.compile(r"://[^/\s]*@")
# https://docs.anaconda.com/anacondaorg/user-guide/work-with-accounts/#tokens: /t/ and the token.
_TOKEN = re.compile(r"://[^\s/]+/(?:[^\s/]+/)*?t/[A-Za-z0-9][A-Za-z0-9-]*")
_QUERY = re.compile(r"://\S*[?&][\w-]*(?:token|password|secret|signature|api_?key)=", re.IGNORECASE)
_NAME = re.compile(r"token|passw|secret|api_?key|access_?key|credential", re.IGNORECASE)


def found(text: str, document: Any) -> str:
    """What is secret in it, in words that do not repeat it; empty when nothing is seen."""
    # Also of comments, which travel along.
    if _USER.search(text):
        return "a user or a password in an address"
    for word in _words(document):
        if _TOKEN.search(word):
            return "a token in a channel's address (/t/...)"
        if _QUERY.search(word):
            return "a secret in an address"
    variables = document.get("variables") if isinstance(document, dict) else None
    for name, value in variables.items() if isinstance(variables, dict) else ():
        if _NAME.search(str(name)) and value:
            return f"a value for the variable {name}"
    return ""


def _words(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        for key, value in document.items():
            yield str(key)
            yield from _words(value)
    elif isinstance(document, list):
        for one in document:
            yield from _words(one)
    else:
        yield str(document)
