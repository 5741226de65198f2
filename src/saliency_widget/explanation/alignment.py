"""The alignment of a model's pairs (word, importance) with the words of a review.

The rules:

word      Words follow the Unicode word boundaries (UAX #29): "don't" and "3.5" are one word, "well-made" is three. A
          Chinese character, a run of equal punctuation marks, an HTML tag and an entity are one word each. White space
          belongs to none.
same      A pair matches a word as written; otherwise in another case, width or kind of quotes, inside quotes or with a
          tokenizer's marks; otherwise with other dashes or accents, in simplified or traditional Chinese, as an HTML
          entity, or beside a tag, number or remark ("very (2)", "very_2"); otherwise joined or split differently
          ("isnt").
order     A pair matches the next free word after the last match; if there is none, the first free word. So repeated
          words are matched in turn, and pairs out of order still find their words.
several   "machine learning" gives its value to both words. "do" and "n't" in sequence give "don't" the strongest of
          their values, and a note.
repeats   "very (2)", if it is the only pair for "very", is a count and matches the first two. A dictionary names each
          word once: with `everywhere`, its value is given to all occurrences of the word.
clipped   A score is in [-1, 1]; a value beyond is "out of range" and is clipped.

The time is n log n in words and pairs.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import unescape
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from ..models.text.tokens import word_starts
from ..types import Fate
from .chinese import TO_SIMPLIFIED

MOST_PIECES = 8  # pairs that together spell one word
MOST_JOINED = 4  # words of the review that a pair writes as one
LONGEST_PHRASE = 24  # words that one pair names
MOST_NOTES = 5
_CHECK_INTERVAL = 1_000  # pairs between two calls of `check`
REACH = 4  # the number of next words that are tried before all words


class Word(NamedTuple):
    """A word or punctuation mark, with its range of code points [start, end) in the review."""

    text: str
    span: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair as the model wrote it, and its fate. `at`: the index of the (first) matched word, or None."""

    word: str
    value: float
    fate: Fate
    at: int | None


@dataclass(frozen=True, slots=True)
class Alignment:
    """The words of a review with scores in [-1, 1] or None, the pairs in their order, and sentences on problems."""

    words: tuple[Word, ...]
    scores: tuple[float | None, ...]
    pairs: tuple[Pair, ...]
    problems: tuple[str, ...]

    @property
    def covered(self) -> float:
        """Return the share of words that have a score, in [0, 1]; 1 if there are no words."""
        return sum(score is not None for score in self.scores) / len(self.scores) if self.scores else 1.0


# A tag and an entity are one unit each: <br />, <b>, &amp;.
_UNIT = re.compile(
    r"""</?[A-Za-z][A-Za-z0-9]{0,15}(?:\s{1,4}[\w:-]{1,30}\s?=\s?(?:"[^"<>]{0,200}"|'[^'<>]{0,200}'))*+\s{0,4}/?>
    | &(?:[A-Za-z]{2,8}|\#\d{1,6}|\#x[0-9a-fA-F]{1,6});""",
    re.VERBOSE,
)


def words_of(text: str) -> list[Word]:
    """Return the words and punctuation marks of a text, in order. The module's docstring defines a word."""
    starts: list[int] = list(word_starts(text))
    units = [found.span() for found in _UNIT.finditer(text)] if "<" in text or "&" in text else []
    if units:
        inside = {at for start, end in units for at in range(start + 1, end)}
        starts = sorted({at for at in starts if at not in inside}.union(*units) - {len(text)})
    words = []
    for start, end in pairwise([*starts, len(text)]):
        bare = text[start:end].lstrip()  # word_starts puts the space before a word into it
        if bare:
            words.append(Word(bare, (end - len(bare), end)))
    return words


