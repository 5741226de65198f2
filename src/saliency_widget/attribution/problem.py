"""The engine's input, a problem and its atoms, and its output, chunks of finished columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..models.steps import Step, read_steps
from ..types import Objective, Target
from .access import Access, Network, Outside
from .objectives import alone, log_probability, value
from .settings import Settings

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

_REPORTED_DIFFERENCE = 0.3  # the relative difference below which an undecided check is not reported


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Everything a method needs to fill a matrix [n_rows, len(targets)].

    `causal`: whether a later embedding cannot change an earlier logit, so that one pass may serve many targets;
    otherwise each target gets its own pass over the text before it.

    `begun`: by column, the state of the numbers that it has already, where a method was stopped (`Chunk.state`).
    `access`: the members of the network that only some methods need. `precision`: the coarsest type of number that the
    network computes with. `groups`: for "word", "sentence" and "segment", the number of each row's unit.
    """

    network: Network
    embeddings: torch.Tensor  # [1, n, d], n ≥ the last target's position
    targets: tuple[Target, ...]
    objective: Objective = "probability"
    foil: int | None = None
    settings: Any = field(default_factory=Settings)
    causal: bool = True
    independent: bool = False  # whether each class is there or not, whatever the others are
    raw: bool = False  # whether the logits of classes are no probabilities and shall not be made any
    n_source: int = 0  # how many of the rows are a source
    access: Access = field(default_factory=Outside)
    groups: Mapping[str, Sequence[int]] = field(default_factory=dict)
    relays: tuple[Target, ...] = ()  # the tokens, as targets, by way of which a map takes further steps
    fixed: tuple[int, ...] = ()  # rows that a user cannot change: special tokens, those of a chat's template
    begun: Mapping[int, Any] = field(default_factory=dict)
    memory_budget: int = 1 << 30  # bytes for one chunk
    bytes_a_column: Callable[[], int] = lambda: 0  # that gradients need beside arrays as wide as the layers
    bytes_a_pass: Callable[[int], float] = lambda _n: 0.0  # of attention weights, in a pass over n tokens without some
    precision: str = "float32"

    @property
    def n_rows(self) -> int:
        """Return the number of positions that some target can see."""
        return max(t.n_seen for t in self.targets)


class Spot(NamedTuple):
    """A number of a map beside the same one by plain passes.

    `difference`: relative. `tolerance`: None where the precision is too coarse for an error, so that the difference is
    only reported.
    """

    col: int
    claimed: float
    measured: float
    difference: float
    tolerance: float | None

    @property
    def proves(self) -> bool:
        """Return whether the check decides: for the map, or against it."""
        return self.tolerance is not None or self.difference <= _REPORTED_DIFFERENCE

    @property
    def is_off(self) -> bool:
        """Return whether the two differ by more than the tolerance, or one of them is not finite."""
        return self.tolerance is not None and not self.difference <= self.tolerance


class Passed(NamedTuple):
    """One hop of some columns: `scores` float32 [n_rows, k] and `share` float32 [k]; see `hops.Hop`."""

    scores: NDArray[np.float32]
    share: NDArray[np.float32]


class Chunk(NamedTuple):
    """Columns, and the steps that the same pass showed.

    `scores`: float32 [n_rows, len(cols)], NaN where the target cannot see the row. `diagnostics`: by name, one number
    (or text) for each column. `check`: recomputes numbers of these columns by plain passes; the map's first chunk is
    checked. `errors`: the standard errors of the scores, in their shape, if the method has them. `calls`: of an
    estimate, the number of changed texts that it rests on; else 0. `goes_on`: whether better numbers for the same
    columns follow. `state`: by column, what the method needs to go on from these numbers; see `Problem.begun`. `hops`:
    the steps on by way of `Problem.relays`, nearest first.
    """

    cols: list[int]
    scores: NDArray[np.float32]
    steps: list[Step]
    diagnostics: Mapping[str, Sequence[float | str]] = {}
    check: Callable[[], Spot] | None = None
    errors: NDArray[np.float32] | None = None
    calls: int = 0
    goes_on: bool = False
    state: Mapping[int, Any] = {}
    hops: tuple[Passed, ...] = ()


