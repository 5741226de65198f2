from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saliency_widget.explanation.alignment import Alignment, align, words_of
from saliency_widget.types import Fate

from ..steps import lines_of

PARTS = [
    *(
        "the",
        "The",
        " ",
        " ",
        "film",
        "don't",
        "don’t",
        ",",
        ".",
        "...",
        '"',
        "“",
        "well-made",
        "好",
        "電影",
        "3.5",
        "\n",
    ),
    *("<br>", "&amp;", "very (2)", "—", "café", "电影"),
    *("ﬁlm", "FILM", "n't", "do", "👍", "e\u0301", "\x00", "machine learning", "- ", "''"),
]
texts = st.lists(st.sampled_from(PARTS), max_size=30).map("".join)
values = st.floats(-3, 3)


def scores(review: str, words: list[str]) -> list[float | None]:
    """With the values 0.01, 0.02, …"""
    return list(align(review, [(word, at / 100) for at, word in enumerate(words, 1)]).scores)


def fates(aligned: Alignment) -> list[tuple[Fate, int | None]]:
    return [(pair.fate, pair.at) for pair in aligned.pairs]


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't go, it’s 3.5!", ["Don't", "go", ",", "it’s", "3.5", "!"]),
        ("a well-made film...", ["a", "well", "-", "made", "film", "..."]),
        ("我喜歡電影。Good", ["我", "喜", "歡", "電", "影", "。", "Good"]),
        ('"Why?!" (no)', ['"', "Why", "?", "!", '"', "(", "no", ")"]),
        (" \n\t ", []),
        ("", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    """Unicode word boundaries; marks alike are one word, white space is none."""
    assert [word.text for word in words_of(text)] == words


@given(texts | st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_spans_are_where_the_words_are(text: str) -> None:
    """`text` is the review at `span`; spans ascend; only white space is between them."""
    end = 0
    for word in words_of(text):
        assert text[slice(*word.span)] == word.text
        assert not text[end : word.span[0]].strip()
        assert word.span[0] >= end
        assert word.text.strip()
        end = word.span[1]
    assert not text[end:].strip()


# ── what a pair means ────────────────────────────────────────────────────────────────────────────────────────────


def test_repeated_words_are_met_in_order() -> None:
    """Three times "the" are three words, one after another; a fourth is once too often."""
    aligned = align("the cat, the dog, the end", [("the", 0.1), ("the", 0.2), ("the", 0.3), ("the", 0.4)])
    assert fates(aligned) == [("aligned", 0), ("aligned", 3), ("aligned", 6), ("repeated", None)]
    assert aligned.scores == (0.1, None, None, 0.2, None, None, 0.3, None)
    assert aligned.covered == 3 / 8


def test_the_next_word_is_meant_before_a_like_one_further_on() -> None:
    """A model that writes all in small letters still goes through the review in order."""
    assert scores("Boring. Just boring.", ["boring", ".", "just", "boring", "."]) == [0.01, 0.02, 0.03, 0.04, 0.05]


def test_the_exact_word_is_meant_where_both_are_far() -> None:
    """Far ahead, "The" is The rather than the first the."""
    assert align("a b c d e the f The", [("The", 1.0)]).pairs[0].at == 7


def test_pairs_out_of_order_meet_their_words() -> None:
    """Backwards, each word still has its pair."""
    assert scores("This is a film.", [".", "film", "a", "is", "This"]) == [0.05, 0.04, 0.03, 0.02, 0.01]


def test_invented_words_are_named() -> None:
    """A word that is not in the review means none, and its neighbours keep theirs."""
    aligned = align("This film", [("This", 0.1), ("palpable", 0.2), ("film", 0.3), ("", 1.0), (" ", 1.0)])
    assert fates(aligned) == [
        ("aligned", 0),
        ("invented", None),
        ("aligned", 1),
        ("invented", None),
        ("invented", None),
    ]
    assert aligned.problems == ("3 pairs name words that are not in the review.",)


def test_values_beyond_the_range_are_clipped() -> None:
    """In the scores, not in the pairs."""
    aligned = align("good bad", [("good", 3.0), ("bad", -1.5)])
    assert aligned.scores == (1.0, -1.0)
    assert [(pair.value, pair.fate, pair.at) for pair in aligned.pairs] == [
        (3.0, "out of range", 0),
        (-1.5, "out of range", 1),
    ]
    assert aligned.problems == ("2 values are beyond -1 or 1.",)


@pytest.mark.parametrize(
    ("review", "word"),
    [
        ("❤️", "❤"),
        ("—", "--"),
        ("don‑t", "don-t"),
        ("café", "cafe"),
        ("naive", "naïve"),
        ("電影", "电影"),
        ("无聊", "無聊"),
        ("&", "&amp;"),
        ('"', "&quot;"),
        ("''", '"'),
        ("film", "<b>film</b>"),
        ("film", "**film**"),
        ("film", "film (noun)"),
        ("film", "film."),
        ("isn't", "isnt"),
        ("mind-blowing", "mindblowing"),
        ("mind-blowing", "mind blowing"),
        ("at all", "atall"),
        ("Film", "film"),
        ("it’s", "it's"),
        ("it's", "IT’S"),
        ("film", ' "film" '),
        ("“", '"'),
        ('"', '"'),
        ("film", "ｆｉｌｍ"),
        ("Straße", "STRASSE"),
        ("film", "Ġfilm"),
        ("film", "▁film"),
        ("##", "##"),
        ("！", "!"),
        ("—", "-"),
        ("👍🏽", "👍"),
        ("film", "film_2"),
        ("<br />", "<br/>"),
    ],
)
def test_words_alike_are_the_same(review: str, word: str) -> None:
    """In another case or width, with other quotes or some around, with a tokenizer's marks."""
    assert align(review, [(word, 0.5)]).covered == 1


def test_a_pair_of_several_words_scores_each() -> None:
    """With or without hyphens, with the mark after it, in Chinese; once any of them is taken, it is too late."""
    review = "machine learning is well-made."
    assert scores(review, ["machine learning", "is", "well-made ."]) == [0.01, 0.01, 0.02, 0.03, 0.03, 0.03, 0.03]
    assert scores("我喜歡電影", ["我", "喜歡", "電影"]) == [0.01, 0.02, 0.02, 0.03, 0.03]
    assert fates(align(review, [("learning", 0.1), ("machine learning", 0.2)])) == [
        ("aligned", 1),
        ("repeated", None),
    ]


def test_pieces_of_a_word_give_it_the_strongest_value() -> None:
    """ "do" and "n't" are "don't", also where there is another "do" further on; so are a tokenizer's pieces."""
    aligned = align("I don't do unbelievable", [("I", 0.0), ("do", 0.2), ("n't", -0.6), ("do", 0.5)])
    assert aligned.scores[:3] == (0.0, -0.6, 0.5)
    assert fates(aligned) == [("aligned", 0), ("aligned", 1), ("aligned", 1), ("aligned", 2)]
    assert any('"don\'t"' in problem for problem in aligned.problems)
    pieces = align("so unbelievable", [("un", 1.0), ("##bel", 3.0), ("##ievable", 1.0)])
    assert pieces.scores == (None, 1.0)
    assert [pair.fate for pair in pieces.pairs] == ["aligned", "out of range", "aligned"]


def test_a_tag_in_pieces_is_one_unit() -> None:
    assert align(
        "dull<br />film", list(zip(["dull", "<", "br", "/", ">", "film"], [-0.9, 0.1, 0, 0, 0, 0.2], strict=True))
    ).scores == (-0.9, 0.1, 0.2)


def test_numbered_words_are_each_for_one_place() -> None:
    """In the order in which they are named, as the keys of a dictionary that cannot hold a word twice."""
    assert scores("very, very dull", ["very_1", "very_2", "dull"]) == [0.01, None, 0.02, 0.03]


def test_joined_words_are_met_only_where_none_is_like_it() -> None:
    """ "its" is its, not it's, though the letters are the same; with no "its", it is it's."""
    assert align("it's long, its end", [("its", 0.5)]).pairs[0].at == 3
    assert align("it's long", [("its", 0.5)]).pairs[0].at == 0


def test_a_tag_is_one_unit() -> None:
    """Markup and entities are one word each, and a pair with them names them; a lesser sign is none."""
    review = 'a <b class="x">dull</b> film<br /> &amp; 1 < 2'
    assert [word.text for word in words_of(review)] == [
        *("a", '<b class="x">', "dull", "</b>", "film", "<br />", "&amp;", "1", "<", "2")
    ]
    aligned = align(review, [('<b class="x">dull</b>', -0.5), ("<br />", 0.1), ("&", 0.2)])
    assert fates(aligned) == [("aligned", 1), ("aligned", 5), ("aligned", 6)]
    assert aligned.scores[1:7] == (-0.5, -0.5, -0.5, None, 0.1, 0.2)


def test_counted_repeats() -> None:
    """ "very (2)" alone means two places, and says so; beside "very (1)" it means the second."""
    review = "very very very good"
    counted = align(review, [("very (2)", 0.3), ("good", 0.9)])
    assert counted.scores == (0.3, 0.3, None, 0.9)
    assert any("very (2)" in problem and "2 places" in problem for problem in counted.problems)
    assert align(review, [("very ×3", 0.3)]).scores == (0.3, 0.3, 0.3, None)
    assert align(review, [("very (1)", 0.1), ("very (2)", 0.2), ("very (3)", 0.3)]).scores == (0.1, 0.2, 0.3, None)
    assert align("see page (2)", [("page (2)", 0.3)]).scores == (None, 0.3, 0.3, 0.3, 0.3)


def test_a_dictionary_means_all_places() -> None:
    """If each word can be named once only, its value is for all its places, and that is said."""
    pairs = [("the", 0.1), ("film", 2.0), ("invented", 0.5)]
    aligned = align("The film, the end, the film", pairs, everywhere=True)
    assert aligned.scores == (0.1, 1.0, None, 0.1, None, None, 0.1, 1.0)
    assert any('"film" is named once' in problem for problem in aligned.problems)
    assert align("the the", [("the", 0.1)]).scores == (0.1, None)


def test_nothing_at_all() -> None:
    """No words are covered; no pairs cover nothing."""
    assert align("", [("a", 1.0)]).covered == 1
    assert align("a", []).scores == (None,)
    assert align("a b", []).problems == ("2 words of the review have no score.",)


# ── any review, any pairs ────────────────────────────────────────────────────────────────────────────────────────


@given(texts | st.text(max_size=40), st.data())
@settings(max_examples=300, deadline=None)
def test_the_review_s_own_words_cover_it(review: str, data: st.DataObject) -> None:
    """Pairs of the review's words, in order, score each with its own value."""
    words = words_of(review)
    given_values = data.draw(st.lists(st.floats(-1, 1), min_size=len(words), max_size=len(words)))
    aligned = align(review, [(word.text, value) for word, value in zip(words, given_values, strict=True)])
    assert list(aligned.scores) == given_values
    assert fates(aligned) == [("aligned", at) for at in range(len(words))]
    assert aligned.problems == ()
    assert aligned.covered == 1


@given(
    texts | st.text(max_size=40), st.lists(st.tuples(texts | st.text(max_size=6), values), max_size=25), st.booleans()
)
@settings(max_examples=500, deadline=None)
def test_every_word_and_every_pair_is_accounted_for(
    review: str, pairs: list[tuple[str, float]], everywhere: bool
) -> None:
    """A word has a score in [-1, 1] or none, a pair has one fate, and a word only where it means one."""
    aligned = align(review, pairs, everywhere=everywhere)
    assert [(pair.word, pair.value) for pair in aligned.pairs] == pairs
    assert len(aligned.scores) == len(aligned.words)
    assert all(score is None or -1 <= score <= 1 for score in aligned.scores)
    for pair in aligned.pairs:
        if pair.fate in {"aligned", "out of range"}:
            assert pair.at is not None
            assert aligned.scores[pair.at] is not None
            assert (pair.fate == "out of range") == (abs(pair.value) > 1)
        else:
            assert pair.fate in {"repeated", "invented"}
            assert pair.at is None
    scored = sum(score is not None for score in aligned.scores)
    assert aligned.covered == (scored / len(aligned.words) if aligned.words else 1)


@given(st.lists(st.sampled_from(["a", "b", "the", "."]), max_size=30), st.randoms(use_true_random=False))
def test_repeated_words_stay_in_order(words: list[str], chance: random.Random) -> None:
    """Of any subset of the review's words, in order, those alike mean places that ascend."""
    kept = [word for word in words if chance.random() < 0.6]
    aligned = align(" ".join(words), [(word, 0.0) for word in kept])
    for word in set(kept):
        places = [pair.at for pair in aligned.pairs if pair.word == word]
        assert None not in places
        assert len(set(places)) == len(places)


@pytest.mark.parametrize("review", ["the ", "a b ", "no two ", "."])
@pytest.mark.parametrize("kind", ["same", "backwards", "none", "pieces", "pairs", "counted", "joined"])
@pytest.mark.parametrize("size", [100, pytest.param(5_000, marks=pytest.mark.long)])
def test_work_is_linear(review: str, kind: str, size: int) -> None:
    """Four times as many words take four times the lines: if all are alike, none is there, or all are in pieces.

    Were it quadratic, it would be 16 times.
    """

    def lines(size: int) -> int:
        words = [word.text for word in words_of(review * size)][:size]
        given_words = {
            "same": words,
            "backwards": words[::-1],
            "none": ["x"] * size,
            "pieces": ["t", "he"] * (size // 2),
            "pairs": ["the the"] * size,
            "counted": [f"the ({at})" for at in range(1, size + 1)],
            "joined": ["nottwo"] * size,
        }[kind]
        return lines_of(lambda: align(review * size, [(word, 0.5) for word in given_words]))

    assert lines(4 * size) < 5 * lines(size)
