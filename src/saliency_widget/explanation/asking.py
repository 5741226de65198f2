"""One explanation from beginning to end: fill in the prompt, let the LLM write, read what it wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from ..checks import one_of, whole_number, whole_text
from ..errors import InputError
from ..types import ExplanationKind
from .alignment import align, words_of
from .clients import Client, Message, Reply
from .guided import read_scores
from .local import LocalClient
from .parsing import decided_class, parse_scores
from .prompts import ANSWER, SCORES, fill, order_of
from .result import Explanation

if TYPE_CHECKING:
    from typing import Literal

    from .prompts import Order

_PROSE = 384  # tokens an answer may have
_ENOUGH = 0.5  # of the words scored: then what was written freely is taken
_READ = 200_000  # letters of an answer that are read for a list: that of a review of 8,000 words
_MOST_PAIRS = 1_000  # that are set beside the words, and ten for each word


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """What is asked about `review`: see `explain`, whose arguments these are."""

    review: str
    kind: ExplanationKind = "answer"
    prompt: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    guided: bool | None = None
    max_tokens: int | None = None
    temperature: float = 0.0
    seed: int | None = None

    def __post_init__(self) -> None:
        one_of("kind", self.kind, ("answer", "scores"))
        if not isinstance(self.review, str) or not self.review.strip():
            raise InputError("There is no text to explain.", cure="Give the review, or whatever it is about, as text.")
        if self.max_tokens is not None:
            whole_number("max_tokens", self.max_tokens, least=1, cure="Let at least one token be written.")
        if not 0 <= self.temperature <= 2:
            raise InputError(f"temperature is {self.temperature}.", cure="Take a number from 0 (greedy) to 2.")
        fill(self.template, review="", **dict.fromkeys(self.fields, ""))
        whole_text("The text", self.review)
        whole_text("The prompt", self.content)

    @property
    def template(self) -> str:
        """The prompt with its fields still open."""
        return self.prompt or {"answer": ANSWER, "scores": SCORES}[self.kind].text

    @property
    def content(self) -> str:
        """What the LLM reads."""
        return fill(self.template, **self.fields, review=self.review)

    @property
    def messages(self) -> list[Message]:
        """As a chat."""
        return [{"role": "user", "content": self.content}]


@dataclass(frozen=True, slots=True)
class News:
    """How far an answer is: its text so far, and what the free prompt gave where that was tried before."""

    text: str
    free: str | None = None


def ask(client: Client, request: Inquiry, on_news: Callable[[News], None]) -> Explanation:
    """Ask, and read the answer. `on_news` hears the text grow, and may raise to stop.

    Raises: ServerError, TextTooLong, InputError; and what `on_news` raises.
    """
    if request.kind == "answer":
        reply = _free(client, request, on_news, request.max_tokens or _PROSE)
        return _explained(client, request, reply, label=decided_class(reply.text[:_READ]))
    if isinstance(client, LocalClient):
        return _scores_of_local(client, request, on_news)
    return _scores_of_server(client, request, on_news)


def _free(
    client: Client,
    request: Inquiry,
    on_news: Callable[[News], None],
    max_tokens: int,
    *,
    messages: list[Message] | None = None,
    schema: Mapping[str, Any] | None = None,
) -> Reply:
    return client.answer(
        messages or request.messages,
        on_text=lambda text: on_news(News(text)),
        max_tokens=max_tokens,
        temperature=request.temperature,
        seed=request.seed,
        schema=schema,
    )


def _scores_of_local(client: LocalClient, request: Inquiry, on_news: Callable[[News], None]) -> Explanation:
    """Freely first; where that gives no list (a small model's never does), in the form that always can be read."""
    free: Reply | None = None
    if request.guided is not True:
        words = len(words_of(request.review))
        reply = _free(client, request, on_news, request.max_tokens or min(256, 32 + 12 * words))
        said = _read(client, request, reply, on_news)
        alignment = said.alignment
        if request.guided is False or (alignment is not None and alignment.covered >= _ENOUGH):
            return said
        free = reply
    words_read = words_of(request.review)
    found = read_scores(
        client.model,
        request.messages,
        [word.text for word in words_read],
        order_of(request.template),
        lambda text: on_news(News(text, free and free.text)),
    )
    pairs = [(word.text, score) for word, score in zip(words_read, found.scores, strict=True)]
    return _explained(
        client,
        request,
        found.reply if free is None else _together(free, found.reply),
        label=cast("Literal[1, -1]", found.label),
        label_probability=found.label_probability,
        guided=True,
        free=free and free.text,
        alignment=align(request.review, pairs),
        uncertainties=tuple(found.uncertainties),
    )


def _together(free: Reply, last: Reply) -> Reply:
    """The last reply with what both cost."""
    return last._replace(
        prompt_tokens=(free.prompt_tokens or 0) + (last.prompt_tokens or 0),
        completion_tokens=(free.completion_tokens or 0) + (last.completion_tokens or 0),
        seconds=free.seconds + last.seconds,
    )


def _scores_of_server(client: Client, request: Inquiry, on_news: Callable[[News], None]) -> Explanation:
    """In the form of a JSON schema where the server offers it, else freely; once more where nothing can be read."""
    schema = None if request.guided is False else _schema(order_of(request.template))
    words = len(words_of(request.review))
    limit = request.max_tokens or 256 + 32 * words
    reply = _free(client, request, on_news, limit, schema=schema)
    said = _read(client, request, reply, on_news)
    if said.alignment is not None and said.alignment.covered > 0:
        return said
    complaint = f"{' '.join(said.problems) or 'No word of the review has a number.'} {_REPAIR}"
    again: list[Message] = [
        *request.messages,
        {"role": "assistant", "content": reply.text},
        {"role": "user", "content": complaint},
    ]
    second = _together(reply, _free(client, request, on_news, limit, messages=again))
    repaired = _read(client, request, second, on_news, free=reply.text)
    if repaired.alignment is not None and repaired.alignment.covered > 0:
        return repaired
    return replace(said, problems=(*said.problems, "Asked once more, it gave no list either."))


def _schema(order: Order) -> dict[str, Any]:
    """The form, with the class where the prompt asks for it: what is written first cannot look at what comes after."""
    names = ("words", "class") if order == "explain first" else ("class", "words")
    return SCHEMA | {"properties": {name: SCHEMA["properties"][name] for name in names}}


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "words": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "word": {"type": "string"},
                    "importance": {"type": "number", "minimum": -1, "maximum": 1},
                },
                "required": ["word", "importance"],
                "additionalProperties": False,
            },
        },
        "class": {"type": "integer", "enum": [1, -1]},
    },
    "required": ["words", "class"],
    "additionalProperties": False,
}
_REPAIR = (
    'Write the list once more and nothing else: [("word", importance), ...] with every word and punctuation mark of '
    "the review in order, and on the next line 1 or -1."
)


