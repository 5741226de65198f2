"""The widget of a model behind a server: what its backend asks, tells the pages, keeps and raises."""

from __future__ import annotations

import json
import math
import threading
from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import saliency_widget as sw
from saliency_widget.errors import Cancelled, InputError, ServerError, UnsupportedMethod
from saliency_widget.explanation import many
from saliency_widget.explanation.alignment import words_of
from saliency_widget.explanation.remote_question import REPEATS, RemoteQuestion, remote_question
from saliency_widget.explanation.taking_out import shapley, spans_of, without
from saliency_widget.protocol import PROTOCOL, to_kernel
from saliency_widget.remote import Remote, RemoteJob
from saliency_widget.widget import SaliencyWidget

from ..servers import KEY
from .test_black_box import LABELS, TEXT, WORTH, Ruled, at, first_tokens, mapped, odds, ruled
from .waiting import GUARD, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Page:
    """A backend with a page that keeps what it hears."""

    def __init__(self, client: sw.OpenAIClient, question: RemoteQuestion) -> None:
        self.messages: list[dict[str, Any]] = []
        self.columns: dict[tuple[str, int], tuple[dict[str, Any], np.ndarray]] = {}
        self.finished: list[sw.Attribution] = []
        self.backend = Remote(RemoteJob(client=client, question=question), self.hear, self.finished.append)

    def hear(self, message: dict[str, Any], buffers: list[memoryview]) -> None:
        self.messages.append(message)
        if message["type"] == "column":
            self.columns[message["map"], message["col"]] = message, np.frombuffer(buffers[0], dtype="<f4")
            self.backend.receive({"type": "ack", "seq": message["seq"]})

    def start(self) -> Page:
        self.say("hello", protocol=PROTOCOL)
        self.backend.start()
        return self

    def say(self, type: str, **fields: Any) -> None:
        message = to_kernel.read({"type": type, **fields})
        assert message is not None
        self.backend.receive(message)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in list(self.messages) if message["type"] == kind]

    def settled(self) -> sw.Attribution:
        assert self.backend.wait(GUARD)
        if self.backend.error is not None:
            raise self.backend.error
        wait_for(self.backend.idle, lambda: self.messages[-3:])
        assert self.backend.attribution is not None
        return self.backend.attribution


@pytest.fixture
def page() -> Iterator[Callable[..., Page]]:
    pages: list[Page] = []

    def make(client: sw.OpenAIClient, text: str = TEXT, **how: Any) -> Page:
        pages.append(Page(client, remote_question(text, LABELS, **how)))
        return pages[-1]

    yield make
    for one in pages:
        one.backend.close()
        assert one.backend.join(GUARD)


# ── the map on the page ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_page_has_the_text_at_once_and_then_the_map_that_python_has(page: Any) -> None:
    with ruled() as server:
        shown = page(at(server)).start()
        a = shown.settled()
        expected = mapped(at(server))
    (tokens,) = shown.of("tokens")
    kinds = [message["type"] for message in shown.messages]
    assert kinds.index("tokens") < kinds.index("column")
    assert "".join(token["text"] for token in tokens["tokens"][: len(a.rows)]) == TEXT
    assert [token["text"] for token in tokens["tokens"][len(a.rows) :]] == ["positive", "negative"]
    for col in (0, 1):
        _, scores = shown.columns["occlusion", col]
        np.testing.assert_array_equal(scores, expected.scores[:, col])
    steps = [step["probability"] for message in shown.of("steps") for step in message["steps"]]
    assert steps == pytest.approx(expected.step_scores["probability"])
    assert shown.finished == [a]
    assert shown.of("status")[-1]["phase"] == "done"
    assert KEY not in json.dumps(shown.messages)


def test_progress_tells_the_price_after_the_first_answer_and_before_the_second(page: Any) -> None:
    """9 words: 12 requests of 11 tokens each, as the server counts them."""
    first, go = threading.Event(), threading.Event()

    def before(count: int) -> None:
        if count > 1:
            first.set()
            assert go.wait(GUARD)

    with ruled(before=before) as server:
        shown = page(at(server)).start()
        assert first.wait(GUARD)
        wait_for(lambda: shown.of("status")[-1]["unit"] != "requests", lambda: shown.of("status"))
        told = shown.of("status")[-1]
        assert (told["done"], told["total"], told["unit"]) == (1, 12, "requests, about 132 tokens")
        go.set()
        shown.settled()


