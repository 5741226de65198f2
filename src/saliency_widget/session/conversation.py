"""The explanations of one widget: the talks, and the map of the latest answer that has scores."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, cast

from ..attribution.cards import LLM
from ..errors import Cancelled, InputError, SaliencyError
from ..evaluation.say_versus_do.compare import compare, compare_server
from ..explanation.asking import Inquiry, News, ask
from ..explanation.local import LocalClient, why_not_local
from ..explanation.placing import place, review_of
from .explanation_messages import THE_MODEL, THE_OTHER, answer_message, comparison_message, computes, explainers_message
from .messages import status
from .talk import Comparing, Talk, Wish

if TYPE_CHECKING:
    from ..attribution.result import Attribution
    from ..evaluation.say_versus_do.result import SayVersusDo
    from ..explanation.choice import Choice
    from ..explanation.clients import Client
    from ..explanation.result import Explanation
    from ..explanation.server import OpenAIClient
    from ..models.base import Model
    from ..types import Segment, Token
    from .sender import Sender
    from .shelf import Shelf


class Shown(Protocol):
    """The text on show: its inputs and its targets."""

    @property
    def tokens(self) -> tuple[Token, ...]:
        """Return all tokens."""

    @property
    def rows(self) -> tuple[Token, ...]:
        """Return the inputs."""

    @property
    def cols(self) -> tuple[Token, ...]:
        """Return the targets."""

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Return the named parts."""


@dataclass(frozen=True, kw_only=True)
class Host:
    """The functions of the widget that a conversation calls, all on the worker's thread.

    `loaded` loads the model if need be, and returns it; None where there is no model here. `document` returns the text
    with its targets, which the model writes if need be. `check` raises to stop. `choice` is the one between labels that
    the widget makes where a comparison names none.
    """

    loaded: Callable[[], Model] | None
    document: Callable[[], Shown]
    check: Callable[[], None]
    memory_budget: int | None
    choice: Choice


