"""The notes of a method about its own result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..characters import plain
from .reading import columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from . import AttributionLike

_MOST = 0.5  # of a column of attention rollout on the first token: then it says nothing else


@dataclass(frozen=True, slots=True)
class Note:
    """A method's sentence about its own result. `cols`: the columns that it is about; None for the whole map."""

    text: str
    cols: tuple[int, ...] | None = None


def notes(attribution: AttributionLike) -> Iterator[Note]:
    """Yield the method's notes on its own result, in the order in which they are shown."""
    missing = attribution.diagnostics.get("completeness_error")
    if missing:
        yield Note(f"Each column adds up to the change of the objective, but for at most {max(map(abs, missing)):.2g}.")
    found, whole = (attribution.diagnostics.get(name) for name in ("relevance_sum", "value"))
    if found and whole:
        yield Note(f"The first column adds up to {found[0]:.3g} of {whole[0]:.3g}: the rules keep the rest.", (0,))
    if attribution.method == "attention_rollout":
        yield from _at_the_first(attribution)
    if attribution.diagnostics.get("ids_left_out"):
        yield Note("This model also reads token ids elsewhere than in the embedding: the gradient leaves that way out.")
    checked, proves = (attribution.diagnostics.get(name) for name in ("spot_check", "spot_check_proves"))
    if checked is not None and proves is False:
        yield Note(
            f"Its spot check came out {checked:.0%} off, which in this precision proves nothing: float32 would tell."
        )
    zero = _which(not np.nan_to_num(column).any() for column in attribution.scores.T)
    if zero and checked is not None:
        columns = "1 column is" if len(zero) == 1 else f"{len(zero)} columns are"
        yield Note(
            f"{columns} 0 throughout: the objective does not move there, which plain passes confirm. Where the model "
            "is certain beyond its precision, the logit still moves.",
            zero,
        )
    changed, kept = (attribution.diagnostics.get(name) or [0] for name in ("baseline_changed", "baseline_in_text"))
    if any(changed):
        said = f"{_tokens(max(changed))} the baseline itself: another one stands in there."
        yield Note(said, _which(changed))
    if any(kept):
        score = "scores" if max(kept) == 1 else "score"
        said = f"{_tokens(max(kept))} the baseline itself and {score} 0: another baseline would tell."
        yield Note(said, _which(kept))
    yield from _notes_of_hop(attribution)
    yield from _notes_of_units(attribution)
    yield from _notes_of_server(attribution)
    noise = np.array(attribution.diagnostics.get("precision_noise") or [])
    lost = _which(0 < n >= np.nanmedian(np.abs(column)) for column, n in zip(attribution.scores.T, noise, strict=False))
    if lost:
        yield Note(f"Half precision leaves scores uncertain by up to {noise.max():.1g}.", lost)
        told = "That is" if len(noise) == 1 else f"For {len(lost)} of {len(noise)} targets that is"
        yield Note(f"{told} as much as most are: load the model in float32.", lost)


_TAKEN = {"mask": "hidden", "delete": "deleted", "replace": "replaced", "resample": "replaced by others of the text"}


def _notes_of_hop(attribution: AttributionLike) -> Iterator[Note]:
    """Yield how much of the step before is handed on to this one."""
    shares = attribution.diagnostics.get("handed_on")
    if shares:
        low, high = (f"{share(shares):.0%}" for share in (min, max))
        before = "the direct map" if attribution.settings.get("hop") == 1 else "the step before"
        yield Note(
            f"{high if low == high else f'{low} to {high}'} of {before} goes this way: the strongest tokens of the "
            f"{plain(str(attribution.settings.get('through')))} hold it, and these scores are what led to them."
        )


def _notes_of_units(attribution: AttributionLike) -> Iterator[Note]:
    """Yield the notes on Shapley and Banzhaf values: the texts that they rest on, and how far they can be off."""
    calls, operators = (attribution.diagnostics.get(name) for name in ("calls", "operator"))
    errors = attribution.errors
    if not calls or not operators or errors is None:
        return
    how = f"texts in which inputs were {_TAKEN.get(operators[0], operators[0])}"
    few, many = f"{min(calls):,.0f}", f"{max(calls):,.0f}"
    bars, largest = (np.nan_to_num(np.abs(each)).max(axis=0) for each in (errors, attribution.scores))
    if not np.nansum(errors):
        yield Note(f"Exact: computed from all {many} {how}.")
    else:
        within = f"{max(1.96 * bars / np.where(largest > 0, largest, np.inf)):.0%}"
        from_ = few if few == many else f"{few} to {many}"
        yield Note(f"Estimated from {from_} {how}: 95% intervals are at most ± {within} of a column's largest score.")
    if attribution.settings.get("estimand") == "banzhaf":
        yield Note("Banzhaf values add up to nothing: a share compares inputs, and is no part of a whole.")


def _notes_of_server(attribution: AttributionLike) -> Iterator[Note]:
    """Yield the notes on a map that a server's answers give."""
    about = attribution.diagnostics
    floor, bounded, mass = (about.get(name) or [0] for name in ("noise_floor", "bounded", "label_mass"))
    samples = attribution.settings.get("samples") if attribution.settings.get("by") == "samples" else None
    if samples is not None:
        yield Note(
            f"Made from samples: shares of {samples} answers to each text. By luck alone they differ by up to "
            f"{max(floor):.2g}: less is noise."
        )
    elif max(floor) > 0:
        yield Note(f"Asked the same again, the server gives log-odds up to {max(floor):.2g} apart: less is noise.")
    if max(mass) > 0:
        begun = "of the first token" if samples is None else "of the answers"
        yield Note(f"The labels together have {100 * max(mass):.0f} % {begun}.")
    if any(bounded):
        answers = "1 answer" if max(bounded) == 1 else f"{max(bounded):.0f} answers"
        yield Note(
            f"In {answers} the server does not tell the label: its probability is only a bound.", _which(bounded)
        )


def _at_the_first(attribution: AttributionLike) -> Iterator[Note]:
    """Return a note where attention rollout leaves most of a column on the first token."""
    held = np.array([np.nan_to_num(column.numbers[0]) for column in columns(attribution)])
    ends = _which(held > _MOST)
    if ends:
        of = "1 target" if len(ends) == 1 else f"{len(ends)} targets"
        yield Note(
            f"Of {of} most ends at the first token ({held[list(ends)].mean():.0%}), as it does in deep models whatever "
            "they read. Try value zeroing or occlusion, or leave the first token out of the shares.",
            ends,
        )


def _which(holds: Iterable[object]) -> tuple[int, ...]:
    """Return the columns that a note is about."""
    return tuple(col for col, one in enumerate(holds) if one)


def _tokens(count: float) -> str:
    return "1 token is" if count == 1 else f"{count:.0f} tokens are"
