"""What a language model wrote when it was asked for (word, importance) pairs and a class: made into both.

Models write lists of tuples, JSON, dictionaries, Markdown tables, bullet points; with any quotes, with none, with the
brackets of other scripts; they stop in the middle, repeat the prompt's example, think aloud before they answer. Here
each way of writing has a reader, every reader goes over the whole text, and the longest list that any of them finds
is the answer's. What is left of the text says the class.

The rules:

list      The one with the most pairs; of several as long, the last. No list: one whose words are all numbers, or all
          names of classes ("Positive: 1" again and again), a lone unquoted pair in prose.
number    As written, never clipped. A percentage is a fraction. NaN and infinity are none, and a number that the text's
          end may have cut is none.
word      As written between its quotes, backslashes resolved.
class     What is explicitly stated (a line of its own, "Class: -1"), and of several that differ the last; else what
          prose decides on.
thinking  <think>…</think> is no part of the answer, but where nothing follows it is all there is.

Nothing raises, and everything takes time linear in the text: each repetition in the patterns is possessive, bounded,
or ends at the character that begins the next attempt.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

Label: TypeAlias = Literal[1, -1]

MOST_PROBLEMS = 20
LONGEST_WORD = 80  # of one that is not properly quoted
LONGEST_LINE = 300  # that can be a pair


@dataclass(frozen=True, slots=True)
class Parsed:
    """What was read: the pairs in order (finite, as written, not clipped), the class, and what was wrong."""

    pairs: list[tuple[str, float]]
    label: Label | None
    problems: list[str]


def parse_scores(text: str) -> Parsed:
    """The pairs and the class in a model's answer. Takes any text, never raises, takes time linear in its length.

    `problems`: short sentences on all that was missing, guessed or left out; at most 20, and how many more there are.
    """
    answer, thinking = _without_thinking(text)
    parsed = _parse(answer)
    if thinking.strip() and not parsed.pairs and (parsed.label is None or not answer.strip()):
        drafted = _parse(thinking)
        if drafted.pairs or drafted.label is not None or not answer.strip():
            problems = ["Nothing follows the thinking; this is from the thinking itself.", *drafted.problems]
            parsed = Parsed(drafted.pairs, drafted.label, problems)
    return Parsed(parsed.pairs, parsed.label, _few(parsed.problems))


def decided_class(text: str) -> Label | None:
    """The class that free prose decides on: 1, -1, or None where it decides on none or contradicts itself."""
    answer, thinking = _without_thinking(text)
    said = answer if answer.strip() else thinking
    stated, _ = _stated(said)
    if not stated:
        return _by_prose(said)
    return stated[-1] if len(set(stated)) == 1 else None


def _parse(text: str) -> Parsed:
    lists = _lists(text)
    label, about_class = _label(_outside(text, lists))
    if not lists:
        return Parsed([], label, [*_no_list(text), *about_class])
    best = max(lists, key=lambda found: (found.size, found.start))
    problems = [f"There are {len(lists)} lists; the longest is taken."] if len(lists) > 1 else []
    for entry in best.entries:
        if entry.value is None:
            problems.append(f"There is no number for {_quoted(entry.word)}.")
        problems += [entry.note] if entry.note else []
    return Parsed(best.pairs, label, [*problems, *_end_of_list(text, best), *about_class])


def _no_list(text: str) -> list[str]:
    """Why there is none: it breaks off at once, its numbers cannot be read, or there is nothing like it."""
    if _BEGUN.search(text, max(len(text) - 2 * LONGEST_WORD, 0)):
        return ["The list breaks off after 0 pairs."]
    words = [entry.word for entry in _tuples(text) if entry.value is None and entry.quoted]
    return ["There is no list of pairs.", *(f"There is no number for {_quoted(word)}." for word in words)]


def _end_of_list(text: str, best: _List) -> list[str]:
    """What is to be said of how the list ends."""
    rest = text[best.end :]
    if _ELLIPSIS.match(rest):
        return ["The list is abbreviated: there are three dots in it."]
    rest = rest.replace("```", "").strip(" \t\r\n,，、;")
    unclosed = best.brackets and not rest
    if unclosed or (best.brackets and _UNFINISHED.fullmatch(rest)):
        return [f"The list breaks off after {best.size} pair{'s' * (best.size != 1)}."]
    return []


def _few(problems: list[str]) -> list[str]:
    """Each once, the first 20, and how many more there are."""
    problems = list(dict.fromkeys(problems))
    more = len(problems) - MOST_PROBLEMS
    return [*problems[:MOST_PROBLEMS], f"… and {more} more."] if more > 0 else problems


def _quoted(word: str) -> str:
    return f'"{word}"' if len(word) <= 40 else f'"{word[:39]}…"'


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


# ── numbers and words ────────────────────────────────────────────────────────────────────────────────────────────

_PLAIN = str.maketrans("−–﹣－＋．％﹪٪", "----+.%%%")
_SIGN = r"[-+−–﹣－＋]"
_DIGITS = rf"(?:\d++(?:[.．]\d*+)?+|[.．]\d++)(?:[eE]{_SIGN}?\d++)?+"
_NUMBER = rf"(?P<number>(?:{_SIGN}[ ]?)?{_DIGITS}[ ]?[%％﹪٪]?)(?![A-Za-z0-9_])(?![.．]\d)"
_WHOLE_NUMBER = re.compile(_NUMBER)

# What opens and closes a word. None contains its own marks unescaped: so no two attempts read the same stretch.
_MARKS = ('""', "''", "“”", "‘’", "«»", "「」", "『』", "＂＂", "＇＇", "``", "„“", "‹›")
_OPEN_QUOTES = "".join(pair[0] for pair in _MARKS)
_CLOSE_QUOTES = "".join(dict.fromkeys("".join(_MARKS)))
_LITERAL = "(?:" + "|".join(rf"{a}(?:[^{a}{b}\\\n]|\\.)*+{b}" for a, b in map(tuple, _MARKS)) + ")"

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_NAMED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "0": "\0"}
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def _value(number: str) -> float | None:
    """The number, or None where it is too big to be one."""
    plain = number.translate(_PLAIN).replace(" ", "")
    if len(plain) > 64:
        return None
    value = float(plain.removesuffix("%")) / (100 if plain.endswith("%") else 1)
    return value if math.isfinite(value) else None


def _unescaped(word: str) -> str:
    """Backslashes resolved as Python and JSON do; a backslash before anything else stays."""
    if "\\" not in word:
        return word
    return _SURROGATES.sub(lambda two: two[0].encode("utf-16", "surrogatepass").decode("utf-16"), _resolved(word))


def _resolved(word: str) -> str:
    def meant(found: re.Match[str]) -> str:
        code = found[1] or found[2] or found[3]
        if code:
            return chr(int(code, 16)) if int(code, 16) < 0x110000 else found[0]
        named = _NAMED.get(found[4], found[4])
        return named if found[4] in _NAMED or found[4] in _CLOSE_QUOTES + "\\/" else found[0]

    return _ESCAPE.sub(meant, word)


_DRESS = re.compile(r"(\*\*|__|`|\*)(?=.)(.{1,300})\1")


def _clean(raw: str) -> tuple[str, bool]:
    """A word out of what stands around it (white space, quotes, bold, code), and whether it was in quotes."""
    word = raw.strip()
    quoted = False
    for _ in range(3):  # bold around quotes around code
        dressed = _DRESS.fullmatch(word)
        inner = _unquoted(word)
        if inner is not None:
            word, quoted = inner, True
        elif dressed and dressed[2].strip("*_`"):
            word, quoted = dressed[2].strip(), quoted or dressed[1] == "`"
        else:
            break
    return word, quoted


def _unquoted(word: str) -> str | None:
    """What is between the outer quotes, which need not match; None where there are none, or nothing in them."""
    begin = 2 if word[:1] == "\\" and word[1:2] in _OPEN_QUOTES and len(word) > 2 else 1
    if len(word) < begin + 2 or word[begin - 1] not in _OPEN_QUOTES or word[-1] not in _CLOSE_QUOTES:
        return None
    return _unescaped(word[begin : -2 if begin == 2 and word[-2] == "\\" and len(word) > 4 else -1])


# ── entries and lists ────────────────────────────────────────────────────────────────────────────────────────────

_TEMPLATE = re.compile(r"<[^<>]{1,60}>|(?:word or punctuation|float importance|int classification)", re.IGNORECASE)
_ONLY_NUMBERS = re.compile(r"[\d.,．%％\s\-+]+")


class _Entry(NamedTuple):
    """A pair at [start, end) of the text; without `value` where its number cannot be read.

    `name`: it is written "name: value", so that it can be the class as well.
    """

    word: str
    value: float | None
    start: int
    end: int
    quoted: bool
    note: str | None = None
    name: bool = False


@dataclass(slots=True)
class _List:
    """Entries that belong together. `brackets`: a bracket was opened before them, and not closed after them."""

    entries: list[_Entry]
    brackets: bool = False
    pairs: list[tuple[str, float]] = field(init=False)

    def __post_init__(self) -> None:
        self.pairs = [(entry.word, entry.value) for entry in self.entries if entry.value is not None]

    @property
    def start(self) -> int:
        return self.entries[0].start

    @property
    def end(self) -> int:
        return self.entries[-1].end

    @property
    def size(self) -> int:
        return len(self.pairs)


def _lists(text: str) -> list[_List]:
    """The lists of the reader that found the longest one; of several as long, of the one that knows most.

    What is written without brackets has to be longer by two: it takes a number that was cut for a whole one.
    """
    strict, loose = (
        max((list(_worth_it(text, reader(text))) for reader in readers), key=_longest)
        for readers in ((_members, _tuple_lists), (_table, _lines, _inline))
    )
    return loose if _longest(loose) > _longest(strict) + bool(strict) else strict


def _longest(lists: list[_List]) -> int:
    return max((found.size for found in lists), default=0)


def _worth_it(text: str, lists: Iterable[list[_Entry]]) -> Iterator[_List]:
    """Those that are about words."""
    for given in lists:
        entries = [e for e in given if not (_TEMPLATE.fullmatch(e.word) and (e.value is None or e.word[0] != "<"))]
        entries = _without_class(entries)
        found = _List(entries, bool(entries) and _opened(text, entries[0].start, entries[-1].end))
        pairs = [entry for entry in entries if entry.value is not None]
        alone = len(pairs) == 1 and not pairs[0].quoted  # (as here, 1) in prose
        numbers = all(_ONLY_NUMBERS.fullmatch(entry.word) for entry in pairs) and (alone or len(pairs) > 1)
        names = all(entry.word.casefold().strip(" *_\"'") in _NAMES | _VALUE_KEYS for entry in pairs)
        if not (numbers or names or (alone and not found.brackets)):
            yield found


def _opened(text: str, start: int, end: int) -> bool:
    """Whether there is a bracket around, open before `start` and not closed at `end`."""
    before = text[max(start - 20, 0) : start + 1]
    return bool(_OPENS.search(before)) and not _CLOSES.match(text, end)


def _without_class(entries: list[_Entry]) -> list[_Entry]:
    """Without the class at either end of a list, which is written like a pair there: "Classification: 1"."""
    while entries and _states_class(entries[-1]):
        entries = entries[:-1]
    while entries and _states_class(entries[0]):
        entries = entries[1:]
    return entries


def _states_class(entry: _Entry) -> bool:
    if not entry.name:
        return False
    last = entry.word.casefold().split(" ")[-1]
    named = last in _CLASS_KEYS or _CLASS_KEY.match(entry.word)
    return bool(named and entry.value in {None, 0, 1, -1}) or bool(_OVERALL.match(entry.word))


def _outside(text: str, lists: list[_List]) -> str:
    """The text without the lists, each of which becomes a line's end."""
    parts: list[str] = []
    at = 0
    for found in lists:
        parts.append(text[at : found.start])
        at = max(at, found.end)
    return "\n".join([*parts, text[at:]])


