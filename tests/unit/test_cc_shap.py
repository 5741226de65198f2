"""CC-SHAP against its definition: plain passes, Shapley's formula over orders, the authors' way to average, scipy."""

from __future__ import annotations

import re
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cosine

import saliency_widget as sw
from saliency_widget.attribution.pipeline import check_question, problem_of
from saliency_widget.errors import InputError, UnsupportedMethod
from saliency_widget.evaluation.say_versus_do.cc_shap import of_scores
from saliency_widget.evaluation.say_versus_do.result import Survey
from saliency_widget.evaluation.say_versus_do.self_consistency import consistency, contributions, log_odds, shares
from saliency_widget.explanation.alignment import words_of
from saliency_widget.explanation.local import asked
from saliency_widget.explanation.placing import place
from saliency_widget.models.text.prompting import check_prompt

from .. import families

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REVIEW = "a bad cab"
LONG = "a bad cab and the dad had a bad bed"


@pytest.fixture(scope="module")
def model() -> Iterator[Any]:
    with families.roomy() as found:
        yield found


@pytest.fixture(scope="module")
def result(model: Any) -> Any:
    kinds = ("scores", "prose")
    return sw.say_versus_do(model, REVIEW, methods=["saliency"], askings=1, cc_shap=kinds, progress=False)


# ── the definition ───────────────────────────────────────────────────────────────────────────────────────────────


def by_orders(model: Any, ids: Sequence[int], groups: Sequence[Sequence[int]], targets: Sequence[int]) -> np.ndarray:
    """Shapley values [n, k] of groups of tokens: their mean gain over all orders in which they may come.

    What is absent is masked for every token, in a plain pass for each set.
    """
    values: dict[frozenset[int], np.ndarray] = {}

    def value(present: frozenset[int]) -> np.ndarray:
        if present not in values:
            mask = torch.ones(1, len(ids), dtype=torch.long)
            for i, group in enumerate(groups):
                mask[0, list(group)] = int(i in present)
            places = torch.arange(len(ids))[None]
            with torch.no_grad():
                logits = model.model(torch.tensor([list(ids)]), attention_mask=mask, position_ids=places).logits[0]
            p = logits.double().softmax(-1)
            of_each = torch.stack([p[at - 1, ids[at]] for at in targets])
            values[present] = torch.logit(of_each).numpy()
        return values[present]

    orders = list(permutations(range(len(groups))))
    total = np.zeros((len(groups), len(targets)))
    for order in orders:
        for n, i in enumerate(order):
            total[i] += value(frozenset(order[: n + 1])) - value(frozenset(order[:n]))
    return total / len(orders)


def as_the_authors(values: np.ndarray) -> np.ndarray:
    """Their `aggregate_values_explanation` with nothing to marginalise, [inputs, outputs] → [inputs]."""
    ratios = values / np.abs(values).sum(axis=0) * 100
    return np.mean(ratios, axis=1)


def check(model: Any, found: Any, ids: Sequence[int], n_given: int, answer: int, own: Sequence[int]) -> None:
    encoded = model.encode(check_prompt(None, input_ids=list(ids[:n_given])))
    groups = place(REVIEW, words_of(REVIEW), model.document(encoded, ids[n_given:]).tokens[:n_given])
    values = by_orders(model, ids, groups, [answer, *own])
    one, two = as_the_authors(values[:, :1]), as_the_authors(values[:, 1:])
    np.testing.assert_allclose(found.answer.scores[:, 0], one / 100, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.explanation.scores[:, 0], two / 100, rtol=1e-4, atol=1e-6)
    assert found.value == pytest.approx(1 - cosine(one, two), abs=1e-4)
    assert (found.n_tokens, found.calls, found.is_exact, found.operator) == (len(own), 8, True, "mask")


