"""The tasks of a widget, and the queue that decides which one comes first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias, cast, get_args

from ..attribution.pipeline import check_question
from ..checks import one_of, whole_number
from ..explanation.asking import Inquiry
from ..explanation.choice import HOMEWORK, Choice, choice_of
from ..models.text.changes import Change
from ..models.text.thinking import NAME as THINKING
from ..types import ExplanationKind

if TYPE_CHECKING:
    from ..attribution.pipeline import Question
    from ..protocol import to_kernel
    from .talk import Wish


@dataclass(frozen=True, slots=True)
class Ask:
    """Show this map. `is_wanted`: compute all its columns, however long it takes."""

    question: Question
    is_wanted: bool = False


@dataclass(frozen=True, slots=True)
class Aside:
    """Compute this map beside the one on show."""

    question: Question


@dataclass(frozen=True, slots=True)
class Branch:
    """Replace the target of `col` by another token, in the text with this change, and let the model continue."""

    col: int
    token: int
    change: Change


@dataclass(frozen=True, slots=True)
class Back:
    """Show another text of the trail."""

    to: int


@dataclass(frozen=True, slots=True)
class AsChat:
    """Ask the text on show as a chat."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Put the text with this change on show."""

    change: Change


@dataclass(frozen=True, slots=True)
class Try:
    """Compute the targets' probabilities with this change of the text on show."""

    change: Change
    request: int


