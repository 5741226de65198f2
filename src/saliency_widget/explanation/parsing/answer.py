"""The pairs, the class, and what was wrong, in the whole of an answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .classes import Label, stated_classes
from .entries import shown
from .lists import FoundList, lists_in
from .literals import CLOSERS, LONGEST_WORD, OPEN_QUOTES, OPENERS
from .prose import class_by_prose
from .tuples import each_tuple

MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class Parsed:
    """What was read: the pairs in order (finite, as written, not clipped), the class, and what was wrong."""

    pairs: list[tuple[str, float]]
    label: Label | None
    problems: list[str]


def parse_scores(text: str, check: Callable[[], None] = lambda: None) -> Parsed:
    """The pairs and the class in a model's answer. Takes any text, never raises, takes time linear in its length.

    `problems`: short sentences on all that was missing, guessed or left out; at most 20, and how many more there are.
    `check` is called before each time that the text is gone over, and may raise to stop.
    """
    answer, thinking = _without_thinking(text)
    parsed = _parse(answer, check)
    if thinking.strip() and not parsed.pairs and parsed.label is None:
        drafted = _parse(thinking, check)
        if drafted.pairs or drafted.label is not None or not answer.strip():
            problems = ["Nothing follows the thinking; this is from the thinking itself.", *drafted.problems]
            parsed = Parsed(drafted.pairs, drafted.label, problems)
    return Parsed(parsed.pairs, parsed.label, _few(parsed.problems))


def decided_class(text: str) -> Label | None:
    """The class that free prose decides on: 1, -1, or None where it decides on none or contradicts itself."""
    answer, thinking = _without_thinking(text)
    said = answer if answer.strip() else thinking
    stated, _ = stated_classes(said)
    if not stated:
        return class_by_prose(said)
    return stated[-1] if len(set(stated)) == 1 else None


def _parse(text: str, check: Callable[[], None]) -> Parsed:
    lists = lists_in(text, check)
    check()
    label, about_class = _label(_outside(text, lists))
    if not lists:
        return Parsed([], label, [*_no_list(text), *about_class])
    best = max(lists, key=lambda found: (len(found.pairs), found.start))
    problems = [f"There are {len(lists)} lists; the longest is taken."] if len(lists) > 1 else []
    for entry in best.entries:
        if entry.value is None:
            problems.append(f"There is no number for {shown(entry.word)}.")
        problems += [entry.note] if entry.note else []
    return Parsed(best.pairs, label, [*problems, *_end_of_list(text, best), *about_class])


def _outside(text: str, lists: list[FoundList]) -> str:
    """The text without the lists, each of which becomes a line's end."""
    parts: list[str] = []
    at = 0
    for found in lists:
        parts.append(text[at : found.start])
        at = found.end
    return "\n".join([*parts, text[at:]])


def _label(text: str) -> tuple[Label | None, list[str]]:
    """The class in what is no list, and what is wrong with it."""
    stated, problems = stated_classes(text)
    if stated:
        return stated[-1], problems + ["The classes contradict each other; the last counts."] * (len(set(stated)) > 1)
    label = class_by_prose(text)
    return label, problems + ["There is no class."] * (label is None)


# ── problems ─────────────────────────────────────────────────────────────────────────────────────────────────────

_BEGUN = re.compile(rf"[{OPENERS}]\s*+[{OPENERS}]\s*+[{OPEN_QUOTES}][^{OPENERS}{CLOSERS}]{{0,80}}\Z")
_UNFINISHED = re.compile(rf"[{OPENERS}{OPEN_QUOTES}][^\]}}]*")
_ELLIPSIS = re.compile(r"[\s,，、]{0,40}(?:\.\.\.|…)")


def _no_list(text: str) -> list[str]:
    """Why there is none: it breaks off at once, its numbers cannot be read, or there is nothing like it."""
    if _BEGUN.search(text, max(len(text) - 2 * LONGEST_WORD, 0)):
        return ["The list breaks off after 0 pairs."]
    words = [entry.word for entry in each_tuple(text) if entry.value is None and entry.quoted]
    return ["There is no list of pairs.", *(f"There is no number for {shown(word)}." for word in words)]


def _end_of_list(text: str, best: FoundList) -> list[str]:
    """What is to be said of how the list ends."""
    rest = text[best.end :]
    if _ELLIPSIS.match(rest):
        return ["The list is abbreviated: there are three dots in it."]
    rest = rest.replace("```", "").strip(" \t\r\n,，、;")
    if best.brackets and (not rest or _UNFINISHED.fullmatch(rest)):
        size = len(best.pairs)
        return [f"The list breaks off after {size} pair{'s' * (size != 1)}."]
    return []


def _few(problems: list[str]) -> list[str]:
    """Each once, the first 20, and how many more there are."""
    problems = list(dict.fromkeys(problems))
    more = len(problems) - MOST_PROBLEMS
    return [*problems[:MOST_PROBLEMS], f"… and {more} more."] if more > 0 else problems


# ── thinking ─────────────────────────────────────────────────────────────────────────────────────────────────────

# An opening tag begins a line and a closing one is not within quotes: both can be words of a review.
_THINK = re.compile(
    r"""(?P<open>(?:^|\n)[^\S\n]{0,8}<(?:think|thinking|thought|reasoning)>)
      | (?P<close></(?:think|thinking|thought|reasoning)>)(?!["'”’])""",
    re.IGNORECASE | re.VERBOSE,
)


def _without_thinking(text: str) -> tuple[str, str]:
    """The answer, and what was thought before it. A closing tag without an opening one ends what the prompt began."""
    answer: list[str] = []
    thoughts: list[str] = []
    at, inside = 0, False
    for tag in _THINK.finditer(text):
        part, at = text[at : tag.start()], tag.end()
        if tag["close"] and not inside:  # all before it was thought, whatever it looked like
            thoughts += [*answer, part]
            answer = []
        else:
            (thoughts if inside else answer).append(part)
        inside = bool(tag["open"])
    (thoughts if inside else answer).append(text[at:])
    return "\n".join(answer), "\n".join(thoughts)
