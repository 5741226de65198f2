"""Explanations behind a widget: what a page is told, in which order things are done, cancel, errors; a tiny model."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from saliency_widget import OpenAIClient
from saliency_widget.attribution.pipeline import check_question
from saliency_widget.controller import Controller
from saliency_widget.errors import Cancelled, InputError, ServerError, UnsupportedMethod
from saliency_widget.explanation.asking import Inquiry
from saliency_widget.explanation.clients import Reply
from saliency_widget.explanation.prompts import WHY
from saliency_widget.models.text.prompting import check_prompt
from saliency_widget.protocol import PROTOCOL
from saliency_widget.session.executor import Job

from .. import servers
from ..families import made
from .waiting import GUARD, wait_for

REVIEW = "the bad cab"
TEXT = f"I say: {REVIEW}"


class Widget:
    """A controller, and the last thing a page has heard of each kind."""

    def __init__(self, model: Any, explainer: Any = None, text: str = TEXT) -> None:
        self.messages: list[dict[str, Any]] = []
        self.told: list[int] = []  # letters of each message about an answer
        self.on_answer: Callable[[dict[str, Any]], None] = lambda _answer: None
        self.columns: dict[tuple[str, int], np.ndarray] = {}
        prompt = check_prompt(text) if model.counted == "classes" else check_prompt(text, target=" a cab")
        job = Job(
            model=model,
            prompt=prompt,
            question=check_question("saliency", "probability", {}),
            max_new_tokens=4,
            explainer=explainer,
        )
        self.controller = Controller(job, self.hear, lambda _map: None)
        self.controller.receive({"type": "hello", "protocol": PROTOCOL})
        self.controller.start()

    def hear(self, message: dict[str, Any], buffers: list[Any]) -> None:
        if message["type"] == "answer":
            message = self.whole(message)
        self.messages.append(message)
        if message["type"] == "answer":
            self.on_answer(message)
        if message["type"] == "column":
            self.columns[message["map"], message["col"]] = np.frombuffer(buffers[0], dtype="<f4")
            self.controller.receive({"type": "ack", "seq": message["seq"]})

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]

    def answer(self, number: int = 1) -> dict[str, Any]:
        """The last that was heard of it."""
        return [{"state": None}, *(message for message in self.of("answer") if message["id"] == number)][-1]

    def whole(self, message: dict[str, Any]) -> dict[str, Any]:
        """An answer with what was told of it before, as a page puts it together."""
        self.told.append(len(message["text"]))
        if message["start"] == 0:
            return message
        before = self.answer(message["id"])
        start = before["text"].encode("utf-16-le")[: 2 * message["start"]].decode("utf-16-le")
        return {**message, "text": start + message["text"], "free": before["free"]}

    def until(self, condition: Any) -> None:
        wait_for(condition, lambda: self.messages[-3:])

    def settled(self) -> None:
        assert self.controller.wait(GUARD)
        self.until(lambda: self.of("status")[-1]["phase"] in ("done", "cancelled", "failed"))


@pytest.fixture
def widget(roomy: Any):
    opened: list[Widget] = []

    def make(explainer: Any = None, model: Any = roomy, text: str = TEXT) -> Widget:
        opened.append(Widget(model, explainer, text))
        return opened[-1]

    yield make
    for each in opened:
        each.controller.close()
        assert each.controller.join(GUARD)


def explain(kind: str = "answer", review: str = REVIEW, prompt: str = "Rate {review}", by: str = "model") -> Any:
    return {"type": "explain", "explainer": by, "kind": kind, "prompt": prompt, "review": review, "homework": True}


def test_a_page_is_told_who_can_be_asked_and_about_what(widget) -> None:
    w = widget()
    w.settled()
    w.until(lambda: w.of("explainers"))
    told = w.of("explainers")[-1]
    assert [(e["id"], e["is_model"]) for e in told["explainers"]] == [("model", True)]
    assert told["review"] == TEXT
    assert told["explainers"][0]["compares"]
    assert [p["id"] for p in told["prompts"]] == [
        "why",
        "choose",
        "choose-scores",
        "answer",
        "scores",
        "scores-predict-first",
    ]
    assert all("{review}" in p["text"] for p in told["prompts"])


def test_an_answer_streams_and_is_kept(widget) -> None:
    w = widget()
    w.controller.receive(explain())
    w.settled()
    w.until(lambda: w.answer()["state"] == "done")
    last = w.answer()
    texts = [message["text"] for message in w.of("answer")]
    assert len(set(texts)) > 1
    assert [len(text) for text in texts] == sorted(len(text) for text in texts)
    (said,) = w.controller.explanations
    assert last["text"] == said.text == texts[-1]
    assert last["prompt"] == "Own prompt"
    assert last["completion_tokens"] == said.completion_tokens
    assert last["words"] is None
    assert last["card"]["about"][0] == ("model", made("llama").name)
    assert w.controller.attribution is not None


def test_an_answer_is_told_by_what_is_new_of_it(widget) -> None:
    """All messages of a growing answer have its letters twice at most, however many: as it grew, and whole at its end.

    Letters that take two units in UTF-16 are no hindrance; a page that says hello hears the whole.
    """
    pieces = ["h\U0001f642" * 100, "é" * 100, "\ud83d", "\U0001f642" * 100, "end"]
    heard = threading.Semaphore(0)

    class Writer:
        name, where = "writer", "here"

        def answer(self, _messages: Any, *, on_text: Any, **_: Any) -> Reply:
            for n in range(1, len(pieces) + 1):
                on_text("".join(pieces[:n]))
                assert heard.acquire(timeout=GUARD)
            return Reply("".join(pieces), True, None, None, 0.0)

    w = widget(Writer())
    w.settled()
    seen: list[str] = []

    def on_answer(message: dict[str, Any]) -> None:
        if message["state"] == "writing":
            seen.append(message["text"])
            if seen[-1] not in seen[:-1]:
                heard.release()

    w.on_answer = on_answer
    w.controller.receive(explain(by="explainer"))
    w.until(lambda: len(seen) >= 2)
    w.settled()
    w.until(lambda: w.answer()["state"] == "done")
    whole = "".join(pieces).replace("\ud83d", "U+D83D")
    assert seen == ["".join(pieces[:n]).replace("\ud83d", "U+D83D") for n in range(1, len(pieces) + 1)]
    assert w.answer()["text"] == whole
    assert sum(w.told) == 2 * len(whole)
    w.controller.receive({"type": "hello", "protocol": PROTOCOL})
    w.until(lambda: sum(w.told) == 3 * len(whole))


def test_scores_become_a_map_of_the_same_text_that_can_be_asked_for(widget) -> None:
    """It waits beside the map on show; asked for as the method llm, it is the one on show."""
    w = widget()
    w.settled()
    w.controller.receive(explain("scores"))
    w.settled()
    w.until(lambda: w.answer()["state"] == "done")
    last, said = w.answer(), w.controller.explanations[0]
    assert last["mapped"]
    assert last["guided"]
    assert last["free"] is not None
    assert [word["text"] for word in last["words"]] == ["the", "bad", "cab"]
    np.testing.assert_allclose([word["score"] for word in last["words"]], said.scores, rtol=1e-6)
    card = {m["id"]: m["reason"] for m in w.of("menu")[-1]["methods"]}
    assert card["llm"] is None
    assert [(m["method"], m["aside"]) for m in w.of("map")] == [("saliency", False), ("llm", True)]
    w.controller.receive({"type": "ask", "method": "llm", "objective": "probability"})
    w.settled()
    w.until(lambda: w.of("map")[-1]["method"] == "llm")
    shown = w.controller.attribution
    assert shown is not None
    assert shown.method == "llm"
    header = w.of("map")[-1]
    w.until(lambda: sum(key[0] == header["map"] for key in w.columns) == header["n_cols"])
    for col in range(header["n_cols"]):
        np.testing.assert_array_equal(w.columns[header["map"], col], shown.scores[:, col])
    by_word = shown.aggregate("word")
    assert by_word[" bad", 0] == pytest.approx(float(said.scores[1]))
    assert np.isnan(by_word.scores[0, 0])


def test_the_map_of_what_was_said_last_is_the_one_that_is_left(widget) -> None:
    w = widget()
    w.controller.receive(explain("scores"))
    w.controller.receive(explain("scores", prompt="Judge {review}"))
    w.settled()
    w.until(lambda: w.answer(2)["state"] == "done")
    assert [w.answer(n)["mapped"] for n in (1, 2)] == [False, True]


def test_what_is_about_another_text_is_no_map_here(widget) -> None:
    w = widget()
    w.controller.receive(explain("scores", review="a dad"))
    w.settled()
    w.until(lambda: w.answer()["state"] == "done")
    assert not w.answer()["mapped"]
    w.controller.receive({"type": "ask", "method": "llm", "objective": "probability"})
    w.settled()
    assert isinstance(w.controller.error, UnsupportedMethod)


def test_saying_and_doing_are_told_with_their_figures(widget) -> None:
    w = widget()
    w.controller.receive({"type": "say_versus_do", "review": REVIEW})
    w.settled()
    w.until(lambda: w.of("comparison"))
    told, result = w.of("comparison")[-1], w.controller.comparison
    assert result is not None
    assert told["words"] == ["the", "bad", "cab"]
    assert [side["method"] for side in told["sides"]] == ["saliency", "input_x_gradient", "occlusion", "attention"]
    for side, mine in zip(told["sides"], result.sides, strict=True):
        np.testing.assert_allclose(side["scores"], mine.map.scores[:, 0], rtol=1e-6)
        known = [figure for figure in mine.figures if figure.value is not None]
        assert [(f["id"], f["value"]) for f in side["figures"]] == [(f.measure, f.value) for f in known]
    assert any(s["phase"] == "explaining" and s["total"] == 7 for s in w.of("status"))


def test_a_page_that_comes_later_hears_everything(widget) -> None:
    w = widget()
    w.controller.receive(explain("scores"))
    w.controller.receive({"type": "say_versus_do", "review": REVIEW})
    w.settled()
    w.until(lambda: w.of("comparison"))
    w.messages.clear()
    w.controller.receive({"type": "hello", "protocol": PROTOCOL})
    w.until(lambda: w.of("comparison") and w.of("answer") and w.of("explainers"))
    assert w.answer()["state"] == "done"


def test_the_text_of_the_widget_is_meant_where_none_is_given(widget) -> None:
    w = widget()
    w.controller.explain(Inquiry(review="…", prompt="Rate {review}", max_tokens=3), of_widget=True)
    w.settled()
    assert w.controller.explanations[0].review == TEXT
    assert w.controller.explanations[0].prompt == f"Rate {TEXT}"


def test_cancel_keeps_what_was_written_and_drops_what_waits(widget) -> None:
    w = widget()
    w.settled()
    said, passes = threading.Event(), []

    def write_a_little(*_: Any) -> None:
        passes.append(1)
        if len(passes) > 12:
            said.wait(GUARD)  # it goes on when the cancel has been said, and not before

    handle = made("llama").model.get_input_embeddings().register_forward_pre_hook(write_a_little)
    try:
        w.controller.receive(explain())
        w.controller.receive(explain("scores"))
        w.until(lambda: w.answer()["state"] == "writing" and w.answer()["text"])
        w.controller.receive({"type": "cancel"})
        said.set()
        w.settled()
    finally:
        handle.remove()
    w.until(lambda: w.answer(1)["state"] == w.answer(2)["state"] == "cancelled")
    assert w.answer(1)["text"]
    assert isinstance(w.controller.error, Cancelled)
    assert w.controller.attribution is not None
    w.controller.receive(explain())
    w.settled()
    w.until(lambda: w.answer(3)["state"] == "done")


def test_a_map_that_is_asked_for_meanwhile_comes_after_the_answer(widget) -> None:
    w = widget()
    w.settled()
    begun = threading.Event()
    handle = made("llama").model.get_input_embeddings().register_forward_pre_hook(lambda *_: begun.set())
    try:
        w.controller.receive(explain())
        assert begun.wait(GUARD)
        w.controller.receive({"type": "ask", "method": "occlusion", "objective": "probability"})
        w.settled()
    finally:
        handle.remove()
    w.until(lambda: w.answer()["state"] == "done" and w.of("map")[-1]["method"] == "occlusion")
    shown = w.controller.attribution
    assert shown is not None
    assert shown.method == "occlusion"


def test_a_server_is_asked_beside_the_model(widget) -> None:
    script = (servers.writes("The review is ", "positive."), servers.writes('[("bad", -0.5)]\n-1'))
    with servers.scripted(*script) as server:
        w = widget(OpenAIClient("big", base_url=server.url, api_key="sk-secret"))
        w.controller.receive(explain(by="explainer"))
        w.controller.receive(explain("scores", by="explainer"))
        w.settled()
        w.until(lambda: w.answer(2)["state"] == "done")
    assert [e["id"] for e in w.of("explainers")[-1]["explainers"]] == ["model", "explainer"]
    assert w.answer(1)["label"] == "positive"
    assert w.answer(1)["explainer"] == "big"
    assert [word["score"] for word in w.answer(2)["words"]] == [None, -0.5, None]
    assert w.answer(2)["mapped"]
    assert w.of("map")[-1]["about"] == "negative"  # and no token that was written
    assert "sk-secret" not in repr(w.messages)


def test_why_is_about_a_target_and_its_map_has_that_column_alone(widget) -> None:
    answer = 'Because of the cab.\n[("bad", -0.5), ("cab", 1)]'
    why = {"type": "explain", "explainer": "explainer", "kind": "why", "prompt": WHY.text, "review": TEXT}
    with servers.scripted(servers.writes(answer), servers.writes(answer)) as server:
        w = widget(OpenAIClient("big", base_url=server.url))
        w.controller.receive({**why, "target": "?", "col": 1})
        w.settled()
        w.until(lambda: w.answer(1)["state"] == "done")
        w.controller.receive({**why, "target": "?", "col": 99})  # of a text that is no longer on show
        w.settled()
        w.until(lambda: w.answer(2)["state"] == "done")
    told = w.answer(1)
    assert (told["decides"], told["label"], told["leans"], told["mapped"]) == (False, None, 0, True)
    assert told["ends"] == ["against it", "for it"]
    begun = next(message for message in w.of("map") if message["method"] == "llm")
    assert (begun["about"], begun["col"]) == (None, 1)
    assert {message["col"] for message in w.of("column") if message["map"] == begun["map"]} == {1}
    assert w.controller.explanations[0].target == "?"
    assert not w.answer(2)["mapped"]


def test_labels_of_the_page_are_what_is_chosen_between(widget) -> None:
    w = widget()
    asked = {"explainer": "model", "kind": "scores", "prompt": "{review}: {labels}?", "review": REVIEW}
    w.controller.receive({"type": "explain", **asked, "labels": ["cab", "bat"]})
    w.controller.receive({"type": "say_versus_do", "review": REVIEW, "labels": ["cab", "bat"]})
    w.controller.receive({"type": "explain", **asked, "labels": ["cab"]})  # refused
    w.settled()
    w.until(lambda: w.answer(1)["state"] == "done" and w.of("comparison"))
    assert w.answer(1)["label"] in ("cab", "bat")
    assert w.of("comparison")[-1]["label"] in ("cab", "bat")
    assert w.of("failed")[-1]["message"] == "There is one label to choose between."


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (servers.refuses("the hamster is asleep", 400), "the hamster is asleep"),
        (servers.refuses("that key opens nothing", 401), "that key opens nothing"),
        (servers.refuses("too many of you", 429), "too many of you"),
        (servers.refuses("the hamster fell", 500), "the hamster fell"),
        (servers.writes("It is", finish=None, done=False, then="cut"), "127.0.0.1"),
        (servers.Says(["<html>busy</html>"], kind="text/html"), "text/html"),
    ],
    ids=["400", "401", "429", "500", "cut", "html"],
)
def test_what_goes_wrong_at_a_server_is_told_with_the_answer_and_the_map_stays(widget, says: Any, reason: str) -> None:
    """In the server's own words where it has some; what was written so far is kept, and the key is not told."""
    with servers.scripted(says) as server:
        w = widget(OpenAIClient("big", base_url=server.url, api_key="sk-secret", max_retries=0))
        w.controller.receive(explain(by="explainer"))
        w.settled()
        w.until(lambda: w.answer()["state"] == "failed")
    failure = w.answer()["failure"]
    assert reason in failure["message"]
    assert failure["cure"]
    assert w.answer()["text"] == ("It is" if says.then == "cut" else "")
    assert isinstance(w.controller.error, ServerError)
    assert w.controller.attribution is not None
    assert not w.of("failed")
    assert "sk-secret" not in repr(w.messages)


