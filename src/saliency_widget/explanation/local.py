"""A client that lets the loaded model itself explain, without an account or a network."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import UnsupportedMethod
from ..models.causal import CausalModel
from ..models.text.prompting import Prompt, check_prompt
from ..models.writing import Sampling
from .clients import Message, Reply

if TYPE_CHECKING:
    from ..models.base import Model
    from ..models.steps import Step

_CHECK_INTERVAL = 0.1  # seconds between two calls of `on_text` while nothing is written


def why_not_local(model: Model) -> str | None:
    """Return the reason why a model cannot explain itself, as a sentence, or None if it can."""
    if isinstance(model, CausalModel):
        return None
    return f"{model.name} cannot answer a question in words: only a causal language model can."


def asked(model: Model, messages: Sequence[Message]) -> Prompt:
    """Return the prompt of a chat: in the model's chat template, or as one text if it has none."""
    if getattr(model.tokenizer, "chat_template", None):
        return check_prompt(None, messages=messages)
    return check_prompt("\n\n".join([*(message["content"] for message in messages), ""]))


class LocalClient:
    """A `Client` for a causal language model that `load_model` returned. It does not enforce a JSON schema."""

    def __init__(self, model: Model) -> None:
        reason = why_not_local(model)
        if reason is not None:
            raise UnsupportedMethod(reason, cure="Ask another model: an instruction-tuned one, or a server's.")
        assert isinstance(model, CausalModel)
        self.model = model

    def __repr__(self) -> str:
        return f"LocalClient({self.model!r})"

    @property
    def name(self) -> str:
        """Return the model's name."""
        return self.model.name

    @property
    def where(self) -> str:
        """Return the model's device."""
        return str(self.model.device)

    def answer(
        self,
        messages: Sequence[Message],
        *,
        on_text: Callable[[str], None],
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | None = None,
        schema: Mapping[str, Any] | None = None,  # noqa: ARG002 (a parameter of Client, not supported here)
    ) -> Reply:
        """See `Client.answer`. The numbers of tokens are exact and include those of the chat template."""
        model, started = self.model, time.perf_counter()
        written: list[int] = []
        text = ""

        def on_token(token: int, _step: Step) -> None:
            nonlocal text
            written.append(token)
            # A character whose bytes are incomplete is not shown yet.
            text = str(model.tokenizer.decode(written, skip_special_tokens=True)).rstrip("\ufffd")
            on_text(text)

        inside = model.shadow(every(_CHECK_INTERVAL, lambda: on_text(text)))
        encoded = inside.encode(asked(model, messages))
        inside.check_length(encoded, max_tokens)
        inside.generate(encoded, max_tokens, on_token, Sampling(temperature, seed))
        finished = bool(written) and written[-1] in _ends(model)
        return Reply(text, finished, len(encoded.inputs.ids), len(written), time.perf_counter() - started)


def every(seconds: float, do: Callable[[], None]) -> Callable[[], None]:
    """Return a function that calls `do` at most once in so many seconds, however often it is called itself."""
    last = time.monotonic()

    def check() -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            do()
            last = time.monotonic()

    return check


def _ends(model: CausalModel) -> set[int]:
    """Return the ids of the tokens that end a text."""
    ends = getattr(model.model.generation_config, "eos_token_id", None)
    known = [ends] if isinstance(ends, int) else list(ends or [])
    return {i for i in (*known, model.tokenizer.eos_token_id) if i is not None}
