"""The values of masks of units: what the passes of a model give, each mask read once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...attribution import masking
from ...attribution.engine import ONE_PASS
from ...attribution.operators import OPERATORS
from ...attribution.subsets import all_subsets

if TYPE_CHECKING:
    from ...attribution.masking import Outcome
    from ...attribution.operators import Intact
    from ...attribution.problem import Problem
    from ..rankings import Floats
    from .curves import Keep


class Values:
    """The values of the masks of units that were read, under one operator. `rows`: of all passes so far."""

    def __init__(
        self, problem: Problem, units: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], operator: str
    ) -> None:
        """Take the rows of each unit, and the columns of each target, whose objectives are added."""
        self.operator = operator
        self.rows = 0.0
        self._problem, self._units, self._targets = problem, units, targets
        self._texts: list[Intact] | None = None
        self._known: dict[bytes, int] = {}
        self._values: list[Floats] = []  # one [2, aims] for each known mask: values and margins
        self._table: Floats | None = None  # [2^n, 2, aims] where every subset is known

    def fill(self, masks: Keep) -> Iterator[None]:
        """Read those of the masks [m, n] that are not known yet, and yield after each batch."""
        keys: list[bytes] = []
        new: list[Keep] = []
        for key, mask in zip(_keys(masks), masks, strict=True):
            if key not in self._known:
                self._known[key] = len(self._values) + len(keys)
                keys.append(key)
                new.append(mask)
        if not new:
            return
        keep = self._rows_of(np.array(new))
        parts: list[list[Outcome]] = []
        cost = self._cost(keep) / len(self.texts)
        for text in self.texts:
            found = []
            for outcome in masking.outcomes(text, keep, self.operator):
                found.append(outcome)
                self.rows += cost * len(outcome.objectives) / len(keep)
                yield
            parts.append(found)
        self._values += list(self._of_aims(parts))

    def fill_all(self, rows: float) -> None:
        """Read every subset of the units; `rows`: how many rows that is."""
        parts = [[all_subsets(text, self._units, self.operator)] for text in self.texts]
        self._table = self._of_aims(parts)
        self.rows += rows

    def read(self, masks: Keep) -> tuple[Floats, Floats]:
        """Return values and margins [..., aims] of known masks [..., n]."""
        n = masks.shape[-1]
        flat = masks.reshape(-1, n)
        if self._table is not None:
            both = self._table[flat @ (1 << np.arange(n))]
        else:
            both = np.array(self._values)[[self._known[key] for key in _keys(flat)]]
        shape = (*masks.shape[:-1], both.shape[-1])
        return both[:, 0].reshape(shape), both[:, 1].reshape(shape)

    @property
    def exact(self) -> bool:
        """Return whether every subset is known."""
        return self._table is not None

    @property
    def texts(self) -> list[Intact]:
        """Return the text as it was read once: for all targets, or for each where a network needs that."""
        if self._texts is None:
            problem = self._problem
            n, most = len(problem.targets), ONE_PASS if problem.causal else 1
            self._texts = [
                masking.read(problem, range(start, min(start + most, n)), None) for start in range(0, n, most)
            ]
        return self._texts

    def _rows_of(self, masks: Keep) -> Keep:
        """Return the masks of rows [m, n_rows] for masks of units [m, n]."""
        keep = np.ones((len(masks), self._problem.n_rows), dtype=bool)
        for at, rows in enumerate(self._units):
            keep[:, list(rows)] = masks[:, [at]]
        return keep

    def _cost(self, keep: Keep) -> float:
        return float(keep.sum() if OPERATORS[self.operator].shortens else keep.size)

    def _of_aims(self, parts: Sequence[Sequence[Outcome]]) -> Floats:
        """Return values and margins [m, 2, aims]: sums over the tokens of a target, and its weakest margin."""
        objectives, margins = (
            np.concatenate(
                [np.concatenate([outcome[which].double().cpu().numpy() for outcome in found]) for found in parts],
                axis=1,
            )
            for which in (0, 1)
        )  # [m, columns]
        values = [objectives[:, list(cols)].sum(axis=1) for cols in self._targets]
        weakest = [margins[:, list(cols)].min(axis=1) for cols in self._targets]
        both: Floats = np.stack([np.stack(values, axis=1), np.stack(weakest, axis=1)], axis=1)
        return both


def _keys(masks: Keep) -> list[bytes]:
    return [line.tobytes() for line in np.packbits(masks, axis=1)]
