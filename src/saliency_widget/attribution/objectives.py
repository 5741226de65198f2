"""Objectives: plain functions, found by name, from the logits at one target to the number that is explained.

Each takes logits [..., k, vocabulary] and target ids [k] and gives [..., k]; entry j depends on row j alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..types import Objective

if TYPE_CHECKING:
    import torch

    ObjectiveFunction = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def log_odds(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return log(p / (1 - p)) of the target's probability p: it moves where the model is sure, too."""
    from .log_odds import log_odds as of  # it imports torch

    return of(logits, targets)


def probability(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the probability of the target token, in [0, 1]."""
    # Not by a sigmoid: the last of many equal numbers, which go one by one, would differ in the last digit.
    return log_probability(logits, targets).exp()


def log_probability(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the natural logarithm of the target's probability, at most 0."""
    import torch

    return torch.nn.functional.logsigmoid(log_odds(logits, targets))


def logit(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the target's logit: unlike the probability it does not depend on the other tokens' logits."""
    return _wide(_pick(logits, targets))


def entropy(logits: torch.Tensor, _targets: torch.Tensor) -> torch.Tensor:
    """Return the entropy of the whole distribution in nats, at least 0. It does not depend on the target."""
    log_p = _wide(logits).log_softmax(-1)
    return -(log_p.exp() * log_p).sum(-1)


def value(
    objective: Objective, logits: torch.Tensor, targets: torch.Tensor, foil: int | None, *, independent: bool = False
) -> torch.Tensor:
    """Return the number to explain, [..., k]: the objective of the target, minus that of the foil if there is one.

    `independent`: each class is there or not, whatever the others are.
    The contrast is that of Yin & Neubig 2022, arXiv:2202.10419: why this token and not the other?
    """
    import torch

    def of(chosen: torch.Tensor) -> torch.Tensor:
        if independent:
            return OBJECTIVES[objective](alone(logits, chosen), torch.zeros_like(chosen))
        return OBJECTIVES[objective](logits, chosen)

    targets = targets.to(logits.device)
    values = of(targets)
    return values if foil is None else values - of(targets.new_full(targets.shape, foil))


def margin(
    logits: torch.Tensor, targets: torch.Tensor, *, raw: bool = False, independent: bool = False
) -> torch.Tensor:
    """Return log p(target) - log p(the most probable other token), [..., k], in nats.

    It is below 0 where another token is more probable. `independent`: each class is there or not, whatever the others
    are, so it is the log-odds of the class. `raw`: there are no probabilities, and all margins are NaN.
    """
    import torch

    targets = targets.to(logits.device)
    own = _pick(logits, targets)
    if raw or (logits.shape[-1] == 1 and not independent):
        return torch.full_like(own, float("nan"))
    if independent:
        return own
    others = logits.scatter(-1, targets.expand(logits.shape[:-1])[..., None], -torch.inf)
    return _wide(own) - _wide(others.amax(-1))


def alone(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return logits [..., k, 2] of "this class" and "not this class", whose softmax is the sigmoid of the class."""
    import torch

    chosen = _pick(logits, targets)
    return torch.stack([chosen, torch.zeros_like(chosen)], dim=-1)


def _pick(values: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return values.gather(-1, targets.expand(values.shape[:-1])[..., None]).squeeze(-1)


def _wide(logits: torch.Tensor) -> torch.Tensor:
    # Where the model is almost certain, 1 - p is lost in float32 and its gradient with it. k rows are few enough for
    # float64; Apple's GPUs have none.
    return logits.float() if logits.device.type == "mps" else logits.double()


OBJECTIVES: dict[Objective, ObjectiveFunction] = {
    "probability": probability,
    "log_probability": log_probability,
    "log_odds": log_odds,
    "logit": logit,
    "entropy": entropy,
}
LABELS: dict[Objective, str] = {
    "probability": "probability",
    "log_probability": "log-probability",
    "log_odds": "log-odds",
    "logit": "logit",
    "entropy": "entropy",
}


MEANINGS: dict[Objective, str] = {
    "probability": "how likely the model held the word, from 0 to 1",
    "log_probability": "the logarithm of the probability: from .001 to .01 counts as much as from .1 to 1",
    "log_odds": "the logarithm of p / (1 − p): from .9 to .99 counts as much as from .1 to .01, so it moves where the "
    "model is sure, too",
    "logit": "the score of the word before scores are made into probabilities; it moves where the model is sure, too",
    "entropy": "how unsure the model was which word comes here, whichever it wrote",
}


def meanings(*, raw: bool) -> dict[Objective, str]:
    """Return what each objective is, in the reader's words. `raw`: as for `labels`."""
    return {"logit": "as the model gives it"} if raw else MEANINGS


def labels(*, raw: bool) -> dict[Objective, str]:
    """Return the objectives and their labels. `raw`: those of a model that gives numbers instead of probabilities."""
    return {"logit": "the number itself"} if raw else LABELS
