"""Unusual classifiers: a regression shows its number, and both texts of a pair have a name."""

from __future__ import annotations

from typing import Any

import pytest

from .test_looks import looks
from .test_quickstart import ROOT, live, python, run

pytestmark = pytest.mark.browser

HEAD = f"""
import sys, json
sys.path.insert(0, {str(ROOT)!r})
import saliency_widget as sw
from saliency_widget.export.figures import significant
"""
REGRESSION = (
    HEAD + "from tests.unit.test_outputs import outputs\nw = sw.show(outputs({n}), 'the cab and the dad'{more})"
)
PAIR = HEAD + (
    "from tests.unit.test_pairs import BERT, FIRST, SECOND, classifier, tokenizer_of\n"
    "w = sw.show((classifier(tokenizer_of(*BERT), 0), tokenizer_of(*BERT)), (FIRST, SECOND))"
)
BEYOND = """root => { const right = root.getBoundingClientRect().right + 1;
  return [...root.querySelectorAll('.sw-box *')].filter(e => e.getBoundingClientRect().width > 1
    && e.getBoundingClientRect().right > right).map(e => e.className); }"""


def look(nb: Any, view: Any, name: str) -> None:
    """Check light and dark, wide and narrow: axe finds nothing, and nothing is beyond the right edge."""
    nb.page.mouse.move(5, 5)
    for _ in looks(nb, view, name):
        assert view.evaluate(BEYOND) == []


def test_a_regression_shows_its_number_and_no_probability(desk: Any) -> None:
    nb = desk
    nb.begin(REGRESSION.format(n=1, more=', method="input_x_gradient"'))
    view = run(nb)
    number = python(nb, "significant(float(w.attribution.step_scores['value'][0]))")
    assert view.locator(".sw-classes .sw-label").text_content() == "output"
    assert view.locator(".sw-class [aria-hidden]").inner_text() == f"output 0 = {number}"
    assert view.locator(".sw-target-line").inner_text().split() == ["output", "0", "=", number]
    said = view.locator(".sw-body").inner_text()
    for word in ("p =", "probability", "classes", "CLASSES"):
        assert word not in said
    look(nb, view, "regression")


def test_a_regression_that_was_asked_for_a_probability_is_a_click_away_from_its_map(desk: Any) -> None:
    """The widget says that there is none; a method that is chosen on the page explains the number."""
    nb = desk
    nb.begin(REGRESSION.format(n=3, more=', objective="probability"'))
    nb.run_all(1)
    view = live(nb)
    view.get_by_text("there is no probability to explain").wait_for()
    view.get_by_role("button", name="Gradient", exact=True).click()
    view.get_by_text("share of the gradient norm").wait_for()
    assert python(nb, "[w.wait().objective, w.wait().method]") == ["logit", "saliency"]
    assert view.get_by_text("there is no probability to explain").count() == 0
    assert "beside" in view.locator(".sw-target-line").inner_text()
    view.locator(".sw-text .sw-token").nth(2).click()
    view.get_by_role("button", name="Strike out").wait_for()
    view.get_by_role("button", name="Back").click()


def test_a_pair_is_two_texts_with_a_name_each(desk: Any) -> None:
    nb = desk
    nb.begin(PAIR)
    view = run(nb)
    names = view.locator(".sw-text .sw-label").all_text_contents()
    assert [name.replace("leave out", "").strip() for name in names] == ["first text", "second text"]
    words = "".join(view.locator(".sw-text .sw-token").all_text_contents())
    assert words.replace(" ", "") == "[CLS]howmanypeoplelivehere[SEP]ninelivehere[SEP]"
    look(nb, view, "pair")
