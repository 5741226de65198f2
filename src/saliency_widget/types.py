"""The types that all layers share: plain data without torch, widgets or files."""

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
Objective: TypeAlias = Literal["probability", "log_probability", "log_odds", "logit", "entropy"]
Phase: TypeAlias = Literal[
    "idle", "loading", "waiting", "generating", "attributing", "explaining", "done", "cancelled", "failed"
]
ExplanationKind: TypeAlias = Literal["answer", "scores", "why"]
# What became of a pair (word, importance) that an LLM wrote.
Fate: TypeAlias = Literal["aligned", "out of range", "repeated", "invented"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One model token, keyed by its position: words repeat, positions do not. `id` is -1 if no model gave it.

    `text`: the characters that the token touches, whole, even if the token holds only some of their bytes. Then `part`
    is `(k, n)`: this is part k (from 1) of the n tokens that share one character. `span`: the half-open range of code
    points in the text, or None for a special token. `word`, `sentence`, `segment`: running indices over the whole token
    list. `length`: the number of tokens of a unit (a word, a sentence), which ends before `position + length`.
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
    """A named range of tokens, `[start, end)`: a chat turn, a paragraph, a document."""

    kind: SegmentKind
    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A token that the model could have written at one step, with its probability in [0, 1]."""

    id: int
    text: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Selection:
    """The pinned targets of a widget, and their scores in the map on show.

    `cols`: the pinned columns, numbered as in the widget. `tokens`: their targets, one for each column; `target`: their
    text. `inputs`: the rows of the map. `scores`: read-only float32 [n_inputs, n_cols] as the method defines them, NaN
    where the target cannot see the input. Two selections are equal if all fields are, the scores bit for bit.
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
    """The ids that a model reads: those of the source (of encoder-decoder models only), and those of the text.

    `types`: the token types of a pair of texts, one for each id of the text; empty if the model reads none.
    """

    source: tuple[int, ...]
    ids: tuple[int, ...]
    types: tuple[int, ...] = ()

    @property
    def all(self) -> tuple[int, ...]:
        """Return the id of each row, source first."""
        return self.source + self.ids

    def at(self, rows: Iterable[int]) -> Inputs:
        """Return the inputs of these rows only, in their order."""
        n, rows = len(self.source), list(rows)
        kept = [row - n for row in rows if row >= n]
        return Inputs(
            tuple(self.source[row] for row in rows if row < n),
            tuple(self.ids[row] for row in kept),
            tuple(self.types[row] for row in kept) if self.types else (),
        )


class Target(NamedTuple):
    """The target of one column: the tokens `ids` from `position` on, each predicted from all tokens before it.

    Positions count through source and text. A target is one token, a span (whose objectives are added) or a class,
    whose position is that after the last input.
    """

    position: int
    ids: tuple[int, ...]

    @property
    def n_seen(self) -> int:
        """Return the number of rows, from 0 on, that the target can see."""
        return self.position + len(self.ids) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The question that a map answers. Equal requests on an unchanged model give equal maps, so it is a cache key.

    `targets`: one for each column, ascending. `foil`: the id of the foil, or None. `settings`: the method's own frozen
    dataclass. `relays`: the tokens, as targets, by way of which the map takes further steps, ascending.
    """

    inputs: Inputs
    targets: tuple[Target, ...]
    method: str
    objective: Objective = "probability"
    foil: int | None = None
    settings: Any
    relays: tuple[Target, ...] = ()

    @property
    def n_rows(self) -> int:
        """Return the number of rows of the matrix: of positions that some target can see."""
        return max(target.n_seen for target in self.targets)
