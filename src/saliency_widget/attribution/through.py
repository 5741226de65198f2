"""Maps through a stretch of the text, such as a model's thinking: from a target to its strongest tokens, and on.

The direct map of a target shows what it reads. Of what it reads in the stretch, the model wrote each token itself, for
reasons of its own: the first hop is the map of these tokens, the second that of what they read in the stretch in turn.
Hops stay apart: a hop is no part of the map before it, and must not be added to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..checks import SURROGATE, whole_number
from ..errors import BadScores, InputError, UnsupportedMethod
from ..models.text.thinking import thinking_in
from ..types import Target
from .engine import Fill, Schedule
from .problem import Chunk, Passed, Problem, Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..models.base import Model
    from ..models.text.document import Document
    from .cards import Card
    from .settings import Settings

HOPS = 2
FOLLOWED = 8  # tokens of the stretch, at most, that a hop follows from one target
_WHICH = f"0 is the direct map; with through=, 1 … {HOPS} are the steps back."


# ── what can be asked ────────────────────────────────────────────────────────────────────────────────────────────


def check_through(through: object, hop: object, card: Card, settings: Settings) -> None:
    """Check the name of the stretch, or None, and the number of the hop to show, 0 for the direct map.

    Raises: InputError for others; UnsupportedMethod for a method with signs.
    """
    most = 0 if through is None else HOPS
    if whole_number("hop", hop, least=0, cure=_WHICH) > most:
        raise InputError(f"There is no hop {hop}.", cure=_WHICH)
    if through is None:
        return
    if not isinstance(through, str) or not through.strip() or SURROGATE.search(through):
        raise InputError(
            f"through={through!r} is no name of a segment.",
            cure='Write through="thinking", or the name of a segment that segments= gives.',
        )
    if card.signed and settings.is_signed:
        instead = ' or reduction="l2"' if hasattr(settings, "reduction") else ""
        raise UnsupportedMethod(
            f"{card.label} has scores for and against, of which no share can be handed on.",
            cure=f'Take method="saliency"{instead}.',
        )


def relays_of(model: Model, document: Document, through: str) -> tuple[Target, ...]:
    """Return the tokens of the segments of this name as targets. `model` is a shadow, or the model itself.

    Raises: InputError if the model writes no text, if the text has no such segment, or if no target comes after it.
    """
    if model.reads_classes:
        raise InputError(
            f"{model.name} classifies a text and writes none, so there is nothing to go through.",
            cure="Leave through= out.",
        )
    numbers = [number for number, segment in enumerate(document.segments) if segment.name == through]
    if not numbers:
        if through == "thinking":
            raise InputError(
                "There is no thinking in this text.",
                cure="Take a model that writes its thinking between marks, such as <think> and </think>; or name a "
                "part of the text with segments= and give its name.",
            )
        known = dict.fromkeys(segment.name for segment in document.segments)
        raise InputError(
            f"There is no segment {through!r} in this text.", cure=f"The segments are: {', '.join(known)}."
        )
    # The first token of a text (of the output, where there is a source) is predicted from nothing.
    first = len(document.inputs.source) + 1
    inside = {
        position
        for thought in thinking_in(document.tokens, document.first_written)
        for start, end in thought.inside
        for position in range(start, end)
    }
    kinds = [segment.kind for segment in document.segments]
    found = tuple(
        Target(token.position, (token.id,))
        for token in document.rows[first:]
        if token.segment in numbers
        and token.role != "special"  # nor is a mark a thought
        and (kinds[token.segment] != "thinking" or token.position in inside)
    )
    if not found or not cols_after(document, through):
        raise InputError(
            f"No target comes after the {through}, so there is nothing to go through.",
            cure="Let the model write on, with a larger max_new_tokens=.",
        )
    return found


def cols_after(document: Document, through: str) -> list[int]:
    """Return the columns whose targets come after the segments of this name begin, and are in none of them."""
    own = {number for number, segment in enumerate(document.segments) if segment.name == through}
    begin = min((document.segments[number].start for number in own), default=len(document.tokens))
    return [col for col, token in enumerate(document.cols) if token.position > begin and token.segment not in own]


# ── the work ─────────────────────────────────────────────────────────────────────────────────────────────────────


def followed(fill: Fill, label: str) -> Fill:
    """Return a function that fills a map by `fill`, and gives each chunk its hops through `Problem.relays`.

    From each target the FOLLOWED tokens of the stretch with the largest scores are followed. Each of them has a map of
    its own, whose column is divided by its L1 norm: what a model merely copies it writes with certainty, and the size
    of its gradient then says nothing. A hop is the mean of these columns, weighted by the scores of their tokens. A
    token's column explains its log-odds, which move where it is certain (its logit, if logits are explained).
    `label`: the method's name in errors.
    Cost: a column for each token that is followed from any target, at most those of the stretch.
    Raises: BadScores if a followed token has no score.
    Source: FlashTrace, arXiv:2602.01914, which also keeps hops apart and tells what is handed on.
    """

    def run(problem: Problem, schedule: Schedule) -> Iterator[Chunk | Progress]:
        own = replace(
            problem,
            targets=problem.relays,
            objective="logit" if problem.objective == "logit" else "log_odds",
            foil=None,
            relays=(),
            begun={},
        )
        known: dict[int, NDArray[np.float64]] = {}  # by relay: its column [n_rows], shares, 0 where it cannot see
        for chunk in fill(problem, schedule):
            if isinstance(chunk, Progress):
                yield chunk
                continue
            step, hops = chunk.scores, list[Passed]()
            for _ in range(HOPS):
                weights = _weights(problem, chunk.cols, step)
                missing = [relay for relay in np.flatnonzero(weights.any(axis=1)).tolist() if relay not in known]
                yield from _find(fill, own, missing, known, problem.n_rows, label)
                hops.append(_passed(problem, weights, known))
                step = hops[-1].scores
            yield chunk._replace(hops=tuple(hops))

    return run


def _weights(problem: Problem, cols: Sequence[int], step: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the share [n_relays, k] of each column that each relay holds; 0 for those that are not followed."""
    sizes = np.nan_to_num(np.abs(step, dtype=np.float64))
    totals = sizes.sum(axis=0)
    at = np.array([relay.position for relay in problem.relays])
    before = at[:, None] < np.array([problem.targets[col].position for col in cols])
    held = np.where(before, sizes[at] / np.where(totals > 0, totals, 1), 0)
    order = np.argsort(-held, axis=0, kind="stable")
    np.put_along_axis(held, order[FOLLOWED:], 0, axis=0)
    return held


