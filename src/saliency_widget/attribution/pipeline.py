"""The steps of a map, with or without a widget: encode the prompt, write, compute the columns, assemble them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..checks import one_of, whole_number
from ..errors import InputError
from ..models.classifier import ClassifierModel
from ..models.inside import probe
from ..models.inside.access import ModelAccess
from ..models.inside.checkpointing import checkpointed, graph_bytes
from ..models.inside.long_texts import LONG, bytes_a_column, network_within
from ..models.inside.stretches import bytes_without_rows
from ..models.text.prompting import Encoded, Prompt
from ..models.text.units import unit_numbers
from ..types import Objective, Request
from . import engine, masking, memory
from .cards import Card
from .hops import hops_of
from .methods import card_named, method_for, method_of, settings_of
from .objectives import LABELS, OBJECTIVES, labels
from .problem import Chunk, Problem, Progress, Spot, steps_of
from .result import Attribution
from .settings import Settings
from .through import check_through, cols_after, followed, relays_of

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from ..models.base import Model
    from ..models.steps import Step
    from ..models.text.document import Document
    from .access import Network, Output


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A method, objective, foil and settings whose names exist; no model has checked them yet.

    `objective`: None for the usual one, see `objective_of`. `col`: the only column to compute, or None for all.
    `through`: the name of the segments by way of which hops are computed, or None. `hop`: which of them to show; 0 for
    the direct map.
    """

    card: Card
    objective: Objective | None
    foil: str | int | None
    settings: Settings
    col: int | None = None
    through: str | None = None
    hop: int = 0

    def described(self, model: Model) -> list[tuple[str, str]]:
        """Return the settings and the foil as (name, value) texts, without settings that are left to the method."""
        against = [] if self.foil is None else [("instead of", model.foil_text(self.foil))]
        back = [("hop", str(self.hop))] if self.hop else []
        return [*self.settings.described().items(), *against, *back]

    def objective_of(self, model: Model) -> Objective:
        """Return the question's objective; if it names none, that of the card, else the first that the model has."""
        known = labels(raw=model.raw)
        usual = self.card.objective if self.card.objective in known else next(iter(known))
        return usual if self.objective is None else self.objective

    def cols(self, document: Document) -> Sequence[int]:
        """Return the columns to compute. Raises: InputError if `col` is no column of the document.

        Of a map with hops these are the columns after the segments' first token that are in none of them.
        """
        if self.col is not None:
            check_column(self.col, document)
            return range(self.col, self.col + 1)
        return range(len(document.targets)) if self.through is None else cols_after(document, self.through)

    def request(self, model: Model, document: Document) -> Request:
        """Return the request of this question for one document. It covers all columns, whatever `col` is.

        Raises: InputError for a foil, column, span or objective that this model or document does not allow.
        """
        if any(len(t.ids) > 1 for t in document.targets):
            self._check_spans(model)
        foil = None if self.foil is None else model.foil_id(self.foil)
        self._check_foil(foil, model, document)
        if isinstance(model, ClassifierModel) and model.raw:
            self._check_raw_scores(model)
        return Request(
            inputs=document.inputs,
            targets=document.targets,
            method=self.card.id,
            # A method without objectives gives one map for all of them, so they share one cache entry.
            objective=self.objective_of(model) if self.card.uses_objective else "probability",
            foil=foil,
            settings=self.settings,
            relays=() if self.through is None else relays_of(model, document, self.through),
        )

    def _check_foil(self, foil: int | None, model: Model, document: Document) -> None:
        same = [str(col) for col in self.cols(document) if foil in document.targets[col].ids]
        said = "" if self.foil is None else model.foil_text(self.foil)
        if same and document.cols[0].role == "class":
            raise InputError(
                f"The foil {said!r} is one of the classes that are explained.",
                cure="Name the class to set against it with target=.",
            )
        if same:
            raise InputError(
                f"The foil {said!r} is what the model wrote in column {', '.join(same)}.",
                cure="Set a target against another token than itself; the map shows the alternatives.",
            )

    def _check_raw_scores(self, model: ClassifierModel) -> None:
        objective = self.objective_of(model)
        if self.card.uses_objective and objective != "logit":
            one = len(model.labels) == 1
            gives = "a single number and no classes" if one else "raw scores and no probabilities"
            raise InputError(
                f"{model.name} gives {gives}: there is no {LABELS[objective]} to explain.",
                cure=f'Explain {"the number itself" if one else "the scores themselves"} with objective="logit".',
            )

    def _check_spans(self, model: Model) -> None:
        method = method_of(self.card)
        if method is None or not method.spans:
            raise InputError(
                f"{self.card.label} explains single targets only.", cure="Leave span= out, or take a gradient method."
            )
        if not model.is_causal:
            raise InputError(
                f"{model.name} lets earlier tokens see later ones, so one pass cannot score all tokens of a span.",
                cure="Leave span= out.",
            )


