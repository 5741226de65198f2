"""The map of a whole answer, by a server whose completions repeat their prompt with log-probabilities."""

from __future__ import annotations

import re
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import saliency_widget as sw
from saliency_widget import OpenAIClient
from saliency_widget.errors import InputError, ServerError, UnsupportedMethod
from saliency_widget.explanation.continuation import Scored
from saliency_widget.explanation.received import Received, spelled

from ..servers import KEY, JsonHandler, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TEXT = "The first president was George"
TARGET = " Washington of Virginia."
PULL = {("George", " Washington"): 2.0, ("president", " Washington"): 0.5, ("first", " Virginia"): 0.25}


def cut(text: str) -> list[str]:
    """Tokens as most tokenizers cut: a space begins a word."""
    return re.findall(r" ?\w+|[^\w\s]|\s+", text)


def log_probability(before: str, token: str) -> float:
    """A token is likelier after each word that pulls it."""
    return -4.0 + sum(pull for (word, pulled), pull in PULL.items() if pulled == token and word in before)


def by_rule(prompt: str) -> dict[str, Any]:
    tokens = [*cut(prompt), " The"]
    places = [sum(map(len, tokens[:at])) for at in range(len(tokens))]
    numbers = [
        None,
        *(log_probability(prompt[:place], token) for place, token in zip(places[1:], tokens[1:], strict=True)),
    ]
    return {"tokens": tokens, "token_logprobs": numbers, "text_offset": places}


class _Completions(JsonHandler):
    server: Any

    def answer(self, body: Any) -> None:
        self.server.asked.append((self.path, body))
        found = self.server.rule(body["prompt"]) if "prompt" in body else None
        if isinstance(found, int):
            self.say(found, {"error": {"message": "Not Found"}})
            return
        text = body["prompt"] + " The" if body.get("echo") and self.server.echoes else " The"
        choice = {"text": text, "index": 0, "logprobs": found, "finish_reason": "length"}
        self.say(
            200, {"choices": [choice], "usage": {"prompt_tokens": len(cut(body["prompt"])), "completion_tokens": 1}}
        )


@contextmanager
def completions(rule: Callable[[str], Any] = by_rule, *, echoes: bool = True) -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Completions) as server, serving(server):
        server.daemon_threads = True
        server.rule, server.echoes, server.asked = rule, echoes, []
        yield server


def at(server: Any) -> OpenAIClient:
    return OpenAIClient("m", base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key=KEY, max_retries=0)


def mapped(client: OpenAIClient, text: str = TEXT, **how: Any) -> sw.Attribution:
    return sw.attribute(client, text, **{"target": TARGET, "method": "occlusion", "progress": False, **how})


def test_each_token_of_the_answer_has_the_column_that_was_planted() -> None:
    with completions() as server:
        a = mapped(at(server))
    assert [token.text for token in a.cols] == [" Washington", " of", " Virginia", "."]
    assert "".join(token.text for token in a.rows) == TEXT
    words = TEXT.split()
    expected = [[PULL.get((word, token.text), 0) for token in a.cols] for word in words]
    np.testing.assert_allclose(a.scores, expected, atol=1e-6)
    probabilities = np.exp([log_probability(TEXT, token.text) for token in a.cols])
    np.testing.assert_allclose(a.step_scores["probability"], probabilities, rtol=1e-6)
    assert a["George", " Washington"] == pytest.approx(2.0)
    assert (a.method, a.objective, a.signed, a.unit) == (
        "occlusion", "log_probability", True, "fall of the log-probability",
    )  # fmt: skip
    assert a.diagnostics["noise_floor"] == pytest.approx([0] * 4)
    assert a.diagnostics["cut_otherwise"] == 0
    assert "Washington" in a.to_html()


def test_a_request_reads_text_and_answer_once_and_none_is_asked_twice() -> None:
    with completions() as server:
        client = at(server)
        a = mapped(client)
        mapped(client)
        asked = [body for _, body in server.asked]
    assert {path for path, _ in server.asked} == {"/v1/completions"}
    without = [" ".join(word for word in TEXT.split() if word != out) + TARGET for out in TEXT.split()]
    assert sorted(body["prompt"] for body in asked) == sorted([TEXT + TARGET] * 3 + without)
    assert a.diagnostics["requests"] == len(asked) == 8
    about = {name: asked[0][name] for name in ("max_tokens", "temperature", "echo", "logprobs", "stream")}
    assert about == {"max_tokens": 1, "temperature": 0.0, "echo": True, "logprobs": 1, "stream": False}


def test_a_text_that_cuts_the_answer_otherwise_is_counted_and_adds_up() -> None:
    """Without "George" this server cuts " Washington" in two: together they have its column."""

    def rule(prompt: str) -> dict[str, Any]:
        told = by_rule(prompt)
        if "George" not in prompt:
            k = told["tokens"].index(" Washington")
            told["tokens"][k : k + 1] = [" Wash", "ington"]
            told["token_logprobs"][k : k + 1] = [-3.0, -0.5]
            told["text_offset"].insert(k + 1, told["text_offset"][k] + 5)
        return told

    with completions(rule) as server:
        a = mapped(at(server))
    assert a.diagnostics["cut_otherwise"] == 1
    assert a["George", " Washington"] == pytest.approx(log_probability(TEXT, " Washington") + 3.5)


