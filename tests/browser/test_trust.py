"""The Trust drawer beside `evaluate` in Python."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import LOOKS
from .test_looks import axe
from .test_quickstart import ROOT, python, run

pytestmark = [pytest.mark.browser, pytest.mark.demo]

SHOW = (
    "import saliency_widget as sw, json\n"
    'w = sw.show("demo", "The first president of the United States was George", target=" Washington")'
)
EVALUATE = """a = w.wait()
o, r = (sw.attribute("demo", "The first president of the United States was George", target=" Washington", method=m,
                     progress=False) for m in ("occlusion", "random"))
v = sw.evaluate("demo", [a, o, r], progress=False)"""


def judged(view: Any) -> list[str]:
    """The names of the maps that the drawer judges."""
    return view.locator(".sw-judged-head b").all_inner_texts()


def looks(nb: Any, view: Any, name: str) -> Iterator[None]:
    """Yield with a narrow widget in the dark and in a wide window; the drawer fits, and axe finds nothing."""
    around = 1400 - view.evaluate("e => e.offsetWidth")
    for width, theme in LOOKS:
        nb.theme(f"JupyterLab {theme}")
        nb.resize(width + (around if width == 700 else 0))
        nb.shot(f"{name}-{width}-{theme.lower()}", view)
        assert axe(nb)["violations"] == []
        assert view.locator(".sw-trust").evaluate("e => e.scrollWidth <= e.clientWidth")
        yield


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


@pytest.fixture
def opened(desk: Any) -> tuple[Any, Any]:
    """The homework's sentence, with the drawer open and nothing evaluated."""
    desk.begin(SHOW)
    view = run(desk)
    view.get_by_role("button", name="Trust").click()
    return desk, view


def evaluated(view: Any) -> Any:
    """The drawer, once its evaluation is complete."""
    trust = view.locator(".sw-trust")
    trust.get_by_role("button", name="Evaluate").click()
    trust.locator(".sw-trust-figures").wait_for(timeout=120_000)
    view.locator(".sw-progress").wait_for(state="detached", timeout=120_000)
    return trust


def test_the_drawer_says_what_python_says(opened: Any) -> None:
    """Cost first; then every map's sentences, warnings, curves and figures, with the numbers of `evaluate`."""
    nb, view = opened
    trust = view.locator(".sw-trust")
    assert "Every choice of about 8 words is read" in trust.locator(".sw-trust-cost").inner_text()
    nb.shot("trust-before-light", view)
    # Two more maps, computed beside the one on show.
    view.get_by_role("button", name="Compare").click()
    picks = view.get_by_role("group", name="Maps to put side by side")
    for name in ("Occlusion", "Random"):
        button = picks.get_by_role("button", name=name, exact=True)
        if button.get_attribute("aria-pressed") == "false":
            button.click()
        view.locator(".sw-progress").wait_for(state="detached")
    for name in picks.locator("[aria-pressed=true]").all_inner_texts():
        if name not in ("Gradient", "Occlusion", "Random"):
            picks.get_by_role("button", name=name, exact=True).click()
    view.get_by_role("button", name="Compare").click()
    evaluated(view)
    names = judged(view)
    assert names[0] == "Gradient"
    assert {"Occlusion", "Random"} <= set(names)
    nb.code(EVALUATE)
    said = {
        (name, k): plain(line)
        for block, name in zip(trust.locator(".sw-judged").all(), names, strict=True)
        for k, line in enumerate(block.locator(".sw-judged-line > :last-child").all_inner_texts())
    }
    theirs = python(nb, "[[j.map, v.operators.index(j.operator), s] for j, s in zip(v.judgements, v.sentences)]")
    for name, k, sentence in theirs:
        assert said[name, k] == sentence
    warned = [plain(text).removeprefix("⚠ ") for text in trust.locator(".sw-warning").all_inner_texts()]
    assert set(python(nb, "list(v.warnings)")) <= set(warned)
    # A curve's points are Python's probabilities: the axis goes from 0 to 1 over 170 units.
    for k, operator in enumerate(("mask", "delete")):
        dots = trust.locator(".sw-curves").nth(k).locator(".sw-curve-0 circle")
        heights = [(180 - float(dot.get_attribute("cy"))) / 170 for dot in dots.all()]
        expected = python(
            nb,
            f"[float(__import__('math').exp(x)) for x in (v.floor('Washington', {operator!r}).whole, "
            f"*v.judgement('Gradient', operator={operator!r}).without)]",
        )
        assert heights == pytest.approx(expected, abs=2e-3)
    trust.get_by_text("All figures").click()
    figures = plain(trust.locator(".sw-trust-figures").inner_text())
    p = python(nb, "v.judgement('Occlusion').figure('deletion').p")
    assert f"p = {p:.3f}".replace("0.", ".") in figures
    trust.get_by_text("All figures").click()
    # The matrix leads to the maps.
    matrix = trust.locator(".sw-agreement")
    assert matrix.locator("tbody tr").count() == len(names)
    matrix.locator("tbody").get_by_role("button", name="Occlusion", exact=True).click()
    view.locator(".sw-method[aria-pressed=true]", has_text="Occlusion").wait_for()
    # No better than chance marks the method, for this target.
    marked = [plain(text) for text in view.locator(".sw-at-chance").all_inner_texts()]
    nb.shot("trust-marked-light", view.locator(".sw-header"))
    chance = python(nb, "[name for name in v.maps if v.is_chance(name)]")
    for name in ("Gradient", "Occlusion"):  # the button of the others is inside of "more"
        assert (name in marked) == (name in chance), name
    for _ in looks(nb, view, "trust"):
        # The mouse is on the drawer, where the lines above it are held: a narrower window lets go of them.
        assert view.locator(".sw-target-line").evaluate("e => e.scrollHeight <= e.clientHeight")


