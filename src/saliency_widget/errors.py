"""All errors of this package. Each names its cause and its cure.

SaliencyError
├── InputError            invalid arguments (also a ValueError)
│   ├── UnknownName       a method, setting or objective does not exist; the cure offers the nearest names
│   ├── UnsupportedMethod a method cannot run on this model
│   ├── AmbiguousToken    a word occurs several times (also a LookupError)
│   ├── TokenNotFound     a word does not occur (also a LookupError)
│   └── TextTooLong       a text has more tokens than the model has positions
├── ModelNotFound         a model is neither on this machine nor on the hub
├── DamagedFile           a checkpoint or a saved map is truncated or garbled (also a ValueError)
├── FileError             the system refuses to read or write a file of the user (also an OSError)
│   └── NoSuchFile        a file does not exist (also a FileNotFoundError)
├── DownloadFailed        a model could not be fetched
├── OutOfMemory           not even one column fits into memory
├── BadScores             scores are NaN, infinite or all zero
├── WeightsChanged        the weights changed while a map was computed
├── NoNotebook            there is no notebook to show a widget in
├── ServerError           a language model server is down, slow, refuses, or does not answer with text
├── Cancelled             the user cancelled; the finished columns are kept
└── WorkerDied            a widget's worker thread ended without finishing
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from .characters import plain


class SaliencyError(Exception):
    """Base of all errors of this package. `message`: the cause; `cure`: what to do about it.

    Both are one line, with signs for characters that control a terminal, which names from outside may contain.
    """

    def __init__(self, message: str, *, cure: str) -> None:
        message, cure = plain(message), plain(cure)
        super().__init__(f"{message} {cure}")
        self.message = message
        self.cure = cure


class InputError(SaliencyError, ValueError):
    """An argument is invalid."""


class UnknownName(InputError):
    """A name does not exist. The cure offers the nearest names."""

    def __init__(self, kind: str, name: object, known: Iterable[str]) -> None:
        names = list(known)
        near = difflib.get_close_matches(str(name), names, n=3, cutoff=0.5)
        listed = ", ".join(names) if names else "none"
        cure = f"Did you mean {' or '.join(near)}? Known: {listed}." if near else f"Known: {listed}."
        super().__init__(f"Unknown {kind} {name!r}.", cure=cure)
        self.name = name
        self.nearest = near


class UnsupportedMethod(InputError):
    """A method cannot run on this model."""


class AmbiguousToken(InputError, LookupError):
    """A word occurs more than once. `positions`: those to choose from."""

    def __init__(self, message: str, *, cure: str, positions: Iterable[int]) -> None:
        super().__init__(message, cure=cure)
        self.positions = tuple(positions)


class TokenNotFound(InputError, LookupError):
    """A word is in no row, or in no column."""


class TextTooLong(InputError):
    """A text has more tokens than the model has positions."""


class ModelNotFound(SaliencyError):
    """A model is neither on this machine nor on the hub."""


class DamagedFile(SaliencyError, ValueError):
    """A file is truncated or garbled, is not what its name says, or comes from a newer version."""


class FileError(SaliencyError, OSError):
    """A file cannot be read or written. `errno`: the system's error number, or None."""

    def __init__(self, message: str, *, cure: str, errno: int | None = None) -> None:
        super().__init__(message, cure=cure)
        self.errno = errno


class NoSuchFile(FileError, FileNotFoundError):
    """A file does not exist."""


class DownloadFailed(SaliencyError):
    """A model could not be fetched."""


class OutOfMemory(SaliencyError):
    """Not even one column fits into memory."""


class BadScores(SaliencyError):
    """Scores are NaN, infinite or all zero. `col`: the first bad column."""

    def __init__(self, message: str, *, cure: str, col: int) -> None:
        super().__init__(message, cure=cure)
        self.col = col


class WeightsChanged(SaliencyError):
    """The weights changed while a map was computed."""


class NoNotebook(SaliencyError):
    """There is no notebook to show a widget in."""


class ServerError(SaliencyError):
    """A language model server is down, slow, refuses, or does not answer with text. `status`: HTTP's, or None."""

    def __init__(self, message: str, *, cure: str, status: int | None = None) -> None:
        super().__init__(message, cure=cure)
        self.status = status


class Cancelled(SaliencyError):
    """The user cancelled. The finished columns are kept."""


class WorkerDied(SaliencyError):
    """A widget's worker thread ended without finishing its tasks."""
