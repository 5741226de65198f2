"""A question given as plain text: a model of chats may end the text at once, and answer the same as a user's turn."""

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

AT_ONCE = 2  # written tokens, the one that ends the text among them


def as_chat(prompt: Prompt) -> Prompt:
    """The same text as the one turn of a user. Raises: InputError where the prompt is no single text."""
    if prompt.text is None or prompt.second is not None:
        raise InputError(
            "This was not given as one text, so it cannot be asked as a chat.", cure="Give messages= in a new cell."
        )
    # Stretches that were named by their words are looked for again; characters are counted otherwise in a chat.
    named = tuple((name, where) for name, where in prompt.named if isinstance(where, str))
    return replace(
        prompt, text=None, chat=check_chat([{"role": "user", "content": prompt.text}], None, None), named=named
    )


def may_answer_as_chat(model: Model, prompt: Prompt | None, written: Sequence[int]) -> bool:
    """Whether the model ended a plain text within `AT_ONCE` written tokens, and can be asked the same text as a chat.

    `written`: the ids that the model chose itself. It can be asked so if it is a causal language model whose chat
    template takes the text. A text that holds special tokens, such as a chat that the user rendered, is not plain.
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
    except InputError:  # its template refuses a single turn of a user, say
        return False
    return True


def _ends(model: Model, token: int) -> bool:
    """Whether a text, or a turn in it, is over with this token."""
    return model.ends_at(token) or token == model.tokenizer.eos_token_id
