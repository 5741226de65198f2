"""Limits of size and time for what a server sends, set by what was asked for.

A server may be broken, or not be one at all: it may send a line without an end, a gigabyte that was packed into one
megabyte, or a byte a second. What is over a limit is an error that names the limit, and is never held in memory.
"""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..errors import ServerError

LONGEST_LINE = 1_000_000  # bytes: an answer in a single piece is shorter
LONGEST_PAGE = 1_000_000  # bytes of what is no answer: a refusal, a list of models
_LETTERS = 64  # of the answer for each token that was asked for: the mean is 4, the longest tokens are spaces
_BYTES = 4_000  # of the stream for each such token: some servers send its alternatives along
_SPARE_LETTERS = 10_000  # where few tokens were asked for
_SPARE_BYTES = 4_000_000  # what is thought before the answer comes in the stream, too
_SLICE = 65_536  # bytes that are unpacked at a time
_END_OF_LINE = re.compile(rb"\r\n|\n|\r")  # and no other: JSON may hold the line ends of Unicode

Refuse = Callable[[str], ServerError]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Of an answer: letters of its text, bytes of its stream once unpacked, seconds in which nothing new comes."""

    letters: int
    stream: int
    seconds: float


def limits_of(max_tokens: int, timeout: float) -> Limits:
    """The limits of an answer of so many tokens, with much to spare."""
    return Limits(
        letters=_SPARE_LETTERS + _LETTERS * max_tokens, stream=_SPARE_BYTES + _BYTES * max_tokens, seconds=timeout
    )


class Clock:
    """A clock that is wound when something new comes. A server that sends nothing new counts as silent."""

    def __init__(self, seconds: float, late: Callable[[], ServerError]) -> None:
        self._seconds = seconds
        self._late = late
        self._since = time.monotonic()

    def wind(self) -> None:
        """Something new is there."""
        self._since = time.monotonic()

    def look(self) -> None:
        """Raises: what `late` makes, where nothing new came for too long."""
        if time.monotonic() - self._since > self._seconds:
            raise self._late()


async def lines(parts: AsyncIterable[bytes], refuse: Refuse, clock: Clock) -> AsyncIterator[str]:
    """The lines of a stream in UTF-8, as server-sent events are. Raises: ServerError for one that is too long."""
    held = bytearray()
    async for part in parts:
        clock.look()
        *ended, rest = _END_OF_LINE.split(part)
        for piece in ended:
            _held_to(len(held) + len(piece), LONGEST_LINE, "a line", refuse)
            line = (bytes(held) + piece).decode(errors="replace")
            held.clear()
            yield line
        _held_to(len(held) + len(rest), LONGEST_LINE, "a line", refuse)
        held += rest
    yield held.decode(errors="replace")


def held_to_letters(length: int, limits: Limits, refuse: Refuse) -> None:
    """Raises: ServerError where the text of an answer is longer than its tokens can be."""
    if length > limits.letters:
        raise refuse(f"more than {limits.letters:,} letters, which is more than the tokens that were asked for")


def bounded(response: Any, most: int, refuse: Refuse, clock: Clock | None) -> None:
    """Let a response of httpx, or of its successor, be read only up to so many bytes, also of what it has packed.

    `clock`: looked at whenever something came; None where whoever reads the lines looks at it.
    Raises: ServerError for a way of packing that nobody asked for.
    """
    packed = response.headers.get("content-encoding", "identity").strip().lower()
    if packed not in _UNPACKERS:
        raise refuse(f"an answer that is packed as {packed}, which was not asked for")
    response.headers.pop("content-encoding", None)  # or it would be unpacked again, without a limit
    response.encoding = "utf-8"  # as JSON is: some that a server can name are no encodings of text
    stream, kind = response.stream, _streams_like(response.stream)
    response.stream = kind(partial(_read, stream, _UNPACKERS[packed], most, refuse, clock), stream.aclose)


async def _read(
    stream: AsyncIterable[bytes],
    unpacker: Callable[[], _Unpacker | None],
    most: int,
    refuse: Refuse,
    clock: Clock | None,
) -> AsyncIterator[bytes]:
    unpack, what = unpacker(), "a page" if most == LONGEST_PAGE else "an answer"
    arrived = unpacked = 0
    async for raw in stream:
        if clock:
            clock.look()
        arrived += len(raw)
        try:
            for part in unpack(raw) if unpack else (raw,):
                unpacked += len(part)
                _held_to(max(arrived, unpacked), most, what, refuse)
                yield part
        except zlib.error as error:
            raise refuse(f"{what} that cannot be unpacked: {error}") from None
        _held_to(arrived, most, what, refuse)  # what is packed can be nothing at all


def _held_to(size: int, most: int, what: str, refuse: Refuse) -> None:
    if size > most:
        raise refuse(f"{what} of more than {most:,} bytes")


def _streams_like(stream: Any) -> type:
    """A stream class that the library which made `stream` takes for one of its own."""
    base = next(kind for kind in type(stream).__mro__ if kind.__name__ == "AsyncByteStream")

    class Bounded(base):  # type: ignore[misc, valid-type]  # httpx's or its successor's, whichever openai uses
        def __init__(self, read: Callable[[], AsyncIterator[bytes]], aclose: Callable[[], Any]) -> None:
            self._read = read
            self._aclose = aclose

        def __aiter__(self) -> AsyncIterator[bytes]:
            return self._read()

        async def aclose(self) -> None:
            await self._aclose()

    return Bounded


class _Unpacker:
    """Unpacks slice by slice: what is read is never more than a slice ahead of what is counted."""

    def __init__(self) -> None:
        self._packed = zlib.decompressobj(zlib.MAX_WBITS | 32)  # with the header of gzip, or of zlib
        self._begun = False

    def __call__(self, raw: bytes) -> Iterator[bytes]:
        part = self._slice(raw)
        while part:
            yield part
            part = self._slice(self._packed.unconsumed_tail)

    def _slice(self, raw: bytes) -> bytes:
        try:
            part = self._packed.decompress(raw, _SLICE)
        except zlib.error:
            if self._begun:
                raise
            self._packed = zlib.decompressobj(-zlib.MAX_WBITS)  # some send "deflate" without a header
            part = self._packed.decompress(raw, _SLICE)
        self._begun = True
        return part


_UNPACKERS: dict[str, Callable[[], _Unpacker | None]] = {
    "": lambda: None,
    "identity": lambda: None,
    "gzip": _Unpacker,
    "x-gzip": _Unpacker,
    "deflate": _Unpacker,
}
