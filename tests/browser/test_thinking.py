"""A text with thinking: it is folded with its share, and a switch leads from the answer back through it."""

from __future__ import annotations

from typing import Any

import pytest

from .test_looks import TINY
from .test_newcomer import seen_by_all
from .test_quickstart import becomes, python, run, share_in, tip, token

pytestmark = [pytest.mark.browser, pytest.mark.demo]

# Of random weights: how the page shows it is looked at, not what the numbers are.
SHOW = """
import json, numpy as np
w = sw.show(
    (model, tokenizer),
    messages=[{"role": "user", "content": "Anna lives in Lisbon, Ben in Oslo. Where does Ben live?"}],
    target="<think>\\nBen is in Oslo.\\n</think>\\n\\nHe lives in Oslo.",
)"""

ASKED = range(25, 29)  # words of the question


def way(view: Any, name: str) -> Any:
    return view.get_by_role("group", name="The way to the answer").get_by_role("button", name=name)


def goes(nb: Any, view: Any, name: str, hop: int) -> None:
    """Press a way, and wait until Python and the page have its map."""
    way(view, name).click()
    nb.page.mouse.move(5, 5)
    assert becomes(nb, "w.attribution.settings.get('hop', 0)", hop)
    view.locator(".sw-progress").wait_for(state="detached")
    nb.page.wait_for_function("() => !document.querySelector('.sw-live .sw-text.sw-faded')")


def test_from_the_answer_back_through_the_thinking(desk: Any) -> None:
    """Folded with its share, and opened; each step has the numbers that Python has, and what is saved is that step."""
    nb = desk
    nb.page.emulate_media(reduced_motion="reduce")
    nb.begin(TINY + SHOW)
    view = run(nb)
    chip = view.locator(".sw-chip", has_text="thinking")
    assert chip.inner_text().startswith("thinking · ")
    begin = python(nb, "next(s.end for s in w.attribution.segments if s.kind == 'thinking')")
    first = python(nb, "len(w.attribution.rows) + 1 - len(w.attribution.cols)")
    at = begin + 5  # " Oslo", after two line breaks
    answer = token(view, at)
    assert answer.inner_text().strip() == "Oslo"
    answer.click()
    nb.page.mouse.move(5, 5)
    share = python(
        nb,
        "float(w.attribution.normalized()[[w.attribution.segments[t.segment].kind == 'thinking' for t in "
        f"w.attribution.rows], {at - first}].sum())",
    )
    assert f"{100 * share:.0f} %" in chip.inner_text()
    chip.click()
    assert view.locator(".sw-unfolded", has_text="fold thinking").count() == 1
    assert view.locator(".sw-token", has_text="Ben").count() >= 3
    view.locator(".sw-unfolded", has_text="fold thinking").click()
    for name, hop in (("through the thinking", 1), ("two steps back", 2)):
        goes(nb, view, name, hop)
        assert way(view, name).get_attribute("aria-pressed") == "true"
        own = python(
            nb, f"w.attribution.normalized()[:, [t.position for t in w.attribution.cols].index({at})].tolist()"
        )
        for row in ASKED:
            token(view, row).hover()
            assert share_in(tip(view)) == pytest.approx(own[row], abs=6e-4)
        nb.page.mouse.move(5, 5)
        assert "goes this way" in view.locator(".sw-notes").inner_text()
        if hop == 1:
            seen_by_all(nb, view, "thinking-step-1")
    # The step on show is saved with the notebook.
    nb.code("_ = w.wait()")  # which ends once the static map is in the output
    nb.command("docmanager:save", wait=True)
    assert becomes(nb, f"'through the thinking, step 2' in open({str(nb.file)!r}).read()", True)
    goes(nb, view, "direct", 0)
    view.locator(".sw-token.sw-pinned").click()  # as it was
