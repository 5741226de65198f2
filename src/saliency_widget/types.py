"""The nouns that every layer shares. Plain data: no torch, no widget, no file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Role: TypeAlias = Literal["source", "prompt", "generated", "special", "class"]
SegmentKind: TypeAlias = Literal["system", "user", "assistant", "thinking", "tool", "paragraph", "document"]
Objective: TypeAlias = Literal["probability", "log_probability", "logit"]
Phase: TypeAlias = Literal["idle", "loading", "waiting", "generating", "attributing", "done", "cancelled", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One model token, keyed by its position: words repeat, positions do not.

    `text` is what a reader sees: the characters the token touches, whole, even where the token holds only some of
    their bytes. `part` then is `(k, n)`: this is piece k (from 1) of the n tokens that share one character.
    `span` is the half-open range of code points in the text, or None for a token that is no part of the text
    (special tokens). `word`, `sentence` and `segment` are running indices over the whole token list.
    """

    id: int
    position: int
    text: str
    role: Role
    span: tuple[int, int] | None
    word: int
    sentence: int
    segment: int
    part: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A named stretch of tokens, `[start, end)`: a chat turn, a paragraph, a document."""

    kind: SegmentKind
    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A token the model could have written at one step, with its probability in [0, 1]."""

    id: int
    text: str
    probability: float


@dataclass(frozen=True, slots=True)
class NoSettings:
    """The settings of a method that has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to attribute. Equal requests on an unchanged model give equal matrices, so a request is a cache key.

    `targets` are positions in `input_ids`, ascending, one per column; the column of target t explains the logits at
    t - 1 and can see the rows 0 … t - 1. `settings` is the method's own frozen dataclass.
    """

    input_ids: tuple[int, ...]
    targets: tuple[int, ...]
    method: str
    objective: Objective = "probability"
    settings: Any = field(default_factory=NoSettings)

    @property
    def n_rows(self) -> int:
        """Rows of the matrix: every position that some target can see."""
        return max(self.targets)
