"""The labels that an answer may choose between, as words of many languages and as numbers."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

from .literals import PLAIN, words

Label: TypeAlias = Literal[1, -1]  # of the homework
L = TypeVar("L", bound=Hashable)

POSITIVE = words("""
    positive pos positiv positiva positivo positif positief pozytywny pozytywna pozitivní olumlu позитивный позитивная
    положительный положительная положительное 正面 积极 積極 正向 好评 好評 ポジティブ 肯定的 긍정적 긍정 إيجابي إيجابية
    सकारात्मक позитивний позитивна позитивне חיובי חיובית θετική θετικό pozitív pozitiv pozitivă positiivinen 👍
""") | {"tích cực", "thumbs up"}
NEGATIVE = words("""
    negative neg negativ negativa negativo négatif négative negatief negatywny negatywna negativní olumsuz негативный
    негативная отрицательный отрицательная отрицательное 负面 負面 消极 消極 负向 負向 差评 差評 ネガティブ 否定的
    부정적 부정 سلبي سلبية नकारात्मक негативний негативна негативне שלילי שלילית αρνητική αρνητικό negatív negativă
    negatiivinen 👎
""") | {"tiêu cực", "thumbs down"}
NEITHER = words("neutral mixed")

LETTER = "A-Za-zÀ-ɏΑ-ωЀ-ӿ"  # of the scripts that put spaces between words; to stand between [ ] of a pattern
_SIGN = "[-+−–－‐‑＋]"


@dataclass(frozen=True)
class Labels(Generic[L]):
    """The labels by their names, in small letters, and by their numbers. `homework`: positive 1, negative -1."""

    names: Mapping[str, L]
    numbers: Mapping[float, L]
    homework: bool = False

    def __bool__(self) -> bool:
        """Return whether there is any label."""
        return bool(self.names or self.numbers)

    def of(self, written: str) -> L | None:
        """Return the label that is written so, or None."""
        plain = _spaced(written)
        if plain in self.names:
            return self.names[plain]
        try:
            return self.numbers.get(float(written.translate(PLAIN)))
        except ValueError:
            return None

    @property
    def name(self) -> str:
        """Return the pattern of any name, as a whole word."""
        ordered = sorted(self.names, key=len, reverse=True)
        cased = [_pattern_of(name) for name in ordered if _is_cased(name)]
        others = [_pattern_of(name) for name in ordered if not _is_cased(name)]
        whole = rf"(?<![{LETTER}])(?:{'|'.join(cased)})(?![{LETTER}])" if cased else "(?!)"
        return "(?:" + "|".join([whole, *others]) + ")"

    @property
    def number(self) -> str:
        """Return the pattern of any number of a label, and of 0 unless that is one."""
        digits = sorted({_digits(abs(number)) for number in self.numbers}, key=len, reverse=True)
        pattern = rf"{_SIGN}?(?:{'|'.join(digits)})(?:\.0{{1,6}})?(?![\d.,]?\d)(?!%)" if digits else r"(?!)"
        return rf"(?:{pattern}|(?<![-\d.])0(?:\.0{{1,6}})?(?![.,]?\d)(?!%))" if self.homework else f"(?:{pattern})"


def homework_labels() -> Labels[Label]:
    """Return positive = 1 and negative = -1, in the languages that models answer in."""
    names: dict[str, Label] = {**dict.fromkeys(POSITIVE, 1), **dict.fromkeys(NEGATIVE, -1)}
    return Labels(names, {1.0: 1, -1.0: -1}, homework=True)


def labels_of(given: Iterable[L] | Mapping[L, float | str]) -> Labels[L]:
    """Return the labels that a user names, {name: how it is written} or names alone.

    Those called positive and negative know their synonyms.
    """
    names: dict[str, L] = {}
    numbers: dict[float, L] = {}
    for label in given:
        names[_spaced(str(label).strip())] = label
        written = given[label] if isinstance(given, Mapping) else None
        if isinstance(written, str):
            names[_spaced(written.strip())] = label
        elif written is not None:
            numbers[float(written)] = label
        elif isinstance(label, int | float):
            numbers[float(label)] = label
    for synonyms in (POSITIVE, NEGATIVE):
        called = [name for name in names if name in synonyms]
        if len(called) == 1:
            names = {**dict.fromkeys(synonyms, names[called[0]]), **names}
    names = {name: label for name, label in names.items() if any(map(str.isalnum, name))}  # else it is everywhere
    return Labels(names, numbers)


_BETWEEN_WORDS = re.compile(r"[\s_-]+")


def _spaced(name: str) -> str:
    """Return a name in small letters, with single spaces between its words."""
    return " ".join(_BETWEEN_WORDS.split(name.casefold()))


def _pattern_of(name: str) -> str:
    """Return the pattern of a name: with spaces, hyphens or underlines between its words."""
    return r"[\s_-]".join(re.escape(word) for word in _BETWEEN_WORDS.split(name))


def _is_cased(name: str) -> bool:
    """Return whether a script with small and capital letters writes the name: those put spaces between words."""
    return name.lower() != name.upper()


def _digits(number: float) -> str:
    """Return the pattern of a number's digits, which may be full-width ones."""
    return "".join(
        f"[{digit}{chr(ord(digit) + 0xFEE0)}]" if digit.isdigit() else re.escape(digit) for digit in f"{number:g}"
    )
