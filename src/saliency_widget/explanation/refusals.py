"""Errors for the responses of a server that does not answer, with the server's reason and a cure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from ..errors import SaliencyError, ServerError, TextTooLong
from .sealing import origin, single

_MAX_QUOTE = 400  # characters of a server's reason in an error: some servers send whole pages
_MAX_READ = 10_000  # characters of a reason that are searched
_MAX_DEPTH = 20  # levels of nested JSON
_MAX_NAMES = 12  # names of models in an error
_MAX_NAME = 80  # characters of such a name

_CURES = {
    400: "Change what the server objects to, or choose another model.",
    403: "Use a key that may use this model: {key_from}.",
    401: "Check the key: {key_from}.",
    402: "See to the account's credit, or choose another server.",
    404: "Check the model's name, and that base_url has the server's whole path, which mostly ends in /v1.",
    413: "Shorten the text.",
    429: "Ask again {later}, or see to the account's limits.",
    500: "Look at the server's own log, or ask again later.",
}
_CURE_ADDRESS = "Start the server, or check base_url."
_CURE_SERVER = "Check that base_url leads to an OpenAI-compatible server; its path mostly ends in /v1."
_CURE_TOO_LONG = "Shorten the text, or start the server with a longer context."

Request: TypeAlias = dict[str, Any]


class Workaround(NamedTuple):
    """A field that some servers refuse, and the request that does without it.

    `refusal`: a pattern of words in such a refusal. `change` returns the other request, or None if this one does
    without already. `left_out`: what the server decides then, in words for the reader; "" if the answer is the same.
    """

    name: str
    refusal: str
    change: Callable[[Request], Request | None]
    left_out: str = ""


def _without(*names: str) -> Callable[[Request], Request | None]:
    return lambda request: {k: v for k, v in request.items() if k not in names} if names[0] in request else None


def _renamed(request: Request) -> Request | None:
    others = {k: v for k, v in request.items() if k != "max_tokens"}
    return {**others, "max_completion_tokens": request["max_tokens"]} if "max_tokens" in request else None


def _whole(request: Request) -> Request | None:
    others = {k: v for k, v in request.items() if k != "stream_options"}
    return {**others, "stream": False} if request["stream"] else None


def _alternatives(most: int) -> Callable[[Request], Request | None]:
    return lambda request: {**request, "top_logprobs": most} if request.get("top_logprobs", 0) > most else None


def _by_the_developer(request: Request) -> Request | None:
    messages = [{**m, "role": "developer"} if m["role"] == "system" else m for m in request["messages"]]
    return None if messages == request["messages"] else {**request, "messages": messages}


_FORM = Workaround("response_format", "response.?format|schema|grammar", _without("response_format"), "the form")
_TOO_MANY = "top_logprobs|logprobs.{0,60}(?:at most|max|greater|less|between|exceed)"
# In this order: what is more specific comes first.
WORKAROUNDS = (
    Workaround("stream_options", "stream_options", _without("stream_options")),
    _FORM,
    Workaround("max_tokens", "max_completion_tokens|max_tokens", _renamed),
    # The models of max_completion_tokens accept no temperature either.
    Workaround("temperature", "temperature", _without("temperature"), "the temperature"),
    Workaround("seed", r"\bseed", _without("seed"), "the seed"),
    Workaround("top_logprobs: 20", _TOO_MANY, _alternatives(20)),  # the most at OpenAI, vLLM and Ollama
    Workaround("top_logprobs: 5", _TOO_MANY, _alternatives(5)),
    Workaround("stream", r"\bstream(?!_options)", _whole),
    Workaround("system", "developer|system", _by_the_developer),
)


@dataclass(frozen=True, repr=False)
class Errors:
    """Makes the errors about a request to the server at `where`. They never quote the key, `secret`."""

    where: str
    model: str
    key_from: str
    secrets: tuple[str, ...]

    def refused(
        self, status: int | None, body: object, *, retry_after: str = "", offered: Sequence[str] = ()
    ) -> SaliencyError:
        """Return the error for a refusal, by HTTP status or within an answer. `offered`: the server's models."""
        if is_too_long(body):
            return self._too_long(body)
        said = self._clean(reason(body)) or "It gave no reason."
        refuses = f"{self.where} refuses" if status is None else f"{self.where} refuses with status {status}"
        names = [self._clean(name, _MAX_NAME) for name in offered[: _MAX_NAMES + 2] if name != self.model]
        if names and self.model not in offered:
            more = ", …" if len(names) > _MAX_NAMES else ""
            cure = f"Name a model that it offers: {', '.join(names[:_MAX_NAMES])}{more}."
        else:
            later = f"in {retry_after} s" if re.fullmatch("[0-9]{1,6}", retry_after) else "later"
            cure = _cure(404 if self.is_unknown(status, body) else status)
            cure = cure.format(key_from=self.key_from, later=later)
        return ServerError(f"{refuses}: {said}", cure=cure, status=status)

    def is_unknown(self, status: int | None, body: object) -> bool:
        """Return whether the server knows no such path or model; the refusal of a model names the model."""
        return status == 404 or (status in {400, 422} and self.model in reason(body))

    def failed(self, error: BaseException, timeout: float) -> ServerError:
        """Return the error for a connection that could not be made, or broke."""
        cause = error.__cause__ or error
        kind = type(cause).__name__  # the same names in httpx and its successor
        why = self._clean(str(cause)).rstrip(".")
        if kind.startswith("Connect"):
            return ServerError(f"No server can be reached at {self.where}: {why or kind}.", cure=_CURE_ADDRESS)
        if "Timeout" in kind:
            return self.timed_out(timeout)
        if why == "Receive buffer too long":  # h11's message at httpcore's limit of headers
            return self.over_limit("headers of more than 100 kB")
        return self.disconnected(why or kind)

    def timed_out(self, timeout: float) -> ServerError:
        """Return the error for a server that sends nothing, or nothing new."""
        cure = "Ask again, give OpenAIClient a longer timeout, or look at the server's own log."
        return ServerError(f"Nothing came from {self.where} for {timeout:g} seconds.", cure=cure)

    def over_limit(self, what: str) -> ServerError:
        """Return the error for a response above a limit. `what` names the limit."""
        return ServerError(f"{self.where} sends {self._clean(what)}.", cure=_CURE_SERVER)

    def unreadable(self, error: BaseException) -> ServerError:
        """Return the error for an unexpected exception, with its type, message and place in the code."""
        causes = "; ".join(f"{type(one).__name__}: {self._clean(str(one))}".rstrip(": .") for one in single(error))
        told = ServerError(f"The answer of {self.where} cannot be read: {causes}.", cure=_CURE_SERVER)
        told.add_note(f"It arose {origin(error)}.")
        return told

    def disconnected(self, why: str) -> ServerError:
        """Return the error for an incomplete answer."""
        return ServerError(f"{self.where} broke off: {why}.", cure="Ask again, or look at the server's own log.")

    def not_text(self, what: str) -> ServerError:
        """Return the error for a response that is no text. `what` describes it."""
        return ServerError(f"{self.where} did not answer with text but with {self._clean(what)}.", cure=_CURE_SERVER)

    def _too_long(self, body: object) -> TextTooLong:
        asked, limit = _numbers(body)
        if asked is None or limit is None:
            said = self._clean(reason(body))
            return TextTooLong(f"The text is longer than {self.model} can read: {said}", cure=_CURE_TOO_LONG)
        too_long = f"The text makes {asked:,} tokens; {self.model} reads at most {limit:,}."
        return TextTooLong(too_long, cure=_CURE_TOO_LONG)

    def _clean(self, said: str, longest: int = _MAX_QUOTE) -> str:
        """Return a text without the key and without tags of HTML, on one line of at most `longest` characters."""
        said = self._without_key(said)[:_MAX_READ]
        said = " ".join(re.sub(r"<(style|script).*?</\1>|<[^>]*>", " ", said, flags=re.DOTALL | re.IGNORECASE).split())
        said = self._without_key(said)  # tags that separated its characters are removed by now
        return said if len(said) <= longest else f"{said[:longest]}…"

    def _without_key(self, said: str) -> str:
        for secret in self.secrets:
            said = re.sub(" ?".join(map(re.escape, secret)), "[key]", said)
        return said


