"""The static map that a saved notebook shows: a second output beside the living widget, which hides it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

REST = 2.0  # s without another map


class Slot(Protocol):
    """An output that can be filled again: IPython's `DisplayHandle`."""

    def update(self, obj: object, /) -> None:
        """Put something else there."""


class SavedMap:
    """The slots of one widget, and what is to be put into them. `html` makes it.

    The first map goes there at once: a notebook may be over with its last cell. A later one only once the reader has
    rested for a while, for a large map holds up the page for half a second while it is put there.
    """

    def __init__(self, html: Callable[[], str]) -> None:
        self._html = html
        self._slots: list[Slot] = []
        self._lock = threading.Lock()
        self._filled = False
        self._timer: threading.Timer | None = None

    def add(self, slot: Slot) -> None:
        """Another view of the widget, with the static map of this moment in it."""
        self._slots.append(slot)

    def follow(self) -> None:
        """Another map is complete. From any thread."""
        with self._lock:
            if self._filled:
                self._wait()
                return
            self._filled = bool(self._slots)
        self._fill()

    def renew(self) -> None:
        """Another target is pinned on the map that is there. From any thread."""
        with self._lock:
            if self._filled:
                self._wait()

    def flush(self) -> None:
        """Put there now what is still to come, if anything is."""
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
