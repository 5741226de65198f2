"""The result of `say_versus_do`, and how it shows itself: in a terminal, in a notebook, as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from ...attribution.cards import LLM
from ...attribution.result import Attribution
from ...characters import in_a_cell, plain, plain_lines
from ...errors import InputError
from ...explanation.result import Explanation, ExplanationCard
from ...export.color import STEPS, swatch
from ...export.reading import MINUS, decimals
from ..measures import Figure, figures, interval
from .self_consistency import SelfConsistency, sentence

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.colors import Colormap as Ramp
    from matplotlib.figure import Figure as Plot
    from numpy.typing import NDArray

# What is shown first; the data frame has all of them.
SHOWN = ("spearman", "kendall", "feature_agreement", "sign_agreement", "cosine")
_CELL = "padding:2px 8px;text-align:left;font-variant-numeric:tabular-nums;white-space:nowrap"

_READS = (
    "Left what the model says of each word, right what gradients, occlusion and attention find in the same model for "
    "the class that it answered. A figure in bold lies outside the middle 95 % of what shuffled words reach."
)
_CAVEATS = (
    "Where said and computed agree, it may be for other reasons; where not, one of them does not show what decided.",
    "The maps disagree among themselves, too: no single one is the truth.",
    "Of a small model the numbers said are nearly all the same: then ranks rest on small differences.",
)
_CC_SHAP = (
    "CC-SHAP tells whether an explanation depends on the words that the answer depends on, not whether it speaks of "
    "them; every token of it counts alike, also those that any text would have."
)


@dataclass(frozen=True, slots=True)
class Side:
    """The map that one method computed for the class that was answered, and its agreement with what was said.

    `map`: a row a word, one column; of a signed method above 0 where the word speaks for positive, as in what is said.
    """

    map: Attribution
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class SayVersusDo:
    """The comparison of what a model said of one review with what it computed.

    `askings`: the same question in several wordings; the first is the one that is compared. `sides`: one a method.
    `cc_shap`: one for each kind of explanation that it was asked for.
    """

    askings: tuple[Explanation, ...]
    sides: tuple[Side, ...]
    seconds: float
    cc_shap: tuple[SelfConsistency, ...] = ()

    @property
    def explanation(self) -> Explanation:
        """Return the answer to the first asking."""
        return self.askings[0]

    @property
    def review(self) -> str:
        """Return the text that was asked about."""
        return self.explanation.review

    @property
    def said(self) -> Attribution:
        """Return the said scores as a map: a row a word, one column."""
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
        """Return the number of distinct scores it used, as they would be written: to one digit behind the point."""
        return len({round(float(score), 1) for score in self.explanation.scores if not np.isnan(score)})

    @property
    def zeros(self) -> float:
        """Return the share of scores that are 0 as they would be written."""
        return float(np.mean(np.round(self.explanation.scores, 1) == 0))

    @property
    def figures(self) -> list[tuple[str, Figure]]:
        """Return every figure: of each method in turn; then, of each kind of explanation, its CC-SHAP."""
        of_maps = [(side.map.method, found) for side in self.sides for found in side.figures]
        return of_maps + [(each.kind, each.figure) for each in self.cc_shap]

    def figure(self, method: str, measure: str) -> Figure:
        """Return one figure of agreement; of CC-SHAP the method is the kind of explanation.

        Raises: InputError where there is none.
        """
        for name, found in self.figures:
            if (name, found.measure) == (method, measure):
                return found
        known = ", ".join(side.map.method for side in self.sides)
        raise InputError(f"There is no {measure} of {method}.", cure=f"The methods compared are {known}.")

    def to_dataframe(self) -> pd.DataFrame:
        """Return one line a method and measure: method, measure, value, random_mean, random_low, random_high, n.

        Of CC-SHAP the method is the kind of explanation.
        """
        import pandas as pd

        names = ("measure", "value", "random_mean", "random_low", "random_high", "n")
        return pd.DataFrame(
            [
                {"method": in_a_cell(method), **{name: getattr(found, name) for name in names}}
                for method, found in self.figures
            ]
        )

    def words(self) -> pd.DataFrame:
        """Return one line a word: word, said, spread, and a column a method with its raw scores."""
        import pandas as pd

        scores = {in_a_cell(side.map.method): side.map.scores[:, 0] for side in self.sides}
        return pd.DataFrame(
            {
                "word": list(map(in_a_cell, self.explanation.words)),
                "said": self.explanation.scores,
                "spread": self.spread,
                **scores,
            }
        )

    @property
    def card(self) -> ExplanationCard:
        """Return the card: what was computed and on what, how to read it, what it does not prove."""
        said = self.explanation.card.about
        asked_often = ("askings", f"{len(self.askings)}, in other words each")
        target = ("target of the maps", f"{self.explanation.class_name}, against the other class (logits)")
        caveats = (*_CAVEATS, _CC_SHAP) if self.cc_shap else _CAVEATS
        return ExplanationCard((*said, asked_often, target), _READS, caveats, LLM.reference)

    def plot(self) -> Plot:
        """Words by sources as a picture: a matplotlib figure."""
        return plot(self)

    def __repr__(self) -> str:
        return to_text(self)

    def _repr_html_(self) -> str:
        return to_html(self)


@dataclass(frozen=True, slots=True)
class Survey:
    """The comparisons of several reviews, with intervals over them."""

    results: tuple[SayVersusDo, ...]

    def to_dataframe(self) -> pd.DataFrame:
        """Return one line a method and measure over all reviews.

        method, measure, mean, low, high (95 % bootstrap interval over reviews; NaN for fewer than five), random_mean,
        outside (the share of reviews where the figure lies outside its random interval), reviews.
        """
        import pandas as pd

        lines = []
        for method, measure in [(method, figure.measure) for method, figure in self.results[0].figures]:
            found = [result.figure(method, measure) for result in self.results]
            known = [(figure.value, figure) for figure in found if figure.value is not None]
            if not known:
                continue
            mean, low, high = interval([value for value, _ in known])
            lines.append(
                {
                    "method": in_a_cell(method),
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
        """Return one line a review: review, class, probability, levels, zeros, stability."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "review": in_a_cell(result.review),
                    "class": in_a_cell(result.explanation.class_name),
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
            table.to_html(float_format=lambda value: f"{value:.2f}", index=False, border=0, na_rep="–")
            for table in tables
        )


