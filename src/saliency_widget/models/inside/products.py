"""Detection of attention among the matrix products of a pass, without naming a family or changing a model's code.

A mode observes each torch function that a pass calls in its thread. The output of a softmax over the last axis counts
as attention weights, also after a cast, reshape, mask or dropout. A product with them is attention, and its other
operand the values. So attention is found in families without transformers' attention interface.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from .calls import Block, Handler

if TYPE_CHECKING:
    import torch
    from torch.autograd.graph import Node

# Of each function its arguments by name, in their order, and which of them are multiplied.
_FUNCTIONS: dict[str, tuple[tuple[str, ...], slice]] = {
    "matmul": (("input", "other"), slice(0, 2)),
    "__matmul__": (("input", "other"), slice(0, 2)),
    "mm": (("input", "mat2"), slice(0, 2)),
    "bmm": (("input", "mat2"), slice(0, 2)),
    "addmm": (("input", "mat1", "mat2"), slice(1, 3)),
    "baddbmm": (("input", "batch1", "batch2"), slice(1, 3)),
    "scaled_dot_product_attention": (("query", "key", "value"), slice(0, 3)),
}


class Softmax(NamedTuple):
    """A softmax with its input and its output, and its node in autograd's graph, if there is one."""

    given: Node | None
    made: Node | None


Shares = tuple[Softmax, ...]


@dataclass(frozen=True, eq=False)
class Product:
    """A call of a function that multiplies tensors: two, or queries, keys and values in one."""

    function: Callable[..., Any]
    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    operands: tuple[torch.Tensor, ...]
    shares: tuple[Shares, ...]  # of each operand the softmaxes that made it; none for what is no shares
    _places: tuple[int | str, ...]  # of the operands among the arguments

    @property
    def fused(self) -> bool:
        """Return whether it is a whole attention, of queries, keys and values."""
        return len(self.operands) == 3

    @property
    def is_attention(self) -> bool:
        """Return whether it multiplies shares of a softmax."""
        return self.fused or any(self.shares)

    @property
    def others(self) -> list[Any]:
        """Return the arguments that are not multiplied: an addend, a mask."""
        named = (*enumerate(self.args), *self.kwargs.items())
        return [value for place, value in named if place not in self._places]

    def of(self, *operands: torch.Tensor) -> torch.Tensor:
        """Call the same function with other operands."""
        args, kwargs = list(self.args), dict(self.kwargs)
        for place, operand in zip(self._places, operands, strict=True):
            if isinstance(place, int):
                args[place] = operand
            else:
                kwargs[place] = operand
        output: torch.Tensor = self.function(*args, **kwargs)
        return output

    def cooled(self, temperature: float) -> Product:
        """Return the same call with what is added to the scores, a mask of numbers, divided by a temperature."""
        import torch

        def divided(place: int | str, value: Any) -> Any:
            added = place not in self._places and isinstance(value, torch.Tensor) and value.is_floating_point()
            return value / temperature if added else value

        args = tuple(divided(at, value) for at, value in enumerate(self.args))
        return replace(self, args=args, kwargs={name: divided(name, value) for name, value in self.kwargs.items()})


# Returns the output that replaces a product's; None leaves the product's own.
Answer = Callable[[Product], "torch.Tensor | None"]
# (the softmax, its input, its output) → the output that replaces it
AtSoftmax = Callable[[Callable[["torch.Tensor"], "torch.Tensor"], "torch.Tensor", "torch.Tensor"], "torch.Tensor"]


def _product(
    function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], shares: Mapping[torch.Tensor, Shares]
) -> Product | None:
    """Return a call of a torch function as a product; None if it is none."""
    import torch

    name: str = getattr(function, "__name__", "")
    places: tuple[int | str, ...]
    if name == "einsum":
        args = (args[0], *args[1]) if len(args) > 1 and isinstance(args[1], list | tuple) else args
        places = (1, 2)
        if len(args) != 3 or not isinstance(args[0], str):
            return None
    elif name in _FUNCTIONS:
        names, multiplied = _FUNCTIONS[name]
        places = tuple(at if at < len(args) else arg for at, arg in enumerate(names))[multiplied]
    else:
        return None
    given = [args[place] if isinstance(place, int) else kwargs.get(place) for place in places]
    operands = tuple(operand for operand in given if isinstance(operand, torch.Tensor))
    if len(operands) < len(given):
        return None
    of_each = tuple(shares.get(operand, ()) for operand in operands)
    return Product(function, name, args, kwargs, operands, of_each, places)


