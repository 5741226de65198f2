"""Attention weights through the front door of transformers, without ever holding more than a slice of them.

A registered attention function wraps the model's own eager one: it runs it for a block of queries at a time, hands the
weights to whoever records in this thread, and drops them. So every family keeps its own scaling, soft-capping, biases
and sinks, and a long text costs one block, not layers x heads x n².
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ..errors import UnsupportedMethod
from ..types import Inputs

if TYPE_CHECKING:
    import torch

    from .base import Model

    # Called with (layer, first query of the block, weights [heads, block, keys]), layer by layer.
    Recorder = Callable[[int, int, torch.Tensor], None]

_NAME = "saliency_widget_recording"
_BLOCK_CELLS = 64_000_000  # weights of one block: heads x queries x keys, 256 MB in float32

# A context variable and not a global: a cell that runs the same model meanwhile records nothing.
_recorder: ContextVar[Recorder | None] = ContextVar("saliency_widget_recorder", default=None)


def why_no_attention(model: Model) -> str | None:
    """Why this model's attention cannot be shown, in one sentence; None where it can."""
    if not model.n_heads or not model.model._can_set_attn_implementation():
        return f"{type(model.model).__name__} does not hand out attention weights."
    return None


def attention_pass(model: Model, inputs: Inputs, n: int, at: torch.Tensor, record: Recorder) -> torch.Tensor:
    """One pass over the first n rows, layer by layer told to `record`; the logits [k, vocabulary] at positions `at`."""
    import torch

    # Nothing after the last of them is read: a network that is not causal would look at it.
    embeddings = model.embed(inputs)[:, :n]
    with torch.no_grad(), recording(model.model, record):
        return model.network(inputs)(embeddings, at).logits[0]


@contextmanager
def recording(model: Any, recorder: Recorder) -> Iterator[None]:
    """Within it, every attention layer of `model` hands its weights to `recorder`. Use inside `lent`, which restores.

    Raises: UnsupportedMethod when the architecture is not written on transformers' attention interface.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    if not model._can_set_attn_implementation():
        raise UnsupportedMethod(
            f"{type(model).__name__} does not hand out its attention weights, so its attention cannot be shown.",
            cure="Use a method that does not look at attention.",
        )
    AttentionInterface.register(_NAME, _record)
    # Without a mask function of the same name the mask is silently None, and the model looks into the future.
    AttentionMaskInterface.register(_NAME, eager_mask)
    model.set_attn_implementation(_NAME)
    token = _recorder.set(recorder)
    try:
        yield
    finally:
        _recorder.reset(token)


def _record(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """The model's own eager attention, a block of queries at a time. Shapes: [batch, heads, n, head_dim]."""
    import torch

    eager = sys.modules[type(module).__module__].eager_attention_forward
    batch, heads, n = query.shape[:3]
    block = max(1, _BLOCK_CELLS // (batch * heads * key.shape[2]))
    recorder = _recorder.get()
    outputs = []
    for start in range(0, n, block):
        stop = min(n, start + block)
        # A mask may be broadcast over the queries; then every block takes it as it is.
        whole = attention_mask is None or attention_mask.shape[-2] == 1
        mask = attention_mask if whole or attention_mask is None else attention_mask[..., start:stop, :]
        output, weights = eager(module, query[:, :, start:stop], key, value, mask, **kwargs)
        if recorder is not None:
            recorder(module.layer_idx, start, weights[0])
        outputs.append(output)
    return torch.cat(outputs, dim=1), None  # [batch, n, heads, head_dim]
