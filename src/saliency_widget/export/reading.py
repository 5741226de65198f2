"""Texts and numbers for all reports: shares, ranks, strongest inputs, visible characters."""

from __future__ import annotations

import itertools
import re
import unicodedata
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from ..characters import JOINERS, plain, sign_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from . import AttributionLike, SegmentLike, TokenLike

MINUS = "−"
APART = "difference of shares"  # the unit of a map whose scores are shares already: its shares would mean nothing
# A difference smaller than this never has the darkest colour: of two maps it may well be that hardly anything differs.
LEAST_DIFFERENCE = 0.1
_POOLED = {"sum": "summed over {}s", "mean": "mean per token of each {}", "max": "the largest of each {}"}
LONG = 60  # characters of the name of a unit of several tokens; of one token twice as much


@dataclass(frozen=True, slots=True)
class Column:
    """A target and its column. `numbers` [n_rows]: shares or differences, NaN where the target cannot see the row.

    `largest` is what the darkest colour stands for; a number of a size below `floor` is noise. `probability` is NaN
    where it is not known; `value` is the number that a model gives in its place, or NaN.
    """

    target: TokenLike
    probability: float
    numbers: NDArray[np.float64]
    largest: float
    value: float = float("nan")
    floor: float = 0.0

    @property
    def figure(self) -> float:
        """Return the probability of the target, or its value; NaN where neither is known."""
        return self.probability if np.isnan(self.value) else self.value

    @property
    def n_visible(self) -> int:
        """Return the number of rows that the target can see."""
        return int(np.count_nonzero(~np.isnan(self.numbers)))

    def ranks(self) -> NDArray[np.int64]:
        """Return the rank of each row by |number|, from 1, [n_rows]. Ties share a rank; 0 is a row without a number."""
        weights = np.abs(self.numbers)
        seen = np.sort(weights[~np.isnan(weights)])
        ranks: NDArray[np.int64] = 1 + len(seen) - np.searchsorted(seen, weights, side="right")
        return np.where(np.isnan(weights), 0, ranks)

    def top(self, k: int) -> list[int]:
        """Return the k rows of largest |number|, largest first, earlier rows first among ties; never a row of 0."""
        weights = np.nan_to_num(np.abs(self.numbers))
        order = np.argsort(-weights, kind="stable")[:k]
        return [int(row) for row in order if weights[row] > 0]


def told(attribution: AttributionLike) -> str:
    """Return the label before a number: "share", or "difference" in a map of differences."""
    return "difference" if attribution.unit == APART else "share"


def measured(attribution: AttributionLike) -> str:
    """Return the unit of numbers and colours: "share of the gradient norm, summed over words"."""
    unit, settings = plain(attribution.unit), attribution.settings
    pooled = _POOLED[settings["pool"]].format(settings["unit"]) if "pool" in settings else ""
    return ", ".join(said for said in (unit if unit == APART else f"share of the {unit}", pooled) if said)


def floors(attribution: AttributionLike) -> list[float | None]:
    """Return for each column the size below which a score is noise, or None where nothing tells it."""
    found = attribution.diagnostics.get("noise_floor") or []
    n = len(attribution.cols)
    return list(found) if len(found) == n else [None] * n


def columns(attribution: AttributionLike) -> list[Column]:
    """Return every column as shares or differences. A column of zeros has shares of 0: NaN would mean not visible."""
    numbers = attribution.scores.astype(np.float64)
    is_share = told(attribution) == "share"
    noise = np.array([floor or 0 for floor in floors(attribution)]) if is_share else np.zeros(len(attribution.cols))
    if is_share:
        sums = np.nansum(np.abs(numbers), axis=0)
        sums = np.where(sums > 0, sums, 1)
        numbers, noise = numbers / sums, noise / sums
    unknown = np.full(len(attribution.cols), np.nan)
    probabilities, values = (attribution.step_scores.get(name, unknown) for name in ("probability", "value"))
    return [
        Column(
            target=target,
            probability=float(probabilities[col]),
            value=float(values[col]),
            numbers=numbers[:, col],
            floor=float(noise[col]),
            largest=_end(np.nan_to_num(np.abs(numbers[:, col])), 0 if is_share else LEAST_DIFFERENCE),
        )
        for col, target in enumerate(attribution.cols)
    ]


