"""Attention functions of our own on transformers' attention interface, under the model's own name.

They run the model's own eager function for a block of queries at a time. So every family keeps its scaling,
soft-capping, biases and sinks, and a long text costs one block, not layers x heads x n².
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from ...errors import UnsupportedMethod
from .calls import Block, Call, plain

if TYPE_CHECKING:
    import torch

BLOCK_CELLS = 64_000_000  # weights of one block: heads x queries x keys, 256 MB in float32

_CURE = "Use saliency, occlusion or random."


class InterfaceCall(NamedTuple):
    """One call of the interface: `query`, `key`, `value` are [batch, heads, n, head_dim]. It is a `Call`."""

    module: Any
    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    mask: torch.Tensor | None
    options: dict[str, Any]

    @property
    def n_keys(self) -> int:
        """See `Call`."""
        return int(self.key.shape[2])

    @property
    def values(self) -> torch.Tensor:
        """See `Call`."""
        return self.value.repeat_interleave(self.query.shape[1] // self.value.shape[1], dim=1)

    def of_first_text(self, *, queries: bool) -> InterfaceCall:
        """See `Call`."""
        query = self.query[:1] if queries else self.query
        return self._replace(query=query, key=self.key[:1], value=self.value[:1])

    def blocks(self) -> Iterator[Block]:
        """Yield the model's own eager attention, a block of queries at a time.

        Raises: UnsupportedMethod if the family has no eager attention to call.
        """
        eager = eager_of(self.module)
        batch, heads, n = self.query.shape[:3]
        size = max(1, BLOCK_CELLS // (batch * heads * self.n_keys))
        for start in range(0, n, size):
            part = slice(start, start + size)
            # A mask, or a bias (T5's), may be broadcast over the queries; then every block uses it whole.
            mask, *biases = (_of_queries(t, n, part) for t in (self.mask, *self.options.values()))
            options = dict(zip(self.options, biases, strict=True))
            output, weights = eager(self.module, self.query[:, :, part], self.key, self.value, mask, **options)
            if weights is None:
                kind = type(self.module).__name__
                raise UnsupportedMethod(f"{kind} does not hand out attention weights.", cure=_CURE)
            yield Block(start, output, weights)


def _of_queries(given: Any, n: int, part: slice) -> Any:
    """Return the part of [batch, heads, n, keys] for some queries; return anything else unchanged."""
    return given[:, :, part] if getattr(given, "ndim", 0) == 4 and given.shape[2] == n else given


def eager_of(module: Any) -> Callable[..., tuple[torch.Tensor, torch.Tensor | None]]:
    """Return the eager attention function that the code of an attention module names.

    Raises: UnsupportedMethod if it names none.
    """
    code = inspect.unwrap(type(module).forward)
    name = next((n for n in code.__code__.co_names if n.endswith("eager_attention_forward")), "")
    found: Any = code.__globals__.get(name)
    if found is None:
        raise UnsupportedMethod(f"{type(module).__name__} does not hand out attention weights.", cure=_CURE)
    function: Callable[..., tuple[torch.Tensor, torch.Tensor | None]] = found
    return function


# ── answering ────────────────────────────────────────────────────────────────────────────────────────────────────


class Standin(str):
    """The name of an attention implementation that leads to our own function, which calls its `handler`.

    A model's code sees the name that it knows ("eager"), so that masks and sparse indices which only that name switches
    on stay on; transformers' table of functions, which goes by hashes, finds ours. It belongs to the config of one
    shadow, so other models' passes do not use it, and any autograd thread finds its handler.
    """

    __slots__ = ("handler", "key")
    handler: Callable[[InterfaceCall], torch.Tensor]
    key: str

    def __new__(cls, name: str, key: str, handler: Callable[[InterfaceCall], torch.Tensor]) -> Self:
        """Create a name. `name`: the one that the model's code sees; `key`: the key of our function in transformers."""
        made = super().__new__(cls, name)
        made.key, made.handler = key, handler
        return made

    def __eq__(self, other: object) -> bool:
        return self.key == other.key if isinstance(other, Standin) else str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.key)

    def __deepcopy__(self, _memo: Any) -> Standin:
        return self


@contextmanager
def attending(model: Any, handler: Callable[[Call], torch.Tensor]) -> Iterator[None]:
    """Enter a context in which `handler` computes every attention layer of a shadow, under the name "eager"."""
    with answering_as(model, lambda _name: Standin("eager", registered("eager"), handler)):
        yield


@contextmanager
def answering_as(model: Any, named: Callable[[Any], Any]) -> Iterator[None]:
    """Enter a context in which each config of a shadow has the attention implementation that `named` returns for it."""
    before = [(config, config._attn_implementation_internal) for config in configs_of(model)]
    for config, implementation in before:
        config._attn_implementation_internal = named(implementation)
    try:
        yield
    finally:
        for config, implementation in before:
            config._attn_implementation_internal = implementation


def configs_of(model: Any) -> list[Any]:
    """Return every config, nested ones too, that names an attention implementation."""
    found: dict[int, Any] = {}
    queue = [getattr(module, "config", None) for module in model.modules()]
    while queue:
        config = queue.pop()
        if id(config) in found or not hasattr(config, "_attn_implementation_internal"):
            continue
        found[id(config)] = config
        queue += [getattr(config, name, None) for name in getattr(config, "sub_configs", {})]
    return list(found.values())


def registered(implementation: str) -> str:
    """Return the key under which transformers finds our function, and the mask function of `implementation`.

    Without a mask function of the same name the mask is silently None, and the model attends to later tokens.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, eager_mask

    key = f"saliency_widget_{implementation}"
    entry = Standin(implementation, key, plain)
    masks = ALL_MASK_ATTENTION_FUNCTIONS
    AttentionInterface.register(entry, _attend)
    if implementation == "eager" or implementation in masks:
        AttentionMaskInterface.register(entry, eager_mask if implementation == "eager" else masks[implementation])
    return key


def _attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Return the function that transformers calls for each layer; some families pass the arguments by these names."""
    handler = module.config._attn_implementation.handler
    return handler(InterfaceCall(module, query, key, value, attention_mask, options)), None
