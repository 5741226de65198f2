"""The maps of one widget: which are there, how far, and which one is on show."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..attribution import pipeline
from ..attribution.cards import LLM, OURS
from ..attribution.engine import Schedule
from ..attribution.methods import method_for, on, why_not
from ..attribution.objectives import labels
from ..attribution.problem import Chunk, Progress, Spot
from ..errors import WeightsChanged
from ..export.reading import first_word
from .messages import menu_message, notes_message, status
from .trail import tell_steps

if TYPE_CHECKING:
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
    """A map in the cache, whole or begun."""

    map_id: str
    question: Question  # the last one that it answers
    chunks: list[Chunk] = field(default_factory=list)
    seconds: float = 0.0
    spot: Spot | None = None

    def done(self) -> set[int]:
        return {col for chunk in self.chunks for col in chunk.cols}


class Maps:
    """Used by the worker alone, with a shadow of the model, but for `prefer`, `question` and `attribution`.

    `check` raises to give up: the columns that are done stay. `finished` hears of every map on show that was completed,
    or stopped with something in it. `said` gives what an LLM said of the text on show: the id by which the pages know
    it, and the map.
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
        said: Callable[[], tuple[str, Attribution] | None],
    ) -> None:
        self._sender = sender
        self._shelf = shelf
        self._memory_budget = memory_budget
        self._check = check
        self._finished = finished
        self._said = said
        self._offered: list[Card] = []
        self._cache: dict[tuple[int | None, Request], _Entry] = {}
        self._fingerprint: int | None = None
        self._schedule: Schedule | None = None
        self._preferred: int | None = None
        self._shown: _Entry | None = None
        self.question = question  # that of the map on show, or of the first one to come
        self.attribution: Attribution | None = None

    def prefer(self, col: int) -> None:
        """Compute this column next. From any thread."""
        self._preferred = col
        schedule = self._schedule
        if schedule is not None:
            schedule.prefer(col)

    def are_of_other_weights(self, model: Model) -> bool:
        """Whether the weights are not those that the maps were computed with: then they are forgotten."""
        before, self._fingerprint = self._fingerprint, model.fingerprint()
        if before in (None, self._fingerprint):
            return False
        self._cache.clear()
        return True

    def turn(self) -> None:
        """Another text is on show."""
        self._shown = self.attribution = None

    def close(self) -> None:
        """Forget everything."""
        self._cache.clear()
        self.turn()

    def show(self, model: Model, document: Document, question: Question) -> None:
        """Put this map on show, and fill it. Raises: see `pipeline.columns`."""
        if question.card is LLM:
            self._show_said(model, question)
            return
        entry = self._entry(model, document, question)
        self._shown, self.question = entry, question
        self._begin(model, document, entry)
        self._fill(model, document, entry, question)

    def compute_aside(self, model: Model, document: Document, question: Question) -> None:
        """Fill this map beside the one on show. Raises: see `pipeline.columns`."""
        if question.card is LLM and self._said() is not None:  # it is there already
            return
        entry = self._entry(model, document, question)
        self._begin(model, document, entry, aside=True)
        self._fill(model, document, entry, question)

    def revive(self, model: Model, document: Document) -> None:
        """Tell the pages again what is there of a text that comes back."""
        about = (self._fingerprint, document.inputs, document.targets)
        for (fingerprint, request), entry in self._cache.items():
            if (fingerprint, request.inputs, request.targets) == about and entry.chunks:
                self._begin(model, document, entry, aside=True)

    # ── what can be asked ─────────────────────────────────────────────────────────────────────────────────────────

    def offer(self, model: Model, asked: Card) -> None:
        """Tell the pages what can be asked; what was asked is among it, though inseq's methods are not in our table."""
        if asked not in self._offered:
            self._offered = [*OURS.values(), LLM] + [asked] * (asked.id not in {*OURS, LLM.id})
            self.tell_menu(model)

    def tell_menu(self, model: Model) -> None:
        """Again, after something was said or forgotten."""
        there = set() if self._said() is None else {LLM}
        reasons = {on(card, model): None if card in there else why_not(card, model) for card in self._offered}
        self._sender.tell(menu_message(reasons, labels(raw=model.raw)))

    def _show_said(self, model: Model, question: Question) -> None:
        said = self._said()
        if said is None:
            method_for(LLM, model, question.settings)
            return
        map_id, whole = said
        self._shelf.show(map_id, question.objective)
        self._shown, self.question = None, question
        self._publish(whole)

    # ── filling ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _entry(self, model: Model, document: Document, question: Question) -> _Entry:
        method_for(question.card, model, question.settings)  # before the pages hear of a map that will not come
        key = (self._fingerprint, question.request(model, document))
        entry = self._cache.setdefault(key, _Entry(uuid.uuid4().hex[:12], question))
        entry.question = question
        return entry

    def _begin(self, model: Model, document: Document, entry: _Entry, *, aside: bool = False) -> None:
        question = entry.question
        is_new = self._shelf.begin(
            entry.map_id,
            method=question.card.id,
            objective=question.objective,
            shape=(len(document.rows), len(document.cols)),
            settings=question.described(model),
            foil=None if question.foil is None else model.foil_text(question.foil),
            col=question.col,
            aside=aside,
        )
        for chunk in entry.chunks if is_new else ():
            self._tell(model, entry, chunk)

    def _fill(self, model: Model, document: Document, entry: _Entry, question: Question) -> None:
        known = model.facts.reads_ids
        try:
            self._compute(model, document, entry, question)
        finally:
            if model.facts.reads_ids != known:  # the cards say so from now on
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
        """Raises: WeightsChanged where the weights are not those of the shadow now: columns may be of both."""
        try:
            model.check_weights()
        except WeightsChanged:
            entry.chunks.clear()
            raise

    def _compute(self, model: Model, document: Document, entry: _Entry, question: Question) -> None:
        asked = set(question.cols(document))
        n, label, todo = len(asked), question.card.label, asked - entry.done()
        first = first_word(document.cols) if self._preferred is None else self._preferred
        self._schedule = Schedule(todo, prefer=first)
        if not todo:
            return
        self._sender.tell(status("attributing", label, n - len(todo), n, unit=model.counted))
        started, before, spent = time.perf_counter(), n - len(todo), entry.seconds
        for chunk in pipeline.columns(model, question, document, self._schedule, self._memory_budget):
            if isinstance(chunk, Progress):
                self._tell_progress(label, chunk, started)
                continue
            if isinstance(chunk, Spot):
                entry.spot = chunk
                continue
            entry.chunks.append(chunk)
            self._tell(model, entry, chunk)
            todo.difference_update(chunk.cols)
            done, elapsed = n - len(todo), time.perf_counter() - started
            entry.seconds = spent + elapsed
            left = elapsed / (done - before) * len(todo)
            self._sender.tell(status("attributing", label, done, n, left, model.counted))
            self._check()

    def _tell(self, model: Model, entry: _Entry, chunk: Chunk) -> None:
        tell_steps(self._sender, model, chunk.cols, chunk.steps)
        self._shelf.fill(entry.map_id, chunk.cols, chunk.scores)

    def _tell_progress(self, label: str, progress: Progress, started: float) -> None:
        done, total = progress
        left = (time.perf_counter() - started) / done * (total - done) if done else None
        self._sender.tell(status("attributing", label, done, total, left, unit="passes"))
        self._check()

    def _publish(self, whole: Attribution) -> None:
        self.attribution = whole
        self._finished(whole)
