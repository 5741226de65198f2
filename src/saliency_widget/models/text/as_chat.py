"""Plain texts that should be chats: a chat model may end a plain question at once, but answer it as a user's turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ...errors import InputError
from ..causal import CausalModel
from .chat import check_chat

if TYPE_CHECKING:
    from ..base import Model
    from .prompting import Prompt

AT_ONCE = 2  # written tokens, including the one that ends the text


def as_chat(prompt: Prompt) -> Prompt:
    """Return the prompt of a chat with the same text as its only turn. Raises: InputError unless it is one text."""
    if prompt.text is None or prompt.second is not None:
        raise InputError(
            "This was not given as one text, so it cannot be asked as a chat.", cure="Give messages= in a new cell."
        )
    # Segments given by their words are searched again; positions of characters differ in a chat.
    named = tuple((name, where) for name, where in prompt.named if isinstance(where, str))
    return replace(
        prompt, text=None, chat=check_chat([{"role": "user", "content": prompt.text}], None, None), named=named
    )


def may_answer_as_chat(model: Model, prompt: Prompt | None, written: Sequence[int]) -> bool:
    """Return whether the model ended a plain text within `AT_ONCE` tokens and accepts the text as a chat.

    `written`: the ids that the model wrote. A causal language model accepts a chat if its chat template accepts the
    text. A text with special tokens, such as a chat that the user rendered, is not plain.
    """
    if prompt is None or prompt.text is None or prompt.target is not None or prompt.target_ids is not None:
        return False
    if not (isinstance(model, CausalModel) and getattr(model.tokenizer, "chat_template", None)):
        return False
    ends = [n for n, token in enumerate(written, start=1) if _ends(model, token)]
    if (
        not ends
        or ends[0] > AT_ONCE
        or any(token and token in prompt.text for token in model.tokenizer.all_special_tokens)
    ):
        return False
    try:
        model.encode(as_chat(prompt))
    except InputError:  # e.g. its template refuses a single turn
        return False
    return True


def _ends(model: Model, token: int) -> bool:
    """Return whether this token ends a text or a turn."""
    return model.ends_at(token) or token == model.tokenizer.eos_token_id
