"""The map of a model behind a server: its words are taken out one by one, and its first token tells what that changes.

A server gives no gradients. It gives the log-probabilities of the most probable first tokens of its answer, and a
prompt that asks for one word puts much of the probability on the labels. The score of a word for a label is the fall of
the label's log-odds against the other labels when the word is taken out (occlusion: Li et al. 2016, arXiv:1612.08220).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from ..aside import aside
from ..attribution.result import Attribution
from ..characters import bar_name
from ..checks import one_of, whole_number, whole_text
from ..errors import InputError, UnsupportedMethod
from ..types import Token
from .alignment import Word, words_of
from .choice import Choice, Label, choice_of
from .clients import Message
from .prompts import ONE_WORD, fill

if TYPE_CHECKING:
    from numpy.typing import NDArray

REPEATS = 3  # times that the whole text is asked: how far apart the answers are is the noise floor
MOST_REQUESTS = 500
_PARALLEL = 4
_CHECK_INTERVAL = 0.1  # seconds


class NextTokens(NamedTuple):
    """The most probable first tokens of an answer, with their log-probabilities, and the tokens that were read."""

    found: tuple[tuple[str, float], ...]
    prompt_tokens: int


class TokenClient(Protocol):
    """A model that tells the log-probabilities of its answer's first token."""

    @property
    def name(self) -> str:
        """Return the model's name."""

    def next_tokens(self, messages: Sequence[Message], repeat: int = 0) -> NextTokens:
        """Return the first tokens of the answer to a chat. What was answered before is not asked again.

        `repeat`: the same question with another number is asked anew.
        Raises: ServerError, TextTooLong; UnsupportedMethod if the server gives no log-probabilities.
        """


class Reading(NamedTuple):
    """The labels of one answer. `log_odds` [k] of each against the others. `mass`: their probability together.

    `bounded` [k]: the label begins with none of the tokens that the server told; the least probable of these stands in
    for it, as an upper bound.
    """

    log_odds: NDArray[np.float64]
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


def _begins(token: str, label: str) -> bool:
    """Return whether a token begins a label, or the label such a token: "Sports" for "sport"."""
    return label.startswith(token) or token.startswith(label)


def _bare(token: str) -> str:
    return token.strip(" \t\n▁Ġ\"'“*").casefold()


def server_map(
    client: TokenClient,
    text: str,
    *,
    labels: Iterable[Label] | Mapping[Label, float | str],
    method: str = "occlusion",
    unit: str = "word",
    prompt: str | None = None,
    max_requests: int = MOST_REQUESTS,
    progress: bool = True,
) -> Attribution:
    """Return the map [units, labels] of a text for the labels that a server's model chooses between.

    A request for each unit, and some for the whole text. How many there will be, and of how many tokens, stands in the
    progress bar after the first one. What was answered is kept with the client: after an interrupt the rest is asked.

    Args:
        client: an `OpenAIClient`.
        text: the text whose words are taken out.
        labels: at least two, as in `explain`; no two may begin with the same token.
        method: "occlusion".
        unit: what is taken out at a time: "word" or "sentence".
        prompt: a template with `{review}` for the text, and `{labels}` for the labels; None asks for one word.
        max_requests: an error instead, if there would be more.
        progress: show a progress bar.

    Returns:
        Attribution: the fall of the label's log-odds against the others, above 0 where a word speaks for the label.
        `diagnostics`: `noise_floor`, by how much the log-odds of equal texts differ; `label_mass`, the probability of
        all labels together; `bounded`, the number of answers that told only an upper bound for the label; `requests`
        and `tokens_read`.

    Raises:
        InputError: labels, text or prompt that cannot be asked about, or too many requests.
        UnsupportedMethod: another method, or a server that gives no log-probabilities.
        ServerError, TextTooLong: see `explain`.
    """
    from tqdm.auto import tqdm

    if method != "occlusion":
        raise UnsupportedMethod(
            f"A server gives no gradients and no attention: {method} cannot be computed.",
            cure='Use method="occlusion".',
        )
    choice, template = choice_of(labels), prompt or ONE_WORD
    one_of("unit", unit, ("word", "sentence"))
    whole_text("The text", text)
    n = len(_units(text, unit)) + REPEATS
    whole_number("max_requests", max_requests, least=1, cure="Allow at least one request.")
    if n > max_requests:
        raise InputError(
            f"This takes {n:,} requests, and max_requests is {max_requests:,}.",
            cure=f'Take unit="sentence", a shorter text, or max_requests={n}.',
        )
    fill(template, review="")
    done, price = 0, ""

    def work(check: Callable[[], None]) -> Attribution:
        def on_progress(answered: int, tokens: int) -> None:
            nonlocal done, price
            check()
            done, price = answered, f"{n} requests, about {tokens:,} tokens"

        return words_out(client, text, choice, on_progress, unit=unit, template=template)

    with tqdm(total=n, desc=f"{bar_name(client.name)} is asked", disable=not progress, leave=False) as bar:

        def draw() -> None:
            bar.set_postfix_str(price, refresh=False)
            bar.update(done - bar.n)

        return aside(work, draw)


