"""Value zeroing: each layer's output if one token's value were zero, for many tokens and all layers in one pass.

In a transformer layer only attention connects positions. So the rest of the layer can process any set of positions
side by side, and "position i without token j" is an additional position: a slot. Every layer processes the text, and
then texts of slots, each with the hidden state of its position. In attention a slot gets the output of its position
minus weight(i, j) · value(j); the weights stay. After the layer the slots are compared with their positions and
dropped. So every layer starts from the true hidden states, and n changed outputs cost one more text, not n.

Each pass tests that assumption: empty slots (no token zeroed) must equal their positions after each layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import InputError, UnsupportedMethod
from . import probe
from .attention import AttentionReader, Kind, Kinds, answering, forward, layers_in, numbering, why_no_rollout
from .calls import Block, Call, plain
from .interface import InterfaceCall

if TYPE_CHECKING:
    import torch

    from ..base import Model

_CURE = "Use saliency, occlusion or random."


def why_no_zeroing(model: Model) -> str | None:
    """Return the reason why no value can be zeroed in this model, as a sentence; None if no reason is known."""
    return why_no_rollout(model)


def zeroing_pass(
    reader: AttentionReader, n: int, at: torch.Tensor, queries: torch.Tensor, rows: torch.Tensor, layer: int | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return how far a layer's output at position queries[i] moves if the value of row rows[i] is zero.

    `queries` [p]: positions of the text; `rows` [p]: of source and text together. A row of the source is zeroed in the
    cross attention, a row of the text in the self-attention; the encoder is unchanged. Returns the cosine distances
    [p] in [0, 2], averaged over the layers or those of one layer; and the logits at `at`.
    Cost: one pass over the first n rows, where the decoder's layers have 1 + ceil(p / text) texts to work on.
    Raises: UnsupportedMethod if a layer mixes positions other than by attention; InputError
    where there is no such layer.
    """
    reader = reader.for_a_pass()
    name = type(reader.model.model).__name__
    if _masks_by_input(reader.model):
        raise UnsupportedMethod(
            f"The masks of {name} depend on its input, so a value cannot be zeroed while the weights stay.",
            cure=_CURE,
        )
    work = _work(reader, n, queries, rows, layer, _layout_of(reader.model))
    try:
        logits = work.run(reader, n, at)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        if work.n_texts is None or "memory" in str(error):
            raise
        raise UnsupportedMethod(
            f"The layers of {name} do not work on other hidden states than those of the text.", cure=_CURE
        ) from error
    if work.total is None and work.there:
        raise InputError(f"Layer {layer} of {reader.model.name} has no attention.", cure="Leave layer= out.")
    if work.total is None:
        raise UnsupportedMethod(f"In {name} no layer is seen to multiply its attention with values.", cure=_CURE)
    if layer is None and work.layers < reader.n_layers:
        raise UnsupportedMethod(
            f"{work.layers} of {reader.n_layers} layers multiply attention with values, so what tokens give each other "
            "in the others stays.",
            cure="Choose one of them (layer=), or use saliency or occlusion.",
        )
    if work.in_parts:
        raise UnsupportedMethod(f"In {name} a layer is several modules, so what it gives is not seen.", cure=_CURE)
    if not work.holds(work.total[len(rows) :] / work.layers):
        raise UnsupportedMethod(
            f"In {name} tokens reach each other not by attention alone, so there is more to take out than values.",
            cure=_CURE,
        )
    return work.total[: len(rows)] / work.layers, logits


def _masks_by_input(model: Model) -> bool:
    """Return whether a mask or bias of the attention depends on the input, as Doge's does. Tried once per model."""
    import torch

    def look() -> bool:
        found: list[bool] = []

        def hear(call: Call) -> torch.Tensor:
            if isinstance(call, InterfaceCall):
                found.extend(bool(getattr(x, "requires_grad", False)) for x in (call.mask, *call.options.values()))
            return plain(call)

        inputs, inside = probe.short_text(model), model.fresh()
        at = torch.tensor(probe.positions_of(inputs), device=model.device)
        with torch.enable_grad(), answering(inside, hear):
            inside.direct(inputs, probe.way_of(model))(inside.embed(inputs).requires_grad_(), at)
        return any(found)

    return bool(model.facts.once("masks_by_input", look, model.check_weights))


