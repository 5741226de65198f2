"""What one widget has to tell its pages, and the thread that tells it.

The worker says what is new; a sender thread turns it into messages. Small things (tokens, steps, status) are merged
when they come faster than they can be looked at; columns are kept until a page has room for them. A page that says
hello is told everything from the start.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, cast

from ..protocol import PROTOCOL, WINDOW, to_kernel, to_page
from ..types import Objective, Phase, Segment, Token
from .messages import encodable, growth, runs, status_message, wire_method, wire_token

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..attribution.cards import Card

Send = Callable[[dict[str, Any], list[memoryview]], None]
Sent = tuple[dict[str, Any], list[memoryview]]

_PAUSE = 0.04  # seconds between two rounds of small messages: faster than this nobody can see


@dataclass(eq=False)
class _Matrix:
    """A map as far as it is known, and which of its columns are on their way."""

    header: to_page.Map
    columns: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    sent: set[int] = field(default_factory=set)


class Stream:
    """Everything a page is to know. Its methods may be called from any thread, and return at once."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._session = uuid.uuid4().hex[:12]
        self._changed = threading.Condition()
        self._closed = False
        self._listening = False  # whether any page has said hello: nothing is sent to nobody
        self._greet = False
        self._document: to_page.Document | None = None
        self._trail: to_page.Trail | None = None
        self._tokens: list[to_page.WireToken] = []
        self._segments: list[to_page.WireSegment] = []
        self._steps: dict[int, to_page.WireStep] = {}
        self._menu: to_page.Menu | None = None
        self._explainers: to_page.Explainers | None = None
        self._answers: dict[int, to_page.Answer] = {}
        self._answers_untold: set[int] = set()
        self._texts_told: dict[int, str] = {}  # of answers that grow, the text that every page has
        self._comparison: to_page.Comparison | None = None
        self._matrices: dict[str, _Matrix] = {}
        self._maps_untold: set[str] = set()
        self._current: str | None = None
        self._what_if: to_page.WhatIf | None = None
        self._once: list[Sent] = []  # what is told to the pages that are there, and to no later one
        self._preferred = 0
        self._status: to_page.Status = status_message("idle")
        self._failed: to_page.Failed | None = None
        self._news: set[str] = set()  # names of the small things that changed since they were last sent
        self._tokens_from = 0
        self._steps_untold: set[int] = set()
        self._seq = 0
        self._acked = 0
        self._thread: threading.Thread | None = None

    # ── what the worker says ──────────────────────────────────────────────────────────────────────────────────────

    def menu(self, cards: Mapping[Card, str | None], objectives: Mapping[Objective, str]) -> None:
        """What can be asked of this model: methods with the reason why one cannot be used, objectives with labels."""
        with self._changed:
            self._menu = {
                "type": "menu",
                "methods": [wire_method(card, reason) for card, reason in cards.items()],
                "objectives": [{"id": name, "label": label} for name, label in objectives.items()],
            }
            self._tell("menu")

    def explainers(self, message: to_page.Explainers) -> None:
        """Who can be asked to explain."""
        with self._changed:
            self._explainers = message
            self._tell("explainers")

    def answer(self, message: to_page.Answer) -> None:
        """An answer as far as it is there; it replaces what was said of it before."""
        with self._changed:
            self._answers[message["id"]] = message
            self._answers_untold.add(message["id"])
            self._tell("answers")

    def comparison(self, message: to_page.Comparison) -> None:
        """What was said beside what was computed."""
        with self._changed:
            self._comparison = message
            self._tell("comparison")

    def trail(self, names: Sequence[str], at: int) -> None:
        """The texts that were shown, and the one on show."""
        with self._changed:
            self._trail = {"type": "trail", "names": list(names), "at": at}
            self._tell("trail")

    def document(
        self,
        *,
        model: str,
        device: str,
        dtype: str,
        first_target: int,
        editable: str | None,
        alive: bool = True,
        beside: Sequence[str] = (),
        tokens: Sequence[Token] = (),
        segments: Sequence[Segment] = (),
        n_same: int = 0,
    ) -> None:
        """A new text begins, with these tokens; what was said of the one before is forgotten.

        `n_same`: so many of its first columns follow the same tokens as before, and what was said of them stays.
        """
        with self._changed:
            doc = 1 if self._document is None else self._document["doc"] + 1
            self._document = {
                "type": "document",
                "doc": doc,
                "model": model,
                "device": device,
                "dtype": dtype,
                "first_target": first_target,
                "editable": editable,
                "alive": alive,
                "beside": list(beside),
            }
            self._tokens, self._segments, self._tokens_from = [], [], 0
            self._steps = {col: step for col, step in self._steps.items() if col < n_same}
            self._steps_untold = set(self._steps)
            self._matrices, self._maps_untold, self._current, self._what_if = {}, set(), None, None
            self._tell("document")
            if tokens:
                self.tokens(tokens, segments)

    def tokens(self, tokens: Sequence[Token], segments: Sequence[Segment]) -> None:
        """The whole token list as it is now; only what changed is sent."""
        wire = [wire_token(t) for t in tokens]
        with self._changed:
            old = self._tokens
            same = next(
                (i for i, (a, b) in enumerate(zip(old, wire, strict=False)) if a != b), min(len(old), len(wire))
            )
            self._tokens = wire
            self._segments = [cast("to_page.WireSegment", asdict(s)) for s in segments]
            self._tokens_from = min(self._tokens_from, same)
            self._tell("tokens")

    def steps(self, steps: Mapping[int, to_page.WireStep]) -> None:
        """By column: the target's probability, and what else the model could have written."""
        with self._changed:
            self._steps.update(steps)
            self._steps_untold.update(steps)
            self._tell("steps")

    def show(
        self,
        map_id: str,
        *,
        method: str,
        objective: str,
        n_rows: int,
        n_cols: int,
        settings: Sequence[tuple[str, str]] = (),
        foil: str | None = None,
        col: int | None = None,
        aside: bool = False,
    ) -> bool:
        """This map is the one on show, and begins if it is new; `aside`: it only begins, to be shown when asked for.

        Gives whether it is new.
        """
        with self._changed:
            assert self._document is not None, "a map belongs to a document"
            is_new = map_id not in self._matrices
            if aside and map_id == self._current:
                return False
            header: to_page.Map = {
                "type": "map",
                "map": map_id,
                "doc": self._document["doc"],
                "method": method,
                # It may be another than the one it was computed with: attention has none.
                "objective": objective,
                "settings": list(settings),
                "foil": foil,
                "col": col,
                "aside": aside,
                "n_rows": n_rows,
                "n_cols": n_cols,
            }
            if is_new:
                self._matrices[map_id] = _Matrix(header)
            self._matrices[map_id].header = header
            if not aside:
                if self._current not in (None, map_id):
                    before = self._matrices[self._current]
                    before.header = {**before.header, "aside": True}
                self._current = map_id
            self._maps_untold.add(map_id)
            self._tell("maps")
            return is_new

    def column(self, map_id: str, col: int, scores: NDArray[np.float32]) -> None:
        """A finished column, float32 [n_rows]."""
        with self._changed:
            self._matrices[map_id].columns[col] = scores
            self._changed.notify_all()

    def what_if(
        self, rows: Sequence[int], text: str | None, before: Sequence[float], after: Sequence[float | None]
    ) -> None:
        """How probable the same targets are after a change; of nothing after an undo."""
        with self._changed:
            assert self._document is not None, "what is changed is a document"
            self._what_if = {
                "type": "what_if",
                "doc": self._document["doc"],
                "rows": list(rows),
                "text": text,
                "before": list(before),
                "after": list(after),
            }
            self._tell("what_if")

    def heads(self, col: int, layers: Sequence[int], weights: NDArray[np.float32]) -> None:
        """Where each head of each layer looks for one column: float32 [layers, heads, n_rows]. Told once."""
        with self._changed:
            assert self._document is not None, "what heads look at is a document"
            _, n_heads, n_rows = weights.shape
            message: to_page.Heads = {
                "type": "heads",
                "doc": self._document["doc"],
                "col": col,
                "layers": list(layers),
                "n_heads": n_heads,
                "n_rows": n_rows,
            }
            self._tell_once(message, _float32(weights))

    def file(self, name: str, text: str) -> None:
        """A page to be kept. Told once."""
        with self._changed:
            message: to_page.File = {"type": "file", "name": name, "text": text}
            self._tell_once(message)

    def status(
        self,
        phase: Phase,
        what: str = "",
        done: int = 0,
        total: int | None = None,
        seconds_left: float | None = None,
        unit: str = "tokens",
    ) -> None:
        """What is going on; a phase of work also takes the last error away."""
        with self._changed:
            self._status = status_message(phase, what, done, total, seconds_left, unit)
            if phase not in ("failed", "idle"):
                self._failed = None
            self._tell("status")

    def failed(self, kind: str, message: str, cure: str) -> None:
        """An error to show until something new is asked."""
        with self._changed:
            self._failed = {"type": "failed", "kind": kind, "message": message, "cure": cure}
            self._status = status_message("failed", what=self._status["what"])
            self._tell("status")
            self._tell("failed")

    @property
    def progress(self) -> tuple[int, int | None]:
        """How far the work is: done, and of how many."""
        return self._status["done"], self._status["total"]

    # ── what the page says ────────────────────────────────────────────────────────────────────────────────────────

    def heard(self, message: to_kernel.ToKernel) -> bool:
        """Take what a page says of the conversation itself; whether it was that. Who asks anything else hears so."""
        match message["type"]:
            case "hello":
                self.hello()
            case "ack":
                self.ack(message["seq"])
            case "focus":
                return False
            case _:  # or a page that waits for a slow answer would think that nobody is there
                with self._changed:
                    self._tell_once({"type": "heard"})
                return False
        return True

    def hello(self) -> None:
        """A page is there and knows nothing. Acknowledgements that a lost page owes are forgotten."""
        with self._changed:
            self._listening = self._greet = True
            self._changed.notify_all()

    def ack(self, seq: int) -> None:
        """A page has stored all columns up to `seq`."""
        with self._changed:
            self._acked = max(self._acked, min(seq, self._seq))
            self._changed.notify_all()

    def prefer(self, col: int) -> None:
        """The user looks at this column: send it before others."""
        with self._changed:
            self._preferred = col

    # ── the thread ────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Begin to send."""
        self._thread = threading.Thread(target=self._run, name="saliency-widget-sender", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread and forget everything."""
        with self._changed:
            self._closed = True
            self._document = self._current = None
            self._matrices, self._tokens, self._steps = {}, [], {}
            self._answers, self._texts_told, self._comparison = {}, {}, None
            self._trail = self._what_if = None
            self._once = []
            self._changed.notify_all()

    def _tell(self, name: str) -> None:
        self._news.add(name)
        self._changed.notify_all()

    def _tell_once(self, message: to_page.ToPage, *buffers: memoryview) -> None:
        self._once.append((cast("dict[str, Any]", message), list(buffers)))
        self._tell("once")

    def _run(self) -> None:
        small_at = 0.0
        while True:
            with self._changed:
                while True:
                    now = time.monotonic()  # asked once: did the pause end between two answers, nobody would wake us
                    messages = self._next(now >= small_at)
                    if messages or self._closed:
                        break
                    self._changed.wait(small_at - now if self._news and now < small_at else None)
                if self._closed:
                    return
            for content, buffers in messages:
                if content["type"] != "column":
                    small_at = time.monotonic() + _PAUSE
                self._send(encodable(content), buffers)

    def _next(self, small: bool) -> list[Sent]:
        """What is to be sent now, in the order in which a page can understand it."""
        if not self._listening:
            return []
        if self._greet:
            self._greet = False
            self._acked = self._seq
            self._tokens_from, self._steps_untold, self._maps_untold = 0, set(self._steps), set(self._matrices)
            self._answers_untold, self._texts_told = set(self._answers), {}
            for matrix in self._matrices.values():
                matrix.sent.clear()
            self._news = {"hello", "trail", "document", "tokens", "menu", "steps", "maps", "what_if"}
            self._news |= {"explainers", "answers", "comparison", "status", "failed", "once"}
            small = True
        # A column must not overtake the header of its map.
        if not (self._news and (small or self._news & {"document", "maps"})):
            return self._column()
        messages: list[Sent] = [(cast("dict[str, Any]", message), []) for message in self._small()]
        messages, self._once = messages + self._once, []
        return messages or self._column()

    def _small(self) -> list[to_page.ToPage]:
        news, self._news = self._news, set()
        messages: list[to_page.ToPage] = []
        if "hello" in news:
            messages.append({"type": "hello", "protocol": PROTOCOL, "session": self._session})
        if "trail" in news and self._trail is not None:
            messages.append(self._trail)
        if self._document is not None:
            messages += self._about_document(news, self._document)
        elif "menu" in news and self._menu is not None:
            messages.append(self._menu)
        messages += self._about_explanations(news)
        if "status" in news:
            messages.append(self._status)
        if "failed" in news and self._failed is not None:
            messages.append(self._failed)
        return messages

    def _about_document(self, news: set[str], document: to_page.Document) -> list[to_page.ToPage]:
        messages: list[to_page.ToPage] = []
        doc, start = document["doc"], self._tokens_from
        if "document" in news:
            messages.append(document)
        if "tokens" in news:
            tokens = self._tokens[start:]
            messages.append(
                {"type": "tokens", "doc": doc, "start": start, "tokens": tokens, "segments": self._segments}
            )
            self._tokens_from = len(self._tokens)
        if "menu" in news and self._menu is not None:
            messages.append(self._menu)
        for run in runs(self._steps_untold):
            steps = [self._steps[col] for col in run]
            messages.append({"type": "steps", "doc": doc, "start": run.start, "steps": steps})
        self._steps_untold = set()
        messages += [m.header for name, m in self._matrices.items() if name in self._maps_untold]
        self._maps_untold = set()
        if "what_if" in news and self._what_if is not None:
            messages.append(self._what_if)
        return messages

    def _about_explanations(self, news: set[str]) -> list[to_page.ToPage]:
        messages: list[to_page.ToPage] = []
        if "explainers" in news and self._explainers is not None:
            messages.append(self._explainers)
        for number in sorted(self._answers_untold):
            answer = self._answers[number]
            messages.append(growth(answer, self._texts_told.get(number)))
            self._texts_told[number] = answer["text"] if answer["state"] == "writing" else ""
        self._answers_untold = set()
        if "comparison" in news and self._comparison is not None:
            messages.append(self._comparison)
        return messages

    def _column(self) -> list[Sent]:
        """The next column, if a page has room for it: of the map on show first, nearest to where the user looks."""
        if self._seq - self._acked >= WINDOW:
            return []
        for matrix in sorted(self._matrices.values(), key=lambda m: m.header["map"] != self._current):
            waiting = matrix.columns.keys() - matrix.sent
            if waiting:
                col = min(waiting, key=lambda c: (abs(c - self._preferred), c))
                matrix.sent.add(col)
                self._seq += 1
                scores = matrix.columns[col]
                message: to_page.Column = {
                    "type": "column",
                    "map": matrix.header["map"],
                    "seq": self._seq,
                    "col": col,
                    "n_rows": len(scores),
                }
                return [(cast("dict[str, Any]", message), [_float32(scores)])]
        return []


def _float32(numbers: NDArray[np.float32]) -> memoryview:
    return memoryview(numbers.astype("<f4").tobytes())
