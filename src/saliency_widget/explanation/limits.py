"""Limits of size and time for a server's response. They grow with the number of tokens of the request.

A broken server may send a line without an end, a gigabyte that was compressed to a megabyte, or a byte a second. A
response above a limit raises an error that names the limit, and is never held in memory.
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

LONGEST_LINE = 1_000_000  # bytes: more than a whole answer in one line
LONGEST_PAGE = 1_000_000  # bytes of a response that is no answer: a refusal, a list of models
_CHARACTERS_PER_TOKEN = 64  # of the answer: the mean is 4, the longest tokens are runs of spaces
_BYTES_PER_TOKEN = 4_000  # of the stream: some servers send each token's alternatives too
_SPARE_CHARACTERS = 10_000  # for requests of few tokens
_SPARE_BYTES = 4_000_000  # for the model's thinking, which the stream holds too
_SLICE = 65_536  # bytes that are decompressed at a time
_END_OF_LINE = re.compile(rb"\r\n|\n|\r")  # no others: a line of JSON may contain the line ends of Unicode

Refuse = Callable[[str], ServerError]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of an answer: tokens and characters of its text, decompressed bytes, seconds without anything new."""

    tokens: int
    characters: int
    stream: int
    seconds: float


def limits_of(tokens: int, max_tokens: int, timeout: float) -> Limits:
    """Return generous limits for `max_tokens` tokens, of which up to `tokens` are those of the answer itself."""
    return Limits(
        tokens=tokens,
        characters=_SPARE_CHARACTERS + _CHARACTERS_PER_TOKEN * max_tokens,
        stream=_SPARE_BYTES + _BYTES_PER_TOKEN * max_tokens,
        seconds=timeout,
    )


class Clock:
    """A timeout that restarts whenever the server sends something new. `timed_out` makes the error."""

    def __init__(self, seconds: float, timed_out: Callable[[], ServerError]) -> None:
        self._seconds = seconds
        self._timed_out = timed_out
        self._since = time.monotonic()

    def restart(self) -> None:
        """Restart the timeout, because something new came."""
        self._since = time.monotonic()

    def check(self) -> None:
        """Raise the error of `timed_out` if nothing new came for too long."""
        if time.monotonic() - self._since > self._seconds:
            raise self._timed_out()


async def lines(parts: AsyncIterable[bytes], refuse: Refuse, clock: Clock) -> AsyncIterator[str]:
    """Yield the lines of a stream of server-sent events in UTF-8. Raises: ServerError for a line that is too long."""
    held = bytearray()
    async for part in parts:
        clock.check()
        *ended, rest = _END_OF_LINE.split(part)
        for piece in ended:
            _check_size(len(held) + len(piece), LONGEST_LINE, "a line", refuse)
            line = (bytes(held) + piece).decode(errors="replace")
            held.clear()
            yield line
        _check_size(len(held) + len(rest), LONGEST_LINE, "a line", refuse)
        held += rest
    yield held.decode(errors="replace")


def check_length(length: int, limits: Limits, refuse: Refuse) -> None:
    """Raise a ServerError if the text of an answer is longer than its tokens can be."""
    if length > limits.characters:
        raise refuse(f"more than {limits.characters:,} characters, which is more than the requested tokens can have")


def bound(response: Any, maximum: int, refuse: Refuse, clock: Clock | None) -> None:
    """Limit the compressed and the decompressed bytes that can be read of a response of httpx or its successor.

    `clock`: checked whenever bytes arrive; None if the reader of the lines checks it.
    Raises: ServerError for a compression that was not requested.
    """
    packed = response.headers.get("content-encoding", "identity").strip().lower()
    if packed not in _UNPACKERS:
        raise refuse(f"an answer that is compressed as {packed}, which was not requested")
    response.headers.pop("content-encoding", None)  # otherwise httpx decompresses it again, without a limit
    response.encoding = "utf-8"  # that of JSON: some encodings that a server can name are not of text
    stream, kind = response.stream, _streams_like(response.stream)
    response.stream = kind(partial(_read, stream, _UNPACKERS[packed], maximum, refuse, clock), stream.aclose)


async def _read(
    stream: AsyncIterable[bytes],
    unpacker: Callable[[], _Unpacker | None],
    maximum: int,
    refuse: Refuse,
    clock: Clock | None,
) -> AsyncIterator[bytes]:
    unpack, what = unpacker(), "a page" if maximum == LONGEST_PAGE else "an answer"
    arrived = unpacked = 0
    async for raw in stream:
        if clock:
            clock.check()
        arrived += len(raw)
        try:
            for part in unpack(raw) if unpack else (raw,):
                unpacked += len(part)
                _check_size(max(arrived, unpacked), maximum, what, refuse)
                yield part
        except zlib.error as error:
            raise refuse(f"{what} that cannot be decompressed: {error}") from None
        _check_size(arrived, maximum, what, refuse)  # compressed bytes may hold no data, so count them too


def _check_size(size: int, maximum: int, what: str, refuse: Refuse) -> None:
    if size > maximum:
        raise refuse(f"{what} of more than {maximum:,} bytes")


def _streams_like(stream: Any) -> type:
    """Return a stream class with the base class that the library of `stream` requires."""
    base = next(kind for kind in type(stream).__mro__ if kind.__name__ == "AsyncByteStream")

    class Bounded(base):  # type: ignore[misc, valid-type]  # of httpx or its successor, whichever openai uses
        def __init__(self, read: Callable[[], AsyncIterator[bytes]], aclose: Callable[[], Any]) -> None:
            self._read = read
            self._aclose = aclose

        def __aiter__(self) -> AsyncIterator[bytes]:
            return self._read()

        async def aclose(self) -> None:
            await self._aclose()

    return Bounded


class _Unpacker:
    """Decompresses slice by slice, so that at most one slice is in memory before it is counted."""

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