def words_out(
    client: TokenClient,
    text: str,
    choice: Choice,
    on_progress: Callable[[int, int], None],
    *,
    unit: str = "word",
    template: str = ONE_WORD,
) -> Attribution:
    """Compute `server_map`. `on_progress` gets the answers so far and the tokens of all, and may raise to stop."""
    units, started = _units(text, unit), time.perf_counter()
    asked = [(text, repeat) for repeat in range(REPEATS)] + [(_without(text, span), 0) for span in _spans(units)]
    named = {"labels": " or ".join(choice.written)} if "{labels}" in template else {}
    questions: list[tuple[list[Message], int]] = [
        ([{"role": "user", "content": fill(template, review=review, **named)}], repeat) for review, repeat in asked
    ]
    answers = {0: client.next_tokens(*questions[0])}
    _check_labels(read(answers[0].found, choice), choice, client.name)
    tokens = len(questions) * answers[0].prompt_tokens
    _ask_all(client, questions, answers, lambda: on_progress(len(answers), tokens))
    on_progress(len(answers), tokens)
    readings = [read(answers[at].found, choice) for at in range(len(questions))]
    return _map(client.name, units, text, choice, readings, answers.values(), unit, time.perf_counter() - started)


def _ask_all(
    client: TokenClient,
    questions: Sequence[tuple[Sequence[Message], int]],
    answers: dict[int, NextTokens],
    check: Callable[[], None],
) -> None:
    """Ask the questions without an answer, some at a time. What waits is dropped if one fails or `check` raises."""
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="saliency-widget-server") as threads:
        waiting: dict[Future[NextTokens], int] = {
            threads.submit(client.next_tokens, messages, repeat): at
            for at, (messages, repeat) in enumerate(questions)
            if at not in answers
        }
        try:
            while waiting:
                check()
                done, _ = wait(waiting, timeout=_CHECK_INTERVAL, return_when=FIRST_COMPLETED)
                for future in done:
                    answers[waiting.pop(future)] = future.result()
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def _check_labels(whole: Reading, choice: Choice, name: str) -> None:
    """Raise an InputError if the answer to the whole text tells nothing of the labels."""
    if whole.bounded.all():
        raise InputError(
            f"{name} does not begin its answer with one of the labels {choice.listed}.",
            cure="Write the labels as the model answers, each with another beginning, or ask for one word in prompt=.",
        )


def _map(
    name: str,
    units: Sequence[Sequence[Word]],
    text: str,
    choice: Choice,
    readings: Sequence[Reading],
    answers: Iterable[NextTokens],
    unit: str,
    seconds: float,
) -> Attribution:
    whole = np.stack([reading.log_odds for reading in readings[:REPEATS]])
    without = np.stack([reading.log_odds for reading in readings[REPEATS:]])
    rows = tuple(
        Token(id=-1, position=i, text=_with_space(text, span), role="prompt", span=span, word=i, sentence=0, segment=0)
        for i, span in enumerate(_spans(units))
    )
    n, mean = len(rows), whole.mean(axis=0)
    cols = tuple(
        Token(id=-1, position=n + j, text=label, role="class", span=None, word=n + j, sentence=1, segment=1)
        for j, label in enumerate(choice.name_of(option.label) for option in choice.options)
    )
    given = list(answers)
    return Attribution(
        scores=(mean - without).astype(np.float32),
        rows=rows,
        cols=cols,
        segments=(),
        step_scores={"probability": (1 / (1 + np.exp(-mean))).astype(np.float32)},
        method="occlusion",
        objective=None,
        signed=True,
        unit="fall of the log-odds",
        model_name=name,
        settings={"unit": unit, "operator": "delete"},
        seconds=seconds,
        diagnostics={
            "noise_floor": np.ptp(whole, axis=0).tolist(),
            "label_mass": [float(np.mean([reading.mass for reading in readings[:REPEATS]]))] * len(cols),
            "bounded": np.sum([reading.bounded for reading in readings], axis=0).tolist(),
            "requests": len(given),
            "tokens_read": sum(answer.prompt_tokens for answer in given),
        },
    )


# ── what is taken out ────────────────────────────────────────────────────────────────────────────────────────────


def _units(text: str, unit: str) -> list[list[Word]]:
    """Group the words of a text. Raises: InputError if there is nothing left when one group is taken out."""
    words = words_of(text)
    if unit == "word":
        units = [[word] for word in words]
    else:
        ends = set(sentence_ends(text))
        units = [[]]
        for word in words:
            units[-1].append(word)
            if word.span[1] in ends:
                units.append([])
        units = [group for group in units if group]
    if len(units) < 2:
        raise InputError(f"The text has {len(units)} {unit}s: nothing would be left.", cure="Give a longer text.")
    return units


def sentence_ends(text: str) -> list[int]:
    """Return the ends of sentences: after their marks, where white space or the end follows."""
    return [at + 1 for at, char in enumerate(text) if char in ".!?。！？…" and not text[at + 1 : at + 2].strip()]


def _spans(units: Sequence[Sequence[Word]]) -> list[tuple[int, int]]:
    return [(unit[0].span[0], unit[-1].span[1]) for unit in units]


def _without(text: str, span: tuple[int, int]) -> str:
    """Return the text without a span and the white space before it."""
    before, after = text[: span[0]], text[span[1] :]
    return before.rstrip() + after if before.strip() else after.lstrip()


def _with_space(text: str, span: tuple[int, int]) -> str:
    return (" " if span[0] and text[span[0] - 1].isspace() else "") + text[span[0] : span[1]]
