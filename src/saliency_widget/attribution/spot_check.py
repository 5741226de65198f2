"""Each map recomputes a few of its numbers by plain passes: one text, one target, no short cut, the model's attention.

A number that is off by more than its tolerance raises an error that names both numbers. In bfloat16 it is only
reported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from math import inf, isnan, nan
from typing import TYPE_CHECKING, NamedTuple

from .objectives import probability
from .problem import Spot, atoms_of, per_column, plain_pass, worth

if TYPE_CHECKING:
    import torch

    from .problem import Atoms, Problem

# For each precision, the changes of the objective (its log-odds) that are tried, one of which must agree with the
# gradient, and the largest difference of slope and gradient. Measured on 303 architectures without a false alarm.
_MOVES = {"float64": (0.05, 0.01, 0.002, 0.0005, 0.0001), "float32": (0.05, 0.01, 0.002, 0.0005)}
_HALF_MOVES = (1.0, 0.3, 0.1)
_SLOPES = {"float64": 0.02, "float32": 0.02, "float16": 0.1, "bfloat16": 0.3}
# The tolerance of drops, as a share of the largest drop; and that of log-odds, below which half precision is noise.
_DROPS = {"float64": 1e-4, "float32": 1e-3, "float16": 2e-2, "bfloat16": 0.15}
_LOGITS = {"float64": 1e-4, "float32": 1e-3, "float16": 2e-2, "bfloat16": 0.15}
_ONLY_REPORTED = "bfloat16"
_SMALL_STEP = 0.01
_DIGIT = 100 * 2.0**-52  # of a value; a smaller change of it is rounding
_LONG_SPAN = 64  # tokens


class Gradient(NamedTuple):
    """A gradient [m, d] of one column's objective at a point [m, d], and the logits [a, vocabulary] there."""

    col: int
    point: torch.Tensor
    gradient: torch.Tensor
    logits: torch.Tensor


def of_gradient(
    problem: Problem, cols: Sequence[int], point: torch.Tensor, gradients: torch.Tensor, logits: torch.Tensor
) -> Callable[[], Spot]:
    """Return a `Chunk.check` of the gradients [k, m, d] of some columns at a point [m, d], and of their logits."""
    col, mine = _first(problem, cols)
    m = problem.targets[col].n_seen
    return partial(slope, problem, Gradient(col, point[:m], gradients[0, :m].detach().clone(), logits[mine].detach()))


def _first(problem: Problem, cols: Sequence[int]) -> tuple[int, slice]:
    """Return the first of some columns, and the slice of its atoms among theirs.

    The first column reads the shortest text: its passes cost least, and show best a pass that read too much.
    """
    return cols[0], slice(0, len(problem.targets[cols[0]].ids))


def slope(problem: Problem, made: Gradient) -> Spot:
    """Check that the objective moves as the gradient predicts: along the gradient, and along its largest row alone.

    A long span is checked along the gradient alone: each pass projects all its rows on the vocabulary.
    Steps that are too long for its curvature, or too short for the precision, disagree with each other, too: then the
    check is undecided, and only reports.
    Cost: a pass over four texts (of a long span, two); more where the first step is too long.
    """
    import torch

    atoms = atoms_of(problem, [made.col])
    x, g = made.point.double(), made.gradient.double()
    rows = g.norm(dim=-1)
    if not rows.any():  # which was checked before: see `is_flat`
        return _spot(problem, made.col, 0.0, 0.0, 0.0, _SLOPES)
    alone = torch.zeros_like(g)
    alone[rows.argmax()] = g[rows.argmax()]
    directions = [way / way.norm() for way in (g, alone)][: 1 if len(atoms.ids) > _LONG_SPAN else 2]
    slopes = [float(g.norm()), float(rows.max())][: len(directions)]
    scale = _scale(problem, made.logits, atoms.ids)
    tolerance = _SLOPES[problem.precision]
    spots: list[Spot] = []
    ratios: list[list[float]] = []  # measured by claimed, of each step and direction
    for move in _MOVES.get(problem.precision, _HALF_MOVES):
        # Rounded to the model's precision: the difference of the two is the actual step.
        ends = [
            (x + sign * move * scale / (2 * s) * way).to(made.point.dtype)
            for way, s in zip(directions, slopes, strict=True)
            for sign in (1, -1)
        ]
        values = objectives(problem, made.col, torch.stack(ends))
        claimed = [float((g * (a.double() - b.double())).sum()) for a, b in zip(ends[::2], ends[1::2], strict=True)]
        measured = [a - b for a, b in zip(values[::2], values[1::2], strict=True)]
        # Of an almost certain token the objective moves by less than the last digit of its value: that tells nothing.
        digit = _DIGIT * max(map(abs, values))
        ratios.append([m / c if abs(c) > digit else nan for m, c in zip(measured, claimed, strict=True)])
        worst = max(range(len(directions)), key=lambda i: inf if isnan(ratios[-1][i]) else abs(ratios[-1][i] - 1))
        spots.append(_spot(problem, made.col, claimed[worst], measured[worst], abs(ratios[-1][worst] - 1), _SLOPES))
        if spots[-1].difference <= tolerance:
            return spots[-1]
    best = min(spots, key=lambda spot: inf if isnan(spot.difference) else spot.difference)
    agree = any(
        abs(one[i] - two[i]) <= tolerance * min(abs(one[i]), abs(two[i])) and abs(two[i] - 1) > tolerance
        for one, two in pairwise(ratios)
        for i in range(len(directions))
    )
    return best if agree else best._replace(tolerance=None)


