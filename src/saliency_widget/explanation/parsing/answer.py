"""The whole parser: from an answer to pairs, a class and problems."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, overload

from .choosing import Chosen, choose
from .classes import stated_classes
from .entries import shown
from .labels import L, Label, Labels, homework_labels, labels_of
from .lists import FoundList
from .literals import CLOSERS, LONGEST_WORD, OPEN_QUOTES, OPENERS
from .prose import class_by_prose
from .thinking import without_thinking
from .tuples import each_tuple

MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class Parsed(Generic[L]):
    """A parsed answer: the pairs in order (finite, not clipped), the class or None, and the problems."""

    pairs: list[tuple[str, float]]
    label: L | None
    problems: list[str]
    is_dictionary: bool = field(default=False, compare=False)  # in which one key stands for all occurrences


@overload
def parse_scores(
    answer: str, text: str | None = None, labels: None = None, *, check: Callable[[], None] = ...
) -> Parsed[Label]: ...


@overload
def parse_scores(
    answer: str,
    text: str | None = None,
    labels: Iterable[Hashable] | Mapping[Hashable, float | str] = ...,
    *,
    check: Callable[[], None] = ...,
) -> Parsed[Hashable]: ...


def parse_scores(
    answer: str,
    text: str | None = None,
    labels: Iterable[Any] | Mapping[Any, float | str] | None = None,
    *,
    check: Callable[[], None] = lambda: None,
) -> Parsed[Any]:
    """Read the pairs (word, number) and the class in a model's answer. Any answer is taken; none raises.

    The time is linear in the length of the answer.

    Args:
        answer: what the model wrote, its thinking included.
        text: what the answer speaks of. Of several lists, the one that names the words of the text counts.
        labels: the names of the classes, or {name: how it is written}, a number or a text; `label` is one of the names.
            None: the homework's positive and negative, and `label` is 1 or -1. Without any, no class is looked for.
        check: called before each time that the answer is gone over; it may raise to stop.

    Returns:
        Parsed: `problems` are short sentences on all that was missing, guessed or left out: at most 20, and how many
        more there are.
    """
    if labels is None:
        return _read(answer, text, homework_labels(), check)
    return _read(answer, text, labels_of(labels), check)


def decided_class(text: str, given: Mapping[Any, float | str] | None = None) -> Any:
    """Return the class that free prose decides on, or None where it decides on none or contradicts itself.

    `given`: the labels, as `parse_scores` takes them; None for the homework's 1 and -1.
    """
    answer, thinking = without_thinking(text)
    said = answer if answer.strip() else thinking
    labels: Labels[Any] = homework_labels() if given is None else labels_of(given)
    stated, _ = stated_classes(said, labels)
    if not stated:
        return class_by_prose(said, labels)
    return stated[-1] if len(set(stated)) == 1 else None


def _read(answer: str, text: str | None, labels: Labels[L], check: Callable[[], None]) -> Parsed[L]:
    """Parse the answer; if it holds no list, parse the thinking before it."""
    said, thinking = without_thinking(answer)
    parsed = _parse(said, text, labels, check)
    if thinking.strip() and not parsed.pairs:
        drafted = _parse(thinking, text, labels, check)
        if parsed.label is None and (drafted.pairs or drafted.label is not None or not said.strip()):
            problems = ["Nothing follows the thinking; this is from the thinking itself.", *drafted.problems]
            parsed = replace(drafted, problems=problems)
        elif drafted.pairs:
            problems = ["The list is from the thinking; only the class comes after it.", *drafted.problems]
            parsed = replace(drafted, label=parsed.label, problems=problems)
    return replace(parsed, problems=_few(parsed.problems))


def _parse(answer: str, text: str | None, labels: Labels[L], check: Callable[[], None]) -> Parsed[L]:
    answer = _plain(answer)
    chosen = choose(answer, text, labels, check)
    outside = _outside(answer, chosen)
    stated, about_class = stated_classes(outside, labels) if labels else ([], [])
    label = stated[-1] if stated else class_by_prose(outside, labels) if labels else None
    if len(set(stated)) > 1:
        about_class.append("The classes contradict each other; the last counts.")
    elif label is None and labels:
        about_class.append("There is no class.")
    if not chosen.parts:
        return Parsed([], label, [*_no_list(answer), *about_class])
    problems = list(chosen.problems)
    for part in chosen.parts:
        for entry in part.entries:
            if entry.value is None:
                problems.append(f"There is no number for {shown(entry.word)}.")
            problems += [entry.note] if entry.note else []
    problems += [*_end_of_list(answer, chosen.parts[-1]), *about_class]
    return Parsed(chosen.pairs, label, problems, chosen.is_dictionary)


_IN_LATEX = re.compile(r"\\(?:text(?:bf|it|tt|rm|sf)?|math(?:rm|it|bf|tt)|emph)\{([^{}\\]{1,80})\}")
_NUMBER_IN_LATEX = re.compile(r"\$\s?([-+−–]?\s?\d{1,9}(?:[.,]\d{1,9})?)\s?\$")
_KEYCAP = re.compile(r"(\d)\ufe0f?\u20e3")
_STRUCK = re.compile(r"~~[^~\n]{1,80}~~[^\S\n]?")
_ENTITY = re.compile(r"&(?:quot|#34|#39|apos|#x27);")
_ENTITIES = {"&quot;": '"', "&#34;": '"'}


def _plain(answer: str) -> str:
    """Return the answer without LaTeX's marks of words and numbers, what is struck out, and entities for quotes."""
    answer = _IN_LATEX.sub(r"\1", answer) if "\\" in answer else answer
    answer = _NUMBER_IN_LATEX.sub(r"\1", answer) if "$" in answer else answer
    answer = _KEYCAP.sub(r"\1", answer) if "\u20e3" in answer else answer
    answer = _STRUCK.sub("", answer) if "~~" in answer else answer
    if answer.count('\\"') > 3 and 2 * answer.count('\\"') >= answer.count('"'):  # written as one string
        answer = answer.replace('\\"', '"').replace("\\n", "\n")
    return _ENTITY.sub(lambda found: _ENTITIES.get(found[0], "'"), answer) if "&" in answer else answer


