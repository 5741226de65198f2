"""The map of a model behind a server: a person asks, stops, goes on, and reads a map that says what is noise."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest

from ..servers import KEY
from ..unit.test_black_box import LABELS, first_tokens, ruled
from ..unit.test_remote import scores_of
from .conftest import LOOKS
from .test_classifiers import look
from .test_looks import axe
from .test_quickstart import becomes, live, python, read_shares, share_in, tip, token
from .test_saved import save_and_shut, static

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..unit.test_black_box import Ruled

pytestmark = [pytest.mark.browser]

TEXT = "A good film, not bad at all: the acting is good, and the ending is not bad."
N = 21  # words and marks
REQUESTS = N + 3
SHOW = """import saliency_widget as sw, json
client = sw.OpenAIClient("tiny-chat", base_url={url!r}, api_key={key!r}, max_retries=0)
w = sw.show(client, {text!r}, labels={labels!r}, method="occlusion")"""
BACKGROUND = "e => getComputedStyle(e).backgroundColor"
HELD = 8  # requests that are answered before the server holds its breath


class Gate:
    """Lets the first requests pass, and the others when it is opened."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.full = threading.Event()

    def __call__(self, count: int) -> None:
        if count > HELD:
            self.full.set()
            assert self.open.wait(300)


@pytest.fixture
def gated() -> Iterator[tuple[Ruled, Gate]]:
    """A server that answers the whole text differently each time: the log-odds lie .12 apart."""
    gate, turns = Gate(), cycle([0.0, 0.12, 0.06])

    def rule(text: str) -> list[tuple[str, float]]:
        shift = next(turns) if text == TEXT else 0.06
        return [(word, logprob + shift * ("os" in word)) for word, logprob in first_tokens(text)]

    with ruled(rule, gate) as server:
        try:
            yield server, gate
        finally:
            gate.open.set()


def begun(notebook: Any, server: Ruled) -> tuple[Any, Any]:
    nb = notebook(SHOW.format(url=server.url, key=KEY, text=TEXT, labels=LABELS))
    nb.run_all(1)
    view = live(nb)
    view.locator(".sw-text .sw-token").first.wait_for()
    return nb, view


def button(view: Any, name: str) -> Any:
    return view.get_by_role("button", name=name, exact=True)


def test_a_servers_map_is_asked_for_stopped_and_read(notebook: Any, gated: Any) -> None:
    server, gate = gated
    nb, view = begun(notebook, server)
    # The text is there at once, and what all of it will cost.
    assert "".join(view.locator(".sw-text .sw-token").all_text_contents()) == TEXT.replace(" ", "")
    assert gate.full.wait(300)
    told = view.get_by_text(re.compile(rf"Occlusion: {HELD} of {REQUESTS} requests, about {11 * REQUESTS} tokens"))
    told.wait_for()
    nb.page.mouse.move(5, 5)
    nb.shot("server-map-progress-light", view)
    # Cancel ends within a second, although the server does not answer; what was answered is kept.
    clicked = time.monotonic()
    button(view, "Cancel").click()
    kept = view.get_by_text(f"Cancelled: the answers to {HELD} of {REQUESTS} requests are kept.")
    kept.wait_for()
    assert time.monotonic() - clicked < 60, "the page waits for no answer: the server gives none for 300 s"
    view.get_by_text("This column was not computed.").wait_for()
    assert becomes(nb, "[type(w.error).__name__, w.attribution]", ["Cancelled", None])
    nb.shot("server-map-cancelled-light", view)
    # Go on asks the rest, and nothing a second time.
    button(view, "Go on").click()
    gate.open.set()
    assert nb.code("print(type(w.wait()).__name__)").strip() == "Attribution"
    view.locator(".sw-progress").wait_for(state="detached")
    counts = Counter(server.asked)
    assert counts.pop(TEXT) == 3
    assert set(counts.values()) == {1}
    # The map: its numbers are Python's, which are those of the rule.
    view.locator(".sw-legend .sw-scale").wait_for()
    shares = python(nb, "w.attribution.normalized()[:, 0].tolist()")
    assert read_shares(view, N) == pytest.approx(shares, abs=5.1e-4)
    texts = python(nb, "[row.text.strip() for row in w.attribution.rows]")
    raw = python(nb, "w.attribution.scores[:, 0].tolist()")
    assert raw[texts.index("good")] == pytest.approx(1.5, abs=0.02)
    classes = view.locator(".sw-class").all_inner_texts()
    probabilities = python(nb, "w.attribution.step_scores['probability'].tolist()")
    for text, label, p in zip(classes, LABELS, probabilities, strict=True):
        assert label in text
        assert f"{p:.3f}".removeprefix("0") in text
    # What is below the floor has no colour, and the legend says where that is.
    floor = python(nb, "w.attribution.diagnostics['noise_floor'][0]")
    assert floor == pytest.approx(0.12, abs=0.01)
    nb.page.mouse.move(5, 5)
    share = floor / sum(map(abs, raw))
    assert view.locator(".sw-floor").inner_text() == f"below {share:.3f} is noise".replace(" 0.", " .")
    assert view.locator(".sw-legend .sw-floor-tick").count() == 2
    colours = [token(view, at).evaluate(BACKGROUND) for at in range(N)]
    plain = colours[texts.index("film")]  # it adds .0625
    for text, score, colour in zip(texts, raw, colours, strict=True):
        assert (colour == plain) == (abs(score) < floor), text
    notes = view.locator(".sw-body").inner_text()
    assert "Asked the same again, the server gives log-odds up to" in notes
    assert "The labels together have" in notes
    assert KEY not in view.inner_html()  # it stands in the cell, where the person wrote it
    look(nb, view, "server-map")
    # The other label is pinned on the page and seen by Python, against the first one.
    view.locator(".sw-class").nth(1).click()
    assert becomes(nb, "[w.selection, w.value.target]", [1, "negative"])
    nb.page.mouse.move(5, 5)
    assert read_shares(view, 3) == pytest.approx([-share for share in shares[:3]], abs=5.1e-4)


