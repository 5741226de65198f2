"""Use without a mouse; axe on every drawer and card; forced colours, reduced motion, double size."""

from __future__ import annotations

from typing import Any

import pytest

from .test_looks import axe
from .test_quickstart import becomes, run

pytestmark = [pytest.mark.browser, pytest.mark.demo]

TEXT = "The first president of the United States was"
SHOW = f'import saliency_widget as sw, json\nw = sw.show("./by_heart", {TEXT!r}, max_new_tokens=8)'
FOCUS = "() => document.activeElement?.closest('.sw-live') ? document.activeElement.textContent.trim() : null"
MOVES = """() => document.querySelector('.sw-live').getAnimations({ subtree: true })
  .filter(a => a.playState === 'running' && (a.effect?.getComputedTiming().duration ?? 0) > 1).length"""


@pytest.fixture
def shown(desk: Any) -> Any:
    desk.begin(SHOW)
    view = run(desk)
    yield desk, view
    desk.page.emulate_media(forced_colors="none", reduced_motion="no-preference", color_scheme="light")
    desk.resize(1400)
    desk.theme("JupyterLab Light")


def test_a_whole_visit_by_keys(shown: Any) -> None:
    """Tab enters the widget; arrows, Enter and letters do all that a mouse can, and do not reach the notebook."""
    nb, view = shown
    press = nb.page.keyboard.press
    cells = nb.page.locator(".jp-Cell").count()
    nb.page.locator(".jp-Cell").first.focus()
    for _ in range(30):
        press("Tab")
        if nb.page.evaluate(FOCUS) == "John":
            break
    assert nb.page.evaluate(FOCUS) == "John", "tabbed to"
    press("ArrowRight")
    press("ArrowRight")
    press("ArrowRight")
    press("Enter")
    assert becomes(nb, "[w.selection, w.value.target]", [3, " Kennedy"])
    press("Shift+ArrowRight")
    assert becomes(nb, "[w.selection, w.extent]", [3, 2])
    press("i")
    press("Enter")
    assert "feeds" in view.get_by_role("group", name="Chosen inputs").inner_text()
    press("h")
    assert "is not counted" in view.get_by_role("group", name="Chosen inputs").inner_text()
    press("h")
    press("Escape")
    press("Escape")
    # Units, drawers, list of keys.
    press("g")
    assert view.get_by_role("combobox", name="Read by").input_value() == "word"
    for _ in range(3):
        press("g")
    for key, there in (("m", ".sw-matrix"), ("c", ".sw-compare"), ("x", ".sw-take-away")):
        press(key)
        view.locator(there).wait_for()
        press(key)
        view.locator(there).wait_for(state="detached")
    press("?")
    view.get_by_role("dialog", name="How to read this").wait_for()
    press("Escape")
    view.get_by_role("dialog", name="How to read this").wait_for(state="detached")
    assert nb.page.locator(".jp-Cell").count() == cells
    # The focus is in the widget still, and Tab leads out of it.
    assert nb.page.evaluate(FOCUS) is not None
    for _ in range(40):
        press("Tab")
        if nb.page.evaluate(FOCUS) is None:
            break
    assert nb.page.evaluate(FOCUS) is None


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_axe_finds_nothing_wherever_one_looks(shown: Any, theme: str) -> None:
    """With each drawer, card, menu and line open, axe finds nothing, and has checked the contrast."""
    nb, view = shown
    nb.theme(f"JupyterLab {theme}")
    nb.page.emulate_media(reduced_motion="reduce")
    name = theme.lower()

    def look(what: str) -> None:
        nb.page.mouse.move(5, 5)
        found = axe(nb)
        assert (what, found["violations"]) == (what, [])
        assert "color-contrast" in found["passes"]

    for label in ("Compare", "Export", "Matrix"):
        view.locator(".sw-drawer-toggle", has_text=label).click()
        if label == "Compare":
            view.locator(".sw-picks").get_by_role("button", name="Occlusion", exact=True).click()
            view.locator(".sw-compact").nth(2).locator(".sw-gradient").wait_for()
            view.locator(".sw-progress").wait_for(state="detached")
        look(label)
        view.locator(".sw-drawer-toggle", has_text=label).click()
    for opener, card in (
        (view.get_by_role("button", name="How to read this"), "How to read this"),
        (view.get_by_role("button", name="About this method"), "About this method"),
        (view.locator(".sw-view"), "Colours and numbers"),
        (view.locator(".sw-more"), "More methods"),
        (view.locator(".sw-alternative").first, "Instead"),
    ):
        opener.click()
        look(card)
        nb.shot(f"open-{card.split()[0].lower()}-{name}")
        nb.page.keyboard.press("Escape")
    view.locator(".sw-text .sw-token").nth(2).click()
    view.get_by_role("button", name="Strike out").click()
    view.locator(".sw-effect").wait_for()
    view.get_by_role("button", name="Edit the text").click()
    look("what if")
    nb.shot(f"what-if-{name}", view)


