from typing import Any

import pytest

from .test_quickstart import live

pytestmark = [pytest.mark.browser]
VIS = "() => [...document.querySelectorAll('.sw-static-map')].map(e => [!!e.offsetParent, e.closest('.jp-LinkedOutputView') !== null])"


def test_views(notebook: Any) -> None:
    nb = notebook(
        "import saliency_widget as sw\nfrom IPython.display import display\nimport warnings\n"
        "a = sw.Attribution.from_scores([[1, .2], [3, .5]], ['a', ' y'], [' one', ' two'], method='mine')\n"
        "w = sw.show('demo', 'The first president of the United States was George', max_new_tokens=4)\ndisplay(a)\ndisplay(w)\n"
    )
    nb.run_all(1)
    print(nb.code("print(type(w.wait()).__name__)", 100_000))
    live(nb).first.wait_for()
    nb.page.wait_for_timeout(1500)
    print("cell", nb.page.evaluate(VIS), nb.page.locator(".sw-live").count())
    print(
        nb.page.evaluate(
            "() => [...document.querySelectorAll('.jp-OutputArea-child')].map(e => (e.querySelector('.sw-live')?'live ':'')+(e.querySelector('.sw-static')?'static':''))"
        )
    )
    nb.page.locator(".jp-OutputArea-output").first.click(button="right", position={"x": 5, "y": 5})
    nb.page.locator(".lm-Menu-itemLabel", has_text="Create New View for Cell Output").click()
    nb.page.locator(".jp-LinkedOutputView .sw-live").first.wait_for()
    nb.page.wait_for_timeout(1000)
    print("linked", nb.page.evaluate(VIS), nb.page.locator(".jp-LinkedOutputView .sw-live").count())
    nb.shot("tmp-linked")


def test_go_on(notebook: Any) -> None:
    text = "The history of the world is long. " * 20
    nb = notebook(f"import saliency_widget as sw\nw = sw.show('demo', {text!r}, max_new_tokens=24)")
    nb.run_all(1)
    v = live(nb)
    nb.page.wait_for_function(
        "() => /Gradient: ([1-9]|1[0-9]) of/.test(document.querySelector('.sw-progress-text')?.textContent)",
        timeout=100_000,
    )
    v.get_by_role("button", name="Cancel").click()
    v.get_by_text("Cancelled").wait_for()
    print(v.locator(".sw-note").inner_text())
    v.get_by_role("button", name="Go on").click()
    v.locator(".sw-go-on").wait_for(state="detached")
    v.locator(".sw-progress").wait_for(timeout=20_000)
    print(v.locator(".sw-progress-text").inner_text())
    v.locator(".sw-progress").wait_for(state="detached", timeout=100_000)
    print(repr(v.locator(".sw-foot").inner_text()))
