"""A client for OpenAI-compatible servers: OpenAI's own, or a server on this machine or another.

`openai` is imported by the first request.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from ..checks import whole_number
from ..errors import InputError, SaliencyError, ServerError, UnsupportedMethod
from . import limits, refusals
from .black_box import NextTokens, Said, server_map
from .clients import Message, Reply
from .continuation import Scored, continuation_map
from .many import Kept, watched
from .received import Received, read_answer
from .sealing import sealed

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

    from ..attribution.result import Attribution

TEXT_INTERVAL = 0.1  # seconds between two calls of `on_text`
_CLOSE_TIMEOUT = 0.5  # seconds for closing a connection
_CONNECT_TIMEOUT = 10.0  # seconds for connecting, at most
_MODEL_LIST_TIMEOUT = 2.0  # seconds for the list of models, which only improves an error
_NO_LIMIT = 32_000  # tokens: the limits of size of an answer that is asked for without a limit of tokens
_SECRET = 8  # characters of a header or a field of the query that may be a key
_OURS = {"model", "messages", "max_tokens", "max_completion_tokens", "temperature", "seed", "stream", "stream_options"}
_NO_KEY = "none"  # sent if there is no key: openai requires one, most local servers do not
_FEW = 16  # tokens of an answer that is to be a label
_TOP = 200  # first tokens that are asked for: with fewer, some that begin a label come and go from text to text
_VARIABLE = "OPENAI_API_KEY"
T = TypeVar("T")


class OpenAIClient:
    """A `Client` for a model of a server. Several threads may use it at once; every answer has its own connection."""

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | Callable[[], str] | None = None,
        timeout: float = 60.0,
        max_retries: int = 2,
        thinking_tokens: int | None = 8_000,
        reasoning_effort: str | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Check the arguments; send nothing yet.

        `base_url`: the http or https address with its path, as in "http://127.0.0.1:8080/v1"; None for the environment
        variable OPENAI_BASE_URL, or OpenAI's address. `api_key`: the key, or a function that returns it, called before
        every answer, which may raise; None for the environment variable OPENAI_API_KEY. With a base_url no key is
        needed. `timeout`: the seconds, above 0, after which a server that sends nothing new has failed; keep-alive
        messages are not new. `max_retries`: how often, from 0 on, a request is repeated if the server is busy, fails or
        is silent before the answer begins.
        `thinking_tokens`: how many tokens a reasoning model may think, beside those of its answer; None sends no limit
        at all. `reasoning_effort`: as the server names it ("low"); None leaves it to the server. `headers`, `query`:
        sent with every request, and kept as secret as the key; the query of base_url is sent, too. `extra`: further
        fields of the request, such as {"provider": {"order": ["…"]}}.
        Raises: InputError.
        """
        address, _, asked = (base_url or os.environ.get("OPENAI_BASE_URL") or "").partition("?")
        own = address or None
        self._url = own or "https://api.openai.com/v1"
        self.name = model
        self.where = _host(self._url)
        self._needs_key = not own
        self._timeout = timeout
        self._max_retries = whole_number("max_retries", max_retries, least=0, cure="0 never asks again.")
        self._given_key = _hidden(api_key) if isinstance(api_key, str) else api_key
        if not model:
            raise InputError("The model has no name.", cure="Give OpenAIClient the model's name on its server.")
        if not timeout > 0:
            raise InputError(f"timeout is {timeout!r}, and must be above 0.", cure="Give it in seconds.")
        self._thinking = thinking_tokens
        if thinking_tokens is not None:
            whole_number(
                "thinking_tokens", thinking_tokens, least=0, cure="Give tokens from 0 on, or None for no limit."
            )
        self._extra = dict(extra or {}) | ({} if reasoning_effort is None else {"reasoning_effort": reasoning_effort})
        if ours := sorted(_OURS & self._extra.keys()):
            raise InputError(f"extra holds {ours[0]!r}, which the client sets itself.", cure="Leave it out of extra=.")
        sent = {"headers": dict(headers or {}), "query": dict(parse_qsl(asked)) | dict(query or {})}
        for what, given in sent.items():
            if not all(isinstance(text, str) for pair in given.items() for text in pair):
                raise InputError(f"{what} holds something that is no text.", cure=f"Give {what} as {{name: text}}.")
        self._sent = _hidden(sent)  # they may hold a key
        self._first_tokens, self._samples, self._scores = Kept[NextTokens](), Kept[Said](), Kept[Scored]()  # paid for
        self._workarounds: frozenset[str] = frozenset()  # learned from refusals; replaced whole, never changed

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, where={self.where!r})"

    def answer(
        self,
        messages: Sequence[Message],
        *,
        on_text: Callable[[str], None],
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | None = None,
        schema: Mapping[str, Any] | None = None,
    ) -> Reply:
        """See `Client.answer`. A response above a limit (see `limits`) is a ServerError that names the limit.

        Also raises the errors of a callable `api_key`. No error holds a traceback frame with the key.
        """
        request: dict[str, Any] = {
            "model": self.name,
            "messages": [dict(message) for message in messages],
            "max_tokens": whole_number("max_tokens", max_tokens, least=1, cure="Give the most the answer may have."),
            "temperature": temperature,  # never left out: some servers' default is to sample
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if seed is not None:
            request["seed"] = seed
        if schema is not None:
            json_schema = {"name": "answer", "schema": dict(schema), "strict": True}
            request["response_format"] = {"type": "json_schema", "json_schema": json_schema}
        if self._thinking is None:
            del request["max_tokens"]
        else:
            request["max_tokens"] += self._thinking
        began = time.monotonic()
        received, left_out = self._send(request, max_tokens, on_text)
        return Reply(
            received.text,
            received.finish != "length",
            received.prompt_tokens,
            received.completion_tokens,
            time.monotonic() - began,
            received.reasoning_tokens,
            received.thinking,
            tuple(sorted(left_out)),
        )

    def next_tokens(self, messages: Sequence[Message], repeat: int = 0) -> NextTokens:
        """See `TokenClient.next_tokens`. Every answer is kept as long as the client is."""
        return self._first_tokens.once(json.dumps([messages, repeat]), lambda: self._next_tokens(messages))

    def _next_tokens(self, messages: Sequence[Message]) -> NextTokens:
        request = {
            "model": self.name,
            "messages": [dict(message) for message in messages],
            "max_tokens": 1,
            "temperature": 0.0,
            "stream": False,
            "logprobs": True,
            "top_logprobs": _TOP,
        }
        try:
            received, _ = self._send(request, 1, lambda _: None)
        except ServerError as error:
            if "logprob" not in error.message:
                raise
            raise _without_logprobs(self.where, error.message) from None
        if not received.first:
            raise _without_logprobs(self.where, "it leaves them out")
        return NextTokens(received.first, received.prompt_tokens or 0)

    def sampled(self, messages: Sequence[Message], repeat: int = 0) -> Said:
        """See `TokenClient.sampled`. Every answer is kept as long as the client is."""

        def ask() -> Said:
            reply = self.answer(messages, on_text=lambda _: None, max_tokens=_FEW, temperature=1.0)
            return Said(reply.text, reply.prompt_tokens or 0)

        return self._samples.once(json.dumps([messages, repeat]), ask)

    def scored(self, text: str, target: str, repeat: int = 0) -> Scored:
        """See `ScoringClient.scored`. Every answer is kept as long as the client is."""
        return self._scores.once(json.dumps([text, target, repeat]), lambda: self._scored(text, target))

    def _scored(self, text: str, target: str) -> Scored:
        prompt = text + target
        request = {
            "model": self.name,
            "prompt": prompt,
            "max_tokens": 1,  # some servers take 0 for no limit
            "temperature": 0.0,
            "stream": False,
            "echo": True,
            "logprobs": 1,
        }
        try:
            received, _ = self._send(request, len(prompt) + 1, lambda _: None)
        except ServerError as error:
            if not re.search(r"logprob|echo|status 40[45]", error.message):
                raise
            raise _without_scores(self.where, error.message) from None
        tokens = tuple((place - len(text), number) for place, number in received.scored if place < len(prompt))
        if not received.text.startswith(prompt) or not tokens or any(number is None for _, number in tokens[1:]):
            raise _without_scores(self.where, "it does not repeat the prompt with its log-probabilities")
        return Scored(tokens, received.prompt_tokens or len(tokens))

    def attribute_text(self, text: str, *, target: str | None = None, progress: bool = True, **how: Any) -> Attribution:
        """Return the model's own map: see `server_map`, or `continuation_map` for an answer given as `target`."""
        if target is None:
            return server_map(self, text, progress=progress, **how)
        make = partial(continuation_map, self, text, target, **how)
        return watched(self.name, None, make, progress=progress)

    def _send(
        self, request: dict[str, Any], max_tokens: int, on_text: Callable[[str], None]
    ) -> tuple[Received, set[str]]:
        """Send a request, and receive the answer and what the server decided. Raises: see `Client.answer`."""
        received, left_out = Received(), set[str]()
        bounds = limits.limits_of(max_tokens, request.get("max_tokens", _NO_LIMIT), self._timeout)
        call = _Call(self._request(request, max_tokens, received, left_out, bounds))
        try:
            while not call.ended.wait(TEXT_INTERVAL):
                on_text(received.text)
            on_text(received.text)
        except BaseException:
            call.end()
            raise
        if call.error is not None:
            raise call.error
        return received, left_out

    async def _request(
        self,
        request: dict[str, Any],
        least: int,
        received: Received,
        left_out: set[str],
        bounds: limits.Limits,
    ) -> None:
        """Send the request and receive the answer. Raises: ServerError, TextTooLong, InputError.

        `least`: the smallest limit of tokens that it may be sent with. What the server decides in place of the request
        is added to `left_out`.
        """
        key = await asyncio.to_thread(self._key)  # a callable key may be slow
        values = [value for given in self._sent().values() for value in given.values()]
        secrets = tuple(value for value in (key, *values) if len(value) >= _SECRET or value == key != "")
        errors = refusals.Errors(self.where, self.name, self._key_from(key), secrets)
        try:
            used = await self._exchange(request, least, received, key, errors, bounds)
            left_out |= {each.left_out for each in refusals.WORKAROUNDS if each.name in used and each.left_out}
        except SaliencyError:
            raise
        except Exception as error:  # noqa: BLE001 - any error is raised again without the frames that hold the key
            if not _is_connection(error):
                raise errors.unreadable(error) from None
            if received.finish is None:  # otherwise only the count of tokens is missing
                raise errors.failed(error, self._timeout) from None

    async def _exchange(
        self,
        request: dict[str, Any],
        least: int,
        received: Received,
        key: str,
        errors: refusals.Errors,
        bounds: limits.Limits,
    ) -> set[str]:
        """Send the request as the server accepts it. Return the workarounds that changed it, by their names.

        A refusal is not paid for. What is learned from it holds for the requests after this one.
        """
        import openai

        sent = self._sent()
        used = {each.name for each in refusals.WORKAROUNDS if each.name in self._workarounds and each.change(request)}
        request = refusals.worked_around(request, used)
        async with openai.AsyncOpenAI(
            api_key=key or _NO_KEY,
            base_url=self._url,
            http_client=_http_client(bounds, errors),
            max_retries=self._max_retries,
            default_headers={
                "Connection": "close",  # some servers close it after a refusal without saying so
                "Accept-Encoding": "identity",  # compression delays a stream
                **sent["headers"],
            },
            default_query=sent["query"],
        ) as client:
            while True:
                try:
                    endpoint = client.completions if "prompt" in request else client.chat.completions
                    create: Any = endpoint.with_streaming_response.create
                    async with create(**request, extra_body=self._extra) as response:
                        await read_answer(response, received, errors, bounds)
                        self._workarounds |= used
                        return used
                except openai.APIStatusError as error:
                    smaller = refusals.with_less_room(request, least, error.status_code, error.body)
                    if smaller is not None:
                        request = smaller
                        continue
                    found = refusals.workaround(request, error.status_code, error.body)
                    if found is None:
                        raise await _refusal(error, client, errors) from None
                    request, used = refusals.worked_around(request, {found.name}), used | {found.name}

    def _key(self) -> str:
        """Return the current key, or "" if none is needed. Raises: InputError, and the errors of a callable key."""
        key = os.environ.get(_VARIABLE, "") if self._given_key is None else self._given_key()
        key = key.strip() if isinstance(key, str) else "\n"
        if not key and self._needs_key:
            raise InputError(f"There is no key for {self.where}.", cure=f"Set {_VARIABLE}, or give api_key.")
        if not all("!" <= letter <= "~" for letter in key):  # httpx would refuse and quote it
            raise InputError("The key is not plain ASCII text, so it cannot be one.", cure="Check where it comes from.")
        return key

    def _key_from(self, key: str) -> str:
        """Return a description of where the key comes from, for a cure."""
        if self._given_key is not None:
            return "it is what OpenAIClient was given as api_key"
        return f"it is read from the environment variable {_VARIABLE}" + ("" if key else ", which is not set")


def _http_client(bounds: limits.Limits, errors: refusals.Errors) -> Any:
    """Return an HTTP client for openai, of httpx or its successor, that enforces the limits."""
    import openai

    mro = openai.DefaultAsyncHttpxClient.__mro__
    httpx = import_module(next(kind.__module__ for kind in mro if kind.__name__ == "AsyncClient"))
    connect = min(bounds.seconds, _CONNECT_TIMEOUT)

    class Client(openai.DefaultAsyncHttpxClient):
        async def send(self, *args: Any, **how: Any) -> Any:
            """Limit the time for all headers: the base class only limits that between two pieces of them."""
            try:
                async with asyncio.timeout(connect + bounds.seconds):
                    return await super().send(*args, **how)
            except TimeoutError:
                raise httpx.ReadTimeout("The headers did not come in time.") from None

    async def bound(response: Any) -> None:
        if response.request.method == "POST" and response.is_success:
            limits.bound(response, bounds.stream, errors.over_limit, None)  # `lines` checks the clock
            return
        clock = limits.Clock(bounds.seconds, lambda: errors.timed_out(bounds.seconds))
        limits.bound(response, limits.LONGEST_PAGE, errors.over_limit, clock)

    timeout = openai.Timeout(bounds.seconds, connect=connect)
    return Client(timeout=timeout, event_hooks={"response": [bound]}, verify=_certificates(httpx))


@cache
def _certificates(httpx: Any) -> Any:
    """Return the authorities that this machine trusts: reading them takes longer than many a request."""
    return httpx.create_ssl_context()


async def _refusal(error: APIStatusError, client: AsyncOpenAI, errors: refusals.Errors) -> SaliencyError:
    """Return the error for a status. It lists the server's models if the model may be unknown."""
    offered = await _model_names(client) if errors.is_unknown(error.status_code, error.body) else ()
    retry_after = error.response.headers.get("retry-after", "")
    return errors.refused(error.status_code, error.body, retry_after=retry_after, offered=offered)


async def _model_names(client: AsyncOpenAI) -> list[str]:
    """Return the names of the server's models; [] if it does not list them within two seconds."""
    with suppress(Exception):  # an error of the list must not replace the error of the request
        async with asyncio.timeout(_MODEL_LIST_TIMEOUT):
            page = await client.with_options(max_retries=0).models.list()
            return [str(model.id) for model in getattr(page, "data", None) or () if hasattr(model, "id")]
    return []


class _Call:
    """A coroutine that runs on a thread of its own, so that it can be cancelled at any time, even while it waits."""

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self.ended = threading.Event()
        self.error: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(work)
        threading.Thread(target=self._run, name="saliency-widget-server", daemon=True).start()

    def end(self) -> None:
        """Cancel the coroutine, and wait shortly until the connection is closed."""
        with suppress(RuntimeError):  # the loop is closed: the coroutine has ended
            self._loop.call_soon_threadsafe(self._task.cancel)
        self.ended.wait(_CLOSE_TIMEOUT)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._task)
        except SaliencyError as error:
            error.__context__ = error.__cause__ = None
            self.error = sealed(error)
        except BaseException as error:  # noqa: BLE001 - the caller raises it, unless it cancelled the call
            self.error = sealed(error)  # an error of a callable key, whose frames hold the key
        finally:
            try:
                self._loop.run_until_complete(self._loop.shutdown_asyncgens())
                self._loop.close()
            finally:
                self.ended.set()