def test_of_scores_the_numbers_depend_on_what_the_answer_depends_on(model: Any, result: Any) -> None:
    """The text is the prompt, the class and the list, of which the digits, points and signs of numbers count."""
    said = result.explanation
    given = list(model.encode(asked(model, [{"role": "user", "content": said.prompt}])).inputs.ids)
    written = list(model.tokenizer(said.text, add_special_tokens=False)["input_ids"])
    pieces = [model.tokenizer.decode([token]) for token in written]
    assert "".join(pieces) == said.text
    ends = np.cumsum([len(piece) for piece in pieces])
    inside = [at for found in re.finditer(r"-?\d\.\d", said.text) for at in range(*found.span())]
    own = [len(given) + int(np.searchsorted(ends, at, side="right")) for at in inside]
    check(model, result.cc_shap[0], [*given, *written], len(given), len(given), sorted(set(own)))
    assert result.cc_shap[0].kind == "scores"


def test_of_prose_the_reasons_do(model: Any, result: Any) -> None:
    """The most probable label is answered; asked why, it goes on after "Because", greedily, for a hundred tokens."""
    question = (
        f"Text: {REVIEW}\n\nClassify the text as Positive or Negative. Answer with one word: Positive or Negative."
    )
    head = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
    given = model.tokenizer(head.format(question), add_special_tokens=False)["input_ids"]
    labels = [model.tokenizer(name, add_special_tokens=False)["input_ids"] for name in ("Positive", "Negative")]
    likelihood = []
    for label in labels:
        with torch.no_grad():
            logits = model.model(torch.tensor([[*given, *label]])).logits[0]
        log_p = logits.log_softmax(-1)
        likelihood.append(sum(float(log_p[len(given) + i - 1, token]) for i, token in enumerate(label)))
    name = ("Positive", "Negative")[int(np.argmax(likelihood))]
    whole = head.format(question) + name + "<|im_end|>\n" + head.format("Why?") + "Because"
    ids = list(model.tokenizer(whole, add_special_tokens=False)["input_ids"])
    n = len(ids)
    end = model.tokenizer.eos_token_id
    while len(ids) < n + 100 and ids[-1] != end:
        with torch.no_grad():
            ids.append(int(model.model(torch.tensor([ids])).logits[0, -1].argmax()))
    special = set(model.tokenizer.all_special_ids)
    own = [at for at in range(n, len(ids)) if ids[at] not in special]
    found = result.cc_shap[1]
    assert found.kind == "prose"
    assert found.text.startswith("Because")
    check(model, found, ids, len(given), len(given), own)


def problem_in(model: Any, text: str, target: str) -> tuple[Any, Any]:
    """Return a text with its target, and the problem of its log-probability."""
    encoded = model.encode(check_prompt(text, target=target))
    document = model.document(encoded, encoded.target)
    question = check_question("shapley", "log_probability", {})
    inside = model.shadow()
    return document, problem_of(inside, question.request(inside, document), document, None)


def test_all_pairs_of_coalitions_give_what_all_coalitions_give(model: Any) -> None:
    """The estimate of many words and the sum over all subsets of few are two ways to one number."""
    document, problem = problem_in(model, "say: a bad cab. then", " the dad")
    units = place(REVIEW, words_of(REVIEW), document.rows)
    assert units is not None
    told: list[tuple[int, int]] = []
    exact = contributions(problem, units, lambda *at: told.append(at))
    every = contributions(problem, units, lambda *at: told.append(at), calls=8)
    assert (exact.is_exact, every.is_exact, every.calls) == (True, False, 8)
    np.testing.assert_allclose(every.values, exact.values, atol=1e-9)
    assert told[-1] == (8, 8)


def test_a_word_that_must_stay_is_refused(model: Any) -> None:
    """The first token of a text always stays."""
    _, problem = problem_in(model, "a bad cab", " the")
    with pytest.raises(InputError, match="begins with the review"):
        contributions(problem, [[0], [1]], lambda *_: None)


def test_many_words_are_estimated_from_eight_passes_each(model: Any) -> None:
    """Eight passes a word are enough, and the values add up to the change that all words make."""
    found = sw.say_versus_do(
        model, f"{LONG}, the cab", methods=["saliency"], askings=1, cc_shap="scores", progress=False
    )
    (one,) = found.cc_shap
    n = len(words_of(f"{LONG}, the cab"))
    assert n > 10
    assert (one.calls, one.is_exact) == (8 * n, False)
    assert np.abs(one.answer.scores).sum() == pytest.approx(1, abs=1e-6)