def reason(body: object) -> str:
    """Return the reason in a refusal, at most 10,000 characters, wherever this kind of server puts it."""
    return _reason(body, _MAX_DEPTH)[:_MAX_READ]


def _reason(body: object, levels: int) -> str:
    if isinstance(body, Mapping):
        for name in ("message", "detail", "error", "msg"):
            if body.get(name) and levels:
                at = ".".join(map(str, body["loc"])) + ": " if isinstance(body.get("loc"), list | tuple) else ""
                return at + _reason(body[name], levels - 1)
        return _as_json(dict(body)) if body else ""
    if isinstance(body, list | tuple):
        return "; ".join(_reason(one, levels - 1) for one in body) if levels else _as_json(body)
    return "" if body is None else str(body)


def _as_json(body: object) -> str:
    """Return JSON, or a description if the value is nested too deeply."""
    try:
        return json.dumps(body, default=str)
    except RecursionError:
        return "something that is nested too deeply"


def read(text: str) -> object:
    """Return the value of JSON text; the text itself if it is no JSON or is nested too deeply."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def is_too_long(body: object) -> bool:
    """Return whether the refusal says that the text does not fit into the model's context."""
    said = body if isinstance(body, Mapping) else {}
    return (
        said.get("type") == "exceed_context_size_error"
        or said.get("code") == "context_length_exceeded"
        or re.search("maximum context length|available context size", reason(body)) is not None
    )


