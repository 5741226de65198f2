"""The choice among several lists in an answer: drafts, corrections, parts, excerpts and examples.

There are three steps, from the lists that the readers find:

disjoint  If several readers read the same passage, the list with the most pairs counts. A list in brackets is preferred
          to one without that is longer by one pair.
parts     A list that names other words (of the text, if it is given: other occurrences) than the list before continues
          it: words under several headings, a list for each sentence.
choice    The list with most words of the text wins; invented words count against it. Of nearly equal lists the last
          wins, because a correction comes after its draft. An example of the form never wins.
"""

from __future__ import annotations

import re
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..alignment import folded, words_of
from .classes import stated_classes
from .labels import L, Labels
from .lists import FoundList, lists_of
from .literals import LONGEST_WORD
from .objects import in_objects
from .readers import READERS

NEARLY = 0.8  # share of the best score above which a later list wins
_CORRECTED = 0.5  # the same for a list that is called a correction
_SHARED = 0.25  # share of the shorter list's words above which two lists are versions of one
_SHARED_BY_PARTS = 0.75  # the same for lists that are called sentences or parts
_BEFORE = 200  # characters before a list that may describe it
_MOST_PARTS = 50
_HEADING = re.compile(r"[^\n]{0,80}[:：*]|[#*_][^\n]{0,80}")
_SENTENCE_ENDS = frozenset(".!?…。！？;；:：")
_LONGEST_GAP = 400  # between the parts of a list
_MOST_UNKNOWN = 1_000  # pieces that are looked for inside the words of the text

