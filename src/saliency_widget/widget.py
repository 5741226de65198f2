"""The widget: traits, and messages handed to what stands behind it. Everything hard is elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

import anywidget
import traitlets
from ipywidgets import ValueWidget

from . import hosts
from .attribution.pipeline import check_question
from .checks import check_view
from .controller import Controller, Job
from .explanation.asking import Inquiry
from .export.html import built
from .export.reading import first_target
from .models.text.document import joined
from .protocol import to_kernel
from .saved import SavedMap
from .session.sender import Send
from .types import ExplanationKind, Selection

if TYPE_CHECKING:
    from .attribution.result import Attribution
    from .evaluation.result import SayVersusDo
    from .explanation.result import Explanation


SMALL = 2000  # rows of a map that is saved anew at each pin: of a larger one that holds up the page


class Backend(Protocol):
    """What stands behind a widget: it tells the pages what there is, and takes what they and Python ask.

    It is made with a way to send to the pages, and one to say that a map on show is complete. Every method but `wait`
    returns at once, from any thread.
    """

    def start(self) -> None:
        """Begin to work, and to send."""

    def receive(self, message: to_kernel.ToKernel) -> None:
        """A message of the page."""

    def prefer(self, col: int) -> None:
        """The user looks at this column."""

    def cancel(self) -> None:
        """Stop what is running; keep what is done."""

    def close(self) -> None:
        """End all threads and free what they held."""

    def wait(self, timeout: float | None) -> bool:
        """Block until nothing is to do, or for `timeout` seconds; whether nothing is to do."""

    @property
    def attribution(self) -> Attribution | None:
        """The map on show as far as it is computed, or None."""

    @property
    def error(self) -> BaseException | None:
        """What went wrong, or None."""


class MapWidget(anywidget.AnyWidget, ValueWidget):  # type: ignore[misc] # ipywidgets is not typed
    """A saliency map on a page, whatever stands behind it.

    Traits: `selection` (int or None), the first pinned column; `extent` (int ≥ 1), how many columns from there on are
    pinned: both in step with the page both ways. `value` (`Selection` or None): the pinned targets and the scores of
    the map on show; it follows the two and the map. None where nothing is pinned, or not all of it is computed.
    `view` (a dict or None): how pages are to look at the map, see `check_view`; a reader may go on from there.

    Who observes `value` is told in the thread of whoever changed the selection; of a new map in the kernel's own (once
    no cell runs), and where there is no kernel in one of its own.
    """

    # As text: a path would be watched for changes, and the watch holds every widget for ever.
    _esm = built("widget.js")
    _css = built("widget.css")
    # Its state is the conversation with what stands behind it, which no saved notebook can go on with: the saved map is
    # the static output beside it.
    selection = traitlets.Int(None, allow_none=True, min=0, help="first pinned column").tag(sync=True)
    extent = traitlets.Int(1, min=1, help="how many columns are pinned").tag(sync=True)
    view = traitlets.Dict(None, allow_none=True, help="how the map is looked at").tag(sync=True)
    value = traitlets.Instance(
        Selection, allow_none=True, read_only=True, help="the pinned targets and the scores about them"
    )

    def __init__(self, backend: Callable[[Send, Callable[[Attribution], None]], Backend]) -> None:
        # Of itself the view has no width (it asks how wide it is): in an HBox it takes what the others leave.
        super().__init__(layout={"flex": "1 1 auto"})
        self._saved = SavedMap(self._static_html)
        self._shown_by: str | None = None
        self._first_target: int | None = None  # of the text on show, where a page was told of it
        hosts.hear_in_cells(self.comm)
        self._backend = backend(self._tell, self._on_finished)
        self.on_msg(self._on_message)
        self.observe(self._on_selection, ["selection", "extent"])
        self._backend.start()

    @traitlets.validate("view")
    def _check_view(self, proposal: Any) -> Any:
        return None if proposal["value"] is None else check_view(proposal["value"])

    # ── what a notebook user calls ────────────────────────────────────────────────────────────────────────────────

    def wait(self, timeout: float | None = None) -> Attribution:
        """Block until the map is complete, and return it.

        Raises: the error of the job (see `error`), Cancelled after a cancel, TimeoutError after `timeout` seconds.
        """
        if not self._backend.wait(timeout):
            raise TimeoutError(f"The map is not complete after {timeout} s; it goes on being computed.")
        self._follow_map()
        self._saved.flush()
        if self.error is not None:
            raise self.error
        attribution = self.attribution
        assert attribution is not None, "a job that ends without an error leaves a map"
        return attribution

    def cancel(self) -> None:
        """Stop what is running, within a second; what is done is kept in `attribution`."""
        self._backend.cancel()

    @property
    def attribution(self) -> Attribution | None:
        """The map on show as far as it is computed (after a cancel: the finished columns), or None."""
        return self._backend.attribution

    @property
    def error(self) -> BaseException | None:
        """What failed first of all that was asked since nothing was to do, or None."""
        return self._backend.error

    def close(self) -> None:
        """End the work, and free what this widget held."""
        # The base class closes once more when it is collected, also where __init__ did not come this far.
        if hasattr(self, "_backend"):
            self._saved.flush()
            self._backend.close()
        super().close()

    # ── shown ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def show(self) -> None:
        """Display a view of this widget now. A cell that ends with the widget does not show it a second time."""
        self._shown_by = None
        self._display()
        self._shown_by = hosts.running_cell()

    def _ipython_display_(self) -> None:
        if self._shown_by is not None and self._shown_by == hosts.running_cell() and hosts.is_last_line():
            return
        self._display()

    def _display(self) -> None:
        marimo = hosts.marimo()
        if marimo is not None:
            # It shows widgets itself, and what it saves is the code. A cell's last line takes the place of this.
            marimo.output.append(self)
            return
        from IPython.display import HTML, display

        bundle = self._repr_mimebundle_()
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        # Where nobody knows widgets the map is below: its name in Python would say nothing there.
        display({**(data or {}), "text/plain": ""}, metadata=metadata, raw=True)
        # A saved notebook has no widget: what it shows is this second output, filled when the map is done.
        slot = display(HTML(self._static_html()), display_id=True)
        if slot is not None:
            self._saved.add(slot)

    def _static_html(self) -> str:
        attribution = self.attribution
        if attribution is None:
            return '<div class="sw-static"></div>'
        # As it comes, and coloured for the (first) pinned target. What else a reader chose is the page's to show: none
        # need be open while this is computed, and what is saved is bounded, whoever looks at it and however.
        pinned = self.selection
        return attribution.to_html(col=None if pinned is None else self._places(attribution).get(pinned))

    # ── messages ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _tell(self, content: dict[str, Any], buffers: list[memoryview]) -> None:
        """Send to the pages. Called on the thread that sends."""
        self.send(content, buffers)
        if content["type"] == "document":  # another text is on show, and no map of it yet
            self._first_target = content["first_target"]
            hosts.soon(self._follow_map)

    def _on_message(self, _widget: Any, content: object, _buffers: object) -> None:
        message = to_kernel.read(content)
        if message is not None:
            self._backend.receive(message)

    def _on_finished(self, _attribution: Attribution) -> None:
        """A map on show is complete, or as far as it will come. Called on the thread that computes."""
        self._saved.follow()
        hosts.soon(self._follow_map)

    # ── what is pinned ────────────────────────────────────────────────────────────────────────────────────────────

    def _on_selection(self, _change: Any) -> None:
        if self.selection is not None:
            self._backend.prefer(self.selection)
        attribution = self.attribution
        if attribution is not None and len(attribution.rows) <= SMALL:
            self._saved.renew()
        self._keep_value()

    def _follow_map(self) -> None:
        """Bring `value` in step with the map on show. An observer that fails is no reason for anything else to fail."""
        try:
            self._keep_value()
        except Exception:
            self.log.exception("An observer of `value` raised this error; the widget goes on.")

    def _keep_value(self) -> None:
        # Two threads may be here at once, so whoever is through looks whether what it said is still so. No lock: one
        # that is held while somebody's observer runs is a deadlock to come.
        while (value := self._pinned()) != self.value:
            self.set_trait("value", value)

    def _pinned(self) -> Selection | None:
        """What is pinned of the map on show, if all of it is there."""
        attribution, first = self.attribution, self.selection
        if attribution is None or first is None:
            return None
        places = self._places(attribution)
        n_cols = 1 + max(places)
        if attribution.cols[0].role != "class" and attribution.rows:  # the last target is the token after the last row
            n_cols = max(n_cols, 2 + attribution.rows[-1].position - self._begin(attribution))
        cols = range(first, min(first + self.extent, n_cols))
        if not cols or not places.keys() >= set(cols):
            return None
        at = [places[col] for col in cols]
        tokens = tuple(attribution.cols[i] for i in at)
        scores = attribution.scores[:, at]  # a copy
        scores.flags.writeable = False
        return Selection(cols=cols, target=joined(tokens).text, tokens=tokens, inputs=attribution.rows, scores=scores)

    def _places(self, attribution: Attribution) -> dict[int, int]:
        """By column of the page, where it is in the map: one that is begun, or of one column, lacks some."""
        begin = self._begin(attribution)
        return {token.position - begin: i for i, token in enumerate(attribution.cols)}

    def _begin(self, attribution: Attribution) -> int:
        """The token that is column 0 of the page."""
        return first_target(attribution) if self._first_target is None else self._first_target


class SaliencyWidget(MapWidget):
    """A living saliency map. Made by `show`; the map fills in while it is computed. Its traits: see `MapWidget`."""

    def __init__(self, job: Job) -> None:
        super().__init__(partial(Controller, job))

    @property
    def _controller(self) -> Controller:
        assert isinstance(self._backend, Controller), "it was made with one"
        return self._backend

    def ask(self, method: str = "saliency", *, objective: str | None = None, **settings: Any) -> None:
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
