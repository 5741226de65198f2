"""How long steady work still takes, from when its parts were done."""

from __future__ import annotations

import time


class Pace:
    """Estimates the seconds that are left of work whose parts cost about the same.

    The first part that is done only starts the clock: it holds what is done once. Until a second one is done it has to
    serve all the same.
    """

    def __init__(self, done: int = 0) -> None:
        self._began = self._since = time.perf_counter()
        self._from, self._first = done, True

    def elapsed(self) -> float:
        """The seconds since the work began, without what was skipped."""
        return time.perf_counter() - self._began

    def skip(self, seconds: float) -> None:
        """So long something else was done."""
        self._began += seconds
        self._since += seconds

    def left(self, done: int, total: int) -> float | None:
        """The seconds until `total` parts are done, now that `done` are; None where nothing is known."""
        now, before = time.perf_counter(), self._from
        if done <= before:
            return None
        left = (now - self._since) / (done - before) * (total - done)
        if self._first:
            self._since, self._from, self._first = now, done, False
        return left
