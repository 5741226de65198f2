"""The kernel-side object behind one widget: what is asked of it, the thread that does it, and how it is stopped."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .attribution import pipeline
from .attribution.cards import LLM
from .errors import Cancelled, SaliencyError, WorkerDied
from .explanation.asking import Inquiry
from .models.loading.load import load_model
from .session.conversation import Conversation, Host
from .session.maps import Maps
from .session.messages import failed, heads, refusal, status
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
    Keep,
    Quick,
    Tasks,
    Try,
    Turn,
    bare,
    task_of,
)
from .session.trail import Trail
from .session.turns import turn
from .session.what_if import WhatIf

if TYPE_CHECKING:
    from .attribution.pipeline import Question
    from .attribution.result import Attribution
    from .evaluation.result import SayVersusDo
    from .explanation.clients import Client
    from .explanation.result import Explanation
    from .models.base import Model
    from .models.text.changes import Text
    from .models.text.document import Document
    from .models.text.prompting import Prompt
    from .protocol import to_kernel
    from .session.tasks import Task
    from .types import ExplanationKind

_PATIENCE = 5.0  # seconds that a process which wants to end waits for the layer that is being computed


@dataclass(frozen=True, kw_only=True)
class Job:
    """What `show` was called with, checked."""

    model: Any
    prompt: Prompt
    question: Question
    max_new_tokens: int
    memory_budget: int | None = None
    explainer: Client | None = None


class Controller:
    """Does one widget's tasks on a thread of its own. Every method but `wait` returns at once, from any thread.

    `send` hands a message to the pages. `finished` is called on the worker's thread with every map on show that was
    completed, or cancelled with something in it.
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
        self._ended = False  # the worker's thread takes no more tasks
        self._error: BaseException | None = None
        self._failure: tuple[str, str, str] | None = None  # what the pages are told of it
        self._model: Model | None = None
        budget, check = job.memory_budget, self._check
        shelf = Shelf(sender)
        grown, turned = self._grown, self._turned
        self._trail = Trail(
            sender, job.prompt, job.max_new_tokens, given=job.model, check=check, turned=turned, grown=grown
        )
        host = Host(loaded=self._loaded, document=self._document, check=check, memory_budget=budget)
        self._conversation = said = Conversation(sender, shelf, job.explainer, host)
        self._maps = Maps(sender, shelf, job.question, budget, check=check, finished=finished, said=lambda: said.said)
        self._what_if = WhatIf(sender, budget)
        self._thread = threading.Thread(target=self._work, name="saliency-widget-worker", daemon=True)

    # ── from the page and from Python ─────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Begin to work."""
        # A thread that is deep in a library when the interpreter ends takes the process down with a crash.
        atexit.register(self._end)
        self._sender.start()
        self._thread.start()

    def receive(self, message: to_kernel.ToKernel) -> None:
        """A message of the page. Only sets flags: it may come on a thread beside a running cell."""
        if self._sender.heard(message):
            return
        match message["type"]:
            case "focus":
                self.prefer(message["col"])
            case "cancel":
                self.cancel()
            case _:
                self._receive_task(message)

    def _receive_task(self, message: to_kernel.ToKernel) -> None:
        try:
            match message["type"]:
                case "explain":
                    kind: ExplanationKind = "scores" if message["kind"] == "scores" else "answer"
                    request = Inquiry(review=message["review"], kind=kind, prompt=message["prompt"])
                    self.explain(request, message["explainer"])
                case "say_versus_do":
                    self.say_versus_do(message["review"])
                case _:
                    self._put(task_of(message))
        except SaliencyError as error:
            self._fail(type(error).__name__, error.message, error.cure)
            self._sender.tell(*refusal(message))

    def explain(self, request: Inquiry, explainer: str | None = None, *, of_widget: bool = False) -> None:
        """Let an LLM explain, after what is waiting already.

        `explainer`: "model" or "explainer"; None: the latter where there is one. `of_widget`: it is about the text that
        the widget shows, which need not be there yet.
        Raises: InputError.
        """
        self._put(self._conversation.ask_for(request, explainer, of_widget=of_widget))

    def say_versus_do(self, review: str | None) -> None:
        """Set what the model says beside what it computes; None: of the text that the widget shows."""
        self._put(Comparing(review))

    def ask(self, question: Question) -> None:
        """Show this map; what runs now is put aside, and taken up again when it is asked for once more."""
        self._put(Ask(question))

    def _put(self, task: Task) -> None:
        with self._changed:
            self._tasks.put(task)
            self._busy = True
            self._error = self._failure = None
            self._changed.notify_all()
        if self._ended:
            self._died()

    def prefer(self, col: int) -> None:
        """The user looks at this column: compute and send it next."""
        self._sender.prefer(col)
        self._maps.prefer(col)

    def cancel(self) -> None:
        """Stop what is running; keep what is done. Nothing happens where nothing runs."""
        with self._changed:
            if not self._busy:
                return
            self._tasks.clear()
            self._cancelled.set()
            if self._model is None and not isinstance(self._running, Talk | Comparing):
                self._error = _cancelled_at(0, None)  # loading cannot be interrupted; nobody has to wait for it
                self._busy = False
                self._sender.tell(status("cancelled"))
            self._changed.notify_all()

    def _drop(self, task: Task | None) -> None:
        """It will not be done: whoever waits for it is told."""
        if isinstance(task, Talk):
            self._conversation.drop(task)
        elif isinstance(task, Quick):
            self._sender.tell({"type": "unanswered", "request": task.request})

    def close(self) -> None:
        """End both threads and free what they held."""
        with self._changed:
            self._closed = True
            self._tasks.clear()
            self._cancelled.set()
            self._changed.notify_all()
        self._sender.close()
        atexit.unregister(self._end)

    def join(self, timeout: float) -> bool:
        """Wait for both threads to end after `close`; whether they have."""
        self._thread.join(timeout)
        return self._sender.join(timeout) and not self._thread.is_alive()

    def _end(self) -> None:
        self.close()
        self._thread.join(_PATIENCE)

    @property
    def attribution(self) -> Attribution | None:
        """The map on show as far as it is computed, or None."""
        return self._maps.attribution

    @property
    def explanations(self) -> tuple[Explanation, ...]:
        """What was said so far, in the order in which it was asked for."""
        return self._conversation.explanations

    @property
    def comparison(self) -> SayVersusDo | None:
        """What was said beside what was computed, the last one asked for, or None."""
        return self._conversation.comparison

    @property
    def error(self) -> BaseException | None:
        """What failed first of all that was to do, or None."""
        return self._error

    def idle(self) -> bool:
        """Whether nothing is to do, and the pages have heard of all that was done."""
        with self._changed:
            return not self._busy and self._sender.idle()

    def wait(self, timeout: float | None) -> bool:
        """Block until nothing is to do, or for `timeout` seconds; whether nothing is to do."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self._busy:
            left = 0.2 if deadline is None else min(0.2, deadline - time.monotonic())
            if left <= 0:
                return False
            with self._changed:  # short waits: Kernel → Interrupt gets through between them
                self._changed.wait_for(lambda: not self._busy, left)
        return True

    # ── the worker's thread ───────────────────────────────────────────────────────────────────────────────────────

    def _work(self) -> None:
        try:
            while self._wait_for_work():
                self._finish(self._try(self._take()))
        except BaseException:  # SystemExit of somebody's layer, say: nobody is left to go on, but it can be told
            self._ended = True
            self._died()
            raise
        self._ended = True
        if self._busy:  # asked, and closed before it was begun
            self._died()
        self._model = None
        self._conversation.forget_map()
        self._trail.close()
        self._maps.close()

    def _died(self) -> None:
        error = WorkerDied(
            "The thread behind this widget ended without finishing.",
            cure="What it had computed is kept; run the cell again to start a new one.",
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
        """What to do next; None: what waited was cancelled."""
        with self._changed:
            self._running = self._tasks.take()
            if self._running is not None:  # it was asked for after the cancel
                self._cancelled.clear()
            return self._running

    def _finish(self, error: BaseException | None) -> None:
        with self._changed:
            # Where something newer is to be shown, its end is the one to tell.
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
            if self._failure is not None:  # what was done after it has taken it off the page
                self._sender.tell(failed(*self._failure))
            self._changed.notify_all()

    def _try(self, task: Task | None) -> BaseException | None:
        """Do one task (None: it was cancelled before it began); its error is told to the pages, and given back."""
        try:
            self._do(task)
        except _Overtaken:
            with self._changed:
                self._tasks.put_aside(task)
        except Cancelled as error:
            self._sender.tell(status("cancelled", "", *self._progress()))
            return error
        except SaliencyError as error:
            if isinstance(task, Talk):  # its answer says what went wrong, and the map stays as it was
                self._sender.tell(status("done"))
            else:
                self._fail(type(error).__name__, error.message, error.cure)
            return error
        except Exception as error:  # noqa: BLE001 (the model is somebody else's program; its error is shown and raised)
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
                    self._maps.tell_menu(self._model)  # what was said may be a map by now
                self._sender.tell(status("done"))
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
                self._maps.show(model, text.document, question)
            case Aside():
                if self._forget_other_weights(model):
                    self._follow()
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

    # ── parts of tasks; each `model` is a shadow ─────────────────────────────────────────────────────────────────────

    def _loaded(self) -> Model:
        if self._model is None:
            self._sender.tell(status("loading", "Loading"))
            self._model = load_model(self._job.model, progress=self._loading)
            self._check()
        return self._model

    def _document(self) -> Document:
        """The text on show, written if there is none. Outside of a turn, too."""
        if self._trail.text is not None:
            return self._trail.text.document
        model = self._loaded()
        with turn(model.model, check=self._check, waiting=self._waiting):
            inside = model.shadow(self._check)
            self._maps.offer(inside, self._job.question.card)
            return self._written(inside).document

    def _written(self, model: Model) -> Text:
        """The text on show, written if there is none."""
        if self._trail.text is None:
            self._go(model, lambda: self._trail.begin(model))
        text = self._trail.text
        assert text is not None, "a text that cannot be written is an error"
        return text

    def _turn(self, model: Model, task: Turn) -> None:
        """Another text, and the map that was on show, of that one."""
        before = self._trail.text
        match task:
            case Branch():
                self._go(model, lambda: self._trail.branch(model, task.col, task.token))
            case Back():
                self._go(model, lambda: self._trail.back(model, task.to))
            case AsChat():
                self._go(model, lambda: self._trail.ask_as_chat(model))
            case Keep():
                self._go(model, lambda: self._trail.keep(model, task.change))
        if self._trail.text is not before:
            self._follow()

    def _go(self, model: Model, to: Callable[[], None]) -> None:
        """To another text. However far one comes, what is known of it is told."""
        before, cut_short = self._trail.text, True
        try:
            to()
            cut_short = False
        finally:
            text = self._trail.text
            if text is not None and text is not before:
                self._maps.settle(model, text.document, cut_short=cut_short)
                self._conversation.introduce()
                self._maps.tell_menu(model)
                self._maps.revive(model, text.document)

    def _turned(self) -> None:
        """The pages are about to hear of another text."""
        with self._changed:
            self._tasks.turn_the_page()
        self._maps.turn()
        self._what_if.forget()

    def _grown(self, model: Model, document: Document) -> None:
        """A text is being written: the map that will be asked of it begins, unless another one was asked for."""
        task = self._running
        if isinstance(task, Ask | Turn) and not self._tasks.overtake(Ask(self._maps.question)):
            self._maps.anticipate(model, document, task.question if isinstance(task, Ask) else self._next_question())

    def _follow(self) -> None:
        """What was on show is asked of the text that is on show now."""
        question = self._next_question()
        with self._changed:
            self._check()
            self._tasks.follow(question)

    def _next_question(self) -> Question:
        """The question on show, as it is put to another text."""
        said_of_another = self._maps.question.card is LLM and self._conversation.said is None
        return bare(self._job.question if said_of_another else self._maps.question)

    def _forget_other_weights(self, model: Model) -> bool:
        """Where the weights are not those of before, nothing that was computed is valid; whether that is so."""
        if not self._maps.are_of_other_weights(model):
            return False
        self._conversation.forget_map()
        self._maps.tell_menu(model)
        self._trail.announce(model)
        return True

    # ── called from inside long work ──────────────────────────────────────────────────────────────────────────────

    def _check(self) -> None:
        """Raises to give up: for good, or (once there is a text) for something that comes first."""
        # What was cancelled does not go on after a short answer either.
        gives_way = self._tasks.overtake if self._cancelled.is_set() else self._tasks.interrupt
        if self._trail.text is not None and gives_way(self._running):
            raise _Overtaken
        if self._cancelled.is_set():
            raise _cancelled_at(*self._progress())

    def _progress(self) -> tuple[int, int | None]:
        """How far the work is: done, and of how many."""
        told = self._sender.latest("status")["status"]
        return told["done"], told["total"]

    def _loading(self, what: str, done: int, total: int | None) -> None:
        if not self._tasks:  # else what was asked after the cancel needs the model, too
            self._check()
        self._sender.tell(status("loading", what, done, total))

    def _waiting(self) -> None:
        self._sender.tell(status("waiting", "Waiting for another map on this model"))


def _cancelled_at(done: int, total: int | None) -> Cancelled:
    return Cancelled(
        f"Cancelled after {done} of {total}." if total else "Cancelled.",
        cure="What was done is kept; ask again to go on.",
    )


class _Overtaken(Exception):
    """Something that comes first was asked for."""
