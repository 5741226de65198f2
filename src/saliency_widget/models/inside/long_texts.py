"""The choice of a plan for a long text: one pass, layer checkpoints or slices over a cache, by what each needs.

The bytes are measured on two short texts, not known by family: what a pass keeps for its way back grows with the
tokens, and with their pairs where attention weights are there (eager attention, soft caps, some rules). Slices keep
keys and values and their gradients, checkpoints the input of each layer: with fused attention the latter is less in
most models, and where weights are n² the former is, and is faster: later tokens' weights are never computed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from ...errors import UnsupportedMethod
from ...types import Inputs
from . import probe
from .checkpointing import checkpointed, n_checkpoints
from .graphs import has_every_gradient
from .hooks import logits_of
from .plans import Costs, Plan, Weight, too_long
from .ways import Forward, Way

if TYPE_CHECKING:
    import torch

    from .probe import Probed
    from .slices import Slices
    from .ways import Network

    Kept = list[tuple[torch.Tensor, torch.Tensor]]  # keys and values [b, heads, n, width] of each layer

LONG = 1024  # tokens from which on the reading of a text is planned
_SIZES = {"cpu": (256, 64, 16)}  # tokens of a slice, the fastest first: its weights fit into a cache
_SIZES_OF_GPUS = (1024, 256, 64, 16)
HELD = 16 << 20  # bytes of one layer's attention weights; texts with more are read in slices, also without gradients
_LENGTHS = (48, 96)  # of the texts whose graphs are measured
_TRIED = 24  # tokens of the text on which slices are tried, and those of its slices
_TRIED_SLICE = 7
_CURE = (
    "Shorten the text, free memory on the device, load the model in a smaller dtype, or take attention, or occlusion "
    'with unit="segment".'
)
# Gradients in slices may differ by this share of the largest from those of one pass.
_GRADIENTS = {"float64": 1e-5, "float32": 1e-3, "float16": 3e-2, "bfloat16": 0.2}


def network_within(model: Probed, inputs: Inputs, budget: int, free: Callable[[], int]) -> Network:
    """Return `model.network(inputs)`, whose backward pass takes the plan that a budget of bytes allows.

    The memory that a plan needs is measured when gradients are first wanted, under the rules that hold then.
    Raises, when it is called: OutOfMemory if no plan needs as little as the `free()` bytes of the device.
    """
    whole = model.network(inputs)
    found: list[Costs] = []  # of one pass, and then of slices too

    def run(embeddings: torch.Tensor, positions: torch.Tensor) -> Forward:
        import torch

        batch, n, _ = embeddings.shape
        if n < LONG or not (torch.is_grad_enabled() and embeddings.requires_grad):
            return whole(embeddings, positions)
        if not found:
            found.append(costs(model))
        if len(found) == 1 and not found[0].prefers_one_pass(n, budget // batch):
            found.append(with_slices(found[0], model, len(inputs.source) + len(inputs.ids)))
        known = found[-1]
        plan = known.plan(n, budget // batch)
        if batch * known.of(plan, n) > max(budget, free()):
            raise too_long("This map", n, lambda n: batch * known.least(n), max(budget, free()), _CURE)
        if plan.size is not None:
            return in_slices(model, inputs, plan)(embeddings, positions)
        if plan.checkpoints:
            with checkpointed(model.model):
                return whole(embeddings, positions)
        return whole(embeddings, positions)

    return run


def network_for_reading(model: Probed, inputs: Inputs, whole: Network) -> Network:
    """Return `whole`, which reads a long text in slices where a layer's attention weights would take much memory.

    It is for passes without gradients; others are passed on.
    """

    def run(embeddings: torch.Tensor, positions: torch.Tensor) -> Forward:
        import torch

        batch, n, _ = embeddings.shape
        if n < LONG or (torch.is_grad_enabled() and embeddings.requires_grad):
            return whole(embeddings, positions)
        if not reads_in_slices(model, n, batch):
            return whole(embeddings, positions)
        with torch.no_grad():
            return in_slices(model, inputs, Plan(slice_size(model)))(embeddings, positions)

    return run


def reads_in_slices(model: Probed, n: int, batch: int = 1) -> bool:
    """Return whether texts of n tokens are read in slices, also without gradients: their weights take much memory."""
    return n >= LONG and batch * _layer_bytes(model, n) > HELD and kept_bytes(model, n) > 0


def slice_size(model: Probed) -> int:
    """Return the tokens of a slice of a text that is read without gradients."""
    return _sizes(model)[0]


def read_and_keep(model: Probed, inputs: Inputs, embeddings: torch.Tensor, at: torch.Tensor) -> tuple[Forward, Kept]:
    """Return the output at `at` of a text that `reads_in_slices`, and the keys and values of each layer."""
    slices = in_slices(model, inputs, Plan(slice_size(model)))
    return slices(embeddings, at), slices.kept


def in_slices(model: Probed, inputs: Inputs, plan: Plan) -> Slices:
    """Return this shadow as a network that reads the text in slices. Right only where `kept_bytes` is not 0."""
    import torch

    from .slices import Slices

    assert plan.size is not None
    ids = torch.tensor([inputs.ids], device=model.device)
    return Slices(model.model, ids, range(0, len(inputs.ids), plan.size), checkpoints=plan.checkpoints)


def read_from(
    model: Probed, inputs: Inputs, first: int, at: torch.Tensor, around: Callable[[], AbstractContextManager[None]]
) -> torch.Tensor:
    """Return the logits [a, vocabulary] at rows `at` of a text whose rows from `first` on are read in a context.

    The rows before are read as the model reads them, in slices where their attention weights would take much memory.
    Right only where `kept_bytes` is not 0.
    """
    import torch

    from .slices import Slices

    size = slice_size(model) if _layer_bytes(model, first) > HELD else first
    starts = [*range(0, first, size), first]
    x, ids = model.embed(inputs), torch.tensor([inputs.ids], device=model.device)
    slices = Slices(model.model, ids, starts, around=lambda start: around() if start >= first else nullcontext())
    with torch.no_grad():
        return slices(x, at).logits[0]


# ── what is measured ─────────────────────────────────────────────────────────────────────────────────────────────────


def costs(model: Probed) -> Costs:
    """Return the costs of this shadow, with the hooks that it has now, in one pass."""
    x = model.embed(probe.short_text(model))
    width, wide = x.shape[2] * x.element_size(), _wide(x.element_size())
    return Costs(weigh(model), None, n_checkpoints(model.model), width, wide, _sizes(model))


def with_slices(known: Costs, model: Probed, n: int) -> Costs:
    """Return the costs also of slices, if this shadow, with its hooks, reads texts of n tokens so."""
    return known._replace(kept=(kept_bytes(model, n) if _gradients_agree(model) else 0) or None)


def bytes_a_column(model: Probed, n: int) -> int:
    """Return the bytes of keys and values, or of attention weights, that each further column of a long text needs.

    Columns that go through one backward pass have gradients of their own of these; 0 for a short text.
    """
    if n < LONG:
        return 0
    kept = kept_bytes(model, n)
    if kept:
        return int(n * kept * _wide(model.embed(probe.short_text(model)).element_size()))
    return int(2 * _layer_bytes(model, n))


def bytes_a_pass(model: Probed, n: int, *, slices: bool = False) -> float:
    """Return the bytes of attention weights that one pass over a long text holds, without gradients; else 0.

    `slices`: whether it is read in slices, whose keys and values are kept.
    """
    if n < LONG:
        return 0.0
    whole = 2 * _layer_bytes(model, n)
    return whole * min(1.0, slice_size(model) / n) + n * kept_bytes(model, n) if slices else whole


def _wide(element: int) -> int:
    """Return by how much float32, in which gradients of half precision are added up, is wider than a type."""
    return max(1, 4 // element)


def _sizes(model: Probed) -> tuple[int, ...]:
    return _SIZES.get(model.device.type, _SIZES_OF_GPUS)


def _layer_bytes(model: Probed, n: int) -> float:
    """Return the bytes of one layer's attention weights in one pass over n tokens."""
    return _weight_of(model).pair * n * n / max(1, n_checkpoints(model.model))


