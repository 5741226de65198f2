"""Properties that hold of every method on every kind of model: one table, run through every property."""

from __future__ import annotations

from functools import cache
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import saliency_widget as sw
from saliency_widget.attribution import engine
from saliency_widget.attribution.methods import METHODS
from saliency_widget.attribution.pipeline import check_question, columns, write
from saliency_widget.attribution.problem import Chunk
from saliency_widget.models.text.prompting import check_prompt

from ..conftest import state_of
from ..families import CLASSIFIERS, FAMILIES, SEQ2SEQ, columns_of, made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from saliency_widget import Attribution

    Case = tuple[str, str, dict[str, Any]]  # family, method, settings

TEXT, TARGET = "A cab. Bad bed", "dad"  # two sentences; longer than the sliding windows

# Every method with every kind of setting that changes the way it goes.
_ASKED: list[tuple[str, dict[str, Any]]] = [
    ("saliency", {}),
    ("shapley", {"unit": "word"}),
    ("shapley", {"calls": 60, "operator": "delete"}),
    ("shapley", {"calls": 60, "operator": "replace", "estimand": "banzhaf"}),
    ("input_x_gradient", {}),
    ("input_x_gradient", {"reduction": "l2"}),
    ("integrated_gradients", {"steps": 3}),
    ("integrated_gradients", {"steps": 4, "baseline": "mean", "reduction": "l2"}),
    ("occlusion", {}),
    ("occlusion", {"operator": "delete"}),
    ("occlusion", {"unit": "word", "baseline": "zero"}),
    ("occlusion", {"unit": "sentence", "operator": "delete"}),
    ("occlusion", {"unit": "coarse_to_fine"}),
    ("attention", {}),
    ("attention", {"layer": 1, "head": 2}),
    ("attention_rollout", {}),
    ("value_zeroing", {}),
    ("value_zeroing", {"layer": 0}),
    ("gim", {}),
    ("attnlrp", {}),
    ("attnlrp", {"rule": "cp-lrp"}),
    ("random", {}),
    ("occlusion", {"operator": "mask"}),
    ("occlusion", {"operator": "resample", "seed": 3}),
]
_PLAIN = [("saliency", {}), ("occlusion", {})]
# In threes: the tests take each setting on one three of them, and on the others in their long form.
_ALL_OF_THEM = ("llama", "marian", "bert", "mistral_sliding", "m2m100", "gpt2_classifier", "gemma2", "mamba", "bert_lm")
_LOOKING_INSIDE = ("attention", "attention_rollout", "value_zeroing", "attnlrp", "gim")  # what Mamba has no answer to

CASES: list[Case] = [
    (name, method, asked)
    for name in FAMILIES
    for method, asked in (_ASKED if name in _ALL_OF_THEM else _PLAIN)
    if name != "mamba" or method not in _LOOKING_INSIDE
    if asked.get("operator") != "mask" or name not in ("mamba", "gemma2")  # which cannot, in float64
]


def _named(case: Case) -> str:
    return "-".join([*case[:2], *(f"{k}={v}" for k, v in case[2].items())])


def _is_short(case: Case) -> bool:
    asked = case[1:]
    return asked in _PLAIN or _ALL_OF_THEM.index(case[0]) // 3 == _ASKED.index(asked) % 3


def each(cases: Iterable[Case]) -> Any:
    """One test a case."""
    long = pytest.mark.long
    params = [pytest.param(case, id=_named(case), marks=() if _is_short(case) else long) for case in cases]
    return pytest.mark.parametrize("case", params)


EVERY = each(CASES)


def test_the_table_has_every_method_and_every_family() -> None:
    """In the short form too, in which a method about an objective meets every kind of model."""
    for cases in (CASES, list(filter(_is_short, CASES))):
        assert {method for _, method, _ in cases} == set(METHODS)
        assert {name for name, _, _ in cases} == set(FAMILIES)
        for asked in _ASKED:
            assert len([case for case in cases if case[1:] == asked]) >= 2
    for method in (method for method in METHODS if METHODS[method].card.uses_objective):
        names = {name for name, asked, _ in filter(_is_short, CASES) if asked == method}
        assert names & set(SEQ2SEQ)
        assert names & set(CLASSIFIERS)
        assert names - set(SEQ2SEQ) - set(CLASSIFIERS)


