"""A run of 1,000 texts in its table: sorted, searched, clicked, read, and still there when the kernel is gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import saliency_widget as sw
from saliency_widget.batch import parts

from ..families import made
from .test_looks import axe
from .test_quickstart import python, share_in, tip

pytestmark = pytest.mark.browser

PROMPTS = [f"the {what} and the {other}" for what in ("cab", "dog", "bat", "den") for other in ("cat", "bed")]


def a_run_of_1000(folder: Path) -> None:
    """A few real maps of a tiny model, each under many ids: what is tested is the table."""
    sw.attribute_many(made("gpt2"), PROMPTS, out=folder, max_new_tokens=4, progress=False)
    (name,) = parts.part_names(folder)
    table = pq.read_table(folder / name)
    lines = table.to_pylist()
    random = np.random.default_rng(0)
    many = [
        {
            **lines[at % len(lines)], "id": f"text-{at:04d}", "place": len(lines) + at,
            "probability": random.uniform(size=len(lines[at % len(lines)]["target_ids"])).astype(np.float32),
        }
        for at in range(1000 - len(lines))
    ]  # fmt: skip
    parts.write(folder, parts.table_of(many, table.schema))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made_in = tmp_path_factory.mktemp("many") / "run"
    a_run_of_1000(made_in)
    return made_in


def test_a_run_of_1000_texts_is_sorted_searched_clicked_and_read(notebook: Any, tab: Any, folder: Path) -> None:
    """The most probable text is the one that Python finds; its map has Python's shares, also without a kernel."""
    nb = notebook(
        f"import saliency_widget as sw, json, numpy as np\nrun = sw.open_run({str(folder)!r})\nw = run.browse()\nw"
    )
    nb.run_all(1)
    table = nb.page.locator(".sw-run")
    table.get_by_text("1,000 texts").wait_for()
    rows = table.locator(".sw-run-rows [role=row]")
    rows.filter(has_text="the cab").first.wait_for()
    table.get_by_role("button", name="p", exact=True).click()
    nb.code("frame = run.to_dataframe().sort_values('probability', ascending=False)")
    best = python(nb, "frame['id'].iloc[:3].tolist()")
    rows.first.filter(has_text=best[0]).wait_for()
    assert [rows.nth(i).locator("[role=gridcell]").first.inner_text() for i in range(3)] == best
    # What is far down comes when it is looked at.
    table.get_by_role("grid").evaluate("e => { e.scrollTop = e.scrollHeight; }")
    table.get_by_role("gridcell", name=python(nb, "frame['id'].iloc[-1]"), exact=True).first.wait_for()
    table.get_by_role("grid").evaluate("e => { e.scrollTop = 0; }")
    rows.first.filter(has_text=best[0]).click()
    view = nb.page.locator(".sw-live")
    view.locator(".sw-body [data-position='1']").wait_for()
    view.locator(".sw-gradient").first.wait_for()
    assert python(nb, "run.ids[w.table.chosen]") == best[0]
    view.locator(".sw-column").first.click()  # whichever word is on show at first
    shares = python(nb, "np.nan_to_num(run[w.table.chosen].normalized()[:, 0]).tolist()")
    view.locator(".sw-body [data-position='1']").hover()
    view.get_by_role("tooltip").wait_for()
    assert share_in(tip(view)) == pytest.approx(shares[1], abs=1.1e-3)
    nb.page.mouse.move(5, 5)
    for theme in ("Light", "Dark"):
        nb.theme(f"JupyterLab {theme}")
        nb.shot(f"browse-{theme.lower()}")
        assert axe(nb, ".sw-run")["violations"] == []
    nb.theme("JupyterLab Light")
    nb.resize(700)
    nb.shot("browse-700-light")
    nb.resize(1400)
    # Without the kernel, what is there can be read.
    tab.spent = True
    nb.expected += ["Connection lost", "Canceled future"]  # what JupyterLab itself has to say of a kernel that goes
    nb.page.evaluate("async () => { await window.jupyterapp.shell.currentWidget.sessionContext.shutdown(); }")
    view.locator(".sw-body [data-position='2']").hover()
    view.get_by_role("tooltip").wait_for()
    assert share_in(tip(view)) == pytest.approx(shares[2], abs=1.1e-3)
    assert rows.first.locator("[role=gridcell]").first.inner_text() == best[0]


def test_a_search_finds_texts_and_the_keyboard_opens_one(notebook: Any, folder: Path) -> None:
    """Words in any place; the arrows and Enter open the second text that is found."""
    nb = notebook(
        f"import saliency_widget as sw, json, numpy as np\nrun = sw.open_run({str(folder)!r})\nw = run.browse()\nw"
    )
    nb.run_all(1)
    table = nb.page.locator(".sw-run")
    table.get_by_role("searchbox").fill("bed den")
    table.get_by_text("of 1,000 texts").wait_for()
    found = python(nb, "run.to_dataframe().query('prompt == \"the den and the bed\"')['id'].tolist()")
    table.get_by_text(f"{len(found)} of 1,000 texts").wait_for()
    table.get_by_role("grid").focus()
    nb.page.keyboard.press("ArrowDown")
    nb.page.keyboard.press("Enter")
    nb.page.locator(".sw-live .sw-body [data-position='1']").wait_for()
    assert python(nb, "run.ids[w.table.chosen]") == found[1]
