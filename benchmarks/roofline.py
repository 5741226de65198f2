"""The limit: the matrix products that a map cannot do without, alone, timed on this machine in the same run.

A backward pass to the embeddings multiplies once with every weight matrix, a forward pass too; no padded rows, nothing
between the products. The rows of several targets or changed texts go through a matrix together, as many as we take at
a time: otherwise the limit would be that of reading the weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch

ROWS = 480  # that go through a matrix together


class Rows(NamedTuple):
    """The numbers of rows that go through the layers forward and backward, and through the head."""

    forward: int
    backward: int
    head: int


def rows_needed(method: str, prompt: int, targets: int, steps: int) -> Rows:
    """Return the rows that T targets after a prompt cannot do without."""
    seen = [prompt + t for t in range(targets)]  # by each target
    n = seen[-1]
    if method in ("saliency", "input_x_gradient", "attnlrp"):
        return Rows(n, sum(seen), 2 * targets)
    if method == "integrated_gradients":
        return Rows((steps + 2) * n, steps * sum(seen), (2 * steps + 2) * targets)
    if method == "occlusion":
        changed = sum(sum(row < last for last in seen) for row in range(n))
        return Rows(n + sum(n - row for row in range(n)), 0, targets + changed)
    return Rows(n, 0, targets)


def seconds(model: Any, rows: Rows) -> float:
    """Seconds of the products. Best of three."""
    weights = _weights(model)
    with torch.no_grad():
        return min(_once(weights, _head(model), *rows) for _ in range(3))


def products(model: Any, rows: Rows) -> float:
    """Multiplications and additions of the products."""
    layers = sum(w.numel() for w in _weights(model))
    return 2.0 * ((rows.forward + rows.backward) * layers + rows.head * _head(model).numel())


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
