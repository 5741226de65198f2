"""Hostile servers: the key is in no error, and nothing is read, or waited for, without an end."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import math
import re
import subprocess
import sys
import traceback
import zlib
from contextlib import ExitStack
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from saliency_widget.errors import ServerError
from saliency_widget.explanation import limits
from saliency_widget.explanation.asking import Inquiry
from saliency_widget.explanation.asking import ask as explained
from saliency_widget.explanation.clients import Reply
from saliency_widget.explanation.server import OpenAIClient

from ..servers import END, KEY, chunk, event, head, raw, said
from .waiting import GUARD

if TYPE_CHECKING:
    import socket
    import threading
    from collections.abc import Callable, Iterator

    from saliency_widget.explanation.asking import News

    from ..servers import Raw

SECRET = KEY[:8]
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


def at(server: Raw, **how: Any) -> OpenAIClient:
    return OpenAIClient("demo", base_url=server.url, **{"api_key": KEY, "timeout": GUARD, "max_retries": 0, **how})


def ask(client: OpenAIClient, max_tokens: int = 10) -> Any:
    return client.answer(QUESTION, on_text=lambda _: None, max_tokens=max_tokens)


def sends(*parts: bytes) -> Callable[[socket.socket, threading.Event], None]:
    return lambda connection, _: connection.sendall(b"".join(parts))


# ── no error holds the key ───────────────────────────────────────────────────────────────────────────────────────

STRANGE = {
    "finish_reason is a list": sends(head(), event({"choices": [{"delta": {}, "finish_reason": ["x"]}]}), END),
    "finish_reason is a dictionary": sends(head(), event({"choices": [{"delta": {}, "finish_reason": {"a": 1}}]}), END),
    "the content is a number": sends(head(), event({"choices": [{"delta": {"content": 5}}]}), END),
    "choices is a text": sends(head(), event({"choices": "abc"}), END),
    "a choice is nothing": sends(head(), event({"choices": [None]}), END),
    "usage is a list": sends(head(), event({"usage": [1], "choices": []}), END),
    "an integer of ten thousand digits": sends(head(), event(b'{"choices":' + b"1" * 10_000 + b"}"), END),
    "brackets 900 deep": sends(head(), event(b"[" * 900 + b"]" * 900), END),
    "brackets 100,000 deep": sends(head(), event(b"[" * 100_000), END),
    "an error 900 deep": sends(head(), event(b'{"error":' * 900 + b"1" + b"}" * 900), END),
    "an error 50,000 deep": sends(head(), event(b'{"error":' * 50_000 + b"1" + b"}" * 50_000), END),
    "a refusal 900 deep": sends(head(status="400 No"), chunk(b'{"error":' * 900 + b"1" + b"}" * 900), chunk(b"")),
    "a refusal in an encoding of bytes": sends(
        head("application/json; charset=hex", status="500 No"), chunk(b'{"error": "a"}'), chunk(b"")
    ),
    "a page 50,000 deep": sends(head("application/json"), chunk(b'{"a":' * 50_000 + b"1" + b"}" * 50_000), chunk(b"")),
    "the key in pieces": sends(
        head("application/json", status="401 No"), chunk(f"<b>{KEY[:9]}</b>{KEY[9:]}".encode()), chunk(b"")
    ),
    "what is packed wrongly": sends(head(more="Content-Encoding: gzip\r\n"), chunk(b"no gzip"), chunk(b"")),
    "what is packed unasked": sends(head(more="Content-Encoding: br\r\n"), chunk(b"no br"), chunk(b"")),
    "a redirect to a port there is not": sends(
        b"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:99999999/\r\nContent-Length: 0\r\n\r\n"
    ),
    "a redirect without an end": sends(
        b"HTTP/1.1 307 Go\r\nLocation: /v1/chat/completions\r\nContent-Length: 0\r\n\r\n"
    ),
    "a redirect to a file": sends(
        b"HTTP/1.1 307 Go\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"
    ),
    "another protocol": sends(b"SSH-2.0-OpenSSH\r\n"),
    "a switch of protocols": sends(b"HTTP/1.1 101 Switch\r\n\r\n"),
    "a header with a null character": sends(b"HTTP/1.1 200 OK\r\nContent-Type: a\0\r\n\r\n"),
    "a chunk of no length": sends(head(), said("a"), b"ZZZ\r\ndata"),
}  # fmt: skip


def shown(error: BaseException) -> str:
    """All that somebody may see of an error with local variables: as Python, rich and IPython write them."""
    from IPython.core.ultratb import VerboseTB
    from rich.console import Console
    from rich.traceback import Traceback

    plain = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    page = io.StringIO()
    rich = Traceback.from_exception(type(error), error, error.__traceback__, show_locals=True)
    Console(file=page, width=200).print(rich)
    verbose = VerboseTB(include_vars=True).text(type(error), error, error.__traceback__, context=21)
    return plain + page.getvalue() + verbose + repr(vars(error))


@pytest.mark.parametrize("strange", STRANGE)
def test_no_error_takes_the_key_along(strange: str) -> None:
    """Each failure is an error of ours that names the server; no traceback with local variables has the key."""
    with raw(STRANGE[strange]) as server:
        client = at(server)
        with pytest.raises(ServerError) as caught:
            ask(client)
    assert client.where in caught.value.message
    assert SECRET not in shown(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_an_error_that_nobody_foresaw_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its type, its message and where it arose are in ours; in a group, each; what they held of the key is not."""
    import openai

    def break_down(*_: Any, **how: Any) -> None:
        raise ExceptionGroup("several", [ZeroDivisionError(f"by {how['api_key']}"), KeyError("a")])

    monkeypatch.setattr(openai, "AsyncOpenAI", break_down)
    with raw(sends()) as server, pytest.raises(ServerError) as caught:
        ask(at(server))
    assert "ZeroDivisionError: by [key]; KeyError: 'a'." in caught.value.message
    [note] = caught.value.__notes__
    assert re.fullmatch(r"It arose in break_down, line \d+ of test_hostile_servers.py\.", note)
    assert SECRET not in shown(caught.value)


