"""Every family beside a computation that knows none of our code: plain calls of the model, in float64.

One forward (and one backward) pass a number, on the text cut right before what is explained; no hook, no batch.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import saliency_widget as sw
from saliency_widget.attribution.methods import METHODS
from saliency_widget.errors import UnsupportedMethod
from saliency_widget.models.inside.reuse import read_once
from saliency_widget.types import Inputs

from ..families import (
    CLASSIFIERS,
    FAMILIES,
    SEQ2SEQ,
    Column,
    columns_of,
    made,
    make,
    plain_embeddings,
    plain_logits,
    plain_logits_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from saliency_widget import Attribution

    Objective = Callable[[torch.Tensor], torch.Tensor]  # of logits [vocabulary]

EVERY = pytest.mark.parametrize("name", FAMILIES)
ONE_OF_EACH_KIND = pytest.mark.parametrize("name", ["llama", "marian", "bert"])

OBJECTIVES: dict[str, Callable[[torch.Tensor, int], torch.Tensor]] = {
    "probability": lambda z, t: z.softmax(-1)[t],
    "log_probability": lambda z, t: z.log_softmax(-1)[t],
    "log_odds": lambda z, t: z[t] - torch.cat([z[:t], z[t + 1 :]]).logsumexp(-1),
    "logit": lambda z, t: z[t],
    "entropy": lambda z, _: torch.distributions.Categorical(logits=z).entropy(),
}


def texts_of(name: str) -> tuple[str, str]:
    """A text of two sentences with a word of several tokens, and a target. FSMT's may hold no token twice."""
    return ("the cabs", "dog") if name == "fsmt" else ("a cab. Bad", "dad")


def ask(name: str, method: str, *, text: str | None = None, **asked: Any) -> Attribution:
    own, target = texts_of(name)
    asked = ({} if name in CLASSIFIERS else {"target": target}) | asked
    return sw.attribute(made(name), text or own, method=method, progress=False, **asked)


def columns(name: str, a: Attribution, text: str | None = None) -> Iterator[tuple[Column, np.ndarray]]:
    """Return what each column explains, by the tokenizer alone, and its scores: as many as it can see."""
    own, target = texts_of(name)
    found = columns_of(name, text or own, target)
    assert [t.id for t in a.rows] == list(found[-1].rows)
    assert [t.id for t in a.cols] == [c.target for c in found]
    for j, column in enumerate(found):
        n = len(column.rows)
        assert np.isnan(a.scores[n:, j]).all()
        yield column, a.scores[:n, j]


def assert_equal(name: str, scores: np.ndarray, expected: torch.Tensor, added: torch.Tensor | None = None) -> None:
    """To the family's tolerance, as a share of the largest score.

    `added` [n, d]: what each score is the sum of, where these are much larger than it: rounding is a share of them.
    """
    tolerance = FAMILIES[name].tolerance
    largest = (expected if added is None else added.abs().sum(-1)).detach().abs().max().item()
    np.testing.assert_allclose(scores, expected.detach().numpy(), rtol=tolerance, atol=tolerance * largest)


def gradient(name: str, column: Column, at: torch.Tensor, objective: Objective) -> torch.Tensor:
    """One forward and one ordinary backward pass: of the objective by the embeddings, at `at` [n, d]."""
    x = at.detach().requires_grad_()
    (g,) = torch.autograd.grad(objective(plain_logits_of(name, column, x)), x)
    return g


class _Sums(TorchDispatchMode):
    """Hears what comes out of each product of matrices and each softmax: numbers of several tokens, added up."""

    def __init__(self) -> None:
        super().__init__()
        self.dtypes: set[torch.dtype] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        if any(sums in str(function) for sums in ("mm.", "bmm.", "softmax", "attention")):
            self.dtypes.add((out if isinstance(out, torch.Tensor) else out[0]).dtype)
        return out


