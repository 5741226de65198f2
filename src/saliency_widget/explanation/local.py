"""The loaded model itself as the one who explains: no account, no network."""

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

_EVERY = 0.1  # seconds between two looks at whether to go on, where nothing is written


def why_not_local(model: Model) -> str | None:
    """Why a model cannot be asked to explain itself, in one sentence, or None."""
    if isinstance(model, CausalModel):
        return None
    return f"{model.name} cannot answer a question in words: only a model that goes on with a text can."


def asked(model: Model, messages: Sequence[Message]) -> Prompt:
    """The chat in the model's own template; as one text where it has none."""
    if getattr(model.tokenizer, "chat_template", None):
        return check_prompt(None, messages=messages)
    return check_prompt("\n\n".join([*(message["content"] for message in messages), ""]))


class LocalClient:
    """A causal language model that `load_model` gave, as a `Client`. A JSON schema is not enforced."""

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
        """The model's name."""
        return self.model.name

    @property
    def where(self) -> str:
        """The device it is on."""
        return str(self.model.device)

    def answer(
        self,
        messages: Sequence[Message],
        *,
        on_text: Callable[[str], None],
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | None = None,
        schema: Mapping[str, Any] | None = None,  # noqa: ARG002 (a Client takes one; here nothing can hold to it)
    ) -> Reply:
        """See `Client.answer`. Its numbers of tokens are exact, the template's own included."""
        model, started = self.model, time.perf_counter()
        written: list[int] = []
        text = ""

        def on_token(token: int, _step: Step) -> None:
            nonlocal text
            written.append(token)
            # Half a character is not shown before its other half is there.
            text = str(model.tokenizer.decode(written, skip_special_tokens=True)).rstrip("\ufffd")
            on_text(text)

        inside = model.shadow(every(_EVERY, lambda: on_text(text)))
        encoded = inside.encode(asked(model, messages))
        inside.check_length(encoded, max_tokens)
        inside.generate(encoded, max_tokens, on_token, Sampling(temperature, seed))
        finished = bool(written) and written[-1] in _ends(model)
        return Reply(text, finished, len(encoded.inputs.ids), len(written), time.perf_counter() - started)


def every(seconds: float, do: Callable[[], None]) -> Callable[[], None]:
    """A function to be called often, that calls `do` at most once in so many seconds."""
    last = time.monotonic()

    def check() -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            do()
            last = time.monotonic()

    return check


def _ends(model: CausalModel) -> set[int]:
    """The tokens that end a text."""
    ends = getattr(model.model.generation_config, "eos_token_id", None)
    known = [ends] if isinstance(ends, int) else list(ends or [])
    return {i for i in (*known, model.tokenizer.eos_token_id) if i is not None}
