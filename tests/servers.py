"""Servers for tests: two real ones with the demo model, each in its own process, and one with scripted responses.

The fixtures `llama` and `served` start a real server once, for every test that asks for them.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

KEY = "sk-a-key-to-the-door"
_START = 120  # seconds after which a server is taken for one that does not come


class Server(NamedTuple):
    """A real server: its address, the name of its model, and its process."""

    url: str
    model: str
    process: subprocess.Popen[str]


# ── llama.cpp's own server ───────────────────────────────────────────────────────────────────────────────────────

_LLAMA = """
import sys, xllamacpp
path, key, context = sys.argv[1:]
wanted = xllamacpp.CommonParams()
wanted.model.path, wanted.model_alias, wanted.api_keys = path, {"demo"}, [key]
wanted.n_ctx, wanted.n_parallel, wanted.port = int(context), 1, 0
wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = 1  # more wait for each other on a busy machine
server = xllamacpp.Server(wanted)
print(server.listening_address, flush=True)
sys.stdin.read()  # until whoever started it closes it, or dies
"""


@contextmanager
def llama_cpp(*, key: str = KEY, n_ctx: int = 2048, weights: Path | None = None) -> Iterator[Server]:
    """llama.cpp's server of the demo model, or of other weights. It checks the key, and holds an answer to a schema."""
    from saliency_widget.models.loading.demo import demo_gguf

    command = [sys.executable, "-c", _LLAMA, str(weights or demo_gguf()), key, str(n_ctx)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address, "llama.cpp's server did not start: is xllamacpp installed?"
            yield Server(f"{address}/v1", "demo", process)
        finally:
            process.kill()


@pytest.fixture(scope="session")
def llama() -> Iterator[Server]:
    with llama_cpp() as server:
        yield server


# ── transformers' own server ─────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def transformers_serve() -> Iterator[Server]:
    """`transformers serve`. It checks no key, and ignores a schema."""
    from saliency_widget.models.loading.demo import demo_folder

    folder = str(demo_folder())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    serve = "from transformers.cli.transformers import main; main()"
    command = [sys.executable, "-c", serve, "serve", folder, "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(
        [*command, "--device", "cpu"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    ) as process:
        try:
            _await(f"http://127.0.0.1:{port}/health", process)
            yield Server(f"http://127.0.0.1:{port}/v1", folder, process)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _await(url: str, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + _START
    while time.monotonic() < end:
        assert process.poll() is None, "transformers serve did not start: is transformers[serving] installed?"
        with suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.2)
    raise TimeoutError(url)


@pytest.fixture(scope="session")
def served() -> Iterator[Server]:
    with transformers_serve() as server:
        yield server


# ── a server that plays a script ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Says:
    """One response. Pieces go out one by one; `then` says what follows them: the end, nothing ("hang"), or a cut.

    `meet`: nothing goes out before so many have asked that the barrier opens.
    """

    pieces: Sequence[str] = ()
    status: int = 200
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    hang: bool = False  # before the first header
    pause: float = 0.0  # seconds before each piece
    meet: threading.Barrier | None = None
    then: str = "end"


def says(body: object, status: int = 200, **headers: str) -> Says:
    """A response with JSON; `retry_after` names the header Retry-After."""
    return Says([json.dumps(body)], status, headers={name.replace("_", "-"): value for name, value in headers.items()})


def refuses(message: str, status: int = 400, **more: Any) -> Says:
    """Return a refusal of OpenAI's servers."""
    return says({"error": {"message": message, **more}}, status)


def writes(*words: str, finish: str | None = "stop", done: bool = True, **how: Any) -> Says:
    """A streamed answer, word by word, with a usage of 7 tokens read and one written for each word."""
    chunks: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in words]
    if finish:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        chunks.append({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": len(words)}})
    return streams(*chunks, *(["[DONE]"] if done else []), **how)


def streams(*chunks: dict[str, Any] | str, **how: Any) -> Says:
    """Server-sent events with these data."""
    data = [chunk if isinstance(chunk, str) else json.dumps(chunk) for chunk in chunks]
    return Says([f"data: {one}\n\n" for one in data], kind="text/event-stream", **how)


class Asked(NamedTuple):
    """A received request; header names are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: Any


class Scripted(ThreadingHTTPServer):
    """Plays one response after the other to POST, and lists its models to GET."""

    daemon_threads = True

    def __init__(self, script: Sequence[Says], models: Sequence[str]) -> None:
        super().__init__(("127.0.0.1", 0), _Player)
        self.script = iter(script)
        self.models = models
        self.asked: list[Asked] = []
        self.left = threading.Event()  # whoever asked closed the connection while it hung
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class JsonHandler(BaseHTTPRequestHandler):
    """A request handler that reads JSON, answers in JSON by `answer(body)`, and logs nothing."""

    def do_POST(self) -> None:
        self.answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

    def answer(self, body: Any) -> None:
        """Answer a request with this body: each server has its own way."""
        raise NotImplementedError

    def say(self, status: int, body: Any) -> None:
        """Send a whole answer."""
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Player(BaseHTTPRequestHandler):
    server: Scripted
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        read = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append(Asked(self.path, headers, json.loads(read)))
        self._play(next(self.server.script, refuses("The script is over.", 418)))

    def do_GET(self) -> None:
        self._play(says({"object": "list", "data": [{"id": name, "object": "model"} for name in self.server.models]}))

    def _play(self, says: Says) -> None:
        self.close_connection = True
        if says.hang:
            return self._hang()
        if says.meet:
            says.meet.wait(_START)
        self.send_response(says.status)
        for name, value in {"Content-Type": says.kind, "Transfer-Encoding": "chunked", **says.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):
            for piece in says.pieces:
                self.server.over.wait(says.pause)
                data = piece.encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            if says.then == "end":
                self.wfile.write(b"0\r\n\r\n")
            elif says.then == "hang":
                self._hang()
        return None

    def _hang(self) -> None:
        while not self.server.over.is_set():
            if select.select([self.connection], [], [], 0.02)[0]:
                self.server.left.set()
                return

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def scripted(*script: Says, models: Sequence[str] = ()) -> Iterator[Scripted]:
    """A server that plays these responses, and refuses with 418 when there are no more."""
    with Scripted(script, models) as server, serving(server):
        try:
            yield server
        finally:
            server.over.set()


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    """Serve from a thread of its own until the end of the block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


# ── a server that says any bytes ─────────────────────────────────────────────────────────────────────────────────


class Raw(NamedTuple):
    """A server of plain sockets. `over`: set when the test is over, or when it is to stop what it sends."""

    url: str
    over: threading.Event


@contextmanager
def raw(say: Callable[[socket.socket, threading.Event], None]) -> Iterator[Raw]:
    """Start a server that reads a request and then calls `say`, which sends any bytes until the client has gone."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve(connection: socket.socket) -> None:
            with connection, suppress(ConnectionError):
                heard = connection.makefile("rb")
                head = b"".join(iter(heard.readline, b"\r\n")).lower()
                _, _, length = head.partition(b"content-length:")
                heard.read(int(length.split(b"\r\n")[0] or 0))
                say(connection, over)

        def listen() -> None:
            with suppress(OSError):  # the door is shut
                while True:
                    threads.append(threading.Thread(target=serve, args=[door.accept()[0]], daemon=True))
                    threads[-1].start()

        threads = [threading.Thread(target=listen, daemon=True)]
        threads[0].start()
        try:
            yield Raw(f"http://127.0.0.1:{door.getsockname()[1]}/v1", over)
        finally:
            over.set()
            door.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(_START)


def head(kind: str = "text/event-stream", *, status: str = "200 OK", more: str = "") -> bytes:
    """The headers of an answer in chunks."""
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n{more}\r\n".encode("latin1")


def chunk(data: bytes) -> bytes:
    """A chunk; an empty one is the last."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(data: object) -> bytes:
    """A server-sent event with JSON, or with bytes as they are, in a chunk."""
    return chunk(b"data: " + (data if isinstance(data, bytes) else json.dumps(data).encode()) + b"\n\n")


def said(text: str) -> bytes:
    """The event of a part of an answer."""
    return event({"choices": [{"index": 0, "delta": {"content": text}}]})


END = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}) + event(b"[DONE]") + chunk(b"")
