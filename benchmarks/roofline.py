"""The limit: the matrix products that a map cannot do without, alone, timed on this machine in the same run.

A backward pass to the embeddings multiplies once with every weight matrix, a forward pass too; no padded rows, nothing
between the products. The rows of several targets or changed texts go through a matrix together, as many as we take at
a time: otherwise the limit would be that of reading the weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import torch

ROWS = 480  # that go through a matrix together


def seconds(model: Any, method: str, prompt: int, targets: int, steps: int) -> float:
    """Seconds of the products for T targets after a prompt. Best of three."""
    rows = [prompt + t for t in range(targets)]  # what each target sees
    n = rows[-1]
    forward, backward, head = n, 0, 2 * targets
    if method in ("saliency", "input_x_gradient", "attnlrp"):
        backward = sum(rows)
    elif method == "integrated_gradients":
        forward, backward, head = (steps + 2) * n, steps * sum(rows), (2 * steps + 2) * targets
    elif method == "occlusion":
        forward = n + sum(n - row for row in range(n))
        head = targets + sum(sum(row < seen for seen in rows) for row in range(n))
    else:
        head = targets
    weights = _weights(model)
    with torch.no_grad():
        return min(_once(weights, _head(model), forward, backward, head) for _ in range(3))


def _weights(model: Any) -> list[torch.Tensor]:
    """[in, out] of every matrix in the layers, in order."""
    layers = [m for m in model.model.modules() if isinstance(m, torch.nn.ModuleList)]
    linear = (m for layer in layers for m in layer.modules() if isinstance(m, torch.nn.Linear))
    return [m.weight.T for m in {id(m): m for m in linear}.values()]


def _head(model: Any) -> torch.Tensor:
    weight: torch.Tensor = model.model.get_output_embeddings().weight
    return weight.T


def _once(weights: Iterable[torch.Tensor], head: torch.Tensor, forward: int, backward: int, n_head: int) -> float:
    """Forward and backward rows through the layers, `n_head` rows through the head."""
    weights = list(weights)
    return (
        sum(_timed(weights, rows) for rows in _groups(forward))
        + sum(_timed([w.T for w in reversed(weights)], rows) for rows in _groups(backward))
        + sum(_timed([head], rows) for rows in _groups(n_head))
    )


def _groups(rows: int) -> list[int]:
    return [min(ROWS, rows - start) for start in range(0, rows, ROWS)]


def _timed(weights: list[torch.Tensor], rows: int) -> float:
    inputs = {w.shape[0]: torch.randn(rows, w.shape[0]) for w in weights}
    return _seconds(lambda: [inputs[w.shape[0]] @ w for w in weights])


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
