"""The patterns of numbers, words and brackets in any script."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator

LONGEST_WORD = 80  # characters of a word that is not properly quoted
LONGEST_LINE = 300  # characters of a line that can be a pair or a class


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line with its start."""
    at = 0
    for line in text.split("\n"):
        yield at, line
        at += len(line) + 1


def words(text: str) -> frozenset[str]:
    """Return the words of a text that lists them."""
    return frozenset(text.split())


def alternatives(names: Iterable[str]) -> str:
    """Return the pattern of any of the names, the longest first."""
    return "(?:" + "|".join(sorted(map(re.escape, names), key=len, reverse=True)) + ")"


# ── brackets ─────────────────────────────────────────────────────────────────────────────────────────────────────

BRACKETS = dict(zip("([{（［【｛〈《「<", ")]}）］】｝〉》」>", strict=True))
# To stand between the [ ] of a pattern, as the quotes below.
OPENERS = re.escape("".join(BRACKETS))
CLOSERS = re.escape("".join(BRACKETS.values()))

# ── numbers ──────────────────────────────────────────────────────────────────────────────────────────────────────

PLAIN = str.maketrans("−–﹣－‐‑‒⁻＋．٫％﹪٪", "--------+..%%%")
_SIGN = r"[-+−–﹣－‐‑‒⁻＋]"
_SIGN_IN_WORDS = (
    r"(?:\b(?:[Mm]inus|menos|moins|meno|минус|[Pp]lus|más|più|плюс)[ ]|"
    r"(?:マイナス|마이너스)[ ]?|(?<!正)[负負](?=[\d.]))"
)
_SIGNED = rf"(?:{_SIGN}[ ]?|{_SIGN_IN_WORDS})?"
_PLUS = ("+", "＋", "P", "p", "más", "più", "плюс")
_PERCENT = "[%％﹪٪]"
# A comma is decimal where a digit follows at once: lists are written "0, 8".
VULGAR = "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"
_DIGITS = rf"(?:(?:\d++(?:[.．٫]\d*+|,\d++)?+|[.．]\d++)(?:[eE]{_SIGN}?\d++)?+|[{VULGAR}])"
_ABOUT = r"(?:[~≈∼≃]|(?:about|around|roughly|approximately|approx\.|circa|ca\.)[ ])[ ]?"
_CALL = r"(?:(?:np|numpy|torch|jnp|tf)\.)?(?:float(?:16|32|64)?|tensor|Decimal|double)\([\"']?"
# "9/10", "9 out of 10", "0.5 ± 0.1". A divisor must be whole: in "10/0.4" the 10 is a word.
_OF = r"[ ]?/[ ]?\d{1,4}(?![\d.,]*\d)|[ ]out[ ]of[ ]\d{1,4}\b"
_GIVE_OR_TAKE = rf"[ ]?(?:±|\+/[-−]|\\pm)[ ]?{_DIGITS}[ ]?{_PERCENT}?"


def number_as(group: str) -> str:
    """Return the pattern of a number, fraction, percentage or float(0.5), as a group with this name."""
    return (
        rf"(?P<{group}>(?:{_ABOUT})?(?P<{group}_call>{_CALL})?{_SIGNED}{_DIGITS}(?:[ ]?{_PERCENT})?"
        rf"(?:{_OF})?(?:{_GIVE_OR_TAKE})?(?({group}_call)[\"']?\)))(?:_?f(?:32|64)|[fF])?(?![A-Za-z0-9_])(?![.．,]\d)"
    )


NUMBER = number_as("number")
_PLAIN = re.compile(r"[-+]?[0-9]{1,16}(?:\.[0-9]{0,16})?")  # most are
_MAIN = re.compile(
    rf"(?P<sign>{_SIGNED})(?P<main>{_DIGITS})(?:[ ]?(?P<percent>{_PERCENT}))?"
    rf"(?:(?:[ ]?/[ ]?|[ ]out[ ]of[ ])(?P<of>\d+))?"
)
EMOJI = r"(?:[\u2460-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]\ufe0f?)"
# A number in a cell or a string: with an emoji on either side, and a remark after it.
_REMARK = re.compile(
    rf"(?:{EMOJI}{{1,3}}[ ]?)?(?P<round>[(（])?{NUMBER}(?(round)[)）])"
    rf"(?:[ ]?{EMOJI}{{1,3}})?(?:[ ]?[(（\[][^()（）\[\]]{{0,80}}[)）\]]|[ ][-–—][ ].{{0,80}})?"
)


