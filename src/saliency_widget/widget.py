"""The widget: its traits, its display, and its messages, which a backend handles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

import anywidget
import traitlets
from ipywidgets import ValueWidget

from . import hosts
from .attribution.pipeline import check_question
from .checks import check_view
from .controller import Controller
from .errors import InputError
from .explanation.asking import Inquiry
from .explanation.choice import choice_of
from .export.html import built
from .export.reading import first_target
from .models.text.document import joined
from .models.text.thinking import NAME as THINKING
from .protocol import to_kernel
from .remote import Remote, RemoteJob
from .saved import SavedMap
from .session.executor import Job
from .session.sender import Send
from .types import ExplanationKind, Selection

if TYPE_CHECKING:
    from .attribution.result import Attribution
    from .evaluation.say_versus_do.result import SayVersusDo
    from .explanation.choice import Label
    from .explanation.result import Explanation


SMALL = 2000  # rows of a map, at most, whose static map is saved again at each pin; a larger one would delay the page


class Backend(Protocol):
    """The backend of a widget: it sends messages to the pages, and handles the requests of pages and Python.

    It is created with a function that sends a message and one that is called with each completed map on show. Every
    method may be called from any thread; all but `wait` return at once.
    """

    def start(self) -> None:
        """Start working and sending."""

    def receive(self, message: to_kernel.ToKernel) -> None:
        """Handle a message of the page."""

    def prefer(self, cols: range) -> None:
        """Compute and send these columns first, because the user looks at them."""

    def cancel(self) -> None:
        """Cancel all tasks; keep the finished columns."""

    def close(self) -> None:
        """End all threads and free their data."""

    def wait(self, timeout: float | None) -> bool:
        """Block until no task waits or runs, or for `timeout` seconds. Return whether no task waits or runs."""

    @property
    def attribution(self) -> Attribution | None:
        """Return the finished columns of the map on show, or None before there are any."""

    @property
    def error(self) -> BaseException | None:
        """Return the first error since the backend was last idle, or None."""


class MapWidget(anywidget.AnyWidget, ValueWidget):  # type: ignore[misc] # ipywidgets is not typed
    """A saliency map on a page, with any backend.

    Traits: `selection` (int or None), the first pinned column; `extent` (int ≥ 1), the number of columns pinned from
    there on. Both are synchronised with the page in both directions. `value` (`Selection` or None): the pinned targets
    and their scores in the map on show; None if no column is pinned, or if not all of them are computed.
    `view` (a dict or None): how pages show the map, see `check_view`; a reader may change it there.

    Observers of `value` run in the thread that changed the selection. After a new map they run in the kernel's thread,
    when no cell runs, or without a kernel in a thread of their own.
    """

    # As text: anywidget watches the file of a path, and the watch keeps every widget alive.
    _esm = built("widget.js")
    _css = built("widget.css")
    # A saved notebook cannot continue the conversation with a backend, so the widget's state is not saved: the static
    # map in the output beside it is.
    selection = traitlets.Int(None, allow_none=True, min=0, help="first pinned column").tag(sync=True)
    extent = traitlets.Int(1, min=1, help="how many columns are pinned").tag(sync=True)
    view = traitlets.Dict(None, allow_none=True, help="how the map is looked at").tag(sync=True)
    value = traitlets.Instance(
        Selection, allow_none=True, read_only=True, help="the pinned targets and the scores about them"
    )

    def __init__(self, backend: Callable[[Send, Callable[[Attribution], None]], Backend]) -> None:
        # The view adapts to its width and has none of its own: in an HBox it takes the width that is left.
        super().__init__(layout={"flex": "1 1 auto"})
        self._saved = SavedMap(self._static_html)
        self._shown_by: str | None = None
        self._first_target: int | None = None  # that of the text on show, once a page was told of it
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
        """Cancel all tasks within a second. `attribution` keeps the finished columns."""
        self._backend.cancel()

    @property
    def attribution(self) -> Attribution | None:
        """Return the finished columns of the map on show, or None before there are any."""
        return self._backend.attribution

    @property
    def error(self) -> BaseException | None:
        """Return the first error since the widget was last idle, or None."""
        return self._backend.error

    def close(self) -> None:
        """End all tasks, and free the widget's data."""
        # The base class closes again when it is collected, even if __init__ failed before this attribute existed.
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
        slot = hosts.display_widget(self, self._repr_mimebundle_, self._static_html)
        if slot is not None:
            self._saved.add(slot)

    def _static_html(self) -> str:
        attribution = self.attribution
        if attribution is None:
            return '<div class="sw-static"></div>'
        # The static map is coloured for the (first) pinned target. Other choices of a reader are not saved: no page
        # need be open, and the size of the saved map stays bounded.
        pinned = self.selection
        return attribution.to_html(col=None if pinned is None else self._places(attribution).get(pinned))

    # ── messages ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _tell(self, content: dict[str, Any], buffers: list[memoryview]) -> None:
        """Send a message to the pages. Called on the sender's thread."""
        self.send(content, buffers)
        if content["type"] == "document":  # another text is on show, without a map so far
            self._first_target = content["first_target"]
            hosts.soon(self._follow_map)

    def _on_message(self, _widget: Any, content: object, _buffers: object) -> None:
        message = to_kernel.read(content)
        if message is not None:
            self._backend.receive(message)

    def _on_finished(self, _attribution: Attribution) -> None:
        """Save a map on show that is complete or cancelled. Called on the worker's thread."""
        self._saved.follow()
        hosts.soon(self._follow_map)

    # ── what is pinned ────────────────────────────────────────────────────────────────────────────────────────────

    def _on_selection(self, _change: Any) -> None:
        if self.selection is not None:
            self._backend.prefer(range(self.selection, self.selection + self.extent))
        attribution = self.attribution
        if attribution is not None and len(attribution.rows) <= SMALL:
            self._saved.renew()
        self._keep_value()

    def _follow_map(self) -> None:
        """Update `value` to the map on show. An error of an observer is only shown."""
        try:
            self._keep_value()
        except Exception:
            self.log.exception("An observer of `value` raised this error; the widget goes on.")

    def _keep_value(self) -> None:
        # Two threads may be here at once, so each checks again whether its value is still right. There is no lock: one
        # that is held while an observer runs could deadlock.
        while (value := self._pinned()) != self.value:
            self.set_trait("value", value)

    def _pinned(self) -> Selection | None:
        """Return the pinned targets with their scores, or None if one of them is not computed."""
        attribution, first = self.attribution, self.selection
        if attribution is None or first is None:
            return None
        places = self._places(attribution)
        n_cols = 1 + max(places, default=-1)
        if attribution.cols[0].role != "class" and attribution.rows:  # the last target follows the last row
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
        """Return the map's index of each column of the page. An unfinished map, or one of one column, lacks some."""
        begin = self._begin(attribution)
        return {token.position - begin: i for i, token in enumerate(attribution.cols)}

    def _begin(self, attribution: Attribution) -> int:
        """Return the position of the token that is column 0 of the page."""
        return first_target(attribution) if self._first_target is None else self._first_target


