"""The board keeps the latest message of each kind, and gives messages in the order in which a page can read them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from ..export.html import built
from ..protocol import PROTOCOL
from .messages import growth, status

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..protocol import to_page

Message: TypeAlias = dict[str, Any]
_Cols: TypeAlias = tuple[int, int]  # the first of some columns, and how many there are
Post: TypeAlias = "tuple[Any, Sequence[NDArray[np.float32]]]"  # a message, and the numbers of its buffers


def _all(news: list[Message], _told: dict[Any, Message]) -> list[Message]:
    return news


def _changed_tokens(news: list[Message], told: dict[Any, Message]) -> list[Message]:
    """Return the tokens from the first one that changed."""
    (whole,) = news
    new: list[Any] = whole["tokens"]
    old: list[Any] = told[whole["type"]]["tokens"] if told else []
    shorter = min(len(old), len(new))
    start = next((i for i in range(shorter) if old[i] != new[i]), shorter)
    return [{**whole, "start": start, "tokens": new[start:]}]


def _runs_of_steps(news: list[Message], _told: dict[Any, Message]) -> list[Message]:
    """Merge the steps of neighbouring columns into one message."""
    runs: list[Message] = []
    for message in sorted(news, key=lambda message: message["start"]):
        if runs and runs[-1]["start"] + len(runs[-1]["steps"]) == message["start"]:
            runs[-1]["steps"] += message["steps"]
        else:
            runs.append({**message, "steps": [*message["steps"]]})
    return runs


def _grown_answers(news: list[Message], told: dict[Any, Message]) -> list[Message]:
    return [growth(answer, told.get(answer["id"])) for answer in news]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """The rule by which the board keeps messages of one kind.

    `key`: the board keeps the latest message for each value of this field. `of_text`: it forgets them when another text
    begins. `urgent`: columns must not overtake them. `tell`: returns the messages to send, given the new and the last
    ones.
    """

    key: str = "type"
    of_text: bool = False
    urgent: bool = False
    tell: Callable[[list[Message], dict[Any, Message]], list[Message]] = _all


# In the order in which a new page gets them, before columns. Other kinds (replies, files) are sent once, to the pages
# that are open.
_KINDS = {
    "hello": _Kind(urgent=True),
    "trail": _Kind(),
    "document": _Kind(urgent=True),
    "exhibited": _Kind(of_text=True),
    "tokens": _Kind(of_text=True, tell=_changed_tokens),
    "menu": _Kind(),
    "steps": _Kind(key="start", of_text=True, tell=_runs_of_steps),
    "map": _Kind(key="map", of_text=True, urgent=True),
    "notes": _Kind(key="map", of_text=True),
    "rest": _Kind(key="map", of_text=True),
    "explainers": _Kind(),
    "answer": _Kind(key="id", tell=_grown_answers),
    "comparison": _Kind(),
    "evaluation": _Kind(key="key", of_text=True),
    "sanity": _Kind(key="key", of_text=True),
    "status": _Kind(),
    "failed": _Kind(),
}


class Board:
    """The latest messages, and which of them are new. It has no lock: only one thread at a time may call it.

    `preferred`: the column that the user looks at.
    """

    def __init__(self) -> None:
        self.preferred = 0
        self._latest: dict[str, dict[Any, Message]] = {kind: {} for kind in _KINDS}
        self._told: dict[str, dict[Any, Message]] = {kind: {} for kind in _KINDS}
        self._new: dict[str, set[Any]] = {kind: set() for kind in _KINDS}
        self._once: list[Post] = []
        self._columns: dict[str, dict[_Cols, Post]] = {}  # by map
        self._new_columns: dict[str, set[_Cols]] = {}
        self._on_show: str | None = None  # the id of the map on show
        session, hover = uuid.uuid4().hex[:12], built("static.js")
        self.post({"type": "hello", "protocol": PROTOCOL, "session": session, "hover": hover})
        self.post(status("idle"))

    def post(self, message: to_page.ToPage, numbers: Sequence[NDArray[np.float32]] = ()) -> None:
        """Replace the last message of this kind and key.

        `numbers`: float32, one array a buffer. A column must belong to a map on the board. An error stays until a task
        runs.
        """
        match message["type"]:
            case "column":
                cols = message["col"], message["n_cols"]
                self._columns[message["map"]][cols] = message, numbers
                self._new_columns[message["map"]].add(cols)
                return
            case "document":
                self._forget(*(name for name, kind in _KINDS.items() if kind.of_text))
                self._columns, self._new_columns, self._on_show = {}, {}, None
            case "map" if not self._begin(message):
                return
            case "status" if message["phase"] not in ("failed", "idle"):
                self._forget("failed")
            case "failed":
                self.post(status("failed", self._latest["status"]["status"]["what"]))
        name = message["type"]
        if name not in _KINDS:
            self._once.append((message, numbers))
            return
        content: Message = {**message}
        key = content[_KINDS[name].key]
        self._latest[name][key] = content
        self._new[name].add(key)

    def latest(self, kind: str) -> dict[Any, Message]:
        """Return the messages of this kind by their key."""
        return dict(self._latest[kind])

    # ── taken by the one who sends ────────────────────────────────────────────────────────────────────────────────

    def greet(self) -> None:
        """Mark every message as new, because a page said hello."""
        for kind, latest in self._latest.items():
            self._told[kind].clear()
            self._new[kind].update(latest)
        for name, columns in self._columns.items():
            self._new_columns[name].update(columns)

    @property
    def hello(self) -> Message:
        """Return the message with which the kernel greets a page."""
        return self._latest["hello"]["hello"]

    @property
    def has_news(self) -> bool:
        """Return whether a message other than a column is new."""
        return any(self._new.values()) or bool(self._once)

    @property
    def is_urgent(self) -> bool:
        """Return whether columns, or a page that asked, must wait for a new message."""
        return bool(self._once) or any(kind.urgent and self._new[name] for name, kind in _KINDS.items())

    @property
    def is_told(self) -> bool:
        """Return whether no message is new."""
        return not (self.has_news or any(self._new_columns.values()))

    def news(self) -> list[Post]:
        """Take all new messages except columns."""
        messages: list[Message] = []
        for name, kind in _KINDS.items():
            new, told = self._new[name], self._told[name]
            if new:
                fresh = {key: message for key, message in self._latest[name].items() if key in new}
                messages += kind.tell(list(fresh.values()), told)
                told.update(fresh)
                new.clear()
        posts: list[Post] = [*((message, ()) for message in messages), *self._once]
        self._once = []
        return posts

    def column(self) -> Post | None:
        """Take the next column: of the map on show first, of several targets, nearest to where the user looks."""
        for name in sorted(self._new_columns, key=lambda name: name != self._on_show):
            new = self._new_columns[name]
            if new:
                cols = min(new, key=lambda cols: (-cols[1], abs(cols[0] - self.preferred), cols[0]))
                new.remove(cols)
                return self._columns[name][cols]
        return None

    # ── parts ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _forget(self, *kinds: str) -> None:
        for kind in kinds:
            for kept in (self._latest[kind], self._told[kind], self._new[kind]):
                kept.clear()

    def _begin(self, header: to_page.Map) -> bool:
        """Make room for a map's columns, and keep one map on show. Return whether the map message is news."""
        name = header["map"]
        if header["aside"] and name == self._on_show:
            return False
        if not header["aside"]:
            if self._on_show is not None:
                maps = self._latest["map"]
                maps[self._on_show] = {**maps[self._on_show], "aside": True}
            self._on_show = name
        self._columns.setdefault(name, {})
        self._new_columns.setdefault(name, set())
        return True
