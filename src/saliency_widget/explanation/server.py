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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..checks import whole_number
from ..errors import InputError, SaliencyError
from . import refusals
from .clients import Message, Reply

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

_TICK = 0.1  # seconds between two calls of `on_text`
_GOODBYE = 0.5  # seconds that closing a connection may take
_CONNECT = 10.0  # seconds after which a machine that says nothing at all is not there
_GLANCE = 2.0  # seconds for the list of models, which only makes an error better
_STRAY = 4000  # letters kept of an answer that is none
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
        is given. `timeout`: the seconds of silence after which a server counts as hung, above 0. `max_retries`: how
        often a busy, failing or silent server is asked again before the answer begins, from 0 on.
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
        """See `Client.answer`. Also raises what a callable `api_key` raises."""
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
        call = _Call(self._converse(request, heard))
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

    async def _converse(self, request: dict[str, Any], heard: _Heard) -> None:
        """Ask, and hear the answer, on the thread of a call. Raises: ServerError, TextTooLong, InputError."""
        import openai

        key = await asyncio.to_thread(self._key)  # what is called for it may take its time
        asked = refusals.Asked(self.where, self.name, self._key_from(key), key)
        async with openai.AsyncOpenAI(
            api_key=key or _NO_KEY,
            base_url=self._url,
            timeout=openai.Timeout(self._timeout, connect=min(self._timeout, _CONNECT)),
            max_retries=self._max_retries,
            default_headers={"Connection": "close"},  # some servers close it after a refusal, and do not say so
        ) as client:
            while True:
                try:
                    async with client.chat.completions.with_streaming_response.create(**request) as response:
                        return await _listen(response, heard, asked)
                except openai.APIStatusError as error:
                    other = refusals.otherwise(request, error.status_code, error.body)
                    if other is None:
                        raise await _refusal(error, client, asked) from None
                    request = other
                except Exception as error:
                    if not _is_connection(error):
                        raise
                    if heard.finish is None:  # else only the count of tokens is missing
                        raise asked.failed(error, self._timeout) from None
                    return None

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

    text: str = ""
    finish: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    declined: str = ""
    called: bool = False

    def take(self, chunk: dict[str, Any]) -> None:
        """Add a chunk. Raises: AttributeError or TypeError, where it is made otherwise than chunks are."""
        usage = chunk.get("usage") or {}  # with the last chunk, or in one of its own that has no choices
        self.prompt_tokens = usage.get("prompt_tokens", self.prompt_tokens)
        self.completion_tokens = usage.get("completion_tokens", self.completion_tokens)
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            self.text += delta.get("content") or ""
            self.declined += delta.get("refusal") or ""
            self.called |= bool(delta.get("tool_calls"))
            self.finish = choice.get("finish_reason") or self.finish


async def _listen(response: Any, heard: _Heard, asked: refusals.Asked) -> None:
    """Hear a streamed answer to its end. Raises: ServerError, TextTooLong; what httpx raises."""
    done, stray = False, ""
    async for line in response.iter_lines():
        field, _, value = line.partition(":")
        if field == "data":
            done = value.strip() == "[DONE]"
            if done:
                break
            _take(refusals.read(value), heard, asked)
        elif field not in {"", "event", "id", "retry"} and len(stray) < _STRAY:  # a comment has an empty one
            stray += f"{line}\n"
    if heard.text:
        if not done and heard.finish is None:
            raise asked.broke_off("the answer has no end")
    elif heard.declined:
        raise asked.refused(None, heard.declined)
    elif heard.called or heard.finish not in {"stop", "length"}:
        raise asked.strange(_instead(response.headers.get("content-type", ""), stray, heard))


def _take(chunk: object, heard: _Heard, asked: refusals.Asked) -> None:
    """Add a chunk of the answer, or raise the error that came in its place."""
    if isinstance(chunk, dict) and chunk.get("error"):
        error = chunk["error"]
        code = error.get("code") if isinstance(error, dict) else None
        raise asked.refused(code if isinstance(code, int) else None, error)
    try:
        heard.take(chunk)  # type: ignore[arg-type]  # whatever it is: what it is not, it cannot do
    except (AttributeError, TypeError) as error:
        raise asked.strange(f"a part that cannot be read: {chunk}") from error


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
    import openai

    with suppress(openai.OpenAIError, TimeoutError, ValueError):
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
            error.__traceback__ = error.__context__ = error.__cause__ = None  # they hold the request, and so the key
            self.error = error
        except BaseException as error:  # noqa: BLE001 - raised where it was asked; being ended is nobody's error
            self.error = error
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
