"""Every message from the kernel to the page; those about texts, maps and explanations are in modules of their own."""

from __future__ import annotations

from typing import Literal, TypeAlias, TypedDict

from ..types import Phase
from .explanations import (
    Answer,
    Comparison,
    Explainers,
    WireCard,
    WireExplainer,
    WireFailure,
    WireFigure,
    WirePair,
    WirePrompt,
    WireSide,
    WireWord,
)
from .maps import Column, Heads, Map, Menu, Notes, Rest, WireMethod, WireNote, WireObjective
from .texts import (
    Document,
    Exhibited,
    Steps,
    Tokens,
    Trail,
    WhatIf,
    WireAlternative,
    WireOwnSteps,
    WireSegment,
    WireStep,
    WireToken,
)

__all__ = [
    "Answer",
    "Column",
    "Comparison",
    "Document",
    "Evaluation",
    "Exhibited",
    "Explainers",
    "Failed",
    "Heads",
    "Heard",
    "Map",
    "Menu",
    "Notes",
    "Rest",
    "Status",
    "Steps",
    "ToPage",
    "ToPageHello",
    "Tokens",
    "Trail",
    "Unanswered",
    "WhatIf",
    "WireAgreement",
    "WireAlternative",
    "WireBand",
    "WireCard",
    "WireExplainer",
    "WireFailure",
    "WireFigure",
    "WireFloor",
    "WireJudgedMap",
    "WireJudgement",
    "WireMethod",
    "WireNote",
    "WireObjective",
    "WireOwnSteps",
    "WirePair",
    "WirePrompt",
    "WireSegment",
    "WireSide",
    "WireStep",
    "WireToken",
    "WireTrustFigure",
    "WireWord",
]


class ToPageHello(TypedDict):
    """The reply to the page's hello. If its `session` is new to the page, the page forgets everything.

    `hover`: the script of the HTML that the page saves.
    """

    type: Literal["hello"]
    protocol: int
    session: str
    hover: str


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


class Unanswered(TypedDict):
    """No reply will come: the request failed, was cancelled, or was replaced by a newer one."""

    type: Literal["unanswered"]
    request: int


class Heard(TypedDict):
    """A message was received. The page learns that the kernel is alive, however long the task takes."""

    type: Literal["heard"]


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
