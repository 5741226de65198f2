"""The map of a model behind a server: units of the text are taken out, and its answers tell what that changes.

A server gives no gradients. Many give the log-probabilities of the most probable first tokens of an answer, and a
prompt that asks for one word puts much of the probability on the labels: the value of a text for a label is the label's
log-odds against the other labels. Others only answer: then the value is the share of the label among several answers.
The score of a word is the fall of the value when the word is taken out (occlusion: Li et al. 2016, arXiv:1612.08220),
or its Shapley value.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from ..attribution.result import Attribution
from ..errors import InputError
from .choice import Choice, Label
from .clients import Message
from .many import HowFar, ask_all, spread, watched
from .remote_question import RemoteQuestion, remote_question
from .taking_out import Scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

_TWO_SIDED = 1.96  # standard errors: 95 % of what luck makes is less


class NextTokens(NamedTuple):
    """The most probable first tokens of an answer, with their log-probabilities, and the tokens that were read."""

    found: tuple[tuple[str, float], ...]
    prompt_tokens: int


class Said(NamedTuple):
    """A short answer, drawn at temperature 1, and the tokens that were read."""

    text: str
    prompt_tokens: int


class TokenClient(Protocol):
    """A model whose answers are told by first tokens, or drawn. No request is sent twice.

    `repeat`: the same question with another number is asked anew.
    """

    @property
    def name(self) -> str:
        """Return the model's name."""

    @property
    def where(self) -> str:
        """Return where the model runs: the address of a server."""

    def next_tokens(self, messages: Sequence[Message], repeat: int = 0) -> NextTokens:
        """Return the first tokens of the answer to a chat.

        Raises: ServerError, TextTooLong; UnsupportedMethod if the server gives no log-probabilities.
        """

    def sampled(self, messages: Sequence[Message], repeat: int = 0) -> Said:
        """Return an answer to a chat, drawn at temperature 1. Raises: ServerError, TextTooLong."""


def server_map(
    client: TokenClient,
    text: str,
    *,
    labels: Iterable[Label] | Mapping[Label, float | str],
    progress: bool = True,
    **how: Any,
) -> Attribution:
    """Return the map [units, labels] of a text for the labels that a server's model chooses between.

    The progress bar tells the number of requests and of their tokens after the first one. Answers are kept with the
    client: after an interrupt the rest is asked.

    Args:
        client: an `OpenAIClient`.
        text: the text whose words are taken out.
        labels: at least two, as in `explain`; no two may begin with the same token.
        progress: show a progress bar.
        **how: `method`: "occlusion", a request for each unit and three for the whole text; or "shapley", eight requests
            for each unit, whose scores have standard errors. `unit`: what is taken out at a time, "word" or "sentence".
            `prompt`: a template with `{review}` for the text, and `{labels}` for the labels; None asks for one word.
            `samples`: for a server without log-probabilities: how often each text is asked about, at temperature 1.
            `calls`: of "shapley", how many changed texts are read at most. `max_requests`: an error instead, if there
            would be more.

    Returns:
        Attribution: the fall of the label's log-odds against the others, above 0 where a word speaks for the label;
        with `samples` the fall of the label's share of the answers, with standard errors.
        `diagnostics`: `noise_floor`, by how much the values of equal texts differ; `label_mass`, the probability of
        all labels together; `bounded`, the number of answers that told only an upper bound for the label; `requests`
        and `tokens_read`.

    Raises:
        InputError: labels, text or prompt that cannot be asked about, or too many requests.
        UnsupportedMethod: another method, or a server that gives no log-probabilities.
        ServerError, TextTooLong: see `explain`.
    """
    question = remote_question(text, labels, **how)
    return watched(client.name, question.requests, partial(map_of, client, question), progress=progress)


def map_of(client: TokenClient, question: RemoteQuestion, tell: Callable[[HowFar], None]) -> Attribution:
    """Compute `server_map`. `tell` is called ten times a second, and may raise to stop."""
    started = time.perf_counter()
    askings = question.askings
    answers: dict[tuple[int, int], NextTokens | Said] = {}
    tokens: int | None = None

    def ask(asking: tuple[int, int]) -> NextTokens | Said:
        at, repeat = asking
        way = client.next_tokens if question.samples is None else client.sampled
        return way(question.messages(at), repeat)

    def check() -> None:
        tell(HowFar(len(answers), len(askings), tokens))

    n_whole = sum(at == 0 for at, _ in askings)
    first, whole, rest = askings[:1], askings[1:n_whole], askings[n_whole:]
    # The first answer tells the price, and whether the others are worth it.
    parts = (first, whole, rest) if question.samples is not None else (first, spread(whole, rest))
    readings: list[Reading] = []
    for number, part in enumerate(parts):
        ask_all(part, ask, answers.__setitem__, check)
        tokens = len(askings) * answers[first[0]].prompt_tokens
        if number == len(parts) - 2:
            _check_labels([_read(answers[asking], question.choice) for asking in answers], question.choice, client.name)
    check()
    readings = [_read(answers[asking], question.choice) for asking in askings]
    return _assembled(client.name, question, readings, answers.values(), time.perf_counter() - started)


