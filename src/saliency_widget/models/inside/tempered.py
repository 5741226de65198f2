"""A softmax that goes backward at a higher temperature than forward: the rule of GIM against self-repair.

Where several keys say the same, a softmax hides it: if one goes, the others take its share, and the gradient of each
is small. GIM (Edin et al. 2025, arXiv:2505.17630) therefore lets the gradient g of s = softmax(x) go back as

    s_T · (g - Σ g · s_T)    with s_T = softmax(x / T)

which is T times the ordinary gradient of softmax(x / T). So an attention at temperature T, of the same kind as the
model's own, supplies the gradient, and its n² weights need not be held where the model's are not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import UnsupportedMethod

if TYPE_CHECKING:
    import torch

    from .interface import InterfaceCall

    # (query, key, value, temperature) → output; the scores are divided by the temperature
    Attention = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, float], torch.Tensor]
    Attend = Callable[..., tuple[torch.Tensor, torch.Tensor | None]]

_FEW = 8  # queries and keys of an attention that is tried


def tempered(run: Attention, parts: Sequence[torch.Tensor], temperature: float) -> torch.Tensor:
    """Return the attention's own numbers for query, key and value, bit for bit.

    The gradient of its softmax is that of the temperature.
    """
    query, key, value = parts
    if temperature == 1:
        return run(query, key, value, 1.0)
    output = run(query.detach(), key.detach(), value, 1.0)
    if not (query.requires_grad or key.requires_grad):
        return output
    warm = temperature * run(query, key, value.detach(), temperature)
    return output + (warm - warm.detach())


def tempered_softmax(
    temperature: float, softmax: Callable[[torch.Tensor], torch.Tensor], given: torch.Tensor, output: torch.Tensor
) -> torch.Tensor:
    """Return `output` = softmax(given), bit for bit, with the gradient of the temperature."""
    if temperature == 1 or not output.requires_grad:
        return output
    warm = temperature * softmax(given / temperature)
    return output.detach() + (warm - warm.detach())


def cooled(call: InterfaceCall, temperature: float) -> InterfaceCall:
    """Return a call whose scores come out divided by a temperature if its queries are.

    A mask of numbers and a bias are added to the scores, and a soft cap bounds them: they are divided too.
    """
    added = {
        name: value / temperature
        for name, value in call.options.items()
        if _is_added(value) or (name == "softcap" and value is not None)
    }
    mask = call.mask
    return call._replace(
        mask=mask / temperature if mask is not None and _is_added(mask) else mask, options={**call.options, **added}
    )


def _is_added(value: Any) -> bool:
    """Return whether an argument is a tensor [batch, heads, n, keys] of numbers, to be added to the scores."""
    return getattr(value, "ndim", 0) == 4 and bool(value.is_floating_point())


def check_temperature(attend: Attend, call: InterfaceCall, temperature: float) -> None:
    """Try on a few queries and keys whether `cooled` divides all that the softmax is given.

    Values that are rows of the unit matrix show the weights w; at the temperature T they must be w^(1/T), made to add
    up to 1 again. They are not where a softmax has a share for nothing (a sink), or adds something of its own.
    Raises: UnsupportedMethod.
    """
    import torch

    if temperature == 1:
        return
    few = min(_FEW, call.key.shape[2], call.value.shape[-1])
    with torch.no_grad():
        units = torch.zeros_like(call.value[:1, :, :few])
        units[..., :few] = torch.eye(few, dtype=units.dtype, device=units.device)
        part = call._replace(
            query=call.query[:1, :, :_FEW], key=call.key[:1, :, :few], value=units, mask=_corner(call.mask, few),
            options={name: _corner(value, few) for name, value in call.options.items()},
        )  # fmt: skip
        warm = cooled(part, temperature)
        try:
            own, found = (
                attend(given.module, given.query / t, given.key, units, given.mask, **given.options)[0][..., :few]
                for given, t in ((part, 1.0), (warm, temperature))
            )
        except (RuntimeError, IndexError) as error:  # it wants whole texts
            raise _no_temperature(call.module) from error
        expected = own.double() ** (1 / temperature)
        expected /= expected.sum(-1, keepdim=True).clamp_min(torch.finfo(own.dtype).tiny)
        tolerance = max(torch.finfo(own.dtype).eps, torch.finfo(torch.float32).eps) ** 0.5
        if not bool(((found.double() - expected).abs() <= tolerance).all()):
            raise _no_temperature(call.module)


def _corner(given: Any, few: int) -> Any:
    """Return the part of a mask or bias [batch, heads, n, keys] for the first queries and keys; else `given`."""
    return given[:1, :, :_FEW, :few] if getattr(given, "ndim", 0) == 4 else given


def _no_temperature(module: Any) -> UnsupportedMethod:
    return UnsupportedMethod(
        f"{type(module).__name__} gives its softmax more than scores, a mask and a bias (an attention sink, say), and "
        "GIM has no rule for it.",
        cure="Use attnlrp, saliency or occlusion.",
    )
