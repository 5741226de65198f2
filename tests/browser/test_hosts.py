"""The other hosts: Jupyter Notebook, marimo, a converted page, and pages that allow next to nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from saliency_widget import Attribution

from .conftest import Tab, notebooks_in
from .hosts import LOADED, Marimo, Notebook7, Site, hover_and_pin, hover_the_static_map, visit, whole
from .test_quickstart import becomes, live

pytestmark = pytest.mark.browser

SHOW = 'w = sw.show("demo", "The first president of the United States was", max_new_tokens=8)'
CELL = f"import saliency_widget as sw, json\n{SHOW}"
WORDS = 8

# ── Jupyter Notebook 7 ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def notebook7(tmp_path_factory: pytest.TempPathFactory) -> Any:
    server = Notebook7(tmp_path_factory.mktemp("home7"), tmp_path_factory.mktemp("root7"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def page_of_notebook7(notebook7: Notebook7, chromium: Any, request: pytest.FixtureRequest) -> Any:
    """Like `notebook`, in Notebook 7."""
    tab = Tab(chromium)
    yield from notebooks_in(notebook7, tab, request.node.name)
    tab.close()


@pytest.mark.demo
def test_notebook_7_shows_a_living_map_and_a_saved_notebook_converts_to_a_page_that_can_be_hovered(
    page_of_notebook7: Any, chromium: Any
) -> None:
    """A cell run by hand in Notebook 7 shows a map; a hovered word shows its column, a clicked one is Python's.

    Saved and converted by nbconvert as it is, the file opens without a network and its map can be hovered.
    """
    nb = page_of_notebook7(CELL)
    nb.expected += Notebook7.noise
    nb.page.locator(".jp-CodeCell .cm-content").first.click()
    nb.page.keyboard.press("Shift+Enter")
    view = live(nb)
    whole(view, WORDS)
    hover_and_pin(view, nb.page, 3)
    assert becomes(nb, "w.selection", 3)
    nb.code("w.selection = 5")
    expect(view.locator(".sw-target-name")).to_have_text(view.locator(".sw-column").nth(5).inner_text().strip())
    nb.page.locator(".sw-static-map").wait_for(state="attached")
    assert not nb.page.locator(".sw-static-map").is_visible(), "what is kept for a saved notebook is not shown twice"
    nb.shot("notebook-7")
    nb.code("w.selection = None\nw.wait()")
    nb.command("docmanager:save", wait=True)
    subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to", "html", str(nb.file)],
        env=nb.lab.env, check=True, capture_output=True,
    )  # fmt: skip
    with visit(chromium) as seen:
        seen.page.route(re.compile("^https?:"), lambda route: route.abort())
        seen.page.goto(nb.file.with_suffix(".html").as_uri(), wait_until="domcontentloaded")
        hover_the_static_map(seen.page, 3)
        assert seen.page.get_by_text("Error displaying widget").locator("visible=true").count() == 0


# ── marimo ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.demo
def test_marimo_shows_a_living_map_to_who_writes_the_notebook(chromium: Any, tmp_path: Path) -> None:
    """In `marimo edit` the map appears once, is hovered and pinned, and another cell, run again, says what is."""
    marimo = Marimo(tmp_path, f"import saliency_widget as sw\n{SHOW}\nw", "f'pinned: {w.selection}'")
    with marimo.running("edit") as url, visit(chromium) as seen:
        seen.page.goto(url)
        seen.page.locator(".cm-content").first.click()
        seen.page.keyboard.press("Control+Shift+R")  # run what was not run
        view = seen.page.locator(".sw-live")
        whole(view, WORDS)
        assert view.count() == 1
        expect(seen.page.get_by_text("pinned: None")).to_be_visible()
        hover_and_pin(view, seen.page, 3)
        seen.page.locator(".cm-content").nth(1).click()
        seen.page.keyboard.press("Control+Enter")
        expect(seen.page.get_by_text("pinned: 3")).to_be_visible()
        assert seen.unlike(*Marimo.noise) == []
        assert seen.elsewhere(url) == []


@pytest.mark.demo
def test_marimo_apps_follow_what_is_pinned_and_show_a_result_that_can_be_hovered(chromium: Any, tmp_path: Path) -> None:
    """In `marimo run` two maps live beside each other, and a cell that reads the pinned column runs when it changes.

    The value of a cell that ends with `w.wait()` is the static map, in a frame of marimo's, and can be hovered.
    """
    marimo = Marimo(
        tmp_path,
        "import marimo as mo\nimport saliency_widget as sw",
        SHOW,
        'u = mo.ui.anywidget(sw.show("demo", "The capital of France is", max_new_tokens=4))\nu',
        "f'pinned: {u.selection}'",
        "w.wait()",
    )
    with marimo.running("run") as url, visit(chromium) as seen:
        seen.page.goto(url)
        views = seen.page.locator(".sw-live")
        views.nth(1).wait_for(timeout=LOADED)
        one, two = views.nth(0), views.nth(1)
        whole(one, WORDS)
        whole(two, 4)
        assert views.count() == 2
        resting = one.locator(".sw-target-name").inner_text()
        hover_and_pin(two, seen.page, 1)
        expect(seen.page.get_by_text("pinned: 1")).to_be_visible()
        assert one.locator(".sw-target-name").inner_text() == resting, "each map has a pin of its own"
        frame = seen.page.frame_locator("iframe")
        frame.locator(".sw-static-map").wait_for(timeout=LOADED)
        hover_the_static_map(frame, 3)
        assert seen.unlike(*Marimo.noise) == []
        assert seen.elsewhere(url) == []


# ── pages that allow little ───────────────────────────────────────────────────────────────────────────────────────────

BLOCKED = "Content Security Policy"


@pytest.fixture(scope="module")
def exported() -> str:
    """A map with everything in it that a page could trip over."""
    a = Attribution.from_scores(
        [[3, 0.1], [1, 0.2], [4, -0.5]], ["The", " capital", " </script><b>x"], [" Paris", " 我"], method="mine"
    )
    return replace(a, step_scores={"probability": np.array([0.625, 0.25], np.float32)}).to_html(col=0)


def reads(page: Any) -> None:
    """Whatever else is forbidden: the text, the target with its probability, and every number in the table."""
    shown = page.locator(".sw-static-map")
    said = ("The capital", "</script><b>x", "Paris", "我", "p = .625", "x .500 · The .375 · capital .125")
    for words in said:
        expect(shown).to_contain_text(words)  # in which Playwright takes any space for a space
    assert all(box.is_visible() for box in page.locator(".sw-token").all())
    assert page.locator("b").count() == 0, "text is text"
    titles = [box.get_attribute("title") for box in page.locator(".sw-token").all()[:3]]
    assert [title.split(" · ", 1)[1] for title in titles] == [
        "share .375 · rank 2 of 3", "share .125 · rank 3 of 3", "share .500 · rank 1 of 3",
    ]  # fmt: skip
    page.locator("summary").click()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_be_visible()
    expect(rows.nth(1)).to_contain_text(".250")


def test_an_export_alone_can_be_hovered(chromium: Any, exported: str) -> None:
    """Served as a page of its own, an export can be hovered, says nothing to the console, and asks for nothing else."""
    with Site(exported, {}).running() as site, visit(chromium) as seen:
        seen.page.goto(site.url)
        hover_the_static_map(seen.page, 1)
        seen.page.mouse.move(5, 500)
        reads(seen.page)
        assert seen.problems == []
        assert seen.requests == [site.url]
        assert set(site.asked) <= {"/", "/favicon.ico"}


def test_an_export_reads_where_scripts_are_forbidden(chromium: Any, exported: str) -> None:
    """Without scripts a page still has text, colours, titles and numbers, and only the script is complained of."""
    policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    with Site(exported, policy).running() as site, visit(chromium) as seen:
        seen.page.goto(site.url)
        reads(seen.page)
        colours = seen.page.locator(".sw-token").evaluate_all(
            "all => all.map(e => getComputedStyle(e).backgroundColor)"
        )
        assert len(set(colours[:3])) == 3
        assert seen.page.locator(".sw-token").nth(3).evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
        assert seen.page.locator("[data-sw-ready]").count() == 0, "no script ran"
        assert len(seen.problems) == 1
        assert BLOCKED in seen.problems[0]
        assert "inline script" in seen.problems[0]
        assert seen.requests == [site.url]
        assert set(site.asked) <= {"/", "/favicon.ico"}


def test_an_export_reads_where_styles_are_forbidden_too(chromium: Any, exported: str) -> None:
    """On a page with neither scripts nor styles, the text and the numbers can still be read."""
    with Site(exported, {"Content-Security-Policy": "default-src 'none'"}).running() as site, visit(chromium) as seen:
        seen.page.goto(site.url)
        reads(seen.page)
        colours = seen.page.locator(".sw-token").evaluate_all(
            "all => all.map(e => getComputedStyle(e).backgroundColor)"
        )
        assert set(colours) == {"rgba(0, 0, 0, 0)"}, "no style was applied"
        assert seen.unlike(BLOCKED) == []
        assert seen.requests == [site.url]
        assert set(site.asked) <= {"/", "/favicon.ico"}
