"""The map of a model behind a server, whose answers follow a known rule: its scores are known exactly."""

from __future__ import annotations

import json
import math
import threading
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

import saliency_widget as sw
from saliency_widget import OpenAIClient
from saliency_widget.errors import Cancelled, InputError, ServerError, UnsupportedMethod
from saliency_widget.explanation.alignment import words_of
from saliency_widget.explanation.black_box import read, server_map
from saliency_widget.explanation.choice import choice_of
from saliency_widget.explanation.prompts import ONE_WORD, fill
from saliency_widget.explanation.remote_question import REPEATS
from saliency_widget.models.loading.demo import demo_gguf

from ..gguf_files import write_float32
from ..servers import KEY, JsonHandler, llama_cpp, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TEXT = "A good film, not bad at all."
WORTH = {"good": 1.5, "bad": -1.0, "not": 0.25, "film": 0.0625}
LABELS = {"positive": "Positive", "negative": "Negative"}


def odds(text: str) -> float:
    """The log-odds of "Positive": each known word adds its worth."""
    return 0.5 + sum(WORTH.get(word.text.lower(), 0) for word in words_of(text))


def first_tokens(text: str) -> list[tuple[str, float]]:
    """Half of the probability is on the labels, in tokens that begin them as models write them."""
    p = 0.5 / (1 + math.exp(-odds(text)))
    shares = {"Pos": 0.75 * p, " positive": 0.25 * p, "Neg": 0.5 - p, "The": 0.4, "P": 0.0, "": 0.05}
    return [(token, math.log(share)) for token, share in shares.items() if share > 0]


class Ruled(ThreadingHTTPServer):
    """Answers every request by a rule from the text to the first tokens; `asked`: the texts, in order."""

    daemon_threads = True

    def __init__(self, rule: Callable[[str], Any], before: Callable[[int], None]) -> None:
        super().__init__(("127.0.0.1", 0), _Ruled)
        self.rule, self.before = rule, before
        self.answer: str | None = None  # to whoever asks for more than a token
        self.reply: Callable[[str], str] | None = None  # the same, from the text
        self.prompts: list[str] = []
        self.asked: list[str] = []
        self.requests: list[Any] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Ruled(JsonHandler):
    server: Ruled

    def answer(self, body: Any) -> None:
        self.server.prompts.append(body["messages"][0]["content"])
        if self.server.answer is not None and body["max_tokens"] > 1:
            choice = {"message": {"content": self.server.answer}, "finish_reason": "stop"}
            self.say(200, {"choices": [choice], "usage": {"prompt_tokens": 11, "completion_tokens": 9}})
            return
        text = body["messages"][0]["content"].removeprefix("Text: ").partition("\n\n")[0]
        self.server.asked.append(text)
        self.server.requests.append(body)
        self.server.before(len(self.server.asked))
        if self.server.reply is not None and "logprobs" not in body:
            choice = {"message": {"content": self.server.reply(text)}, "finish_reason": "stop"}
            self.say(200, {"choices": [choice], "usage": {"prompt_tokens": 11, "completion_tokens": 2}})
            return
        found = self.server.rule(text)
        if isinstance(found, str):
            self.say(400, {"error": {"message": found}})
            return
        top = [{"token": token, "logprob": logprob} for token, logprob in found or ()]
        logprobs = {"content": [{"token": "x", "logprob": -1, "top_logprobs": top}]} if found is not None else None
        choice = {"message": {"content": "x"}, "finish_reason": "length", "logprobs": logprobs}
        self.say(200, {"choices": [choice], "usage": {"prompt_tokens": 11, "completion_tokens": 1}})


@contextmanager
def ruled(rule: Callable[[str], Any] = first_tokens, before: Callable[[int], None] = lambda _: None) -> Iterator[Ruled]:
    with Ruled(rule, before) as server, serving(server):
        yield server


def at(server: Ruled, **how: Any) -> OpenAIClient:
    return OpenAIClient("m", **{"base_url": server.url, "api_key": KEY, "max_retries": 0, **how})


def mapped(client: OpenAIClient, text: str = TEXT, **how: Any) -> sw.Attribution:
    return sw.attribute(client, text, **{"labels": LABELS, "method": "occlusion", "progress": False, **how})


