"""From tokens to words, sentences and segments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import saliency_widget as sw
from saliency_widget.errors import UnknownName
from saliency_widget.models.text.document import joined
from saliency_widget.types import Token


def token(position: int, text: str, word: int, role: str = "prompt", segment: int = 0) -> Token:
    return Token(
        id=position, position=position, text=text, role=role, span=(position, position + 1), word=word,
        sentence=segment, segment=segment,
    )  # type: ignore[arg-type]  # fmt: skip


ROWS = [token(0, "ma", 0), token(1, "chine", 0), token(2, " sees", 1), token(3, " it", 2, "generated", 1)]
COLS = [token(3, " it", 2, "generated", 1), token(4, "self", 2, "generated", 1)]
SCORES = np.array([[1, 2], [3, 4], [-2, 5], [np.nan, 6]], dtype=np.float32)


@pytest.fixture
def tokens() -> sw.Attribution:
    return sw.Attribution.from_scores(SCORES, ROWS, COLS, method="mine")


def test_words_add_up_and_columns_are_averaged(tokens: sw.Attribution) -> None:
    words = tokens.aggregate("word", "sum")
    assert [t.text for t in words.rows] == ["machine", " sees", " it"]
    assert [t.text for t in words.cols] == [" itself"]
    np.testing.assert_allclose(words.scores[:, 0], [(4 + 6) / 2, (-2 + 5) / 2, np.nan])
    assert words.settings["unit"] == "word"
    assert words.settings["pool"] == "sum"


@pytest.mark.parametrize(("pool", "first"), [("sum", 4), ("mean", 2), ("max", 3)])
def test_a_pool_is_what_it_says(tokens: sw.Attribution, pool: str, first: float) -> None:
    segments = tokens.aggregate("segment", pool)
    assert segments.scores.shape == (2, 2)
    assert segments.scores[0, 0] == pytest.approx({"sum": 2, "mean": 2 / 3, "max": 3}[pool])
    assert np.isnan(segments.scores[1, 0])
    assert tokens.aggregate("word", pool).rows[0].text == "machine"
    whole = tokens.aggregate("word", pool).scores[0, 0]
    second = {"sum": 6, "mean": 3, "max": 4}[pool]
    assert whole == pytest.approx((first + second) / 2)


def test_a_sentence_ends_where_the_writing_begins_and_a_word_at_a_special_token() -> None:
    """Read and written tokens are never one unit; a special token is part of a sentence, and of no word."""
    rows = [token(0, "<s>", 0, "special"), token(1, "ma", 0), token(2, "chine", 0), token(3, " runs", 1, "generated")]
    a = sw.Attribution.from_scores(np.ones((4, 1)), rows, [token(4, ".", 1, "generated")], method="mine")
    assert [t.text for t in a.aggregate("sentence").rows] == ["<s>machine", " runs"]
    assert [t.text for t in a.aggregate("word").rows] == ["<s>", "machine", " runs"]


def test_several_tokens_as_one_have_the_text_the_place_and_the_length_of_all() -> None:
    parts = [replace(token(at, "家", 0), part=(at + 1, 2), span=(0, 1)) for at in range(2)]
    assert joined(parts[1:]) is parts[1]  # alone it stays what it is
    whole = joined(
        [replace(token(0, "<s>", 0, "special"), span=None), replace(token(1, "a", 0), length=2), token(3, "b", 0)]
    )
    assert (whole.text, whole.role, whole.position, whole.length, whole.span) == ("<s>ab", "prompt", 0, 4, (1, 4))
    both = joined(parts)
    assert (both.text, both.part, both.length) == ("家", None, 2)


def test_unknown_units_and_pools_offer_the_nearest(tokens: sw.Attribution) -> None:
    with pytest.raises(UnknownName, match="Did you mean word"):
        tokens.aggregate("words")
    with pytest.raises(UnknownName, match="Known: sum, mean, max"):
        tokens.aggregate("word", "median")


def test_words_of_a_real_map_keep_its_sum_and_can_be_shown(tiny_model) -> None:
    a = sw.attribute(tiny_model, "the cab and", target=" the dog", method="input_x_gradient", progress=False)
    words = a.aggregate("word")
    col = [t.word for t in a.cols].index(a.cols[0].word)
    assert len(words.rows) < len(a.rows)
    if sum(t.word == a.cols[0].word for t in a.cols) == 1:
        assert np.nansum(words.scores[:, 0]) == pytest.approx(np.nansum(a.scores[:, col]), rel=1e-4)
    assert "the" in words.to_html()
    assert "summed over words" in words.to_html()
    assert "over words" not in a.to_html()
    assert words.aggregate("sentence").scores.shape[1] == len(words.cols)


# Of the two tokens of "machine", " sees" and " it", for " it" and "self".
ERRORS = np.array([[0.1, 0.2], [0.3, 0.4], [np.nan, 0.5], [np.nan, 0.6]], dtype=np.float32)


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        # Columns are averaged: the tokens have errors of .15, .35 and an unknown one; " it" is a target's own.
        ("sum", [0.5, np.nan, np.nan]),
        ("mean", [0.25, np.nan, np.nan]),
        ("max", [0.35, np.nan, np.nan]),  # that of "chine", whose score is the largest
    ],
)
def test_the_errors_of_a_sum_are_added_up(pool: str, expected: list[float]) -> None:
    """The most that they can be, since errors of opposite signs cancel; one that is unknown makes the sum's unknown."""
    words = sw.Attribution.from_scores(SCORES, ROWS, COLS, method="mine", errors=ERRORS).aggregate("word", pool)
    assert words.errors is not None
    np.testing.assert_allclose(words.errors[:, 0], expected, rtol=1e-6)


def test_an_error_of_what_is_not_seen_is_none_of_the_sum() -> None:
    """A unit that a target sees in part has the error of that part."""
    scores = np.array([[1.0, 1.0], [2.0, np.nan]])
    rows, cols = [token(0, "a", 0), token(1, "b", 0)], [token(2, "c", 1, "generated"), token(3, "d", 2, "generated")]
    a = sw.Attribution.from_scores(scores, rows, cols, method="mine", errors=[[0.1, 0.1], [0.2, 7]])
    found = a.aggregate("word", "sum").errors
    assert found is not None
    np.testing.assert_allclose(found, [[0.3, 0.1]], rtol=1e-6)


def test_a_map_without_errors_has_none_by_words_either(tokens: sw.Attribution) -> None:
    assert tokens.aggregate("word", "sum").errors is None