class Conversation:
    """The worker answers talks one after another. `ask_for` and `drop` may be called from any thread."""

    def __init__(self, sender: Sender, shelf: Shelf, other: Client | None, host: Host) -> None:
        self._sender = sender
        self._shelf = shelf
        self._other = other
        self._host = host
        self._numbers = itertools.count(1)
        self._talks: dict[int, Talk] = {}
        self._placed: int | None = None  # which of the talks was a map last
        self.said: tuple[str, Attribution] | None = None  # id and map of what was said last, on the rows of the text
        self.comparison: SayVersusDo | None = None

    @property
    def explanations(self) -> tuple[Explanation, ...]:
        """Return the explanations so far, in the order of their talks."""
        return tuple(t.explanation for t in list(self._talks.values()) if t.explanation is not None)

    @property
    def mapped(self) -> Explanation | None:
        """Return the explanation whose scores are a map of the text on show, or None."""
        return None if self.said is None or self._placed is None else self._talks[self._placed].explanation

    def ask_for(self, request: Inquiry, explainer: str | None, *, of_widget: bool, col: int | None = None) -> Talk:
        """Return a new talk, which waits. Raises: InputError where there is no such explainer."""
        whom = self._known(explainer or (THE_MODEL if self._other is None else THE_OTHER))
        talk = Talk(id=next(self._numbers), explainer=whom, request=request, of_widget=of_widget, col=col)
        self._tell(talk)
        return talk

    def compare(self, review: str | None, choice: Choice | None, explainer: str | None) -> Comparing:
        """Return the task to compare what an explainer says with what it computes; None: the model on show.

        Raises: InputError where there is no such explainer, or it computes nothing.
        """
        whom = self._known(explainer or (THE_OTHER if self._host.loaded is None else THE_MODEL))
        if whom == THE_OTHER and not (self._other is not None and computes(self._other)):
            raise InputError("This explainer makes no map of its own.", cure="Compare the model on show.")
        return Comparing(review, choice or self._host.choice, whom)

    def _known(self, explainer: str) -> str:
        there = {THE_MODEL: self._host.loaded is not None, THE_OTHER: self._other is not None}
        if not there.get(explainer, False):
            raise InputError(f"There is no explainer {explainer!r} here.", cure="Give show() one as explainer=.")
        return explainer

    def drop(self, talk: Talk) -> None:
        """Cancel a talk that waited."""
        self._tell(replace(talk, state="cancelled"))

    def forget_map(self) -> None:
        """Forget the LLM's map: the weights changed."""
        self.said = self._placed = None

    def introduce(self) -> None:
        """Tell the pages the explainers for the text on show, and the LLM's map if it is about this text."""
        model = None if self._host.loaded is None else self._host.loaded()
        reason = None if model is None else why_not_local(model)
        own = LocalClient(model) if model is not None and reason is None else None
        review = review_of(self._host.document().tokens)
        self._sender.tell(explainers_message(own, self._other, review, reason))
        self.said = None
        if self._placed is not None:
            talk = self._talks[self._placed]
            assert talk.explanation is not None, "it was a map"
            self._tell(replace(talk, mapped=self._map(talk)))

    def fulfil(self, wish: Wish) -> None:
        """Answer a talk. The answer's message carries an error, too. Raises: SaliencyError, Cancelled."""
        if isinstance(wish, Comparing):
            self._compare(wish)
            return
        talk, started = wish, time.perf_counter()

        def on_news(news: News) -> None:
            nonlocal talk
            self._host.check()
            talk = replace(talk, state="writing", news=news, seconds=time.perf_counter() - started)
            self._tell(talk)

        try:
            client = self._client(talk.explainer)
            talk = replace(talk, name=client.name, where=client.where)
            self._tell(talk)
            self._sender.tell(status("explaining", f"{client.name} explains", unit=""))
            request = replace(talk.request, review=self._shown()) if talk.of_widget else talk.request
            said = ask(client, request, on_news)
        except Cancelled:
            self._tell(replace(talk, state="cancelled"))
            raise
        except SaliencyError as error:
            self._tell(replace(talk, state="failed", error=error))
            raise
        except Exception as error:
            told = SaliencyError(str(error) or type(error).__name__, cure="See wait() for where it came from.")
            self._tell(replace(talk, state="failed", error=told))
            raise
        talk = replace(talk, state="done", explanation=said)
        self._finish(replace(talk, mapped=self._map(talk)))

    def _finish(self, talk: Talk) -> None:
        for other in [t for t in list(self._talks.values()) if t.mapped and talk.mapped]:
            self._tell(replace(other, mapped=False))  # the map shows the latest answer
        if talk.mapped:
            self._placed = talk.id
        self._tell(talk)

    def _tell(self, talk: Talk) -> None:
        self._talks[talk.id] = talk
        self._sender.tell(answer_message(talk))

    def _client(self, explainer: str) -> Client:
        if explainer == THE_OTHER:
            assert self._other is not None, "looked at when it was asked for"
            return self._other
        return self._local()

    def _local(self) -> LocalClient:
        assert self._host.loaded is not None, "looked at when it was asked for"
        return LocalClient(self._host.loaded())

    def _shown(self) -> str:
        return review_of(self._host.document().tokens)

    def _map(self, talk: Talk) -> bool:
        """Put the answer's scores beside the other maps if they are about the same text. Return whether they are."""
        said = talk.explanation
        if said is None or said.alignment is None or not said.alignment.covered:
            return False
        document = self._host.document()
        if talk.col is not None and talk.col >= len(document.cols):
            return False
        groups = place(said.review, said.alignment.words, document.rows)
        if groups is None:
            return False
        whole = said.on(document.rows, document.cols, document.segments, groups)
        map_id = uuid.uuid4().hex[:12]
        self.said = (map_id, whole)
        self._shelf.begin(
            map_id,
            method=LLM.id,
            objective="probability",
            shape=whole.scores.shape,
            settings=said.card.about,
            about=said.about if talk.col is None else None,
            col=talk.col,
            aside=True,
        )
        cols = list(range(len(whole.cols)) if talk.col is None else [talk.col])
        self._shelf.fill(map_id, cols, whole.scores[:, cols])
        return True

    def _compare(self, wish: Comparing) -> None:
        review = self._shown() if wish.review is None else wish.review

        def on_progress(what: str, done: int, total: int) -> None:
            self._host.check()
            self._sender.tell(status("explaining", what, done, total, unit="steps"))

        if wish.explainer == THE_OTHER:
            server = cast("OpenAIClient", self._other)  # the only client that computes: `compare` looked at it
            self.comparison = compare_server(server, review, on_progress, choice=wish.choice)
        else:
            budget = self._host.memory_budget
            self.comparison = compare(self._local(), review, on_progress, choice=wish.choice, memory_budget=budget)
        self._sender.tell(comparison_message(self.comparison))
