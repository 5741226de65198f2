"""The cache of the maps of one widget, finished or begun, one of which is on show."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..attribution import pipeline
from ..attribution.cards import LLM, OURS
from ..attribution.engine import Schedule
from ..attribution.methods import method_for, method_of, on, why_not
from ..attribution.objectives import labels, meanings
from ..attribution.problem import Chunk, Progress, Spot, replaced_by
from ..attribution.through import HOPS
from ..errors import Cancelled, WeightsChanged
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
    from ..protocol import to_page
    from ..types import Request
    from .sender import Sender
    from .shelf import Shelf


_SAME = 0.01  # a share of a column: maps that differ by less look the same


@dataclass(eq=False)
class _Entry:
    """A map in the cache, finished or begun."""

    map_id: str
    question: Question  # the last question that the map answers
    chunks: list[Chunk] = field(default_factory=list)
    seconds: float = 0.0
    spot: Spot | None = None

    def hops(self) -> range:
        """Return the hops that pages are shown; the direct map, 0, is one of its own where there are others."""
        return range(1, 1 + HOPS) if self.question.through else range(1)

    def name(self, hop: int) -> str:
        """Return the id by which the pages know the map, or one of its hops."""
        return f"{self.map_id}-{hop}" if hop else self.map_id

    def there(self) -> set[int]:
        """Return the columns that can be shown."""
        return {col for chunk in self.chunks for col in chunk.cols}

    def done(self) -> set[int]:
        """Return the columns that no better numbers will follow."""
        return {col for chunk in self.chunks if not chunk.goes_on for col in chunk.cols}

    def begun(self) -> dict[int, Any]:
        """Return, by column, the state of numbers that better ones are to follow."""
        return {col: state for chunk in self.chunks if chunk.goes_on for col, state in chunk.state.items()}

    def passes(self) -> int | None:
        """Return the passes that the columns took, as the card tells; None of estimates, which take what they need."""
        work = self.question.card.work
        if work is None or not self.chunks or any(chunk.calls for chunk in self.chunks):
            return None
        return work.passes(len(self.chunks[0].scores), len(self.done()))

    def add(self, chunk: Chunk) -> bool:
        """Add a chunk. Return whether it is to be shown: not one of an estimate that began again and is behind."""
        if any(old.calls > chunk.calls for old in self.chunks if set(chunk.cols).intersection(old.cols)):
            return False
        self.chunks = replaced_by(chunk, self.chunks)
        return True


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
        self._on_finished = finished
        self._llm_map = llm_map
        self._offered: list[Card] = []
        self._cache: dict[tuple[int | None, Request], _Entry] = {}
        self._fingerprint: int | None = None
        self._schedule: Schedule | None = None
        self._preferred: int | None = None
        self._shown: _Entry | None = None
        self._early: _Entry | None = None  # the map of a text that is still being written
        self._document: Document | None = None  # the text on show, once a map of it was asked for
        self._seconds: dict[str, float] = {}  # what the pages know of `_estimates`
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
        self._shown = self._early = self.attribution = self._document = None
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
        bare = (
            question.foil is None and question.col is None and question.through is None
        )  # else only the whole text shows whether it is valid
        if not (self._may_begin_early and bare and method and method.early) or method.lacks(model):
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

    def finished(self, model: Model, document: Document, cols: Sequence[int]) -> list[tuple[str, Attribution]]:
        """Return the maps that have all of these columns, with the ids by which the pages know them, oldest first.

        Hops are none of them: they do not tell what the target would lose.
        """
        about = (self._fingerprint, document.inputs, document.targets)
        found = [
            (entry.map_id, pipeline.assemble(model, entry.question, document, entry.chunks, entry.seconds, entry.spot))
            for (fingerprint, request), entry in self._cache.items()
            if (fingerprint, request.inputs, request.targets, request.relays) == (*about, ())
            and entry.done().intersection(entry.question.cols(document)).issuperset(cols)
        ]
        said = self._llm_map()
        return found if said is None else [*found, said]

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
        self._seconds = self._estimates()
        self._sender.tell(menu_message(reasons, labels(raw=model.raw), meanings(raw=model.raw), self._seconds))

    def _estimates(self) -> dict[str, float]:
        """By method about how many seconds its map of this text takes, to one digit; what was not measured has none.

        The time of a pass is that of the map that took most of them here, of the same kind if there is one.
        """
        document = self._document
        if document is None:
            return {}
        about = (self._fingerprint, document.inputs, document.targets)
        measured = [
            (card.work, passes, entry.seconds)
            for (fingerprint, request), entry in self._cache.items()
            if (fingerprint, request.inputs, request.targets, request.relays) == (*about, ())
            and entry.question.settings == type(entry.question.settings)()
            if (card := entry.question.card).work is not None and entry.seconds > 0 and (passes := entry.passes())
        ]
        if not measured:
            return {}
        found = {}
        for card in self._offered:
            if card.work is None:
                continue
            by_target = card.work.per_target > 0
            _, passes, seconds = max(measured, key=lambda one: ((one[0].per_target > 0) == by_target, one[1]))
            whole = card.work.passes(len(document.rows), len(document.cols))
            found[card.id] = float(f"{seconds / passes * whole:.1g}")
        return found

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
        self._document = document
        entry = self._cache.setdefault(key, _Entry(uuid.uuid4().hex[:12], question))
        entry.question = question
        return entry

    def _begin(self, model: Model, document: Document, entry: _Entry, *, aside: bool = False) -> None:
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

    def _next_early(self, document: Document, done: set[int], batch: int) -> list[int]:
        """Return the columns to compute now, if any."""
        waiting = [col for col in range(len(document.cols)) if col not in done]
        if self._preferred in waiting:
            return [self._preferred]
        if not done and waiting:
            return [document.first_shown]
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
            # This fact adds a caveat to cards, and the map that was made tells how long others take.
            if model.facts.reads_ids != known or self._estimates() != self._seconds:
                self.tell_menu(model)
            self._schedule = None
            self._forget_where_changed(model, entry)
            if entry is self._shown and entry.there().intersection(self.question.cols(document)):
                whole = pipeline.assemble(model, self.question, document, entry.chunks, entry.seconds, entry.spot)
                whole = whole.hop(self.question.hop)
                notes = notes_message(entry.name(self.question.hop), whole, document.first_target)
                notes["notes"] += self._idle_contrast(model, document, question, whole)
                told = self._sender.latest("notes").get(notes["map"])
                if notes["notes"] != (told["notes"] if told else []):
                    self._sender.tell(notes)
                self._publish(whole)

    def _idle_contrast(
        self, model: Model, document: Document, question: Question, whole: Attribution
    ) -> list[to_page.WireNote]:
        """A note where a target set against another token has the shares that it has by itself, if these are here."""
        col = question.col
        if question.foil is None or col is None:
            return []
        plain = replace(question, foil=None, col=None).request(model, document)
        known = self._cache.get((self._fingerprint, plain))
        alone = [chunk.scores[:, chunk.cols.index(col)] for chunk in known.chunks if col in chunk.cols] if known else []
        if not alone:
            return []
        (a, b) = (_shares(scores) for scores in (alone[0], whole.scores[:, 0]))
        apart = float(np.abs(a - b).max())
        if apart > _SAME:
            return []
        said = (
            f"Setting it against {model.foil_text(question.foil).strip()!r} changes nothing here: no share by more "
            f"than {apart:.1g}. Try the logit in place of the probability, or a method with signs, such as occlusion."
        )
        return [{"text": said, "cols": [col]}]

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
        first = document.first_shown if self._preferred is None else self._preferred
        self._schedule = Schedule(todo, prefer=first if first in todo else None)
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

    def _tell(self, model: Model, entry: _Entry, chunk: Chunk, hops: Sequence[int] | None = None) -> None:
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

    def _publish(self, whole: Attribution) -> None:
        self.attribution = whole
        self._on_finished(whole)


def _shares(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Scores of a column as shares of the sum of their sizes; 0 where the target cannot see the row."""
    numbers: NDArray[np.float64] = np.nan_to_num(scores.astype(np.float64))
    return numbers / max(float(np.abs(numbers).sum()), np.finfo(np.float64).tiny)


def _with_rows(scores: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """Return scores [rows, k] extended to [n, k] with NaN: these columns do not see the later rows."""
    more = np.full((n - len(scores), scores.shape[1]), np.nan, dtype=scores.dtype)
    return np.concatenate([scores, more])
