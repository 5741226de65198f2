"""The messages from the kernel to the page."""

from __future__ import annotations

from typing import Literal, TypeAlias, TypedDict

from ..types import ExplanationKind, Fate, Phase, Role, SegmentKind


class WireToken(TypedDict):
    """`types.Token` without its position, which is its index in the list, and its length, which is 1."""

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
    """The probability of one target or its raw `value`, one of which is None, and the alternatives to it."""

    probability: float | None
    value: float | None
    alternatives: list[WireAlternative]


class WireMethod(TypedDict):
    """The card of a method for the menu and the (i). `reason`: why it cannot run on this model, or None.

    `objective`: the one that it explains unless another is asked for, or None for the one on show.
    """

    id: str
    label: str
    family: str
    signed: bool
    uses_objective: bool
    objective: str | None
    unit: str
    cost: str
    says: str
    reads: str
    caveats: list[str]
    reference: str
    reason: str | None
    seconds: float | None


class WireObjective(TypedDict):
    """An objective with its label."""

    id: str
    label: str
    means: str


class ToPageHello(TypedDict):
    """The reply to the page's hello. If its `session` is new to the page, the page forgets everything.

    `hover`: the script of the HTML that the page saves.
    """

    type: Literal["hello"]
    protocol: int
    session: str
    hover: str


class Document(TypedDict):
    """The start of a text, whose tokens follow. `doc` counts up; a new document replaces the one before.

    The target of column c is token `first_target + c`; the rows of a map are the tokens 0 … n_rows - 1. `editable`: the
    part that can be edited (the text, the source, the user's last turn), or None if the text was given as ids. `raw`:
    whether the model gives raw scores and no probabilities, as in regression. `alive`: whether there is a model;
    without one the page offers only the finished maps. `beside`: the methods whose maps are side by side until the
    reader chooses others; a map of the family "difference" is that of these two.
    `code`: the arguments of `show` that give this text, but for the output; None if no call gives it.
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
    """The names of the texts that were shown, in order, and the index `at` of the one on show.

    `as_chat`: whether the text on show is a plain text that the model ended at once and that can be asked as a chat.
    """

    type: Literal["trail"]
    names: list[str]
    at: int
    as_chat: bool


class Tokens(TypedDict):
    """The tokens from `start` to the end, which replace those of the page from there on, and all `segments`."""

    type: Literal["tokens"]
    doc: int
    start: int
    tokens: list[WireToken]
    segments: list[WireSegment]


class Steps(TypedDict):
    """The steps of the columns `start` … `start + len(steps) - 1`."""

    type: Literal["steps"]
    doc: int
    start: int
    steps: list[WireStep]


class WireOwnSteps(TypedDict):
    """The steps of all targets as the text of one map has them; one without a number for a target that is not in it."""

    map: str
    steps: list[WireStep]


class Exhibited(TypedDict):
    """The text is that of two finished maps.

    `replaced`: where inputs of one stand in the place of others: tokens [start, middle) are in the first map's text,
    tokens [middle, end) in the second's, and all are one input. `steps`: the probabilities in each of the two texts.
    """

    type: Literal["exhibited"]
    doc: int
    replaced: list[tuple[int, int, int]]
    steps: list[WireOwnSteps]


class Menu(TypedDict):
    """The methods and objectives of this model."""

    type: Literal["menu"]
    methods: list[WireMethod]
    objectives: list[WireObjective]


class Map(TypedDict):
    """The header of a new map, or of the map that goes on show. Its columns follow in any order; sent ones stay.

    `settings`: the method's own as people read them, and the foil. `foil`: the token that the target is set against.
    `about`: what every column is about in place of its target: the label that an LLM chose, or None. `col`: the only
    column that is computed, or None. `hop`: which step back by way of the thinking it is; 0 for a direct map. `due`:
    the number of columns that are computed, or None for all (or for `col` alone). `aside`: it is not the one on show.
    """

    type: Literal["map"]
    map: str
    doc: int
    method: str
    objective: str
    settings: list[tuple[str, str]]
    foil: str | None
    about: str | None
    col: int | None
    hop: int
    due: int | None
    aside: bool
    n_rows: int
    n_cols: int


class WireNote(TypedDict):
    """A method's sentence about its own result. `cols`: the columns that it is about; None for the whole map."""

    text: str
    cols: list[int] | None


class Notes(TypedDict):
    """The notes on a map, as far as it is computed. They replace earlier ones."""

    type: Literal["notes"]
    map: str
    notes: list[WireNote]


