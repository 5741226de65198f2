"""The interface of a language model that writes explanations. `local` and `server` implement it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

Message = Mapping[str, str]  # role, content


class Reply(NamedTuple):
    """An answer. `finished` is False if the token limit cut it off. A count of tokens is None if it is unknown.

    `thinking`: what was written before the answer. `left_out`: what the server chose in place of the request.
    """

    text: str
    finished: bool
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float
    reasoning_tokens: int | None = None
    thinking: str = ""
    left_out: tuple[str, ...] = ()


class Client(Protocol):
    """A language model that answers chats."""

    @property
    def name(self) -> str:
        """Return the model's name."""

    @property
    def where(self) -> str:
        """Return where the model runs: a device, or the address of a server."""

    def answer(
        self,
        messages: Sequence[Message],
        *,
        on_text: Callable[[str], None],
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | None = None,
        schema: Mapping[str, Any] | None = None,
    ) -> Reply:
        """Let the model answer a chat. Blocks until the answer is complete.

        `on_text` is called with the text so far whenever it has grown, and about ten times a second otherwise. If it
        raises, the work stops within a second and the exception is passed on. `temperature` 0 takes the most probable
        token each time. `schema`: a JSON schema for the answer; a client that cannot enforce it answers without.
        Raises: ServerError, TextTooLong, InputError.
        """
