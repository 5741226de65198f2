"""The kernel-side object behind one widget: a queue, the worker thread that owns the model, cache and cancellation."""

from __future__ import annotations

import atexit
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .attribution import attribute as attribution
from .attribution.engine import Chunk, Progress, Schedule
from .attribution.methods import LLM, METHODS, Method, check_applies, why_not
from .attribution.objectives import LABELS
from .conversation import Comparing, Conversation, Host, Talk
from .errors import Cancelled, SaliencyError, WorkerDied
from .explanation.asking import Inquiry
from .models.loading import load_model
from .streaming import Send, Stream

if TYPE_CHECKING:
    from . import protocol
    from .attribution.attribute import Question
    from .attribution.result import Attribution
    from .conversation import Wish
    from .evaluation.say_versus_do import SayVersusDo
    from .explanation.clients import Client
    from .explanation.result import Explanation
    from .models.base import Model
    from .models.document import Document
    from .models.prompting import Encoded, Prompt
    from .models.steps import Step
    from .types import ExplanationKind, Request

_PATIENCE = 5.0  # seconds that a process which wants to end waits for the layer that is being computed
_NEXT_LOOK = 0.1  # seconds between two looks at a text that is being written


@dataclass(frozen=True, kw_only=True)
class Job:
    """What `show` was called with, checked."""

    model: Any
    prompt: Prompt
    question: Question
    max_new_tokens: int
    memory_budget: int | None = None
    explainer: Client | None = None


@dataclass(eq=False)
class _Entry:
    """A map in the cache, whole or begun."""

    map_id: str
    chunks: list[Chunk] = field(default_factory=list)
    seconds: float = 0.0

    def done(self) -> set[int]:
        return {col for chunk in self.chunks for col in chunk.cols}


