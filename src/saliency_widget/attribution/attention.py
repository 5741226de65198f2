"""Attention weights (the homework's second map), attention rollout, and value zeroing."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..checks import one_of
from ..errors import InputError, UnsupportedMethod
from .engine import ONE_PASS, Schedule, in_passes
from .memory import check_fits, in_batches
from .problem import Atoms, Chunk, Problem, Progress, atoms_of, chunk_of
from .settings import Settings, check_index
from .spot_check import of_logits

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from ..models.base import Model
    from ..models.inside.attention import Kind

_KINDS: tuple[Kind, ...] = ("self", "cross")
_COLUMNS = 8  # that value zeroing does at a time, so that the map fills while one looks


# ── attention ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionSettings(Settings):
    """The settings of the attention method: which layers and heads it shows.

    `layer`, `head`: an index from 0, or None for all of them. `reduction`: how they are pooled: by their "mean" or
    "max".
    """

    layer: int | None = None
    head: int | None = None
    reduction: Literal["mean", "max"] = "mean"

    def __post_init__(self) -> None:
        one_of("reduction", self.reduction, ("mean", "max"))

    def described(self) -> dict[str, str]:
        """Return the settings without the reduction if one head of one layer is chosen, which needs none."""
        chosen = Settings.described(self)
        if {"layer", "head"} <= chosen.keys():
            del chosen["reduction"]
        return chosen

    def check(self, model: Model) -> None:
        """Raise InputError for a layer or head that does not exist."""
        check_index("layer", self.layer, model.n_layers, model)
        check_index("head", self.head, model.n_heads, model)


def attention(problem: Problem, schedule: Schedule) -> Iterator[Chunk]:
    """Compute the attention weight from the position that predicts the target to each token that it sees.

    scores[i, j] in [0, 1]: the mean over heads and layers unless the settings choose one. A column of means sums to 1
    (less in a family with attention sinks), with a source to 2: 1 for the cross attention to the source, and 1 for the
    self-attention of the decoder; both matrices are one, as in inseq.
    All columns of a classifier are equal: the attention of the position that its head reads.
    Cost: one forward pass for every 256 columns. In a long text the weights of the queries from the first of these
    columns on are computed alone, where the model reads on from keys and values that it kept.
    Source: the weights are Bahdanau et al. 2015, arXiv:1409.0473; whether they explain: Jain & Wallace 2019,
    arXiv:1902.10186.
    """
    import torch

    read, with_source = problem.access.attention, bool(problem.n_source)

    def work(cols: list[int]) -> Chunk:
        atoms = atoms_of(problem, cols)
        queries, of_column = _distinct(read.queries(atoms.n_read, atoms.at))
        looks: dict[Kind, _PooledWeights] = {
            kind: _PooledWeights(queries, problem.settings) for kind in _KINDS[: 1 + with_source]
        }

        def record(kind: Kind, layer: int, start: int, weights: torch.Tensor) -> None:
            if kind in looks:
                looks[kind].add(layer, start, weights)

        logits = read.run(atoms.n_read, atoms.at, record, first=int(queries.min()))
        rows = torch.cat([looks[kind].reduced() for kind in reversed(looks)], dim=1)  # the source comes first
        return chunk_of(problem, cols, rows[of_column], logits, check=of_logits(problem, cols, logits))

    return in_passes(problem, schedule, work)


class _PooledWeights:
    """Pools the weights at some queries over heads and layers as they come, without waiting for the device."""

    def __init__(self, queries: torch.Tensor, settings: AttentionSettings) -> None:
        self._at, self._which = queries.unique(return_inverse=True)  # type: ignore[no-untyped-call]  # torch
        self._positions: list[int] = self._at.tolist()  # [q], ascending; `_which` [k, p] says which each query is
        self._settings = settings
        self._rows: torch.Tensor | None = None  # [q, keys], of all layers so far
        self._layers: set[int] = set()
        self._calls = 0

    def add(self, layer: int, start: int, weights: torch.Tensor) -> None:
        """Add a block of one layer: [heads, block, keys]."""
        self._layers.add(layer)
        chosen = self._settings
        if chosen.layer not in (None, layer):
            return
        if chosen.head is not None and chosen.head >= len(weights):
            raise InputError(
                f"There is no head {chosen.head}: layer {layer} has {len(weights)}.", cure="Leave head= out."
            )
        self._calls += start <= self._positions[0] < start + weights.shape[1]
        if self._rows is None:
            self._rows = weights.new_zeros(len(self._positions), weights.shape[2]).float()
            self._at = self._at.to(weights.device)
        here = slice(*(bisect_left(self._positions, edge) for edge in (start, start + weights.shape[1])))
        heads = weights if chosen.head is None else weights[chosen.head, None]
        rows = heads[:, (self._at[here] - start).to(weights.device)].float()  # [heads, q, keys]
        if chosen.reduction == "max":
            self._rows[here] = self._rows[here].maximum(rows.amax(dim=0).to(self._rows.device))
        else:
            self._rows[here] += rows.mean(dim=0).to(self._rows.device)

    def reduced(self) -> torch.Tensor:
        """Return the weights [k, keys] pooled over layers, on the CPU.

        Raises: InputError if the chosen layer has no attention.
        """
        if self._rows is None:
            there = ", ".join(map(str, sorted(self._layers)))
            raise InputError(f"Layer {self._settings.layer} has no attention.", cure=f"Those that have: {there}.")
        rows = self._rows if self._settings.reduction == "max" else self._rows / self._calls
        return rows.cpu()[self._which].mean(dim=1)


def every_head(problem: Problem, col: int) -> tuple[list[int], NDArray[np.float32]]:
    """Compute `attention` of one column for each head of each layer.

    Return the layers that have attention, and float32 [layers, heads, n_rows]: NaN where a layer has fewer heads or the
    target cannot see the row.
    """
    read, atoms = problem.access.attention, atoms_of(problem, [col])
    (queries,) = read.queries(atoms.n_read, atoms.at).tolist()
    kinds: tuple[Kind, ...] = ("cross", "self") if problem.n_source else ("self",)  # the source comes first
    width = {"cross": problem.n_source, "self": atoms.n_read - problem.n_source}
    sums: dict[tuple[int, Kind], torch.Tensor] = {}  # [heads, keys], of all queries and calls
    calls: Counter[tuple[int, Kind]] = Counter()

    def record(kind: Kind, layer: int, start: int, weights: torch.Tensor) -> None:
        if kind not in kinds:
            return
        here = [query - start for query in queries if start <= query < start + weights.shape[1]]
        found = weights[:, here].float().sum(dim=1)
        sums[layer, kind] = sums[layer, kind] + found if (layer, kind) in sums else found
        calls[layer, kind] += start <= min(queries) < start + weights.shape[1]

    read.run(atoms.n_read, atoms.at, record, first=min(queries))
    layers = sorted({layer for layer, _ in sums})
    n_heads = max(len(found) for found in sums.values())
    out = np.full((len(layers), n_heads, problem.n_rows), np.nan, dtype=np.float32)
    for (layer, kind), found in sums.items():
        first = 0 if kind == kinds[0] else problem.n_source
        mean = found / (len(queries) * calls[layer, kind])
        out[layers.index(layer), : len(found), first : first + width[kind]] = mean.cpu().numpy()
    return layers, out


# ── attention rollout ────────────────────────────────────────────────────────────────────────────────────────────


def attention_rollout(problem: Problem, schedule: Schedule) -> Iterator[Chunk]:
    """Compute attention rollout: the product of the layers' attention, each mixed half and half with the identity.

    scores[i, j] in [0, 1]: entry (position that predicts target j, i) of the product of ½ A + ½ I over the layers, A
    the mean over the heads. Each column sums to 1 (less in a family with attention sinks).
    With a source, the product also contains the cross attention and the layers of the encoder.
    Cost: one forward pass for every 256 columns, and a product of [n, n] matrices for each layer.
    Raises: OutOfMemory, before any pass, for a text whose [n, n] matrices do not fit.
    Source: Abnar & Zuidema 2020, arXiv:2005.00928.
    """
    read = problem.access.attention
    device = problem.embeddings.device
    # Float32: the shares before and after a layer, their mixture and its product.
    check_fits(
        device, lambda n: 16 * n * n, problem.n_rows, "Attention rollout", "Take attention, or shorten the text."
    )

    def work(cols: list[int]) -> Chunk:
        atoms = atoms_of(problem, cols)
        queries, of_column = _distinct(read.queries(atoms.n_read, atoms.at))
        flow = _Rollout(problem.n_source, atoms.n_read, atoms.at.device)
        logits = read.run(atoms.n_read, atoms.at, flow.add, once=True)
        if flow.calls < read.n_layers:
            raise UnsupportedMethod(
                f"{flow.calls} of {read.n_layers} layers tell attention, so it cannot be followed through the others.",
                cure="Use attention, which is the mean over those, or saliency or occlusion.",
            )
        rows = flow.text[queries.to(atoms.at.device)].mean(dim=1).cpu()
        return chunk_of(problem, cols, rows[of_column], logits, check=of_logits(problem, cols, logits))

    return in_passes(problem, schedule, work)


class _Rollout:
    """The share of each input token in each position, after the layers so far.

    `text` [n - n_source, n]: in the decoder's positions, of source and text. `source` [n_source, n_source].
    """

    def __init__(self, n_source: int, n: int, device: torch.device) -> None:
        import torch

        self.source = torch.eye(n_source, device=device)
        self.text = torch.eye(n, device=device)[n_source:]
        self._before = self.text
        self.calls = 0  # of attention within the text

    def add(self, kind: Kind, _layer: int, start: int, weights: torch.Tensor) -> None:
        """Add a block of one layer: weights [heads, block, keys]."""
        mean = weights.float().mean(dim=0).to(self.text.device)  # [block, keys]
        rows = slice(start, start + len(mean))
        self.calls += kind == "self" and start == 0
        if start == 0:  # the layer's other blocks need what was before it
            self._before = self.source if kind == "encoder" else self.text
        mixed = self._before[rows] / 2
        if kind == "cross":
            mixed[:, : len(self.source)] += mean @ self.source / 2
        else:
            mixed += mean @ self._before / 2
        if start == 0:
            after = self._before.clone()
            if kind == "encoder":
                self.source = after
            else:
                self.text = after
        (self.source if kind == "encoder" else self.text)[rows] = mixed


# ── value zeroing ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroingSettings(Settings):
    """`layer`: an index from 0, or None for the mean over all of them."""

    layer: int | None = None

    def check(self, model: Model) -> None:
        """Raise InputError for a layer that does not exist."""
        check_index("layer", self.layer, model.n_layers, model)


def value_zeroing(problem: Problem, schedule: Schedule) -> Iterator[Chunk | Progress]:
    """Compute how far a layer's output at the predicting position turns if one token's value in attention is zero.

    scores[i, j] in [0, 2]: the cosine distance, averaged over the layers unless one is chosen. The weights do not
    change, and every layer starts from its true input. With a source, source tokens are zeroed in the cross attention,
    the decoder's tokens in its self-attention.
    Cost: one text in a batched forward pass for each column; n texts if the head pools all n positions.
    Source: Mohebbi et al. 2023, arXiv:2301.12971.
    """
    import torch

    read = problem.access.attention
    same = len({t.position for t in problem.targets}) == 1  # classes: one pass is for all of them
    take = ONE_PASS if same else 1
    while cols := schedule.take(take if problem.causal else 1):
        atoms = atoms_of(problem, cols)
        queries: list[list[int]] = read.queries(atoms.n_read, atoms.at).tolist()
        seen = {query: problem.targets[col].n_seen for col, per in zip(cols, queries, strict=True) for query in per}
        pairs = [(query, row) for query, n in seen.items() for row in range(n)]
        moved = {query: np.zeros(atoms.n_read, np.float32) for query in seen}
        done, logits = 0, None
        for batch, (distances, answers) in _zeroed(problem, atoms, pairs):
            for (query, row), distance in zip(pairs[batch], distances.tolist(), strict=True):
                moved[query][row] = distance
            done, logits, size = batch.stop, answers, batch.stop - batch.start
            if done < len(pairs) and not len(schedule):  # otherwise the columns show the progress
                yield Progress(-(-done // size), -(-len(pairs) // size))
        assert logits is not None, "every column sees a row"
        rows = np.stack([np.mean([moved[query] for query in per], axis=0) for per in queries])
        check = of_logits(problem, cols, logits)
        yield chunk_of(problem, cols, torch.from_numpy(rows), logits, check=check)
        take = max(take, _COLUMNS)


def _zeroed(
    problem: Problem, atoms: Atoms, pairs: list[tuple[int, int]]
) -> Iterator[tuple[slice, tuple[torch.Tensor, torch.Tensor]]]:
    """Yield the distances of as many pairs of query and row as fit in one pass, and the logits of the atoms."""
    import torch

    def work(batch: slice) -> tuple[torch.Tensor, torch.Tensor]:
        at, rows = (torch.tensor(side) for side in zip(*pairs[batch], strict=True))
        return problem.access.zeroed(atoms.n_read, atoms.at, at, rows, problem.settings.layer)

    each = np.ones(len(pairs), dtype=int)
    return in_batches(each, _most_pairs(problem), work, "a single column of this map", least=atoms.n_read)


def _most_pairs(problem: Problem) -> int:
    """Return the number of pairs of query and row in one pass: each is a position with a dozen arrays of layer width.

    The widest of a layer is taken as four times the embedding. On a CPU more than a few texts at a time gain nothing.
    """
    _, n, d = problem.embeddings.shape
    fit = problem.memory_budget // (12 * 4 * d * problem.embeddings.element_size())
    return max(n, min(fit, max(8 * n, 4096)))


# ── shared ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _distinct(queries: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the different ones [k, p] of queries [a, p], and the index of each atom's [a]. All classes share one."""
    distinct: tuple[torch.Tensor, torch.Tensor]
    distinct = queries.cpu().unique(dim=0, return_inverse=True)  # type: ignore[no-untyped-call]  # torch
    return distinct