def _find(
    fill: Fill, own: Problem, missing: list[int], known: dict[int, NDArray[np.float64]], n_rows: int, label: str
) -> Iterator[Progress]:
    """Compute the columns of these relays, and add them to `known`."""
    done = 0
    for part in fill(own, Schedule(missing)) if missing else ():
        if isinstance(part, Progress):
            continue
        for j, relay in enumerate(part.cols):
            column = np.zeros(n_rows)
            seen = own.targets[relay].n_seen
            column[:seen] = np.abs(part.scores[:seen, j])
            total = float(column.sum())
            if not (np.isfinite(total) and total > 0):
                raise BadScores(
                    f"{label} gave no score for the token in row {seen}, by way of which the map goes on.",
                    cure="Leave through= out, or take another method: occlusion shows whether the model uses its "
                    "input there.",
                    col=relay,
                )
            known[relay] = column / total
        done += len(part.cols)
        yield Progress(done, len(missing))


def _passed(problem: Problem, weights: NDArray[np.float64], known: dict[int, NDArray[np.float64]]) -> Passed:
    """Return the hop that relays with these weights [n_relays, k] make."""
    n_cols = weights.shape[1]
    scores = np.full((problem.n_rows, n_cols), np.nan)
    for j in range(n_cols):
        chosen = np.flatnonzero(weights[:, j])
        if len(chosen):
            seen = max(problem.relays[relay].n_seen for relay in chosen.tolist())
            mixed = sum(weights[relay, j] * known[relay] for relay in chosen.tolist()) / weights[chosen, j].sum()
            scores[:seen, j] = mixed[:seen]
    return Passed(scores.astype(np.float32), weights.sum(axis=0).astype(np.float32))
