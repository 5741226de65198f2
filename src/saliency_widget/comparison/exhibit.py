"""The exhibit replaces the controller in a widget of finished maps: it has no model and no worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..checks import one_of
from ..errors import InputError
from ..protocol import to_page
from ..session.answering import answer
from ..session.messages import failed, menu_message, status, tokens_message, wire_step
from ..session.sender import Send, Sender
from ..session.shelf import Shelf
from ..session.tasks import cols_of

if TYPE_CHECKING:
    from ..attribution.cards import Card
    from ..attribution.result import Attribution
    from ..protocol import to_kernel
    from ..types import Segment, Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A finished map, its card (its id is the map's name on the page), and the conditions it was computed under.

    `notes`: what its method says of its own result, in the columns of the exhibition; `floors`: for each of these the
    size below which a score is noise, where it is known.
    """

    card: Card
    map: Attribution
    about: Sequence[tuple[str, str]]
    notes: Sequence[to_page.WireNote] = ()
    floors: Sequence[float | None] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibition:
    """A text and its finished maps. `where`, `what`: two notes beside its name. `maps`: the last is shown first.

    All maps have the rows `tokens[:n_rows]` and the columns `tokens[first_target:]`. `beside`: which of them stand side
    by side at first, by the ids of their cards. `replaced`: the places where inputs of one stand and not those of the
    other, as (start, middle, end). `closed`: cause and cure of the error for a task that needs a model.
    """

    name: str
    where: str
    what: str
    tokens: Sequence[Token]
    segments: Sequence[Segment]
    first_target: int
    maps: Sequence[Shown]
    beside: Sequence[str] = ()
    replaced: Sequence[tuple[int, int, int]] = ()
    closed: tuple[str, str]


class Exhibit:
    """Sends the maps of an exhibition to the pages, and handles their messages.

    Every method may be called from any thread and returns at once. `send` sends a message to the pages. `finished` is
    called, in the caller's thread, with each map that is put on show.
    """

    def __init__(self, exhibition: Exhibition, send: Send, finished: Callable[[Attribution], None]) -> None:
        self._of = exhibition
        self._finished = finished
        self._sender = Sender(send)
        self._shelf = Shelf(self._sender)
        self._maps = {shown.card.id: shown for shown in exhibition.maps}
        self._on_show = exhibition.maps[-1]

    def start(self) -> None:
        """Put all maps on the shelf, and start sending."""
        of, reason = self._of, " ".join(self._of.closed)
        self._sender.tell(
            menu_message({shown.card: None for shown in of.maps}, {}),
            to_page.Document(
                type="document", doc=1, model=of.name, device=of.where, dtype=of.what, first_target=of.first_target,
                editable=None, raw=any("value" in shown.map.step_scores for shown in of.maps), alive=False,
                beside=list(of.beside), code=None,
            ),
            tokens_message(1, of.tokens, of.segments),
            to_page.Exhibited(
                type="exhibited", doc=1, replaced=list(of.replaced),
                steps=[{"map": name, "steps": self._own_steps(self._maps[name])} for name in of.beside],
            ),
            {"type": "explainers", "explainers": [], "prompts": [], "review": "", "reason": reason},
            status("done"),
        )  # fmt: skip
        for shown in of.maps:
            self._begin(shown, aside=shown is not self._on_show)
            self._shelf.fill(
                shown.card.id, range(len(shown.map.cols)), shown.map.scores, shown.map.errors, shown.floors
            )
            self._sender.tell({"type": "notes", "map": shown.card.id, "notes": list(shown.notes)})
        self._tell_steps(self._on_show)
        self._sender.start()

    def show(self, name: str) -> None:
        """Put a map on show. Raises: UnknownName."""
        self._on_show = shown = self._named(name)
        self._begin(shown)
        self._tell_steps(shown)
        self._sender.tell(status("done", shown.card.label))
        self._finished(shown.map)

    def receive(self, message: to_kernel.ToKernel) -> None:
        """Handle a message of the page."""
        answer(self._sender, message, self._receive, self._fail)

    def _fail(self, kind: str, message: str, cure: str) -> None:
        self._sender.tell(failed(kind, message, cure))

    def _receive(self, message: to_kernel.ToKernel) -> None:
        match message["type"]:
            case "focus":
                self.prefer(cols_of(message))
            case "cancel":
                pass  # nothing runs
            case "ask" if not message.get("settings") and "foil" not in message:
                if message.get("aside", False):
                    self._begin(self._named(message["method"]), aside=True)
                else:
                    self.show(message["method"])
            case _:
                raise InputError(self._of.closed[0], cure=self._of.closed[1])

    def prefer(self, cols: range) -> None:
        """Send these columns first, because the user looks at them: all are there."""
        self._sender.prefer(cols)

    def cancel(self) -> None:
        """Do nothing: no task runs."""

    def close(self) -> None:
        """End the sender's thread."""
        self._sender.close()

    def wait(self, timeout: float | None) -> bool:  # noqa: ARG002 (a parameter of every Backend)
        """Return True at once: no task runs."""
        return True

    @property
    def attribution(self) -> Attribution:
        """Return the map on show."""
        return self._on_show.map

    @property
    def error(self) -> BaseException | None:
        """Return None: no task runs that could fail."""
        return None

    # ── sent ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _named(self, name: str) -> Shown:
        one_of("map", name, self._maps)
        return self._maps[name]

    def _begin(self, shown: Shown, *, aside: bool = False) -> None:
        name, objective, shape = shown.card.id, shown.map.objective or "", shown.map.scores.shape
        self._shelf.begin(name, method=name, objective=objective, shape=shape, settings=shown.about, aside=aside)

    def _tell_steps(self, shown: Shown) -> None:
        """Send each column's probability (or value) and alternatives, of this map or the first one that has them."""
        found = {
            col: step
            for each in (*reversed(self._of.maps), shown)
            for col, step in enumerate(self._own_steps(each))
            if step["probability"] is not None or step["value"] is not None  # its own text has such a target
        }
        self._sender.tell(*(to_page.Steps(type="steps", doc=1, start=col, steps=[step]) for col, step in found.items()))

    def _own_steps(self, shown: Shown) -> list[to_page.WireStep]:
        """Return the probability (or value) and the alternatives of each column as this map has them."""
        scores, unknown = shown.map.step_scores, np.full(len(shown.map.cols), np.nan)
        numbers = (
            [None if np.isnan(number) else float(number) for number in scores.get(name, unknown)]
            for name in ("probability", "value")
        )
        others = shown.map.alternatives or [()] * len(unknown)
        return [wire_step(*step) for step in zip(*numbers, others, strict=True)]
