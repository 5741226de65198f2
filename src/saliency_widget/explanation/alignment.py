"""Which words of a review a model's pairs (word, importance) mean.

The rules:

word      By the Unicode word boundaries (UAX #29): "don't" and "3.5" are one word, "well-made" is three, a Chinese
          character is one, a punctuation mark (or several alike) is one. White space is none.
same      As written; else in another case, another width, other quotes, with quotes around or a tokenizer's marks.
order     A pair means the next free word after the last one that was meant, and where there is none, the first free
          one: repeated words are met one after another, and pairs out of order still meet theirs.
several   "machine learning" gives each of its words its value. "do" and "n't", one after another, give "don't" their
          mean.
clipped   A score is in [-1, 1]; a value beyond is "out of range" and counts as -1 or 1.

Takes time n log n in words and pairs.
"""

from __future__ import annotations

import math
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from ..models.tokens import word_starts
from ..types import Fate

MOST_PIECES = 8  # pairs that together spell one word
LONGEST_PHRASE = 24  # words that one pair names
MOST_NOTES = 5
_CHECKED = 1_000  # pairs between two looks at whether to go on
REACH = 4  # how many of the next words are looked at before all of them


class Word(NamedTuple):
    """A word or punctuation mark, and where it is in the review: code points [start, end)."""

    text: str
    span: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair as it was given, and what became of it. `at`: the (first) word that it means, None where it means none."""

    word: str
    value: float
    fate: Fate
    at: int | None


@dataclass(frozen=True, slots=True)
class Alignment:
    """The words of a review, each with its score in [-1, 1] or None, and the pairs, in the order given."""

    words: tuple[Word, ...]
    scores: tuple[float | None, ...]
    pairs: tuple[Pair, ...]
    problems: tuple[str, ...]

    @property
    def covered(self) -> float:
        """The share of words that have a score, in [0, 1]; 1 where there are no words."""
        return sum(score is not None for score in self.scores) / len(self.scores) if self.scores else 1.0


def words_of(text: str) -> list[Word]:
    """The words and punctuation marks in it, in order; see the module for what a word is."""
    words = []
    for start, end in pairwise([*word_starts(text), len(text)]):
        bare = text[start:end].lstrip()  # a word of the map has the space before it
        if bare:
            words.append(Word(bare, (end - len(bare), end)))
    return words


def align(review: str, pairs: Sequence[tuple[str, float]], check: Callable[[], None] = lambda: None) -> Alignment:
    """Give each pair (word, finite value) its words of the review, by the rules of the module. Never raises.

    `check` is called at every thousandth pair, and may raise to stop.
    """
    words = words_of(review)
    aligner = _Aligner([word.text for word in words], check)
    fates = aligner.run(pairs)
    given = tuple(Pair(word, value, fate, at) for (word, value), (fate, at) in zip(pairs, fates, strict=True))
    problems = [*_problems(given, aligner.scores), *aligner.notes[:MOST_NOTES]]
    if len(aligner.notes) > MOST_NOTES:
        problems.append(f"… and {len(aligner.notes) - MOST_NOTES} more words from pieces.")
    return Alignment(tuple(words), tuple(aligner.scores), given, tuple(problems))


def _problems(pairs: Sequence[Pair], scores: Sequence[float | None]) -> list[str]:
    """What is missing and what is left over, a sentence each."""
    fates = Counter(pair.fate for pair in pairs)
    said = (
        (
            sum(score is None for score in scores),
            "word of the review has no score.",
            "words of the review have no score.",
        ),
        (
            fates["invented"],
            "pair names a word that is not in the review.",
            "pairs name words that are not in the review.",
        ),
        (fates["repeated"], "pair names a word once too often.", "pairs name a word once too often."),
        (fates["out of range"], "value is beyond -1 or 1.", "values are beyond -1 or 1."),
    )
    return [f"{count} {one if count == 1 else many}" for count, one, many in said if count]


# ── how words are compared ───────────────────────────────────────────────────────────────────────────────────────

_QUOTES = str.maketrans(
    dict.fromkeys("‘’‚‛`´ʼ＇′", "'") | dict.fromkeys("“”„‟«»＂″「」『』", '"') | dict.fromkeys("‐‑‒–—−", "-")
)
_PIECE_MARKS = ("##", "▁", "Ġ")  # how tokenizers write that a piece goes on, or begins, a word
Key: TypeAlias = tuple[str, ...]


def alike(word: str) -> str:
    """The same for words that differ in case, width or kind of quotes only."""
    return unicodedata.normalize("NFKC", word).translate(_QUOTES).casefold()


def _piece(word: str) -> str:
    """Without white space around it and a tokenizer's mark before it, unless that is all it is."""
    word = word.strip()
    for mark in _PIECE_MARKS:
        word = word.removeprefix(mark) or word
    return word


def _bare(word: str) -> str:
    """Without quotes around it too, unless that is all it is."""
    word = _piece(word)
    return word.strip("\"'“”‘’«»「」『』` ") or word


def _key(word: str, same: Callable[[str], str]) -> Key:
    return tuple(same(part.text) for part in words_of(word))


# ── the alignment ────────────────────────────────────────────────────────────────────────────────────────────────


