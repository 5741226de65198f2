"""Attention weights of any model, a layer at a time.

Families on transformers' attention interface: a function of ours takes the place of the model's own eager one, see
`inside.interface`. Families with attention of their own return their weights when asked, all layers at once. Where they
do not, a softmax that is multiplied with values shows the weights, see `inside.products`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from ...errors import UnsupportedMethod
from ...types import Inputs
from . import probe
from .calls import Call, Handler, multiplied, plain
from .interface import answering_as, attending
from .long_texts import kept_bytes, read_from
from .products import weighing

if TYPE_CHECKING:
    import torch

    from ..base import Model

# The kinds of attention: of the text to itself, of the text to the source, of the source to itself.
Kind = Literal["self", "cross", "encoder"]

# Called with (kind, layer, first query of the block, weights [heads, block, keys]), layer by layer.
Recorder = Callable[[Kind, int, int, "torch.Tensor"], None]

# Of each attention module of an encoder-decoder model, what kind it is. All modules of other models are "self".
Kinds = Mapping["torch.nn.Module", Kind]

_SKIPPED = 256  # queries whose weights are worth leaving out: a text is then read in two parts
_ROUNDING = 0.02  # by which weights in half precision may miss a sum of 1

# Families that never have the weights of every pair of tokens: they look through windows, or approximate.
_NO_MATRIX = (
    "BigBird", "Funnel", "LED", "LongT5", "Longformer", "Mra", "Nystromformer", "PegasusX", "ProphetNet", "Reformer",
    "Rwkv", "Yoso",
)  # fmt: skip

# Parts of class names: modules by which tokens reach each other without attention.
_OTHER_MIXERS = (
    "DeltaNet", "LightningAttention", "LinearAttention", "Mamba", "Mixer", "Recurrent", "SeparableConv", "ShortConv",
)  # fmt: skip

_CURE = "Use saliency, occlusion or random."


# ── which models ─────────────────────────────────────────────────────────────────────────────────────────────────


def why_no_attention(model: Model) -> str | None:
    """Return why this model's attention cannot be shown, in one sentence; None if no reason is known.

    It checks names alone. Only a pass shows a family that returns no weights when asked.
    """
    name = type(model.model).__name__
    if not model.n_heads:
        return f"{no_heads(model)}."
    if name.startswith(_NO_MATRIX):
        return f"{name} looks at parts of the text only, so there is no weight for every pair of tokens."
    return None


def no_heads(model: Model) -> str:
    """Return why the config of a model names no number of attention heads, as a clause.

    FNet and Mamba have no attention; of BLT the parts that read bytes, and groups of bytes, have heads of their own.
    """
    name, config = type(model.model).__name__, model.model.config
    parts = [part for part in vars(config).values() if getattr(part, "num_attention_heads", 0)]
    if parts:
        return f"{name} is made of parts that attend each in its own way, to groups of tokens too"
    return f"{name} has no attention between its tokens"


def other_mixer(model: Model) -> str | None:
    """Return the class of a module by which tokens reach each other without attention, or None; by names alone."""
    parts = sorted({type(module).__name__ for module in model.model.modules()})
    return next((part for part in parts if any(mixer in part for mixer in _OTHER_MIXERS)), None)


def why_no_rollout(model: Model) -> str | None:
    """Return the reason why rollout cannot run on this model, as a sentence; None if no reason is known."""
    reason = why_no_attention(model)
    if reason is not None:
        return reason
    part = other_mixer(model)
    if part is not None:
        name = type(model.model).__name__
        return f"In {name} tokens also reach each other through {part}, not by attention alone."
    return None


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _check_own_attention(model: Model) -> None:
    """Raise UnsupportedMethod if attention, called by us, does not give the model's logits.

    On the interface that is the model's eager attention; elsewhere the observed weights times the values.
    """
    import torch

    def look() -> bool:
        inputs = probe.short_text(model)
        inside, own = model.fresh(), model.fresh()
        at = torch.tensor(probe.positions_of(inputs), device=model.device)
        n = len(inputs.source) + len(inputs.ids)
        of_interface = has_interface(model)
        with answering(inside, plain if of_interface else multiplied):
            ours = forward(inside, inputs, n, at)
        with answering_as(own.model, lambda name: "eager" if of_interface else _seen_into(name)):
            expected = forward(own, inputs, n, at)
        return probe.near(ours, expected, model, probe.SAME)

    if not model.facts.once("own_attention", look, model.check_weights):
        raise UnsupportedMethod(
            f"{type(model.model).__name__} computes with its attention weights what cannot be seen from outside.",
            cure=_CURE,
        )


@dataclass(frozen=True)
class AttentionReader:
    """The `attribution.access.Reader` of a shadow on one text.

    Rows count source and text as one; queries are positions of the text alone.
    """

    model: Model
    inputs: Inputs

    def queries(self, n: int, at: torch.Tensor) -> torch.Tensor:
        """Return the positions [a, p] from which the logits at rows `at` [a] are read: one, or all that a head pools.

        A classifier's head reads the first position, the last or the mean of all; one pass finds which.
        """
        from ..classifier import ClassifierModel

        if isinstance(self.model, ClassifierModel):
            return _pooled(self.model, self.inputs, n).to(at.device).expand(len(at), -1)
        return (at - len(self.inputs.source))[:, None]

    def run(self, n: int, at: torch.Tensor, record: Recorder, *, once: bool = False, first: int = 0) -> torch.Tensor:
        """Run one pass over the first n rows and hand each layer's weights to `record`. Return the logits at `at`.

        `first`: the first query whose weights are wanted. In a long text those before it are not computed, where the
        model is on the interface and reads on from kept keys and values.
        Raises: UnsupportedMethod if no layer shows its weights, or if they are no shares of the text's tokens;
        and, with `once`, where a layer has two attentions (DiffLlama).
        """
        name = type(self.model.model).__name__
        heard: Counter[Kind] = Counter()
        beyond: list[torch.Tensor] = []  # of a row of each layer: how far its weights are from shares of 1
        n_source = len(self.inputs.source)
        queries: dict[Kind, int] = {"self": n - n_source, "cross": n - n_source, "encoder": n_source}
        keys: dict[Kind, int] = {"self": n - n_source, "cross": n_source, "encoder": n_source}

        def hear(kind: Kind, layer: int, start: int, weights: torch.Tensor) -> None:
            for found, there, what in (
                (weights.shape[2], keys[kind], "at {} keys"),
                (max(start + weights.shape[1], queries[kind]), queries[kind], "from {} places"),
            ):
                if found != there:
                    raise UnsupportedMethod(
                        f"{name} looks {what.format(found)} where the text has {there} tokens, so its weights cannot "
                        "be told by token.",
                        cure=_CURE,
                    )
            where = (kind, in_layer[0] or layer)  # handed out after the pass, or while it is in a layer
            if once and start == 0 and where in told:
                raise UnsupportedMethod(f"{name} looks more than once in a layer.", cure=_CURE)
            told.add(where)
            beyond.append(_beyond_shares(weights[:, -1]).cpu())
            heard[kind] += 1
            record(kind, layer, start, weights)

        on = self.for_a_pass()
        in_layer = [0]  # how many layers were entered
        told: set[tuple[Kind, int]] = set()

        def enter(*_: Any) -> None:
            in_layer[0] += 1

        if not has_interface(on.model) and hands_out(on.model):
            logits = on.handed_out(n, at, hear)
        else:
            _check_own_attention(on.model)
            with ExitStack() as stack:
                for layer in layers_in(on.model.model):
                    stack.callback(layer.register_forward_pre_hook(enter).remove)
                logits = on.from_query(0 if once else first, n, at, hear)
        if _needed(self.model) - set(heard):
            raise UnsupportedMethod(f"{name} does not hand out its attention weights.", cure=_CURE)
        if max(float(value) for value in beyond) > _ROUNDING:
            raise UnsupportedMethod(f"What {name} hands out are no weights: they are not shares of 1.", cure=_CURE)
        return logits

    def from_query(self, first: int, n: int, at: torch.Tensor, record: Recorder) -> torch.Tensor:
        """Do what `run` does by attention of our own, without the weights of the queries before `first` where it may.

        It may in a long text, on the interface, if the model reads on from kept keys and values.
        """
        model = self.model
        if first < _SKIPPED or not has_interface(model) or not kept_bytes(model, n):
            with answering(model, recording(self.kinds, record)):
                return forward(model, self.inputs, n, at)
        later = recording(self.kinds, lambda kind, layer, start, w: record(kind, layer, first + start, w))
        return read_from(model, self.inputs.at(range(n)), first, at, lambda: answering(model, later))

    @property
    def n_layers(self) -> int:
        """Return how many layers the model (of two parts, the decoder) has."""
        return self.model.n_layers

    @cached_property
    def kinds(self) -> Kinds:
        """Return the kind of each attention module; only for families on the interface."""
        return kinds_of(self.model, self.inputs)

    def for_a_pass(self) -> AttentionReader:
        """Return a reader over a shadow without traces of another text: itself, for most models."""
        return AttentionReader(self.model.fresh(), self.inputs) if probe.remembers(self.model) else self

    def handed_out(self, n: int, at: torch.Tensor, record: Recorder) -> torch.Tensor:
        """Do what `run` does with the weights that the model returns by itself, all layers at once."""
        with _asking_for_weights(self.model.model) as outputs:
            logits = forward(self.model, self.inputs, n, at)
        output, n_source = outputs[0], len(self.inputs.source)
        m = n - n_source
        if not n_source:
            _tell(output.get("attentions"), "self", (m, m), record)
            return logits
        _tell(output.get("encoder_attentions"), "encoder", (n_source, n_source), record)
        parts = (output.get("decoder_attentions"), output.get("cross_attentions"))
        for layer, (own, cross) in enumerate(zip(*(part or () for part in parts), strict=False)):
            _tell([own], "self", (m, m), record, first=layer)
            _tell([cross], "cross", (m, n_source), record, first=layer)
        return logits


def _needed(model: Model) -> set[Kind]:
    return {"self", "cross", "encoder"} if model.has_source else {"self"}


def _beyond_shares(weights: torch.Tensor) -> torch.Tensor:
    """Return the largest distance of some rows of weights [..., keys] from shares that sum to 1."""
    rows = weights.detach().float()
    return (rows.sum(-1) - 1).amax().maximum(-rows.amin())


def hands_out(model: Model) -> bool:
    """Return whether a shadow returns its weights when asked; tried once for each model.

    They must be shares, and the pass that returns them must give the model's logits (Falcon's eager attention adds its
    biases twice).
    """
    import torch

    def look() -> bool:
        heard: dict[Kind, float] = {}

        def hear(kind: Kind, _layer: int, _start: int, weights: torch.Tensor) -> None:
            heard[kind] = max(heard.get(kind, 0.0), float(_beyond_shares(weights)))

        inputs, inside = probe.short_text(model), model.fresh()
        n = len(inputs.source) + len(inputs.ids)
        at = torch.tensor(probe.positions_of(inputs), device=model.device)
        try:
            logits = AttentionReader(model.fresh(), inputs).handed_out(n, at, hear)
        except (TypeError, ValueError, AttributeError):  # code that knows no output_attentions, or gives a tuple
            return False
        shares = not _needed(model) - heard.keys() and max(heard.values()) <= _ROUNDING
        return shares and probe.near(logits, forward(inside, inputs, n, at), model, probe.OTHER)

    return bool(model.facts.once("hands_out", look, model.check_weights))


def forward(model: Model, inputs: Inputs, n: int, at: torch.Tensor) -> torch.Tensor:
    """Run one pass of this shadow over the first n rows. Return the logits [a, vocabulary] at `at`.

    It reads no later row: a network that is not causal would attend to it.
    """
    import torch

    with torch.no_grad():
        return model.direct(inputs, probe.way_of(model))(model.embed(inputs)[:, :n], at).logits[0]


def _tell(layers: Any, kind: Kind, shape: tuple[int, int], record: Recorder, *, first: int = 0) -> None:
    """Hand the weights [1, heads, queries, keys] of each layer to the recorder, unless they are no full matrix."""
    for layer, weights in enumerate(layers or (), start=first):
        if getattr(weights, "ndim", 0) == 4 and weights.shape[2:] == shape:
            record(kind, layer, 0, weights[0])


# ── every attention of a pass ────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def answering(model: Model, handler: Handler, n_texts: Callable[[], int] = lambda: 1) -> Iterator[None]:
    """Enter a context in which `handler` computes every attention of a shadow.

    On the interface its name is "eager"; elsewhere the model's own code calls it, unless that code is a fused kernel.
    `n_texts`: the number of texts in a layer's present input.
    """
    if has_interface(model):
        with attending(model.model, handler):
            yield
    else:
        with answering_as(model.model, _seen_into), weighing(model.model, handler, n_texts):
            yield


def _seen_into(implementation: str | None) -> str | None:
    return implementation if implementation in (None, "eager", "sdpa") else "eager"


def has_interface(model: Model) -> bool:
    """Return whether the code of a shadow uses transformers' attention interface; tried once for each model."""
    import torch

    def look() -> bool:
        heard: list[Any] = []

        def hear(call: Call) -> torch.Tensor:
            heard.append(call.module)
            return plain(call)

        inputs, inside = probe.short_text(model), model.fresh()
        n = len(inputs.source) + len(inputs.ids)
        with attending(inside.model, hear):
            forward(inside, inputs, n, torch.tensor([n - 1], device=model.device))
        return bool(heard)

    return bool(model.facts.once("has_interface", look, model.check_weights))