def test_the_noise_floor_goes_with_each_column_and_label_mass_with_the_notes(page: Any) -> None:
    turns = iter([0.0, 0.3, -0.1])

    def rule(text: str) -> list[tuple[str, float]]:
        shift = next(turns) if text == TEXT else 0.0
        return [(token, logprob + shift * ("os" in token)) for token, logprob in first_tokens(text)]

    with ruled(rule) as server:
        shown = page(at(server)).start()
        a = shown.settled()
    assert [shown.columns["occlusion", col][0]["floor"] for col in (0, 1)] == pytest.approx([0.4, 0.4], abs=1e-6)
    said = [note["text"] for note in shown.of("notes")[-1]["notes"]]
    assert any("up to 0.4 apart" in text for text in said)
    half = 0.5 / (1 + math.exp(-odds(TEXT)))
    mass = 0.5 + half * (np.exp([0.0, 0.3, -0.1]).mean() - 1)
    assert f"The labels together have {100 * mass:.0f} % of the first token." in said
    assert a.diagnostics["noise_floor"] == pytest.approx([0.4, 0.4], abs=1e-6)


def test_words_below_the_floor_have_no_colour_in_the_saved_map() -> None:
    """Their numbers stay: "film" adds 0.0625, and equal questions differ by 0.2."""
    turns = iter([0.0, 0.2, 0.1])

    def rule(text: str) -> list[tuple[str, float]]:
        shift = next(turns) if text == TEXT else 0.1
        return [(token, logprob + shift * ("os" in token)) for token, logprob in first_tokens(text)]

    with ruled(rule) as server:
        html = mapped(at(server)).to_html(col=0)
    boxes = {word: html[: html.index(f">{word}<")].rpartition("<span")[2] for word in ("film", "good")}
    assert "background" not in boxes["film"]
    assert "share" in boxes["film"]
    assert "background" in boxes["good"]
    assert '"floors":[0.2' in html.replace("0.19999", "0.2").replace("0.20000", "0.2")


@pytest.mark.parametrize("labels", [LABELS, ["Positive", "Negative"]])
def test_the_python_of_a_map_asks_the_same_again(labels: Any) -> None:
    """The arguments in the document and the settings of the map are those of an equal question, free of any key."""
    prompt = "{review}\n\nPositive or Negative?"
    with ruled() as server:
        shown = Page(at(server), remote_question(TEXT, labels, prompt=prompt, method="shapley", calls=40)).start()
        shown.settled()
        shown.backend.close()
        assert shown.backend.join(GUARD)
    code = shown.of("document")[-1]["code"]
    settings = {name: int(value) if value.isdigit() else value for name, value in shown.of("map")[-1]["settings"]}
    (client, text), named = eval(f"(lambda *given, **named: (given, named))({code})", {"client": "it"})
    assert client == "it"
    again = remote_question(text, named.pop("labels"), method="shapley", **named, **settings)
    assert again == remote_question(TEXT, labels, prompt=prompt, method="shapley", calls=40)
    assert KEY not in code


# ── cancelled, failed, gone on ───────────────────────────────────────────────────────────────────────────────────


def test_cancel_ends_at_once_keeps_every_answer_and_go_on_asks_only_the_rest(page: Any) -> None:
    """Also the requests that were under way: they are answered behind, and nobody asks them again."""
    enough, go = threading.Event(), threading.Event()

    def before(count: int) -> None:
        if count > 5:
            enough.set()
            assert go.wait(GUARD)

    with ruled(before=before) as server:
        shown = page(at(server)).start()
        assert enough.wait(GUARD)
        shown.say("cancel")
        with pytest.raises(Cancelled, match="of 12 requests"):
            shown.settled()
        wait_for(lambda: shown.of("status")[-1]["phase"] == "cancelled", lambda: shown.messages[-3:])
        told = shown.of("status")[-1]
        assert (told["total"], told["unit"]) == (12, "requests")
        assert shown.backend.attribution is None
        assert shown.columns == {}
        shown.say("ask", method="occlusion", objective="")
        go.set()
        a = shown.settled()
        counts = Counter(server.asked)
    assert counts.pop(TEXT) == REPEATS
    assert set(counts.values()) == {1}
    assert len(counts) == len(a.rows)
    assert a.scores[1, 0] == pytest.approx(1.5, abs=1e-6)


