"""The page's questions: foils, single columns and maps aside; and the columns that a cancel leaves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.errors import Cancelled
from saliency_widget.protocol import PROTOCOL

from ..families import made
from .harness import TARGET, TEXT, before_each_pass


def gradient_norms(model: Any, ids: list[int], target: int, foil: int) -> np.ndarray:
    """L2 norm of the gradient of p(target) - p(foil) after these ids, by transformers' own inputs_embeds."""
    embeddings = model.model.get_input_embeddings()(torch.tensor([ids])).detach().requires_grad_()
    p = model.model(inputs_embeds=embeddings).logits[0, -1].softmax(-1)
    (gradient,) = torch.autograd.grad(p[target] - p[foil], embeddings)
    return gradient[0].norm(dim=-1).numpy()


def test_one_column_is_computed_against_a_foil_also_where_the_foil_is_the_target_of_another(
    tiny_model, harness
) -> None:
    """In float64 on both sides; a map is stored in float32, hence 1e-6."""
    h = harness(tiny_model)
    h.start()
    whole = h.settled()
    col = 4
    foil = next(t.id for t in whole.cols if t.id != whole.cols[col].id)
    h.say("ask", method="saliency", objective="probability", foil=foil, col=col)
    one = h.settled()
    before = [t.id for t in whole.rows][: whole.cols[col].position]
    expected = gradient_norms(tiny_model, before, whole.cols[col].id, foil)
    np.testing.assert_allclose(one.scores[: len(before), 0], expected, rtol=1e-6)
    assert np.isnan(one.scores[len(before) :]).all()
    assert one.cols == (whole.cols[col],)
    shown = next(t.text for t in whole.cols if t.id == foil)
    header = h.last("map")
    assert (header["foil"], header["col"], header["aside"], one.foil) == (shown, col, False, shown)
    assert header["settings"][-1] == ("instead of", shown)
    assert [key[1] for key in h.columns if key[0] == header["map"]] == [col]
    assert h.last("status")["phase"] == "done"


def test_columns_that_were_asked_for_one_by_one_are_in_the_whole_map_and_not_computed_again(
    tiny_model, harness, computed
) -> None:
    h = harness(tiny_model)
    h.start()
    cols = h.settled().cols
    n = len(cols)
    foil = next(i for i in range(20, 40) if i not in [t.id for t in cols])
    for col in (5, 2):
        h.say("ask", method="occlusion", objective="logit", foil=foil, col=col)
        assert h.settled().cols == (cols[col],)
    first = h.last("map")
    h.say("ask", method="occlusion", objective="logit", foil=foil)
    whole = h.settled()
    assert h.last("map") == {**first, "col": None}
    assert sorted(computed.cols("occlusion")) == [*range(n)]  # each once
    assert computed.cols("occlusion")[:2] == [5, 2]
    fresh = sw.attribute(
        tiny_model, TEXT, target=TARGET, method="occlusion", objective="logit", foil=foil, progress=False
    )
    np.testing.assert_allclose(whole.scores, fresh.scores, rtol=1e-5, atol=1e-9)
    h.say("ask", method="occlusion", objective="logit", foil=foil, col=2)  # from the cache
    np.testing.assert_array_equal(h.settled().scores[:, 0], whole.scores[:, 2])
    assert h.last("map")["col"] == 2


def test_a_class_is_set_against_another_class(harness) -> None:
    model = made("bert")
    h = harness(model, text="the cab")
    h.start()
    h.settled()
    h.say("ask", method="saliency", objective="logit", foil=2, col=0)
    one = h.settled()
    fresh = sw.attribute(
        model, "the cab", target="LABEL_0", foil="LABEL_2", method="saliency", objective="logit", progress=False
    )
    np.testing.assert_allclose(one.scores, fresh.scores, rtol=1e-6)
    assert h.last("map")["foil"] == one.foil == "LABEL_2"


def test_a_foil_that_is_the_target_is_an_error_that_names_it(tiny_model, harness) -> None:
    h = harness(tiny_model)
    h.start()
    target = h.settled().cols[1]
    n = len(h.of("map"))
    h.say("ask", method="saliency", objective="probability", foil=target.id, col=1)
    failed = h.failed()
    assert failed["kind"] == "InputError"
    assert f"{target.text!r} is what the model wrote in column 1" in failed["message"]
    assert len(h.of("map")) == n


def test_a_map_aside_fills_and_is_not_the_one_on_show(tiny_model, harness) -> None:
    h = harness(tiny_model)
    h.start()
    first = h.settled()
    finished = len(h.finished)
    h.say("ask", method="attention", objective="probability", aside=True)
    assert h.settled() is first
    assert len(h.finished) == finished
    header = h.last("map")
    assert (header["method"], header["aside"]) == ("attention", True)
    fresh = sw.attribute(tiny_model, TEXT, target=TARGET, method="attention", progress=False)
    for col in range(len(first.cols)):
        np.testing.assert_allclose(h.columns[header["map"], col], fresh.scores[:, col], rtol=1e-6)
    h.messages.clear()
    h.say("hello", protocol=PROTOCOL)
    h.settled()
    assert {m["method"]: m["aside"] for m in h.of("map")} == {"saliency": False, "attention": True}
    h.say("ask", method="attention", objective="probability")
    h.settled()
    h.messages.clear()
    h.say("hello", protocol=PROTOCOL)
    h.settled()
    assert {m["method"]: m["aside"] for m in h.of("map")} == {"saliency": True, "attention": False}