# ── the map ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_planted_rule_is_found_exactly() -> None:
    """The score of a word is what it adds to the log-odds of a label; the labels are each other's opposite."""
    with ruled() as server:
        a = mapped(at(server))
    words = [word.text for word in words_of(TEXT)]
    assert [token.text.strip() for token in a.rows] == words
    assert "".join(token.text for token in a.rows) == TEXT
    assert [(token.text, token.role) for token in a.cols] == [("positive", "class"), ("negative", "class")]
    expected = [WORTH.get(word.lower(), 0) for word in words]
    np.testing.assert_allclose(a.scores[:, 0], expected, atol=1e-6)
    np.testing.assert_allclose(a.scores[:, 1], -a.scores[:, 0], atol=1e-6)
    p = 1 / (1 + math.exp(-odds(TEXT)))
    np.testing.assert_allclose(a.step_scores["probability"], [p, 1 - p], rtol=1e-6)
    assert a.diagnostics["noise_floor"] == pytest.approx([0, 0], abs=1e-9)
    assert a.diagnostics["label_mass"] == pytest.approx([0.5, 0.5])
    assert a.diagnostics["bounded"] == [0, 0]
    assert (a.method, a.signed, a.unit) == ("occlusion", True, "fall of the log-odds")


def test_a_request_is_of_one_token_and_each_text_lacks_one_word() -> None:
    with ruled() as server:
        a = mapped(at(server))
    assert len(server.asked) == len(a.rows) + REPEATS == a.diagnostics["requests"]
    assert a.diagnostics["tokens_read"] == 11 * len(server.asked)
    without = [
        "good film, not bad at all.", "A film, not bad at all.", "A good, not bad at all.",
        "A good film not bad at all.",
        "A good film, bad at all.", "A good film, not at all.", "A good film, not bad all.", "A good film, not bad at.",
        "A good film, not bad at all",
    ]  # fmt: skip
    expected = [TEXT] * REPEATS + without
    assert sorted(server.asked) == sorted(expected)
    assert server.requests[0]["messages"][0]["content"] == (
        f"Text: {TEXT}\n\nClassify the text as Positive or Negative. Answer with one word: Positive or Negative."
    )
    about = {name: server.requests[0][name] for name in ("max_tokens", "temperature", "logprobs", "top_logprobs")}
    assert about == {"max_tokens": 1, "temperature": 0.0, "logprobs": True, "top_logprobs": 200}


def test_three_labels_are_each_against_the_others() -> None:
    worth = {"sport": {"ball": 2.0}, "cooking": {"salt": 1.0}, "science": {"ball": -0.5, "salt": 0.5}}

    def rule(text: str) -> list[tuple[str, float]]:
        weights = {label: sum(add for word, add in known.items() if word in text) for label, known in worth.items()}
        whole = sum(map(math.exp, weights.values()))
        return [(label[:3], weight - math.log(whole)) for label, weight in weights.items()]

    def log_odds(text: str) -> np.ndarray:
        p = np.exp([logprob for _, logprob in rule(text)])
        return np.asarray(np.log(p) - np.log(1 - p))

    with ruled(rule) as server:
        a = mapped(at(server), "salt the ball", labels=list(worth))
    left_out = ["the ball", "salt ball", "salt the"]
    expected = [log_odds("salt the ball") - log_odds(text) for text in left_out]
    np.testing.assert_allclose(a.scores, expected, atol=1e-6)


def test_sentences_are_taken_out_as_a_whole() -> None:
    text = "It is good. It is bad! Not so?"
    with ruled() as server:
        a = mapped(at(server), text, unit="sentence")
    assert [token.text for token in a.rows] == ["It is good.", " It is bad!", " Not so?"]
    np.testing.assert_allclose(a.scores[:, 0], [1.5, -1.0, 0.25], atol=1e-6)


# ── how sure it is ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_noise_floor_is_how_far_apart_equal_texts_are() -> None:
    """A server that answers the same question differently each time is told by the map, and on it."""
    turns = iter([0.0, 0.3, -0.1])

    def rule(text: str) -> list[tuple[str, float]]:
        shift = next(turns) if text == TEXT else 0.0
        return [(token, logprob + shift * ("os" in token)) for token, logprob in first_tokens(text)]

    with ruled(rule) as server:
        a = mapped(at(server))
    assert a.diagnostics["noise_floor"] == pytest.approx([0.4, 0.4], abs=1e-6)
    assert "up to 0.4 apart" in a.to_html()


def test_a_label_that_the_server_does_not_tell_is_a_bound() -> None:
    """A label that is not among the tokens is at most as probable as the least of them."""
    found = read([("Pos", math.log(0.9)), ("The", math.log(0.06)), ("A", math.log(0.01))], choice_of(LABELS))
    assert found.bounded.tolist() == [False, True]
    np.testing.assert_allclose(found.values, [math.log(0.9 / 0.01), -math.log(0.9 / 0.01)])
    assert found.mass == pytest.approx(0.9)

    def rule(text: str) -> list[tuple[str, float]]:
        return [pair for pair in first_tokens(text) if "bad" in text or pair[0] != "Neg"]

    with ruled(rule) as server:
        a = mapped(at(server))
    assert a.diagnostics["bounded"] == [0, 1]
    assert "only a bound" in a.to_html()