def check_question(
    method: str,
    objective: str | None,
    settings: Mapping[str, Any],
    foil: str | int | None = None,
    *,
    col: int | None = None,
    through: str | None = None,
    hop: int = 0,
) -> Question:
    """Return the question with these names.

    Raises: UnknownName for a method, objective or setting that does not exist; InputError for a foil that the method or
    the objective does not use, and for a hop that there is not; UnsupportedMethod for hops of a method with signs.
    """
    card = card_named(method)
    if isinstance(foil, list | tuple | set):
        raise InputError(
            f"There are {len(foil)} foils, and a map has one.",
            cure="Make a map for each: [sw.attribute(model, text, foil=foil) for foil in foils].",
        )
    if foil is not None and not isinstance(foil, str):
        foil = whole_number("foil", foil, cure="Give a token (or a class) as text, or its id.")
    if objective is not None:
        one_of("objective", objective, OBJECTIVES)
    chosen = cast("Objective | None", objective)
    own = settings_of(card, settings)
    check_through(through, hop, card, own)
    question = Question(card=card, objective=chosen, foil=foil, settings=own, col=col, through=through, hop=hop)
    if foil is not None and not card.uses_objective:
        raise InputError(
            f"{card.label} does not use the objective, so a foil changes nothing.", cure="Leave foil= out."
        )
    if foil is not None and objective == "entropy":
        raise InputError(
            "The entropy is computed over all tokens, so it has no foil.",
            cure='Take objective="logit" or "log_probability".',
        )
    return question


def write(
    model: Model,
    prompt: Prompt,
    max_new_tokens: int,
    on_progress: Callable[[Encoded, list[int], list[Step]], None],
) -> Document:
    """Encode the prompt and let the model write, or take the forced target. `model` is a shadow.

    `on_progress` is called with the encoding, the tokens written so far and their steps (none for a forced target). It
    may raise to stop.
    Raises: InputError, TextTooLong.
    """
    encoded = model.encode(prompt)
    if not encoded.target:
        return go_on(model, encoded, (), max_new_tokens, on_progress)
    model.check_length(encoded, len(encoded.target))
    on_progress(encoded, list(encoded.target), [])
    return model.document(encoded, encoded.target)


def go_on(
    model: Model,
    encoded: Encoded,
    begun: Sequence[int],
    max_new_tokens: int,
    on_progress: Callable[[Encoded, list[int], list[Step]], None],
) -> Document:
    """Let the model continue after the tokens `begun`. `model` is a shadow.

    `on_progress` is called as in `write`; its tokens begin with `begun`, which has no steps.
    Raises: TextTooLong.
    """
    model.check_length(encoded, len(begun) + max_new_tokens)
    written = list(begun)
    steps: list[Step] = []
    on_progress(encoded, written, steps)

    def on_token(token: int, step: Step) -> None:
        written.append(token)
        steps.append(step)
        on_progress(encoded, written, steps)

    if max_new_tokens:
        read = encoded.inputs
        model.generate(replace(encoded, inputs=read._replace(ids=(*read.ids, *begun))), max_new_tokens, on_token)
    return model.document(encoded, written)


def columns(
    model: Model,
    question: Question,
    document: Document,
    schedule: engine.Schedule,
    memory_budget: int | None = None,
    *,
    checked: bool = False,
    begun: Mapping[int, Any] = MappingProxyType({}),
) -> Iterator[Chunk | Progress | Spot]:
    """Compute the columns of `schedule`. `model` is a shadow. Stop iterating to cancel.

    `checked`: see `engine.run`. `begun`: by column, the state of numbers that were not final when it was cancelled.

    Raises: UnsupportedMethod, InputError, BadScores, OutOfMemory; WeightsChanged if a pass failed for that reason.
    """
    method = method_for(question.card, model, question.settings)
    problem = replace(problem_of(model, question.request(model, document), document, memory_budget), begun=begun)
    try:
        yield from engine.run(
            followed(method.run, method.card.label) if problem.relays else method.run,
            problem,
            schedule,
            label=method.card.label,
            explains=method.card.uses_objective,
            checked=checked,
        )
    except Exception:
        model.check_weights()  # autograd's own error about weights that changed between passes is hard to read
        raise


def assemble(
    model: Model,
    question: Question,
    document: Document,
    chunks: Sequence[Chunk],
    seconds: float,
    spot: Spot | None = None,
) -> Attribution:
    """Return the map of the question's columns that are in `chunks`, in order; at least one is.

    Of columns in several chunks the last counts.
    """
    finished = {col: (chunk, j) for chunk in chunks for j, col in enumerate(chunk.cols)}
    cols = [col for col in question.cols(document) if col in finished]
    parts = [finished[col] for col in cols]
    steps = [chunk.steps[j] for chunk, j in parts]
    return Attribution(
        scores=np.stack([chunk.scores[:, j] for chunk, j in parts], axis=1),
        errors=_errors(parts),
        rows=document.rows,
        cols=tuple(document.cols[col] for col in cols),
        segments=document.segments,
        step_scores={"probability": np.array([step.probability for step in steps])}
        | ({"value": np.array([step.value for step in steps])} if model.raw else {}),
        alternatives=tuple(model.alternatives(step) for step in steps),
        method=question.card.id,
        objective=question.objective_of(model) if question.card.uses_objective else None,
        foil=None if question.foil is None else model.foil_text(question.foil),
        signed=question.card.signed and question.settings.is_signed,
        unit=question.card.unit,
        model_name=model.name,
        settings=asdict(question.settings),
        seconds=seconds,
        hops=() if question.through is None else hops_of([(chunk.hops, j) for chunk, j in parts], question.through),
        diagnostics={name: [chunk.diagnostics[name][j] for chunk, j in parts] for name in chunks[0].diagnostics}
        | ({} if spot is None else {"spot_check": spot.difference})
        | ({} if spot is None or spot.proves else {"spot_check_proves": False}),
    )


