"""An entry of the cache of maps: what is there of one map, and what more of it would cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..attribution.problem import Chunk, Spot, replaced_by
from ..attribution.through import HOPS

if TYPE_CHECKING:
    from ..attribution.cards import Card
    from ..attribution.pipeline import Question


@dataclass(eq=False)
class Entry:
    """A map in the cache, finished or begun."""

    map_id: str
    question: Question  # the last question that the map answers
    chunks: list[Chunk] = field(default_factory=list)
    seconds: float = 0.0
    spot: Spot | None = None
    together: Chunk | None = None  # the one column of the whole answer as one target
    each: float | None = None  # the seconds that a column takes, as measured so far
    rests: frozenset[int] = frozenset()  # the columns that wait to be asked for
    is_wanted: bool = False  # whether somebody asked for all columns, whatever they cost

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
        known = [*self.chunks, *([] if self.together is None else [self.together])]
        if work is None or not known or any(chunk.calls for chunk in known):
            return None
        return work.passes(len(known[0].scores), len(self.done()) + (self.together is not None))

    def forget(self) -> None:
        """Forget all columns."""
        self.chunks.clear()
        self.together = None

    def took(self, seconds: float, n: int) -> None:
        """Take note that n columns took so many seconds. The first ones may include a look at the model."""
        self.each = seconds / n if self.each is None else min(self.each, seconds / n)

    def price(self, n: int) -> float | None:
        """Return about how many seconds n more columns take; None before any was measured."""
        return None if self.each is None else n * self.each

    def again(self, n: int, *, times: int, looks: int, each: float | None) -> float | None:
        """Return about how many seconds it takes to compute n columns of the map so often again; None if unknown.

        `looks`: how many of these times the model is a new one, and looked at first. `each`: the seconds of a pass.
        """
        passes, work = self.passes(), self.question.card.work
        if passes is None or work is None:  # one estimate serves all columns
            return times * self.seconds or None
        if each is None:
            return None
        return each * (looks * work.once + times * (work.passes(len(self.chunks[0].scores), n) - work.once + 1))

    def add(self, chunk: Chunk) -> bool:
        """Add a chunk. Return whether it is to be shown: not one of an estimate that began again and is behind."""
        if any(old.calls > chunk.calls for old in self.chunks if set(chunk.cols).intersection(old.cols)):
            return False
        self.chunks = replaced_by(chunk, self.chunks)
        return True


def estimates(cards: Sequence[Card], there: Sequence[Entry], n_rows: int, n_cols: int) -> dict[str, float]:
    """Return about how many seconds the map of each card takes, to one digit; a card without a measurement has none.

    `there`: the maps of the same text. The time of a pass is that of the map that took most of them, of the same kind
    if there is one.
    """
    measured = [
        (card.work, passes, entry.seconds)
        for entry in there
        if entry.question.settings == type(entry.question.settings)()
        and (card := entry.question.card).work is not None
        and entry.seconds > 0
        and (passes := entry.passes())
    ]
    found = {}
    for card in cards:
        if card.work is None or not measured:
            continue
        by_target = card.work.per_target > 0
        _, passes, seconds = max(measured, key=lambda one: ((one[0].per_target > 0) == by_target, one[1]))
        found[card.id] = float(f"{seconds / passes * card.work.passes(n_rows, n_cols):.1g}")
    return found