def recording(kinds: Kinds, record: Recorder) -> Handler:
    """Return a handler that computes the model's own attention and hands its weights to `record`."""
    import torch

    number = numbering()

    def handle(call: Call) -> torch.Tensor:
        kind = kinds.get(call.module, "self")
        layer = number(call.module, kind)
        outputs = []
        for start, output, weights in call.blocks():
            record(kind, layer, start, weights[0])
            outputs.append(output)
        return torch.cat(outputs, dim=1)

    return handle


def numbering() -> Callable[[Any, Kind], int]:
    """Return a function from a call to its layer: the module's own number, or the count of calls of its kind."""
    calls: Counter[Kind] = Counter()

    def number(module: Any, kind: Kind) -> int:
        index = getattr(module, "layer_idx", None)
        calls[kind] += 1
        return index if isinstance(index, int) else calls[kind] - 1

    return number


def kinds_of(model: Model, inputs: Inputs) -> Kinds:
    """Find the kind of each attention module by its number of keys in a pass over two tokens of source and one of text.

    Raises: UnsupportedMethod for a module that attends to both at once.
    """
    import torch

    if not model.has_source:
        return {}
    encoder = set(model.model.get_encoder().modules())
    found: dict[Any, Kind] = {}

    def handle(call: Call) -> torch.Tensor:
        if call.n_keys > 2:
            raise UnsupportedMethod(
                f"{type(call.module).__name__} looks at source and text in one, so they cannot be told apart.",
                cure=_CURE,
            )
        found[call.module] = "encoder" if call.module in encoder else "self" if call.n_keys == 1 else "cross"
        return plain(call)

    shortest = Inputs(inputs.ids[:1] * 2, inputs.ids[:1])
    with answering(model, handle):
        forward(model, shortest, 3, torch.tensor([2], device=model.device))
    return found


