"""Checks of a user's arguments before anything is computed. Each raises an error with cause and cure."""

from __future__ import annotations

import operator
import re
from collections.abc import Collection

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