def _end(sizes: NDArray[np.float64], least: float) -> float:
    """Return what the darkest colour stands for; 0 where all sizes are."""
    largest = float(np.max(sizes, initial=0))
    return max(largest, least) if largest > 0 else 0.0


def first_target(attribution: AttributionLike) -> int:
    """Return the position of the text's first target, which may have no column in an unfinished map.

    A special token that was written first and has no column counts as given.
    """
    first = attribution.cols[0]
    if first.role == "class":
        return attribution.rows[-1].position + 1 if attribution.rows else first.position
    written = (token.position for token in attribution.rows if token.role == "generated")
    return min(next(written, first.position), first.position)


def likeliest(shown: Sequence[Column], segments: Sequence[SegmentLike] = ()) -> int:
    """Return the column to show first: the most probable class or the largest value; for a text see `first_shown`."""
    if shown[0].target.role != "class":
        return first_shown([column.target for column in shown], segments)
    return int(np.argmax(np.nan_to_num([column.figure for column in shown], nan=-np.inf)))


# Words that join others and say little by themselves (as js/src/reading.ts has them).
_JOINING = frozenset(
    re.findall(
        r"\w+",
        "a an the of in on at to for by from with as and or but if is are was were be it its he she they we you i this "
        "that there not no 的 了 是 在 和",
    )
)


def first_shown(targets: Sequence[TokenLike], segments: Sequence[SegmentLike]) -> int:
    """Return the index of the target that is shown first: the `first_word` of the answer.

    The page has the same rule in js/src/reading.ts.
    """
    begin = answer_begin(targets, segments)
    return begin + first_word(targets[begin:])


def answer_begin(targets: Sequence[TokenLike], segments: Sequence[SegmentLike]) -> int:
    """Return the index of the first target after the last thinking that an answer follows; 0 without thinking."""
    last = max((target.position for target in targets), default=-1)
    ends = [segment.end for segment in segments if segment.kind == "thinking" and segment.end <= last]
    return next((col for col, target in enumerate(targets) if target.position >= max(ends, default=0)), 0)


def first_word(targets: Sequence[TokenLike]) -> int:
    """Return the index of the first target of the first word that says something by itself.

    Where there is none: of the first with a letter or a digit, else the first that is no special token, else 0.
    """
    starts = [
        col
        for col, token in enumerate(targets)
        if not _is_special(token) and (col == 0 or _is_special(targets[col - 1]) or targets[col - 1].word != token.word)
    ]
    texts = {start: _word_at(targets, start) for start in starts}
    words = [start for start in starts if any(char.isalnum() for char in texts[start])]
    return next((start for start in words if texts[start] not in _JOINING), (*words, *starts, 0)[0])


def _is_special(token: TokenLike) -> bool:
    return token.role == "special"


def _word_at(targets: Sequence[TokenLike], start: int) -> str:
    """Return the word that begins with this target, in lower case."""
    tokens = itertools.takewhile(
        lambda token: token.word == targets[start].word and not _is_special(token),
        itertools.islice(targets, start, None),
    )
    return "".join(token.text for token in tokens).strip().lower()


def headline(attribution: AttributionLike) -> list[str]:
    """Return the model, method and objective as the menu names them, and the layer and head, if one was chosen."""
    objective = (attribution.objective or "").replace("_", "-")
    if attribution.foil is not None:
        objective += f" less that of {attribution.foil.strip() or attribution.foil!r}"
    chosen = [f"{name} {at}" for name in ("layer", "head") if (at := attribution.settings.get(name)) is not None]
    hop = attribution.settings.get("hop")
    back = [] if hop is None else [f"through the {attribution.settings.get('through')}, step {hop}"]
    said = [attribution.model_name, attribution.label, *chosen, objective, *back]
    return [plain(words) for words in said if words]


