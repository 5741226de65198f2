"""Whatever a server sends: the key is in no error, and nothing is read, or waited for, without an end."""

from __future__ import annotations

import io
import re
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from saliency_widget.errors import ServerError
from saliency_widget.explanation.server import OpenAIClient

from ..servers import END, KEY, chunk, event, head, raw, said
from .waiting import GUARD

if TYPE_CHECKING:
    import socket
    import threading
    from collections.abc import Callable

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
    """Whatever goes wrong is an error of ours that names the server; no traceback with local variables has the key."""
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
    """As JSON is, whatever the server calls it: some of its names are no encodings of text."""
    with raw(sends(head(f"text/event-stream; charset={charset}"), said("hé"), END)) as server:
        assert ask(at(server)).text == "hé"
