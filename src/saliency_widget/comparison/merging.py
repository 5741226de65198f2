"""Merging of two attributions on one text: a token of both occurs once, a token of one keeps its place.

The token lists are aligned part by part (a source, what was read, what was written) by the texts of their tokens;
between two tokens of both come those of A alone, then those of B alone. Where A has other inputs than B they were
replaced, and are one place of the text. From there on everything goes by position.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from ..errors import InputError
from ..types import Segment, Token

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..attribution.result import Attribution

Pair: TypeAlias = tuple[int | None, int | None]  # one merged token: its index in A's list and in B's
Unit: TypeAlias = Literal["word", "sentence", "segment"]

# Tokens of A and of B in one place: so many at most. Of longer stretches it cannot be said what replaced what.
_MOST_REPLACED = 8
_NO_SEGMENT = Segment(kind="paragraph", name="", start=0, end=0)  # of scores that came without any; it has no label


@dataclass(frozen=True, slots=True)
class Place:
    """The position of a map in the merged one: the merged index of each of its rows and columns."""

    rows: tuple[int, ...]
    cols: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Replaced:
    """One place of the merged text: tokens [start, middle) stand there in A, tokens [middle, end) in B."""

    start: int
    middle: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The text of two maps. The target of column c is token `first_target + c`; rows are the tokens 0 … `n_rows` - 1.

    `places`: of A and of B. `replaced`: the inputs that were replaced. `n_both`: how many tokens both have; `n_alone`:
    how many A alone has, and B alone.
    """

    tokens: tuple[Token, ...]
    segments: tuple[Segment, ...]
    first_target: int
    n_rows: int
    places: tuple[Place, Place]
    replaced: tuple[Replaced, ...]
    n_both: int
    n_alone: tuple[int, int]

    @property
    def rows(self) -> tuple[Token, ...]:
        """Return the tokens of the rows."""
        return self.tokens[: self.n_rows]

    @property
    def cols(self) -> tuple[Token, ...]:
        """Return the tokens of the columns."""
        return self.tokens[self.first_target :]

    def spread(self, numbers: NDArray[np.float32], place: Place) -> NDArray[np.float32]:
        """Spread a matrix of A or B over the merged text: float32 [n_rows, n_cols], NaN in all other cells."""
        whole = np.full((self.n_rows, len(self.cols)), np.nan, dtype=np.float32)
        whole[np.ix_(place.rows, place.cols)] = numbers
        return whole

    def difference(self, ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return A's shares less B's: float32 [n_rows, n_cols], NaN where one of them has none.

        `ours`, `theirs`: the shares, spread over the merged text. A place where inputs were replaced is one input: each
        of its tokens holds what A's tokens have together, less what B's have.
        """
        by = ours - theirs
        for place in self.replaced:
            sums = [
                np.where(np.isnan(of).all(axis=0), np.nan, np.nansum(of, axis=0))
                for of in (ours[place.start : place.middle], theirs[place.middle : place.end])
            ]
            by[place.start : place.end] = sums[0] - sums[1]
        return by

    def map_of(self, attribution: Attribution, place: Place) -> Attribution:
        """Return A or B as a map of the merged text, without diagnostics, which refer to its original columns."""
        n_cols = len(self.cols)
        steps = {}
        for name, values in attribution.step_scores.items():
            steps[name] = np.full(n_cols, np.nan, dtype=np.float32)
            steps[name][list(place.cols)] = values
        known = dict(zip(place.cols, attribution.alternatives, strict=False))  # the user's own scores have none
        return replace(
            attribution,
            scores=self.spread(attribution.scores, place),
            errors=None if attribution.errors is None else self.spread(attribution.errors, place),
            rows=self.rows,
            cols=self.cols,
            segments=self.segments,
            step_scores=steps,
            alternatives=tuple(known.get(col, ()) for col in range(n_cols)),
            diagnostics={},
        )


def merge(a: Attribution, b: Attribution) -> Merged:
    """Align two maps.

    Raises: InputError if they cannot be compared: one has no column, they explain classes and text or translation, or
    their rows are words and tokens.
    """
    _check(a, b)
    sides = _split(a), _split(b)
    key = _key_of(*sides)
    pairs: list[Pair] = []
    first_target = 0
    starts = [0, 0]
    for ours, theirs in zip(sides[0].parts, sides[1].parts, strict=True):
        first_target = len(pairs)  # after the loop: the start of the last part
        match = _same_classes if ours and ours[0].role == "class" else _aligned
        found = list(match([key(0, token) for token in ours], [key(1, token) for token in theirs]))
        if theirs is not sides[1].parts[-1]:
            found = _one_by_one(found, ours, theirs)
        pairs += [(None if i is None else starts[0] + i, None if j is None else starts[1] + j) for i, j in found]
        starts = [starts[0] + len(ours), starts[1] + len(theirs)]
    tokens, segments, replaced = _written_anew(sides, pairs, first_target)
    at = [{pair[side]: merged for merged, pair in enumerate(pairs)} for side in (0, 1)]
    places = [
        Place(tuple(at[k][i] for i in side.rows), tuple(at[k][i] - first_target for i in side.cols))
        for k, side in enumerate(sides)
    ]
    return Merged(
        tokens=tokens,
        segments=segments,
        first_target=first_target,
        n_rows=1 + max((row for place in places for row in place.rows), default=-1),
        places=(places[0], places[1]),
        replaced=replaced,
        n_both=sum(None not in pair for pair in pairs),
        n_alone=(sum(j is None for _, j in pairs), sum(i is None for i, _ in pairs)),
    )


# ── one map ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Side:
    """A map as one list of tokens in three parts: the source, the other inputs, the targets (text or classes).

    `rows`, `cols`: the index in that list of each row and each column.
    """

    parts: tuple[Sequence[Token], Sequence[Token], Sequence[Token]]
    rows: Sequence[int]
    cols: Sequence[int]
    segments: Sequence[Segment]

    @property
    def tokens(self) -> list[Token]:
        return [token for part in self.parts for token in part]

    def segment(self, token: Token) -> Segment:
        return self.segments[token.segment] if 0 <= token.segment < len(self.segments) else _NO_SEGMENT


def _split(attribution: Attribution) -> _Side:
    rows, cols = list(attribution.rows), list(attribution.cols)
    n_read = _n_read(attribution)
    source = next((segment.end for segment in attribution.segments if segment.kind == "source"), 0)
    n_source = sum(token.position < source for token in rows[:n_read])
    parts = rows[:n_source], rows[n_source:n_read]
    if n_read == len(rows):  # no target is a row
        return _Side((*parts, cols), range(n_read), range(n_read, n_read + len(cols)), attribution.segments)
    # If the last column shows more of a word than the last row, its token counts.
    written = {token.position: token for token in (*rows[n_read:], *cols)}
    order = sorted(written)
    at = {position: n_read + i for i, position in enumerate(order)}
    row_at = [*range(n_read), *(at[token.position] for token in rows[n_read:])]
    col_at = [at[token.position] for token in cols]
    return _Side((*parts, [written[p] for p in order]), row_at, col_at, attribution.segments)


def _n_read(attribution: Attribution) -> int:
    """Count the rows before the first target; all rows if the targets are not among the rows' tokens.

    That holds for classes, for a span in one column, and if rows are sentences and columns are tokens.
    """
    rows, cols = attribution.rows, attribution.cols
    at = {token.position: row for row, token in enumerate(rows)}
    twins = {at[token.position]: token for token in cols if token.position in at}
    in_order = all(_ascends([token.position for token in tokens]) for tokens in (rows, cols))
    same = _unit(attribution) == "word" or all(rows[row] == token for row, token in twins.items())
    if cols[0].role == "class" or not in_order or not same:
        return len(rows)
    begun = min(twins, default=len(rows))
    return next((row for row, token in enumerate(rows) if token.role == "generated" or row == begun), len(rows))


def _ascends(positions: Sequence[int]) -> bool:
    return all(before < after for before, after in pairwise(positions))


def _unit(attribution: Attribution) -> str:
    """Return the unit of a map's rows, which is not the setting `unit` of occlusion."""
    return str(attribution.settings["unit"]) if "pool" in attribution.settings else "token"


def _kind(attribution: Attribution) -> str:
    if attribution.cols[0].role == "class":
        return "classes"
    return "a translation" if any(token.role == "source" for token in attribution.rows) else "a text"


def _check(a: Attribution, b: Attribution) -> None:
    for name, each in (("first", a), ("second", b)):
        if not each.cols or not each.rows:
            raise InputError(f"The {name} map is empty.", cure="Compare maps that have rows and columns.")
    kinds = _kind(a), _kind(b)
    if kinds[0] != kinds[1]:
        raise InputError(
            f"The first map explains {kinds[0]}, the second {kinds[1]}: no target of one is a target of the other.",
            cure="Compare two texts, two translations, or two classifications.",
        )
    units = _unit(a), _unit(b)
    if units[0] != units[1]:
        raise InputError(
            f"The rows of the first map are {units[0]}s, those of the second {units[1]}s.",
            cure="Compare them as they were computed, or call aggregate() on both.",
        )


# ── alignment ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _key_of(a: _Side, b: _Side) -> Callable[[int, Token], Hashable]:
    """Return the function from a token to its key for alignment: its text, and in chats the turn's role."""
    kinds = [{side.segment(token).kind for token in side.tokens} for side in (a, b)]
    by_turn = kinds[0] == kinds[1]

    def key(side: int, token: Token) -> Hashable:
        turn = (a, b)[side].segment(token).kind if by_turn else None
        return token.text, token.part, token.role == "special", turn

    return key


def _aligned(a: Sequence[Hashable], b: Sequence[Hashable]) -> Iterator[Pair]:
    """Pair the indices of both lists in ascending order; between two runs of equal keys, first A's, then B's."""
    i = j = 0
    for block in SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks():
        yield from ((k, None) for k in range(i, block.a))
        yield from ((None, k) for k in range(j, block.b))
        yield from ((block.a + k, block.b + k) for k in range(block.size))
        i, j = block.a + block.size, block.b + block.size


def _same_classes(a: Sequence[Hashable], b: Sequence[Hashable]) -> Iterator[Pair]:
    """Pair classes by name: A's first, then those of B alone."""
    left = list(range(len(b)))
    for i, name in enumerate(a):
        j = next((j for j in left if b[j] == name), None)
        if j is not None:
            left.remove(j)
        yield i, j
    yield from ((None, j) for j in left)


def _runs(pairs: Sequence[Pair]) -> Iterator[Replaced]:
    """Return the stretches in which tokens of B alone follow on tokens of A alone."""
    start = 0
    while start < len(pairs):
        middle = next((k for k in range(start, len(pairs)) if pairs[k][1] is not None), len(pairs))
        end = next((k for k in range(middle, len(pairs)) if pairs[k][0] is not None), len(pairs))
        if start < middle < end:
            yield Replaced(start, middle, end)
        start = max(end, start + 1)


def _one_by_one(pairs: Sequence[Pair], ours: Sequence[Token], theirs: Sequence[Token]) -> list[Pair]:
    """Put as many tokens in the place of as many others one by one: each of B's after the one that it replaces.

    Pieces of one character stay together.
    """
    found = list(pairs)
    for run in _runs(pairs):
        n = run.middle - run.start
        a, b = found[run.start : run.middle], found[run.middle : run.end]
        whole = all(ours[i].part is None for i, _ in a if i is not None)
        whole &= all(theirs[j].part is None for _, j in b if j is not None)
        if whole and n == len(b) <= _MOST_REPLACED:
            found[run.start : run.end] = [pair for two in zip(a, b, strict=True) for pair in two]
    return found


def _is_place(run: Replaced, tokens: Sequence[Token], segments: Sequence[int]) -> bool:
    """Return whether it is a few words in one line of one segment."""
    within = tokens[run.start : run.end]
    return (
        max(run.middle - run.start, run.end - run.middle) <= _MOST_REPLACED
        and len(set(segments[run.start : run.end])) == 1
        and not any(token.role == "special" or "\n" in token.text for token in within)
    )


# ── the text of both ──────────────────────────────────────────────────────────────────────────────────────────────


def _written_anew(
    sides: tuple[_Side, _Side], pairs: Sequence[Pair], first_target: int
) -> tuple[tuple[Token, ...], tuple[Segment, ...], tuple[Replaced, ...]]:
    """Return the merged tokens, with words, sentences, segments and spans of their own.

    And the segments, which tile them; and the places where inputs were replaced.
    """
    a, b = (side.tokens for side in sides)
    own = [_own(a, b, pair) for pair in pairs]
    at = _units(a, b, pairs, "segment")
    replaced = tuple(run for run in _runs(pairs[:first_target]) if _is_place(run, own, at))
    words, sentences = (_units(a, b, pairs, unit, replaced) for unit in ("word", "sentence"))
    spans = _spans(a, b, pairs)
    tokens = tuple(
        replace(token, position=k, length=1, span=spans[k], word=words[k], sentence=sentences[k], segment=at[k])
        for k, token in enumerate(own)
    )
    firsts = [k for k, segment in enumerate(at) if k == 0 or segment != at[k - 1]]
    segments = []
    for start, end in zip(firsts, [*firsts[1:], len(tokens)], strict=True):
        side = sides[0] if pairs[start][0] is not None else sides[1]
        segments.append(replace(side.segment(own[start]), start=start, end=end))
    return tokens, tuple(segments), replaced


def _own(a: Sequence[Token], b: Sequence[Token], pair: Pair) -> Token:
    """Return A's token, or B's if A has none."""
    i, j = pair
    if i is not None:
        return a[i]
    assert j is not None, "one of the two is there"
    return b[j]


def _units(
    a: Sequence[Token], b: Sequence[Token], pairs: Sequence[Pair], unit: Unit, replaced: Sequence[Replaced] = ()
) -> list[int]:
    """Return the word, sentence or segment of each merged token, counted anew. Neighbours share one where they do in A.

    A token that B alone has goes with the nearest one of its unit in B that both have, rather one before it. A place
    is of one unit.
    """
    found: list[Hashable] = [None if i is None else getattr(a[i], unit) for i, _ in pairs]
    for order in (range(len(pairs)), reversed(range(len(pairs)))):
        met: dict[int, Hashable] = {}  # maps a unit of B to the last unit of A that shares a token with it
        for k in order:
            i, j = pairs[k]
            if j is not None and i is not None:
                met[getattr(b[j], unit)] = found[k]
            elif j is not None and found[k] is None:
                found[k] = met.get(getattr(b[j], unit))
    for k, (_, j) in enumerate(pairs):
        if found[k] is None:
            assert j is not None, "A's tokens have a unit"
            found[k] = ("B", getattr(b[j], unit))
    same: dict[Hashable, Hashable] = {}  # units that a place makes one, each with one before it
    for place in replaced:
        first, *others = dict.fromkeys(_first_of(one, same) for one in found[place.start : place.end])
        same |= dict.fromkeys(others, first)
    found = [_first_of(one, same) for one in found]
    changes = (int(before != after) for before, after in pairwise(found))
    return list(accumulate(changes, initial=0))


def _first_of(unit: Hashable, same: dict[Hashable, Hashable]) -> Hashable:
    while unit in same:
        unit = same[unit]
    return unit


def _spans(a: Sequence[Token], b: Sequence[Token], pairs: Sequence[Pair]) -> list[tuple[int, int] | None]:
    """Return the span of each token in the merged text, at its distance from the token before in their own text."""
    spans: list[tuple[int, int] | None] = []
    end = 0
    before: Pair = (None, None)
    latest: list[int | None] = [None, None]  # of A and of B, also where the other has had tokens since
    for pair in pairs:
        i, j = pair
        token = _own(a, b, pair)
        if token.span is None:
            spans.append(None)
            continue
        start = end + max(
            (_apart(side, k, last) for side, k, last in zip((a, b), pair, latest, strict=True)), default=0
        )
        for side, k, last in ((a, i, before[0]), (b, j, before[1])):
            if k is None or last is None:
                continue
            here, there = side[k].span, side[last].span
            if here is not None and there is not None and k == last + 1 and spans[-1] is not None:
                start = spans[-1][0] + here[0] - there[0]  # pieces of one character overlap
                break
        span = start, start + token.span[1] - token.span[0]
        spans.append(span)
        end = max(end, span[1])
        before = pair
        latest = [last if k is None else k for k, last in zip(pair, latest, strict=True)]
    return spans


def _apart(side: Sequence[Token], k: int | None, last: int | None) -> int:
    """Return the number of characters between a token and the one before it in its own text; 0 where they overlap."""
    here, there = (None if of is None else side[of].span for of in (k, last))
    return 0 if here is None or there is None or k is None or k - 1 != last else max(0, here[0] - there[1])
