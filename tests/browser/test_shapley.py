"""A Shapley map is on the page after its first estimate, becomes better, and says how sure it is; cancel keeps it."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from .test_looks import looks
from .test_quickstart import ROOT, live, python, run, token

pytestmark = pytest.mark.browser

BEGIN = f"""
import sys, threading
sys.path.insert(0, {str(ROOT)!r})
from tests.families import make
import saliency_widget as sw, json
model = make("llama")
"""
SHOW = """w = sw.show(model, "a cab. Bad dads add", target=" bed", method="shapley"{})
w"""
# From the second estimate on, each pass waits to be let go.
HELD = """
layer, seen, go = model.model.model.layers[0], [0], threading.Event()
from saliency_widget.attribution import shapley
once = shapley.estimate
def estimate(*given):
    seen[0] += 1
    return once(*given)
shapley.estimate = estimate
def held(*_):
    if seen[0]:
        go.wait(60)
layer.register_forward_pre_hook(held)
"""


def test_the_tooltip_the_note_and_the_csv_say_how_sure_a_score_is(desk: Any) -> None:
    """The same standard errors as the kernel's; by words too, where they are those of the words."""
    nb = desk
    nb.begin(BEGIN + SHOW.format(""))
    view = run(nb)
    note = view.locator(".sw-notes > div").first
    assert re.fullmatch(
        r"Estimated from [\d,]+( to [\d,]+)? texts in which inputs were hidden: "
        r"95% intervals are at most ± \d+% of a column's largest score\.",
        note.inner_text(),
    )
    view.locator(".sw-column").first.click()
    token(view, 5).hover()
    tip = view.get_by_role("tooltip")
    tip.filter(has_text="±").wait_for()
    score, error = re.search(r"score (−?[\d.]+) ± ([\d.]+)", tip.inner_text()).groups()
    said = [float(score.replace("−", "-")), float(error)]
    row = python(nb, "[float(w.attribution.scores[5, 0]), float(w.attribution.errors[5, 0])]")
    np.testing.assert_allclose(said, row, rtol=5e-3)
    token(view, 0).hover()
    tip.filter(has_text="(exact)").wait_for()
    view.get_by_role("button", name="Export").click()
    with nb.page.expect_download() as coming:
        view.locator(".sw-ways").get_by_role("button", name="CSV", exact=True).click()
    mine = pd.read_csv(Path(coming.value.path()), na_filter=False)
    theirs = pd.read_csv(StringIO(nb.code("print(w.attribution.to_dataframe().to_csv(index=False))")), na_filter=False)
    assert list(mine.columns) == list(theirs.columns)
    np.testing.assert_allclose(mine["error"], theirs["error"], rtol=1e-6)
    view.get_by_role("button", name="Export").click()
    nb.page.mouse.move(5, 5)

    def tell() -> None:
        token(view, 5).hover()
        tip.filter(has_text="±").wait_for()

    for _ in looks(nb, view, "shapley", before=tell):
        assert tip.is_visible()


def test_banzhaf_values_of_words_are_asked_for_where_a_map_is_read_by_words(desk: Any) -> None:
    """A word has the mean of its tokens and a line that says so; asked for, it has its own value, as in Python."""
    nb = desk
    nb.begin(BEGIN + SHOW.format(', estimand="banzhaf", calls=100'))
    view = run(nb)
    view.locator(".sw-column").first.click()
    offer = view.locator(".sw-banzhaf")
    assert not offer.is_visible()
    view.get_by_label("Read by").select_option("word")
    offer.wait_for()
    assert "of a word this is the mean of its tokens" in offer.inner_text()
    assert "mean per token of each word" in view.locator(".sw-unit").inner_text()
    for _ in looks(nb, view, "banzhaf"):
        assert view.locator(".sw-header").evaluate("e => e.scrollWidth <= e.clientWidth")
    view.get_by_role("button", name="compute those of words").click()
    offer.wait_for(state="hidden")
    view.locator(".sw-progress").wait_for(state="detached")
    nb.code(
        'a = sw.attribute(model, "a cab. Bad dads add", target=" bed", method="shapley", estimand="banzhaf", '
        'unit="word", progress=False).aggregate("word")'
    )
    token(view, 2).hover()
    tip = view.get_by_role("tooltip")
    tip.filter(has_text="score").wait_for()
    said = float(re.search(r"score (−?[\d.e⁻−]+)", tip.inner_text())[1].replace("−", "-"))
    assert said == pytest.approx(
        python(nb, "float(a.scores[[t.text.strip() for t in a.rows].index('cab'), 0])"), rel=5e-3
    )


def test_the_map_is_there_after_the_first_estimate_and_cancel_keeps_it(desk: Any) -> None:
    """While the second estimate is under way, with its errors; and after Cancel, on the page and in the kernel."""
    nb = desk
    nb.begin(BEGIN + HELD + SHOW.format(""))
    nb.run_all(1)
    view = live(nb)
    view.locator(".sw-column").first.wait_for()
    view.get_by_role("button", name="Cancel").wait_for()
    token(view, 5).hover()
    tip = view.get_by_role("tooltip")
    tip.filter(has_text="±").wait_for()
    first = tip.inner_text()
    nb.shot("shapley-going-on")
    view.get_by_role("button", name="Cancel").click()
    nb.code("go.set()")
    view.get_by_role("button", name="Cancel").wait_for(state="detached")
    token(view, 4).hover()
    token(view, 5).hover()
    assert tip.inner_text() == first
    calls, n = python(nb, "[w.attribution.diagnostics['calls'], int((w.attribution.errors[:, 0] > 0).sum())]")
    assert set(calls) == {4 * n}
    nb.code("shapley.estimate = once")
