"""The static map of a saved notebook: a second output of the cell, which the live widget hides."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

REST = 2.0  # seconds without another map before it is saved


class Slot(Protocol):
    """An output that can be replaced: IPython's `DisplayHandle`."""

    def update(self, obj: object, /) -> None:
        """Replace the output."""


class SavedMap:
    """The outputs with one widget's static map. `html` returns the map's HTML.

    The first map is saved at once, because the notebook may end with this cell. A later one is saved after a pause,
    because saving a large map blocks the page for half a second.
    """

    def __init__(self, html: Callable[[], str]) -> None:
        self._html = html
        self._slots: list[Slot] = []
        self._lock = threading.Lock()
        self._filled = False
        self._timer: threading.Timer | None = None

    def add(self, slot: Slot) -> None:
        """Add the output of another view of the widget, which holds the current static map."""
        self._slots.append(slot)

    def follow(self) -> None:
        """Save another map, at once or after a pause. May be called from any thread."""
        with self._lock:
            if self._filled:
                self._wait()
                return
            self._filled = bool(self._slots)
        self._fill()

    def renew(self) -> None:
        """Save the map again, because another target is pinned. May be called from any thread."""
        with self._lock:
            if self._filled:
                self._wait()

    def flush(self) -> None:
        """Save a waiting map now, if there is one."""
        with self._lock:
            due = self._timer is not None
            self._stop()
        if due:
            self._fill()

    def _wait(self) -> None:
        self._stop()
        self._timer = threading.Timer(REST, self.flush)
        self._timer.daemon = True
        self._timer.start()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fill(self) -> None:
        from IPython.display import HTML

        page = HTML(self._html())
        for slot in self._slots:
            slot.update(page)
