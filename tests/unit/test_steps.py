"""The counters of work notice quadratic growth."""

from __future__ import annotations

import re
import sys
from types import ModuleType

import pytest

from ..steps import Matcher, counted, lines_of


@pytest.mark.parametrize(
    ("pattern", "growth"),
    [
        (r"\s*x", 16),  # each blank begins a new look at all that follow
        (r"\s*+x", 16),
        (r"(?<!\s)\s*+x", 4),
        (r"(?:a|b|ab)+c", 4),
        (r"\(\w{0,80}\)", 4),
        (r"(\w+)\s+\1", 4),
    ],
)
def test_a_search_that_is_quadratic_takes_16_times_the_steps_on_four_times_the_text(pattern: str, growth: int) -> None:
    """To a tenth, as a few steps at the ends are not repeated."""
    module = ModuleType("some_package")
    module.pattern = re.compile(pattern)
    sys.modules["some_package"] = module
    steps = []
    try:
        for size in (200, 800):
            with counted("some_package") as so_far:
                module.pattern.search(" " * size)
                steps.append(so_far())
    finally:
        del sys.modules["some_package"]
    assert steps[1] == pytest.approx(growth * steps[0], rel=0.1)
    assert isinstance(module.pattern, re.Pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"a*?b|a{2,3}c", r"(?P<n>a|b)+(?P=n)", r"(a)?b(?(1)c|d)", r"(?>a+)ab|x", r"(?:ab?)*+b", r"(?i:A)b\B.", r"^a|b$",
        r"(?:(a)|b)*?c\1?", r"(?<=a)b(?!c)", r"\Ba|[^ab]\b", r"(?s:.)\Z", r"(?:a|ab)(?:c|bcd)(?:d*)",
    ],
)  # fmt: skip
def test_the_matcher_finds_what_re_finds(pattern: str) -> None:
    """From every place of every text of up to six letters, as a whole and in part."""
    compiled = re.compile(pattern)
    matcher = Matcher(compiled)
    texts = [""]
    for text in texts:
        for at in range(len(text) + 1):
            found, whole = compiled.match(text, at), compiled.fullmatch(text, at)
            assert matcher.end(text, at) == (found.end() if found else -1), (text, at)
            assert matcher.end(text, at, whole=True) == (whole.end() if whole else -1), (text, at)
        if len(text) < 6:
            texts += [text + letter for letter in "abcd"[: 4 if len(text) < 4 else 2]]


def test_lines_are_counted_each_time_they_run() -> None:
    """Of a loop, of what it calls and of a comprehension; and only those of the package."""
    module = ModuleType("some_package.part")
    code = """
def double(x):
    return 2 * x

def loop(n):
    for i in range(n):
        double(i)
    return [i for i in range(n)]
"""
    exec(code, vars(module))
    few, many = (lines_of(lambda n=n: module.loop(n), "some_package") for n in (10, 110))
    assert many - few in (400, 300)  # three lines a round, and one of the comprehension where it is a loop of its own
    assert lines_of(lambda: module.loop(10), "another") == 0
