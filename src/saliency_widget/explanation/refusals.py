"""What a server says when it does not answer, as an error with its own reason, and with what to do about it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import SaliencyError, ServerError, TextTooLong
from .sealing import origin, single

_LONGEST = 400  # letters of what a server says: some say whole pages
_READ = 10_000  # letters of it that are looked through
_NESTED = 20  # levels of it
_OFFERED = 12  # names of models in one sentence
_NAME = 80  # letters of such a name

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
_ADDRESS = "Start the server, or check base_url."
_SPEAKS = "Check that base_url leads to an OpenAI-compatible server; its path mostly ends in /v1."
_TOO_LONG = "Shorten the text, or start the server with a longer context."

# A parameter that not every server takes, what its refusal speaks of, and the parameter to use instead.
_DISPENSABLE = (
    ("stream_options", "stream_options", None),
    ("response_format", "response.?format|schema|grammar", None),
    ("max_tokens", "max_completion_tokens|max_tokens", "max_completion_tokens"),
    ("temperature", "temperature", None),  # the same models take only their own
)


@dataclass(frozen=True, repr=False)
class Asked:
    """Who was asked for what. Makes the errors; the key that was sent, `secret`, is taken out of all they quote."""

    where: str
    model: str
    key_from: str
    secret: str

    def refused(
        self, status: int | None, body: object, *, retry_after: str = "", offered: Sequence[str] = ()
    ) -> SaliencyError:
        """The error for what came with an HTTP status, or in the midst of an answer. `offered`: the models there."""
        if is_too_long(body):
            return self._too_long(body)
        said = self._clean(reason(body)) or "It gave no reason."
        refuses = f"{self.where} refuses" if status is None else f"{self.where} refuses with status {status}"
        names = [self._clean(name, _NAME) for name in offered[: _OFFERED + 2] if name != self.model]
        if names and self.model not in offered:
            more = ", …" if len(names) > _OFFERED else ""
            cure = f"Name a model that it offers: {', '.join(names[:_OFFERED])}{more}."
        else:
            later = f"in {retry_after} s" if re.fullmatch("[0-9]{1,6}", retry_after) else "later"
            cure = _cure(404 if self.is_unknown(status, body) else status)
            cure = cure.format(key_from=self.key_from, later=later)
        return ServerError(f"{refuses}: {said}", cure=cure, status=status)

    def is_unknown(self, status: int | None, body: object) -> bool:
        """Whether there is no such model, or no such path; the refusal of a model names it."""
        return status == 404 or (status in {400, 422} and self.model in reason(body))

    def failed(self, error: BaseException, timeout: float) -> ServerError:
        """The error for a connection that could not be made, or broke."""
        cause = error.__cause__ or error
        kind = type(cause).__name__  # httpx and its successor, either of which openai uses, name them alike
        why = self._clean(str(cause)).rstrip(".")
        if kind.startswith("Connect"):
            return ServerError(f"No server can be reached at {self.where}: {why or kind}.", cure=_ADDRESS)
        if "Timeout" in kind:
            return self.silent(timeout)
        if why == "Receive buffer too long":  # httpcore's limit, in h11's words: only headers are held there
            return self.too_much("headers of more than 100 kB")
        return self.broke_off(why or kind)

    def silent(self, timeout: float) -> ServerError:
        """The error for a server from which nothing comes, or nothing new."""
        cure = "Ask again, give OpenAIClient a longer timeout, or look at the server's own log."
        return ServerError(f"Nothing came from {self.where} for {timeout:g} seconds.", cure=cure)

    def too_much(self, what: str) -> ServerError:
        """The error for more than was asked for. `what` names the limit."""
        return ServerError(f"{self.where} sends {self._clean(what)}.", cure=_SPEAKS)

    def unforeseen(self, error: BaseException) -> ServerError:
        """The error for one that nobody foresaw, with its type, its message, and where in the code it arose."""
        causes = "; ".join(f"{type(one).__name__}: {self._clean(str(one))}".rstrip(": .") for one in single(error))
        told = ServerError(f"The answer of {self.where} cannot be read: {causes}.", cure=_SPEAKS)
        told.add_note(f"It arose {origin(error)}.")
        return told

    def broke_off(self, why: str) -> ServerError:
        """The error for an answer that ends before its end."""
        return ServerError(f"{self.where} broke off: {why}.", cure="Ask again, or look at the server's own log.")

    def strange(self, what: str) -> ServerError:
        """The error for something else than a written answer."""
        return ServerError(f"{self.where} did not answer with text but with {self._clean(what)}.", cure=_SPEAKS)

    def _too_long(self, body: object) -> TextTooLong:
        asked, limit = _numbers(body)
        if asked is None or limit is None:
            said = self._clean(reason(body))
            return TextTooLong(f"The text is longer than {self.model} can read: {said}", cure=_TOO_LONG)
        return TextTooLong(f"The text makes {asked:,} tokens; {self.model} reads at most {limit:,}.", cure=_TOO_LONG)

    def _clean(self, said: str, longest: int = _LONGEST) -> str:
        """Without the key, on one line, and not too long."""
        said = self._without_key(said)[:_READ]
        said = " ".join(re.sub(r"<(style|script).*?</\1>|<[^>]*>", " ", said, flags=re.DOTALL | re.IGNORECASE).split())
        said = self._without_key(said)  # what stood between its letters may be gone
        return said if len(said) <= longest else f"{said[:longest]}…"

    def _without_key(self, said: str) -> str:
        return re.sub(" ?".join(map(re.escape, self.secret)), "[key]", said) if self.secret else said


def reason(body: object) -> str:
    """The words in what a server says, the first 10,000 letters; each kind of server puts them elsewhere."""
    return _reason(body, _NESTED)[:_READ]


def _reason(body: object, levels: int) -> str:
    if isinstance(body, Mapping):
        for name in ("message", "detail", "error", "msg"):
            if body.get(name) and levels:
                at = ".".join(map(str, body["loc"])) + ": " if isinstance(body.get("loc"), list | tuple) else ""
                return at + _reason(body[name], levels - 1)
        return _written(dict(body)) if body else ""
    if isinstance(body, list | tuple):
        return "; ".join(_reason(one, levels - 1) for one in body) if levels else _written(body)
    return "" if body is None else str(body)


def _written(body: object) -> str:
    """As JSON; what is nested too deeply for that is only named."""
    try:
        return json.dumps(body, default=str)
    except RecursionError:
        return "something that is nested too deeply"


def read(text: str) -> object:
    """JSON as what it means, anything else as it is, and JSON that is nested too deeply."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def is_too_long(body: object) -> bool:
    """Whether the text does not fit into the model's context."""
    said = body if isinstance(body, Mapping) else {}
    return (
        said.get("type") == "exceed_context_size_error"
        or said.get("code") == "context_length_exceeded"
        or re.search("maximum context length|available context size", reason(body)) is not None
    )