def _spearman(a: Explanation, b: Explanation) -> float | None:
    found = figures(a.scores, b.scores, signed=True, draws=1)
    return next(figure.value for figure in found if figure.measure == "spearman")


# ── how it shows itself ──────────────────────────────────────────────────────────────────────────────────────────────


def verdict(result: SayVersusDo) -> str:
    """Return two sentences: the class that was answered, and whether any map agrees with the story more than luck."""
    known = result.explanation.label_probability
    sure = "" if known is None else f" (p = {known:.2f})"
    found = [result.figure(side.map.method, "spearman") for side in result.sides]
    agree = [
        side.map.label
        for side, figure in zip(result.sides, found, strict=True)
        if figure.outside and (figure.value or 0) > 0
    ]
    against = [
        side.map.label
        for side, figure in zip(result.sides, found, strict=True)
        if figure.outside and (figure.value or 0) < 0
    ]
    said = f"It answered {result.explanation.class_name}{sure}. "
    if agree:
        said += f"{_listed(agree)} rank{'s' if len(agree) == 1 else ''} the words as it says, beyond luck."
    else:
        said += f"None of {len(found)} maps ranks the words as it says, beyond what shuffled words reach."
    return said + (f" {_listed(against)} run{'s' if len(against) == 1 else ''} against it." if against else "")


def aside(result: SayVersusDo) -> str:
    """Return a line about how varied, and how stable, the said numbers are."""
    n = result.levels
    first = " in its first answer" if len(result.askings) > 1 else ""  # what stands beside it is the mean of all
    parts = [f"{n} distinct number{'' if n == 1 else 's'}{first}", f"{result.zeros:.0%} zeros".replace("%", " %")]
    if result.stability is not None:
        parts.append(f"rank correlation between {len(result.askings)} wordings {decimals(result.stability)}")
    return " · ".join(parts)


def to_text(result: SayVersusDo) -> str:
    """Return a line a word, and a line a measure."""
    names = ["said", *(side.map.label for side in result.sides)]
    words = [plain(word) for word in result.explanation.words]
    width = max(map(len, words))
    lines = [verdict(result), aside(result), "", f"{'':<{width}}  " + "  ".join(f"{name:>16}" for name in names)]
    columns = [result.explanation.scores, *(side.map.scores[:, 0] for side in result.sides)]
    for i, word in enumerate(words):
        lines.append(f"{word:<{width}}  " + "  ".join(f"{column[i]:>16.3g}" for column in columns))
    for side in result.sides:
        lines += ["", side.map.label]
        lines += [f"  {figure.label:<24} {_value(figure)}" for figure in side.figures if figure.value is not None]
    lines += ["", *map(sentence, result.cc_shap)] if result.cc_shap else []
    return "\n".join(lines)