def worked_around(request: Request, names: Iterable[str]) -> Request:
    """Return the request with some workarounds, by their names."""
    for each in WORKAROUNDS:
        if each.name in names:
            request = each.change(request) or request
    return request


def workaround(request: Request, status: int, body: object) -> Workaround | None:
    """Return the workaround for a refusal, or None if the request already has it, or there is none."""
    said = f"{reason(body)} {body.get('param') if isinstance(body, Mapping) else ''}"
    if status == 404 and re.search("no endpoints? found", said, re.IGNORECASE):  # of a router between servers
        return _FORM if _FORM.change(request) else None
    if status not in {400, 422} or is_too_long(body):
        return None
    fitting = (each for each in WORKAROUNDS if re.search(each.refusal, said, re.IGNORECASE) and each.change(request))
    return next(fitting, None)


def with_less_room(request: Request, least: int, status: int, body: object) -> Request | None:
    """Return the request with a limit of `least` tokens, if the server has not the room for its limit of tokens."""
    name = next((name for name in ("max_tokens", "max_completion_tokens") if name in request), None)
    too_large = re.search(
        "max_(completion_)?tokens.{0,80}(too large|at most|less than|exceed|(?:greater|larger|more) than)", reason(body)
    )
    if name is None or request[name] <= least or status not in {400, 413, 422} or not (too_large or is_too_long(body)):
        return None
    return {**request, name: least}


def _cure(status: int | None) -> str:
    """Return the cure for this status, or for its class (4xx, 5xx)."""
    status = status or 500
    return _CURES.get(status) or _CURES[400 if 400 <= status < 500 else 500]


def _numbers(body: object) -> tuple[int | None, int | None]:
    """Return the number of tokens of the text and the model's limit; None for each that the server does not name."""
    if (
        isinstance(body, Mapping)
        and isinstance(body.get("n_prompt_tokens"), int)
        and isinstance(body.get("n_ctx"), int)
    ):
        return body["n_prompt_tokens"], body["n_ctx"]
    numbers = re.findall(r"(?<![0-9])([0-9]{1,12}) (?:input |prompt )?tokens", reason(body))
    return (int(numbers[1]), int(numbers[0])) if len(numbers) > 1 else (None, None)
