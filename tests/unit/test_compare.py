"""Two maps side by side: their names and cards, and what the pages hear of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import saliency_widget as sw
from saliency_widget import Attribution
from saliency_widget.comparison.compare import ComparisonWidget, exhibition_of
from saliency_widget.comparison.exhibit import Exhibit
from saliency_widget.comparison.merging import merge
from saliency_widget.errors import InputError, NoNotebook, UnknownName
from saliency_widget.protocol import PROTOCOL, to_kernel

from .two_maps import A, B, attributed, read_back, ready
from .waiting import wait_for

GOLDEN = Path(__file__).parents[1] / "protocol" / "to_page" / "exhibited.json"

# ── names and cards ───────────────────────────────────────────────────────────────────────────────────────────────


def test_names_are_those_of_what_differs() -> None:
    def named(a: Attribution, b: Attribution, names: Any = None) -> str:
        return exhibition_of(a, b, names).name

    same = ready("x", "y", [[1]], model_name="one")
    assert named(A, B) == "A: one | B: two"
    assert named(attributed("gpt2", "a", "b"), attributed("gpt2", "a", "b", method="random")) == (
        "A: Gradient | B: Random"
    )
    assert named(A, same) == "A: first | B: second"
    assert named(A, B, ("then", "now")) == "A: then | B: now"
    for wrong in ("ab", ("a",), ("a", "b", "c"), (1, 2)):
        with pytest.raises(InputError, match="not two names"):
            named(A, B, wrong)


def test_cards_say_what_each_map_is() -> None:
    a = attributed("gpt2", "a", "bc", objective="logit")
    b = attributed("gpt2", "a", "bc", method="occlusion")
    shown = {s.card.id: s for s in exhibition_of(a, b).maps}
    assert [s.card.label for s in shown.values()] == ["A: Gradient", "B: Occlusion", "A − B"]
    assert [s.card.signed for s in shown.values()] == [False, True, True]
    assert shown["a"].card.reads.startswith("Gradient. How much the objective moves")
    assert ("explains", "logit") in shown["a"].about
    assert ("operator", "replace") in shown["b"].about
    assert any("has signs and the other has none" in caveat for caveat in shown["difference"].card.caveats)
    assert shown["difference"].map.objective is None


def test_standard_errors_stay_beside_their_own_scores_and_a_difference_has_none() -> None:
    a = ready("x| y", " z", [[1], [2]])
    unsure = replace(a, errors=np.abs(a.scores) / 10)
    shown = {s.card.id: s.map for s in exhibition_of(unsure, a).maps}
    np.testing.assert_allclose(shown["a"].errors, np.abs(shown["a"].scores) / 10)
    assert shown["b"].errors is None
    assert shown["difference"].errors is None
    heard: list[np.ndarray] = []

    def hear(message: dict[str, Any], buffers: list[memoryview]) -> None:
        if message["type"] == "column":
            if message["map"] == "a":
                heard.append(np.frombuffer(buffers[1], dtype="<f4"))
            exhibit.receive(to_kernel.read({"type": "ack", "seq": message["seq"]}))

    exhibit = Exhibit(exhibition_of(unsure, a), hear, lambda _map: None)
    exhibit.receive(to_kernel.read({"type": "hello", "protocol": PROTOCOL}))
    exhibit.start()
    wait_for(lambda: len(heard) == len(a.cols), lambda: heard)
    np.testing.assert_array_equal(heard[0], shown["a"].errors[:, 0])
    exhibit.close()


# ── the pages ─────────────────────────────────────────────────────────────────────────────────────────────────────


class Page:
    """A page: it hears messages, and says some."""

    def __init__(self, exhibit: Any) -> None:
        self.messages: list[dict[str, Any]] = []
        self.columns: dict[tuple[str, int], np.ndarray] = {}
        self.finished: list[Attribution] = []
        self.exhibit = Exhibit(exhibit, self.hear, self.finished.append)

    def hear(self, message: dict[str, Any], buffers: list[memoryview]) -> None:
        self.messages.append(message)
        if message["type"] == "column":
            self.columns[message["map"], message["col"]] = np.frombuffer(buffers[0], dtype="<f4")
            self.say("ack", seq=message["seq"])

    def say(self, type: str, **fields: Any) -> None:
        message = to_kernel.read({"type": type, **fields})
        assert message is not None
        self.exhibit.receive(message)

    def next(self, type: str) -> dict[str, Any]:
        """The next message of this type."""

        def heard() -> list[dict[str, Any]]:
            return [m for m in list(self.messages) if m["type"] == type]

        wait_for(heard, lambda: type)
        found = heard()
        self.messages = []
        return found[-1]

    def wait_for_columns(self, n: int) -> None:
        wait_for(lambda: len(self.columns) >= n)


@pytest.fixture
def page() -> Iterator[Any]:
    opened: list[Page] = []

    def page(a: Attribution, b: Attribution) -> Page:
        opened.append(Page(exhibition_of(a, b)))
        opened[-1].exhibit.start()
        return opened[-1]

    yield page
    for each in opened:
        each.exhibit.close()


def test_a_page_is_told_everything_and_again_when_it_says_hello_again(page) -> None:
    """More columns than may be in flight at once; shown is the difference, which comes last."""
    rows, cols = "|".join(" ab"), "|".join("cdefghij")
    p = page(ready(rows, cols, np.ones((3, 8))), ready(rows, cols, np.full((3, 8), 2)))
    heard = []
    for _ in range(2):
        p.columns.clear()
        p.say("hello", protocol=PROTOCOL)
        p.wait_for_columns(24)
        messages, p.messages = p.messages, []
        heard.append([m for m in messages if m["type"] != "column"])
        assert [m["type"] for m in heard[-1]][:4] == ["hello", "document", "exhibited", "tokens"]
        assert [(m["method"], m["aside"]) for m in messages if m["type"] == "map"] == [
            ("a", True), ("b", True), ("difference", False),
        ]  # fmt: skip
        np.testing.assert_array_equal(p.columns["b", 3], [2, 2, 2])
        np.testing.assert_array_equal(p.columns["difference", 3], [0, 0, 0])
    assert heard[0] == heard[1]
    found = {m["type"]: m for m in heard[0]}
    assert found["document"]["model"] == "A: first | B: second"
    assert found["document"]["editable"] is None
    assert found["document"]["alive"] is False
    assert found["document"]["beside"] == ["a", "b"]
    assert found["document"]["first_target"] == 3
    assert found["tokens"]["segments"] == [{"kind": "paragraph", "name": "", "start": 0, "end": 11}]
    assert [m["label"] for m in found["menu"]["methods"]] == ["A: first", "B: second", "A − B"]
    assert found["explainers"]["reason"].startswith("This is a comparison")
    assert found["status"]["phase"] == "done"


def test_a_page_is_told_what_was_replaced_and_how_probable_a_target_is_on_either_side(page) -> None:
    """The message is the golden one."""
    a, b = (ready(f"My| {who}", " She", [[1], [2]]) for who in ("mother", "father"))
    p = page(replace(a, step_scores={"probability": np.array([0.75], dtype=np.float32)}), b)
    p.say("hello", protocol=PROTOCOL)
    assert json.loads(json.dumps(p.next("exhibited"))) == json.loads(GOLDEN.read_text())


def test_what_the_methods_say_of_their_maps_is_said_beside_them_too(page) -> None:
    """In the columns of the merged text: B's second column is the third there."""
    a, b = ready("x| y", " a| b", [[1, 2], [1, 2]]), ready("x| y", " a| c", [[1, 0], [1, 0]])
    zero = replace(b, diagnostics={"spot_check": 0.0})
    p = page(replace(a, diagnostics={"ids_left_out": True}), zero)
    p.say("hello", protocol=PROTOCOL)
    p.wait_for_columns(9)
    told = {m["map"]: m["notes"] for m in p.messages if m["type"] == "notes"}
    ((whole,), (of_c,)) = told["a"], told["b"]
    assert (whole["cols"], whole["text"][:21]) == (None, "This model also reads")
    assert (of_c["cols"], of_c["text"][:26]) == ([2], "1 column is 0 throughout: ")
    assert [(n["text"][:10], n["cols"]) for n in told["difference"]] == [("A: first: ", None), ("B: second:", [2])]


