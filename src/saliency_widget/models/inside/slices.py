"""A causal text read in slices over a cache of keys and values, forward and backward: memory grows with its length.

Where a model holds the attention weights of every pair of tokens, a pass over n tokens takes layers × heads × n²
numbers. In slices of s tokens it takes s × n: the forward pass leaves each slice's keys and values behind, and nothing
else. The backward pass goes through the slices from the last to the first. Each is read again with a graph, gives the
slices before it the gradients of their keys and values, and is dropped. No number is left out: it is the whole
gradient. (Recomputation as in Chen et al. 2016, arXiv:1604.06174, along the text instead of the layers.)

It imports torch and transformers, so it is imported late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

from ...errors import UnsupportedMethod
from .caches import given_cache
from .checkpointing import checkpointed
from .hooks import Answer, answering, logits_of
from .ways import Forward

_CURE = "Use a model whose vocabulary projection is a module of its own."

# ── the cache ────────────────────────────────────────────────────────────────────────────────────────────────────


class _Place:
    """The slice that a pass reads: rows `start` … of n. Every layer of a cache shares one.

    `column`: whose gradients a backward pass computes.
    """

    def __init__(self, n: int) -> None:
        self.n, self.start, self.column = n, 0, 0


class _Store:
    """The keys (or values) of one layer, [b, heads, n, width], and their gradients [k, b, heads, n, width]."""

    def __init__(self, place: _Place) -> None:
        self.place = place
        self.filled = 0
        self.kept: torch.Tensor | None = None
        self.gradients: torch.Tensor | None = None
        self.new: torch.Tensor | None = None  # those of the slice that was read last, with their graph

    def update(self, new: torch.Tensor) -> torch.Tensor:
        """Return the numbers of all rows up to the end of this slice; the slice is written when it is read first."""
        start, end = self.place.start, self.place.start + new.shape[2]
        if self.kept is None:
            self.kept = new.detach().new_empty(*new.shape[:2], self.place.n, new.shape[3])
        if self.filled < end:
            with torch.no_grad():
                self.kept[:, :, start:end] = new
            self.filled = end
        self.new = new
        seen = self.kept[:, :, :end]
        if not (torch.is_grad_enabled() and new.requires_grad):
            return seen
        found: torch.Tensor = _Kept.apply(new, seen, self)  # type: ignore[no-untyped-call] # torch
        return found

    def gradient(self, column: int) -> torch.Tensor:
        """Return the gradient that later slices gave to the present one, in the type of its numbers."""
        assert self.new is not None
        assert self.gradients is not None
        rows = slice(self.place.start, self.place.start + self.new.shape[2])
        return self.gradients[column, :, :, rows].to(self.new)


class _Kept(torch.autograd.Function):
    """The rows that a layer attends to: those that were kept, and the new ones at their end, as they were kept."""

    @staticmethod
    def forward(ctx: Any, _new: torch.Tensor, seen: torch.Tensor, store: _Store) -> torch.Tensor:
        ctx.store = store
        return seen.view_as(seen)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        store: _Store = ctx.store
        start = store.place.start
        if start:
            assert store.gradients is not None
            store.gradients[store.place.column, :, :, :start] += gradient[:, :, :start]
        return gradient[:, :, start:], None, None


class _Layer(CacheLayerMixin):  # type: ignore[misc] # transformers
    """One layer's cache, as transformers asks for it."""

    def __init__(self, place: _Place) -> None:
        super().__init__()
        self.place = place
        self.stores = (_Store(place), _Store(place))

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Do nothing: the first update knows the shapes."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the keys and values of the text up to the end of this slice."""
        keys, values = self.stores
        return keys.update(key_states), values.update(value_states)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return the number of keys, and the position of the first."""
        return self.place.start + query_length, 0

    def get_seq_length(self) -> int:
        """Return the number of rows before this slice, also after an update."""
        return self.place.start

    def get_max_length(self) -> int:
        """Return -1: the text was known before."""
        return -1


# ── the passes ───────────────────────────────────────────────────────────────────────────────────────────────────


class _Slice(NamedTuple):
    """A slice that was read with a graph. `hidden`: the head's input [b, p, hidden] at its positions, if it has any."""

    x: torch.Tensor
    hidden: torch.Tensor | None


