"""A map as a reader sees it, as a page of its own. Number for number it is the chain of js/src/reading.ts.

Columns of one target are joined, hidden rows taken out, and the tokens of a unit pooled: in this order, so that what is
hidden is no part of what is pooled.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..errors import InputError
from ..export.html import to_html
from ..export.look import APART, Look, numbers_of, pooled_words
from ..export.page import to_page
from ..models.document import joined
from .aggregate import pooled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..protocol.to_kernel import View
    from ..types import Token
    from .result import Attribution

Span: TypeAlias = tuple[int, int]

_AS_IT_COMES: View = {
    "by": "token",
    "units": None,
    "pool": "sum",
    "pinned": None,
    "joint": "mean",
    "hidden": [],
    "scale": "linear",
    "threshold": 0.5,
    "measure": "share",
    "turned": None,
}


def page_of(
    attribution: Attribution,
    tokens: Sequence[Token],
    first_target: int,
    col: int,
    view: View | None,
    *,
    sides: Sequence[Attribution] = (),
) -> str:
    """The page of a map of `tokens`, of which those from `first_target` on are targets; coloured for column `col`.

    `sides`: the two maps of the same text that this one is the difference of, where it is one.
    `view`: how the reader looks at it; None: by tokens, nothing hidden. Where it is turned round to an input, the
    colours are of that one. Raises: as `viewed`.
    """
    view = _AS_IT_COMES if view is None else view
    seen, look = viewed(attribution, tokens, first_target, view)
    if sides:
        # Between the shares of what is seen: those of words are no sums of differences, and hide nothing.
        ours, theirs = (viewed(side, tokens, first_target, view)[0].normalized() for side in sides)
        seen, look = replace(seen, scores=ours - theirs), replace(look, hidden=())
    if look.turned is not None:
        return to_page(seen, look=look)
    wanted = first_target + col
    here = (at for at, target in enumerate(seen.cols) if 0 <= wanted - target.position < target.length)
    return to_page(seen, col=next(here, None), look=look)


def as_one(attribution: Attribution, first_target: int, cols: range) -> str:
    """The static map where the targets of these columns are pinned as one, as the page shows them at first: their mean.

    Of a map that lacks some of its text, or is a difference (which is no mean of differences), the first one alone.
    """
    known = {token.position: token for token in (*attribution.rows, *attribution.cols)}
    first = next(at for at, col in enumerate(attribution.cols) if col.position == first_target + cols.start)
    if attribution.unit == APART or known.keys() != {*range(len(known))}:
        return to_html(attribution, col=first)
    tokens = [known[position] for position in range(len(known))]
    seen, look = viewed(attribution, tokens, first_target, {**_AS_IT_COMES, "pinned": [cols.start, cols.stop]})
    return to_html(seen, col=[col.position for col in seen.cols].index(first_target + cols.start), look=look)


def file_name(model: str, method: str) -> str:
    """What the page of a map is saved as: named like the files that the front end makes (views/takeaway/ways.ts)."""
    return re.sub(r"(?:[^\w.]|_)+", "-", f"saliency-{model}-{method}")[:100] + ".html"


def viewed(
    attribution: Attribution, tokens: Sequence[Token], first_target: int, view: View
) -> tuple[Attribution, Look]:
    """The map of the units, and how it is looked at. The rows of `attribution` are the first of `tokens`.

    Targets of which a part is not computed are left out. Raises: InputError where that leaves none, where the view is
    of another text, or turned round to an input of which no target says anything.
    """
    n, n_rows = len(tokens), len(attribution.rows)
    units = _units(view, n)
    targets = _targets(view, units, first_target, n)
    place = {target.position: col for col, target in enumerate(attribution.cols)}
    whole = [span for span in targets if place.keys() >= {*range(*span)}]
    if not whole:
        raise InputError(
            f"No target is computed whole: by {view['by']}s each has several columns.",
            cure="Read by tokens, let go of the targets that are pinned as one, or wait.",
        )
    cols = [[place[position] for position in range(*span)] for span in whole]
    hidden = np.zeros(n, dtype=bool)
    for start, end in view["hidden"]:
        hidden[start:end] = True

    scores = pooled(attribution.scores, cols, view["joint"], axis=1)
    for col, (start, end) in enumerate(whole):
        if end - start > 1:  # what the targets owe to each other is no answer to why they stand there
            scores[start:end, col] = np.nan
    held = _held(scores, hidden[:n_rows])
    scores[hidden[:n_rows]] = np.nan
    rows = [span for span in units if span[0] < n_rows]
    if view["units"] is not None:
        scores = pooled(scores, [range(start, min(end, n_rows)) for start, end in rows], view["pool"], axis=0)

    turned = _turned(view, tokens, rows, scores)
    steps = {name: np.array([np.prod(of[group]) for group in cols]) for name, of in attribution.step_scores.items()}
    known = attribution.alternatives or [()] * len(attribution.cols)
    others = [known[group[0]] if len(group) == 1 else () for group in cols]
    as_it_came = view["units"] is None and view["pinned"] is None and not hidden.any()
    seen = replace(
        attribution,
        scores=scores,
        rows=tuple(joined(tokens[start:end]) for start, end in rows),
        cols=tuple(joined(tokens[start:end]) for start, end in whole),
        step_scores=steps,
        alternatives=tuple(others),
        diagnostics=attribution.diagnostics if as_it_came else {},
    )
    edges = {min(edge, n) for span in (*units, *targets, *view["hidden"]) for edge in span}
    printed = [joined(tokens[start:end]) for start, end in pairwise(sorted(edges))]
    return seen, Look(
        tokens=printed,
        struck=frozenset(token.position for token in printed if hidden[token.position]),
        n_hidden=int(hidden.sum()),
        hidden=held,
        pooled="" if view["units"] is None else pooled_words(view["by"], view["pool"]),
        joint=view["joint"],
        scale=view["scale"],
        threshold=view["threshold"],
        numbers=numbers_of(attribution, "score" if view["measure"] == "raw" else "share"),
        turned=turned,
    )


def _held(scores: NDArray[np.float32], hidden: NDArray[np.bool_]) -> list[float]:
    """How much of each column lies on the hidden rows, 0 … 1."""
    sizes = np.abs(scores, dtype=np.float64)
    sums = np.nansum(sizes, axis=0)
    held: list[float] = (np.nansum(sizes[hidden], axis=0) / np.where(sums > 0, sums, 1)).tolist()
    return held


def _units(view: View, n: int) -> list[Span]:
    """The units of n tokens. Raises: InputError where they are units of other ones."""
    starts = range(n) if view["units"] is None else view["units"]
    if not starts or starts[0] != 0 or starts[-1] >= n:
        raise InputError("The text is another one now.", cure="Take it away again.")
    return list(pairwise([*starts, n]))


def _turned(view: View, tokens: Sequence[Token], rows: Sequence[Span], scores: NDArray[np.float32]) -> Token | None:
    """The inputs that the question is turned round to, as one. Raises: InputError where they feed no target."""
    if view["turned"] is None:
        return None
    start, end = view["turned"]
    chosen = [row for row, (begin, over) in enumerate(rows) if begin < end and start < over]
    if np.isnan(scores[chosen]).all():
        raise InputError("What is chosen feeds no target that is computed.", cure="Go back to the target, or wait.")
    return joined(tokens[start:end])


def _targets(view: View, units: Sequence[Span], first_target: int, n: int) -> list[Span]:
    """What is a target by itself: a token, a word where words are read, or what is pinned as one.

    What an input feeds is asked of each: a pin is of the question that was turned round.
    """
    starts = (
        {start for start, _ in units if start >= first_target} if view["by"] == "word" else {*range(first_target, n)}
    )
    if view["pinned"] is not None and view["turned"] is None:
        start, end = (min(first_target + col, n) for col in view["pinned"])
        starts = {other for other in starts if not start < other < end} | {start, end}
    return list(pairwise(sorted({*starts, n})))
