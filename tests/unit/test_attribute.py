"""`attribute` and `show` from a script: unknown names, places where nothing can be shown, the model as lent."""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np
import pytest
import torch
import tqdm.auto

import saliency_widget as sw
from saliency_widget.attribution.methods import METHODS
from saliency_widget.attribution.pipeline import check_question
from saliency_widget.errors import (
    BadScores,
    InputError,
    NoNotebook,
    TextTooLong,
    UnknownName,
)
from saliency_widget.models.inside.hooks import Answer, answering
from saliency_widget.types import Inputs


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"method": "salency"},
            r"Unknown method 'salency'. Did you mean saliency or shapley\? Known: saliency, attention, .*random",
        ),
        ({"method": "attention", "laier": 3}, r"Unknown setting of attention 'laier'. Did you mean layer\?"),
        ({"layer": 3}, "Unknown setting of saliency 'layer'. Known: none"),
        ({"objective": "probabilty"}, "Did you mean probability"),
    ],
)
def test_an_unknown_name_offers_the_nearest(tiny_model, asked, message) -> None:
    with pytest.raises(UnknownName, match=message):
        sw.attribute(tiny_model, "the cab", progress=False, **asked)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"layer": 2}, r"layer=2 is out of range: tiny-\w+ has 2 layers. Choose 0 … 1"),
        ({"layer": -1}, "out of range"),
        ({"head": 4}, "has 4 heads"),
        ({"head": 1.5}, "out of range"),
    ],
)
def test_a_layer_or_head_that_does_not_exist_is_an_error(tiny_model, asked, message) -> None:
    with pytest.raises(InputError, match=message):
        sw.attribute(tiny_model, "the cab", target=" d", method="attention", progress=False, **asked)


def test_a_text_over_the_context_length_is_an_error_before_anything_is_computed(tiny_model) -> None:
    with pytest.raises(TextTooLong, match="Shorten the text"):
        sw.attribute(tiny_model, "a" * 120, max_new_tokens=20, progress=False)


def test_nan_weights_are_an_error_and_the_model_comes_back(tiny_model) -> None:
    weight = tiny_model.model.get_output_embeddings().weight
    handle = tiny_model.model.get_output_embeddings().register_forward_hook(lambda _m, _a, out: out + float("nan"))
    with pytest.raises(BadScores, match="nan"):
        sw.attribute(tiny_model, "the cab", target=" d", progress=False)
    handle.remove()
    assert torch.isfinite(weight).all()


def test_a_model_in_training_with_gradients_comes_back_in_training_with_its_gradients(tiny_models) -> None:
    """The mode and gradients are unchanged, and the scores are those of evaluation mode without dropout."""
    model = tiny_models["gpt2"].model
    expected = sw.attribute(tiny_models["gpt2"], "the cab", target=" d", progress=False).scores
    model.train()
    model.transformer.h[0].eval()
    parameters = dict(model.named_parameters())
    parameters["transformer.wpe.weight"].requires_grad_(False)
    kept = parameters["transformer.wte.weight"].grad = torch.ones_like(parameters["transformer.wte.weight"])
    try:
        got = sw.attribute(tiny_models["gpt2"], "the cab", target=" d", progress=False).scores
        np.testing.assert_array_equal(got, expected)
        assert model.training
        assert not model.transformer.h[0].training
        assert not parameters["transformer.wpe.weight"].requires_grad
        assert parameters["transformer.wte.weight"].requires_grad
        assert parameters["transformer.wte.weight"].grad is kept
        assert (kept == 1).all()
    finally:
        model.eval()
        parameters["transformer.wpe.weight"].requires_grad_(True)
        parameters["transformer.wte.weight"].grad = None


@pytest.mark.parametrize("method", list(METHODS))
def test_every_method_fills_exactly_what_a_target_can_see(tiny_model, method) -> None:
    a = sw.attribute(tiny_model, "the cab and", target=" the dog", method=method, progress=False)
    for j, col in enumerate(a.cols):
        assert np.isfinite(a.scores[: col.position, j]).all()
        assert np.isnan(a.scores[col.position :, j]).all()
    assert a.signed == METHODS[method].card.signed
    assert METHODS[method].card.signed or np.nanmin(a.scores) >= 0


def test_float32_agrees_with_float64(tiny_models) -> None:
    """Float32 scores equal float64 ones to 1e-3, the noise of float32 in these gradients."""
    from .. import conftest

    for family, model in tiny_models.items():
        double = sw.attribute(model, "the cab and", target=" the dog", progress=False)
        single = sw.attribute(conftest.tiny(family, torch.float32), "the cab and", target=" the dog", progress=False)
        np.testing.assert_allclose(single.scores, double.scores, rtol=1e-3)


