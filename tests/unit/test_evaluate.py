"""`evaluate` from end to end: what it reads against plain passes, what it says, and what bad input gets."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import saliency_widget as sw
from saliency_widget.attribution.problem import Progress
from saliency_widget.errors import DamagedFile, InputError, NoSuchFile, TokenNotFound, UnknownName
from saliency_widget.evaluation.faithfulness.budget import (
    Budget,
    Size,
    check_budget,
    exact_plan,
    in_seconds,
    plan,
    subset_rows,
)
from saliency_widget.evaluation.faithfulness.curves import kept_steps
from saliency_widget.evaluation.faithfulness.evaluation import Evaluation
from saliency_widget.evaluation.faithfulness.findings import Band, Floor, Judgement
from saliency_widget.evaluation.faithfulness.judging import Setting, check_asked, judge_setting
from saliency_widget.evaluation.faithfulness.unit_scores import Aim
from saliency_widget.evaluation.rankings import antithetic
from saliency_widget.evaluation.sanity import sanity

from ..families import CLASSIFIERS, byte_tokenizer, columns_of, made, plain_logits
from .parrot import Parrot
from .test_bad_input import regression
from .test_engine import W, embeddings
from .test_masking import toy

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "one two three four five six"
SAID = (0.5, -0.25, 1.0, 0.0, 0.125, -0.75)
LONG = "the first man on the moon was not the last of them, but who was the last one who went to"


def evaluated(maps: Any, family: str = "gpt2", **given: Any) -> Evaluation:
    return sw.evaluate(made(family), maps, **{"operators": "delete", "progress": False} | given)


def a_map(family: str = "gpt2", text: str = TEXT, target: str | None = ".", **given: Any) -> sw.Attribution:
    return sw.attribute(made(family), text, target=target, progress=False, **given)


def asked(**given: Any) -> Any:
    return check_asked(
        **{"operators": "replace", "unit": "token", "random": 50, "targets": None, "budget": None} | given
    )


# ── values that are known exactly ────────────────────────────────────────────────────────────────────────────────


def toy_setting(scores: list[np.ndarray], *, targets: tuple[Aim, ...] = (Aim("last", (3,)),)) -> Setting:
    """The bag of words, whose logits are a weighted sum of the rows up to a place; the middle three rows may go."""
    return Setting(
        problem=toy("called"),
        targets=targets,
        rows=[(1,), (2,), (3,)],
        units=("b", "c", "d"),
        maps=tuple(f"map {at}" for at in range(len(scores))),
        methods=("mine",) * len(scores),
        signed=(True,) * len(scores),
        scores=[[column] * len(targets) for column in scores],
    )


def bag(kept: set[int]) -> float:
    """The logit of the last target of the bag of words when of rows 1, 2, 3 these are kept; the baseline elsewhere."""
    from .test_perturbation import BASELINE

    x = embeddings()[0].clone()
    x[[row for row in (1, 2, 3) if row not in kept]] = BASELINE[0, 0]
    return float(sum((i + 1) * x[i] for i in range(6)) @ W[:, 4])


def test_a_bag_of_words_has_the_values_that_its_formula_gives():
    """Whole, empty, and the curves of a map are the sums of the kept words' contributions, computed by hand."""
    scores = np.array([0.1, 0.3, 0.2])  # the order is c, d, b
    (found,) = judge_setting(toy_setting([scores]), asked())
    floor, judged = found.floors[0], found.judgements[0]
    assert (floor.whole, floor.empty) == pytest.approx((bag({1, 2, 3}), bag(set())))
    assert found.steps == (1, 2)
    assert judged.without == pytest.approx((bag({1, 3}), bag({1})))
    assert judged.only == pytest.approx((bag({2}), bag({2})))  # half of three units leaves one
    assert judged.reverse == pytest.approx((bag({2, 3}), bag({2})))
    effect = floor.whole - floor.empty
    losses = (floor.whole - bag({1, 3}), floor.whole - bag({1}))
    assert judged.figure("deletion").value == pytest.approx(sum(losses) / 2 / effect)


def test_the_true_contributions_of_a_bag_of_words_are_the_best_map():
    """The contribution of each word is known: no order of all six beats it, and its sums predict every value."""
    truth = np.array([bag({1, 2, 3}) - bag({1, 2, 3} - {row}) for row in (1, 2, 3)])
    *_, found = judge_setting(toy_setting([truth, -truth]), asked())
    best, worst = (found.judgement(name) for name in found.maps)
    assert found.exhaustive
    assert found.floors[0].random == 6
    assert best.figure("deletion").p == pytest.approx(1 / 6)
    assert worst.figure("deletion").p == pytest.approx(1)
    assert best.figure("lds").value == pytest.approx(1)
    assert worst.figure("lds").value == pytest.approx(-1)
    assert best.figure("area").value == pytest.approx(-worst.figure("area").value)