def _weight_of(model: Probed) -> Weight:
    """Return the weight of a model's passes, measured once; nothing where it has no way back."""

    def look() -> Weight:
        try:
            return weigh(model.fresh())
        except (UnsupportedMethod, *probe.MODEL_ERRORS):
            return Weight(0.0, 0.0)

    weight: Weight = model.facts.once("graph", look, model.check_weights)
    return weight


def weigh(model: Probed) -> Weight:
    """Return the weight of this shadow's passes, from the tensors that two short ones save. Parameters do not count."""
    import torch

    fixed = {t.untyped_storage().data_ptr() for t in (*model.model.parameters(), *model.model.buffers())}
    sizes = []
    for n in _LENGTHS:
        saved: dict[int, torch.Tensor] = {}  # they are held, so that no two have one address

        def keep(tensor: torch.Tensor, saved: dict[int, torch.Tensor] = saved) -> torch.Tensor:
            saved[tensor.untyped_storage().data_ptr()] = tensor
            return tensor

        inputs = _some_text(model, n)
        x = model.embed(inputs).requires_grad_()
        at = torch.tensor([x.shape[1] - 1], device=model.device)
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            made = model.direct(inputs, probe.way_of(model))(x, at)
        sizes.append(sum(t.untyped_storage().nbytes() for at, t in saved.items() if at not in fixed))
        del made
    (n, m), (small, large) = _LENGTHS, sizes
    pair = max(0.0, (large / m - small / n) / (m - n))
    return Weight(max(0.0, small / n - pair * n), pair)