class SaliencyWidget(MapWidget):
    """A live saliency map. Made by `show`; columns appear as they are computed. Its traits: see `MapWidget`."""

    def __init__(self, job: Job | RemoteJob) -> None:
        super().__init__(partial(Remote, job) if isinstance(job, RemoteJob) else partial(Controller, job))

    @property
    def _live(self) -> Controller | Remote:
        assert isinstance(self._backend, Controller | Remote), "it was made with one"
        return self._backend

    def _places(self, attribution: Attribution) -> dict[int, int]:
        # The column of a whole answer, which comes first of a map that takes long, is no column of the page.
        return super()._places(attribution) if all(token.length == 1 for token in attribution.cols) else {}

    def ask(self, method: str = "saliency", *, objective: str | None = None, hop: int = 0, **settings: Any) -> None:
        """Show another map of the same text, as the widget's menu does. Returns at once.

        `hop`: the step back by way of the model's thinking, 0 for the direct map.
        Of a model behind a server: "occlusion", or "shapley" (`calls=`).
        Raises: UnknownName, InputError, UnsupportedMethod.
        """
        live = self._live
        if isinstance(live, Controller):
            through = THINKING if hop else None
            live.ask(check_question(method, objective, settings, through=through, hop=hop))
            return
        if hop:
            raise InputError("A server's map knows no hop=.", cure="Leave it out.")
        if objective is not None:
            raise InputError("A server's map knows no objective=.", cure="Leave it out.")
        live.ask(method, settings)

    def explain(
        self,
        kind: ExplanationKind = "answer",
        prompt: str | None = None,
        *,
        text: str | None = None,
        explainer: Literal["model", "explainer"] | None = None,
        labels: Iterable[Label] | Mapping[Label, float | str] | None = None,
        fields: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        """Let an LLM explain, as the Explain drawer does; `wait()` for it, then see `explanations`. Returns at once.

        `text`: what it is about; None takes the text that the widget shows. `explainer`: "model", the one on show, or
        "explainer", the one that `show` was given; None takes the latter where there is one. The others: see `explain`.
        Raises: InputError.
        """
        choice = None if labels is None else choice_of(labels)
        request = Inquiry(review=text or "…", kind=kind, prompt=prompt, fields=fields or {}, choice=choice, **settings)
        self._live.explain(request, explainer, of_widget=text is None)

    def say_versus_do(
        self, text: str | None = None, labels: Iterable[Label] | Mapping[Label, float | str] | None = None
    ) -> None:
        """Set what the model says of the text beside what it computes; `wait()`, then see `comparison`.

        `labels`: see `explain`. Raises: InputError.
        """
        self._live.say_versus_do(text, None if labels is None else choice_of(labels))

    @property
    def explanations(self) -> tuple[Explanation, ...]:
        """Return the explanations so far, in the order in which they were asked for."""
        return self._live.explanations

    @property
    def comparison(self) -> SayVersusDo | None:
        """Return the last comparison of what was said with what was computed, or None."""
        return self._live.comparison
