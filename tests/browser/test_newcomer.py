"""The first minute of a person who was told nothing: what to do, what a colour means, and what one press changes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .test_looks import axe_finds_nothing, axe_finds_nothing_in_both_themes, seen_by_all
from .test_quickstart import BY_HEART, SHOW, python, run, token

pytestmark = [pytest.mark.browser, pytest.mark.demo]

NEW_HERE = "() => localStorage.removeItem('saliency-widget:hovered')"
STILL = "async () => { await Promise.all(document.getAnimations().map(one => one.finished)); }"
MOVING = """() => document.querySelector('.sw-target-line').getAnimations({ subtree: true }).length"""


def test_the_page_says_what_to_do_until_it_was_done_and_what_a_colour_means(desk: Any) -> None:
    """The hint goes with the first hover, for good; card and help name the pinned word; the menu tells seconds."""
    nb = desk
    nb.page.evaluate(NEW_HERE)
    nb.begin(BY_HEART)
    view = run(nb)
    hint = view.get_by_text("Hover a word the model wrote")
    hint.wait_for()
    seen_by_all(nb, view, "first-hint")
    view.locator(".sw-column").nth(1).hover()
    hint.wait_for(state="hidden")
    nb.page.mouse.move(5, 5)
    assert not hint.is_visible()
    view.locator(".sw-column").first.click()
    nb.page.mouse.move(5, 5)
    view.get_by_role("button", name="About this method").click()
    card = view.get_by_role("dialog", name="About this method")
    assert card.locator("p").first.inner_text() == "Darker: changing this word would change Washington more."
    nb.shot("first-card")
    nb.page.keyboard.press("Escape")
    nb.page.keyboard.press("?")
    help = view.get_by_role("dialog", name="How to read this")
    for word in ("changing this word would change Washington more", "hover", "click", "drag", "dark", "Keyboard"):
        assert word in help.inner_text()
    axe_finds_nothing(nb)
    nb.shot("first-help")
    nb.page.keyboard.press("Escape")
    view.locator(".sw-more").click()
    menu = view.get_by_role("menu", name="More methods").inner_text()
    assert "as this word fades in, Washington rises" in menu
    assert re.search(r"about \d+ (s|min)|less than a second", menu)
    assert "pass" not in menu
    axe_finds_nothing_in_both_themes(nb, nb.page, "first-methods")
    assert view.get_by_role("menu", name="More methods").is_visible(), "the theme has closed what is to be checked"
    nb.page.keyboard.press("Escape")
    # What is explained explains itself, and is chosen by the keyboard.
    what = view.locator(".sw-objective button")
    what.focus()
    nb.page.keyboard.press("Enter")
    items = view.get_by_role("menu", name="What is explained")
    assert "how likely the model held the word" in items.inner_text()
    assert "how unsure the model was" in items.inner_text()
    axe_finds_nothing_in_both_themes(nb, nb.page, "first-objectives")
    assert items.is_visible(), "the theme has closed what is to be checked"
    nb.page.keyboard.press("ArrowDown")
    nb.page.keyboard.press("ArrowDown")
    nb.page.keyboard.press("Enter")
    assert python(nb, "w.wait().objective") == "log_odds"
    assert what.inner_text() == "log-odds ▾"


def test_what_is_struck_out_under_the_mouse_leaves_the_word_on_show(desk: Any) -> None:
    """The target stays, its bar falls to what plain transformers have, others take its place; s does the same."""
    nb = desk
    nb.page.emulate_media(reduced_motion="no-preference")
    nb.begin(SHOW)
    view = run(nb)
    view.locator(".sw-column").first.click()
    nb.page.mouse.move(5, 5)
    chips = view.locator(".sw-alternative")
    before = chips.all_inner_texts()
    bar = view.locator(".sw-target-bar i")
    wide = bar.bounding_box()["width"]
    token(view, 8).hover()
    box = token(view, 8).bounding_box()
    strike = view.locator(".sw-strike")
    to = strike.bounding_box()
    # As a hand moves: over the gap between the word and its card.
    nb.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    nb.page.mouse.move(to["x"] + to["width"] / 2, to["y"] + to["height"] / 2, steps=8)
    nb.shot("first-strike-card")
    strike.click()
    view.locator(".sw-effect").wait_for()
    assert nb.page.evaluate(MOVING) > 0
    nb.page.mouse.move(5, 5)
    nb.page.evaluate(STILL)
    assert token(view, 8).evaluate("e => e.classList.contains('sw-struck')")
    assert view.locator(".sw-target-name").first.inner_text() == "Washington"
    assert view.locator(".sw-actions").is_hidden(), "the map is not turned round"
    nb.code(
        "import torch\nmodel = sw.load_model('demo')\nids = [t.id for t in w.attribution.rows][:9]\n"
        "with torch.no_grad(): p = model.model(torch.tensor([ids[:8]])).logits[0, -1].float().softmax(-1)\n"
        "best = [model.tokenizer.decode(i).strip() for i in p.topk(6).indices.tolist()]\n"
        "now = float(p[w.attribution.cols[0].id])"
    )
    now = python(nb, "now")
    said = view.locator(".sw-target-line").inner_text()
    assert float(re.search(r"p = (\S+)", said)[1]) == pytest.approx(now, abs=6e-4)
    assert "was .796" in said
    assert bar.bounding_box()["width"] == pytest.approx(56 * now, abs=1)
    assert bar.bounding_box()["width"] < wide
    after = [name.split()[0] for name in chips.all_inner_texts()]
    assert after == [name for name in python(nb, "best") if name != "Washington"][: len(after)]
    assert chips.all_inner_texts() != before
    seen_by_all(nb, view, "first-struck")
    # Undone by key; and for who wants nothing to move, nothing does.
    nb.page.emulate_media(reduced_motion="reduce")
    view.locator(".sw-column").first.focus()
    nb.page.keyboard.press("u")
    view.locator(".sw-effect").wait_for(state="detached")
    assert chips.all_inner_texts() == before
    token(view, 2).hover()
    nb.page.keyboard.press("s")
    view.locator(".sw-effect").wait_for()
    assert nb.page.evaluate(MOVING) == 0
    assert "Without “president”" in view.locator(".sw-effect").inner_text()
    assert view.locator(".sw-target-name").first.inner_text() == "Washington"
    nb.page.keyboard.press("u")


def test_narrow_the_header_has_two_rows_and_all_names_say_what_they_open(desk: Any) -> None:
    """At 700 px the name of the model gives way; *Colours and numbers* and *Export* are found by name, by keyboard."""
    nb = desk
    nb.begin(BY_HEART)
    view = run(nb)
    nb.resize(700)
    tops = view.locator(".sw-header > *").evaluate_all("all => all.map(e => e.getBoundingClientRect())")
    rows: list[list[float]] = []
    for at in sorted(tops, key=lambda box: box["top"]):
        if rows and at["top"] < rows[-1][1]:  # beside what stands in the row
            rows[-1][1] = max(rows[-1][1], at["bottom"])
        else:
            rows.append([at["top"], at["bottom"]])
    assert len(rows) == 2
    frames = [view.locator(query).bounding_box()["width"] for query in (".sw-text", ".sw-body")]
    assert frames[0] > 0.9 * frames[1] - 36
    options = view.get_by_role("button", name="Colours and numbers")
    options.focus()
    nb.page.keyboard.press("Enter")
    view.get_by_role("dialog", name="Colours and numbers").wait_for()
    nb.shot("first-narrow-options")
    nb.page.keyboard.press("Escape")
    view.locator(".sw-column").first.focus()
    nb.page.keyboard.press("x")
    view.get_by_role("group", name="Export").wait_for()
    seen_by_all(nb, view, "first-export")
    header = view.locator(".sw-header").bounding_box()
    assert header["height"] < 60, "in one row where there is room"


def test_the_copied_python_makes_exactly_this_view(desk: Any) -> None:
    """Run in a cell of its own it has the words, the pin, the units, what is left out, and every colour and number."""
    nb = desk
    nb.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    nb.begin(BY_HEART)
    view = run(nb)
    view.get_by_role("combobox", name="Read by").select_option("word")
    view.locator(".sw-column").first.click()
    view.get_by_role("button", name="Colours and numbers").click()
    view.get_by_role("radio", name="raw score").check()
    nb.page.keyboard.press("Escape")
    token(view, 0).click()
    view.get_by_role("button", name="Leave out of the shares").click()
    view.get_by_role("button", name="Back").click()
    view.locator(".sw-column").first.focus()
    nb.page.keyboard.press("x")
    view.get_by_role("button", name="Copy Python").click()
    view.get_by_text("The Python is copied").wait_for()
    seen_by_all(nb, view, "first-python")
    nb.page.keyboard.press("x")
    nb.page.mouse.move(5, 5)
    code = nb.page.evaluate("navigator.clipboard.readText()")
    look = """() => {
      const view = document.querySelector('.sw-live');
      const told = e => [e.innerText, [...e.classList].sort(), e.style.cssText];
      const boxes = [...view.querySelectorAll('.sw-token')].map(told);
      const parts = ['.sw-target-line', '.sw-legend', '.sw-unit', '.sw-header'].map(q => view.querySelector(q));
      return [boxes, parts.map(part => part.innerText)];
    }"""
    view.locator(".sw-column").first.blur()
    before = nb.page.evaluate(look)
    nb.begin("import json\n" + code)
    again = run(nb)
    assert again.get_by_role("combobox", name="Read by").evaluate("e => e.value") == "word"
    nb.page.mouse.move(5, 5)
    now = nb.page.evaluate(look)
    assert [(a, b) for a, b in zip(before[0], now[0], strict=True) if a != b] == []
    assert now[1] == before[1]
    assert python(nb, "[w.selection, w.extent]") == [0, 1]