def test_another_map_tells_its_price_first_and_stands_beside(notebook: Any, gated: Any) -> None:
    """Shapley values of 21 words: 168 changed texts; none is asked before it is chosen. The saved map is the last."""
    server, gate = gated
    gate.open.set()
    nb, view = begun(notebook, server)
    assert nb.code("print(type(w.wait()).__name__)").strip() == "Attribution"
    view.locator(".sw-progress").wait_for(state="detached")
    paid = len(server.asked)
    assert paid == REQUESTS
    button(view, "Compare").click()
    picks = view.get_by_role("group", name="Maps to put side by side")
    named = [text.strip() for text in picks.get_by_role("button").all_inner_texts()]
    assert named == ["Occlusion", f"Shapley ({8 * N + 2} requests)", "LLM says"]
    assert len(server.asked) == paid
    picks.get_by_role("button", name="Shapley").click()
    view.locator(".sw-compact").nth(2).locator(".sw-gradient").wait_for()
    view.locator(".sw-progress").wait_for(state="detached")
    assert python(nb, "w.wait().method") == "occlusion"
    assert len(server.asked) <= paid + 8 * N
    nb.page.mouse.move(5, 5)
    nb.shot("server-map-compare-light", view)
    button(view, "Compare").click()
    view.get_by_role("group", name="Method").get_by_role("button", name="Shapley").click()
    assert becomes(nb, "w.wait().method", "shapley")
    view.get_by_text("share of the contribution to the log-odds").wait_for()
    shares = python(nb, "w.attribution.normalized()[:, 0].tolist()")
    for at in (1, 2, 4, 5):  # good, film, not, bad
        token(view, at).hover()
        view.get_by_role("tooltip").wait_for()
        assert share_in(tip(view)) == pytest.approx(shares[at], abs=5.1e-4)
        assert " ± " in tip(view)
    nb.page.mouse.move(5, 5)
    nb.shot("server-map-shapley-light", view)
    save_and_shut(nb, trusted=True)
    static(nb).wait_for()
    assert "good" in static(nb).inner_text()
    assert "Shapley" in static(nb).inner_text()
    assert KEY not in static(nb).inner_html()
    nb.shot("server-map-saved", static(nb))


def test_an_error_of_the_server_is_shown_with_its_cure(notebook: Any, gated: Any) -> None:
    server, gate = gated
    gate.open.set()
    server.rule = lambda _: "This model does not support logprobs."
    nb = notebook(SHOW.format(url=server.url, key=KEY, text=TEXT, labels=LABELS))
    nb.run_all(1)
    view = live(nb)
    alert = view.get_by_role("alert")
    alert.wait_for()
    message, cure = python(nb, "[w.error.message, w.error.cure]")
    assert alert.inner_text().split("\n") == [message, cure]
    assert "samples=20" in cure
    assert len(server.asked) == 1
    nb.shot("server-map-refused-light", view)


def test_its_story_stands_beside_its_own_map_in_the_drawer(notebook: Any, gated: Any) -> None:
    """The labels are those of the map; what it says and what it does are Python's numbers, and the map goes on show."""
    server, gate = gated
    gate.open.set()
    server.answer = scores_of(TEXT)
    nb, view = begun(notebook, server)
    assert nb.code("print(type(w.wait()).__name__)").strip() == "Attribution"
    button(view, "Explain").click()
    assert view.locator(".sw-explainer").first.inner_text().startswith("tiny-chat")
    button(view, "Labels of your own").click()
    button(view, "Score each word for the label").click()
    assert view.get_by_role("textbox", name="Labels").input_value() == "positive, negative"
    button(view, "Ask").click()
    view.locator(".sw-answer[aria-busy=false]").wait_for()
    assert view.locator(".sw-verdict").first.inner_text() == "positive"
    button(view, "Show as map").click()
    view.get_by_text("share of the importance said").wait_for()
    assert becomes(nb, "w.attribution.method", "llm")
    button(view, "Say versus do").click()
    view.locator(".sw-comparison").wait_for()
    said, done = python(
        nb, "(lambda c: [c.explanation.scores.tolist(), c.sides[0].map.scores[:, 0].tolist()])(w.comparison)"
    )
    assert done == pytest.approx([2 * score for score in said], abs=0.13), (
        "the story is half of the rule, with its noise"
    )
    assert "It answered positive. Occlusion agrees" in view.locator(".sw-comparison").inner_text()
    assert button(view, "Occlusion").first.get_attribute("aria-pressed") == "false"
    nb.page.mouse.move(5, 5)
    for width, theme in LOOKS:
        nb.theme(f"JupyterLab {theme}")
        nb.resize(width, 2000)
        assert axe(nb)["violations"] == []
        nb.shot(f"server-say-versus-do-{width}-{theme.lower()}", view)
    assert KEY not in view.inner_html()
