"""The map, aggregate() and occlusion split a text into the same units.

tests/data/units.json holds Python and the page (js/tests/units.test.ts) to it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import saliency_widget as sw
from saliency_widget.attribution.pipeline import check_question, problem_of
from saliency_widget.errors import UnknownName
from saliency_widget.models.text.document import spanning
from saliency_widget.models.text.prompting import check_prompt
from saliency_widget.models.text.units import unit_numbers, units_of
from saliency_widget.types import Token

from ..families import Column, made, plain_logits

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "data/units.json").read_text())["cases"]
CONTINUED = CASES[0]
UNITS = ("word", "sentence", "segment")


def tokens_of(case: dict[str, Any]) -> list[Token]:
    return [Token(id=0, position=at, span=None, **about) for at, about in enumerate(case["tokens"])]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
@pytest.mark.parametrize("unit", ["token", *UNITS])
def test_units_begin_where_the_file_says(case: dict[str, Any], unit: str) -> None:
    found = units_of(tokens_of(case), unit, case["first_target"])
    assert [span.start for span in found] == case["units"][unit]
    assert [at for span in found for at in span] == list(range(len(case["tokens"])))
    numbers = unit_numbers(tokens_of(case), unit, case["first_target"])
    assert numbers == [sum(start <= at for start in case["units"][unit]) - 1 for at in range(len(numbers))]


roles = st.sampled_from(["prompt", "special", "generated"])


@given(st.lists(st.tuples(st.integers(0, 2), roles), max_size=12), st.integers(0, 12), st.integers(0, 12))
def test_units_of_a_part_are_those_of_the_whole(made_of: list[tuple[int, Any]], first: int, begin: int) -> None:
    """Rows and columns of a map are each a part of its text, and are cut alike."""
    tokens = [
        Token(id=0, position=at, text="", role=role, span=None, word=word, sentence=0, segment=0)
        for at, (word, role) in enumerate(made_of)
    ]
    whole = {span.start for span in units_of(tokens, "word", first)}
    part = {span.start + begin for span in units_of(tokens[begin:], "word", first)}
    assert part - {begin} == {start for start in whole if start > begin}


def test_a_unit_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UnknownName, match="Did you mean word"):
        units_of([], "words", 0)


# ── all that cut, on a text whose first target continues a word ──────────────────────────────────────────────────


@pytest.fixture(params=["llama", "gpt2"])
def family(request: Any) -> str:
    return str(request.param)


def written(family: str) -> Any:
    model = made(family)
    encoded = model.encode(check_prompt("Bad. the ca", target="t dab"))
    return model.document(encoded, encoded.target)


def test_the_tokens_of_the_file_are_those_of_a_model(family: str) -> None:
    """The tokens in the shared file are those of a model, so the page's tests use real tokens."""
    document = written(family)
    assert [{name: getattr(t, name) for name in CONTINUED["tokens"][0]} for t in document.tokens] == CONTINUED["tokens"]
    assert document.first_target == document.first_written == CONTINUED["first_target"]


@pytest.mark.parametrize("unit", UNITS)
def test_aggregate_and_occlusion_cut_where_the_page_does(family: str, unit: str) -> None:
    document = written(family)
    n = len(document.rows)
    expected = [start for start in CONTINUED["units"][unit] if start < n]
    a = sw.attribute(made(family), "Bad. the ca", target="t dab", progress=False)
    assert [token.position for token in a.aggregate(unit).rows] == expected
    assert [token.length for token in a.aggregate(unit).rows] == np.diff([*expected, n]).tolist()
    groups = groups_of(family, document)[unit]
    assert [at for at in range(n) if at == 0 or groups[at] != groups[at - 1]] == expected


def groups_of(family: str, document: Any) -> Any:
    shadow, question = made(family).shadow(), check_question("occlusion", "probability", {})
    return problem_of(shadow, question.request(shadow, document), document, None).groups


def test_a_span_is_cut_where_the_writing_begins_and_not_where_the_span_does(family: str) -> None:
    document = written(family)
    span = spanning(document, 2, 4)
    assert span.first_target > document.first_target == span.first_written
    for unit in UNITS:
        assert groups_of(family, span)[unit] == unit_numbers(span.rows, unit, document.first_target)


def test_occlusion_takes_the_read_part_of_a_word_away_and_leaves_what_was_written(family: str) -> None:
    """Plain passes with the unknown token in place of " c", "a", and of "t" alone: each a unit, its drop dealt out."""
    model = made(family)
    a = sw.attribute(model, "Bad. the ca", target="t dab", method="occlusion", unit="word", progress=False)
    ids, unk = tuple(t.id for t in a.rows), model.tokenizer.unk_token_id
    for col, target in enumerate(a.cols[1:], start=1):
        column = Column((), ids[: target.position], target.id)
        for unit in ([5, 6], [7]):
            whole, without = (
                float(plain_logits(family, column.changed(dict.fromkeys(rows, unk))).softmax(-1)[target.id])
                for rows in ([], unit)
            )
            expected = (whole - without) / len(unit)
            # The model is in float64, a score in float32: it has 24 binary digits of the probabilities' difference.
            np.testing.assert_allclose(a.scores[unit, col], expected, rtol=1e-5, atol=1e-9)
