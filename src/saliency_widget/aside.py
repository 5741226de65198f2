"""Work in a thread of its own, while the thread that asked waits.

An interrupt (Ctrl-C, Kernel → Interrupt) can strike the main thread at any instruction. Here it strikes a thread that
only waits; the work ends at its next look at whether to go on. What a thread sets for itself in torch (gradients off,
inference mode, autocast) neither comes into the work nor is left by it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from .errors import Cancelled

Result = TypeVar("Result")

_LOOK = 0.05  # seconds between two looks at how far the work is
_PATIENCE = 10.0  # seconds that interrupted work has to end


def aside(work: Callable[[Callable[[], None]], Result], tell: Callable[[], None] = lambda: None) -> Result:
    """What `work(check)` returns; what it raises is raised here. `check` raises Cancelled once this thread was stopped.

    `tell` is called in this thread while the work goes on, and once after it.
    """
    stopped = threading.Event()
    results: list[Result] = []
    errors: list[BaseException] = []

    def check() -> None:
        if stopped.is_set():
            raise Cancelled("Interrupted.", cure="Ask again.")

    def run() -> None:
        try:
            results.append(work(check))
        except BaseException as error:  # noqa: BLE001 (it is raised where it was asked for)
            errors.append(error)

    thread = threading.Thread(target=run, name="saliency-widget-work", daemon=True)
    try:
        thread.start()
        while thread.is_alive():
            thread.join(_LOOK)
            tell()
        tell()  # the work may have been quicker than the first look
    except BaseException:
        stopped.set()
        if thread.ident is not None:
            thread.join(_PATIENCE)
        raise
    if errors:
        raise errors[0]
    return results[0]
