"""The differences between a widget's hosts: JupyterLab, Notebook, marimo, a plain Python process."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .errors import NoNotebook

if TYPE_CHECKING:
    from types import FrameType

    from IPython.core.interactiveshell import InteractiveShell


def marimo() -> Any:
    """Return the module marimo if it runs the calling cell, otherwise None."""
    module = sys.modules.get("marimo")
    return module if module is not None and module.running_in_notebook() else None


def check_notebook() -> None:
    """Raise NoNotebook if no widget can be shown."""
    from IPython import get_ipython

    shell: InteractiveShell | None = get_ipython()
    if not hasattr(shell, "kernel") and marimo() is None:
        raise NoNotebook(
            "There is no notebook here to show a widget in.",
            cure="Use attribute(model, text): its result prints as a table, and to_html() makes a page of it.",
        )


def display_widget(widget: Any, bundle: Callable[[], Any], static_html: Callable[[], str]) -> Any:
    """Display a widget under the cell. Return the second output with its static map, or None if the host saves none.

    `bundle` returns the widget's MIME bundle, `static_html` the static map.
    """
    module = marimo()
    if module is not None:
        # marimo displays widgets itself, and saves only code. The value of a cell's last line replaces this output.
        module.output.append(widget)
        return None
    from IPython.display import HTML, display

    made = bundle()
    data, metadata = made if isinstance(made, tuple) else (made, {})
    # A host without widgets shows the static map below, and no repr.
    display({**(data or {}), "text/plain": ""}, metadata=metadata, raw=True)
    # A saved notebook shows no widget but this second output, which is filled when the map is done.
    return display(HTML(static_html()), display_id=True)


def hear_in_cells(comm: Any) -> None:
    """Let the page's messages be handled while a cell runs, if the kernel supports it.

    ipykernel 7 handles them on the thread that last sent a message, which is that of the running cell. Handled on the
    subshell that the page chose, Cancel and hover work during a cell.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = None


def soon(call: Callable[[], None]) -> None:
    """Call a function later, on the kernel's thread between two cells, or without a kernel on a new thread.

    The worker must not run the observers of `value`: it holds the model, and `wait()` waits for it. pyplot and `Output`
    expect the kernel's thread.
    """
    from IPython import get_ipython

    loop = getattr(getattr(get_ipython(), "kernel", None), "io_loop", None)
    if loop is not None:
        loop.add_callback(call)
    else:
        threading.Thread(target=call, name="saliency-widget-observers", daemon=True).start()


def running_cell() -> str | None:
    """Return the id of the message that runs the current cell; None outside a cell."""
    from IPython import get_ipython

    shell = get_ipython()
    parent: dict[str, Any] = getattr(getattr(shell, "kernel", None), "get_parent", dict)()
    message: str | None = parent.get("header", {}).get("msg_id")
    return message


def is_last_line() -> bool:
    """Return whether IPython displays the value of a cell's last line, rather than a call of `display`."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 (the only way to find the caller)
    while frame is not None:
        if frame.f_globals.get("__name__") == "IPython.core.displayhook":
            return True
        frame = frame.f_back
    return False
