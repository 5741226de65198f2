"""Our scores equal inseq's for the same ids, and those of a plain autograd loop: two independent computations."""

from __future__ import annotations

import copy
import logging
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import saliency_widget as sw

if TYPE_CHECKING:
    from saliency_widget.models.causal import CausalModel

# inseq leaves its configuration file open.
pytestmark = pytest.mark.filterwarnings("ignore:.*model_config.yaml:pytest.PytestUnraisableExceptionWarning")

TEXT, TARGET = "the cab and the d", "og barks"
DEMO_TEXT = "The first president of the United States was George"


def by_inseq(
    model: CausalModel, method: str, text: str, target: str, step: str = "probability"
) -> tuple[np.ndarray, list[int]]:
    """inseq's matrix [n_rows, n_cols] for the forced continuation, without its last row (all NaN); and the ids.

    It works on a copy: it leaves hooks and settings behind. Its pad token must not occur in the text.
    """
    import inseq

    network, tokenizer = copy.deepcopy(model.model), copy.deepcopy(model.tokenizer)
    tokenizer.pad_token = tokenizer.unk_token
    network.config.bos_token_id, network.config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    network.set_attn_implementation("eager")
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = inseq.load_model(network, method, tokenizer=tokenizer)
            of = {} if method == "attention" else {"attributed_fn": step}
            out = theirs.attribute(text, text + target, show_progress=False, **of)
            # its own aggregation: L2 norm over the hidden axis; mean over heads and layers
            scores = out.aggregate(normalize=False)[0].target_attributions.double().numpy()
    finally:
        logging.disable(logging.NOTSET)
    ids = [t.id for t in out[0].target]
    return scores[: len(ids) - 1], ids


def by_loop(model: CausalModel, ids: tuple[int, ...], targets: list[int], objective: str) -> np.ndarray:
    """Return the scores of one forward and one backward pass for each target, over the text before it."""
    value = {"probability": torch.softmax, "log_probability": torch.log_softmax, "logit": lambda z, dim: z}[objective]  # noqa: ARG005
    scores = np.full((max(targets), len(targets)), np.nan)
    for j, t in enumerate(targets):
        x = model.model.get_input_embeddings()(torch.tensor([ids[:t]])).detach().requires_grad_()
        logits = model.model(inputs_embeds=x).logits
        (gradient,) = torch.autograd.grad(value(logits[0, -1], dim=-1)[ids[t]], x)
        scores[:t, j] = gradient[0].norm(dim=-1)
    return scores


