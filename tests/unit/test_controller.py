"""The controller without a page: jobs, cancel, cache, errors; real threads and a real (tiny) model."""

from __future__ import annotations

import gc
import threading
import time
from typing import Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.attribution.pipeline import check_question
from saliency_widget.errors import (
    BadScores,
    Cancelled,
    InputError,
    ModelNotFound,
    TextTooLong,
    WeightsChanged,
    WorkerDied,
)
from saliency_widget.session import threaded
from saliency_widget.session.sender import Sender
from saliency_widget.session.turns import lock_of

from ..families import made, make
from .harness import TARGET, TEXT, Slow, before_each_pass
from .waiting import GUARD


def test_the_map_is_the_one_that_attribute_gives(tiny_model, harness) -> None:
    h = harness(tiny_model)
    h.start()
    a = h.done()
    b = sw.attribute(tiny_model, TEXT, target=TARGET, progress=False)
    np.testing.assert_allclose(a.scores, b.scores, rtol=1e-6)
    assert (a.rows, a.cols, a.alternatives) == (b.rows, b.cols, b.alternatives)
    np.testing.assert_array_equal(a.step_scores["probability"], b.step_scores["probability"])


def test_the_model_writes_when_no_target_is_forced(tiny_model, harness) -> None:
    h = harness(tiny_model, text=TEXT)
    h.start()
    a = h.done()
    ids = torch.tensor([[t.id for t in a.rows if t.role == "prompt"]])
    with torch.no_grad():
        for col in a.cols:
            assert int(tiny_model.model(ids).logits[0, -1].argmax()) == col.id
            ids = torch.cat([ids, torch.tensor([[col.id]])], dim=1)
    assert len(a.cols) == 8


def test_a_cached_map_is_not_computed_again(tiny_model, harness) -> None:
    h = harness(tiny_model)
    c = h.start()
    first = h.done()
    c.ask(check_question("attention", "probability", {}))
    assert h.done().method == "attention"
    calls = []
    with before_each_pass(tiny_model, lambda *_: calls.append(1)):
        c.ask(check_question("saliency", "probability", {}))
        again = h.done()
        c.ask(check_question("attention", "logit", {}))  # attention knows no objective: the same map
        h.done()
    assert calls == []
    np.testing.assert_array_equal(first.scores, again.scores)


def test_changed_weights_are_never_answered_from_the_cache(tiny_model, harness) -> None:
    h = harness(tiny_model)
    c = h.start()
    before = h.done()
    weight = tiny_model.model.get_output_embeddings().weight
    kept = weight.detach().clone()
    try:
        weight.data.mul_(1.5)  # through .data: no version counter moves
        c.ask(check_question("saliency", "probability", {}))
        after = h.done()
        fresh = sw.attribute(tiny_model, TEXT, target=TARGET, progress=False)
    finally:
        weight.data.copy_(kept)
    assert not np.allclose(before.scores, after.scores)
    np.testing.assert_allclose(after.scores, fresh.scores, rtol=1e-6)
    np.testing.assert_array_equal(after.step_scores["probability"], fresh.step_scores["probability"])


@pytest.mark.parametrize("method", ["saliency", "attention"])
def test_weights_that_change_under_a_map_end_it_and_nothing_of_it_is_kept(harness, computed, method: str) -> None:
    """By autograd's own notice, or when the map ends; asked again, the map is that of the weights as they are now."""
    model = make("gpt2")
    h = harness(model)
    c = h.controller
    passes = []

    def change(*_: Any) -> None:
        passes.append(1)
        if len(passes) == 2:
            for parameter in model.model.parameters():
                parameter.data.mul_(1.1)

    h.start()
    h.done()
    with before_each_pass(model, change):
        passes.clear()
        c.ask(check_question(method, "logit" if method == "saliency" else "probability", {}))
        with pytest.raises(WeightsChanged, match="changed while its map was computed"):
            h.done()
    before = len(computed.columns)
    c.ask(check_question(method, "probability", {}))
    expected = sw.attribute(model, TEXT, target=TARGET, method=method, progress=False)
    np.testing.assert_allclose(h.done().scores, expected.scores, rtol=1e-6)
    assert sorted(computed.columns[before:]) == [(method, col) for col in range(len(expected.cols))]