def ask(case: Case, dtype: torch.dtype | None = None, **more: Any) -> Attribution:
    name, method, asked = case
    if name not in CLASSIFIERS and "target_ids" not in more:
        more["target"] = TARGET
    return sw.attribute(made(name, dtype), TEXT, method=method, progress=False, **asked, **more)


@cache
def _whole(at: int) -> Attribution:
    return ask(CASES[at])


def whole(case: Case) -> Attribution:
    """The map as one asks for it, computed once."""
    return _whole(CASES.index(case))


def iterate(case: Case, schedule: engine.Schedule, check: Callable[[], None] | None = None) -> Any:
    """The chunks of one map, as the widget draws them."""
    name, method, asked = case
    model = made(name).shadow(check)
    prompt = check_prompt(TEXT, target=None if name in CLASSIFIERS else TARGET)
    document = write(model, prompt, 1, lambda *_: None)
    yield from columns(model, check_question(method, None, asked), document, schedule)


def matrix(case: Case, *schedules: engine.Schedule) -> np.ndarray:
    """The map, put together from one go or several."""
    out = np.full(whole(case).scores.shape, np.inf, dtype=np.float32)
    for schedule in schedules:
        for part in iterate(case, schedule):
            if isinstance(part, Chunk):
                out[: len(part.scores), part.cols] = part.scores
                out[len(part.scores) :, part.cols] = np.nan
    return out


def assert_same(case: Case, scores: np.ndarray) -> None:
    """Check that two maps are the same, as far as the family's numbers can tell."""
    expected = whole(case).scores
    tolerance = FAMILIES[case[0]].tolerance
    np.testing.assert_allclose(scores, expected, rtol=tolerance, atol=tolerance * np.nanmax(np.abs(expected)))


# ── the numbers ──────────────────────────────────────────────────────────────────────────────────────────────────


@EVERY
def test_the_size_of_chunks_changes_nothing(case: Case) -> None:
    """With hardly any memory: one target, one point of the path, one changed text, one layer's graph at a time."""
    assert_same(case, ask(case, memory_budget=1).scores)


@EVERY
def test_the_order_of_columns_changes_nothing_nor_which_others_are_asked_for(case: Case) -> None:
    """The last first; and each in a go of its own, as when a cancelled map is taken up again."""
    assert_same(case, matrix(case, engine.Schedule(range(3), prefer=2)))
    assert_same(case, matrix(case, *(engine.Schedule([col]) for col in (1, 2, 0))))


@EVERY
def test_a_row_is_nan_exactly_where_the_target_cannot_see_it(case: Case) -> None:
    name, scores = case[0], whole(case).scores
    for column, values in zip(columns_of(name, TEXT, TARGET), scores.T, strict=True):
        assert np.isnan(values).tolist() == [row >= len(column.rows) for row in range(len(values))]
    assert not np.isinf(scores).any()


@EVERY
def test_a_score_has_a_sign_only_where_the_method_says_so(case: Case) -> None:
    _, method, asked = case
    a = whole(case)
    assert a.signed == (METHODS[method].card.signed and asked.get("reduction") != "l2")
    assert a.signed or np.nanmin(a.scores) >= 0


