from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from saliency_widget.errors import InputError, SaliencyError, ServerError, TextTooLong
from saliency_widget.explanation import server as server_client
from saliency_widget.explanation.server import OpenAIClient

from .. import servers
from ..servers import KEY, Says, refuses, says, scripted, streams, writes
from .waiting import GUARD

if TYPE_CHECKING:
    from collections.abc import Callable

    from saliency_widget.explanation.clients import Client, Reply


LONG = [{"role": "user", "content": "Count from one to a thousand, in words."}]
SHORT = [{"role": "user", "content": "What is the capital of France?"}]
SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 20},
        "sure": {"type": "integer", "minimum": 1, "maximum": 5},
    },
    "required": ["city", "sure"],
    "additionalProperties": False,
}


class Stop(Exception):
    """The exception that `on_text` raises to end an answer."""


def hear(text: str) -> None:
    """Hears, and says nothing."""


class StopWhen:
    """An `on_text` that ends the answer, and notes what it hears, also afterwards."""

    def __init__(self, reached: Callable[[str], bool]) -> None:
        self.reached = reached
        self.heard: list[str] = []

    def __call__(self, text: str) -> None:
        self.heard.append(text)
        if self.reached(text):
            raise Stop


def ask(client: Client, messages: Any = SHORT, **how: Any) -> Reply:
    return client.answer(messages, **{"on_text": hear, "max_tokens": 20, **how})


def at(server: Any, model: str = "demo", **how: Any) -> OpenAIClient:
    return OpenAIClient(model, base_url=server.url, **{"api_key": KEY, "timeout": GUARD, "max_retries": 0, **how})


def failing(*script: Says, models: tuple[str, ...] = (), **how: Any) -> ServerError:
    """The error for a script."""
    with scripted(*script, models=models) as server, pytest.raises(ServerError) as caught:
        ask(at(server, **how))
    return caught.value


# ── real servers ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.demo
@pytest.mark.parametrize(("kind", "tokens"), [("llama", 100), ("served", 40)])
def test_an_answer_grows_while_it_is_written(kind: str, tokens: int, request: pytest.FixtureRequest) -> None:
    """Both servers stream: on_text hears prefixes of the answer, the same answer each time, and tokens are counted."""
    server = request.getfixturevalue(kind)
    heard: list[str] = []
    client = at(server, server.model, timeout=GUARD)
    reply = ask(client, LONG, on_text=heard.append, max_tokens=tokens)
    assert len({text for text in heard if text}) >= 2
    assert all(reply.text.startswith(text) for text in heard)
    assert heard[-1] == reply.text
    assert (reply.finished, reply.completion_tokens) == (False, tokens)
    assert reply.seconds > 0
    whole = ask(client, [{"role": "user", "content": "Say hello."}], max_tokens=60)
    assert whole.finished
    assert whole.prompt_tokens is not None
    assert 30 < whole.prompt_tokens < 60
    exact = ask(at(server, server.model, timeout=GUARD, thinking_tokens=0), LONG, max_tokens=10)
    assert (exact.finished, exact.completion_tokens) == (False, 10)
    assert ask(client, LONG, max_tokens=10).text == ask(client, LONG, max_tokens=10).text


@pytest.mark.demo
def test_llama_cpp_holds_an_answer_to_a_schema(llama: servers.Server) -> None:
    """The answer is the JSON that was asked for."""
    reply = ask(at(llama), schema=SCHEMA, max_tokens=60)
    answer = json.loads(reply.text)
    assert set(answer) == {"city", "sure"}
    assert 1 <= answer["sure"] <= 5


@pytest.mark.demo
def test_a_schema_that_is_ignored_gives_text_all_the_same(served: servers.Server) -> None:
    """transformers serve knows no schemas, and answers."""
    reply = ask(at(served, served.model, timeout=GUARD), schema=SCHEMA)
    assert "Paris" in reply.text
    assert not reply.text.startswith("{")


@pytest.mark.demo
@pytest.mark.parametrize("kind", ["llama", "served"])
def test_an_answer_can_be_stopped_in_its_middle(kind: str, request: pytest.FixtureRequest) -> None:
    """An exception of on_text comes through, nothing is heard any more, and the server answers the next question."""
    server = request.getfixturevalue(kind)
    client = at(server, server.model, timeout=GUARD)
    alone = ask(client)
    stop = StopWhen(lambda text: len(text) > 20)
    with pytest.raises(Stop):
        ask(client, LONG, on_text=stop, max_tokens=1000)
    assert [len(text) > 20 for text in stop.heard].index(True) == len(stop.heard) - 1
    assert len(stop.heard[-1]) < 1000  # a thousand tokens are four thousand letters
    assert ask(client).text == alone.text