def test_what_is_called_for_the_key_takes_no_key_along() -> None:
    """Its error comes as it is, with what it arose from, and without the frames in which the key stood."""

    def from_the_vault() -> str:
        key = "".join(KEY)
        try:
            return str(int(key))
        except ValueError:
            raise LookupError("the vault is closed") from ValueError("no number")

    with raw(sends()) as server, pytest.raises(LookupError, match="the vault is closed") as caught:
        ask(at(server, api_key=from_the_vault))
    assert str(caught.value.__cause__) == "no number"
    assert caught.value.__context__ is not None
    caught.value.__context__ = None  # its message has the key: it is of whoever wrote it
    assert SECRET not in shown(caught.value)


@pytest.mark.parametrize("charset", ["rot13", "hex", "idna", "undefined", "utf-16", "cp037", "x" * 5000])
def test_an_answer_is_read_as_utf_8(charset: str) -> None:
    """JSON is UTF-8, whatever the server calls it: some of its names are no encodings of text."""
    with raw(sends(head(f"text/event-stream; charset={charset}"), said("hé"), END)) as server:
        assert ask(at(server)).text == "hé"


# ── nothing is read, or waited for, without an end ───────────────────────────────────────────────────────────────

MEGABYTE = b"a" * 2**20


def packed_zeros() -> Iterator[bytes]:
    """gzip of the same letter without an end, each 64 MB packed alike."""
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    yield pack.compress(MEGABYTE) + pack.flush(zlib.Z_FULL_FLUSH)
    again = pack.compress(MEGABYTE) + pack.flush(zlib.Z_FULL_FLUSH)  # from here on nothing before is looked at
    while True:
        yield again * 64


def a_gigabyte(before: bytes, after: bytes = b"") -> Callable[[socket.socket, threading.Event], None]:
    def say(connection: socket.socket, _: threading.Event) -> None:
        connection.sendall(before)
        for _ in range(1024):
            connection.sendall(chunk(MEGABYTE + after))

    return say


def packed(before: bytes) -> Callable[[socket.socket, threading.Event], None]:
    def say(connection: socket.socket, _: threading.Event) -> None:
        connection.sendall(before)
        for part in packed_zeros():
            connection.sendall(chunk(part))

    return say


