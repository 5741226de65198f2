from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saliency_widget.explanation.parsing import MOST_PROBLEMS, Parsed, decided_class, parse_scores

from ..steps import counted, lines_of

DATA = Path(__file__).parents[1] / "data"
MESSY: list[dict[str, Any]] = json.loads((DATA / "messy_answers.json").read_text(encoding="utf-8"))
ANSWERS: list[dict[str, Any]] = json.loads((DATA / "demo_answers.json").read_text(encoding="utf-8"))
EXAMPLE = '[("This", 0.1), ("film", -0.25), (",", 0.0)]\n-1'


def check(text: str) -> Parsed:
    """What holds for every text."""
    parsed = parse_scores(text)
    assert all(isinstance(word, str) and math.isfinite(value) for word, value in parsed.pairs)
    assert parsed.label in {1, -1, None}
    assert all(isinstance(problem, str) and problem for problem in parsed.problems)
    assert len(parsed.problems) <= MOST_PROBLEMS + 1
    return parsed


# ── the corpus ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("case", MESSY, ids=[case["name"] for case in MESSY])
def test_messy_answers(case: dict[str, Any]) -> None:
    """Each way of writing is read as a person would read it, and what was guessed or left out is said."""
    parsed = check(case["text"])
    assert parsed.pairs == [tuple(pair) for pair in case["pairs"]]
    assert parsed.label == case["label"]
    assert len(parsed.problems) == len(case["problems"])
    assert all(any(said in problem for problem in parsed.problems) for said in case["problems"])
    if "decided" in case:
        assert decided_class(case["text"]) == case["decided"]


def test_the_corpus_is_large() -> None:
    """80 answers and more, each with a name of its own."""
    assert len({case["name"] for case in MESSY}) == len(MESSY) >= 80


@pytest.mark.parametrize("at", range(len(ANSWERS)))
def test_real_answers(at: int) -> None:
    """Of a small model's answers, every pair's word and number stand in the text, in the order of the pairs."""
    text = ANSWERS[at]["text"]
    parsed = check(text)
    place = 0
    for word, value in parsed.pairs:
        place = text.index(word, place) + len(word)
        number = re.compile(r"-?\d+(?:\.\d+)?").search(text, place)
        assert number
        assert float(number[0]) == value
    if not parsed.pairs:
        assert any(problem.startswith("There is no list") for problem in parsed.problems)
    assert decided_class(text) in {1, -1, None}


@pytest.mark.parametrize("at", [at for at, each in enumerate(ANSWERS) if each["kind"] == "scores-two-shot"])
def test_no_real_pair_is_lost(at: int) -> None:
    """Where a small model writes tuples, all that are whole are read, and a list that breaks off is said to."""
    text = ANSWERS[at]["text"]
    whole = re.findall(r'\("([^"]+)", (-?\d+(?:\.\d+)?)"?\)', text)
    parsed = check(text)
    assert parsed.pairs == [(word, float(number)) for word, number in whole]
    assert any("breaks off" in problem for problem in parsed.problems) == ("]" not in text)


# ── problems ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_is_dropped_silently() -> None:
    """Each word whose number cannot be read is named, up to twenty problems, and then how many more there are."""
    entries = ", ".join(f'("w{at}", high)' for at in range(30))
    parsed = check(f'[("a", 1), {entries}]\n1')
    assert parsed.pairs == [("a", 1.0)]
    assert parsed.problems[:2] == ['There is no number for "w0".', 'There is no number for "w1".']
    assert parsed.problems[-1] == "… and 10 more."


def test_a_list_cut_anywhere_keeps_its_whole_pairs() -> None:
    """At every length: the pairs so far, exactly, and that the list breaks off."""
    text = EXAMPLE.split("\n", maxsplit=1)[0]
    ends = [found.end() for found in re.finditer(r"\)", text)]
    whole = parse_scores(text).pairs
    for size in range(2, len(text)):
        parsed = check(text[:size])
        assert parsed.pairs == whole[: sum(end <= size for end in ends)]
        assert parsed.pairs == [] or any("breaks off" in problem for problem in parsed.problems)


def test_long_words_are_shortened_in_problems() -> None:
    """A problem stays short, however long the word."""
    parsed = check(f'[("a", 1), ("{"x" * 500}")]')
    assert max(map(len, parsed.problems)) < 80


# ── any text ─────────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(st.tuples(st.text(min_size=1, max_size=12), st.floats(allow_nan=False, allow_infinity=False))))
@settings(max_examples=300, deadline=None)
def test_what_python_writes_is_read_back(pairs: list[tuple[str, float]]) -> None:
    """Any list of (word, float), written by `repr`, comes back, if not all its words are numbers or class names."""
    pairs = [*pairs, ("Wörter", 0.5)]
    assert check(f"{pairs!r}\n1").pairs == pairs


@given(
    st.lists(
        st.tuples(
            st.text(min_size=1, max_size=8),
            st.floats(-1, 1),
        ),
        min_size=1,
    )
)
@settings(max_examples=200, deadline=None)
def test_what_json_writes_is_read_back(pairs: list[tuple[str, float]]) -> None:
    """Objects in JSON, with and without escapes."""
    pairs = [*pairs, ("film", 0.5)]
    for ascii_only in (True, False):
        objects = [{"word": word, "importance": value} for word, value in pairs]
        assert check(json.dumps({"words": objects, "class": -1}, ensure_ascii=ascii_only)) == Parsed(pairs, -1, [])


