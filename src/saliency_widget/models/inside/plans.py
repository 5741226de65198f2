"""Plans by which a long text is read, and the bytes that each needs. Plain arithmetic; `long_texts` measures."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ...errors import OutOfMemory


class Weight(NamedTuple):
    """The bytes that a pass keeps for its way back: `token` for each token, `pair` for each pair of tokens."""

    token: float
    pair: float

    def of(self, rows: int, keys: int) -> float:
        """Return the bytes of `rows` tokens that attend to `keys`."""
        return rows * (self.token + self.pair * keys)


class Plan(NamedTuple):
    """A way to read. `size`: the tokens of a slice; None: all in one pass. `checkpoints`: of the layers."""

    size: int | None = None
    checkpoints: bool = False


class Costs(NamedTuple):
    """The bytes that each plan needs. `kept`: keys and values of a token; None: the model cannot read in slices.

    `layers`: those that can have checkpoints, or 0. `width`: bytes of an embedding. `wide`: the factor by which
    gradients of keys and values are larger than these.
    """

    weight: Weight
    kept: float | None
    layers: int
    width: int
    wide: int
    sizes: tuple[int, ...]

    def of(self, plan: Plan, n: int) -> float:
        """Return the bytes that the gradient of one column needs for a text of n tokens."""
        size, rows = plan.size, min(n, plan.size or n)
        graph, parts = self.weight.of(rows, n), max(1, self.layers)
        if plan.checkpoints:  # of one layer the graph, the graph's gradients, and what is computed again
            graph = self.layers * rows * self.width + 3 * graph / parts
        else:
            graph *= 1 + 2 / parts
        kept = 0 if size is None or self.kept is None else n * self.kept * (1 + self.wide)
        return graph + kept + 3 * n * self.width

    def plans(self, n: int) -> Iterator[Plan]:
        """Yield the possible plans for a text of n tokens, the fastest first."""
        one = [Plan()] + [Plan(checkpoints=True)] * bool(self.layers)
        slices = [] if self.kept is None else [Plan(size) for size in self.sizes if size < n]
        finer = [Plan(size, checkpoints=True) for size in self.sizes if size < n] if slices and self.layers else []
        yield from [*slices, *finer, *one] if self.is_of_pairs(n) else [*one, *slices, *finer]

    def is_of_pairs(self, n: int) -> bool:
        """Return whether most bytes are those of pairs of tokens: then slices are faster, too.

        They read a text once more, and compute only half of the pairs.
        """
        return self.weight.pair * n > 2 * self.weight.token

    def prefers_one_pass(self, n: int, budget: int) -> bool:
        """Return whether one pass is the fastest plan, and half of the budget holds it."""
        return not self.is_of_pairs(n) and self.of(Plan(), n) <= budget / 2

    def plan(self, n: int, budget: int) -> Plan:
        """Return the fastest plan that half of the budget holds, else the smallest one."""
        plans = list(self.plans(n))
        fitting = (plan for plan in plans if self.of(plan, n) <= budget / 2)
        return next(fitting, min(plans, key=lambda plan: self.of(plan, n)))

    def least(self, n: int) -> float:
        """Return the bytes without which a text of n tokens cannot be read."""
        return min(self.of(plan, n) for plan in self.plans(n))


def too_long(what: str, n: int, need: Callable[[int], float], free: int, cure: str) -> OutOfMemory:
    """Return the error for `what` of a text of n tokens that needs too much, with the number of tokens that fit.

    `need`: from a number of tokens to bytes; it grows with that number. `free`: bytes.
    """
    fits = max(0, bisect_right(range(n), float(free), key=need) - 1)
    return OutOfMemory(
        f"{what} of {n:,} tokens needs about {_told(need(n))}, and {_told(free)} are free: enough for about {fits:,} "
        "tokens.",
        cure=cure,
    )


def _told(size: float) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.0f} MB"
