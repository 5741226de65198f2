"""The backend of a widget for a model behind a server: it asks the requests of a map, and tells how far it is.

A text has one map a method. Answers stay with the client, so a map that was cancelled or failed goes on from
there when it is asked for again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from .attribution.cards import LLM, OURS
from .attribution.methods import LLM_REASON
from .errors import Cancelled, InputError, UnsupportedMethod
from .explanation.black_box import map_of
from .explanation.prompts import ONE_WORD
from .explanation.remote_question import METHODS, RemoteQuestion
from .export.reading import floors
from .protocol import to_page
from .session.conversation import Conversation, Host
from .session.messages import menu_message, status, tokens_message, wire_notes, wire_step
from .session.pace import Pace
from .session.sender import Send
from .session.shelf import Shelf
from .session.talk import Talk
from .session.threaded import Threaded

if TYPE_CHECKING:
    from .attribution.cards import Card
    from .attribution.result import Attribution
    from .explanation.many import HowFar
    from .explanation.server import OpenAIClient
    from .protocol import to_kernel
    from .session.talk import Wish
    from .types import Segment, Token

_AT_ONCE = 0.1  # seconds: what is answered sooner was kept from an earlier map, and tells nothing of the pace
_ARGUMENTS = ("unit", "calls", "samples")  # the settings that `show` takes
_CLOSED = (
    "The model is behind a server: its text cannot be changed here, and it shows nothing from within.",
    "Call show() with another text, or with a model that is here.",
)


@dataclass(frozen=True, kw_only=True)
class RemoteJob:
    """The checked arguments of `show` for a model behind a server."""

    client: OpenAIClient
    question: RemoteQuestion


class _Map(NamedTuple):
    """A map to make. `aside`: it is not put on show."""

    question: RemoteQuestion
    aside: bool


@dataclass(frozen=True)
class _Text:
    """The text on show, for what is said of it."""

    rows: tuple[Token, ...]
    cols: tuple[Token, ...]
    segments: tuple[Segment, ...] = ()

    @property
    def tokens(self) -> tuple[Token, ...]:
        """Return inputs and targets."""
        return (*self.rows, *self.cols)


class Remote(Threaded):
    """Asks a server for the maps of one text, and for what it says of it, on a worker thread.

    Every method may be called from any thread; all but `wait` and `join` return at once. `send` sends a message to the
    pages. The worker calls `finished` with every map on show that it completed.
    """

    exit_timeout = 0.0  # a request that hangs ends with the process

    def __init__(self, job: RemoteJob, send: Send, finished: Callable[[Attribution], None]) -> None:
        super().__init__(send)
        self._client = job.client
        self._first = self._on_show = job.question
        self._finished = finished
        self._shelf = Shelf(self._sender)
        self._tasks: deque[_Map | Wish] = deque([_Map(job.question, aside=False)])
        self._maps: dict[RemoteQuestion, Attribution] = {}
        self._running = False
        self._done: tuple[int, int | None] = 0, None  # requests of the map that is being made
        text = _Text(job.question.rows, job.question.cols)
        host = Host(
            loaded=None, document=lambda: text, check=self._check, memory_budget=None, choice=job.question.choice
        )
        self._conversation = Conversation(self._sender, self._shelf, job.client, host)
        self._said: Attribution | None = None  # the map of what was said, while it is on show

    # ── from the page and from Python ─────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Show the text, and start both threads."""
        first = self._first
        self._tell_menu()
        self._sender.tell(
            to_page.Document(
                type="document", doc=1, model=self._client.name, device=self._client.where,
                dtype="log-probabilities" if first.samples is None else f"{first.samples} answers a text",
                first_target=len(first.rows), editable=None, raw=False, alive=False, beside=[], code=_code(first),
            ),
            tokens_message(1, (*first.rows, *first.cols), ()),
        )  # fmt: skip
        self._conversation.introduce()
        self._begin(_Map(first, aside=False))
        self._sender.tell(status("attributing", first.card.label, 0, first.requests, unit="requests"))
        super().start()

    def _receive_task(self, message: to_kernel.ToKernel) -> None:
        match message["type"]:
            case "ask" if message["method"] == LLM.id and self._conversation.said is not None:
                self._show_said(aside=message.get("aside", False))
            case "ask" if "foil" not in message:
                self.ask(message["method"], message.get("settings") or {}, aside=message.get("aside", False))
            case _:
                raise InputError(_CLOSED[0], cure=_CLOSED[1])

    def ask(self, method: str, settings: dict[str, Any], *, aside: bool = False) -> None:
        """Make this map, and put it on show unless it is to stand `aside`. Raises: InputError, UnsupportedMethod."""
        if unknown := [name for name in settings if name != "calls"]:
            raise InputError(f"A server's map knows no {unknown[0]}= here.", cure="Call show() anew for that.")
        self._put(_Map(self._of(method, **settings), aside))

    def _put(self, task: _Map | Wish) -> None:
        with self._changed:
            self._tasks.append(task)
            self._busy = True
            self._error = None
            self._changed.notify_all()

    def _show_said(self, *, aside: bool) -> None:
        """Put the map of the last answer on show: it is there already."""
        assert self._conversation.said is not None, "looked at before"
        name, said = self._conversation.said
        if not aside:
            self._said = said
            self._shelf.show(name, "")
            self._finished(said)

    def _of(self, method: str, calls: int | None = None) -> RemoteQuestion:
        """Return the question of another map. `calls` of None are those of the first map, where the method is its."""
        given = self._first.calls if method == self._first.method and calls is None else calls
        return replace(self._first, method=method, calls=given)

    def prefer(self, cols: range) -> None:
        """Send these columns first, because the user looks at them: all are made at the same time."""
        self._sender.prefer(cols)

    def cancel(self) -> None:
        """Cancel the map that is being made, and all that wait. Every answer is kept, also those on their way."""
        with self._changed:
            if not self._busy:
                return
            self._drop_all()
            if self._running:
                self._cancelled.set()
                return
            self._error, self._busy = _cancelled_at(0, self._first.requests), False
            self._sender.tell(status("cancelled", "", 0, self._first.requests, unit="requests"))
            self._changed.notify_all()

    def _drop_all(self) -> None:
        """Drop all tasks that wait, and tell the pages of those that were to be answers."""
        for task in self._tasks:
            if isinstance(task, Talk):
                self._conversation.drop(task)
        self._tasks.clear()

    @property
    def attribution(self) -> Attribution | None:
        """Return the map on show, or None before it is complete."""
        return self._said or self._maps.get(self._on_show)

    # ── the worker's thread ───────────────────────────────────────────────────────────────────────────────────────

    def _work(self) -> None:
        while (task := self._take()) is not None:
            error = self._attempt(partial(self._do, task), is_talk=isinstance(task, Talk))
            with self._changed:
                self._running = False
                if not self._tasks:  # else the error of the map that waits counts, if it has one
                    self._error, self._busy = error, False
                    self._cancelled.clear()
                    self._changed.notify_all()

    def _take(self) -> _Map | Wish | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._tasks)
            if self._closed:
                return None
            self._cancelled.clear()
            self._running = True
            return self._tasks.popleft()

    def _do(self, task: _Map | Wish) -> None:
        """Make a map, or have an answer. Raises: SaliencyError, and what the client raises."""
        if isinstance(task, _Map):
            self._make(task)
            return
        self._done = 0, None
        self._conversation.fulfil(task)
        self._tell_menu()  # the answer may have made the LLM's map available
        self._sender.tell(status("done"))

    def _tell_cancelled(self) -> None:
        self._sender.tell(status("cancelled", "", *self._done, unit="requests"))

    def _check(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled("Cancelled.", cure="Ask again.")

    def _make(self, task: _Map) -> None:
        question, label = task.question, task.question.card.label
        self._begin(task)
        self._tell_menu()
        if question not in self._maps:
            pace, began = Pace(), time.monotonic()

            def tell(far: HowFar) -> None:
                nonlocal pace
                self._done = far.done, far.total
                if self._cancelled.is_set():
                    raise _cancelled_at(far.done, far.total)
                if time.monotonic() - began < _AT_ONCE:
                    pace = Pace(far.done)
                price = "requests" if far.tokens is None else f"requests, about {far.tokens:,} tokens"
                left = pace.left(far.done, far.total)
                self._sender.tell(status("attributing", label, far.done, far.total, left, price))

            self._maps[question] = map_of(self._client, question, tell)
            self._tell_map(question, self._maps[question])
        self._tell_menu()
        self._sender.tell(status("done", label))
        if not task.aside:
            self._finished(self._maps[question])

    # ── sent ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _tell_menu(self) -> None:
        """Send the methods, each with its price in requests until its map is there or being made."""
        there = {question.method for question in self._maps} | {self._on_show.method}
        cards: dict[Card, str | None] = {}
        for method in METHODS:
            try:
                question = self._of(method)
            except (InputError, UnsupportedMethod) as error:
                cards[replace(OURS[method], uses_objective=False)] = error.message
                continue
            price = "" if method in there else f" ({question.requests:,} requests)"
            cards[replace(question.card, label=question.card.label + price)] = None
        cards[LLM] = None if self._conversation.said is not None else LLM_REASON
        self._sender.tell(menu_message(cards, {}))

    def _begin(self, task: _Map) -> None:
        question = task.question
        if not task.aside:
            self._on_show, self._said = question, None
        self._shelf.begin(
            question.method,
            method=question.method,
            objective="",
            shape=(len(question.rows), len(question.cols)),
            settings=[(name, str(value)) for name, value in question.settings.items() if name in _ARGUMENTS],
            aside=task.aside,
        )

    def _tell_map(self, question: RemoteQuestion, made: Attribution) -> None:
        n = len(made.cols)
        self._shelf.fill(question.method, range(n), made.scores, made.errors, floors(made))
        self._sender.tell(
            {"type": "notes", "map": question.method, "notes": wire_notes(made, range(n))},
            to_page.Steps(
                type="steps", doc=1, start=0, steps=[wire_step(float(p)) for p in made.step_scores["probability"]]
            ),
        )


def _code(question: RemoteQuestion) -> str:
    """Return the arguments of `show` that give this text and its labels; the client has the name that docs give it."""
    written = {option.label: option.written for option in question.choice.options}
    labels: Any = written if any(label != text for label, text in written.items()) else list(written)
    prompt = "" if question.template == ONE_WORD else f", prompt={question.template!r}"
    return f"client, {question.text!r}, labels={labels!r}{prompt}"


def _cancelled_at(done: int, total: int) -> Cancelled:
    return Cancelled(f"Cancelled after {done} of {total} requests.", cure="The answers are kept; ask again to go on.")