@dataclass(frozen=True, slots=True)
class AskHeads:
    """Compute the attention weights of every head for one column."""

    col: int
    request: int


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Judge every map of these columns, which are one target together; `ahead`: see `to_kernel.Evaluate`."""

    cols: tuple[int, ...]
    ahead: bool = False


@dataclass(frozen=True, slots=True)
class CheckSanity:
    """Check these maps (ids; None: all) of columns that are one target together; `ahead`: see `to_kernel.Sanity`."""

    cols: tuple[int, ...]
    maps: tuple[str, ...] | None = None
    ahead: bool = False


Turn: TypeAlias = Branch | Back | AsChat | Keep  # after which another text is on show
Quick: TypeAlias = Try | AskHeads  # one pass, or two
Judging: TypeAlias = Evaluate | CheckSanity
Task: TypeAlias = "Ask | Aside | Turn | Try | AskHeads | Judging | Wish"


_INTERRUPTED = (Ask, Aside, Evaluate, CheckSanity)  # they go on later where they stopped


class Tasks:
    """The queue: another text comes first, then tasks of a pass or two, then the map to show, then the rest in order.

    It has no lock: only one thread at a time may call it. It calls `dropped` with each task that will not be done.
    """

    def __init__(self, dropped: Callable[[Task], None]) -> None:
        self._dropped = dropped
        self._waiting: list[Task] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def put(self, task: Task) -> None:
        """Add a task. It replaces a waiting map to show, evaluation or check, or a waiting request of its kind."""
        if isinstance(task, Ask | Quick | Judging):
            self._drop(lambda other: type(other) is type(task))
        elif isinstance(task, Aside) and task in self._waiting:
            return
        self._waiting.append(task)

    def take(self) -> Task | None:
        """Take the next task, or None."""
        if not self._waiting:
            return None
        return self._waiting.pop(min(range(len(self._waiting)), key=lambda at: (_rank(self._waiting[at]), at)))

    def clear(self) -> None:
        """Drop all tasks."""
        self._drop(lambda _task: True)

    def _drop(self, is_dropped: Callable[[Task], bool]) -> None:
        waiting = self._waiting
        self._waiting = [task for task in waiting if not is_dropped(task)]
        for task in filter(is_dropped, waiting):
            self._dropped(task)

    def overtake(self, running: Task | None) -> bool:
        """Return whether another map or text interrupts the map (or evaluation) that is being computed."""
        return isinstance(running, _INTERRUPTED) and any(isinstance(task, Ask | Turn) for task in self._waiting)

    def interrupt(self, running: Task | None) -> bool:
        """Return whether another map or text, or a task of a pass or two, interrupts what is being computed."""
        is_quick = any(isinstance(task, Quick) for task in self._waiting)
        return self.overtake(running) or (is_quick and isinstance(running, _INTERRUPTED))

    def put_aside(self, task: Task | None) -> None:
        """Re-queue an interrupted task, unless a newer map replaced it."""
        overtaken_by_map = any(isinstance(other, Ask) for other in self._waiting)
        if isinstance(task, Aside | Judging) or (isinstance(task, Ask) and not overtaken_by_map):
            self._waiting.insert(0, task)

    def turn_the_page(self) -> None:
        """Drop the tasks about positions of the last text, because another one is on show."""
        self._drop(lambda task: isinstance(task, Aside | Quick | Judging))
        self._waiting = [
            replace(task, question=bare(task.question)) if isinstance(task, Ask) else task for task in self._waiting
        ]

    def follow(self, question: Question) -> None:
        """Show this map next, unless another map to show waits."""
        if not any(isinstance(task, Ask) for task in self._waiting):
            self.put(Ask(question))


def cols_of(message: to_kernel.Focus) -> range:
    """Return the columns that a reader looks at."""
    return range(message["col"], message["col"] + message["n_cols"])


def task_of(message: to_kernel.ToKernel) -> Task:
    """Return the task that a message of the page asks for. Raises: InputError."""
    task: Task
    match message["type"]:
        case "ask":
            task = _map_of(message)
        case "branch":
            task = Branch(message["col"], message["token"], _change_of(message))
        case "back":
            task = Back(message["to"])
        case "as_chat":
            task = AsChat()
        case "try":
            task = Try(_change_of(message), message["request"])
        case "keep":
            task = Keep(_change_of(message))
        case "heads":
            task = AskHeads(message["col"], message["request"])
        case "evaluate":
            task = Evaluate(_cols_of(message), ahead=message.get("ahead", False))
        case "sanity":
            maps = message.get("maps")
            named = None if maps is None else tuple(map(str, maps))
            task = CheckSanity(_cols_of(message), named, ahead=message.get("ahead", False))
        case kind:
            raise AssertionError(f"{kind} asks for nothing that waits")
    return task


def inquiry_of(message: to_kernel.Explain) -> Inquiry:
    """Return what a message asks an LLM. Raises: InputError."""
    one_of("kind", message["kind"], get_args(ExplanationKind))
    target = message.get("target")
    return Inquiry(
        review=message["review"],
        kind=cast("ExplanationKind", message["kind"]),
        prompt=message["prompt"],
        fields={} if target is None or "{target}" not in message["prompt"] else {"target": target},
        choice=HOMEWORK if message.get("homework", False) else choice_in(message),
    )


def choice_in(message: to_kernel.Explain | to_kernel.SayVersusDo) -> Choice | None:
    """Return the choice between the labels that a message names, or None. Raises: InputError."""
    labels = message.get("labels")
    return None if labels is None else choice_of([str(label) for label in labels])


def _map_of(message: to_kernel.Ask) -> Ask | Aside:
    settings, foil, col = message.get("settings", {}), message.get("foil"), message.get("col")
    hop = message.get("hop", 0)
    question = check_question(
        message["method"], message["objective"], settings, foil, col=col, through=THINKING if hop else None, hop=hop
    )
    return Aside(question) if message.get("aside", False) else Ask(question, is_wanted=message.get("all", False))


def _cols_of(message: to_kernel.Evaluate | to_kernel.Sanity) -> tuple[int, ...]:
    cure = "Name columns by their places, from 0 on."
    return tuple(whole_number("A column", col, least=0, cure=cure) for col in message["cols"])


def _change_of(message: to_kernel.Branch | to_kernel.Try | to_kernel.Keep) -> Change:
    cure = "Name the tokens to strike out by their places, from 0 on."
    rows = tuple(whole_number("A row", row, cure=cure) for row in message.get("rows", []))
    return Change(rows=rows, text=message.get("text"))


def bare(question: Question) -> Question:
    """Return the question without its token ids, columns and hops, which belong to one text."""
    return replace(question, foil=None, col=None, through=None, hop=0)


def _rank(task: Task) -> int:
    ranked = (isinstance(task, Turn), isinstance(task, Quick), isinstance(task, Ask), True)
    return ranked.index(True)
