"""A chat in a model's own chat template, and the places of the user's texts in it.

The template is rendered a second time with marks around every text of the user. If a template, which is a program,
drops a text, that is an error; only the thinking of earlier turns, which models never read again, is a warning.
"""

from __future__ import annotations

import copy
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ...checks import whole_text
from ...errors import InputError
from ...types import Role, Segment, SegmentKind
from .retrieved import NO_PLACE, checked_documents, places_of_documents, tokens_in
from .thinking import ENDS

Message = Mapping[str, Any]

_TURNS: dict[str, SegmentKind] = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool",
    "ipython": "tool", "function": "tool",
}  # fmt: skip
_OURS = ("conversation", "messages", "tools", "tokenize", "return_tensors", "return_dict")
_OF_TOKENIZERS = ("add_generation_prompt", "continue_final_message", "chat_template")
_LABELS = ("role", "type", "id", "tool_call_id", "name", "index")  # keys of a message or a call that hold no text
_THINKING = ("reasoning_content", "reasoning", "thinking")
# Private characters, which no text contains, around each text, with its number between them.
_OPEN, _OPENED, _CLOSE, _CLOSED = (chr(0xF0000 + i) for i in range(4))
_MARK = re.compile(f"{_OPEN}(\\d+){_OPENED}|{_CLOSE}(\\d+){_CLOSED}")

Path = tuple[str | int, ...]


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


class Written(NamedTuple):
    """A rendered chat. `given`: the ranges [start, end) of the user's texts; `turns`: the start of each turn.

    `documents`: the name and the range of each document.
    """

    text: str
    given: list[tuple[int, int]]
    turns: list[tuple[int, SegmentKind, str]]
    documents: list[tuple[str, int, int]]


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
    for _, text in _texts(chat):
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


# ── from a chat to text ──────────────────────────────────────────────────────────────────────────────────────────


def write_chat(tokenizer: Any, chat: Chat) -> Written:
    """Render the chat with the model's template.

    Raises: InputError if there is no template, if it refuses the chat, and if it drops a text of the user.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise InputError("This model has no chat template.", cure="Give text= instead of messages=.")
    _check_variables(tokenizer, chat)
    chat, text = _readable(tokenizer, chat)
    found = _places(tokenizer, chat, text)
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


# ── where each text stands ───────────────────────────────────────────────────────────────────────────────────────


def _texts(chat: Chat) -> list[tuple[Path, str]]:
    """Return the user's texts with their paths, such as ("messages", 1, "content"), in order."""
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


def _replaced(value: Any, path: Path, new: Callable[[Path, str], str]) -> Any:
    """Return a copy with each text replaced; `new` is called with its path, as of `_leaves`, and the text."""
    if isinstance(value, str):
        return new(path, value)
    if isinstance(value, Mapping):
        return {key: _replaced(part, (*path, key), new) for key, part in value.items()}
    if isinstance(value, Sequence):
        return [_replaced(part, (*path, at), new) for at, part in enumerate(value)]
    return value


Places = dict[Path, list[tuple[int, int]]]


def _places(tokenizer: Any, chat: Chat, text: str) -> Places:
    """Return the ranges [start, end) of each of the user's texts in the rendered one; a text may have several."""
    for opened, closed in ((True, True), (False, True), (True, False)):
        found = _by_marks(tokenizer, chat, text, opened=opened, closed=closed)
        if found is not None:
            return found
    return _by_search(chat, text)


def _by_marks(tokenizer: Any, chat: Chat, text: str, *, opened: bool, closed: bool) -> Places | None:
    """Find the places by rendering the chat with marks. Return None if the template then writes another text.

    The marks are inside the white space around a text, because templates strip it.
    """
    texts = _texts(chat)
    numbers = {path: number for number, (path, _) in enumerate(texts)}

    def mark(path: Path, given: str) -> str:
        if path not in numbers:
            return given
        core = given.strip()
        before, _, after = given.partition(core)
        number = numbers[path]
        start = f"{_OPEN}{number}{_OPENED}" if opened else ""
        end = f"{_CLOSE}{number}{_CLOSED}" if closed else ""
        return f"{before}{start}{core}{end}{after}"

    marked = replace(
        chat,
        messages=tuple(_replaced(chat.messages, ("messages",), mark)),
        tools=None if chat.tools is None else tuple(_replaced(chat.tools, ("tools",), mark)),
        variables={
            name: _replaced(value, (name,), mark) if name == "documents" else value
            for name, value in chat.variables.items()
        },
    )
    try:
        written = _render(tokenizer, marked)
    except InputError:
        return None
    if _MARK.sub("", written) != text:
        return None
    found: Places = {path: [] for path, _ in texts}
    for number, start, end in _pairs(written):
        path, given = texts[number]
        found[path].append(_between(given.strip(), text, start, end))
    return found


def _between(given: str, text: str, start: int, end: int) -> tuple[int, int]:
    """Return the range between two marks; if one is missing (−1), as far as the rendered text equals the given one."""
    spoken = _without_thinking(given)
    if start < 0 and text[:end].endswith(spoken):
        return end - len(spoken), end
    if start < 0:
        return end - _common(given[::-1], text[:end][::-1]), end
    return start, start + _common(given, text[start:]) if end < 0 else end


def _without_thinking(given: str) -> str:
    """Return the part of a content after its thinking, which many templates drop."""
    return ENDS.split(given)[-1].strip()


def _pairs(written: str) -> Iterator[tuple[int, int, int]]:
    """Yield (number, start, end) of each marked text, counted without the marks; −1 for a missing mark."""
    begun: dict[int, int] = {}
    marks = 0  # characters of marks so far
    for one in _MARK.finditer(written):
        at = one.start() - marks
        marks += len(one[0])
        if one[1] is not None:
            begun[int(one[1])] = at
        else:
            yield int(one[2]), begun.pop(int(one[2]), -1), at
    for number, start in begun.items():
        yield number, start, -1


def _common(one: str, two: str) -> int:
    """Return the length of the common prefix of both texts."""
    return next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))


def _by_search(chat: Chat, text: str) -> Places:
    """Find each text at its first occurrence after the previous one. A text that the template rewrote has no place."""
    found: Places = {}
    at = 0
    for path, given in _texts(chat):
        core = given.strip()
        start = text.find(core, at) if path[0] == "messages" else text.find(core)
        found[path] = [] if start < 0 else [(start, start + len(core))]
        if start >= 0 and path[0] == "messages":
            at = start + len(core)
    return found


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
    given = dict(_texts(chat))
    for path, places in found.items():
        longest, whole = max((b - a for a, b in places), default=0), given[path].strip()
        if not places or path[-1] != "content" or longest == len(whole):
            continue
        if longest > len(_without_thinking(whole)) or longest == 0:
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
