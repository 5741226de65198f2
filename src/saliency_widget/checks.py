"""Checks of a user's arguments before anything is computed. Each raises an error with cause and cure."""

from __future__ import annotations

import operator
import re
from collections.abc import Collection, Mapping
from typing import Any

from .errors import InputError, UnknownName

SURROGATE = re.compile("[\ud800-\udfff]")  # half of a UTF-16 pair, which is no character


def one_of(kind: str, name: object, known: Collection[str]) -> None:
    """Raise UnknownName unless `name` is one of the known names."""
    if not isinstance(name, str) or name not in known:
        raise UnknownName(kind, name, known)


def whole_number(name: str, value: object, *, least: int | None = None, cure: str) -> int:
    """Return the value as an int, whatever integer type it has; bool is none.

    Raises: InputError for another type, and for a number below `least`.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]  # index() raises for others
    except TypeError:
        number = None
    if number is None or (least is not None and number < least):
        enough = "" if least is None else f" from {least} on"
        raise InputError(f"{name} is {value!r}, and must be a whole number{enough}.", cure=cure)
    return number


def whole_text(name: str, text: str) -> None:
    """Raise InputError if the text holds a lone surrogate, which no tokenizer can read."""
    half = SURROGATE.search(text)
    if half is not None:
        raise InputError(
            f"{name} holds half a character at {half.start()}: U+{ord(half[0]):04X}, a lone surrogate.",
            cure='Mend it: text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").',
        )


_VIEWS: dict[str, tuple[str, ...]] = {
    "by": ("token", "word", "sentence", "segment"),
    "pool": ("sum", "mean", "max"),
    "joint": ("mean", "sum"),
    "scale": ("linear", "quantile", "threshold"),
    "measure": ("share", "raw"),
}


def check_view(view: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a map is looked at, as a dict; what it leaves out is as at first.

    `by`: the unit that is read; `pool`: how its tokens make its score; `joint`: how several targets make one;
    `scale`, `threshold` (from 0 to 1): the colours; `measure`: shares or raw scores; `left_out`: stretches of tokens
    (start, end) that are not counted; `turned`: the stretch that the question is turned round to.
    Raises: InputError.
    """
    for name, value in view.items():
        if name in _VIEWS:
            is_right = value in _VIEWS[name]
            cure = f"Give one of {', '.join(map(repr, _VIEWS[name]))}."
        elif name == "threshold":
            is_right = isinstance(value, int | float) and 0 < value <= 1
            cure = "Give a number from 0 to 1."
        elif name in ("left_out", "turned"):
            is_right = all(map(_is_stretch, value if name == "left_out" else [value]))
            cure = f"Give {'stretches' if name == 'left_out' else 'a stretch'} of tokens: (start, end)."
        else:
            known = ", ".join((*_VIEWS, "threshold", "left_out", "turned"))
            raise InputError(f"A view has no {name!r}.", cure=f"It has {known}.")
        if not is_right:
            raise InputError(f"The view's {name} is {value!r}.", cure=cure)
    return dict(view)


def _is_stretch(value: Any) -> bool:
    is_pair = isinstance(value, list | tuple) and len(value) == 2 and all(type(end) is int for end in value)
    return is_pair and 0 <= value[0] < value[1]