def test_a_server_that_hangs_can_be_cancelled(widget) -> None:
    """The connection is closed while the server still says nothing: it is left, and not given up as hung."""
    with servers.scripted(servers.Says(hang=True)) as server:
        w = widget(OpenAIClient("big", base_url=server.url))
        w.settled()
        w.controller.receive(explain(by="explainer"))
        w.until(lambda: server.asked)
        w.controller.receive({"type": "cancel"})
        w.settled()
        assert server.left.wait(GUARD)
        assert len(server.asked) == 1
    w.until(lambda: w.answer()["state"] == "cancelled")


def test_a_prompt_without_a_place_for_the_text_is_an_error_on_the_page(widget) -> None:
    w = widget()
    w.settled()
    w.controller.receive(explain(prompt="Rate it"))
    w.until(lambda: w.of("failed"))
    assert "{review}" in w.of("failed")[-1]["cure"]
    with pytest.raises(InputError, match="no explainer"):
        w.controller.explain(Inquiry(review="x"), "explainer")


def test_a_model_that_cannot_answer_says_why(widget) -> None:
    w = widget(model=made("bert"))
    w.settled()
    w.until(lambda: w.of("explainers"))
    told = w.of("explainers")[-1]
    assert told["explainers"] == []
    assert "cannot answer a question in words" in told["reason"]
    w.controller.receive(explain())
    w.settled()
    w.until(lambda: w.answer()["state"] == "failed")


