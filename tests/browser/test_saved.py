"""A saved notebook without a kernel shows the map, which can be hovered if trusted, and read if not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import nbformat
import pytest

from .test_quickstart import BY_HEART, SHOW, live, python, run

pytestmark = [pytest.mark.browser, pytest.mark.demo]


def save_and_shut(nb: Any, *, trusted: bool, with_state: bool = False) -> None:
    """Save, end the kernel, and open the file again without one. `trusted`: whether the notebook is trusted.

    With saved state the notebook gets a fresh kernel: only then JupyterLab revives the widget.
    """
    nb.command("docmanager:save", wait=True)
    # JupyterLab's own words about a kernel that is not there, and requests that leaving the page cuts off.
    nb.expected += ["/api/", "widget model not found", "debugger state", "Failed to load model class", "No exact match"]
    nb.page.goto("about:blank")
    nb.end()
    document = json.loads(nb.file.read_text())
    assert ("widgets" in document["metadata"]) == with_state, "widget state is not saved by default"
    if not with_state:  # reopening must not bring a kernel to life
        document["metadata"] = {"kernelspec": {"name": "none", "display_name": "none", "language": "none"}}
    if not trusted:
        document["cells"][0]["source"] += "\n# changed by somebody else, so no longer signed"
    nb.file.write_text(json.dumps(document))
    if trusted:
        nb.lab.jupyter("trust", str(nb.file))
    nb.open(kernel=with_state)
    if not with_state:
        nb.page.locator(".jp-Dialog").get_by_role("button", name="No Kernel").click()


def static(nb: Any) -> Any:
    return nb.page.locator(".sw-static-map").first


def above(page: Any) -> tuple[str, float]:
    """Return the text and the height of the widget's own output without a widget."""
    output = page.locator(".jp-OutputArea-child").first
    return output.inner_text().strip(), output.evaluate("e => e.getBoundingClientRect().height")


def test_the_static_map_is_hidden_while_the_widget_lives(notebook: Any) -> None:
    """The static map is hidden beside the live widget, and its first target is the pinned one."""
    nb = notebook(BY_HEART)
    view = run(nb)
    static(nb).wait_for(state="attached")
    assert not static(nb).is_visible()
    word = view.locator(".sw-column").nth(2)
    word.click()
    nb.page.wait_for_function(
        "word => document.querySelector('.sw-static-map .sw-caption strong')?.textContent === word",
        arg=word.inner_text().strip(),
    )
    assert not static(nb).is_visible()


def test_what_is_cleared_away_is_forgotten(notebook: Any) -> None:
    """Neither the live map nor the static one stays in memory after its output is cleared."""
    nb = notebook(BY_HEART)
    run(nb)
    nb.page.locator(".sw-static-map[data-sw-ready]").wait_for(state="attached")
    nb.page.evaluate(
        "() => { window.were = ['.sw-live', '.sw-static-map'].map(q => new WeakRef(document.querySelector(q))); }"
    )
    nb.code("w.close()")
    nb.command("notebook:clear-all-cell-outputs", wait=True)
    nb.page.locator(".jp-OutputArea-output").wait_for(state="detached")
    cdp = nb.page.context.new_cdp_session(nb.page)
    for _ in range(20):
        cdp.send("HeapProfiler.collectGarbage")
        kept = nb.page.evaluate("() => window.were.map(ref => ref.deref()?.className ?? null)")
        if kept == [None, None]:
            return
        nb.page.wait_for_timeout(250)  # what lets go last does so in its own time
    pytest.fail(f"still held: {kept}")