class Slices:
    """A shadow, whose parameters are frozen, as a network that reads texts [b, m, d] of the ids [1, n] in slices.

    `starts`: the first row of each slice, from 0 on. `checkpoints`: whether each layer of a slice keeps only its input,
    too. `around`: from the first row of a slice to a context in which it is read. `given`: from the rows of a slice,
    the first and the last exclusive, to further arguments of its pass. `kept`: the keys and values
    [b, heads, m, width] of each layer, of the text that was read last.
    """

    def __init__(
        self,
        model: Any,
        ids: torch.Tensor,
        starts: Sequence[int],
        *,
        checkpoints: bool = False,
        around: Callable[[int], AbstractContextManager[None]] = lambda _start: nullcontext(),
        given: Callable[[int, int], Mapping[str, torch.Tensor]] = lambda _start, _end: {},
    ) -> None:
        self._model, self._ids, self._starts = model, ids, starts
        self._checkpoints, self._around, self._given = checkpoints, around, given
        self.kept: list[tuple[torch.Tensor, torch.Tensor]] = []

    def __call__(self, embeddings: torch.Tensor, positions: torch.Tensor) -> Forward:
        """Return logits and head at `positions` [a] of `embeddings` [b, m, d].

        Where gradients are wanted, `Forward.pull` computes those of the embeddings; the head is a leaf of its own.
        """
        reading = _Reading(self, embeddings, positions)
        output = reading.read()
        self.kept = reading.kept
        return output

    def bounds(self, n: int) -> list[tuple[int, int]]:
        """Return the first and the last row, exclusive, of each slice."""
        return [*pairwise([*(start for start in self._starts if start < n), n])]

    def run(self, part: torch.Tensor, start: int, cache: Cache) -> torch.Tensor:
        """Read one slice [b, s, d] from row `start` on. Return its logits, of the rows that its projection is given."""
        end = start + part.shape[1]
        ids = self._ids[:, start:end].expand(len(part), -1)
        thrifty = self._checkpoints and torch.is_grad_enabled()
        answer = Answer(self._model.get_input_embeddings(), ids, part)
        with self._around(start), answering([answer]), checkpointed(self._model) if thrifty else nullcontext():
            options = {**self._given(start, end), **given_cache(self._model, cache)}
            return logits_of(self._model(input_ids=ids, use_cache=True, **options))

    @property
    def head(self) -> Any:
        """Return the vocabulary projection."""
        return self._model.get_output_embeddings()


