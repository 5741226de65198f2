"""The question from which a server's map is made: a text, labels, a method; checked before a request is paid for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..attribution.cards import OURS
from ..checks import one_of, whole_number, whole_text
from ..errors import InputError, UnsupportedMethod
from ..types import Token
from .choice import Choice, Label, choice_of
from .clients import Message
from .prompts import ONE_WORD, fill
from .taking_out import Span, Way, occlusion, shapley, spans_of

if TYPE_CHECKING:
    from ..attribution.cards import Card

REPEATS = 3  # times that the whole text is asked: how far apart the answers are is the noise floor
METHODS = ("occlusion", "shapley")
MOST_REQUESTS = 500


@dataclass(frozen=True, kw_only=True)
class RemoteQuestion:
    """A text, the labels that a server's model chooses between, and the way to its map. See `server_map`.

    Creating it checks everything that can be checked before a request is paid for. Raises: InputError,
    UnsupportedMethod.
    """

    text: str
    choice: Choice
    method: str = "occlusion"
    unit: str = "word"
    template: str = ONE_WORD
    samples: int | None = None
    calls: int | None = None
    max_requests: int = MOST_REQUESTS

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UnsupportedMethod(
                f"A server gives no gradients and no attention: {self.method} cannot be computed.",
                cure=f"Use {' or '.join(f'method={name!r}' for name in METHODS)}.",
            )
        one_of("unit", self.unit, ("word", "sentence"))
        whole_text("The text", self.text)
        whole_number("max_requests", self.max_requests, least=1, cure="Allow at least one request.")
        if self.samples is not None:
            whole_number("samples", self.samples, least=2, cure="Ask for at least two answers to each text.")
            if self.method != "occlusion":
                raise UnsupportedMethod(
                    f"Samples are too rough for {self.method}: it takes small differences of many texts.",
                    cure='Use method="occlusion", or leave samples= out where the server gives log-probabilities.',
                )
        if self.calls is not None:
            whole_number("calls", self.calls, least=2, cure="Leave it out for 8 changed texts a word.")
            if self.method != "shapley":
                raise InputError("calls= is for Shapley values.", cure='Leave it out, or use method="shapley".')
        fill(self.template, review="")
        if self.requests > self.max_requests:
            raise InputError(
                f"This takes {self.requests:,} requests, and max_requests is {self.max_requests:,}.",
                cure=f'Take unit="sentence", a shorter text, or max_requests={self.requests}.',
            )

    @cached_property
    def spans(self) -> list[Span]:
        """Return the places of the units in the text."""
        return spans_of(self.text, self.unit)

    @cached_property
    def way(self) -> Way:
        """Return the changed texts, and the way to the scores."""
        return (
            occlusion(self.text, self.spans)
            if self.method == "occlusion"
            else shapley(self.text, self.spans, self.calls)
        )

    @property
    def askings(self) -> list[tuple[int, int]]:
        """Return which text is asked about in each request, and for the how-manieth time; the whole text comes first.

        By log-probabilities the whole text is asked `REPEATS` times and each other once; else each `samples` times.
        """
        times = [self.samples or (1 if at else REPEATS) for at in range(len(self.way.texts))]
        return [(at, repeat) for at, count in enumerate(times) for repeat in range(count)]

    @property
    def requests(self) -> int:
        """Return the number of requests that a map takes."""
        return len(self.askings)

    def messages(self, at: int) -> list[Message]:
        """Return the chat that asks about one of the texts."""
        named = {"labels": " or ".join(self.choice.written)} if "{labels}" in self.template else {}
        return [{"role": "user", "content": fill(self.template, review=self.way.texts[at], **named)}]

    @property
    def settings(self) -> dict[str, Any]:
        """Return the settings, as the map keeps them."""
        kept: dict[str, Any] = {"unit": self.unit, "mode": "delete"}
        if self.method == "shapley":
            kept |= {"calls": len(self.way.texts)}
        if self.samples is not None:
            kept |= {"by": "samples", "samples": self.samples}
        return kept

    @property
    def rows(self) -> tuple[Token, ...]:
        """Return the units as inputs."""
        return rows_of(self.text, self.spans)

    @property
    def cols(self) -> tuple[Token, ...]:
        """Return the labels as targets."""
        n = len(self.spans)
        return tuple(
            Token(id=-1, position=n + j, text=label, role="class", span=None, word=n + j, sentence=1, segment=1)
            for j, label in enumerate(self.choice.name_of(option.label) for option in self.choice.options)
        )

    @property
    def card(self) -> Card:
        """Return the card of the map: what is asked, what its scores mean, and what they do not prove."""
        return _card(self)


def remote_question(
    text: str,
    labels: Iterable[Label] | Mapping[Label, float | str],
    *,
    method: str = "occlusion",
    unit: str = "word",
    prompt: str | None = None,
    samples: int | None = None,
    calls: int | None = None,
    max_requests: int = MOST_REQUESTS,
) -> RemoteQuestion:
    """Return what is asked of a server's model; see `server_map`. Raises: InputError, UnsupportedMethod."""
    return RemoteQuestion(
        text=text, choice=choice_of(labels), method=method, unit=unit, template=prompt or ONE_WORD, samples=samples,
        calls=calls, max_requests=max_requests,
    )  # fmt: skip


_LESS = "What equal questions differ by is noise: the colours leave it out."


def _card(question: RemoteQuestion) -> Card:
    ours, unit, requests = OURS[question.method], question.unit, question.requests
    how_often = "" if question.samples is None else f", {question.samples} for each text"
    about: dict[str, Any] = {
        "uses_objective": False,
        "objective": None,
        "cost": f"{requests:,} requests to the server{how_often}",
        "work": None,
    }
    if question.method == "shapley":
        return replace(
            ours,
            **about,
            unit="contribution to the log-odds",
            reads=f"How much the label's log-odds against the other labels rise when this {unit} joins others, "
            "averaged over every order in which the text can be put together. The scores add up to what the empty text "
            "lacks; ± is a standard error.",
            caveats=(
                "Most of the texts that it averages over are full of holes: none the model was trained on.",
                "Only the answer's first token is read, and only what is on the labels.",
                _LESS,
            ),
        )
    if question.samples is not None:
        return replace(
            ours,
            **about,
            unit="fall of the share",
            reads=f"How far the label's share of {question.samples} answers, drawn at temperature 1, falls when this "
            f"{unit} is taken out. Purple speaks for the label, orange against it; ± is a standard error.",
            caveats=(
                "Made from samples: the server gives no log-probabilities. Few answers tell only large effects.",
                "Where all answers are the same, a word may matter and change none of them.",
                "What luck alone makes is noise: the colours leave it out.",
            ),
        )
    return replace(
        ours,
        **about,
        unit="fall of the log-odds",
        reads=f"How far the label's log-odds against the other labels fall when this {unit} is taken out, read from "
        "the answer's first token. Purple speaks for the label, orange against it.",
        caveats=(
            "A text with a hole is none the model was trained on.",
            "Where two words say the same, taking either away changes nothing.",
            "Only the answer's first token is read, and only what is on the labels.",
            _LESS,
        ),
    )


def rows_of(text: str, spans: Sequence[Span]) -> tuple[Token, ...]:
    """Return the units of a text as inputs, each with one character of the white space before it."""
    rows = []
    for i, (start, end) in enumerate(spans):
        begin = start - 1 if start and text[start - 1].isspace() else start
        rows.append(
            Token(
                id=-1, position=i, text=text[begin:end], role="prompt", span=(begin, end), word=i, sentence=0, segment=0
            )
        )  # fmt: skip
    return tuple(rows)
