"""The main job: run the cells, hover a word, read what it says, and find the same numbers in Python."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from .conftest import READY

pytestmark = [pytest.mark.browser, pytest.mark.demo]

SHOW = (
    "import saliency_widget as sw, json\n"
    'w = sw.show("demo", "The first president of the United States was George", max_new_tokens=8)'
)
BY_HEART = SHOW.replace('"demo"', '"./by_heart"')  # the same words, and numbers that mean nothing
ROOT = Path(__file__).parents[2]
BUSY = "import os\nwhile os.path.exists('busy'):\n    for _ in range(10**6): pass"  # a file in the notebook's folder
BEGIN = """code => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({ code: `print('begun', flush=True)\n${code}` });
  window.ended = future.done.then(reply => reply.content.ename ?? '');
  return new Promise(begun => {
    future.onIOPub = message => message.header.msg_type === 'stream' && begun();
  });
}"""


def live(nb: Any) -> Any:
    return nb.page.locator(".jp-OutputArea-output .sw-live").first


def token(view: Any, index: int) -> Any:
    return view.locator(f".sw-token[data-position='{index}']")


def tip(view: Any) -> str:
    return view.get_by_role("tooltip").inner_text()


def share_in(text: str) -> float:
    return float(re.search(r"share (−?-?[\d.]+)", text)[1].replace("−", "-"))


def run(nb: Any, cells: int = 1) -> Any:
    """Run all cells, and wait until the map is whole."""
    nb.run_all(cells)
    assert nb.code("print(type(w.wait()).__name__)").strip() == "Attribution"
    view = live(nb)
    view.locator(".sw-column").first.wait_for()
    view.locator(".sw-progress").wait_for(state="detached")
    return view


def python(nb: Any, expression: str) -> Any:
    """The value of an expression in the kernel, as JSON."""
    return json.loads(nb.code(f"print(json.dumps({expression}))"))


def becomes(nb: Any, expression: str, value: Any) -> bool:
    """Return whether the expression has the value soon: what the page says and what a cell asks come by two ways.

    Until then it may have none at all: `w.value.target` of a value that is still to come.
    """
    deadline = time.monotonic() + 60
    while nb.code(f"print(json.dumps({expression}))").strip() != json.dumps(value):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def read_shares(view: Any, rows: int) -> list[float]:
    """Return the tooltips of the first rows, hovered as a person does."""
    shares = []
    for i in range(rows):
        token(view, i).hover()
        view.get_by_role("tooltip").wait_for()
        shares.append(share_in(tip(view)))
    return shares


def test_a_person_reads_the_map(first_notebook: Any) -> None:
    nb = first_notebook(SHOW)
    view = run(nb)
    # The first new word, and how probable it was.
    first = view.locator(".sw-column").first
    assert first.inner_text().strip() == "Washington"
    assert "p = .796" in view.locator(".sw-probability").inner_text()
    # Hovered, it shows its column: George and president stand out, and the numbers are Python's.
    first.hover()
    shares = python(nb, "w.attribution.normalized()[:9, 0].tolist()")
    assert read_shares(view, 9) == pytest.approx(shares, abs=5.1e-4)
    raw = python(nb, "float(w.attribution['George', 'Washington'])")
    token(view, 8).hover()
    said = tip(view)
    assert "rank 1 of 9" in said
    assert float(re.search(r"score ([\d.e−×⁻-]+)", said)[1]) == pytest.approx(raw, rel=5e-3)
    colours = [token(view, i).evaluate("e => getComputedStyle(e).backgroundColor") for i in range(9)]
    assert len(set(colours)) > 3
    assert "George .342" in view.locator(".sw-inputs").inner_text()
    # Another word, clicked: its column stays when the mouse is gone.
    view.locator(".sw-column").nth(4).click()
    nb.page.mouse.move(5, 5)
    assert view.locator(".sw-target-name").inner_text().strip() == "The"
    assert becomes(nb, "w.selection", 4)
    shares = python(nb, "w.attribution.normalized()[:13, 4].tolist()")
    assert read_shares(view, 9) == pytest.approx(shares[:9], abs=5.1e-4)
    # The same word by attention.
    view.get_by_role("button", name="Attention").click()
    view.get_by_text("share of the attention").wait_for()
    assert nb.code("print(w.wait().method)").strip() == "attention"
    shares = python(nb, "w.attribution.normalized()[:9, 4].tolist()")
    nb.page.mouse.move(5, 5)
    assert read_shares(view, 9) == pytest.approx(shares, abs=5.1e-4)
    # And back, at once: it was here already.
    view.get_by_role("button", name="Gradient").click()
    assert view.get_by_text("share of the gradient norm").is_visible()
    # Python may pin as well.
    nb.code("w.selection = 0")
    nb.page.mouse.move(5, 5)
    nb.page.wait_for_function("() => document.querySelector('.sw-target-name').textContent.trim() === 'Washington'")


HELD = """import json, os, time
import saliency_widget as sw
m = sw.load_model("demo")