def _without_logprobs(where: str, why: str) -> UnsupportedMethod:
    return UnsupportedMethod(
        f"{where} gives no log-probabilities of its answer's first token: {why.rstrip('.')}.",
        cure="Ask a server that gives them, such as llama.cpp, vLLM or OpenAI's models that do not reason; or give "
        "samples=20, which asks about each text so many times, and tells shares of the answers.",
    )


def _without_scores(where: str, why: str) -> UnsupportedMethod:
    return UnsupportedMethod(
        f"{where} scores no given answer: {why.rstrip('.')}.",
        cure="Ask a server whose completions know echo with logprobs, such as vLLM or llama-cpp-python's; or give "
        "labels= instead of target=.",
    )


def _is_connection(error: Exception) -> bool:
    """Return whether it is a connection error: openai's before an answer, that of httpx or its successor within one."""
    import openai

    return isinstance(error, openai.APIConnectionError) or type(error).__module__.startswith("httpx")


def _host(url: str) -> str:
    """Return the host and any port. Raises: InputError, which does not quote the URL, since it may hold a password."""
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.username is not None or parts.password is not None:
            raise InputError("base_url holds a name or a password.", cure="Take them out, and give api_key instead.")
        if parts.scheme in {"http", "https"} and parts.hostname:
            _ = parts.port  # raises ValueError if it is no number
            return parts.netloc
    raise InputError("base_url is not an http address.", cure='Give it as in "http://127.0.0.1:8080/v1".')


def _hidden(secret: T) -> Callable[[], T]:
    """Return a function that returns the secret: debuggers and tracebacks show attributes, but not closures."""
    return lambda: secret
