"""The Python that shows a text again: what stands between the brackets of `show`, but for what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..models.text.changes import Text


def recipe(model: Any, text: Text) -> str:
    """Return the model and the text as arguments of `show`. A model that was given as an object is called `model`."""
    return ", ".join([repr(model) if isinstance(model, str) else "model", *_given(text)])


def _given(text: Text) -> Iterator[str]:
    prompt = text.prompt
    if prompt is None:  # struck out by its ids: there is no text of these
        inputs = text.encoded.inputs
        yield f"input_ids={list(inputs.source or inputs.ids)}"
        return
    if prompt.text is not None:
        yield repr(prompt.text if prompt.second is None else (prompt.text, prompt.second))
    if prompt.input_ids is not None:
        yield f"input_ids={list(prompt.input_ids)}"
    if prompt.chat is not None:
        yield f"messages={[dict(message) for message in prompt.chat.messages]}"
        if prompt.chat.tools is not None:
            yield f"tools={list(prompt.chat.tools)}"
        if prompt.chat.variables:
            yield f"template={dict(prompt.chat.variables)}"
    if prompt.named:
        yield f"segments={dict(prompt.named)}"
