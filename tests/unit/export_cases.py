"""Attributions of known content for the tests of saliency_widget.export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from saliency_widget.types import Alternative, Segment, Token


@dataclass(frozen=True)
class Fake:
    """The least that export reads: what `export.AttributionLike` says, and nothing else."""

    scores: np.ndarray
    rows: Sequence[Token]
    cols: Sequence[Token]
    step_scores: Mapping[str, np.ndarray]
    segments: Sequence[Segment] = ()
    alternatives: Sequence[Sequence[Alternative]] = ()
    label: str = "Gradient"
    method: str = "saliency"
    objective: str | None = "probability"
    signed: bool = False
    unit: str = "gradient norm"
    model_name: str = "tiny"
    settings: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.1

    def normalized(self) -> np.ndarray:
        norms = np.nansum(np.abs(self.scores, dtype=np.float64), axis=0)
        norms[norms == 0] = np.nan
        return (self.scores / norms).astype(np.float32)


def tokens(texts: Sequence[str], first_target: int, special: Sequence[int] = ()) -> list[Token]:
    """Tokens that tile the text; those in `special` are no part of it."""
    out, end = [], 0
    for i, text in enumerate(texts):
        span = None if i in special else (end, end + len(text))
        end += 0 if i in special else len(text)
        role = "special" if i in special else "prompt" if i < first_target else "generated"
        out.append(Token(id=i, position=i, text=text, role=role, span=span, word=i, sentence=0, segment=0))
    return out


def fake(texts: Sequence[str], first_target: int, *, special: Sequence[int] = (), seed: int = 0, **fields: Any) -> Fake:
    """Random scores, NaN exactly where a causal model cannot see."""
    rng = np.random.default_rng(seed)
    listed = tokens(texts, first_target, special)
    n_cols = len(texts) - first_target
    scores = rng.gamma(0.5, 1, (len(texts) - 1, n_cols)).astype(np.float32)
    if fields.get("signed"):
        scores *= rng.choice(np.float32([-1, 1]), scores.shape)
    for col in range(n_cols):
        scores[first_target + col :, col] = np.nan
    fields.setdefault("step_scores", {"probability": rng.random(n_cols).astype(np.float32)})
    return Fake(scores=scores, rows=listed[:-1], cols=listed[first_target:], **fields)


def paris(**fields: Any) -> Fake:
    """Three inputs, two targets, and scores one can add up in one's head."""
    listed = tokens(["The", " capital", " is", " Paris", "."], 3)
    scores = np.float32([[1, 0.5], [6, 1], [3, 0.5], [np.nan, 8]])
    return Fake(
        scores=fields.pop("scores", scores),
        rows=listed[:4],
        cols=listed[3:],
        step_scores={"probability": np.float32([0.75, 0.5])},
        **fields,
    )
