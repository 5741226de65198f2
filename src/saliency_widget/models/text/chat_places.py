"""The places of a user's texts in a rendered chat.

A chat is rendered a second time with marks around every text of the user. Where a template, which is a program, then
writes another text, each text is searched for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from ...errors import InputError
from .chat import Chat, Path, texts_in, with_texts
from .thinking import ENDS

# Private characters, which no text contains, around each text, with its number between them.
_OPEN, _OPENED, _CLOSE, _CLOSED = (chr(0xF0000 + i) for i in range(4))
_MARK = re.compile(f"{_OPEN}(\\d+){_OPENED}|{_CLOSE}(\\d+){_CLOSED}")

Places = dict[Path, list[tuple[int, int]]]


def places_of_texts(chat: Chat, text: str, render: Callable[[Chat], str]) -> Places:
    """Return the ranges [start, end) of each of the user's texts in the rendered one; a text may have several.

    `render` renders a chat with the model's template. Raises: InputError.
    """
    for opened, closed in ((True, True), (False, True), (True, False)):
        found = _by_marks(chat, text, render, opened=opened, closed=closed)
        if found is not None:
            return found
    return _by_search(chat, text)


def _by_marks(chat: Chat, text: str, render: Callable[[Chat], str], *, opened: bool, closed: bool) -> Places | None:
    """Find the places by rendering the chat with marks. Return None if the template then writes another text.

    The marks are inside the white space around a text, because templates strip it.
    """
    texts = texts_in(chat)
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
        messages=tuple(with_texts(chat.messages, ("messages",), mark)),
        tools=None if chat.tools is None else tuple(with_texts(chat.tools, ("tools",), mark)),
        variables={
            name: with_texts(value, (name,), mark) if name == "documents" else value
            for name, value in chat.variables.items()
        },
    )
    try:
        written = render(marked)
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
    spoken = without_thinking(given)
    if start < 0 and text[:end].endswith(spoken):
        return end - len(spoken), end
    if start < 0:
        return end - _common(given[::-1], text[:end][::-1]), end
    return start, start + _common(given, text[start:]) if end < 0 else end


def without_thinking(given: str) -> str:
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
    for path, given in texts_in(chat):
        core = given.strip()
        start = text.find(core, at) if path[0] == "messages" else text.find(core)
        found[path] = [] if start < 0 else [(start, start + len(core))]
        if start >= 0 and path[0] == "messages":
            at = start + len(core)
    return found
