"""The engine: from a function (input embeddings → logits), embeddings, targets, an objective and a method to scores.

It knows no tokenizer, no widget and no file, so any toy network whose answer is known can be put through it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BadScores
from .memory import is_out_of_memory, not_enough_for
from .problem import Chunk, Problem, Progress, Spot
from .spot_check import is_flat

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Targets that one forward pass serves where nothing goes backward: so many rows of the vocabulary are held at a time.
ONE_PASS = 256


class Schedule:
    """The columns that are still to do, and their order.

    Thread-safe: the page calls `prefer` while the engine calls `take`.
    """

    def __init__(self, cols: Iterable[int], *, prefer: int | None = None) -> None:
        self._todo = sorted(cols)
        self._preferred = prefer
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._todo)

    @property
    def watched(self) -> bool:
        """Return whether a reader looks at a column."""
        return self._preferred is not None

    def prefer(self, col: int) -> None:
        """Take this column next, and then its neighbours."""
        with self._lock:
            self._preferred = col

    def take(self, size: int) -> list[int]:
        """Take the next columns, at most `size`, ascending; none at the end.

        Neighbours, because a forward pass reaches to the last of them: the preferred column and what follows it.
        """
        with self._lock:
            todo, preferred = self._todo, self._preferred
            start = todo.index(preferred) if preferred in todo else 0
            start = max(0, min(start, len(todo) - size))
            taken = todo[start : start + size]
            self._todo = todo[:start] + todo[start + size :]
            return taken

    def give_back(self, cols: Sequence[int]) -> None:
        """Put these columns back: they could not be done now."""
        with self._lock:
            self._todo = sorted({*self._todo, *cols})


Fill = Callable[[Problem, Schedule], Iterator[Chunk | Progress]]


def run(
    fill: Fill, problem: Problem, schedule: Schedule, *, label: str, explains: bool = True, checked: bool = False
) -> Iterator[Chunk | Progress | Spot]:
    """Fill the columns of `schedule` in chunks, and check each. Stop iterating to cancel: chunks so far are valid.

    `fill`: the method's function. `label`: its name in errors. `explains`: whether it uses the objective, so that a
    column of zeros is correct if the objective does not change. After the first chunk a few of its numbers are
    recomputed by plain passes, unless earlier columns of the map were `checked`.
    Raises: BadScores; OutOfMemory when one column alone does not fit.
    """
    checked = checked or problem.access.plain(problem.n_rows) is None
    for chunk in fill(problem, schedule):
        if isinstance(chunk, Progress):
            yield chunk
            continue
        for j, col in enumerate(chunk.cols):
            try:
                check_scores(chunk.scores[:, j], problem, col, label, may_be_zero=explains)
            except BadScores:
                if j:  # the good ones before it are kept
                    kept = {name: values[:j] for name, values in chunk.diagnostics.items()}
                    errors = None if chunk.errors is None else chunk.errors[:, :j]
                    yield Chunk(chunk.cols[:j], chunk.scores[:, :j], chunk.steps[:j], kept, errors=errors)
                raise
        yield chunk
        if not checked and chunk.check is not None:
            checked = True
            spot = chunk.check()
            if spot.is_off:
                raise off_the_mark(spot, label)
            yield spot


def off_the_mark(spot: Spot, label: str) -> BadScores:
    """Return the error for a map that differs from plain passes."""
    return BadScores(
        f"{label} was checked in column {spot.col}, and is off: the map says {spot.claimed:.4g}, plain passes of the "
        f"model say {spot.measured:.4g}.",
        cure="Take another method: this model has steps whose gradient is not their slope, or reads a text otherwise "
        "when it reads others beside it.",
        col=spot.col,
    )


def in_passes(problem: Problem, schedule: Schedule, work: Callable[[list[int]], Chunk]) -> Iterator[Chunk]:
    """Call `in_chunks` for work that costs one forward pass, whatever the number of columns."""
    size = ONE_PASS if problem.causal else 1
    return in_chunks(schedule, size, work, first=size)


def in_chunks(
    schedule: Schedule, size: int, work: Callable[[list[int]], Chunk], *, first: int | None = None
) -> Iterator[Chunk]:
    """Take at most `size` columns at a time and work on them.

    If a reader looks at a column, the first chunk is that column alone, so that it is shown early (or `first` columns,
    if a pass costs the same for many). When memory runs out, the chunks are halved.
    """
    take = first or (1 if schedule.watched else size)
    while cols := schedule.take(take):
        try:
            chunk = work(cols)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if len(cols) == 1:
                raise not_enough_for("a single column of this map") from error
            schedule.give_back(cols)
            take = size = len(cols) // 2
            continue
        yield chunk
        take = size


def check_scores(
    column: NDArray[np.float32], problem: Problem, col: int, label: str, *, may_be_zero: bool = False
) -> None:
    """Reject a column with a NaN or infinite score, and a column of zeros, unless plain passes agree with it.

    Raises: BadScores.
    """
    visible = column[: problem.targets[col].n_seen]
    if not np.isfinite(visible).all():
        row = int(np.flatnonzero(~np.isfinite(visible))[0])
        raise BadScores(
            f"{label} gave {visible[row]} at row {row}, column {col}.",
            cure="Look for NaN or infinite weights; in float16 an overflow is likely: load the model in float32.",
            col=col,
        )
    if not visible.any() and not (may_be_zero and is_flat(problem, col)):
        raise BadScores(
            f"{label} gave only zeros in column {col}.",
            cure="The model cuts the gradient (detached code, integer arithmetic), or is certain beyond its precision: "
            'try objective="logit".',
            col=col,
        )
