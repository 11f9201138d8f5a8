"""EC2's answers: moto's own, byte for byte, with what it finds out about their fields kept.

Moto tries six kinds of alias and twenty patterns for each field of each answer, has each element's
name looked at letter by letter, and asks every method of a class for its name at each request: most
of what the API's processor time went to.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape, quoteattr

from moto.core import responses
from moto.core.responses import ActionResult
from moto.core.serialize import AttributePickerContext, EC2Serializer
from moto.core.utils import get_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from moto.core.model import Shape
    from moto.core.responses import ActionContext

_KEYS: Final = "jupyter_clouds_keys"
_ABSENT: Final = object()

# Few: each account has a class of its own, which holds all that is in it.
_moto: Any = responses
_moto.method_names_from_class = lru_cache(maxsize=4)(_moto.method_names_from_class)


class Answer(ActionResult):
    """What an action came to, written by the serializer here."""

    def __init__(self, of: ActionResult) -> None:
        super().__init__(of.result)
        self._of = of

    def execute_result(self, context: ActionContext) -> Any:
        context.serializer_class = Serializer
        return self._of.execute_result(context)


class Serializer(EC2Serializer):
    """Moto's, with what it finds out about a field kept beside the field's shape."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._transformers: dict[str, list[tuple[str, Callable[[Any], Any]]]] = {}
        for path, transform in self._value_picker.response_transformers.items():
            self._transformers.setdefault(path.rpartition(".")[2], []).append((path, transform))

    def get_value(self, value: Any, key: str, shape: Shape) -> Any:
        known = vars(shape).setdefault(_KEYS, {})
        kind = (type(value), key)
        if (keys := known.get(kind)) is None:
            context = AttributePickerContext(obj=value, key=key, shape=shape)
            keys = known[kind] = tuple(dict.fromkeys(self._value_picker.get_possible_keys(context)))
        found = _first(value, keys)
        if key not in self._transformers:
            return found
        path = ".".join((*self.path, key))
        for end, transform in self._transformers[key]:
            if path.endswith(end):
                return transform(found)
        return found

    def _serialize_body(self, body: Mapping[str, Any]) -> str:
        out = ['<?xml version="1.0" encoding="utf-8"?>\n']
        for name, held in body.items():
            _write(out, name, held)
        return "".join(out)


def _write(out: list[str], name: str, value: Any) -> None:
    """As xmltodict.unparse: each of a list in an element of its own, an empty one cut short."""
    for one in value if type(value) is list else (value,):
        if isinstance(one, dict):
            said = "".join(f" {k[1:]}={quoteattr(v)}" for k, v in one.items() if k[0] == "@")
            begun = len(out)
            out.append(f"<{name}{said}>")
            for key, held in one.items():
                if key[0] != "@":
                    _write(out, key, held)
            if len(out) > begun + 1:
                out.append(f"</{name}>")
            else:
                out[begun] = f"<{name}{said}/>"
        elif text := _text(one):
            out.append(f"<{name}>{escape(text)}</{name}>")
        else:
            out.append(f"<{name}/>")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.decode() if isinstance(value, bytes) else str(value)


def _first(value: Any, keys: tuple[str, ...]) -> Any:
    if type(value) is dict:
        for key in keys:
            if key in value:
                return value[key]
        return None
    for key in keys:
        found = get_value(value, key, _ABSENT)
        if found is not _ABSENT:
            return found
    return None
