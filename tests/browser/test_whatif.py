"""The what-if: a replaced target, a struck input, an edited text; and contrasts with a foil."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .test_quickstart import becomes, python, read_shares, run, token

pytestmark = [pytest.mark.browser, pytest.mark.demo]

TEXT = "The first president of the United States was"
SHOW = f'import saliency_widget as sw, json, numpy as np\nw = sw.show("./by_heart", {TEXT!r}, max_new_tokens=8)'
# Independent of everything in the package but the weights: plain transformers, given ids.
PLAIN = """
import torch
model = sw.load_model("./by_heart")
def p_of(ids, target):
    "How probable `target` is after `ids`."
    return masked_p(ids, target, [])
def masked_p(ids, target, gone):
    "The same where no token can attend to those at the positions `gone`."
    seen = torch.tensor([[int(at not in gone) for at in range(len(ids))]])
    with torch.no_grad():
        logits = model.model(torch.tensor([ids]), attention_mask=seen).logits[0, -1]
    return float(logits.float().softmax(-1)[target])
ids = [t.id for t in w.attribution.rows] + [w.attribution.cols[-1].id]
"""


@pytest.fixture
def shown(desk: Any) -> tuple[Any, Any]:
    desk.begin(SHOW)
    return desk, run(desk)


@pytest.fixture
def real(desk: Any) -> tuple[Any, Any]:
    """Return what `shown` does, of the demo model, which has other words in mind than the one it writes."""
    desk.begin(SHOW.replace("./by_heart", "demo"))
    return desk, run(desk)


def choose(view: Any, chip: str, item: str) -> None:
    """Click an alternative, and then one of its actions."""
    view.locator(".sw-alternative", has_text=chip).click()
    view.get_by_role("menuitem", name=item).click()


def effect_on(view: Any, target: str) -> str:
    """Return what a change did to a target: the headline, where it changed most, or the line of the target on show."""
    view.locator(".sw-effect").wait_for()
    lines = view.locator(".sw-effect, .sw-effect-shown").all_inner_texts()
    (said,) = [line for line in lines if re.search(rf"{target}\s+p ", line)]
    return str(said)


def about(text: str) -> float:
    """Return a number as the page writes it."""
    return float(text.replace("−", "-").replace("+", ""))


def test_why_this_word_and_not_that(real: Any) -> None:
    """A clicked alternative gives the map of the contrast, with the scores of `attribute(foil=)`; × goes back."""
    nb, view = real
    view.locator(".sw-column").first.click()
    nb.page.mouse.move(5, 5)
    whole = read_shares(view, 8)
    choose(view, "Abraham", "Why")
    view.locator(".sw-contrast").wait_for()
    assert view.locator(".sw-contrast > span").inner_text() == "Why “John” and not “Abraham”"
    nb.page.mouse.move(5, 5)
    nb.code(
        f"a = w.wait()\nb = sw.attribute('demo', {TEXT!r}, target=' John F. Kennedy. He was a', foil=' Abraham', "
        "progress=False)"
    )
    assert python(nb, "[a.scores.shape[1], a.foil]") == [1, " Abraham"]
    assert python(nb, "bool(np.allclose(a.scores[:8, 0], b.scores[:8, 0], rtol=1e-3))")
    view.get_by_text("on its way").wait_for(state="detached")
    assert read_shares(view, 8) == pytest.approx(python(nb, "b.normalized()[:8, 0].tolist()"), abs=1.1e-3)
    nb.page.mouse.move(5, 5)
    for theme in ("Light", "Dark"):
        nb.theme(f"JupyterLab {theme}")
        nb.shot(f"contrast-{theme.lower()}", view)
    nb.theme("JupyterLab Light")
    # The contrast is about this column alone, and says so at another.
    view.locator(".sw-column").nth(3).hover()
    assert "This contrast is about “John” alone" in view.locator(".sw-legend").inner_text()
    view.get_by_role("button", name="Back to the map").click()
    assert view.locator(".sw-contrast").count() == 0
    nb.page.mouse.move(5, 5)
    assert read_shares(view, 8) == whole
    assert python(nb, "w.wait().scores.shape[1]") == 8


def test_a_text_goes_on_from_another_word_and_back(real: Any) -> None:
    """The model continues from the clicked token; the trail shows both texts, and b goes back at once."""
    nb, view = real
    first = view.locator(".sw-text").inner_text()
    choose(view, "George", "Write")
    view.locator(".sw-trail button").nth(1).wait_for()
    assert python(nb, "[t.text for t in w.wait().cols][0]") == " George"
    nb.page.wait_for_function("() => document.querySelectorAll('.sw-live .sw-column').length > 4")
    assert view.locator(".sw-column").first.inner_text().strip() == "George"
    assert python(nb, "[t.text for t in w.attribution.rows][:8]") == [
        t if k == 0 else f" {t}" for k, t in enumerate(TEXT.split())
    ]
    trail = view.locator(".sw-trail button")
    assert trail.nth(1).get_attribute("aria-current") == "true"
    nb.page.mouse.move(5, 5)
    view.locator(".sw-progress").wait_for(state="detached")
    shares = python(nb, "w.attribution.normalized()[:8, 0].tolist()")
    assert read_shares(view, 8) == pytest.approx(shares, abs=5.1e-4)
    nb.page.mouse.move(5, 5)
    nb.shot("branch-light", view)
    # Back by key: the first map is there already, and nothing runs. The focus was and is in the widget.
    nb.page.keyboard.press("b")
    same = "text => document.querySelector('.sw-live .sw-text').innerText === text"
    nb.page.wait_for_function(same, arg=first, timeout=3_000)
    assert "president .299" in view.locator(".sw-inputs").inner_text()
    assert trail.nth(0).get_attribute("aria-current") == "true"
    view.locator(".sw-column:focus", has_text="John").wait_for()
    assert python(nb, "[t.text for t in w.wait().cols][0]") == " John"
    # And forward again, by the mouse.
    trail.nth(1).click()
    view.locator(".sw-column", has_text="George").first.wait_for()


def test_inputs_that_are_struck_out_change_what_is_probable(shown: Any) -> None:
    """The effect of a strike equals plain passes of transformers, and is shown beside the prediction; undo restores."""
    nb, view = shown
    nb.code(PLAIN)
    token(view, 1).click()
    token(view, 2).click(modifiers=["Shift"])
    view.get_by_role("button", name="Strike out").click()
    said = effect_on(view, "John")
    was, now, by = map(about, re.search(r"p (\S+) → (\S+) \((\S+)\)", said).groups())
    assert "Without “first president”" in view.locator(".sw-effect").inner_text()
    before, after = python(nb, "[p_of(ids[:8], ids[8]), masked_p(ids[:8], ids[8], [1, 2])]")
    assert (was, now) == pytest.approx((before, after), abs=6e-4)
    assert by == pytest.approx(after - before, abs=6e-4)
    share = python(nb, "float(np.abs(w.attribution.normalized()[1:3, 0]).sum())")
    assert f"the map gave them {100 * share:.0f} %" in said.replace("\u202f", " ")
    view.locator(".sw-tried summary").click()
    assert "No token could attend to what is struck out" in view.locator(".sw-tried details").inner_text()
    nb.shot("strike-light", view)
    rows = view.locator(".sw-changes tr").count()
    assert rows > 1
    nb.theme("JupyterLab Dark")
    nb.shot("strike-dark", view)
    nb.theme("JupyterLab Light")
    assert becomes(nb, "len(w.attribution.cols)", 8), "a try leaves the map as it is"
    view.get_by_role("button", name="Undo").click()
    view.locator(".sw-effect").wait_for(state="detached")


def test_a_signed_map_predicts_the_change_and_the_strike_measures_it(shown: Any) -> None:
    """For occlusion the prediction beside the measured change is minus the sum of the struck scores."""
    nb, view = shown
    view.get_by_role("button", name="Occlusion").click()
    view.get_by_text("share of the drop").wait_for()
    nb.code("w.wait()")
    view.locator(".sw-progress").wait_for(state="detached")
    view.locator(".sw-column").first.focus()
    nb.page.keyboard.press("i")
    nb.page.keyboard.press("s")
    said = effect_on(view, "John")
    top = python(nb, "w.attribution.top(0, 1)[0].text.strip()")
    assert f"Without “{top}”" in view.locator(".sw-effect").inner_text()
    predicted = -python(nb, "w.attribution.top(0, 1)[0].score")
    assert about(said.split("the map predicted ")[1]) == pytest.approx(predicted, abs=6e-4)
    nb.page.keyboard.press("u")
    view.locator(".sw-effect").wait_for(state="detached")


def test_a_text_that_is_edited_in_place_and_kept(shown: Any) -> None:
    """After an edit the probabilities equal plain passes; "Show its map" adds the text to the trail."""
    nb, view = shown
    nb.code(PLAIN)
    view.get_by_role("button", name="Edit the text").click()
    area = view.get_by_role("textbox")
    assert area.input_value() == TEXT
    area.press("ControlOrMeta+a")
    edited = "The thirty-fifth president of the United States was"
    nb.page.keyboard.type(edited)
    nb.page.keyboard.press("Control+Enter")
    said = effect_on(view, "John")
    assert "With the edited text" in view.locator(".sw-effect").inner_text()
    assert "an edit has no prediction" in view.locator(".sw-tried").inner_text()
    after = python(nb, f"p_of(model.tokenizer({edited!r})['input_ids'], ids[8])")
    assert about(said.split("→")[1].split()[0]) == pytest.approx(after, abs=6e-4)
    assert view.get_by_role("textbox").count() == 0, "it closes once what was tried is on show"
    assert nb.page.locator(".jp-Cell").count() == 1, "Ctrl+Enter is the widget's, and makes no cell"
    view.get_by_role("button", name="Show its map").click()
    view.locator(".sw-trail button").nth(1).wait_for()
    token(view, 1).get_by_text("thirty").wait_for()
    view.locator(".sw-column:focus", has_text="John").wait_for()
    assert python(nb, "''.join(t.text for t in w.wait().rows)").startswith(edited)
    assert "John F. Kennedy" in view.locator(".sw-text").inner_text()
    nb.page.mouse.move(5, 5)
    view.locator(".sw-progress").wait_for(state="detached")
    nb.shot("kept-light", view)
    view.locator(".sw-trail button").first.click()
    token(view, 1).get_by_text("first").wait_for()
