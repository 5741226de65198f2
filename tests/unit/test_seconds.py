"""About how many seconds a map takes: what the menu says, from what was measured on this text and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from saliency_widget.attribution.cards import OURS

from ..families import made


@pytest.fixture
def shown(harness, as_lent):
    as_lent(made("llama").model)
    h = harness(made("llama"), text="a cab. Bad", target="dad")
    h.start()
    h.settled()
    return h


def told(menu: dict[str, Any]) -> dict[str, float | None]:
    return {card["id"]: card["seconds"] for card in menu["methods"]}


def test_before_anything_was_measured_the_menu_tells_no_seconds(shown) -> None:
    assert set(told(shown.of("menu")[0]).values()) == {None}


def test_the_seconds_of_a_map_are_those_of_a_measured_pass_times_its_passes(shown) -> None:
    """To one digit; a map that nobody can count the passes of has none."""
    whole = shown.controller.attribution
    n, k = whole.scores.shape
    passes = {"saliency": 10 + 3 * k, "integrated_gradients": 10 + 150 * k, "occlusion": 10 + n, "attention": 6}
    seconds = told(shown.last("menu"))
    for method, count in passes.items():
        expected = whole.seconds / passes["saliency"] * count
        assert seconds[method] == pytest.approx(expected, rel=0.5)  # one digit of a number from 1 to 9.99
        assert seconds[method] == float(f"{seconds[method]:.0e}")
    assert seconds["llm"] is None


def test_every_method_of_ours_says_what_its_colour_means_and_has_passes() -> None:
    for card in OURS.values():
        assert card.says.endswith(".")
        assert card.says.replace("{word}", "").replace("{target}", "").count("{") == 0
        assert card.work is not None
        assert card.work.passes(10, 2) > 0
