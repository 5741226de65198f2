"""What an explanation needs of any language model: `local` and `server` are the two there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

Message = Mapping[str, str]  # role, content


class Reply(NamedTuple):
    """What was written. `finished` is False where the limit cut it off. Token counts are None where nobody counts."""

    text: str
    finished: bool
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float


class Client(Protocol):
    """A language model that can be asked."""

    @property
    def name(self) -> str:
        """What people call the model."""

    @property
    def where(self) -> str:
        """Where it runs: a device, or the address of a server."""

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
        """Let it answer a chat; blocks until the answer is whole.

        `on_text` hears the text so far, whenever it has grown and about ten times a second while nothing comes. It may
        raise: then the work ends within a second and the exception goes on.
        `temperature` 0 takes the most probable token each time. `schema`: a JSON schema the answer is to follow; one
        that cannot be held to it is asked all the same.
        Raises: ServerError, TextTooLong, InputError.
        """