def _errors(parts: Sequence[tuple[Chunk, int]]) -> NDArray[np.float32] | None:
    """Return the standard errors of these columns [n_rows, k]; None if none of them has any."""
    if all(chunk.errors is None for chunk, _ in parts):
        return None
    unknown = np.full(len(parts[0][0].scores), np.nan, dtype=np.float32)
    return np.stack([unknown if chunk.errors is None else chunk.errors[:, j] for chunk, j in parts], axis=1)


def target_steps(model: Model, document: Document, memory_budget: int | None = None) -> list[Step]:
    """Return how probable each target is, and what else might stand there, [n_cols]. `model` is a shadow.

    `model` is a shadow. Cost: one forward pass for 256 of them.
    """
    question = check_question("random", None, {})  # random scores: passes only compute the probabilities
    found: dict[int, Step] = {}
    for chunk in columns(model, question, document, engine.Schedule(range(len(document.targets))), memory_budget):
        assert isinstance(chunk, Chunk), "random scores report no progress"
        found |= dict(zip(chunk.cols, chunk.steps, strict=True))
    return [found[col] for col in sorted(found)]


def steps_without(
    model: Model, document: Document, rows: Collection[int], memory_budget: int | None = None
) -> tuple[list[Step | None], str, str | None]:
    """Return the targets' steps without some rows, the operator that took these away, and why it is not "mask".

    A step is None where the target itself is among the rows. `model` is a shadow, and something is left before each
    target. The operator is "mask" where the model allows it, else "delete". Cost: one pass for 256 targets.
    """
    question = check_question("random", None, {})
    problem = problem_of(model, question.request(model, document), document, memory_budget)
    reason = masking.why_not(problem, "mask")
    operator = "mask" if reason is None else "delete"
    keep = np.ones(problem.n_rows, dtype=bool)
    keep[[row for row in rows if row < len(keep)]] = False
    left = [col for col, target in enumerate(document.targets) if target.position not in rows]
    found: list[Step | None] = [None] * len(document.targets)
    size = engine.ONE_PASS if problem.causal else 1
    for start in range(0, len(left), size):
        cols = left[start : start + size]
        logits = masking.left_logits(masking.read(problem, cols, "zero"), keep, operator)
        for col, step in zip(cols, steps_of(problem, cols, logits), strict=True):
            found[col] = step
    return found, operator, reason


def check_column(col: int, document: Document) -> None:
    """Raise InputError if the document has no such column."""
    n = len(document.targets)
    if not 0 <= col < n:
        raise InputError(f"There is no column {col}.", cure=f"There are {n}: 0 … {n - 1}.")


# ── the problem that the engine solves ───────────────────────────────────────────────────────────────────────────


def problem_of(model: Model, request: Request, document: Document, memory_budget: int | None) -> Problem:
    """Return the problem that the engine solves for `request`. `model` is a shadow."""
    inputs = request.inputs.at(range(request.n_rows))
    first = min(target.n_seen for target in (*request.targets, *request.relays))
    causal = model.is_causal and probe.holds_between(model, inputs, first)
    embeddings = model.embed(inputs)
    budget = memory.budget(model.device) if memory_budget is None else int(memory_budget)
    _, n, d = embeddings.shape
    network: Network = network_within(model, inputs, budget, partial(memory.free, model.device))
    if n < LONG and graph_bytes(model.model, n, d, embeddings.element_size()) > budget // 2:
        network = _each_pass_in(partial(checkpointed, model.model), network)
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
        access=ModelAccess(model, inputs),
        relays=request.relays,
        groups={
            unit: unit_numbers(document.rows, unit, document.first_written) for unit in ("word", "sentence", "segment")
        },
        fixed=tuple(token.position for token in document.rows if token.role == "special"),
        memory_budget=budget,
        bytes_a_column=partial(bytes_a_column, model, n),
        bytes_a_pass=partial(bytes_without_rows, model, n),
        precision="bfloat16" if probe.rounds_steps(model) else probe.precision(model),
    )


def _each_pass_in(context: Callable[[], AbstractContextManager[None]], network: Network) -> Network:
    """Return the network, each pass of which runs in a new context."""

    def run(embeddings: torch.Tensor, positions: torch.Tensor) -> Output:
        with context():
            return network(embeddings, positions)

    return run
