"""What a model says made it decide, beside what its own computation shows: how effective are its explanations?

The model is asked for the class first and for the importance of each word after it, so that the class is decided on
the review alone. That class is the target of the maps: why this class and not the other one? Both speak of the words
of the review, and are compared word by word.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from ..aside import aside
from ..attribution import pipeline
from ..attribution.aggregate import pooled
from ..attribution.cards import LLM
from ..attribution.cards import Card as MapCard
from ..attribution.engine import Chunk, Schedule
from ..attribution.methods import card_named, why_not
from ..attribution.result import Attribution
from ..characters import bar_name, plain_lines
from ..checks import whole_number
from ..errors import InputError, UnsupportedMethod
from ..explanation.asking import Inquiry, ask
from ..explanation.guided import CLASSES
from ..explanation.local import LocalClient, asked, every
from ..explanation.placing import place
from ..explanation.prompts import PARAPHRASES
from ..explanation.result import CLASS_NAMES, Card, Explanation
from ..models.loading import load_model
from ..models.prompting import continuation
from .measures import Figure, figures, interval

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Plot

    from ..models.causal import CausalModel
    from ..models.document import Document

DEFAULT_METHODS = ("saliency", "input_x_gradient", "occlusion", "attention")

# Hears what is being done, and how many steps of how many are; may raise to stop.
OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Side:
    """What one method computed for the class that was answered.

    `map`: a row a word, one column; of a signed method above 0 where the word speaks for positive, as in what is said.
    """

    map: Attribution
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class SayVersusDo:
    """What a model said of one review beside what it computed.

    `askings`: the same question in several wordings; the first is the one that is compared. `sides`: one a method.
    """

    askings: tuple[Explanation, ...]
    sides: tuple[Side, ...]
    seconds: float

    @property
    def explanation(self) -> Explanation:
        """What was said at the first asking."""
        return self.askings[0]

    @property
    def review(self) -> str:
        """What it is about."""
        return self.explanation.review

    @property
    def said(self) -> Attribution:
        """What was said as a map: a row a word, one column."""
        return self.explanation.attribution

    @property
    def spread(self) -> np.ndarray:
        """Standard deviation of each word's score over the askings, [words]; NaN where there was just one."""
        if len(self.askings) < 2:
            return np.full(len(self.said.rows), np.nan)
        spread: np.ndarray = np.std([asking.scores for asking in self.askings], axis=0)
        return spread

    @property
    def stability(self) -> float | None:
        """Mean rank correlation (Spearman) between any two askings, in [-1, 1]; None where there is none."""
        values = [_spearman(a, b) for a, b in combinations(self.askings, 2)]
        known = [value for value in values if value is not None]
        return float(np.mean(known)) if known else None

    @property
    def levels(self) -> int:
        """How many distinct numbers it used, as they would be written: to one digit behind the point."""
        return len({round(float(score), 1) for score in self.explanation.scores if not np.isnan(score)})

    @property
    def zeros(self) -> float:
        """The share of scores that are 0 as they would be written."""
        return float(np.mean(np.round(self.explanation.scores, 1) == 0))

    def figure(self, method: str, measure: str) -> Figure:
        """One figure of agreement. Raises: InputError where there is none."""
        for side in self.sides:
            for found in side.figures:
                if (side.map.method, found.measure) == (method, measure):
                    return found
        known = ", ".join(side.map.method for side in self.sides)
        raise InputError(f"There is no {measure} of {method}.", cure=f"The methods compared are {known}.")

    def to_dataframe(self) -> pd.DataFrame:
        """One line a method and measure: method, measure, value, random_mean, random_low, random_high, n."""
        import pandas as pd

        names = ("measure", "value", "random_mean", "random_low", "random_high", "n")
        return pd.DataFrame(
            [
                {"method": side.map.method, **{name: getattr(found, name) for name in names}}
                for side in self.sides
                for found in side.figures
            ]
        )

    def words(self) -> pd.DataFrame:
        """One line a word: word, said, spread, and a column a method with its raw scores."""
        import pandas as pd

        scores = {side.map.method: side.map.scores[:, 0] for side in self.sides}
        return pd.DataFrame(
            {"word": self.explanation.words, "said": self.explanation.scores, "spread": self.spread, **scores}
        )

    @property
    def card(self) -> Card:
        """What was computed and on what, how to read it, what it does not prove."""
        said = self.explanation.card.about
        asked_often = ("askings", f"{len(self.askings)}, in other words each")
        target = ("target of the maps", f"{self.explanation.class_name}, against the other class (logits)")
        return Card((*said, asked_often, target), _READS, _CAVEATS, LLM.reference)

    def plot(self) -> Plot:
        """Words by sources as a picture: a matplotlib figure."""
        from .views import plot

        return plot(self)

    def __repr__(self) -> str:
        from .views import to_text

        return to_text(self)

    def _repr_html_(self) -> str:
        from .views import to_html

        return to_html(self)


