"""Maps side by side, and attention by layer and head."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .test_quickstart import becomes, python, read_shares, run, share_in, tip, token

pytestmark = [pytest.mark.browser, pytest.mark.demo]

TEXT = "The first president of the United States was"
SHOW = f'import saliency_widget as sw, json, numpy as np\nw = sw.show("demo", {TEXT!r}, max_new_tokens=8)'
FINISHED = """import saliency_widget as sw, json
one, other = (sw.attribute("demo", f"My {who} is a doctor.", target=" She works") for who in ("mother", "father"))
w = sw.compare(one, other, names=("mother", "father"))"""
SAME = f"sw.attribute('demo', {TEXT!r}, target=''.join(t.text for t in w.attribution.cols), progress=False, "


@pytest.fixture
def shown(desk: Any) -> tuple[Any, Any]:
    desk.begin(SHOW)
    return desk, run(desk)


def hover(box: Any) -> str:
    """Return the tooltip of a box."""
    box.hover()
    view = box.page.locator(".sw-live").first
    view.get_by_role("tooltip").wait_for()
    return tip(view)


def test_two_methods_stand_side_by_side_while_the_map_on_show_stays(shown: Any) -> None:
    """A second map is computed aside with the numbers of `attribute`; hover is linked, the difference is theirs."""
    nb, view = shown
    view.get_by_role("button", name="Compare").click()
    nb.page.keyboard.press("Escape")
    # It opens with two maps and their difference; of them one is let go of.
    picks = view.get_by_role("group", name="Maps to put side by side")
    view.locator(".sw-compact").nth(2).locator(".sw-gradient").wait_for()
    picks.get_by_role("button", name="Attention", exact=True).click()
    view.get_by_text("Choose one more").wait_for()
    assert picks.get_by_role("button", name="Gradient", exact=True).get_attribute("aria-pressed") == "true"
    picks.get_by_role("button", name="Occlusion", exact=True).click()
    panels = view.locator(".sw-compact")
    panels.nth(2).wait_for()
    panels.nth(2).locator(".sw-gradient").wait_for()
    view.locator(".sw-progress").wait_for(state="detached")
    # The map on show is still the first one, on the page and in Python.
    assert view.get_by_role("button", name="Gradient", exact=True).first.get_attribute("aria-pressed") == "true"
    assert python(nb, "w.wait().method") == "saliency"
    names = [re.sub(r"\s+", " ", text).strip() for text in panels.locator(".sw-compact-head > b").all_inner_texts()]
    assert names == ["Gradient", "Occlusion", "Gradient − Occlusion"]
    nb.code(f"o = {SAME}method='occlusion')")
    ours = python(nb, "w.attribution.normalized()[:8, 0].tolist()")
    theirs = python(nb, "o.normalized()[:8, 0].tolist()")
    nb.page.mouse.move(5, 5)
    for k, shares in ((0, ours), (1, theirs)):
        said = [share_in(hover(panels.nth(k).locator(f"[data-position='{i}']"))) for i in range(8)]
        assert said == pytest.approx(shares, abs=1.1e-3)
    said = hover(panels.nth(2).locator("[data-position='2']"))
    by = float(re.search(r"less \S+ (−?\.\d+)", said)[1].replace("−", "-"))
    assert by == pytest.approx(ours[2] - theirs[2], abs=1.1e-3)
    # Linked: the same input is marked in all panels and in the lists; another target is shown in all.
    marked = panels.locator("[data-position='2']").evaluate_all("all => all.map(e => e.className)")
    assert len(set(marked)) == 1 or all("sw-same" in name for name in marked), marked
    panels.nth(1).locator("[data-position='11']").hover()
    nb.page.wait_for_function("() => document.querySelector('.sw-tops .sw-target-name').innerText.trim() === 'Kennedy'")
    assert view.locator(".sw-about .sw-target-name").inner_text().strip() == "Kennedy"
    nb.page.mouse.move(5, 5)
    # The lists: the largest first, in both methods.
    lists = view.locator(".sw-top-lists ol")
    first = lists.nth(0).locator("li").all_inner_texts()
    assert len(first) == 5
    assert re.sub(r"\s+", " ", first[0]).startswith("president .299")
    view.get_by_role("combobox", name="How many inputs").select_option("10")
    assert lists.nth(0).locator("li").count() == 8
    # Agreement, by another implementation.
    said = panels.nth(1).locator(".sw-compact-foot").inner_text()
    rho = float(re.search(r"ρ = (−?[\d.]+)", said)[1].replace("−", "-"))
    rank = "np.argsort(np.argsort(a.normalized()[:8, 0]))"
    assert rho == pytest.approx(python(nb, f"np.corrcoef(*[{rank} for a in (w.attribution, o)])[0, 1]"), abs=6e-3)
    for theme in ("Light", "Dark"):
        nb.theme(f"JupyterLab {theme}")
        nb.shot(f"compare-{theme.lower()}", view)
    nb.theme("JupyterLab Light")
    around = 1400 - view.evaluate("e => e.offsetWidth")
    nb.resize(420 + around)
    nb.shot("compare-420-light", view)
    nb.resize(1400)


def test_two_finished_maps_open_side_by_side_and_offer_only_what_is_there(desk: Any) -> None:
    """`compare` shows both maps and their difference at once, with Python's numbers, and nothing that needs a model."""
    nb = desk
    nb.begin(FINISHED)
    view = run(nb)
    panels = view.locator(".sw-compact")
    panels.nth(2).locator(".sw-gradient").wait_for()
    names = [re.sub(r"\s+", " ", text).strip() for text in panels.locator(".sw-compact-head > b").all_inner_texts()]
    assert names == ["A: mother", "B: father", "A: mother − B: father"]
    # Of the word that is looked at first.
    nb.code(
        "from saliency_widget.export.reading import first_word\n"
        "from saliency_widget.comparison.compare import exhibition_of\n"
        "of = exhibition_of(one, other, names=('mother', 'father'))"
    )
    columns = "[m.map.scores[:, first_word(m.map.cols)].tolist() for m in of.maps]"
    ours, theirs, by = python(nb, f"json.loads(json.dumps({columns}).replace('NaN', 'null'))")
    read = python(nb, "of.first_target")
    sums = [sum(abs(x) for x in column if x is not None) for column in (ours, theirs)]
    for k, (column, total) in enumerate(zip((ours, theirs), sums, strict=True)):
        for i, score in enumerate(column[:read]):  # a target under the mouse is asked about itself
            said = hover(panels.nth(k).locator(f"[data-position='{i}']")) if score is not None else ""
            assert said == "" or share_in(said) == pytest.approx(score / total, abs=1.1e-3)
    both = next(i for i, x in enumerate(by) if x is not None and abs(x) > 0.01)
    said = hover(panels.nth(2).locator(f"[data-position='{both}']"))
    assert float(re.search(r"less \S+ (−?\.\d+)", said)[1].replace("−", "-")) == pytest.approx(by[both], abs=1.1e-3)
    nb.page.mouse.move(5, 5)
    for theme in ("Light", "Dark"):
        nb.theme(f"JupyterLab {theme}")
        nb.shot(f"exhibit-{theme.lower()}", view)
    nb.theme("JupyterLab Light")
    # Above, the difference is the same as below.
    scales = view.locator(".sw-body .sw-scale, .sw-compact:last-child .sw-scale").all_inner_texts()
    assert len(scales) == 2
    assert len({re.sub(r"\s", "", scale) for scale in scales}) == 1
    # The difference has no probability, for each map has its own; an input can be left out, and not struck out.
    line = view.locator(".sw-about .sw-target-line")
    sides = [re.sub(r"\s+", " ", text) for text in line.get_by_role("button").all_inner_texts()]
    worths = python(nb, "[float(each.step_scores['probability'][first_word(each.cols)]) for each in (one, other)]")
    assert [re.sub(r" p = .*", "", side) for side in sides] == ["A: mother", "B: father"]
    assert [float(side.split("= ")[1]) for side in sides] == pytest.approx(worths, abs=6e-4)
    assert view.locator(".sw-body button:not(.sw-input):visible").count() == 3, "these two and the (i)"
    token(view.locator(".sw-body"), 2).click()
    acts = view.get_by_role("group", name="Chosen inputs")
    assert acts.get_by_role("button").all_inner_texts() == ["Leave out of the shares", "Back"]
    nb.shot("exhibit-chosen-light", view)
    for key in ("s", "u", "b"):
        nb.page.keyboard.press(key)
    nb.page.keyboard.press("Escape")
    nb.page.keyboard.press("?")
    keys = view.locator(".sw-keys dt").all_inner_texts()
    assert "h" in keys
    assert not {"s", "u", "b"} & set(keys)
    nb.page.keyboard.press("Escape")
    view.get_by_role("button", name="Explain", exact=True).click()
    assert "there is no model behind it" in view.locator(".sw-explain").inner_text()
    nb.shot("exhibit-explain-light", view)
    view.get_by_role("button", name="Explain", exact=True).click()
    # All that is left works: another map on show, the matrix, the (i).
    view.locator(".sw-methods").get_by_role("button", name="B: father").click()
    assert becomes(nb, "w.attribution.model_name == other.model_name and w.attribution.method", "saliency")
    # What else was probable is told, and cannot be chosen.
    line.locator(".sw-input").nth(4).wait_for()
    assert line.locator("button:visible").count() == 2, "whose map to show"
    view.get_by_role("button", name="About this method").click()
    nb.shot("exhibit-about-light")
    nb.page.keyboard.press("Escape")
    assert view.locator(".sw-error").count() == 0
    # Who closed the drawer is not bothered again, whatever is shown; another view begins with it.
    view.get_by_role("button", name="Compare", exact=True).click()
    view.locator(".sw-methods").get_by_role("button", name="A − B").click()
    assert becomes(nb, "w.attribution.method", "difference")
    assert panels.count() == 0
    nb.command("notebook:run-all-cells")
    nb.page.locator(".jp-OutputArea-output .sw-compact").nth(2).wait_for()


