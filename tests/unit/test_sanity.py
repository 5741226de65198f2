"""Sanity checks: maps that do not depend on the weights are found, and each figure is that of a second computation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

import saliency_widget as sw
from saliency_widget.attribution.methods import METHODS
from saliency_widget.attribution.problem import Progress
from saliency_widget.errors import InputError, UnsupportedMethod
from saliency_widget.evaluation.common_text import Given
from saliency_widget.evaluation.sanity.checks import Asked, checking, sanity
from saliency_widget.evaluation.sanity.respelling import SPELLINGS
from saliency_widget.evaluation.sanity.soundness import Sanity, alike
from saliency_widget.models.inside.shuffled import parts_of, shuffle, untie

from ..conftest import tiny
from ..families import CLASSIFIERS, made

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT, TARGET = "A cab. Bad bed and the dad had a cab", " the cab"
GRADIENTS = tuple(name for name, method in METHODS.items() if method.card.family in ("gradient", "relevance"))


def a_map(name: str, method: str, **asked: Any) -> sw.Attribution:
    target = None if name in CLASSIFIERS else TARGET
    return sw.attribute(made(name), TEXT, **{"target": target, "method": method, "progress": False} | asked)


@pytest.mark.parametrize("name", ["gpt2", "llama", "bert", "marian"])
def test_gradients_notice_shuffled_weights_and_noise_does_not(name: str, as_lent: Callable[[Any], None]) -> None:
    """Every method that looks at weights by gradients; and the user's model is as it was."""
    as_lent(made(name).model)
    maps = [a_map(name, method) for method in (*GRADIENTS, "random")]
    found = sanity(made(name), maps, shuffles=2, stages=2, progress=False)
    for method in GRADIENTS:
        assert found.notices(METHODS[method].card.label) is True
    assert found.notices("Random") is False
    assert [each.value for each in found.of("Random", "weights")] == pytest.approx([1.0, 1.0])
    (warning,) = found.warnings
    assert warning.startswith("Random stays as it is")


def test_the_last_figure_is_the_correlation_with_the_map_of_a_shuffled_copy() -> None:
    """Computed again by `attribute` on a copy, and by scipy."""
    model, a = made("gpt2"), a_map("gpt2", "input_x_gradient")
    found = sanity(model, a, shuffles=2, stages=1, seed=3, progress=False)
    (check,) = [each for each in found.of("Input × gradient", "weights") if each.of == "head"]
    values = []
    for draw in range(2):
        made_again = model.copied()
        untie(made_again.head, made_again.embeddings)
        (head, *_) = parts_of(made_again.model, made_again.head, made_again.embeddings)
        shuffle(head.weights, int(np.random.default_rng([3, draw, 0]).integers(1 << 31)))
        b = sw.attribute(made_again, TEXT, target=TARGET, method="input_x_gradient", progress=False)
        values += [correlation(x, y) for x, y in zip(a.scores.T, b.scores.T, strict=True)]
    assert check.value == pytest.approx(np.mean(values), abs=1e-6)
    assert check.found.n == len(a.cols)


def test_only_the_targets_that_are_named_are_looked_at() -> None:
    """By text or index, and several; the figure is that of the map of this column alone."""
    model, a = made("gpt2"), a_map("gpt2", "input_x_gradient")
    alone = {
        at: sanity(model, a, targets=[at], shuffles=1, stages=1, progress=False).of("Input × gradient", "weights")[0]
        for at in (0, 2)
    }
    both = sanity(model, a, targets=[(0, 2)], shuffles=1, stages=1, progress=False)
    (check,) = both.of("Input × gradient", "weights")
    assert check.value == pytest.approx(np.mean([one.value for one in alone.values()]), abs=1e-12)
    assert (check.found.n, alone[0].found.n) == (2, 1)
    named = sanity(model, a, targets=a.cols[2].text, shuffles=1, stages=1, progress=False)
    assert named.of("Input × gradient", "weights") == (alone[2],)