@dataclass(frozen=True, slots=True)
class Survey:
    """What a model said beside what it computed, on several reviews."""

    results: tuple[SayVersusDo, ...]

    def to_dataframe(self) -> pd.DataFrame:
        """One line a method and measure over all reviews.

        method, measure, mean, low, high (95 % bootstrap interval over reviews), random_mean, outside (the share of
        reviews where the figure lies outside its random interval), reviews.
        """
        import pandas as pd

        lines = []
        sides = self.results[0].sides
        for method, measure in [(side.map.method, figure.measure) for side in sides for figure in side.figures]:
            found = [result.figure(method, measure) for result in self.results]
            known = [(figure.value, figure) for figure in found if figure.value is not None]
            if not known:
                continue
            mean, low, high = interval([value for value, _ in known])
            lines.append(
                {
                    "method": method,
                    "measure": measure,
                    "mean": mean,
                    "low": low,
                    "high": high,
                    "random_mean": float(np.mean([figure.random_mean or 0.0 for _, figure in known])),
                    "outside": float(np.mean([figure.outside for _, figure in known])),
                    "reviews": len(known),
                }
            )
        return pd.DataFrame(lines)

    def reviews(self) -> pd.DataFrame:
        """One line a review: review, class, probability, levels, zeros, stability."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "review": result.review,
                    "class": result.explanation.class_name,
                    "probability": result.explanation.label_probability,
                    "levels": result.levels,
                    "zeros": result.zeros,
                    "stability": result.stability,
                }
                for result in self.results
            ]
        )

    def __repr__(self) -> str:
        return plain_lines(f"{self.reviews()}\n\n{self.to_dataframe()}")

    def _repr_html_(self) -> str:
        tables = (self.reviews(), self.to_dataframe())
        return "".join(
            table.to_html(float_format=lambda value: f"{value:.2f}", index=False, border=0) for table in tables
        )


def say_versus_do(
    model: Any,
    review: str | Sequence[str],
    *,
    methods: Sequence[str] = DEFAULT_METHODS,
    askings: int = 3,
    progress: bool = True,
) -> SayVersusDo | Survey:
    """What a model says of each word of a review, beside what its own computation shows for the class it answers.

    Args:
        model: whatever `load_model` takes; it has to go on with a text, and to be here: no server shows its gradients.
        review: one text, or several: then the result holds one comparison each, and figures with intervals.
        methods: the maps it is compared with, by their ids. One that the model does not allow is an error.
        askings: how many wordings of the question are tried, 1 to 3, to see how stable what it says is.
        progress: show a progress bar.

    Definitions follow Huang et al. 2023 (arXiv:2310.11207) for agreement at k and ranks, and Parcalabescu & Frank 2024
    (arXiv:2311.07466) for the cosine; every figure stands beside what shuffled words reach.

    Raises:
        UnsupportedMethod: the model cannot answer in words, or does not allow a method.
        InputError, TextTooLong: what was asked cannot be asked.
    """
    from tqdm.auto import tqdm

    reviews = [review] if isinstance(review, str) else list(review)
    if not reviews:
        raise InputError("There is no review.", cure="Give at least one text.")
    total = len(reviews) * (askings + len(methods))
    stage, reached = "", 0  # set by the thread that works, drawn by this one

    def work(check: Callable[[], None]) -> list[SayVersusDo]:
        client = LocalClient(load_model(model))
        results: list[SayVersusDo] = []

        def on_progress(what: str, done: int, _total: int) -> None:
            nonlocal stage, reached
            check()
            stage, reached = what, len(results) * (askings + len(methods)) + done

        for text in reviews:
            done = compare(client, text, on_progress, methods=methods, askings=askings)
            results.append(done)  # which is what tells how far it is
        return results

    with tqdm(total=total, disable=not progress, leave=False) as bar:

        def draw() -> None:
            bar.set_description(bar_name(stage), refresh=False)
            bar.update(max(0, reached - bar.n))

        results = aside(work, draw)
    return results[0] if isinstance(review, str) else Survey(tuple(results))


def compare(
    client: LocalClient,
    review: str,
    on_progress: OnProgress,
    *,
    methods: Sequence[str] = DEFAULT_METHODS,
    askings: int = 3,
    memory_budget: int | None = None,
) -> SayVersusDo:
    """As `say_versus_do` for one review; `on_progress` hears of askings and maps, and may raise to stop."""
    cards = [card_named(name) for name in methods]
    for card in cards:
        reason = why_not(card, client.model)
        if reason is not None:
            raise UnsupportedMethod(reason, cure="Leave it out of methods=.")
    whole_number("askings", askings, least=1, cure="Ask once, or up to three times.")
    if askings > len(PARAPHRASES):
        raise InputError(f"There are {len(PARAPHRASES)} wordings.", cure=f"Ask at most {len(PARAPHRASES)} times.")
    started, total = time.perf_counter(), askings + len(cards)
    said: list[Explanation] = []
    sides: list[Side] = []
    what = ""

    def tell() -> None:
        on_progress(what, len(said) + len(sides), total)

    inside = client.model.shadow(every(0.1, tell))
    for prompt in PARAPHRASES[:askings]:
        what = "Asking for the importance of each word"
        request = Inquiry(review=review, kind="scores", prompt=prompt, guided=True)
        said.append(ask(client, request, lambda _news: tell()))
    for card in cards:
        what = card.label
        tell()
        done = _map(inside, card, said[0], memory_budget)
        sides.append(Side(done, tuple(figures(said[0].scores, done.scores[:, 0], signed=card.signed))))
    tell()
    inside.check_weights()
    return SayVersusDo(tuple(said), tuple(sides), time.perf_counter() - started)


def _map(model: CausalModel, card: MapCard, said: Explanation, memory_budget: int | None) -> Attribution:
    """Why the class that was answered and not the other one: by word of the review, signed towards positive."""
    prompt = asked(model, [{"role": "user", "content": said.prompt}])
    encoded = model.encode(prompt)
    answered, other = _classes(model, encoded.inputs.ids, said.label)
    document, groups = _by_words(model.document(encoded, [answered]), said)
    settings = {"unit": "word"} if card.family == "perturbation" else {}
    foil = other if card.uses_objective else None
    question = pipeline.check_question(card.id, "logit" if card.uses_objective else "probability", settings, foil)
    started = time.perf_counter()
    parts = pipeline.columns(model, question, document, Schedule([0]), memory_budget)
    chunks = [part for part in parts if isinstance(part, Chunk)]
    whole = pipeline.assemble(model, question, document, chunks, time.perf_counter() - started)
    scores = pooled(whole.scores, groups, card.pool, axis=0)
    if whole.signed and said.label == -1:
        scores = -scores  # from "for this class" to "for positive"
    return replace(
        whole,
        scores=scores,
        rows=said.attribution.rows,
        cols=said.attribution.cols,
        segments=(),
        foil=CLASS_NAMES[1 if said.label == -1 else -1] if whole.foil is not None else None,
        settings={**whole.settings, "unit": "word", "pool": card.pool},
        diagnostics={},
    )


def _by_words(document: Document, said: Explanation) -> tuple[Document, list[list[int]]]:
    """The document with the words of the review as its words, all else as one, and the tokens of each word.

    So what takes away words takes away these, and the prompt around them once instead of token by token.
    """
    assert said.alignment is not None, "scores have an alignment"
    groups = place(said.review, said.alignment.words, document.rows)
    if groups is None:
        raise InputError(
            "The review cannot be found in what the model reads.",
            cure="Look for characters that its tokenizer changes, and write them another way.",
        )
    word_of = {at: number for number, group in enumerate(groups, start=1) for at in group}
    tokens = tuple(replace(token, word=word_of.get(at, 0)) for at, token in enumerate(document.tokens))
    return replace(document, tokens=tokens), groups


def _classes(model: CausalModel, ids: Sequence[int], label: int | None) -> tuple[int, int]:
    """The first tokens in which the class that was answered and the other one differ."""
    written = {of: continuation(model.tokenizer, None, list(ids), text) or () for text, of in CLASSES}
    for mine, others in zip(written[label or 1], written[-(label or 1)], strict=False):
        if mine != others:
            return mine, others
    raise InputError(
        f"{model.name} writes both classes with the same first token.",
        cure="Ask another model: this one cannot be compared.",
    )


def _spearman(a: Explanation, b: Explanation) -> float | None:
    found = figures(a.scores, b.scores, signed=True, draws=1)
    return next(figure.value for figure in found if figure.measure == "spearman")


_READS = (
    "Left what the model says of each word, right what gradients, occlusion and attention find in the same model for "
    "the class that it answered. A figure in bold lies outside the middle 95 % of what shuffled words reach."
)
_CAVEATS = (
    "Where said and computed agree, it may be for other reasons; where not, one of them does not show what decided.",
    "The maps disagree among themselves, too: no single one is the truth.",
    "Of a small model the numbers said are nearly all the same: then ranks rest on small differences.",
)