def test_nothing_moves_for_who_asked_for_less_motion(shown: Any) -> None:
    """With reduced motion no animation runs while targets change, maps come and drawers open."""
    nb, view = shown
    nb.page.emulate_media(reduced_motion="reduce")
    seen = []
    for k in (0, 3, 5):
        view.locator(".sw-column").nth(k).hover()
        seen.append(nb.page.evaluate(MOVES))
    view.get_by_role("button", name="Attention", exact=True).click()
    seen.append(nb.page.evaluate(MOVES))
    view.get_by_text("share of the attention").wait_for()
    view.get_by_role("button", name="Matrix").click()
    seen.append(nb.page.evaluate(MOVES))
    assert seen == [0] * len(seen)


# Of the names of the first rows, left of the cells: the lightness of the pixel that is farthest from the ground.
INK = """(canvas, ground) => {
  const { data } = canvas.getContext('2d').getImageData(0, canvas.height / 4, 60, canvas.height / 4);
  let ink = ground;
  for (let i = 0; i < data.length; i += 4)
    if (data[i + 3] > 200 && Math.abs(data[i + 1] - ground) > Math.abs(ink - ground)) ink = data[i + 1];
  return ink;
}"""


def test_forced_colours_keep_the_target_apart(shown: Any) -> None:
    """With forced colours, only the target on show has a line around it."""
    nb, view = shown
    view.locator(".sw-column").nth(3).click()
    nb.page.mouse.move(5, 5)
    nb.page.emulate_media(forced_colors="active")
    lines = view.locator(".sw-text .sw-token").evaluate_all(
        "all => all.map(e => { const s = getComputedStyle(e);"
        " return [s.outlineStyle, s.outlineWidth, s.borderBottomStyle, s.borderBottomWidth].join(' '); })"
    )
    nb.shot("forced-colours", view)
    assert lines.count(lines[11]) == 1, lines


@pytest.mark.parametrize(("scheme", "ground"), [("light", 255), ("dark", 0)])
def test_forced_colours_rule_the_names_of_the_matrix(shown: Any, scheme: str, ground: int) -> None:
    """With forced colours, the names on the canvas have the system's text colour, not the theme's."""
    nb, view = shown
    nb.page.emulate_media(forced_colors="active", color_scheme=scheme)
    view.get_by_role("button", name="Matrix").click()
    view.locator(".sw-matrix-canvas").wait_for()
    nb.page.mouse.move(5, 5)
    nb.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    nb.shot(f"forced-colours-matrix-{scheme}", view)
    assert abs(view.locator(".sw-matrix-canvas").evaluate(INK, ground) - ground) == 255


@pytest.mark.parametrize("width", [700, 420])
def test_twice_the_size_needs_no_scrolling_sideways(shown: Any, width: int) -> None:
    """In half the window, as with 200 % zoom, and on a phone, nothing of the widget lies beyond its right edge."""
    nb, view = shown
    nb.resize(width, 900)
    nb.command("application:toggle-left-area")
    for label in ("Matrix", "Compare", "Export"):
        view.locator(".sw-drawer-toggle", has_text=label).click()
    view.locator(".sw-picks").get_by_role("button", name="Occlusion", exact=True).click()
    view.locator(".sw-compact").nth(2).locator(".sw-gradient").wait_for()
    token = view.locator(".sw-text .sw-token").nth(2)
    token.scroll_into_view_if_needed()
    token.click()
    view.get_by_role("button", name="Strike out").click()
    view.locator(".sw-effect").wait_for()
    nb.shot(f"all-open-{width}-light", view)
    beyond = view.evaluate(
        """root => { const right = root.getBoundingClientRect().right + 1;
          const scrolls = e => e && e !== root && (/auto|scroll/.test(getComputedStyle(e).overflowX)
            || scrolls(e.parentElement));
          return [root.scrollWidth - root.clientWidth, ...[...root.querySelectorAll('.sw-box *')]
            .filter(e => e.getBoundingClientRect().width > 1 && e.getBoundingClientRect().right > right && !scrolls(e))
            .map(e => e.className)]; }"""
    )
    nb.command("application:toggle-left-area")
    assert beyond == [0]


def test_side_by_side_in_a_box_they_keep_apart(shown: Any) -> None:
    """In an HBox of ipywidgets there is a gap between two maps, and the second ends where the box does."""
    nb, _ = shown
    nb.begin("import ipywidgets\nw = sw.show('demo', 'The', max_new_tokens=2)\nipywidgets.HBox([w, w])")
    nb.run_all(1)
    boxes = nb.page.locator(".widget-hbox .sw-live")
    boxes.nth(1).locator(".sw-column").first.wait_for()
    first, second, row = (nb.page.locator(at).bounding_box() for at in (
        ".widget-hbox > :first-child .sw-live", ".widget-hbox > :last-child .sw-live", ".widget-hbox"
    ))  # fmt: skip
    assert second["x"] - first["x"] - first["width"] == pytest.approx(8, abs=0.5)
    assert second["x"] + second["width"] <= row["x"] + row["width"] + 0.5
    nb.shot("side-by-side", nb.page.locator(".widget-hbox"))