# ── characters ────────────────────────────────────────────────────────────────────────────────────────────────────

_WHITE = "\t\n\v\f\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"  # as JavaScript has it
_BLANK = re.compile(f"[{_WHITE}]+")
_APART = re.compile(f" +(?=[^{_WHITE}])")


def glyphs(text: str) -> Iterator[tuple[str, str]]:
    """Yield each character with the sign for it if it is invisible (else "").

    Spaces have a sign only in a text of white space alone. A combining mark at the start gets a dotted circle.
    """
    alone, blank = all(char in JOINERS for char in text), bool(_BLANK.fullmatch(text))
    for at, char in enumerate(text):
        if char in JOINERS:
            yield char, sign_of(char) if alone else ""
        elif blank and char == " ":
            yield char, "␣"
        else:
            hangs = at == 0 and unicodedata.category(char).startswith("M")
            yield f"◌{char}" if hangs else char, sign_of(char)


def visible(text: str) -> str:
    """Return a text on one line, for labels, without the space that separates it from the word before."""
    return "".join(sign or char for char, sign in glyphs(_APART.sub("", text, count=1) if text[:1] == " " else text))


def label(token: TokenLike) -> str:
    """Return a token's name on one line, without its middle if it is long; ∅ for a token without text."""
    name = visible(_brief(token.text, LONG if token.length > 1 else 2 * LONG)) or "∅"
    return f"{name} ({part_mark(token)})" if token.part else name


def _brief(text: str, long: int) -> str:
    """Return a text without its middle, where it is long: cut between words, if there are several (as in pieces.ts)."""
    if len(text) <= long:
        return text
    head, tail = text[: long // 2], text[-long // 4 :]
    if text[long // 2] != " " and re.search(" [^ ]", head.lstrip()):
        head = head[: head.rindex(" ")]
    if text[-long // 4 - 1] != " " and (word := re.search("[^ ] ", tail)):
        tail = tail[word.end() :]
    return f"{head.rstrip(' ')} … {tail.lstrip(' ')}"


def isolated(name: str) -> str:
    """Put a right-to-left name between FSI and PDI, so that it does not reorder the numbers beside it."""
    return f"\u2068{name}\u2069" if any(unicodedata.bidirectional(char) in ("R", "AL") for char in name) else name


def part_mark(token: TokenLike) -> str:
    """Return ²⁄₃ for the second of three tokens that share one character."""
    if token.part is None:
        return "∅"
    k, n = token.part
    return f"{str(k).translate(_ABOVE)}⁄{str(n).translate(_BELOW)}"


_ABOVE = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_BELOW = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def unprinted(tokens: Sequence[TokenLike], printed: int = 0) -> Iterator[tuple[TokenLike, str]]:
    """Yield each token with the part of its text that no earlier token has printed.

    `printed`: the end of the text that is printed before the tokens.
    """
    for token in tokens:
        text = token.text
        if token.span is None:
            printed = 0
        else:
            start, end = token.span
            is_inside = token.part is not None and token.part[0] > 1  # it begins inside a character
            if is_inside and printed > start:
                text = text[printed - start :] if len(text) == end - start else ""
            printed = max(printed, end) if is_inside else end
        yield token, text


def width(text: str) -> int:
    """Return the width in terminal cells: wide characters and emoji take two, combining marks and joiners none."""
    cells = 0
    for char in text:
        if unicodedata.combining(char) or char in JOINERS or unicodedata.category(char) in ("Mn", "Me", "Cf"):
            continue
        cells += 2 if unicodedata.east_asian_width(char) in "WF" else 1
    return cells


# ── numbers ───────────────────────────────────────────────────────────────────────────────────────────────────────


def decimals(value: float) -> str:
    """Return a share or a probability with three decimals: 0.342, −0.051; <0.001 if it would round to 0."""
    if not isfinite(value):
        return "–"
    if 0 < abs(value) < 0.0005:
        return "<0.001" if value > 0 else f">{MINUS}0.001"
    return f"{value:.3f}".replace("-", MINUS) if value else "0.000"