def test_what_was_found_so_far_comes_after_each_shuffle() -> None:
    """The progress ends at what was said, the last part is the whole, and each part before is valid."""
    model, maps = made("gpt2"), [a_map("gpt2", method) for method in ("saliency", "random")]
    given = [Given(name, one, one) for name, one in zip(("a", "b"), maps, strict=True)]
    parts = list(checking(model, given, Asked(shuffles=2, stages=9)))
    steps = [part for part in parts if isinstance(part, Progress)]
    so_far = [part for part in parts if isinstance(part, Sanity)]
    n_parts = len(parts_of(model.copied().model, None, ()))
    assert [step.done for step in steps] == list(range(1, 1 + 2 * (2 * n_parts + len(SPELLINGS))))
    assert steps[-1].done == steps[-1].total
    assert [part.complete for part in so_far] == [False, False, False, True]
    first, second, last = so_far[0], so_far[1], so_far[-1]
    assert first.notices("a") is True
    assert second.of("b", "weights") == last.of("b", "weights")
    assert first.of("b", "spelling") == ()


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    both = ~(np.isnan(x) | np.isnan(y))
    return float(spearmanr(x[both], y[both]).statistic)


# ── the rank correlation ─────────────────────────────────────────────────────────────────────────────────────────


def test_alike_is_spearmans_and_its_interval_that_of_shuffled_inputs() -> None:
    """With ties and hidden inputs. The variance of Spearman's ρ of shuffled ranks is 1 / (n - 1)."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(60, 3)).round(1), rng.normal(size=(60, 3)).round(1)
    a[40:, 0] = np.nan
    found = alike(a, b)
    assert found.value == pytest.approx(np.mean([correlation(x, y) for x, y in zip(a.T, b.T, strict=True)]))
    expected = 1.96 * np.mean([1 / np.sqrt(n - 1) for n in (40, 60, 60)])
    assert found.random_high == pytest.approx(expected, rel=0.1)
    assert found.random_low == pytest.approx(-expected, rel=0.1)
    assert found.random_mean == pytest.approx(0, abs=0.02)
    assert (alike(a, a).value, found.n) == (1.0, 3)


def test_columns_without_an_order_have_no_figure() -> None:
    flat, two = np.ones((5, 1)), np.array([[1.0], [2.0], [np.nan]])
    for a, b in ((flat, np.arange(5.0)[:, None]), (two, two)):
        found = alike(a, b)
        assert found.value is None
        assert found.reason == "No column has three inputs with scores that differ."


# ── shuffled weights ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["gpt2", "llama", "bert", "marian", "t5", "gemma2", "fsmt"])
def test_each_weight_is_in_one_part_and_keeps_its_numbers(name: str) -> None:
    """From the head over all layers to the embeddings; a tied head leaves the embedding alone."""
    lent = made(name)
    model = lent.copied()
    tables = [p for module in model.embeddings for p in module.parameters()]
    untie(model.head, model.embeddings)
    parts = parts_of(model.model, model.head, model.embeddings)
    every = [id(weight) for part in parts for weight in part.weights]
    assert len(every) == len(set(every))
    assert set(every) == {id(parameter) for parameter in model.model.parameters()}
    assert parts[-1].name == "embeddings"
    assert {id(table) for table in tables} <= {id(weight) for weight in parts[-1].weights}
    before = [[weight.clone() for weight in part.weights] for part in parts]
    lent_before = [parameter.clone() for parameter in lent.model.parameters()]
    for at, part in enumerate(parts):
        shuffle(part.weights, at)
        for old, new in zip(before[at], part.weights, strict=True):
            assert torch.equal(old.flatten().sort().values, new.flatten().sort().values)
            assert old.numel() < 4 or not torch.equal(old, new)
        for later, olds in zip(parts[at + 1 :], before[at + 1 :], strict=True):
            assert all(torch.equal(old, new) for old, new in zip(olds, later.weights, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(lent_before, lent.model.parameters(), strict=True))


def test_a_seed_gives_one_order_also_of_large_weights() -> None:
    """Weights of more numbers than are ordered at a time."""
    one, two, three = (torch.nn.Parameter(torch.arange(1.5e6).view(3, -1), requires_grad=False) for _ in range(3))
    for weight, seed in ((one, 1), (two, 1), (three, 2)):
        shuffle([weight], seed)
    assert torch.equal(one, two)
    assert not torch.equal(one, three)
    assert torch.equal(one.flatten().sort().values, torch.arange(1.5e6))
    assert (one == torch.arange(1.5e6).view(3, -1)).float().mean() < 1e-3


def test_weights_that_are_no_numbers_are_refused() -> None:
    model = tiny("gpt2")
    whole = torch.nn.Parameter(torch.zeros(2, 2, dtype=torch.int8), requires_grad=False)
    model.model.transformer.h[0].attn.register_parameter("packed", whole)
    with pytest.raises(UnsupportedMethod, match=r"h\.0\.attn\.packed are quantised"):
        parts_of(model.model, model.head, model.embeddings)


# ── spelling ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["gpt2", "bert", "marian"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_spelling_is_compared_word_by_word_with_the_map_of_the_text_so_spelled(name: str, spelling: str) -> None:
    """The figure is scipy's for the word maps that `attribute` gives of both spellings."""
    a = a_map(name, "input_x_gradient")
    found = sanity(made(name), a, shuffles=1, stages=1, progress=False)
    (check,) = [each for each in found.of("Input × gradient", "spelling") if each.of == spelling]
    target = None if name in CLASSIFIERS else TARGET
    other = SPELLINGS[spelling](TEXT)
    b = sw.attribute(made(name), other, target=target, method="input_x_gradient", progress=False)
    values = []
    for col in range(len(a.cols)):
        x, y = (by_word(each, len(text), col) for each, text in ((a, TEXT), (b, other)))
        values.append(spearmanr(x, y).statistic)
    assert check.value == pytest.approx(np.mean(values), abs=1e-6)


