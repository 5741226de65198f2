"""The matrix by mouse and keys: a cross over the cells, sorted rows, zoom, copied cells."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from .test_quickstart import becomes, python, run, share_in, tip

pytestmark = [pytest.mark.browser, pytest.mark.demo]

TEXT = "The first president of the United States was"
SHOW = f'import saliency_widget as sw, json, numpy as np\nw = sw.show("./by_heart", {TEXT!r}, max_new_tokens=8)\nw'
TWICE = SHOW.removesuffix("w") + "w.show()"


def pixels(view: Any) -> str:
    found: str = view.locator(".sw-matrix-canvas").evaluate("c => c.toDataURL()")
    return found


def test_the_matrix_by_mouse_and_key(desk: Any) -> None:
    """m opens the matrix; cells show Python's numbers, can be pinned, sorted, zoomed, summed and copied."""
    nb = desk
    nb.begin(TWICE)
    view = run(nb)
    other = nb.page.locator(".jp-OutputArea-output .sw-live").nth(1)
    other.locator(".sw-column").first.wait_for()
    nb.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    view.locator(".sw-column").first.focus()
    press = nb.page.keyboard.press
    press("m")
    sheet = view.get_by_role("application")
    sheet.wait_for()
    sheet.focus()
    press("ArrowDown")  # shows where one is
    press("ArrowDown")
    press("ArrowDown")
    view.get_by_role("tooltip").wait_for()
    said = re.sub(r"\s+", " ", tip(view))
    row = int(re.search(r"position (\d+)", said)[1])
    col = 0
    assert share_in(said) == pytest.approx(python(nb, f"float(w.attribution.normalized()[{row}, {col}])"), abs=5.1e-4)
    # Copied: names, raw score, share.
    press("y")
    view.get_by_text("copied").first.wait_for()
    name, target, score, share = nb.page.evaluate("navigator.clipboard.readText()").split("\t")
    assert [name, target] == python(nb, f"[w.attribution.rows[{row}].text.strip(), w.attribution.cols[0].text.strip()]")
    numbers = python(nb, f"[float(a[{row}, 0]) for a in (w.attribution.scores, w.attribution.normalized())]")
    assert [float(score), float(share)] == pytest.approx(numbers, rel=1e-5)
    # Pinned by Enter: in both views.
    press("ArrowRight")
    press("Enter")
    assert becomes(nb, "w.selection", 1)
    nb.page.mouse.move(5, 5)
    press("Escape")
    for one in (view, other):
        assert one.locator(".sw-about .sw-target-name").inner_text().strip() == "F"
    # Sorted by this column, and back.
    plain = pixels(view)
    sheet.focus()
    press("ArrowDown")
    press("r")
    view.locator(".sw-matrix-hint", has_text="rows sorted by").wait_for()
    press("Home")
    press("Escape")
    nb.page.wait_for_function("plain => document.querySelector('.sw-matrix-canvas').toDataURL() !== plain", arg=plain)
    nb.shot("matrix-sorted-light", view)
    view.get_by_role("button", name="restore").click()
    view.locator(".sw-matrix-hint", has_text="a click on a column's name").wait_for()
    # Larger, and all in sight again.
    width = "() => document.querySelector('.sw-matrix-room').getBoundingClientRect().width"
    before = nb.page.evaluate(width)
    sheet.focus()
    press("+")
    press("+")
    assert nb.page.evaluate(width) > before
    press("0")
    assert nb.page.evaluate(width) == before
    # By mouse: somewhere over the cells a tip comes, and over the sums it says what they add up to.
    box = view.locator(".sw-matrix-canvas").bounding_box()
    sums = view.get_by_role("tooltip").filter(has_text="add up to")
    for x in range(int(box["width"]) - 60, int(box["width"]), 6):
        nb.page.mouse.move(box["x"] + x, box["y"] + 140)
        nb.page.evaluate("() => new Promise(requestAnimationFrame)")  # the page answers with its next frame
        if sums.is_visible():
            break
    sums.wait_for()
    nb.shot("matrix-totals-light", view)
    nb.theme("JupyterLab Dark")
    nb.shot("matrix-dark", view)
    nb.theme("JupyterLab Light")


ROWS = """line => new Set([...line.querySelectorAll('*')].map(part => part.offsetTop)).size"""


def test_what_is_below_the_text_keeps_its_place_under_the_mouse(desk: Any) -> None:
    """The lines below the text keep the height of two lines; in a wider window of one."""
    nb = desk
    nb.resize(700)
    try:
        nb.begin(SHOW.replace("max_new_tokens=8", "max_new_tokens=24").replace("./by_heart", "demo"))
        view = run(nb)
        line, drawers = view.locator(".sw-target-line"), view.locator(".sw-drawers")
        for turn in range(2):
            rows, tops = set(), set()
            for target in view.locator(".sw-column").all():
                target.hover()
                nb.page.wait_for_timeout(60)  # the room is kept in the next frame
                rows.add(line.evaluate(ROWS))
                tops.add(round(drawers.bounding_box()["y"]))
            assert len(rows) > 1, "all targets take as many lines: choose another text"
            assert turn == 0 or len(tops) == 1, tops
        nb.page.mouse.move(5, 5)
        nb.resize(1400)
        expect(line).to_have_css("height", "26px")
        view.evaluate("e => { e.style.transform = 'scale(1.25)' }")  # as on a slide
        nb.resize(1300)
        nb.page.wait_for_timeout(300)
        expect(line).to_have_css("height", "26px")
    finally:
        nb.resize(1400)


@pytest.mark.parametrize("width", [1400, 700])
def test_no_target_that_is_previewed_moves_the_drawer_under_the_mouse(desk: Any, width: int) -> None:
    """Notes and long alternatives of previewed targets do not move the matrix and the texts under the mouse."""
    nb = desk
    nb.resize(width)
    try:
        real = SHOW.replace("./by_heart", "demo")  # a target without a cause has a note: not all have one
        nb.begin(real.replace("max_new", 'method="occlusion", max_new'))
        view = run(nb)
        view.get_by_role("button", name="Matrix").click()
        sheet = view.locator(".sw-matrix-canvas")
        sheet.wait_for()
        box, grid = sheet.bounding_box(), view.locator(".sw-matrix-scroll").bounding_box()
        tops, noise = set(), 0
        for x in range(int(box["width"]) - 16, 60, -8):
            nb.page.mouse.move(box["x"] + x, box["y"] + grid["height"] - 70)
            tops.add(sheet.bounding_box()["y"])
            noise += view.locator(".sw-noise").is_visible()
        assert noise > 0, "no target that singles nothing out: choose another text"
        assert len(tops) == 1
        nb.shot(f"matrix-steady-{width}", view)
        view.get_by_role("button", name="Matrix").click()
        view.get_by_role("button", name="Compare").click()  # with the gradient beside the map on show
        targets = view.locator(".sw-compact .sw-column")
        targets.nth(15).wait_for()
        tops = set()
        for k in range(targets.count()):
            targets.nth(k).hover()
            tops.add(targets.first.bounding_box()["y"] - view.bounding_box()["y"])  # the page may scroll
        assert len(tops) == 1
    finally:
        nb.resize(1400)
