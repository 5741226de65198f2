"""The executor does a widget's tasks: it loads the model, writes the text, and computes maps, heads and changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..attribution.cards import LLM
from ..attribution.heads import heads
from ..explanation.choice import HOMEWORK
from ..models.loading.load import load_model
from .conversation import Conversation, Host
from .maps import Maps
from .messages import heads_message, status
from .patience import USUAL, Patience
from .sanity import AGAIN, SHUFFLES, Checks, Mapped
from .shelf import Shelf
from .talk import Comparing, Talk
from .tasks import AsChat, Aside, Ask, AskHeads, Back, Branch, CheckSanity, Evaluate, Keep, Try, Turn, bare
from .trail import Trail
from .trust import Trust
from .turns import turn
from .what_if import WhatIf

if TYPE_CHECKING:
    from ..attribution.pipeline import Question
    from ..attribution.result import Attribution
    from ..explanation.clients import Client
    from ..models.base import Model
    from ..models.text.changes import Text
    from ..models.text.document import Document
    from ..models.text.prompting import Prompt
    from .sender import Sender
    from .tasks import Task


@dataclass(frozen=True, kw_only=True)
class Job:
    """The checked arguments of `show`, and the limits of what is done unasked."""

    model: Any
    prompt: Prompt
    question: Question
    max_new_tokens: int
    memory_budget: int | None = None
    explainer: Client | None = None
    patience: Patience = USUAL


@dataclass(frozen=True, kw_only=True)
class Control:
    """The functions of the controller that a running task calls.

    `check` raises to stop: for good, or because a more urgent task waits; `check_cancelled` only for good;
    `check_loading` also when nothing else waits that needs the model. `turn` drops the tasks about the last text.
    `follow` queues a map to show, unless another one waits. `gives_way` tells whether another map or text would
    interrupt a task.
    """

    check: Callable[[], None]
    check_cancelled: Callable[[], None]
    check_loading: Callable[[], None]
    turn: Callable[[], None]
    follow: Callable[[Question], None]
    gives_way: Callable[[Task], bool]


class Executor:
    """Does the tasks of one widget whose model is here. Only the worker's thread calls its methods.

    `finished` is called with every map on show that was completed, or cancelled after at least one column.
    """

    def __init__(self, job: Job, sender: Sender, control: Control, finished: Callable[[Attribution], None]) -> None:
        self._job = job
        self._sender = sender
        self._control = control
        self._check = check = control.check
        self._doing: Task | None = None
        self._model: Model | None = None
        budget, patience, shelf = job.memory_budget, job.patience, Shelf(sender)
        self._trail = Trail(
            sender, job.prompt, job.max_new_tokens, given=job.model, patience=patience,
            check=check, turned=self._on_new_text, grown=self._on_growth,
            early_left=lambda total: self.maps.early_left(total),  # noqa: PLW0108 (there are no maps yet)
        )  # fmt: skip
        host = Host(loaded=self._loaded, document=self._document, check=check, memory_budget=budget, choice=HOMEWORK)
        self.conversation = talks = Conversation(sender, shelf, job.explainer, host)
        self.maps = Maps(
            sender, shelf, job.question, budget, patience, check=check, finished=finished, llm_map=lambda: talks.said
        )
        self._what_if = WhatIf(sender, budget)
        self._trust, self._checks = Trust(sender, budget), Checks(sender, budget)

    @property
    def is_loaded(self) -> bool:
        """Return whether the model is in memory."""
        return self._model is not None

    @property
    def has_text(self) -> bool:
        """Return whether there is a text to show."""
        return self._trail.text is not None

    def close(self) -> None:
        """Forget the model and everything about it."""
        self._model = None
        self.conversation.forget_map()
        self._trust.forget()
        self._checks.forget()
        self._trail.close()
        self.maps.close()

    def do(self, task: Task) -> None:
        """Do a task, and tell the pages what comes of it.

        Raises: SaliencyError, and what the model's code raises; `check` may raise to stop, and finished parts stay.
        """
        self._doing = task
        match task:
            case Talk() | Comparing():
                self.conversation.fulfil(task)
                if self._model is not None:
                    self.maps.tell_menu(self._model)  # the answer may have made the LLM's map available
                    if self.maps.question.card is LLM:
                        self._ask_again()
                self._sender.tell(status("done"))
            case Evaluate() | CheckSanity():
                model = self._loaded()
                with turn(model.model, check=self._check, waiting=self._waiting):
                    # Between two parts of it a more urgent task may come first; inside of one only a cancel ends it.
                    inside = model.shadow(self._control.check_cancelled)
                    if isinstance(task, Evaluate):
                        self._evaluate(inside, task)
                    else:
                        self._check_sanity(model, inside, task)
            case _:
                model = self._loaded()
                with turn(model.model, check=self._check, waiting=self._waiting):
                    self._do_with(model.shadow(self._check), task)

    def _do_with(self, model: Model, task: Ask | Aside | Turn | Try | AskHeads) -> None:
        question = task.question if isinstance(task, Ask | Aside) else self.maps.question
        self.maps.offer(model, question.card)
        text = self._written(model)
        what = "" if isinstance(task, Turn) else question.card.label
        match task:
            case Ask():
                self._check()  # another map may have been asked for while the text was being written
                self._forget_other_weights(model)
                self.maps.show(model, text.document, question, is_wanted=task.is_wanted)
            case Aside():
                if self._forget_other_weights(model):
                    self._ask_again()
                self.maps.compute_aside(model, text.document, question)
            case Try():
                what = "What if"
                self._sender.tell(status("attributing", what, unit=""))
                self._what_if.consider(model, text, task.change, task.request)
            case AskHeads():
                what = "Heads"
                self._sender.tell(status("attributing", what, unit=""))
                layers, weights = heads(model, text.document, task.col, self._job.memory_budget)
                reply = heads_message(task.request, self._sender.doc, task.col, layers, weights.shape)
                self._sender.tell(reply, numbers=[weights])
            case _:
                self._turn(model, task)
        self._sender.tell(status("done", what))

    def _evaluate(self, model: Model, task: Evaluate) -> None:
        self.maps.offer(model, self.maps.question.card)
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
        self.maps.offer(model, self.maps.question.card)
        document = self._written(model).document
        if self._forget_other_weights(model):
            self._ask_again()
        seconds = self.maps.seconds_again(document, len(task.cols), times=AGAIN, looks=SHUFFLES)
        maps = [Mapped(*one, seconds.get(one[0])) for one in self._finished(model, document, task.cols)]
        if task.ahead:
            self._checks.announce(lent, document, task.cols, maps)
            return
        wanted = [one.map_id for one in maps] if task.maps is None else task.maps
        self._checks.check(lent, document, task.cols, maps, wanted, self._check, self._control.check_cancelled)
        self._sender.tell(status("done", "Sanity"))

    def _finished(self, model: Model, document: Document, cols: Sequence[int]) -> list[tuple[str, Attribution, object]]:
        """Return the maps that have all of these columns: the pages' id, the map, and where it came from."""
        said = self.conversation
        return [
            (name, found, said.mapped if said.said is not None and said.said[0] == name else found)
            for name, found in self.maps.finished(model, document, cols)
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
            self.maps.offer(inside, self._job.question.card)
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
                self.maps.finish_early(model, text.document, cut_short=cut_short)
                self.conversation.introduce()
                self.maps.tell_menu(model)
                self.maps.send_again(model, text.document)

    def _on_new_text(self) -> None:
        """Drop all that belongs to the last text: the pages are about to be told of another one."""
        self._control.turn()
        self.maps.turn()
        self._what_if.forget()
        self._trust.forget()
        self._checks.forget()

    def _on_growth(self, model: Model, document: Document) -> None:
        """Begin the map of a text that is still being written, unless another map or text waits."""
        task = self._doing
        if isinstance(task, Ask | Turn) and not self._control.gives_way(Ask(self.maps.question)):
            self.maps.begin_early(model, document, task.question if isinstance(task, Ask) else self._next_question())

    def _ask_again(self) -> None:
        """Queue the question of the last text's map for the text on show now."""
        self._control.follow(self._next_question())

    def _next_question(self) -> Question:
        """Return the question of the map on show, without what belongs to its text."""
        said_of_another = self.maps.question.card is LLM and self.conversation.said is None
        return bare(self._job.question if said_of_another else self.maps.question)

    def _forget_other_weights(self, model: Model) -> bool:
        """Forget all maps if the model's weights have changed since they were computed. Return whether they have."""
        if not self.maps.are_of_other_weights(model):
            return False
        self.conversation.forget_map()
        self.maps.tell_menu(model)
        self._trail.announce(model)
        return True

    # ── called from inside long work ──────────────────────────────────────────────────────────────────────────────

    def _loading(self, what: str, done: int, total: int | None) -> None:
        self._control.check_loading()
        self._sender.tell(status("loading", what, done, total))

    def _waiting(self) -> None:
        self._sender.tell(status("waiting", "Waiting for another map on this model"))
