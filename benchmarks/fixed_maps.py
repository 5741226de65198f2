"""Maps that are made up, on real widgets without a model: what `front_end.py` has in its kernels."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import anywidget
import numpy as np

from saliency_widget.attribution.cards import OURS
from saliency_widget.attribution.result import Attribution
from saliency_widget.comparison.exhibit import Exhibit, Exhibition, Shown
from saliency_widget.export.html import built
from saliency_widget.session.sender import Send, Sender
from saliency_widget.session.shelf import Shelf
from saliency_widget.types import Alternative, Token
from saliency_widget.widget import MapWidget

_VOCABULARY = (
    "the of and to in is that it was for film story music actors ending camera scene night town river house "
    "people they we she he long quiet bright strange rather never always almost before after under between "
    "because although walked looked thought remember found lost kept turned opened closed wonder ful ness "
    "ing able "
)
WORDS = _VOCABULARY.split()
PIECES = {"ful", "ness", "ing", "able"}  # what goes on with a word
PARAGRAPH = 120  # tokens of a line
_BUNDLE = built("widget.js")
_CLOSED = ("These maps are made up: there is no model behind them.", "Call show() with a model.")


def exhibition(n_rows: int, n_cols: int, maps: int = 1, *, paragraph: int = PARAGRAPH) -> Exhibition:
    """`maps` maps of n_rows × n_cols about one text, the same at every call; a line of it has `paragraph` tokens."""
    rng = np.random.default_rng(n_rows)
    n_prompt = n_rows - n_cols + 1  # each target is an input of the next
    tokens, at, word = [], 0, -1
    for position in range(n_rows + 1):
        text = str(rng.choice(WORDS))
        goes_on = text in PIECES and position > 0
        text = text if goes_on else f" {text}"
        text += "\n" if position < n_prompt - 1 and position % paragraph == paragraph - 1 else ""
        word += not goes_on
        role = "prompt" if position < n_prompt else "generated"
        span = (at, at := at + len(text))
        tokens.append(
            Token(id=position, position=position, text=text, role=role, span=span, word=word, sentence=0, segment=0)
        )
    sees = np.arange(n_rows)[:, None] < n_prompt + np.arange(n_cols)
    shown = []
    for k in range(maps):
        scores = np.where(sees, rng.random((n_rows, n_cols), np.float32) ** 9, np.nan).astype(np.float32)
        card = replace(OURS["random"], id=f"map-{k}", label=f"Map {k}")
        alternatives = tuple(
            tuple(Alternative(id=i, text=f" {WORDS[i]}", probability=0.1) for i in range(5)) for _ in range(n_cols)
        )
        made = Attribution(
            scores=scores,
            rows=tuple(tokens[:n_rows]),
            cols=tuple(tokens[n_prompt:]),
            step_scores={"probability": rng.random(n_cols, np.float32)},
            alternatives=alternatives,
            method="random",
            objective="probability",
            signed=False,
            unit="made up",
        )
        shown.append(Shown(card=card, map=made, about=()))
    return Exhibition(
        name="made up", where="kernel", what="float32", tokens=tokens, segments=(), first_target=n_prompt,
        maps=shown, closed=_CLOSED,
    )  # fmt: skip


class Finished(MapWidget):
    """A widget that has its maps."""

    def __init__(self, of: Exhibition) -> None:
        super().__init__(partial(Exhibit, of))


class _Holding(Sender):
    """Keeps the columns back until it is told to let them go."""

    def __init__(self, send: Send) -> None:
        super().__init__(send)
        self._held: list[Any] = []

    def tell(self, *messages: Any, numbers: Any = ()) -> None:
        if messages and messages[0]["type"] == "column":
            self._held.append((messages[0], numbers))
        else:
            super().tell(*messages, numbers=numbers)

    def let_go(self) -> None:
        for column, numbers in self._held:
            super().tell(column, numbers=numbers)


class _Held(Exhibit):
    def __init__(self, of: Exhibition, send: Send, finished: Callable[[Attribution], None]) -> None:
        super().__init__(of, send, finished)
        self._sender = self.holding = _Holding(send)
        self._shelf = Shelf(self.holding)


class Held(MapWidget):
    """A widget that shows its text, and gets all columns of all maps at once later."""

    def __init__(self, of: Exhibition) -> None:
        super().__init__(partial(_Held, of))

    def give(self) -> float:
        """The kernel has all columns now. The time on its clock, in seconds."""
        now = time.time()
        assert isinstance(self._backend, _Held)
        self._backend.holding.let_go()
        return now


class Inert(anywidget.AnyWidget):  # type: ignore[misc] # ipywidgets is not typed
    """A widget of the same bundle that makes nothing of it: what a host keeps of any widget of this size."""

    _esm = re.sub(
        r"export ?\{[\w$]+ as default\};?\s*$",
        "export default { render: ({ el }) => el.classList.add('inert') };",
        _BUNDLE,
    )
