"""Texts and numbers for all reports: shares, ranks, strongest inputs, notes, visible characters."""

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
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from . import AttributionLike, SegmentLike, TokenLike

MINUS = "−"
APART = "difference of shares"  # the unit of a map whose scores are shares already: its shares would mean nothing
# A difference smaller than this never has the darkest colour: of two maps it may well be that hardly anything differs.
LEAST_DIFFERENCE = 0.1
_POOLED = {"sum": "summed over {}s", "mean": "mean per token of each {}", "max": "the largest of each {}"}
_MOST = 0.5  # of a column of attention rollout on the first token: then it says nothing else
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


@dataclass(frozen=True, slots=True)
class Note:
    """A method's sentence about its own result. `cols`: the columns that it is about; None for the whole map."""

    text: str
    cols: tuple[int, ...] | None = None


def notes(attribution: AttributionLike) -> Iterator[Note]:
    """Yield the method's notes on its own result, in the order in which they are shown."""
    missing = attribution.diagnostics.get("completeness_error")
    if missing:
        yield Note(f"Each column adds up to the change of the objective, but for at most {max(map(abs, missing)):.2g}.")
    found, whole = (attribution.diagnostics.get(name) for name in ("relevance_sum", "value"))
    if found and whole:
        yield Note(f"The first column adds up to {found[0]:.3g} of {whole[0]:.3g}: the rules keep the rest.", (0,))
    if attribution.method == "attention_rollout":
        yield from _at_the_first(attribution)
    if attribution.diagnostics.get("ids_left_out"):
        yield Note("This model also reads token ids elsewhere than in the embedding: the gradient leaves that way out.")
    checked, proves = (attribution.diagnostics.get(name) for name in ("spot_check", "spot_check_proves"))
    if checked is not None and proves is False:
        yield Note(
            f"Its spot check came out {checked:.0%} off, which in this precision proves nothing: float32 would tell."
        )
    zero = _which(not np.nan_to_num(column).any() for column in attribution.scores.T)
    if zero and checked is not None:
        columns = "1 column is" if len(zero) == 1 else f"{len(zero)} columns are"
        yield Note(
            f"{columns} 0 throughout: the objective does not move there, which plain passes confirm. Where the model "
            "is certain beyond its precision, the logit still moves.",
            zero,
        )
    changed, kept = (attribution.diagnostics.get(name) or [0] for name in ("baseline_changed", "baseline_in_text"))
    if any(changed):
        said = f"{_tokens(max(changed))} the baseline itself: another one stands in there."
        yield Note(said, _which(changed))
    if any(kept):
        score = "scores" if max(kept) == 1 else "score"
        said = f"{_tokens(max(kept))} the baseline itself and {score} 0: another baseline would tell."
        yield Note(said, _which(kept))
    yield from _notes_of_hop(attribution)
    yield from _notes_of_units(attribution)
    yield from _notes_of_server(attribution)
    noise = np.array(attribution.diagnostics.get("precision_noise") or [])
    lost = _which(0 < n >= np.nanmedian(np.abs(column)) for column, n in zip(attribution.scores.T, noise, strict=False))
    if lost:
        yield Note(f"Half precision leaves scores uncertain by up to {noise.max():.1g}.", lost)
        told = "That is" if len(noise) == 1 else f"For {len(lost)} of {len(noise)} targets that is"
        yield Note(f"{told} as much as most are: load the model in float32.", lost)


_TAKEN = {"mask": "hidden", "delete": "deleted", "replace": "replaced", "resample": "replaced by others of the text"}


def _notes_of_hop(attribution: AttributionLike) -> Iterator[Note]:
    """Yield how much of the step before is handed on to this one."""
    shares = attribution.diagnostics.get("handed_on")
    if shares:
        low, high = (f"{share(shares):.0%}" for share in (min, max))
        before = "the direct map" if attribution.settings.get("hop") == 1 else "the step before"
        yield Note(
            f"{high if low == high else f'{low} to {high}'} of {before} goes this way: the strongest tokens of the "
            f"{plain(str(attribution.settings.get('through')))} hold it, and these scores are what led to them."
        )


def _notes_of_units(attribution: AttributionLike) -> Iterator[Note]:
    """Yield the notes on Shapley and Banzhaf values: the texts that they rest on, and how far they can be off."""
    calls, operators = (attribution.diagnostics.get(name) for name in ("calls", "operator"))
    errors = attribution.errors
    if not calls or not operators or errors is None:
        return
    how = f"texts in which inputs were {_TAKEN.get(operators[0], operators[0])}"
    few, many = f"{min(calls):,.0f}", f"{max(calls):,.0f}"
    bars, largest = (np.nan_to_num(np.abs(each)).max(axis=0) for each in (errors, attribution.scores))
    if not np.nansum(errors):
        yield Note(f"Exact: computed from all {many} {how}.")
    else:
        within = f"{max(1.96 * bars / np.where(largest > 0, largest, np.inf)):.0%}"
        from_ = few if few == many else f"{few} to {many}"
        yield Note(f"Estimated from {from_} {how}: 95% intervals are at most ± {within} of a column's largest score.")
    if attribution.settings.get("estimand") == "banzhaf":
        yield Note("Banzhaf values add up to nothing: a share compares inputs, and is no part of a whole.")


def _notes_of_server(attribution: AttributionLike) -> Iterator[Note]:
    """Yield the notes on a map that a server's answers give."""
    about = attribution.diagnostics
    floor, bounded, mass = (about.get(name) or [0] for name in ("noise_floor", "bounded", "label_mass"))
    samples = attribution.settings.get("samples") if attribution.settings.get("by") == "samples" else None
    if samples is not None:
        yield Note(
            f"Made from samples: shares of {samples} answers to each text. By luck alone they differ by up to "
            f"{max(floor):.2g}: less is noise."
        )
    elif max(floor) > 0:
        yield Note(f"Asked the same again, the server gives log-odds up to {max(floor):.2g} apart: less is noise.")
    if max(mass) > 0:
        begun = "of the first token" if samples is None else "of the answers"
        yield Note(f"The labels together have {100 * max(mass):.0f} % {begun}.")
    if any(bounded):
        answers = "1 answer" if max(bounded) == 1 else f"{max(bounded):.0f} answers"
        yield Note(
            f"In {answers} the server does not tell the label: its probability is only a bound.", _which(bounded)
        )


def floors(attribution: AttributionLike) -> list[float | None]:
    """Return for each column the size below which a score is noise, or None where nothing tells it."""
    found = attribution.diagnostics.get("noise_floor") or []
    n = len(attribution.cols)
    return list(found) if len(found) == n else [None] * n


def _at_the_first(attribution: AttributionLike) -> Iterator[Note]:
    """Return a note where attention rollout leaves most of a column on the first token."""
    held = np.array([np.nan_to_num(column.numbers[0]) for column in columns(attribution)])
    ends = _which(held > _MOST)
    if ends:
        of = "1 target" if len(ends) == 1 else f"{len(ends)} targets"
        yield Note(
            f"Of {of} most ends at the first token ({held[list(ends)].mean():.0%}), as it does in deep models whatever "
            "they read. Try value zeroing or occlusion, or leave the first token out of the shares.",
            ends,
        )


def _which(holds: Iterable[object]) -> tuple[int, ...]:
    """Return the columns that a note is about."""
    return tuple(col for col, one in enumerate(holds) if one)


def _tokens(count: float) -> str:
    return "1 token is" if count == 1 else f"{count:.0f} tokens are"


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
