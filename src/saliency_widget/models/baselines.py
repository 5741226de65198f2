"""Embeddings that stand for "nothing here"."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ..types import Inputs

if TYPE_CHECKING:
    import torch

    from .base import Model


def baselines_of(model: Model) -> dict[str, Callable[[], torch.Tensor]]:
    """By name: what gives an embedding [1, 1, d]. The tokenizer may have no unk, pad or mask token.

    "mean" is the mean over the vocabulary (Bastings et al. 2022 compare these choices for text, arXiv:2111.07367).
    """
    tokenizer = model.tokenizer
    special = {name: getattr(tokenizer, f"{name}_token_id", None) for name in ("unk", "pad", "mask")}
    found: dict[str, Callable[[], torch.Tensor]] = {
        name: partial(_of_token, model, int(token)) for name, token in special.items() if token is not None
    }
    return found | {"zero": partial(_zero, model), "mean": partial(_mean, model)}


def _of_token(model: Model, token: int) -> torch.Tensor:
    inputs = Inputs((token,), ()) if model.has_source else Inputs((), (token,))
    return model.embed(inputs)


def _zero(model: Model) -> torch.Tensor:
    import torch

    return torch.zeros_like(_of_token(model, 0))


def _mean(model: Model) -> torch.Tensor:
    import torch

    table = next(model.model.get_input_embeddings().parameters())
    # Through the module, for the scale of the family: the ratio of what it gives to what its table holds.
    with torch.no_grad():
        one = _of_token(model, 0)
        scale = (one[0, 0].norm() / table[0].norm()).to(one) if bool(table[0].any()) else one.new_ones(())
        mean: torch.Tensor = table.mean(0).to(one) * scale
        return mean[None, None]
