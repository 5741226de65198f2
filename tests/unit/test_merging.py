"""Two maps on one text: where their tokens go, and what their difference is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import saliency_widget as sw
from saliency_widget import Attribution
from saliency_widget.comparison.compare import exhibition_of
from saliency_widget.comparison.merging import Replaced, merge
from saliency_widget.errors import InputError
from saliency_widget.export.reading import columns
from saliency_widget.types import Segment, SegmentKind, Token

from ..families import made
from ..steps import lines_of
from .two_maps import A, B, attributed, read_back, ready, texts


def test_what_both_have_stands_there_once_and_the_rest_where_it_stood() -> None:
    m = merge(A, B)
    assert texts(m.tokens) == "The| old| cat| there| sat| down|."
    assert (texts(m.rows), texts(m.cols)) == ("The| old| cat| there", " sat| down|.")
    assert (m.first_target, m.n_rows, m.n_both, m.n_alone) == (4, 4, 4, (1, 2))
    assert [token.position for token in m.tokens] == list(range(7))


def test_the_difference_is_one_of_shares_and_is_there_where_both_are() -> None:
    """By hand: the first column of A is [1, 3, -4] / 8, that of B [2, 6, 8] / 16."""
    nan = np.nan
    *_, difference = (shown.map for shown in exhibition_of(A, B).maps)
    np.testing.assert_allclose(
        difference.scores,
        [
            [1 / 8 - 2 / 16, nan, 2 / 8 - 1 / 2],
            [nan, nan, nan],
            [-4 / 8 - 6 / 16, nan, 2 / 8 - 1 / 2],
            [nan, nan, nan],
        ],
        rtol=1e-6,
    )
    assert (difference.method, difference.signed, difference.unit) == ("difference", True, "difference of shares")
    page = difference.to_html()
    assert "· difference of shares" in page, "and no share of it"
    assert "difference −.875 · rank 1 of 2" in page


def test_inputs_that_stand_in_the_place_of_others_are_one_input_of_the_difference() -> None:
    """By hand: A's shares of her and old mother are 1/10, 2/10 and 3/10, B's of his and father 2/8 and 4/8."""
    a = ready("her| old| mother| is", " a|.", [[1, 0], [2, 0], [3, 0], [4, 1]])
    b = ready("his| father| is", " a|.", [[2, 0], [4, 0], [2, 1]])
    m = merge(a, b)
    assert texts(m.tokens) == "her| old| mother|his| father| is| a|."
    assert m.replaced == (Replaced(0, 3, 5),)
    assert len({token.word for token in m.tokens[:5]}) == 1
    difference = exhibition_of(a, b).maps[-1].map
    by = (1 + 2 + 3) / 10 - (2 + 4) / 8
    np.testing.assert_allclose(difference.scores[:, 0], [*[by] * 5, 4 / 10 - 2 / 8], rtol=1e-5)


def test_as_many_tokens_stand_one_by_one_in_the_place_of_others() -> None:
    a = ready("My| dear| mother| is", ".", [[1], [2], [3], [4]])
    b = ready("My| poor| father| is", ".", [[4], [1], [2], [3]])
    m = merge(a, b)
    assert texts(m.tokens) == "My| dear| poor| mother| father| is|."
    assert m.replaced == (Replaced(1, 2, 3), Replaced(3, 4, 5))
    difference = exhibition_of(a, b).maps[-1].map.scores[:, 0]
    np.testing.assert_allclose(difference, [-0.3, 0.1, 0.1, 0.1, 0.1, 0.1], rtol=1e-5)


@pytest.mark.parametrize("more", ["| x" * 9, "\n"])
def test_what_is_no_few_words_in_a_line_has_no_place(more: str) -> None:
    """Nine tokens, or a line more: it cannot be said what replaced what, and the difference has no number there."""
    a, b = (f"My| {who}{more if who == 'b' else ''}| is" for who in "ab")
    a, b = (ready(rows, ".", [[1]] * (rows.count("|") + 1)) for rows in (a, b))
    assert merge(a, b).replaced == ()
    assert np.isnan(exhibition_of(a, b).maps[-1].map.scores[1:-1]).all()


def test_what_was_written_in_the_place_of_other_words_are_targets_of_their_own() -> None:
    m = merge(ready("a", " b| c", [[1, 1]]), ready("a", " x| c", [[1, 1]]))
    assert m.replaced == ()
    assert texts(m.cols) == " b| x| c"


def test_a_small_difference_has_no_dark_colour_on_paper() -> None:
    """A share of .52 less one of .5: the scale of the page ends at a tenth."""
    a, b = (ready("a| b", ".", [[x], [1 - x]]) for x in (0.52, 0.5))
    page = exhibition_of(a, b).maps[-1].map.to_html()
    assert "−.100" in page
    (column,) = columns(exhibition_of(a, b).maps[-1].map)
    assert (column.largest, columns(a)[0].largest) == (0.1, pytest.approx(0.52))


def test_a_column_of_zeros_has_no_shares_and_so_no_difference() -> None:
    zeros = ready("The| cat", " sat|.", [[0, 1], [0, 1]])
    difference = exhibition_of(zeros, zeros).maps[-1].map
    assert np.isnan(difference.scores[:, 0]).all()
    np.testing.assert_array_equal(difference.scores[:, 1], [0, 0])


words = st.lists(st.sampled_from(["a", "b", " c", "\n", "é"]), min_size=1, max_size=8)


@given(words, words, words, words, st.randoms(use_true_random=False))
def test_every_token_appears_once_in_order_and_every_cell_is_found(
    rows_a: list[str], cols_a: list[str], rows_b: list[str], cols_b: list[str], random: Any
) -> None:
    """For any two token lists, however much they repeat."""
    sides = [
        Attribution.from_scores([[random.random() for _ in cols] for _ in rows], rows, cols, method="mine")
        for rows, cols in ((rows_a, cols_a), (rows_b, cols_b))
    ]
    m = merge(*sides)
    for k, side in enumerate(sides):
        place = m.places[k]
        assert [m.rows[i].text for i in place.rows] == [token.text for token in side.rows]
        assert [m.cols[i].text for i in place.cols] == [token.text for token in side.cols]
        assert list(place.rows) == sorted(set(place.rows))
        assert list(place.cols) == sorted(set(place.cols))
        np.testing.assert_array_equal(read_back(m, k, m.map_of(side, place).scores), side.scores)
        assert np.isfinite(m.map_of(side, place).scores).sum() == side.scores.size
    covered = {*m.places[0].rows, *m.places[1].rows}
    assert covered == set(range(m.n_rows))
    assert {*m.places[0].cols, *m.places[1].cols} == set(range(len(m.cols)))
    assert m.n_both + sum(m.n_alone) == len(m.tokens)
    assert m.n_rows == m.first_target  # of scores from elsewhere nothing written is read


@given(words, words)
def test_a_text_beside_itself_is_itself(rows: list[str], cols: list[str]) -> None:
    a = Attribution.from_scores(np.ones((len(rows), len(cols))), rows, cols, method="mine")
    m = merge(a, a)
    assert (m.n_both, m.n_alone) == (len(rows) + len(cols), (0, 0))
    assert not exhibition_of(a, a).maps[-1].map.scores.any()


def chat(turns: list[tuple[SegmentKind, str]], target: str) -> Attribution:
    """A map of a chat: a token a word, a segment a turn."""
    tokens, segments, position = [], [], 0
    for at, (kind, text) in enumerate(turns):
        start = position
        for word in text.split():
            tokens.append(token(word, position, segment=at, sentence=at))
            position += 1
        segments.append(Segment(kind=kind, name=kind, start=start, end=position))
    written = [token(word, position + i, role="generated", segment=len(turns) - 1) for i, word in enumerate(target)]
    segments[-1] = Segment(kind=segments[-1].kind, name="", start=segments[-1].start, end=position + len(written))
    return Attribution(
        scores=np.ones((len(tokens), len(written))),
        rows=tuple(tokens),
        cols=tuple(written),
        segments=tuple(segments),
        step_scores={},
        method="mine",
        objective=None,
        signed=False,
        unit="score",
    )


def token(text: str, position: int, **about: Any) -> Token:
    fields = {"role": "prompt", "span": None, "word": position, "sentence": 0, "segment": 0, "part": None}
    return Token(id=-1, text=text, position=position, **(fields | about))


def test_turns_stay_turns_and_tile_the_text() -> None:
    """The word "you" of the system and of the user are two; what one chat alone has stands in its turn."""
    a = chat([("system", "help you"), ("user", "are you there"), ("assistant", "→")], "yes")
    b = chat([("system", "help"), ("user", "you big are there"), ("assistant", "→")], "yo")
    m = merge(a, b)
    found = [(s.kind, texts(m.tokens[s.start : s.end])) for s in m.segments]
    assert found == [
        ("system", "help|you"),
        ("user", "you|big|are|you|there"),
        ("assistant", "→|y|e|s|o"),
    ]
    assert [t.segment for t in m.tokens] == [0] * 2 + [1] * 5 + [2] * 5


def test_a_word_of_several_tokens_stays_one_beside_another_end_of_it() -> None:
    """play|ing beside play|ed: in A's map the word holds play and ing, in B's play and ed."""
    sides = []
    for rest in (["ing", " on"], ["ed", " on"]):
        rows = [token("play", 0, word=0), token(rest[0], 1, word=0), token(rest[1], 2, word=1)]
        sides.append(Attribution.from_scores(np.ones((3, 1)), rows, [token(".", 3, role="generated")], method="mine"))
    m = merge(*sides)
    assert texts(m.rows) == "play|ing|ed| on"
    assert [t.word for t in m.rows] == [0, 0, 0, 1]


def test_pieces_of_one_character_still_share_it() -> None:
    """Spans are counted anew, and those of 嗨's pieces stay equal: else the page would print it twice."""
    sides = []
    for before in ("", "oh "):
        rows = [token(before, 0, span=(0, len(before)))] if before else []
        n = len(rows)
        span = (len(before), len(before) + 1)
        rows += [token("嗨", n + i, span=span, part=(i + 1, 2)) for i in range(2)]
        rows += [token("!", n + 2, span=(span[1], span[1] + 1))]
        sides.append(
            Attribution.from_scores(np.ones((n + 3, 1)), rows, [token(".", n + 3, role="generated")], method="mine")
        )
    m = merge(*sides)
    assert [t.span for t in m.rows] == [(0, 3), (3, 4), (3, 4), (4, 5)]