def without_end(before: bytes, again: bytes) -> Callable[[socket.socket, threading.Event], None]:
    def say(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(before)
        while not over.is_set():
            connection.sendall(again)

    return say


def drips(data: bytes, before: bytes = b"") -> Callable[[socket.socket, threading.Event], None]:
    """A byte at a time, and so often that no silence is ever as long as the timeout."""

    def say(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(before)
        for at in itertools.count():
            if over.wait(0.02):
                return
            connection.sendall(data[at % len(data)].to_bytes())

    return say


GZIP = "Content-Encoding: gzip\r\n"
TOO_MUCH = {
    "a line of a gigabyte": (a_gigabyte(head() + chunk(b"data: ")), "a line of more than 1,000,000 bytes"),
    "a comment of a gigabyte": (a_gigabyte(head() + chunk(b": ")), "a line of more than 1,000,000 bytes"),
    "a gigabyte in lines": (a_gigabyte(head(), b"\n"), "a line of more than 1,000,000 bytes"),
    "a refusal of a gigabyte": (a_gigabyte(head(status="400 No")), "a page of more than 1,000,000 bytes"),
    "a redirect of a gigabyte": (
        a_gigabyte(head(status="307 Go", more="Location: /v1/elsewhere\r\n")), "a page of more than 1,000,000 bytes",
    ),
    "a packed gigabyte": (packed(head(more=GZIP)), "a line of more than 1,000,000 bytes"),
    "a packed refusal of a gigabyte": (packed(head(status="400 No", more=GZIP)), "a page of more than 1,000,000 bytes"),
    "a packed nothing": (
        without_end(head(more=GZIP) + chunk(gzip.compress(b"")[:10]), chunk(b"\0\0\0\xff\xff" * 10_000)),
        "an answer of more than 4,040,000 bytes",
    ),
    "headers of a gigabyte": (
        without_end(b"HTTP/1.1 200 OK\r\n", b"X: " + MEGABYTE + b"\r\n"), "headers of more than 100 kB",
    ),
    "a header without an end": (without_end(b"HTTP/1.1 200 OK\r\nX: ", MEGABYTE), "headers of more than 100 kB"),
    "words without an end": (
        without_end(head(), said("word " * 400) * 10), "more than 10,640 characters, which is more than the requested",
    ),
    "a refusal without an end": (
        without_end(head(), event({"choices": [{"delta": {"refusal": "no " * 99}}]}) * 99), "more than 10,640 char",
    ),
    "thoughts without an end": (
        without_end(head(), event({"choices": [{"delta": {"reasoning_content": "hm " * 100}}]}) * 100),
        "an answer of more than 4,040,000 bytes",
    ),
    "a list of 5 MB": (
        lambda connection, _: connection.sendall(head() + said('("word", 0.1), ' * 5_000) * 70),
        "more than 10,640 characters",
    ),
}  # fmt: skip
ENDLESS = {
    "headers": drips(b"X: a\r\n", b"HTTP/1.1 200 OK\r\n"),
    "notices that it goes on": drips(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "comments": drips(chunk(b": wait\n\n"), head()),
    "a line": drips(chunk(b"a"), head() + chunk(b"data: ")),
    "parts that say nothing": drips(event({"choices": [{"delta": {"role": "assistant", "content": ""}}]}), head()),
    "blank lines": drips(chunk(b"\n"), head()),
    "a refusal": drips(chunk(b"a"), head(status="400 No")),
    "the model list": drips(chunk(b"a"), head(status="404 No")),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_more_than_was_asked_for_names_the_limit(what: str) -> None:
    """Length of a line, of headers, of a page, of an answer, also of what was packed: here for ten tokens."""
    say, limit = TOO_MUCH[what]
    with raw(say) as server, pytest.raises(ServerError) as caught:
        ask(at(server, thinking_tokens=0))
    assert f"sends {limit}" in caught.value.message


@pytest.mark.parametrize("what", ENDLESS)
def test_a_server_that_says_nothing_new_is_silent(what: str) -> None:
    """However often it sends something."""
    with raw(ENDLESS[what]) as server, pytest.raises(ServerError, match=r"Nothing came .* for 0\.5 seconds\."):
        ask(at(server, timeout=0.5))


def test_thoughts_are_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model may think for longer than the timeout, as long as it is heard to."""
    thought = event({"choices": [{"delta": {"reasoning_content": "hm"}}]})
    times = itertools.count(step=GUARD / 4)  # so much has passed whenever somebody looks at the clock
    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=lambda: next(times)))
    with raw(sends(head(), thought * 20, said("yes"), END)) as server:
        assert ask(at(server)).text == "yes"
    assert next(times) > 5 * GUARD


def test_much_that_was_asked_for_is_heard() -> None:
    """The limits grow with max_tokens, and what is packed is unpacked."""
    words = "word " * 20_000
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    event_of_it = b"data: " + json.dumps({"choices": [{"delta": {"content": words}, "finish_reason": "stop"}]}).encode()
    whole = pack.compress(event_of_it + b"\n\ndata: [DONE]\n\n") + pack.flush()
    for more, data in (("", event_of_it + b"\n\n"), (GZIP, whole), ("Content-Encoding: deflate\r\n", whole[10:-8])):
        with raw(
            sends(head(more=more), *(chunk(data[at : at + 999]) for at in range(0, len(data), 999)), chunk(b""))
        ) as server:
            assert ask(at(server), max_tokens=2_000).text == words


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_where_those_of_events_do(end: str) -> None:
    """Not at the line ends of Unicode, which JSON may hold, wherever the pieces break."""
    data = 'data: {"choices": [{"delta": {"content": "a\u2028b\x85c"}, "finish_reason": "stop"}]}'.encode()
    stream = end.encode().join([b": hello", b"event: x", data, b"", b"data: [DONE]", b"", b""])
    for size in (1, 2, 3, 1000):
        pieces = [chunk(stream[at : at + size]) for at in range(0, len(stream), size)]
        with raw(sends(head(), *pieces, chunk(b""))) as server:
            assert ask(at(server)).text == "a\u2028b\x85c"


_MEASURED = """
import json, resource, sys
from saliency_widget.errors import ServerError
from saliency_widget.explanation.asking import Inquiry, ask
from saliency_widget.explanation.server import OpenAIClient

def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)  # MB

def told(url, timeout, max_tokens):
    client = OpenAIClient("demo", base_url=url, api_key="k", timeout=timeout, max_retries=0)
    request = Inquiry(review="a good film", kind="scores", max_tokens=max_tokens)
    try:
        return ask(client, request, lambda news: None).problems
    except ServerError as error:
        return error.message

warm, *servers = json.loads(sys.argv[1])
told(*warm)
before = most()
for each in servers:
    print(json.dumps([told(*each), most() - before]))
"""


def test_memory_is_held_to_what_was_asked_for() -> None:
    """A process grows by less than 100 MB, at its highest, whatever it hears one after the other."""
    names = ("a line of a gigabyte", "a packed gigabyte", "a packed refusal of a gigabyte")
    heard: list[tuple[Any, float, int, str]] = [
        *((TOO_MUCH[name][0], GUARD, 10, TOO_MUCH[name][1]) for name in names),
        (ENDLESS["comments"], 0.5, 10, "Nothing came"),
        (
            sends(head(), said('("word", 0.1), ' * 5_000) * 70, END),
            GUARD,
            1_000_000,
            "Only the first 1,030 pairs",
        ),
    ]
    with ExitStack() as stack:
        warm = stack.enter_context(raw(sends(head(), said('("good", 0.1)'), END)))
        servers = [(stack.enter_context(raw(say)).url, *how) for say, *how, _ in heard]
        asked = json.dumps([(warm.url, GUARD, 10), *servers])
        process = [sys.executable, "-c", _MEASURED, asked]
        lines = subprocess.run(process, capture_output=True, text=True, check=True).stdout.splitlines()
    for line, (*_, expected) in zip(lines, heard, strict=True):
        told, grown = json.loads(line)
        assert expected in str(told)
        assert grown < 100, expected


class Stop(Exception):
    """An exception that ends an explanation."""


def test_an_answer_that_is_being_read_can_be_left() -> None:
    """The check is called before each time the text is gone over, and every thousand pairs."""
    text = "- good: 0.1\n" * 1_100 + "x" * 200_000
    looks = 0

    class Writer:
        name, where = "writer", "here"

        def answer(self, _messages: Any, **_: Any) -> Reply:
            nonlocal looks
            looks = 0
            return Reply(text, True, None, None, 0.0)

    def look(stop_at: float) -> Callable[[News], None]:
        def on_news(_: News) -> None:
            nonlocal looks
            looks += 1
            if looks == stop_at:
                raise Stop

        return on_news

    request = Inquiry(review="a good film", kind="scores")
    said = explained(Writer(), request, look(math.inf))
    assert said.problems[:2] == ("Only the first 200,000 letters were read.", "Only the first 1,030 pairs were taken.")
    assert said.alignment is not None
    assert len(said.alignment.pairs) == 1_030
    assert looks >= 5 + 1 + 2
    for stop_at in range(1, looks + 1):
        with pytest.raises(Stop):
            explained(Writer(), request, look(stop_at))


def test_the_limits_of_reading_are_those_of_long_reviews() -> None:
    """A list for a review of five thousand words is read to its end."""
    words = [f"w{n}" for n in range(5_000)]
    text = "[" + ", ".join(f'("{word}", 0.1)' for word in words) + "]\n1"

    class Writer:
        name, where = "writer", "here"

        def answer(self, _messages: Any, **_: Any) -> Reply:
            return Reply(text, True, None, None, 0.0)

    said = explained(Writer(), Inquiry(review=" ".join(words), kind="scores"), lambda _: None)
    assert (said.problems, said.label) == ((), 1)
    assert said.alignment is not None
    assert said.alignment.covered == 1