def test_objectives_of_a_target_of_several_tokens_are_added():
    """A target of two columns has the sum of their values."""
    scores = np.array([0.1, 0.3, 0.2])
    one = toy_setting([scores], targets=(Aim("a", (2,)), Aim("b", (3,)), Aim("both", (2, 3))))
    *_, found = judge_setting(one, asked())
    a, b, both = (found.floor(name, "replace") for name in ("a", "b", "both"))
    assert both.whole == pytest.approx(a.whole + b.whole)
    assert both.empty == pytest.approx(a.empty + b.empty)


# ── values against plain passes ──────────────────────────────────────────────────────────────────────────────────


def log_p(family: str, column: Any) -> float:
    return float(plain_logits(family, column).log_softmax(-1)[column.target])


@pytest.mark.parametrize("family", ["gpt2", "llama", "marian", "bert", "llama_classifier_padded"])
def test_curves_are_those_of_plain_passes(family: str):
    """Each point of a map's curves is the log-probability of a plain call of transformers without those words."""
    is_class = family in CLASSIFIERS
    target = None if is_class else "."
    column = columns_of(family, TEXT, target or "")[0]
    found = a_map(family, target=target, method="saliency")
    v = evaluated(found, family, targets=[0])
    assert v.exact
    words = found.aggregate("word")
    at = {row.text.strip(): range(row.position, row.position + row.length) for row in words.rows}
    scores = {row.text.strip(): words.scores[i, 0] for i, row in enumerate(words.rows)}
    order = sorted(v.units, key=lambda unit: -scores[unit])

    def plain(gone: list[str]) -> float:
        return log_p(family, column.changed({row: None for word in gone for row in at[word]}))

    floor, judged = v.floors[0], v.judgements[0]
    assert floor.whole == pytest.approx(plain([]), abs=1e-6)
    if family != "marian":  # no source at all is no text that it reads
        assert floor.empty == pytest.approx(plain(order), abs=1e-6)
    assert judged.without == pytest.approx([plain(order[:k]) for k in v.steps], abs=1e-6)
    n = len(order)
    assert judged.only == pytest.approx([plain(order[k:]) for k in kept_steps(n, v.steps)], abs=1e-6)
    assert judged.reverse == pytest.approx([plain(order[n - k :]) for k in v.steps], abs=1e-6)


def test_a_long_text_has_the_curves_of_plain_passes_too():
    """Above ten units masks are read one by one: curves, whole and empty are those of plain calls; R = 50 in pairs."""
    found = a_map(text=LONG, method="input_x_gradient")
    v = evaluated(found, budget=1000)
    assert not v.exact
    assert v.floors[0].random == 50
    column = columns_of("gpt2", LONG, ".")[0]
    words = found.aggregate("word")
    may_go = words.rows[1 : 1 + len(v.units)]
    assert tuple(row.text.strip() for row in may_go) == v.units
    scores = words.scores[1 : 1 + len(v.units), 0]
    order = np.argsort(-scores)

    def plain(gone: Any) -> float:
        rows = {row: None for at in gone for row in range(may_go[at].position, may_go[at].position + may_go[at].length)}
        return log_p("gpt2", column.changed(rows))

    judged, n = v.judgements[0], len(order)
    assert v.floors[0].empty == pytest.approx(plain(range(n)), abs=1e-6)
    assert judged.without == pytest.approx([plain(order[:k]) for k in v.steps], abs=1e-6)
    assert judged.only == pytest.approx([plain(order[k:]) for k in kept_steps(n, v.steps)], abs=1e-6)
    random = antithetic(n, 50, seed=0)
    losses = [[plain(ranking[:k]) for k in v.steps] for ranking in random]
    assert v.floors[0].without.middle == pytest.approx(np.median(losses, axis=0), abs=1e-6)
    assert v.floors[0].without.high == pytest.approx(np.percentile(losses, 97.5, axis=0), abs=1e-6)