def _read(
    client: Client, request: Inquiry, reply: Reply, on_news: Callable[[News], None], *, free: str | None = None
) -> Explanation:
    """Read the list in an answer. `on_news` is called meanwhile, and raises to stop."""

    def check() -> None:
        on_news(News(reply.text, free))

    parsed = parse_scores(reply.text[:_READ], request.review, check=check)
    most = _MOST_PAIRS + 10 * len(words_of(request.review))
    alignment = align(request.review, parsed.pairs[:most], check, everywhere=parsed.is_dictionary)
    problems: list[str] = []
    if len(reply.text) > _READ:
        problems.append(f"Only the first {_READ:,} letters were read.")
    if len(parsed.pairs) > most:
        problems.append(f"Only the first {most:,} pairs were taken.")
    return _explained(
        client,
        request,
        reply,
        label=parsed.label,
        guided=_follows_schema(reply.text),
        free=free,
        alignment=alignment,
        problems=(*problems, *parsed.problems, *alignment.problems),
    )


def _follows_schema(text: str) -> bool:
    """Whether an answer has the form that was asked of the server: then it was held to it."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.keys() == SCHEMA["properties"].keys()


def _explained(client: Client, request: Inquiry, reply: Reply, **read: Any) -> Explanation:
    problems: tuple[str, ...] = read.pop("problems", ())
    if not reply.finished:
        problems = ("The limit of tokens cut the answer off.", *problems)
    return Explanation(
        kind=request.kind,
        review=request.review,
        prompt=request.content,
        text=reply.text,
        finished=reply.finished,
        problems=problems,
        model_name=client.name,
        where=client.where,
        temperature=request.temperature,
        seed=request.seed,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        seconds=reply.seconds,
        **read,
    )