class _Reading:
    """A text that was read in slices, and the state from which its gradients are computed."""

    def __init__(self, slices: Slices, embeddings: torch.Tensor, positions: torch.Tensor) -> None:
        self._slices = slices
        self._embeddings = embeddings.detach()
        self._place = _Place(embeddings.shape[1])
        self._cache = Cache(layer_class_to_replicate=partial(_Layer, self._place))
        self._bounds = slices.bounds(embeddings.shape[1])
        at: list[int] = positions.tolist()
        inside = [[i for i, p in enumerate(at) if start <= p < end] for start, end in self._bounds]
        last = max(number for number, here in enumerate(inside) if here)
        self._bounds, self._inside = self._bounds[: last + 1], inside[: last + 1]
        # On the device once: a list as an index would be sent there again for each column.
        self._picked = [torch.tensor(here, dtype=torch.long, device=positions.device) for here in self._inside]
        self._at = positions
        self._wanted = torch.is_grad_enabled() and embeddings.requires_grad
        self._head: torch.Tensor | None = None  # [b, a, hidden]
        self._last: _Slice | None = None

    @property
    def _stores(self) -> list[_Store]:
        return [store for layer in self._cache.layers for store in layer.stores]

    @property
    def kept(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return the keys and values of each layer that has any."""
        pairs = [[store.kept for store in layer.stores] for layer in self._cache.layers]
        return [(keys, values) for keys, values in pairs if keys is not None and values is not None]

    def read(self) -> Forward:
        """Read the text, the last slice with a graph if gradients are wanted."""
        parts: list[torch.Tensor] = []
        for number, inside in enumerate(self._inside):
            if inside:
                made, logits = self._read(number)
                parts.append(logits)
                self._last = made if number == len(self._bounds) - 1 else None
            else:
                with torch.no_grad():
                    self._read(number)
        logits = torch.cat(parts, dim=1)[:, torch.cat(self._picked).argsort().to(parts[0].device)]
        assert self._head is not None, "`_listening` was called"
        if not self._wanted:
            return Forward(logits, self._head)
        return Forward(logits, self._head, self.pull)

    def _read(self, number: int) -> tuple[_Slice, torch.Tensor]:
        """Read a slice. Return it and its logits [b, p, vocabulary]; with no positions, those of its first row."""
        start, end = self._bounds[number]
        self._place.start = start
        x = self._embeddings[:, start:end]
        if self._wanted and torch.is_grad_enabled():
            x = x.clone().requires_grad_()
        with self._listening(number) as heard:
            logits = self._slices.run(x, start, self._cache)
        return _Slice(x, heard[0] if self._inside[number] else None), logits

    @contextmanager
    def _listening(self, number: int) -> Iterator[list[torch.Tensor]]:
        """Enter a context in which the vocabulary projection reads the chosen rows of a slice from a leaf of their own.

        The list holds these rows with their graph.
        """
        picked, heard = self._picked[number], []
        rows = self._at[picked] - self._bounds[number][0] if len(picked) else self._at.new_zeros(1)

        def pick(_module: Any, args: Any) -> tuple[Any, ...]:
            hidden = args[0] if args else None
            if not isinstance(hidden, torch.Tensor) or hidden.ndim != 3:
                raise UnsupportedMethod("The vocabulary projection reads no rows of hidden states.", cure=_CURE)
            found = hidden[:, rows.to(hidden.device)]
            heard.append(found)
            if not len(picked):
                return (found, *args[1:])
            if self._head is None:
                self._head = found.detach().new_empty(len(found), len(self._at), found.shape[2])
                self._head.requires_grad_(self._wanted)
            here = picked.to(hidden.device)
            with torch.no_grad():
                self._head[:, here] = found
            return (self._head[:, here], *args[1:])

        handle = self._slices.head.register_forward_pre_hook(pick)
        try:
            yield heard
        finally:
            handle.remove()

    def pull(self, seeds: torch.Tensor) -> torch.Tensor:
        """Return the gradients [k, b, m, d] of columns whose gradients at the head are `seeds` [k, b, a, hidden]."""
        k = len(seeds)
        out = self._embeddings.new_zeros(k, *self._embeddings.shape)
        stores = self._stores
        for store in stores:
            if store.kept is not None and len(self._bounds) > 1:
                store.gradients = torch.zeros(k, *store.kept.shape, dtype=_wide(store.kept), device=store.kept.device)
        asked: list[list[bool]] = seeds.detach().abs().amax(dim=(1, 3)).ne(0).tolist()  # NaN is not 0 either
        begun = [False] * k
        for number in reversed(range(len(self._bounds))):
            made, self._last = self._last, None
            if made is None:
                with torch.enable_grad():
                    made, _ = self._read(number)
            self._place.start = self._bounds[number][0]
            begun = [was or any(mine[i] for i in self._inside[number]) for was, mine in zip(begun, asked, strict=True)]
            cols = [col for col in range(k) if begun[col]]
            self._back(number, made, seeds, cols, out)
            for store in stores:
                store.new = None
        for store in stores:
            store.gradients = None
        return out

    def _back(self, number: int, made: _Slice, seeds: torch.Tensor, cols: Sequence[int], out: torch.Tensor) -> None:
        """Write the gradients of a slice's rows for some columns into `out`, and add those of what was kept before."""
        start, end = self._bounds[number]
        picked = self._picked[number].to(seeds.device)
        news = [store for store in self._stores if store.new is not None and store.new.requires_grad]
        later = news if number < len(self._bounds) - 1 else []
        for col in cols:
            self._place.column = col
            roots = [(store.new, store.gradient(col)) for store in later]
            if made.hidden is not None:
                roots.append((made.hidden, seeds[col][:, picked]))
            outputs, gradients = zip(*roots, strict=True)
            (out[col, :, start:end],) = torch.autograd.grad(
                outputs, made.x, gradients, retain_graph=col != cols[-1], materialize_grads=True
            )


def _wide(numbers: torch.Tensor) -> torch.dtype:
    """Return a type that sums of many slices' gradients do not lose digits in."""
    return numbers.dtype if numbers.dtype.itemsize >= 4 else torch.float32
