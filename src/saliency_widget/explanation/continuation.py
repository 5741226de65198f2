"""The map of a whole answer, where a server scores a given continuation: its columns are the answer's tokens.

The server of completions repeats its prompt (`echo`) with the log-probability of each of its tokens, so one request
reads the text and the answer after it. The score of a word for a token of the answer is the fall of the token's
log-probability when the word is taken out (occlusion: Li et al. 2016, arXiv:1612.08220).
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from ..attribution.result import Attribution
from ..checks import one_of, whole_number, whole_text
from ..errors import InputError, UnsupportedMethod
from ..types import Token
from .many import HowFar, ask_all, spread
from .remote_question import MOST_REQUESTS, REPEATS, rows_of
from .taking_out import occlusion, spans_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Scored(NamedTuple):
    """The tokens of a text and its answer, each with the place of its first character and its log-probability.

    Places count from the answer's first character, so tokens of the text have places below 0. The first token of all
    has no log-probability: None.
    """

    tokens: tuple[tuple[int, float | None], ...]
    prompt_tokens: int


class ScoringClient(Protocol):
    """A model that scores a given continuation. No request is sent twice."""

    @property
    def name(self) -> str:
        """Return the model's name."""

    def scored(self, text: str, target: str, repeat: int = 0) -> Scored:
        """Return the log-probabilities of the tokens of `target` after `text`.

        `repeat`: the same question with another number is asked anew.
        Raises: ServerError, TextTooLong; UnsupportedMethod if the server scores no given continuation.
        """


def continuation_map(
    client: ScoringClient,
    text: str,
    target: str,
    tell: Callable[[HowFar], None],
    *,
    method: str = "occlusion",
    unit: str = "word",
    max_requests: int = MOST_REQUESTS,
) -> Attribution:
    """Compute the map [units, tokens of the answer]. `tell` is called ten times a second, and may raise to stop.

    Raises: InputError, UnsupportedMethod, ServerError, TextTooLong.
    """
    if method != "occlusion":
        raise UnsupportedMethod(
            f"A server gives no gradients and no attention: {method} of an answer cannot be computed.",
            cure='Use method="occlusion".',
        )
    one_of("unit", unit, ("word", "sentence"))
    whole_number("max_requests", max_requests, least=1, cure="Allow at least one request.")
    for name, given in (("text", text), ("target", target)):
        whole_text(f"The {name}", given)
    if not target:
        raise InputError("The target is empty.", cure="Give the answer that is to be explained.")
    started, spans = time.perf_counter(), spans_of(text, unit)
    way = occlusion(text, spans)
    askings = [(0, repeat) for repeat in range(REPEATS)] + [(at, 0) for at in range(1, len(way.texts))]
    if len(askings) > max_requests:
        raise InputError(
            f"This takes {len(askings):,} requests, and max_requests is {max_requests:,}.",
            cure=f'Take unit="sentence", a shorter text, or max_requests={len(askings)}.',
        )
    answers: dict[tuple[int, int], Scored] = {}
    tokens: int | None = None

    def ask(asking: tuple[int, int]) -> Scored:
        return client.scored(way.texts[asking[0]], target, asking[1])

    def check() -> None:
        tell(HowFar(len(answers), len(askings), tokens))

    ask_all(askings[:1], ask, answers.__setitem__, check)
    first = answers[askings[0]]
    tokens = len(askings) * first.prompt_tokens
    starts = _starts(first)
    ask_all(spread(askings[1:REPEATS], askings[REPEATS:]), ask, answers.__setitem__, check)
    check()
    read = np.stack([_log_probabilities(answers[asking], starts) for asking in askings])  # [askings, k]
    whole = read[:REPEATS]
    found = way.scored(np.concatenate([whole.mean(axis=0, keepdims=True), read[REPEATS:]]))
    n = len(spans)
    texts = [target[begin:end] for begin, end in pairwise((*starts, len(target)))]
    return Attribution(
        scores=found.scores.astype(np.float32),
        rows=rows_of(text, spans),
        cols=tuple(
            Token(id=-1, position=n + j, text=own, role="generated", span=None, word=n + j, sentence=1, segment=0)
            for j, own in enumerate(texts)
        ),
        segments=(),
        step_scores={"probability": np.exp(whole.mean(axis=0)).astype(np.float32)},
        method="occlusion",
        objective="log_probability",
        signed=True,
        unit="fall of the log-probability",
        model_name=client.name,
        settings={"unit": unit, "mode": "delete"},
        seconds=time.perf_counter() - started,
        diagnostics={
            "noise_floor": np.ptp(whole, axis=0).tolist(),
            "requests": len(answers),
            "tokens_read": sum(answer.prompt_tokens for answer in answers.values()),
            "cut_otherwise": sum(_places(answer) != starts for answer in answers.values()),
        },
    )


def _places(scored: Scored) -> list[int]:
    return sorted({place for place, _ in scored.tokens if place >= 0})  # the bytes of a character are in one place


def _starts(scored: Scored) -> list[int]:
    """Return where the tokens of the answer begin. Raises: InputError if its first token begins in the text."""
    starts = _places(scored)
    if not starts or starts[0] != 0:
        raise InputError(
            "The target's first token begins in the text, so it has no score of its own.",
            cure='Begin the target where a token begins, mostly with a space: target=" Washington".',
        )
    return starts


def _log_probabilities(scored: Scored, starts: Sequence[int]) -> NDArray[np.float64]:
    """Return the log-probability of each token of the answer [k].

    Another text may cut the answer into other tokens: each counts for the token in which it begins, and one that begins
    in the text before it for the first.
    """
    found = np.zeros(len(starts))
    ends = [place for place, _ in scored.tokens[1:]] + [starts[-1] + 1]
    for (place, log_probability), end in zip(scored.tokens, ends, strict=True):
        if max(place + 1, end) > 0 and log_probability is not None:
            found[max(0, bisect_right(starts, place) - 1)] += log_probability
    return found
