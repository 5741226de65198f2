"""AttnLRP and GIM: a forward pass whose backward pass follows other rules than the derivative.

The relevance of a feature x is x · g, where g is a gradient that a few steps have changed (Arras et al. 2025,
arXiv:2502.15886, write all of LRP so). With ε = 0 a linear step keeps its ordinary gradient; a bias takes its share and
keeps it. A step that is not linear has a rule of its own (numbers as in Achtibat et al. 2024, arXiv:2402.05602):

    y = f(x), each element by itself    g_x = g_y · f(x) / x       identity rule, Eq. 9
    y = (x - mean) / deviation          deviation is a constant    identity rule, Prop. 3.4; so RMSNorm, without mean
    y = a · b, and matrix products      half of g to each side     uniform rule, Prop. 3.2 and 3.3
    y = softmax(x)                      the ordinary gradient      Taylor expansion at x, Prop. 3.1

GIM (Edin et al. 2025, arXiv:2505.17630) has the same rules for norms and products, and two of its own: a function of
each element keeps its ordinary gradient, and a softmax goes backward at a higher temperature (see `tempered`).

The model's code is not changed. During a pass of a shadow, hooks, an attention function and a mode that observes matrix
products return the same numbers (bit for bit) with another graph of ordinary operations, so that batched backward
passes work. A step without a rule is never ignored: the graph of the first pass is searched for such steps.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ...errors import UnsupportedMethod
from .interface import InterfaceCall, Standin, answering_as, eager_of, registered
from .linear_steps import step_without_rule, steps_before
from .norms import CURE, NORMS, Norm, norm_of, with_constant_size
from .products import Product, answering, unobserved
from .tempered import check_temperature, cooled, tempered, tempered_softmax

if TYPE_CHECKING:
    import torch
    from torch.autograd.graph import Node
    from torch.utils.hooks import RemovableHandle

Rule = Literal["attnlrp", "cp-lrp", "gim"]


class _Steps(NamedTuple):
    """The rules in which methods differ.

    `shares`: the shares that query, key and value keep of their gradients. softmax(q·k)·v: half goes to v, half through
    the softmax to q·k, and half of that to each, by the rules of two products. `identity`: whether functions of each
    element have the identity rule. `temperature`: that of the backward pass of a softmax.
    """

    shares: tuple[float, float, float]
    identity: bool = True
    temperature: float = 1.0


_RULES: dict[Rule, _Steps] = {
    "attnlrp": _Steps((0.25, 0.25, 0.5)),
    "cp-lrp": _Steps((0.0, 0.0, 1.0)),  # attention weights are constants (Ali et al. 2022, arXiv:2202.07304)
    "gim": _Steps((0.25, 0.25, 0.5), identity=False, temperature=2.0),
}

# Functions with f(0) = 0 that some heads call without a module (RoBERTa's, BART's), and their slopes at 0.
_PLAIN = {"TanhBackward0": 1.0, "GeluBackward0": 0.5, "SiluBackward0": 0.5}

# Parts of class names. These take steps without a rule: recurrences, routers, gates by a sigmoid, attention in blocks.
_NO_RULE = (
    "Mamba", "Mixer", "DeltaNet", "ShortConv", "LinearAttention", "Router", "Experts", "Moe", "MoE", "XIELU",
    "BigBird", "DogeAttention", "Gemma3n", "Lfm2", "LongT5", "PegasusX",
)  # fmt: skip


@dataclass(eq=False)
class _Rules:
    """The state of one context: its rule, its findings about modules, and the graph of its first pass."""

    steps: _Steps
    norms: dict[torch.nn.Module, Norm] = field(default_factory=dict)
    slopes: dict[torch.nn.Module, float | None] = field(default_factory=dict)
    by_element: dict[torch.nn.Module, bool] = field(default_factory=dict)
    # Steps that a rule made, with the steps before the rule; None after the first pass was searched.
    made: dict[Node, tuple[Node, ...]] | None = field(default_factory=dict)
    # What the vocabulary projection was given. What comes after (a soft cap of the logits) belongs to the objective.
    end: torch.Tensor | None = None
    latest: torch.Tensor | None = None  # the last answer of a module without parts
    tried: set[type] = field(default_factory=set)  # modules whose attention was found to take a temperature

    @property
    def constant_weights(self) -> bool:
        """Return whether no relevance goes back through attention weights."""
        return self.steps.shares[0] == 0


@contextmanager
def relevance_rules(model: Any, rule: Rule = "attnlrp") -> Iterator[None]:
    """Enter a context in which the backward pass of a shadow follows a rule.

    The outputs are the same, bit for bit. (gradient · embedding).sum(-1) is then the relevance [batch, n] of each
    embedding for what was differentiated; the backward pass may be batched, and may come after the context was left.
    `rule` "cp-lrp" takes the attention weights as constants: where there are no biases, relevance adds up to the logit.
    "gim" gives GIM's gradient.
    Raises: UnsupportedMethod if `why_no_relevance` has a reason; or during the pass, at a step without a rule.
    """
    reason = why_no_relevance(model)
    if reason is not None:
        raise UnsupportedMethod(reason, cure=CURE)
    rules = _Rules(_RULES[rule])
    handles: list[RemovableHandle] = []

    def named(implementation: str | None) -> str | None:
        if implementation is None:
            return None
        return Standin(implementation, registered(implementation), partial(_attention, rules, str(implementation)))

    try:
        handles.extend(_hooks(model, rules))
        at_softmax = partial(tempered_softmax, rules.steps.temperature)
        with answering_as(model, named), answering(model, partial(_at_product, rules), at_softmax):
            yield
    finally:
        for handle in handles:
            handle.remove()


def why_no_relevance(model: Any) -> str | None:
    """Return the reason why relevance cannot be propagated through `model`, as a sentence; None if none is known.

    It checks classes alone. Only a pass shows a function without a rule in the model's code.
    """
    name = type(model).__name__
    kinds = sorted({type(m).__name__ for m in model.modules()})
    for kind in kinds:
        if any(part in kind for part in _NO_RULE):
            return f"There is no relevance rule for {kind}, so relevance cannot be propagated through {name}."
    heads = getattr(model.config.get_text_config(), "num_attention_heads", 0)
    if not heads and not any("Attention" in kind for kind in kinds):
        return f"{name} has no attention, and there is no relevance rule for what it has instead."
    return None


# ── the same numbers, another graph ───────────────────────────────────────────────────────────────────────────────────


def _with_gradient_of(y: torch.Tensor, graph: torch.Tensor) -> torch.Tensor:
    """Return exactly the numbers of `y`, with the gradient of `graph`."""
    return y.detach() + (graph - graph.detach())


def _share(x: torch.Tensor, share: float) -> torch.Tensor:
    """Return the numbers of `x`, and pass on only this share of their gradient."""
    if share == 0:
        return x.detach()
    return x if share == 1 or not x.requires_grad else _with_gradient_of(x, share * x)


def _identity(x: torch.Tensor, y: torch.Tensor, slope: float) -> torch.Tensor:
    """Return `y` = f(x), element by element, with the gradient f(x) / x; `slope` is its limit at 0."""
    return _with_gradient_of(y, x * (y / x).detach().masked_fill(x == 0, slope))


# ── hooks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _hooks(model: Any, rules: _Rules) -> Iterator[RemovableHandle]:
    head = model.get_output_embeddings()
    if head is not None:
        yield head.register_forward_pre_hook(partial(_at_head, rules))
    activations = _activations()
    for module in model.modules():
        if any(module.children()):
            continue
        yield module.register_forward_pre_hook(partial(_at_input, rules))
        if type(module).__name__.endswith(NORMS):
            yield module.register_forward_hook(partial(_at_norm, rules))
        elif isinstance(module, activations):
            yield module.register_forward_hook(partial(_at_activation, rules))
        elif next(module.parameters(), None) is None:
            yield module.register_forward_hook(partial(_at_unknown, rules), with_kwargs=True)
        yield module.register_forward_hook(partial(_at_output, rules))
    yield model.register_forward_hook(partial(_at_end, rules))


def _activations() -> tuple[type[torch.nn.Module], ...]:
    """Return the classes of element-wise functions that a config of transformers can name."""
    from torch import nn
    from transformers.activations import ACT2CLS

    named = (kind[0] if isinstance(kind, tuple) else kind for kind in ACT2CLS.values())
    return (*named, nn.GELU, nn.ELU)


def _concerns(x: object) -> bool:
    import torch

    return torch.is_grad_enabled() and isinstance(x, torch.Tensor) and x.requires_grad


def _at_input(rules: _Rules, _module: torch.nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Apply the rules for steps between two modules: a function without a module, and a product.

    The product of a gated MLP, act(gate) · up, is found at the input of the next module (down), whatever its name.
    """
    if not args or not _concerns(args[0]) or (node := args[0].grad_fn) is None:
        return None
    x, latest = args[0], rules.latest
    if node.name() in _PLAIN and latest is not None and node.next_functions[0][0] is latest.grad_fn:
        if not rules.steps.identity:
            _note(rules, x, steps_before(node))
            return None
        return (_identity(latest, x, _PLAIN[node.name()]), *args[1:])
    while node.name().startswith("ToCopy"):
        node = node.next_functions[0][0]
    factors = steps_before(node)
    if node.name() != "MulBackward0" or len(factors) != 2:
        return None
    half = _share(x, 0.5)
    _note(rules, half, factors)
    return (half, *args[1:])


