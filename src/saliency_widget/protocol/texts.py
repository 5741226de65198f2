"""The messages to the page about the text on show."""

from __future__ import annotations

from typing import Literal, TypedDict

from ..types import Role, SegmentKind


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