def test_margins_tell_when_another_token_wins():
    """Units to flip is the first step at which a plain call prefers another token; it is asked of the likeliest one."""
    family = "llama"
    first = columns_of(family, TEXT, "x")[0]
    best = int(plain_logits(family, first).argmax())
    found = sw.attribute(made(family), TEXT, target_ids=[best], progress=False)
    v = evaluated(found, family)
    words = found.aggregate("word")
    at = {row.text.strip(): range(row.position, row.position + row.length) for row in words.rows}
    scores = {row.text.strip(): words.scores[i, 0] for i, row in enumerate(words.rows)}
    order = sorted(v.units, key=lambda unit: -scores[unit])
    sizes = [*v.steps, len(order)]

    def wins(gone: list[str]) -> bool:
        left = first.changed({row: None for word in gone for row in at[word]})
        return int(plain_logits(family, left).argmax()) == best

    expected = next((float(k) for k in sizes if not wins(order[:k])), float("inf"))
    assert v.judgements[0].figure("words_to_flip").value == expected
    assert v.judgements[0].figure("dfmit").value == float(not wins(order[:1]))


# ── maps of one text ─────────────────────────────────────────────────────────────────────────────────────────────


def test_maps_of_words_and_of_tokens_with_equal_sums_are_judged_alike():
    """An aggregated map, and the same numbers from elsewhere as bare words, give the figures of the map of tokens."""
    found = a_map(method="input_x_gradient")
    words = found.aggregate("word")
    foreign = sw.Attribution.from_scores(
        words.scores, [row.text for row in words.rows], ["."], method="mine", signed=True
    )
    v = evaluated([found, words, foreign])
    assert v.maps == ("Input × gradient 1", "Input × gradient 2", "mine")
    assert len({judged.without for judged in v.judgements}) == 1
    assert len({judged.figure("lds").value for judged in v.judgements}) == 1


def test_scores_from_elsewhere_alone_are_enough():
    """Text and target are read off the rows and columns, with spaces between bare words."""
    scores = np.arange(6.0)[:, None]
    one = evaluated(sw.Attribution.from_scores(scores, TEXT.split(), ["."], method="mine"))
    other = evaluated(
        sw.Attribution.from_scores(scores, ["one", " two", " three", " four", " five", " six"], ["."], method="mine")
    )
    assert one.judgements == other.judgements
    token = a_map()
    assert one.floors == evaluated(token).floors


def test_a_column_of_several_tokens_is_the_sum_of_their_log_probabilities():
    """A word of two tokens from elsewhere is explained by the sum over both, forced one after the other."""
    found = evaluated(sw.Attribution.from_scores(np.ones((6, 1)), TEXT.split(), [" xyz"], method="mine"))
    expected = sum(log_p("gpt2", column) for column in columns_of("gpt2", TEXT, " xyz"))
    assert found.floors[0].whole == pytest.approx(expected, abs=1e-6)


def test_targets_are_all_of_a_text_or_those_that_are_named():
    """None: the sum over all written tokens; else a column each, or several in a tuple together."""
    found = a_map(target=" xyz")
    together = evaluated(found)
    assert together.targets == ("xyz",)
    some = evaluated(found, targets=[0, (0, 1), "z"])
    values = [log_p("gpt2", column) for column in columns_of("gpt2", TEXT, " xyz")]
    assert together.floors[0].whole == pytest.approx(sum(values), abs=1e-6)
    assert [floor.whole for floor in some.floors] == pytest.approx(
        [values[0], values[0] + values[1], values[-1]], abs=1e-6
    )


def test_random_rankings_are_shared():
    """The floor of a target is the same whichever maps are judged, and in whatever order."""
    maps = [a_map(text=LONG, method=method) for method in ("saliency", "input_x_gradient", "random")]
    alone, together = evaluated(maps[2], budget=40), evaluated(maps, budget=40)
    for one, other in zip(alone.floors, together.floors, strict=True):  # batches differ, and with them the last digits
        assert one.without.middle == pytest.approx(other.without.middle, abs=1e-9)
        assert one.only.low == pytest.approx(other.only.low, abs=1e-9)


def test_an_llms_numbers_are_judged_like_a_map():
    """An LLM's numbers of words are laid on the tokens; a word it left out counts as 0, and that is said."""
    scores = np.array([0.5, np.nan, -0.25, 1.0, 0.0, 0.1])[:, None]
    said = sw.Attribution.from_scores(scores, TEXT.split(), ["the answer"], method="llm", signed=True)
    v = evaluated([a_map(), said])
    assert v.maps == ("Gradient", "The LLM’s own account") or v.maps[0] == "Gradient"
    assert len(v.judgements) == 2
    assert "1 of 5 words have no score and count as 0" in v.notes[v.maps[1]]