def test_asking_for_a_map_shows_it_with_its_own_probabilities(page) -> None:
    a, b = attributed("gpt2", "the cab", " and"), attributed("llama", "the cab", " and a")
    p = page(a, b)
    p.say("hello", protocol=PROTOCOL)
    steps = p.next("steps")["steps"]
    n = len(a.cols)
    known = [*a.step_scores["probability"], *b.step_scores["probability"][n:]]
    np.testing.assert_allclose([s["probability"] for s in steps], known, rtol=1e-6)
    p.say("ask", method="b", objective="")
    steps = p.next("steps")["steps"]
    np.testing.assert_allclose([s["probability"] for s in steps], b.step_scores["probability"], rtol=1e-6)
    assert [s["alternatives"][0]["text"] for s in steps] == [found[0].text for found in b.alternatives]
    assert p.exhibit.attribution.model_name == b.model_name
    assert p.finished == [p.exhibit.attribution]
    p.say("ask", method="a", objective="", aside=True)
    assert p.next("map")["method"] in ("a", "b")
    assert p.exhibit.attribution.model_name == b.model_name


def test_the_difference_is_told_without_the_probabilities_of_either(page) -> None:
    """She p = .346 where she is .017 in the other map would hide what the two were compared for."""
    a, b = attributed("gpt2", "the cab", " and"), attributed("gpt2", "the bat", " and")
    difference = page(a, b).exhibit.attribution
    assert "p = " in a.to_html()
    assert "instead of" in a.to_html()
    html = difference.to_html().partition("<script")[0]
    assert ("p = " in html, "instead of" in html) == (False, False)
    assert (difference.step_scores, difference.alternatives) == ({}, ())