def test_a_map_aside_that_is_the_one_on_show_completes_it(tiny_model, harness) -> None:
    """It stays what was asked for: one column on show, and the others are there for whom asks."""
    h = harness(tiny_model)
    h.start()
    h.settled()
    h.say("ask", method="saliency", objective="logit", col=1)
    one = h.settled()
    h.say("ask", method="saliency", objective="logit", aside=True)
    h.settled()
    assert h.controller.attribution.cols == one.cols
    assert (h.last("map")["aside"], h.last("map")["col"]) == (False, 1)
    assert len([key for key in h.columns if key[0] == h.last("map")["map"]]) > len(one.cols)


def test_an_ask_overtakes_what_is_computed_aside_and_that_goes_on_afterwards(tiny_model, harness, computed) -> None:
    h = harness(tiny_model)
    h.start()
    n = len(h.settled().cols)
    begun = []

    def ask(*_: Any) -> None:
        if not begun and computed.is_halfway(n):
            begun.append(1)
            h.say("ask", method="random", objective="probability")

    with before_each_pass(tiny_model, ask):
        for method in ("input_x_gradient", "attention"):
            h.say("ask", method=method, objective="probability", aside=True)
        shown = h.settled()
    assert begun
    assert shown.method == "random"
    assert computed.methods() == ["saliency", "input_x_gradient", "random", "attention"]
    assert sorted(computed.cols("input_x_gradient")) == [*range(n)]  # each once
    names = {m["map"]: m["method"] for m in h.of("map")}
    assert {names[key[0]] for key in h.columns} == {*computed.methods()}


def test_what_if_is_answered_in_the_middle_of_a_map_that_goes_on(tiny_model, harness, computed) -> None:
    """A what-if is answered during a map, and each column is computed once."""
    n = len(sw.attribute(tiny_model, TEXT, target=TARGET, method="random", progress=False).cols)
    h = harness(tiny_model)
    asked = []

    def strike(*_: Any) -> None:
        if not asked and computed.is_halfway(n):
            asked.append(1)
            h.say("try", rows=[1])

    with before_each_pass(tiny_model, strike):
        h.start()
        h.settled()
    assert asked
    kinds = [m["type"] for m in h.messages]
    last_column = len(kinds) - 1 - kinds[::-1].index("column")
    assert kinds.index("what_if") < last_column
    assert sorted(computed.cols("saliency")) == [*range(n)]


def test_cancel_keeps_what_is_done_aside_and_drops_what_waits(tiny_model, harness, computed) -> None:
    h = harness(tiny_model)
    h.start()
    n = len(h.settled().cols)

    def stop(*_: Any) -> None:
        if computed.is_halfway(n):
            h.say("cancel")

    with before_each_pass(tiny_model, stop):
        for method in ("input_x_gradient", "attention"):
            h.say("ask", method=method, objective="probability", aside=True)
        with pytest.raises(Cancelled):
            h.done()
    assert computed.methods() == ["saliency", "input_x_gradient"]
    kept = computed.cols("input_x_gradient")
    assert 0 < len(kept) < n
    assert h.controller.attribution.method == "saliency"
    h.say("ask", method="input_x_gradient", objective="probability", aside=True)
    h.settled()
    assert sorted(computed.cols("input_x_gradient")) == [*range(n)]  # each once


def test_what_is_asked_after_a_cancel_is_done_and_what_ran_is_not_gone_on_with(tiny_model, harness, computed) -> None:
    h = harness(tiny_model)
    h.start()
    n = len(h.settled().cols)
    stopped = []

    def stop(*_: Any) -> None:
        if not stopped and computed.is_halfway(n):
            stopped.append(1)
            h.say("cancel")
            h.say("heads", col=1)

    with before_each_pass(tiny_model, stop):
        h.say("ask", method="input_x_gradient", objective="probability")
        h.settled()
    assert stopped
    assert len(h.controller.attribution.cols) < n
    h.wait_for(lambda: h.heads is not None)


def test_a_failure_aside_is_still_said_when_all_the_rest_is_done(tiny_model, harness) -> None:
    h = harness(tiny_model)
    h.start()
    h.settled()
    h.say("ask", method="saliency", objective="logit", aside=True, col=99)
    h.say("ask", method="attention", objective="probability", aside=True)
    assert "no column 99" in h.failed()["message"]
    h.say("ask", method="random", objective="probability")
    h.settled()
    h.messages.clear()
    h.say("hello", protocol=PROTOCOL)
    h.settled()
    assert not h.of("failed")