@EVERY
def test_what_is_computed_in_float32_is_said(name: str) -> None:
    """The table of families has it right, on which the tolerance of every comparison rests."""
    model, column = made(name).model, columns_of(name, *texts_of(name))[-1]
    ids = torch.tensor([column.ids])
    given = {"input_ids": ids}
    if name in SEQ2SEQ:
        given = {"input_ids": torch.tensor([column.source]), "decoder_input_ids": ids, "use_cache": False}
    with torch.no_grad(), _Sums() as sums:
        logits = model(**given).logits
    found = sums.dtypes | {logits.dtype}
    assert FAMILIES[name].computes == (torch.float32 if torch.float32 in found else torch.float64)


# ── gradients ────────────────────────────────────────────────────────────────────────────────────────────────────


@EVERY
def test_gradients_are_those_of_one_plain_pass_a_target(name: str) -> None:
    maps = {
        "saliency": ask(name, "saliency"),
        "sum": ask(name, "input_x_gradient"),
        "l2": ask(name, "input_x_gradient", reduction="l2"),
    }
    for j, (column, _) in enumerate(columns(name, maps["saliency"])):
        x = plain_embeddings(name, column)
        g = gradient(name, column, x, lambda z, t=column.target: z.softmax(-1)[t])
        expected = {"saliency": g.norm(dim=-1), "sum": (g * x).sum(-1), "l2": (g * x).norm(dim=-1)}
        for key, a in maps.items():
            assert_equal(name, a.scores[: len(column.rows), j], expected[key])


@EVERY
def test_probabilities_are_the_models_own(name: str) -> None:
    a = ask(name, "saliency")
    for j, (column, _) in enumerate(columns(name, a)):
        p = plain_logits(name, column).softmax(-1)
        assert a.step_scores["probability"][j] == pytest.approx(float(p[column.target]), rel=1e-5)
        if name not in CLASSIFIERS:
            assert [alt.id for alt in a.alternatives[j]] == p.topk(8).indices.tolist()


def plain_baseline(name: str, column: Column, baseline: str) -> torch.Tensor:
    """Embeddings [n, d] of a text of nothing but that token; zeros; or the mean of all that there are."""
    n, tokenizer = len(column.rows), made(name).tokenizer
    if baseline == "zero":
        return torch.zeros_like(plain_embeddings(name, column))
    if baseline == "mean":
        size = made(name).model.get_input_embeddings().weight.shape[0]
        every = column._replace(source=tuple(range(size)) if column.source else (), ids=tuple(range(size)))
        parts = plain_embeddings(name, every).split(size)
        counts = (len(column.source), len(column.ids))[-len(parts) :]
        return torch.cat([part.mean(0).expand(k, -1) for part, k in zip(parts, counts, strict=True)])
    token = getattr(tokenizer, f"{baseline}_token_id")
    return plain_embeddings(name, column.changed(dict.fromkeys(range(n), token)))


def plain_path(name: str, column: Column, baseline: str, steps: int) -> torch.Tensor:
    """Integrated gradients [n] by a loop over the nodes of the Gauss-Legendre rule."""
    x, b = plain_embeddings(name, column), plain_baseline(name, column, baseline)
    total = torch.zeros_like(x)
    for node, weight in zip(*np.polynomial.legendre.leggauss(steps), strict=True):
        at = b + (node + 1) / 2 * (x - b)
        total += weight / 2 * gradient(name, column, at, lambda z: z.softmax(-1)[column.target])
    return ((x - b) * total).sum(-1)


@EVERY
def test_integrated_gradients_are_a_plain_loop_over_the_path(name: str) -> None:
    default = "zero" if name == "bare" else "unk"
    for baseline in (None, "mean"):
        a = ask(name, "integrated_gradients", steps=3, baseline=baseline)
        for column, scores in columns(name, a):
            assert_equal(name, scores, plain_path(name, column, baseline or default, 3))


@ONE_OF_EACH_KIND
@pytest.mark.parametrize("baseline", ["pad", "mask", "zero"])
def test_integrated_gradients_begin_at_the_baseline_that_is_asked_for(name: str, baseline: str) -> None:
    name = {"llama": "qwen3"}.get(name, name)  # whose tokenizer has them all
    a = ask(name, "integrated_gradients", steps=2, baseline=baseline)
    for column, scores in columns(name, a):
        assert_equal(name, scores, plain_path(name, column, baseline, 2))


