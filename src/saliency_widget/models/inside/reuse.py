"""Prefix reuse: a causal model does not read the unchanged beginning of a changed text again.

The text after a change is short, and different for every change. So one pass reads many such ends in a single sequence:
a mask and given positions let each see only the keys and values of the text before its change, and its own. No row is
computed twice, and there is no padding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import UnsupportedMethod
from ...types import Inputs
from ..causal import CausalModel
from .caches import given_cache, kept_cache
from .hooks import Answer, answering, head_inputs
from .long_texts import read_and_keep, reads_in_slices
from .probe import OTHER, is_causal, near, remembers, way_of
from .ways import Forward, Way

if TYPE_CHECKING:
    import torch

    from ..base import Model
    from .long_texts import Kept

# ((start, embeddings [s, d] of the rows from start on) a changed text, positions [k]) → logits and head [1, p, …]: of
# each text in turn at those of the positions that are not before its start.
Ends = Callable[[Sequence[tuple[int, "torch.Tensor"]], "torch.Tensor"], Forward]


class Reading(NamedTuple):
    """A text that was read, and the function that reads it again with other ends."""

    output: Forward
    ends: Ends | None


def read_once(model: Model, inputs: Inputs, embeddings: torch.Tensor, positions: torch.Tensor) -> Reading:
    """Read `embeddings` [1, m, d], the first of `inputs`.

    Return logits and head at `positions`, and keep keys and values.

    `ends` is None where the model keeps something else (sliding windows, state spaces, two texts) or ignores mask and
    positions; this is tried on a short text, and the caller tries it on the text itself.
    """
    causal = isinstance(model, CausalModel) and is_causal(model)
    if not causal or not model.facts.once("keeps", lambda: _packing_is_right(model), model.check_weights):
        return Reading(model.network(inputs)(embeddings, positions), None)
    assert isinstance(model, CausalModel), "no other is causal here"
    output, kept = _read(model, inputs, embeddings, positions)
    if not _is_plain(model, kept):
        return Reading(output, None)
    return Reading(output, _checked_ends(model, inputs, embeddings, read_ends(model, inputs, kept)))


def _checked_ends(model: CausalModel, inputs: Inputs, embeddings: torch.Tensor, packed: Ends) -> Ends:
    """Compare `packed` with a plain pass over its last text whenever that reaches back farther than any text before.

    A window may count places in the sequence instead of positions, or a table of them may end. Then, and from then on,
    each text is read by itself.
    """
    network, facts = model.network(inputs), model.facts

    def apart(texts: Sequence[tuple[int, torch.Tensor]], positions: torch.Tensor) -> Forward:
        import torch

        found = []
        for start, rows in texts:
            whole = torch.cat([embeddings[0, :start], rows])[None]
            found.append(network(whole, positions).logits[:, positions >= start])
        return Forward(torch.cat(found, dim=1), None)

    def read(texts: Sequence[tuple[int, torch.Tensor]], positions: torch.Tensor) -> Forward:
        if not facts.found["keeps"]:
            return apart(texts, positions)
        try:
            output = packed(texts, positions)
        except (IndexError, KeyError, TypeError, ValueError, RuntimeError) as error:
            if "memory" in str(error):
                raise
            model.check_weights()
            facts.found["keeps"] = False
            return apart(texts, positions)
        # How far a row of the last text is from the first key that it sees, counted in the sequence.
        start = texts[-1][0]
        reach = sum(len(rows) for _, rows in texts) + embeddings.shape[1] if start else len(texts[-1][1])
        if reach > facts.packed:
            last = apart(texts[-1:], positions).logits
            if not near(output.logits[:, -last.shape[1] :], last, model, OTHER):
                model.check_weights()
                facts.found["keeps"] = False
                return apart(texts, positions)
            facts.packed = reach
        return output

    return read


def _read(model: CausalModel, inputs: Inputs, embeddings: torch.Tensor, at: torch.Tensor) -> tuple[Forward, Any]:
    """Run one pass with a cache. Return its output and the cache, or None."""
    import torch

    if reads_in_slices(model, embeddings.shape[1]):
        output, layers = read_and_keep(model, inputs, embeddings, at)
        return output, _cache_of(model, layers)
    ids = torch.tensor([inputs.ids[: embeddings.shape[1]]], device=model.device)
    return _pass(model, embeddings, at, input_ids=ids)


def _pass(model: CausalModel, embeddings: torch.Tensor, at: torch.Tensor, **given: Any) -> tuple[Forward, Any]:
    network, head = model.model, model.model.get_output_embeddings()
    answer = Answer(network.get_input_embeddings(), given["input_ids"], embeddings)
    with answering([answer]), head_inputs(head, at) as heads:
        output = network(use_cache=True, **given)
    kept = kept_cache(output)  # a state space model has none of this kind
    if len(heads) == 1:
        return Forward(output.logits, heads[0]), kept
    return Forward(output.logits[:, at], None), kept


def _cache_of(model: CausalModel, layers: Kept) -> Any:
    """Return a cache of transformers with these keys and values."""
    from transformers import DynamicCache

    cache = DynamicCache(config=model.model.config)
    for index, (keys, values) in enumerate(layers):
        cache.update(keys, values, index)
    return cache


def _is_plain(model: CausalModel, kept: Any) -> bool:
    """Return whether the cache holds keys and values of the whole past, for as many layers as an empty cache has."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    if type(kept) is not DynamicCache or any(type(layer) is not DynamicLayer for layer in kept.layers):
        return False
    own = len(DynamicCache(config=model.model.config).layers)  # without a config it grows as it is filled
    return own in (0, len(kept.layers)) and all(layer.keys is not None for layer in kept.layers)


