"""What stands behind a widget that shows maps which are there already: no model, no worker, nothing to wait for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..attribution.viewed import file_name, page_of
from ..checks import one_of
from ..errors import InputError, SaliencyError
from ..session.messages import wire_step
from ..session.streaming import Send, Stream

if TYPE_CHECKING:
    from ..attribution.cards import Card
    from ..attribution.result import Attribution
    from ..protocol import to_kernel, to_page
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
        self._stream = Stream(send)
        self._maps = {shown.card.id: shown for shown in exhibition.maps}
        self._on_show = exhibition.maps[-1]

    def start(self) -> None:
        """Hang the maps, and begin to send."""
        stream, of = self._stream, self._of
        stream.menu({shown.card: None for shown in of.maps}, {})
        stream.document(
            model=of.name,
            device=of.where,
            dtype=of.what,
            first_target=of.first_target,
            editable=None,
            alive=False,
            beside=of.beside,
        )
        stream.tokens(of.tokens, of.segments)
        reason = " ".join(of.closed)
        stream.explainers(
            {"type": "explainers", "explainers": [], "prompts": [], "review": "", "compares": False, "reason": reason}
        )
        for shown in of.maps:
            self._begin(shown, aside=shown is not self._on_show)
            for col in range(len(shown.map.cols)):
                stream.column(shown.card.id, col, shown.map.scores[:, col].copy())
        stream.status("done")
        stream.start()

    def show(self, name: str) -> None:
        """Put a map on show. Raises: UnknownName."""
        self._begin(self._named(name), aside=False)
        self._on_show = self._named(name)
        self._stream.status("done", self._on_show.card.label)
        self._finished(self._on_show.map)

    def receive(self, message: to_kernel.ToKernel) -> None:
        """A message of the page."""
        if self._stream.heard(message):
            return
        try:
            self._receive(message)
        except SaliencyError as error:
            self._stream.failed(type(error).__name__, error.message, error.cure)

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
            case "export":
                self._export(message["col"], message["view"])
            case _:
                raise InputError(self._of.closed[0], cure=self._of.closed[1])

    def prefer(self, col: int) -> None:
        """The user looks at this column: send it next."""
        self._stream.prefer(col)

    def cancel(self) -> None:
        """Nothing runs: nothing happens."""

    def close(self) -> None:
        """End the thread that sends."""
        self._stream.close()

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

    def _begin(self, shown: Shown, *, aside: bool) -> None:
        """Say that this map is there; the probabilities are those of the map on show, as far as it has any."""
        self._stream.show(
            shown.card.id,
            method=shown.card.id,
            objective=shown.map.objective or "",
            n_rows=len(shown.map.rows),
            n_cols=len(shown.map.cols),
            settings=shown.about,
            aside=aside,
        )
        if not aside:
            self._stream.steps({**self._steps(*self._of.maps), **self._steps(shown)})

    @staticmethod
    def _steps(*of: Shown) -> dict[int, to_page.WireStep]:
        """By column the probability, or the value, and the alternatives, of the first map that knows them."""
        found: dict[int, to_page.WireStep] = {}
        for shown in reversed(of):
            scores, unknown = shown.map.step_scores, np.full(len(shown.map.cols), np.nan)
            probabilities, values = (scores.get(name, unknown) for name in ("probability", "value"))
            for col in range(len(unknown)):
                p, value = float(probabilities[col]), float(values[col])
                if not np.isnan((p, value)).all():  # its own text has such a target
                    others = shown.map.alternatives[col] if shown.map.alternatives else ()
                    found[col] = wire_step(p, None if np.isnan(value) else value, others)
        return found

    def _export(self, col: int, view: to_kernel.View) -> None:
        of, n = self._of, len(self._on_show.map.cols)
        if not 0 <= col < n:
            raise InputError(f"There is no column {col}.", cure=f"There are {n}: 0 … {n - 1}.")
        sides = [shown.map for shown in of.maps if shown.card.id in of.beside]
        is_difference = self._on_show.card.family == "difference"
        text = page_of(self._on_show.map, of.tokens, of.first_target, col, view, sides=sides if is_difference else ())
        self._stream.file(file_name(of.name, self._on_show.card.id), text)
