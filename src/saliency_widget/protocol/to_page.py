"""What the kernel tells the page."""

from __future__ import annotations

from typing import Literal, TypeAlias, TypedDict

from ..types import ExplanationKind, Fate, Phase, Role, SegmentKind


class WireToken(TypedDict):
    """`types.Token` without its position, which is its place in the list, and its length, which is 1."""

    id: int
    text: str
    role: Role
    span: tuple[int, int] | None
    word: int
    sentence: int
    segment: int
    part: tuple[int, int] | None


class WireSegment(TypedDict):
    """`types.Segment`: tokens [start, end)."""

    kind: SegmentKind
    name: str
    start: int
    end: int


class WireAlternative(TypedDict):
    """`types.Alternative`."""

    id: int
    text: str
    probability: float


class WireStep(TypedDict):
    """The probability of one target, and the alternatives to it.

    `value`: the number that a model gives where it gives no probability: one of the two is None.
    """

    probability: float | None
    value: float | None
    alternatives: list[WireAlternative]


class WireMethod(TypedDict):
    """The card of a method, as the menu and the (i) show it. `reason` says why it cannot be used here, or is None."""

    id: str
    label: str
    family: str
    signed: bool
    uses_objective: bool
    unit: str
    cost: str
    says: str
    reads: str
    caveats: list[str]
    reference: str
    reason: str | None
    seconds: float | None


class WireObjective(TypedDict):
    """One choice of what to explain."""

    id: str
    label: str
    means: str


class ToPageHello(TypedDict):
    """Answer to the page's hello. A `session` the page does not know means: forget what you have."""

    type: Literal["hello"]
    protocol: int
    session: str


class Document(TypedDict):
    """A text begins. Its tokens follow. `doc` counts up; older documents of the session are gone.

    The target of column c is token `first_target + c`; the rows of a map are the tokens 0 … n_rows - 1. `editable`:
    what of it can be written anew (the text, the source, the last turn of a user), or None where it was given as ids.
    `raw`: whether the model gives numbers for its classes and no probabilities, as a regression does.
    `alive`: whether there is a model to ask; where there is none, nothing is offered but what is there. `beside`: the
    methods whose maps stand side by side before the reader chooses any; a map of the family "difference" is theirs.
    `code`: the arguments of `show` that give this text, but for what was written; None where there is no such call.
    """

    type: Literal["document"]
    doc: int
    model: str
    device: str
    dtype: str
    first_target: int
    editable: str | None
    raw: bool
    alive: bool
    beside: list[str]
    code: str | None


class Trail(TypedDict):
    """The texts that were shown, from the first to the newest, by what was done to get there; `at`: the one on show.

    `as_chat`: the one on show was read as plain text, the model ended it at once, and can be asked the same as a chat.
    """

    type: Literal["trail"]
    names: list[str]
    at: int
    as_chat: bool


class Tokens(TypedDict):
    """Tokens from `start` to the end, replacing what the page had from there on; `segments`: all of them."""

    type: Literal["tokens"]
    doc: int
    start: int
    tokens: list[WireToken]
    segments: list[WireSegment]


class Steps(TypedDict):
    """Step scores of the columns `start` … `start + len(steps) - 1`."""

    type: Literal["steps"]
    doc: int
    start: int
    steps: list[WireStep]


class Menu(TypedDict):
    """What can be asked of this model."""

    type: Literal["menu"]
    methods: list[WireMethod]
    objectives: list[WireObjective]


class Map(TypedDict):
    """A matrix begins, or becomes the one on show. Its columns follow, in any order; those already sent stay.

    `settings`: the method's own as people read them, and the foil. `foil`: the token that the target is set against.
    `col`: the only column that is computed, or None for all. `aside`: it is not the one on show.
    """

    type: Literal["map"]
    map: str
    doc: int
    method: str
    objective: str
    settings: list[tuple[str, str]]
    foil: str | None
    col: int | None
    aside: bool
    n_rows: int
    n_cols: int


class WireNote(TypedDict):
    """A sentence that a method says of its own result. `cols`: the columns it concerns; None: the map as a whole."""

    text: str
    cols: list[int] | None


class Notes(TypedDict):
    """What there is to say of the numbers of a map, as far as it is computed; in place of what was said before."""

    type: Literal["notes"]
    map: str
    notes: list[WireNote]


class Column(TypedDict):
    """One column; it takes the place of one that was sent before, of which this is a better estimate.

    Buffer 0: float32, little-endian, [n_rows]; NaN = the target cannot see this row. Buffer 1, where it is known: the
    standard errors of these scores, likewise. Of a text that is still being written, the map may have grown since the
    column was computed: the target cannot see the rows that it has more.
    """

    type: Literal["column"]
    map: str
    seq: int
    col: int
    n_rows: int


class Status(TypedDict):
    """What is going on. `total` is None where it is not known; `seconds_left` likewise. `unit`: what is counted."""

    type: Literal["status"]
    phase: Phase
    what: str
    done: int
    total: int | None
    seconds_left: float | None
    unit: str


class Failed(TypedDict):
    """An error, in the same two sentences that `wait()` raises. It stays until something new is asked."""

    type: Literal["failed"]
    kind: str
    message: str
    cure: str


