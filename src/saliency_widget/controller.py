"""The controller of one widget: it queues tasks, runs them on a worker thread, and cancels them."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .aside import wait_for
from .attribution import pipeline
from .attribution.cards import LLM
from .errors import Cancelled, SaliencyError, WorkerDied
from .explanation.choice import HOMEWORK
from .models.loading.load import load_model
from .session.conversation import Conversation, Host
from .session.maps import Maps
from .session.messages import failed, heads, refusal, status
from .session.sanity import AGAIN, SHUFFLES, Checks, Mapped
from .session.sender import Send, Sender
from .session.shelf import Shelf
from .session.talk import Comparing, Talk
from .session.tasks import (
    AsChat,
    Aside,
    Ask,
    AskHeads,
    Back,
    Branch,
    CheckSanity,
    Evaluate,
    Keep,
    Quick,
    Tasks,
    Try,
    Turn,
    bare,
    choice_in,
    inquiry_of,
    task_of,
)
from .session.trail import Trail
from .session.trust import Trust
from .session.turns import turn
from .session.what_if import WhatIf

if TYPE_CHECKING:
    from .attribution.pipeline import Question
    from .attribution.result import Attribution
    from .evaluation.say_versus_do.result import SayVersusDo
    from .explanation.asking import Inquiry
    from .explanation.choice import Choice
    from .explanation.clients import Client
    from .explanation.result import Explanation
    from .models.base import Model
    from .models.text.changes import Text
    from .models.text.document import Document
    from .models.text.prompting import Prompt
    from .protocol import to_kernel
    from .session.tasks import Task

_EXIT_TIMEOUT = 5.0  # seconds that the interpreter's exit waits for the layer that is being computed


@dataclass(frozen=True, kw_only=True)
class Job:
    """The checked arguments of `show`."""

    model: Any
    prompt: Prompt
    question: Question
    max_new_tokens: int
    memory_budget: int | None = None
    explainer: Client | None = None


class Controller:
    """Runs the tasks of one widget on a worker thread.

    Every method may be called from any thread; all but `wait` and `join` return at once. `send` sends a message to the
    pages. The worker calls `finished` with every map on show that it completed, or cancelled after at least one column.
    """

    def __init__(self, job: Job, send: Send, finished: Callable[[Attribution], None]) -> None:
        self._job = job
        self._sender = sender = Sender(send)
        self._changed = threading.Condition()
        self._tasks = Tasks(self._drop)
        self._tasks.put(Ask(job.question))
        self._running: Task | None = None
        self._busy = True
        self._cancelled = threading.Event()
        self._closed = False
        self._ended = False  # whether the worker takes no more tasks
        self._error: BaseException | None = None
        self._failure: tuple[str, str, str] | None = None  # the error's type, message and cure, for the pages
        self._model: Model | None = None
        budget, check = job.memory_budget, self._check
        shelf = Shelf(sender)
        grown, turned = self._on_growth, self._on_new_text
        self._trail = Trail(
            sender, job.prompt, job.max_new_tokens, given=job.model, check=check, turned=turned, grown=grown,
            early_left=lambda total: self._maps.early_left(total),  # noqa: PLW0108 (there are no maps yet)
        )  # fmt: skip
        host = Host(loaded=self._loaded, document=self._document, check=check, memory_budget=budget)
        self._conversation = talks = Conversation(sender, shelf, job.explainer, host)
        self._maps = Maps(
            sender, shelf, job.question, budget, check=check, finished=finished, llm_map=lambda: talks.said
        )
        self._what_if = WhatIf(sender, budget)
        self._trust, self._checks = Trust(sender, budget), Checks(sender, budget)
        self._thread = threading.Thread(target=self._work, name="saliency-widget-worker", daemon=True)

    # ── from the page and from Python ─────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Start both threads."""
        # A thread that still runs native code when the interpreter exits crashes the process.
        atexit.register(self._end)
        self._sender.start()
        self._thread.start()

    def receive(self, message: to_kernel.ToKernel) -> None:
        """Handle a message of the page. Only sets flags: it may be called on a thread beside a running cell."""
        if self._sender.heard(message):
            return
        match message["type"]:
            case "focus":
                self.prefer(message["col"], message["n_cols"])
            case "cancel":
                self.cancel()
            case _:
                self._receive_task(message)

    def _receive_task(self, message: to_kernel.ToKernel) -> None:
        try:
            match message["type"]:
                case "explain":
                    self.explain(inquiry_of(message), message["explainer"], col=message.get("col"))
                case "say_versus_do":
                    self.say_versus_do(message["review"], choice_in(message), message.get("explainer"))
                case _:
                    self._put(task_of(message))
        except SaliencyError as error:
            self._fail(type(error).__name__, error.message, error.cure)
            self._sender.tell(*refusal(message))

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
        """Set what an explainer says beside what it computes; None: the model, of the text that the widget shows.

        Raises: InputError.
        """
        self._put(self._conversation.compare(review, choice or HOMEWORK, explainer))

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

    def prefer(self, col: int, n: int = 1) -> None:
        """Compute and send the n columns from `col` on next, because the user looks at them."""
        self._sender.prefer(col)
        self._maps.prefer(col, n)
        if self._maps.rests.intersection(range(col, col + n)):
            self.ask(self._maps.question)

    def cancel(self) -> None:
        """Cancel the running and all waiting tasks. Finished columns stay."""
        with self._changed:
            if not self._busy:
                return
            self._tasks.clear()
            self._cancelled.set()
            if self._model is None and not isinstance(self._running, Talk | Comparing):
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
        self._thread.join(_EXIT_TIMEOUT)

    @property
    def attribution(self) -> Attribution | None:
        """Return the finished columns of the map on show, or None before there are any."""
        return self._maps.attribution

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
        """Return the first error since the controller was last idle, or None."""
        return self._error

    def idle(self) -> bool:
        """Return whether no task waits or runs and the pages have received every message."""
        with self._changed:
            return not self._busy and self._sender.idle()

    def wait(self, timeout: float | None) -> bool:
        """Block until the map is complete and no task waits or runs, or for `timeout` seconds. Return whether so.

        Columns that rest are asked for.
        """
        until = None if timeout is None else time.monotonic() + timeout
        if not wait_for(self._changed, lambda: not self._busy, timeout):
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
        self._model = None
        self._conversation.forget_map()
        self._trust.forget()
        self._checks.forget()
        self._trail.close()
        self._maps.close()

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
        try:
            self._do(task)
        except _Interrupted:
            with self._changed:
                self._tasks.put_aside(task)
        except Cancelled as error:
            self._sender.tell(status("cancelled", "", *self._progress()))
            return error
        except SaliencyError as error:
            if isinstance(task, Talk):  # the message with its answer carries the error
                self._sender.tell(status("done"))
            else:
                self._fail(type(error).__name__, error.message, error.cure)
            return error
        except Exception as error:  # noqa: BLE001 (the page shows any error of the model's code, wait raises it)
            message = str(error) or "The model's code raised this error."
            self._fail(type(error).__name__, message, "See wait() for where it came from.")
            return error
        return None

    def _fail(self, kind: str, message: str, cure: str) -> None:
        self._failure = self._failure or (kind, message, cure)
        self._sender.tell(failed(kind, message, cure))

    def _do(self, task: Task | None) -> None:
        match task:
            case None:
                self._check()
            case Talk() | Comparing():
                self._conversation.fulfil(task)
                if self._model is not None:
                    self._maps.tell_menu(self._model)  # the answer may have made the LLM's map available
                    if self._maps.question.card is LLM:
                        self._ask_again()
                self._sender.tell(status("done"))
            case Evaluate() | CheckSanity():
                model = self._loaded()
                with turn(model.model, check=self._check, waiting=self._waiting):
                    # Between two parts of it a more urgent task may come first; inside of one only a cancel ends it.
                    inside = model.shadow(self._check_cancelled)
                    if isinstance(task, Evaluate):
                        self._evaluate(inside, task)
                    else:
                        self._check_sanity(model, inside, task)
            case _:
                model = self._loaded()
                with turn(model.model, check=self._check, waiting=self._waiting):
                    self._do_with(model.shadow(self._check), task)

    def _do_with(self, model: Model, task: Ask | Aside | Turn | Try | AskHeads) -> None:
        question = task.question if isinstance(task, Ask | Aside) else self._maps.question
        self._maps.offer(model, question.card)
        text = self._written(model)
        what = "" if isinstance(task, Turn) else question.card.label
        match task:
            case Ask():
                self._check()  # another map may have been asked for while the text was being written
                self._forget_other_weights(model)
                self._maps.show(model, text.document, question, is_wanted=task.is_wanted)
            case Aside():
                if self._forget_other_weights(model):
                    self._ask_again()
                self._maps.compute_aside(model, text.document, question)
            case Try():
                what = "What if"
                self._sender.tell(status("attributing", what, unit=""))
                self._what_if.consider(model, text, task.change, task.request)
            case AskHeads():
                what = "Heads"
                self._sender.tell(status("attributing", what, unit=""))
                layers, weights = pipeline.heads(model, text.document, task.col, self._job.memory_budget)
                reply = heads(task.request, self._sender.doc, task.col, layers, weights.shape)
                self._sender.tell(reply, numbers=[weights])
            case _:
                self._turn(model, task)
        self._sender.tell(status("done", what))

    def _evaluate(self, model: Model, task: Evaluate) -> None:
        self._maps.offer(model, self._maps.question.card)
        document = self._written(model).document
        if task.ahead:
            self._trust.prepare(model, document, task.cols)
            return
        if self._forget_other_weights(model):
            self._ask_again()
        self._trust.judge(model, document, task.cols, self._finished(model, document, task.cols), self._check)
        self._sender.tell(status("done", "Trust"))

    def _check_sanity(self, lent: Model, model: Model, task: CheckSanity) -> None:
        """`lent` is no shadow: checks make shadows of its copies."""
        self._maps.offer(model, self._maps.question.card)
        document = self._written(model).document
        if self._forget_other_weights(model):
            self._ask_again()
        seconds = self._maps.seconds_again(document, len(task.cols), times=AGAIN, looks=SHUFFLES)
        maps = [Mapped(*one, seconds.get(one[0])) for one in self._finished(model, document, task.cols)]
        if task.ahead:
            self._checks.announce(lent, document, task.cols, maps)
            return
        wanted = [one.map_id for one in maps] if task.maps is None else task.maps
        self._checks.check(lent, document, task.cols, maps, wanted, self._check, self._check_cancelled)
        self._sender.tell(status("done", "Sanity"))

    def _finished(self, model: Model, document: Document, cols: Sequence[int]) -> list[tuple[str, Attribution, object]]:
        """Return the maps that have all of these columns: the pages' id, the map, and where it came from."""
        said = self._conversation
        return [
            (name, found, said.mapped if said.said is not None and said.said[0] == name else found)
            for name, found in self._maps.finished(model, document, cols)
        ]

    # ── parts of tasks; each `model` is a shadow ─────────────────────────────────────────────────────────────────────

    def _loaded(self) -> Model:
        if self._model is None:
            self._sender.tell(status("loading", "Loading"))
            self._model = load_model(self._job.model, progress=self._loading)
            self._check()
        return self._model

    def _document(self) -> Document:
        """Return the text on show; write it first if there is none. May be called outside of `turn`."""
        if self._trail.text is not None:
            return self._trail.text.document
        model = self._loaded()
        with turn(model.model, check=self._check, waiting=self._waiting):
            inside = model.shadow(self._check)
            self._maps.offer(inside, self._job.question.card)
            return self._written(inside).document

    def _written(self, model: Model) -> Text:
        """Return the text on show; write it first if there is none."""
        if self._trail.text is None:
            self._change_text(model, lambda: self._trail.begin(model))
        text = self._trail.text
        assert text is not None, "writing the text raises an error or puts it on show"
        return text

    def _turn(self, model: Model, task: Turn) -> None:
        """Put another text on show, and queue for it the map that was on show."""
        before = self._trail.text
        match task:
            case Branch():
                self._change_text(model, lambda: self._trail.branch(model, task.col, task.token, task.change))
            case Back():
                self._change_text(model, lambda: self._trail.back(model, task.to))
            case AsChat():
                self._change_text(model, lambda: self._trail.ask_as_chat(model))
            case Keep():
                self._change_text(model, lambda: self._trail.keep(model, task.change))
        if self._trail.text is not before:
            self._ask_again()

    def _change_text(self, model: Model, to: Callable[[], None]) -> None:
        """Write another text, and tell the pages of it and of its maps, even if writing is cancelled or fails."""
        before, cut_short = self._trail.text, True
        try:
            to()
            cut_short = False
        finally:
            text = self._trail.text
            if text is not None and text is not before:
                self._maps.finish_early(model, text.document, cut_short=cut_short)
                self._conversation.introduce()
                self._maps.tell_menu(model)
                self._maps.send_again(model, text.document)

    def _on_new_text(self) -> None:
        """Drop all that belongs to the last text: the pages are about to be told of another one."""
        with self._changed:
            self._tasks.turn_the_page()
        self._maps.turn()
        self._what_if.forget()
        self._trust.forget()
        self._checks.forget()

    def _on_growth(self, model: Model, document: Document) -> None:
        """Begin the map of a text that is still being written, unless another map or text waits."""
        task = self._running
        if isinstance(task, Ask | Turn) and not self._tasks.overtake(Ask(self._maps.question)):
            self._maps.begin_early(model, document, task.question if isinstance(task, Ask) else self._next_question())

    def _ask_again(self) -> None:
        """Queue the question of the last text's map for the text on show now."""
        question = self._next_question()
        with self._changed:
            self._check()
            self._tasks.follow(question)

    def _next_question(self) -> Question:
        """Return the question of the map on show, without what belongs to its text."""
        said_of_another = self._maps.question.card is LLM and self._conversation.said is None
        return bare(self._job.question if said_of_another else self._maps.question)

    def _forget_other_weights(self, model: Model) -> bool:
        """Forget all maps if the model's weights have changed since they were computed. Return whether they have."""
        if not self._maps.are_of_other_weights(model):
            return False
        self._conversation.forget_map()
        self._maps.tell_menu(model)
        self._trail.announce(model)
        return True

    # ── called from inside long work ──────────────────────────────────────────────────────────────────────────────

    def _check(self) -> None:
        """Raise `Cancelled`, or `_Interrupted` if there is a text and a more urgent task waits."""
        # A cancelled map is not continued after a quick task, so only another map or text interrupts it.
        gives_way = self._tasks.overtake if self._cancelled.is_set() else self._tasks.interrupt
        if self._trail.text is not None and gives_way(self._running):
            raise _Interrupted
        self._check_cancelled()

    def _check_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise _cancelled_at(*self._progress())

    def _progress(self) -> tuple[int, int | None]:
        """Return how many parts of the running task are done, and of how many; None if that is unknown."""
        told = self._sender.latest("status")["status"]
        return told["done"], told["total"]

    def _loading(self, what: str, done: int, total: int | None) -> None:
        if not self._tasks:  # a task that was queued after the cancel needs the model too
            self._check()
        self._sender.tell(status("loading", what, done, total))

    def _waiting(self) -> None:
        self._sender.tell(status("waiting", "Waiting for another map on this model"))


def _cancelled_at(done: int, total: int | None) -> Cancelled:
    return Cancelled(
        f"Cancelled after {done} of {total}." if total else "Cancelled.",
        cure="The finished columns are kept; ask again to go on.",
    )


class _Interrupted(Exception):
    """A more urgent task waits, so the running one stops."""