class _Index:
    """Where stretches of words occur in the review, and which of them is free."""

    def __init__(self, words: Sequence[str], taken: Sequence[bool]) -> None:
        self._words = words
        self._taken = taken
        self._places: dict[int, dict[Key, list[int]]] = {}  # of each length, where each stretch begins
        self._skips: dict[Key, list[int]] = {}  # from each place, one at which no free place has been passed

    def places(self, key: Key) -> list[int]:
        """Where it begins, in order."""
        size = len(key)
        if not 0 < size <= LONGEST_PHRASE:
            return []
        if size not in self._places:
            found: dict[Key, list[int]] = {}
            for at in range(len(self._words) - size + 1):
                found.setdefault(tuple(self._words[at : at + size]), []).append(at)
            self._places[size] = found
        return self._places[size].get(key, [])

    def free(self, key: Key, start: int) -> int | None:
        """The first place at `start` or after where all of it is free."""
        places = self.places(key)
        if not places:
            return None
        skips = self._skips.get(key)
        if skips is None:
            skips = self._skips[key] = list(range(len(places) + 1))
        first = at = bisect_left(places, start)
        passed = []
        while at < len(places):
            if skips[at] != at:
                passed.append(at)
                at = skips[at]
            elif any(self._taken[places[at] : places[at] + len(key)]):  # and will be for ever
                passed.append(at)
                skips[at] = at + 1
                at += 1
            else:
                break
        for each in passed:
            skips[each] = at
        return places[at] if first <= at < len(places) else None


class _Aligner:
    """Gives pairs to words, one pair after another."""

    def __init__(self, words: Sequence[str], check: Callable[[], None]) -> None:
        self._check = check
        self.scores: list[float | None] = [None] * len(words)
        self.notes: list[str] = []
        self._shown = words
        self._taken = [False] * len(words)
        self._alike = [alike(word) for word in words]
        self._exact = _Index(words, self._taken)
        self._loose = _Index(self._alike, self._taken)
        self._next = 0  # the word after the last one that was meant

    def run(self, pairs: Sequence[tuple[str, float]]) -> list[tuple[Fate, int | None]]:
        """Of each pair, its fate and the first word that it means."""
        fates: list[tuple[Fate, int | None]] = []
        keys: list[list[tuple[_Index, Key]]] = []
        pieces: list[str] = []
        for at, (given, _) in enumerate(pairs):
            if at % _CHECKED == 0:
                self._check()
            keys.append(self._keys(given))
            pieces.append(alike(_piece(given)))
        while len(fates) < len(pairs):
            at = len(fates)
            if at % _CHECKED == 0:  # most pairs come alone, so that most of these are met
                self._check()
            word, count = self._find(keys[at], pieces[at : at + MOST_PIECES])
            values = [value for _, value in pairs[at : at + count]]
            if word is None:
                known = any(index.places(key) for index, key in keys[at])
                fates.append(("repeated" if known else "invented", None))
                continue
            size = 1
            if count > 1:
                spelled = " + ".join(f'"{given}"' for given, _ in pairs[at : at + count])
                self.notes.append(f'{spelled} are read as one word, "{self._shown[word]}", with their mean.')
            else:
                size = next(len(key) for index, key in keys[at] if index.free(key, word) == word)
            self._give(word, size, [_clipped(value) for value in values])
            fates += [("aligned" if abs(value) <= 1 else "out of range", word) for value in values]
        return fates

    def _keys(self, word: str) -> list[tuple[_Index, Key]]:
        """What to look for, from as written to alike, each once."""
        tries = [
            (self._exact, (word,)),  # alone, a word of the review can be two: what is around it joins it
            (self._exact, _key(word, str)),
            (self._loose, _key(word, alike)),
            (self._loose, _key(_bare(word), alike)),
        ]
        return [each for at, each in enumerate(tries) if each[1] and each not in tries[:at]]

    def _find(self, keys: list[tuple[_Index, Key]], pieces: list[str]) -> tuple[int | None, int]:
        """The word that is meant, and how many pairs, from the first on, mean it."""
        spelled = _spelled(pieces)
        for at in range(self._next, min(self._next + REACH, len(self._taken))):  # what comes next, before all else
            if any(index.free(key, at) == at for index, key in keys):
                return at, 1
            if not self._taken[at] and self._alike[at] in spelled:
                return at, spelled[self._alike[at]]
        for start in (self._next, 0):
            for index, key in keys:
                found = index.free(key, start)
                if found is not None:
                    return found, 1
        for start in (self._next, 0):
            for whole, count in spelled.items():
                found = self._loose.free((whole,), start)
                if found is not None:
                    return found, count
        return None, 1

    def _give(self, word: int, size: int, values: Sequence[float]) -> None:
        """The mean of the values to `size` words from `word` on."""
        for at in range(word, word + size):
            self._taken[at] = True
            self.scores[at] = math.fsum(values) / len(values)
        self._next = word + size


def _spelled(pieces: Sequence[str]) -> dict[str, int]:
    """What the first two, three, … pieces spell together, and how many they are."""
    spelled: dict[str, int] = {}
    whole = pieces[0]
    if not whole:
        return spelled
    for count, piece in enumerate(pieces[1:], 2):
        whole += piece
        if piece:
            spelled[whole] = count
    return spelled


def _clipped(value: float) -> float:
    return min(max(value, -1.0), 1.0)
