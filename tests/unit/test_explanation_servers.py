"""Explanations by two real servers: llama.cpp's, which can be held to a schema, and transformers', which cannot."""

from __future__ import annotations

import json
from typing import Any

import pytest

import saliency_widget as sw
from saliency_widget.errors import ServerError
from saliency_widget.explanation.asking import Inquiry, News, ask

from .. import servers

REVIEW = "A warm and funny film."
SHORT = "In one short sentence: is this review positive or negative? {review}"

pytestmark = pytest.mark.demo


def client_of(server: servers.Server, **how: Any) -> sw.OpenAIClient:
    return sw.OpenAIClient(server.model, base_url=server.url, **{"api_key": servers.KEY, "timeout": 120} | how)


@pytest.fixture(params=["llama", "served"])
def server(request: pytest.FixtureRequest) -> servers.Server:
    found: servers.Server = request.getfixturevalue(request.param)
    return found


def test_an_answer_streams_and_its_tokens_are_counted(server: servers.Server) -> None:
    heard: list[str] = []
    # Long enough to be heard growing, ten times a second; llama.cpp is the faster one.
    request = Inquiry(review=REVIEW, max_tokens=80 if server.model == "demo" else 30)
    said = ask(client_of(server), request, lambda news: heard.append(news.text))
    assert "positive" in said.text
    assert len({text for text in heard if text}) > 1
    assert said.text.startswith(next(text for text in heard if text))
    assert said.completion_tokens
    assert said.where.startswith("127.0.0.1")


def test_llama_cpp_holds_scores_to_the_form_and_nothing_is_dropped(llama: servers.Server) -> None:
    """Constrained to JSON: every word ends as scored or missing, every pair has a fate, however weak the model."""
    said = sw.explain(client_of(llama), REVIEW, kind="scores", max_tokens=300, progress=False)
    assert said.text.lstrip().startswith("{")
    assert said.alignment is not None
    assert len(said.alignment.pairs) > 1
    assert all(pair.fate in ("aligned", "out of range", "repeated", "invented") for pair in said.alignment.pairs)
    scored = sum(score is not None for score in said.alignment.scores)
    assert said.summary.startswith(f"{scored} of 6 words scored")
    if said.finished:
        assert json.loads(said.text)["class"] == said.label
        assert said.guided


def test_where_no_form_is_offered_it_is_asked_twice_and_what_came_is_shown(served: servers.Server) -> None:
    """The demo model writes no list: the answer, and what could not be read of it, are there; no map is invented."""
    said = sw.explain(client_of(served), REVIEW, kind="scores", max_tokens=12, progress=False)
    assert said.text
    assert said.problems
    assert not said.guided


def test_one_model_says_nearly_the_same_here_and_at_a_server(llama: servers.Server, demo: Any) -> None:
    """llama.cpp computes in 8 bits: the first words are those of torch."""
    here = sw.explain(demo, REVIEW, prompt=SHORT, max_tokens=12, progress=False).text
    there = sw.explain(client_of(llama), REVIEW, prompt=SHORT, max_tokens=12, progress=False).text
    assert here.split()[:3] == there.split()[:3]


def test_an_answer_can_be_stopped_and_the_server_asked_again(server: servers.Server) -> None:
    def on_news(news: News) -> None:
        if news.text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(client_of(server), Inquiry(review=REVIEW), on_news)
    assert sw.explain(client_of(server), REVIEW, prompt=SHORT, max_tokens=3, progress=False).text


def test_a_wrong_key_is_told_without_the_key(llama: servers.Server) -> None:
    with pytest.raises(ServerError) as caught:
        sw.explain(client_of(llama, api_key="sk-wrong-one"), REVIEW, progress=False)
    assert caught.value.status == 401
    assert "sk-wrong-one" not in str(caught.value)
