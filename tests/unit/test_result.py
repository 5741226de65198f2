"""An Attribution returns scores by token, is saved without loss, and refuses invalid fields."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from saliency_widget import Attribution
from saliency_widget.errors import AmbiguousToken, InputError, TokenNotFound
from saliency_widget.types import Alternative, Segment, Token

SCORES = np.array([[0.5, 0.1], [1.5, 0.2], [np.nan, -0.7]], dtype=np.float32)


def example(scores=SCORES, rows=(" the", " cat", " the"), cols=(" sat", " down")) -> Attribution:
    return Attribution.from_scores(scores, rows, cols, method="mine")


def full() -> Attribution:
    """Every field filled, with text that is hard to keep: NUL, a lone surrogate, an emoji."""

    def token(position, text, role, part=None):
        return Token(
            id=position + 5, position=position, text=text, role=role, span=(position, position + 1), word=position,
            sentence=0, segment=0, part=part,
        )  # fmt: skip

    return Attribution(
        scores=SCORES,
        rows=(token(0, "\0", "special"), token(1, "\ud800", "prompt", (1, 2)), token(2, "👩‍🚀", "generated")),
        cols=(token(2, "👩‍🚀", "generated"), token(3, "</script>", "generated")),
        segments=(Segment(kind="user", name="user", start=0, end=4),),
        step_scores={"probability": np.array([0.25, 1e-30])},
        alternatives=((Alternative(id=1, text=" x", probability=0.5),), ()),
        method="saliency",
        objective="probability",
        signed=True,
        unit="gradient norm",
        model_name="m",
        settings={"layer": None},
        seconds=1.25,
        diagnostics={"completeness": 0.5},
    )


def test_two_words_give_one_number() -> None:
    assert example()["cat", "sat"] == 1.5
    assert example()[1, 0] == example()[-2, -2] == 1.5


def test_a_word_that_occurs_twice_is_an_error_that_lists_the_positions() -> None:
    with pytest.raises(AmbiguousToken, match="occurs 2 times. Use one of the rows 0, 2") as caught:
        example()["the", "sat"]
    assert caught.value.positions == (0, 2)


def test_an_exact_match_wins_over_one_without_its_spaces() -> None:
    a = example(rows=("the", " the", " cat"))
    assert a["the", "sat"] == 0.5
    assert a[" the", "sat"] == 1.5


def test_a_word_that_does_not_occur_is_an_error_that_lists_those_that_do() -> None:
    with pytest.raises(TokenNotFound, match="cat"):
        example()["dog", "sat"]
    with pytest.raises(TokenNotFound, match="There are 2"):
        example()["cat", 5]


def test_top_ranks_by_size_and_leaves_out_what_cannot_be_seen() -> None:
    assert [(t.text, t.score, t.share) for t in example().top("sat", k=9)] == [(" cat", 1.5, 0.75), (" the", 0.5, 0.25)]
    assert [t.position for t in example().top("down", k=2)] == [2, 1]
    assert example().top("down", k=1)[0].share == pytest.approx(-0.7)


def test_the_matrix_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        example().scores[0, 0] = 1


@given(hnp.arrays(np.float32, (4, 3), elements=st.floats(-(2.0**99), 2.0**99, width=32) | st.just(np.nan)))
def test_normalized_columns_have_an_l1_norm_of_one_or_are_nan(scores) -> None:
    shares = example(scores, "abcd", "xyz").normalized()
    for column, share in zip(scores.T, shares.T, strict=True):
        if np.nansum(np.abs(column, dtype=np.float64)) == 0:
            assert np.isnan(share).all()
        else:
            assert np.nansum(np.abs(share)) == pytest.approx(1, abs=1e-5)
            assert (np.isnan(share) == np.isnan(column)).all()


@given(hnp.arrays(np.float32, (3, 2), elements=st.floats(width=32, allow_infinity=False)))
def test_save_and_load_keep_every_bit(tmp_path_factory, scores) -> None:
    path = tmp_path_factory.mktemp("saved") / "a.safetensors"
    a = dataclasses.replace(full(), scores=scores)
    a.save(path)
    b = Attribution.load(path)
    assert a.scores.tobytes() == b.scores.tobytes()
    assert a.step_scores["probability"].tobytes() == b.step_scores["probability"].tobytes()
    for field in dataclasses.fields(Attribution):
        if field.name not in ("scores", "step_scores"):
            assert getattr(a, field.name) == getattr(b, field.name), field.name


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda a: pickle.loads(pickle.dumps(a)),
    "oldest pickle": lambda a: pickle.loads(pickle.dumps(a, protocol=0)),
}


@pytest.mark.parametrize("how", COPIES)
@given(hnp.arrays(np.float32, (3, 2), elements=st.floats(width=32, allow_infinity=False)))
def test_a_copy_has_every_bit_and_is_as_immutable(how, scores) -> None:
    """Pickled and read again, copied, or copied in depth: each field equal, arrays bit for bit, NaNs' bits too."""
    a = dataclasses.replace(full(), scores=scores, diagnostics={"completeness": [0.5, -1.0]})
    b = COPIES[how](a)
    assert b is not a
    assert type(b) is Attribution
    assert a.scores.tobytes() == b.scores.tobytes()
    assert a.step_scores["probability"].tobytes() == b.step_scores["probability"].tobytes()
    for field in dataclasses.fields(Attribution):
        if field.name not in ("scores", "step_scores"):
            assert getattr(a, field.name) == getattr(b, field.name), field.name
    for array in (b.scores, b.step_scores["probability"]):
        assert array.dtype == np.float32
        assert not array.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    for mapping in (b.step_scores, b.settings, b.diagnostics):
        with pytest.raises(TypeError, match="item assignment"):
            mapping["new"] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        b.method = "random"


