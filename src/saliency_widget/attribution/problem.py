"""From a model and a request to the problem that the engine solves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING

from ..errors import UnsupportedMethod
from ..models.attention import AttentionReader
from ..models.baselines import baselines_of, stand_in
from ..models.checkpointing import checkpointed, graph_bytes
from ..models.inside import probe
from ..models.reading import read_once
from ..models.relevance import Rule, relevance_rules
from ..models.units import unit_numbers
from ..types import Request
from . import memory
from .engine import Network, Output, Problem
from .inseq_bridge import inside_of

if TYPE_CHECKING:
    import torch

    from ..models.base import Model
    from ..models.document import Document


def problem_of(model: Model, request: Request, document: Document, memory_budget: int | None) -> Problem:
    """What the engine needs to answer `request`; `model` is a shadow."""
    inputs = request.inputs.at(range(request.n_rows))
    first = min(target.n_seen for target in request.targets)
    causal = model.is_causal and probe.holds_between(model, inputs, first)
    network: Network = model.network(inputs)
    embeddings = model.embed(inputs)
    budget = memory.budget(model.device) if memory_budget is None else int(memory_budget)
    _, n, d = embeddings.shape
    if graph_bytes(model.model, n, d, embeddings.element_size()) > budget // 2:
        network = _within(partial(checkpointed, model.model), network)

    def shortened(rows: Sequence[int]) -> tuple[torch.Tensor, Network]:
        fewer = inputs.at(rows)
        return model.embed(fewer), model.network(fewer)

    def replaced(rows: Sequence[int], baseline: str | None) -> tuple[torch.Tensor, Network]:
        n, changed = len(inputs.source), set(rows)

        def at(row: int, token: int) -> int:
            return stand_in(model, token, baseline) if row in changed else token

        source = tuple(at(row, token) for row, token in enumerate(inputs.source))
        ids = tuple(at(row, token) for row, token in enumerate(inputs.ids, start=n))
        other = inputs._replace(source=source, ids=ids)
        return model.embed(other), model.network(other)

    def plain_pass(n: int) -> Network:
        return model.network(inputs.at(range(n)))

    return Problem(
        network=network,
        embeddings=embeddings,
        targets=request.targets,
        objective=request.objective,
        foil=request.foil,
        settings=request.settings,
        causal=causal,
        independent=model.independent,
        raw=model.raw,
        n_source=len(inputs.source),
        read_once=partial(read_once, model, inputs) if causal else None,
        attention=AttentionReader(model, inputs),
        relevance=partial(_rules, model),
        shortened=shortened,
        reads_ids=partial(probe.reads_ids, model),
        replaced=replaced,
        bridge=inside_of(model, inputs),
        baselines=baselines_of(model, inputs),
        groups={
            unit: unit_numbers(document.rows, unit, document.first_written) for unit in ("word", "sentence", "segment")
        },
        memory_budget=budget,
        plain_pass=plain_pass,
        precision="bfloat16" if probe.rounds_steps(model) else probe.precision(model),
    )


def _rules(model: Model, rule: Rule) -> AbstractContextManager[None]:
    if probe.remembers(model):
        raise UnsupportedMethod(
            f"{type(model.model).__name__} keeps traces of the texts it has read, so its layers cannot be given rules.",
            cure="Use saliency, occlusion or random.",
        )
    return relevance_rules(model.model, rule)


def _within(context: Callable[[], AbstractContextManager[None]], network: Network) -> Network:
    """The network, each pass of it inside a context of its own."""

    def run(embeddings: torch.Tensor, positions: torch.Tensor) -> Output:
        with context():
            return network(embeddings, positions)

    return run
