"""A chat as a user gives it, its check, and the texts in it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...checks import whole_text
from ...errors import InputError
from .retrieved import checked_documents

Message = Mapping[str, Any]
Path = tuple[str | int, ...]  # of a text in a chat, such as ("messages", 1, "content")

_LABELS = ("role", "type", "id", "tool_call_id", "name", "index")  # keys of a message or a call that hold no text
_OURS = ("conversation", "messages", "tools", "tokenize", "return_tensors", "return_dict")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A chat. `messages` and `tools` in the OpenAI form; `variables`: other variables of the template."""

    messages: tuple[Message, ...]
    tools: tuple[Any, ...] | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)

    @property
    def documents(self) -> Any:
        """Return the documents of a template for retrieval: the only variable that holds texts of the user."""
        return self.variables.get("documents", ())


def check_chat(messages: Any, tools: Any, template: Any, documents: Any = None) -> Chat:
    """Return a chat of text. Raises: InputError for anything else: no chat, no text, pictures or sound."""
    if isinstance(messages, str | Mapping) or not isinstance(messages, Sequence):
        raise InputError(
            f"messages is a {type(messages).__name__}, not a list of messages.", cure="Give text= for a plain text."
        )
    if not messages:
        raise InputError("The list messages= is empty.", cure="Give at least one message for the model to read.")
    for at, message in enumerate(messages):
        _check_message(at, message)
    if tools is not None and (isinstance(tools, str | Mapping) or not isinstance(tools, Sequence)):
        raise InputError(f"tools is a {type(tools).__name__}, not a list.", cure="Give tools=[{…}, …].")
    if template is not None and not isinstance(template, Mapping):
        raise InputError(
            f"template is a {type(template).__name__}, not the variables of the chat template.",
            cure='Give template={"enable_thinking": False}, say.',
        )
    ours = [name for name in template or () if name in _OURS]
    if ours:
        raise InputError(f"{ours[0]!r} is no variable of a chat template.", cure="Leave it out of template=.")
    variables = dict(template or {})
    if documents is not None:
        if "documents" in variables:
            raise InputError("There are documents= and documents in template=.", cure="Give them once.")
        variables["documents"] = checked_documents(documents)
    chat = Chat(
        messages=tuple(copy.deepcopy(dict(message)) for message in messages),
        tools=tuple(_described(tool) for tool in tools) if tools else None,
        variables=variables,
    )
    for _, text in texts_in(chat):
        whole_text("A chat message", text)
    return chat


def _check_message(at: int, message: Any) -> None:
    # A message that calls tools needs no content.
    is_whole = (
        isinstance(message, Mapping) and "role" in message and ("content" in message or message.get("tool_calls"))
    )
    if not is_whole:
        raise InputError(
            "A chat message lacks its role or its content.", cure='Write it as {"role": "user", "content": "…"}.'
        )
    role, content = message["role"], message.get("content")
    if not isinstance(role, str):
        raise InputError("A chat message's role must be text.", cure='Write it as {"role": "user", "content": "…"}.')
    if content is None or isinstance(content, str):
        return
    parts = content if isinstance(content, Sequence) else [content]
    for part in parts:
        if not isinstance(part, Mapping) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            kind = part.get("type") if isinstance(part, Mapping) else type(part).__name__
            raise InputError(
                f"messages[{at}] has content that is no text ({kind}).",
                cure='Give text: "content": "…", or [{"type": "text", "text": "…"}]. Pictures and sound are not read.',
            )


def _described(tool: Any) -> Any:
    """Return a tool as the template expects it; a function is described by its signature and docstring."""
    if not callable(tool):
        return copy.deepcopy(tool)
    from transformers.utils import get_json_schema

    try:
        return get_json_schema(tool)
    except Exception as error:  # transformers has several types of these errors
        raise InputError(f"A function in tools= cannot be described: {error}", cure="Give its JSON schema.") from error


def last_of_user(chat: Chat) -> str | None:
    """Return the user's last turn if it is one text, otherwise None."""
    content = next((m["content"] for m in reversed(chat.messages) if m["role"] == "user"), None)
    return content if isinstance(content, str) else None


def with_last_of_user(chat: Chat, text: str) -> Chat:
    """Return the chat with another text as the user's last turn."""
    last = max(at for at, message in enumerate(chat.messages) if message["role"] == "user")
    changed = [{**m, "content": text} if at == last else m for at, m in enumerate(chat.messages)]
    return replace(chat, messages=tuple(changed))


# ── the texts in it ──────────────────────────────────────────────────────────────────────────────────────────────


def texts_in(chat: Chat) -> list[tuple[Path, str]]:
    """Return the user's texts with their paths, in order."""
    whole = {"messages": chat.messages, "tools": chat.tools or (), "documents": chat.documents}
    return [(path, text) for path, text in _leaves(whole, ()) if text.strip()]


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        if not _is_label(path):
            yield path, value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _leaves(part, (*path, key))
    elif isinstance(value, Sequence):
        for at, part in enumerate(value):
            yield from _leaves(part, (*path, at))


def _is_label(path: Path) -> bool:
    """Return whether a leaf is a label, such as a role or an id, and no text. Arguments of a call are always text."""
    label = path[-1] in _LABELS or "required" in path or "enum" in path
    return label and "arguments" not in path and path[-2:] != ("function", "name")


def with_texts(value: Any, path: Path, new: Callable[[Path, str], str]) -> Any:
    """Return a copy with each text replaced; `new` is called with its path, as of `_leaves`, and the text."""
    if isinstance(value, str):
        return new(path, value)
    if isinstance(value, Mapping):
        return {key: with_texts(part, (*path, key), new) for key, part in value.items()}
    if isinstance(value, Sequence):
        return [with_texts(part, (*path, at), new) for at, part in enumerate(value)]
    return value
