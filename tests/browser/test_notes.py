"""Notes on the numbers of a map are shown below the colours for the target on show; axe finds nothing."""

from __future__ import annotations

from typing import Any

import pytest

from .test_looks import axe_finds_nothing_in_both_themes
from .test_quickstart import ROOT, python, run

pytestmark = pytest.mark.browser

# A model that is certain of its second target, beyond its precision: nothing that was read moves that.
CERTAIN = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.unit.test_notes import IDS, certain_of_the_second
import saliency_widget as sw, json
w = sw.show(certain_of_the_second(), **IDS, method="integrated_gradients")
w"""


def test_what_is_to_be_said_of_a_column_stands_below_it_and_below_no_other(desk: Any) -> None:
    """The notes are those of the static map: one on the whole map, and one on the column that is zero."""
    nb = desk
    nb.begin(CERTAIN)
    view = run(nb)
    nb.code("from saliency_widget.export.notes import notes")
    whole, zero = python(nb, "[note.text for note in notes(w.attribution)]")
    assert python(nb, f"[{whole!r} in w.attribution.to_html(), {zero!r} in w.attribution.to_html()]") == [True, True]
    said = view.locator(".sw-notes > div")
    said.first.wait_for()
    view.locator(".sw-column").first.hover()
    assert said.all_inner_texts() == [whole]
    view.locator(".sw-column").nth(1).hover()
    assert said.all_inner_texts() == [whole, zero]
    assert "This column has no shares" in view.locator(".sw-legend").inner_text()
    nb.page.get_by_role("status").filter(has_text=zero).wait_for()
    view.locator(".sw-column").nth(1).click()
    nb.page.mouse.move(5, 5)
    axe_finds_nothing_in_both_themes(nb, view, "notes")
    view.locator(".sw-column").first.hover()
    assert said.all_inner_texts() == [whole]