def test_an_explanation_is_judged_for_the_label_that_is_the_target():
    """An LLM's scores run from "negative" to "positive": for the class at the low end they count the other way."""
    numbers = ", ".join(f'("{word}", {score})' for word, score in zip(TEXT.split(), SAID, strict=True))
    family, found = "bert", {}
    for target, label in (("positive", 1), ("negative", -1)):
        said = sw.explain(Parrot(f"[{numbers}]\n{label}"), TEXT, kind="scores", progress=False)
        assert said.label == label
        signed = np.array(SAID)[:, None] * label
        plain = sw.Attribution.from_scores(signed, TEXT.split(), [target], method="mine", signed=True)
        a = a_map(family, target=None)
        names = ["negative", *("neither" for _ in a.cols[2:]), "positive"]
        named = replace(a, cols=tuple(replace(col, text=name) for col, name in zip(a.cols, names, strict=True)))
        v = evaluated([named, said, plain], family, targets=[target])
        theirs, mine = v.judgement(v.maps[1]), v.judgement("mine")
        assert theirs.without == mine.without
        assert not v.notes
        assert theirs.figure("lds").value == mine.figure("lds").value
        found[target] = theirs.without
    assert found["positive"] != found["negative"]


def test_classes_are_judged_each():
    """Of a classifier every class of the map is a target; a name chooses one."""
    found = a_map("bert", target=None)
    v = evaluated(found, "bert")
    assert v.targets == tuple(col.text for col in found.cols)
    assert evaluated(found, "bert", targets=[found.cols[1].text]).targets == (found.cols[1].text,)


def test_a_model_of_raw_scores_has_values_and_no_flips():
    """Regression: the value is the score itself, sentences say so, and there is nothing to flip to."""
    model = sw.load_model((regression(), byte_tokenizer()))
    found = sw.attribute(model, TEXT, progress=False)
    v = sw.evaluate(model, found, operators="delete", progress=False)
    ids = torch.tensor([[row.id for row in found.rows]])
    with torch.no_grad():
        value = float(model.model(ids).logits[0, 0])
    assert v.raw
    assert v.floors[0].whole == pytest.approx(value, abs=1e-6)
    assert "the value" in v.sentences[0]
    assert "no other" in (v.judgements[0].figure("words_to_flip").reason or "")


def test_a_pair_keeps_its_token_types():
    """The second text of a pair has types of its own, also where words of the first are gone."""
    model = made("bert")
    found = sw.attribute(model, ("one two three", "four five six"), progress=False)
    v = sw.evaluate(model, found, operators="delete", progress=False)
    read = model.tokenizer("one two three", "four five six", return_tensors="pt")
    with torch.no_grad():
        logits = model.model(**read).logits[0].double().log_softmax(-1)
    whole = [v.floor(col.text, "delete").whole for col in found.cols]
    assert whole == pytest.approx(logits.tolist(), abs=1e-6)


# ── what is computed, and told ───────────────────────────────────────────────────────────────────────────────────


def test_few_units_are_read_wholly_and_beside_every_order():
    """Up to eight units p is that of all n! orders, whatever `random` is; the result says so."""
    v = evaluated(a_map())
    assert (v.exact, v.exhaustive, v.floors[0].random) == (True, True, 120)
    assert "all 120 orders" in repr(v)


