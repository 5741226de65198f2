"""A widget checks whether its maps are about the model at all when a page asks for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import saliency_widget as sw
from saliency_widget.evaluation.sanity import checks
from saliency_widget.evaluation.sanity.checks import sanity
from saliency_widget.evaluation.sanity.soundness import Sanity, label_of, value_of
from saliency_widget.protocol import PROTOCOL

from ..conftest import tiny
from .harness import TARGET, TEXT, before_each_pass

GOLDEN = json.loads((Path(__file__).parents[1] / "protocol/to_page/sanity.json").read_text())


def begun(harness: Any, model: Any, *methods: str) -> Any:
    """A harness whose map on show is there, and these beside it."""
    h = harness(model)
    h.start()
    h.settled()
    for method in methods:
        h.say("ask", method=method, objective="probability", aside=True)
    h.settled()
    return h


def lines(h: Any) -> dict[str, Any]:
    return {one["label"]: one for one in h.last("sanity")["maps"]}


def python(model: Any, targets: list[int], *methods: str) -> Sanity:
    maps = [sw.attribute(model, TEXT, target=TARGET, method=method, progress=False) for method in methods]
    return sanity(model, maps, shuffles=2, stages=3, targets=targets, progress=False)


def test_a_price_is_told_before_anything_is_computed(tiny_model: Any, harness: Any) -> None:
    """A line for each map with what it was made with; seconds of ten more maps; no pass of the model."""
    h = begun(harness, tiny_model, "occlusion")
    passes: list[int] = []
    with before_each_pass(tiny_model, lambda: passes.append(1)):
        passes.clear()
        h.say("sanity", cols=[2], ahead=True)
        h.wait_for(lambda: h.of("sanity"))
        h.settled()
    assert passes == []
    told = h.last("sanity")
    assert told["again"] == 2 * 3 + 4
    assert told["memory"] == sum(p.numel() * p.element_size() for p in tiny_model.model.parameters())
    assert told["setup"] > 0
    for one in told["maps"]:
        assert one["seconds"] > 0
        assert (one["said"], one["complete"], one["notices"], one["reason"]) == ([], False, None, None)
    spot = lines(h)["Gradient"]["figures"][0]
    assert spot["label"] == "spot check"
    assert float(spot["value"]) == pytest.approx(h.controller.attribution.diagnostics["spot_check"], rel=0.06)


def test_it_says_what_sanity_says(tiny_model: Any, harness: Any) -> None:
    """Of the pinned column alone: sentences and figures of Python's `sanity`; random does not notice the weights."""
    h = begun(harness, tiny_model, "input_x_gradient", "random")
    h.say("sanity", cols=[2])
    h.settled()
    found = python(tiny_model, [2], "saliency", "input_x_gradient", "random")
    shown = lines(h)
    assert list(shown) == list(found.methods)
    for name, line in shown.items():
        assert line["complete"]
        assert " ".join(line["said"]).casefold() == " ".join(found.said(name)).casefold()
        assert line["notices"] == found.notices(name) == (name != "Random")
        own = [each for each in found.checks if each.map == name]
        assert [(f["label"], f["value"]) for f in line["figures"]] == [(label_of(c), value_of(c)) for c in own]
    assert {each.found.n for each in found.checks if each.check == "weights"} == {1}
    assert h.last("status")["phase"] == "done"


def test_one_map_can_be_checked_by_itself_and_the_others_later(tiny_model: Any, harness: Any) -> None:
    h = begun(harness, tiny_model, "random")
    h.say("sanity", cols=[0], ahead=True)
    h.settled()
    ids = {label: line["map"] for label, line in lines(h).items()}
    h.say("sanity", cols=[0], maps=[ids["Random"]])
    h.settled()
    assert [lines(h)[name]["complete"] for name in ("Gradient", "Random")] == [False, True]
    before = lines(h)["Random"]
    h.say("sanity", cols=[0], maps=[ids["Gradient"]])
    h.settled()
    assert lines(h)["Gradient"]["complete"]
    assert lines(h)["Random"] == before
    # Another target has not been checked, and another page is told of both.
    h.say("sanity", cols=[1], ahead=True)
    h.settled()
    h.messages.clear()
    h.say("hello", protocol=PROTOCOL)
    h.settled()
    told = {m["key"]: [one["complete"] for one in m["maps"]] for m in h.of("sanity")}
    assert told == {"0-0": [True, True], "1-1": [False, False]}


