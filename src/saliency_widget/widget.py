"""The widget: traits, and messages handed to the controller. Everything hard is elsewhere."""

from __future__ import annotations

import sys
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

import anywidget
import traitlets

from . import protocol
from .attribution.attribute import check_question
from .controller import Controller, Job
from .explanation.asking import Inquiry
from .types import ExplanationKind

if TYPE_CHECKING:
    from types import FrameType

    from .attribution.result import Attribution
    from .evaluation.say_versus_do import SayVersusDo
    from .explanation.result import Explanation

_STATIC = files("saliency_widget") / "static"


class SaliencyWidget(anywidget.AnyWidget):
    """A living saliency map. Made by `show`; the map fills in while it is computed.

    Traits: `selection` (int or None), the column of the pinned target, in step with the page both ways.
    """

    _esm = _STATIC / "widget.js"
    _css = _STATIC / "widget.css"
    # Its state is the conversation with the controller, which no saved notebook can go on with: the saved map is the
    # static output beside it.
    selection = traitlets.Int(None, allow_none=True, min=0, help="column of the pinned target").tag(sync=True)

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._slots: list[Any] = []
        self._shown_by: str | None = None
        # ipykernel 7 takes a page's message on the thread where the kernel last spoke: that of the running cell.
        # Taken where the page asks, Cancel and hover get through while a cell runs.
        if hasattr(self.comm, "_reply_subshell_for"):
            self.comm._reply_subshell_for = None
        self._controller = Controller(job, self.send, self._on_finished)
        self.on_msg(self._on_message)
        self.observe(self._on_selection, "selection")
        self._controller.start()

    # ── what a notebook user calls ────────────────────────────────────────────────────────────────────────────────

    def wait(self, timeout: float | None = None) -> Attribution:
        """Block until the map is complete, and return it.

        Raises: the error of the job (see `error`), Cancelled after a cancel, TimeoutError after `timeout` seconds.
        """
        if not self._controller.wait(timeout):
            raise TimeoutError(f"The map is not complete after {timeout} s; it goes on being computed.")
        if self.error is not None:
            raise self.error
        attribution = self.attribution
        assert attribution is not None, "a job that ends without an error leaves a map"
        return attribution

    def cancel(self) -> None:
        """Stop what is running, within a second; what is done is kept in `attribution`."""
        self._controller.cancel()

    def ask(self, method: str = "saliency", *, objective: str = "probability", **settings: Any) -> None:
        """Show another map of the same text: what the toggle in the widget does. Returns at once.

        Raises: UnknownName.
        """
        self._controller.ask(check_question(method, objective, settings))

    def explain(
        self,
        kind: ExplanationKind = "answer",
        prompt: str | None = None,
        *,
        text: str | None = None,
        explainer: Literal["model", "explainer"] | None = None,
        **settings: Any,
    ) -> None:
        """Let an LLM explain, as the Explain drawer does; `wait()` for it, then see `explanations`. Returns at once.

        `text`: what it is about; None takes the text that the widget shows. `explainer`: "model", the one on show, or
        "explainer", the one that `show` was given; None takes the latter where there is one. The others: see `explain`.
        Raises: InputError.
        """
        request = Inquiry(review=text or "…", kind=kind, prompt=prompt, **settings)
        self._controller.explain(request, explainer, of_widget=text is None)

    def say_versus_do(self, text: str | None = None) -> None:
        """Set what the model says of the text beside what it computes; `wait()`, then see `comparison`."""
        self._controller.say_versus_do(text)

    @property
    def explanations(self) -> tuple[Explanation, ...]:
        """What was said so far, in the order in which it was asked for."""
        return self._controller.explanations

    @property
    def comparison(self) -> SayVersusDo | None:
        """What was said beside what was computed, the last one, or None."""
        return self._controller.comparison

    @property
    def attribution(self) -> Attribution | None:
        """The map on show as far as it is computed (after a cancel: the finished columns), or None."""
        return self._controller.attribution

    @property
    def error(self) -> BaseException | None:
        """What the last job failed with, or None."""
        return self._controller.error

    def close(self) -> None:
        """End the work, and free what this widget held."""
        # The base class closes once more when it is collected, also where __init__ did not come this far.
        if hasattr(self, "_controller"):
            self._controller.close()
        super().close()

    # ── shown ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def show(self) -> None:
        """Display a view of this widget now. A cell that ends with the widget does not show it a second time."""
        self._shown_by = None
        self._display()
        self._shown_by = _running_cell()

    def _ipython_display_(self) -> None:
        if self._shown_by is not None and self._shown_by == _running_cell() and _is_last_line():
            return
        self._display()

    def _display(self) -> None:
        from IPython.display import HTML, display

        bundle = self._repr_mimebundle_()
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        display(data, metadata=metadata, raw=True)
        # A saved notebook has no widget: what it shows is this second output, filled when the map is done.
        slot = display(HTML(self._static_html()), display_id=True)
        if slot is not None:
            self._slots.append(slot)

    def _static_html(self) -> str:
        attribution = self.attribution
        if attribution is None:
            return '<div class="sw-static"></div>'
        col = self.selection if self.selection is not None and self.selection < len(attribution.cols) else None
        return attribution.to_html(col=col)

    # ── messages ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _on_message(self, _widget: Any, content: object, _buffers: object) -> None:
        message = protocol.read(content)
        if message is not None:
            self._controller.receive(message)

    def _on_selection(self, change: Any) -> None:
        if change["new"] is not None:
            self._controller.prefer(change["new"])

    def _on_finished(self, _attribution: Attribution) -> None:
        from IPython.display import HTML

        page = HTML(self._static_html())
        for slot in self._slots:
            slot.update(page)


def _running_cell() -> str | None:
    """The message that runs the cell; None outside a cell."""
    from IPython import get_ipython

    shell = get_ipython()
    parent: dict[str, Any] = getattr(getattr(shell, "kernel", None), "get_parent", dict)()
    message: str | None = parent.get("header", {}).get("msg_id")
    return message


def _is_last_line() -> bool:
    """Whether IPython is showing the value of a cell's last line, and not running a call of `display`."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 (there is no other way to ask who calls)
    while frame is not None:
        if frame.f_globals.get("__name__") == "IPython.core.displayhook":
            return True
        frame = frame.f_back
    return False
