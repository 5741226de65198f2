"""Every error a user can meet. Each names the cause, and the cure.

SaliencyError
├── InputError            what was asked cannot be asked (also a ValueError)
│   ├── UnknownName       a method, setting or objective nobody knows; the nearest names are offered
│   ├── UnsupportedMethod the method exists, but not for this model
│   ├── AmbiguousToken    a word that occurs several times (also a LookupError)
│   ├── TokenNotFound     a word that does not occur (also a LookupError)
│   └── TextTooLong       more tokens than the model has positions for
├── ModelNotFound         no such model here or on the hub
├── DamagedFile           a checkpoint or a saved map that is not what it should be (also a ValueError)
├── FileError             a file of yours that the system does not let us read or write (also an OSError)
│   └── NoSuchFile        there is none (also a FileNotFoundError)
├── DownloadFailed        something had to be fetched and could not be
├── OutOfMemory           not even one column fits
├── BadScores             scores that are NaN, infinite or all zero: an error, never a picture
├── WeightsChanged        the weights changed while a map was computed: it would be of neither
├── NoNotebook            a widget was asked for where there is no notebook to show it in
├── ServerError           a language model server is down, slow, refuses, or answers with something else
├── Cancelled             the user stopped it; what was done is kept
└── WorkerDied            the thread behind a widget ended without finishing
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from .characters import plain


class SaliencyError(Exception):
    """Base of all errors of this package. `message` says what happened, `cure` what to do about it.

    Both are one line: characters that a terminal would obey, which names from outside may have, are signs in them.
    """

    def __init__(self, message: str, *, cure: str) -> None:
        message, cure = plain(message), plain(cure)
        super().__init__(f"{message} {cure}")
        self.message = message
        self.cure = cure


class InputError(SaliencyError, ValueError):
    """What was asked cannot be asked."""


class UnknownName(InputError):
    """A name that is not in a table. The nearest names that are, come with it."""

    def __init__(self, kind: str, name: object, known: Iterable[str]) -> None:
        names = list(known)
        near = difflib.get_close_matches(str(name), names, n=3, cutoff=0.5)
        listed = ", ".join(names) if names else "none"
        cure = f"Did you mean {' or '.join(near)}? Known: {listed}." if near else f"Known: {listed}."
        super().__init__(f"Unknown {kind} {name!r}.", cure=cure)
        self.name = name
        self.nearest = near


class UnsupportedMethod(InputError):
    """The method exists, but not for this model."""


class AmbiguousToken(InputError, LookupError):
    """A word that occurs more than once; `positions` are the ones to choose from."""

    def __init__(self, message: str, *, cure: str, positions: Iterable[int]) -> None:
        super().__init__(message, cure=cure)
        self.positions = tuple(positions)


class TokenNotFound(InputError, LookupError):
    """A word that no row, or no column, has."""


class TextTooLong(InputError):
    """More tokens than the model has positions for."""


class ModelNotFound(SaliencyError):
    """No such model here or on the hub."""


class DamagedFile(SaliencyError, ValueError):
    """A file that is cut short, is not what its name says, or comes from a newer version."""


class FileError(SaliencyError, OSError):
    """A file that cannot be read or written. `errno`: the system's number for the reason, or None."""

    def __init__(self, message: str, *, cure: str, errno: int | None = None) -> None:
        super().__init__(message, cure=cure)
        self.errno = errno


class NoSuchFile(FileError, FileNotFoundError):
    """There is no file of that name."""


class DownloadFailed(SaliencyError):
    """Something had to be fetched and could not be."""


class OutOfMemory(SaliencyError):
    """Not even one column fits into memory."""


class BadScores(SaliencyError):
    """Scores that are NaN, infinite or all zero. `col` is the first bad column."""

    def __init__(self, message: str, *, cure: str, col: int) -> None:
        super().__init__(message, cure=cure)
        self.col = col


class WeightsChanged(SaliencyError):
    """The weights changed while a map was computed."""


class NoNotebook(SaliencyError):
    """A widget was asked for where there is no notebook to show it in."""


class ServerError(SaliencyError):
    """A language model server is down, slow, refuses, or answers with something else. `status`: HTTP's, or None."""

    def __init__(self, message: str, *, cure: str, status: int | None = None) -> None:
        super().__init__(message, cure=cure)
        self.status = status


class Cancelled(SaliencyError):
    """The user stopped it; what was done is kept."""


class WorkerDied(SaliencyError):
    """The thread behind a widget ended without finishing its job."""
