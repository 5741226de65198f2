"""A client for OpenAI-compatible servers: OpenAI's own, or a server on this machine or another.

`openai` is imported by the first request.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..checks import SURROGATE, whole_number
from ..errors import InputError, SaliencyError
from . import limits, refusals
from .clients import Message, Reply
from .sealing import sealed

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

_TEXT_INTERVAL = 0.1  # seconds between two calls of `on_text`
_CLOSE_TIMEOUT = 0.5  # seconds for closing a connection
_CONNECT_TIMEOUT = 10.0  # seconds for connecting, at most
_MODEL_LIST_TIMEOUT = 2.0  # seconds for the list of models, which only improves an error
_MAX_STRAY = 4000  # characters kept of a response that is no stream of events
_MAX_TOKEN_COUNT = 10**9
_NO_KEY = "none"  # sent if there is no key: openai requires one, most local servers do not
_VARIABLE = "OPENAI_API_KEY"


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
    ) -> None:
        """Check the arguments; send nothing yet.

        `base_url`: the http or https address with its path, as in "http://127.0.0.1:8080/v1"; None for the environment
        variable OPENAI_BASE_URL, or OpenAI's address. `api_key`: the key, or a function that returns it, called before
        every answer, which may raise; None for the environment variable OPENAI_API_KEY. With a base_url no key is
        needed. `timeout`: the seconds, above 0, after which a server that sends nothing new has failed; keep-alive
        messages are not new. `max_retries`: how often, from 0 on, a request is repeated if the server is busy, fails or
        is silent before the answer begins.
        Raises: InputError.
        """
        own = base_url or os.environ.get("OPENAI_BASE_URL")
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
        began = time.monotonic()
        received = _Received()
        call = _Call(self._request(request, received, limits.limits_of(max_tokens, self._timeout)))
        try:
            while not call.ended.wait(_TEXT_INTERVAL):
                on_text(received.text)
            on_text(received.text)
        except BaseException:
            call.end()
            raise
        if call.error is not None:
            raise call.error
        seconds = time.monotonic() - began
        finished = received.finish != "length"
        return Reply(received.text, finished, received.prompt_tokens, received.completion_tokens, seconds)

    async def _request(self, request: dict[str, Any], received: _Received, bounds: limits.Limits) -> None:
        """Send the request and receive the answer. Raises: ServerError, TextTooLong, InputError."""
        key = await asyncio.to_thread(self._key)  # a callable key may be slow
        errors = refusals.Errors(self.where, self.name, self._key_from(key), key)
        try:
            await self._stream(request, received, errors, bounds)
        except SaliencyError:
            raise
        except Exception as error:  # noqa: BLE001 - any error is raised again without the frames that hold the key
            if not _is_connection(error):
                raise errors.unreadable(error) from None
            if received.finish is None:  # otherwise only the count of tokens is missing
                raise errors.failed(error, self._timeout) from None

    async def _stream(
        self, request: dict[str, Any], received: _Received, errors: refusals.Errors, bounds: limits.Limits
    ) -> None:
        import openai

        async with openai.AsyncOpenAI(
            api_key=errors.secret or _NO_KEY,
            base_url=self._url,
            http_client=_http_client(bounds, errors),
            max_retries=self._max_retries,
            default_headers={
                "Connection": "close",  # some servers close it after a refusal without saying so
                "Accept-Encoding": "identity",  # compression delays a stream
            },
        ) as client:
            while True:
                try:
                    async with client.chat.completions.with_streaming_response.create(**request) as response:
                        return await _read_stream(response, received, errors, bounds)
                except openai.APIStatusError as error:
                    other = refusals.without_refused(request, error.status_code, error.body)
                    if other is None:
                        raise await _refusal(error, client, errors) from None
                    request = other

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


@dataclass
class _Received:
    """The answer so far. The call's thread writes it, the caller's thread reads it."""

    parts: list[str] = field(default_factory=list)
    characters: int = 0  # of the parts and of `declined`
    finish: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    declined: str = ""
    called: bool = False

    @property
    def text(self) -> str:
        """Return the text so far, with U+FFFD for a lone surrogate, whose other half may still come."""
        text = "".join(self.parts)
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if SURROGATE.search(text) else text

    def take(self, chunk: dict[str, Any]) -> bool:
        """Add a chunk. Return whether it holds anything new. Raises: AttributeError, TypeError if it is no chunk."""
        usage = chunk.get("usage") or {}  # in the last chunk, or in a chunk without choices
        self.prompt_tokens = _token_count(usage.get("prompt_tokens"), self.prompt_tokens)
        self.completion_tokens = _token_count(usage.get("completion_tokens"), self.completion_tokens)
        is_new = bool(usage)
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            content, declined = _text(delta.get("content")), _text(delta.get("refusal"))
            self.characters += len(content) + len(declined)
            if content:
                self.parts.append(content)
            self.declined += declined
            self.called |= bool(delta.get("tool_calls"))
            finish = _text(choice.get("finish_reason"))
            self.finish = finish or self.finish
            # Thinking, which comes in fields of its own, is new too.
            is_new |= bool(finish) or any(value for name, value in delta.items() if name != "role")
        return is_new


def _text(value: object) -> str:
    """Return a text, or "" for None. Raises: TypeError."""
    if value is not None and not isinstance(value, str):
        raise TypeError(value)
    return value or ""


def _token_count(value: object, otherwise: int | None) -> int | None:
    """Return the value if it can be a number of tokens, and `otherwise` if not."""
    return value if type(value) is int and 0 <= value < _MAX_TOKEN_COUNT else otherwise


async def _read_stream(response: Any, received: _Received, errors: refusals.Errors, bounds: limits.Limits) -> None:
    """Receive a streamed answer to its end. Raises: ServerError, TextTooLong, the errors of httpx."""
    done, stray = False, ""
    clock = limits.Clock(bounds.seconds, lambda: errors.timed_out(bounds.seconds))
    async for line in limits.lines(response.iter_bytes(), errors.over_limit, clock):
        field, _, value = line.partition(":")
        if field == "data":
            done = value.strip() == "[DONE]"
            if done:
                break
            if _take(refusals.read(value), received, errors):
                clock.restart()
            limits.check_length(received.characters, bounds, errors.over_limit)
        elif field not in {"", "event", "id", "retry"} and len(stray) < _MAX_STRAY:  # a comment has an empty one
            stray += f"{line[:_MAX_STRAY]}\n"
    if received.parts:
        if not done and received.finish is None:
            raise errors.disconnected("the answer has no end")
    elif received.declined:
        raise errors.refused(None, received.declined)
    elif received.called or received.finish not in {"stop", "length"}:
        raise errors.not_text(_unexpected(response.headers.get("content-type", ""), stray, received))


def _take(chunk: object, received: _Received, errors: refusals.Errors) -> bool:
    """Add a chunk of the answer, or raise the error that it holds. Return whether the chunk holds anything new."""
    if isinstance(chunk, dict) and chunk.get("error"):
        error = chunk["error"]
        code = error.get("code") if isinstance(error, dict) else None
        raise errors.refused(code if type(code) is int and 100 <= code < 600 else None, error)
    try:
        return received.take(chunk)  # type: ignore[arg-type]  # anything else raises one of these errors
    except (AttributeError, TypeError) as error:
        raise errors.not_text(f"a part that cannot be read: {chunk}") from error


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

    return Client(timeout=openai.Timeout(bounds.seconds, connect=connect), event_hooks={"response": [bound]})


def _unexpected(kind: str, stray: str, received: _Received) -> str:
    """Return a description of a response that holds no text."""
    if received.called:
        return "a call of a tool"
    if received.finish:
        return f"nothing, because of {received.finish}"
    said = refusals.reason(refusals.read(stray)).strip()
    return f"{kind.partition(';')[0] or 'something unnamed'}: {said}" if said else "nothing"


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


def _hidden(key: str) -> Callable[[], str]:
    """Return a function that returns the key: debuggers and tracebacks show attributes, but not closures."""
    return lambda: key