@given(st.text(max_size=300) | st.text(alphabet="()[]{}\"'“”,:;|-*_`<>\\/ \n\t01.%aé好", max_size=300))
@settings(max_examples=800, deadline=None)
def test_any_text_is_taken(text: str) -> None:
    """No text raises; numbers are finite."""
    check(text)
    assert decided_class(text) in {1, -1, None}


PARTS = [
    *"()[]{}<>（）［］【】「」",
    *"\"'`“”‘’«»,，、:：;|*_-−–—+=.…%\\/#\n\t ",
    *("0.5", "-1", "1", "0,8", "80%", "1e5", "1e999", "NaN", "inf", "０．５", "٣", "²"),
    *(
        "film",
        "don't",
        "好",
        "電影",
        "👍",
        "e\u0301",
        "\u202e",
        "\x00",
        "\ud800",
        "\udc00",
        "word",
        "class",
        "importance",
    ),
    *("positive", "negative", "not", "The review is ", "Classification: ", "正面", "分类："),
    *(
        "<think>",
        "</think>",
        "```",
        "\n\n",
        "...",
        '("a", 0.1)',
        '{"word": "a", "score": 1}',
        "| a | 0.1 |\n",
        "- a: 0.1\n",
    ),
    *("\\u12", "\\x4", "\\", '\\"', '"""', "null", "true", "<float importance>", " " * 30, "(" * 30, "9" * 80),
]


@pytest.mark.parametrize("size", [4_000, pytest.param(100_000, marks=pytest.mark.long)])
def test_thousands_of_texts_are_taken(size: int) -> None:
    """Random parts of answers in any order, and answers mutated: never an error, always finite numbers."""
    chance = random.Random(7)
    whole = [case["text"] for case in MESSY if len(case["text"]) < 150]
    for _ in range(size // 2):
        check("".join(chance.choices(PARTS, k=chance.randrange(1, 12))))
    for _ in range(size // 2):
        check(mutated(chance.choice(whole), chance))


def mutated(text: str, chance: random.Random) -> str:
    """Something cut out, put in or swapped."""
    for _ in range(chance.randrange(1, 4)):
        a, b = sorted((chance.randrange(len(text) + 1), chance.randrange(len(text) + 1)))
        kind = chance.randrange(4)
        if kind == 0:
            text = text[:a]
        elif kind == 1:
            text = text[:a] + chance.choice(PARTS) + text[a:]
        elif kind == 2:
            text = text[:a] + text[a + 1 :]
        else:
            text = text[:a] + chance.choice("\"'“”`") + text[a + 1 : b] + chance.choice("()[]{}") + text[b:]
    return text


def cut_and_changed(text: str, places: int) -> Iterator[str]:
    for at in range(0, len(text), max(len(text) // places, 1)):
        yield text[:at]
        yield text[at:]
        yield text[:at] + text[at + 1 :]


@pytest.mark.parametrize("swap", ["\"'", "'\"", '"“', "()", ")(", "[{", ",，", ":-", "\n "])
@pytest.mark.parametrize("places", [6, pytest.param(60, marks=pytest.mark.long)])
def test_the_corpus_changed_everywhere_is_taken(swap: str, places: int) -> None:
    """Each answer cut, and with a character left out, at many places, its quotes and brackets swapped."""
    for case in MESSY:
        check(case["text"].replace(swap[0], swap[1]))
    for case in MESSY[ord(swap[0]) % 9 :: 9]:
        for text in cut_and_changed(case["text"].replace(swap[0], swap[1]), places):
            check(text)


@pytest.mark.parametrize("size", [50_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_not_only_short_texts(size: int) -> None:
    """Many thousand characters, and the deepest brackets."""
    check("[(" * (size // 2))
    assert len(check("".join(f'("w{at}", 0.5), ' for at in range(size // 16))).pairs) == size // 16


# ── growth ───────────────────────────────────────────────────────────────────────────────────────────────────────

PARSING = "saliency_widget.explanation.parsing"
NASTY = [
    "- Label: 1\n",
    "Total: 1\n",
    *(
        "(",
        "[(",
        '("a", ',
        "(“a",
        "<think>",
        "\n<think>",
        "|",
        '"',
        "1",
        "**",
        "`",
        "{",
        "((, 1",
        '( "',
        '"a": ',
        '"word": "a", ',
    ),
    *(
        "\\",
        '\\"',
        "('\\",
        "\n",
        " ",
        " \n",
        ", ",
        '("a", 0.1',
        "- ",
        "class (",
        "review is positive ",
        "- a: 1\n",
        '{"a": 1, ',
    ),
    *(
        '{"word":',
        "0.",
        "“",
        "「",
        "<",
        "(a,b)",
        '("a")',
        '["',
        "1\n",
        "not positive ",
        "Positive: 1\n",
        "(((a, 1)",
        "a (",
        "评论",
    ),
]


@pytest.mark.parametrize("part", NASTY)
@pytest.mark.parametrize("size", [400, pytest.param(4_000, marks=pytest.mark.long)])
@pytest.mark.parametrize("work", [parse_scores, decided_class])
def test_work_is_linear(work: Callable[[str], object], size: int, part: str) -> None:
    """Four times the text takes four times the work, however nasty it is: 5 leaves room for what is bounded.

    Work is the lines of Python that run and the steps of every pattern. Were it quadratic, it would be 16 times.
    """
    lines, steps = [], []
    for text in (part * (size // len(part)), part * (4 * size // len(part))):
        lines.append(lines_of(lambda text=text: work(text), PARSING))
        with counted(PARSING) as so_far:
            work(text)
            steps.append(so_far())
    assert lines[1] < 5 * max(lines[0], 200)
    assert steps[1] < 5 * steps[0]