def drops(problem: Problem, col: int, made: Sequence[tuple[float, float]], largest: float) -> Spot:
    """Return the pair farthest apart of a column's drops in the map and measured; `largest`: its largest drop."""
    spots = (_spot(problem, col, a, b, abs(b - a) / max(abs(largest), 1e-300), _DROPS) for a, b in made)
    return max(spots, key=lambda spot: spot.difference)


def is_flat(problem: Problem, col: int) -> bool:
    """Return whether plain passes over changed texts leave a column's objective unchanged, as a column of zeros claims.

    The changed embeddings lie a hundredth of the way to others: to each row's neighbour, and to its mirror image.
    """
    import torch

    x = problem.embeddings[0, : atoms_of(problem, [col]).n_read]
    if problem.access.plain(len(x)) is None:
        return False
    texts = torch.stack(
        [x, x + _SMALL_STEP * (x.roll(1, 0) - x), x + _SMALL_STEP * (x.roll(1, -1) - x), x - _SMALL_STEP * x]
    )
    values = objectives(problem, col, texts)
    return max(values) - min(values) <= 1e-5 * max(map(abs, values))


def of_logits(problem: Problem, cols: Sequence[int], made: torch.Tensor) -> Callable[[], Spot]:
    """Return a `Chunk.check` that compares the logits [a, vocabulary] of some columns' atoms with the model's own."""
    col, mine = _first(problem, cols)
    return partial(_logits, problem, col, made[mine].detach())


def _logits(problem: Problem, col: int, made: torch.Tensor) -> Spot:
    atoms = atoms_of(problem, [col])
    plain = _plain(problem, problem.embeddings[:, : atoms.n_read], atoms)[0]
    found, expected = made.double().cpu(), plain.double().cpu()
    counted = expected.isfinite()
    off = (found - expected).abs().masked_fill(~counted, 0)
    at = int(off.argmax())
    difference = float(off.max() / expected[counted].abs().max().clamp_min(1e-300))
    return _spot(problem, col, float(found.flatten()[at]), float(expected.flatten()[at]), difference, _LOGITS)


def objectives(problem: Problem, col: int, texts: torch.Tensor) -> list[float]:
    """Return the objective of one column by plain passes over texts [s, m, d]."""
    atoms = atoms_of(problem, [col])
    given = worth(problem, _plain(problem, texts, atoms), atoms.ids)
    values: list[float] = per_column(given.double(), atoms)[:, 0].tolist()
    return values


def _plain(problem: Problem, texts: torch.Tensor, atoms: Atoms) -> torch.Tensor:
    """Return the logits [s, a, vocabulary] of plain passes over texts [s, m, d]."""
    import torch

    with torch.no_grad():
        return plain_pass(problem, texts.shape[1])(texts, atoms.at).logits


def _scale(problem: Problem, given: torch.Tensor, ids: torch.Tensor) -> float:
    """Return the approximate change of the objective when the target's log-odds change by 1, each token's at random."""
    import torch

    ids = ids.to(given.device)
    p = torch.stack([probability(given, i) for i in (ids, *_foils(problem, ids))])
    share = {"probability": p * (1 - p), "log_probability": 1 - p}.get(problem.objective, torch.ones_like(p))
    return max(float(share.norm()), 1e-12)


def _foils(problem: Problem, ids: torch.Tensor) -> list[torch.Tensor]:
    return [] if problem.foil is None else [ids.new_full(ids.shape, problem.foil)]


def _spot(
    problem: Problem, col: int, claimed: float, measured: float, difference: float, tolerances: dict[str, float]
) -> Spot:
    told = problem.precision == _ONLY_REPORTED
    return Spot(col, claimed, measured, difference, None if told else tolerances[problem.precision])
