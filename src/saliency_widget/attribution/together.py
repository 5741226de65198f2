"""Gradient maps of several texts in common passes, where that is exact: for runs over many short texts.

A short text alone fills a processor badly: a pass over ten tokens mostly reads weights. So texts whose prompts have
equal lengths go side by side, padded on the right, which a causal model does not see. One map of each batch is spot
checked: that of the shortest text, which has most padding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..models.causal import CausalModel
from ..models.inside import probe
from ..models.inside.checkpointing import graph_bytes
from ..models.steps import read_steps
from . import memory
from .engine import off_the_mark
from .gradient import at_least_float32, slopes
from .methods import method_of
from .pipeline import problem_of
from .problem import Atoms, Chunk, blank
from .spot_check import of_gradient

if TYPE_CHECKING:
    import torch

    from ..models.base import Model
    from ..models.text.document import Document
    from ..types import Request
    from .gradient import Reduce
    from .pipeline import Question
    from .problem import Problem, Spot

# Columns of all texts together in one batched backward pass on a CPU: at least, and as long as they have few rows.
_BACKWARD, _MOST, _ROWS = 32, 128, 2048
_COLUMNS = (4, 8)  # of each text in a pass: with more, the first ones are padded more, up to the rows of the last one
_BYTES = 48  # arrays as wide as the embedding that each row of a column takes, in numbers


class Made(NamedTuple):
    """The chunks of one text's map, and its spot check if it was the one that was checked."""

    chunks: list[Chunk]
    spot: Spot | None


def may_join(model: Model, question: Question) -> bool:
    """Return whether maps of several texts may be computed in common passes. `model` is a shadow.

    They may for methods with `Method.joins` on a causal language model that reads texts side by side as it reads each
    alone, to rounding: not in half precision, whose rounding is too coarse.
    """
    method = method_of(question.card)
    return (
        method is not None
        and method.joins is not None
        and question.col is None
        and question.through is None
        and isinstance(model, CausalModel)
        and reads_alike(model)
        and not probe.reads_ids(model)
    )


def reads_alike(model: Model) -> bool:
    """Return whether a language model reads several texts in one pass as it reads each alone, to float32 rounding."""
    return (
        isinstance(model, CausalModel)
        and probe.precision(model) in ("float32", "float64")
        and not probe.rounds_steps(model)
        and not probe.remembers(model)
        and probe.batches(model)
        and probe.sees_back_alone(model)
    )


def groups(model: Model, documents: Sequence[Document], memory_budget: int | None = None) -> Iterator[list[int]]:
    """Yield the indices of the documents whose maps are computed together; each index once, and alone if need be.

    A group is as large as fills a processor, and as half of the budget of bytes holds.
    """
    alike: dict[int, list[int]] = {}
    for at, document in enumerate(documents):
        if any(len(target.ids) > 1 for target in document.targets):
            yield [at]  # a span
        else:
            alike.setdefault(document.first_target, []).append(at)
    budget = memory.budget(model.device) if memory_budget is None else int(memory_budget)
    for first, group in alike.items():
        left = sorted(group, key=lambda at: len(documents[at].targets))
        x = model.embed(documents[left[0]].inputs.at(range(1)))
        while left:
            size = len(left)
            while size > 1 and not _fits(x, size, first, len(documents[left[size - 1]].targets), budget):
                size -= 1
            yield left[:size]
            left = left[size:]


