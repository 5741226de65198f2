"""Two small maps to compare, and helpers that find them in the merged map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import saliency_widget as sw
from saliency_widget import Attribution
from saliency_widget.comparison.merging import Merged
from saliency_widget.types import Token

from ..families import made


def ready(rows: str, cols: str, scores: Any, **about: Any) -> Attribution:
    """Scores that came from elsewhere; tokens are what stands between bars."""
    return Attribution.from_scores(scores, rows.split("|"), cols.split("|"), method="mine", **about)


A = ready("The| old| cat", " sat|.", [[1, 2], [3, 4], [-4, 2]], model_name="one")
B = ready("The| cat| there", " sat| down|.", [[2, 0, 1], [6, 5, 1], [8, 5, 0]], model_name="two")


def texts(tokens: Sequence[Token]) -> str:
    return "|".join(token.text for token in tokens)


def read_back(merged: Merged, place: int, scores: np.ndarray) -> np.ndarray:
    return scores[np.ix_(merged.places[place].rows, merged.places[place].cols)]


def attributed(family: str, text: str, target: str | None = None, **about: Any) -> Attribution:
    return sw.attribute(made(family), text, target=target, progress=False, **about)
