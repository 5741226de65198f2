"""What differs between the places a widget lives in: JupyterLab, Notebook, marimo, a plain Python process."""

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
    """The module, where marimo runs the cell that calls; None in any other place."""
    module = sys.modules.get("marimo")
    return module if module is not None and module.running_in_notebook() else None


def check_notebook() -> None:
    """Raises: NoNotebook where no widget can be shown."""
    from IPython import get_ipython

    shell: InteractiveShell | None = get_ipython()
    if not hasattr(shell, "kernel") and marimo() is None:
        raise NoNotebook(
            "There is no notebook here to show a widget in.",
            cure="Use attribute(model, text): its result prints as a table, and to_html() makes a page of it.",
        )


def hear_in_cells(comm: Any) -> None:
    """Let messages of the page be taken while a cell runs, where the kernel can.

    ipykernel 7 takes them on the thread where the kernel last spoke: that of the running cell. Taken where the page
    asks, Cancel and hover get through.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = None


def soon(call: Callable[[], None]) -> None:
    """Have it called, neither here nor now.

    The worker must not run what observers of `value` do: it holds the model, and `wait()` waits for it. So the kernel
    does, between two cells, as it does for what a page sends; pyplot and `Output` expect that thread. Where there is no
    kernel a thread of its own does.
    """
    from IPython import get_ipython

    loop = getattr(getattr(get_ipython(), "kernel", None), "io_loop", None)
    if loop is not None:
        loop.add_callback(call)
    else:
        threading.Thread(target=call, name="saliency-widget-observers", daemon=True).start()


def running_cell() -> str | None:
    """The message that runs the cell; None outside a cell."""
    from IPython import get_ipython

    shell = get_ipython()
    parent: dict[str, Any] = getattr(getattr(shell, "kernel", None), "get_parent", dict)()
    message: str | None = parent.get("header", {}).get("msg_id")
    return message


def is_last_line() -> bool:
    """Whether IPython is showing the value of a cell's last line, and not running a call of `display`."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 (there is no other way to ask who calls)
    while frame is not None:
        if frame.f_globals.get("__name__") == "IPython.core.displayhook":
            return True
        frame = frame.f_back
    return False