def _some_text(model: Probed, n: int) -> Inputs:
    """Return a text of n tokens; where the model reads a source, that has nearly all of them."""
    ids = model.some_ids(n)
    return Inputs(ids[:-4], ids[:4]) if model.has_source else Inputs((), ids)


def kept_bytes(model: Probed, n: int) -> float:
    """Return the bytes of keys and values that slices keep of each token of a text of n; 0: it cannot be read so.

    Tried once for each model: the logits of a short text in slices, and those of early rows beside far positions.
    """
    kept = float(model.facts.once("slices", lambda: _logits_agree(model), model.check_weights))
    return kept if kept and _positions_agree(model, n) else 0.0


def _logits_agree(model: Probed) -> float:
    """Return the bytes of keys and values of a token if slices give the model's own logits, else 0."""
    import torch

    from .slices import Slices

    alone = probe.sees_back_alone(model) and probe.batches(model) and not probe.remembers(model)
    if not alone or probe.way_of(model) is Way.WHOLE or model.model.get_output_embeddings() is None:
        return 0.0
    ids = model.some_ids(_TRIED)
    at = torch.tensor([2, _TRIED_SLICE, _TRIED - 2, _TRIED - 1], device=model.device)
    inside, inputs = model.fresh(), Inputs((), ids)
    x = inside.embed(inputs)
    with torch.no_grad():
        expected = model.network(inputs)(x, at).logits
        try:
            slices = Slices(inside.model, torch.tensor([ids], device=model.device), range(0, _TRIED, _TRIED_SLICE))
            found = slices(x, at).logits
        except (UnsupportedMethod, *probe.MODEL_ERRORS):
            return 0.0
    if not probe.near(found, expected, model, probe.OTHER):
        return 0.0
    return sum(keys.nbytes + values.nbytes for keys, values in slices.kept) / _TRIED


def _gradients_agree(model: Probed) -> bool:
    """Return whether this shadow, with its hooks, has the same gradients in slices as in one pass."""
    import torch

    if not kept_bytes(model, _TRIED):
        return False
    inputs = Inputs((), model.some_ids(_TRIED))
    at = torch.tensor([_TRIED_SLICE + 1, _TRIED - 2, _TRIED - 1], device=model.device)
    gradients = []
    with torch.enable_grad():
        for network in (model.network(inputs), in_slices(model, inputs, Plan(_TRIED_SLICE))):
            x = model.embed(inputs).requires_grad_()
            output = network(x, at)
            assert output.head is not None, "`kept_bytes` is 0 otherwise"
            seeds = torch.ones_like(output.head).cumsum(-1).cos()  # not all alike: a norm may leave no even change
            if output.pull is None and not has_every_gradient(output.logits):
                return False
            gradients.append(
                torch.autograd.grad(output.head, x, seeds)[0] if output.pull is None else output.pull(seeds[None])[0]
            )
    return probe.near(gradients[1], gradients[0], model, _GRADIENTS)


def _positions_agree(model: Probed, n: int) -> bool:
    """Return whether early tokens are read alike in a short pass and in one that reaches to position n - 1.

    They are not where positions are encoded otherwise in longer texts (longrope, dynamic rope): each slice would be
    read as the text of another length.
    """
    facts = model.facts
    if n <= facts.sliced or not model.takes_positions:
        return True
    import torch

    ids = model.some_ids(_TRIED)
    half = _TRIED // 2
    far = [*range(half), *range(max(half, n - half), max(half, n - half) + half)]
    short, long = model.fresh(), model.fresh()
    with torch.no_grad():
        expected = logits_of(short.run(Inputs((), ids[:half])))[0]
        given = {
            "position_ids": torch.tensor([far], device=model.device),
            "attention_mask": torch.ones(1, _TRIED, dtype=torch.long, device=model.device),
        }
        try:
            found = logits_of(long.run(Inputs((), ids), **given))[0, :half]
        except probe.MODEL_ERRORS:  # a family that takes no such mask, or no such positions
            return False
    model.check_weights()
    if not probe.near(found, expected, model, probe.OTHER):
        return False
    facts.sliced = n
    return True
