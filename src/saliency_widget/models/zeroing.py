"""Value zeroing: what a layer's output would be if one token gave it nothing, for many tokens and all layers at once.

In a transformer layer only attention lets positions see each other. So what comes behind it may be computed for any
set of positions side by side, and "position i without token j" is a position of its own: a slot. Every layer gets the
text as it is, and behind it in the batch as many texts full of slots as are needed, each slot with the hidden state of
its position. In attention a slot gets what its position got, less weight(i, j) · value(j): the weights stay. The rest
of the layer sees nothing strange; after it the slots are compared with their positions and dropped. So every layer
starts from the true hidden states, and n changed outputs cost one more text in the batch, not n.

That a layer is really like that, is not believed: empty slots (nothing taken out) must come out as their positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import InputError, UnsupportedMethod
from .attention import (
    AttentionReader,
    Call,
    Kinds,
    attending,
    blocks,
    forward,
    has_interface,
    layers_in,
    numbering,
    plain,
    why_no_rollout,
)

if TYPE_CHECKING:
    import torch

    from .base import Model

# Families whose decoder layers take it that source and texts come in equal numbers; in others one source does for all.
_ONE_BATCH = ("UMT5",)

_CURE = "Use saliency, occlusion or random."


def why_no_zeroing(model: Model) -> str | None:
    """Why no value can be taken out of this model's attention, in one sentence; None where no reason is known."""
    reason = why_no_rollout(model)
    if reason is None and not has_interface(model):
        reason = f"{type(model.model).__name__} computes attention in its own code, where no value can be taken out."
    return reason


