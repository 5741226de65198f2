"""Widgets on one model take turns: each map is done sooner than if all were computed at once, and memory lasts."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# One lock a model object, shared by the workers of all widgets on it; it goes when the model goes.
_turns: weakref.WeakKeyDictionary[Any, threading.RLock] = weakref.WeakKeyDictionary()
_guard = threading.Lock()


def lock_of(model: Any) -> threading.RLock:
    """The lock that a worker holds while it computes on this model object."""
    with _guard:
        return _turns.setdefault(model, threading.RLock())


@contextmanager
def turn(model: Any, *, check: Callable[[], None], waiting: Callable[[], None]) -> Iterator[None]:
    """A context in which no other widget's worker computes on this model object.

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