def by_word(a: sw.Attribution, n_characters: int, col: int) -> list[float]:
    """The scores of each word of the given text, in order."""
    words: dict[int, float] = {}
    said: dict[int, str] = {}
    given = [t for t in a.rows if t.role in ("prompt", "source") and t.span is not None and t.span[0] < n_characters]
    for token in given:
        words[token.word] = words.get(token.word, 0.0) + float(a.scores[token.position, col])
        said[token.word] = said.get(token.word, "") + token.text
    return [score for word, score in words.items() if said[word].strip()]


def test_a_spelling_that_cannot_be_made_says_why() -> None:
    model = made("gpt2")
    a = sw.attribute(model, "1 2 3 4", target=" the", method="saliency", progress=False)
    found = sanity(model, a, shuffles=1, stages=1, progress=False)
    reasons = {each.of: each.found.reason for each in found.of("Gradient", "spelling")}
    assert reasons["lower case"] == reasons["upper case"] == "This changes nothing in the text."
    assert reasons["two spaces"] is None
    ids = [model.tokenizer.convert_tokens_to_ids(piece) for piece in ("t", "h", "e", "Ġ", "a", "b")]
    b = sw.attribute(model, input_ids=ids, target=" the", method="saliency", progress=False)
    found = sanity(model, b, shuffles=1, stages=1, progress=False)
    assert {each.found.reason for each in found.of("Gradient", "spelling")} == {
        "The text's tokens are not those that its tokenizer makes of it, so it cannot be spelled otherwise."
    }


# ── what a map brings ────────────────────────────────────────────────────────────────────────────────────────────


