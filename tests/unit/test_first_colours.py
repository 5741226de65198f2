"""The map of a text begins while the text is still being written."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import saliency_widget as sw
from saliency_widget.attribution.pipeline import check_question
from saliency_widget.errors import BadScores, Cancelled
from saliency_widget.session import maps
from saliency_widget.session.patience import Patience

from ..families import made
from .harness import TEXT, before_each_pass

EACH_TOKEN = Patience(between=0.0, pause=0.0)  # the pages hear of every single token
N = 40  # written tokens: the first, two batches of 16, and some more


def once_begun(computed: Any, act: Callable[[], None]) -> Callable[..., None]:
    """For `before_each_pass`: `act` when the map has a checked column and the model is about to write on."""
    done = threading.Event()

    def watch() -> None:
        if computed.checked and not done.is_set():
            done.set()
            act()

    return watch


def attributed(model: Any, whole: Any, method: str) -> np.ndarray:
    """The same map, computed when all is written."""
    source = [t.id for t in whole.rows if whole.segments[t.segment].kind == "source"]
    given = [t.id for t in whole.rows if t.position < whole.cols[0].position]
    ids = source or given[len(source) :]
    target = [t.id for t in whole.cols]
    asked = {"method": method, "objective": whole.objective, "progress": False}
    return sw.attribute(model, input_ids=ids, target_ids=target, **asked).scores


@pytest.mark.parametrize("method", ["saliency", "attention"])
def test_the_first_column_reaches_the_page_before_the_last_token_is_written(
    tiny_model, harness, computed, method: str
) -> None:
    """The model writes on only when the page has the column."""
    h = harness(tiny_model, text=TEXT, method=method)
    phases: list[str] = []

    def act() -> None:
        h.wait_for(lambda: h.columns)
        phases.extend(message["phase"] for message in h.of("status"))

    with before_each_pass(tiny_model, once_begun(computed, act)):
        h.start()
        whole = h.settled()
    assert phases
    assert "attributing" not in phases
    first = next(at for at, message in enumerate(h.messages) if message["type"] == "column")
    ends = [at for at, m in enumerate(h.messages) if m["type"] == "tokens" and m["start"] + len(m["tokens"]) == 17]
    assert len(whole.cols) == 8
    assert first < min(ends)


@pytest.mark.parametrize("method", ["saliency", "input_x_gradient", "attnlrp", "gim", "attention", "attention_rollout"])
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_columns_of_a_text_that_grew_are_those_of_the_whole_text(harness, computed, family: str, method: str) -> None:
    """Up to what passes of other lengths round otherwise; the pages have what Python has."""
    model = made(family)
    h = harness(model, patience=EACH_TOKEN, text=TEXT, method=method, max_new_tokens=N)
    h.start()
    whole = h.settled()
    cols = computed.batches
    assert cols[0] == [0]
    if method in ("saliency", "input_x_gradient", "attnlrp", "gim"):
        assert cols[:3] == [[0], [*range(1, 9)], [*range(9, 25)]], "a small one, which tells what a column takes"
    np.testing.assert_allclose(whole.scores, attributed(model, whole, method), rtol=1e-4, atol=1e-9)
    told = [h.columns[h.last("map")["map"], col] for col in range(len(whole.cols))]
    np.testing.assert_array_equal(np.stack(told, axis=1), whole.scores)
    assert "spot_check" in whole.diagnostics


def test_what_is_written_about_a_source_has_its_first_colours_too(harness, computed) -> None:
    model = made("marian")
    h = harness(model, patience=EACH_TOKEN, text=TEXT)
    h.start()
    whole = h.settled()
    assert computed.batches[0] == [0]
    np.testing.assert_allclose(whole.scores, attributed(model, whole, "saliency"), rtol=1e-4, atol=1e-9)


def test_a_branch_has_its_first_colours_while_it_is_written(tiny_model, harness, computed) -> None:
    h = harness(tiny_model, patience=EACH_TOKEN, text=TEXT)
    h.start()
    h.settled()
    computed.batches.clear()
    h.say("branch", col=3, token=21)
    whole = h.settled()
    assert computed.batches[0] == [0]
    np.testing.assert_allclose(whole.scores, attributed(tiny_model, whole, "saliency"), rtol=1e-4, atol=1e-9)


def test_the_column_that_the_reader_looks_at_comes_as_soon_as_it_is_written(tiny_model, harness, computed) -> None:
    h = harness(tiny_model, patience=EACH_TOKEN, text=TEXT)
    h.controller.prefer(range(3, 4))
    h.start()
    h.settled()
    assert computed.batches[:2] == [[0], [3]]


def test_a_method_that_needs_the_whole_text_waits_for_it(tiny_model, harness, computed) -> None:
    h = harness(tiny_model, patience=EACH_TOKEN, text=TEXT, method="occlusion")
    h.start()
    assert computed.documents == [len(h.settled().cols)]


def test_cancel_keeps_the_first_colours_and_asking_again_goes_on_from_there(tiny_model, harness, computed) -> None:
    h = harness(tiny_model, patience=EACH_TOKEN, text=TEXT)
    with before_each_pass(tiny_model, once_begun(computed, h.controller.cancel)):
        h.start()
        with pytest.raises(Cancelled):
            h.done()
    begun = h.controller.attribution
    assert len(begun.cols) == 1
    assert h.finished == [begun]
    h.controller.ask(check_question("saliency", "probability", {}))
    whole = h.settled()
    assert computed.batches[0] == [0]
    np.testing.assert_array_equal(whole.scores[: len(begun.rows), 0], begun.scores[:, 0])


def test_another_map_that_is_asked_for_meanwhile_is_the_next_one(tiny_model, harness, computed) -> None:
    """Of the one that was begun the pages hear only how large it is, now that the text is whole."""
    h = harness(tiny_model, patience=EACH_TOKEN, text=TEXT, max_new_tokens=N)
    shown: list[int] = []

    def act() -> None:
        h.say("ask", method="attention", objective="probability")
        h.wait_for(lambda: h.columns)
        shown.append(len(h.of("map")))

    with before_each_pass(tiny_model, once_begun(computed, act)):
        h.start()
        assert h.settled().method == "attention"
    assert [message["method"] for message in h.of("map")[shown[0] :]] == ["saliency", "attention"]
    assert computed.cols("saliency") == [0]


def test_what_fails_early_is_told_when_the_text_is_whole(tiny_model, harness, monkeypatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise BadScores("This map is no good.", cure="Take another one.", col=0)

    monkeypatch.setattr(maps.pipeline, "columns", fail)
    h = harness(tiny_model, patience=EACH_TOKEN, text=TEXT)
    h.start()
    assert h.failed()["message"] == "This map is no good."
    told = {m["start"] + i: t["role"] for m in h.of("tokens") for i, t in enumerate(m["tokens"])}
    assert list(told.values()).count("generated") == 8
    assert not h.of("column")
