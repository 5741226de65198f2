"""The answer of a server as it arrives: streamed in events, or whole in one JSON object."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..checks import SURROGATE
from . import limits, refusals

_MAX_STRAY = 4000  # characters quoted of a response that is no answer
_MAX_TOKEN_COUNT = 10**9
_IMPOSSIBLE = -1_000  # some servers write -9999 for a token that cannot be
_NUMBERS = "token_logprobs"
_MOST_BYTES = 4  # characters of the text, at most, for a token that shows none
_LONGEST_SPACE = 80
_SHOWS_NOTHING = re.compile(r"\ufffd|^$|^(?:bytes:|<0x|\\x)|^<[^<>\s]+>$")
_THINKING = ("reasoning_content", "reasoning", "thinking")  # fields of a message, by server


@dataclass
class Received:
    """The answer so far. The call's thread writes it, the caller's thread reads it.

    `thought`: the text that a reasoning model wrote before its answer, if the server sends it.
    """

    parts: list[str] = field(default_factory=list)
    thought: list[str] = field(default_factory=list)
    characters: int = 0  # of the parts and of `declined`
    finish: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    declined: str = ""
    called: bool = False
    first: tuple[tuple[str, float], ...] = ()  # the most probable first tokens, and their log-probabilities
    scored: tuple[tuple[int, float | None], ...] = ()  # of a completion: its tokens, by place and log-probability

    @property
    def text(self) -> str:
        """Return the text so far, with U+FFFD for a lone surrogate, whose other half may still come."""
        return _whole("".join(self.parts))

    @property
    def thinking(self) -> str:
        """Return the thinking so far."""
        return _whole("".join(self.thought))

    def cut(self, tokens: int) -> bool:
        """Cut the text after this many tokens. Return whether it was longer: what remains of the limit is for thinking.

        Each part counts as a token, of which it may hold several.
        """
        if len(self.parts) <= tokens:
            return False
        del self.parts[tokens:]
        self.finish = "length"
        self.completion_tokens = self.completion_tokens or tokens
        return True

    def take(self, chunk: dict[str, Any]) -> bool:
        """Add a chunk, or a whole answer. Return whether it holds anything new.

        Raises: AttributeError, TypeError if it is neither.
        """
        usage = chunk.get("usage") or {}  # in the last chunk, or in a chunk without choices
        details = usage.get("completion_tokens_details") or {}
        self.prompt_tokens = _token_count(usage.get("prompt_tokens"), self.prompt_tokens)
        self.completion_tokens = _token_count(usage.get("completion_tokens"), self.completion_tokens)
        self.reasoning_tokens = _token_count(details.get("reasoning_tokens"), self.reasoning_tokens)
        is_new = bool(usage)
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or choice.get("message") or {}
            content, inside = _parts_of(delta.get("content") or choice.get("text"))
            thoughts = [value for name in _THINKING if isinstance(value := delta.get(name), str)]
            thought = inside + max(thoughts, key=len, default="")  # some servers send it in two fields
            declined = _text(delta.get("refusal"))
            self.characters += len(content) + len(declined)
            self.parts += [content] if content else []
            self.thought += [thought] if thought else []
            self.declined += declined
            self.called |= bool(delta.get("tool_calls"))
            self.first = self.first or _first_tokens(choice.get("logprobs"))
            self.scored = self.scored or _scored(choice.get("logprobs"), content)
            finish = _text(choice.get("finish_reason"))
            self.finish = finish or self.finish
            is_new |= bool(finish) or any(value for name, value in delta.items() if name != "role")
        return is_new


async def read_answer(response: Any, received: Received, errors: refusals.Errors, bounds: limits.Limits) -> None:
    """Receive an answer to its end. Raises: ServerError, TextTooLong, the errors of httpx."""
    done, others = False, ""  # lines that are no events: one JSON object, a page of HTML
    clock = limits.Clock(bounds.seconds, lambda: errors.timed_out(bounds.seconds))
    async for line in limits.lines(response.iter_bytes(), errors.over_limit, clock):
        name, _, value = line.partition(":")
        if name == "data":
            done = value.strip() == "[DONE]"
            if done:
                break
            if _take(refusals.read(value), received, errors):
                clock.restart()
            limits.check_length(received.characters, bounds, errors.over_limit)
            if received.cut(bounds.tokens):
                break
        elif name not in {"", "event", "id", "retry"} and len(others) < limits.LONGEST_LINE:  # a comment has no name
            others += f"{line}\n"
    whole = refusals.read(others) if not received.parts and others.lstrip().startswith("{") else None
    if isinstance(whole, dict) and "choices" in whole:
        _take(whole, received, errors)
        limits.check_length(received.characters, bounds, errors.over_limit)
    elif received.parts and not done and received.finish is None:
        raise errors.disconnected("the answer has no end")
    _check_text(received, response.headers.get("content-type", ""), others[:_MAX_STRAY], errors)


def _check_text(received: Received, kind: str, stray: str, errors: refusals.Errors) -> None:
    """Raise the error for an answer without text, unless the limit of tokens ended it, or there was nothing to say."""
    if received.parts:
        return
    if received.declined:
        raise errors.refused(None, received.declined)
    if received.called or received.finish not in {"stop", "length"}:
        raise errors.not_text(_unexpected(kind, stray, received))


def _take(chunk: object, received: Received, errors: refusals.Errors) -> bool:
    """Add a chunk of the answer, and return whether it holds anything new; raise the error that came in its place."""
    if isinstance(chunk, dict) and chunk.get("error"):
        error = chunk["error"]
        code = error.get("code") if isinstance(error, dict) else None
        raise errors.refused(code if type(code) is int and 100 <= code < 600 else None, error)
    try:
        return received.take(chunk)  # type: ignore[arg-type]  # whatever it is: `take` raises for what is no chunk
    except (AttributeError, TypeError) as error:
        raise errors.not_text(f"a part that cannot be read: {chunk}") from error


def _unexpected(kind: str, stray: str, received: Received) -> str:
    """Return a description of a response that holds no text."""
    if received.called:
        return "a call of a tool"
    if received.finish:
        return f"nothing, because of {received.finish}"
    said = refusals.reason(refusals.read(stray)).strip()
    return f"{kind.partition(';')[0] or 'something unnamed'}: {said}" if said else "nothing"


def _first_tokens(logprobs: object) -> tuple[tuple[str, float], ...]:
    """Return the most probable first tokens with their log-probabilities, () if the server tells none."""
    told = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    top = told[0].get("top_logprobs") if isinstance(told, list) and told and isinstance(told[0], Mapping) else None
    pairs = [(each.get("token"), each.get("logprob")) for each in top or () if isinstance(each, Mapping)]
    return tuple(
        (token, float(logprob))
        for token, logprob in pairs
        if isinstance(token, str) and isinstance(logprob, int | float) and _IMPOSSIBLE < logprob <= 0
    )


def _scored(logprobs: object, text: str) -> tuple[tuple[int, float | None], ...]:
    """Return where each token of a completion begins and its log-probability, () if the server does not tell.

    The places that a server tells itself are not read: vLLM adds up the lengths of its tokens as it shows them, which
    are too long by a token that begins every text, and by a replacement character for each byte of an emoji.
    """
    told = logprobs if isinstance(logprobs, Mapping) else {}
    tokens, numbers = (found if isinstance(found, list) else [] for found in (told.get("tokens"), told.get(_NUMBERS)))
    if not all(isinstance(token, str) for token in tokens) or len(numbers) != len(tokens):
        return ()
    known = (float(number) if isinstance(number, int | float) and number <= 0 else None for number in numbers)
    return tuple(zip(spelled(tokens, text) or (), known, strict=False))


def spelled(tokens: Sequence[str], text: str) -> list[int] | None:
    """Return where each token begins in the text that all of them spell; None if they spell another.

    A token that shows no text of its own (one that begins every text, a byte of a character) begins where the token
    before it ends. White space that a token does not show belongs to it.
    """
    places: list[int] = []
    at = hidden = 0  # the end of what was found, and how many tokens since have shown none of the text
    for token in tokens:
        found = _found(token, text, at, hidden)
        if not (found or at == 0 or _SHOWS_NOTHING.search(token)):
            return None
        places.append(found[0] if found else at)
        at, hidden = (found[1], 0) if found else (at, hidden + 1)
    return places if at + _MOST_BYTES * hidden >= len(text) else None


def _found(token: str, text: str, at: int, hidden: int) -> tuple[int, int] | None:
    """Return the start and the end of a token in the text from `at` on, after `hidden` tokens without text."""
    for shown in (token, token.replace("▁", " ").replace("Ġ", " ").replace("Ċ", "\n")):
        if not shown or "\ufffd" in shown:
            return None
        begin = text.find(shown, at, at + _MOST_BYTES * hidden + len(shown))
        if begin >= 0:
            return begin, begin + len(shown)
        begin = at + len(text[at : at + _LONGEST_SPACE]) - len(text[at : at + _LONGEST_SPACE].lstrip())
        if begin > at and text.startswith(shown, begin):
            return at, begin + len(shown)
    return None


def _parts_of(content: object) -> tuple[str, str]:
    """Return the text and the thinking in a message's content: a text, or a list of parts. Raises: TypeError."""
    if not isinstance(content, list):
        return _text(content), ""
    text = thought = ""
    for part in content:
        if not isinstance(part, Mapping):
            raise TypeError(part)
        if part.get("type") == "thinking":
            thought += "".join(_parts_of(part.get("thinking")))
        else:
            text += _text(part.get("text"))
    return text, thought


def _whole(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if SURROGATE.search(text) else text


def _text(value: object) -> str:
    """Return a text, or "" for None. Raises: TypeError."""
    if value is not None and not isinstance(value, str):
        raise TypeError(value)
    return value or ""


def _token_count(value: object, otherwise: int | None) -> int | None:
    """Return the value if it can be a number of tokens, and `otherwise` if not."""
    return value if type(value) is int and 0 <= value < _MAX_TOKEN_COUNT else otherwise
