"""Methods that look at the gradient of the objective with respect to the input embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ..models.steps import read_steps
from .engine import Chunk, Problem, Schedule, blank, in_chunks
from .objectives import OBJECTIVES

if TYPE_CHECKING:
    import torch


def saliency(problem: Problem, schedule: Schedule) -> Iterator[Chunk]:
    """L2 norm of the gradient of the objective at each input embedding.

    scores[i, j] = ‖∂ objective_j / ∂ embedding_i‖₂ ≥ 0, in units of the objective per unit of embedding.
    Cost: one forward pass a chunk, and the matrix products of one backward pass a target.
    Source: Simonyan et al. 2014, arXiv:1312.6034; the norm as in Atanasova et al. 2020, arXiv:2009.13295.
    """
    return _per_embedding(problem, schedule, lambda gradient: gradient.norm(dim=-1))


def _per_embedding(
    problem: Problem, schedule: Schedule, reduce: Callable[[torch.Tensor], torch.Tensor]
) -> Iterator[Chunk]:
    """Columns from gradients; `reduce` takes gradients [k, m, d] and gives scores [k, m]."""

    def work(cols: list[int]) -> Chunk:
        scores, steps = blank(problem, cols), []
        for part in [cols] if problem.causal else [[col] for col in cols]:
            gradient, logits = gradients(problem, part)
            steps += read_steps(logits, [problem.targets[col].id for col in part])
            for row, col in zip(reduce(gradient.float()).cpu().numpy(), part, strict=True):
                seen = problem.targets[col].position
                scores[:seen, cols.index(col)] = row[:seen]
        return Chunk(cols, scores, steps)

    return in_chunks(schedule, _chunk_size(problem), work)


def gradients(problem: Problem, cols: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients d objective_j / d embeddings for each column, [k, m, d] up to the last one's position; logits [k, V].

    One forward pass, cut off after the last target, and one batched backward pass. Where the network shows the input
    of its vocabulary projection, that projection is gone through once for all targets: row j of its gradient belongs to
    target j alone, so the sum of the objectives tells them apart.
    """
    import torch

    targets = [problem.targets[col] for col in cols]
    m = max(t.position for t in targets)
    device = problem.embeddings.device
    x = problem.embeddings[:, :m].detach().requires_grad_()
    with torch.enable_grad():
        output = problem.network(x, torch.tensor([t.position - 1 for t in targets], device=device))
        if not output.logits.requires_grad:  # the network cuts the gradient off; zeros are reported as such
            return x.new_zeros(len(targets), *x.shape[1:]), output.logits[0]
        ids = torch.tensor([t.id for t in targets], device=output.logits.device)
        objective = OBJECTIVES[problem.objective](output.logits[0], ids)  # [k]
        if output.head is None:
            start, seed = objective, torch.eye(len(targets), dtype=objective.dtype, device=objective.device)
        else:
            start = output.head  # [1, k, hidden]
            (at_head,) = torch.autograd.grad(objective.sum(), start, retain_graph=True)
            seed = torch.diag_embed(at_head[0].T).permute(1, 2, 0)[:, None]  # [k, 1, k, hidden]
        (gradient,) = torch.autograd.grad(start, x, grad_outputs=seed, is_grads_batched=True, materialize_grads=True)
    return gradient[:, 0], output.logits[0].detach()


def _chunk_size(problem: Problem) -> int:
    """Targets that go through one batched backward pass.

    On a CPU 12: fewer would read the weights too often; more lengthen the pass of the early ones, and the wait of a
    hover. A target holds about a dozen arrays as wide as the widest layer, taken as four times the embedding.
    """
    _, n, d = problem.embeddings.shape
    fits = problem.memory_budget // (12 * 4 * d * n * problem.embeddings.element_size())
    return max(1, min(12 if problem.embeddings.device.type == "cpu" else 32, fits))
