"""What a newcomer does in the first minute, and must not stumble over: light and dark, wide and narrow, by keyboard."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .test_compare import FINISHED, hover
from .test_looks import axe
from .test_quickstart import becomes, python, run

pytestmark = [pytest.mark.browser, pytest.mark.demo]


def seen_everywhere(nb: Any, view: Any, name: str, selector: str = ".sw-live") -> None:
    """Pictures wide and narrow, in both themes; nothing for axe to find, and nothing beyond the right edge."""
    nb.page.mouse.move(5, 5)
    for width in (1400, 700):
        nb.page.set_viewport_size({"width": width, "height": 1000})
        for theme in ("Dark", "Light"):
            nb.theme(f"JupyterLab {theme}")
            found = axe(nb, selector)
            assert found["violations"] == []
            assert "color-contrast" in found["passes"]
            nb.shot(f"minute-{name}-{width}-{theme.lower()}", view)
        assert view.evaluate("e => e.scrollWidth <= e.clientWidth")
    nb.page.set_viewport_size({"width": 1400, "height": 1000})


def spoken(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def colour(box: Any) -> str:
    return str(box.evaluate("e => getComputedStyle(e).backgroundColor"))


def test_what_was_replaced_is_compared_in_one_place(desk: Any) -> None:
    """Mother above father, with the difference of their shares as Python subtracts them; both p's are told.

    The p's are keys to the map of either side, and a difference of .05 has no full colour.
    """
    nb = desk
    nb.begin(f"{FINISHED}\nimport numpy as np")
    view = run(nb)
    text = view.locator(".sw-body .sw-text")
    mother, father = (text.locator(f"[data-position='{i}']") for i in (1, 2))
    boxes = [box.bounding_box() for box in (mother, father)]
    assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"] + 1, "one above the other"
    assert boxes[0]["x"] == pytest.approx(boxes[1]["x"], abs=1)
    shares = python(nb, "[float(x.normalized()[1, 0]) for x in (one, other)]")
    by = shares[0] - shares[1]
    for box in (mother, father):
        said = spoken(hover(box))
        assert said.startswith("mother / father")
        assert float(re.search(r"less \.\d+: (−?\.\d+)", said)[1].replace("−", "-")) == pytest.approx(by, abs=1.1e-3)
    assert colour(mother) == colour(father) != "rgba(0, 0, 0, 0)"
    assert python(nb, "w.attribution.scores[[1, 2], 0].tolist()") == pytest.approx([by, by], abs=1e-5)
    lists = view.locator(".sw-top-lists ol")
    second = [spoken(lists.nth(k).locator("li").nth(1).inner_text()) for k in range(3)]
    assert [re.sub(r" −?\.\d+$", "", item) for item in second] == ["mother", "father", "mother / father"]
    nb.page.mouse.move(5, 5)
    assert spoken(text.locator("..").locator("..").locator(".sw-scale").first.inner_text()) == "−.100 .100"
    seen_everywhere(nb, view, "compare")
    # One press to either side, by key: its map, its own word in colour, and its probability.
    line = view.get_by_role("group", name="Whose map to show")
    line.get_by_role("button", name="B: father").focus()
    nb.page.keyboard.press("Enter")
    assert becomes(nb, "bool(np.isnan(w.attribution.scores[1, 0]))", True), "father's map has no mother"
    view.get_by_text("share of the gradient norm", exact=True).wait_for()
    assert line.get_by_role("button", name="B: father").get_attribute("aria-pressed") == "true"
    assert line.get_by_role("button", name="B: father").evaluate("e => e === document.activeElement")
    nb.page.mouse.move(5, 5)
    assert [colour(box) == "rgba(0, 0, 0, 0)" for box in (mother, father)] == [True, False]
    nb.shot("minute-compare-side", view)


NOTED = """import saliency_widget as sw, json
one, other = (
    sw.attribute("demo", f"My {who} is a doctor.", target=" She works", method="integrated_gradients", progress=False)
    for who in ("mother", "father")
)
w = sw.compare(one, other, names=("mother", "father"))"""


def test_what_the_methods_say_of_their_maps_stands_below_the_difference_and_each_map(desk: Any) -> None:
    nb = desk
    nb.begin(NOTED)
    view = run(nb)
    notes = view.locator(".sw-notes > div")
    own = python(nb, "[max(map(abs, each.diagnostics['completeness_error'])) for each in (one, other)]")
    assert [
        float(re.search(r"at most ([\d.e−-]+)\.$", note)[1].replace("−", "-")) for note in notes.all_inner_texts()
    ] == (pytest.approx(own, rel=0.06))
    assert [note[:10] for note in notes.all_inner_texts()] == ["A: mother:", "B: father:"]
    view.locator(".sw-methods").get_by_role("button", name="A: mother").click()
    view.locator(".sw-notes", has_text=re.compile("^Each column adds up")).wait_for()
    assert notes.count() == 1
