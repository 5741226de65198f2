"""The life of a backend with a worker thread: what is the same whether the model is here or behind a server."""

from __future__ import annotations

import atexit
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Protocol

from ..aside import wait_for
from ..errors import Cancelled, SaliencyError
from .answering import answer
from .messages import failed, status
from .sender import Send, Sender
from .tasks import choice_in, cols_of, inquiry_of

if TYPE_CHECKING:
    from ..evaluation.say_versus_do.result import SayVersusDo
    from ..explanation.asking import Inquiry
    from ..explanation.choice import Choice
    from ..explanation.result import Explanation
    from ..protocol import to_kernel
    from .conversation import Conversation
    from .talk import Wish


class Queue(Protocol):
    """The tasks that wait."""

    def clear(self) -> None:
        """Drop all tasks."""


class Threaded(ABC):
    """A worker thread that does tasks, and a sender that tells the pages of them.

    `_changed` guards the tasks and the flags beside them. A subclass sets `_tasks` and `_conversation`, takes and does
    the tasks in `_work`, and adds a talk to them in `_put`. Every method may be called from any thread; all but `wait`
    and `join` return at once.
    """

    exit_timeout: ClassVar[float]
    """Seconds that the interpreter's exit waits for the worker."""

    _tasks: Queue
    _conversation: Conversation

    def __init__(self, send: Send) -> None:
        self._sender = Sender(send)
        self._changed = threading.Condition()
        self._busy = True
        self._cancelled = threading.Event()
        self._closed = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="saliency-widget-worker", daemon=True)

    @abstractmethod
    def _work(self) -> None:
        """Do tasks until the backend is closed. Runs on the worker's thread."""

    @abstractmethod
    def _put(self, wish: Wish, /) -> None:
        """Add a talk or a comparison to the tasks that wait."""

    @abstractmethod
    def _receive_task(self, message: to_kernel.ToKernel) -> None:
        """Handle a message that only this kind of backend knows. Raises: InputError."""

    @abstractmethod
    def prefer(self, cols: range) -> None:
        """Compute and send these columns next, because the user looks at them."""

    @abstractmethod
    def cancel(self) -> None:
        """Cancel the running and all waiting tasks. Finished parts stay."""

    # ── from the page and from Python ─────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Start both threads."""
        # A thread that still runs native code when the interpreter exits crashes the process.
        atexit.register(self._end)
        self._sender.start()
        self._thread.start()

    def receive(self, message: to_kernel.ToKernel) -> None:
        """Handle a message of the page. Only sets flags: it may be called on a thread beside a running cell."""
        answer(self._sender, message, self._receive, self._fail)

    def _receive(self, message: to_kernel.ToKernel) -> None:
        match message["type"]:
            case "focus":
                self.prefer(cols_of(message))
            case "cancel":
                self.cancel()
            case "explain":
                self.explain(inquiry_of(message), message["explainer"], col=message.get("col"))
            case "say_versus_do":
                self.say_versus_do(message["review"], choice_in(message), message.get("explainer"))
            case _:
                self._receive_task(message)

    def explain(
        self, request: Inquiry, explainer: str | None = None, *, of_widget: bool = False, col: int | None = None
    ) -> None:
        """Let an LLM explain, after what is waiting already.

        `explainer`: "model" or "explainer"; None: the latter where there is one. `of_widget`: it is about the text that
        the widget shows, which need not be there yet. `col`: the target it is asked about, of that text.
        Raises: InputError.
        """
        self._put(self._conversation.ask_for(request, explainer, of_widget=of_widget, col=col))

    def say_versus_do(self, review: str | None, choice: Choice | None = None, explainer: str | None = None) -> None:
        """Set what an explainer says beside what it computes; `review` of None: of the text that the widget shows.

        `choice` of None is the widget's own. `explainer`: see `explain`; None: the model itself. Raises: InputError.
        """
        self._put(self._conversation.compare(review, choice, explainer))

    def close(self) -> None:
        """Tell both threads to end and to free their data. `join` waits for them."""
        with self._changed:
            self._closed = True
            self._tasks.clear()
            self._cancelled.set()
            self._changed.notify_all()
        self._sender.close()
        atexit.unregister(self._end)

    def join(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for each thread to end after `close`. Return whether both have ended."""
        self._thread.join(timeout)
        return self._sender.join(timeout) and not self._thread.is_alive()

    def _end(self) -> None:
        self.close()
        self._thread.join(self.exit_timeout)

    def idle(self) -> bool:
        """Return whether no task waits or runs and the pages have received every message."""
        with self._changed:
            return not self._busy and self._sender.idle()

    def wait(self, timeout: float | None) -> bool:
        """Block until no task waits or runs, or for `timeout` seconds. Return whether so."""
        return wait_for(self._changed, lambda: not self._busy, timeout)

    @property
    def explanations(self) -> tuple[Explanation, ...]:
        """Return the finished explanations, in the order of their requests."""
        return self._conversation.explanations

    @property
    def comparison(self) -> SayVersusDo | None:
        """Return the last comparison of stated with computed scores, or None."""
        return self._conversation.comparison

    @property
    def error(self) -> BaseException | None:
        """Return the first error since the backend was last idle, or None."""
        return self._error

    # ── the worker's thread ───────────────────────────────────────────────────────────────────────────────────────

    def _attempt(self, do: Callable[[], None], *, is_talk: bool) -> BaseException | None:
        """Do a task. Tell the pages of its error, and return it. `is_talk`: its answer carries an error of ours."""
        try:
            do()
        except Cancelled as error:
            self._tell_cancelled()
            return error
        except SaliencyError as error:
            if is_talk:
                self._sender.tell(status("done"))
            else:
                self._fail(type(error).__name__, error.message, error.cure)
            return error
        except Exception as error:  # noqa: BLE001 (the page shows any error of a model's code, `wait` raises it)
            message = str(error) or "It came without a message."
            self._fail(type(error).__name__, message, "See wait() for where it came from.")
            return error
        return None

    @abstractmethod
    def _tell_cancelled(self) -> None:
        """Tell the pages how far the cancelled task came."""

    def _fail(self, kind: str, message: str, cure: str) -> None:
        self._sender.tell(failed(kind, message, cure))
