"""A text that is longer than its frame: read by larger units, with ways to where the weight lies."""

from __future__ import annotations

from typing import Any

import pytest

from .test_looks import TINY, seen_by_all
from .test_quickstart import live, python, run

pytestmark = [pytest.mark.browser, pytest.mark.demo]

# Of random weights: where the weight lies is looked at, not why.
TOLD = """
import numpy as np, json
def told(n, lines):
    said = [f"In chapter {k} the captain of ship {k} left Lisbon." for k in range(n)]
    return "\\n\\n".join(" ".join(said[at : at + lines]) for at in range(0, n, lines))
"""
SHOW = TOLD + 'w = sw.show((model, tokenizer), told(%d, %d), target=" The captain went home.")'
# As `show` makes it, but that any map takes too long.
IMPATIENT = (
    TOLD
    + """
from saliency_widget.attribution.pipeline import check_question
from saliency_widget.models.text.prompting import check_prompt
from saliency_widget.session.executor import Job
from saliency_widget.session.patience import Patience
from saliency_widget.widget import SaliencyWidget
prompt, question = check_prompt(told(60, 60), target=" The captain went home."), check_question("saliency", None, {})
w = SaliencyWidget(
    Job(model=(model, tokenizer), prompt=prompt, question=question, max_new_tokens=32, patience=Patience(seconds=0.0))
)
w.show()"""
)
SEEN = """box => {
  const frame = box.closest('.sw-text').getBoundingClientRect(), at = box.getBoundingClientRect();
  return at.top >= frame.top - 1 && at.bottom <= frame.bottom + 1;
}"""
# The first token that blinks, or -1: the boxes stand in the order of their tokens, one each.
BLINKING = "() => [...document.querySelectorAll('.sw-live .sw-token')].findIndex(b => b.getAnimations().length > 0)"


def long_text(nb: Any, sentences: int, lines: int) -> Any:
    nb.begin(TINY + SHOW % (sentences, lines))
    return run(nb)


def read_by(view: Any) -> str:
    return view.get_by_role("combobox", name="Read by").evaluate("e => e.value")


def test_beyond_400_tokens_sentences_are_read_and_their_names_lead_to_them(desk: Any) -> None:
    """A name in the legend scrolls there, by mouse and by key; the strip is as dark as the largest of each part."""
    nb = desk
    view = long_text(nb, 60, 60)
    n = python(nb, "len(w.attribution.rows)")
    assert 400 < n <= 2000
    assert read_by(view) == "sentence"
    top = view.locator(".sw-legend button.sw-input").first
    name = top.locator("bdi").inner_text()
    strip = view.locator(".sw-strip")
    strip.wait_for()
    assert strip.evaluate("e => getComputedStyle(e).backgroundImage").count("rgb") >= 80
    text = view.locator(".sw-text")
    text.evaluate("e => e.scrollTo(0, e.scrollHeight)")
    top.focus()
    nb.page.keyboard.press("Enter")
    first = nb.page.evaluate(
        "name => [...document.querySelectorAll('.sw-live .sw-token')].findIndex(b => b.getAnimations().length > 0)",
        name,
    )
    assert first >= 0, "it blinks"
    box = view.locator(".sw-token").nth(first)
    nb.page.wait_for_function(f"() => ({SEEN})(document.querySelectorAll('.sw-live .sw-token')[{first}])")
    assert name.startswith(box.inner_text().strip())
    seen_by_all(nb, view, "long-sentences")
    # A press on the strip leads to that part of the text.
    at = strip.bounding_box()
    nb.page.mouse.click(at["x"] + 3, at["y"] + 2)
    nb.page.wait_for_function("() => document.querySelector('.sw-live .sw-text').scrollTop < 200")
    # The reader's own choice holds.
    view.get_by_role("combobox", name="Read by").select_option("token")
    assert read_by(view) == "token"


def test_the_pinned_word_stays_in_sight_when_the_window_gets_narrower(desk: Any) -> None:
    nb = desk
    view = long_text(nb, 60, 60)
    pinned = view.locator(".sw-column").nth(2)
    pinned.click()
    nb.page.mouse.move(5, 5)
    nb.page.wait_for_function(f"() => ({SEEN})(document.querySelector('.sw-live .sw-pinned'))")
    for width in (700, 1400):
        nb.resize(width)
        nb.page.wait_for_function(f"() => ({SEEN})(document.querySelector('.sw-live .sw-pinned'))")


def test_beyond_2000_tokens_segments_are_read_and_the_matrix_opens_where_the_weight_lies(desk: Any) -> None:
    nb = desk
    view = long_text(nb, 180, 20)
    assert python(nb, "len(w.attribution.rows)") > 2000
    assert read_by(view) == "segment"
    view.get_by_role("combobox", name="Read by").select_option("sentence")
    view.get_by_role("button", name="Matrix").click()
    sheet = view.locator(".sw-matrix-scroll")
    sheet.wait_for()
    view.locator(".sw-legend button.sw-input").first.click()
    most = nb.page.evaluate(BLINKING)
    assert most >= 0
    sentence, sentences = python(nb, f"[w.attribution.rows[{most}].sentence, w.attribution.rows[-1].sentence + 1]")
    # The rows are as high as each other: the one that weighs most is among those in sight.
    seen = sheet.evaluate("e => [e.scrollTop / e.scrollHeight, (e.scrollTop + e.clientHeight) / e.scrollHeight]")
    assert seen[0] - 0.05 <= sentence / sentences <= seen[1] + 0.05
    nb.shot("long-matrix", view)


def test_what_takes_long_begins_with_the_whole_answer_and_the_rest_has_a_price(desk: Any) -> None:
    """A word that is hovered gets its own colours, and a click on the price computes all of them."""
    nb = desk
    nb.begin(TINY + IMPATIENT)
    nb.page.mouse.move(5, 5)  # over no word
    nb.run_all(1)  # `run` waits for all columns, and so asks for them
    view = live(nb)
    line = view.locator(".sw-target-line")
    view.locator(".sw-all").wait_for()
    view.locator(".sw-progress").wait_for(state="detached")
    assert "the whole answer" in line.inner_text()
    assert "all 5 tokens" in view.locator(".sw-all").inner_text()
    seen_by_all(nb, view, "whole-answer")
    there = "len(w.attribution.cols)"
    view.locator(".sw-column").nth(3).hover()
    nb.page.wait_for_function("() => !document.querySelector('.sw-live .sw-target-line').innerText.includes('whole')")
    nb.page.wait_for_function("() => !document.querySelector('.sw-live .sw-text').matches('.sw-pending')")
    assert python(nb, there) == 1
    view.locator(".sw-all").click()
    view.locator(".sw-all").wait_for(state="hidden")
    view.locator(".sw-progress").wait_for(state="detached")
    assert python(nb, there) == python(nb, "len(w.wait().cols)")
