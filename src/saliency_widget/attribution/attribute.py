"""From a prompt to an Attribution: encode, write, fill the columns. The widget goes the same way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..models.loading import load_model
from ..models.prompting import Encoded, Message, Prompt, check_max_new_tokens, check_prompt, encode
from ..models.tokens import describe, display
from ..types import Alternative, Objective, Request, Role, Segment, Token
from . import engine, memory
from .methods import Method, check_applies, method_named, objective_named, settings_of
from .result import Attribution

if TYPE_CHECKING:
    import torch

    from ..models.causal import CausalModel
    from ..models.steps import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A text as the model reads and wrote it. `tokens[first_target:]` are the targets, one a column."""

    ids: tuple[int, ...]
    first_target: int
    tokens: tuple[Token, ...]
    segments: tuple[Segment, ...]

    @property
    def targets(self) -> tuple[int, ...]:
        """Their positions."""
        return tuple(range(self.first_target, len(self.ids)))

    @property
    def rows(self) -> tuple[Token, ...]:
        """Prompt and all generated tokens but the last."""
        return self.tokens[:-1]

    @property
    def cols(self) -> tuple[Token, ...]:
        """The generated tokens."""
        return self.tokens[self.first_target :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of a document: names checked against the tables, so far without a model."""

    method: Method
    objective: Objective
    settings: Any

    def request(self, document: Document) -> Request:
        """The question put to one document."""
        return Request(
            input_ids=document.ids,
            targets=document.targets,
            method=self.method.id,
            # Methods that do not use the objective give the same map for each: one cache entry.
            objective=self.objective if self.method.uses_objective else "probability",
            settings=self.settings,
        )


def check_question(method: str, objective: str, settings: Mapping[str, Any]) -> Question:
    """Raises: UnknownName for a method, objective or setting that does not exist."""
    row = method_named(method)
    return Question(method=row, objective=objective_named(objective), settings=settings_of(row, settings))


def describe_document(model: CausalModel, encoded: Encoded, written: Sequence[int]) -> Document:
    """The document of a prompt and what was written (or forced) after it."""
    ids = (*encoded.ids, *written)
    special = set(model.tokenizer.all_special_ids)
    roles: list[Role] = [*encoded.roles, *("special" if i in special else "generated" for i in written)]
    segments = list(encoded.segments) if encoded.segments is not None else None
    if segments:
        segments[-1] = replace(segments[-1], end=len(ids))
    tokens, tiled = describe(ids, model.tokenizer, roles=roles, segments=segments)
    return Document(ids=ids, first_target=len(encoded.ids), tokens=tuple(tokens), segments=tuple(tiled))


def write(
    model: CausalModel,
    prompt: Prompt,
    max_new_tokens: int,
    on_progress: Callable[[Encoded, list[int], list[Step]], None],
) -> Document:
    """Encode the prompt and let the model write, or take the forced target. Call inside `model.lent()`.

    `on_progress` hears the encoding, and the tokens written so far with their steps (none for a forced target); it may
    raise to stop.
    Raises: InputError, TextTooLong.
    """
    encoded = encode(model, prompt)
    model.check_length(len(encoded.ids) + (len(encoded.target) or max_new_tokens))
    written = list(encoded.target)
    steps: list[Step] = []
    on_progress(encoded, written, steps)
    if not written:

        def on_token(token: int, step: Step) -> None:
            written.append(token)
            steps.append(step)
            on_progress(encoded, written, steps)

        model.generate(encoded.ids, max_new_tokens, on_token)
    return describe_document(model, encoded, written)


def columns(
    model: CausalModel, question: Question, document: Document, schedule: engine.Schedule
) -> Iterator[engine.Chunk]:
    """Fill the columns of `schedule`. Call inside `model.lent()`. Stop iterating to cancel.

    Raises: UnsupportedMethod, InputError, BadScores, OutOfMemory.
    """
    check_applies(question.method, model, question.settings)
    request = question.request(document)
    ids = document.ids[: request.n_rows]

    def attention(positions: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        chosen = question.settings
        # Nothing after the last of them is read: a network that is not causal would look at it.
        return model.attention_rows(ids[: max(positions) + 1], positions, layer=chosen.layer, head=chosen.head)

    problem = engine.Problem(
        network=model.network(ids),
        embeddings=model.embed(ids),
        targets=tuple(engine.Target(t, document.ids[t]) for t in request.targets),
        objective=request.objective,
        settings=request.settings,
        causal=model.is_causal,
        attention=attention,
        memory_budget=memory.budget(model.device),
    )
    return engine.run(question.method.run, problem, schedule, label=question.method.label)


def alternatives(model: CausalModel, step: Step) -> tuple[Alternative, ...]:
    """The most probable tokens of a step, as people read them."""
    return tuple(
        Alternative(id=i, text=display(model.tokenizer, i), probability=p)
        for i, p in zip(step.ids, step.probabilities, strict=True)
    )


def assemble(
    model: CausalModel,
    question: Question,
    document: Document,
    chunks: Sequence[engine.Chunk],
    seconds: float,
) -> Attribution:
    """The columns that are there, in order; fewer than the document's where the work was cancelled."""
    finished = {col: (chunk.scores[:, j], chunk.steps[j]) for chunk in chunks for j, col in enumerate(chunk.cols)}
    cols = sorted(finished)
    steps = [finished[col][1] for col in cols]
    return Attribution(
        scores=np.stack([finished[col][0] for col in cols], axis=1),
        rows=document.rows,
        cols=tuple(document.cols[col] for col in cols),
        segments=document.segments,
        step_scores={"probability": np.array([step.probability for step in steps])},
        alternatives=tuple(alternatives(model, step) for step in steps),
        method=question.method.id,
        objective=question.objective if question.method.uses_objective else None,
        signed=question.method.signed,
        unit=question.method.unit,
        model_name=model.name,
        settings=asdict(question.settings),
        seconds=seconds,
    )


def attribute(
    model: Any,
    text: str | None = None,
    *,
    target: str | None = None,
    messages: Sequence[Message] | None = None,
    input_ids: Sequence[int] | None = None,
    target_ids: Sequence[int] | None = None,
    method: str = "saliency",
    objective: str = "probability",
    max_new_tokens: int = 32,
    progress: bool = True,
    **settings: Any,
) -> Attribution:
    """Which input tokens caused each token the model writes; blocks until the whole map is there.

    Args:
        model: whatever `load_model` takes: "demo", a hub id, a folder, (model, tokenizer), a pipeline, …
        text: what the model reads. Exactly one of `text`, `messages` (a chat), `input_ids` is given.
        target: a continuation that is taken instead of letting the model write one; or `target_ids`.
        messages: a chat in the OpenAI form, rendered with the model's own template.
        input_ids: token ids, taken as they are.
        target_ids: as `target`, in ids.
        method: an id of `methods()`.
        objective: what is explained: "probability", "log_probability" or "logit" of the target token.
        max_new_tokens: how many tokens the model writes at most; greedy.
        progress: show a progress bar.
        **settings: the method's own, such as `layer=` and `head=` of attention.

    Raises:
        InputError: what was asked cannot be asked (unknown names, no text, text too long, …).
        ModelNotFound, DamagedFile: the model cannot be loaded.
        BadScores, OutOfMemory: the map cannot be computed.
    """
    from tqdm.auto import tqdm

    question = check_question(method, objective, settings)
    prompt = check_prompt(text, messages=messages, input_ids=input_ids, target=target, target_ids=target_ids)
    check_max_new_tokens(max_new_tokens)
    loaded = load_model(model)
    with loaded.lent():
        started = time.perf_counter()
        bar = tqdm(total=max_new_tokens, desc="writing", unit="token", disable=not progress, leave=False)
        with bar:
            document = write(loaded, prompt, max_new_tokens, lambda _, written, __: _advance(bar, len(written)))
        chunks = []
        n = len(document.targets)
        with tqdm(total=n, desc=question.method.label, unit="token", disable=not progress, leave=False) as bar:
            for chunk in columns(loaded, question, document, engine.Schedule(range(n))):
                chunks.append(chunk)
                bar.update(len(chunk.cols))
        return assemble(loaded, question, document, chunks, time.perf_counter() - started)


def _advance(bar: Any, done: int) -> None:
    bar.update(done - bar.n)
