"""The ways in which a model reads a text without some of its rows, and the probe that finds them.

"delete": the text closes up. "mask": nobody can attend to the rows, and the others keep their positions. A causal model
then reads the kept rows alone, with their old positions; others read all rows with an attention mask. Each way is held
against plain passes over one text at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...errors import UnsupportedMethod
from ...types import Inputs
from . import probe
from .attention import no_heads, other_mixer
from .probe import MODEL_ERRORS, OTHER, SAME, near
from .rows import Branches, Picks, branched, masked, tensor, together
from .ways import Way

if TYPE_CHECKING:
    import torch

    from ..base import Model
    from .rows import Keep, Rows

# (embeddings [m, d], what stands in [m, d], masks of kept rows [s, m], texts [p], rows [p]) → logits [p, vocabulary].
Without = Callable[["torch.Tensor", "torch.Tensor", "Keep", "Rows", "Rows"], "torch.Tensor"]
# (embeddings [m, d], rows [r], nodes that each sees [r, r], nodes [p]) → logits [p, vocabulary].
Tree = Callable[["torch.Tensor", "Rows", "Keep", "Rows"], "torch.Tensor"]

# Masking equals deleting where their results differ by less than this share of the effect of deleting.
_ALIKE = {"float64": 1e-3, "float32": 1e-3, "float16": 2e-2, "bfloat16": 5e-2}


_LEAST = 6  # tokens of a text of which some are hidden


class Removal(NamedTuple):
    """The ways in which a model reads texts without some of their rows.

    `deletes`, `masks`: the way by which several are read in one pass; None: each by itself. `positions`: whether a
    masked pass is given its positions. `short`: whether it reads the kept rows alone, with theirs. `why_not`: the
    reason why the model cannot mask, or None.
    """

    deletes: Way | None
    masks: Way | None = None
    positions: bool = False
    short: bool = False
    why_not: str | None = None


def removal(model: Model) -> Removal:
    """Return the ways of a shadow; probed when first asked."""
    found: Removal | None = model.facts.once("removal", lambda: _look(model), model.check_weights)
    return found or Removal(None, why_not=f"{type(model.model).__name__} gives NaN, so nothing can be tried on it.")


def without(model: Model, inputs: Inputs, operator: str) -> Without | None:
    """Return the function that reads several texts without some rows in one pass; None if each is read by itself."""
    found = removal(model)
    way = found.deletes if operator == "delete" else found.masks
    n = len(inputs.source) + len(inputs.ids)
    causal = probe.sees_back_alone(model)
    if way is None or (causal and not probe.holds_between(model, inputs, min(probe.SHORT, n))):
        return None

    def run(x: torch.Tensor, stand_in: torch.Tensor, keep: Keep, which: Rows, rows: Rows) -> torch.Tensor:
        picks = Picks(keep, which, rows)
        if operator == "delete":
            return together(model, inputs, x, stand_in, picks, way, short=True, positions=False)
        short = _stays_short(model, inputs, x, way)
        return together(model, inputs, x, stand_in, picks, way, short=short, positions=removal(model).positions)

    return run


def _stays_short(model: Model, inputs: Inputs, x: torch.Tensor, way: Way) -> bool:
    """Return whether kept rows with their positions have the logits of a masked text as long as these rows [m, d].

    They do not where a window counts rows instead of positions, and the text is longer than it. A longer text than any
    before is tried, without every other of its rows.
    """
    m = len(x)
    if not removal(model).short or m <= max(probe.SHORT, model.facts.masked):
        return removal(model).short
    keep = np.arange(m)[None] % 2 == (m - 1) % 2
    last = np.array([m - 1])
    alone = masked(model, inputs, keep[0], positions=True)(x[None], tensor(last, x))[0]
    found = together(model, inputs, x, x, Picks(keep, 0 * last, last), way, short=True, positions=True)
    model.check_weights()
    if near(found, alone, model, OTHER):
        model.facts.masked = m
        return True
    model.facts.found["removal"] = removal(model)._replace(short=False)
    return False


def tree(model: Model, inputs: Inputs, operator: str) -> Tree | None:
    """Return the function that reads a tree of kept rows in one pass, each branch a text without some rows, or None.

    A node sees those before it on its branch alone, so a beginning that texts share is read once. Larger trees than any
    before are held against a plain pass over the last branch, and later each branch is read by itself if they differ.
    """
    if without(model, inputs, operator) is None or not removal(model).short or not probe.sees_back_alone(model):
        return None
    if not model.facts.once("tree", lambda: _tree_is_right(model), model.check_weights):
        return None
    way = removal(model).deletes if operator == "delete" else removal(model).masks
    assert way is not None, "there is a way to read several texts"

    def run(x: torch.Tensor, rows: Rows, sees: Keep, at: Rows) -> torch.Tensor:
        branches = Branches(rows, sees, at)
        if model.facts.found["tree"]:
            logits = branched(model, inputs, x, branches, way, positions=operator == "mask")
            if len(rows) <= model.facts.branched:
                return logits
            last = _by_itself(model, inputs, x, branches._replace(at=at[-1:]), operator)
            model.check_weights()
            if near(logits[-1:], last, model, OTHER):
                model.facts.branched = len(rows)
                return logits
            model.facts.found["tree"] = False
        return _by_itself(model, inputs, x, branches, operator)

    return run


def _by_itself(model: Model, inputs: Inputs, x: torch.Tensor, branches: Branches, operator: str) -> torch.Tensor:
    """Return the logits [p, vocabulary] at nodes of a tree, each branch read by itself."""
    import torch

    found = []
    for node in branches.at:
        branch = branches.rows[branches.sees[node]]
        if operator == "delete":
            network = model.network(inputs.at(branch.tolist()))
            at = tensor(np.array([len(branch) - 1]), x)
            found.append(network(x[None, tensor(branch, x)], at).logits[0])
        else:
            keep = np.zeros(len(x), dtype=bool)
            keep[branch] = True
            found.append(masked(model, inputs, keep, positions=True)(x[None], tensor(branch[-1:], x))[0])
    return torch.cat(found)


# ── the probe ────────────────────────────────────────────────────────────────────────────────────────────────────


def _look(model: Model) -> Removal | None:
    """Try each way on a short text without some of its rows. None while weights are NaN. Cost: a dozen passes."""
    inputs = probe.short_text(model)
    if len(inputs.ids) < _LEAST:
        return Removal(None, why_not=f"{type(model.model).__name__} reads too few tokens to hide some of them.")
    picks = _picks(inputs)
    closed = _each_deleted(model, inputs, picks)
    if bool(closed.isnan().any()):
        return None
    deletes = _first_right(model, inputs, picks, closed, short=True, positions=False)
    plain = _each_deleted(model, inputs, _whole_text(inputs))
    positions = model.takes_positions and _is_plain_under_ones(model, inputs, plain, positions=True)
    expected = _masked_or_why_not(model, inputs, picks, positions=positions, closed=closed, plain=plain)
    if isinstance(expected, str):
        return Removal(deletes, why_not=expected)
    way = _first_right(model, inputs, picks, expected, short=True, positions=True) if positions else None
    if way is not None:
        return Removal(deletes, way, positions=True, short=True)
    return Removal(
        deletes, _first_right(model, inputs, picks, expected, short=False, positions=positions), positions=positions
    )


def _is_plain_under_ones(model: Model, inputs: Inputs, plain: torch.Tensor, *, positions: bool) -> bool:
    """Return whether a mask that hides nothing leaves the logits [1, vocabulary] of the whole text as they are.

    With positions it does not where a family counts them from another number on, as RoBERTa does.
    """
    try:
        found = _each_masked(model, inputs, _whole_text(inputs), positions=positions)
    except (UnsupportedMethod, *MODEL_ERRORS):
        return False
    return near(found, plain, model, OTHER)


def _whole_text(inputs: Inputs) -> Picks:
    n = len(inputs.source) + len(inputs.ids)
    return Picks(np.ones((1, n), dtype=bool), np.array([0]), np.array([n - 1]))


def _picks(inputs: Inputs) -> Picks:
    """Return three masks, and two rows to read of each text: one in its middle, and the last.

    Rows inside the text go, then its first one (of a text that has no source), then its last ones.
    """
    n, m = len(inputs.source), len(inputs.ids)
    keep = np.ones((3, n + m), dtype=bool)
    keep[0, [n + m // 3, n + m // 2]] = False
    keep[1, [n + (1 if n else 0), n + m // 2]] = False
    keep[2, n + m - max(1, m // 4) :] = False
    if n > 2:
        keep[1, 1], keep[2, 0] = False, False
    left = [np.flatnonzero(mask[n:]) + n for mask in keep]
    pairs = [(i, row) for i, rows in enumerate(left) for row in (rows[len(rows) // 2], rows[-1])]
    which, rows = np.array(pairs).T
    return Picks(keep, which, rows)


def _first_right(
    model: Model, inputs: Inputs, picks: Picks, expected: torch.Tensor, *, short: bool, positions: bool
) -> Way | None:
    """Return the first way by which several texts in one pass have the expected logits [p, vocabulary], or None."""
    import torch

    if probe.remembers(model) or not probe.batches(model):
        return None
    fresh = model.fresh()
    x = fresh.embed(inputs)[0]
    for way in model.row_ways:
        try:
            with torch.no_grad():
                found = together(fresh, inputs, x, _hidden(x), picks, way, short=short, positions=positions)
        except (UnsupportedMethod, *MODEL_ERRORS):
            continue
        if near(found, expected, model, OTHER):
            return way
    return None


def _hidden(x: torch.Tensor) -> torch.Tensor:
    """Return embeddings [n, d] to put in the place of masked rows, which must change nothing elsewhere."""
    return -2 * x.flip(0)


def _shadows(model: Model) -> Iterator[Model]:
    """Yield a shadow for each pass: the same one, unless a pass leaves traces."""
    anew = probe.remembers(model)
    fresh = model.fresh()
    while True:
        yield fresh
        if anew:
            fresh = model.fresh()


def _each_deleted(model: Model, inputs: Inputs, picks: Picks) -> torch.Tensor:
    """Return the logits [p, vocabulary] of plain passes over the text without rows, one text at a time."""
    import torch

    found = []
    with torch.no_grad():
        for i, (mask, fresh) in enumerate(zip(picks.keep, _shadows(model), strict=False)):
            kept = np.flatnonzero(mask)
            left = inputs.at(kept.tolist())
            x = fresh.embed(left)
            at = np.searchsorted(kept, picks.rows[picks.which == i])
            found.append(fresh.network(left)(x, tensor(at, x)).logits[0])
    return torch.cat(found)


def _each_masked(model: Model, inputs: Inputs, picks: Picks, *, positions: bool, changed: bool = True) -> torch.Tensor:
    """Return the logits [p, vocabulary] of masked passes, one text at a time.

    `changed`: other embeddings are in the masked rows.
    """
    import torch

    found = []
    with torch.no_grad():
        for i, (mask, fresh) in enumerate(zip(picks.keep, _shadows(model), strict=False)):
            x = fresh.embed(inputs)
            if changed:
                x = torch.where(tensor(mask, x)[:, None], x, _hidden(x[0]))
            rows = tensor(picks.rows[picks.which == i], x)
            found.append(masked(fresh, inputs, mask, positions=positions)(x, rows)[0])
    return torch.cat(found)


def _masked_or_why_not(
    model: Model, inputs: Inputs, picks: Picks, *, positions: bool, closed: torch.Tensor, plain: torch.Tensor
) -> torch.Tensor | str:
    """Return the logits [p, vocabulary] of masked texts, each read by itself, or the reason why no token can be masked.

    A mask of ones must change nothing, and a masked row must not be read. `positions`: whether they are given.
    `closed`, `plain`: the logits of the texts that close up, and of the whole text.
    """
    name = type(model.model).__name__
    if not model.n_heads:
        return f"{no_heads(model)}, so no token can be hidden from the others."
    inner = Picks(picks.keep[:1], picks.which[:2], picks.rows[:2])
    try:
        expected = _each_masked(model, inputs, picks, positions=positions)
        other = _each_masked(model, inputs, inner, positions=positions, changed=False)
    except (UnsupportedMethod, *MODEL_ERRORS):
        return f"{name} does not run with an attention mask over a text, so no token can be hidden from the others."
    if not near(other, expected[:2], model, SAME):
        return f"In {name} a token reaches others past an attention mask, so that none can be hidden from them."
    if not (positions or _is_plain_under_ones(model, inputs, plain, positions=False)):
        return f"{name} reads a text otherwise under an attention mask, even under one that hides nothing."
    return _trace_of(model, inputs, expected, positions=positions, closed=closed, plain=plain) or expected


def _trace_of(
    model: Model, inputs: Inputs, expected: torch.Tensor, *, positions: bool, closed: torch.Tensor, plain: torch.Tensor
) -> str | None:
    """Return the reason why a text with masked tokens is none without them, or None.

    The place of a masked row must stay, so that masking is not deleting, and kept rows with their positions must give
    the same, in a text shorter than any window. A model whose later tokens are seen is not tried: there the names of
    its modules tell.
    """
    name = type(model.model).__name__
    effect = _distance(closed[1], plain[0])
    if effect > 0 and _distance(expected[1], closed[1]) <= _ALIKE[probe.precision(model)] * effect:
        return f"{name} counts positions without the masked tokens, so that masking is deleting them."
    if bool(expected.isnan().any()):
        return f"{name} gives NaN where a token is left with nothing to attend to."
    is_tried = positions and probe.sees_back_alone(model)
    if not _agrees_with_kept_rows(model, inputs) if is_tried else other_mixer(model) is not None:
        return f"{name} carries the text on from token to token, so that none can be hidden without a trace."
    return None


def _agrees_with_kept_rows(model: Model, inputs: Inputs) -> bool:
    """Return whether a text of three rows, the second masked, has the logits of the other two at their positions.

    A family that refuses such positions is not held to it.
    """
    import torch

    three = Inputs((), inputs.ids[:3])
    picks = Picks(np.array([[True, False, True]]), np.array([0]), np.array([2]))
    given = _each_masked(model, three, picks, positions=True)
    fresh = model.fresh()
    x = fresh.embed(three)[0]
    try:
        with torch.no_grad():
            found = together(fresh, three, x, x, picks, Way.WHOLE, short=True, positions=True)
    except (UnsupportedMethod, *MODEL_ERRORS):
        return True
    return near(found, given, model, OTHER)


def _distance(a: torch.Tensor, b: torch.Tensor) -> float:
    counted = a.isfinite() & b.isfinite()
    return float((a.double() - b.double())[counted].abs().max()) if bool(counted.any()) else 0.0


def _tree_is_right(model: Model) -> bool:
    """Return whether two branches with a common beginning, read in one pass, have the logits of each by itself."""
    import torch

    inputs = probe.short_text(model)
    parents = (-1, 0, 1, 2, 1, 4, 5)
    sees = np.eye(len(parents), dtype=bool)
    for node, parent in enumerate(parents[1:], start=1):
        sees[node] |= sees[parent]
    branches = Branches(np.array([0, 1, 3, 4, 2, 4, 5]), sees, np.array([3, 6]))  # 0 1 3 4, and 0 1 2 4 5
    fresh = model.fresh()
    x = fresh.embed(inputs)[0]
    found = removal(model)
    try:
        with torch.no_grad():
            return all(
                near(
                    branched(fresh, inputs, x, branches, way or Way.WHOLE, positions=operator == "mask"),
                    _by_itself(fresh, inputs, x, branches, operator),
                    model,
                    OTHER,
                )
                for operator, way in (("mask", found.masks), ("delete", found.deletes))
            )
    except (UnsupportedMethod, *MODEL_ERRORS):
        return False