def test_a_trusted_notebook_shows_a_map_that_can_be_hovered(notebook: Any) -> None:
    nb = notebook(SHOW)
    run(nb)
    shares = python(nb, "w.attribution.normalized().tolist()")
    save_and_shut(nb, trusted=True)
    page = static(nb)
    page.wait_for()
    assert nb.page.get_by_text("model not found").locator("visible=true").count() == 0
    tokens = page.locator(".sw-token")
    assert tokens.count() == 17
    assert "George" in page.inner_text()
    assert "share .342" in tokens.nth(8).get_attribute("title")
    before = tokens.nth(0).evaluate("e => getComputedStyle(e).backgroundColor")
    tokens.nth(13).hover()  # the second "The": its own column
    nb.page.wait_for_function(
        "before => getComputedStyle(document.querySelector('.sw-static-map .sw-token')).backgroundColor !== before",
        arg=before,
    )
    title = tokens.nth(0).get_attribute("title")
    assert float(re.search(r"share (\.\d+)", title)[1]) == pytest.approx(shares[0][4], abs=5.1e-4)
    nb.shot("saved-trusted-light", page)
    nb.theme("JupyterLab Dark")
    nb.shot("saved-trusted-dark", page)
    nb.theme("JupyterLab Light")


def test_an_untrusted_notebook_shows_a_map_that_can_be_read(notebook: Any) -> None:
    nb = notebook(SHOW)
    run(nb)
    save_and_shut(nb, trusted=False)
    page = static(nb)
    page.wait_for()
    tokens = page.locator(".sw-token")
    assert tokens.count() == 17
    assert "share .342" in tokens.nth(8).get_attribute("title")
    colours = tokens.evaluate_all("all => all.map(e => e.style.backgroundColor)")
    assert len(set(colours)) > 4
    assert nb.page.locator(".sw-static script").count() == 0
    nb.shot("saved-untrusted-light")
    said, height = above(nb.page)
    assert said == ""
    assert height < 5


def test_nbconvert_gives_a_page_with_the_map(lab: Any, chromium: Any, tmp_path: Any) -> None:
    """nbconvert writes a page with the map, which opens from the disk without a server or network."""
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(SHOW + "\nw.wait();")]
    nbformat.write(notebook, tmp_path / "n.ipynb")
    subprocess.run(
        [
            sys.executable, "-m", "nbconvert", "--to", "html", "--execute", "--ExecutePreprocessor.timeout=120",
            "--ExecutePreprocessor.store_widget_state=False", str(tmp_path / "n.ipynb"),
        ],
        env=lab.env, check=True, capture_output=True,
    )  # fmt: skip
    page = chromium.new_page()
    page.route(re.compile("^https?:"), lambda route: route.abort())
    page.goto(f"file://{tmp_path / 'n.html'}")
    tokens = page.locator(".sw-static-map .sw-token")
    assert tokens.count() == 17
    assert tokens.nth(8).is_visible()
    assert "share .342" in tokens.nth(8).get_attribute("title")
    assert above(page) == ("", 0)
    page.close()


def test_an_attribution_alone_shows_itself(notebook: Any) -> None:
    """An Attribution displays the same static map without a widget."""
    nb = notebook(
        "import saliency_widget as sw\nscores = [[1, .2], [3, -.5]]\n"
        "a = sw.Attribution.from_scores(scores, ['</script><b>x', ' y'], [' one', ' two'], method='mine')\na"
    )
    nb.run_all(1)
    page = static(nb)
    page.wait_for()
    assert "</script><b>x" in page.locator(".sw-token").first.inner_text()
    assert page.locator("b", has_text="x").count() == 0
    assert live(nb).count() == 0


def test_a_notebook_that_saves_widget_state_shows_the_static_map_too(notebook: Any, lab: Any, tab: Any) -> None:
    """With the setting on, JupyterLab revives the widget beside a fresh kernel, empty: the static map is shown."""
    setting = lab.home / "settings" / "@jupyter-widgets" / "jupyterlab-manager" / "plugin.jupyterlab-settings"
    setting.parent.mkdir(parents=True, exist_ok=True)
    setting.write_text('{"saveState": true}')
    tab.page.goto("about:blank")  # JupyterLab reads its settings when it is loaded
    try:
        nb = notebook(BY_HEART)
        run(nb)
        save_and_shut(nb, trusted=True, with_state=True)
        static(nb).wait_for()
        nb.page.get_by_text("The kernel does not answer").wait_for()
        static(nb).locator(".sw-token").nth(13).hover()
        assert static(nb).is_visible()
        nb.shot("saved-with-state-light")
    finally:
        setting.unlink()
        tab.page.goto("about:blank")