def test_subsets_share_their_beginnings():
    """The rows of every subset are the nodes of a tree: counted here as the set of all kept beginnings."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        n_rows = int(rng.integers(4, 9))
        cuts = sorted(rng.choice(np.arange(1, n_rows), size=3, replace=False).tolist())
        units = [list(range(a, b)) for a, b in zip(cuts, [*cuts[1:], n_rows], strict=True)]
        units = [unit for unit in units if rng.random() < 0.8]
        beginnings = set()
        for kept in range(2 ** len(units)):
            gone = {row for at, unit in enumerate(units) if not kept >> at & 1 for row in unit}
            rows = [row for row in range(n_rows) if row not in gone]
            beginnings |= {tuple(rows[:end]) for end in range(1, len(rows) + 1)}
        assert subset_rows(units, n_rows) == len(beginnings)


def test_few_units_of_many_rows_are_sampled():
    """Ten long sentences have as many subsets as ten words, but each costs a long text: they are drawn at random."""
    rows = [range(at, at + 30) for at in range(1, 301, 30)]
    size = Size(10, 3, 300, (False,), 1)
    assert exact_plan(size, rows, 50, shares=True) is None
    assert exact_plan(Size(10, 3, 10, (False,), 1), [[at] for at in range(1, 11)], 50, shares=True) is not None
    assert exact_plan(Size(11, 3, 11, (False,), 1), [[at] for at in range(1, 12)], 50, shares=True) is None


def test_a_budget_is_kept_and_what_was_given_up_is_said():
    """Of 21 words three occlusion runs allow few steps; the rows that were read do not exceed what was allowed."""
    v = evaluated(a_map(text=LONG), budget=6)
    assert v.runs <= 6
    assert v.given_up
    assert "To keep to 6 occlusion runs" in v.given_up[0]
    full = evaluated(a_map(text=LONG), budget=1000)
    assert not full.given_up
    assert full.steps != v.steps or full.floors[0].random != v.floors[0].random


def test_the_planned_rows_are_those_that_are_read():
    """The plan counts the rows of all passes: what is read differs from it by less than what masks have in common."""
    found = a_map(text=LONG, method="input_x_gradient")
    v = evaluated(found, budget=1000)
    moving = sum(row.length for row in found.aggregate("word").rows[1 : 1 + len(v.units)])
    n_rows = len(found.rows)
    size = Size(len(v.units), n_rows - moving, moving, (False,), 1)
    expected = plan(size, 50, float("inf"), "")
    assert expected.steps == v.steps
    assert v.rows == pytest.approx(expected.rows, rel=0.1)
    assert v.runs == pytest.approx(v.rows / size.run)


@given(
    st.integers(2, 400), st.integers(1, 50), st.integers(20, 60), st.floats(0.5, 30), st.integers(1, 12), st.booleans()
)
@settings(max_examples=200, deadline=None)
def test_a_plan_costs_what_is_allowed_or_says_that_it_does_not(
    n: int, base: int, random: int, runs: float, rankings: int, whole: bool
):
    """Whatever the text, the plan is within its budget or says "even that costs more"; what was left out is said."""
    size = Size(n, base, 2 * n, (whole, False), rankings)
    full = plan(size, random, float("inf"), "x")
    found = plan(size, random, runs * size.run, "x")
    said = " ".join(found.given_up)
    assert found.rows <= runs * size.run + 1e-6 or "even that costs more" in said
    assert bool(said) == (found != full)
    assert ("units are taken away" in said) == (found.steps != full.steps)
    assert ("halves are read" in said) == (found.half_masks != full.half_masks)
    assert ("first unit alone" in said) == (not found.singles)
    assert ("random orders" in said) == (found.random != full.random)
    assert set(found.steps) <= set(full.steps)
    assert full.steps[-1] in found.steps


def test_two_operators_and_five_maps_of_67_words_keep_to_three_occlusion_runs():
    """The default of a text of 67 words: 20 and 50 % of the units, within three runs of 67 passes."""
    size = Size(67, 4, 67, (False, False), 5)
    found = plan(size, 50, 3 * size.run, "3 occlusion runs")
    assert found.runs <= 3
    assert found.steps == (14, 34)
    assert found.random == 50


def test_budgets_are_runs_or_seconds():
    """A number is one of runs, "10 s" of seconds; by default three runs, and ten seconds below sixty units."""
    assert check_budget(3) == Budget(runs=3.0)
    assert check_budget("10 s") == check_budget("10 seconds") == Budget(seconds=10.0)
    assert in_seconds(check_budget(None), 59) == 10.0
    assert in_seconds(check_budget(None), 60) is None
    assert in_seconds(check_budget("7s"), 400) == 7.0
    for wrong in (0, -1, "three", "", "0 s", True, float("nan"), float("inf"), []):
        with pytest.raises(InputError, match="budget"):
            check_budget(wrong)


def test_what_was_found_so_far_comes_in_blocks():
    """Of a long text the first findings rest on ten random orders, the last on all; progress never runs back."""
    from saliency_widget.evaluation.common_text import Given
    from saliency_widget.evaluation.faithfulness.judging import judge

    found = a_map(text=LONG)
    model = made("gpt2").shadow()
    parts = list(judge(model, [Given("Gradient", found, found)], asked(operators="delete", budget=1000, unit="word")))
    looks = [part for part in parts if isinstance(part, Evaluation)]
    steps = [part for part in parts if isinstance(part, Progress)]
    assert [look.floors[0].random for look in looks] == [10, 20, 30, 40, 50]
    assert [look.complete for look in looks] == [False] * 4 + [True]
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert all(step.done < step.total for step in steps)
    assert looks[-1].floors == evaluated(found, budget=1000).floors


@pytest.mark.usefixtures("heard")
def test_an_interrupt_returns_what_was_found_so_far(monkeypatch: pytest.MonkeyPatch):
    """Ctrl-C after the first block gives an evaluation that says that it was interrupted; before it, the interrupt."""
    import _thread

    from saliency_widget.evaluation.faithfulness import evaluate as module

    real, interrupted = module.judge, threading.Event()

    def judge(*args: Any) -> Any:
        for part in real(*args):
            yield part
            if isinstance(part, Evaluation) and not interrupted.is_set():
                interrupted.set()
                for step in count():  # until `check` says that it was asked to stop
                    if step % 500 == 0:  # again, where Python lost the first one in a finaliser
                        _thread.interrupt_main()
                    time.sleep(0.01)
                    yield Progress(0, 1)

    monkeypatch.setattr(module, "judge", judge)
    v = evaluated(a_map(text=LONG), budget=1000)
    assert not v.complete
    assert v.floors[0].random == 10
    assert "interrupted" in v.given_up[-1]


# ── how it shows itself ──────────────────────────────────────────────────────────────────────────────────────────


def finding(**given: Any) -> Evaluation:
    """An evaluation of two maps whose numbers are chosen by hand."""
    from saliency_widget.evaluation.faithfulness.figures import Figure

    def band(value: float) -> Band:
        return Band((np.log(value),) * 2, (np.log(value) - 0.3,) * 2, (np.log(value) + 0.1,) * 2)

    def judged(name: str, operator: str, p: float, left: float) -> Judgement:
        figures = (Figure("deletion", 0.5, 0.4, 0.2, 0.6, p),)
        return Judgement(name, "cat", operator, (np.log(left),) * 2, (0.0, 0.0), (0.0, 0.0), figures)

    floors = tuple(
        Floor("cat", operator, np.log(0.92), np.log(0.05), band(0.8), band(0.3), 50) for operator in ("mask", "delete")
    )
    fields = {
        "maps": ("Gradient", "<b>mine</b>"), "methods": ("saliency", "mine"), "targets": ("cat",),
        "operators": ("mask", "delete"), "unit": "word", "units": tuple("abcdefgh"), "steps": (1, 3), "exact": False,
        "exhaustive": False, "floors": floors, "notes": {},
        "judgements": (
            judged("Gradient", "mask", 0.02, 0.11), judged("<b>mine</b>", "mask", 0.4, 0.95),
            judged("Gradient", "delete", 0.31, 0.92), judged("<b>mine</b>", "delete", 0.6, 0.7),
        ),
    }  # fmt: skip
    return Evaluation(**fields | given)


def test_sentences_say_what_falls_and_what_luck_does():
    """Without the map's top words and without as many random ones, as probabilities, at the first step from three."""
    first, rises, stays, _ = finding().sentences
    assert first == (
        "Without its 3 top words the probability falls from .92 to .11; without three random words to .80 [.59, .88]."
    )
    assert "rises from .92 to .95; without three random words it is .80" in rises
    assert "stays at .92; without three random words it is .80" in stays


