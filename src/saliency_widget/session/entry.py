"""An entry of the cache of maps: what is there of one map, and what more of it would cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..attribution.problem import Chunk, Spot, replaced_by
from ..attribution.through import HOPS

if TYPE_CHECKING:
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
    each: float | None = None  # the seconds that a column took
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
        if work is None or not self.chunks or any(chunk.calls for chunk in self.chunks):
            return None
        return work.passes(len(self.chunks[0].scores), len(self.done()) + (self.together is not None))

    def price(self, n: int) -> float | None:
        """Return about how many seconds n more columns take; None before any was measured."""
        return None if self.each is None else n * self.each

    def add(self, chunk: Chunk) -> bool:
        """Add a chunk. Return whether it is to be shown: not one of an estimate that began again and is behind."""
        if any(old.calls > chunk.calls for old in self.chunks if set(chunk.cols).intersection(old.cols)):
            return False
        self.chunks = replaced_by(chunk, self.chunks)
        return True