def zeroing_pass(
    reader: AttentionReader, n: int, at: torch.Tensor, queries: torch.Tensor, rows: torch.Tensor, layer: int | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """How far a layer's output at position queries[i] moves when row rows[i] gives it no value.

    `queries` [p]: positions of the text; `rows` [p]: of source and text together. A row of the source is taken out of
    the attention to the source, a row of the text out of that to the text; of the encoder nothing is.
    Gives the cosine distances [p], from 0 to 2, the mean over the layers or those of one; and the logits at `at`.
    Cost: one pass over the first n rows, where the decoder's layers have 1 + ceil(p / text) texts to work on.
    Raises: UnsupportedMethod where a layer lets positions see each other by other ways than attention; InputError
    where there is no such layer.
    """
    reader = reader.for_a_pass()
    model, inputs = reader.model, reader.inputs
    slots = _Slots.of(queries, rows, n_source=len(inputs.source), width=n - len(inputs.source))
    work = _Zeroing(slots=slots.to(at.device), kinds=reader.kinds, layer=layer)
    root = model.model.get_decoder() if model.has_source else model.model
    with attending(model.model, work.attend), work.beside_every_layer(root):
        try:
            logits = forward(model, inputs, n, at)
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            if "memory" in str(error):
                raise
            raise UnsupportedMethod(
                f"The layers of {type(model.model).__name__} do not work on more texts than the model was given.",
                cure=_CURE,
            ) from error
    if work.total is None and work.there:
        raise InputError(f"Layer {layer} of {model.name} has no attention.", cure="Leave layer= out.")
    if work.total is None or not work.holds(work.total[len(rows) :] / work.layers):
        raise UnsupportedMethod(
            f"In {type(model.model).__name__} tokens reach each other not by attention alone, so there is more to take "
            "out than values.",
            cure=_CURE,
        )
    return work.total[: len(rows)] / work.layers, logits


@dataclass(frozen=True)
class _Slots:
    """Positions that lack a token each, as texts of the given width. Those behind the wanted ones are empty."""

    queries: torch.Tensor  # [s] positions of the text
    text: torch.Tensor  # [s] the row of the text that is missing; -1 for none
    source: torch.Tensor  # [s] the same of the source
    width: int  # positions of a text; s is a multiple of it

    @classmethod
    def of(cls, queries: torch.Tensor, rows: torch.Tensor, *, n_source: int, width: int) -> _Slots:
        """At least one empty slot for each position in `queries`."""
        import torch

        every = torch.unique(queries)
        empty = every.repeat(-(-width // len(every)) + 1)
        total = -(-(len(queries) + len(every)) // width) * width
        rows = torch.cat([rows, rows.new_full((total - len(rows),), -1)])
        return cls(
            queries=torch.cat([queries, empty[: total - len(queries)]]),
            text=torch.where(rows >= n_source, rows - n_source, -1),
            source=torch.where(rows < n_source, rows, -1),
            width=width,
        )

    def to(self, device: torch.device) -> _Slots:
        """The same on another device: a model may be spread over several."""
        return _Slots(self.queries.to(device), self.text.to(device), self.source.to(device), self.width)


@dataclass(eq=False)
class _Zeroing:
    """One pass: what happens in attention, and around every layer."""

    slots: _Slots
    kinds: Kinds
    layer: int | None
    total: torch.Tensor | None = None  # [s] distances, added up over layers
    layers: int = 0
    there: set[int] = field(default_factory=set)  # layers that have attention
    eps: float = 0.0  # relative precision of the numbers
    _unexplained: list[torch.Tensor] = field(
        default_factory=list
    )  # shares of outputs that are not weights times values
    _number: Any = field(default_factory=numbering)
    _within: bool = False  # a layer is at work on slots
    _current: int | None = None  # the layer whose attention was heard last; None before it was

    # ── in attention ─────────────────────────────────────────────────────────────────────────────────────────────

    def attend(self, call: Call) -> torch.Tensor:
        """The model's own attention, and for the slots that of their positions, less what is missing."""
        kind = self.kinds.get(call.module, "self")
        if not self._within or kind == "encoder":
            return plain(call)
        if kind == "cross":
            return self._cross(call)
        if self._current is not None:
            raise UnsupportedMethod(f"{type(call.module).__name__} is used twice in a layer.", cure=_CURE)
        self._current = self._number(call.module, kind)
        self.there.add(self._current)
        return self._self(call)

    def _self(self, call: Call) -> torch.Tensor:
        """Only the text itself is computed: slots have the queries of other positions than where they stand."""
        import torch

        call = call._replace(query=call.query[:1], key=call.key[:1], value=call.value[:1])
        slots, values = self.slots.to(call.query.device), _of_heads(call)
        missing = torch.zeros((), device=call.query.device)
        outputs = []
        for start, output, weights in blocks(call):
            self._explain(output, weights, values)
            at, size = slots.queries - start, weights.shape[2]
            here = (at >= 0) & (at < size) & (slots.text >= 0)
            taken = weights[0, :, at.clamp(0, size - 1), slots.text.clamp(min=0)] * here  # [heads, s]
            missing = missing + taken[..., None] * values[:, slots.text.clamp(min=0)]  # [heads, s, head_dim]
            outputs.append(output)
        output = torch.cat(outputs, dim=1)  # [1, width, heads, head_dim]
        changed = output[0, slots.queries] - missing.transpose(0, 1)
        return torch.cat([output, changed.view(-1, *output.shape[1:])])

    def _cross(self, call: Call) -> torch.Tensor:
        """Slots that lack a token of the text already look at the source in another way: all have queries of theirs."""
        import torch

        call = call._replace(key=call.key[:1], value=call.value[:1])
        slots, values = self.slots.to(call.query.device), _of_heads(call)
        rows = slots.source.view(-1, slots.width)  # [texts, width]
        outputs = []
        for start, output, weights in blocks(call):
            self._explain(output, weights, values)
            part = rows[:, start : start + weights.shape[2]]
            index = part.clamp(min=0)[:, None, :, None].expand(-1, weights.shape[1], -1, -1)
            taken = weights[1:].gather(-1, index)[..., 0] * (part >= 0)[:, None]  # [texts, heads, block]
            missing = taken[..., None] * values[:, part.clamp(min=0)].transpose(0, 1)
            outputs.append(torch.cat([output[:1], output[1:] - missing.transpose(1, 2)]))
        return torch.cat(outputs, dim=1)

    def _explain(self, output: torch.Tensor, weights: torch.Tensor, values: torch.Tensor) -> None:
        """Looks, at the last query of a block, whether the output is weights times values."""
        given = _wide(output[0, -1])  # [heads, head_dim]
        made = (_wide(weights[0, :, -1:]) @ _wide(values))[:, 0]
        self._unexplained.append((given - made).abs().max() / given.abs().max().clamp(min=1e-30))

    def holds(self, empty: torch.Tensor) -> bool:
        """Whether slots without a missing token, at these distances, came out as their positions, but for rounding.

        Errors of a few units grow through a layer; with TF32 a GPU keeps ten bits of float32.
        """
        import torch

        eps = self.eps if torch.get_float32_matmul_precision() == "highest" else max(self.eps, 1e-3)
        worst = torch.stack([empty.amax().sqrt(), *(share.to(empty) for share in self._unexplained)]).amax()
        return float(worst) <= 50 * eps

    # ── around every layer ───────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def beside_every_layer(self, root: Any) -> Iterator[None]:
        """Within it, the layers below `root` work on slots beside the text."""

        def before(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            hidden: Any = args[0] if args else kwargs.get("hidden_states")
            if not self._is_text(hidden):
                return None
            self._within, self._current = True, None
            wide = self._widened(hidden)
            if type(module).__name__.startswith(_ONE_BATCH):
                args = tuple(self._repeated(given) for given in args)
                kwargs = {name: self._repeated(given) for name, given in kwargs.items()}
            return ((wide, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": wide})

        def after(_module: Any, _args: Any, output: Any) -> Any:
            if not self._within:
                return None
            self._within = False
            parts = output if isinstance(output, tuple) else (output,)
            self._compare(parts[0])
            texts = len(parts[0])
            own = tuple(p[:1] if getattr(p, "ndim", 0) and len(p) == texts else p for p in parts)
            return own if isinstance(output, tuple) else own[0]

        with ExitStack() as stack:
            for layer in layers_in(root):
                stack.callback(layer.register_forward_pre_hook(before, with_kwargs=True).remove)
                stack.callback(layer.register_forward_hook(after).remove)
            yield

    def _is_text(self, hidden: Any) -> bool:
        return getattr(hidden, "ndim", 0) == 3 and hidden.shape[:2] == (1, self.slots.width)

    def _widened(self, hidden: torch.Tensor) -> torch.Tensor:
        """The text [1, width, d], and slots behind it: [1 + texts, width, d]."""
        import torch

        slots = hidden[0, self.slots.queries.to(hidden.device)].view(-1, *hidden.shape[1:])
        return torch.cat([hidden, slots])

    def _repeated(self, given: Any) -> Any:
        """A source [1, n, d], once for each text."""
        texts = len(self.slots.queries) // self.slots.width + 1
        return given.expand(texts, -1, -1) if getattr(given, "ndim", 0) == 3 and len(given) == 1 else given

    def _compare(self, hidden: torch.Tensor) -> None:
        """How far each slot of a layer's output is from its position: 1 - cos = ½‖u - v‖² of unit vectors.

        So written, it loses nothing where they are close.
        """
        import torch

        if self._current is None or self.layer not in (None, self._current):
            return
        self.eps = max(self.eps, torch.finfo(hidden.dtype).eps)
        unit = torch.nn.functional.normalize(_wide(hidden), dim=-1)
        own = unit[0, self.slots.queries.to(hidden.device)]  # [s, d]
        distance = (unit[1:].reshape(own.shape) - own).square().sum(dim=-1) / 2
        self.total = distance if self.total is None else self.total + distance.to(self.total.device)
        self.layers += 1


def _of_heads(call: Call) -> torch.Tensor:
    """Values [heads, keys, head_dim] of the text; where several heads share them, once for each."""
    values = call.value[0]
    return values.repeat_interleave(call.query.shape[1] // len(values), dim=0)


def _wide(t: torch.Tensor) -> torch.Tensor:
    """In float32 at least."""
    import torch

    return t if t.dtype == torch.float64 else t.float()
