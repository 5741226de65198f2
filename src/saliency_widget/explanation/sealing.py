"""Exceptions without the frames they passed: whoever shows a traceback with its local variables shows no key.

Frames of the client, of openai and of what it sends with hold the key, as text, as bytes or in a request. So no
exception takes one of them along; where it arose is said in words.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path


def sealed(error: BaseException) -> BaseException:
    """The same error, with all that led to it, without any frame."""
    for one in _chain(error):
        one.__traceback__ = None
    return error


def origin(error: BaseException) -> str:
    """The place in the code at which an error arose, without local variables: "in read, line 7 of refusals.py"."""
    ends = [list(traceback.walk_tb(one.__traceback__))[-1:] for one in (*single(error), error)]
    frames = [frame for end in ends for frame in end]
    codes = [(frame.f_code, line) for frame, line in frames]
    places = [f"in {code.co_name}, line {line} of {Path(code.co_filename).name}" for code, line in codes]
    return " and ".join(dict.fromkeys(places))


def single(error: BaseException) -> Iterator[BaseException]:
    """The error itself; of a group, those in it."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from single(one)
    else:
        yield error


def _chain(error: BaseException) -> list[BaseException]:
    """The error, what caused it, what it arose in, and what is in it, each once."""
    found: dict[int, BaseException] = {}
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in found:
            found[id(one)] = one
            waiting += [one.__cause__, one.__context__]
            waiting += one.exceptions if isinstance(one, BaseExceptionGroup) else ()
    return list(found.values())