# ── maps of real models ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("family", "other", "target"), [("gpt2", "llama", " the dog"), ("marian", "t5", "a bat"), ("bert", "roberta", None)]
)
def test_maps_of_real_models_keep_every_cell(family: str, other: str, target: str | None) -> None:
    a = attributed(family, "the cab and", target)
    b = attributed(other, "the cat and a dog", None if target is None else f"{target}s", method="occlusion")
    m = merge(a, b)
    for k, side in enumerate((a, b)):
        np.testing.assert_array_equal(read_back(m, k, m.map_of(side, m.places[k]).scores), side.scores)
        assert [m.rows[i].text for i in m.places[k].rows] == [t.text for t in side.rows]
        probabilities = m.map_of(side, m.places[k]).step_scores["probability"][list(m.places[k].cols)]
        np.testing.assert_array_equal(probabilities, side.step_scores["probability"])
    assert m.tokens[m.first_target :] == m.cols
    assert [t.position for t in m.tokens] == list(range(len(m.tokens)))


def test_written_tokens_are_rows_and_columns_at_once() -> None:
    """Token first_target + c is the target of column c, and the row that later columns see."""
    a, b = attributed("gpt2", "the cab", " and a bat"), attributed("gpt2", "the cab", " and the bat")
    m = merge(a, b)
    n = m.first_target
    assert n == len([t for t in a.rows if t.role == "prompt"])
    for k, side in enumerate((a, b)):
        for row, t in enumerate(side.rows):
            if t.role == "generated":
                col = next(c for c, target in enumerate(side.cols) if target.position == t.position)
                assert m.places[k].rows[row] == n + m.places[k].cols[col]


