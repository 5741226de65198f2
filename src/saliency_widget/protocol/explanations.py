"""The messages to the page about what language models say of the text."""

from __future__ import annotations

from typing import Literal, TypedDict

from ..types import ExplanationKind, Fate


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
