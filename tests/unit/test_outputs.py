"""A regression, or raw scores of a classifier: outputs with numbers of their own, and nothing said in probabilities."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import saliency_widget as sw
from saliency_widget.attribution.objectives import OBJECTIVES
from saliency_widget.comparison.compare import exhibition_of
from saliency_widget.comparison.exhibit import Exhibit
from saliency_widget.export.figures import significant
from saliency_widget.models.classifier import ClassifierModel
from saliency_widget.protocol import PROTOCOL

from ..families import made, make
from .waiting import wait_for


def outputs(n: int) -> ClassifierModel:
    """A tiny BERT trained to give `n` numbers."""
    bert: Any = make("bert")
    bert.model.config.num_labels = n
    bert.model.config.problem_type = "regression"
    bert.model.classifier.weight = torch.nn.Parameter(bert.model.classifier.weight[:n].detach())
    bert.model.classifier.bias = torch.nn.Parameter(bert.model.classifier.bias[:n].detach())
    bert.model.config.id2label = {i: f"output {i}" for i in range(n)}
    return ClassifierModel(bert.model, bert.tokenizer, name="numbers")


@pytest.fixture
def opened(harness):
    def begin(model: Any, **asked: Any) -> Any:
        h = harness(model, text="a cab", **asked)
        h.start()
        h.settled()
        return h

    return begin


@pytest.mark.parametrize("n", [1, 3])
def test_the_page_hears_that_there_are_numbers_and_of_nothing_else_to_explain(opened, n: int) -> None:
    """They are those of a plain pass (float32 on the wire), and the only thing to explain is offered by its name."""
    model = outputs(n)
    h = opened(model, objective="logit")
    assert h.last("document")["raw"] is True
    assert h.last("menu")["objectives"] == [
        {"id": "logit", "label": "the number itself", "means": "as the model gives it"}
    ]
    steps = [step for message in h.of("steps") for step in message["steps"]]
    plain = model.model(torch.tensor([model.tokenizer("a cab")["input_ids"]])).logits[0].tolist()
    assert [step["value"] for step in steps] == pytest.approx(plain, rel=1e-6)
    assert [step["probability"] for step in steps] == [None] * n


@pytest.mark.parametrize("name", ["bert", "llama"])
def test_other_models_offer_every_objective(opened, name: str) -> None:
    h = opened(made(name))
    assert h.last("document")["raw"] is False
    assert [one["id"] for one in h.last("menu")["objectives"]] == list(OBJECTIVES)


@pytest.mark.parametrize(("n", "name"), [(1, "output"), (3, "outputs")])
def test_the_static_map_calls_them_outputs(n: int, name: str) -> None:
    """The static map calls them outputs and shows their numbers; a classifier's are called classes."""
    whole = sw.attribute(outputs(n), "a cab", objective="logit", progress=False)
    page = whole.to_html()
    assert f">{name}</div>" in page
    assert ">classes</div>" not in page
    assert "All outputs in numbers" in page
    assert all(significant(float(value)) in page for value in whole.step_scores["value"])
    classes = sw.attribute(made("bert"), "a cab", progress=False).to_html()
    assert ">classes</div>" in classes
    assert "All classes in numbers" in classes


def test_two_regressions_side_by_side_are_outputs_too() -> None:
    """The page of two finished maps is told so; of two classifiers with probabilities it is not."""

    def told_of(model: Any, **asked: Any) -> Any:
        heard: list[dict[str, Any]] = []
        a, b = (sw.attribute(model, text, progress=False, **asked) for text in ("a cab", "a bad cab"))
        exhibit = Exhibit(exhibition_of(a, b), lambda message, _: heard.append(message), lambda _: None)
        exhibit.start()
        exhibit.receive({"type": "hello", "protocol": PROTOCOL})
        wait_for(lambda: [m for m in heard if m["type"] == "document"], lambda: heard)
        exhibit.close()
        return next(m["raw"] for m in heard if m["type"] == "document")

    assert told_of(outputs(1), objective="logit") is True
    assert told_of(made("bert")) is False