def _as_it_is(_softmax: Callable[..., torch.Tensor], _given: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
    return output


# ── hearing ──────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def answering(model: Any, answer: Answer, at_softmax: AtSoftmax = _as_it_is) -> Iterator[None]:
    """Enter a context that calls `answer` with each product, `at_softmax` with each softmax, that this thread computes.

    It also calls them for layers of `model` that autograd runs again, in any thread. A softmax counts that goes over
    the last axis.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    mode = _observer_mode(answer, at_softmax)
    with ExitStack() as stack:
        for layer in model.modules():
            if isinstance(layer, GradientCheckpointingLayer):
                stack.callback(_put_back, layer, layer.__dict__.get("forward"))
                layer.forward = functools.wraps(layer.forward)(functools.partial(_observed, mode, layer.forward))
        stack.enter_context(mode)
        yield


def _observed(mode: Any, forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run a layer so that its products are observed also if autograd runs it again, outside the mode."""
    if mode.observes:
        return forward(*args, **kwargs)
    with mode:
        return forward(*args, **kwargs)


def _put_back(layer: Any, own: Any) -> None:
    if own is None:  # it has that of its class
        del layer.forward
    else:
        layer.forward = own


def unobserved() -> Any:
    """Return a context in which no mode observes a product."""
    import torch

    return torch._C.DisableTorchFunction()  # noqa: SLF001 (torch offers no other way)


def _observer_mode(answer: Answer, at_softmax: AtSoftmax) -> Any:
    """Return the mode that observes each call of a torch function."""
    from torch import Tensor
    from torch.overrides import TorchFunctionMode
    from torch.utils.weak import WeakTensorKeyDictionary

    class Observer(TorchFunctionMode):
        observes = False  # False while it handles a call, and inside of the called function

        def __init__(self) -> None:
            super().__init__()
            self._shares = WeakTensorKeyDictionary()

        def __enter__(self) -> Any:
            self.observes = True
            return super().__enter__()  # type: ignore[no-untyped-call]  # torch

        def __exit__(self, *error: object) -> None:
            super().__exit__(*error)  # type: ignore[no-untyped-call]  # torch
            self.observes = False

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.observes = False
            try:
                return self._answer(func, args, kwargs or {})
            finally:
                self.observes = True

        def _answer(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            product = _product(function, args, kwargs, self._shares)
            if product is not None:
                given = answer(product)
                return function(*args, **kwargs) if given is None else given
            tensors = [x for x in (*args, *kwargs.values()) if isinstance(x, Tensor)]
            known = [(x.numel(), self._shares[x]) for x in tensors if len(self._shares) and x in self._shares]
            is_softmax = getattr(function, "__name__", "") == "softmax"
            before = tensors[0].grad_fn if is_softmax else None
            output = function(*args, **kwargs)
            if isinstance(output, Tensor):
                if is_softmax and _is_over_last_axis(output, args, kwargs):
                    output = at_softmax(_of_input(function, args, kwargs), tensors[0], output)
                    self._shares[output] = (Softmax(before, output.grad_fn),)
                elif shares := [one for numel, made_of in known if numel == output.numel() for one in made_of]:
                    self._shares[output] = tuple(dict.fromkeys(shares))
            return output

    return Observer()


def _of_input(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a softmax as a function of its input alone."""
    if args:
        return lambda given: function(given, *args[1:], **kwargs)
    return lambda given: function(**{**kwargs, "input": given})


def _is_over_last_axis(output: torch.Tensor, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    axis = kwargs.get("dim", args[1] if len(args) > 1 else None)
    return axis in (-1, output.ndim - 1)


# ── attention ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class WeighingCall:
    """An attention seen as a product. It is a `Call` of one block."""

    module: Any
    values: torch.Tensor  # [batch, heads, keys, head_dim]
    _weights: Callable[[], torch.Tensor]  # [batch, heads, n, keys]
    _output: Callable[[], torch.Tensor]  # [batch, n, heads, head_dim]
    _queries: slice  # of which texts of the batch

    @property
    def n_keys(self) -> int:
        """See `Call`."""
        return int(self.values.shape[2])

    def blocks(self) -> Iterator[Block]:
        """See `Call`."""
        yield Block(0, self._output()[self._queries], self._weights()[self._queries])

    def of_first_text(self, *, queries: bool) -> WeighingCall:
        """See `Call`."""
        own = slice(1) if queries else self._queries
        return WeighingCall(self.module, self.values[:1], self._weights, self._output, own)


@contextmanager
def weighing(model: Any, handler: Handler, n_texts: Callable[[], int] = lambda: 1) -> Iterator[None]:
    """Enter a context in which `handler` computes every attention of a shadow that is a product of a softmax.

    `n_texts`: the number of texts in a layer's present input.
    """
    entered: list[Any] = []

    def enter(module: Any, _args: Any) -> None:
        entered.append(module)

    def leave(*_: Any) -> None:
        entered.pop()

    def answer(product: Product) -> torch.Tensor | None:
        layout, module = _layout(product), entered[-1] if entered else model
        return None if layout is None else layout.answered(product, module, handler, n_texts())

    with ExitStack() as stack:
        for module in model.modules():
            stack.callback(module.register_forward_pre_hook(enter).remove)
            stack.callback(module.register_forward_hook(leave).remove)
        stack.enter_context(answering(model, answer))
        yield


@dataclass(frozen=True)
class _Layout:
    """The axes of weights, values and their product. Axes that both have are heads, and texts before them."""

    values: torch.Tensor  # [..., keys, head_dim]
    weights: Callable[[], torch.Tensor]  # [..., n, keys]
    here: Callable[[torch.Tensor], torch.Tensor]  # a product as the model has it → [..., n, head_dim]
    there: Callable[[torch.Tensor], torch.Tensor]  # and back

    def answered(self, product: Product, module: Any, handler: Handler, n_texts: int) -> torch.Tensor | None:
        """Return the output of `handler` in the model's layout; None if the call has another number of texts."""
        shape = self.values.shape[:-2]
        if math.prod(shape) % n_texts:
            return None

        def by_text(t: torch.Tensor) -> torch.Tensor:
            return t.reshape(n_texts, -1, *t.shape[-2:])

        call = WeighingCall(
            module,
            by_text(self.values),
            lambda: by_text(self.weights()),
            lambda: by_text(self.here(product.of(*product.operands))).transpose(1, 2),
            slice(None),
        )
        given = handler(call).transpose(1, 2)  # [texts, heads, n, head_dim]
        return self.there(given.reshape(*shape, *given.shape[-2:])).contiguous()


def _layout(product: Product) -> _Layout | None:
    """Return the layout of a product; None if it is not known to be an attention."""
    if product.fused:
        query, key, value = product.operands
        if product.kwargs.get("enable_gqa"):
            key, value = (t.repeat_interleave(query.shape[-3] // t.shape[-3], -3) for t in (key, value))
        return _matrices(lambda: _weights(query, key, product), value, query.shape[:-2])
    if not product.is_attention:
        return None
    if product.name == "einsum":
        return _letters(product)
    # (shares [n, keys]) · (values [keys, head_dim]); with nothing added
    left, right = product.operands
    by_itself = product.name not in ("addmm", "baddbmm")
    if not (by_itself and product.shares[0] and min(left.ndim, right.ndim) > 1):
        return None
    return _matrices(lambda: left, right, left.shape[:-2])


def _matrices(weights: Callable[[], torch.Tensor], values: torch.Tensor, heads: torch.Size) -> _Layout:
    """Return the layout of a matrix product of weights [*heads, n, keys] and values, which heads may share."""
    import torch

    shape = torch.broadcast_shapes(heads, values.shape[:-2])  # type: ignore[no-untyped-call]  # torch

    def of_each(t: torch.Tensor) -> torch.Tensor:
        return t.expand(*shape, *t.shape[-2:])

    def as_it_is(output: torch.Tensor) -> torch.Tensor:
        return output

    return _Layout(of_each(values), lambda: of_each(weights()), as_it_is, as_it_is)


def _letters(product: Product) -> _Layout | None:
    """Return the layout of a product in einsum's letters, such as "bnij,jbnd->ibnd" (XLNet)."""
    sides, arrow, after = product.args[0].replace(" ", "").partition("->")
    letters = sides.split(",")
    which = 0 if product.shares[0] else 1
    of_weights, of_values = letters[which], letters[1 - which]
    both = [x for x in of_weights if x in of_values and x in after]
    summed = [x for x in of_weights if x in of_values and x not in after]
    queries, dims = ([x for x in side if x in after and x not in both] for side in (of_weights, of_values))
    known = arrow and "." not in sides and len(summed) == len(queries) == len(dims) == 1
    if not known or {*of_weights, *of_values} != {*both, *summed, *queries, *dims}:
        return None

    def permuted(t: torch.Tensor, before: str, wanted: list[str]) -> torch.Tensor:
        return t.permute([before.index(x) for x in wanted])

    inside = [*both, *queries, *dims]
    return _Layout(
        permuted(product.operands[1 - which], of_values, [*both, *summed, *dims]),
        lambda: permuted(product.operands[which], of_weights, [*both, *queries, *summed]),
        lambda output: permuted(output, after, inside),
        lambda output: permuted(output, "".join(inside), list(after)),
    )


def _weights(query: torch.Tensor, key: torch.Tensor, product: Product) -> torch.Tensor:
    """Return the weights of a fused attention, as torch's manual writes them: [..., n, keys]."""
    import torch

    named = dict(zip(("attn_mask", "dropout_p", "is_causal"), product.args[3:], strict=False)) | {**product.kwargs}
    scale = named.get("scale")
    scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    mask = named.get("attn_mask")
    if named.get("is_causal"):
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if mask is not None:
        scores = scores + mask if mask.is_floating_point() else scores.masked_fill(~mask, -math.inf)
    weights: torch.Tensor = scores.softmax(-1)
    return weights