def test_an_error_has_cause_and_cure_and_what_was_answered_is_not_asked_again(page: Any) -> None:
    with ruled() as server:
        server.rule = lambda text: "The moon is not full." if "bad" not in text else first_tokens(text)
        shown = page(at(server)).start()
        with pytest.raises(ServerError, match="moon"):
            shown.settled()
        wait_for(lambda: shown.of("failed"), lambda: shown.messages[-3:])
        assert "moon" in shown.of("failed")[-1]["message"]
        server.rule = first_tokens
        shown.say("ask", method="occlusion", objective="")
        shown.settled()
        refused = Counter(text for text in server.asked if "bad" not in text)
        asked = Counter(server.asked)
    assert asked.pop(TEXT) == REPEATS
    assert all(count == 1 or text in refused for text, count in asked.items())


def test_what_a_server_cannot_do_is_refused_and_the_map_stays(page: Any) -> None:
    with ruled() as server:
        shown = page(at(server)).start()
        a = shown.settled()
        before = len(server.asked)
        shown.say("ask", method="saliency", objective="")
        shown.say("try", request=7, rows=[1])
        shown.say("ask", method="occlusion", objective="", settings={"unit": "sentence"})
        wait_for(lambda: len(shown.of("unanswered")) == 1, lambda: shown.messages[-3:])
        assert len(server.asked) == before
        assert shown.backend.attribution is a


def test_a_closed_widget_asks_no_more(page: Any) -> None:
    started, go = threading.Event(), threading.Event()

    def before(count: int) -> None:
        started.set()
        assert go.wait(GUARD)

    with ruled(before=before) as server:
        shown = page(at(server)).start()
        assert started.wait(GUARD)
        shown.backend.close()
        assert shown.backend.join(GUARD)
        go.set()
        assert len(server.asked) == 1


def test_the_menu_says_what_another_map_costs_before_it_is_asked(page: Any) -> None:
    """Shapley values of 9 words: 72 changed texts, the whole one asked three times."""
    with ruled() as server:
        shown = page(at(server)).start()
        shown.settled()
        labels = {card["id"]: card["label"] for card in shown.of("menu")[-1]["methods"] if card["reason"] is None}
        assert labels == {"occlusion": "Occlusion", "shapley": "Shapley (74 requests)"}
        shown.say("ask", method="shapley", objective="", aside=True)
        assert shown.settled().method == "occlusion", "it stands aside"
        shown.say("ask", method="shapley", objective="")
        a = shown.settled()
        assert (a.method, len(server.asked)) == ("shapley", len(set(server.asked)) + REPEATS - 1)
    labels = {card["label"] for card in shown.of("menu")[-1]["methods"] if card["reason"] is None}
    assert labels == {"Occlusion", "Shapley"}


# ── from Python ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_widget_waits_saves_and_is_asked_for_another_map() -> None:
    with ruled() as server:
        w = SaliencyWidget(RemoteJob(client=at(server), question=remote_question(TEXT, LABELS)))
        a = w.wait(GUARD)
        assert (a.method, w.error, w.explanations, w.comparison) == ("occlusion", None, (), None)
        assert KEY not in json.dumps(w.get_state(), default=str) + repr(w) + w.attribution.to_html()
        w.selection = 1
        assert w.value is not None
        assert w.value.target == "negative"
        w.ask("shapley", calls=40)
        assert len(w.wait(GUARD).settings) == 3
        assert w.attribution is not None
        assert w.attribution.settings["calls"] <= 40
        with pytest.raises(InputError, match="knows no objective"):
            w.ask("occlusion", objective="logit")
        with pytest.raises(UnsupportedMethod, match="no gradients"):
            w.ask()
        w.close()


def test_show_refuses_what_a_server_cannot_be_asked_before_it_asks() -> None:
    with ruled() as server:
        for how, message in (
            ({"labels": None}, "between labels"),
            ({"explainer": at(server)}, "knows no explainer="),
            ({"objective": "logit"}, "knows no objective="),
            ({"max_requests": 4}, "takes 12 requests, and max_requests is 4"),
        ):
            with pytest.raises(InputError, match=message):
                sw.show(at(server), TEXT, **{"labels": LABELS, "method": "occlusion", **how})
        with pytest.raises(UnsupportedMethod, match="no gradients"):
            sw.show(at(server), TEXT, labels=LABELS)
        assert server.asked == []
    with pytest.raises(InputError, match="labels= is for models behind a server"):
        sw.show("demo", TEXT, labels=LABELS)