@ONE_OF_EACH_KIND
def test_integrated_gradients_add_up_to_the_change_as_the_steps_grow(name: str) -> None:
    """Also the error that is told: it is what is missing, to the last digit."""
    errors = []
    for steps in (1, 200):
        a = ask(name, "integrated_gradients", steps=steps)
        for j, (column, scores) in enumerate(columns(name, a)):
            ends = (plain_embeddings(name, column), plain_baseline(name, column, "unk"))
            at_x, at_b = (plain_logits_of(name, column, e).softmax(-1)[column.target].item() for e in ends)
            error = at_x - at_b - scores.astype(np.float64).sum()
            assert a.diagnostics["completeness_error"][j] == pytest.approx(
                error, abs=1e-6 * float(np.abs(scores).sum())
            )
            errors.append(abs(error) / abs(at_x - at_b))
    half = len(errors) // 2
    assert max(errors[half:]) < 1e-4 < max(errors[:half])


# ── what is taken away ───────────────────────────────────────────────────────────────────────────────────────────


@cache
def logits_at(name: str, column: Column) -> torch.Tensor:
    return plain_logits(name, column)


def drop(name: str, column: Column, rows: dict[int, int | None], objective: str = "probability") -> float:
    """Return what the objective loses when these rows are other tokens, or gone."""
    of = OBJECTIVES[objective]
    whole, changed = (logits_at(name, c) for c in (column, column.changed(rows)))
    return float(of(whole, column.target) - of(changed, column.target))


def without(name: str, column: Column, rows: list[int], *, delete: bool = False) -> float:
    """The drop without these rows: replaced by the unknown token, or deleted where something to read is left."""
    gone = set(rows)
    n = len(column.source)
    left = [i for i in range(len(column.rows)) if i not in gone]
    if delete and any(i >= n for i in left) and (not n or any(i < n for i in left)):
        return drop(name, column, dict.fromkeys(rows))
    return drop(name, column, dict.fromkeys(rows, made(name).tokenizer.unk_token_id))


HAS_UNK = pytest.mark.parametrize("name", [n for n, f in FAMILIES.items() if f.words.get("unk", True)])


@HAS_UNK
@pytest.mark.parametrize("operator", ["replace", "delete"])
def test_occlusion_is_a_call_with_one_id_changed(name: str, operator: str) -> None:
    a = ask(name, "occlusion", operator=operator)
    for column, scores in columns(name, a):
        expected = [without(name, column, [row], delete=operator == "delete") for row in range(len(scores))]
        assert_equal(name, scores, torch.tensor(expected))


def units(a: Attribution, kind: str) -> list[tuple[int, bool]]:
    """Of each row its word (or sentence, or segment); what was read and what was written are never one."""
    return [(getattr(t, kind), t.position < a.cols[0].position) for t in a.rows]


@pytest.mark.parametrize(
    "name", ["gpt2", "mistral_sliding", "bert_lm", "marian", "m2m100", "roberta", "llama_classifier"]
)
@pytest.mark.parametrize("unit", ["word", "sentence"])
@pytest.mark.parametrize("operator", ["replace", "delete"])
def test_a_unit_is_taken_away_as_a_whole_and_its_drop_dealt_out(name: str, unit: str, operator: str) -> None:
    a = ask(name, "occlusion", unit=unit, operator=operator)
    of_row = units(a, unit)
    assert len(set(of_row)) < len(of_row)
    for column, scores in columns(name, a):
        expected = np.zeros(len(scores))
        for number in set(of_row[: len(scores)]):
            rows = [i for i in range(len(scores)) if of_row[i] == number]
            expected[rows] = without(name, column, rows, delete=operator == "delete") / len(rows)
        assert_equal(name, scores, torch.tensor(expected))


LONG = "A bad cab. The dad. A bed.\n\nBad cab. The bed. A cab."