class Column(TypedDict):
    """One column. It replaces an earlier, rougher estimate of the same column.

    It explains the n_cols targets from `col` on as one target, whose objective is the sum of theirs.

    Buffer 0: float32, little-endian, [n_rows]; NaN = the target cannot see this row. Buffer 1, if known: the standard
    errors of these scores, in the same form. If the text is still being written, the map may have more rows by now,
    which the target cannot see. `floor`: the size below which a score is noise, or None where nothing tells it.
    """

    type: Literal["column"]
    map: str
    seq: int
    col: int
    n_cols: int
    n_rows: int
    floor: float | None


class Rest(TypedDict):
    """The n_cols columns of a map that rest until they are asked for, because they take about so many seconds."""

    type: Literal["rest"]
    map: str
    n_cols: int
    seconds: float


class Status(TypedDict):
    """The phase and its progress. `total` and `seconds_left` are None if unknown. `unit`: the noun of the parts."""

    type: Literal["status"]
    phase: Phase
    what: str
    done: int
    total: int | None
    seconds_left: float | None
    unit: str


class Failed(TypedDict):
    """An error, with the sentences that `wait()` raises. It stays until another task runs."""

    type: Literal["failed"]
    kind: str
    message: str
    cure: str


class WhatIf(TypedDict):
    """The reply to `try`: probabilities of the same targets before and after a change; both lists are empty on undo.

    `rows`: the tokens that are gone: struck out, or (with `text`, which was written in place of `editable`) not in the
    new text. `written`: what the new text has more, each with the token before which it stands. `operator`: how struck
    tokens were taken away, "mask" or, for the `reason` that the model cannot mask, "delete"; else None. `before`,
    `after`: a probability a column, or the value where the model gives none; None for a target that is struck out.
    `others`: the alternatives of each column after the change, as in `steps`.
    """

    type: Literal["what_if"]
    request: int
    doc: int
    rows: list[int]
    text: str | None
    written: list[tuple[int, str]]
    operator: str | None
    reason: str | None
    before: list[float]
    after: list[float | None]
    others: list[list[WireAlternative]]


class Heads(TypedDict):
    """The reply to `heads`: the attention weights of every head of every layer for the target of `col`.

    `layers`: the indices of the layers that have attention. Buffer 0: float32, little-endian, [layers, n_heads,
    n_rows]; NaN where a layer has fewer heads.
    """

    type: Literal["heads"]
    request: int
    doc: int
    col: int
    layers: list[int]
    n_heads: int
    n_rows: int


class Unanswered(TypedDict):
    """No reply will come: the request failed, was cancelled, or was replaced by a newer one."""

    type: Literal["unanswered"]
    request: int


class Heard(TypedDict):
    """A message was received. The page learns that the kernel is alive, however long the task takes."""

    type: Literal["heard"]


class WireExplainer(TypedDict):
    """An LLM that can explain. `is_model`: whether it is the explained model. `guided`: by constrained decoding.

    `compares`: whether its stated scores can be compared with computed ones.
    """

    id: str
    name: str
    where: str
    is_model: bool
    guided: bool
    compares: bool


class WirePrompt(TypedDict):
    """A prompt template; `{review}` in its text is replaced by the explained text."""

    id: str
    label: str
    kind: ExplanationKind
    text: str


class Explainers(TypedDict):
    """The LLMs that can explain, and the templates. `reason`: why there are none, or None. `review`: the text."""

    type: Literal["explainers"]
    explainers: list[WireExplainer]
    prompts: list[WirePrompt]
    review: str
    reason: str | None


class WireWord(TypedDict):
    """A word of the text, and its stated score in [-1, 1], or None.

    `uncertainty` in [0, 1]: the entropy of the model's distribution over the allowed numbers, as a share of the
    largest; None if the number was written freely.
    """

    text: str
    score: float | None
    uncertainty: float | None


class WirePair(TypedDict):
    """A pair as the model wrote it, and its fate. `at`: the index of its word, or None."""

    word: str
    value: float
    fate: Fate
    at: int | None


class WireCard(TypedDict):
    """The card behind an (i): what was computed and on what, how to read it, what it does not prove."""

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
    `decides`: whether there are labels to choose between; `label` is the name of the one it chose, None where it did
    not, and `leans` the end of their scale that this is, -1 or 1; 0 where they are none. `ends`: what words with -1 and
    with 1 speak for. `thinking`: what a reasoning model wrote before its answer, or None. `words` and `pairs` are None
    for prose. `free`: what the same prompt gave when it could write as it liked, where the numbers were read from its
    distribution. `mapped`: whether its words are on the map as the method `llm`. `failure` is set where it failed.
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
    decides: bool
    label: str | None
    leans: Literal[-1, 0, 1]
    ends: list[str]
    thinking: str | None
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
    """One measure of agreement, with the mean and the middle 95 % of its values for shuffled words."""

    id: str
    label: str
    value: float | None
    random_mean: float
    random_low: float
    random_high: float