class _Layout(NamedTuple):
    """The layout of hidden states in the layers of a model."""

    texts_first: bool = True  # [texts, m, d]; else [m, texts, d], as in FSMT and XLNet
    several: bool = True  # whether several texts, with whatever else a layer is given made for one of them


def _layout_of(model: Model) -> _Layout:
    """Find the layout in which the layers of a shadow take slots: all texts at once, or one after another.

    Tried once a model.
    """
    import torch

    def look() -> _Layout:
        inputs = probe.short_text(model)
        m, n_source = len(inputs.ids), len(inputs.source)
        at = torch.tensor([n_source + m - 1], device=model.device)
        queries = torch.arange(m).repeat(2)
        rows = torch.cat([torch.arange(m) + n_source, torch.zeros(m, dtype=torch.long)])
        texts_first = True
        for layout in (_Layout(), _Layout(texts_first=False)):
            reader = AttentionReader(model.fresh(), inputs)
            work = _work(reader, n_source + m, queries, rows, None, layout)
            try:
                work.run(reader, n_source + m, at)
            except (RuntimeError, ValueError, IndexError, TypeError):
                texts_first = layout.texts_first
                break
            if work.total is not None:
                return layout._replace(several=work.holds(work.total[2 * m :] / work.layers))
        return _Layout(texts_first, several=False)

    found: _Layout = model.facts.once("layout_of_layers", look, model.check_weights)
    return found


def _work(
    reader: AttentionReader, n: int, queries: torch.Tensor, rows: torch.Tensor, layer: int | None, layout: _Layout
) -> _Zeroing:
    n_source = len(reader.inputs.source)
    slots = _Slots.of(queries, rows, n_source=n_source, width=n - n_source)
    return _Zeroing(slots=slots.to(reader.model.device), kinds=reader.kinds, layer=layer, layout=layout)


@dataclass(frozen=True)
class _Slots:
    """Slots, each a position without one token, as texts of the given width. Slots behind the wanted ones are empty."""

    queries: torch.Tensor  # [s] positions of the text
    text: torch.Tensor  # [s] the row of the text that is missing; -1 for none
    source: torch.Tensor  # [s] the same of the source
    width: int  # positions of a text; s is a multiple of it

    @classmethod
    def of(cls, queries: torch.Tensor, rows: torch.Tensor, *, n_source: int, width: int) -> _Slots:
        """Return slots, with at least one empty slot for each position in `queries`."""
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
        """Return the slots on another device: a model may be spread over several."""
        return _Slots(self.queries.to(device), self.text.to(device), self.source.to(device), self.width)