def test_the_layers_and_heads_of_attention(shown: Any) -> None:
    """The grid has a picture for each head; a head or a layer that is picked gives the numbers of `attribute`."""
    nb, view = shown
    assert not view.get_by_role("button", name="layers × heads").is_visible()
    view.get_by_role("button", name="Attention", exact=True).click()
    view.get_by_role("button", name="layers × heads").click()
    grid = view.get_by_role("grid", name="Layers and heads")
    grid.locator("[data-at='3 5']").wait_for()
    layers, heads = python(
        nb, "[m.num_hidden_layers, m.num_attention_heads] if (m := sw.load_model('demo').model.config) else 0"
    )
    assert grid.get_by_role("gridcell").count() == layers * heads
    painted = view.locator(".sw-heads canvas").evaluate(
        "c => new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size"
    )
    assert painted > 5, "the thumbnails are drawn"
    grid.locator("[data-at='3 5']").hover()
    told = view.locator(".sw-head-said").inner_text()
    assert told.startswith("layer 2, head 4: looks most at")
    nb.shot("heads-light")
    nb.theme("JupyterLab Dark")
    nb.shot("heads-dark")
    nb.theme("JupyterLab Light")
    grid.locator("[data-at='3 5']").click()
    picked = "[w.wait().settings.get(name) for name in ('layer', 'head')]"
    assert becomes(nb, picked, [2, 4])
    shares = python(nb, f"{SAME}method='attention', layer=2, head=4).normalized()[:8, 0].tolist()")
    assert python(nb, "w.attribution.normalized()[:8, 0].tolist()") == pytest.approx(shares, abs=1e-5)
    most = max(range(8), key=lambda i: shares[i])
    assert share_in_text(told) == pytest.approx(shares[most], abs=2e-3)
    # A layer, by keys: from the head to the name of its row.
    nb.page.keyboard.press("Home")
    nb.page.keyboard.press("Enter")
    assert becomes(nb, picked, [2, None])
    nb.page.keyboard.press("Escape")
    assert view.get_by_role("grid").count() == 0
    view.locator(".sw-progress").wait_for(state="detached")
    nb.page.mouse.move(5, 5)
    shares = python(nb, f"{SAME}method='attention', layer=2).normalized()[:8, 0].tolist()")
    assert read_shares(view, 8) == pytest.approx(shares, abs=1.1e-3)
    assert token(view, 0).is_visible()


def share_in_text(text: str) -> float:
    return float(re.search(r" (\.\d+|1)$", text)[1])