class WhatIf(TypedDict):
    """Reply to `try`: how probable the same targets are after a change; both lists are empty after undo.

    `rows`: the tokens struck out; `text`: what was written in place of `editable`; one of the two. `before`, `after`: a
    probability a column; None for a target that is struck out itself. `others`: by column what might stand there
    after the change, as in `steps`.
    """

    type: Literal["what_if"]
    request: int
    doc: int
    rows: list[int]
    text: str | None
    before: list[float]
    after: list[float | None]
    others: list[list[WireAlternative]]


class Heads(TypedDict):
    """Reply to `heads`: where each head of each layer looks when it predicts the target of `col`.

    `layers`: the indices of those that have attention. Buffer 0: float32, little-endian, [layers, n_heads, n_rows];
    NaN where a layer has fewer heads.
    """

    type: Literal["heads"]
    request: int
    doc: int
    col: int
    layers: list[int]
    n_heads: int
    n_rows: int


class Unanswered(TypedDict):
    """No reply will come: it failed, was cancelled, or a newer request took its place."""

    type: Literal["unanswered"]
    request: int


class Heard(TypedDict):
    """Something was asked, and is taken up, however long it takes: a page need not wonder whether anybody is there."""

    type: Literal["heard"]


class WireExplainer(TypedDict):
    """An LLM that can be asked. `is_model`: the one whose map is on show. `guided`: whether its numbers can be read."""

    id: str
    name: str
    where: str
    is_model: bool
    guided: bool


class WirePrompt(TypedDict):
    """A template that can be asked with; `{review}` in its text stands for the text it is about."""

    id: str
    label: str
    kind: ExplanationKind
    text: str


class Explainers(TypedDict):
    """Who can be asked to explain, and how. `reason` says why nobody can, or is None. `review`: what it is about.

    `compares`: whether what is said can be set beside what the model computes.
    """

    type: Literal["explainers"]
    explainers: list[WireExplainer]
    prompts: list[WirePrompt]
    review: str
    compares: bool
    reason: str | None


class WireWord(TypedDict):
    """A word of the text, and what was said of it: in [-1, 1], or None where nothing was.

    `uncertainty` in [0, 1]: entropy of the model's own distribution over the allowed numbers, as a share of the
    largest; None where the number was written freely.
    """

    text: str
    score: float | None
    uncertainty: float | None


class WirePair(TypedDict):
    """A pair as it was written, and what became of it. `at`: the word it is about, or None."""

    word: str
    value: float
    fate: Fate
    at: int | None


class WireCard(TypedDict):
    """What stands behind an (i): what was computed and on what, how to read it, what it does not prove."""

    about: list[tuple[str, str]]
    reads: str
    caveats: list[str]
    reference: str


class WireFailure(TypedDict):
    """The cause of a failure, and its cure, in the user's words."""

    message: str
    cure: str


class Answer(TypedDict):
    """An answer of an LLM, as far as it is there; the same `id` replaces the one before.

    `text` follows the first `start` UTF-16 units of the text that was told before: of an answer that grows only what
    is new is sent. Where `start` is above 0, `free` is None, and stays what it was.
    `label`: 1 positive, -1 negative, None where it did not decide. `words` and `pairs` are None for prose. `free`: what
    the same prompt gave when it could write as it liked, where the numbers were read from its distribution. `mapped`:
    whether its words are on the map as the method `llm`. `failure` is set where it failed.
    """

    type: Literal["answer"]
    id: int
    explainer: str
    prompt: str
    kind: ExplanationKind
    guided: bool
    state: Literal["waiting", "writing", "done", "cancelled", "failed"]
    start: int
    text: str
    free: str | None
    label: Literal[1, -1] | None
    label_probability: float | None
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float
    words: list[WireWord] | None
    pairs: list[WirePair] | None
    problems: list[str]
    mapped: bool
    card: WireCard
    failure: WireFailure | None


class WireFigure(TypedDict):
    """One measure of agreement, and what shuffled words reach: their mean, and the middle 95 % of them."""

    id: str
    label: str
    value: float | None
    random_mean: float
    random_low: float
    random_high: float


class WireSide(TypedDict):
    """What one method computed for the class that was answered, a score a word; its agreement with what was said."""

    method: str
    label: str
    signed: bool
    scores: list[float | None]
    figures: list[WireFigure]


class Comparison(TypedDict):
    """What the model said beside what it computed. `said`: a score a word. `stability`: of several askings.

    `label`: the class it answered, which is the target of every method. `levels`: distinct numbers it used; `zeros`:
    the share of exact zeros.
    """

    type: Literal["comparison"]
    words: list[str]
    said: list[float | None]
    spread: list[float | None]
    label: Literal[1, -1]
    label_probability: float
    levels: int
    zeros: float
    stability: float | None
    askings: int
    sides: list[WireSide]
    card: WireCard


ToPage: TypeAlias = (
    ToPageHello
    | Document
    | Trail
    | Tokens
    | Steps
    | Menu
    | Map
    | Notes
    | Column
    | Status
    | Failed
    | WhatIf
    | Heads
    | Unanswered
    | Heard
    | Explainers
    | Answer
    | Comparison
)
