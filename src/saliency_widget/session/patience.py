"""The limits of the work that a widget does unasked, and of the messages about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """The limits within which a widget computes and tells by itself.

    `seconds` of work are the limit beyond which only columns that somebody looks at are computed by themselves;
    `seconds_if_small` is the same for a text that is not large: it costs so much only where the machine is slow, or
    busy. A text is large from `large` rows times targets on: the whole answer then comes first, before anything was
    measured. Beyond `early` rows a column takes so long that the text is written first. Of a text that is being written
    the batch after the first column has at most `first_batch` columns: it tells soon what a column takes.

    Two messages about a text that is being written are at least `between` seconds apart, and at least `pause` times the
    time that the first of them took: messages of a long text take long to make.
    """

    seconds: float = 5.0
    seconds_if_small: float = 30.0
    large: int = 4096
    early: int = 512
    first_batch: int = 8
    between: float = 0.1
    pause: float = 5.0


USUAL = Patience()