def plain_coarse_to_fine(name: str, column: Column, of_row: dict[str, list[Any]], *, delete: bool) -> list[float]:
    """Scores [n]: the drop of each paragraph; then of the sentences of those that mattered, then of their words.

    What mattered are the fewest that have nine tenths of all drops.
    """
    n = len(column.rows)
    scores = [0.0] * n
    looked_at = [list(range(n))]
    for level in ("segment", "sentence", "word"):
        parts = [
            [i for i in whole if of_row[level][i] == u] for whole in looked_at for u in _each(of_row[level], whole)
        ]
        if level != "word" and len(parts) == 1:
            continue
        drops = [without(name, column, rows, delete=delete) for rows in parts]
        for rows, drop in zip(parts, drops, strict=True):
            for row in rows:
                scores[row] = drop / len(rows)
        order = sorted(range(len(parts)), key=lambda at: -abs(drops[at]))
        before = [sum(abs(drops[at]) for at in order[:k]) for k in range(len(order))]
        looked_at = [parts[at] for at, sum_ in zip(order, before, strict=True) if sum_ < 0.9 * sum(map(abs, drops))]
    return scores


def _each(of_row: list[Any], rows: list[int]) -> list[Any]:
    """The units of these rows, each once."""
    return list(dict.fromkeys(of_row[row] for row in rows))


@pytest.mark.parametrize("name", ["gpt2", "mistral_sliding", "marian", "bert"])
@pytest.mark.parametrize("operator", ["replace", "delete"])
def test_coarse_to_fine_looks_closer_where_it_matters(name: str, operator: str) -> None:
    a = ask(name, "occlusion", text=LONG, unit="coarse_to_fine", operator=operator)
    of_row = {level: units(a, level) for level in ("segment", "sentence", "word")}
    for column, scores in columns(name, a, LONG):
        expected = plain_coarse_to_fine(name, column, of_row, delete=operator == "delete")
        assert_equal(name, scores, torch.tensor(expected))


# ── other objectives ─────────────────────────────────────────────────────────────────────────────────────────────


def foil_of(name: str) -> tuple[str, int]:
    """Return a foil as a user says it, and as what it is: a token, or a class."""
    if name in CLASSIFIERS:
        return made(name).labels[1], 1
    return "x", made(name).tokenizer("x")["input_ids"][0]


@ONE_OF_EACH_KIND
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("against", [False, True])
def test_objectives_and_foils_are_what_their_names_say(name: str, objective: str, against: bool) -> None:
    if objective == "entropy" and against:
        return  # it has none: see the tests of bad input
    said, foil = foil_of(name)
    asked: dict[str, Any] = {"objective": objective} | ({"foil": said} if against else {})
    if name in CLASSIFIERS and against:
        asked["target"] = made(name).labels[2]
    of = OBJECTIVES[objective]
    maps = {method: ask(name, method, **asked) for method in ("saliency", "input_x_gradient", "occlusion")}
    path = ask(name, "integrated_gradients", steps=2, **asked)
    found = [c for c in columns_of(name, *texts_of(name)) if "target" not in asked or c.target == 2]
    assert len(path.cols) == len(found)
    for j, column in enumerate(found):

        def value(z: torch.Tensor, t: int = column.target) -> torch.Tensor:
            return of(z, t) - of(z, foil) if against else of(z, t)

        x, b = plain_embeddings(name, column), plain_baseline(name, column, "unk")
        g = gradient(name, column, x, value)
        unk = made(name).tokenizer.unk_token_id
        whole = value(plain_logits(name, column))
        changed = [value(plain_logits(name, column.changed({row: unk}))) for row in range(len(x))]
        on_the_way = [gradient(name, column, b + s * (x - b), value) for s in (0.5 - 12**-0.5, 0.5 + 12**-0.5)]
        for a, expected in (
            (maps["saliency"], g.norm(dim=-1)),
            (maps["input_x_gradient"], (g * x).sum(-1)),
            (maps["occlusion"], whole - torch.stack(changed)),
            (path, ((x - b) * (on_the_way[0] + on_the_way[1]) / 2).sum(-1)),  # the rule of two nodes: 1/2 ± 1/√12
        ):
            assert_equal(name, a.scores[: len(x), j], expected)