# ── its parts ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_shares_of_each_token_count_alike() -> None:
    values = np.array([[1.0, 30.0, 0.0], [-3.0, 10.0, 0.0]])
    np.testing.assert_allclose(shares(values), [(0.25 + 0.75) / 2, (-0.75 + 0.25) / 2])
    assert shares(np.zeros((2, 3))).tolist() == [0, 0]


def test_log_odds_are_finite_where_a_token_is_certain() -> None:
    np.testing.assert_allclose(log_odds(np.log([0.5, 0.9, 1e-30])), [0, np.log(9), np.log(1e-30)], atol=1e-12)
    assert 30 < log_odds(np.array([0.0]))[0] < 36


@pytest.mark.parametrize(("one", "two", "value"), [
    ([1.0, 2.0, 3.0], [2.0, 4.0, 6.0], 1.0),
    ([1.0, 2.0, 3.0], [-1.0, -2.0, -3.0], -1.0),
    ([1.0, 0.0, 2.0], [0.0, 1.0, 0.0], 0.0),
])  # fmt: skip
def test_cc_shap_is_a_cosine(one: list[float], two: list[float], value: float) -> None:
    found = consistency(np.array(one), np.array(two))
    assert found.value == pytest.approx(value)
    assert (found.measure, found.label) == ("cc_shap", "CC-SHAP")
    assert found.random_low is not None


def test_an_explanation_that_nothing_contributes_to_has_none() -> None:
    found = consistency(np.array([1.0, 2.0, 3.0]), np.zeros(3))
    assert found.value is None
    assert found.reason


# ── where it shows ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_result_says_it_in_every_form(result: Any) -> None:
    table = result.to_dataframe()
    lines = table[table["measure"] == "cc_shap"]
    assert list(lines["method"]) == ["scores", "prose"]
    assert list(lines["value"]) == [each.value for each in result.cc_shap]
    assert result.figure("prose", "cc_shap").value == result.cc_shap[1].value
    for shown in (repr(result), result._repr_html_()):
        assert "CC-SHAP of its numbers: " in shown
        assert "CC-SHAP of its reasons: " in shown
    assert any("CC-SHAP" in caveat for caveat in result.card.caveats)
    assert len(Survey((result, result)).to_dataframe().query("measure == 'cc_shap'")) == 2


def test_without_it_nothing_is_said_of_it(model: Any) -> None:
    found = sw.say_versus_do(model, REVIEW, methods=["saliency"], askings=1, progress=False)
    assert found.cc_shap == ()
    assert "CC-SHAP of" not in repr(found)
    assert not any("CC-SHAP tells" in caveat for caveat in found.card.caveats)


def test_agreement_compares_both_sides_and_any_other_map_of_the_words(result: Any) -> None:
    """Between the two sides its cosine is CC-SHAP."""
    table = sw.agreement([result.cc_shap[0], result.sides[0].map]).to_dataframe()
    names = "contributions to the answer", "contributions to the numbers"
    between = table[(table["a"] == names[0]) & (table["b"] == names[1]) & (table["measure"] == "cosine")]
    assert between["value"].item() == pytest.approx(result.cc_shap[0].value, abs=1e-6)
    assert set(table["a"]) | set(table["b"]) == {*names, "Gradient"}


# ── what has none ────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_has_no_cc_shap_says_why(model: Any) -> None:
    for wrong in ("words", 3, ("scores", "all")):
        with pytest.raises(InputError, match="cc_shap="):
            sw.say_versus_do(model, REVIEW, cc_shap=wrong, progress=False)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedMethod, match="A server does not tell how probable"):
        sw.say_versus_do(Server(), REVIEW, cc_shap="scores", progress=False)


class Server:
    """A server's model is told from others by these."""

    attribute_text = None


def test_numbers_that_stand_before_the_answer_are_refused(model: Any) -> None:
    said = sw.explain(model, REVIEW, kind="scores", guided=True, progress=False)
    with pytest.raises(InputError, match="does not stand before the numbers"):
        of_scores(model.shadow(), said, lambda *_: None)


def test_it_can_be_stopped_while_texts_are_read(model: Any, result: Any) -> None:
    class Stop(Exception):
        pass

    def tell(done: int, total: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        of_scores(model.shadow(), result.explanation, tell)
