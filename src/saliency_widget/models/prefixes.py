"""A causal model that has read a text once need not read the unchanged beginning of a changed one again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from ..types import Inputs
from .base import Forward
from .causal import CausalModel
from .hooks import answering, overhearing

if TYPE_CHECKING:
    import torch

    from .base import Model

# (start, embeddings [batch, s, d] of the rows from start on, positions [k] ≥ start) → logits and head there.
Suffix = Callable[[int, "torch.Tensor", "torch.Tensor"], Forward]


class Reading(NamedTuple):
    """A text that was read, and how to read it again with another end."""

    output: Forward
    suffix: Suffix | None


def read_once(model: Model, inputs: Inputs, embeddings: torch.Tensor, positions: torch.Tensor) -> Reading:
    """Read `embeddings` [1, m, d], the first of `inputs`, and keep the keys and values of every position.

    Gives logits and head at `positions`, and the model as a function of what comes after a prefix: None where a layer
    keeps something else than keys and values of the whole past (sliding windows, state spaces, two texts).
    """
    import torch
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    if not isinstance(model, CausalModel) or not model.is_causal:
        return Reading(model.network(inputs)(embeddings, positions), None)
    ids = torch.tensor([inputs.ids], device=model.device)

    def read(cache: Any, start: int, part: torch.Tensor, at: torch.Tensor) -> tuple[Forward, Any]:
        batch, length = part.shape[:2]
        said = ids[:, start : start + length].expand(batch, -1)
        past = {} if cache is None else {"past_key_values": cache}
        network, head = model.model, model.model.get_output_embeddings()
        with answering([(network.get_input_embeddings(), part)]), overhearing(head, at - start) as heads:
            output = network(input_ids=said, use_cache=True, **past)
        kept = output.get("past_key_values")  # a state space model has none
        if len(heads) == 1:
            return Forward(output.logits, heads[0]), kept
        return Forward(output.logits[:, at - start], None), kept

    output, kept = read(None, 0, embeddings, positions)
    if type(kept) is not DynamicCache or any(type(layer) is not DynamicLayer for layer in kept.layers):
        return Reading(output, None)

    def suffix(start: int, part: torch.Tensor, at: torch.Tensor) -> Forward:
        cache = DynamicCache(config=model.model.config)
        for index, layer in enumerate(kept.layers if start else ()):
            keys, values = (t[:, :, :start].expand(len(part), -1, -1, -1) for t in (layer.keys, layer.values))
            cache.update(keys, values, index)
        return read(cache, start, part, at)[0]

    return Reading(output, suffix)