def test_source_and_translation_stay_apart() -> None:
    """A token of the source is never the same as one of the translation, though the texts are."""
    a, b = attributed("marian", "a bat", "the cab"), attributed("marian", "the cab", "a bat")
    m = merge(a, b)
    assert [s.kind for s in m.segments] == ["source", "target"]
    assert {t.role for t in m.tokens[: m.segments[0].end]} <= {"source", "special"}
    assert "source" not in {t.role for t in m.tokens[m.segments[1].start :]}
    assert m.n_both < 6  # the start token of the decoder, and whatever the two have in common


def test_classes_are_matched_by_name_in_whatever_order() -> None:
    a = attributed("bert", "the cab")
    b = sw.attribute(made("bert"), "the bat", target=a.cols[2].text, progress=False)
    m = merge(a, b)
    assert [t.text for t in m.cols] == [t.text for t in a.cols]
    assert m.places[1].cols == (2,)
    assert m.n_rows == m.first_target


def test_a_map_of_some_columns_has_its_place_beside_a_whole_one() -> None:
    whole = attributed("gpt2", "the cab", " and a bat")
    part = Attribution.from_scores(whole.scores[:, [1, 3]], whole.rows, [whole.cols[1], whole.cols[3]], method="mine")
    m = merge(part, whole)
    assert m.n_alone == (0, 1)  # nobody told the part of the last token: it is no input, and no target there
    assert m.places[0].cols == (1, 3)
    assert texts(m.tokens) == texts([*whole.rows, whole.cols[-1]])


