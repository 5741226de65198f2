"""What stands behind a widget that shows maps which are there already: no model, no worker, nothing to wait for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..checks import one_of
from ..errors import InputError, SaliencyError
from ..protocol import to_page
from ..session.messages import failed, menu_message, refusal, status, step_message, tokens_message
from ..session.sender import Send, Sender
from ..session.shelf import Shelf

if TYPE_CHECKING:
    from ..attribution.cards import Card
    from ..attribution.result import Attribution
    from ..protocol import to_kernel
    from ..types import Segment, Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A map, the card that says how to read it (its id is how it is asked for), and on what it was computed."""

    card: Card
    map: Attribution
    about: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibition:
    """Maps of one text, and the text. `where`, `what`: two notes beside its name. `maps`: the last is on show first.

    All maps have the rows `tokens[:n_rows]` and the columns `tokens[first_target:]`. `beside`: which of them stand side
    by side at first, by the ids of their cards. `closed`: what a user is told who asks for something that a model would
    have to answer, cause and cure.
    """

    name: str
    where: str
    what: str
    tokens: Sequence[Token]
    segments: Sequence[Segment]
    first_target: int
    maps: Sequence[Shown]
    beside: Sequence[str] = ()
    closed: tuple[str, str]


class Exhibit:
    """Tells the pages of an exhibition, and takes what they ask. Every method returns at once, from any thread.

    `send` hands a message to the pages. `finished` is called, in the caller's thread, with each map that goes on show.
    """

    def __init__(self, exhibition: Exhibition, send: Send, finished: Callable[[Attribution], None]) -> None:
        self._of = exhibition
        self._finished = finished
        self._sender = Sender(send)
        self._shelf = Shelf(self._sender)
        self._maps = {shown.card.id: shown for shown in exhibition.maps}
        self._on_show = exhibition.maps[-1]

    def start(self) -> None:
        """Hang the maps, and begin to send."""
        of, reason = self._of, " ".join(self._of.closed)
        self._sender.tell(
            menu_message({shown.card: None for shown in of.maps}, {}),
            to_page.Document(
                type="document", doc=1, model=of.name, device=of.where, dtype=of.what, first_target=of.first_target,
                editable=None, raw=any("value" in shown.map.step_scores for shown in of.maps), alive=False,
                beside=list(of.beside),
            ),
            tokens_message(1, of.tokens, of.segments),
            {"type": "explainers", "explainers": [], "prompts": [], "review": "", "compares": False, "reason": reason},
            status("done"),
        )  # fmt: skip
        for shown in of.maps:
            self._begin(shown, aside=shown is not self._on_show)
            self._shelf.fill(shown.card.id, range(len(shown.map.cols)), shown.map.scores)
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
        """A message of the page."""
        if self._sender.heard(message):
            return
        try:
            self._receive(message)
        except SaliencyError as error:
            self._sender.tell(failed(type(error).__name__, error.message, error.cure), *refusal(message))

    def _receive(self, message: to_kernel.ToKernel) -> None:
        match message["type"]:
            case "focus":
                self.prefer(message["col"])
            case "cancel":
                pass  # nothing runs
            case "ask" if not message.get("settings") and "foil" not in message:
                if message.get("aside", False):
                    self._begin(self._named(message["method"]), aside=True)
                else:
                    self.show(message["method"])
            case _:
                raise InputError(self._of.closed[0], cure=self._of.closed[1])

    def prefer(self, col: int) -> None:
        """The user looks at this column: send it next."""
        self._sender.prefer(col)

    def cancel(self) -> None:
        """Nothing runs: nothing happens."""

    def close(self) -> None:
        """End the thread that sends."""
        self._sender.close()

    def wait(self, timeout: float | None) -> bool:  # noqa: ARG002 (whoever waits for a widget may have a limit)
        """Nothing is to do."""
        return True

    @property
    def attribution(self) -> Attribution:
        """The map on show."""
        return self._on_show.map

    @property
    def error(self) -> BaseException | None:
        """None: what is there cannot fail."""
        return None

    # ── told ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _named(self, name: str) -> Shown:
        one_of("map", name, self._maps)
        return self._maps[name]

    def _begin(self, shown: Shown, *, aside: bool = False) -> None:
        name, objective, shape = shown.card.id, shown.map.objective or "", shown.map.scores.shape
        self._shelf.begin(name, method=name, objective=objective, shape=shape, settings=shown.about, aside=aside)

    def _tell_steps(self, shown: Shown) -> None:
        """By column the probability, or the value, and the alternatives: of this map, or of the first that has them."""
        found: dict[int, to_page.Steps] = {}
        for each in (*reversed(self._of.maps), shown):
            scores, unknown = each.map.step_scores, np.full(len(each.map.cols), np.nan)
            probabilities, values = (scores.get(name, unknown) for name in ("probability", "value"))
            for col in range(len(unknown)):
                p, value = float(probabilities[col]), float(values[col])
                if not np.isnan((p, value)).all():  # its own text has such a target
                    others = each.map.alternatives[col] if each.map.alternatives else ()
                    found[col] = step_message(1, col, p, None if np.isnan(value) else value, others)
        self._sender.tell(*found.values())