def test_cancel_keeps_what_is_done_and_asking_again_goes_on_from_there(tiny_model, harness, computed) -> None:
    whole = sw.attribute(tiny_model, TEXT, target=TARGET, progress=False)
    h = harness(tiny_model)
    c = h.controller
    stopped = threading.Event()

    def stop_after_first(*_: Any) -> None:
        if computed.columns and not stopped.is_set():
            stopped.set()
            c.cancel()

    with before_each_pass(tiny_model, stop_after_first):
        h.start()
        with pytest.raises(Cancelled, match=f"Cancelled after 1 of {len(whole.cols)}"):
            h.done()
    part = c.attribution
    assert [t.position for t in part.cols] == [whole.cols[0].position]
    np.testing.assert_allclose(part.scores[:, 0], whole.scores[:, 0], rtol=1e-6)
    assert c.error is not None
    c.ask(check_question("saliency", "probability", {}))
    np.testing.assert_allclose(h.done().scores, whole.scores, rtol=1e-6)
    assert sorted(computed.cols("saliency")) == [*range(len(whole.cols))]  # each once


def test_cancel_gets_through_in_the_middle_of_one_long_pass(tiny_model, harness) -> None:
    """A layer that takes its time stands for a model that takes its time: the next layer is never begun."""
    layers = next(m for m in tiny_model.model.modules() if isinstance(m, torch.nn.ModuleList))
    ran = []
    h = harness(tiny_model)
    slow = layers[0].register_forward_hook(lambda *_: (ran.append(0), h.controller.cancel(), None)[-1])
    last = layers[1].register_forward_hook(lambda *_: ran.append(1))
    h.start()
    with pytest.raises(Cancelled):
        h.done()
    slow.remove()
    last.remove()
    assert ran == [0]


def test_cancel_while_writing_keeps_what_was_written(tiny_model, harness) -> None:
    h = harness(tiny_model, text=TEXT, method="occlusion")  # which waits for the text: each pass writes a token
    c = h.controller
    passes = []

    def hook(*_: Any) -> None:
        passes.append(1)
        if len(passes) == 4:
            c.cancel()

    with before_each_pass(tiny_model, hook):
        h.start()
        with pytest.raises(Cancelled):
            h.done()
    c.ask(check_question("saliency", "probability", {}))
    assert len(h.done().cols) == 3


def test_the_preferred_column_is_computed_next(tiny_model, harness, computed) -> None:
    h = harness(tiny_model)
    h.controller.prefer(range(7, 8))
    h.start()
    h.done()
    assert computed.columns[0] == ("saliency", 7)


def test_something_newer_replaces_what_runs(tiny_model, harness) -> None:
    h = harness(tiny_model)
    with Slow(tiny_model, 0.05) as slow:
        c = h.start()
        assert slow.begun.wait(GUARD)
        c.ask(check_question("random", "probability", {}))
        assert h.done().method == "random"


def test_two_widgets_share_one_model_and_never_run_it_at_once(tiny_model, harness) -> None:
    running, most = [], []

    def enter(*_: Any) -> None:
        running.append(1)
        most.append(len(running))
        time.sleep(0.005)

    handles = [
        tiny_model.model.register_forward_pre_hook(enter),
        tiny_model.model.register_forward_hook(lambda *_: (running.pop(), None)[1]),
    ]
    one, two = harness(tiny_model), harness(tiny_model, text="a bat and a cab", target=" and the d")
    one.start()
    two.start()
    a, b = one.done(), two.done()
    for handle in handles:
        handle.remove()
    assert max(most) == 1
    for got, prompt in ((a, (TEXT, TARGET)), (b, ("a bat and a cab", " and the d"))):
        alone = sw.attribute(tiny_model, prompt[0], target=prompt[1], progress=False)
        np.testing.assert_allclose(got.scores, alone.scores, rtol=1e-6)


def test_waiting_for_the_model_is_said_and_can_be_cancelled(tiny_model, harness) -> None:
    h = harness(tiny_model)
    with lock_of(tiny_model.model):
        h.start()
        h.wait_for(lambda: any(m["type"] == "status" and m["phase"] == "waiting" for m in list(h.messages)))
        h.controller.cancel()
        with pytest.raises(Cancelled):  # while the model is still not to be had
            h.done()


@pytest.mark.parametrize(
    ("prompt", "error", "message"),
    [
        ({"text": "a" * 200}, TextTooLong, "reads at most 128"),
        ({"text": "a", "target": ""}, InputError, "no token"),
    ],
)
def test_an_error_is_shown_and_raised(tiny_model, harness, prompt, error, message) -> None:
    h = harness(tiny_model, **prompt)
    h.start()
    with pytest.raises(error, match=message) as caught:
        h.done()
    h.wait_for(lambda: any(m["type"] == "failed" for m in list(h.messages)))
    failed = [m for m in h.messages if m["type"] == "failed"]
    assert (failed[-1]["message"], failed[-1]["cure"]) == (caught.value.message, caught.value.cure)