@pytest.mark.demo
def test_a_server_that_is_killed_in_mid_stream() -> None:
    """It is a ServerError that names the server; what had come was heard."""
    heard: list[str] = []
    with servers.llama_cpp() as server:

        def kill(text: str) -> None:
            heard.append(text)
            if len(text) > 20:
                server.process.kill()

        with pytest.raises(ServerError, match=r"broke off: .+ Ask again") as caught:
            ask(at(server), LONG, on_text=kill, max_tokens=1000)
    assert caught.value.message.startswith(at(server).where)
    assert len(heard[-1]) > 20


@pytest.mark.demo
def test_a_wrong_key(llama: servers.Server) -> None:
    """Status 401; the cure says where the key is looked for, and nothing quotes it."""
    with pytest.raises(ServerError, match="Invalid API Key") as caught:
        ask(at(llama, api_key="sk-of-another-door"))
    assert caught.value.status == 401
    assert caught.value.cure == "Check the key: it is what OpenAIClient was given as api_key."
    assert "another-door" not in str(caught.value)


@pytest.mark.demo
def test_a_key_from_the_environment(llama: servers.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked for at every answer, so it may come after the client; a callable is called every time."""
    client = at(llama, api_key=None)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ServerError, match="environment variable OPENAI_API_KEY, which is not set") as caught:
        ask(client, max_tokens=1)
    assert caught.value.status == 401
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\n")
    assert ask(client, max_tokens=1).completion_tokens == 1
    keys = iter(["sk-old", KEY])
    client = at(llama, api_key=lambda: next(keys))
    with pytest.raises(ServerError):
        ask(client)
    assert ask(client, max_tokens=1).text


@pytest.mark.demo
def test_a_model_that_transformers_does_not_serve(served: servers.Server) -> None:
    """The error says which one it is pinned to, in the server's own words."""
    with pytest.raises(ServerError, match="pinned to .*SmolLM2.* requested 'nobody'. Check the model's name") as caught:
        ask(at(served, "nobody"))
    assert caught.value.status == 400


@pytest.mark.demo
def test_a_prompt_that_llama_cpp_has_no_room_for(llama: servers.Server) -> None:
    """TextTooLong, with both numbers."""
    with pytest.raises(TextTooLong, match=r"makes 3,\d\d\d tokens; demo reads at most 2,048\."):
        ask(at(llama), [{"role": "user", "content": "word " * 3000}])


# ── what is sent ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_request() -> None:
    """Temperature goes always, seed and schema where there are any, the key as OpenAI wants it."""
    with scripted(writes("a"), writes("a")) as server:
        client = at(server, "some-model")
        assert ask(client)[:4] == ("a", True, 7, 1)
        ask(client, temperature=0.7, seed=3, schema=SCHEMA, max_tokens=9)
    first, second = server.asked
    assert first.path == "/v1/chat/completions"
    assert first.headers["authorization"] == f"Bearer {KEY}"
    assert first.body == {
        "model": "some-model",
        "messages": SHORT,
        "max_tokens": 8020,  # 20, and room to think
        "temperature": 0.0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert (second.body["temperature"], second.body["seed"], second.body["max_tokens"]) == (0.7, 3, 8009)
    held = {"name": "answer", "schema": SCHEMA, "strict": True}
    assert second.body["response_format"] == {"type": "json_schema", "json_schema": held}


def test_many_at_once() -> None:
    """One client answers several threads; a notebook, in whose thread a loop runs already, is no hindrance."""
    together = writes("a", "b", meet=threading.Barrier(8))  # the server answers none of them before all have asked
    with scripted(*[together] * 8, writes("a", "b")) as server:
        client = at(server, timeout=GUARD)
        with ThreadPoolExecutor(8) as threads:
            replies = list(threads.map(lambda _: ask(client), range(8)))

        async def cell() -> Reply:
            return ask(client)

        assert {reply.text for reply in [*replies, asyncio.run(cell())]} == {"ab"}


def test_no_key_is_needed_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a base_url something is sent in place of a key; OpenAI itself is not asked without one."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with scripted(writes("a")) as server:
        ask(at(server, api_key=None))
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        assert OpenAIClient("m").where == f"127.0.0.1:{server.server_port}"
    assert server.asked[0].headers["authorization"] == "Bearer none"
    monkeypatch.delenv("OPENAI_BASE_URL")
    with pytest.raises(InputError, match=r"no key for api\.openai\.com\. Set OPENAI_API_KEY"):
        ask(OpenAIClient("m"))


@pytest.mark.parametrize(
    ("named", "gone", "instead"),
    [
        ("Unknown parameter: 'stream_options'.", "stream_options", None),
        ("This model has no structured outputs: response_format is not supported.", "response_format", None),
        ("JSON schema error at #: unrecognized type", "response_format", None),
        (
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
            "max_tokens",
            "max_completion_tokens",
        ),
    ],
)
@pytest.mark.parametrize("status", [400, 422])
def test_a_parameter_that_is_refused(named: str, gone: str, instead: str | None, status: int) -> None:
    """The server is asked again without it, or with what it has instead."""
    with scripted(refuses(named, status), writes("a", "b")) as server:
        assert ask(at(server), schema=SCHEMA).text == "ab"
    first, second = (asked.body for asked in server.asked)
    value = first.pop(gone)
    assert second == ({**first, instead: value} if instead else first)


def test_several_parameters_that_are_refused() -> None:
    """One after the other; the same one twice is an error, and so is another one."""
    names = ("stream_options", "response_format", "max_tokens", "temperature")
    refused = [refuses(f"{name} is not known") for name in names]
    with scripted(*refused, writes("a")) as server:
        assert ask(at(server), schema=SCHEMA).text == "a"
    assert sorted(server.asked[-1].body) == ["max_completion_tokens", "messages", "model", "stream"]
    assert "stream_options is not known" in str(failing(*[refuses("stream_options is not known")] * 2))
    error = failing(refuses("the moon is not full"), writes("a"))
    assert error.cure == "Change what the server objects to, or choose another model."


# ── servers that are busy, silent, or gone ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [429, 500])
@pytest.mark.parametrize("headers", [{}, {"retry_after": "1"}])
def test_a_busy_server_is_asked_again(status: int, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers the second time, after the time it asked for; on_text is called all the while."""
    monkeypatch.setattr(server_client, "TEXT_INTERVAL", 0.01)
    heard: list[str] = []
    with scripted(says({"error": {"message": "busy"}}, status, **headers), writes("a")) as server:
        reply = ask(at(server, max_retries=1), on_text=heard.append)
    assert reply.text == "a"
    assert reply.seconds > (1 if headers else 0.3)
    assert heard.count("") >= 3


@pytest.mark.parametrize(
    ("status", "headers", "cure"),
    [
        (429, {}, "Ask again later, or see to the account's limits."),
        (429, {"retry_after": "3600"}, "Ask again in 3600 s, or see to the account's limits."),
        (500, {}, "Look at the server's own log, or ask again later."),
        (503, {"retry_after": "3600"}, "Look at the server's own log, or ask again later."),
    ],
)
def test_a_server_that_stays_busy(status: int, headers: dict[str, str], cure: str) -> None:
    """After max_retries more times it is an error, with the server's reason. An hour is not waited for."""
    with scripted(*[says({"error": {"message": "too many"}}, status, **headers)] * 2) as server:
        with pytest.raises(ServerError, match=f"refuses with status {status}: too many") as caught:
            ask(at(server, max_retries=1))
        assert len(server.asked) == 2 or headers  # newer versions of openai do not even try
    assert (caught.value.status, caught.value.cure) == (status, cure)


def test_no_server() -> None:
    """The address is named."""
    with scripted() as server:
        pass
    with pytest.raises(
        ServerError, match=rf"No server can be reached at 127\.0\.0\.1:{server.server_port}: .+\. Start"
    ):
        ask(at(server))


@pytest.mark.parametrize("silent", [Says(hang=True), writes("a", finish=None, done=False, then="hang")])
def test_a_silent_server(silent: Says) -> None:
    """After the timeout it is an error that says how long it was waited, before the headers and in mid-stream."""
    began = time.monotonic()
    assert "for 0.3 seconds. Ask again" in str(failing(silent, timeout=0.3))
    assert time.monotonic() - began > 0.3


@pytest.mark.parametrize(
    "silent",
    [Says(hang=True), writes("a", finish=None, done=False, then="hang"), says({}, 429, retry_after="60")],
)
def test_a_silent_server_can_be_left(silent: Says) -> None:
    """on_text is called while nothing comes, also between two tries; when it raises, the connection is closed."""
    with scripted(silent) as server:
        stop = StopWhen(
            lambda text: server.asked != [] and (text == "a" or silent.pieces == () or silent.status == 429)
        )
        with pytest.raises(Stop):  # else it would be the error of a server that hangs
            ask(at(server, timeout=GUARD, max_retries=1), on_text=stop)
        heard = len(stop.heard)
        assert silent.status == 429 or server.left.wait(GUARD)
        assert len(server.asked) == 1
        assert len(stop.heard) == heard


def test_a_key_that_takes_its_time_can_be_left() -> None:
    """A callable is called on the call's own thread; what it raises goes on."""
    called, left = threading.Event(), threading.Event()

    def slow() -> str:
        called.set()
        left.wait(GUARD)  # it has no key to give before the call is left
        return KEY

    def none() -> str:
        raise LookupError("the vault is closed")

    with scripted() as server:
        with pytest.raises(Stop):
            ask(at(server, api_key=slow), on_text=StopWhen(lambda _: called.is_set()))
        left.set()
        with pytest.raises(LookupError, match="the vault is closed"):
            ask(at(server, api_key=none))
    assert server.asked == []


def test_a_connection_that_is_cut() -> None:
    """The text that had come was heard; a whole answer without its count is an answer."""
    heard: list[str] = []
    cut = writes("a", "b", finish=None, done=False, then="cut")
    with scripted(cut) as server, pytest.raises(ServerError, match="broke off: .+"):
        ask(at(server), on_text=heard.append)
    assert heard[-1] == "ab"
    end: dict[str, Any] = {"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}
    with scripted(streams(end, then="cut")) as server:
        assert ask(at(server))[:4] == ("a", True, None, None)


# ── answers that are none ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (Says(["<html><style>p {}</style><h1>Welcome</h1> to nginx</html>"], kind="text/html; charset=utf-8"),
         "not answer with text but with text/html: Welcome to nginx"),
        (says({"hello": "world"}), 'with application/json: {"hello": "world"}'),
        (says({"error": "Unexpected endpoint"}), "with application/json: Unexpected endpoint"),
        (streams({"hello": "world"}, "[DONE]"), "with nothing"),
        (streams(), "with nothing"),
        (streams("hello"), "with a part that cannot be read: hello"),
        (streams({"choices": [{"delta": {"content": ["a"]}}]}), "cannot be read"),
        (streams({"choices": [{"delta": {"content": None, "tool_calls": [{}]}}]}), "with a call of a tool"),
        (writes(finish="content_filter"), "with nothing, because of content_filter"),
        (streams({"choices": [{"delta": {"refusal": "No."}, "finish_reason": "stop"}]}), "refuses: No."),
        (streams({"error": {"code": 500, "message": "out of memory"}}), "refuses with status 500: out of memory"),
        (writes("a", finish=None, done=False), "broke off: the answer has no end"),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_text(script: Says, said: str) -> None:
    """The error says what came."""
    assert said in str(failing(script))


@pytest.mark.parametrize("finish", ["stop", "length"])
def test_an_answer_without_words(finish: str) -> None:
    """A model may have nothing to say."""
    with scripted(writes(finish=finish)) as server:
        assert ask(at(server))[:2] == ("", finish == "stop")


def test_an_answer_that_ends_only_with_done() -> None:
    """Some servers give no reason for the end."""
    with scripted(writes("a", finish=None)) as server:
        assert ask(at(server))[:2] == ("a", True)


# ── what a refusal says ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": {"message": "of OpenAI"}}, "of OpenAI"),
        ({"error": "of Ollama"}, "of Ollama"),
        ({"detail": "of transformers"}, "of transformers"),
        ({"detail": [{"loc": ["body", "model"], "msg": "of FastAPI"}]}, "body.model: of FastAPI"),
        ({"object": "error", "message": "of vLLM"}, "of vLLM"),
        ("<html><body>of a\n proxy</body></html>", "of a proxy"),
        ({}, "It gave no reason."),
        ({"message": "x" * 999}, "x" * 400 + "…"),
    ],
)
def test_the_reason_is_the_servers_own(body: Any, said: str) -> None:
    """Wherever the server puts it."""
    error = failing(Says([body if isinstance(body, str) else json.dumps(body)], status=403))
    assert error.message.endswith(f"refuses with status 403: {said}")
    assert error.status == 403


@pytest.mark.parametrize(
    ("status", "message"), [(404, "The model does not exist."), (400, "There is no model 'demo' here.")]
)
def test_an_unknown_model(status: int, message: str) -> None:
    """The cure lists the models there are; where the list does not help, it says what to check."""
    assert failing(refuses(message, status), models=("this", "that")).cure == "Name a model that it offers: this, that."
    assert "that ends" not in failing(refuses(message, status), models=("this", "demo")).cure
    assert "/v1" in failing(refuses("Not here.", 404)).cure
    many = tuple(f"m{i}" for i in range(30))
    assert failing(refuses(message, status), models=many).cure.endswith("m10, m11, ….")


@pytest.mark.parametrize(
    ("message", "more", "said"),
    [
        ("This model's maximum context length is 8192 tokens. However, your messages resulted in 10015 tokens.",
         {"code": "context_length_exceeded"}, "The text makes 10,015 tokens; demo reads at most 8,192."),
        ("This model's maximum context length is 4096 tokens and your request has 4090 input tokens (50 > 4096-4090).",
         {}, "The text makes 4,090 tokens; demo reads at most 4,096."),
        ("Too long.", {"code": "context_length_exceeded"}, "The text is longer than demo can read: Too long."),
    ],
)  # fmt: skip
def test_a_text_that_is_too_long(message: str, more: dict[str, str], said: str) -> None:
    """OpenAI and vLLM say it in words; without room to think, which could be given up, it is asked only once."""
    with scripted(refuses(message, **more), writes("a")) as server, pytest.raises(TextTooLong) as caught:
        ask(at(server, thinking_tokens=0))
    assert caught.value.message == said
    assert len(server.asked) == 1


# ── keys stay secret ─────────────────────────────────────────────────────────────────────────────────────────────


def shown(error: BaseException) -> str:
    """All that a traceback could show of an error: causes, and the local variables of our own."""
    assert (error.__context__, error.__cause__) == (None, None)
    frames = [frame.f_locals for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_globals is not globals()]
    assert frames
    return repr((error, error.args, vars(error), frames))


@pytest.mark.parametrize(
    "script",
    [
        refuses(f"Incorrect API key provided: {KEY}, yes, {KEY}.", 401),
        Says([f"<h1>{KEY}</h1>"], status=502, kind="text/html"),
        Says([KEY], kind="text/plain"),
        streams(KEY),
        streams({"error": {"message": KEY}}),
        refuses(f"model demo: {KEY}", 404),
        refuses("x" * 390 + KEY, 400),
        Says(hang=True),
        writes("a", finish=None, done=False, then="cut"),
    ],
)
def test_the_key_is_never_told(script: Says, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a server echoes: not in errors with all local variables, not in logs at their most talkative."""
    caplog.set_level(logging.DEBUG)
    with scripted(script, models=(KEY, "other")) as server:
        client = at(server, timeout=0.3 if script.hang else GUARD)
        with pytest.raises(SaliencyError) as caught:
            ask(client)
        assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    told = shown(caught.value) + repr(client) + repr(vars(client)) + caplog.text
    assert "httpcore" in caplog.text
    assert KEY[:8] not in told


def test_the_client_shows_where_and_what() -> None:
    """Its repr is the model and the host."""
    client = OpenAIClient("m", base_url="https://example.org:8443/v1?token=t", api_key=KEY)
    assert repr(client) == "OpenAIClient('m', where='example.org:8443')"
    assert (client.name, client.where) == ("m", "example.org:8443")


@pytest.mark.parametrize("key", ["sk-ключ", "sk two words", "sk\nline", 12345])
def test_a_key_that_cannot_be_sent(key: Any) -> None:
    """It is refused here: deeper down it would be quoted."""
    with scripted() as server, pytest.raises(InputError, match="cannot be one") as caught:
        ask(at(server, api_key=lambda: key))
    assert str(key) not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "http://me:secret@127.0.0.1/v1"},
        {"base_url": "127.0.0.1:8080/secret"},
        {"base_url": "ftp://secret"},
        {"base_url": "http://secret:port/v1"},
        {"base_url": "http://["},
        {"model": ""},
        {"timeout": 0},
        {"timeout": float("nan")},
        {"max_retries": -1},
    ],
)
def test_a_client_that_cannot_be(wrong: dict[str, Any]) -> None:
    """The error comes at once, and an address with secrets is not quoted."""
    with pytest.raises(InputError) as caught:
        OpenAIClient(**{"model": "m", **wrong})
    assert "secret" not in str(caught.value)


def test_openai_is_imported_when_something_is_asked() -> None:
    """A client costs nothing."""
    code = "import sys; from saliency_widget.explanation import server; server.OpenAIClient('m')"
    code += "; print('openai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