def held(_module, ids, _embeddings):
    while ids[0].shape[-1] == 1 and os.path.exists("held"):  # a pass that writes on, after the first token
        time.sleep(0.05)

hook = m.model.get_input_embeddings().register_forward_hook(held)
w = sw.show(m, "The first president of the United States was George", max_new_tokens=8)"""


def test_the_first_word_has_colours_while_the_next_ones_are_written(notebook: Any) -> None:
    """The model cannot write its second token before the page shows what the first one owes to George."""
    nb = notebook(HELD)
    held = nb.file.parent / "held"
    held.touch()
    try:
        nb.run_all(1)
        view = live(nb)
        view.locator(".sw-token[data-position='8'][style*='background']").wait_for()
        assert "Writing" in view.locator(".sw-progress-text").inner_text()
        assert view.locator(".sw-column").count() == 1
        assert view.locator(".sw-text.sw-faded").count() == 0
        first = read_shares(view, 9)
    finally:
        held.unlink()
        # The kernel, and its demo model, serve the next tests too; under a map that is made no hook may go.
        ended = nb.code("try:\n    print(type(w.wait()).__name__)\nfinally:\n    hook.remove()").strip()
    assert ended == "Attribution"
    view.locator(".sw-progress").wait_for(state="detached")
    assert view.locator(".sw-column").count() == 8
    assert first == pytest.approx(python(nb, "w.attribution.normalized()[:9, 0].tolist()"), abs=5.1e-4)


def test_the_page_shows_what_attribute_gives(notebook: Any) -> None:
    """The matrix of the widget is the matrix of `attribute` for the same ids."""
    nb = notebook(BY_HEART)
    run(nb)
    same = nb.code(
        "import numpy as np\n"
        "a = w.attribution\n"
        "b = sw.attribute('./by_heart', 'The first president of the United States was George', max_new_tokens=8, "
        "progress=False)\n"
        "print(np.allclose(a.scores, b.scores, rtol=1e-3, equal_nan=True), a.rows == b.rows, a.cols == b.cols)"
    )
    assert same.strip() == "True True True"


def test_the_keyboard_alone_is_enough_and_stays_in_the_widget(notebook: Any) -> None:
    nb = notebook(BY_HEART, "after = 1")
    view = run(nb, 2)
    cells = nb.page.locator(".jp-Cell").count()
    view.locator(".sw-column").first.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        nb.page.keyboard.press(key)
    assert view.locator(".sw-target-name").inner_text().strip() == "."
    nb.page.keyboard.press("Enter")
    assert becomes(nb, "w.selection", 1)
    nb.page.keyboard.press("End")
    assert view.locator(".sw-target-name").inner_text().strip() == "of"
    nb.page.keyboard.press("Escape")
    assert view.locator(".sw-target-name").inner_text().strip() == "."
    for key in ("a", "b", "d", "d", "x", "m"):  # JupyterLab would insert, delete and cut cells
        nb.page.keyboard.press(key)
    assert nb.page.locator(".jp-Cell").count() == cells
    assert view.get_by_role("button", name="Matrix").get_attribute("aria-expanded") == "true"
    nb.page.wait_for_function("() => document.querySelector('.sw-layer [aria-live=polite]').textContent.includes('.')")


def test_the_matrix_says_the_same_and_pins_in_both_views(notebook: Any) -> None:
    nb = notebook(BY_HEART)
    view = run(nb)
    view.get_by_role("button", name="Matrix").click()
    canvas = view.locator("canvas").first
    canvas.wait_for()
    canvas.scroll_into_view_if_needed()
    nb.shot("matrix", view)
    seen = set()
    box = canvas.bounding_box()
    for x in range(20, int(box["width"]), 12):
        for y in range(20, int(box["height"]), 25):
            nb.page.mouse.move(box["x"] + x, box["y"] + y)
            if view.get_by_role("tooltip").is_visible():
                seen.add(re.sub(r"\s+", " ", tip(view)))
    george = [s for s in seen if "George" in s and "for Washington" in s.replace("\u2068", "").replace("\u2069", "")]
    share = python(nb, "float(w.attribution.normalized()[8, 0])")
    assert any(share_in(s) == pytest.approx(share, abs=5.1e-4) for s in george), sorted(seen)[:20]


def test_cancel_gets_through_while_another_cell_is_busy(notebook: Any) -> None:
    """The long run is real: 140 words on a CPU. The busy cell is real too: it never lets go of the main thread."""
    text, target = "The history of the world is long. " * 20, " It is" * 32
    nb = notebook(
        "import saliency_widget as sw, json\n"
        f'model = sw.load_model("demo")\nw = sw.show(model, {text!r}, target={target!r})'
    )
    nb.run_all(1)
    view = live(nb)
    view.locator(".sw-all").click()  # it takes long, so the whole answer came first
    view.get_by_text(re.compile(r"Gradient: [1-9]\d* of 64")).wait_for(timeout=60_000)
    busy = nb.lab.root / "busy"
    busy.touch()
    try:
        nb.page.evaluate(BEGIN, BUSY)
        view.get_by_role("button", name="Cancel").click()
        view.get_by_text(re.compile(r"Cancelled: \d+ of 64 columns are here")).wait_for(timeout=60_000)
    finally:
        busy.unlink()
    assert nb.page.evaluate("() => window.ended") == ""
    assert nb.code("print(type(w.error).__name__)").strip() == "Cancelled"
    done = python(nb, "w.attribution.scores.shape[1]")
    assert 0 < done < 64
    # What was done is there to look at; what was not, goes on when asked again.
    view.locator(".sw-column").first.hover()
    assert "p =" in tip(view)
    view.get_by_role("button", name="Attention").click()
    assert nb.code("print(w.wait().scores.shape[1])").strip() == "64"


def test_a_second_view_stays_in_step(notebook: Any) -> None:
    nb = notebook(BY_HEART, "w")
    run(nb, 2)
    views = nb.page.locator(".jp-OutputArea-output .sw-live")
    assert views.count() == 2
    one, two = views.nth(0), views.nth(1)
    one.locator(".sw-column").nth(2).click()
    nb.page.mouse.move(5, 5)
    assert two.locator(".sw-target-name").inner_text() == one.locator(".sw-target-name").inner_text()
    two.get_by_role("button", name="Attention").click()
    one.get_by_text("share of the attention").wait_for()
    # A new view of the output, as JupyterLab makes it.
    one.locator(".sw-text").click(button="right", position={"x": 5, "y": 5})
    nb.page.locator(".lm-Menu-itemLabel", has_text="Create New View for Cell Output").click()
    three = nb.page.locator(".jp-LinkedOutputView .sw-live")
    three.locator(".sw-column").first.wait_for()
    assert three.locator(".sw-target-name").inner_text() == one.locator(".sw-target-name").inner_text()


def test_a_widget_at_the_end_of_its_cell_is_shown_once(notebook: Any) -> None:
    nb = notebook(BY_HEART + "\nw", "for i in range(2):\n    display(w)")
    run(nb, 2)
    outputs = nb.page.locator(".jp-Cell").nth(0).locator(".sw-live")
    assert outputs.count() == 1
    assert nb.page.locator(".jp-Cell").nth(1).locator(".sw-live").count() == 2


def test_a_page_that_is_loaded_again_gets_everything_again(notebook: Any, tab: Any) -> None:
    nb = notebook(BY_HEART)
    tab.spent = True  # JupyterLab goes on to bring back what was open
    run(nb)
    view = live(nb)
    view.locator(".sw-column").first.hover()
    before = view.locator(".sw-inputs").inner_text()
    nb.command("docmanager:save", wait=True)
    nb.page.reload()
    nb.page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for()
    view = live(nb)
    view.locator(".sw-column").first.wait_for()
    view.locator(".sw-column").first.hover()
    assert view.locator(".sw-inputs").inner_text() == before
    assert "George" in before


def test_a_kernel_that_was_restarted_is_told_of(notebook: Any) -> None:
    """A method that cannot come is not shown as chosen; maps that are here are read; the cell brings all back."""
    nb = notebook(BY_HEART)
    view = run(nb)
    # JupyterLab itself complains of a kernel that goes.
    nb.expected.append("Connection lost|Could not restore the debugger state")
    nb.page.evaluate(
        "async () => { await window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart(); }"
    )
    nb.page.wait_for_function(READY)
    method = view.get_by_role("group", name="Method")
    method.get_by_role("button", name="Occlusion").click()
    view.get_by_role("alert").get_by_text("The kernel does not answer").wait_for()
    assert method.get_by_role("button", name="Gradient").get_attribute("aria-pressed") == "true"
    nb.page.mouse.move(5, 5)
    token(view, 3).hover()
    assert "share" in tip(view)
    nb.shot("restarted-light", view)
    view = run(nb)
    assert view.get_by_role("alert").count() == 0


def test_a_page_of_an_older_build_than_the_kernel_says_so(notebook: Any) -> None:
    """It gets no map that it could misread, and the sentence says what to do."""
    later = "from saliency_widget import protocol\nfrom saliency_widget.session import board, sender\n"
    nb = notebook(f"{later}board.PROTOCOL = sender.PROTOCOL = 99\n{SHOW}")
    try:
        nb.run_all(1)
        view = live(nb)
        view.get_by_role("status").get_by_text("reload the page and run the cell again").wait_for()
        assert "older build of saliency-widget than the kernel" in view.inner_text()
        assert view.locator(".sw-token").count() == 0
        nb.shot("older-page-light", view)
    finally:
        nb.code("board.PROTOCOL = sender.PROTOCOL = protocol.PROTOCOL; w.close()")


def test_two_widgets_share_a_model_and_mix_nothing(notebook: Any) -> None:
    nb = notebook(
        "import saliency_widget as sw, json\n"
        'one = sw.show("./by_heart", "The capital of France is", max_new_tokens=4)\n'
        'two = sw.show("./by_heart", "The first president of the United States was George", max_new_tokens=4)\n'
    )
    nb.run_all(1)
    assert nb.code("print(one.wait().model_name == two.wait().model_name)").strip() == "True"
    views = nb.page.locator(".jp-OutputArea-output .sw-live")
    for index, words in ((0, "France"), (1, "George")):
        text = views.nth(index).locator(".sw-text").inner_text()
        assert words in text
    shares = python(nb, "one.attribution.normalized()[:5, 0].tolist()")
    views.nth(0).locator(".sw-column").first.hover()
    assert read_shares(views.nth(0), 5) == pytest.approx(shares, abs=5.1e-4)
    # The passes of either are those of the one model in memory, which has a hook now.
    nb.code(
        "passes, so_far = [], []\n"
        "hook = sw.load_model('./by_heart').model.register_forward_pre_hook(lambda *_: passes.append(1))\n"
        "for w in (one, two):\n    w.ask('attention')\n    w.wait()\n    so_far.append(len(passes))\n"
        "hook.remove()"
    )
    of_one, of_both = python(nb, "so_far")
    assert 0 < of_one < of_both


def test_an_error_is_shown_in_the_widget_and_raised_by_wait(notebook: Any) -> None:
    nb = notebook(
        'import saliency_widget as sw\nw = sw.show("./not/there", "Hello")',
        "try: w.wait()\nexcept Exception as e: print(type(e).__name__, e.cure)",
    )
    nb.run_all(2)
    alert = live(nb).get_by_role("alert")
    alert.wait_for()
    assert "not/there" in alert.inner_text()
    printed = nb.page.locator(".jp-OutputArea-output").last.inner_text()
    assert printed.startswith("ModelNotFound")
    assert printed.removeprefix("ModelNotFound ").strip() in alert.inner_text()


def test_an_unknown_method_is_an_error_in_the_cell(notebook: Any) -> None:
    nb = notebook(
        "import saliency_widget as sw\n"
        'try: sw.show("demo", "Hello", method="salency")\nexcept ValueError as e: print(e)'
    )
    nb.run_all(1)
    assert "Did you mean saliency" in nb.page.locator(".jp-OutputArea-output").last.inner_text()


def test_interrupting_the_kernel_ends_the_wait_and_not_the_work(notebook: Any) -> None:
    """The work is held in the midst of a pass until the wait was interrupted, however long that takes; then goes on."""
    nb = notebook(
        "import saliency_widget as sw, json, threading\n"
        'model, begun, gate = sw.load_model("./by_heart"), threading.Event(), threading.Event()\n'
        "last = model.model.model.layers[-1]\n"
        "held = last.register_forward_pre_hook(lambda *_: begun.set() or gate.wait() and None)\n"
        'w = sw.show(model, "The history of the world is long.", target=" It is long.")'
    )
    nb.run_all(1)
    try:
        live(nb).locator(".sw-progress").wait_for()
        assert python(nb, "begun.wait(60)")
        nb.page.evaluate(BEGIN, "w.wait()")
        nb.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.interrupt()")
        assert nb.page.evaluate("() => window.ended") == "KeyboardInterrupt"
        assert python(nb, "[w.error, w.attribution]") == [None, None]
        nb.code("gate.set()")
        assert python(nb, "w.wait().scores.shape") == [11, 4]
    finally:
        nb.code("gate.set(); held.remove()")


def test_show_returns_at_once(notebook: Any) -> None:
    """With the model in memory, `show` returns before the map is computed.

    Hardly anything: some ten thousand lines of Python, most of them of the widgets beneath; a map takes millions.
    """
    nb = notebook(BY_HEART)
    run(nb)
    lines = nb.code(
        f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom tests.steps import lines_of\n"
        "print(lines_of(lambda: sw.show('./by_heart', 'Hello there'), ''))"
    )
    assert int(lines.split()[-1]) < 100_000, lines