def align(
    review: str,
    pairs: Sequence[tuple[str, float]],
    check: Callable[[], None] = lambda: None,
    *,
    everywhere: bool = False,
) -> Alignment:
    """Match each pair (word, finite value) with words of the review, by the rules of the module. Never raises itself.

    `check` is called at every thousandth pair, and may raise to stop. `everywhere`: the pairs come from a dictionary,
    which cannot name a word twice, so each is for all occurrences of its word.
    """
    words = words_of(review)
    aligner = _Aligner([word.text for word in words], check)
    fates = aligner.run(pairs)
    if everywhere:
        aligner.fill(pairs, fates)
    given = tuple(Pair(word, value, fate, at) for (word, value), (fate, at) in zip(pairs, fates, strict=True))
    problems = [*_problems(given, aligner.scores), *aligner.notes[:MOST_NOTES]]
    if len(aligner.notes) > MOST_NOTES:
        problems.append(f"… and {len(aligner.notes) - MOST_NOTES} more notes of this kind.")
    return Alignment(tuple(words), tuple(aligner.scores), given, tuple(problems))


def _problems(pairs: Sequence[Pair], scores: Sequence[float | None]) -> list[str]:
    """Return a sentence for each kind of word without a score and of pair without a word."""
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
_PIECE_MARKS = ("##", "▁", "Ġ")  # tokenizers' marks of pieces that continue, or begin, a word
Key: TypeAlias = tuple[str, ...]


_UNSEEN = dict.fromkeys(map(ord, "\ufe0e\ufe0f\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f"))  # selectors, joiners
_SKIN = dict.fromkeys(range(0x1F3FB, 0x1F400))  # the tones of an emoji's skin


def alike(word: str) -> str:
    """Return the same for words that differ in case, width, kind of quotes or by unseen characters only.

    White space in a tag does not count either.
    """
    if word[:1] == "<" and len(word) > 2:
        word = "".join(word.split())
    if word.isascii():
        return word.translate(_QUOTES).casefold()
    word = unicodedata.normalize("NFKC", word)
    word = word.translate(_UNSEEN) or word
    return (word.translate(_SKIN) or word).translate(_QUOTES).casefold()


_ACCENT = re.compile("[\u0300-\u036f]+")
_DASHES = re.compile("-{2,}")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,80}>")
_BESIDE = re.compile(
    r"(?P<word>.{0,80}?\S)\s?(?:[(\[]\s?(?:[x×#]\s?)?(?P<count>\d{1,3})?[^()\[\]]{0,40}[)\]]|[x×#]\s?(?P<times>\d{1,3})|_\d{1,2})"
)


def folded(word: str) -> str:
    """Return the same for words that differ in accents, dashes, or between simplified and traditional Chinese, too."""
    word = alike(unescape(word) if word[:1] == "&" else word)
    if word.isascii():
        return '"' if word in ("''", "``") else _DASHES.sub("-", word)
    plain = _ACCENT.sub("", unicodedata.normalize("NFD", word)) or word
    return _DASHES.sub("-", unicodedata.normalize("NFC", plain)).translate(TO_SIMPLIFIED)


def _letters(word: str) -> str:
    """Return the letters and digits of a word, folded: the same for "isn't" and "isnt"."""
    return "".join(filter(str.isalnum, folded(word)))


def _stripped(word: str) -> str:
    """Return a word without what a model may write around it: entities, tags, marks of Markdown, quotes."""
    word = unescape(word) if "&" in word else word
    word = (_TAG.sub("", word) or word) if "<" in word else word
    return _bare(word.strip("*_ ") or word)


def _piece(word: str) -> str:
    """Return a word without surrounding white space and a tokenizer's mark, unless nothing else is left."""
    word = word.strip()
    for mark in _PIECE_MARKS:
        word = word.removeprefix(mark) or word
    return word


def _bare(word: str) -> str:
    """Return a word without surrounding quotes, white space and a tokenizer's mark, unless nothing else is left."""
    word = _piece(word)
    return word.strip("\"'“”‘’«»「」『』` ") or word


def _key(word: str, same: Callable[[str], str]) -> Key:
    return tuple(same(part.text) for part in words_of(word))


# ── the alignment ────────────────────────────────────────────────────────────────────────────────────────────────


