"""The reader of JSON and similar forms: objects, dictionaries, parallel lists; also in wrong quotes or cut off.

One pass over the answer keeps a stack of the open brackets. The content of a bracket is read where it closes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from .entries import Entry, KeyKind, grouped, is_other_key, kind_of_key, noted, shown
from .literals import LITERAL, NUMBER, as_number, number_as, unescaped, value_of

_PART = re.compile(
    rf"""\[\s?(?P<item>{LITERAL})\s?\]\s*+=>?\s*+{number_as("given")}
    | (?P<open>[{{(\[]) | (?P<close>[}})\]])
    | (?: (?<!\\)(?P<key>\"\"\"(?=\s?:)|{LITERAL}) | (?<![\w"'.])(?P<name>[^\W\d]\w{{0,30}}) )
      \s*+(?:[:：]|=>?)\s*+
      (?: (?P<string>\"\"\"(?=\s?[,}}\n])|{LITERAL}) | {NUMBER} | (?P<inside>(?=[{{(\[]))
        | (?P<none>[^\s\[\]{{}}"'“,]{{1,30}}+|,(?=\s*\n)) )
    | (?<!\w)(?P<text>{LITERAL})(?=\s*+[,，\])）])
    | (?<![\w.])(?P<lone>[-+−]?\d++(?:\.\d*+)?+(?:[eE][-+]?\d++)?+)(?![\w.])""",
    re.VERBOSE,
)
_NEXT_MEMBER = re.compile(r"[^\[\]{}]*+|\s*+\[\[[\w.]{1,30}\]\]\s*+|(?!.*\n\s*\n)[\s,，;{}]*+", re.DOTALL)
_PLURALS = frozenset({"words", "tokens", "scores", "values", "weights", "importances"})  # of lists without brackets
_BETWEEN_FIELDS = 4  # fields, at most, between "word" and its number in an object without brackets


@dataclass(slots=True)
class _Field:
    """One member of an object: its value is a string, a number, or None."""

    key: str
    value: str | float | None
    start: int
    end: int
    quoted: bool  # a bare name is no word
    comma: bool = False  # in its number
    kind: KeyKind | None = None  # what its key names


@dataclass(slots=True)
class _Frame:
    """The content of two brackets that has been read so far."""

    key: str | None
    quoted: bool
    bracket: str
    start: int
    fields: list[_Field] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)  # of the objects in it
    texts: list[str] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)
    arrays: list[_Frame] = field(default_factory=list)  # lists of words or numbers that wait for their counterpart
    end: int = 0
    holds_lists: bool = False  # complete lists: then its own members are no words


def in_objects(text: str) -> Iterator[list[Entry]]:
    """Yield {"word": "film", "importance": 0.5}, {"film": 0.5} and parallel lists, with or without their brackets."""
    lists: list[list[Entry]] = []
    outside = _Frame(None, False, "", 0)
    stack = [outside]
    pending: tuple[str, bool, int] | None = None  # the key before a bracket
    for found in _PART.finditer(text):
        if found["open"]:
            key, quoted, start = pending or (None, False, found.start())
            stack.append(_Frame(key, quoted, found["open"], start))
        elif found["close"] and len(stack) > 1:
            _close(stack.pop(), stack[-1], found.end(), lists)
        elif found["close"]:
            _flush(outside)
        elif found["inside"] is None and (len(stack) == 1 or found.end() < len(text)):
            _add(found, stack[-1])  # no number: the end of the text may have cut it
        is_key = found["inside"] is not None
        pending = (_key(found), bool(found["key"]), found.start()) if is_key else None
    while len(stack) > 1:
        _close(stack.pop(), stack[-1], len(text), lists)
    _flush(outside)
    outside.entries.sort(key=lambda entry: entry.start)
    yield from lists
    yield from grouped(text, outside.entries, lambda gap: not _NEXT_MEMBER.fullmatch(gap) or "```" in gap)


def _add(found: re.Match[str], frame: _Frame) -> None:
    """Add a string, a number or a member to the content of a bracket."""
    if found["text"]:
        frame.texts.append(unescaped(found["text"][1:-1]))
    elif found["lone"]:
        frame.numbers += [value for value in (value_of(found["lone"]),) if value is not None]
    else:
        frame.fields.append(_field(found))
        if not frame.bracket:
            _flush_object(frame)


def _key(found: re.Match[str]) -> str:
    return _literal(found["key"]) if found["key"] else found["name"]


def _field(found: re.Match[str]) -> _Field:
    if found["item"]:
        word = unescaped(found["item"][1:-1])
        return _Field(word, value_of(found["given"]), found.start(), found.end(), True)
    key = _key(found)
    kind = kind_of_key(key)
    value: str | float | None = None
    if found["string"]:
        value = _literal(found["string"])
    elif found["number"]:
        whole = found["number"].isdecimal() and kind == "word"
        value = found["number"] if whole else value_of(found["number"])  # "word": 10
    elif found["none"] and not found["key"] and kind == "word":
        value = found["none"]  # word: film, without quotes
    comma = bool(found["number"]) and "," in found["number"]
    return _Field(key, value, found.start(), found.end(), bool(found["key"]), comma, kind)


def _literal(written: str) -> str:
    return '"' if written == '"""' else unescaped(written[1:-1])


# ── what a bracket holds ─────────────────────────────────────────────────────────────────────────────────────────


def _close(frame: _Frame, parent: _Frame, end: int, lists: list[list[Entry]]) -> None:
    """Pass the content of a bracket to the one around it; a list with its own name is complete."""
    frame.end = end
    if frame.bracket != "{" and not frame.fields and not frame.entries:
        if frame.key is not None and frame.quoted and len(frame.numbers) == 1 and kind_of_key(frame.key) is None:
            parent.entries.append(_entry(frame.key, frame.numbers[0], frame, end, False))  # "film": [0.5, "a noun"]
        else:
            _keep_array(frame, parent, lists)
        return
    numbers = [f for f in frame.fields if isinstance(f.value, float) and f.kind == "value"]
    if frame.key is not None and kind_of_key(frame.key) == "value" and len(numbers) == 1 and not frame.entries:
        parent.fields.append(
            replace(numbers[0], key=frame.key, start=frame.start, end=end)
        )  # "importance": {"score": 1}
        return
    single = _object(frame, end)
    if single:
        parent.entries.append(single)
        return
    if not frame.entries and _is_no_list(frame):
        return
    entries = frame.entries + ([] if frame.holds_lists else _dictionary(frame))
    if frame.key is not None and len(entries) > 1:
        entries.sort(key=lambda entry: entry.start)
        lists.append(entries)
        parent.holds_lists = True
    else:
        parent.entries += entries
        parent.holds_lists |= frame.holds_lists


def _is_no_list(frame: _Frame) -> bool:
    """Return whether a dictionary is about the class or a summary: "classification": {"label": "bad", "value": -1}."""
    if frame.key is None or is_other_key(frame.key):
        return frame.key is not None
    words = [f for f in frame.fields if f.quoted and f.kind is None and not is_other_key(f.key)]
    return kind_of_key(frame.key) == "class" and len(words) < 2


def _keep_array(frame: _Frame, parent: _Frame, lists: list[list[Entry]]) -> None:
    """Keep a list of words until its list of numbers comes, or a list of numbers until its words come."""
    kind = kind_of_key(frame.key) if frame.key else None
    if kind == "value" and frame.texts and not frame.numbers:
        numbers = [as_number(text) for text in frame.texts]
        frame.numbers = [number for number in numbers if number is not None]
        frame.texts = [] if None not in numbers else frame.texts
    if bool(frame.texts) == bool(frame.numbers) or (frame.key and kind != ("word" if frame.texts else "value")):
        return
    for other in parent.arrays[-1:]:
        words, values = (other, frame) if other.texts else (frame, other)
        if words.numbers or values.texts or bool(words.key) != bool(values.key):
            continue
        if len(words.texts) == len(values.numbers) and (frame.key or len(words.texts) > 1):
            pairs = zip(words.texts, values.numbers, strict=True)
            lists.append([Entry(w, v, other.start, frame.end, True, noted(w, v)) for w, v in pairs])
            parent.arrays.clear()
            parent.holds_lists = True
            return
    parent.arrays.append(frame)


def _object(frame: _Frame, end: int) -> Entry | None:
    """Return the pair of an object, by its keys or by the types of its values."""
    words = [f for f in frame.fields if f.kind == "word" and isinstance(f.value, str)]
    given = [f for f in frame.fields if f.kind in ("value", "class")]
    given.sort(key=lambda f: (as_number(f.value) is None, f.kind == "class"))
    if words and (given or (words[0].quoted and as_number(words[0].value) is None)):
        value = as_number(given[0].value) if given else None
        return _entry(words[0].value, value, frame, end, bool(given) and given[0].comma)
    if frame.key is not None and frame.quoted and len(frame.fields) <= 8 and not words:
        numbers = [f for f in given if as_number(f.value) is not None]
        if numbers and kind_of_key(frame.key) is None:  # "film": {"score": 0.5, "reason": "…"}
            return _entry(frame.key, as_number(numbers[0].value), frame, end, numbers[0].comma)
    return _unnamed(frame, end)


def _unnamed(frame: _Frame, end: int) -> Entry | None:
    """Return the pair of an object with one string and one number under unknown keys."""
    if frame.key is not None or len(frame.fields) != 2 or any(f.kind == "class" or not f.quoted for f in frame.fields):
        return None
    word = next((f for f in frame.fields if isinstance(f.value, str) and as_number(f.value) is None), None)
    number = next((f for f in frame.fields if isinstance(f.value, float)), None)
    if word is None or number is None or any(is_other_key(f.key) for f in frame.fields):
        return None
    return _entry(word.value, number.value, frame, end, number.comma)


def _entry(word: object, value: object, frame: _Frame, end: int, comma: bool) -> Entry:
    assert isinstance(word, str)
    assert value is None or isinstance(value, float)
    start = min([frame.start, *(f.start for f in frame.fields[:1])])
    note = f"The comma in the number of {shown(word)} is read as a decimal point." if comma else None
    return Entry(word, value, start, end, True, note or noted(word, value))


def _dictionary(frame: _Frame) -> list[Entry]:
    """Return the pairs of {"film": 0.5, "dull": -0.8}; names without quotes are words unless they are known keys."""
    return [
        _of_field(f)
        for f in frame.fields
        if f.quoted or (frame.bracket == "{" and f.kind is None and not is_other_key(f.key))
    ]


def _of_field(f: _Field) -> Entry:
    value = as_number(f.value)
    note = f"The comma in the number of {shown(f.key)} is read as a decimal point." if f.comma else None
    return Entry(f.key, value, f.start, f.end, True, note or noted(f.key, value), name=True)


# ── without brackets ─────────────────────────────────────────────────────────────────────────────────────────────


def _flush_object(outside: _Frame) -> None:
    """Read the last member and one before it as an object if they name a value and a word (YAML, named fields)."""
    last = outside.fields[-1]
    kind = last.kind
    if last.quoted or kind not in ("word", "value") or last.key.casefold() in _PLURALS:
        return
    wanted = "value" if kind == "word" else "word"
    for other in outside.fields[: -_BETWEEN_FIELDS - 2 : -1]:
        if other.kind == wanted and not other.quoted and other.key.casefold() not in _PLURALS:
            word, number = (other, last) if kind == "value" else (last, other)
            if isinstance(word.value, str):
                value = as_number(number.value)
                end = max(last.end, other.end)
                outside.entries.append(Entry(word.value, value, other.start, end, True, noted(word.value, value)))
                outside.fields.clear()
            return


def _flush(outside: _Frame) -> None:
    outside.entries += [_of_field(f) for f in outside.fields if f.quoted]
    outside.fields.clear()
