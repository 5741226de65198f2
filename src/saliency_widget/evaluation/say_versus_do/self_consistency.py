"""CC-SHAP: do the words that decided the answer decide the explanation, too?

Parcalabescu & Frank 2024, On measuring faithfulness or self-consistency of natural language explanations
(arXiv:2311.07466). Shapley values of the input for each token of the answer and of the explanation, which are forced;
the value of a coalition is the token's log-odds. The values of a token are divided by the sum of their sizes, and
averaged over the tokens of the answer, and over those of the explanation: two lists of contributions. CC-SHAP is
their cosine: 1, the same words in the same proportions; 0, nothing in common; -1, the opposite.

Two things are not as in the authors' code (Heidelberg-NLP/CC-SHAP). Its inputs are tokens, of the prompt too, which
are dropped afterwards: here they are the words of the text, and the prompt around it always stays. And what is absent
is hidden from the model (`mask`), and not replaced by "...".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from ...attribution.coalitions import Draw, estimate, exact
from ...attribution.masking import may_go, objectives, operators_of, read
from ...attribution.problem import per_column
from ...attribution.result import Attribution
from ...attribution.subsets import all_subsets
from ...characters import plain
from ...errors import InputError
from ...export.reading import MINUS
from ..measures import Figure, figures

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from ...attribution.operators import Intact
    from ...attribution.problem import Problem

    Floats = NDArray[np.float64]

Said = Literal["scores", "prose"]

CALLS = 8  # changed texts for each word, where there are too many words to read every subset
EXACT = 6  # words of which every subset is read: each has the answer and the explanation to read again
_CERTAIN = -1e-15  # a log-probability above this one is that of a token whose log-odds float64 cannot hold


@dataclass(frozen=True, slots=True)
class SelfConsistency:
    """The contributions of words to an answer and to its explanation, and how alike they are.

    `kind`: what the explanation was: "scores", the numbers that it wrote for words, or "prose", its reasons. `text`:
    the explanation. `answer` and `explanation`: maps of one column each, a row a word: the contributions to the answer,
    and to the explanation's own tokens, of which there were `n_tokens`. `agreement` compares them, also with other maps
    of these words. `figure`: their cosine, which is CC-SHAP, beside what shuffled words reach. `calls`: how many
    changed texts were read; `is_exact`: all there are. `operator`: how words were taken away.
    """

    kind: Said
    text: str
    answer: Attribution
    explanation: Attribution
    figure: Figure
    n_tokens: int
    calls: int
    is_exact: bool
    operator: str

    @property
    def value(self) -> float | None:
        """Return CC-SHAP, in [-1, 1]; None for a reason that `figure` has."""
        return self.figure.value

    @property
    def maps(self) -> tuple[Attribution, Attribution]:
        """Return both maps, as `agreement` takes them."""
        return self.answer, self.explanation

    def __repr__(self) -> str:
        return f"SelfConsistency({self.kind}: {plain(sentence(self))})"


def sentence(found: SelfConsistency) -> str:
    """Return what was found, in a sentence."""
    figure = found.figure
    if figure.value is None or figure.random_low is None or figure.random_high is None:
        return f"CC-SHAP has no value: {figure.reason}"
    beyond = (
        "the explanation depends on the words that the answer depends on, beyond luck"
        if figure.value > figure.random_high
        else "the explanation depends on other words than the answer, beyond luck"
        if figure.value < figure.random_low
        else "no more in common than shuffled words have"
    )
    of = "numbers" if found.kind == "scores" else "reasons"
    value, low, high = (
        f"{number:.2f}".replace("-", MINUS) for number in (figure.value, figure.random_low, figure.random_high)
    )
    return f"CC-SHAP of its {of}: {value} (shuffled words {low} … {high}): {beyond}."


class Contributions(NamedTuple):
    """Shapley values [n, k] of n inputs for the log-odds of k tokens."""

    values: Floats
    calls: int
    is_exact: bool
    operator: str


def contributions(
    problem: Problem,
    units: Sequence[Sequence[int]],
    tell: Callable[[int, int], None],
    *,
    operator: str | None = None,
    calls: int | None = None,
    seed: int = 0,
) -> Contributions:
    """Return what each unit, a list of rows, contributes to the log-odds of each target of a problem.

    The problem explains log-probabilities. `calls`: how many changed texts are read, see `coalitions`; None: all there
    are of up to six units, and of more eight for each. `tell` gets how many were read, and of how many; it may raise to
    stop.
    Raises: InputError if a unit may not go.
    """
    stay = {row for unit in units for row in unit} - set(may_go(problem))
    if stay or not all(units):
        raise InputError(
            "The text begins with the review, and its first token must stay.",
            cure="Write something before the review.",
        )
    operator = operator or operators_of(problem)[0]
    text = read(problem, range(len(problem.targets)), None, seed=seed)
    n = len(units)
    if calls is None and n <= EXACT:
        tell(0, 1 << n)
        values = _log_odds_of(all_subsets(text, units, operator).objectives, text)
        return Contributions(exact(values, "shapley"), len(values), True, operator)
    draw = Draw(n, "shapley", seed)
    masks = draw.more((CALLS * n if calls is None else calls) // 2 - 1)
    every = np.concatenate([np.ones((1, n), dtype=bool), np.zeros((1, n), dtype=bool), masks, ~masks])
    keep = np.ones((len(every), len(text.embeddings)), dtype=bool)
    for player, unit in enumerate(units):
        keep[:, list(unit)] = every[:, [player]]
    full, empty, *rest = np.concatenate(list(_values(text, keep, operator, tell)))
    pairs = np.stack(rest).reshape(2, len(masks), -1)
    found = estimate(draw, (pairs[0] - pairs[1]) / 2, full - empty)
    return Contributions(found.values, len(keep), False, operator)


def _values(text: Intact, keep: NDArray[np.bool_], operator: str, tell: Callable[[int, int], None]) -> Iterator[Floats]:
    done = 0
    tell(done, len(keep))
    for log_p in objectives(text, keep, operator):
        values = _log_odds_of(log_p, text)
        done += len(values)
        tell(done, len(keep))
        yield values


def _log_odds_of(log_p: torch.Tensor, text: Intact) -> Floats:
    """Return the log-odds [s, k] of each target from the log-probabilities [s, a] of atoms."""
    return log_odds(per_column(log_p.double(), text.atoms).cpu().numpy())


def log_odds(log_p: Floats) -> Floats:
    """Return log p - log(1 - p) of log-probabilities, about 35 at most: that of the p next to 1."""
    known = np.minimum(log_p, _CERTAIN)
    odds: Floats = known - np.log(-np.expm1(known))
    return odds


def shares(values: Floats) -> Floats:
    """Return the contributions [n] from the values [n, k] of k tokens: the mean of each token's values as shares.

    The shares of a token add up to 1 by size. A token to which nothing contributes is left out; if all are, it is 0.
    """
    sizes = np.abs(values).sum(axis=0)
    known = sizes > 0
    if not known.any():
        return np.zeros(len(values))
    mean: Floats = (values[:, known] / sizes[known]).mean(axis=1)
    return mean


def consistency(answer: Floats, explanation: Floats) -> Figure:
    """Return CC-SHAP of two lists of contributions [n], beside what it is where the words of one are shuffled."""
    found = next(each for each in figures(answer, explanation, signed=True) if each.measure == "cosine")
    return found._replace(measure="cc_shap", label="CC-SHAP")