def test_half_precision_gives_finite_scores_near_the_double_ones(tiny_models) -> None:
    """Half precision gives finite scores near those of float64: the largest input is the same."""
    from .. import conftest

    double = sw.attribute(tiny_models["llama"], "the cab and", target=" the dog", progress=False)
    half = sw.attribute(conftest.tiny("llama", torch.bfloat16), "the cab and", target=" the dog", progress=False)
    correlation = np.corrcoef(half.scores[:5, 0], double.scores[:5, 0])[0, 1]
    assert correlation > 0.95


def test_random_is_the_same_for_the_same_seed_and_another_for_another(tiny_model) -> None:
    ask = {"target": " the dog", "method": "random", "progress": False}
    one, again, other = (sw.attribute(tiny_model, "the cab", seed=s, **ask).scores for s in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other, equal_nan=True)


def test_a_cell_that_runs_the_model_meanwhile_gets_its_own_embeddings(tiny_model) -> None:
    """A cell that runs the model during a map gets the model's own embeddings, because hooks are on a shadow."""
    import threading

    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        before = tiny_model.model(ids).logits
    seen = []

    def run_elsewhere() -> None:
        with torch.no_grad():
            seen.append(tiny_model.model(ids).logits)

    shadow = tiny_model.shadow()
    embedding = shadow.model.get_input_embeddings()
    with answering([Answer(embedding, ids, torch.zeros_like(shadow.embed(Inputs((), (5, 6, 7)))))]):
        thread = threading.Thread(target=run_elsewhere)
        thread.start()
        thread.join()
        with torch.no_grad():
            ours = shadow.model(ids).logits
    assert torch.equal(seen[0], before)
    assert not torch.allclose(ours, before)


def test_show_takes_the_arguments_of_attribute_as_they_are_and_each_is_documented_once() -> None:
    """Same names, defaults and types; `attribute` documents them all, in order, and `show` only its own two."""
    ours, theirs = (inspect.signature(function).parameters for function in (sw.attribute, sw.show))
    shared = [name for name in theirs if name in ours]
    assert [theirs[name] for name in shared] == [ours[name] for name in shared]
    assert set(ours) - set(shared) == {"span", "through", "progress"}
    arguments = inspect.getdoc(sw.attribute).partition("Args:")[2].partition("Raises:")[0]
    assert re.findall(r"^    (?:\*\*)?(\w+): ", arguments, re.MULTILINE) == list(ours)
    doc = inspect.getdoc(sw.show)
    assert "Args:" not in doc
    assert all(f"`{name}`" in doc for name in set(theirs) - set(shared))
    assert set(theirs) - set(shared) == {"hop", "explainer"}


def test_show_outside_a_notebook_points_to_attribute(tiny_model) -> None:
    with pytest.raises(NoNotebook, match="Use attribute"):
        sw.show(tiny_model, "the cab")


def test_show_checks_what_needs_no_model_before_anything_else() -> None:
    with pytest.raises(UnknownName, match="saliency"):
        sw.show("demo", "x", method="salincy")
    with pytest.raises(InputError, match="There is no text"):
        sw.show("demo")
    with pytest.raises(InputError, match="max_new_tokens is 0"):
        sw.show("demo", "x", max_new_tokens=0)


def test_a_result_prints_as_a_table(tiny_model) -> None:
    printed = repr(sw.attribute(tiny_model, "the cab", target=" d", progress=False))
    assert "Gradient" in printed
    assert "tiny-" in printed


@pytest.mark.parametrize(
    ("chosen", "described"),
    [
        ({}, [("reduction", "mean")]),
        ({"layer": 1}, [("layer", "1"), ("reduction", "mean")]),
        ({"layer": 1, "head": 0}, [("layer", "1"), ("head", "0")]),  # of one head nothing is put together
    ],
)
def test_a_question_is_described_by_what_was_chosen(tiny_model, chosen, described) -> None:
    assert check_question("attention", "probability", chosen).described(tiny_model) == described


@pytest.mark.parametrize("asked", [{"target": " d"}, {"max_new_tokens": 3}])
def test_a_progress_bar_that_is_done_is_full(
    tiny_model: Any, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finished progress bar is full: tqdm would mark a partial one as failed."""
    closed: list[tuple[float, float | None]] = []

    class Bar(tqdm.auto.tqdm):  # type: ignore[type-arg]  # generic in its stub alone
        def close(self) -> None:
            if not self.disable:
                closed.append((self.n, self.total))
            super().close()

    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    sw.attribute(tiny_model, "the cab", progress=True, **asked)
    assert closed
    assert all(n == total for n, total in closed)
