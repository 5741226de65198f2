"""`attribute`, which computes the map of one text without a widget."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..aside import aside
from ..characters import bar_name
from ..errors import InputError
from ..models.loading.load import load_model
from ..models.text.chat import Message
from ..models.text.document import check_span, spanning
from ..models.text.prompting import check_max_new_tokens, check_prompt
from . import engine, memory
from .pipeline import assemble, check_question, columns, write
from .problem import Chunk, Progress, Spot, replaced_by
from .result import Attribution


def attribute(
    model: Any,
    text: str | tuple[str, str] | None = None,
    *,
    target: str | None = None,
    messages: Sequence[Message] | None = None,
    tools: Sequence[Any] | None = None,
    template: Mapping[str, Any] | None = None,
    input_ids: Sequence[int] | None = None,
    target_ids: Sequence[int] | None = None,
    segments: Mapping[str, str | tuple[int, int]] | None = None,
    documents: Sequence[str | Mapping[str, Any]] | None = None,
    labels: Any = None,
    method: str = "saliency",
    objective: str | None = None,
    foil: str | int | None = None,
    span: tuple[int, int] | None = None,
    through: str | None = None,
    max_new_tokens: int = 32,
    memory_budget: int | None = None,
    progress: bool = True,
    **settings: Any,
) -> Attribution:
    """Compute how much each input token caused each token that the model writes. Blocks until the map is complete.

    Args:
        model: anything that `load_model` accepts: "demo", a hub id, a folder, (model, tokenizer), a pipeline, …
        text: what the model reads; a pair (first, second) for a classifier of pairs. Exactly one of `text`, `messages`
            (a chat), `input_ids` is given.
        target: a forced continuation, instead of one that the model writes; or `target_ids`.
        messages: a chat in the OpenAI form, including tool calls and results, rendered with the model's own template.
            A text that the template drops is an error that names it.
        tools: JSON schemas of the tools that the chat may call, or functions with a docstring, for the template.
        template: further variables of the template, `{"enable_thinking": False}`.
        input_ids: token ids, used unchanged.
        target_ids: the ids of a forced continuation.
        segments: parts of the text that are segments of their own, `{"contract": "the words themselves"}` or, in
            characters, `{"contract": (start, end)}`.
        documents: texts that were retrieved for the chat, `["…", …]` or `[{"title": "…", "text": "…"}, …]`, which go
            where the model's chat template has its place for them; each is a segment. With `method="occlusion",
            unit="segment"` the scores of a document add up to the fall of the objective when it is taken away.
        labels: of a model behind a server (`OpenAIClient`): what it chooses between, as in `explain`. Its map is made
            by taking words out: see `explanation.black_box.server_map`, which has the settings. A server that scores a
            given answer takes `target` instead.
        method: an id of `methods()`.
        objective: the number to explain: "probability", "log_probability", "log_odds" or "logit" of the target, or the
            "entropy" of the whole distribution at its place. Default: the probability (of Shapley values the
            log-probability), or the raw score ("logit") if the model gives no probabilities, as in regression.
        foil: another token (or its id, or another class): the objective is then the target's minus the foil's, which
            explains why the model chose the target and not the foil.
        span: explain the written tokens first … last together, `(first, last + 1)`: one column, the sum of their
            objectives.
        through: the name of a segment, such as "thinking", by way of which the map also takes two steps back: `hops`
            of the result, each a map of its own. The thinking that the model wrote is such a segment. The columns
            are then those of the answer. It takes a method without signs.
        max_new_tokens: the number of tokens, at most, that the model writes greedily.
        memory_budget: bytes of the device's memory that the work may use; default: half of the free memory.
        progress: whether to show a progress bar.
        **settings: the method's own, such as `layer=` and `head=` of attention, `steps=` of integrated gradients.

    Raises:
        InputError: an argument is invalid (unknown names, no text, text too long, …).
        ModelNotFound, DamagedFile: the model cannot be loaded.
        BadScores, OutOfMemory: the map cannot be computed.
    """
    if labels is not None or hasattr(model, "attribute_text"):  # a server's model makes its own map
        others = {
            "messages": messages, "tools": tools, "template": template, "input_ids": input_ids,
            "target_ids": target_ids, "segments": segments, "documents": documents, "objective": objective,
            "foil": foil, "span": span, "through": through,
        }  # fmt: skip
        if labels is not None and target is not None:
            raise InputError("There are labels= and a target=.", cure="Give one: what to choose between, or an answer.")
        about = {"labels": labels} if target is None else {"target": target}
        given = check_remote(model, text, labels if target is None else target, others)
        found: Attribution = model.attribute_text(given, **about, method=method, progress=progress, **settings)
        return found
    question = check_question(method, objective, settings, foil, through=through)
    prompt = check_prompt(
        text,
        messages=messages,
        tools=tools,
        template=template,
        input_ids=input_ids,
        target=target,
        target_ids=target_ids,
        segments=segments,
        documents=documents,
    )
    check_max_new_tokens(max_new_tokens)
    memory.check_budget(memory_budget)
    where = None if span is None else check_span(span)
    bars = Bars(question.card.label) if progress else None

    def tell(*how_far: Any) -> None:
        if bars is not None:
            bars.at = how_far

    def work(check: Callable[[], None]) -> Attribution:
        loaded = load_model(model).shadow(check)
        started = time.perf_counter()
        tell("writing", 0, max_new_tokens)
        document = write(loaded, prompt, max_new_tokens, lambda _, ids, __: tell("writing", len(ids), max_new_tokens))
        document = document if where is None else spanning(document, *where)
        chunks: list[Chunk] = []
        spot: Spot | None = None
        cols = question.cols(document)
        n = len(cols)
        for part in columns(loaded, question, document, engine.Schedule(cols), memory_budget):
            check()
            match part:
                case Progress():
                    tell("attributing", n * part.done // part.total if through is None else 0, n)
                case Spot():
                    spot = part
                case _:
                    chunks = replaced_by(part, chunks)
                    tell("attributing", sum(len(chunk.cols) for chunk in chunks if not chunk.goes_on), n)
        loaded.check_weights()
        return assemble(loaded, question, document, chunks, time.perf_counter() - started, spot)

    try:
        return aside(work, bars.draw if bars else lambda: None)
    finally:
        if bars is not None:
            bars.close()


def check_remote(model: Any, text: Any, labels: Any, others: Mapping[str, Any]) -> str:
    """Return the text whose map a model behind a server is to make. Raises: InputError, also for other arguments."""
    if not hasattr(model, "attribute_text"):
        raise InputError(
            "labels= is for models behind a server.",
            cure="Give an OpenAIClient; a classifier here has labels of its own, and a language model a target=.",
        )
    if given := [name for name, value in others.items() if value is not None]:
        raise InputError(f"A server's model knows no {given[0]}=.", cure="Give a text and labels=.")
    if not isinstance(text, str) or labels is None:
        raise InputError(
            "A server's map tells which words of a text decide between labels.",
            cure='Give both: attribute(client, "…", labels=["positive", "negative"], method="occlusion").',
        )
    return text


class Bars:
    """Progress bars for writing and then for attribution, drawn by the waiting thread.

    `at`: the stage, its progress and its total, set by the working thread.
    """

    def __init__(self, label: str) -> None:
        self.at: tuple[Any, ...] = ()
        self._labels = {"writing": "writing", "attributing": bar_name(label)}
        self._stage = ""
        self._bar: Any = None

    def draw(self) -> None:
        """Draw the bar of the stage as far as it is."""
        from tqdm.auto import tqdm

        if not self.at:
            return
        stage, done, total = self.at
        if stage != self._stage:
            self.close()
            self._bar = tqdm(total=total, desc=self._labels[stage], unit="token", leave=False)
            self._stage = stage
        self._bar.update(max(0, done - self._bar.n))

    def close(self) -> None:
        """End the bar that is drawn, if there is one."""
        if self._bar is not None:
            self._bar.total = self._bar.n  # after an early end, a bar below 100 % looks like a failure
            self._bar.close()
            self._bar = None