class _Index:
    """An index of the places where sequences of words occur in the review, and of the free ones among them.

    `span`: the number of words of the review that each of `words` joins.
    """

    def __init__(self, words: Sequence[str], taken: Sequence[bool], span: int = 1) -> None:
        self._words = words
        self.span = span
        self._taken = taken
        self._places: dict[int, dict[Key, list[int]]] = {}  # for each length, where each sequence begins
        self._skips: dict[Key, list[int]] = {}  # for each place, a later one with no free place between

    def places(self, key: Key) -> list[int]:
        """Return the indices of the words at which the sequence begins, in order."""
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
        """Return the first place at or after `start` at which all words of the sequence are free, or None."""
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
            elif any(self._taken[places[at] : places[at] + len(key) + self.span - 1]):  # taken words stay taken
                passed.append(at)
                skips[at] = at + 1
                at += 1
            else:
                break
        for each in passed:
            skips[each] = at
        return places[at] if first <= at < len(places) else None


class _Aligner:
    """Matches pairs with words, one pair after another."""

    def __init__(self, words: Sequence[str], check: Callable[[], None]) -> None:
        self._check = check
        self.scores: list[float | None] = [None] * len(words)
        self.notes: list[str] = []
        self._shown = words
        self._taken = [False] * len(words)
        self._alike = [alike(word) for word in words]
        self._exact = _Index(words, self._taken)
        self._loose = _Index(self._alike, self._taken)
        self._folded = _Index([folded(word) for word in words], self._taken)
        self._joined: list[_Index] | None = None  # of 1 to 4 joined words, made when first needed
        self._next = 0  # the word after the last match

    def run(self, pairs: Sequence[tuple[str, float]]) -> list[tuple[Fate, int | None]]:
        """Return for each pair its fate and the index of its first word."""
        fates: list[tuple[Fate, int | None]] = []
        keys: list[list[tuple[_Index, Key]]] = []
        pieces: list[str] = []
        counts = self._counts(pairs)
        for at, (given, _) in enumerate(pairs):
            if at % _CHECK_INTERVAL == 0:
                self._check()
            keys.append(self._keys(given))
            pieces.append(alike(_piece(given)))
        while len(fates) < len(pairs):
            at = len(fates)
            if at % _CHECK_INTERVAL == 0:  # most steps take one pair, so most multiples are reached
                self._check()
            word, count = self._find(keys[at], pieces[at : at + MOST_PIECES])
            if word is None:
                keys[at] += self._far_keys(pairs[at][0])
                word = self._anywhere(keys[at])
            values = [value for _, value in pairs[at : at + count]]
            if word is None:
                known = any(index.places(key) for index, key in keys[at])
                fates.append(("repeated" if known else "invented", None))
                continue
            size = 1
            if count > 1:
                spelled = " + ".join(f'"{given}"' for given, _ in pairs[at : at + count])
                self.notes.append(f'{spelled} are read as one word, "{self._shown[word]}", with the strongest value.')
            else:
                size = next(len(key) + index.span - 1 for index, key in keys[at] if index.free(key, word) == word)
            self._give(word, size, [_clipped(value) for value in values])
            places = 1
            while places < counts.get(at, 1) and (again := self._anywhere(keys[at])) is not None:
                self._give(
                    again, size, [_clipped(value) for value in values]
                )  # "very (2)" matches the next one as well
                places += 1
            if places > 1:
                self.notes.append(f'"{pairs[at][0]}" is read as a count: it is for {places} places.')
            fates += [("aligned" if abs(value) <= 1 else "out of range", word) for value in values]
        return fates

    def _keys(self, word: str) -> list[tuple[_Index, Key]]:
        """Return the keys to look up, from exact to similar, each once."""
        tries = [
            (self._exact, (word,)),  # words_of may split a word that the review's context joins
            (self._exact, _key(word, str)),
            (self._loose, _key(word, alike)),
            (self._loose, _key(_bare(word), alike)),
            (self._folded, _key(_bare(word), folded)),
        ]
        stripped = _stripped(word)
        if stripped != word:
            tries.append((self._folded, _key(stripped, folded)))
        return [each for at, each in enumerate(tries) if each[1] and each not in tries[:at]]

    def _far_keys(self, word: str) -> list[tuple[_Index, Key]]:
        """Return the keys to look up if no other key matches: without remarks beside the word, or joined."""
        if self._joined is None:
            letters = [_letters(word) for word in self._shown]
            self._joined = [_Index(_windows(letters, span), self._taken, span) for span in range(1, MOST_JOINED + 1)]
        beside = _BESIDE.fullmatch(_stripped(word))
        bare = beside["word"] if beside else _stripped(word).strip(".,;:!?") or word
        tries = [(self._folded, _key(bare, folded))]
        letters_of = _letters(bare)
        if letters_of:
            tries += [(index, (letters_of,)) for index in self._joined]
        return [each for each in tries if each[1]]

    def _counts(self, pairs: Sequence[tuple[str, float]]) -> dict[int, int]:
        """Return, by the index of each pair that is written with a count ("very (2)"), the number of its words.

        If another pair names the same word, the number is no count but an index, and each pair matches one word.
        """
        counted: dict[int, tuple[str, int]] = {}
        named: Counter[str] = Counter()
        for at, (word, _) in enumerate(pairs):
            found = _BESIDE.fullmatch(word.strip()) if word[-1:].isdigit() or word.strip()[-1:] in (")", "]") else None
            number = found and (found["count"] or found["times"])
            named[folded(found["word"] if found else word)] += 1
            if found and number and not self._loose.places(_key(word, alike)):
                counted[at] = folded(found["word"]), int(number)
        return {at: number for at, (word, number) in counted.items() if named[word] == 1 and number > 1}

    def _find(self, keys: list[tuple[_Index, Key]], pieces: list[str]) -> tuple[int | None, int]:
        """Return the index of the matched word, or None, and the number of pairs, from the first on, that spell it."""
        spelled = _spelled(pieces)
        for at in range(self._next, min(self._next + REACH, len(self._taken))):  # try the next words first
            if any(index.free(key, at) == at for index, key in keys):
                return at, 1
            if not self._taken[at] and self._alike[at] in spelled:
                return at, spelled[self._alike[at]]
        found = self._anywhere(keys)
        if found is not None:
            return found, 1
        for start in (self._next, 0):
            for whole, count in spelled.items():
                found = self._loose.free((whole,), start)
                if found is not None:
                    return found, count
        return None, 1

    def _anywhere(self, keys: Sequence[tuple[_Index, Key]]) -> int | None:
        """Return the next free place of any of the keys after the last match, otherwise the first free place."""
        for start in (self._next, 0):
            for index, key in keys:
                found = index.free(key, start)
                if found is not None:
                    return found
        return None

    def _give(self, word: int, size: int, values: Sequence[float]) -> None:
        """Assign the strongest of the values to `size` words from `word` on."""
        for at in range(word, word + size):
            self._taken[at] = True
            self.scores[at] = max(values, key=abs)
        self._next = word + size

    def fill(self, pairs: Sequence[tuple[str, float]], fates: Sequence[tuple[Fate, int | None]]) -> None:
        """Assign to each word without a score the value of a pair that names it, exactly or folded, with a note."""
        exact: dict[str, float] = {}
        loose: dict[str, float] = {}
        for (word, value), (_, at) in zip(pairs, fates, strict=True):
            if at is not None:
                exact.setdefault(word, _clipped(value))
                loose.setdefault(folded(word), _clipped(value))
        filled: Counter[str] = Counter()
        for at, score in enumerate(self.scores):
            word = self._shown[at]
            known = exact[word] if word in exact else loose.get(folded(word))
            if score is None and known is not None:
                self.scores[at] = known
                filled[word] += 1
        self.notes += [
            f'"{word}" is named once; its value is taken for {count} more place{"s" * (count > 1)}.'
            for word, count in filled.items()
        ]


def _windows(letters: Sequence[str], span: int) -> list[str]:
    """Return for each word the joined letters of `span` words from it on; "" if the first or last has no letters."""
    last = len(letters) - span + 1
    return ["".join(letters[at : at + span]) if letters[at] and letters[at + span - 1] else "" for at in range(last)]


def _spelled(pieces: Sequence[str]) -> dict[str, int]:
    """Return the words that the first two, three, … pieces spell together, with the number of their pieces."""
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
