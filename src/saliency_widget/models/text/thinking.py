"""The marks around a model's thinking, in one table for all families, and what of a text stands between them."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from ...export.reading import unprinted
from ...types import Segment, Token
from .stretches import cut_out

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "thinking"  # of the segments

_SURE = r"(?:\w{1,12}[:_-])?(?:think|thinking|thought|thoughts|reasoning|reasoning_content)"
_UNSURE_NAMES = ("analysis", "scratchpad", "reflection", "inner_monologue", "monologue", "draft", "details")
_UNSURE = "|".join(_UNSURE_NAMES)
# Two kinds of marks: tags, which can be words of a review, and those of tokenizers, which can be anywhere.
_OPENING_TAG = rf"(?:<{_SURE}>|\[THINK\])"
_OPENING_SIGN = r"""(?:◁think▷ | <\|(?:begin_of_thought|START_THINKING)\|> | <\|channel>thought\n?
    | <unused94>thought\n?)"""
_CLOSING_TAG = rf"(?:</{_SURE}>|\[/THINK\])"
_CLOSING_SIGN = r"(?:◁/think▷ | <\|(?:end_of_thought|END_THINKING)\|> | <channel\|> | <unused95>)"
# An opening tag must begin a line and a closing one must not be quoted.
_MARK = re.compile(
    rf"""(?P<open>(?:^|\n)[^\S\n]{{0,8}}{_OPENING_TAG} | {_OPENING_SIGN} | \AThinking\.\.\.\n)
    | (?P<close>{_CLOSING_TAG}(?!["'”’]) | {_CLOSING_SIGN} | \n\.\.\.done[ ]thinking\.)
    | (?:^|\n)[^\S\n]{{0,8}}<(?P<begin>{_UNSURE})>
        (?:\s{{0,8}}<summary>(?P<summary>[^<\n]{{0,80}})</summary>)?
    | </(?P<end>{_UNSURE})>(?!["'”’])
    | <\|channel\|>(?P<channel>\w{{1,20}})
    | (?P<frame><\|(?:message|end|return|call)\|> | <\|start\|>\w{{0,20}} | <\|constrain\|>\w{{0,20}}
        | <\|(?:begin|end)_of_solution\|> | <\|(?:START|END)_RESPONSE\|>)""",
    re.IGNORECASE | re.VERBOSE,
)
_BEGUN = re.compile(rf"(?:{_OPENING_TAG} | {_OPENING_SIGN})\s{{0,8}}\Z", re.IGNORECASE | re.VERBOSE)
ENDS = re.compile(rf"{_CLOSING_TAG} | {_CLOSING_SIGN}", re.IGNORECASE | re.VERBOSE)
_OF_THINKING = re.compile(r"think|thought|reason|analy|draft|思考|推理|思路", re.IGNORECASE)
# The rest of gpt-oss's marks after a server has removed special tokens: "analysisWe need …assistantfinal[(…".
_BARE_CHANNELS = re.compile(r"\A\s{0,8}analysis(?=\S)")
_BARE_FINAL = "assistantfinal"

_LONGEST_MARK = 64  # characters of an opening mark and of the white space after it, at most


class Part(NamedTuple):
    """The characters [start, end) of a text between two marks."""

    start: int
    end: int
    thinking: bool


def parts(text: str, *, begun: bool = False) -> list[Part]:
    """Return the parts of what a model wrote, in order, without the marks between them. A part may be empty.

    `begun`: whether thinking began before the text. A closing mark without an opening one ends thinking that began
    before it, too. A tag such as <analysis> must be closed.
    """
    final = text.rfind(_BARE_FINAL)
    if final >= 0 and _BARE_CHANNELS.match(text):
        return [Part(0, final, thinking=True), Part(final + len(_BARE_FINAL), len(text), thinking=False)]
    found: list[Part] = []
    last_end = {name: text.rfind(f"</{name}>") for name in _UNSURE_NAMES}
    at, inside, settled = 0, NAME if begun else "", 0
    for mark in _MARK.finditer(text):
        begins, ends = (mark["begin"] or "").lower(), (mark["end"] or "").lower()
        if begins and (inside or last_end[begins] < mark.end() or not _is_thinking(mark)):
            continue
        if ends and inside != ends:
            continue
        part, at = Part(at, mark.start(), thinking=bool(inside)), mark.end()
        found.append(part)
        if mark["close"] and not inside:  # everything before it is thinking
            found[settled:] = [each._replace(thinking=True) for each in found[settled:]]
            settled = len(found)
        if not mark["frame"]:
            inside = _inside_after(mark)
    return [*found, Part(at, len(text), thinking=bool(inside))]


def _is_thinking(mark: re.Match[str]) -> bool:
    """Return whether a tag holds thinking: a <details> may also hold the answer."""
    return mark["begin"].lower() != "details" or bool(_OF_THINKING.search(mark["summary"] or ""))


def _inside_after(mark: re.Match[str]) -> str:
    """Return the kind of thinking that a mark begins; "" if the answer continues after it."""
    if mark["channel"]:
        return "" if mark["channel"].lower() == "final" else "channel"
    return mark["begin"].lower() if mark["begin"] else NAME if mark["open"] else ""


class Thought(NamedTuple):
    """The tokens [start, end) of one piece of thinking with its marks. `inside`: the ranges of those between marks."""

    start: int
    end: int
    inside: tuple[tuple[int, int], ...]


def with_thinking(
    tokens: Sequence[Token], segments: Sequence[Segment], first: int
) -> tuple[tuple[Token, ...], tuple[Segment, ...]]:
    """Return tokens and segments with the thinking among the written tokens, from `first` on, as segments of its own.

    The given text is not looked at, except that its end may begin the thinking, as some chat templates do.
    """
    thoughts = thinking_in(tokens, first)
    if not thoughts:
        return tuple(tokens), tuple(segments)
    own = [Segment(kind="thinking", name=NAME, start=start, end=end) for start, end, _ in thoughts]
    tiled = cut_out(segments, own)
    numbers = [number for number, segment in enumerate(tiled) for _ in range(segment.start, segment.end)]
    numbered = (replace(token, segment=number) for token, number in zip(tokens, numbers, strict=True))
    return tuple(numbered), tuple(tiled)


def thinking_in(tokens: Sequence[Token], first: int) -> list[Thought]:
    """Return the thinking among the tokens that were written from `first` on, in order.

    Each has the marks around it up to the next text that is no thinking; it has no end yet where none comes.
    """
    given = "".join(text for _, text in unprinted(tokens[max(0, first - _LONGEST_MARK) : first]))
    written = [text for _, text in unprinted(tokens[first:])]
    anchors: list[int] = []  # the first character of each token that is no white space, else its first
    n = 0
    for text in written:
        lead = len(text) - len(text.lstrip()) if text.strip() else 0
        anchors.append(max(0, n - 1) if text == "" else n + lead)  # "": a further part of the character before
        n += len(text)
    whole = "".join(written)

    def tokens_of(start: int, end: int) -> tuple[int, int]:
        return first + bisect_left(anchors, start), first + bisect_left(anchors, end)

    said = [part for part in parts(whole, begun=_is_begun(given)) if whole[part.start : part.end].strip()]
    runs = [list(run) for _, run in groupby(said, lambda part: part.thinking)]
    found: list[Thought] = []
    for at, own in enumerate(runs):
        if own[0].thinking:
            before = runs[at - 1][-1].end if at else 0
            after = runs[at + 1][0].start if at + 1 < len(runs) else n
            found.append(Thought(*tokens_of(before, after), tuple(tokens_of(part.start, part.end) for part in own)))
    return [thought for thought in found if thought.start < thought.end]


def _is_begun(given: str) -> bool:
    """Return whether the end of what was given begins the thinking."""
    return _BEGUN.search(given[-_LONGEST_MARK:]) is not None