def _at_output(rules: _Rules, _module: torch.nn.Module, _args: Any, output: Any) -> None:
    if _concerns(output):
        rules.latest = output


def _at_activation(
    rules: _Rules, module: torch.nn.Module, args: tuple[Any, ...], y: torch.Tensor
) -> torch.Tensor | None:
    if not args or not _concerns(args[0]):
        return None
    if not rules.steps.identity:
        one = y.view_as(y)  # one step, whatever products it was built from: these are not halved
        _note(rules, one, () if args[0].grad_fn is None else (args[0].grad_fn,))
        return one
    if module not in rules.slopes:
        rules.slopes[module] = _slope(module, args[0])
    slope = rules.slopes[module]
    return None if slope is None else _identity(args[0], y, slope)


def _at_unknown(
    rules: _Rules, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], y: Any
) -> torch.Tensor | None:
    """Handle a module without weights of an unknown class: it is an activation if it works by element (Bloom's)."""
    if len(args) != 1 or kwargs or not _concerns(args[0]) or not _concerns(y) or y is args[0]:
        return None
    if module not in rules.by_element:
        rules.by_element[module] = _is_by_element(module, args[0], y)
    return _at_activation(rules, module, args, y) if rules.by_element[module] else None


def _is_by_element(module: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> bool:
    """Return whether every second element of y = f(x) is unchanged when the other elements of x are 0."""
    import torch

    if y.shape != x.shape:
        return False
    odd = (torch.arange(x.numel(), device=x.device) % 2 == 1).view(x.shape)
    with torch.no_grad():
        return all(torch.equal(module.forward(x * kept)[kept], y[kept]) for kept in (odd, ~odd))


def _slope(module: torch.nn.Module, like: torch.Tensor) -> float | None:
    """Return f'(0), or None if f(0) is not 0, as of a sigmoid, so that f(x) / x has no limit."""
    import torch

    zero = torch.zeros_like(like).requires_grad_()
    # Hidden from checkpointing, which counts what each run of a layer saves: this is done in the first alone.
    with torch.autograd.graph.saved_tensors_hooks(lambda saved: saved, lambda saved: saved):
        y = module.forward(zero)
        (slope,) = torch.autograd.grad(y, zero, torch.ones_like(y))
    return None if y.any() else float(slope.flatten()[0])


def _at_norm(rules: _Rules, module: torch.nn.Module, args: tuple[Any, ...], y: Any) -> torch.Tensor | None:
    """Return the norm's output with the gradient size · weight."""
    if not args or not _concerns(args[0]):
        return None
    x, known = args[0], module in rules.norms
    if not known:
        rules.norms[module] = norm_of(module, x)
    return _with_gradient_of(y, with_constant_size(rules.norms[module], x, y, tried=None if known else module))


# ── attention ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _attention(rules: _Rules, implementation: str, call: InterfaceCall) -> torch.Tensor:
    """Call `implementation`; its softmax has the rule's temperature, a soft cap's tanh (Gemma 2) its own gradient.

    Shapes: [batch, heads, n, head_dim] in, [batch, n, heads, head_dim] out.
    """
    code = inspect.unwrap(type(call.module).forward).__globals__
    default = eager_of(call.module) if implementation == "eager" else None
    attend: Callable[..., tuple[torch.Tensor, torch.Tensor | None]]
    attend = code["ALL_ATTENTION_FUNCTIONS"].get_interface(implementation, default)
    parts = [_share(x, share) for x, share in zip((call.query, call.key, call.value), rules.steps.shares, strict=True)]

    def run(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, temperature: float) -> torch.Tensor:
        if temperature == 1:
            return attend(call.module, query, key, value, call.mask, **call.options)[0]
        rest = cooled(call, temperature)
        return attend(call.module, query / temperature, key, value, rest.mask, **rest.options)[0]

    with unobserved():  # the shares are those of all its products
        if type(call.module) not in rules.tried:
            check_temperature(attend, call, rules.steps.temperature)
            rules.tried.add(type(call.module))
        output = tempered(run, parts, rules.steps.temperature)
    # A mask or a bias may depend on the input too (Doge): then the steps that made it need rules.
    nodes = (getattr(x, "grad_fn", None) for x in (*parts, call.mask, *call.options.values()))
    _note(rules, output, tuple(node for node in nodes if node is not None))
    return output


# ── products ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _at_product(rules: _Rules, product: Product) -> torch.Tensor | None:
    """Return the output of a product by the uniform rule, if both matrices depend on the input, otherwise None.

    A product with a constant is a linear step. A softmax whose shares are multiplied keeps its ordinary gradient.
    """
    depends = [_concerns(x) for x in product.operands]
    if not any(depends) or not (all(depends) or product.is_attention):
        return None
    if product.fused:
        shares: tuple[float, ...] = rules.steps.shares
    elif rules.constant_weights and product.is_attention:
        shares = tuple(0.0 if made_of else 1.0 for made_of in product.shares)
    else:
        shares = (0.5, 0.5) if all(depends) else (1.0, 1.0)
    parts = [_share(x, share) for x, share in zip(product.operands, shares, strict=True)]
    output = _run_product(product, parts, rules.steps.temperature)
    nodes = [getattr(x, "grad_fn", None) for x in (*parts, *product.others)]
    _note(rules, output, tuple(node for node in nodes if node is not None))
    for softmax in (softmax for made_of in product.shares for softmax in made_of):
        if rules.made is not None and softmax.made is not None:
            rules.made[softmax.made] = () if softmax.given is None else (softmax.given,)
    return output


def _run_product(product: Product, parts: list[torch.Tensor], temperature: float) -> torch.Tensor:
    """Return the product of `parts`; the softmax of a fused attention goes backward at a temperature."""
    if not product.fused:
        return product.of(*parts)

    def run(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, temperature: float) -> torch.Tensor:
        if temperature == 1:
            return product.of(query, key, value)
        return product.cooled(temperature).of(query / temperature, key, value)

    return tempered(run, parts, temperature)


# ── no step without a rule ────────────────────────────────────────────────────────────────────────────────────────────


def _note(rules: _Rules, output: torch.Tensor, before: tuple[Node, ...]) -> None:
    """Record that all steps between `before` and `output` have their rule."""
    if rules.made is not None and output.grad_fn is not None:
        rules.made[output.grad_fn] = before


def _at_head(rules: _Rules, _module: torch.nn.Module, args: tuple[Any, ...]) -> None:
    if args and _concerns(args[0]):
        rules.end = args[0]


def _at_end(rules: _Rules, model: torch.nn.Module, _args: Any, output: Any) -> None:
    """Check the graph of the first pass. Raises: UnsupportedMethod."""
    import torch

    end = rules.end if rules.end is not None else output if isinstance(output, torch.Tensor) else output[0]
    made, rules.end, rules.latest = rules.made, None, None
    if made is None or end.grad_fn is None:
        return
    rules.made = None
    step = step_without_rule(end.grad_fn, made)
    if step is not None:
        name = type(model).__name__
        raise UnsupportedMethod(f"There is no relevance rule for a step of {name} ({step}).", cure=CURE)
