"""Models of servers as they are: they think first, refuse parameters, do not stream, and answer in parts.

Each script is what one kind of server sends; every request that is paid for is counted.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

import saliency_widget as sw
from saliency_widget import OpenAIClient
from saliency_widget.errors import InputError, ServerError, TextTooLong

from ..servers import KEY, Says, refuses, says, scripted, streams, writes

ASK = [{"role": "user", "content": "Good?"}]


def at(server: Any, **how: Any) -> OpenAIClient:
    return OpenAIClient("m", **{"base_url": server.url, "api_key": KEY, "max_retries": 0, **how})


def ask(client: OpenAIClient, max_tokens: int = 20, messages: Any = ASK, **how: Any) -> Any:
    return client.answer(messages, on_text=lambda _: None, max_tokens=max_tokens, **how)


def thinks(*thoughts: str, field: str = "reasoning_content", answer: str = "Good.", finish: str = "stop") -> Says:
    chunks: list[dict[str, Any]] = [{"choices": [{"delta": {field: thought}}]} for thought in thoughts]
    usage = {"prompt_tokens": 7, "completion_tokens": 90, "completion_tokens_details": {"reasoning_tokens": 80}}
    chunks += [{"choices": [{"delta": {"content": answer}}]}] if answer else []
    chunks += [{"choices": [{"delta": {}, "finish_reason": finish}]}, {"choices": [], "usage": usage}]
    return streams(*chunks, "[DONE]")


# ── thinking ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "thinking"])
def test_thinking_is_kept_apart_and_counted(field: str) -> None:
    with scripted(thinks("Let me ", "see.", field=field)) as server:
        said = sw.explain(at(server), "a film", progress=False)
    assert (said.text, said.thinking, said.reasoning_tokens, said.completion_tokens) == ("Good.", "Let me see.", 80, 90)
    assert dict(said.card.about)["of these for thinking"] == "80"
    assert said.finished


def test_content_in_parts_is_text_and_thinking() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm. "}]},
        {"type": "text", "text": "Go"},
        {"type": "text", "text": "od."},
    ]
    with scripted(streams({"choices": [{"delta": {"content": parts}, "finish_reason": "stop"}]}, "[DONE]")) as server:
        reply = ask(at(server))
    assert (reply.text, reply.thinking) == ("Good.", "Hm. ")


def test_there_is_room_to_think_and_the_answer_is_held_to_its_own_limit() -> None:
    """A model that does not stop is left as soon as its answer is as long as it may be."""
    endless = streams(*({"choices": [{"delta": {"content": "a "}}]} for _ in range(500)))
    with scripted(thinks("x"), endless, thinks("x"), thinks("x")) as server:
        client = at(server)
        assert ask(client).text == "Good."
        reply = ask(client)
        assert (len(reply.text.split()), reply.finished, reply.completion_tokens) == (20, False, 20)
        ask(at(server, thinking_tokens=0))
        ask(at(server, thinking_tokens=None))
    assert [asked.body.get("max_tokens") for asked in server.asked] == [8020, 8020, 20, None]


def test_a_model_that_only_thought_is_not_paid_for_again_and_says_what_to_do() -> None:
    with scripted(thinks("Hm.", answer="", finish="length")) as server:
        said = sw.explain(at(server), "a film", kind="scores", progress=False)
    assert len(server.asked) == 1
    assert (said.text, said.thinking, said.completion_tokens) == ("", "Hm.", 90)
    assert "spent all of its 80 tokens on thinking" in said.problems[0]
    assert "thinking_tokens=" in said.problems[0]


def test_an_answer_that_was_cut_says_what_to_do() -> None:
    with scripted(writes("a", "b", finish="length")) as server:
        said = sw.explain(at(server), "a film", progress=False)
    assert said.problems == ("The limit of tokens cut the answer off: give a larger max_tokens=.",)


@pytest.mark.parametrize(
    "message",
    [
        (
            "'max_tokens' or 'max_completion_tokens' is too large: 8020. This model's maximum context length is 4096 "
            "tokens and your request has 12 input tokens (8020 > 4096 - 12)."
        ),
        (
            "This model's maximum context length is 4096 tokens. However, you requested 8032 tokens (12 in the "
            "messages, 8020 in the completion)."
        ),
        "max_tokens is too large: 8020. This model supports at most 4096 completion tokens.",
        (
            "max_completion_tokens=8020 cannot be greater than max_model_len=1024. Please request fewer output tokens. "
            "(parameter=max_completion_tokens, value=8020)"
        ),
    ],
)
def test_a_model_without_room_to_think_is_asked_without_it(message: str) -> None:
    """The text itself may yet be too long: then that is the error."""
    with scripted(refuses(message), writes("a")) as server:
        assert ask(at(server)).text == "a"
    assert [asked.body["max_tokens"] for asked in server.asked] == [8020, 20]
    with scripted(*[refuses(message)] * 9) as server, pytest.raises((ServerError, TextTooLong)):
        ask(at(server))
    assert len(server.asked) <= 3  # with less room, and by the other name


# ── what is sent ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_effort_headers_query_and_further_fields_are_sent() -> None:
    with scripted(writes("a")) as server:
        client = at(
            server,
            base_url=f"{server.url}?api-version=2026-01-01",
            reasoning_effort="low",
            headers={"X-Team": "us"},
            query={"region": "eu"},
            extra={"provider": {"order": ["here"]}},
        )
        assert ask(client).text == "a"
    (asked,) = server.asked
    path, _, query = asked.path.partition("?")
    assert path == "/v1/chat/completions"
    assert sorted(query.split("&")) == ["api-version=2026-01-01", "region=eu"]
    assert asked.headers["x-team"] == "us"
    assert (asked.body["reasoning_effort"], asked.body["provider"]) == ("low", {"order": ["here"]})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"extra": {"messages": []}}, "extra holds 'messages'"),
        ({"extra": {"stream": False}}, "extra holds 'stream'"),
        ({"headers": {"a": 1}}, "headers holds something that is no text"),
        ({"query": {1: "a"}}, "query holds something that is no text"),
        ({"thinking_tokens": -1}, "thinking_tokens"),
    ],
)
def test_what_cannot_be_sent_is_refused_at_once(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        OpenAIClient("m", base_url="http://127.0.0.1:1/v1", **wrong)


def test_what_headers_and_query_hold_is_as_secret_as_the_key() -> None:
    secret, other = "azure-key-0123456789", "query-key-0123456789"
    with scripted(refuses(f"bad {secret} and {other} and {KEY}", 401)) as server:
        client = at(server, headers={"api-key": secret}, query={"code": other})
        with pytest.raises(ServerError) as caught:
            ask(client)
    said = repr(caught.value) + str(caught.value) + repr(vars(client)) + repr(client)
    assert not any(one in said for one in (secret, other, KEY))
    assert str(caught.value).count("[key]") == 3


# ── what is refused ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_refusal_is_learned_once_and_told() -> None:
    """The requests after it are right at once; the card says what the server chose itself."""
    refused = [refuses(f"Unsupported value: '{name}' is not supported.") for name in ("temperature", "seed")]
    with scripted(*refused, writes("a"), writes("b"), writes("c")) as server:
        client = at(server)
        said = sw.explain(client, "a film", temperature=0.5, seed=3, progress=False)
        assert dict(said.card.about)["chosen by the server"] == "the seed, the temperature"
        again = sw.explain(client, "a film", seed=3, progress=False)
        assert again.left_out == ("the seed", "the temperature")
        without_a_seed = sw.explain(client, "a film", progress=False)
        assert without_a_seed.left_out == ("the temperature",)
    assert len(server.asked) == 5
    assert not any({"temperature", "seed"} & asked.body.keys() for asked in server.asked[2:])


def test_an_account_that_may_not_stream_gets_the_answer_whole() -> None:
    message = "Your organization must be verified to stream this model."
    body = {
        "choices": [{"message": {"role": "assistant", "content": "Good."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 2},
    }
    with scripted(refuses(message, param="stream", code="unsupported_value"), says(body), says(body)) as server:
        client = at(server)
        assert ask(client)[:4] == ("Good.", True, 7, 2)
        assert ask(client).text == "Good."
    assert [asked.body["stream"] for asked in server.asked] == [True, False, False]
    assert "stream_options" not in server.asked[1].body


def test_a_server_that_does_not_stream_is_understood_all_the_same() -> None:
    """Also pretty-printed, over many lines; an error in that place is an error."""
    body = {"choices": [{"message": {"content": "Good."}, "finish_reason": "stop"}]}
    with scripted(Says([json.dumps(body, indent=2)])) as server:
        assert ask(at(server)).text == "Good."
    with (
        scripted(says({"error": {"message": "The model is asleep."}})) as server,
        pytest.raises(ServerError, match="The model is asleep"),
    ):
        ask(at(server))


def test_a_router_that_finds_no_provider_for_the_form_is_asked_without_it() -> None:
    refusal = refuses("No endpoints found that support the requested parameters: response_format", 404)
    with scripted(refusal, writes('[("film", 1)]')) as server:
        said = sw.explain(at(server), "a film", kind="scores", progress=False)
    assert said.scores[1] == 1
    assert "response_format" not in server.asked[1].body
    assert said.left_out == ("the form",)


def test_a_system_message_is_the_developers_where_the_server_wants_that() -> None:
    refusal = refuses("Unsupported value: 'messages[0].role' does not support 'system' with this model.")
    with scripted(refusal, writes("a"), writes("a")) as server:
        client = at(server)
        for _ in range(2):
            sw.explain(client, "a film", system="Be brief.", progress=False)
    assert [asked.body["messages"][0]["role"] for asked in server.asked] == ["system", "developer", "developer"]


def test_what_a_server_can_not_do_without_is_its_error() -> None:
    """Each workaround is tried once: nothing is asked for ever."""
    with scripted(*[refuses("temperature is not supported")] * 3) as server, pytest.raises(ServerError):
        ask(at(server))
    assert len(server.asked) == 2


def test_a_first_chunk_without_choices_is_no_answer_yet() -> None:
    chunks = [{"choices": [], "prompt_filter_results": []}, {"choices": [{"delta": {"content": "a"}}]}]
    with scripted(streams(*chunks, {"choices": [{"delta": {}, "finish_reason": "stop"}]}, "[DONE]")) as server:
        assert ask(at(server)).text == "a"
