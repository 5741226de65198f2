"""Exceptions without traceback frames, so that a traceback with local variables never shows the API key.

Frames of the client, of openai and of its HTTP library hold the key as text, as bytes or in a request. The exceptions
drop these frames, and a note names the place of the error instead.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path


def sealed(error: BaseException) -> BaseException:
    """Return the error after removing the traceback frames from it and from all its causes and contexts."""
    for one in _chain(error):
        one.__traceback__ = None
    return error


def origin(error: BaseException) -> str:
    """Return the place in the code at which an error arose: "in read, line 7 of refusals.py"."""
    ends = [list(traceback.walk_tb(one.__traceback__))[-1:] for one in (*single(error), error)]
    frames = [frame for end in ends for frame in end]
    codes = [(frame.f_code, line) for frame, line in frames]
    places = [f"in {code.co_name}, line {line} of {Path(code.co_filename).name}" for code, line in codes]
    return " and ".join(dict.fromkeys(places))


def single(error: BaseException) -> Iterator[BaseException]:
    """Yield the error itself, or the errors in a group."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from single(one)
    else:
        yield error


def _chain(error: BaseException) -> list[BaseException]:
    """Return the error with all its causes, contexts and members of groups, each once."""
    found: dict[int, BaseException] = {}
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in found:
            found[id(one)] = one
            waiting += [one.__cause__, one.__context__]
            waiting += one.exceptions if isinstance(one, BaseExceptionGroup) else ()
    return list(found.values())