def test_what_needs_a_model_is_refused_with_a_cure(page) -> None:
    p = page(A, B)
    p.say("hello", protocol=PROTOCOL)
    p.next("status")
    for message in (
        {"type": "branch", "col": 0, "token": 3},
        {"type": "back", "to": 0},
        {"type": "try", "request": 1, "rows": [0]},
        {"type": "keep"},
        {"type": "heads", "request": 2, "col": 0},
        {"type": "explain", "explainer": "model", "kind": "answer", "prompt": "", "review": ""},
        {"type": "say_versus_do", "review": ""},
        {"type": "ask", "method": "a", "objective": "", "foil": 3},
    ):
        p.say(**message)
        failed = p.next("failed")
        assert failed["message"].startswith("This is a comparison of finished maps")
        assert "show()" in failed["cure"]
    p.say("ask", method="saliency", objective="probability")
    assert "Known: a, b, difference" in p.next("failed")["cure"]
    p.say("cancel")
    p.say("focus", col=1, n_cols=1)
    p.say("ask", method="a", objective="")
    assert p.next("status")["phase"] == "done"


def test_a_request_that_needs_a_model_is_known_to_have_no_reply(page) -> None:
    p = page(A, B)
    p.say("hello", protocol=PROTOCOL)
    for message in ({"type": "try", "request": 1}, {"type": "heads", "request": 2, "col": 0}):
        p.say(**message)
        assert p.next("unanswered")["request"] == message["request"]


def test_the_difference_has_no_shares_of_its_own() -> None:
    """In a table and in print its numbers are what they are: no sum divides them once more."""
    difference = exhibition_of(A, B).maps[-1].map
    frame = difference.to_dataframe()
    np.testing.assert_array_equal(frame["share"], frame["score"])
    assert "share of the difference" not in str(difference)


# ── the widget ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def widget() -> Iterator[ComparisonWidget]:
    w = ComparisonWidget(exhibition_of(A, B))
    yield w
    w.close()


def test_the_widget_is_ready_at_once_and_gives_the_map_on_show(widget) -> None:
    assert widget.wait(0).method == "difference"
    widget.ask("b")
    np.testing.assert_array_equal(read_back(merge(A, B), 1, widget.attribution.scores), B.scores)
    widget.cancel()
    assert widget.error is None
    with pytest.raises(UnknownName, match="difference"):
        widget.ask("saliency")


def test_its_value_is_that_of_the_map_on_show(widget) -> None:
    widget.selection = 0
    assert widget.value.target == " sat"
    widget.ask("a")
    widget.wait()
    np.testing.assert_array_equal(widget.value.scores[:, 0], [1, 3, -4, np.nan])
    widget.selection = 3
    assert widget.value is None


def test_a_comparison_needs_two_maps_and_a_notebook(widget) -> None:
    with pytest.raises(NoNotebook):
        sw.compare(A, B)
    with pytest.raises(NoNotebook):
        sw.compare(A, widget)
    with pytest.raises(InputError, match="second is a str"):
        sw.compare(A, "gpt2")
