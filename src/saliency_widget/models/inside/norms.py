"""Norms as functions of their rows: one is tried out, whatever its class calls its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...errors import UnsupportedMethod

if TYPE_CHECKING:
    import torch

# A module whose class name ends so normalises over its last axis; whether it really does is tried out.
NORMS = ("Norm", "Norm1P")
CURE = "Use saliency, occlusion or random."


class Norm(NamedTuple):
    """y = bias + size · weight · x, where `size` is one number a row; x less its mean, if `centred`."""

    weight: torch.Tensor  # float32 or wider; up to a factor that all elements share
    bias: torch.Tensor
    centred: bool


def norm_of(module: torch.nn.Module, like: torch.Tensor) -> Norm:
    """Return a norm's function, found from three rows [3, ...] in place of `like` [..., hidden].

    A row of zeros gives the bias; one without mean the weight; one of ones the bias again, if the mean is taken off.
    Raises: UnsupportedMethod.
    """
    import torch

    n_axes = max(1, getattr(getattr(module, "weight", None), "ndim", 1))  # several where heads have their own weights
    try:
        rows = like.new_ones(3, *like.shape[-n_axes:])
        rows[0] = 0
        rows[1, ..., 1::2] = -1
        if rows.shape[-1] % 2:
            rows[1, ..., 1] = -2
        with torch.no_grad():
            bias, weight, ones = module.forward(rows).to(torch.promote_types(like.dtype, torch.float32))
    except (RuntimeError, IndexError) as error:  # it wants its rows in another shape (SqueezeBERT's)
        raise _no_norm(module) from error
    weight = (weight - bias) / rows[1]
    return Norm(weight, bias, bool((ones - bias).abs().max() < 0.5 * weight.abs().max()))


def with_constant_size(
    norm: Norm, x: torch.Tensor, y: torch.Tensor, *, tried: torch.nn.Module | None = None
) -> torch.Tensor:
    """Return size · weight · x in a graph that takes the size of each row as a constant; `y` is the norm's output.

    The size is computed from that output, whatever the ε. `tried`: the module, to check that it is such a norm.
    Raises: UnsupportedMethod.
    """
    import torch

    weight, bias, centred = norm
    inner = x - x.mean(-1, keepdim=True) if centred else x
    with torch.no_grad():
        direction = inner.to(weight.dtype) * weight
        square = (direction * direction).sum(-1, keepdim=True).clamp_min(torch.finfo(weight.dtype).tiny)
        size = ((y - bias) * direction).sum(-1, keepdim=True) / square  # [..., 1]
        if tried is not None:
            _check_norm(tried, y, bias + size * direction)
        scale = (size * weight).to(x.dtype)
    return (inner * scale).to(y.dtype)


def _check_norm(module: torch.nn.Module, y: torch.Tensor, again: torch.Tensor) -> None:
    """Raise UnsupportedMethod unless `again` is `y`, up to half the digits of the coarser of its type and float32."""
    import torch

    tolerance = max(torch.finfo(y.dtype).eps, torch.finfo(torch.float32).eps) ** 0.5
    if (y - again).abs().max() > tolerance * y.abs().max():
        raise _no_norm(module)


def _no_norm(module: torch.nn.Module) -> UnsupportedMethod:
    return UnsupportedMethod(f"{type(module).__name__} is not a norm for which there is a relevance rule.", cure=CURE)
