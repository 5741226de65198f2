"""A map and what the page shows of it, view by view.

`tests/data/views.json` holds both: js/tests/viewed.test.ts says of each view that it is what it sees.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import saliency_widget as sw
from saliency_widget.protocol import to_kernel
from saliency_widget.types import Token

SEEN = json.loads((Path(__file__).parents[1] / "data/views.json").read_text())
TOKENS = [
    Token(**{**about, "position": at, "span": about["span"] and tuple(about["span"])})
    for at, about in enumerate(SEEN["tokens"])
]
FIRST = SEEN["first_target"]
PLAIN = SEEN["views"][0]["view"]
WORDS = [0, 1, 5, 7, 8, 9, 10, 11]


def array(columns: list[list[float | None]]) -> np.ndarray:
    return np.float32([[np.nan if score is None else score for score in column] for column in columns]).T


def map_of(scores: np.ndarray, *, cols: slice = slice(None), **fields: Any) -> sw.Attribution:
    """The map of the file, or some columns of it."""
    chosen = TOKENS[FIRST:][cols]
    return sw.Attribution(
        scores=scores[:, cols], rows=tuple(TOKENS[: len(scores)]), cols=tuple(chosen),
        step_scores={"probability": np.float32([0.5, 0.25, 0.5, 0.5])[cols]}, method="saliency",
        objective="probability", signed=True, unit="gradient norm", model_name="tiny", **fields,
    )  # fmt: skip


MAP = map_of(array(SEEN["columns"]))


def view(**fields: Any) -> to_kernel.View:
    return {**PLAIN, **fields}