def to_html(result: SayVersusDo) -> str:
    """Return the words by the sources as coloured cells, and the figures under each source."""
    sources = [("said", result.explanation.scores, 1.0, True)]
    for side in result.sides:
        column = side.map.scores[:, 0]
        sources.append((side.map.label, column, float(np.nanmax(np.abs(column))) or 1.0, side.map.signed))
    head = "".join(f"<th style='{_CELL}'>{escape(name)}</th>" for name, *_ in sources)
    rows = []
    for i, word in enumerate(result.explanation.words):
        cells = "".join(_cell(float(column[i]), largest, signed=signed) for _, column, largest, signed in sources)
        rows.append(f"<tr><td style='{_CELL}' dir='auto'>{escape(plain(word))}</td>{cells}</tr>")
    for measure in SHOWN:
        figures = [result.figure(side.map.method, measure) for side in result.sides]
        cells = "".join(f"<td style='{_CELL}'>{_figure(figure)}</td>" for figure in figures)
        rows.append(f"<tr><td style='{_CELL}'>{escape(figures[0].label)}</td><td></td>{cells}</tr>")
    return (
        f"<p><b>{escape(verdict(result))}</b><br>{escape(aside(result))}</p>"
        "<div style='overflow-x:auto'><table style='border-collapse:collapse'>"
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        "<p style='opacity:.7'>Bold: outside the middle 95 % of what shuffled words reach, which stands beside it.</p>"
        + "".join(f"<p>{escape(sentence(each))}</p>" for each in result.cc_shap)
    )


def plot(result: SayVersusDo) -> Plot:
    """Words by sources in the colours of the live map, each on its own scale; under each its rank correlation.

    Purple speaks for the class, orange against it; a source without signs is blue.
    """
    from matplotlib import pyplot as plt

    columns = [result.explanation.scores, *(_scaled(side.map.scores[:, 0]) for side in result.sides)]
    signed = np.array([True, *(side.map.signed for side in result.sides)])
    labels = ["said"]
    for side in result.sides:
        figure = result.figure(side.map.method, "spearman")
        labels.append(f"{side.map.label}\nρ = {'–' if figure.value is None else f'{figure.value:.2f}'}")
    words = [_drawn(word) for word in result.explanation.words]
    size = (1.6 * len(labels) + 1.5, 0.3 * len(words) + 1)
    canvas, axes = plt.subplots(figsize=size, layout="constrained")
    plt.close(canvas)  # the caller shows it; pyplot would show it once more
    shares = np.stack(columns, axis=1)
    for kind, label in ((True, "share of the largest"), (False, "without a sign")):
        if (signed == kind).any():
            of_this_kind = np.where(signed == kind, shares, np.nan)
            image = axes.imshow(of_this_kind, cmap=_ramp(signed=kind), vmin=-1 if kind else 0, vmax=1, aspect="auto")
            canvas.colorbar(image, ax=axes, label=label)
    axes.set_xticks(range(len(labels)), labels)
    axes.set_yticks(range(len(words)), words)
    axes.xaxis.tick_top()
    return canvas


def _ramp(*, signed: bool) -> Ramp:
    """Return the colours of the live map as one of matplotlib's; what has no number is left transparent."""
    from matplotlib.colors import ListedColormap

    shares = np.linspace(-1 if signed else 0, 1, 2 * STEPS + 1 if signed else STEPS + 1)
    return ListedColormap([swatch(float(share), 1.0, signed=signed).background for share in shares])


def _drawn(word: str) -> str:
    """Return a word as a label: between two dollar signs it would be mathematics."""
    return plain(word).replace("$", r"\$")


def _scaled(column: NDArray[np.float32]) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = column / (np.nanmax(np.abs(column)) or 1.0)
    return scaled


def _cell(score: float, largest: float, *, signed: bool) -> str:
    if np.isnan(score):
        return f"<td style='{_CELL}'>not said</td>"
    look = swatch(score / largest, 1.0, signed=signed)
    return (
        f"<td style='{_CELL};background:{look.background};color:{look.ink}'>{f'{score:.3g}'.replace('-', MINUS)}</td>"
    )


def _figure(figure: Figure) -> str:
    if figure.value is None:
        return "–"
    value = decimals(round(figure.value, 3))
    return f"<b>{value}</b> {_floor(figure)}" if figure.outside else f"{value} {_floor(figure)}"


def _floor(figure: Figure) -> str:
    low, high = (decimals(round(end or 0.0, 3)) for end in (figure.random_low, figure.random_high))
    return f"<span style='opacity:.7'>({low} … {high})</span>"


def _value(figure: Figure) -> str:
    low, high = (decimals(round(end or 0.0, 3)) for end in (figure.random_low, figure.random_high))
    return f"{decimals(round(figure.value or 0.0, 3))}{'*' if figure.outside else ' '} ({low} … {high})"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
