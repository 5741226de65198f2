"""What numbers, words and brackets look like, in whatever they are written."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

LONGEST_WORD = 80  # of one that is not properly quoted
LONGEST_LINE = 300  # that can be a pair, or a class


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """Each line with where it begins."""
    at = 0
    for line in text.split("\n"):
        yield at, line
        at += len(line) + 1


# ── brackets ─────────────────────────────────────────────────────────────────────────────────────────────────────

BRACKETS = dict(zip("([{（［【｛〈《「<", ")]}）］】｝〉》」>", strict=True))
# To stand between the [ ] of a pattern, as the quotes below.
OPENERS = re.escape("".join(BRACKETS))
CLOSERS = re.escape("".join(BRACKETS.values()))

# ── numbers ──────────────────────────────────────────────────────────────────────────────────────────────────────

PLAIN = str.maketrans("−–﹣－＋．％﹪٪", "----+.%%%")
_SIGN = r"[-+−–﹣－＋]"
_DIGITS = rf"(?:\d++(?:[.．]\d*+)?+|[.．]\d++)(?:[eE]{_SIGN}?\d++)?+"
NUMBER = rf"(?P<number>(?:{_SIGN}[ ]?)?{_DIGITS}[ ]?[%％﹪٪]?)(?![A-Za-z0-9_])(?![.．]\d)"
_WHOLE_NUMBER = re.compile(NUMBER)


def value_of(number: str) -> float | None:
    """What a number is worth that `NUMBER` matches, or None where it is too big to be one."""
    plain = number.translate(PLAIN).replace(" ", "")
    if len(plain) > 64:
        return None
    value = float(plain.removesuffix("%")) / (100 if plain.endswith("%") else 1)
    return value if math.isfinite(value) else None


def as_number(value: str | float | None) -> float | None:
    """Also of a number in quotes."""
    if not isinstance(value, str):
        return value
    found = _WHOLE_NUMBER.fullmatch(value.strip())
    return value_of(found["number"]) if found else None


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────

# What opens and closes a word. None contains its own marks unescaped: so no two attempts read the same stretch.
_MARKS = ('""', "''", "“”", "‘’", "«»", "「」", "『』", "＂＂", "＇＇", "``", "„“", "‹›")
OPEN_QUOTES = "".join(pair[0] for pair in _MARKS)
QUOTES = "".join(dict.fromkeys("".join(_MARKS)))  # any of which can close what another opened
LITERAL = "(?:" + "|".join(rf"{a}(?:[^{a}{b}\\\n]|\\.)*+{b}" for a, b in map(tuple, _MARKS)) + ")"

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "0": "\0"}
_ESCAPED |= {mark: mark for mark in QUOTES + "\\/"}
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_DRESS = re.compile(r"(\*\*|__|`|\*)(.{1,300})\1")


def unescaped(word: str) -> str:
    """Backslashes resolved as Python and JSON do; a backslash before anything else stays."""
    if "\\" not in word:
        return word
    resolved = _ESCAPE.sub(_meant, word)
    return _SURROGATES.sub(lambda two: two[0].encode("utf-16", "surrogatepass").decode("utf-16"), resolved)


def _meant(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2] or escape[3]
    if code:
        return chr(int(code, 16)) if int(code, 16) < 0x110000 else escape[0]
    return _ESCAPED.get(escape[4], escape[0])


def undressed(raw: str) -> tuple[str, bool]:
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
    begin = 2 if word[:1] == "\\" and word[1:2] in OPEN_QUOTES else 1
    if len(word) < begin + 2 or word[begin - 1] not in OPEN_QUOTES or word[-1] not in QUOTES:
        return None
    return unescaped(word[begin : -2 if begin == 2 and word[-2] == "\\" and len(word) > 4 else -1])