def test_a_token_that_begins_two_labels_counts_for_neither() -> None:
    """And one that goes on after a label counts for it."""
    found = read(
        [("s", math.log(0.5)), ("sp", math.log(0.2)), ("sciences", math.log(0.1))], choice_of(["sport", "science"])
    )
    assert found.mass == pytest.approx(0.3)


# ── what cannot be ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rule", [lambda _: None, lambda _: "This model does not support logprobs.", lambda _: []])
def test_a_server_without_log_probabilities_is_asked_once_and_said_so(rule: Any) -> None:
    with ruled(rule) as server, pytest.raises(UnsupportedMethod, match="no log-probabilities"):
        mapped(at(server))
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("most", "refusal", "asked"),
    [
        (5, "Invalid value for top_logprobs: at most 5.", [200, 20, 5]),
        (20, "Requested sample logprobs of 200, which is greater than max allowed: 20", [200, 20]),
        (20, "top_logprobs must be between 0 and 20", [200, 20]),
    ],
)
def test_a_server_that_gives_fewer_alternatives_is_asked_for_fewer(most: int, refusal: str, asked: list[int]) -> None:
    """Once: the requests after the first one know it."""
    with ruled() as server:
        server.rule = lambda text: refusal if server.requests[-1]["top_logprobs"] > most else first_tokens(text)
        a = mapped(at(server), "not good")
    assert a.scores[1, 0] == pytest.approx(1.5)
    given = [request["top_logprobs"] for request in server.requests]
    assert given[: len(asked)] == asked
    assert given[len(asked) :] == [most] * (len(a.rows) + REPEATS - 1)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"labels": None}, "between labels"),
        ({"text": None}, "between labels"),
        ({"labels": ["one"]}, "one label"),
        ({"target": " x"}, "labels= and a target="),
        ({"objective": "logit"}, "knows no objective="),
        ({"text": "word"}, "nothing would be left"),
        ({"prompt": "{labels}?"}, "no place for the review"),
        ({"max_requests": 4}, "takes 12 requests, and max_requests is 4"),
        ({"unit": "letter"}, "letter"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_paid_for(how: dict[str, Any], message: str) -> None:
    with ruled() as server, pytest.raises(InputError, match=message):
        mapped(at(server), **how)
    assert server.asked == []


def test_other_methods_need_the_model_itself() -> None:
    with ruled() as server, pytest.raises(UnsupportedMethod, match="no gradients"):
        mapped(at(server), method="saliency")
    assert server.asked == []
    with pytest.raises(InputError, match="labels= is for models behind a server"):
        sw.attribute("demo", TEXT, labels=LABELS, progress=False)


def test_an_answer_that_begins_with_no_label_is_an_error() -> None:
    with (
        ruled(lambda _: [("The", -0.1), ("A", -3.0)]) as server,
        pytest.raises(InputError, match="does not begin its answer with one of the labels"),
    ):
        mapped(at(server))
    assert len(server.asked) == 1


# ── what was paid for ────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_answered_is_not_asked_again() -> None:
    with ruled() as server:
        client = at(server)
        one = mapped(client)
        paid = len(server.asked)
        other = mapped(client)
        assert len(server.asked) == paid
    np.testing.assert_array_equal(one.scores, other.scores)


def test_after_an_interrupt_only_the_rest_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from saliency_widget.explanation import many

    done = threading.Event()

    def stop_after_some(work: Any, _tell: Any) -> Any:
        def check() -> None:
            if len(server.asked) >= 6:
                done.set()
                raise Cancelled("Interrupted.", cure="Ask again.")

        return work(check)

    with ruled() as server:
        client = at(server)
        with monkeypatch.context() as patched:
            patched.setattr(many, "aside", stop_after_some)
            with pytest.raises(Cancelled):
                mapped(client)
        assert done.is_set()
        a = mapped(client)
        assert sorted(server.asked) == sorted([*(set(server.asked) - {TEXT}), *[TEXT] * REPEATS])
        assert len(server.asked) == len(a.rows) + REPEATS
    np.testing.assert_allclose(a.scores[1, 0], 1.5, atol=1e-6)


def test_a_request_that_fails_ends_it_and_what_was_answered_stays() -> None:
    with ruled() as server:
        client = at(server)
        server.rule = lambda text: "The moon is not full." if "bad" not in text else first_tokens(text)
        with pytest.raises(ServerError, match="moon"):
            mapped(client)
        before = len(server.asked)
        server.rule = first_tokens
        a = mapped(client)
    assert len(server.asked) - before < len(a.rows) + REPEATS
    np.testing.assert_allclose(a.scores[1, 0], 1.5, atol=1e-6)


def test_a_map_of_a_server_is_a_map_like_any_other(tmp_path: Any) -> None:
    with ruled() as server:
        a = mapped(at(server))
    a.save(tmp_path / "map.safetensors")
    b = sw.Attribution.load(tmp_path / "map.safetensors")
    np.testing.assert_array_equal(a.scores, b.scores)
    assert b.diagnostics == a.diagnostics
    assert a.top("positive", k=1)[0].text.strip() == "good"
    assert KEY not in a.to_html() + repr(a)


# ── said and done ────────────────────────────────────────────────────────────────────────────────────────────────


def scored(**numbers: float) -> str:
    """An answer in the form: "negative", and a number for each word that is named."""
    words = [{"word": word, "importance": number} for word, number in numbers.items()]
    return json.dumps({"class": -1, "words": words})


@contextmanager
def saying(answer: str) -> Iterator[Ruled]:
    """A server that says this when it is asked for numbers, and else follows the rule."""
    with ruled() as server:
        server.answer = answer
        yield server


def test_what_a_server_says_stands_beside_its_own_map() -> None:
    """The map is of the label that it answered, and signed towards positive, as its numbers are."""
    with saying(scored(good=0.9, film=0.1, bad=-0.8, all=0.0)) as server:
        found = sw.say_versus_do(at(server), TEXT, askings=2, progress=False)
    assert found.explanation.class_name == "negative"
    words = found.explanation.words
    done = dict(zip(words, found.sides[0].map.scores[:, 0], strict=True))
    assert {word: float(round(done[word], 6)) for word in ("good", "bad", "film")} == {
        "good": 1.5, "bad": -1.0, "film": 0.0625,
    }  # fmt: skip
    said = found.explanation.scores
    both = ~np.isnan(said)
    ranks = spearmanr(said[both], found.sides[0].map.scores[both, 0]).statistic
    assert found.figure("occlusion", "spearman").value == pytest.approx(ranks)
    assert "It answered negative" in repr(found)
    assert "Positive or Negative" in next(text for text in server.prompts if "Classify" in text)
    assert len([text for text in server.prompts if "Classify" not in text]) == 2


def test_a_server_that_decides_on_nothing_is_no_comparison() -> None:
    with saying(json.dumps({"words": [{"word": "good", "importance": 1}]})) as server:
        with pytest.raises(InputError, match="decided on no label"):
            sw.say_versus_do(at(server), TEXT, askings=1, progress=False)
        with pytest.raises(UnsupportedMethod, match="shows no saliency"):
            sw.say_versus_do(at(server), TEXT, methods=["saliency"], progress=False)


# ── a real server ────────────────────────────────────────────────────────────────────────────────────────────────


REVIEW = "The dialogue is so bad that the theatre laughed."


def by_torch(review: str) -> list[float]:
    """The fall of the log-odds of the first label without each word, by plain passes over the same prompt."""
    model = sw.load_model("demo", device="cpu", dtype="float32")
    tokenizer = model.tokenizer

    def log_odds(text: str) -> float:
        content = fill(fill(ONE_WORD, labels="Positive or Negative"), review=text)
        ids = tokenizer.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
        ids = ids["input_ids"] if not isinstance(ids, list) else ids
        with torch.no_grad():
            top = model.model(torch.tensor([ids])).logits[0, -1].log_softmax(-1).topk(200)
        found = [(tokenizer.decode([i]), float(p)) for p, i in zip(*map(torch.Tensor.tolist, top), strict=True)]
        return float(read(found, choice_of(LABELS)).values[0])

    words = words_of(review)
    texts = [review[: word.span[0]].rstrip() + review[word.span[1] :] for word in words]
    return [log_odds(review) - log_odds(text if i else text.lstrip()) for i, text in enumerate(texts)]


def by_llama_cpp(server: Any, **extra: Any) -> sw.Attribution:
    client = OpenAIClient(server.model, base_url=server.url, api_key=KEY, timeout=120, extra=extra)
    return server_map(client, REVIEW, labels=LABELS, progress=False)


@pytest.mark.demo
def test_llama_cpps_map_ranks_words_as_torch_does_on_the_same_weights(llama: Any) -> None:
    """The same prompt, the same words taken out, the log-odds of the same first tokens; its activations are int8."""
    a = by_llama_cpp(llama)
    rho = spearmanr(a.scores[:, 0], by_torch(REVIEW)).statistic
    assert rho > 0.6, "it was .96 where it was measured; other processors round int8 otherwise"
    assert max(a.diagnostics["noise_floor"]) < 1
    assert a.diagnostics["label_mass"][0] > 0.3


@pytest.mark.demo
@pytest.mark.long
def test_llama_cpps_map_of_float32_weights_is_that_of_torch(tmp_path: Path) -> None:
    """Without int8 no difference is left but that of float16 keys and values: .01 of log-odds between -1 and 1."""
    with llama_cpp(weights=write_float32(demo_gguf(), tmp_path / "f32.gguf")) as server:
        a = by_llama_cpp(server)
    np.testing.assert_allclose(a.scores[:, 0], by_torch(REVIEW), atol=0.03)