@each(c for c in CASES if METHODS[c[1]].card.uses_objective)
def test_a_question_that_is_turned_round_turns_every_sign(case: Case) -> None:
    """Why this and not that has the scores of why that and not this, each with the other sign, or none has any.

    For the one objective is the other times -1, and every method is linear in it, or takes a norm. The scores are not
    all 0, so a map that had lost its signs could not be both.
    """
    name, _, _ = case
    tokenizer, (this, that) = made(name).tokenizer, ("d", "x")
    if name in CLASSIFIERS:
        asked = [{"target": a, "foil": b} for a, b in permutations(made(name).labels[:2])]
    else:
        ids = {text: tokenizer(text, add_special_tokens=False)["input_ids"] for text in (this, that)}
        asked = [{"target_ids": ids[a], "foil": b} for a, b in permutations((this, that))]
    one, other = (ask(case, **each) for each in asked)
    assert one.signed is other.signed
    assert np.nanmax(np.abs(one.scores)) > 0
    turned = -other.scores if one.signed else other.scores
    tolerance = FAMILIES[name].tolerance
    np.testing.assert_allclose(one.scores, turned, rtol=tolerance, atol=tolerance * np.nanmax(np.abs(turned)))


@each(c for c in CASES if c[0] != "fsmt")
def test_float32_agrees_with_float64(case: Case) -> None:
    """To 1e-3 of the column: occlusion is a difference of nearly equal probabilities."""
    double, single = whole(case).scores, ask(case, torch.float32).scores
    for expected, got in zip(double.T, single.T, strict=True):
        assert np.sqrt(np.nansum((got - expected) ** 2)) < 1e-3 * np.sqrt(np.nansum(expected**2))


# ── the model ────────────────────────────────────────────────────────────────────────────────────────────────────


class _Broken(Exception):
    pass


@EVERY
def test_the_model_is_never_touched(case: Case) -> None:
    """Whenever one looks: inside a pass, between two chunks; after a stop; after an error deep in the model."""
    model = made(case[0]).model
    before = state_of(model)
    asked = 0

    def look() -> None:
        nonlocal asked
        asked += 1
        if asked % 50 == 1:
            assert state_of(model) == before

    for _ in iterate(case, engine.Schedule(range(3)), look):
        assert state_of(model) == before
        assert torch.is_grad_enabled()
    assert asked

    calls = iter(range(asked * 2 // 3))

    def stop() -> None:
        if next(calls, None) is None:
            raise _Broken

    with pytest.raises(_Broken):
        list(iterate(case, engine.Schedule(range(3)), stop))
    assert state_of(model) == before
    assert torch.is_grad_enabled()


# ── any length ───────────────────────────────────────────────────────────────────────────────────────────────────

IDS = st.integers(0, 255)  # bytes: no special token


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(
        ["llama", "mistral_sliding", "mamba", "bert_lm", "marian", "t5_gated", "gpt2_classifier_padded"]
    ),
    method=st.sampled_from(["saliency", "input_x_gradient", "occlusion", "attention"]),
    dtype=st.sampled_from([torch.float64, torch.float32]),
    prompt=st.lists(IDS, min_size=1, max_size=12),
    written=st.lists(IDS, min_size=1, max_size=4),
)
def test_any_text_gets_a_whole_map_and_each_column_is_that_of_a_shorter_text(
    name: str, method: str, dtype: torch.dtype, prompt: list[int], written: list[int]
) -> None:
    """A token after a target has no say in its column. In float32 to its own noise."""
    if name == "mamba" and method == "attention":
        method = "random"
    model = made(name, dtype)
    target = {} if name in CLASSIFIERS else {"target_ids": written}
    a = sw.attribute(model, input_ids=prompt, method=method, progress=False, **target)
    begin = len(prompt) + (name in SEQ2SEQ)  # a decoder starts with a token of its own
    seen = [begin] * 3 if name in CLASSIFIERS else [begin + i for i in range(len(written))]
    assert a.scores.shape == (seen[-1], len(seen))
    assert np.isnan(a.scores).T.tolist() == [[row >= n for row in range(seen[-1])] for n in seen]
    if name not in CLASSIFIERS:
        b = sw.attribute(model, input_ids=prompt, method=method, target_ids=written[:1], progress=False)
        tolerance = 1e-6 if dtype == torch.float64 else 1e-3
        first = a.scores[:begin, 0]
        np.testing.assert_allclose(b.scores[:, 0], first, rtol=tolerance, atol=tolerance * np.abs(first).max())
