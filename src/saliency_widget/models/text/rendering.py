"""A chat rendered by a model's own chat template, as text and as tokens.

If a template, which is a program, drops a text of the user, that is an error; only the thinking of earlier turns, which
models never read again, is a warning.
"""

from __future__ import annotations

import copy
import re
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from ...errors import InputError
from ...types import Role, Segment, SegmentKind
from .chat import Chat, Message, Path, texts_in
from .chat_places import Places, places_of_texts, without_thinking
from .retrieved import NO_PLACE, places_of_documents, tokens_in

_TURNS: dict[str, SegmentKind] = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool",
    "ipython": "tool", "function": "tool",
}  # fmt: skip
_OF_TOKENIZERS = ("add_generation_prompt", "continue_final_message", "chat_template")
_THINKING = ("reasoning_content", "reasoning", "thinking")


class Written(NamedTuple):
    """A rendered chat. `given`: the ranges [start, end) of the user's texts; `turns`: the start of each turn.

    `documents`: the name and the range of each document.
    """

    text: str
    given: list[tuple[int, int]]
    turns: list[tuple[int, SegmentKind, str]]
    documents: list[tuple[str, int, int]]


def write_chat(tokenizer: Any, chat: Chat) -> Written:
    """Render the chat with the model's template.

    Raises: InputError if there is no template, if it refuses the chat, and if it drops a text of the user.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise InputError("This model has no chat template.", cure="Give text= instead of messages=.")
    _check_variables(tokenizer, chat)
    chat, text = _readable(tokenizer, chat)
    found = places_of_texts(chat, text, partial(_render, tokenizer))
    _check_dropped(chat, found)
    return Written(
        text, _user_ranges(found), _turns(tokenizer, chat, text, found), places_of_documents(chat.documents, found)
    )


def _check_variables(tokenizer: Any, chat: Chat) -> None:
    """Raise InputError for a variable that the template never reads."""
    template = str(chat.variables.get("chat_template", tokenizer.chat_template))
    for name in chat.variables:
        known = name in _OF_TOKENIZERS or re.search(rf"\b{re.escape(str(name))}\b", template)
        if not known and name == "documents":
            raise InputError("The chat template of this model has no place for documents.", cure=NO_PLACE)
        if not known:
            raise InputError(
                f"The chat template of this model has no variable {name!r}.", cure="See its chat_template."
            )


def _render(tokenizer: Any, chat: Chat) -> str:
    given: dict[str, Any] = {"add_generation_prompt": True, **chat.variables}
    tools = list(chat.tools) if chat.tools else None
    messages = copy.deepcopy([*chat.messages])
    try:
        return str(tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, **given))
    except Exception as error:  # a template is a program and may raise anything
        raise InputError(
            f"The chat template of this model refuses these messages: {error}",
            cure="Most want user and assistant in turn, with at most one system message first.",
        ) from error


def _readable(tokenizer: Any, chat: Chat) -> tuple[Chat, str]:
    """Return the chat in a form that the template supports, and its text.

    Some templates support no content that is None or a list of parts: they fail, or print Python's form of it.
    """
    simple = replace(chat, messages=tuple(_simple(message) for message in chat.messages))
    if simple == chat:
        return chat, _render(tokenizer, chat)
    try:
        text = _render(tokenizer, chat)
    except InputError:
        return simple, _render(tokenizer, simple)
    lists = [m["content"] for m in chat.messages if isinstance(m.get("content"), Sequence)]
    if any(not isinstance(content, str) and str(content) in text for content in lists):
        return simple, _render(tokenizer, simple)
    other = _render(tokenizer, simple)
    if text != other and text.replace("None", "") == other.replace("None", ""):
        return simple, other
    return chat, text


def _simple(message: Message) -> Message:
    content = message.get("content", "")
    if isinstance(content, str) and "content" in message:
        return message
    parts = [content] if isinstance(content, str) else [part["text"] for part in content or ()]
    return {**message, "content": "\n".join(parts)}


def _user_ranges(found: Places) -> list[tuple[int, int]]:
    """Return the ranges [start, end) of the user's texts. A tool, or a call of one, is one range over all its parts."""
    whole: dict[Path, tuple[int, int]] = {}
    for path, places in found.items():
        whole_at = 2 if path[0] == "tools" else 4 if "tool_calls" in path[2:3] else len(path)
        for number, (start, end) in enumerate(places):
            key = (*path[:whole_at], number)
            a, b = whole.get(key, (start, end))
            whole[key] = (min(a, start), max(b, end))
    return list(whole.values())