# ── families with attention of their own ─────────────────────────────────────────────────────────────────────────


@contextmanager
def _asking_for_weights(model: Any) -> Iterator[list[Any]]:
    """Enter a context in which a pass of a shadow returns its weights; the list holds the model's outputs."""
    outputs: list[Any] = []

    def ask(_module: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return args, {**kwargs, "output_attentions": True}

    with ExitStack() as stack:
        # `set_attn_implementation` would refuse, with a warning; a mask may depend on it.
        stack.enter_context(answering_as(model, lambda _name: "eager"))
        stack.callback(model.register_forward_pre_hook(ask, with_kwargs=True).remove)
        stack.callback(model.register_forward_hook(lambda _module, _args, output: outputs.append(output)).remove)
        yield outputs


# ── what a classifier's head reads ───────────────────────────────────────────────────────────────────────────────


def _pooled(model: Model, inputs: Inputs, n: int) -> torch.Tensor:
    """Return the positions [p] of the last layer's output that the logits depend on: those with a gradient.

    Families pool the first token, the last that is no padding, or the mean, some by their config; gradients show which.
    Raises: UnsupportedMethod if no layers are found.
    """
    import torch

    last: list[torch.Tensor] = []

    def cut(_module: Any, _args: Any, output: Any) -> Any:
        """Cut the graph behind every layer: at the end it holds only the part behind the last one."""
        hidden = output[0] if isinstance(output, tuple | list) else output
        if not isinstance(hidden, torch.Tensor):
            return None
        if not hidden.is_floating_point() or hidden.numel() != n * hidden.shape[-1]:
            return None
        last[:] = [hidden.detach().requires_grad_()]
        given = last[0].clone()  # XLM writes into it
        if isinstance(output, list):
            return [given, *output[1:]]
        return (given, *output[1:]) if isinstance(output, tuple) else given

    with ExitStack() as stack:
        for layer in layers_in(model.model):
            stack.callback(layer.register_forward_hook(cut).remove)
        with torch.enable_grad():
            at = torch.tensor([n - 1], device=model.device)
            logits = model.direct(inputs, probe.way_of(model))(model.embed(inputs)[:, :n], at).logits[0, 0]
        gradient: torch.Tensor | None = None
        if last and logits.requires_grad:
            weights = torch.linspace(1, 2, len(logits), dtype=logits.dtype, device=logits.device)
            (gradient,) = torch.autograd.grad((logits * weights).sum(), last, allow_unused=True)
    if gradient is None or not gradient.any():  # no layers, or a head without gradient, as a quantised one
        raise UnsupportedMethod(f"What the head of {type(model.model).__name__} reads cannot be found out.", cure=_CURE)
    return gradient.reshape(n, -1).abs().amax(dim=-1).nonzero()[:, 0]


def layers_in(root: Any) -> Iterator[Any]:
    """Yield the members of the outermost lists of modules, which are the layers in any family."""
    from torch import nn

    for child in root.children():
        yield from child if isinstance(child, nn.ModuleList) else layers_in(child)
