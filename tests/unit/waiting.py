"""Waiting for another thread by polling.

How long is no claim of any test. A machine may be busy; only what never comes fails.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

GUARD = 120  # seconds after which something is taken for lost


def wait_for(condition: Callable[[], object], said: Callable[[], object] = lambda: None) -> None:
    """Wait until a condition holds. `said`: the message of a failure."""
    end = time.monotonic() + GUARD
    while not condition():
        assert time.monotonic() < end, said()
        time.sleep(0.01)