def test_words_stand_beside_words_once_each() -> None:
    """Also the last one, which as a target has a token more than as an input."""
    a, b = (attributed("gpt2", "the cab", target).aggregate("word") for target in (" and dogs", " and the dogs"))
    m = merge(a, b)
    assert texts(m.cols) == " and| the| dogs"
    assert m.n_alone == (0, 1)
    assert {token.length for token in m.tokens} == {1}  # in the text of both a word is one token
    with pytest.raises(InputError, match="are words, those of the second tokens"):
        merge(a, attributed("gpt2", "the cab", " and dogs"))


@pytest.mark.parametrize("unit", ["sentence", "segment"])
def test_larger_units_stand_before_the_targets(unit: str) -> None:
    a = attributed("gpt2", "the cab. and", " a bat. and").aggregate(unit)
    m = merge(a, a)
    assert (m.first_target, m.n_both) == (len(a.rows), len(a.rows) + len(a.cols))


def test_a_span_stands_behind_what_it_was_read_with() -> None:
    a = attributed("gpt2", "the cab", " and a bat", span=(1, 3))
    m = merge(a, a)
    assert texts(m.tokens) == texts([*a.rows, *a.cols])
    assert m.first_target == len(a.rows)


@pytest.mark.parametrize("pair", [("gpt2", "bert"), ("bert", "marian"), ("marian", "gpt2")])
def test_maps_of_two_kinds_are_refused(pair: tuple[str, str]) -> None:
    a, b = (attributed(family, "the cab", None if family == "bert" else " a bat") for family in pair)
    with pytest.raises(InputError, match="no target of one is a target of the other"):
        merge(a, b)


def test_an_empty_map_is_refused() -> None:
    empty = Attribution.from_scores(np.empty((3, 0)), ["a", "b", "c"], [], method="mine")
    with pytest.raises(InputError, match="second map is empty"):
        merge(A, empty)


def test_thousands_of_tokens_are_aligned_in_a_moment() -> None:
    """Two texts of 3,000 tokens over 50 words, every tenth of them changed: no word is rare.

    Our own work grows as the text does: four times, not 16 times, the lines of code for four times the tokens. Looking
    for equal stretches, as difflib does, grows as its square, 16 times and not 64, and takes some million lines.
    """

    def lines(n: int, package: str) -> int:
        rng = np.random.default_rng(0)
        rows = [str(word) for word in rng.integers(50, size=n)]
        others = [word if rng.random() > 0.1 else "x" for word in rows]
        sides = [Attribution.from_scores(np.ones((n, 1)), r, ["."], method="mine") for r in (rows, others)]
        n_both: list[int] = []
        found = lines_of(lambda: n_both.append(merge(*sides).n_both), package)
        assert n_both[0] > n * 2 / 3
        return found

    assert lines(2_000, "saliency_widget") < 5 * lines(500, "saliency_widget")
    most = lines(3_000, "difflib")
    assert most < 32 * lines(750, "difflib")
    assert most < 10_000_000
