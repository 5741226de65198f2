"""The controller of one widget: it queues tasks, runs them on a worker thread, and cancels them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .aside import wait_for
from .errors import Cancelled, WorkerDied
from .session.executor import Control, Executor, Job
from .session.messages import failed, status
from .session.sender import Send
from .session.talk import Comparing, Talk
from .session.tasks import Ask, Quick, Tasks, task_of
from .session.threaded import Threaded

if TYPE_CHECKING:
    from .attribution.pipeline import Question
    from .attribution.result import Attribution
    from .protocol import to_kernel
    from .session.tasks import Task


class Controller(Threaded):
    """Runs the tasks of one widget on a worker thread.

    Every method may be called from any thread; all but `wait` and `join` return at once. `send` sends a message to the
    pages. The worker calls `finished` with every map on show that it completed, or cancelled after at least one column.
    """

    exit_timeout = 5.0  # for the layer that is being computed

    def __init__(self, job: Job, send: Send, finished: Callable[[Attribution], None]) -> None:
        super().__init__(send)
        self._tasks: Tasks = Tasks(self._drop)
        self._tasks.put(Ask(job.question))
        self._running: Task | None = None
        self._ended = False  # whether the worker takes no more tasks
        self._failure: tuple[str, str, str] | None = None  # the error's type, message and cure, for the pages
        control = Control(
            check=self._check,
            check_cancelled=self._check_cancelled,
            check_loading=self._check_loading,
            turn=self._turn,
            follow=self._follow,
            gives_way=self._tasks.overtake,
        )
        self._executor = Executor(job, self._sender, control, finished)
        self._maps, self._conversation = self._executor.maps, self._executor.conversation

    # ── from the page and from Python ─────────────────────────────────────────────────────────────────────────────

    def _receive_task(self, message: to_kernel.ToKernel) -> None:
        self._put(task_of(message))

    def ask(self, question: Question, *, is_wanted: bool = False) -> None:
        """Show this map. A map that is being computed is interrupted, and continued when it is asked for again.

        `is_wanted`: compute all its columns, however long it takes.
        """
        self._put(Ask(question, is_wanted))

    def _put(self, task: Task) -> None:
        with self._changed:
            self._tasks.put(task)
            self._busy = True
            self._error = self._failure = None
            self._changed.notify_all()
        if self._ended:
            self._report_death()

    def prefer(self, cols: range) -> None:
        """Compute and send these columns next, because the user looks at them."""
        self._sender.prefer(cols)
        self._maps.prefer(cols)
        if self._maps.rests.intersection(cols):
            self.ask(self._maps.question)

    def cancel(self) -> None:
        """Cancel the running and all waiting tasks. Finished columns stay."""
        with self._changed:
            if not self._busy:
                return
            self._tasks.clear()
            self._cancelled.set()
            if not self._executor.is_loaded and not isinstance(self._running, Talk | Comparing):
                self._error = _cancelled_at(0, None)  # loading cannot be interrupted, so `wait` does not wait for it
                self._busy = False
                self._sender.tell(status("cancelled"))
            self._changed.notify_all()

    def _drop(self, task: Task | None) -> None:
        """Tell the pages that wait for this task that it will not be done."""
        if isinstance(task, Talk):
            self._conversation.drop(task)
        elif isinstance(task, Quick):
            self._sender.tell({"type": "unanswered", "request": task.request})

    @property
    def attribution(self) -> Attribution | None:
        """Return the finished columns of the map on show, or None before there are any."""
        return self._maps.attribution

    def wait(self, timeout: float | None) -> bool:
        """Block until the map is complete and no task waits or runs, or for `timeout` seconds. Return whether so.

        Columns that rest are asked for.
        """
        until = None if timeout is None else time.monotonic() + timeout
        if not super().wait(timeout):
            return False
        if self._error is not None or not self._maps.rests:
            return True
        self.ask(self._maps.question, is_wanted=True)
        left = None if until is None else max(0.0, until - time.monotonic())
        return wait_for(self._changed, lambda: not self._busy, left)

    # ── the worker's thread ───────────────────────────────────────────────────────────────────────────────────────

    def _work(self) -> None:
        try:
            while self._wait_for_work():
                self._finish(self._try(self._take()))
        except BaseException:  # e.g. SystemExit in a layer of the model: the thread ends, and the pages are told
            self._ended = True
            self._report_death()
            raise
        self._ended = True
        if self._busy:  # a task was queued, and the controller closed before the task began
            self._report_death()
        self._executor.close()

    def _report_death(self) -> None:
        error = WorkerDied(
            "The thread behind this widget ended without finishing.",
            cure="The finished columns are kept; run the cell again to start a new one.",
        )
        self._sender.tell(failed(type(error).__name__, error.message, error.cure))
        with self._changed:
            self._drop(self._running)
            self._tasks.clear()
            self._error, self._busy = error, False
            self._changed.notify_all()

    def _wait_for_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._tasks or self._cancelled.is_set())
            return not self._closed

    def _take(self) -> Task | None:
        """Take the next task; None if the waiting tasks were cancelled."""
        with self._changed:
            self._running = self._tasks.take()
            if self._running is not None:  # it was queued after the cancel
                self._cancelled.clear()
            return self._running

    def _finish(self, error: BaseException | None) -> None:
        with self._changed:
            # If a newer map or text waits, the error of that one counts, not of this one.
            newer = self._tasks.overtake(self._running) or (isinstance(error, Cancelled) and bool(self._tasks))
            if error is not None and isinstance(self._running, Quick):
                self._drop(self._running)
            self._running = None
            if not newer:
                self._error = self._error or error
            if self._tasks:
                return
            self._cancelled.clear()
            self._busy = False
            if self._failure is not None:  # later tasks removed the message of the error from the page
                self._sender.tell(failed(*self._failure))
            self._changed.notify_all()

    def _try(self, task: Task | None) -> BaseException | None:
        """Run one task (None: it was cancelled before it began). Send its error to the pages, and return it."""

        def do() -> None:
            try:
                if task is None:
                    self._check()
                else:
                    self._executor.do(task)
            except _Interrupted:
                with self._changed:
                    self._tasks.put_aside(task)

        return self._attempt(do, is_talk=isinstance(task, Talk))

    def _tell_cancelled(self) -> None:
        self._sender.tell(status("cancelled", "", *self._progress()))

    def _fail(self, kind: str, message: str, cure: str) -> None:
        self._failure = self._failure or (kind, message, cure)
        super()._fail(kind, message, cure)

    # ── called from inside long work ──────────────────────────────────────────────────────────────────────────────

    def _check(self) -> None:
        """Raise `Cancelled`, or `_Interrupted` if there is a text and a more urgent task waits."""
        # A cancelled map is not continued after a quick task, so only another map or text interrupts it.
        gives_way = self._tasks.overtake if self._cancelled.is_set() else self._tasks.interrupt
        if self._executor.has_text and gives_way(self._running):
            raise _Interrupted
        self._check_cancelled()

    def _check_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise _cancelled_at(*self._progress())

    def _check_loading(self) -> None:
        if not self._tasks:  # a task that was queued after the cancel needs the model too
            self._check()

    def _turn(self) -> None:
        """Drop the tasks about the last text: another one is about to be on show."""
        with self._changed:
            self._tasks.turn_the_page()

    def _follow(self, question: Question) -> None:
        """Show this map next, unless another map to show waits. Raises: Cancelled."""
        with self._changed:
            self._check()
            self._tasks.follow(question)

    def _progress(self) -> tuple[int, int | None]:
        """Return how many parts of the running task are done, and of how many; None if that is unknown."""
        told = self._sender.latest("status")["status"]
        return told["done"], told["total"]


def _cancelled_at(done: int, total: int | None) -> Cancelled:
    return Cancelled(
        f"Cancelled after {done} of {total}." if total else "Cancelled.",
        cure="The finished columns are kept; ask again to go on.",
    )


class _Interrupted(Exception):
    """A more urgent task waits, so the running one stops."""