def test_warnings_name_maps_at_chance_and_operators_that_disagree():
    """Better under one operator alone is a disagreement; better under none is chance, and marks the map."""
    v = finding()
    assert v.warnings == (
        (
            "The operators disagree on Gradient: better than chance under mask (p = .020), no better under delete "
            "(p = .31)."
        ),
        "<b>mine</b> is no better than chance under mask (p = .40) and delete (p = .60).",
    )
    assert (v.is_chance("Gradient"), v.is_chance("<b>mine</b>")) == (False, True)


def test_too_few_orders_are_no_verdict():
    """Three words have six orders: whatever a map does, it cannot be told from chance, and is not called chance."""
    v = evaluated(a_map(text="one two three four"), unit="word")
    assert v.floors[0].random < 20
    assert any("too few to tell" in said for said in v.warnings)
    assert not v.is_chance("Gradient")


def test_the_display_has_sentences_figures_and_no_markup_of_others():
    """Text and HTML have every sentence and warning; a name from elsewhere is text."""
    v = finding()
    html = v._repr_html_()
    assert "<b>mine</b>" not in html
    assert "&lt;b&gt;mine&lt;/b&gt;" in html
    for said in (*v.sentences, *v.warnings):
        assert said in repr(v)
    assert v.sentences[0] in html
    assert "deletion (AOPC)" in html


def test_the_data_frame_has_a_line_for_each_figure():
    """Map, target, operator, metric and numbers, as floats, also where there is no value."""
    v = evaluated([a_map(), a_map(method="input_x_gradient")], operators=("delete", "replace"))
    frame = v.to_dataframe()
    names = ["map", "target", "operator", "metric", "value", "random_mean", "random_low", "random_high", "p"]
    assert list(frame.columns[:9]) == names
    assert len(frame) == 2 * 2 * 9
    assert set(frame.dtypes[names[4:]].astype(str)) == {"float64"}
    line = frame[(frame["map"] == "Gradient") & (frame.operator == "replace") & (frame.metric == "deletion")]
    assert line.value.item() == pytest.approx(v.judgement("Gradient", operator="replace").figure("deletion").value)


