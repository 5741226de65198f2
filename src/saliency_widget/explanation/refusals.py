"""Errors for the responses of a server that does not answer, with the server's reason and a cure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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

# A parameter that some servers refuse, words of such a refusal, and the parameter to send instead.
_OPTIONAL = (
    ("stream_options", "stream_options", None),
    ("response_format", "response.?format|schema|grammar", None),
    ("max_tokens", "max_completion_tokens|max_tokens", "max_completion_tokens"),
    ("temperature", "temperature", None),  # the models of max_completion_tokens accept no temperature either
)


@dataclass(frozen=True, repr=False)
class Errors:
    """Makes the errors about a request to the server at `where`. They never quote the key, `secret`."""

    where: str
    model: str
    key_from: str
    secret: str

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
        return re.sub(" ?".join(map(re.escape, self.secret)), "[key]", said) if self.secret else said


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


def without_refused(request: Mapping[str, Any], status: int, body: object) -> dict[str, Any] | None:
    """Return the request without the optional parameter that the server refuses, or None if it refuses another."""
    if status not in {400, 422} or is_too_long(body):
        return None
    said = f"{reason(body)} {body.get('param') if isinstance(body, Mapping) else ''}"
    for name, spoken_of, instead in _OPTIONAL:
        if name in request and re.search(spoken_of, said, re.IGNORECASE):
            other = dict(request)
            value = other.pop(name)
            return {**other, instead: value} if instead else other
    return None


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
