"""Operators beside plain calls of transformers: one text, one mask, ids and masks alone, nothing of ours."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.attribution import masking
from saliency_widget.attribution.operators import OPERATORS, draws
from saliency_widget.attribution.pipeline import check_question, problem_of
from saliency_widget.attribution.subsets import all_subsets, subsets
from saliency_widget.models.inside.removal import removal
from saliency_widget.models.text.prompting import check_prompt

from .. import families
from ..families import CLASSIFIERS, FAMILIES, MORE, SEQ2SEQ, Family, made
from ..sweep.building import Architecture, build, tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from saliency_widget.attribution.problem import Problem

    Keep = NDArray[np.bool_]

CANNOT_MASK = {
    "bloom": "counts positions without the masked tokens",
    "falcon_alibi": "counts positions without the masked tokens",
    "mamba": "has no attention",
    # their softmax is in float32, where the least number of float64 is -inf
    "gemma2": "nothing to attend to",
    "mpt": "nothing to attend to",
}
WINDOWED = {"mistral_sliding", "gemma2", "gemma3", "gpt_neo"}
MASKING = [name for name in (*FAMILIES, *MORE) if name not in CANNOT_MASK]
# The widest difference of two passes over one text, in other company. Rotary positions are computed in float32, whose
# last digit depends on what else is in the pass.
CLOSE = 1e-10
ROTARY = 2e-7


def tolerance(name: str) -> float:
    family = (FAMILIES | MORE)[name]
    if family.dtype == torch.float32:
        return 1e-4
    if family.computes == torch.float32 or name in ("codegen", "gptj", "mpt"):
        return 1e-5
    return CLOSE if family.network.startswith(("GPT2", "OPT", "CTRL", "Bert", "Mpt", "T5", "Distil")) else ROTARY


def problem(name: str, text: str = "a cab. Bad dad", target: str = " a b") -> Problem:
    """A problem of log-probabilities, with all its columns."""
    return problem_on(made(name), text, target, classes=name in CLASSIFIERS)


def problem_on(lent: Any, text: str, target: str, *, classes: bool = False) -> Problem:
    model = lent.shadow()
    encoded = model.encode(check_prompt(text, target=None if classes else target))
    document = model.document(encoded, encoded.target)
    question = check_question("occlusion", "log_probability", {})
    return problem_of(model, question.request(model, document), document, None)


def masks(of: Problem, n: int, seed: int = 0) -> Keep:
    """n masks, each of which takes away about half of what may go: the first none, the second all of it."""
    rows = masking.may_go(of)
    keep = np.ones((n, of.n_rows), dtype=bool)
    keep[:, rows] = np.random.default_rng(seed).random((n, len(rows))) < 0.5
    keep[0, rows], keep[1, rows] = True, False
    keep[~keep[:, : of.n_source].any(axis=1), : of.n_source] = True  # of a source something must be left
    return keep


@cache
def found(name: str, operator: str, n: int = 12) -> tuple[Problem, Keep, list[NDArray[np.float64]]]:
    """Objectives and margins [s, k] of each column alone, as the engine gives them."""
    of = problem(name)
    keep = masks(of, n)
    values = []
    for col in range(len(of.targets)):
        outcomes = [*masking.outcomes(masking.read(of, [col], None), keep, operator)]
        values.append(np.stack([torch.cat(part).numpy()[:, 0] for part in zip(*outcomes, strict=True)]))
    return of, keep, values


def plainly(name: str, of: Problem, col: int, kept: Sequence[int], **options: Any) -> torch.Tensor:
    """The logits of a column in a plain call with the ids of the kept rows."""
    model, ids, n = made(name).model, of.access.ids, of.n_source
    source = torch.tensor([[ids[row] for row in kept if row < n]], dtype=torch.long)
    text = torch.tensor([[ids[row] for row in kept if n <= row < of.targets[col].position]])
    if name in SEQ2SEQ:
        options = {"decoder_input_ids": text, "use_cache": False} | options
        text = source
    with torch.no_grad():
        logits = model(text, **options).logits[0].double()
    return logits if name in CLASSIFIERS else logits[-1]


def log_p(logits: torch.Tensor, target: int) -> tuple[float, float]:
    """Log-probability and margin of a target, by hand."""
    p = logits.log_softmax(-1)
    return float(p[target]), float(p[target] - torch.cat([p[:target], p[target + 1 :]]).max())


def check(name: str, values: Any, expected: list[tuple[float, float]]) -> None:
    np.testing.assert_allclose(values, np.array(expected).T, rtol=0, atol=tolerance(name))


@pytest.mark.parametrize("name", MASKING)
def test_mask_is_a_plain_call_with_an_attention_mask_whose_positions_stay(name: str) -> None:
    """Every family, on all its rows: what the engine reads of kept rows alone is what transformers gives.

    The text ends with its last kept row, which predicts.
    """
    of, keep, values = found(name, "mask")
    for col, target in enumerate(of.targets):
        expected = []
        for whole in keep[:, : target.position]:
            m = 1 + int(np.flatnonzero(whole)[-1])
            mask = whole[:m]
            seen = torch.from_numpy(mask)[None].long()
            options: dict[str, Any] = {"attention_mask": seen[:, : of.n_source] if name in SEQ2SEQ else seen}
            if name == "opt":  # it counts positions by the mask if it is not told
                options["position_ids"] = torch.arange(m)[None]
            expected.append(log_p(plainly(name, of, col, range(m), **options), target.ids[0]))
        check(name, values[col], expected)
        assert np.abs(np.diff(values[col][0])).max() > 1e-6


@pytest.mark.parametrize(
    "name",
    [n for n in MASKING if n not in (*WINDOWED, *CLASSIFIERS, *SEQ2SEQ, "xlnet", "bert_lm", "llama_both_ways")],
)
def test_where_no_window_is_in_force_mask_is_deletion_with_kept_positions(name: str) -> None:
    of, keep, values = found(name, "mask")
    for col, target in enumerate(of.targets):
        expected = []
        for mask in keep[:, : target.position]:
            kept = np.flatnonzero(mask)
            seen, places = torch.ones(1, len(kept), dtype=torch.long), torch.from_numpy(kept)[None]
            logits = plainly(name, of, col, kept.tolist(), attention_mask=seen, position_ids=places)
            expected.append(log_p(logits, target.ids[0]))
        check(name, values[col], expected)


@pytest.mark.parametrize("name", [*FAMILIES, *MORE])
def test_delete_is_a_plain_call_without_the_tokens(name: str) -> None:
    of, keep, values = found(name, "delete")
    for col, target in enumerate(of.targets):
        left = [np.flatnonzero(mask[: target.position]).tolist() for mask in keep]
        check(name, values[col], [log_p(plainly(name, of, col, kept), target.ids[0]) for kept in left])


@pytest.mark.parametrize("name", ["llama", "gpt2", "bert_lm", "marian", "bert", "gpt2_classifier"])
def test_resample_is_a_plain_call_with_other_tokens_of_the_text_that_a_seed_draws(name: str) -> None:
    of, keep, values = found(name, "resample")
    drawn = draws(of, 0)
    ids = of.access.ids
    first = min(target.position for target in of.targets)
    changed = [row for row in masking.may_go(of) if drawn[row] != row]
    assert changed
    for row in changed:
        assert ids[drawn[row]] != ids[row]
        assert drawn[row] < first
        assert (drawn[row] < of.n_source) == (row < of.n_source)
    assert (draws(of, 0) == drawn).all()
    assert (draws(of, 1) != drawn).any()
    for col, target in enumerate(of.targets):
        expected = []
        for mask in keep[:, : target.position]:
            put = np.where(mask, np.arange(len(mask)), drawn[: len(mask)])
            other = dataclasses.replace(of, access=_Ids(tuple(ids[row] for row in put)))  # type: ignore[arg-type]
            expected.append(log_p(plainly(name, other, col, range(len(put))), target.ids[0]))
        check(name, values[col], expected)


class _Ids:
    def __init__(self, ids: tuple[int, ...]) -> None:
        self.ids = ids


@pytest.mark.parametrize("operator", ["mask", "delete", "replace"])
@pytest.mark.parametrize("name", ["llama", "gpt2", "mistral_sliding", "bert_lm", "marian", "t5", "bert", "roberta"])
def test_what_was_taken_away_cannot_be_read(name: str, operator: str) -> None:
    """Whatever its embedding is, and whatever its id, every result is the same to the last digit.

    So also where the row that predicts is taken away: the last one that is left then predicts.
    """
    of = problem(name)
    rows = masking.may_go(of)
    gone = [rows[-1], rows[-3], *([] if of.n_source else [min(t.position for t in of.targets) - 1])]
    keep = np.ones((3, of.n_rows), dtype=bool)
    keep[0, gone[0]], keep[1, gone[:2]], keep[2, gone] = False, False, False
    col = [len(of.targets) - 1]
    before = torch.cat([one.objectives for one in masking.outcomes(masking.read(of, col, "zero"), keep, operator)])
    for index in range(3):
        x = of.embeddings.clone()
        x[0, ~keep[index]] = torch.randn(x[0, ~keep[index]].shape, dtype=x.dtype, generator=_seeded()) * 50
        other = dataclasses.replace(of, embeddings=x)
        text = masking.read(other, col, "zero")
        (after,) = (one.objectives for one in masking.outcomes(text, keep[index : index + 1], operator))
        np.testing.assert_allclose(after[0], before[index], rtol=0, atol=1e-12 if tolerance(name) == CLOSE else ROTARY)
        assert not torch.allclose(text.whole, masking.read(of, col, "zero").whole, atol=1e-6)  # the whole text reads it


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(5)


@pytest.mark.parametrize("name", ["llama", "opt", "marian"])
def test_texts_that_differ_in_masked_tokens_alone_have_one_result(name: str) -> None:
    one, other = problem(name, "a cab. Bad dad"), problem(name, "a dab. Bad cad")
    differ = [row for row, (a, b) in enumerate(zip(one.access.ids, other.access.ids, strict=True)) if a != b]
    assert len(differ) == 2
    keep = np.ones((1, one.n_rows), dtype=bool)
    keep[0, differ] = False
    both = [next(masking.objectives(masking.read(p, [0], None), keep, "mask")) for p in (one, other)]
    torch.testing.assert_close(*both, rtol=0, atol=1e-12)


def test_which_families_can_mask_and_why_the_others_cannot() -> None:
    for name in (*FAMILIES, *MORE):
        why = removal(made(name).shadow()).why_not
        assert (why is None) == (name not in CANNOT_MASK), (name, why)
        assert CANNOT_MASK.get(name, "") in (why or ""), name
        assert masking.operators_of(problem(name))[-3:] == ("delete", "replace", "resample")


@pytest.mark.parametrize(
    ("task", "kind", "why"),
    [
        ("causal", "blt", "is made of parts that attend each in its own way"),
        ("classify", "fnet", "has no attention between its tokens"),
        ("causal", "reformer", "does not run with an attention mask"),
        ("classify", "mobilebert", "a token reaches others past an attention mask"),
        ("causal", "zamba", "carries the text on from token to token"),
        ("classify", "zamba", "carries the text on from token to token"),
        ("classify", "longformer", None),
        ("classify", "mra", None),
    ],
)
def test_a_model_that_cannot_mask_says_what_is_true_of_it(task: Any, kind: str, why: str | None) -> None:
    """Parts with heads of their own; a Fourier transform; an error; embeddings of neighbours; states; and windows.

    Where no kernel is there, MRA's tokens reach each other not at all, so that deleting some shows nothing.
    """
    lent = sw.load_model((build(Architecture(task, kind), torch.float32), tokenizer()))
    found = removal(lent.shadow()).why_not
    assert found is None if why is None else why in (found or "")


@pytest.mark.parametrize("name", ["mistral_sliding", "gemma2", "mpt", "bert"])
def test_in_float32_windows_and_encoders_are_masked_within_its_noise(name: str) -> None:
    """Families that read all rows under a mask: in one pass what each text gives by itself."""
    of = problem_on(made(name, torch.float32), "a cab. Bad dad", " a b", classes=name in CLASSIFIERS)
    keep = masks(of, 10)
    text = masking.read(of, [0], None)
    values = torch.cat([*masking.objectives(text, keep, "mask")])[:, 0]
    np.testing.assert_allclose(values, masking.by_plain_passes(of, 0, None, keep, "mask"), atol=1e-4)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(
    "name", ["llama", "gpt2", "phi3", "gemma3", "bert_lm", "marian", "m2m100", "roberta", "llama_classifier"]
)
def test_however_many_are_read_in_one_pass_each_has_its_own_numbers(name: str, operator: str) -> None:
    """Also rows that predict go here, first rows and all of a text: masks of any kind."""
    of = problem(name)
    keep = np.random.default_rng(3).random((40, of.n_rows)) < 0.6
    keep[0] = False
    text = masking.read(of, range(len(of.targets)) if of.causal else [0], None)
    values = torch.cat([*masking.objectives(text, keep, operator)])
    total = values.double() @ text.atoms.total.T.double()
    for col in range(total.shape[1]):
        alone = masking.by_plain_passes(of, col, None, keep, operator)
        np.testing.assert_allclose(total[:, col], alone, rtol=0, atol=tolerance(name))


@pytest.mark.parametrize("operator", ["mask", "delete", "replace"])
@pytest.mark.parametrize(("name", "trees"), [("llama", True), ("gpt2", True), ("gemma3", False), ("bert", False)])
def test_all_subsets_of_some_units_are_each_what_its_mask_gives(name: str, operator: str, trees: bool) -> None:
    """Also where their common beginnings are read once: in a tree of a few hundred rows."""
    of = problem(name)
    rows = masking.may_go(of)
    units = [rows[:2], *([row] for row in rows[2:9])]
    text = masking.read(of, [0], None)
    found = all_subsets(text, units, operator)
    assert (of.access.tree(operator if operator != "replace" else "mask") is not None) == trees
    keep = subsets(units, len(text.embeddings))
    assert len(keep) == len(found.objectives) == len(found.margins) == 2 ** len(units)
    for number in (0, 1, 5, 100, 255):
        for bit, unit in enumerate(units):
            assert (keep[number, unit] == bool(number >> bit & 1)).all()
    some = np.arange(0, len(keep), 7)
    alone = masking.by_plain_passes(of, 0, None, keep[some], operator)
    np.testing.assert_allclose(found.objectives[some, 0], alone, rtol=0, atol=tolerance(name))


def test_a_window_that_is_shorter_than_the_text_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is longer than what the probe tries: kept rows would reach back farther than the masked text allows."""
    window = Family(network="MistralForCausalLM", config=families.LLAMA | {"sliding_window": 24})
    monkeypatch.setitem(FAMILIES, "window", window)
    lent = families.make("window")
    assert removal(lent.shadow()).short
    short = problem_on(lent, "a cab. Bad", " a b")
    assert len(short.embeddings[0]) < 16
    long = problem_on(lent, "a cab. Bad dad. " * 4, " a b")
    keep = masks(long, 6)
    text = masking.read(long, [0], None)
    values = torch.cat([*masking.objectives(text, keep, "mask")])[:, 0]
    expected = []
    for whole in keep[:, : long.targets[0].position]:
        mask = whole[: 1 + np.flatnonzero(whole)[-1]]  # the last row that is left predicts
        with torch.no_grad():
            ids = torch.tensor([long.access.ids[: len(mask)]])
            logits = lent.model(ids, attention_mask=torch.from_numpy(mask)[None].long()).logits[0, -1]
        expected.append(float(logits.log_softmax(-1)[long.targets[0].ids[0]]))
    np.testing.assert_allclose(values, expected, rtol=0, atol=ROTARY)
    assert not removal(lent.shadow()).short


def test_rows_that_may_go_are_what_a_user_gave_without_the_first() -> None:
    """Special tokens stay; the row that predicts may go, since then the last one that is left predicts."""
    of = problem("llama")
    first = of.targets[0].position
    assert masking.may_go(of) == [*range(1, first)]
    encoder = problem("marian")
    assert masking.may_go(encoder)[0] == 0
    assert max(masking.may_go(encoder)) == encoder.n_source - 1
    framed = problem("bert")
    assert masking.may_go(framed) == [*range(1, framed.n_rows - 1)]