# ── what an answer tells ─────────────────────────────────────────────────────────────────────────────────────────


class Reading(NamedTuple):
    """The labels of one answer. `values` [k]: of each the log-odds against the others; or 1 for the one it is, else 0.

    `mass`: the probability of all labels together. `bounded` [k]: the label begins with none of the tokens that the
    server told; the least probable of these stands in for it, as an upper bound.
    """

    values: Numbers
    mass: float
    bounded: NDArray[np.bool_]


def read(found: Sequence[tuple[str, float]], choice: Choice) -> Reading:
    """Read the labels from the first tokens of an answer: of each the probability of all tokens that begin it alone."""
    written = [text.casefold() for text in choice.written]
    masses = np.zeros(len(written))
    for text, logprob in found:
        token = _bare(text)
        begun = [at for at, label in enumerate(written) if token and _begins(token, label)]
        if len(begun) == 1:
            masses[begun[0]] += math.exp(logprob)
    bounded = masses == 0
    mass = float(masses.sum())
    masses[bounded] = math.exp(min(logprob for _, logprob in found))
    logs = np.log(masses)
    others = np.array([np.logaddexp.reduce(np.delete(logs, at)) for at in range(len(logs))])
    return Reading(logs - others, mass, bounded)


def read_said(text: str, choice: Choice) -> Reading:
    """Read the label with which an answer begins, the longest if several are; none if it begins otherwise."""
    said = _bare(text)
    written = [label.casefold() for label in choice.written]
    found = [at for at, label in enumerate(written) if said.startswith(label)]
    values = np.zeros(len(written))
    if found:
        values[max(found, key=lambda at: len(written[at]))] = 1
    return Reading(values, float(values.sum()), np.zeros(len(written), dtype=bool))


def _read(answer: NextTokens | Said, choice: Choice) -> Reading:
    return read_said(answer.text, choice) if isinstance(answer, Said) else read(answer.found, choice)


def _begins(token: str, label: str) -> bool:
    """Return whether a token begins a label, or the label such a token: "Sports" for "sport"."""
    return label.startswith(token) or token.startswith(label)


def _bare(token: str) -> str:
    return token.strip(" \t\n▁Ġ\"'“*").casefold()


def _check_labels(whole: Sequence[Reading], choice: Choice, name: str) -> None:
    """Raise an InputError if no answer to the whole text tells anything of the labels."""
    if all(reading.mass == 0 for reading in whole):
        raise InputError(
            f"{name} does not begin its answer with one of the labels {choice.listed}.",
            cure="Write the labels as the model answers, each with another beginning, or ask for one word in prompt=.",
        )


# ── the map ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _assembled(
    name: str,
    question: RemoteQuestion,
    readings: Sequence[Reading],
    answers: Iterable[NextTokens | Said],
    seconds: float,
) -> Attribution:
    of_text: list[list[Reading]] = [[] for _ in question.way.texts]
    for (at, _), reading in zip(question.askings, readings, strict=True):
        of_text[at].append(reading)
    values = np.stack([np.mean([reading.values for reading in group], axis=0) for group in of_text])  # [texts, k]
    found = question.way.scored(values)
    whole = np.stack([reading.values for reading in of_text[0]])  # [askings, k]
    if question.samples is None:
        floor, probability = np.ptp(whole, axis=0), 1 / (1 + np.exp(-values[0]))
    else:
        variance = _variance(values, question.samples)
        found = Scores(found.scores, np.sqrt(variance[0] + variance[1:]))
        floor, probability = _TWO_SIDED * np.sqrt(2 * variance[0]), values[0]
    given, k = list(answers), len(question.cols)
    return Attribution(
        scores=found.scores.astype(np.float32),
        errors=None if found.errors is None else found.errors.astype(np.float32),
        rows=question.rows,
        cols=question.cols,
        segments=(),
        step_scores={"probability": probability.astype(np.float32)},
        method=question.method,
        objective=None,
        signed=True,
        unit=question.card.unit,
        model_name=name,
        settings=question.settings,
        seconds=seconds,
        diagnostics={
            "noise_floor": floor.tolist(),
            "label_mass": [float(np.mean([reading.mass for reading in of_text[0]]))] * k,
            "bounded": np.sum([reading.bounded for reading in readings], axis=0).tolist(),
            "requests": len(given),
            "tokens_read": sum(answer.prompt_tokens for answer in given),
        },
    )


def _variance(shares: Numbers, n: int) -> Numbers:
    """Return the variance of shares of n answers, by the binomial.

    One answer more on either side (Agresti & Coull 1998): n equal answers do not prove that there is no other.
    """
    p = (shares * n + 1) / (n + 2)
    variance: Numbers = p * (1 - p) / n
    return variance
