"""Short cuts that serve many targets from one pass are right only for a causal network. So look, and do not believe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch


def is_causal(
    network: Callable[[torch.Tensor, torch.Tensor], Any], embeddings: torch.Tensor, n_source: int = 0
) -> bool | None:
    """Whether a changed later token leaves all earlier logits alone, looked at on the network itself.

    None where that cannot be seen, because the logits are no numbers.
    The first `n_source` rows are a source, which every logit may see.
    """
    import torch

    embeddings = embeddings[:, : n_source + 16]  # a mask that fails, fails early
    n = embeddings.shape[1]
    if n == n_source + 1:
        return True
    changed = embeddings.clone()
    changed[:, -1] = -2 * embeddings[:, -1] + embeddings[:, n_source]
    positions = torch.arange(n_source, n - 1, device=embeddings.device)
    with torch.no_grad():
        before, after = network(embeddings, positions).logits, network(changed, positions).logits
    if bool((before.isnan() | after.isnan()).any()):
        return None
    ruled_out = before.isinf() & (before == after)
    before, after = before[~ruled_out], after[~ruled_out]
    tolerance = 1e-4 if before.dtype in (torch.float32, torch.float64) else 2e-2
    return bool((before - after).abs().max() <= tolerance * before.abs().max())