def _check_dropped(chat: Chat, found: Places) -> None:
    """Raise InputError for a text that the template drops; warn of thinking that it drops."""
    left_out = [path for path, places in found.items() if not places]
    beside = dict.fromkeys(path[:2] for path in found if path[0] != "messages")  # tools and documents
    for one in beside:
        if all(not places for path, places in found.items() if path[:2] == one):
            raise _dropped(one)
    for path in left_out:
        if path[0] == "messages" and path[2] not in _THINKING:
            raise _dropped(path)
    thinking = [path for path in left_out if path[0] == "messages"]
    given = dict(texts_in(chat))
    for path, places in found.items():
        longest, whole = max((b - a for a, b in places), default=0), given[path].strip()
        if not places or path[-1] != "content" or longest == len(whole):
            continue
        if longest > len(without_thinking(whole)) or longest == 0:
            raise InputError(
                f"The chat template rewrites {_name(path)}, so its tokens cannot be told from the template's own.",
                cure="Render the chat yourself and give it as text=.",
            )
        thinking.append(path)
    for path in thinking:
        warnings.warn(
            f"The chat template leaves out the thinking in {_name(path)}: the model does not read it, and the map does "
            "not show it.",
            stacklevel=2,
        )


def _dropped(path: Path) -> InputError:
    where = _name(path)
    cure = (
        f"Leave {path[0]} out, or take a model whose template knows them."
        if path[0] != "messages"
        else f"Take {where} out of the chat, or render the chat yourself and give it as text=."
    )
    return InputError(f"The chat template of this model leaves out {where}: the model would not read it.", cure=cure)


def _name(path: Path) -> str:
    return str(path[0]) + "".join(f"[{part!r}]" for part in path[1:])


# ── turns ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _turns(tokenizer: Any, chat: Chat, text: str, found: Places) -> list[tuple[int, SegmentKind, str]]:
    """Return the starts of all turns and the reply: the last special token before the role's name or the text."""
    specials = [t for t in tokenizer.all_special_tokens if t]
    begun: list[tuple[int, SegmentKind, str]] = []
    previous = 0
    ranges: list[tuple[str, int, int]] = []
    for number, message in enumerate(chat.messages):
        own = [place for path, places in found.items() if path[:2] == ("messages", number) for place in places]
        at = ranges[-1][2] if ranges else 0
        start, end = (min(a for a, _ in own), max(b for _, b in own)) if own else (at, at)
        ranges.append((str(message["role"]), start, end))
    if chat.variables.get("add_generation_prompt", True):
        ranges.append(("assistant", len(text), len(text)))
    for role, start, end in sorted(ranges, key=lambda one: one[1]):
        named = text.rfind(role, previous, start)
        before = start if named < 0 else named
        last = max((text.rfind(token, previous, before) for token in specials), default=-1)
        begun.append((previous if last < 0 else last, _TURNS.get(role, "document"), role))
        previous = max(previous, end)
    first = text[: begun[0][0]]
    for token in specials:
        first = first.replace(token, "")
    if first.strip():  # a system message that the template adds
        begun.insert(0, (0, "system", "system"))
    else:  # only the token that begins every text
        begun[0] = (0, *begun[0][1:])
    return begun


class Encoding(NamedTuple):
    """A rendered chat as tokens. `segments`: its turns, which tile them; `documents`: the name and tokens of each."""

    ids: list[int]
    roles: list[Role]
    segments: tuple[Segment, ...]
    documents: tuple[tuple[str, range], ...]


def chat_tokens(tokenizer: Any, written: Written) -> Encoding:
    """Return the tokens of a rendered chat."""
    if not getattr(tokenizer, "is_fast", False):
        raise InputError(
            "This tokenizer gives no positions of its tokens, so a chat's texts cannot be told from its template.",
            cure="Load the fast tokenizer of this model, or render the chat yourself and give it as text=.",
        )
    encoding = tokenizer(written.text, add_special_tokens=False, return_offsets_mapping=True)
    ids: list[int] = list(encoding["input_ids"])
    offsets: list[tuple[int, int]] = list(encoding["offset_mapping"])
    roles: list[Role] = [
        "prompt" if any(a < end and start < b for start, end in written.given) else "special" for a, b in offsets
    ]
    starts = [next((i for i, (a, _) in enumerate(offsets) if a >= at), len(ids)) for at, _, _ in written.turns]
    ends = [*starts[1:], len(ids)]
    segments = tuple(
        Segment(kind=kind, name=name, start=start, end=end)
        for (_, kind, name), start, end in zip(written.turns, starts, ends, strict=True)
        if start < end or end == len(ids)
    )
    documents = tuple((name, tokens_in(offsets, start, end)) for name, start, end in written.documents)
    return Encoding(ids, roles, segments, documents)