def test_a_model_that_cannot_be_found_is_shown_and_raised(harness) -> None:
    h = harness("./no/such/folder")
    h.start()
    with pytest.raises(ModelNotFound, match="no/such/folder"):
        h.done()


def test_an_error_loses_nothing_that_was_there_before(tiny_model, harness, monkeypatch) -> None:
    h = harness(tiny_model)
    c = h.start()
    whole = h.done()
    parameter = next(tiny_model.model.parameters())
    kind, forward = torch.nn.Linear, torch.nn.Linear.forward
    monkeypatch.setattr(kind, "forward", lambda linear, x: forward(linear, x) * float("nan"))
    c.ask(check_question("saliency", "logit", {}))
    with pytest.raises(BadScores, match="nan"):
        h.done()
    monkeypatch.undo()
    assert c.attribution is whole
    assert parameter.grad is None
    c.ask(check_question("saliency", "probability", {}))
    np.testing.assert_array_equal(h.done().scores, whole.scores)


def test_an_unforeseen_error_of_the_model_is_shown_and_raised(tiny_model, harness) -> None:
    def break_(*_: Any) -> None:
        raise ZeroDivisionError("in somebody's custom layer")

    with before_each_pass(tiny_model, break_):
        h = harness(tiny_model)
        h.start()
        with pytest.raises(ZeroDivisionError, match="custom layer"):
            h.done()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_dies_is_an_error_and_not_a_wait_for_ever(tiny_model, harness) -> None:
    def die(*_: Any) -> None:
        raise SystemExit

    with before_each_pass(tiny_model, die):
        h = harness(tiny_model)
        h.start()
        with pytest.raises(WorkerDied, match="ended without finishing"):
            h.done()
    h.wait_for(lambda: any(m["type"] == "failed" and m["kind"] == "WorkerDied" for m in list(h.messages)))
    for thread in threading.enumerate():
        if thread.name == "saliency-widget-worker":
            thread.join(GUARD)
    h.controller.ask(check_question("random", "probability", {}))  # nobody is there to answer: again no wait for ever
    with pytest.raises(WorkerDied):
        h.done()


def test_closing_ends_the_threads_and_frees_the_maps(tiny_model, harness, computed) -> None:
    h = harness(tiny_model)
    c = h.start()
    h.done()
    assert any(scores() is not None for scores in computed.scores)
    h.columns.clear()
    c.close()
    assert c.join(GUARD)
    assert c.attribution is None
    gc.collect()
    assert all(scores() is None for scores in computed.scores)
    c.ask(check_question("random", "probability", {}))
    with pytest.raises(WorkerDied):
        h.done()


def test_a_nonsense_ask_of_the_page_is_answered_with_an_error(tiny_model, harness) -> None:
    h = harness(tiny_model)
    c = h.start()
    h.done()
    c.receive({"type": "ask", "method": "salency", "objective": "probability"})
    h.wait_for(lambda: any(m["type"] == "failed" and "Did you mean saliency" in m["cure"] for m in list(h.messages)))


@pytest.mark.filterwarnings("ignore:.*model_config.yaml:pytest.PytestUnraisableExceptionWarning")
def test_a_method_of_inseq_that_is_asked_for_is_in_the_menu_and_has_its_card(harness, tiny_model) -> None:
    """The page reads label, unit and sign off the card of the method on show."""
    h = harness(tiny_model)
    h.start()
    h.done()
    menus = [m for m in h.messages if m["type"] == "menu"]
    assert "inseq:deeplift" not in [card["id"] for card in menus[-1]["methods"]]
    h.controller.ask(check_question("inseq:deeplift", "logit", {}))
    assert h.done().label == "DeepLIFT (inseq)"
    h.wait_for(lambda: "inseq:deeplift" in [c["id"] for m in h.messages if m["type"] == "menu" for c in m["methods"]])
    maps = [m["method"] for m in h.messages if m["type"] == "map"]
    assert maps[-1] == "inseq:deeplift"


def test_classes_are_counted_as_such(harness, monkeypatch) -> None:
    said: list[Any] = []  # also what is merged before a page hears of it

    class Telling(Sender):
        def tell(self, *messages: Any, **numbers: Any) -> None:
            said.extend(messages)
            super().tell(*messages, **numbers)

    monkeypatch.setattr(threaded, "Sender", Telling)
    h = harness(made("bert"), text="the cab")
    h.start()
    assert h.done().cols[0].role == "class"
    assert {m["unit"] for m in said if m["type"] == "status" and m["phase"] == "attributing"} == {"classes"}