def test_a_copy_in_depth_shares_nothing_that_can_change() -> None:
    """A list among the diagnostics is another list in the copy."""
    a = dataclasses.replace(full(), diagnostics={"completeness": [0.5]})
    b = copy.deepcopy(a)
    b.diagnostics["completeness"].append(1.0)
    assert a.diagnostics["completeness"] == [0.5]


def test_scores_that_do_not_fit_their_labels_are_refused() -> None:
    with pytest.raises(InputError, match="3 rows and 1 columns"):
        example(cols=("sat",))
    with pytest.raises(InputError, match="infinite"):
        example(np.full((3, 2), np.inf))


def test_signed_is_seen_from_the_scores_unless_said() -> None:
    assert example().signed
    assert not example(np.abs(SCORES)).signed
    assert Attribution.from_scores(np.abs(SCORES), "abc", "xy", method="mine", signed=True).signed


ERRORS = np.array([[0.5, 0.1], [np.nan, 0], [0.7, 0.2]], dtype=np.float32)


@pytest.mark.parametrize("how", COPIES)
def test_standard_errors_are_copied_and_cannot_be_changed(how: str) -> None:
    """One of a score that cannot be seen is NaN, whatever was given."""
    a = COPIES[how](Attribution.from_scores(SCORES, "abc", "xy", method="mine", errors=ERRORS))
    assert a.errors.dtype == np.float32
    np.testing.assert_array_equal(a.errors, [[0.5, np.float32(0.1)], [np.nan, 0], [np.nan, np.float32(0.2)]])
    with pytest.raises(ValueError, match="read-only"):
        a.errors[0] = 1
    assert example().errors is None


def test_standard_errors_that_do_not_fit_are_refused() -> None:
    for errors, says in (
        (ERRORS[:2], r"have the shape \(2, 2\), and the scores \(3, 2\). Give one error for each score"),
        (ERRORS - 1, "infinite or below 0. A standard error is finite and at least 0"),
        (ERRORS + np.inf, "infinite or below 0"),
    ):
        with pytest.raises(InputError, match=says):
            Attribution.from_scores(SCORES, "abc", "xy", method="mine", errors=errors)