_CORRECTION = re.compile(
    r"\b(?:wait|correct(?:ed|ion)?|actually|revis(?:ed|ion)|instead|updated?|fixed|sorry|apologi|mistake|oops|redo|"
    r"refined|adjusted|improved|final|korrig|corrig|correg)|更正|修正|修改|抱歉|最终|最終|訂正",
    re.IGNORECASE,
)
_EXCERPT = re.compile(
    r"\b(?:most|top|key|strongest|highest|lowest|main|notabl[ey]|highlights?|drivers?|summary|especially)\b|"
    r"in particular|最重要|关键|關鍵|主要|besonders|wichtigste|más importante|plus important",
    re.IGNORECASE,
)
_EXAMPLE = re.compile(
    r"\b(?:examples?|e\.g|format|template|for instance|sample|beispiel|ejemplo|exemple)\b|例如|示例|格式", re.IGNORECASE
)
_PART = re.compile(
    r"\b(?:sentence|part|line|clause|segment|paragraph|chunk|half|continued|remaining|rest|satz|teil|phrase|frase|"
    r"oración|partie|parte)\b|部分|第.{1,3}句|句子|続き",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The chosen list, in its parts. `found`: all lists, in which no class is searched."""

    parts: tuple[FoundList, ...]
    found: tuple[FoundList, ...]
    end: int  # where a list about another text begins, or the answer ends
    problems: tuple[str, ...]

    @property
    def pairs(self) -> list[tuple[str, float]]:
        """Return the pairs of all parts, in order."""
        return [pair for part in self.parts for pair in part.pairs]

    @property
    def is_dictionary(self) -> bool:
        """Return whether the words are the keys of dictionaries."""
        entries = [entry for part in self.parts for entry in part.entries if READERS[part.rank].read is in_objects]
        return bool(entries) and all(entry.name for entry in entries)


def choose(answer: str, text: str | None, labels: Labels[L], check: Callable[[], None]) -> Chosen:
    """Return the chosen list of an answer. `text`: the explained text. `check` is called before each reader."""
    words = _Words(text)
    found: list[FoundList] = []
    for rank, (read, _) in enumerate(READERS):
        check()
        found += lists_of(answer, read(answer), rank, words.known, labels)
    check()
    lists = _disjoint(found)
    if not lists:
        return Chosen((), (), len(answer), ())
    runs = _runs(answer, lists, words, labels)
    best = _best(answer, runs, words)
    chosen = runs[best]
    reader = chosen[0].rank
    half = max(sum(len(part.pairs) for part in chosen) / 2, 2)
    said = [run for run in runs if run[0].rank == reader or sum(len(part.pairs) for part in run) >= half]
    problems = []
    if len(said) > 1:
        problems.append(f"There are {len(said)} lists; {_why(said, chosen, text is not None)} is taken.")
    if len(chosen) > 1:
        problems.append(f"The list is in {len(chosen)} parts, which are put together.")
    found = [part for run in said for part in run]
    foreign = (run[0].start for run in runs[best + 1 :] if text is not None and not words.said(run))
    return Chosen(tuple(chosen), tuple(found), next(foreign, len(answer)), tuple(problems))


def _why(runs: Sequence[Sequence[FoundList]], chosen: Sequence[FoundList], with_text: bool) -> str:
    sizes = [sum(len(part.pairs) for part in run) for run in runs]
    if sum(len(part.pairs) for part in chosen) == max(sizes):
        return "the longest"
    return "the one that speaks of the text" if with_text else "the last" if runs[-1] is chosen else "one of them"


# ── what a list says of the text ─────────────────────────────────────────────────────────────────────────────────


class _Words:
    """The words of the explained text, if it is given."""

    def __init__(self, text: str | None) -> None:
        self._text = None if text is None else folded(text)
        self._counts = None if text is None else Counter(folded(word.text) for word in words_of(text))
        self._pieces: dict[str, tuple[str, ...]] = {}
        self._inside: dict[str, bool] = {}

    def pieces(self, word: str) -> tuple[str, ...]:
        """Return the folded words in a word of a list."""
        if word not in self._pieces:
            self._pieces[word] = tuple(folded(part.text) for part in words_of(word.strip())) or ("",)
        return self._pieces[word]

    def known(self, word: str) -> bool | None:
        """Return whether a word is in the text; None if no text is given."""
        if self._counts is None or self._text is None:
            return None
        if all(piece in self._counts for piece in self.pieces(word)):
            return True
        whole = folded(word.strip())
        if "'" not in whole or len(whole) > LONGEST_WORD:
            return False
        if whole not in self._inside and len(self._inside) < _MOST_UNKNOWN:
            self._inside[whole] = whole in self._text  # n't, 's
        return self._inside.get(whole, False)

    def said(self, lists: Sequence[FoundList]) -> Counter[str]:
        """Return how often the lists name each word, at most as often as the text contains it."""
        counts = Counter(self._name(word) for each in lists for word, _ in each.pairs)
        if self._counts is None:
            return counts
        known = {word: count for word, count in counts.items() if self.known(word)}
        return Counter({word: min(count, self._counts.get(word, 1)) for word, count in known.items()})

    def score(self, lists: Sequence[FoundList]) -> float:
        """Return the number of the lists' words in the text, minus half the number of invented words."""
        size = sum(len(each.pairs) for each in lists)
        said = self.said(lists).total()
        return said - (size - said) / 2 if self._counts is not None else size

    def share(self, lists: Sequence[FoundList], more: FoundList) -> float:
        """Return the share of the shorter list's words that both lists name, in [0, 1]: 1 for two versions of one."""
        one, other = self.said(lists), self.said([more])
        if self._counts is None:
            one, other = (Counter({w: 1 for w in said if w.isalnum()}) or said for said in (one, other))
            both = (one & other).total()
        else:
            both = one.total() + other.total() - self.said([*lists, more]).total()
        shorter = min(one.total(), other.total())
        return both / shorter if shorter else 1.0

    def _name(self, word: str) -> str:
        return " ".join(self.pieces(word))


# ── the three steps ──────────────────────────────────────────────────────────────────────────────────────────────


def _priority(found: FoundList) -> tuple[int, int, int]:
    return -len(found.pairs) - READERS[found.rank].brackets, found.rank, -found.start


def _disjoint(found: Sequence[FoundList]) -> list[FoundList]:
    """Return lists that do not overlap, in order: the longest, and of equals that of the first reader in the table."""
    places: list[tuple[int, int]] = []
    kept: list[FoundList] = []
    for each in sorted(
        found, key=lambda each: (-len(each.pairs) - READERS[each.rank].brackets, each.rank, -each.start)
    ):
        at = bisect_right(places, (each.start, len(places) + each.end))
        before = at > 0 and places[at - 1][1] > each.start
        after = at < len(places) and places[at][0] < each.end
        if not before and not after:
            insort(places, (each.start, each.end))
            kept.append(each)
    return sorted(kept, key=lambda each: each.start)


def _runs(answer: str, lists: Sequence[FoundList], words: _Words, labels: Labels[L]) -> list[list[FoundList]]:
    """Return the lists, each as the sequence of its parts."""
    runs: list[list[FoundList]] = []
    for each in lists:
        if runs and _goes_on(answer, runs[-1], each, words, labels):
            runs[-1].append(each)
        else:
            runs.append([each])
    return runs


def _goes_on(answer: str, run: Sequence[FoundList], more: FoundList, words: _Words, labels: Labels[L]) -> bool:
    """Return whether a list continues the parts before it."""
    last = run[-1]
    gap = answer[last.end : more.start]
    if last.rank != more.rank or len(gap) > _LONGEST_GAP or len(run) > _MOST_PARTS:
        return False
    if _is_example(answer, last) or _is_example(answer, more):
        return False
    if words.known("") is not None:
        told = words.said([more]).total()
        return told >= len(more.pairs) / 2 and words.share(run, more) <= _SHARED
    if _CORRECTION.search(gap) or _EXCERPT.search(gap) or "```" in gap or stated_classes(gap, labels)[0]:
        return False
    heading = gap.strip(" \t\r\n,，;()[]{}")
    follows = _HEADING.fullmatch(heading) if heading else _ends_within_text(run[0], last, more)
    return bool(follows) and words.share(run, more) <= (_SHARED_BY_PARTS if _PART.search(gap) else _SHARED)


def _ends_within_text(first: FoundList, last: FoundList, more: FoundList) -> bool:
    """Return whether a list ends where its text continues: after a sentence, or before a small letter."""
    if last.pairs[-1][0].strip()[-1:] in _SENTENCE_ENDS:
        return True
    return first.pairs[0][0][:1].isupper() and more.pairs[0][0][:1].islower()


def _best(answer: str, runs: Sequence[Sequence[FoundList]], words: _Words) -> int:
    """Return the index of the chosen run."""
    scores = [words.score(run) for run in runs]
    examples = [_is_example(answer, run[0]) for run in runs]
    if max(scores) <= 0:  # no list names words of the text, so ignore the text
        scores = [float(sum(len(part.pairs) for part in run)) for run in runs]
    most = max(score for score, example in zip(scores, examples, strict=True) if not example or all(examples))
    for at in range(len(runs) - 1, -1, -1):
        if examples[at] and not all(examples):
            continue
        before = answer[max(runs[at - 1][-1].end if at else 0, runs[at][0].start - _BEFORE) : runs[at][0].start]
        enough = _CORRECTED if _CORRECTION.search(before) else 1.0 if _EXCERPT.search(before) else NEARLY
        if scores[at] >= most * enough:
            return at
    return scores.index(most)


def _is_example(answer: str, found: FoundList) -> bool:
    return bool(_EXAMPLE.search(answer[max(found.start - 60, 0) : found.start])) and len(found.pairs) <= 4
