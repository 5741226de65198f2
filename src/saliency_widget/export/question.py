"""What the colours of a page answer: what made a target; or, turned round, what an input feeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .boxes import Box, boxes_of, finder
from .reading import Column, likeliest

if TYPE_CHECKING:
    from . import AttributionLike, TokenLike
    from .look import Look


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What can be asked about, each with a column of numbers; `names`: what these numbers, and the colours, are of.

    The `row` of a box is an index of `names` here, its `col` one of `columns`. `first`: the column to look at first.
    `about`: what is asked about, a "target" or an "input". `nothing`: what is said of a column of zeros.
    """

    columns: Sequence[Column]
    names: Sequence[TokenLike]
    boxes: Sequence[Box]
    first: int
    about: str
    nothing: str

    @property
    def turned(self) -> bool:
        """Whether it is about inputs."""
        return self.about == "input"

    def row_of(self, box: Box, col: int) -> int:
        """The row that says the colour of a box where `col` is asked about, or -1."""
        # The sentence of a box after the target may have begun before it, and was seen no further.
        unseen = not self.turned and (box.col if box.col >= 0 else ~box.col) > col
        return -1 if unseen or (box.row >= 0 and np.isnan(self.columns[col].numbers[box.row])) else box.row


def question_of(attribution: AttributionLike, targets: Sequence[Column], look: Look) -> Question:
    """`targets`: the columns of the map, in the numbers of the `look`; at least one."""
    if look.turned is not None:
        return _turned(attribution, targets, look, look.turned)
    return Question(
        columns=targets,
        names=attribution.rows,
        boxes=boxes_of(attribution, look),
        first=likeliest(targets),
        about="target",
        nothing="No input has a share of this.",
    )


def _turned(attribution: AttributionLike, targets: Sequence[Column], look: Look, chosen: TokenLike) -> Question:
    """As fedBy in js/src/looks.ts has it: what each target owes to an input, of its own column.

    What is `chosen` is one input, whatever its rows; each other row is one. Those without a number are left out.
    """
    numbers = np.stack([target.numbers for target in targets], axis=1)
    if not look.raw:
        numbers[:, [target.largest == 0 for target in targets]] = np.nan  # a column of zeros has no shares to owe
    inputs: list[tuple[TokenLike, list[int]]] = []
    for row, token in enumerate(attribution.rows):
        is_chosen = token.position < chosen.position + chosen.length and chosen.position < token.position + token.length
        if is_chosen and inputs and inputs[-1][0] is chosen:
            inputs[-1][1].append(row)
        else:
            inputs.append((chosen if is_chosen else token, [row]))
    columns = []
    for token, rows in inputs:
        fed = np.where(np.isnan(numbers[rows]).all(axis=0), np.nan, np.nansum(numbers[rows], axis=0))
        if token is chosen or not np.isnan(fed).all():
            largest = float(np.max(np.nan_to_num(np.abs(fed)), initial=0))
            columns.append(Column(target=token, probability=float("nan"), numbers=fed, largest=largest))
    row_of, col_of = finder(attribution.cols), finder([column.target for column in columns])
    return Question(
        columns=columns,
        names=attribution.cols,
        boxes=[
            Box(box.token, -1 if box.token.position in look.struck else row_of(box.token), col_of(box.token))
            for box in boxes_of(attribution, look)
        ],
        first=next(at for at, column in enumerate(columns) if column.target is chosen),
        about="input",
        nothing="no target that has a share of this",
    )