def otherwise(request: Mapping[str, Any], status: int, body: object) -> dict[str, Any] | None:
    """The request without what the server refuses, where it can do without; None where it cannot."""
    if status not in {400, 422} or is_too_long(body):
        return None
    said = f"{reason(body)} {body.get('param') if isinstance(body, Mapping) else ''}"
    for name, spoken_of, instead in _DISPENSABLE:
        if name in request and re.search(spoken_of, said, re.IGNORECASE):
            other = dict(request)
            value = other.pop(name)
            return {**other, instead: value} if instead else other
    return None


def _cure(status: int | None) -> str:
    """The cure for the status itself, or for its kind."""
    status = status or 500
    return _CURES.get(status) or _CURES[400 if 400 <= status < 500 else 500]


def _numbers(body: object) -> tuple[int | None, int | None]:
    """How many tokens the text makes, and how many the model reads, where the server says so."""
    if (
        isinstance(body, Mapping)
        and isinstance(body.get("n_prompt_tokens"), int)
        and isinstance(body.get("n_ctx"), int)
    ):
        return body["n_prompt_tokens"], body["n_ctx"]
    numbers = re.findall(r"(?<![0-9])([0-9]{1,12}) (?:input |prompt )?tokens", reason(body))
    return (int(numbers[1]), int(numbers[0])) if len(numbers) > 1 else (None, None)
