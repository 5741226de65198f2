"""The cache of the maps of one widget, finished or begun, one of which is on show."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..attribution import pipeline
from ..attribution.cards import LLM, OURS
from ..attribution.engine import Schedule
from ..attribution.methods import method_for, method_of, on, why_not
from ..attribution.objectives import labels, meanings
from ..attribution.problem import Chunk, Progress, Spot
from ..errors import Cancelled, WeightsChanged
from ..models.text.document import spanning
from .entry import Entry, estimates
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
_PATIENCE = 5.0  # seconds of work, beyond which only columns that somebody looks at are computed by themselves
_MUCH = 30.0  # the same for a text that is not large: it costs so much only where the machine is slow, or busy
_FIRST_BATCH = 8  # columns, of a text that is still being written
_EARLY = 512  # rows, beyond which a column takes so long that the text is written first
_LARGE = 4096  # rows times targets, from which on the whole answer comes first, before anything was measured


class Maps:
    """Computes maps and sends them to the pages.

    Only the worker's thread uses it, with a shadow of the model, except for `prefer`, `rests`, `question` and
    `attribution`. Of a map that takes long it computes the column of the whole answer first, then those that the reader
    looks at; the others rest until they are asked for.
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
        self._cache: dict[tuple[int | None, Request], Entry] = {}
        self._fingerprint: int | None = None
        self._schedule: Schedule | None = None
        self._looked_at: range | None = None  # columns
        self._shown: Entry | None = None
        self._early: Entry | None = None  # the map of a text that is still being written
        self._document: Document | None = None  # the text on show, once a map of it was asked for
        self._seconds: dict[str, float] = {}  # what the pages know of `_estimates`
        self._may_begin_early = True
        self.rests: frozenset[int] = frozenset()  # columns of the map on show that wait to be asked for
        self.question = question  # the question of the map on show, or of the first map
        self.attribution: Attribution | None = None

    def prefer(self, col: int, n: int = 1) -> None:
        """Compute the n columns from `col` on next. May be called from any thread."""
        self._looked_at = range(col, col + n)
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
        self._may_begin_early, self.rests = True, frozenset()

    def close(self) -> None:
        """Forget all maps."""
        self._cache.clear()
        self.turn()

    def show(self, model: Model, document: Document, question: Question, *, is_wanted: bool = False) -> None:
        """Put this map on show, and compute its columns; `is_wanted`: all of them, however long it takes.

        Raises: see `pipeline.columns`.
        """
        self.rests = frozenset()
        if question.card is LLM:
            self._show_llm_map(model, question)
            return
        entry = self._entry(model, document, question)
        entry.is_wanted |= is_wanted
        self._shown, self.question = entry, question
        self._begin(model, document, entry)
        self._fill(model, document, entry, question)

    def compute_aside(self, model: Model, document: Document, question: Question) -> None:
        """Compute a map that is not put on show. Raises: see `pipeline.columns`."""
        if question.card is LLM and self._llm_map() is not None:
            return
        entry = self._entry(model, document, question)
        entry.is_wanted = True  # whoever set it beside another map wants to see both
        self._begin(model, document, entry, aside=True)
        self._fill(model, document, entry, question)

    def begin_early(self, model: Model, document: Document, question: Question) -> None:
        """Compute columns of a text that is still being written: a column needs only the tokens before its target.

        Compute the column that the user looks at, otherwise that of the first word, and later full batches, which cost
        no more now than when the text is complete. Raises: Cancelled.
        """
        method = method_of(question.card)
        # Of others only the whole text shows whether they are valid.
        is_plain = question.foil is None and question.col is None and question.through is None
        if not (self._may_begin_early and is_plain and method and method.early) or method.lacks(model):
            return
        if len(document.rows) > _EARLY and method.spans:
            return
        entry = self._early or Entry(uuid.uuid4().hex[:12], question)
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
            entry.forget()

    def early_left(self, total: int) -> float | None:
        """Return the seconds that columns take until `total` tokens are written; None before a batch was measured."""
        entry = self._early
        method = None if entry is None else method_of(entry.question.card)
        if entry is None or method is None or entry.seconds > _PATIENCE:
            return 0.0
        return entry.price((total - len(entry.done())) // method.early * method.early)

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
        found = [
            (entry.map_id, pipeline.assemble(model, entry.question, document, entry.chunks, entry.seconds, entry.spot))
            for request, entry in self._of(document)
            if not request.relays and entry.done().intersection(entry.question.cols(document)).issuperset(cols)
        ]
        said = self._llm_map()
        return found if said is None else [*found, said]

    def seconds_again(self, document: Document, n: int, *, times: int, looks: int) -> dict[str, float | None]:
        """Return about how long it takes to compute n columns of each map so often again, by the pages' id."""
        there = [entry for _, entry in self._of(document) if entry.chunks]
        each = min((entry.seconds / passes for entry in there if (passes := entry.passes())), default=None)
        return {entry.map_id: entry.again(n, times=times, looks=looks, each=each) for entry in there}

    def send_again(self, model: Model, document: Document) -> None:
        """Send the cached maps of a text that is on show again."""
        for _, entry in self._of(document):
            if entry.chunks or entry.together is not None:
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
        document = self._document
        if document is None:
            return {}
        there = [entry for request, entry in self._of(document) if not request.relays]
        return estimates(self._offered, there, len(document.rows), len(document.cols))

    def _of(self, document: Document) -> list[tuple[Request, Entry]]:
        """Return the maps of a text, with what was asked, oldest first."""
        about = (self._fingerprint, document.inputs, document.targets)
        return [
            (request, entry)
            for (fingerprint, request), entry in self._cache.items()
            if (fingerprint, request.inputs, request.targets) == about
        ]

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

    def _entry(self, model: Model, document: Document, question: Question) -> Entry:
        method_for(question.card, model, question.settings)  # raise before the pages are told of the map
        key = (self._fingerprint, question.request(model, document))
        self._document = document
        entry = self._cache.setdefault(key, Entry(uuid.uuid4().hex[:12], question))
        entry.question = question
        return entry

    def _begin(self, model: Model, document: Document, entry: Entry, *, aside: bool = False) -> None:
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

    def _next_early(self, document: Document, done: set[int], batch: int) -> list[int]:
        """Return the columns to compute now, if any."""
        waiting = [col for col in range(len(document.cols)) if col not in done]
        looked_at = [] if self._looked_at is None else [col for col in self._looked_at if col in waiting]
        if looked_at:
            return looked_at[:1]
        if not done and waiting:
            return [document.first_shown]
        if self._early is not None and self._early.seconds > _PATIENCE:
            return []
        size = min(batch, _FIRST_BATCH) if len(done) == 1 else batch  # a small one tells soon what a column takes
        return waiting[:size] if len(waiting) >= size else []

    def _fill_early(self, model: Model, document: Document, entry: Entry, cols: list[int]) -> None:
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
        if len(entry.chunks) > 1:  # the time of the first one includes a look at the model
            entry.took(pace.elapsed(), len(cols))

    def _fill(self, model: Model, document: Document, entry: Entry, question: Question) -> None:
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
            elif entry is self._shown and entry.together is not None:
                one = spanning(document, document.answer.start, document.answer.stop)
                self._publish(pipeline.assemble(model, self.question, one, [entry.together], entry.seconds, entry.spot))

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

    def _forget_where_changed(self, model: Model, entry: Entry) -> None:
        """Raise WeightsChanged if the weights changed during the work, and drop columns that may mix both."""
        try:
            model.check_weights()
        except WeightsChanged:
            entry.forget()
            raise

    def _compute(self, model: Model, document: Document, entry: Entry, question: Question) -> None:
        todo = set(question.cols(document)) - entry.done()
        chosen = self._chosen(model, document, entry, question, todo)
        rests = frozenset(todo - chosen)
        if entry is self._shown:
            self.rests = rests
        self._tell_rest(entry, rests)
        pace, n = Pace(), len(chosen)
        self._compute_columns(model, document, entry, question, chosen)
        if n and rests:
            entry.took(pace.elapsed(), n)
            self._tell_rest(entry, rests)

    def _tell_rest(self, entry: Entry, rests: Collection[int]) -> None:
        if rests:
            self._shelf.rest(entry.map_id, len(rests), entry.price(len(rests)) or 0.0)

    def _chosen(self, model: Model, document: Document, entry: Entry, question: Question, todo: set[int]) -> set[int]:
        """Return the columns to compute now; of a map that takes long, tell the pages the whole answer first.

        All of them, or if that takes long those of the words that the reader looks at.
        """
        if not todo or entry.is_wanted or not _may_rest(model, document, question):
            return todo
        price = entry.price(len(todo))
        is_large = len(document.rows) * len(todo) >= _LARGE
        patience = _PATIENCE if is_large else _MUCH
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

    def _publish(self, whole: Attribution) -> None:
        self.attribution = whole
        self._on_finished(whole)


def _may_rest(model: Model, document: Document, question: Question) -> bool:
    """Return whether each column has its own cost, and a whole answer can be explained as one target."""
    method, work = method_of(question.card), question.card.work
    is_of_all = question.col is None and question.through is None and len(document.cols) > 1
    is_text = model.is_causal and document.cols[0].role != "class"
    costs_each = work is not None and work.per_target > 0
    return is_of_all and is_text and costs_each and method is not None and method.spans


def _shares(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Scores of a column as shares of the sum of their sizes; 0 where the target cannot see the row."""
    numbers: NDArray[np.float64] = np.nan_to_num(scores.astype(np.float64))
    return numbers / max(float(np.abs(numbers).sum()), np.finfo(np.float64).tiny)


def _with_rows(scores: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """Return scores [rows, k] extended to [n, k] with NaN: these columns do not see the later rows."""
    more = np.full((n - len(scores), scores.shape[1]), np.nan, dtype=scores.dtype)
    return np.concatenate([scores, more])