@dataclass(eq=False)
class _Zeroing:
    """The state of one pass: it handles attention, and wraps every layer."""

    slots: _Slots
    kinds: Kinds
    layer: int | None
    layout: _Layout
    total: torch.Tensor | None = None  # [s] distances, added up over layers
    layers: int = 0
    there: set[int] = field(default_factory=set)  # layers that have attention
    eps: float = 0.0  # relative precision of the numbers
    _unexplained: list[torch.Tensor] = field(
        default_factory=list
    )  # shares of outputs that are not weights times values
    _number: Any = field(default_factory=numbering)
    _given: tuple[torch.Tensor, Any, Any] | None = None  # the slots' inputs and the layer's other arguments
    _texts: slice | None = None  # the texts of slots that the layer processes; None for the text itself
    _current: int | None = None  # the layer whose attention was computed last, or None
    _changed: torch.Tensor | None = None  # [s, heads, head_dim]: what its slots get from attention
    _latest: torch.Tensor | None = None  # what the layer before gave, if it has attention
    _other: torch.Tensor | None = None  # whether the current layer has another input
    _apart: list[torch.Tensor] = field(default_factory=list)  # the same of layers without attention

    def run(self, reader: AttentionReader, n: int, at: torch.Tensor) -> torch.Tensor:
        """Run the pass. Return the logits [a, vocabulary] at `at`."""
        model = reader.model
        root = model.model.get_decoder() if model.has_source else model.model
        with answering(model, self.attend, lambda: self.n_texts or 1), self.beside_every_layer(root):
            return forward(model, reader.inputs, n, at)

    @property
    def n_texts(self) -> int | None:
        """Return the number of texts of slots in the present call; None outside a layer."""
        return None if self._texts is None else self._texts.stop - self._texts.start

    # ── in attention ─────────────────────────────────────────────────────────────────────────────────────────────

    def attend(self, call: Call) -> torch.Tensor:
        """Compute the model's own attention; a slot gets its position's output less the missing token's part."""
        kind = self.kinds.get(call.module, "self")
        if self._given is None or kind == "encoder":
            return plain(call)
        if self._texts is not None:
            return self._of_slots(call, kind, self._texts)
        if kind == "cross":
            return plain(call)
        if self._current is not None:
            raise UnsupportedMethod(f"{type(call.module).__name__} is used twice in a layer.", cure=_CURE)
        self._current = self._number(call.module, kind)
        self.there.add(self._current)
        return self._of_text(call)

    def _of_text(self, call: Call) -> torch.Tensor:
        """Return the text's own output, and each slot's, whose query is that of its position in the text."""
        import torch

        slots, values = self.slots.to(call.values.device), call.values[0]  # [heads, keys, head_dim]
        missing = torch.zeros((), device=values.device)
        outputs = []
        for block in call.blocks():
            self._explain(block, values)
            at, size = slots.queries - block.start, block.weights.shape[2]
            here = (at >= 0) & (at < size) & (slots.text >= 0)
            taken = block.weights[0, :, at.clamp(0, size - 1), slots.text.clamp(min=0)] * here  # [heads, s]
            missing = missing + taken[..., None] * values[:, slots.text.clamp(min=0)]  # [heads, s, head_dim]
            outputs.append(block.output)
        output = torch.cat(outputs, dim=1)  # [1, width, heads, head_dim]
        self._changed = output[0, slots.queries] - missing.transpose(0, 1)
        return output

    def _of_slots(self, call: Call, kind: Kind, texts: slice) -> torch.Tensor:
        """Return the slots' outputs of attention [texts, width, heads, head_dim]."""
        if kind == "cross":
            return self._cross(call, texts)
        assert self._changed is not None, "a layer is first at work on the text"
        return self._changed.view(-1, self.slots.width, *self._changed.shape[1:])[texts]

    def _cross(self, call: Call, texts: slice) -> torch.Tensor:
        """Return the slots' outputs of cross-attention: each slot has its own query, because its text lacks a token."""
        import torch

        call = call.of_first_text(queries=False)
        slots, values = self.slots.to(call.values.device), call.values[0]
        rows = slots.source.view(-1, slots.width)[texts]  # [texts, width]
        outputs = []
        for block in call.blocks():
            self._explain(block, values)
            part = rows[:, block.start : block.start + block.weights.shape[2]]
            index = part.clamp(min=0)[:, None, :, None].expand(-1, block.weights.shape[1], -1, -1)
            taken = block.weights.gather(-1, index)[..., 0] * (part >= 0)[:, None]  # [texts, heads, block]
            missing = taken[..., None] * values[:, part.clamp(min=0)].transpose(0, 1)
            outputs.append(block.output - missing.transpose(1, 2))
        return torch.cat(outputs, dim=1)

    def _explain(self, block: Block, values: torch.Tensor) -> None:
        """Check, at the last query of a block, whether the output is weights times values."""
        given = _wide(block.output[0, -1])  # [heads, head_dim]
        made = (_wide(block.weights[0, :, -1:]) @ _wide(values))[:, 0]
        self._unexplained.append((given - made).abs().max() / given.abs().max().clamp(min=1e-30))

    def holds(self, empty: torch.Tensor) -> bool:
        """Return whether the distances of empty slots from their positions are within rounding.

        Errors of a few units grow through a layer; with TF32 a GPU keeps ten bits of float32.
        """
        import torch

        eps = self.eps if torch.get_float32_matmul_precision() == "highest" else max(self.eps, 1e-3)
        worst = torch.stack([empty.amax().sqrt(), *(share.to(empty) for share in self._unexplained)]).amax()
        return float(worst) <= 50 * eps

    @property
    def in_parts(self) -> bool:
        """Return whether a module without attention follows one with it but reads another input: parts of one layer.

        XLM has lists of attentions, norms and networks, and adds up what they give by itself.
        """
        return any(bool(apart) for apart in self._apart)

    # ── around every layer ───────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def beside_every_layer(self, root: Any) -> Iterator[None]:
        """Enter a context in which the layers below `root` also process slots, after the text."""

        def before(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if self._texts is None:
                hidden: Any = args[0] if args else kwargs.get("hidden_states")
                self._given = None
                if self._is_text(hidden):
                    self._given = (self._slots_of(hidden), args, kwargs)
                    latest = self._latest
                    self._other = None if latest is None else (latest.to(hidden.device) != hidden).any()
                self._current = self._changed = None

        def after(module: Any, _args: Any, _kwargs: Any, output: Any) -> None:
            if self._texts is not None or self._given is None:
                return
            if self._current is not None and self.layer in (None, self._current):
                self._compare(module, self._given, output)
            if self._current is None and self._other is not None:
                self._apart.append(self._other)
            self._given = None
            self._latest = None if self._current is None else _first(output)

        with ExitStack() as stack:
            for layer in layers_in(root):
                # Before the user's hooks, which change a layer's input each time that it runs.
                stack.callback(layer.register_forward_pre_hook(before, with_kwargs=True, prepend=True).remove)
                stack.callback(layer.register_forward_hook(after, with_kwargs=True).remove)
            yield

    def _is_text(self, hidden: Any) -> bool:
        one = (1, self.slots.width) if self.layout.texts_first else (self.slots.width, 1)
        return getattr(hidden, "ndim", 0) == 3 and hidden.shape[:2] == one

    def _compare(self, layer: Any, given: tuple[torch.Tensor, Any, Any], output: Any) -> None:
        """Compute the distance of each slot of a layer's output from its position: 1 - cos = ½‖u - v‖² of unit vectors.

        This form is exact even if the two are close.
        """
        import torch

        slots, args, kwargs = given
        at = self.slots.queries.view(slots.shape[:2]).to(slots.device)
        own = self._unit(output)[0]  # [m, d]
        at_once = len(slots) if self.layout.several else 1
        distances = []
        for first in range(0, len(slots), at_once):
            self._texts = part = slice(first, first + at_once)
            hidden = self._laid(slots[part])
            again = layer(hidden, *args[1:], **kwargs) if args else layer(**{**kwargs, "hidden_states": hidden})
            distances.append((self._unit(again) - own[at[part]]).square().sum(dim=-1) / 2)
        self._texts = None
        distance = torch.cat(distances).flatten()
        # Parts of a layer compute in float32 in many families, whatever its weights are.
        self.eps = max(self.eps, torch.finfo(slots.dtype).eps, torch.finfo(torch.float32).eps)
        self.total = distance if self.total is None else self.total + distance.to(self.total.device)
        self.layers += 1

    def _slots_of(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the slots' hidden states [texts, width, d], taken from those of the text."""
        slots: torch.Tensor = self._laid(hidden)[0, self.slots.queries.to(hidden.device)]
        return slots.view(-1, self.slots.width, slots.shape[-1])

    def _laid(self, hidden: torch.Tensor) -> torch.Tensor:
        """Convert [texts, m, d] to the layout of a layer, or back."""
        return hidden if self.layout.texts_first else hidden.transpose(0, 1)

    def _unit(self, output: Any) -> torch.Tensor:
        """Return a layer's output as unit vectors [texts, m, d]."""
        import torch

        return torch.nn.functional.normalize(_wide(self._laid(_first(output))), dim=-1)


def _first(output: Any) -> Any:
    return output[0] if isinstance(output, tuple | list) else output


def _wide(t: torch.Tensor) -> torch.Tensor:
    """Convert to float32, unless it is wider."""
    import torch

    return t if t.dtype == torch.float64 else t.float()