def test_the_drawer_is_worked_by_keys(desk: Any) -> None:
    """p opens it, Tab and Enter evaluate, and p closes it again; the answer is announced."""
    desk.begin(SHOW)
    view = run(desk)
    view.locator(".sw-column").first.focus()
    desk.page.keyboard.press("p")
    button = view.locator(".sw-trust").get_by_role("button", name="Evaluate")
    button.wait_for()
    button.focus()
    desk.page.keyboard.press("Enter")
    view.locator(".sw-judged").first.wait_for(timeout=120_000)
    view.locator(".sw-trust [role=status]", has_text="Evaluated.").wait_for(state="attached", timeout=120_000)
    view.locator(".sw-column").first.focus()
    desk.page.keyboard.press("p")
    view.locator(".sw-trust").wait_for(state="detached")


TINY = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.families import make
import saliency_widget as sw, json
from saliency_widget.evaluation.sanity import sanity
model = make("llama")
w = sw.show(model, "a cab. Bad dads add", target=" bed")
w"""
SANITY = """maps = [sw.attribute(model, "a cab. Bad dads add", target=" bed", method=m, progress=False)
        for m in ("saliency", "random")]
s = sanity(model, maps, shuffles=2, stages=3, targets=[0], progress=False)"""


def test_a_person_asks_whether_a_map_is_about_the_model(desk: Any) -> None:
    """The price first; one map by keys, the rest by the mouse; sentences and figures are those of `sanity`."""
    nb = desk
    nb.begin(TINY)
    view = run(nb)
    view.locator(".sw-column").first.click()
    view.locator(".sw-more").click()
    view.get_by_role("menuitemradio", name="Random").click()
    view.locator(".sw-more", has_text="Random").wait_for()
    view.locator(".sw-progress").wait_for(state="detached")
    view.get_by_role("button", name="Trust").click()
    fold = view.locator(".sw-sanity")
    fold.locator("summary").first.focus()
    nb.page.keyboard.press("Enter")
    fold.locator(".sw-checked").nth(1).wait_for()
    assert fold.locator(".sw-checked-head b").all_inner_texts() == ["Gradient", "Random"]
    for line in fold.locator(".sw-checked-head").all_inner_texts():
        assert "10 more maps, " in plain(line)
    assert "a copy of the weights takes" in fold.locator(".sw-sanity-cost").inner_text()
    nb.shot("sanity-before-light", view)
    fold.get_by_role("button", name="Check Random").focus()
    nb.page.keyboard.press("Enter")
    fold.get_by_text("does not notice the weights").wait_for(timeout=120_000)
    view.locator(".sw-progress").wait_for(state="detached")
    fold.get_by_role("button", name="Check Gradient").click()
    fold.locator("p", has_text="other spellings").nth(1).wait_for(timeout=120_000)
    view.locator(".sw-progress").wait_for(state="detached")
    nb.code(SANITY)
    for k, name in enumerate(("Gradient", "Random")):
        said = " ".join(
            plain(p).removeprefix("⚠ ") for p in fold.locator(".sw-checked").nth(k).locator("> p").all_inner_texts()
        )
        assert said.casefold() == python(nb, f"' '.join(s.said({name!r}))").casefold()
    fold.get_by_text("Figures").first.click()
    shown = fold.locator("table").first.locator("td:nth-of-type(1)").all_inner_texts()
    assert len(shown) == python(nb, "len([c for c in s.checks if c.map == 'Gradient'])")
    for _ in looks(nb, view, "sanity"):
        pass