def test_the_message_has_the_form_of_the_golden_one(tiny_model: Any, harness: Any) -> None:
    h = begun(harness, tiny_model)
    h.say("sanity", cols=[0])
    h.settled()
    told = json.loads(json.dumps(h.last("sanity")))
    assert told.keys() == GOLDEN.keys()
    assert told["maps"][0].keys() == GOLDEN["maps"][0].keys()
    assert told["maps"][0]["figures"][0].keys() == GOLDEN["maps"][0]["figures"][0].keys()


def test_what_is_short_comes_first_and_the_checks_go_on(tiny_model: Any, harness: Any) -> None:
    """A question of two passes is answered between two maps; in the end the numbers are those of one run."""
    h = begun(harness, tiny_model)
    asked: list[int] = []

    def act() -> None:
        now = h.last("status")
        if now["what"] == "Sanity" and now["done"] >= 2 and not asked:
            asked.append(1)
            h.say("try", rows=[1])

    with before_each_pass(tiny_model, act):
        h.say("sanity", cols=[0])
        h.settled()
    kinds = [m["type"] for m in h.messages if m["type"] in ("what_if", "sanity")]
    assert kinds.index("what_if") < len(kinds) - 1
    found = python(tiny_model, [0], "saliency")
    own = [(label_of(each), value_of(each)) for each in found.checks]
    assert [(f["label"], f["value"]) for f in lines(h)["Gradient"]["figures"]] == own


def test_a_cancel_keeps_what_was_found(tiny_model: Any, harness: Any) -> None:
    """After the first shuffle a cancel ends it: its verdict stays, and the map can be checked again."""
    h = begun(harness, tiny_model)

    def act() -> None:
        if h.of("sanity"):
            h.say("cancel")

    with before_each_pass(tiny_model, act):
        h.say("sanity", cols=[0])
        h.controller.wait(60)
        h.wait_for(lambda: h.last("status")["phase"] == "cancelled")
    line = lines(h)["Gradient"]
    assert not line["complete"]
    assert line["notices"] is True
    h.say("sanity", cols=[0])
    h.settled()
    assert lines(h)["Gradient"]["complete"]


def test_what_cannot_be_checked_says_why(tiny_model: Any, harness: Any) -> None:
    """No such target, no such map, and weights that are no numbers."""
    h = begun(harness, tiny_model)
    h.say("sanity", cols=[99], ahead=True)
    assert "no such target" in h.failed()["message"].lower()
    h.say("sanity", cols=[])
    assert "no such target" in h.failed()["message"].lower()
    h.say("sanity", cols=[0], maps=["nonsense"])
    assert "no map of this target" in h.failed()["message"].lower()


def test_weights_that_cannot_be_shuffled_are_named_before_anybody_asks(harness: Any) -> None:
    model = tiny("gpt2")
    packed = torch.nn.Parameter(torch.zeros(2, 2, dtype=torch.int8), requires_grad=False)
    model.model.transformer.h[0].attn.register_parameter("packed", packed)
    h = begun(harness, model)
    h.say("sanity", cols=[0], ahead=True)
    h.settled()
    assert "h.0.attn.packed are quantised" in lines(h)["Gradient"]["reason"]


def test_a_copy_that_does_not_fit_is_refused_before_anything_is_computed(
    tiny_model: Any, harness: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the size of the copy and what is free."""
    h = begun(harness, tiny_model)
    monkeypatch.setattr(checks, "free", lambda _device: 7)
    passes: list[int] = []
    with before_each_pass(tiny_model, lambda: passes.append(1)):
        passes.clear()
        h.say("sanity", cols=[0])
        said = h.failed()
    assert passes == []
    assert "needs 0.0 GB, and 0.0 GB are free" in said["message"]
    assert said["cure"] == "Free memory, or load the model in a smaller dtype."
