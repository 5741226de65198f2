"""The cache of the maps of one widget, finished or begun, one of which is on show."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..attribution import pipeline
from ..attribution.cards import LLM, OURS
from ..attribution.engine import Schedule
from ..attribution.methods import method_for, method_of, on, why_not
from ..attribution.objectives import labels
from ..attribution.problem import Chunk, Progress, Spot
from ..errors import Cancelled, WeightsChanged
from ..export.reading import first_word
from .messages import menu_message, notes_message, status
from .pace import Pace
from .trail import tell_steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..attribution.cards import Card
    from ..attribution.pipeline import Question
    from ..attribution.result import Attribution
    from ..models.base import Model
    from ..models.text.document import Document
    from ..types import Request
    from .sender import Sender
    from .shelf import Shelf


@dataclass(eq=False)
class _Entry:
    """A map in the cache, finished or begun."""

    map_id: str
    question: Question  # the last question that the map answers
    chunks: list[Chunk] = field(default_factory=list)
    seconds: float = 0.0
    spot: Spot | None = None

    def done(self) -> set[int]:
        return {col for chunk in self.chunks for col in chunk.cols}


class Maps:
    """Computes maps and sends them to the pages.

    Only the worker's thread uses it, with a shadow of the model, except for `prefer`, `question` and `attribution`.
    `check` may raise to stop; finished columns stay. `finished` is called with every map on show that was completed,
    or stopped after at least one column. `llm_map` returns the map that an LLM wrote for the text on show, with the id
    by which the pages know it, or None.
    """

    def __init__(
        self,
        sender: Sender,
        shelf: Shelf,
        question: Question,
        memory_budget: int | None,
        *,
        check: Callable[[], None],
        finished: Callable[[Attribution], None],
        llm_map: Callable[[], tuple[str, Attribution] | None],
    ) -> None:
        self._sender = sender
        self._shelf = shelf
        self._memory_budget = memory_budget
        self._check = check
        self._finished = finished
        self._llm_map = llm_map
        self._offered: list[Card] = []
        self._cache: dict[tuple[int | None, Request], _Entry] = {}
        self._fingerprint: int | None = None
        self._schedule: Schedule | None = None
        self._preferred: int | None = None
        self._shown: _Entry | None = None
        self._early: _Entry | None = None  # the map of a text that is still being written
        self._may_begin_early = True
        self.question = question  # the question of the map on show, or of the first map
        self.attribution: Attribution | None = None

    def prefer(self, col: int) -> None:
        """Compute this column next. May be called from any thread."""
        self._preferred = col
        schedule = self._schedule
        if schedule is not None:
            schedule.prefer(col)

    def are_of_other_weights(self, model: Model) -> bool:
        """Return whether the weights changed since the maps were computed. If so, forget the maps."""
        before, self._fingerprint = self._fingerprint, model.fingerprint()
        if before in (None, self._fingerprint):
            return False
        self._cache.clear()
        return True

    def turn(self) -> None:
        """Forget which map is on show, because another text is."""
        self._shown = self._early = self.attribution = None
        self._may_begin_early = True

    def close(self) -> None:
        """Forget all maps."""
        self._cache.clear()
        self.turn()

    def show(self, model: Model, document: Document, question: Question) -> None:
        """Put this map on show, and compute its columns. Raises: see `pipeline.columns`."""
        if question.card is LLM:
            self._show_llm_map(model, question)
            return
        entry = self._entry(model, document, question)
        self._shown, self.question = entry, question
        self._begin(model, document, entry)
        self._fill(model, document, entry, question)

    def compute_aside(self, model: Model, document: Document, question: Question) -> None:
        """Compute a map that is not put on show. Raises: see `pipeline.columns`."""
        if question.card is LLM and self._llm_map() is not None:
            return
        entry = self._entry(model, document, question)
        self._begin(model, document, entry, aside=True)
        self._fill(model, document, entry, question)

    def begin_early(self, model: Model, document: Document, question: Question) -> None:
        """Compute columns of a text that is still being written: a column needs only the tokens before its target.

        Compute the column that the user looks at, otherwise that of the first word, and later full batches, which cost
        no more now than when the text is complete. Raises: Cancelled.
        """
        method = method_of(question.card)
        is_plain = question.foil is None and question.col is None  # else only the whole text shows whether it is valid
        if not (self._may_begin_early and is_plain and method and method.early) or method.lacks(model):
            return
        entry = self._early or _Entry(uuid.uuid4().hex[:12], question)
        cols = self._next_early(document, entry.done(), method.early)
        try:
            if cols:
                self._fill_early(model, document, entry, cols)
            elif entry.chunks:
                self._begin(model, document, entry)  # the map has more rows and columns now
        except Cancelled:
            raise
        except Exception:  # noqa: BLE001 (it is raised again, and shown, when the whole map is computed)
            self._may_begin_early = False
            entry.chunks.clear()

    def finish_early(self, model: Model, document: Document, *, cut_short: bool) -> None:
        """Move the map that was begun while the text was written to the cache.

        `cut_short`: writing stopped early, so no task completes this map: publish it as it is.
        """
        entry, self._early = self._early, None
        if entry is None or not entry.chunks:
            return
        try:
            model.check_weights()
        except WeightsChanged:  # the columns may mix old and new weights, so drop them
            return
        n = len(document.rows)
        entry.chunks = [chunk._replace(scores=_with_rows(chunk.scores, n)) for chunk in entry.chunks]
        self._cache[model.fingerprint(), entry.question.request(model, document)] = entry
        self._begin(model, document, entry)
        for chunk in entry.chunks:
            self._shelf.fill(entry.map_id, chunk.cols, chunk.scores)
        if cut_short:
            self._publish(pipeline.assemble(model, entry.question, document, entry.chunks, entry.seconds, entry.spot))

    def send_again(self, model: Model, document: Document) -> None:
        """Send the cached maps of a text that is on show again."""
        about = (self._fingerprint, document.inputs, document.targets)
        for (fingerprint, request), entry in self._cache.items():
            if (fingerprint, request.inputs, request.targets) == about and entry.chunks:
                self._begin(model, document, entry, aside=True)

    # ── what can be asked ─────────────────────────────────────────────────────────────────────────────────────────

    def offer(self, model: Model, asked: Card) -> None:
        """Send the menu of methods. It includes `asked`, which may be a method of inseq."""
        if asked not in self._offered:
            self._offered = [*OURS.values(), LLM] + [asked] * (asked.id not in {*OURS, LLM.id})
            self.tell_menu(model)

    def tell_menu(self, model: Model) -> None:
        """Send the menu again: the reasons why a method cannot run may have changed."""
        there = set() if self._llm_map() is None else {LLM}
        reasons = {on(card, model): None if card in there else why_not(card, model) for card in self._offered}
        self._sender.tell(menu_message(reasons, labels(raw=model.raw)))

    def _show_llm_map(self, model: Model, question: Question) -> None:
        written = self._llm_map()
        if written is None:
            method_for(LLM, model, question.settings)
            return
        map_id, whole = written
        self._shelf.show(map_id, question.objective_of(model))
        self._shown, self.question = None, question
        self._publish(whole)

    # ── filling ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _entry(self, model: Model, document: Document, question: Question) -> _Entry:
        method_for(question.card, model, question.settings)  # raise before the pages are told of the map
        key = (self._fingerprint, question.request(model, document))
        entry = self._cache.setdefault(key, _Entry(uuid.uuid4().hex[:12], question))
        entry.question = question
        return entry

    def _begin(self, model: Model, document: Document, entry: _Entry, *, aside: bool = False) -> None:
        question = entry.question
        is_new = self._shelf.begin(
            entry.map_id,
            method=question.card.id,
            objective=question.objective_of(model),
            shape=(len(document.rows), len(document.cols)),
            settings=question.described(model),
            foil=None if question.foil is None else model.foil_text(question.foil),
            col=question.col,
            aside=aside,
        )
        for chunk in entry.chunks if is_new else ():
            self._tell(model, entry, chunk)

    def _next_early(self, document: Document, done: set[int], batch: int) -> list[int]:
        """Return the columns to compute now, if any."""
        waiting = [col for col in range(len(document.cols)) if col not in done]
        if self._preferred in waiting:
            return [self._preferred]
        if not done and waiting:
            return [first_word(document.cols)]
        return waiting[:batch] if len(waiting) >= batch else []

    def _fill_early(self, model: Model, document: Document, entry: _Entry, cols: list[int]) -> None:
        pace, schedule, question = Pace(), Schedule(cols), entry.question
        for part in pipeline.columns(
            model, question, document, schedule, self._memory_budget, checked=entry.spot is not None
        ):
            if isinstance(part, Chunk):
                self._early, self._shown, self.question = entry, entry, question
                entry.chunks.append(part)
                self._begin(model, document, entry)
                self._tell(model, entry, part)
            elif isinstance(part, Spot):
                entry.spot = part
        entry.seconds += pace.elapsed()

    def _fill(self, model: Model, document: Document, entry: _Entry, question: Question) -> None:
        known = model.facts.reads_ids
        try:
            self._compute(model, document, entry, question)
        finally:
            if model.facts.reads_ids != known:  # this fact adds a caveat to cards
                self.tell_menu(model)
            self._schedule = None
            self._forget_where_changed(model, entry)
            if entry is self._shown and entry.done().intersection(self.question.cols(document)):
                whole = pipeline.assemble(model, self.question, document, entry.chunks, entry.seconds, entry.spot)
                notes = notes_message(entry.map_id, whole, document.first_target)
                told = self._sender.latest("notes").get(entry.map_id)
                if notes["notes"] != (told["notes"] if told else []):
                    self._sender.tell(notes)
                self._publish(whole)

    def _forget_where_changed(self, model: Model, entry: _Entry) -> None:
        """Raise WeightsChanged if the weights changed during the work, and drop columns that may mix both."""
        try:
            model.check_weights()
        except WeightsChanged:
            entry.chunks.clear()
            raise

    def _compute(self, model: Model, document: Document, entry: _Entry, question: Question) -> None:
        asked = set(question.cols(document))
        n, label, todo = len(asked), question.card.label, asked - entry.done()
        first = first_word(document.cols) if self._preferred is None else self._preferred
        self._schedule = Schedule(todo, prefer=first if first in todo else None)
        if not todo:
            return
        self._sender.tell(status("attributing", label, n - len(todo), n, unit=model.counted))
        spent, pace, passes = entry.seconds, Pace(n - len(todo)), Pace()
        checked = entry.spot is not None
        for chunk in pipeline.columns(model, question, document, self._schedule, self._memory_budget, checked=checked):
            if isinstance(chunk, Progress):
                later = len(self._schedule)
                self._tell_progress(label, chunk, passes, later / max(1, len(todo) - later))
                continue
            if isinstance(chunk, Spot):
                entry.spot = chunk
                continue
            entry.chunks.append(chunk)
            self._tell(model, entry, chunk)
            todo.difference_update(chunk.cols)
            entry.seconds = spent + pace.elapsed()
            done, passes = n - len(todo), Pace()
            self._sender.tell(status("attributing", label, done, n, pace.left(done, n), model.counted))
            self._check()

    def _tell(self, model: Model, entry: _Entry, chunk: Chunk) -> None:
        tell_steps(self._sender, model, chunk.cols, chunk.steps)
        self._shelf.fill(entry.map_id, chunk.cols, chunk.scores)

    def _tell_progress(self, label: str, progress: Progress, passes: Pace, later: float) -> None:
        """Send the progress within a batch. `later`: the number of batches of this size that follow it."""
        done, total = progress
        left = passes.left(done, total)
        if left is not None:
            left += later * (passes.elapsed() + left)
        self._sender.tell(status("attributing", label, done, total, left, unit="passes"))
        self._check()

    def _publish(self, whole: Attribution) -> None:
        self.attribution = whole
        self._finished(whole)


def _with_rows(scores: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """Return scores [rows, k] extended to [n, k] with NaN: these columns do not see the later rows."""
    more = np.full((n - len(scores), scores.shape[1]), np.nan, dtype=scores.dtype)
    return np.concatenate([scores, more])
