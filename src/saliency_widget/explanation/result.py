"""The answer of an LLM: its text, and for scores the words with their numbers. Immutable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..attribution.cards import LLM
from ..attribution.result import Attribution
from ..characters import in_a_cell, plain, plain_lines
from ..errors import InputError
from ..types import ExplanationKind, Role, Segment, Token
from .alignment import Alignment, Word
from .choice import HOMEWORK, Choice, Label

if TYPE_CHECKING:
    import pandas as pd


class ExplanationCard(NamedTuple):
    """The text behind an (i): what was asked of whom, how to read it, what it does not prove."""

    about: tuple[tuple[str, str], ...]
    reads: str
    caveats: tuple[str, ...]
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The explanation that an LLM gave of a text.

    `text` is all that it wrote; `prompt` what it was asked, the review in it. `choice`: what was to be decided, and
    `label` which of its labels was (of the homework 1, positive, or -1, negative), None where it was not. `target`: the
    written word that kind="why" asks about. For "scores" and "why", `alignment` says what became of every word and
    every pair. `guided`: the list was forced into shape; then `uncertainties` holds for each word the entropy of the
    model's distribution over the allowed numbers, as a share of the largest, `label_probabilities` that of each label
    among them, and `free` what the same prompt gave when it could write as it liked. `thinking`: what a reasoning model
    wrote before its answer, if its server sends it; `reasoning_tokens` of the `completion_tokens` went into it.
    `left_out`: what the server did not accept and chose itself, such as "the temperature".
    """

    kind: ExplanationKind
    choice: Choice = HOMEWORK
    target: str | None = None
    review: str
    prompt: str
    text: str
    finished: bool
    label: Label | None
    label_probabilities: Mapping[Label, float] | None = None
    guided: bool = False
    free: str | None = None
    alignment: Alignment | None = None
    uncertainties: tuple[float, ...] | None = None
    problems: tuple[str, ...] = ()
    model_name: str = ""
    where: str = ""
    temperature: float = 0.0
    seed: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    thinking: str = ""
    left_out: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def class_name(self) -> str:
        """Return the name of `label`: "undecided" where there is none, "" where nothing was to be decided."""
        return self.choice.name_of(self.label)

    @property
    def label_probability(self) -> float | None:
        """Return the probability of `label` among the labels, where it was read from the model."""
        return None if self.label_probabilities is None or self.label is None else self.label_probabilities[self.label]

    @property
    def about(self) -> str:
        """Return the subject of the scores: the word that was asked about, or the label that was decided on."""
        return self.target if self.target is not None else self.class_name or "its answer"

    @property
    def words(self) -> list[str]:
        """Return the words and punctuation marks of the review."""
        return [word.text for word in self._aligned().words]

    @property
    def scores(self) -> np.ndarray:
        """float32 [words], in [-1, 1]; NaN where nothing was said. Raises: InputError for prose."""
        said = self._aligned().scores
        return np.array([np.nan if score is None else score for score in said], dtype=np.float32)

    @property
    def attribution(self) -> Attribution:
        """Return what was said as a map: a row a word of the review, one column, `about`. NaN where nothing was said.

        Raises: InputError for prose, and where no word was scored: there is no map to show.
        """
        alignment, scores = self._aligned(), self.scores
        if np.isnan(scores).all():
            raise InputError(
                f"{self.model_name or 'The model'} scored no word of the text.",
                cure="Read what it wrote in .text, and what became of it in .problems.",
            )
        rows = word_tokens(self.review, alignment.words)
        n = len(rows)
        role: Role = "class" if self.target is None else "generated"
        target = Token(id=-1, position=n, text=self.about, role=role, span=None, word=n, sentence=1, segment=1)
        return self._map(scores[:, None], rows, (target,), ())

    def on(
        self,
        rows: Sequence[Token],
        cols: Sequence[Token],
        segments: Sequence[Segment],
        groups: Sequence[Sequence[int]],
    ) -> Attribution:
        """Return the said scores on the rows of another map: each column alike, since they speak of the whole answer.

        `groups`: of each word of the review, its rows; each of them gets what was said of the word.
        """
        column = np.full(len(rows), np.nan, dtype=np.float32)
        for group, score in zip(groups, self.scores, strict=True):
            column[list(group)] = score
        return self._map(np.repeat(column[:, None], len(cols), axis=1), tuple(rows), tuple(cols), tuple(segments))

    def _map(
        self, scores: np.ndarray, rows: tuple[Token, ...], cols: tuple[Token, ...], segments: tuple[Segment, ...]
    ) -> Attribution:
        known = self.label_probability
        steps = {} if known is None else {"probability": np.full(len(cols), known, dtype=np.float32)}
        return Attribution(
            scores=scores,
            rows=rows,
            cols=cols,
            segments=segments,
            step_scores=steps if len(cols) == 1 else {},
            method="llm",
            objective=None,
            signed=True,
            unit="importance said",
            model_name=self.model_name,
            settings={"guided": self.guided, "temperature": self.temperature},
            seconds=self.seconds,
            diagnostics={"covered": self._aligned().covered},
        )

    def _aligned(self) -> Alignment:
        if self.alignment is None:
            raise InputError("This explanation is prose: it has no scores.", cure='Ask with kind="scores".')
        return self.alignment

    def to_dataframe(self) -> pd.DataFrame:
        """Return a line a word: word, start, end, importance, uncertainty, fate ("aligned", "out of range", "missing").

        Raises: InputError for prose.
        """
        import pandas as pd

        alignment = self._aligned()
        fates = {pair.at: pair.fate for pair in alignment.pairs if pair.fate in ("aligned", "out of range")}
        return pd.DataFrame(
            {
                "word": [in_a_cell(word.text) for word in alignment.words],
                "start": [word.span[0] for word in alignment.words],
                "end": [word.span[1] for word in alignment.words],
                "importance": self.scores,
                "uncertainty": self.uncertainties or [np.nan] * len(alignment.words),
                "fate": [
                    "missing" if score is None else fates.get(i, "aligned") for i, score in enumerate(alignment.scores)
                ],
            }
        )

    @property
    def summary(self) -> str:
        """Return one line about the fate of words and pairs: "16 of 19 words scored · 2 invented"."""
        alignment = self._aligned()
        said = sum(score is not None for score in alignment.scores)
        parts = [f"{said} of {len(alignment.words)} words scored"]
        for fate, after in (("invented", ""), ("repeated", ""), ("out of range", " (clipped)")):
            n = sum(pair.fate == fate for pair in alignment.pairs)
            parts += [f"{n} {fate}{after}"] if n else []
        return " · ".join(parts)

    @property
    def card(self) -> ExplanationCard:
        """Return the card: what was computed and on what, how to read it, what it does not prove."""
        tokens = [str(n) for n in (self.prompt_tokens, self.completion_tokens) if n is not None]
        how = "greedy" if self.temperature == 0 else f"temperature {self.temperature:g}"
        about = [("model", self.model_name), ("where", self.where), ("written", how)]
        about += [("choice", self.choice.listed)] if self.choice.options else []
        about += [("seed", str(self.seed))] if self.seed is not None else []
        about += [("tokens read + written", " + ".join(tokens))] if tokens else []
        about += [("of these for thinking", f"{self.reasoning_tokens:,}")] if self.reasoning_tokens else []
        about += [("chosen by the server", ", ".join(self.left_out))] if self.left_out else []
        if self.guided:
            about.append(("form", "constrained: the list is written for it, the numbers are its own"))
        return ExplanationCard(
            tuple(about), _READS[self.kind], _CAVEATS[self.kind] + (_GUIDED if self.guided else ()), LLM.reference
        )

    def __repr__(self) -> str:
        decided = f": {plain(self.class_name)}" if self.class_name else ""
        head = f"{plain(self.model_name)}{decided}{' (constrained)' if self.guided else ''}"
        lines = [head, plain_lines(self.text.strip())]
        if self.alignment is not None:
            lines += [plain(line) for line in (self.summary, *self.problems)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        badge = " · constrained" if self.guided else ""
        text = escape(plain_lines(self.text.strip()))
        decided = f"<b>{escape(plain(self.class_name))}</b> · " if self.class_name else ""
        parts = [f"<div>{decided}{escape(plain(self.model_name))}{badge}</div>"]
        parts.append(f'<div dir="auto" style="white-space: pre-wrap; margin: .5em 0">{text}</div>')
        if self.alignment is not None:
            if not np.isnan(self.scores).all():
                parts.append(self.attribution.to_html())
            parts += [f"<div>{escape(plain(line))}</div>" for line in (self.summary, *self.problems)]
        return "".join(parts)


def word_tokens(review: str, words: Sequence[Word]) -> tuple[Token, ...]:
    """Return the words of a text as the rows of a map."""
    return tuple(
        Token(
            id=-1,
            position=i,
            text=(" " if word.span[0] and review[word.span[0] - 1].isspace() else "") + word.text,
            role="prompt",
            span=word.span,
            word=i,
            sentence=0,
            segment=0,
        )
        for i, word in enumerate(words)
    )


# What is said of scores as a map holds for the answer they come from.
_PROSE = (
    "A plausible story is not a report of what was computed: compare it with a map of the same answer.",
    "Asked again, or in other words, it may say something else.",
)
_READS: dict[ExplanationKind, str] = {
    "answer": "What the model writes when it is asked for its answer and its reasons.",
    "scores": LLM.reads,
    "why": "What the model writes when it is asked why it wrote this word, and a number for each word before it: above "
    "0 where it says that the word led to it.",
}
_CAVEATS: dict[ExplanationKind, tuple[str, ...]] = {
    "answer": _PROSE,
    "why": (*_PROSE, "Models use few round numbers, and give them out freely."),
    "scores": (*LLM.caveats, "Models use few round numbers, and give them out freely."),
}
_GUIDED = (
    (
        "The model did not write this list by itself: its shape was forced on it. Where the numbers have an "
        "uncertainty, each is the mean of the model's own distribution over -1.0, -0.9 … 1.0."
    ),
)
