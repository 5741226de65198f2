"""The sender is the thread that sends the board's messages to the pages, at a rate that they can follow."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..protocol import PROTOCOL, WINDOW, to_kernel, to_page
from .board import Board
from .messages import encodable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .board import Post

Send = Callable[[dict[str, Any], list[memoryview]], None]

PAUSE = 0.04  # seconds between two rounds of news: a reader sees no faster changes


class Sender:
    """Sends messages to the pages.

    Its methods may be called from any thread; all but `join` return at once. Messages that come faster than a reader
    can see are merged; columns wait until a page has acknowledged enough of the ones before. A page that says hello
    gets everything from the start; one of another build, which could not read it, gets the kernel's hello alone.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._board = Board()
        self._changed = threading.Condition()
        self._listening = False  # whether a page has said hello; nothing is sent before
        self._refuses = False  # whether a page of another build waits to be told so
        self._sending = False
        self._closed = False
        self._news_at = 0.0  # when the next news may be sent
        self._seq = self._acked = 0
        self._thread = threading.Thread(target=self._run, name="saliency-widget-sender", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread and forget everything."""
        with self._changed:
            self._closed, self._board = True, Board()
            self._changed.notify_all()

    def join(self, timeout: float) -> bool:
        """Wait for the started thread to end. Return whether it has ended."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def tell(self, *messages: to_page.ToPage, numbers: Sequence[NDArray[np.float32]] = ()) -> None:
        """Put these messages on the board at once. `numbers`: the float32 arrays of the last one, one a buffer."""
        with self._changed:
            if not self._closed:
                for message in messages:
                    self._board.post(message, numbers if message is messages[-1] else ())
                self._changed.notify_all()

    def latest(self, kind: str) -> dict[Any, dict[str, Any]]:
        """Return the latest messages of this kind by their key."""
        with self._changed:
            return self._board.latest(kind)

    @property
    def doc(self) -> int:
        """Return the number of the text on show; 0 before there is any."""
        return next((int(document["doc"]) for document in self.latest("document").values()), 0)

    def idle(self) -> bool:
        """Return whether every message was sent to the pages."""
        with self._changed:
            return self._board.is_told and not self._sending and not self._refuses

    # ── what the page says ────────────────────────────────────────────────────────────────────────────────────────

    def heard(self, message: to_kernel.ToKernel) -> bool:
        """Handle a page's hello or acknowledgement; answer any other message but "focus" with "heard".

        Return whether it was a hello or an acknowledgement.
        """
        with self._changed:
            match message["type"]:
                case "hello" if message["protocol"] != PROTOCOL:
                    self._refuses = True
                case "hello":  # do not wait for the acknowledgements of a closed page
                    self._listening, self._acked = True, self._seq
                    self._board.greet()
                case "ack":
                    self._acked = max(self._acked, min(message["seq"], self._seq))
                case "focus":
                    return False
                case _:  # a page that waits for a slow reply learns that the kernel is alive
                    self.tell({"type": "heard"})
            self._changed.notify_all()
            return message["type"] in ("hello", "ack")

    def prefer(self, cols: range) -> None:
        """Send the columns nearest to the first of these before others, because the user looks at them."""
        with self._changed:
            self._board.preferred = cols.start

    # ── the thread ────────────────────────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        while posts := self._wait():
            for content, numbers in posts:
                self._send(encodable(content), [memoryview(array.astype("<f4").tobytes()) for array in numbers])

    def _wait(self) -> list[Post]:
        """Wait for the next messages to send; none after `close`."""
        with self._changed:
            self._sending = False
            while not self._closed:
                now = time.monotonic()  # read once: if the pause ended between two readings, the wait would have no end
                if posts := self._take(now):
                    self._sending = True
                    return posts
                paused = self._listening and self._board.has_news
                self._changed.wait(self._news_at - now if paused else None)
            return []

    def _take(self, now: float) -> list[Post]:
        board = self._board
        if self._refuses:
            self._refuses = False
            return [(board.hello, ())]
        if not self._listening:
            return []
        if board.is_urgent or (board.has_news and now >= self._news_at):
            self._news_at = now + PAUSE
            return board.news()
        column = board.column() if self._seq - self._acked < WINDOW else None
        if column is None:
            return []
        self._seq += 1
        return [({**column[0], "seq": self._seq}, column[1])]
