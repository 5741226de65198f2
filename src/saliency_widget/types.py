"""The nouns that every layer shares. Plain data: no torch, no widget, no file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

Role: TypeAlias = Literal["source", "prompt", "generated", "special", "class"]
SegmentKind: TypeAlias = Literal[
    "system", "user", "assistant", "thinking", "tool", "paragraph", "document", "source", "target"
]
Objective: TypeAlias = Literal["probability", "log_probability", "logit", "entropy"]
Phase: TypeAlias = Literal[
    "idle", "loading", "waiting", "generating", "attributing", "explaining", "done", "cancelled", "failed"
]
ExplanationKind: TypeAlias = Literal["answer", "scores", "why"]
# What became of a pair (word, importance) that an LLM wrote.
Fate: TypeAlias = Literal["aligned", "out of range", "repeated", "invented"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One model token, keyed by its position: words repeat, positions do not. `id` is -1 where no model gave it.

    `text` is what a reader sees: the characters the token touches, whole, even where the token holds only some of
    their bytes. `part` then is `(k, n)`: this is piece k (from 1) of the n tokens that share one character.
    `span` is the half-open range of code points in the text, or None for a token that is no part of the text
    (special tokens). `word`, `sentence` and `segment` are running indices over the whole token list. A unit that stands
    for several tokens, a word or a sentence, has their `length`: it ends before `position + length`.
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
    length: int = 1


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Selection:
    """What is pinned in a widget, and the scores of the map on show that are about it.

    `cols`: the pinned columns, counted as in the widget. `tokens`: their targets, one a column; `target`: the text of
    these. `inputs`: the rows of the map. `scores`: float32 [n_inputs, n_cols] as the method defines them, NaN where the
    target cannot see the input; read-only. Equal where everything in it is, the scores bit for bit.
    """

    cols: range
    target: str
    tokens: tuple[Token, ...] = field(repr=False)
    inputs: tuple[Token, ...] = field(repr=False)
    scores: NDArray[np.float32] = field(repr=False)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Selection):
            return NotImplemented
        same = (self.cols, self.tokens, self.inputs) == (other.cols, other.tokens, other.inputs)
        return same and self.scores.tobytes() == other.scores.tobytes()

    def __hash__(self) -> int:
        return hash((self.cols, self.tokens, self.inputs))


class Inputs(NamedTuple):
    """The ids that a model reads: of a source (encoder-decoder models alone have one), and of the text itself.

    `types`: token types, one an id of the text, which tell a pair of texts apart; empty where the model is told none.
    """

    source: tuple[int, ...]
    ids: tuple[int, ...]
    types: tuple[int, ...] = ()

    @property
    def all(self) -> tuple[int, ...]:
        """One id a row: source first."""
        return self.source + self.ids

    def at(self, rows: Iterable[int]) -> Inputs:
        """These rows alone, in their order."""
        n, rows = len(self.source), list(rows)
        kept = [row - n for row in rows if row >= n]
        return Inputs(
            tuple(self.source[row] for row in rows if row < n),
            tuple(self.ids[row] for row in kept),
            tuple(self.types[row] for row in kept) if self.types else (),
        )


class Target(NamedTuple):
    """What one column explains: the tokens `ids` from `position` on, each predicted from all before it.

    Positions count source and text as one. Mostly it is one token; of a span the objectives are added up. A class
    stands right after the last input.
    """

    position: int
    ids: tuple[int, ...]

    @property
    def n_seen(self) -> int:
        """How many rows it can see: those from 0 on."""
        return self.position + len(self.ids) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to attribute. Equal requests on an unchanged model give equal matrices, so a request is a cache key.

    `targets`: one a column, ascending. `foil`: the id that each target is set against, or None. `settings` is the
    method's own frozen dataclass.
    """

    inputs: Inputs
    targets: tuple[Target, ...]
    method: str
    objective: Objective = "probability"
    foil: int | None = None
    settings: Any

    @property
    def n_rows(self) -> int:
        """Rows of the matrix: every position that some target can see."""
        return max(target.n_seen for target in self.targets)