@pytest.mark.parametrize("name", ["llama", "marian"])
@pytest.mark.parametrize("objective", ["probability", "entropy"])
def test_a_span_is_the_sum_of_its_objectives(name: str, objective: str) -> None:
    """And its gradient the gradient of the sum, so that its norm is no sum of norms."""
    parts = columns_of(name, *texts_of(name))[1:3]
    of, unk = OBJECTIVES[objective], made(name).tokenizer.unk_token_id
    x = plain_embeddings(name, parts[-1])
    total = torch.zeros_like(x)
    for part in parts:
        n = len(part.rows)
        total[:n] += gradient(name, part, x[:n], lambda z, t=part.target: of(z, t))
    drops = [
        sum(drop(name, part, {row: unk}, objective) for part in parts if row < len(part.rows)) for row in range(len(x))
    ]
    for method, expected, added in (
        ("saliency", total.norm(dim=-1), None),
        ("input_x_gradient", (total * x).sum(-1), total * x),
        ("occlusion", torch.tensor(drops), None),
    ):
        a = ask(name, method, objective=objective, span=(1, 3))
        assert a.scores.shape == (len(x), 1)
        assert_equal(name, a.scores[:, 0], expected, added)
        probabilities = [plain_logits(name, part).softmax(-1)[part.target].item() for part in parts]
        assert a.step_scores["probability"][0] == pytest.approx(np.prod(probabilities), rel=1e-5)


# ── the model itself ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", [n for n, f in FAMILIES.items() if n not in CLASSIFIERS and f.causal])
def test_what_is_written_is_the_most_probable_token_step_by_step(name: str) -> None:
    """From the decoder's first token and the language's on, where there is one."""
    text, _ = texts_of(name)
    a = sw.attribute(made(name), text, method="random", max_new_tokens=3, progress=False)
    (column,) = columns_of(name, text, "x")
    for j, col in enumerate(a.cols):
        p = plain_logits(name, column).softmax(-1)
        assert col.id == int(p.argmax())
        assert a.step_scores["probability"][j] == pytest.approx(float(p.max()), rel=1e-5)
        column = column._replace(ids=(*column.ids, col.id))
    assert [t.id for t in a.rows] == list(column.rows[:-1])


@pytest.mark.parametrize("name", [n for n in FAMILIES if n not in CLASSIFIERS])
def test_whether_a_later_token_changes_an_earlier_logit_is_found_out(name: str) -> None:
    assert make(name).shadow().is_causal == FAMILIES[name].causal


def test_which_families_need_not_read_the_same_beginning_again() -> None:
    """Those that keep the keys and values of the whole past, and do as the mask and the positions say.

    So none with a sliding window, a state or an encoder; Bloom counts positions by itself, GPT-Neo has its own windows.
    """
    keeping = set()
    for name in (n for n in FAMILIES if n not in SEQ2SEQ):
        model, ids = made(name).shadow(), columns_of(name, *texts_of(name))[0].ids
        inputs = Inputs((), ids)
        if read_once(model, inputs, model.embed(inputs), torch.tensor([2])).ends is not None:
            keeping.add(name)
    others = {"mistral_sliding", "gemma2", "gemma3", "mamba", "llama_both_ways", "bert_lm", "bloom", "gpt_neo"}
    assert keeping == set(FAMILIES) - set(SEQ2SEQ) - set(CLASSIFIERS) - others