def read_ends(model: CausalModel, inputs: Inputs, kept: Any) -> Ends:
    """Return the function that reads the ends of changed texts on from `kept`, many in one pass."""
    import torch

    n = kept.layers[0].keys.shape[2]

    def read(texts: Sequence[tuple[int, torch.Tensor]], positions: torch.Tensor) -> Forward:
        device = kept.layers[0].keys.device
        where = [torch.arange(start, start + len(rows), device=device) for start, rows in texts]
        starts = torch.tensor([start for start, _ in texts], device=device)
        lengths = torch.tensor([len(rows) for _, rows in texts], device=device)
        text = torch.arange(len(texts), device=device).repeat_interleave(lengths)  # which text a row is of
        row = torch.cat(where)
        before = torch.arange(n, device=device)[None] < starts[text][:, None]  # of the text as it was read
        own = (text[:, None] == text) & (row[:, None] >= row)
        sees = torch.cat([before, own], dim=1)
        embeddings = torch.cat([rows for _, rows in texts])[None]
        mask = torch.zeros(sees.shape, dtype=embeddings.dtype, device=device)
        mask.masked_fill_(~sees, torch.finfo(mask.dtype).min)
        first = lengths.cumsum(0) - lengths - starts  # a row's place in the sequence, less its place in its text
        wanted = positions[None] >= starts[:, None]
        cache = _cache_of(model, [(layer.keys, layer.values) for layer in kept.layers])
        output, _ = _pass(
            model,
            embeddings,
            (first[:, None] + positions)[wanted],
            input_ids=torch.tensor([inputs.ids], device=device)[:, row],
            position_ids=row[None],
            attention_mask=mask[None, None],
            **given_cache(model.model, cache),
        )
        return output

    return read


def _packing_is_right(model: Model) -> bool:
    """Return whether the ends of three changed texts, read in one pass, have the same logits as the whole texts."""
    import torch

    inputs = Inputs((), model.some_ids(12))
    fresh = model.fresh()
    if not isinstance(fresh, CausalModel) or remembers(model) or way_of(model) is Way.WHOLE:
        return False
    at = torch.tensor([2, 4, 6, 11], device=model.device)
    text = fresh.embed(inputs)
    changed = torch.cat([text, text, text])
    changed[0, 2], changed[1, 4], changed[2, 6] = text[0, 5], -text[0, 1], text[0, 9]
    starts = (2, 4, 6)
    try:
        with torch.no_grad():
            _, kept = _read(fresh, inputs, text, at)
            if not _is_plain(fresh, kept):
                return False
            given = [(start, changed[i, start:]) for i, start in enumerate(starts)]
            ends = read_ends(fresh, inputs, kept)(given, at).logits[0]
            whole = fresh.network(inputs)(changed, at).logits
    except (TypeError, ValueError, RuntimeError, IndexError, AttributeError, KeyError, UnsupportedMethod):
        return False  # a family that takes no positions, or no such mask
    whole = torch.cat([whole[i, [int(p) >= start for p in at]] for i, start in enumerate(starts)])
    return near(ends, whole, model, OTHER)