def value_of(number: str) -> float | None:
    """Return the value of a number that `NUMBER` matched, or None if it is too large or divided by 0."""
    if _PLAIN.fullmatch(number):
        return float(number)
    start = number.find("(") + 1  # after float( or the like
    found = _MAIN.search(number, start) if len(number) <= 128 else None
    if found is None:
        return None
    main = found["main"].translate(PLAIN).replace(",", ".")
    if len(main) > 64:
        return None
    whole = (100 if found["percent"] else 1) * int(found["of"] or 1)
    value = unicodedata.numeric(main) if main in VULGAR else float(main)
    if found["sign"] and not found["sign"].startswith(_PLUS):
        value = -value
    value = value / whole if whole else math.inf
    return value if math.isfinite(value) else None


_FRACTIONAL = re.compile(rf"[.,．%％/{VULGAR}]|^[-+−＋]")


def is_fractional(number: str) -> bool:
    """Return whether a number before a word can be its importance: a whole one without a sign is a position."""
    return bool(_FRACTIONAL.search(number))


def as_number(value: str | float | None) -> float | None:
    """Return a number, or the value of a number in a string, which a remark in brackets may follow; otherwise None."""
    if not isinstance(value, str):
        return value
    found = _REMARK.fullmatch(value.strip()) if len(value) <= LONGEST_LINE else None
    return value_of(found["number"]) if found else None


# ── arrows ───────────────────────────────────────────────────────────────────────────────────────────────────────

ARROW = r"(?:[-=~]{1,5}>|>{2,3}|[→⇒⟶⟹↦⇨➔➜➝➞➡►▶←⟵⇐⬅]\ufe0f?|<-{1,3}(?=\s)|\\(?:to|rightarrow|Rightarrow|mapsto)\b)"

# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────

# The quotes around a word. A word never contains its own quotes unescaped, so no two attempts read the same text.
_MARKS = ('""', "''", "“”", "‘’", "«»", "「」", "『』", "＂＂", "＇＇", "``", "„“", "‹›")
OPEN_QUOTES = "".join(pair[0] for pair in _MARKS)
QUOTES = "".join(dict.fromkeys("".join(_MARKS)))  # any of which can close a word that another opened
LITERAL = "(?:" + "|".join(rf"{a}(?:[^{a}{b}\\\n]|\\.)*+{b}" for a, b in map(tuple, _MARKS)) + ")"

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "0": "\0"}
_ESCAPED |= {mark: mark for mark in QUOTES + "\\/"}
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_DRESS = re.compile(r"(\*\*|__|`|\*)(.{1,300})\1")
_TAGGED = re.compile(r"<(b|strong|em|i|u|code|mark|span|q)>([^<>]{1,300})</\1>", re.IGNORECASE)


def unescaped(word: str) -> str:
    """Resolve the escapes of Python and JSON; any other backslash stays."""
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
    """Return a word without surrounding white space, quotes, bold or code marks, and whether it was in quotes."""
    word = raw.strip()
    quoted = False
    for _ in range(3):  # bold around quotes around code
        dressed = _DRESS.fullmatch(word)
        tagged = _TAGGED.fullmatch(word)
        inner = _unquoted(word)
        if inner is not None:
            word, quoted = inner, True
        elif dressed and dressed[2].strip("*_`"):
            word, quoted = dressed[2].strip(), quoted or dressed[1] == "`"
        elif tagged and tagged[2].strip():
            word = tagged[2].strip()
        else:
            break
    return word, quoted


def _unquoted(word: str) -> str | None:
    """Return the text between the outer quotes, which need not match; None if there are none or it is empty."""
    begin = 2 if word[:1] == "\\" and word[1:2] in OPEN_QUOTES else 1
    if len(word) < begin + 2 or word[begin - 1] not in OPEN_QUOTES or word[-1] not in QUOTES:
        return None
    inner = unescaped(word[begin : -2 if begin == 2 and word[-2] == "\\" and len(word) > 4 else -1])
    return inner.strip() or inner if word[0] in "«‹" else inner  # French puts spaces inside them
