"""The controller without a page: jobs, cancel, cache, errors; real threads and a real (tiny) model."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.attribution.attribute import check_question
from saliency_widget.errors import BadScores, Cancelled, InputError, ModelNotFound, TextTooLong, WorkerDied
from saliency_widget.models.lending import lock_of

from ..families import made
from .harness import PLAIN, TARGET, TEXT, Slow, before_each_pass


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


def test_cancel_keeps_what_is_done_and_asking_again_goes_on_from_there(tiny_model, harness) -> None:
    whole = sw.attribute(tiny_model, TEXT, target=TARGET, progress=False)
    h = harness(tiny_model)
    c = h.controller
    stopped = threading.Event()

    def stop_after_first(*_: Any) -> None:
        if any(len(e.chunks) for e in c._maps._cache.values()) and not stopped.is_set():
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
    h = harness(tiny_model, text=TEXT)
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


def test_the_preferred_column_is_computed_next(tiny_model, harness) -> None:
    h = harness(tiny_model)
    h.controller.prefer(7)
    h.start()
    h.done()
    entry = next(iter(h.controller._maps._cache.values()))
    assert entry.chunks[0].cols == [7]


def test_something_newer_replaces_what_runs(tiny_model, harness) -> None:
    h = harness(tiny_model)
    with Slow(tiny_model, 0.05) as slow:
        c = h.start()
        assert slow.begun.wait(5)
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
        started = time.monotonic()
        h.controller.cancel()
        with pytest.raises(Cancelled):
            h.done()
        assert time.monotonic() - started < 1


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


def test_an_error_loses_nothing_that_was_there_before(tiny_model, harness) -> None:
    h = harness(tiny_model)
    c = h.start()
    whole = h.done()
    parameter = next(tiny_model.model.parameters())
    handle = tiny_model.model.get_output_embeddings().register_forward_hook(lambda _m, _a, out: out * float("nan"))
    c.ask(check_question("saliency", "logit", {}))
    with pytest.raises(BadScores, match="nan"):
        h.done()
    handle.remove()
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
    h.controller._thread.join(5)
    h.controller.ask(check_question("random", "probability", {}))  # nobody is there to answer: again no wait for ever
    with pytest.raises(WorkerDied):
        h.done()


def test_closing_ends_the_threads_and_frees_the_maps(tiny_model, harness) -> None:
    h = harness(tiny_model)
    c = h.start()
    h.done()
    c.close()
    c._thread.join(5)
    c._stream._thread.join(5)
    assert not c._thread.is_alive()
    assert not c._stream._thread.is_alive()
    assert c.attribution is None
    assert not c._maps._cache
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
    h = harness(made("bert"), text="the cab")
    stream = h.controller._stream
    said: list[dict[str, Any]] = []
    tell = stream.status

    def status(*args: Any, **kwargs: Any) -> None:
        tell(*args, **kwargs)
        said.append(dict(stream._status))

    monkeypatch.setattr(stream, "status", status)
    h.start()
    assert h.done().cols[0].role == "class"
    assert {s["unit"] for s in said if s["phase"] == "attributing"} == {"classes"}


# ── foils, single columns, maps aside ────────────────────────────────────────────────────────────────────────────


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
    tiny_model, harness
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
    entry = h.controller._maps._shown
    assert sorted(col for chunk in entry.chunks for col in chunk.cols) == [*range(n)]  # each once
    assert [chunk.cols for chunk in entry.chunks][:2] == [[5], [2]]
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
    h.say("hello", protocol=1)
    h.settled()
    assert {m["method"]: m["aside"] for m in h.of("map")} == {"saliency": False, "attention": True}
    h.say("ask", method="attention", objective="probability")
    h.settled()
    h.messages.clear()
    h.say("hello", protocol=1)
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


def test_an_ask_overtakes_what_is_computed_aside_and_that_goes_on_afterwards(tiny_model, harness) -> None:
    h = harness(tiny_model)
    h.start()
    n = len(h.settled().cols)
    begun = []

    def ask(*_: Any) -> None:
        if not begun and any(0 < len(e.done()) < n for e in h.controller._maps._cache.values()):
            begun.append(1)
            h.say("ask", method="random", objective="probability")

    with before_each_pass(tiny_model, ask):
        for method in ("input_x_gradient", "attention"):
            h.say("ask", method=method, objective="probability", aside=True)
        shown = h.settled()
    assert begun
    assert shown.method == "random"
    entries = {e.question.method.id: e for e in h.controller._maps._cache.values()}
    assert [*entries] == ["saliency", "input_x_gradient", "random", "attention"]
    cols = [col for chunk in entries["input_x_gradient"].chunks for col in chunk.cols]
    assert sorted(cols) == [*range(n)]  # each once
    names = {m["map"]: m["method"] for m in h.of("map")}
    assert {names[key[0]] for key in h.columns} == {*entries}


def test_cancel_keeps_what_is_done_aside_and_drops_what_waits(tiny_model, harness) -> None:
    h = harness(tiny_model)
    h.start()
    n = len(h.settled().cols)

    def stop(*_: Any) -> None:
        if any(0 < len(e.done()) < n for e in h.controller._maps._cache.values()):
            h.say("cancel")

    with before_each_pass(tiny_model, stop):
        for method in ("input_x_gradient", "attention"):
            h.say("ask", method=method, objective="probability", aside=True)
        with pytest.raises(Cancelled):
            h.done()
    entries = {e.question.method.id: e for e in h.controller._maps._cache.values()}
    assert [*entries] == ["saliency", "input_x_gradient"]
    assert 0 < len(entries["input_x_gradient"].done()) < n
    assert h.controller.attribution.method == "saliency"


def test_what_is_asked_after_a_cancel_is_done_and_what_ran_is_not_gone_on_with(tiny_model, harness) -> None:
    h = harness(tiny_model)
    h.start()
    n = len(h.settled().cols)
    stopped = []

    def stop(*_: Any) -> None:
        if not stopped and any(0 < len(e.done()) < n for e in h.controller._maps._cache.values()):
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
    h.say("hello", protocol=1)
    h.settled()
    assert not h.of("failed")


# ── a page to keep ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_map_on_show_is_sent_as_a_page_of_its_own(tiny_model, harness) -> None:
    h = harness(tiny_model)
    h.start()
    shown = h.settled()
    h.say("export", col=3, view=PLAIN)
    h.wait_for(lambda: h.of("file"))
    file = h.last("file")
    assert file["name"] == f"saliency-{tiny_model.name}-saliency.html"
    assert file["text"].startswith("<!doctype html>")
    assert shown.to_html(col=3) in file["text"]
    h.say("ask", method="attention", objective="probability", col=5)
    h.say("export", col=3, view=PLAIN)  # which has no such column: it shows the one it has
    h.wait_for(lambda: len(h.of("file")) == 2)
    (target,) = h.controller.attribution.cols
    assert f'title="{target.text.strip()} · the target"' in h.last("file")["text"]
    h.messages.clear()
    h.say("hello", protocol=1)
    h.settled()
    assert not h.of("file")


def test_a_page_shows_what_its_reader_sees(tiny_model, harness) -> None:
    h = harness(tiny_model)
    h.start()
    h.settled()
    h.say("export", col=3, view={**PLAIN, "pinned": [2, 5], "hidden": [[0, 2]], "scale": "quantile"})
    h.wait_for(lambda: h.of("file"))
    for said in ("3 tokens, mean", "2 inputs hidden", "colours by rank"):
        assert said in h.last("file")["text"]
    h.say("export", col=3, view={**PLAIN, "by": "word", "units": [0, 10**6]})
    assert h.failed()["message"] == "The text is another one now."


def test_where_there_is_no_map_yet_there_is_nothing_to_send(tiny_model, harness) -> None:
    h = harness(tiny_model, text=TEXT)
    h.controller.receive({"type": "hello", "protocol": 1})
    h.controller.cancel()
    h.controller.start()
    with pytest.raises(Cancelled):
        h.done()
    h.say("export", col=0, view=PLAIN)
    assert "no map to keep yet" in h.failed()["message"]
