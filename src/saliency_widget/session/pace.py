"""An estimate of the time that steady work still takes, from the times at which its parts were done."""

from __future__ import annotations

import time


class Pace:
    """Estimates the remaining seconds of work whose parts cost about the same.

    The first part includes the set-up, so it is left out of the estimate as soon as a second part is done.
    """

    def __init__(self, done: int = 0) -> None:
        self._began = self._since = time.perf_counter()
        self._from, self._first = done, True

    def elapsed(self) -> float:
        """Return the seconds since the work began, without skipped time."""
        return time.perf_counter() - self._began

    def skip(self, seconds: float) -> None:
        """Leave this many seconds, spent on something else, out of the estimate."""
        self._began += seconds
        self._since += seconds

    def left(self, done: int, total: int) -> float | None:
        """Return the seconds until `total` parts are done, now that `done` are; None before the first part."""
        now, before = time.perf_counter(), self._from
        if done <= before:
            return None
        left = (now - self._since) / (done - before) * (total - done)
        if self._first:
            self._since, self._from, self._first = now, done, False
        return left
