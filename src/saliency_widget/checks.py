"""What a user gave, looked at before anything is computed. Each check says what is wrong and what to do about it."""

from __future__ import annotations

import operator
import re
from collections.abc import Collection

from .errors import InputError, UnknownName

SURROGATE = re.compile("[\ud800-\udfff]")  # half of a character in UTF-16, and none in any other text


def one_of(kind: str, name: object, known: Collection[str]) -> None:
    """Raises: UnknownName unless `name` is one of them."""
    if not isinstance(name, str) or name not in known:
        raise UnknownName(kind, name, known)


def whole_number(name: str, value: object, *, least: int | None = None, cure: str) -> int:
    """An integer of any kind (NumPy's, torch's); True is none. Raises: InputError, also for one below `least`."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]  # that is what is asked
    except TypeError:
        number = None
    if number is None or (least is not None and number < least):
        enough = "" if least is None else f" from {least} on"
        raise InputError(f"{name} is {value!r}, and must be a whole number{enough}.", cure=cure)
    return number


def whole_text(name: str, text: str) -> None:
    """Raises: InputError where half a surrogate pair is in it: that is no character, and no tokenizer reads it."""
    half = SURROGATE.search(text)
    if half is not None:
        raise InputError(
            f"{name} holds half a character at {half.start()}: U+{ord(half[0]):04X}, a lone surrogate.",
            cure='Mend it: text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").',
        )