def test_two_server_maps_are_compared_with_their_floors() -> None:
    """A text without a word has its floor at its own columns."""
    from saliency_widget.comparison.compare import exhibition_of

    with ruled() as server:
        client = at(server)
        two = mapped(client), mapped(client, TEXT.replace(" not", ""), labels=[*LABELS, "other"])
    floors = [shown.floors for shown in exhibition_of(*two).maps]
    assert floors[0][2] is None
    assert floors[1] == pytest.approx([0, 0, 0], abs=1e-9)
    assert list(floors[2]) == []


# ── what it says ─────────────────────────────────────────────────────────────────────────────────────────────────


def scores_of(text: str) -> str:
    """An answer in the form that is asked for: "positive", and how much each word of the text speaks for it."""
    words = [{"word": word.text, "importance": WORTH.get(word.text.lower(), 0) / 2} for word in words_of(text)]
    return json.dumps({"class": "positive", "words": words})


def test_its_story_is_a_map_beside_its_own_and_both_are_compared_in_the_drawer(page: Any) -> None:
    """The story ranks the words as the rule does, so the two agree wholly; ties in rank are ties in both."""
    with ruled() as server:
        server.answer = scores_of(TEXT)
        shown = page(at(server)).start()
        a = shown.settled()
        told = shown.of("explainers")[-1]
        assert [(one["id"], one["compares"]) for one in told["explainers"]] == [("explainer", True)]
        assert (told["review"], told["reason"]) == (TEXT, None)
        labels = ["positive", "negative"]
        shown.say("explain", explainer="explainer", kind="scores", prompt="Score {review}", review=TEXT, labels=labels)
        shown.settled()
        answer = shown.of("answer")[-1]
        assert (answer["state"], answer["label"], answer["mapped"]) == ("done", "positive", True)
        assert shown.backend.attribution is a
        shown.say("ask", method="llm", objective="")
        said = shown.backend.attribution
        assert said is not None
        assert said.method == "llm"
        np.testing.assert_allclose(said.scores[:, 0], a.scores[:, 0] / 2, atol=1e-6)
        shown.say("ask", method="occlusion", objective="")
        assert shown.settled() is a
        shown.say("say_versus_do", review=TEXT, explainer="explainer", labels=labels)
        shown.settled()
        wait_for(lambda: shown.of("comparison"), lambda: shown.messages[-3:])
        comparison = shown.of("comparison")[-1]
    (side,) = comparison["sides"]
    assert (comparison["label"], comparison["label_probability"]) == ("positive", None)
    np.testing.assert_allclose(side["scores"], a.scores[:, 0], atol=1e-5)
    figures = {figure["id"]: figure["value"] for figure in side["figures"]}
    assert figures["spearman"] == pytest.approx(1)
    assert shown.backend.comparison is not None
    assert len(shown.backend.explanations) == 1
    assert any("Taking words out (" in message["what"] for message in shown.of("status"))


def test_an_answer_that_fails_leaves_the_map_and_one_that_waited_is_cancelled(page: Any) -> None:
    asked, go = threading.Event(), threading.Event()
    with ruled() as server:
        server.answer = "x"
        shown = page(at(server)).start()
        a = shown.settled()

        def before(_count: int) -> None:
            asked.set()
            assert go.wait(GUARD)

        server.before, server.answer = before, None
        shown.say("explain", explainer="explainer", kind="answer", prompt="Say {review}", review=TEXT)
        shown.say("explain", explainer="explainer", kind="answer", prompt="And {review}", review=TEXT)
        assert asked.wait(GUARD)
        shown.say("cancel")
        with pytest.raises(Cancelled):
            shown.settled()
        wait_for(
            lambda: {m["id"]: m["state"] for m in shown.of("answer")} == {1: "cancelled", 2: "cancelled"},
            lambda: shown.of("answer"),
        )
        go.set()
        shown.say("explain", explainer="model", kind="answer", prompt="Say {review}", review=TEXT)
        wait_for(lambda: shown.of("failed"), lambda: shown.messages[-3:])
        assert "no explainer 'model'" in shown.of("failed")[-1]["message"]
        assert shown.backend.attribution is a


