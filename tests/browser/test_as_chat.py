"""A question that the model ends at once: the widget says how it was read, and asks it as a chat by keys alone."""

from __future__ import annotations

from typing import Any

import pytest

from .test_keyboard import FOCUS
from .test_looks import axe, axe_finds_nothing_in_both_themes
from .test_quickstart import python, run

pytestmark = [pytest.mark.browser, pytest.mark.demo]

TEXT = "What is the capital of France?"
OFFER = "ask it as a chat"


def show(**more: Any) -> str:
    options = "".join(f", {name}={value!r}" for name, value in more.items())
    return f'import saliency_widget as sw, json\nw = sw.show("demo", {TEXT!r}, max_new_tokens=12{options})'


def tab_to(nb: Any, text: str) -> None:
    for _ in range(60):
        nb.page.keyboard.press("Tab")
        if nb.page.evaluate(FOCUS) == text:
            return
    pytest.fail(f"{text!r} cannot be tabbed to")


def by_key(nb: Any, view: Any, key: str) -> None:
    """From the top of the notebook to the offer, and take it; until the chat is on show."""
    nb.page.locator(".jp-Cell").first.focus()
    tab_to(nb, OFFER)
    nb.page.keyboard.press(key)
    view.locator(".sw-trail button").nth(1).wait_for()
    view.locator(".sw-column").nth(3).wait_for()


def test_a_question_is_asked_again_as_a_chat_without_a_mouse(desk: Any) -> None:
    """Same method, objective and length; the ids are those that `messages=` gives; b leads back, and axe is content.

    Enter takes the offer, and so does Space.
    """
    nb = desk
    nb.begin(show(method="input_x_gradient", objective="logit"))
    view = run(nb)
    assert python(nb, "[t.text for t in w.attribution.cols]") == ["<|im_end|>"]
    line = view.locator(".sw-as-chat")
    assert line.inner_text() == "Read as plain text · ask it as a chat"
    aloud = view.locator("[role=status]").all_text_contents()
    assert "Read as plain text. You can ask it as a chat." in aloud
    axe_finds_nothing_in_both_themes(nb, view, "as-chat-offered")
    by_key(nb, view, "Enter")
    nb.code(
        "a = w.wait()\nb = sw.attribute('demo', messages=[{'role': 'user', 'content': "
        f"{TEXT!r}}}], max_new_tokens=12, method='input_x_gradient', objective='logit', progress=False)"
    )
    assert (
        python(nb, "[a.rows == b.rows, a.cols == b.cols, a.method == b.method, a.objective == b.objective]")
        == [True] * 4
    )
    view.locator(".sw-progress").wait_for(state="detached")
    assert line.count() == 1
    assert not line.is_visible()
    assert view.locator(".sw-trail button").all_inner_texts()[1] == "as a chat"
    first = python(nb, "a.cols[0].text.strip()")
    view.locator(".sw-column:focus", has_text=first).wait_for()  # the button is gone, and the focus is in the widget
    assert axe(nb)["violations"] == []
    nb.shot("as-chat-asked-light", view)
    nb.page.keyboard.press("b")
    line.wait_for()
    assert python(nb, "[t.text for t in w.wait().cols]") == ["<|im_end|>"]
    by_key(nb, view, "Space")
    assert python(nb, "w.wait().cols == b.cols")


def test_nothing_is_offered_of_a_text_that_the_model_goes_on_with(desk: Any) -> None:
    nb = desk
    nb.begin('w = sw.show("demo", "The capital of France is", max_new_tokens=6)')
    view = run(nb)
    assert not view.locator(".sw-as-chat").is_visible()