def replaced_by(chunk: Chunk, chunks: Sequence[Chunk]) -> list[Chunk]:
    """Return the chunks and, at the end, the new one, without those whose columns it has."""
    cols = set(chunk.cols)
    return [*(old for old in chunks if not cols.issuperset(old.cols)), chunk]


class Progress(NamedTuple):
    """The progress of the work before the next chunk: `done` of `total` passes."""

    done: int
    total: int


class Atoms(NamedTuple):
    """The tokens that some columns explain, as one list of a; a column that explains a span has several."""

    at: torch.Tensor  # [a] the positions whose logits predict them
    ids: torch.Tensor  # [a]
    total: torch.Tensor  # [k, a], 1 where atom a is of column k, else 0
    n_read: int  # how many embeddings the last of them needs


def atoms_of(problem: Problem, cols: Sequence[int]) -> Atoms:
    """Return the atoms of these columns, in order."""
    import torch

    targets = [problem.targets[col] for col in cols]
    pairs = [(j, t.position + i - 1, token) for j, t in enumerate(targets) for i, token in enumerate(t.ids)]
    device = problem.embeddings.device
    owner, at, ids = (torch.tensor(values, device=device) for values in zip(*pairs, strict=True))
    total = (owner == torch.arange(len(cols), device=device)[:, None]).to(problem.embeddings.dtype)
    return Atoms(at, ids, total, max(t.n_seen for t in targets))


def worth(problem: Problem, logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Return the objectives [..., a] of atoms from their logits [..., a, vocabulary] and ids."""
    return value(problem.objective, logits, ids, problem.foil, independent=problem.independent)


def per_column(values: torch.Tensor, atoms: Atoms) -> torch.Tensor:
    """Add up the values of atoms [s, a] into those of columns [s, k]: the objectives of a span are summed."""
    return values @ atoms.total.T.to(values)


def plain_pass(problem: Problem, n: int) -> Network:
    """Return `Access.plain` of a network that defines it; otherwise no check calls this function."""
    found = problem.access.plain(n)
    assert found is not None, "a network that has no plain pass goes unchecked"
    return found


def steps_of(problem: Problem, cols: Sequence[int], logits: torch.Tensor) -> list[Step]:
    """Return the step of each column from the logits [a, vocabulary] of its atoms. A span has no alternatives."""
    import torch

    ids = [token for col in cols for token in problem.targets[col].ids]
    if problem.raw:
        assert all(len(problem.targets[col].ids) == 1 for col in cols), "classes make no span"
        values = logits.detach().float()[range(len(ids)), ids].tolist()
        return [Step(float("nan"), (), (), number) for number in values]
    chosen = torch.tensor(ids, device=logits.device)
    if problem.independent:
        logits, chosen = alone(logits, chosen), torch.zeros_like(chosen)
    lengths = [len(problem.targets[col].ids) for col in cols]
    if max(lengths) == 1:
        return read_steps(logits, chosen.tolist())
    parts = zip(torch.split(logits.detach(), lengths), torch.split(chosen, lengths), strict=True)
    return [Step(float(log_probability(rows, tokens).sum().exp()), (), ()) for rows, tokens in parts]


def blank(problem: Problem, cols: Sequence[int]) -> NDArray[np.float32]:
    """Return empty scores [n_rows, len(cols)], all NaN."""
    return np.full((problem.n_rows, len(cols)), np.nan, dtype=np.float32)


def chunk_of(
    problem: Problem,
    cols: list[int],
    scores: torch.Tensor,
    logits: torch.Tensor,
    diagnostics: Mapping[str, Sequence[float]] | None = None,
    check: Callable[[], Spot] | None = None,
) -> Chunk:
    """Make a finished chunk from scores [k, m] of the columns and the logits [a, vocabulary] of their atoms."""
    out = blank(problem, cols)
    for j, (row, col) in enumerate(zip(scores.cpu().numpy(), cols, strict=True)):
        seen = problem.targets[col].n_seen
        out[:seen, j] = row[:seen]
    return Chunk(cols, out, steps_of(problem, cols, logits), diagnostics or {}, check)
