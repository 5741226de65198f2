"""The columns of a map, which are computed and told to the pages as they come.

Of a map that takes long the column of the whole answer comes first, then those that the reader looks at; the others
rest until they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..attribution import pipeline
from ..attribution.engine import Schedule
from ..attribution.methods import method_of
from ..attribution.problem import Chunk, Progress, Spot
from ..models.text.document import spanning
from .messages import status
from .pace import Pace
from .trail import tell_steps

if TYPE_CHECKING:
    from ..attribution.pipeline import Question
    from ..models.base import Model
    from ..models.text.document import Document
    from .entry import Entry
    from .patience import Patience
    from .sender import Sender
    from .shelf import Shelf


class Filling:
    """Computes the columns of maps. Only the worker's thread uses it, with a shadow of the model, except for `prefer`.

    `check` may raise to stop; finished columns stay in the map's entry.
    """

    def __init__(
        self,
        sender: Sender,
        shelf: Shelf,
        memory_budget: int | None,
        patience: Patience,
        check: Callable[[], None],
    ) -> None:
        self._sender = sender
        self._shelf = shelf
        self._memory_budget = memory_budget
        self._patience = patience
        self._check = check
        self._schedule: Schedule | None = None
        self._looked_at: range | None = None  # columns

    def prefer(self, cols: range) -> None:
        """Compute these columns next. May be called from any thread."""
        self._looked_at = cols
        schedule = self._schedule
        if schedule is not None:
            schedule.prefer(cols.start)

    def begin(self, model: Model, document: Document, entry: Entry, *, aside: bool = False) -> None:
        """Tell the pages of a map, or of its hops, with the columns that are there; `aside`: it is not put on show."""
        question, on_show = entry.question, entry.question.hop
        for hop in sorted(entry.hops(), key=lambda hop: hop == on_show):  # the one on show is told of last
            shown = replace(question, hop=hop)
            is_new = self._shelf.begin(
                entry.name(hop),
                method=question.card.id,
                objective=question.objective_of(model),
                shape=(len(document.rows), len(document.cols)),
                settings=shown.described(model),
                foil=None if question.foil is None else model.foil_text(question.foil),
                col=question.col,
                hop=hop,
                due=len(question.cols(document)) if hop and question.col is None else None,
                aside=aside or hop != on_show,
            )
            for chunk in entry.chunks if is_new else ():
                self._tell(model, entry, chunk, [hop])
            if is_new and not hop and entry.together is not None:
                self._shelf.fill_together(entry.map_id, document.answer, entry.together.scores[:, 0])

    def compute(self, model: Model, document: Document, entry: Entry, question: Question) -> None:
        """Compute the columns of a map that are asked for; the pages know of the map. Raises: see `pipeline.columns`.

        `entry.rests` are then the columns that wait to be asked for.
        """
        todo = set(question.cols(document)) - entry.done()
        chosen = self._chosen(model, document, entry, question, todo)
        entry.rests = rests = frozenset(todo - chosen)
        self._tell_rest(entry)
        pace, n = Pace(), len(chosen)
        try:
            self._compute_columns(model, document, entry, question, chosen)
        finally:
            self._schedule = None
        if n and rests:
            entry.took(pace.elapsed(), n)
            self._tell_rest(entry)

    # ── a text that is still being written ─────────────────────────────────────────────────────────────────────────

    def next_early(self, document: Document, entry: Entry, batch: int) -> list[int]:
        """Return the columns of a growing text to compute now, if any."""
        done = entry.done()
        waiting = [col for col in range(len(document.cols)) if col not in done]
        looked_at = [] if self._looked_at is None else [col for col in self._looked_at if col in waiting]
        if looked_at:
            return looked_at[:1]
        if not done and waiting:
            return [document.first_shown]
        if entry.seconds > self._patience.seconds:
            return []
        size = min(batch, self._patience.first_batch) if len(done) == 1 else batch
        return waiting[:size] if len(waiting) >= size else []

    def early_left(self, entry: Entry, batch: int, total: int) -> float | None:
        """Return the seconds that full batches take until `total` tokens are written; None before one was measured."""
        if entry.seconds > self._patience.seconds:
            return 0.0
        return entry.price((total - len(entry.done())) // batch * batch)

    def fill_early(
        self, model: Model, document: Document, entry: Entry, cols: list[int], begun: Callable[[], None]
    ) -> None:
        """Compute these columns of a growing text. `begun` is called before the pages are told of any of them."""
        pace, schedule, question = Pace(), Schedule(cols), entry.question
        for part in pipeline.columns(
            model, question, document, schedule, self._memory_budget, checked=entry.spot is not None
        ):
            if isinstance(part, Chunk):
                begun()
                entry.chunks.append(part)
                self.begin(model, document, entry)
                self._tell(model, entry, part)
            elif isinstance(part, Spot):
                entry.spot = part
        entry.seconds += pace.elapsed()
        if len(entry.chunks) > 1:  # the time of the first one includes a look at the model
            entry.took(pace.elapsed(), len(cols))

    # ── parts ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _tell_rest(self, entry: Entry) -> None:
        n = len(entry.rests)
        if n:
            self._shelf.rest(entry.map_id, n, entry.price(n) or 0.0)

    def _chosen(self, model: Model, document: Document, entry: Entry, question: Question, todo: set[int]) -> set[int]:
        """Return the columns to compute now; of a map that takes long, tell the pages the whole answer first.

        All of them, or if that takes long those of the words that the reader looks at.
        """
        if not todo or entry.is_wanted or not _may_rest(model, document, question):
            return todo
        price = entry.price(len(todo))
        is_large = len(document.rows) * len(todo) >= self._patience.large
        patience = self._patience.seconds if is_large else self._patience.seconds_if_small
        takes_long = is_large if price is None else price > patience
        if takes_long and entry.together is None:
            self._compute_together(model, document, entry, question)
            takes_long = (entry.price(len(todo)) or 0.0) > patience
        if not takes_long:
            return todo
        looked_at = self._looked_at or ()
        words = {document.cols[col].word for col in looked_at if col < len(document.cols)}
        return {col for col in todo if document.cols[col].word in words}

    def _compute_together(self, model: Model, document: Document, entry: Entry, question: Question) -> None:
        """Compute the scores of the whole answer as one target: one pass forward, and one backward."""
        self._sender.tell(status("attributing", question.card.label, unit=""))
        pace, answer = Pace(), document.answer
        for part in pipeline.columns(
            model, question, spanning(document, answer.start, answer.stop), Schedule([0]), self._memory_budget,
            checked=entry.spot is not None,
        ):  # fmt: skip
            if isinstance(part, Chunk):
                entry.took(pace.elapsed(), 1)
                entry.together = part
                self._shelf.fill_together(entry.map_id, answer, part.scores[:, 0])
            elif isinstance(part, Spot):
                entry.spot = part
            self._check()
        entry.seconds += pace.elapsed()

    def _compute_columns(
        self, model: Model, document: Document, entry: Entry, question: Question, todo: set[int]
    ) -> None:
        label = question.card.label
        n = len(todo) + len(entry.done().intersection(question.cols(document)))
        looked_at = [document.first_shown] if self._looked_at is None else self._looked_at
        first = next((col for col in looked_at if col in todo), None)
        self._schedule = Schedule(todo, prefer=first)
        if not todo:
            return
        self._sender.tell(status("attributing", label, n - len(todo), n, unit=model.counted))
        spent, pace, passes = entry.seconds, Pace(n - len(todo)), Pace()
        known, begun = entry.spot is not None, entry.begun()
        for chunk in pipeline.columns(
            model, question, document, self._schedule, self._memory_budget, checked=known, begun=begun
        ):
            if isinstance(chunk, Progress):
                later = len(self._schedule)
                self._tell_progress(label, chunk, passes, later / max(1, len(todo) - later))
                continue
            if isinstance(chunk, Spot):
                entry.spot = chunk
                continue
            if entry.add(chunk):
                self._tell(model, entry, chunk)
            if not chunk.goes_on:
                todo.difference_update(chunk.cols)
            entry.seconds = spent + pace.elapsed()
            done, passes = n - len(todo), Pace()
            self._sender.tell(status("attributing", label, done, n, pace.left(done, n), model.counted))
            self._check()

    def _tell(self, model: Model, entry: Entry, chunk: Chunk, hops: Sequence[int] | None = None) -> None:
        """Send the columns of a chunk to the maps that show them, or only to those of some hops."""
        tell_steps(self._sender, model, chunk.cols, chunk.steps)
        for hop in entry.hops() if hops is None else hops:
            scores, errors = (chunk.hops[hop - 1].scores, None) if hop else (chunk.scores, chunk.errors)
            self._shelf.fill(entry.name(hop), chunk.cols, scores, errors)

    def _tell_progress(self, label: str, progress: Progress, passes: Pace, later: float) -> None:
        """Send the progress within a batch. `later`: the number of batches of this size that follow it."""
        done, total = progress
        left = passes.left(done, total)
        if left is not None:
            left += later * (passes.elapsed() + left)
        self._sender.tell(status("attributing", label, done, total, left, unit="passes"))
        self._check()


def _may_rest(model: Model, document: Document, question: Question) -> bool:
    """Return whether each column has its own cost, and a whole answer can be explained as one target."""
    method, work = method_of(question.card), question.card.work
    is_of_all = question.col is None and question.through is None and len(document.cols) > 1
    is_text = model.is_causal and document.cols[0].role != "class"
    costs_each = work is not None and work.per_target > 0
    return is_of_all and is_text and costs_each and method is not None and method.spans