def test_what_was_said_is_a_map_of_every_text_that_it_is_about(widget) -> None:
    """A branch has the same prompt; an edited text has another, and the way back leads to the first again."""
    w = widget()
    w.controller.receive(explain("scores"))
    w.settled()
    w.until(lambda: w.answer()["state"] == "done")
    w.controller.receive({"type": "ask", "method": "llm", "objective": "probability"})
    w.settled()
    w.controller.receive({"type": "branch", "col": 0, "token": 70})
    w.settled()
    shown = w.controller.attribution
    assert shown is not None
    assert (shown.method, shown.cols[0].id) == ("llm", 70)
    np.testing.assert_allclose(shown.aggregate("word")[" bad", 0], w.controller.explanations[0].scores[1], rtol=1e-6)
    w.controller.receive({"type": "keep", "text": "a dad"})
    w.settled()
    w.until(lambda: not w.answer()["mapped"] and w.of("explainers")[-1]["review"] == "a dad")
    assert w.controller.attribution.method == "saliency"  # nothing was said of it
    assert {m["id"]: m["reason"] for m in w.of("menu")[-1]["methods"]}["llm"] is not None
    w.controller.receive({"type": "back", "to": 0})
    w.settled()
    w.until(lambda: w.answer()["mapped"])


def test_a_server_explainer_is_compared_with_its_own_map_and_not_with_the_models(widget) -> None:
    """The words that it scores are those whose taking out moves its own first token."""
    from .test_black_box import at, ruled

    def rule(text: str) -> list[tuple[str, float]]:
        p = 1 / (1 + np.exp(-(1.0 * ("bad" in text) - 0.5 * ("cab" in text))))
        return [("cab", float(np.log(p))), ("bat", float(np.log(1 - p)))]

    said = {
        "class": "cab",
        "words": [{"word": w, "importance": s} for w, s in (("the", 0), ("bad", 0.8), ("cab", -0.4))],
    }
    with ruled(rule) as server:
        server.answer = json.dumps(said)
        w = widget(at(server))
        w.settled()
        w.until(lambda: w.of("explainers"))
        assert [e["compares"] for e in w.of("explainers")[-1]["explainers"]] == [True, True]
        asked = {"type": "say_versus_do", "review": REVIEW, "explainer": "explainer", "labels": ["cab", "bat"]}
        w.controller.receive(asked)
        w.settled()
        w.until(lambda: w.of("comparison"))
        (side,) = w.of("comparison")[-1]["sides"]
        assert side["method"] == "occlusion"
        assert side["scores"] == pytest.approx([0.0, 1.0, -0.5], abs=1e-5)
        assert {f["id"]: f["value"] for f in side["figures"]}["spearman"] == pytest.approx(1)


def test_an_explainer_that_computes_nothing_is_not_compared(widget) -> None:
    class Talker:
        name, where = "parrot", "here"

    w = widget(Talker())
    w.settled()
    w.until(lambda: w.of("explainers"))
    assert [e["compares"] for e in w.of("explainers")[-1]["explainers"]] == [True, False]
    w.controller.receive({"type": "say_versus_do", "review": REVIEW, "explainer": "explainer"})
    w.until(lambda: w.of("failed"))
    assert "no map of its own" in w.of("failed")[-1]["message"]