def _noted(word: str, value: float | None) -> str | None:
    return None if word or value is None else "An entry has no word."


# ── tuples ───────────────────────────────────────────────────────────────────────────────────────────────────────

_BRACKETS = dict(zip("([{（［【｛〈《「<", ")]}）］】｝〉》」>", strict=True))
_OPENERS = r"(\[{（［【｛〈《「<"
_CLOSERS = r")\]}）］】｝〉》」>"
_OPENING = re.compile(rf"[{_OPENERS}]")
_SEPARATOR = r"(?:[,，、:：;；=|]|[-=]>|→)"
_TUPLE = re.compile(
    rf"""[{_OPENERS}]\s*+(?:\d{{1,6}}\s*+[,，]\s*+)?(?P<word>{_LITERAL})
    (?: \s*+ (?: {_SEPARATOR}\s*+ | [-–—][ ]++ ) | \s++ )
    (?P<between>{_LITERAL}\s*+[,，]\s*+)?+
    [{_OPEN_QUOTES}*]?+ {_NUMBER} [*]?+
    (?P<more>[ ]?[,，、;:|][^{_OPENERS}{_CLOSERS}\n]{{0,80}}+)?+
    (?: \s*+[{_CLOSE_QUOTES}]?+\s*+[{_CLOSERS}] | (?=\s*+[,，、]?+\s*+[(\[（［]) | (?=[ \t\r,，]*+\n) )""",
    re.VERBOSE,
)
# How a pair ends, if its word is not properly quoted.
_ENDING = re.compile(
    rf"{_SEPARATOR}\s*+[{_OPEN_QUOTES}]?+{_NUMBER}[ ]?[{_CLOSE_QUOTES}]?+\s*+(?P<close>[{_CLOSERS}])", re.VERBOSE
)
_NO_NUMBER = re.compile(
    rf"""[{_OPENERS}]\s*+(?P<word>{_LITERAL})\s*+
    (?:{_SEPARATOR}\s*+(?:{_LITERAL}|[^{_OPENERS}{_CLOSERS}{re.escape(_OPEN_QUOTES)}\n]{{0,80}}+)\s*+)?+[{_CLOSERS}]""",
    re.VERBOSE,
)
_NOTHING_LIKE_IT = re.compile(rf"[(（]\s*+(?P<word>{_LITERAL})\s*+[,，:](?:[^()（）\n]{{0,80}}+(?:[)）]|(?=[(（\n])))")
_BARE_NO_NUMBER = re.compile(r"[(（]\s*+(?P<word>[^()（）\[\]{}\n,，]{1,40}+)[,，][^()（）\[\]{}\n,，]{0,40}+[)）]")
_TWO_WORDS = re.compile(
    rf"[{_CLOSE_QUOTES}]\s*+{_SEPARATOR}\s*+[{_OPEN_QUOTES}]|[{_OPENERS}]\s*+[{_OPEN_QUOTES}]", re.VERBOSE
)
_COMMA = re.compile(r"[,，](\d{1,6})\s*")
_BEGUN = re.compile(rf"[{_OPENERS}]\s*+[{_OPENERS}]\s*+[{_OPEN_QUOTES}][^{_OPENERS}{_CLOSERS}]{{0,80}}\Z")
_UNFINISHED = re.compile(rf"[{_OPENERS}{_OPEN_QUOTES}][^\]}}]*")
_ELLIPSIS = re.compile(r"[\s,，、]{0,40}(?:\.\.\.|…)")
_OPENS = re.compile(rf"[\[{{［【｛]\s*+[{_OPENERS}{_OPEN_QUOTES}]?+\Z")
_CLOSES = re.compile(r"[\s,，、.…]*+[\]}］】｝]")
_NEW_LIST = re.compile(r"[\[\]{}［］【】]|```|\n[^\S\n]*+\n\s*+[^\s(（]")


