"""The number whose cause is asked for: plain functions from the logits at one target to a scalar, found by name.

Each takes logits [k, vocabulary] and target ids [k] and gives [k]; entry j depends on row j alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..types import Objective

if TYPE_CHECKING:
    import torch

    ObjectiveFunction = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def probability(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Probability of the target token, in [0, 1]."""
    return _pick(_wide(logits).softmax(-1), targets)


def log_probability(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Natural logarithm of the target's probability, at most 0."""
    return _pick(_wide(logits).log_softmax(-1), targets)


def logit(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The target's logit: unlike the probability it does not see the other tokens."""
    return _pick(_wide(logits), targets)


def _pick(values: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return values.gather(-1, targets[:, None]).squeeze(-1)


def _wide(logits: torch.Tensor) -> torch.Tensor:
    # Where the model is almost certain, 1 - p is lost in float32 and its gradient with it. k rows are few enough for
    # float64; Apple's GPUs have none.
    return logits.float() if logits.device.type == "mps" else logits.double()


OBJECTIVES: dict[Objective, ObjectiveFunction] = {
    "probability": probability,
    "log_probability": log_probability,
    "logit": logit,
}
LABELS: dict[Objective, str] = {
    "probability": "probability",
    "log_probability": "log-probability",
    "logit": "logit",
}