@pytest.mark.parametrize(
    ("tokens", "places"),
    [
        (["<s>", "No", " 🙂", " way"], [0, 0, 2, 4]),  # a token that begins every text
        (["No", "\ufffd", "\ufffd", "\ufffd", " way"], [0, 2, 2, 2, 4]),  # the bytes of an emoji
        (["No", "🙂", "way"], [0, 2, 4]),  # each token shown alone, without its space
        (["No", "▁🙂", "▁way"], [0, 2, 4]),  # as the tokenizer writes them
        (["<s>", "No", " ", "\ufffd", "\ufffd", " w", "ay"], [0, 0, 2, 3, 3, 4, 6]),
        (["No", " 🙂", " wax"], None),
        (["No", " 🙂"], None),
    ],
)
def test_tokens_have_the_places_of_what_they_spell(tokens: list[str], places: list[int] | None) -> None:
    """The places that a server tells are not used: vLLM counts the lengths of what it shows of the tokens."""
    assert spelled(tokens, "No 🙂 way") == places


def test_an_emoji_in_bytes_is_one_column_with_the_sum_of_them() -> None:
    answer = " 🙂 yes"

    def rule(prompt: str) -> dict[str, Any]:
        before = cut(prompt.removesuffix(answer))
        bytes_of = [-1.0, -0.5, -0.25] if "not" in prompt else [-2.0, -0.5, -0.25]
        numbers = [None, *[-1.0] * len(before), *bytes_of, -3.0, -9.0]
        return {
            "tokens": ["<s>", *before, " \ufffd", "\ufffd", "\ufffd", " yes", " The"],
            "token_logprobs": numbers,
            "text_offset": [0] * len(numbers),
        }

    with completions(rule) as server:
        a = mapped(at(server), "why not", target=answer)
    assert [token.text for token in a.cols] == [" 🙂", " yes"]
    np.testing.assert_allclose(a.scores, [[0, 0], [1, 0]], atol=1e-6)
    np.testing.assert_allclose(a.step_scores["probability"], np.exp([-1.75, -3]), rtol=1e-6)


def test_places_are_counted_where_the_server_tells_none() -> None:
    def rule(prompt: str) -> dict[str, Any]:
        return {**by_rule(prompt), "text_offset": None}

    with completions(rule) as server:
        found = at(server).scored(TEXT, TARGET)
    assert found == Scored(
        tuple((place - len(TEXT), number) for place, number in zip(
            by_rule(TEXT + TARGET)["text_offset"][:-1], by_rule(TEXT + TARGET)["token_logprobs"][:-1], strict=True
        )),
        len(cut(TEXT + TARGET)),
    )  # fmt: skip


def test_equal_questions_that_differ_are_the_noise_floor_of_each_token() -> None:
    shifts = iter([0.0, 0.25, 0.125])

    def rule(prompt: str) -> dict[str, Any]:
        told = by_rule(prompt)
        if prompt == TEXT + TARGET:
            told["token_logprobs"][-2] -= next(shifts)  # the full stop
        return told

    with completions(rule) as server:
        a = mapped(at(server))
    assert a.diagnostics["noise_floor"] == pytest.approx([0, 0, 0, 0.25])
    assert "up to 0.25 apart" in a.to_html()


@pytest.mark.parametrize(
    "how", ["no endpoint", "no echo", "no log-probabilities", "log-probabilities of the end alone"]
)
def test_a_server_that_scores_no_given_answer_is_asked_once_and_said_so(how: str) -> None:
    rules: dict[str, Callable[[str], Any]] = {
        "no endpoint": lambda _: 404,
        "no echo": by_rule,
        "no log-probabilities": lambda _: None,
        "log-probabilities of the end alone": lambda prompt: {
            **by_rule(prompt), "token_logprobs": [None] * len(cut(prompt)) + [-1.0],
        },
    }  # fmt: skip
    with completions(rules[how], echoes=how != "no echo") as server:
        with pytest.raises(UnsupportedMethod, match="scores no given answer") as found:
            mapped(at(server))
        assert len(server.asked) == 1
    assert "echo with logprobs" in found.value.cure
    assert KEY not in str(found.value)


def test_what_cannot_be_asked_is_refused_before_anything_is_paid_for() -> None:
    with completions() as server:
        for how, kind, message in (
            ({"method": "shapley"}, UnsupportedMethod, "shapley of an answer"),
            ({"target": ""}, InputError, "target is empty"),
            ({"labels": ["a", "b"]}, InputError, "labels= and a target="),
            ({"text": "word"}, InputError, "nothing would be left"),
            ({"unit": "letter"}, InputError, "letter"),
            ({"max_requests": 4}, InputError, "takes 8 requests, and max_requests is 4"),
            ({"foil": "x"}, InputError, "knows no foil="),
        ):
            with pytest.raises(kind, match=message):
                mapped(at(server), **how)
        assert server.asked == []
        with pytest.raises(InputError, match="first token begins in the text"):
            mapped(at(server), target="town")
        assert len(server.asked) == 1


def test_another_refusal_is_the_servers_own() -> None:
    with completions(lambda _: 403) as server, pytest.raises(ServerError, match="403"):
        mapped(at(server))


@pytest.mark.parametrize(
    "logprobs",
    [
        None, [], {"tokens": 3}, {"tokens": ["a"], "token_logprobs": []},
        {"tokens": [1], "token_logprobs": [-1.0]}, {"content": []},
    ],
)  # fmt: skip
def test_log_probabilities_in_another_form_are_none(logprobs: Any) -> None:
    received = Received()
    received.take({"choices": [{"text": "a", "logprobs": logprobs}]})
    assert received.scored == ()
    assert received.text == "a"
