"""`show`, which displays a live map in a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .attribution.attribute import check_remote
from .attribution.memory import check_budget
from .attribution.pipeline import check_question
from .explanation.explain import client_of
from .explanation.remote_question import remote_question
from .hosts import check_notebook
from .models.text.chat import Message
from .models.text.prompting import check_max_new_tokens, check_prompt
from .models.text.thinking import NAME as THINKING
from .remote import RemoteJob
from .session.executor import Job
from .widget import SaliencyWidget


def show(
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
    hop: int = 0,
    max_new_tokens: int = 32,
    memory_budget: int | None = None,
    explainer: Any = None,
    **settings: Any,
) -> SaliencyWidget:
    """Display a live saliency map under the cell: hover a word that the model wrote to see which words caused it.

    Displays and returns at once; loading, writing and computing continue in the background. `wait()` returns the
    `Attribution`. The arguments are those of `attribute` without `progress`, `span` (pin several targets instead) and
    `through`: `hop` is the step back by way of the model's thinking that is shown, 0 for the direct map. And
    `explainer`: another LLM for the Explain drawer, beside the model itself: `OpenAIClient(...)`, or anything that
    `load_model` accepts. A model behind a server (`OpenAIClient`) is asked for its own map, with `labels=`: the page
    tells how many requests that takes and of how many tokens, Cancel keeps every answer, and Go on asks the rest.

    The pinned targets can be linked and observed like any widget's value: `w.selection` is the first pinned column or
    None, `w.extent` how many from there on, and `w.value` (a `Selection`, or None) their targets, the inputs and the
    scores between them, of the map on show: `w.observe(f, "value")`, `ipywidgets.interactive_output(f, {"s": w})`.

    Raises:
        InputError: what was asked cannot be asked; everything that needs the model to be found out is shown in the
            widget, and raised by `wait()`.
        NoNotebook: there is no notebook to show it in.
    """
    if labels is not None or hasattr(model, "attribute_text"):  # a server's model makes its own map
        others = {
            "target": target, "messages": messages, "tools": tools, "template": template, "input_ids": input_ids,
            "target_ids": target_ids, "segments": segments, "documents": documents, "objective": objective,
            "foil": foil, "memory_budget": memory_budget, "explainer": explainer, "hop": hop or None,
        }  # fmt: skip
        given = check_remote(model, text, labels, others)
        asked = remote_question(given, labels, method=method, **settings)
        check_notebook()
        remote = SaliencyWidget(RemoteJob(client=model, question=asked))
        remote.show()
        return remote
    question = check_question(method, objective, settings, foil, through=THINKING if hop else None, hop=hop)
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
    check_budget(memory_budget)
    check_notebook()
    job = Job(
        model=model,
        prompt=prompt,
        question=question,
        max_new_tokens=max_new_tokens,
        memory_budget=memory_budget,
        explainer=None if explainer is None else client_of(explainer),
    )
    widget = SaliencyWidget(job)
    widget.show()
    return widget