class Controller:
    """Runs one widget's jobs on a thread of its own. Every method but `wait` returns at once, from any thread.

    `send` hands a message to the pages. `finished` is called on the worker's thread with every map that was completed
    or cancelled with something in it.
    """

    def __init__(self, job: Job, send: Send, finished: Callable[[Attribution], None]) -> None:
        self._job = job
        self._finished = finished
        self._stream = Stream(send)
        self._changed = threading.Condition()
        self._asked: Question | None = job.question  # the latest wish; older ones are not worth doing
        self._busy = True
        self._cancelled = threading.Event()
        self._closed = False
        self._ended = False  # the worker's thread takes no more jobs
        self._error: BaseException | None = None
        self._schedule: Schedule | None = None
        self._preferred: int | None = None
        self._model: Model | None = None
        self._document: Document | None = None
        self._cache: dict[tuple[int | None, Request], _Entry] = {}
        self._fingerprint: int | None = None
        self._offered: list[Method] = []
        self._attribution: Attribution | None = None
        self._talking = False  # an explanation is being made: a map that is asked for waits
        host = Host(loaded=self._loaded, document=self._shown, check=self._check, memory_budget=job.memory_budget)
        self._conversation = Conversation(self._stream, job.explainer, host)
        self._thread = threading.Thread(target=self._work, name="saliency-widget-worker", daemon=True)

    # ── from the page and from Python ─────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Begin to work."""
        # A thread that is deep in a library when the interpreter ends takes the process down with a crash.
        atexit.register(self._end)
        self._stream.start()
        self._thread.start()

    def receive(self, message: protocol.ToKernel) -> None:
        """A message of the page. Only sets flags: it may come on a thread beside a running cell."""
        match message["type"]:
            case "hello":
                self._stream.hello()
            case "ack":
                self._stream.ack(message["seq"])
            case "focus":
                self.prefer(message["col"])
            case "ask":
                self._receive_ask(message)
            case "cancel":
                self.cancel()
            case "explain":
                self._receive_explain(message)
            case "say_versus_do":
                self.say_versus_do(message["review"])

    def _receive_ask(self, message: protocol.Ask) -> None:
        settings = message.get("settings", {})
        try:
            self.ask(attribution.check_question(message["method"], message["objective"], settings))
        except SaliencyError as error:
            self._stream.failed(type(error).__name__, error.message, error.cure)

    def _receive_explain(self, message: protocol.Explain) -> None:
        kind: ExplanationKind = "scores" if message["kind"] == "scores" else "answer"
        try:
            request = Inquiry(review=message["review"], kind=kind, prompt=message["prompt"])
            self.explain(request, message["explainer"])
        except SaliencyError as error:
            self._stream.failed(type(error).__name__, error.message, error.cure)

    def explain(self, request: Inquiry, explainer: str | None = None, *, of_widget: bool = False) -> None:
        """Let an LLM explain, after what is waiting already.

        `explainer`: "model" or "explainer"; None: the latter where there is one. `of_widget`: it is about the text that
        the widget shows, which need not be there yet.
        Raises: InputError.
        """
        with self._changed:
            self._conversation.ask_for(request, explainer, of_widget=of_widget)
            self._wished()

    def say_versus_do(self, review: str | None) -> None:
        """Set what the model says beside what it computes; None: of the text that the widget shows."""
        with self._changed:
            self._conversation.wishes.append(Comparing(review))
            self._wished()

    def _wished(self) -> None:
        self._busy = True
        self._error = None
        self._cancelled.clear()
        self._changed.notify_all()

    def ask(self, question: Question) -> None:
        """Show this map; what runs now is put aside, and taken up again when it is asked for once more."""
        with self._changed:
            self._asked = question
            self._busy = True
            self._error = None
            self._cancelled.clear()
            self._changed.notify_all()
        if self._ended:
            self._died()

    def prefer(self, col: int) -> None:
        """The user looks at this column: compute and send it next."""
        self._preferred = col
        self._stream.prefer(col)
        schedule = self._schedule
        if schedule is not None:
            schedule.prefer(col)

    def cancel(self) -> None:
        """Stop what is running; keep what is done. Nothing happens where nothing runs."""
        with self._changed:
            if not self._busy:
                return
            self._asked = None
            self._conversation.drop()
            self._cancelled.set()
            if self._model is None and not self._talking:  # loading cannot be interrupted; nobody has to wait for it
                self._error = _cancelled_at(0, None)
                self._busy = False
                self._stream.status("cancelled")
            self._changed.notify_all()

    def close(self) -> None:
        """End both threads and free what they held."""
        with self._changed:
            self._closed = True
            self._asked = None
            self._conversation.wishes.clear()
            self._cancelled.set()
            self._changed.notify_all()
        self._stream.close()
        atexit.unregister(self._end)

    def _end(self) -> None:
        self.close()
        self._thread.join(_PATIENCE)

    @property
    def attribution(self) -> Attribution | None:
        """The map on show as far as it is computed, or None."""
        return self._attribution

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
        """What the last job failed with, or None."""
        return self._error

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
        self._model = self._document = self._attribution = self._conversation.said = None
        self._cache.clear()

    def _died(self) -> None:
        error = WorkerDied(
            "The thread behind this widget ended without finishing.",
            cure="What it had computed is kept; run the cell again to start a new one.",
        )
        self._stream.failed(type(error).__name__, error.message, error.cure)
        with self._changed:
            self._error, self._busy, self._asked = error, False, None
            self._changed.notify_all()

    def _wait_for_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waits() or self._cancelled.is_set())
            return not self._closed

    def _waits(self) -> bool:
        return self._asked is not None or bool(self._conversation.wishes)

    def _take(self) -> Question | Wish | None:
        """What to do next: a map before an explanation; None: what waited was cancelled."""
        with self._changed:
            question, self._asked = self._asked, None
            wishes = self._conversation.wishes
            self._talking = question is None and bool(wishes)
            return wishes.popleft() if self._talking else question

    def _finish(self, error: BaseException | None) -> None:
        with self._changed:
            self._talking = False
            if not self._waits():  # else something newer was asked meanwhile; its end is the one to tell
                self._error = error
                self._cancelled.clear()
                self._busy = False
                self._changed.notify_all()

    def _try(self, wish: Question | Wish | None) -> BaseException | None:
        """Do one job (None: it was cancelled before it began); its error is told to the page and raised by `wait()`."""
        try:
            if wish is None:
                self._check()
            elif isinstance(wish, Talk | Comparing):
                self._conversation.fulfil(wish)
                self._after_talk()
            else:
                self._answer(wish)
        except _Superseded:
            return None
        except Cancelled as error:
            self._stream.status("cancelled", "", *self._stream.progress)
            return error
        except SaliencyError as error:
            if isinstance(wish, Talk):  # its answer says what went wrong, and the map stays as it was
                self._stream.status("done")
            else:
                self._stream.failed(type(error).__name__, error.message, error.cure)
            return error
        except Exception as error:  # noqa: BLE001 (the model is somebody else's program; its error is shown and raised)
            self._stream.failed(
                type(error).__name__,
                str(error) or "The model's code raised this error.",
                "See wait() for where it came from.",
            )
            return error
        return None

    def _answer(self, question: Question) -> None:
        model = self._loaded()
        with model.lent(check=self._check, waiting=self._waiting):
            self._offer(model, question.method)
            document = self._written(model)
            self._look_for_changed_weights(model, document)
            if question.method is LLM:
                self._show_said(model, question)
                return
            entry = self._entry(model, question, document)
            self._stream.show(
                entry.map_id,
                method=question.method.id,
                objective=question.objective,
                n_rows=len(document.rows),
                n_cols=len(document.cols),
                settings=question.described(),
            )
            try:
                self._fill(model, question, document, entry)
            finally:
                self._schedule = None
                if entry.chunks:
                    self._publish(model, question, document, entry)
        self._stream.status("done", question.method.label)

    def _loaded(self) -> Model:
        if self._model is None:
            self._stream.status("loading", "Loading")
            self._model = load_model(self._job.model, progress=self._loading)
            self._check()
        return self._model

    def _written(self, model: Model) -> Document:
        """The text with what the model wrote. Call inside `model.lent()`."""
        if self._document is None:
            self._begin(model)
        assert self._document is not None
        return self._document

    def _shown(self) -> Document:
        if self._document is not None:
            return self._document
        model = self._loaded()
        with model.lent(check=self._check, waiting=self._waiting):
            self._offer(model, self._job.question.method)
            return self._written(model)

    def _after_talk(self) -> None:
        if self._model is not None:
            self._tell_menu(self._model)  # what was said may be a map by now
        self._stream.status("done")

    def _show_said(self, model: Model, question: Question) -> None:
        said = self._conversation.said
        if said is None:
            check_applies(LLM, model, question.settings)
            return
        map_id, whole = said
        n_rows, n_cols = whole.scores.shape
        self._stream.show(map_id, method=LLM.id, objective=question.objective, n_rows=n_rows, n_cols=n_cols)
        self._attribution = whole
        self._finished(whole)
        self._stream.status("done", LLM.label)

    def _offer(self, model: Model, asked: Method) -> None:
        """Tell the page what can be asked; what was asked is among it, though a method of inseq is not in our table."""
        if asked not in self._offered:
            self._offered = [*METHODS.values(), LLM] + [asked] * (asked.id not in {*METHODS, LLM.id})
            self._tell_menu(model)

    def _tell_menu(self, model: Model) -> None:
        said = {LLM} if self._conversation.said is not None else set()
        self._stream.menu({m: None if m in said else why_not(m, model) for m in self._offered}, LABELS)

    def _begin(self, model: Model) -> None:
        """Encode, and let the model write."""
        looked, next_look = 0.0, _NEXT_LOOK
        total = self._job.max_new_tokens
        started: float | None = None
        told = 0
        latest: tuple[Encoded, list[int]] | None = None

        def on_progress(encoded: Encoded, written: list[int], steps: list[Step]) -> None:
            nonlocal looked, next_look, started, told, latest
            latest = (encoded, written)
            self._check()
            now = time.perf_counter()
            if started is None:
                started = now
                self._announce(model, len(encoded.inputs.all))
            elif now - looked < next_look:
                return
            document = model.document(encoded, written)
            self._stream.tokens(document.tokens, document.segments)
            self._tell_steps(model, range(told, len(steps)), steps[told:])
            told = len(steps)
            if not encoded.target:
                n = len(written)
                left = (now - started) / n * (total - n) if n > 1 else None
                self._stream.status("generating", "Writing", n, total, left)
            looked = now
            # A long text takes long to look at: spend no more than a fifth of the time on it.
            next_look = max(_NEXT_LOOK, 5 * (time.perf_counter() - now))

        try:
            document = attribution.write(model, self._job.prompt, total, on_progress)
        except Cancelled:
            if latest is not None and latest[1]:  # what was written stays, and can be asked about
                self._read(model.document(*latest))
            raise
        self._read(document)

    def _read(self, document: Document) -> None:
        self._document = document
        self._stream.tokens(document.tokens, document.segments)
        self._conversation.introduce()

    def _announce(self, model: Model, first_target: int) -> None:
        self._stream.document(
            model=model.name, device=str(model.device), dtype=model.dtype_name, first_target=first_target
        )

    def _look_for_changed_weights(self, model: Model, document: Document) -> None:
        """Where the weights are not those of the last job, nothing that was computed is valid."""
        fingerprint = model.fingerprint()
        if self._fingerprint not in (None, fingerprint):
            self._cache.clear()
            self._conversation.said = None
            self._tell_menu(model)
            self._announce(model, document.first_target)
            self._stream.tokens(document.tokens, document.segments)
        self._fingerprint = fingerprint

    def _entry(self, model: Model, question: Question, document: Document) -> _Entry:
        key = (self._fingerprint, question.request(model, document))
        if key not in self._cache:
            self._cache[key] = _Entry(uuid.uuid4().hex[:12])
        return self._cache[key]

    def _fill(self, model: Model, question: Question, document: Document, entry: _Entry) -> None:
        n = len(document.cols)
        done = entry.done()
        self._schedule = Schedule(set(range(n)) - done, prefer=self._preferred or 0)
        if not len(self._schedule):
            return
        label = question.method.label
        self._stream.status("attributing", label, len(done), n, unit=model.counted)
        started, before, spent = time.perf_counter(), len(done), entry.seconds
        for chunk in attribution.columns(model, question, document, self._schedule, self._job.memory_budget):
            if isinstance(chunk, Progress):
                self._tell_progress(label, chunk, started)
                continue
            entry.chunks.append(chunk)
            self._tell_steps(model, chunk.cols, chunk.steps)
            for j, col in enumerate(chunk.cols):
                self._stream.column(entry.map_id, col, chunk.scores[:, j].copy())
            done.update(chunk.cols)
            elapsed = time.perf_counter() - started
            entry.seconds = spent + elapsed
            left = elapsed / (len(done) - before) * (n - len(done))
            self._stream.status("attributing", label, len(done), n, left, model.counted)
            self._check()

    def _tell_progress(self, label: str, progress: Progress, started: float) -> None:
        done, total = progress
        left = (time.perf_counter() - started) / done * (total - done) if done else None
        self._stream.status("attributing", label, done, total, left, unit="passes")
        self._check()

    def _tell_steps(self, model: Model, cols: Iterable[int], steps: Sequence[Step]) -> None:
        self._stream.steps(
            {col: (step.probability, model.alternatives(step)) for col, step in zip(cols, steps, strict=True)}
        )

    def _publish(self, model: Model, question: Question, document: Document, entry: _Entry) -> None:
        self._attribution = attribution.assemble(model, question, document, entry.chunks, entry.seconds)
        self._finished(self._attribution)

    # ── called from inside long work ──────────────────────────────────────────────────────────────────────────────

    def _check(self) -> None:
        """Raises to give up: for good, or (once there is a document) for something newer."""
        if self._asked is not None and self._document is not None and not self._talking:
            raise _Superseded
        if self._cancelled.is_set():
            raise _cancelled_at(*self._stream.progress)

    def _loading(self, what: str, done: int, total: int | None) -> None:
        self._check()
        self._stream.status("loading", what, done, total)

    def _waiting(self) -> None:
        self._stream.status("waiting", "Waiting for another map on this model")


def _cancelled_at(done: int, total: int | None) -> Cancelled:
    return Cancelled(
        f"Cancelled after {done} of {total}." if total else "Cancelled.",
        cure="What was done is kept; ask again to go on.",
    )


class _Superseded(Exception):
    """Something newer was asked."""