_BULLET = re.compile(r"(?:(?<=\n)|\A)[^\S\n]{0,8}(?:[-*•]|\(?\d{1,4}[.)、])[^\S\n]{0,8}\Z")  # of the list's first line


def _outside(answer: str, chosen: Chosen) -> str:
    """Return the answer with a line break in place of each list."""
    parts: list[str] = []
    at = 0
    answer = answer[: chosen.end]
    for found in chosen.found:
        parts.append(_BULLET.sub("", answer[at : found.start]))
        at = found.end
    return "\n".join([*parts, answer[at:]])


# ── problems ─────────────────────────────────────────────────────────────────────────────────────────────────────

_BEGUN = re.compile(rf"[{OPENERS}]\s*+[{OPENERS}]\s*+[{OPEN_QUOTES}][^{OPENERS}{CLOSERS}]{{0,80}}\Z")
_UNFINISHED = re.compile(rf"[{OPENERS}{OPEN_QUOTES}][^\]}}]*")
_ELLIPSIS = re.compile(r"[\s,，、]{0,40}(?:\.\.\.|…)")


def _no_list(text: str) -> list[str]:
    """Return the problem of an answer without a list: cut off at once, unreadable numbers, or nothing like a list."""
    if _BEGUN.search(text, max(len(text) - 2 * LONGEST_WORD, 0)):
        return ["The list breaks off after 0 pairs."]
    words = [entry.word for entry in each_tuple(text) if entry.value is None and entry.quoted]
    return ["There is no list of pairs.", *(f"There is no number for {shown(word)}." for word in words)]


def _end_of_list(text: str, best: FoundList) -> list[str]:
    """Return the problems of the list's end."""
    rest = text[best.end :]
    if _ELLIPSIS.match(rest):
        return ["The list is abbreviated: there are three dots in it."]
    rest = rest.replace("```", "").strip(" \t\r\n,，、;")
    if best.brackets and (not rest or _UNFINISHED.fullmatch(rest)):
        size = len(best.pairs)
        return [f"The list breaks off after {size} pair{'s' * (size != 1)}."]
    return []


def _few(problems: list[str]) -> list[str]:
    """Return each problem once: the first 20, and the number of the others."""
    problems = list(dict.fromkeys(problems))
    more = len(problems) - MOST_PROBLEMS
    return [*problems[:MOST_PROBLEMS], f"… and {more} more."] if more > 0 else problems
