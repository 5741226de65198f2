"""Widgets on one model take turns, so that each map is finished sooner and memory use stays that of one map."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# One lock for each model object, shared by the workers of all its widgets and freed with the model.
_turns: weakref.WeakKeyDictionary[Any, threading.RLock] = weakref.WeakKeyDictionary()
_guard = threading.Lock()


def lock_of(model: Any) -> threading.RLock:
    """Return the lock that a worker holds while it computes on this model object."""
    with _guard:
        return _turns.setdefault(model, threading.RLock())


@contextmanager
def turn(model: Any, *, check: Callable[[], None], waiting: Callable[[], None]) -> Iterator[None]:
    """Enter a context in which no other widget's worker computes on this model object.

    While another worker does, `waiting` and then `check` are called about ten times a second; `check` raises to stop
    waiting.
    """
    lock = lock_of(model)
    while not lock.acquire(timeout=0.1):
        waiting()
        check()
    try:
        yield
    finally:
        lock.release()
