"""The sweep over all architectures builds what it says, and its verdicts can be bad ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.errors import InputError

from ..sweep import building, judging, references, table
from ..sweep.building import Architecture, CannotBuild
from ..sweep.judging import Cell, Subject
from ..sweep.workers import Row

_GPT2 = Architecture("causal", "gpt2")
_METHODS = (
    "saliency",
    "input_x_gradient",
    "integrated_gradients",
    "occlusion",
    "attention",
    "attention_rollout",
    "value_zeroing",
)


@pytest.fixture(scope="module")
def gpt2() -> Subject:
    return judging.subject_of(_GPT2)


def _map(subject: Subject, method: str) -> sw.Attribution:
    columns = subject.columns
    settings = {"steps": references.STEPS} if method == "integrated_gradients" else {}
    return sw.attribute(
        (subject.model, subject.tokenizer),
        input_ids=list(columns[0].text),
        target_ids=[column.target for column in columns],
        method=method,
        progress=False,
        **settings,
    )


@pytest.mark.parametrize(
    "architecture",
    [Architecture("causal", "qwen3"), Architecture("seq2seq", "t5"), Architecture("classify", "roberta")],
)
def test_a_model_of_each_task_is_built_small_and_the_same_each_time(architecture: Architecture) -> None:
    """Two builds have equal weights, fewer than a hundred thousand of them, and answer a text of ids with numbers."""
    first, second = (building.build(architecture) for _ in range(2))
    assert sum(p.numel() for p in first.parameters()) < 100_000
    assert all(torch.equal(p, q) for p, q in zip(first.parameters(), second.parameters(), strict=True))
    subject = judging.subject_of(architecture)
    assert subject.answers
    assert not subject.is_random
    assert subject.dtype == "float64"


def test_every_architecture_of_the_three_mappings_is_in_the_sweep() -> None:
    """Each model type of transformers' three text mappings, once, and the variants beside it."""
    from transformers.models.auto import modeling_auto as auto

    found = building.architectures()
    assert len(set(found)) == len(found)
    named = {(a.task, a.model_type) for a in found if not a.variant}
    assert named == {
        *(("causal", name) for name in auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES),
        *(("seq2seq", name) for name in auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES),
        *(("classify", name) for name in auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES),
    }
    assert any(a.variant == "longrope" for a in found)


def test_what_needs_a_package_that_is_not_there_is_told_as_such() -> None:
    """LayoutLMv2 needs detectron2: the reason is given, and nothing breaks."""
    with pytest.raises(CannotBuild, match="detectron2"):
        building.build(Architecture("classify", "layoutlmv2"))


@pytest.mark.parametrize("method", _METHODS)
def test_a_right_map_is_called_right_and_one_off_by_a_hundredth_wrong(gpt2: Subject, method: str) -> None:
    """The scores as they come are right; with the largest of the last column a hundredth larger they are wrong."""
    found = _map(gpt2, method)
    assert judging.compare(gpt2, method, found).outcome == "right"
    planted = np.array(found.scores)
    planted[np.nanargmax(np.abs(planted[:, -1])), -1] *= 1.01
    cell = judging.compare(gpt2, method, replace(found, scores=planted))
    assert cell.outcome == "wrong"
    assert cell.error == pytest.approx(0.01, rel=0.2)  # less the little that the size of the parts adds to the largest


def test_a_map_with_another_probability_beside_it_is_wrong_whatever_the_method(gpt2: Subject) -> None:
    """Also of noise, which has no reference, the probability is held against a plain pass."""
    found = _map(gpt2, "random")
    assert judging.compare(gpt2, "random", found).outcome == "unchecked"
    off = replace(found, step_scores={"probability": found.step_scores["probability"] * np.float32(1.01)})
    assert judging.compare(gpt2, "random", off).outcome == "wrong"


def test_a_map_whose_columns_see_later_rows_is_wrong(gpt2: Subject) -> None:
    """A number where the target cannot see the row is wrong, however small it is."""
    found = _map(gpt2, "saliency")
    seeing = np.nan_to_num(found.scores, nan=0.0)
    assert judging.compare(gpt2, "saliency", replace(found, scores=seeing)).outcome == "wrong"


def test_a_model_that_answers_otherwise_afterwards_is_told(gpt2: Subject) -> None:
    """A map that is right, of a model that it left changed, is wrong."""
    found = _map(gpt2, "saliency")
    left = building.build(_GPT2)
    assert judging.compare(gpt2, "saliency", found, left).outcome == "right"
    next(left.parameters()).data[:, 0] += 1e-6
    assert "Afterwards" in judging.compare(gpt2, "saliency", found, left).detail


@pytest.mark.parametrize(
    ("raised", "outcome"),
    [(InputError("It cannot.", cure="Do not."), "refused"), (KeyError("hidden"), "crash")],
    ids=["a sentence of ours", "anything else"],
)
def test_an_error_is_a_refusal_only_if_it_is_of_the_package(
    gpt2: Subject, monkeypatch: pytest.MonkeyPatch, raised: Exception, outcome: str
) -> None:
    """A SaliencyError is a refusal with its sentence; any other error is a crash with its type."""

    def attribute(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(sw, "attribute", attribute)
    cell = judging.judge(gpt2, "saliency")
    assert cell.outcome == outcome
    assert ("It cannot. Do not." if outcome == "refused" else "KeyError") in cell.detail


def test_the_table_says_all_and_comes_back_from_its_json(tmp_path: Path) -> None:
    """Counts, letters and sentences stand in the page; the JSON gives the same rows back."""
    cells = {
        "saliency": Cell(method="saliency", outcome="right", error=1e-7),
        "attention": Cell(method="attention", outcome="refused", detail="GPT2LMHeadModel has none."),
        "occlusion": Cell(method="occlusion", outcome="wrong", error=0.5, detail="The scores are others."),
    }
    rows = [
        Row(architecture=_GPT2, network="GPT2LMHeadModel", dtype="float64", n_parameters=7, cells=cells),
        Row(architecture=Architecture("classify", "layoutlmv2"), cannot="It needs a package."),
    ]
    versions = {"transformers": "5"}
    page = table.markdown(rows, list(cells), versions)
    assert "1 models of 2, 3 cells: 1 right, 0 unchecked, 1 refused, 0 random, 0 slow, 1 wrong, 0 crash." in page
    assert "| gpt2 | float64 | R | – | W |" in page
    assert "‹model› has none." in page
    assert "occlusion (0.5): gpt2 [causal]" in page
    assert "- layoutlmv2 [classify]: It needs a package." in page
    kept = tmp_path / "sweep.json"
    kept.write_text(table.as_json(rows, list(cells), versions), encoding="utf-8")
    assert table.read(kept) == rows