def test_equal_questions_are_asked_far_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first alone, one in the middle, one at the end: asked twice at once, a server answers from its cache."""
    monkeypatch.setattr(many, "PARALLEL", 1)
    with ruled() as server:
        mapped(at(server))
        assert [k for k, text in enumerate(server.asked) if text == TEXT] == [0, 5, 11]


# ── Shapley values ───────────────────────────────────────────────────────────────────────────────────────────────


def shapley_by_orders(value: Callable[[frozenset[int]], float], n: int) -> list[float]:
    """The definition, over all subsets."""
    found = []
    for player in range(n):
        others = [other for other in range(n) if other != player]
        parts = (
            math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
            * (value(frozenset({*subset, player})) - value(frozenset(subset)))
            for size in range(n)
            for subset in combinations(others, size)
        )  # fmt: skip
        found.append(sum(parts))
    return found


def interacting(text: str) -> float:
    """The log-odds of "Positive": "not" turns "bad" round, and "good" counts for less beside "film"."""
    words = {word.text.lower() for word in words_of(text)}
    return (
        0.5 + 1.5 * ("good" in words) - 1.0 * ("bad" in words) + 1.8 * ({"not", "bad"} <= words)
        - 0.5 * ({"good", "film"} <= words)
    )  # fmt: skip


def tokens_by(log_odds: Callable[[str], float]) -> Callable[[str], list[tuple[str, float]]]:
    def rule(text: str) -> list[tuple[str, float]]:
        p = 1 / (1 + math.exp(-log_odds(text)))
        return [("Positive", math.log(p)), ("Negative", math.log(1 - p))]

    return rule


def test_shapley_values_of_an_additive_rule_are_its_worths_with_errors_of_zero() -> None:
    with ruled(tokens_by(odds)) as server:
        a = mapped(at(server), method="shapley")
    expected = [WORTH.get(word.text.lower(), 0) for word in words_of(TEXT)]
    np.testing.assert_allclose(a.scores[:, 0], expected, atol=1e-5)
    np.testing.assert_allclose(a.scores[:, 1], -a.scores[:, 0], atol=1e-6)
    assert a.errors is not None
    np.testing.assert_allclose(a.errors, 0, atol=1e-5)


def test_shapley_values_of_few_words_are_those_of_the_definition() -> None:
    """Five words: all 32 texts are read, and interactions are divided as the definition says."""
    text = "good film not bad really"
    words = text.split()
    with ruled(tokens_by(interacting)) as server:
        a = mapped(at(server), text, method="shapley")
        asked = set(server.asked)
    expected = shapley_by_orders(lambda kept: interacting(" ".join(words[i] for i in sorted(kept))), 5)
    np.testing.assert_allclose(a.scores[:, 0], expected, atol=1e-5)
    assert a.errors is not None
    np.testing.assert_array_equal(a.errors, 0)
    assert len(asked) == 32 == a.settings["calls"]
    assert a.scores[:, 0].sum() == pytest.approx(interacting(text) - interacting(""), abs=1e-5)


def test_sampled_shapley_values_are_within_their_errors_of_the_definition() -> None:
    """Nine words, 72 of 512 texts; z of all nine below 4, which luck passes once in a thousand texts."""
    words = [word.text for word in words_of(TEXT)]
    with ruled(tokens_by(interacting)) as server:
        a = mapped(at(server), method="shapley")
    expected = shapley_by_orders(lambda kept: interacting(" ".join(words[i] for i in sorted(kept))), len(words))
    assert a.errors is not None
    off = np.abs(a.scores[:, 0] - expected)
    assert (off <= 4 * a.errors[:, 0] + 1e-5).all()
    assert a.scores[:, 0].sum() == pytest.approx(interacting(TEXT) - interacting(""), abs=1e-5)
    assert a.settings["calls"] == 72


def test_shapley_is_refused_beyond_a_number_of_requests_with_the_number() -> None:
    with ruled() as server:
        with pytest.raises(InputError, match="takes 74 requests, and max_requests is 50"):
            mapped(at(server), method="shapley", max_requests=50)
        with pytest.raises(InputError, match=r"calls=20 are too few for 9 units") as found:
            mapped(at(server), method="shapley", calls=20)
        with pytest.raises(InputError, match="calls= is for Shapley"):
            mapped(at(server), calls=20)
        assert server.asked == []
    assert "at least 36" in found.value.cure


def test_what_is_taken_out_leaves_the_other_words_in_order() -> None:
    for text in (TEXT, "  a  b c ", "我喜欢 这部电影。", "don't stop!  Now"):
        spans = spans_of(text, "word")
        way = shapley(text, spans, None)
        words = [text[start:end] for start, end in spans]
        assert way.texts[0] == text
        for changed in way.texts[1:]:
            left = iter(words)
            assert all(word in left for word in (w.text for w in words_of(changed)))
        for k in range(len(spans)):
            assert "".join(without(text, spans[:k] + spans[k + 1 :]).split()) == words[k]


# ── samples ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Talker:
    """Answers so many of ten askings with "positive" as the rule says; it gives no log-probabilities."""

    def __init__(self, server: Ruled, share: Callable[[str], float]) -> None:
        self._share, self._asked, self._lock = share, Counter[str](), threading.Lock()
        server.rule = lambda _text: "logprobs are not supported."
        server.reply = self.reply

    def reply(self, text: str) -> str:
        with self._lock:
            self._asked[text] += 1
            return " Positive." if self._asked[text] <= round(10 * self._share(text)) else "Negative, surely"


def by_good(text: str) -> float:
    return 0.9 if "good" in text else 0.2


def test_samples_are_refused_or_asked_for_and_named_by_the_refusal() -> None:
    with ruled(lambda _: "This model does not support logprobs.") as server:
        with pytest.raises(UnsupportedMethod) as found:
            mapped(at(server))
        with pytest.raises(UnsupportedMethod, match="too rough for shapley"):
            mapped(at(server), method="shapley", samples=5)
        with pytest.raises(InputError, match="from 2 on"):
            mapped(at(server), samples=1)
        with pytest.raises(InputError, match="takes 200 requests, and max_requests is 100"):
            mapped(at(server), samples=20, max_requests=100)
    assert "samples=20" in found.value.cure


def test_shares_of_samples_are_the_map_with_their_binomial_errors() -> None:
    """Of ten answers nine are "positive" with "good", two without it: its score is .7."""
    with ruled() as server:
        Talker(server, by_good)
        a = mapped(at(server), samples=10)
        requests = server.requests
    good = [token.text.strip() for token in a.rows].index("good")
    expected = np.zeros((len(a.rows), 2))
    expected[good] = 0.7, -0.7
    np.testing.assert_allclose(a.scores, expected, atol=1e-6)
    np.testing.assert_allclose(a.step_scores["probability"], [0.9, 0.1], atol=1e-6)
    assert a.errors is not None
    p, q = 10 / 12, 3 / 12  # nine and two of ten, and one more on either side
    assert a.errors[good, 0] == pytest.approx(math.sqrt((p * (1 - p) + q * (1 - q)) / 10), rel=1e-5)
    assert a.errors[0, 0] == pytest.approx(math.sqrt(2 * p * (1 - p) / 10), rel=1e-5)
    assert a.diagnostics["noise_floor"] == pytest.approx([1.96 * a.errors[0, 0]] * 2, rel=1e-5)
    assert (a.settings["by"], a.settings["samples"], a.unit) == ("samples", 10, "fall of the share")
    assert "Made from samples: shares of 10 answers" in a.to_html()
    assert len(requests) == 10 * (len(a.rows) + 1) == a.diagnostics["requests"]
    assert {request["temperature"] for request in requests} == {1.0}
    assert not any("logprobs" in request for request in requests)


def test_the_widget_of_samples_says_what_they_are_and_what_they_cannot_give(page: Any) -> None:
    """Nine words out and the whole text, ten times each; the floor goes with the columns."""
    with ruled() as server:
        Talker(server, by_good)
        shown = page(at(server), samples=10).start()
        a = shown.settled()
    assert shown.of("document")[-1]["dtype"] == "10 answers a text"
    assert shown.of("status")[-2]["total"] == 100
    assert shown.columns["occlusion", 0][0]["floor"] == pytest.approx(a.diagnostics["noise_floor"][0])
    cards = {card["id"]: card for card in shown.of("menu")[-1]["methods"]}
    assert "Samples are too rough" in cards["shapley"]["reason"]
    assert cards["occlusion"]["cost"] == "100 requests to the server, 10 for each text"
    assert "Made from samples" in " ".join(cards["occlusion"]["caveats"])
    assert any("Made from samples" in note["text"] for note in shown.of("notes")[-1]["notes"])


def test_answers_with_none_of_the_labels_end_it_after_the_whole_text() -> None:
    with ruled() as server:
        Talker(server, by_good)
        with pytest.raises(InputError, match="does not begin its answer with one of the labels"):
            mapped(at(server), samples=4, labels=["red", "blue"])
    assert len(server.requests) == 4
