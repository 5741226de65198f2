"""One explanation from beginning to end: fill in the prompt, let the LLM write, read what it wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, get_args

from ..checks import one_of, whole_number, whole_text
from ..errors import Cancelled, InputError, SaliencyError
from ..types import ExplanationKind
from .alignment import align, words_of
from .choice import HOMEWORK, NOTHING, Choice
from .clients import Client, Message, Reply
from .guided import read_scores
from .local import LocalClient
from .parsing import decided_class, parse_scores
from .prompts import PARAPHRASES, TEMPLATES, WHY_SCORES, fill, order_of, template_for, with_labels
from .result import Explanation

if TYPE_CHECKING:
    from .prompts import Order

_PROSE = 384  # tokens an answer may have
_ENOUGH = 0.5  # of the words scored: then what was written freely is taken
_READ = 200_000  # letters of an answer that are read for a list: that of a review of 8,000 words
_MOST_PAIRS = 1_000  # that are set beside the words, and ten for each word


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """The question about `review`: its fields are the arguments of `explain`.

    `choice`: what is to be decided; None for the homework's where the prompt is built in, and else nothing.
    """

    review: str
    kind: ExplanationKind = "answer"
    prompt: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    choice: Choice | None = None
    system: str | None = None
    guided: bool | None = None
    max_tokens: int | None = None
    temperature: float = 0.0
    seed: int | None = None

    def __post_init__(self) -> None:
        one_of("kind", self.kind, get_args(ExplanationKind))
        if not isinstance(self.review, str) or not self.review.strip():
            raise InputError("There is no text to explain.", cure="Give the review, or whatever it is about, as text.")
        if self.kind == "why" and "{target}" in self.template and "target" not in self.fields:
            raise InputError("There is no word to ask about.", cure='Give what was written: target=" Washington".')
        if "labels" in self.fields:
            raise InputError("A field cannot be called labels.", cure="Give labels= what is to be chosen between.")
        if self.max_tokens is not None:
            whole_number("max_tokens", self.max_tokens, least=1, cure="Let at least one token be written.")
        if not 0 <= self.temperature <= 2:
            raise InputError(f"temperature is {self.temperature}.", cure="Take a number from 0 (greedy) to 2.")
        fill(self.template, review="", **dict.fromkeys(self.fields, ""))
        whole_text("The text", self.review)
        whole_text("The prompt", self.content)
        if self.system is not None:
            whole_text("The system message", self.system)

    @property
    def decides(self) -> Choice:
        """Return the choice: nothing is forced into classes that were not asked for."""
        if self.choice is not None:
            return self.choice
        is_homework = self.template in (t.text for t in TEMPLATES.values()) or self.template in PARAPHRASES
        return HOMEWORK if is_homework else NOTHING

    @property
    def template(self) -> str:
        """Return the prompt with its fields still open."""
        return self.prompt or template_for(self.kind, self.choice or NOTHING)

    @property
    def content(self) -> str:
        """Return the text that the LLM reads."""
        template = with_labels(self.template, self.decides)
        labels = {"labels": self.decides.listed} if "{labels}" in template else {}
        return fill(template, **self.fields, **labels, review=self.review)

    @property
    def with_numbers(self) -> Inquiry:
        """Return a question of kind "why" that also asks for a number a word."""
        return replace(self, prompt=f"{self.template}\n\n{WHY_SCORES}")

    @property
    def messages(self) -> list[Message]:
        """Return the question as a chat."""
        told: list[Message] = [] if self.system is None else [{"role": "system", "content": self.system}]
        return [*told, {"role": "user", "content": self.content}]


@dataclass(frozen=True, slots=True)
class News:
    """The progress of an answer: its text so far, and what the free prompt gave where that was tried before."""

    text: str
    free: str | None = None


def ask(client: Client, request: Inquiry, on_news: Callable[[News], None]) -> Explanation:
    """Ask, and read the answer. `on_news` hears the text grow, and may raise to stop.

    Raises: ServerError, TextTooLong, InputError; and what `on_news` raises.
    """
    if request.kind == "answer":
        reply = _free(client, request, on_news, request.max_tokens or _PROSE)
        choice = request.decides
        label = decided_class(reply.text[:_READ], choice.parsed_as) if choice.options else None
        return _explained(client, request, reply, label=label)
    if isinstance(client, LocalClient):
        return _scores_of_local(client, request, on_news)
    return _scores_of_server(client, request.with_numbers if request.kind == "why" else request, on_news)


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
    """Freely first; where that gives no list (a small model's never does), in the form that always can be read.

    A small model that is asked for reasons and a list at once gives neither: it is asked for the list apart.
    """
    free: Reply | None = None
    if request.guided is not True:
        words = len(words_of(request.review))
        room = _PROSE if request.kind == "why" else min(256, 32 + 12 * words)
        reply = _free(client, request, on_news, request.max_tokens or room)
        said = _read(client, request, reply, on_news)
        alignment = said.alignment
        if request.guided is False or (alignment is not None and alignment.covered >= _ENOUGH):
            return said
        free = reply
    words_read = words_of(request.review)
    found = read_scores(
        client.model,
        (request.with_numbers if request.kind == "why" else request).messages,
        [word.text for word in words_read],
        request.decides.written,
        order_of(request.template),
        lambda text: on_news(News(text, free and free.text)),
    )
    pairs = [(word.text, score) for word, score in zip(words_read, found.scores, strict=True)]
    reply = found.reply if free is None else _together(free, found.reply)
    if free is not None and request.kind == "why":  # the reasons are what was asked for; its numbers are beside them
        reply, free = reply._replace(text=free.text, finished=free.finished), None
    return _explained(
        client,
        request,
        reply,
        **_decided(request.decides, found.label_probabilities),
        guided=True,
        free=free and free.text,
        alignment=align(request.review, pairs),
        uncertainties=tuple(found.uncertainties),
    )


def _decided(choice: Choice, probabilities: Sequence[float]) -> dict[str, Any]:
    """Return the most probable label, and the probability of each."""
    if not probabilities:
        return {"label": None}
    each = {option.label: p for option, p in zip(choice.options, probabilities, strict=True)}
    return {"label": max(each, key=lambda label: each[label]), "label_probabilities": each}


def _together(free: Reply, last: Reply) -> Reply:
    """Return the last reply with the cost of both."""
    return last._replace(
        prompt_tokens=(free.prompt_tokens or 0) + (last.prompt_tokens or 0),
        reasoning_tokens=None
        if last.reasoning_tokens is None
        else (free.reasoning_tokens or 0) + last.reasoning_tokens,
        left_out=tuple(sorted({*free.left_out, *last.left_out})),
        completion_tokens=(free.completion_tokens or 0) + (last.completion_tokens or 0),
        seconds=free.seconds + last.seconds,
    )


def _scores_of_server(client: Client, request: Inquiry, on_news: Callable[[News], None]) -> Explanation:
    """Ask in the form of a JSON schema where the server offers it, else freely; once more where nothing can be read.

    An empty answer is not asked for again: it would be paid for again. A second failure loses nothing.
    """
    free_form = request.guided is False or request.kind == "why"  # a reason in words has no schema
    schema = None if free_form else schema_of(request.decides, order_of(request.template))
    words = len(words_of(request.review))
    limit = request.max_tokens or 256 + 32 * words + (_PROSE if request.kind == "why" else 0)
    reply = _free(client, request, on_news, limit, schema=schema)
    said = _read(client, request, reply, on_news)
    if not reply.text.strip() or (said.alignment is not None and said.alignment.covered > 0):
        return said
    complaint = f"{' '.join(said.problems) or 'No word of the text has a number.'} {_repair(request)}"
    again: list[Message] = [
        *request.messages,
        {"role": "assistant", "content": reply.text},
        {"role": "user", "content": complaint},
    ]
    try:
        second = _together(reply, _free(client, request, on_news, limit, messages=again))
    except Cancelled:
        raise
    except SaliencyError as error:
        return replace(said, problems=(*said.problems, f"Asked once more, it failed: {error.message}"))
    repaired = _read(client, request, second, on_news, free=reply.text)
    if repaired.alignment is not None and repaired.alignment.covered > 0:
        return repaired
    return replace(
        said,
        problems=(*said.problems, "Asked once more, it gave no list either."),
        prompt_tokens=second.prompt_tokens,
        completion_tokens=second.completion_tokens,
        seconds=second.seconds,
    )


def schema_of(choice: Choice, order: Order) -> dict[str, Any]:
    """Return the JSON schema of an answer with a number for each word, and the label where there is one to decide.

    The parts stand in the order that the prompt asks for: what is written first cannot look at what comes after.
    """
    pair = {"word": {"type": "string"}, "importance": {"type": "number", "minimum": -1, "maximum": 1}}
    parts: dict[str, Any] = {"words": {"type": "array", "items": _object(pair)}}
    if choice.options:
        labels = [int(w) if w.lstrip("-").isdigit() else w for w in choice.written]
        kinds = {"integer" if isinstance(label, int) else "string" for label in labels}
        if len(kinds) > 1:
            kinds, labels = {"string"}, list(choice.written)
        decided = {"class": {"type": kinds.pop(), "enum": labels}}
        parts = {**decided, **parts} if order == "predict first" else {**parts, **decided}
    return _object(parts)


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _repair(request: Inquiry) -> str:
    """Return the sentence that asks once more for the list."""
    options = request.decides.written
    end = f", and on the next line {', '.join(options[:-1])} or {options[-1]}." if options else "."
    return (
        'Write the list once more and nothing else: [("word", importance), ...] with every word and punctuation mark '
        f"of the text in order{end}"
    )


def _read(
    client: Client, request: Inquiry, reply: Reply, on_news: Callable[[News], None], *, free: str | None = None
) -> Explanation:
    """Read the list in an answer. `on_news` is called meanwhile, and raises to stop."""

    def check() -> None:
        on_news(News(reply.text, free))

    choice = request.decides
    parsed = parse_scores(reply.text[:_READ], request.review, choice.parsed_as, check=check)
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
        guided=_follows_schema(reply.text, choice),
        free=free,
        alignment=alignment,
        problems=(*problems, *parsed.problems, *alignment.problems),
    )


def _follows_schema(text: str, choice: Choice) -> bool:
    """Return whether an answer has the form that was asked of the server: then it was held to it."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.keys() == {"words", *(["class"] if choice.options else [])}


def _explained(client: Client, request: Inquiry, reply: Reply, **read: Any) -> Explanation:
    problems: tuple[str, ...] = read.pop("problems", ())
    if not reply.finished:
        problems = (_cut_off(reply), *problems)
    return Explanation(
        kind=request.kind,
        choice=request.decides,
        target=request.fields.get("target"),
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
        reasoning_tokens=reply.reasoning_tokens,
        thinking=reply.thinking,
        left_out=reply.left_out,
        seconds=reply.seconds,
        **read,
    )


def _cut_off(reply: Reply) -> str:
    """Return the sentence that says why an answer has no end, and what to do about it."""
    if reply.text.strip() or not (reply.reasoning_tokens or reply.thinking):
        return "The limit of tokens cut the answer off: give a larger max_tokens=."
    spent = f"all of its {reply.reasoning_tokens:,} tokens" if reply.reasoning_tokens else "all of its tokens"
    return (
        f"The model spent {spent} on thinking, and the limit cut it off before its answer: give OpenAIClient a larger "
        'thinking_tokens=, or reasoning_effort="low".'
    )
