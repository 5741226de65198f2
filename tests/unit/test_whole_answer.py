"""A map that takes long: the whole answer first, then what the reader looks at; the rest when it is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import saliency_widget as sw
from saliency_widget.protocol import PROTOCOL
from saliency_widget.session import filling
from saliency_widget.session.pace import Pace
from saliency_widget.session.patience import Patience

from ..families import made
from .harness import TARGET, TEXT

PROMPT = {"text": TEXT, "target": TARGET}
NO_PATIENCE = Patience(seconds=0.0, large=1)  # any map of several targets takes too long
CLOSE = {"rtol": 1e-4, "atol": 1e-9}  # what passes of other lengths round otherwise


def idle(h: Any) -> None:
    """Wait for what was asked, without asking for the rest as `wait` does."""
    h.wait_for(h.controller.idle)


def columns_of(h: Any) -> dict[int, np.ndarray]:
    name = h.last("map")["map"]
    return {col: scores for (of, col), scores in h.columns.items() if of == name}


@pytest.mark.parametrize("family", ["llama", "gpt2", "marian"])
@pytest.mark.parametrize("method", ["saliency", "integrated_gradients"])
def test_the_whole_answer_comes_first_and_is_a_span(harness, family: str, method: str) -> None:
    """The only column is the span's of `attribute`; the others have a price. Python has the same map."""
    model = made(family)
    h = harness(model, patience=NO_PATIENCE, method=method, **PROMPT)
    h.start()
    idle(h)
    n = h.last("map")["n_cols"]
    assert [(m["col"], m["n_cols"]) for m in h.of("column")] == [(0, n)]
    span = sw.attribute(model, **PROMPT, method=method, span=(0, n), progress=False)
    np.testing.assert_allclose(h.together[h.last("map")["map"]], span.scores[:, 0], **CLOSE)
    rest = h.last("rest")
    assert rest["n_cols"] == n
    assert rest["seconds"] > 0
    assert h.last("status")["phase"] == "done"
    (published,) = h.finished
    np.testing.assert_allclose(published.scores, span.scores, **CLOSE)
    assert published.cols[0].length == n
    assert "spot_check" in published.diagnostics


def test_a_word_that_is_looked_at_is_computed_and_no_other(tiny_model, harness) -> None:
    h = harness(tiny_model, patience=NO_PATIENCE, **PROMPT)
    h.start()
    idle(h)
    h.say("focus", col=5, n_cols=2)
    h.wait_for(lambda: {5, 6} <= columns_of(h).keys())
    idle(h)
    whole = sw.attribute(tiny_model, **PROMPT, progress=False)
    words = [token.word for token in whole.cols]
    looked_at = {col for col, word in enumerate(words) if word in (words[5], words[6])}
    assert columns_of(h).keys() == looked_at
    for col, scores in columns_of(h).items():
        np.testing.assert_allclose(scores, whole.scores[: len(scores), col], **CLOSE)
    assert h.last("rest")["n_cols"] == len(words) - len(columns_of(h))


@pytest.mark.parametrize("by", ["the page", "wait"])
def test_all_columns_come_when_they_are_asked_for(tiny_model, harness, by: str) -> None:
    """`wait` asks for them too: Python gets a whole map."""
    h = harness(tiny_model, patience=NO_PATIENCE, **PROMPT)
    h.start()
    idle(h)
    whole = sw.attribute(tiny_model, **PROMPT, progress=False)
    if by == "the page":
        h.say("ask", method="saliency", objective="probability", all=True)
        h.wait_for(lambda: len(columns_of(h)) == len(whole.cols))
    np.testing.assert_allclose(h.settled().scores, whole.scores, **CLOSE)
    assert len({m["map"] for m in h.of("map")}) == 1, "the columns that were there are kept"


def computes_all(h: Any) -> None:
    """Check that all columns come without being asked for, and no whole answer."""
    h.start()
    idle(h)
    assert not h.of("rest")
    assert not h.together
    assert len(columns_of(h)) == len(h.controller.attribution.cols)


@pytest.mark.parametrize("method", ["attention", "occlusion"])
def test_a_method_whose_cost_does_not_grow_with_targets_computes_all(tiny_model, harness, method: str) -> None:
    computes_all(harness(tiny_model, patience=NO_PATIENCE, method=method, **PROMPT))


def test_a_new_page_hears_the_whole_answer_and_the_price(tiny_model, harness) -> None:
    h = harness(tiny_model, patience=NO_PATIENCE, **PROMPT)
    h.start()
    idle(h)
    heard = len(h.messages)
    h.controller.receive({"type": "hello", "protocol": PROTOCOL})
    idle(h)
    again = h.messages[heard:]
    columns = [m for m in again if m["type"] == "column"]
    assert columns[0]["n_cols"] > 1
    assert [m["n_cols"] for m in again if m["type"] == "rest"] == [h.last("rest")["n_cols"]]


def test_a_short_text_is_computed_as_it_is(tiny_model, harness) -> None:
    computes_all(harness(tiny_model, **PROMPT))


def test_back_at_a_text_its_whole_answer_is_there(tiny_model, harness) -> None:
    """It is sent again with its map, and not computed again."""
    h = harness(tiny_model, patience=NO_PATIENCE, **PROMPT)
    h.start()
    idle(h)
    first = h.last("map")["map"]
    h.say("branch", col=1, token=21)
    idle(h)
    other = h.last("map")["map"]
    before = len([m for m in h.of("column") if m["map"] == first])
    h.say("back", to=0)
    idle(h)
    assert h.last("map")["map"] == first != other
    again = [m["n_cols"] for m in h.of("column") if m["map"] == first][before:]
    assert again == [h.last("map")["n_cols"]]
    assert h.last("rest")["map"] == first


def test_the_time_of_a_first_column_is_no_price(tiny_model, harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """It includes a look at the model, however long that takes: columns of a short text come without being asked."""
    seconds = iter([100.0])

    class Slow(Pace):
        def elapsed(self) -> float:
            return next(seconds, 0.001)

    monkeypatch.setattr(filling, "Pace", Slow)
    h = harness(tiny_model, text=TEXT, max_new_tokens=8)
    h.start()
    idle(h)
    assert next(seconds, None) is None, "the first column was timed"
    assert not h.of("rest")
    assert len(columns_of(h)) == len(h.controller.attribution.cols)
