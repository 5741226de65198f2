"""The heart: from a function (input embeddings → logits), the embeddings, targets, an objective and a method to scores.

It knows no tokenizer, no widget and no file, so any toy network whose answer is known can be put through it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from ..errors import BadScores, OutOfMemory
from ..types import NoSettings, Objective
from .memory import is_out_of_memory

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from ..models.steps import Step


class Output(Protocol):
    """What a network gives: `models.causal.Forward` is one."""

    @property
    def logits(self) -> torch.Tensor:
        """[batch, k, vocabulary]."""

    @property
    def head(self) -> torch.Tensor | None:
        """[batch, k, hidden], the input of the vocabulary projection: logits at k depend on row k alone. Or None."""


# Targets that one forward pass serves where nothing goes backward: so many rows of the vocabulary are held at a time.
_ONE_PASS = 256

# (embeddings [batch, m, d], positions [k] < m) → logits and head at these positions. m may be less than the whole.
Network = Callable[["torch.Tensor", "torch.Tensor"], Output]


class Target(NamedTuple):
    """A column: the token `id` at `position`, predicted from the tokens 0 … position - 1."""

    position: int
    id: int


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Everything a method needs to fill a matrix [n_rows, len(targets)].

    `causal`: a later embedding cannot change an earlier logit, so one pass may serve many targets. Where it is False
    each target gets a pass of its own over what comes before it.
    `attention`: positions → weights [k, n], logits [k, vocabulary]; None where the network has no attention to show.
    """

    network: Network
    embeddings: torch.Tensor  # [1, n, d], n ≥ the last target's position
    targets: tuple[Target, ...]
    objective: Objective = "probability"
    settings: Any = field(default_factory=NoSettings)
    causal: bool = True
    attention: Callable[[Sequence[int]], tuple[torch.Tensor, torch.Tensor]] | None = None
    memory_budget: int = 1 << 30  # bytes for one chunk

    @property
    def n_rows(self) -> int:
        """Every position that some target can see."""
        return max(t.position for t in self.targets)


class Chunk(NamedTuple):
    """Finished columns, and the steps that the same pass showed.

    `scores`: float32 [n_rows, len(cols)], NaN where the target cannot see the row.
    """

    cols: list[int]
    scores: NDArray[np.float32]
    steps: list[Step]


class Schedule:
    """Which columns are still to do, and which come next. Thread-safe: the page prefers while the engine takes."""

    def __init__(self, cols: Iterable[int], *, prefer: int | None = None) -> None:
        self._todo = sorted(cols)
        self._preferred = prefer
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._todo)

    def prefer(self, col: int) -> None:
        """Do this column next, and then its neighbours."""
        with self._lock:
            self._preferred = col

    def take(self, size: int) -> list[int]:
        """The next at most `size` columns, ascending; empty at the end.

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
        """These could not be done now: they are to do again."""
        with self._lock:
            self._todo = sorted({*self._todo, *cols})


Fill = Callable[[Problem, Schedule], Iterator[Chunk]]


def run(fill: Fill, problem: Problem, schedule: Schedule, *, label: str) -> Iterator[Chunk]:
    """Fill the columns of `schedule`, a chunk at a time, each checked. Stop iterating to cancel: what came is whole.

    `fill` is a method's way to do it, `label` the method's name in errors.
    Raises: BadScores; OutOfMemory when one column alone does not fit.
    """
    for chunk in fill(problem, schedule):
        for j, col in enumerate(chunk.cols):
            try:
                check_column(chunk.scores[:, j], problem, col, label)
            except BadScores:
                if j:  # the good ones before it are kept
                    yield Chunk(chunk.cols[:j], chunk.scores[:, :j], chunk.steps[:j])
                raise
        yield chunk


def in_passes(problem: Problem, schedule: Schedule, work: Callable[[list[int]], Chunk]) -> Iterator[Chunk]:
    """As `in_chunks`, for work that costs one forward pass however many columns it serves."""
    size = _ONE_PASS if problem.causal else 1
    return in_chunks(schedule, size, work, first=size)


def in_chunks(schedule: Schedule, size: int, work: Callable[[list[int]], Chunk], *, first: int = 1) -> Iterator[Chunk]:
    """Take at most `size` columns at a time and work on them.

    The first chunk is one column, so that something shows early (or `first`, where a pass costs the same for many);
    when memory runs out the chunks are halved and the work goes on.
    """
    take = first
    while cols := schedule.take(take):
        try:
            chunk = work(cols)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if len(cols) == 1:
                raise OutOfMemory(
                    "There is not enough memory for a single column of this map.",
                    cure="Shorten the text, free memory on the device, or load the model in a smaller dtype.",
                ) from error
            schedule.give_back(cols)
            take = size = len(cols) // 2
            continue
        yield chunk
        take = size


def blank(problem: Problem, cols: Sequence[int]) -> NDArray[np.float32]:
    """[n_rows, len(cols)], all NaN: nothing is seen yet."""
    return np.full((problem.n_rows, len(cols)), np.nan, dtype=np.float32)


def check_column(column: NDArray[np.float32], problem: Problem, col: int, label: str) -> None:
    """A score that is NaN, infinite or all zero is an error, never a picture. Raises: BadScores."""
    visible = column[: problem.targets[col].position]
    if not np.isfinite(visible).all():
        row = int(np.flatnonzero(~np.isfinite(visible))[0])
        raise BadScores(
            f"{label} gave {visible[row]} at row {row}, column {col}.",
            cure="Look for NaN or infinite weights; in float16 an overflow is likely: load the model in float32.",
            col=col,
        )
    if not visible.any():
        raise BadScores(
            f"{label} gave only zeros in column {col}.",
            cure="The model cuts the gradient (detached code, integer arithmetic), or is certain beyond its precision: "
            'try objective="logit".',
            col=col,
        )