def _tuple_lists(text: str) -> Iterator[list[_Entry]]:
    """("word", 0.5) and ["word", 0.5], in lists."""
    return _grouped(text, _tuples(text), lambda gap: bool(_NEW_LIST.search(gap)))


def _grouped(text: str, entries: Iterable[_Entry], parted: Callable[[str], bool]) -> Iterator[list[_Entry]]:
    """Entries in lists: a new one begins where `parted` says so of what is between two entries."""
    group: list[_Entry] = []
    for entry in entries:
        gap = text[group[-1].end : entry.start] if group else ""
        if not entry.quoted and entry.value is None and (not group or gap.strip(" ,，\n")):
            continue  # (with care, of course) is prose
        if group and parted(gap):
            yield group
            group = []
        group.append(entry)
    if group:
        yield group


def _tuples(text: str) -> Iterator[_Entry]:
    """What is written like a pair, bracket by bracket."""
    endings = _Endings(text)
    found = _OPENING.search(text)
    while found:
        at = found.start()
        entry = _strict(text, at) or endings.entry(at) or _numberless(text, at)
        if entry:
            yield entry
        found = _OPENING.search(text, entry.end if entry else at + 1)


def _strict(text: str, at: int) -> _Entry | None:
    """A pair with its word in proper quotes."""
    found = _TUPLE.match(text, at)
    if not found:
        return None
    word, number = _unescaped(found["word"][1:-1]), found["number"]
    note = None
    comma = _COMMA.fullmatch(found["more"] or "")
    if comma and number.translate(_PLAIN).lstrip("+- ").isdigit():
        number = f"{number}.{comma[1]}"
        note = f"The comma in the number of {_quoted(word)} is read as a decimal point."
    elif found["between"] or (found["more"] or "").strip(" ,，、;"):
        note = f"There is more than a number with {_quoted(word)}."
    value = _value(number)
    return _Entry(word, value, at, found.end(), True, note or _noted(word, value))


