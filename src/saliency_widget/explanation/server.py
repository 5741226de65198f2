"""A language model behind an OpenAI-compatible address: OpenAI's own, or a server on this machine or another.

`openai` is imported when something is asked, and not before.
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

_TICK = 0.1  # seconds between two calls of `on_text`
_GOODBYE = 0.5  # seconds that closing a connection may take
_CONNECT = 10.0  # seconds after which a machine that says nothing at all is not there
_GLANCE = 2.0  # seconds for the list of models, which only makes an error better
_STRAY = 4000  # letters kept of an answer that is none
_MOST_TOKENS = 10**9
_NO_KEY = "none"  # sent where there is no key: openai wants one, servers at home mostly do not
_VARIABLE = "OPENAI_API_KEY"


class OpenAIClient:
    """A model that a server offers. May be asked from several threads at once; every answer has its own connection."""

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | Callable[[], str] | None = None,
        timeout: float = 60.0,
        max_retries: int = 2,
    ) -> None:
        """Nothing is sent yet.

        `base_url`: http or https, with the path, as in "http://127.0.0.1:8080/v1"; None for what the environment
        variable OPENAI_BASE_URL says, and else OpenAI's. `api_key`: the key, or something that is called for it before
        every answer and may raise; None for what OPENAI_API_KEY says at that time. No key is needed where a base_url
        is given. `timeout`: the seconds without anything new after which a server counts as hung, above 0: signs of
        life without words are not new. `max_retries`: how often a busy, failing or silent server is asked again before
        the answer begins, from 0 on.
        Raises: InputError.
        """
        own = base_url or os.environ.get("OPENAI_BASE_URL")
        self._url = own or "https://api.openai.com/v1"
        self.name = model
        self.where = _host(self._url)
        self._needs_key = not own
        self._timeout = timeout
        self._max_retries = whole_number("max_retries", max_retries, least=0, cure="0 never asks again.")
        self._given_key = _kept(api_key) if isinstance(api_key, str) else api_key
        if not model:
            raise InputError("The model has no name.", cure="Give OpenAIClient the name its server knows it by.")
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
        """See `Client.answer`. What a server sends beyond what was asked for is a ServerError that names the limit.

        Also raises what a callable `api_key` raises. No error takes along a frame in which the key stood.
        """
        request: dict[str, Any] = {
            "model": self.name,
            "messages": [dict(message) for message in messages],
            "max_tokens": whole_number("max_tokens", max_tokens, least=1, cure="Give the most the answer may have."),
            "temperature": temperature,  # always: without it some servers sample
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if seed is not None:
            request["seed"] = seed
        if schema is not None:
            held = {"name": "answer", "schema": dict(schema), "strict": True}
            request["response_format"] = {"type": "json_schema", "json_schema": held}
        began = time.monotonic()
        heard = _Heard()
        call = _Call(self._converse(request, heard, limits.limits_of(max_tokens, self._timeout)))
        try:
            while not call.ended.wait(_TICK):
                on_text(heard.text)
            on_text(heard.text)
        except BaseException:
            call.end()
            raise
        if call.error is not None:
            raise call.error
        seconds = time.monotonic() - began
        return Reply(heard.text, heard.finish != "length", heard.prompt_tokens, heard.completion_tokens, seconds)

    async def _converse(self, request: dict[str, Any], heard: _Heard, held_to: limits.Limits) -> None:
        """Ask, and hear the answer, on the thread of a call. Raises: ServerError, TextTooLong, InputError."""
        key = await asyncio.to_thread(self._key)  # what is called for it may take its time
        asked = refusals.Asked(self.where, self.name, self._key_from(key), key)
        try:
            await self._listened_to(request, heard, asked, held_to)
        except SaliencyError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told without the frames that hold the key
            if not _is_connection(error):
                raise asked.unforeseen(error) from None
            if heard.finish is None:  # else only the count of tokens is missing
                raise asked.failed(error, self._timeout) from None

    async def _listened_to(
        self, request: dict[str, Any], heard: _Heard, asked: refusals.Asked, held_to: limits.Limits
    ) -> None:
        import openai

        async with openai.AsyncOpenAI(
            api_key=asked.secret or _NO_KEY,
            base_url=self._url,
            http_client=_http_client(held_to, asked),
            max_retries=self._max_retries,
            default_headers={
                "Connection": "close",  # some servers close it after a refusal, and do not say so
                "Accept-Encoding": "identity",  # a stream that is packed comes late
            },
        ) as client:
            while True:
                try:
                    async with client.chat.completions.with_streaming_response.create(**request) as response:
                        return await _listen(response, heard, asked, held_to)
                except openai.APIStatusError as error:
                    other = refusals.otherwise(request, error.status_code, error.body)
                    if other is None:
                        raise await _refusal(error, client, asked) from None
                    request = other

    def _key(self) -> str:
        """The key as it is now; empty where none is needed. Raises: InputError, and what is called for it raises."""
        key = os.environ.get(_VARIABLE, "") if self._given_key is None else self._given_key()
        key = key.strip() if isinstance(key, str) else "\n"
        if not key and self._needs_key:
            raise InputError(f"There is no key for {self.where}.", cure=f"Set {_VARIABLE}, or give api_key.")
        if not all("!" <= letter <= "~" for letter in key):  # httpx would refuse it, and quote it
            raise InputError("What is given as the key cannot be one.", cure="Check where it comes from.")
        return key

    def _key_from(self, key: str) -> str:
        """Where the key is looked for, in words."""
        if self._given_key is not None:
            return "it is what OpenAIClient was given as api_key"
        return f"it is read from the environment variable {_VARIABLE}" + ("" if key else ", which is not set")


@dataclass
class _Heard:
    """What has come so far. Written by the thread of the call, and read by the one that asked."""

    parts: list[str] = field(default_factory=list)
    letters: int = 0  # in the parts, and in what it declined with
    finish: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    declined: str = ""
    called: bool = False

    @property
    def text(self) -> str:
        """The text. Half a character is replaced: its other half may come, or never."""
        text = "".join(self.parts)
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if SURROGATE.search(text) else text

    def take(self, chunk: dict[str, Any]) -> bool:
        """Add a chunk; whether it says anything. Raises: AttributeError, TypeError: it is none."""
        usage = chunk.get("usage") or {}  # with the last chunk, or in one of its own that has no choices
        self.prompt_tokens = _count(usage.get("prompt_tokens"), self.prompt_tokens)
        self.completion_tokens = _count(usage.get("completion_tokens"), self.completion_tokens)
        is_new = bool(usage)
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            content, declined = _text(delta.get("content")), _text(delta.get("refusal"))
            self.letters += len(content) + len(declined)
            if content:
                self.parts.append(content)
            self.declined += declined
            self.called |= bool(delta.get("tool_calls"))
            finish = _text(choice.get("finish_reason"))
            self.finish = finish or self.finish
            is_new |= bool(finish) or any(value for name, value in delta.items() if name != "role")  # thoughts, too
        return is_new


def _text(value: object) -> str:
    """A text, or "" for none. Raises: TypeError."""
    if value is not None and not isinstance(value, str):
        raise TypeError(value)
    return value or ""


def _count(value: object, otherwise: int | None) -> int | None:
    """A number of tokens, where it can be one."""
    return value if type(value) is int and 0 <= value < _MOST_TOKENS else otherwise


async def _listen(response: Any, heard: _Heard, asked: refusals.Asked, held_to: limits.Limits) -> None:
    """Hear a streamed answer to its end. Raises: ServerError, TextTooLong; what httpx raises."""
    done, stray = False, ""
    clock = limits.Clock(held_to.seconds, lambda: asked.silent(held_to.seconds))
    async for line in limits.lines(response.iter_bytes(), asked.too_much, clock):
        field, _, value = line.partition(":")
        if field == "data":
            done = value.strip() == "[DONE]"
            if done:
                break
            if _take(refusals.read(value), heard, asked):
                clock.wind()
            limits.held_to_letters(heard.letters, held_to, asked.too_much)
        elif field not in {"", "event", "id", "retry"} and len(stray) < _STRAY:  # a comment has an empty one
            stray += f"{line[:_STRAY]}\n"
    if heard.parts:
        if not done and heard.finish is None:
            raise asked.broke_off("the answer has no end")
    elif heard.declined:
        raise asked.refused(None, heard.declined)
    elif heard.called or heard.finish not in {"stop", "length"}:
        raise asked.strange(_instead(response.headers.get("content-type", ""), stray, heard))


def _take(chunk: object, heard: _Heard, asked: refusals.Asked) -> bool:
    """Add a chunk of the answer, or raise the error that came in its place; whether it says anything."""
    if isinstance(chunk, dict) and chunk.get("error"):
        error = chunk["error"]
        code = error.get("code") if isinstance(error, dict) else None
        raise asked.refused(code if type(code) is int and 100 <= code < 600 else None, error)
    try:
        return heard.take(chunk)  # type: ignore[arg-type]  # whatever it is: what it is not, it cannot do
    except (AttributeError, TypeError) as error:
        raise asked.strange(f"a part that cannot be read: {chunk}") from error


def _http_client(held_to: limits.Limits, asked: refusals.Asked) -> Any:
    """An HTTP client for openai that reads and waits within limits; of httpx, or of its successor."""
    import openai

    mro = openai.DefaultAsyncHttpxClient.__mro__
    httpx = import_module(next(kind.__module__ for kind in mro if kind.__name__ == "AsyncClient"))
    connect = min(held_to.seconds, _CONNECT)

    class Client(openai.DefaultAsyncHttpxClient):
        async def send(self, *args: Any, **how: Any) -> Any:
            """As it does, but that all headers must be there in time: it looks at the time between two pieces only."""
            try:
                async with asyncio.timeout(connect + held_to.seconds):
                    return await super().send(*args, **how)
            except TimeoutError:
                raise httpx.ReadTimeout("The headers did not come in time.") from None

    async def bound(response: Any) -> None:
        if response.request.method == "POST" and response.is_success:
            limits.bounded(response, held_to.stream, asked.too_much, None)  # who reads the lines looks at the clock
            return
        clock = limits.Clock(held_to.seconds, lambda: asked.silent(held_to.seconds))
        limits.bounded(response, limits.LONGEST_PAGE, asked.too_much, clock)

    return Client(timeout=openai.Timeout(held_to.seconds, connect=connect), event_hooks={"response": [bound]})


def _instead(kind: str, stray: str, heard: _Heard) -> str:
    """What came in place of text, in words."""
    if heard.called:
        return "a call of a tool"
    if heard.finish:
        return f"nothing, because of {heard.finish}"
    said = refusals.reason(refusals.read(stray)).strip()
    return f"{kind.partition(';')[0] or 'something unnamed'}: {said}" if said else "nothing"


async def _refusal(error: APIStatusError, client: AsyncOpenAI, asked: refusals.Asked) -> SaliencyError:
    """The error for a status, with the models there are where the model may be what is refused."""
    offered = await _offered(client) if asked.is_unknown(error.status_code, error.body) else ()
    retry_after = error.response.headers.get("retry-after", "")
    return asked.refused(error.status_code, error.body, retry_after=retry_after, offered=offered)


async def _offered(client: AsyncOpenAI) -> list[str]:
    """The names of the models there, if the server is quick to tell."""
    with suppress(Exception):  # whatever is wrong with the list: there is another error to tell
        async with asyncio.timeout(_GLANCE):
            page = await client.with_options(max_retries=0).models.list()
            return [str(model.id) for model in getattr(page, "data", None) or () if hasattr(model, "id")]
    return []


class _Call:
    """Work in an event loop on a thread of its own: there it can be ended at any point, even while nothing comes."""

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self.ended = threading.Event()
        self.error: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(work)
        threading.Thread(target=self._run, name="saliency-widget-server", daemon=True).start()

    def end(self) -> None:
        """Break off, and wait a moment until the connection is closed."""
        with suppress(RuntimeError):  # the loop is closed: it has ended
            self._loop.call_soon_threadsafe(self._task.cancel)
        self.ended.wait(_GOODBYE)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._task)
        except SaliencyError as error:
            error.__context__ = error.__cause__ = None
            self.error = sealed(error)
        except BaseException as error:  # noqa: BLE001 - raised where it was asked; being ended is nobody's error
            self.error = sealed(error)  # it is of what is called for the key, whose frames hold it
        finally:
            try:
                self._loop.run_until_complete(self._loop.shutdown_asyncgens())
                self._loop.close()
            finally:
                self.ended.set()


def _is_connection(error: Exception) -> bool:
    """Whether it is about the connection: before an answer openai says so, in its midst httpx or its successor."""
    import openai

    return isinstance(error, openai.APIConnectionError) or type(error).__module__.startswith("httpx")


def _host(url: str) -> str:
    """The host, and the port if there is one. Raises: InputError, which does not quote the URL: it may hold secrets."""
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.username is not None or parts.password is not None:
            raise InputError("base_url holds a name or a password.", cure="Take them out, and give api_key instead.")
        if parts.scheme in {"http", "https"} and parts.hostname:
            _ = parts.port  # a ValueError for one that is none
            return parts.netloc
    raise InputError("base_url is not an http address.", cure='Give it as in "http://127.0.0.1:8080/v1".')


def _kept(key: str) -> Callable[[], str]:
    """The key in a closure: there it is not shown with an object's attributes, in a debugger or a traceback."""
    return lambda: key
