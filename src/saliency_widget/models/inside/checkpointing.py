"""Activation checkpointing: the memory of one layer's graph instead of all of them, for one more forward pass.

transformers has it too, but only in training mode, where dropout acts. Source: Chen et al. 2016, arXiv:1604.06174.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@contextmanager
def checkpointed(model: torch.nn.Module) -> Iterator[None]:
    """Enter a context in which a forward pass keeps only each layer's input; the backward pass runs the layer again.

    Hooks that change a layer's output must still be there in the backward pass.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    with ExitStack() as stack:
        for layer in model.modules():
            if isinstance(layer, GradientCheckpointingLayer):
                stack.callback(_put_back, layer, layer.__dict__.get("forward"))
                layer.forward = _Checkpointed(layer.forward)
        yield


class _Checkpointed:
    """A layer's forward function, run again in the backward pass."""

    def __init__(self, forward: Any) -> None:
        self._forward = forward

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        import torch
        from torch.utils.checkpoint import checkpoint

        if not torch.is_grad_enabled():
            return self._forward(*args, **kwargs)
        return checkpoint(
            self._forward,
            *args,
            use_reentrant=False,
            preserve_rng_state=False,  # there is no dropout in evaluation mode
            determinism_check="none",  # it compares shapes, which the batched backward pass changes
            **kwargs,
        )


def _put_back(layer: Any, own: Any) -> None:
    if own is None:  # it has that of its class
        del layer.forward
    else:
        layer.forward = own


def graph_bytes(model: Any, n: int, d: int, element: int) -> int:
    """Return the approximate size of the graph of one pass over n tokens: 16 arrays a layer as wide as the embedding.

    Measured on Llama-like layers with SDPA attention; wider MLPs take more, GPT-2's layers a little less.
    """
    return n_checkpoints(model) * 16 * n * d * element


def n_checkpoints(model: Any) -> int:
    """Return the number of layers that `checkpointed` runs again; 0 in families whose layers transformers marks not."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    return sum(isinstance(layer, GradientCheckpointingLayer) for layer in model.modules())
