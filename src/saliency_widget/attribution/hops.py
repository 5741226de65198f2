"""The hops of a map: the steps back from its targets by way of a stretch of the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..characters import plain
from ..checks import whole_number
from ..errors import InputError
from .aggregate import pooled
from .map_fields import CERTAIN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from .problem import Passed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hop:
    """A step back from each target, by way of the stretch `through`.

    `scores`: float32 [n_rows, n_cols]; a column sums to 1, and is NaN where none of the followed tokens can see the
    row, or throughout if the target reads no token of the stretch. `share`: float32 [n_cols] in [0, 1], what the
    followed tokens hold of the step before: of the direct map, or of the hop before this one.
    """

    scores: NDArray[np.float32]
    share: NDArray[np.float32]
    through: str

    def __post_init__(self) -> None:
        for name in ("scores", "share"):
            values = np.array(getattr(self, name), dtype=np.float32)
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    def __reduce__(self) -> tuple[object, ...]:
        """Return what pickle and copies rebuild the hop from, so that their arrays are read-only, too."""
        return _rebuilt, (self.scores, self.share, self.through)


def _rebuilt(scores: NDArray[np.float32], share: NDArray[np.float32], through: str) -> Hop:
    return Hop(scores=scores, share=share, through=through)


def hops_of(columns: Sequence[tuple[tuple[Passed, ...], int]], through: str) -> tuple[Hop, ...]:
    """Return the hops of a map, nearest first. `columns`: for each column the hops of a chunk, and its place."""
    return tuple(
        Hop(
            scores=np.stack([hops[back].scores[:, j] for hops, j in columns], axis=1),
            share=np.array([hops[back].share[j] for hops, j in columns]),
            through=through,
        )
        for back in range(len(columns[0][0]))
    )


def check_shapes(hops: Sequence[Hop], shape: tuple[int, ...]) -> None:
    """Raise InputError unless hops have the shape of the map's scores, and finite shares from 0 to 1."""
    for number, hop in enumerate(hops, start=1):
        if hop.scores.shape != shape or hop.share.shape != shape[1:]:
            raise InputError(
                f"Hop {number} has scores of the shape {hop.scores.shape} and shares of {hop.share.shape}, and the map "
                f"{shape}.",
                cure="Give one row of scores an input token, and one column and one share a target token.",
            )
        if np.isinf(hop.scores).any() or not ((hop.share >= 0) & (hop.share <= CERTAIN)).all():
            raise InputError(
                f"Hop {number} has an infinite score, or a share outside [0, 1].",
                cure="A score is finite or NaN, and a share from 0 to 1.",
            )


def hop_of(hops: Sequence[Hop], number: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields in which the map of a hop differs from the direct map; 0 is the direct map without hops.

    Raises: InputError for a hop that there is not.
    """
    known = f"There are {len(hops)}: 1 … {len(hops)}." if hops else 'Ask for hops with through="thinking".'
    if whole_number("hop", number, least=0, cure=known) > len(hops):
        raise InputError(f"This map has no hop {number}.", cure=known)
    if number == 0:
        return {"hops": ()}
    hop = hops[number - 1]
    return {
        "scores": hop.scores,
        "errors": None,
        "settings": {**settings, "through": hop.through, "hop": number},
        "diagnostics": {"handed_on": [float(share) for share in hop.share]},
        "hops": (),
    }


def hops_pooled(
    hops: Sequence[Hop], rows: Sequence[Sequence[int]], cols: Sequence[Sequence[int]], pool: str
) -> tuple[Hop, ...]:
    """Return the hops of units: rows pooled by `pool`, columns and their shares by the mean."""
    return tuple(
        Hop(
            scores=pooled(pooled(hop.scores, cols, "mean", axis=1), rows, pool, axis=0),
            share=np.array([hop.share[group].mean() for group in cols]),
            through=hop.through,
        )
        for hop in hops
    )


def said_of(hops: Sequence[Hop]) -> list[str]:
    """Return a line for a terminal that names the hops, or none."""
    named = " and ".join(f"hop({number})" for number, _ in enumerate(hops, start=1))
    return [f"Steps back by way of the {plain(hops[0].through)}: {named}, each a map of its own."] if hops else []
