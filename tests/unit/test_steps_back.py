"""The steps back on the page: maps of their own, computed when they are asked for, beside the direct one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import saliency_widget as sw

from ..families import made
from .harness import before_each_pass

ASKED, TARGET = "a cab?", "<think>the dad had a cab</think> a bat"


@pytest.fixture
def shown(harness: Any) -> Any:
    h = harness(made("gpt2"), text=ASKED, target=TARGET)
    h.start()
    h.settled()
    return h


def test_a_step_back_is_a_map_of_its_own_with_the_columns_of_the_answer(shown: Any) -> None:
    """Both steps come at once, one on show and the other aside, with the numbers of `attribute`."""
    n = len(shown.of("map"))
    shown.say("ask", method="saliency", objective="probability", hop=1)
    back = shown.settled()
    own = sw.attribute(made("gpt2"), ASKED, target=TARGET, through="thinking", progress=False)
    np.testing.assert_array_equal(back.scores, own.hops[0].scores)
    assert (back.settings["through"], back.settings["hop"]) == ("thinking", 1)
    told = {message["hop"]: message for message in shown.of("map")[n:]}
    assert {hop: told[hop]["aside"] for hop in (1, 2)} == {1: False, 2: True}
    assert {told[hop]["due"] for hop in (1, 2)} == {len(own.cols)}
    assert [tuple(setting) for setting in told[1]["settings"]] == [("hop", "1")]
    begin = own.cols[0].position - shown.last("document")["first_target"]
    for hop in (1, 2):
        for j in range(len(own.cols)):
            np.testing.assert_array_equal(shown.columns[told[hop]["map"], begin + j], own.hops[hop - 1].scores[:, j])
    notes = shown.last("notes")
    assert notes["map"] == told[1]["map"]
    each = {col: note["text"] for note in notes["notes"] for col in note["cols"] or ()}
    assert each == {begin + j: f"Of this word: {share:.0%}." for j, share in enumerate(own.hops[0].share)}


def test_the_other_step_and_the_direct_map_are_there_without_a_pass(shown: Any) -> None:
    """Once they are computed; the direct map is the one that was on show first."""
    direct = shown.last("map")["map"]
    shown.say("ask", method="saliency", objective="probability", hop=1)
    shown.settled()
    passes = []
    with before_each_pass(made("gpt2"), lambda: passes.append(1)):
        shown.say("ask", method="saliency", objective="probability", hop=2)
        assert shown.settled().settings["hop"] == 2
        assert shown.last("map")["hop"] == 2
        shown.say("ask", method="saliency", objective="probability")
        assert "hop" not in shown.settled().settings
    assert passes == []
    assert (shown.last("map")["map"], shown.last("map")["hop"]) == (direct, 0)


def test_a_step_back_can_be_cancelled_and_goes_on(shown: Any) -> None:
    """A cancel in the middle leaves the direct map; asked again, the step is complete."""
    controller = shown.controller
    with before_each_pass(made("gpt2"), controller.cancel):
        shown.say("ask", method="saliency", objective="log_probability", hop=1)
        shown.wait_for(lambda: shown.last("status")["phase"] == "cancelled")
    shown.say("ask", method="saliency", objective="log_probability", hop=1)
    assert np.nansum(shown.settled().scores, axis=0) == pytest.approx(1, abs=1e-4)


def test_what_cannot_be_followed_is_told(harness: Any) -> None:
    """A text without thinking, and a method with signs; the map on show stays."""
    h = harness(made("gpt2"), text=ASKED, target=" a bat")
    h.start()
    before = h.settled()
    h.say("ask", method="saliency", objective="probability", hop=1)
    assert "no thinking" in h.failed()["message"]
    h.say("ask", method="occlusion", objective="probability", hop=1)
    assert "for and against" in h.failed()["message"]
    assert h.controller.attribution is before


def test_steps_back_are_not_judged(shown: Any) -> None:
    """Trust judges maps by what taking inputs away does to the target: that is a question to the direct map."""
    shown.say("ask", method="saliency", objective="probability", hop=1)
    col = shown.settled().cols[-1].position - shown.last("document")["first_target"]
    shown.say("evaluate", cols=[col])
    shown.settled()
    judged = [each["map"] for each in shown.last("evaluation")["maps"]]
    assert judged
    assert not [name for name in judged if name.endswith(("-1", "-2"))]


def test_another_text_begins_with_its_direct_map(shown: Any) -> None:
    """It may have no thinking."""
    shown.say("ask", method="saliency", objective="probability", hop=2)
    shown.settled()
    shown.say("branch", col=0, token=3)
    assert "hop" not in shown.settled().settings