class _Endings:
    """Pairs whose quotes are broken, or missing: from an opening bracket to the next ", 0.5)"."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next = _ENDING.search(text)

    def entry(self, at: int) -> _Entry | None:
        """The pair that begins at the bracket at `at`. Asked for in order, so that each ending is found once."""
        while self._next and self._next.start() <= at:
            self._next = _ENDING.search(self._text, at + 1)
        end = self._next
        if not end or end.start() - at > LONGEST_WORD:
            return None
        raw = self._text[at + 1 : end.start()].strip()
        word, quoted = _clean(raw)
        if not quoted:
            word = word.strip(_CLOSE_QUOTES) or word
        in_quotes = quoted or raw[:1] in _OPEN_QUOTES
        if not self._is_word(raw, in_quotes) or (not in_quotes and _BRACKETS[self._text[at]] != end["close"]):
            return None
        value = _value(end["number"])
        return _Entry(word, value, at, end.end(), quoted, _noted(word, value))

    @staticmethod
    def _is_word(raw: str, in_quotes: bool) -> bool:
        if in_quotes:
            return "\n" not in raw and not _TWO_WORDS.search(raw)
        return len(raw) == 1 or (not re.search(rf"[{_OPENERS}{_CLOSERS}\n]", raw) and len(raw.split()) <= 4)


def _numberless(text: str, at: int) -> _Entry | None:
    """A word in brackets without a number that can be read."""
    found = _NO_NUMBER.match(text, at) or _NOTHING_LIKE_IT.match(text, at)
    if found:
        return _Entry(_unescaped(found["word"][1:-1]), None, at, found.end(), True)
    found = _BARE_NO_NUMBER.match(text, at)
    return _Entry(found["word"].strip(), None, at, found.end(), False) if found else None


# ── JSON objects and dictionaries ────────────────────────────────────────────────────────────────────────────────

_WORD_KEYS = {"word", "token", "text", "punctuation", "word or punctuation"}
_VALUE_KEYS = {"importance", "score", "value", "weight", "attribution", "float importance"}
_CLASS_KEYS = {"class", "classification", "label", "sentiment", "polarity", "prediction", "分类", "分類", "情感"}
_BARE_KEYS = "|".join(sorted(key for key in _WORD_KEYS | _VALUE_KEYS if " " not in key))
_MEMBER = re.compile(
    rf"""(?P<bracket>[{{}}(\[\])])
    | (?: (?<!\\)(?P<key>\"\"\"(?=\s?:)|{_LITERAL}) | (?<![\w"'])(?P<name>{_BARE_KEYS}) )
      \s*+[:：=]\s*+
      (?: (?P<string>\"\"\"(?=\s?[,}}])|{_LITERAL}) | {_NUMBER} | (?P<none>[^\s\[\]{{}}"'“,]{{1,30}}+|,(?=\s*\n)) )""",
    re.VERBOSE,
)
_NEXT_MEMBER = re.compile(r"[^\[\]{}]*+|(?!.*\n\s*\n)[\s,，;{}]*+", re.DOTALL)


class _Field(NamedTuple):
    """One member of an object: its value is a string, a number, or None."""

    key: str
    value: str | float | None
    start: int
    end: int
    named: bool  # a bare name: no word


def _members(text: str) -> Iterator[list[_Entry]]:
    """{"word": "film", "importance": 0.5} and {"film": 0.5}, also where the brackets are missing."""
    return _grouped(text, _objects(text), lambda gap: not _NEXT_MEMBER.fullmatch(gap) or "```" in gap)


def _objects(text: str) -> Iterator[_Entry]:
    fields: list[_Field] = []
    depth = 0
    for found in _MEMBER.finditer(text):
        bracket = found["bracket"]
        if bracket:
            yield from _entries(fields)
            fields = []
            depth = max(depth + (1 if bracket in "([{" else -1), 0)
        elif not (depth and found.end() == len(text)):  # else the end may have cut the number
            fields.append(_field(found))
            if not depth and _is_object(fields[-2:]):
                yield from _entries(fields)
                fields = []
    yield from _entries(fields)


def _field(found: re.Match[str]) -> _Field:
    key = _literal(found["key"]) if found["key"] else found["name"]
    value = _literal(found["string"]) if found["string"] else _value(found["number"]) if found["number"] else None
    if found["none"] and key.casefold() in _WORD_KEYS and not found["key"]:
        value = found["none"]  # word: film, without quotes
    return _Field(key, value, found.start(), found.end(), not found["key"])


def _literal(written: str) -> str:
    return '"' if written == '"""' else _unescaped(written[1:-1])


def _is_object(fields: list[_Field]) -> bool:
    """Whether these two name a word and its importance."""
    keys = {f.key.casefold() for f in fields}
    return len(fields) > 1 and bool(keys & _WORD_KEYS) and bool(keys & _VALUE_KEYS)


def _entries(fields: list[_Field]) -> Iterator[_Entry]:
    """The pair that an object is, or those in a dictionary."""
    word = next((f for f in fields if f.key.casefold() in _WORD_KEYS and isinstance(f.value, str)), None)
    if word and isinstance(word.value, str):
        given = [f for f in fields if f.key.casefold() in _VALUE_KEYS]
        if given or not word.named:
            value = _as_number(given[0].value) if given else None
            yield _Entry(word.value, value, fields[0].start, fields[-1].end, True, _noted(word.value, value))
        return
    for f in fields:
        if not f.named:
            value = _as_number(f.value)
            yield _Entry(f.key, value, f.start, f.end, True, _noted(f.key, value), name=True)


def _as_number(value: str | float | None) -> float | None:
    """Also of a number in quotes."""
    if not isinstance(value, str):
        return value
    found = _WHOLE_NUMBER.fullmatch(value.strip())
    return _value(found["number"]) if found else None


# ── tables and lines ─────────────────────────────────────────────────────────────────────────────────────────────

_CELL_END = re.compile(r"(?<!\\)[|｜]")
_RULE = re.compile(r"[\s|｜:\-–—+=]+")


def _numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """Each line with where it begins."""
    at = 0
    for line in text.split("\n"):
        yield at, line
        at += len(line) + 1


def _table(text: str) -> Iterator[list[_Entry]]:
    """| film | 0.5 |, by the columns that the table's head names, or else the last number and the cell before it."""
    rows: list[_Entry] = []
    columns: tuple[int, int] | None = None
    for at, line in _numbered_lines(text):
        if "|" not in line and "｜" not in line:
            if rows:
                yield rows
            rows, columns = [], None
            continue
        if _RULE.fullmatch(line):
            continue
        cells = [_clean(cell.replace("\\|", "|"))[0] for cell in _cells(line)]
        columns = columns or _columns(cells)
        entry = _row(cells, columns, at, at + len(line))
        if entry and (entry.value is not None or rows):
            rows.append(entry)
    if rows:
        yield rows


def _cells(line: str) -> list[str]:
    cells = _CELL_END.split(line.strip())
    return cells[not cells[0].strip() : len(cells) - (len(cells) > 1 and not cells[-1].strip())]


def _columns(cells: list[str]) -> tuple[int, int] | None:
    """Where the words and the numbers are, if this is a head that says so."""
    names = [set(re.split(r"\W+", cell.casefold())) for cell in cells[:20]]
    words = [at for at, name in enumerate(names) if name & (_WORD_KEYS | {"单词", "詞", "词"})]
    values = [at for at, name in enumerate(names) if name & _VALUE_KEYS and at not in words]
    return (words[0], values[0]) if words and values else None


def _row(cells: list[str], columns: tuple[int, int] | None, start: int, end: int) -> _Entry | None:
    numbers = [_as_number(cell) for cell in cells]
    if columns and max(columns) < len(cells):
        word, value = cells[columns[0]], numbers[columns[1]]
        if value is None and {word.casefold(), cells[columns[1]].casefold()} & (_WORD_KEYS | _VALUE_KEYS):
            return None  # the head itself
    else:
        at = next((at for at in range(len(cells) - 1, 0, -1) if numbers[at] is not None), None)
        if at is None:
            return _Entry(cells[0], None, start, end, True) if len(cells) > 1 and cells[0] else None
        word, value = cells[at - 1], numbers[at]
    return _Entry(word, value, start, end, False, _noted(word, value), name=True)


_BULLET = re.compile(r"\s*+(?P<mark>(?:[-*•·+‣◦–—]|\(?\d{1,4}[.)、])\s++)?+(?P<rest>.*)", re.DOTALL)
_LINE = re.compile(
    rf"""
    (?: (?:[-=]>|→|[:：=,，|\t]|[-–—](?=\s))[ \t*_]*+[(（\[{_OPEN_QUOTES}*_]*+
      | (?P<round>[(（])[ ]?
      | (?<!\s)\s++(?=[-+−]?\d*\.\d|[-+−]\d) )
    {_NUMBER}
    (?(round)[ ]?[)）]) [ ]?[)）\]{_CLOSE_QUOTES}*_]*+ [ ]?
    (?: [,;.，；。]?+[ \r]*+\Z | [(（\[] | [-–—:：#,]\s | // )""",
    re.VERBOSE,
)
_HEADING = re.compile(
    r"[^\d\n]{0,60}(?:positive|negative|neutral|words?\b|punctuation)[^\d\n]{0,60}[:*#]\s*", re.IGNORECASE
)
_WORDLESS = re.compile(r"(?P<word>[^:：]{1,40})[:：][^\d]{1,20}")


def _lines(text: str) -> Iterator[list[_Entry]]:
    """- film: 0.5, a line each, with or without bullets or numbers."""
    block: list[_Entry] = []
    for at, line in _numbered_lines(text):
        entry = _line(at, line)
        if entry and (entry.value is not None or block):
            block.append(entry)
        elif line.strip() and block and not _HEADING.fullmatch(line):
            yield block
            block = []
    if block:
        yield block


def _line(at: int, line: str) -> _Entry | None:
    parts = _BULLET.match(line) if len(line) <= LONGEST_LINE else None
    if not parts or not parts["rest"].strip():
        return None
    for found in _LINE.finditer(parts["rest"]):
        word, quoted = _clean(parts["rest"][: found.start()].rstrip("*_ "))
        word = word.removeprefix("**") or word
        if not word:
            continue  # the separator itself is the word, as in ":: 0.1"
        if len(word.split()) > 4 or len(word) > 40 or (len(word) > 1 and word[0] in _BRACKETS):
            return None
        value = _value(found["number"])
        return _Entry(word, value, at, at + len(line), quoted or bool(parts["mark"]), name=True)
    found_none = _WORDLESS.fullmatch(parts["rest"].strip()) if parts["mark"] else None
    if not found_none:
        return None
    return _Entry(_clean(found_none["word"])[0], None, at, at + len(line), True, name=True)


_INLINE = re.compile(
    rf"""(?<![^\s,;，；、])(?P<word>[^\s,;，；、()（）\[\]{{}}]{{1,40}}?|[,;，；、])
    [ ]?(?: [:：=][ ]?(?P<plain>) | [(（](?P<round>)[ ]? ) {_NUMBER} (?(round)[ ]?[)）]) (?=[\s,;.，；、。]|\Z)""",
    re.VERBOSE,
)


def _inline(text: str) -> Iterator[list[_Entry]]:
    """This (0.1), film (0.2) and This: 0.1, film: 0.2, in one line."""
    for at, line in _numbered_lines(text):
        entries = [
            _Entry(_clean(m["word"])[0], _value(m["number"]), at + m.start(), at + m.end(), False, name=True)
            for m in _INLINE.finditer("" if line.lstrip()[:1] in ("{", "[", "(") else line)
        ]
        if entries:
            yield entries


# ── the class ────────────────────────────────────────────────────────────────────────────────────────────────────

_POSITIVE = {"positive", "pos", "正面", "积极", "積極", "正向", "好评", "好評"}
_NEGATIVE = {"negative", "neg", "负面", "負面", "消极", "消極", "负向", "負向", "差评", "差評"}
_NAMES = _POSITIVE | _NEGATIVE | {"neutral", "mixed", "中性", "sentiment", "classification", "class", "label"}
_CLASS_WORD = "(?:" + "|".join(sorted(_POSITIVE | _NEGATIVE)) + ")"
_OVERALL = re.compile(r"(?:overall|final|total|average)\b|(?:overall|final) ", re.IGNORECASE)
_ONE = r"[-+−–－＋]?[1１](?:\.0{1,6})?(?![\d.,]?\d)"
_VALUE = rf"(?P<value>{_ONE}|(?<![a-z]){_CLASS_WORD}(?![a-z])|(?<![-\d.])0(?:\.0{{1,6}})?(?![.,]?\d))"
_KEY = (
    r"(?:class(?:ification)?|sentiment|label|polarity|verdict|prediction|answer|result|"
    r"分类|分類|情感|类别|類別|结果|結果)"
)
_CLASS_KEY = re.compile(rf"(?:\w{{1,20}}\s)?{_KEY}[*_ ]{{0,3}}[:：=]", re.IGNORECASE)
_STATED = re.compile(
    rf"""{_KEY}(?:[ _](?:class|label|polarity|category|of[ ]the[ ]review|分类|分類))?
    (?:[*_"'` ]{{0,4}}\([^()\n]{{0,60}}\))?
    (?: [*_"'`\] ]{{0,6}}(?:[:：=]|[ ](?:is|was)[ :])[*_"'`<(\[「“ ]{{0,6}}\n?[ ]{{0,2}}
      | [ ][-–—][ ] | [ ]*[(<*]{{1,3}} | [ ]+ | 为|為|是 )
    {_VALUE}""",
    re.VERBOSE | re.IGNORECASE,
)
_EITHER = re.compile(
    r"""\s{0,3}(?:\([-+−]?\d\))?[*"]{0,3}\s{0,3}(?:or|and|/|\||,|、|或|和|vs)\s{0,3}["*]{0,3}(?:[-+−]?[01]\b|"""
    + _CLASS_WORD
    + ")",
    re.IGNORECASE,
)
_BARE = re.compile(
    rf"""[\])}}>，,.\s*_"'`#<(（【「“$]{{0,20}}+(?:\\boxed\{{)?(?P<mark>[-*•]\s|\d{{1,4}}[.)]\s)?[*_"'`<(]{{0,4}}
    {_VALUE}[*_"'`)>]{{0,4}}
    (?:\s{{0,2}}[:：=(#,-]{{1,2}}\s?(?P<second>{_ONE}|{_CLASS_WORD}))?
    [.\s*_"'`>)）】\]」”。!！,}}$]{{0,20}}+(?:\#.*)?""",
    re.VERBOSE | re.IGNORECASE,
)


def _label(text: str) -> tuple[Label | None, list[str]]:
    """The class in what is no list, and what is wrong with it."""
    stated, problems = _stated(text)
    if stated:
        return stated[-1], problems + ["The classes contradict each other; the last counts."] * (len(set(stated)) > 1)
    label = _by_prose(text)
    return label, problems + ["There is no class."] * (label is None)


def _stated(text: str) -> tuple[list[Label], list[str]]:
    """The classes that are explicitly stated, in order, and what else is in their place."""
    found: list[tuple[int, str]] = [
        (m.start(), m["value"]) for m in _STATED.finditer(text) if not _EITHER.match(text, m.end())
    ]
    listed: list[tuple[int, str]] = []
    problems: list[str] = []
    for at, line in _numbered_lines(text):
        bare = _BARE.fullmatch(line) if len(line) <= LONGEST_LINE else None
        if bare and bare["second"] and bare["value"][-1].isdecimal() == bare["second"][-1].isdecimal():
            continue  # two numbers, or two classes
        if bare and bare["mark"] and bare["mark"][0] == "-" and bare["value"][0].isdecimal():
            problems.append('A class is written "- 1", which can be 1 or -1.')
        elif bare and (bare["second"] or bare["mark"]):
            listed += [(at, bare["value"]), (at, bare["second"] or bare["value"])]
        elif bare:
            found.append((at, bare["value"]))
    if len({_class(value) for _, value in listed}) == 1:
        found += listed
    elif listed:
        problems.append("The classes are listed, not chosen between.")
    found.sort(key=lambda place: place[0])
    classes = [_class(value) for _, value in found]
    if None in classes:
        problems.append("A class is 0, which is neither 1 nor -1.")
    return [c for c in classes if c is not None], problems


def _class(value: str) -> Label | None:
    """1 or -1; None for 0."""
    value = value.casefold().translate(_PLAIN)
    if value[0] == "0":
        return None
    return -1 if value in _NEGATIVE or value.startswith("-") else 1


# ── prose ────────────────────────────────────────────────────────────────────────────────────────────────────────

_SENTENCE = re.compile(r"[.!?](?=\s|$)|[\n。！？]")
_TOKEN = re.compile(r"[a-z]++(?:['’][a-z]++)?+|-?\d++|[\u4e00-\u9fff]", re.IGNORECASE)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ABOUT = _words("review sentiment text opinion verdict impression classification it this it's tone")
_IS = _words("is was it's as seems appears be reads leans remains has have conveys expresses")
_HAS = _words("has have conveys expresses")
_TONE = _words("tone sentiment opinion view feeling message assessment impression attitude review outlook")
_NOT = _words("not no never neither nor without hardly isn't doesn't don't wasn't cannot can't lacks lack than instead")
_MAYBE = _words(
    "whether if would could might may should can perhaps possibly possible sometimes either assuming suppose"
)
_ELSEWHERE = _words("about of that which who by than because between for with from")
_CONCLUDING = re.compile(
    r"\W{0,9}(?:in conclusion|in summary|to sum up|overall|therefore|thus|hence|so),?\s", re.IGNORECASE
)
_SAYING = re.compile(r"\bI(?: would|['’]d| can| could| should)\b|\bcan be (?=class|categ|label|consid)", re.IGNORECASE)
_CHINESE = re.compile(
    rf"""(?:评论|評論|影评|影評|评价|評價|情感|态度|態度|观点|觀點)[^。\n]{{0,12}}?(?:是|为|為|属于|屬於|偏)
    (?P<between>[^。\n，,]{{0,6}}?)(?P<value>{_CLASS_WORD})""",
    re.VERBOSE,
)
_OPENING_WORD = re.compile(
    r"""[*_"'`\s]{0,9}(positive|negative)(?=[*_"'`]{0,3}(?:\s{0,3}[.:,;!(\n]|\s{1,3}[-–—]\s|\s{0,3}$|\s(?:review|because|as)\b))""",
    re.IGNORECASE,
)
_SENTIMENTS: dict[str, int] = {"positive": 1, "negative": -1, "neutral": 0, "mixed": 0}


def _by_prose(text: str) -> Label | None:
    """The class that all sentences which decide on one agree on; only those that conclude, where there are such."""
    decided: set[int] = set()
    concluded: set[int] = set()
    at = 0
    for end in [*(m.end() for m in _SENTENCE.finditer(text)), len(text)]:
        sentence = text[at:end]
        decided |= _sentence(sentence)
        if _CONCLUDING.match(sentence):
            concluded |= _sentence(sentence)
        at = end
    opening = _OPENING_WORD.match(text)
    if opening:
        decided.add(_SENTIMENTS[opening[1].casefold()])
    decided = concluded or decided
    if decided == {1}:
        return 1
    return -1 if decided == {-1} else None


def _sentence(sentence: str) -> set[int]:
    """The classes (0: neither) that a sentence decides on: none where it speaks of both, or of what might be."""
    decided: set[int] = {
        _class(m["value"]) or 0 for m in _CHINESE.finditer(sentence) if not re.search("[不非没沒无無]", m[0])
    }
    tokens = [token.casefold().replace("’", "'") for token in _TOKEN.findall(_SAYING.sub(" ", sentence))]
    if not _MAYBE.isdisjoint(tokens):
        return decided
    meant = [at for at, token in enumerate(tokens) if token in _SENTIMENTS and not _negated(tokens, at)]
    if len({_SENTIMENTS[tokens[at]] for at in meant}) != 1:
        return decided | ({0} if meant and not {"mix", "mixture", "both"}.isdisjoint(tokens) else set())
    return decided | {_SENTIMENTS[tokens[at]] for at in meant if _is_about_review(tokens, at)}


def _negated(tokens: list[str], at: int) -> bool:
    """Whether "not" or the like comes before, with no "but" between; "not only" is none."""
    for back in range(at - 1, max(at - 9, -1), -1):
        if tokens[back] == "but":
            return False
        if tokens[back] in _NOT and tokens[back + 1] != "only":
            return True
    return False


def _is_about_review(tokens: list[str], at: int) -> bool:
    """Whether what comes before says that the review is so, rather than that something in it is."""
    verb = next((back for back in range(at - 1, max(at - 8, -1), -1) if tokens[back] in _IS), None)
    if verb is None or not _ELSEWHERE.isdisjoint(tokens[verb:at]):
        return False
    if tokens[verb] in _HAS and _TONE.isdisjoint(tokens[at + 1 : at + 2]):
        return False  # "has a negative side"
    return any(
        tokens[back] in _ABOUT and tokens[back - 1] not in _SENTIMENTS for back in range(verb, max(verb - 20, -1), -1)
    )
