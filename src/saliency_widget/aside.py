"""Work on a thread of its own, while the calling thread waits.

An interrupt (Ctrl-C, Kernel → Interrupt) can raise at any instruction of the main thread. Here that thread only waits,
and the work ends at its next call of `check`. torch's settings of a thread (no_grad, inference mode, autocast) do not
pass from the caller to the work or back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from .errors import Cancelled

Result = TypeVar("Result")

_STEP = 0.2  # seconds between which an interrupt is handled
_TELL_INTERVAL = 0.05  # seconds between two calls of `tell`
_STEP_OF_END = 0.01  # seconds between two looks whether interrupted work has ended
_END_TIMEOUT = 10.0  # seconds that interrupted work has to end


def aside(work: Callable[[Callable[[], None]], Result], tell: Callable[[], None] = lambda: None) -> Result:
    """Return the result of `work(check)`, or raise its error. `check` raises Cancelled after an interrupt.

    `tell` is called in this thread during the work, and once after it.
    """
    stopped, running = threading.Event(), threading.Lock()
    results: list[Result] = []
    errors: list[BaseException] = []

    def check() -> None:
        if stopped.is_set():
            raise Cancelled("Interrupted.", cure="Ask again.")

    def run() -> None:
        try:
            results.append(work(check))
        except BaseException as error:  # noqa: BLE001 (it is raised in the calling thread)
            errors.append(error)
        finally:
            running.release()

    # An interrupt of `thread.join` makes Python 3.11 take the thread for ended, which it is not, and one of an event's
    # wait can break the event: so a lock tells, which waits in one instruction.
    running.acquire()
    thread = threading.Thread(target=run, name="saliency-widget-work", daemon=True)
    try:
        thread.start()
        while not running.acquire(timeout=_TELL_INTERVAL):
            tell()
        tell()  # the work may have ended before the first call
    except BaseException:
        stopped.set()
        deadline = time.monotonic() + _END_TIMEOUT
        while thread.ident is not None and not (results or errors) and time.monotonic() < deadline:
            time.sleep(_STEP_OF_END)
        raise
    thread.join()  # a thread that Python's own end meets in the middle of its own takes the process down
    if errors:
        raise errors[0]
    return results[0]


def wait_for(changed: threading.Condition, ready: Callable[[], bool], timeout: float | None) -> bool:
    """Block until `ready()`, or for `timeout` seconds. Return whether it is. An interrupt ends the wait."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while not ready():
        left = _STEP if deadline is None else min(_STEP, deadline - time.monotonic())
        if left <= 0:
            return False
        with changed:
            changed.wait_for(ready, left)
    return True