@pytest.mark.parametrize("name", ["roberta", "m2m100", "marian", "gpt2_classifier_padded", "qwen3"])
def test_a_padding_token_inside_the_text_is_read_as_the_model_reads_it(name: str) -> None:
    """RoBERTa and M2M100 give it no place of its own, and GPT-2's classifier reads its answer before it."""
    model = made(name)
    pad, unk = model.tokenizer.pad_token_id, model.tokenizer.unk_token_id
    ids = [70, pad, 71, 72, pad]
    target = {} if name in CLASSIFIERS else {"target_ids": [73]}
    a = sw.attribute(model, input_ids=ids, method="occlusion", progress=False, **target)
    first = columns_of(name, "x", "x")[0]
    for j, col in enumerate(a.cols):
        source, read = (tuple(ids), first.ids) if name in SEQ2SEQ else ((), tuple(ids))
        column = Column(source, read, col.id)
        for row in (0, 2, 3):
            assert a.scores[row, j] == pytest.approx(drop(name, column, {row: unk}), rel=1e-5)


@pytest.mark.parametrize("name", ["llama", "gemma2", "mamba", "t5_gated", "m2m100"])
@pytest.mark.parametrize("method", ["saliency", "input_x_gradient", "integrated_gradients", "occlusion"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.1), (torch.float16, 0.02)])
def test_in_half_precision_scores_are_finite_and_near(
    name: str, method: str, dtype: torch.dtype, tolerance: float
) -> None:
    """bfloat16 has three digits, float16 four; of a difference of probabilities fewer are left."""
    text, target = texts_of(name)
    double = ask(name, method).scores
    half = sw.attribute(made(name, dtype), text, target=target, method=method, progress=False).scores
    assert np.isnan(half).tolist() == np.isnan(double).tolist()
    seen = ~np.isnan(double)
    assert np.linalg.norm((half - double)[seen]) < tolerance * np.linalg.norm(double[seen])


# ── which methods ────────────────────────────────────────────────────────────────────────────────────────────────


@EVERY
@pytest.mark.parametrize("method", METHODS)
def test_a_method_applies_or_says_why_not(name: str, method: str) -> None:
    """Before it begins, or (relevance) once it has looked through the first pass: never zeros, never a bare error."""
    reason = METHODS[method].lacks(made(name))
    refused = None
    few = {"steps": 2} if method == "integrated_gradients" else {}
    try:
        a = ask(name, method, **few)
    except UnsupportedMethod as error:
        refused = error
    if refused is None:
        assert reason is None
        assert list(columns(name, a))
    else:
        assert METHODS[method].card.family in ("attention", "relevance")
        assert name == "mamba"
        assert refused.cure
        assert reason is None or reason in refused.message


def test_which_families_lack_which_methods() -> None:
    """None, but that a state space model has no attention to show; on it gradients, occlusion and noise run, too."""
    able = {name: {m for m in METHODS if METHODS[m].lacks(made(name)) is None} for name in FAMILIES}
    for methods in able.values():
        assert {"saliency", "input_x_gradient", "integrated_gradients", "occlusion", "random"} <= methods
    assert {m for m in METHODS if METHODS[m].card.family in ("attention", "relevance")}.isdisjoint(able["mamba"])
    assert [name for name, methods in able.items() if methods != set(METHODS)] == ["mamba"]


@pytest.mark.parametrize("objective", ["probability", "log_probability", "logit"])
def test_classes_that_do_not_exclude_each_other_have_a_sigmoid_each(objective: str) -> None:
    """A model that was trained to name any number of classes: the sigmoid of the logit, not the softmax."""
    model = made("bert")
    model.model.config.problem_type = "multi_label_classification"
    try:
        a = sw.attribute(model, input_ids=[70, 71, 72], objective=objective, progress=False)
        x = model.model.get_input_embeddings()(torch.tensor([[70, 71, 72]])).detach().requires_grad_()
        logits = model.model(inputs_embeds=x).logits[0]
        of = {"probability": torch.sigmoid, "log_probability": torch.nn.functional.logsigmoid, "logit": lambda z: z}
        for j, logit in enumerate(logits):
            (gradient,) = torch.autograd.grad(of[objective](logit), x, retain_graph=True)
            np.testing.assert_allclose(a.scores[:, j], gradient[0].norm(dim=-1), rtol=1e-5)
        expected = torch.sigmoid(logits).detach().numpy()
        np.testing.assert_allclose(a.step_scores["probability"], expected, rtol=1e-6)
    finally:
        model.model.config.problem_type = None
