"""A causal model that has read a text once need not read the unchanged beginning of a changed one again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..types import Inputs
from .base import Forward
from .causal import CausalModel
from .hooks import answering, overhearing

if TYPE_CHECKING:
    import torch

    from .base import Model

# (start, embeddings [batch, s, d] of the rows from start on, positions [k] ≥ start) → logits and head there.
Suffix = Callable[[int, "torch.Tensor", "torch.Tensor"], Forward]


def prefixes_of(model: Model, inputs: Inputs, embeddings: torch.Tensor) -> Suffix | None:
    """The model as a function of what comes after a prefix of `embeddings` [1, n, d], whose keys and values are kept.

    None where a layer keeps something else than keys and values of the whole past: sliding windows, state spaces.
    Reads the text once; call inside `lent`.
    """
    import torch
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    if not isinstance(model, CausalModel) or not model.is_causal:
        return None
    network, head, config = model.model, model.model.get_output_embeddings(), model.model.config
    ids = torch.tensor([inputs.ids], device=model.device)
    module = network.get_input_embeddings()
    with torch.no_grad(), answering([(module, embeddings)]):
        read = network(input_ids=ids, use_cache=True).get("past_key_values")  # a state space model has none
    if type(read) is not DynamicCache or any(type(layer) is not DynamicLayer for layer in read.layers):
        return None

    def run(start: int, suffix: torch.Tensor, positions: torch.Tensor) -> Forward:
        batch, length = suffix.shape[:2]
        cache = DynamicCache(config=config)
        if start:
            for index, layer in enumerate(read.layers):
                keys, values = (t[:, :, :start].expand(batch, -1, -1, -1) for t in (layer.keys, layer.values))
                cache.update(keys, values, index)
        part = ids[:, start : start + length].expand(batch, -1)
        with answering([(module, suffix)]), overhearing(head, positions - start) as heads:
            logits = network(input_ids=part, past_key_values=cache, use_cache=True).logits
        if len(heads) == 1:
            return Forward(logits, heads[0])
        return Forward(logits[:, positions - start], None)

    return run