def test_the_plot_has_the_curves_and_the_band():
    """A row of two panels for each operator; each line begins at the whole text, in probabilities."""
    v = evaluated([a_map(), a_map(method="input_x_gradient")], operators=("delete", "replace"))
    canvas = v.plot()
    panels = list(canvas.axes)
    assert len(panels) == 4
    lines = {line.get_label(): line for line in panels[0].get_lines()}
    assert set(lines) == {"Gradient", "Input × gradient", "random, median"}
    judged = v.judgement("Gradient")
    expected = np.exp([v.floors[0].whole, *judged.without])
    assert lines["Gradient"].get_ydata() == pytest.approx(expected)
    assert lines["Gradient"].get_xdata().tolist() == [0, *v.steps]


def test_what_is_saved_is_what_is_loaded(tmp_path: Path):
    """Every field comes back, infinite numbers and what has no value too."""
    v = evaluated([a_map(), a_map(method="input_x_gradient")], operators=("delete", "replace"))
    v.save(tmp_path / "v.json")
    again = Evaluation.load(tmp_path / "v.json")
    assert again == v
    assert repr(again) == repr(v)


def test_sanity_is_one_of_the_figures(tmp_path: Path):
    """Asked for, it stands in table, displays and file, as `sanity` finds it; and files without it are read."""
    maps = [a_map(), a_map(method="random")]
    v = evaluated(maps, sanity=True)
    found = sanity(made("gpt2"), maps, progress=False)
    assert v.sanity is not None
    assert v.sanity.checks == found.checks
    assert v.warnings[-1] == found.warnings[-1]
    assert v.warnings[-1].startswith("Random stays as it is")
    frame = v.to_dataframe()
    line = frame[(frame["map"] == "Random") & (frame.metric == "weights: all weights")]
    assert (line.value.item(), line.target.item(), line.operator.item()) == (pytest.approx(1.0), "", "")
    assert len(frame) == 2 * 9 + len(found.checks)
    assert set(frame.dtypes[["value", "random_mean", "random_low", "random_high", "p"]].astype(str)) == {"float64"}
    for shown in (repr(v), v._repr_html_()):
        assert found.sentences[1] in shown
    path = tmp_path / "v.json"
    v.save(path)
    assert Evaluation.load(path) == v
    whole = json.loads(path.read_text())
    inner = json.loads(whole["evaluation"])
    del inner["sanity"]
    text = json.dumps(inner)
    path.write_text(json.dumps(whole | {"evaluation": text, "format": 1, "sha256": sha256(text.encode()).hexdigest()}))
    assert Evaluation.load(path) == replace(v, sanity=None)


def test_damaged_files_are_refused(tmp_path: Path):
    """A file cut short, of another kind, changed, or from a newer version: an error that says so."""
    path = tmp_path / "v.json"
    finding().save(path)
    whole = path.read_bytes()
    with pytest.raises(NoSuchFile):
        Evaluation.load(tmp_path / "none.json")
    for content in (b"", whole[:-20], b"[]", b"{}", whole.replace(b"Gradient", b"gradient"), b"\xff" * 9):
        path.write_bytes(content)
        with pytest.raises(DamagedFile, match="saved evaluation"):
            Evaluation.load(path)
    newer = json.loads(whole)
    newer["format"] = 3
    path.write_text(json.dumps(newer))
    with pytest.raises(DamagedFile, match="newer version"):
        Evaluation.load(path)


# ── bad input ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_left_to_remove_is_an_error():
    """A text of one token has nothing to take away."""
    with pytest.raises(InputError, match="Nothing can be taken away"):
        evaluated(a_map(text="a"))


def test_a_single_unit_has_no_order():
    """With one token that may go, the figures of orders are undefined, and say so; nothing fails."""
    v = evaluated(a_map(text="ab"), unit="token")
    assert len(v.units) == 1
    assert v.judgements[0].figure("deletion").reason == "One unit has no order."
    assert "One unit has no order." in repr(v)
    assert "1 map beside the only order of 1 token" in repr(v)
    assert not v.is_chance("Gradient")


def test_ties_and_constant_maps_are_defined():
    """A constant map is as good as random orders, and its note says so; ties are averaged over several orders."""
    constant = sw.Attribution.from_scores(np.ones((6, 1)), TEXT.split(), ["."], method="flat")
    tied = sw.Attribution.from_scores(np.array([1.0, 2, 2, 1, 1, 1])[:, None], TEXT.split(), ["."], method="tied")
    for v in (evaluated([constant, tied]), evaluated([constant, tied], unit="token", budget=1000)):
        flat = v.judgement("flat").figure("deletion")
        assert flat.value is None or flat.value == pytest.approx(flat.random_mean)
        assert "equal" in v.notes["flat"]
        assert v.judgement("flat").top == v.judgement("tied").top == ()