class WireSide(TypedDict):
    """One method's scores of the answered class, one a word; its agreement with what was said."""

    method: str
    label: str
    signed: bool
    scores: list[float | None]
    figures: list[WireFigure]


class Comparison(TypedDict):
    """The comparison of said and computed scores. `said`: a score a word. `stability`: of several askings.

    `label`: the name of the label it answered, which is the target of every method, and its probability, where that was
    read; `ends` as in `Answer`. `levels`: distinct numbers it used; `zeros`: the share of exact zeros.
    """

    type: Literal["comparison"]
    words: list[str]
    said: list[float | None]
    spread: list[float | None]
    label: str
    ends: list[str]
    label_probability: float | None
    levels: int
    zeros: float
    stability: float | None
    askings: int
    sides: list[WireSide]
    card: WireCard


class WireBand(TypedDict):
    """The median and the middle 95 % of random orders at each step."""

    middle: list[float]
    low: list[float]
    high: list[float]


class WireFloor(TypedDict):
    """The values of the target under one operator that no map has a part in: probabilities, or raw scores.

    `says`: what the operator does to a word, after "it is". `whole`, `empty`: with all words, without any. `random`:
    the number of random orders.
    """

    operator: str
    says: str
    whole: float
    empty: float
    without: WireBand
    only: WireBand
    random: int


class WireTrustFigure(TypedDict):
    """A figure of faithfulness, as it is printed: its value, what random orders reach, p, or why it has no value."""

    label: str
    reads: str
    value: str
    beside: str
    better: bool


class WireJudgement(TypedDict):
    """A map under one operator. `without`, `only`: its values at each step. `sentence`: what happens, in words."""

    operator: str
    sentence: str
    without: list[float]
    only: list[float]
    figures: list[WireTrustFigure]


class WireJudgedMap(TypedDict):
    """A map that was judged. `map`: its id. `is_chance`: it is no better than chance under any operator."""

    map: str
    method: str
    label: str
    warnings: list[str]
    is_chance: bool
    judgements: list[WireJudgement]


class WireAgreement(TypedDict):
    """Spearman's correlation of two of the judged maps, by their places. `outside`: shuffled words reach it rarely."""

    a: int
    b: int
    value: float | None
    outside: bool


class Evaluation(TypedDict):
    """The evaluation of one target's maps, as far as it is computed; the same `key` replaces the one before.

    `key` names the target, `cols` are its columns. `units` may be taken away, `unit` says what they are. `steps`: how
    many of them are gone at each point of a curve, `kept`: how many there are where only the first ones stay.
    `orders`: what stands beside the maps, "all 5,040 orders". `given_up`: what was left out to keep to the time.
    """

    type: Literal["evaluation"]
    doc: int
    key: str
    cols: list[int]
    target: str
    complete: bool
    unit: str
    units: list[str]
    steps: list[int]
    kept: list[int]
    orders: str
    maps: list[WireJudgedMap]
    floors: list[WireFloor]
    agreement: list[WireAgreement]
    given_up: list[str]
    seconds: float


class WireSanityFigure(TypedDict):
    """A figure of a map's sanity, as it is printed: name, value, and what shuffled inputs reach, or a reason."""

    label: str
    value: str
    beside: str


class WireCheckedMap(TypedDict):
    """A map that can be checked, or was. `map`: its id. `seconds`: about how long its checks take, if known.

    `reason`: why it cannot be checked, or None. `complete`: whether all of its checks were made. `said`: what was
    found, in sentences; none before. `notices`: whether it changes when all weights are shuffled; None if that is not
    known.
    """

    map: str
    method: str
    label: str
    seconds: float | None
    reason: str | None
    complete: bool
    said: list[str]
    notices: bool | None
    figures: list[WireSanityFigure]


class Sanity(TypedDict):
    """The sanity of one target's maps, as far as it is known; the same `key` replaces the one before.

    `again`: how often each map is computed again. `setup`: about how many seconds it takes beside that to shuffle the
    weights. `memory`: the bytes of a copy of them.
    """

    type: Literal["sanity"]
    doc: int
    key: str
    cols: list[int]
    again: int
    setup: float
    memory: int
    maps: list[WireCheckedMap]


ToPage: TypeAlias = (
    ToPageHello
    | Document
    | Trail
    | Tokens
    | Steps
    | Exhibited
    | Menu
    | Map
    | Notes
    | Column
    | Rest
    | Status
    | Failed
    | WhatIf
    | Heads
    | Unanswered
    | Heard
    | Explainers
    | Answer
    | Comparison
    | Evaluation
    | Sanity
)