def test_completeness_is_the_part_of_the_change_that_the_scores_miss() -> None:
    """Three steps are too few: the change is the objective with the text less that with its baseline."""
    a = a_map("gpt2", "integrated_gradients", steps=3)
    found = sanity(made("gpt2"), a, shuffles=1, stages=1, progress=False)
    (check,) = found.of("Integrated gradients", "completeness")
    whole = sw.attribute(
        made("gpt2"), TEXT, target=TARGET, method="integrated_gradients", steps=300, progress=False
    ).scores
    changes = np.nansum(whole, axis=0, dtype=np.float64)
    missed = np.abs(changes - np.nansum(a.scores, axis=0, dtype=np.float64)) / np.abs(changes)
    assert check.value == pytest.approx(missed.max(), rel=1e-3)
    (spot,) = found.of("Integrated gradients", "spot check")
    assert spot.value == a.diagnostics["spot_check"]
    share = float(found.said("Integrated gradients")[-2].removeprefix("Its scores miss ").split(" %")[0]) / 100
    assert share == pytest.approx(missed.max(), rel=0.05)  # two digits


def test_a_map_from_elsewhere_has_no_checks_and_says_so() -> None:
    a = a_map("gpt2", "saliency")
    mine = sw.Attribution.from_scores(a.scores, [t.text for t in a.rows], [t.text for t in a.cols], method="mine")
    found = sanity(made("gpt2"), [mine, a], shuffles=1, stages=1, progress=False)
    assert found.notices("mine") is None
    assert found.sentences[0].startswith("mine: whether it depends on the weights is not known. Nothing here computes")
    assert found.notices("Gradient") is True


def test_of_many_columns_eight_are_looked_at() -> None:
    a = sw.attribute(made("gpt2"), "a cab", target="abcdefghijkl", method="saliency", progress=False)
    assert len(a.cols) > 8
    found = sanity(made("gpt2"), a, shuffles=1, stages=1, progress=False)
    assert found.of("Gradient", "weights")[0].found.n == 8


def test_the_table_and_the_displays_hold_every_figure(tiny_models: dict[str, Any]) -> None:
    a = a_map("gpt2", "saliency")
    found = sanity(tiny_models["gpt2"], [a, a], shuffles=1, stages=2, progress=False)
    table = found.to_dataframe()
    names = ["map", "check", "of", "value", "random_mean", "random_low", "random_high", "n", "reason"]
    assert list(table.columns) == names
    assert len(table) == len(found.checks) == 2 * (1 + 2 + len(SPELLINGS))
    assert set(table["map"]) == {"Gradient 1", "Gradient 2"}
    for shown in (repr(found), found._repr_html_()):
        for spelling in SPELLINGS:
            assert spelling in shown
        assert found.sentences[0] in shown.replace("&#x27;", "'")


def test_a_name_is_text_in_the_display() -> None:
    found = Sanity(checks=(), methods={"<b>x</b>": "mine"}, model_name="<i>m</i>", shuffles=1, seconds=0.0)
    assert "<b>x</b>" not in found._repr_html_()
    assert "<i>m</i>" not in found._repr_html_()


# ── what cannot be checked ───────────────────────────────────────────────────────────────────────────────────────


def test_what_cannot_be_checked_says_why() -> None:
    model, a = made("gpt2"), a_map("gpt2", "saliency")
    with pytest.raises(InputError, match=r"There is no map to check\."):
        sanity(model, [], progress=False)
    with pytest.raises(InputError, match="units of several tokens"):
        sanity(model, a.aggregate("word"), progress=False)
    with pytest.raises(InputError, match="is a map of a model that writes"):
        sanity(made("bert"), a, progress=False)
    bad: tuple[dict[str, Any], ...] = ({"shuffles": 0}, {"stages": 0}, {"seed": -1}, {"shuffles": 1.5}, {"targets": []})
    for wrong in (*bad, {"targets": ["no"]}):
        with pytest.raises(InputError):
            sanity(model, a, progress=False, **wrong)