def test_columns_of_nan_are_an_error():
    """A map that has no score for what may be taken away cannot be ranked."""
    scores = np.full((6, 1), np.nan)
    scores[0] = 1
    with pytest.raises(InputError, match="no score for any unit"):
        evaluated([a_map(), sw.Attribution.from_scores(scores, TEXT.split(), ["."], method="none")])


def test_words_without_a_score_are_words_of_the_text_all_the_same():
    """A map of its own scores, evaluated alone: NaN in the middle counts as 0; nothing but NaN has no order."""
    scores = np.array(SAID)[:, None].copy()
    whole = sw.Attribution.from_scores(np.nan_to_num(scores), TEXT.split(), ["."], method="mine")
    scores[2] = np.nan
    v = evaluated(sw.Attribution.from_scores(scores, TEXT.split(), ["."], method="mine"))
    assert v.units == evaluated(whole).units
    assert v.floors == evaluated(whole).floors
    assert v.notes["mine"] == "1 of 5 words have no score and count as 0."
    for last in (0, 1):
        scores[last:] = np.nan
        with pytest.raises(InputError, match="mine has no score for any unit that may be taken away"):
            evaluated(sw.Attribution.from_scores(scores, TEXT.split(), ["."], method="mine"))


def test_maps_of_different_targets_are_refused():
    """The same text, and at the same place another token: the map that has no column for the target is named."""
    with pytest.raises(InputError, match=r"Gradient 2 has no column for '\.'"):
        evaluated([a_map(), a_map(target="!")])
    with pytest.raises(InputError, match=r"Gradient 2 has no column for '!'"):
        evaluated([a_map(target="!"), a_map()])


def test_maps_of_different_texts_are_refused():
    """The error names the map, its row and what stands there in the text, and the cure."""
    other = a_map(text="one two three four nine six")
    with pytest.raises(InputError, match="Gradient 2 is a map of another text") as error:
        evaluated([a_map(), other])
    assert "by itself" in error.value.cure
    foreign = sw.Attribution.from_scores(np.ones((6, 1)), TEXT.replace("three", "tree").split(), ["."], method="mine")
    with pytest.raises(InputError, match="'tree'.*'th'"):
        evaluated([a_map(), foreign])


def test_a_map_of_another_kind_of_model_is_refused():
    """Classes belong to classifiers, and tokens that a model does not know to another model."""
    with pytest.raises(InputError, match="classifier"):
        evaluated(a_map("bert", target=None))
    with pytest.raises(InputError, match="writes"):
        evaluated(a_map(), "bert")
    words = sw.Attribution.from_scores(np.ones((3, 1)), ["a", " b", " c"], ["."], method="mine")
    assert evaluated(words, "llama").maps == ("mine",)


def test_arguments_are_checked_before_anything_is_computed():
    """Unknown operators, units, targets and numbers: errors with the known names."""
    found = a_map()
    with pytest.raises(UnknownName, match="operator"):
        evaluated(found, operators="erase")
    with pytest.raises(UnknownName, match="unit"):
        evaluated(found, unit="letter")
    with pytest.raises(InputError, match="random"):
        evaluated(found, random=5)
    with pytest.raises(TokenNotFound):
        evaluated(found, targets=["nowhere"])
    with pytest.raises(InputError, match="no operator"):
        evaluated(found, operators=())
    with pytest.raises(InputError, match="no map"):
        evaluated([])
    with pytest.raises(InputError, match="holds no map"):
        evaluated(["text"])


def test_evaluating_twice_gives_the_same(tiny_models: Any):
    """Rankings have fixed seeds: equal questions have equal answers, but for the seconds."""
    found = a_map(text=LONG)
    assert evaluated(found, budget=10).judgements == evaluated(found, budget=10).judgements


def test_figures_do_not_depend_on_how_much_memory_there_is():
    """A budget of one byte reads text by text, and finds the same."""
    found = a_map()
    one, other = evaluated(found, memory_budget=1), evaluated(found)
    assert one.judgements[0].without == pytest.approx(other.judgements[0].without, abs=1e-9)


def test_a_batch_of_targets_is_read_as_each_alone():
    """Figures of a target are the same whichever other targets with the same inputs are judged beside it."""
    family = "bert"
    found = a_map(family, target=None)
    together = evaluated(found, family)
    for at, name in enumerate(together.targets):
        alone = evaluated(found, family, targets=[at])
        assert alone.judgement(alone.maps[0]).without == pytest.approx(
            together.judgement(together.maps[0], name).without
        )