def _fits(x: torch.Tensor, size: int, first: int, t: int, budget: int) -> bool:
    """Return whether so many texts with t targets go into one pass. `x`: an embedding [1, 1, d]."""
    columns, m = size * _columns(first, t), first + t - 1
    most = min(_MOST, max(_BACKWARD, _ROWS // m)) if x.device.type == "cpu" else 8 * _BACKWARD
    return columns <= most and _bytes(x, columns * m) <= budget // 2


def _columns(first: int, t: int) -> int:
    """Return how many of t columns of a text go into one pass, whose first target is at row `first`.

    Each pass reads the rows up to its last target, and goes back over them once for each column.
    """

    def rows(at_once: int) -> int:
        ends = [min(t, start + at_once) for start in range(0, t, at_once)]
        return sum((first + end - 1) * (1 + end - start) for start, end in zip(range(0, t, at_once), ends, strict=True))

    return min(t, min(_COLUMNS, key=rows))


def _bytes(x: torch.Tensor, rows: int) -> int:
    """Return the bytes that the gradients of so many rows of all columns take. `x`: embeddings [..., d]."""
    return _BYTES * rows * x.shape[-1] * x.element_size()


def joined(
    model: Model, question: Question, documents: Sequence[Document], memory_budget: int | None = None
) -> list[Made | None]:
    """Compute the maps of texts whose prompts have equal lengths. `model` is a shadow, and `may_join` says yes.

    None stands for a map that must be computed by itself, as `pipeline.columns` does: of a text that is too long for a
    common pass, or whose scores are not finite or all zero.
    Raises: BadScores for a spot check that is off; InputError.
    """
    requests = [question.request(model, document) for document in documents]
    first, longest = documents[0].first_target, max(requests, key=lambda request: request.n_rows)
    nothing: list[Made | None] = [None] * len(documents)
    if not probe.holds_between(model, longest.inputs.at(range(longest.n_rows)), first):
        return nothing
    budget = memory.budget(model.device) if memory_budget is None else int(memory_budget)
    sheet = _Sheet.of(model, requests)
    b, m, d = sheet.embeddings.shape
    rows = b * _columns(first, len(longest.targets)) * m
    graph = graph_bytes(model.model, b * m, d, sheet.embeddings.element_size())
    if max(graph, _bytes(sheet.embeddings, rows)) > budget // 2:
        return nothing
    try:
        return _fill(model, question, documents, requests, sheet, budget)
    except Exception as error:
        if not memory.is_out_of_memory(error):
            raise
        return nothing


class _Sheet(NamedTuple):
    """The texts side by side, padded on the right to m rows."""

    ids: torch.Tensor  # [b, m]
    embeddings: torch.Tensor  # [b, m, d]
    targets: torch.Tensor  # [b, t] the ids of the targets; 0 after the last one of a text

    @classmethod
    def of(cls, model: Model, requests: Sequence[Request]) -> _Sheet:
        import torch

        inputs = [request.inputs.at(range(request.n_rows)) for request in requests]
        m = max(len(each.ids) for each in inputs)
        t = max(len(request.targets) for request in requests)
        # The last token is repeated: any would do, and this one is in the vocabulary.
        ids = [[*each.ids, *[each.ids[-1]] * (m - len(each.ids))] for each in inputs]
        rows = [model.embed(each._replace(ids=tuple(padded))) for each, padded in zip(inputs, ids, strict=True)]
        targets = [[*(target.ids[0] for target in r.targets), *[0] * (t - len(r.targets))] for r in requests]
        return cls(torch.tensor(ids, device=model.device), torch.cat(rows), torch.tensor(targets, device=model.device))


def _fill(
    model: Model,
    question: Question,
    documents: Sequence[Document],
    requests: Sequence[Request],
    sheet: _Sheet,
    budget: int,
) -> list[Made | None]:
    import torch

    assert isinstance(model, CausalModel), "`may_join` said so"
    method = method_of(question.card)
    assert method is not None, "as above"
    assert method.joins is not None, "as above"
    reduce: Reduce = method.joins(question.settings)
    shortest = min(range(len(requests)), key=lambda at: requests[at].n_rows)
    checked = problem_of(model, requests[shortest], documents[shortest], budget)
    problems = [replace(checked, targets=request.targets) for request in requests]
    asked = replace(checked, network=model.side_by_side(sheet.ids))
    chunks: list[list[Chunk]] = [[] for _ in requests]
    spot: Spot | None = None
    first, t = documents[0].first_target, sheet.targets.shape[1]
    at_once = _columns(first, t)
    for start in range(0, t, at_once):
        cols = list(range(start, min(t, start + at_once)))
        at = torch.tensor([first - 1 + col for col in cols], device=sheet.ids.device)
        n_read = first + cols[-1]
        eye = torch.eye(len(cols), dtype=sheet.embeddings.dtype, device=sheet.ids.device)
        atoms = Atoms(at, sheet.targets[:, cols], eye, n_read)
        x = sheet.embeddings[:, :n_read]
        gradient, objectives, output = slopes(asked, x, atoms)  # [k, b, m, d], [b, k]
        logits = output.logits.detach()
        scores = [reduce(at_least_float32(gradient[:, b]), at_least_float32(x[b])) for b in range(len(requests))]
        for b, problem in enumerate(problems):
            own = [col for col in cols if col < len(problem.targets)]
            if own:
                part = logits[b, : len(own)]
                told = {"value": objectives[b, : len(own)].tolist()}
                chunks[b].append(_chunk(problem, own, scores[b], part, told))
        if start == 0:
            own = [col for col in cols if col < len(checked.targets)]
            n = checked.targets[own[-1]].n_seen
            spot = of_gradient(
                checked, own, x[shortest, :n], gradient[: len(own), shortest, :n], logits[shortest, : len(own)]
            )()
            if spot.is_off:
                raise off_the_mark(spot, question.card.label)
    return [
        Made(found, spot if b == shortest else None) if all(map(_is_sound, found, [problem] * len(found))) else None
        for b, (problem, found) in enumerate(zip(problems, chunks, strict=True))
    ]


def _chunk(
    problem: Problem, cols: list[int], scores: torch.Tensor, logits: torch.Tensor, told: dict[str, list[float]]
) -> Chunk:
    """Return a text's chunk from scores [k, m] and logits [k, vocabulary] of its columns, the first of k."""
    out = blank(problem, cols)
    for j, (row, col) in enumerate(zip(scores.cpu().numpy(), cols, strict=False)):
        seen = problem.targets[col].n_seen
        out[:seen, j] = row[:seen]
    ids = [problem.targets[col].ids[0] for col in cols]
    return Chunk(cols, out, read_steps(logits, ids), told)


def _is_sound(chunk: Chunk, problem: Problem) -> bool:
    """Return whether every column has finite scores, and one that is not 0."""
    seen = [chunk.scores[: problem.targets[col].n_seen, j] for j, col in enumerate(chunk.cols)]
    return all(bool(np.isfinite(column).all() and column.any()) for column in seen)
