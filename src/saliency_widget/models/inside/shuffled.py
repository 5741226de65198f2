"""Weights shuffled from the top of a model down, to find out whether a map depends on them.

Source: Adebayo et al. 2018, Sanity checks for saliency maps, arXiv:1810.03292 (cascading randomisation). A weight's
numbers stay, and stand elsewhere in the same tensor: so their size and spread are those of the trained model.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import UnsupportedMethod
from .attention import layers_in

if TYPE_CHECKING:
    import torch

_AT_ONCE = 1 << 20  # numbers that are put into a random order together

_CURE = "Check a model that is loaded in float32, float16 or bfloat16."


class Part(NamedTuple):
    """A part of a model, such as its head or a layer, and its weights."""

    name: str
    weights: tuple[torch.nn.Parameter, ...]


def untie(head: torch.nn.Module | None, embeddings: Sequence[torch.nn.Module]) -> None:
    """Give the head weights of its own, where it shares those of an embedding: the text is to be read as before."""
    from torch import nn

    shared = {id(parameter) for module in embeddings for parameter in module.parameters()}
    for name, parameter in [] if head is None else list(head.named_parameters(recurse=False)):
        if id(parameter) in shared:
            setattr(head, name, nn.Parameter(parameter.detach().clone(), requires_grad=False))


def parts_of(model: Any, head: torch.nn.Module | None, embeddings: Sequence[torch.nn.Module]) -> tuple[Part, ...]:
    """Return the parts of a model from the top down: the head with what stands behind all layers, layers, embeddings.

    Of an encoder and a decoder the decoder is above. A weight that several parts share is in the highest of them.
    Raises: UnsupportedMethod for weights that cannot be shuffled: quantised, packed, or not in memory.
    """
    from torch import nn

    for name, parameter in model.named_parameters():
        if type(parameter) is not nn.Parameter or not parameter.is_floating_point() or parameter.is_meta:
            raise UnsupportedMethod(
                f"The weights {name} are quantised, or not in memory, and cannot be shuffled.", cure=_CURE
            )
    layers = list(layers_in(model))
    of_layers = {id(parameter) for layer in layers for parameter in layer.parameters()}
    low = {id(parameter) for module in embeddings for parameter in module.parameters()}
    high = set() if head is None else {id(parameter) for parameter in head.parameters()}
    top: list[nn.Parameter] = []
    bottom: list[nn.Parameter] = []
    seen = False  # whether a layer came before; modules are in the order in which they were made, that of a pass
    for parameter in model.parameters():
        seen = seen or id(parameter) in of_layers
        if id(parameter) not in of_layers:
            is_low = id(parameter) in low or not (seen or id(parameter) in high)
            (bottom if is_low else top).append(parameter)
    given = [
        ("head", top),
        *((f"layer {at}", list(layer.parameters())) for at, layer in reversed(list(enumerate(layers)))),
        ("embeddings", bottom),
    ]
    taken: set[int] = set()
    parts = []
    for name, weights in given:
        own = {id(parameter): parameter for parameter in weights if id(parameter) not in taken}
        taken |= own.keys()
        if own:
            parts.append(Part(name, tuple(own.values())))
    return tuple(parts)


def bytes_of(model: Any) -> Mapping[torch.device, int]:
    """Return the bytes that a copy of the weights takes on each device."""
    found: Counter[torch.device] = Counter()
    for parameter in model.parameters():
        if not parameter.is_meta:
            found[parameter.device] += parameter.numel() * parameter.element_size()
    return found


def seconds_to_shuffle(model: Any) -> float:
    """Return about how many seconds it takes to copy and shuffle all weights, as measured on some of the largest.

    Raises: UnsupportedMethod for weights that cannot be shuffled.
    """
    parts_of(model, None, ())
    largest = max(model.parameters(), key=lambda weight: weight.numel()).detach()
    some = largest[: max(1, _AT_ONCE * len(largest) // largest.numel())]
    each = min(_seconds_of(some) for _ in range(3))
    return each * float(sum(weight.numel() for weight in model.parameters()) / some.numel())


def _seconds_of(weight: torch.Tensor) -> float:
    started = time.perf_counter()
    shuffle([weight.clone()], 0)
    return time.perf_counter() - started


def shuffle(weights: Sequence[torch.Tensor], seed: int) -> None:
    """Put the numbers of each weight into a random order, in place. The same seed gives the same order."""
    import torch

    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in weights:
            rows = weight.reshape(len(weight), -1) if weight.ndim else weight.reshape(1, 1)
            flat = rows[_order(len(rows), random, rows)].reshape(-1)
            for start in range(0, len(flat), _AT_ONCE):  # rows first, then blocks: one order of all takes far longer
                part = flat[start : start + _AT_ONCE]
                part.copy_(part[_order(len(part), random, part)])
            weight.copy_(flat.view(weight.shape))


def _order(n: int, random: torch.Generator, like: torch.Tensor) -> torch.Tensor:
    import torch

    return torch.randperm(n, generator=random).to(like.device)