@pytest.mark.parametrize("objective", ["probability", "logit"])
def test_saliency_of_tiny_models_is_inseqs(tiny_model: CausalModel, objective: str) -> None:
    """Saliency equals inseq's in float64, to 1e-6: our result is stored in float32 (6e-8)."""
    a = sw.attribute(tiny_model, TEXT, target=TARGET, objective=objective, progress=False)
    theirs, ids = by_inseq(tiny_model, "saliency", TEXT, TARGET, objective)
    assert [t.id for t in (*a.rows, a.cols[-1])] == ids
    np.testing.assert_allclose(a.scores, theirs, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("objective", ["probability", "log_probability", "logit"])
def test_saliency_of_tiny_models_is_that_of_a_plain_loop(tiny_model: CausalModel, objective: str) -> None:
    """Saliency equals that of a loop that sees no token after the target and none of our hooks."""
    a = sw.attribute(tiny_model, TEXT, target=TARGET, objective=objective, progress=False)
    ids = tuple(t.id for t in (*a.rows, a.cols[-1]))
    loop = by_loop(tiny_model, ids, [t.position for t in a.cols], objective)
    np.testing.assert_allclose(a.scores, loop, rtol=1e-6, atol=1e-12)


def test_attention_of_tiny_models_is_inseqs(tiny_model: CausalModel) -> None:
    a = sw.attribute(tiny_model, TEXT, target=TARGET, method="attention", progress=False)
    theirs, ids = by_inseq(tiny_model, "attention", TEXT, TARGET)
    assert [t.id for t in (*a.rows, a.cols[-1])] == ids
    np.testing.assert_allclose(a.normalized(), theirs / np.nansum(theirs, axis=0), rtol=1e-6, atol=1e-12)


def test_attention_is_what_the_model_hands_out_itself(tiny_model: CausalModel) -> None:
    """The mean, one layer and one head each equal the weights of transformers' own output_attentions."""
    whole = sw.attribute(tiny_model, TEXT, target=TARGET, method="attention", progress=False)
    ids = torch.tensor([[t.id for t in whole.rows]])
    network = copy.deepcopy(tiny_model.model)
    network.set_attn_implementation("eager")
    with torch.no_grad():
        weights = torch.stack(network(ids, output_attentions=True).attentions)[:, 0]  # [layer, head, n, n]
    for settings, expected in (
        ({}, weights.mean((0, 1))),
        ({"layer": 1}, weights[1].mean(0)),
        ({"head": 2}, weights[:, 2].mean(0)),
        ({"layer": 0, "head": 3}, weights[0, 3]),
    ):
        a = sw.attribute(tiny_model, TEXT, target=TARGET, method="attention", progress=False, **settings)
        for j, col in enumerate(a.cols):
            np.testing.assert_allclose(
                a.scores[: col.position, j], expected[col.position - 1, : col.position], rtol=1e-6
            )
            assert a.scores[: col.position, j].sum() == pytest.approx(1, abs=1e-6)


def test_a_long_text_read_in_blocks_has_the_same_attention(tiny_model: CausalModel, monkeypatch: Any) -> None:
    from saliency_widget.models.inside import interface

    whole = sw.attribute(tiny_model, TEXT, target=TARGET, method="attention", progress=False)
    monkeypatch.setattr(interface, "BLOCK_CELLS", 3 * 4 * len(whole.rows))  # three queries at a time
    blocks = sw.attribute(tiny_model, TEXT, target=TARGET, method="attention", progress=False)
    np.testing.assert_allclose(blocks.scores, whole.scores, rtol=1e-6)


def test_step_probabilities_are_the_models_own(tiny_model: CausalModel) -> None:
    a = sw.attribute(tiny_model, TEXT, target=TARGET, progress=False)
    ids = [t.id for t in (*a.rows, a.cols[-1])]
    with torch.no_grad():
        probabilities = tiny_model.model(torch.tensor([ids])).logits[0].softmax(-1)
    for j, col in enumerate(a.cols):
        p = probabilities[col.position - 1]
        assert a.step_scores["probability"][j] == pytest.approx(float(p[col.id]), rel=1e-6)
        assert [alt.id for alt in a.alternatives[j]] == p.topk(len(a.alternatives[j])).indices.tolist()


@pytest.mark.demo
def test_the_demo_model_agrees_with_inseq(demo: CausalModel) -> None:
    """The scores agree to 1e-3: any two float32 computations of these gradients differ by up to 2.3e-4."""
    a = sw.attribute(demo, DEMO_TEXT, max_new_tokens=8, progress=False)
    assert a.cols[0].text == " Washington"
    assert a.step_scores["probability"][0] == pytest.approx(0.796, abs=5e-4)
    target = demo.tokenizer.decode([t.id for t in a.cols])
    theirs, ids = by_inseq(demo, "saliency", DEMO_TEXT, target)
    assert [t.id for t in (*a.rows, a.cols[-1])] == ids
    np.testing.assert_allclose(a.scores, theirs, rtol=1e-3)
    b = sw.attribute(demo, DEMO_TEXT, target_ids=[t.id for t in a.cols], method="attention", progress=False)
    theirs, _ = by_inseq(demo, "attention", DEMO_TEXT, target)
    np.testing.assert_allclose(b.normalized(), theirs / np.nansum(theirs, axis=0), rtol=1e-3, atol=1e-6)


@pytest.mark.demo
def test_george_and_president_matter_most_for_washington(demo: CausalModel) -> None:
    """For the text that the model writes itself, George is first, and the shares equal an independent measurement."""
    a = sw.attribute(demo, DEMO_TEXT, max_new_tokens=1, progress=False)
    top = a.top("Washington", k=5)
    assert [t.text for t in top] == [" George", " president", "The", " United", " first"]
    assert [round(t.share, 3) for t in top] == pytest.approx([0.342, 0.216, 0.091, 0.087, 0.082], abs=1e-3)
