"""Many questions to one server at once, each of whose answers is kept, whatever becomes of the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, Generic, NamedTuple, TypeVar

from ..aside import aside
from ..characters import bar_name

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")
Result = TypeVar("Result")

PARALLEL = 4  # questions that a server is asked at a time
CHECK_INTERVAL = 0.1  # seconds


def ask_all(
    keys: Iterable[Key], ask: Callable[[Key], Answer], heard: Callable[[Key, Answer], None], check: Callable[[], None]
) -> None:
    """Ask for each key, some at a time, and call `heard` with each answer, in this thread.

    `check` is called ten times a second and may raise to stop. Then, and after the error of a question, no further
    question is asked, and nobody waits for those that a server answers already: the caller keeps their answers.
    """
    waiting: SimpleQueue[Key] = SimpleQueue()
    answers: SimpleQueue[tuple[Key, Answer | None, BaseException | None]] = SimpleQueue()
    left = 0
    for key in keys:
        waiting.put(key)
        left += 1
    stopped = threading.Event()

    def work() -> None:
        while not stopped.is_set():
            try:
                key = waiting.get_nowait()
            except Empty:
                return
            try:
                answers.put((key, ask(key), None))
            except BaseException as error:  # noqa: BLE001 (it is raised in the calling thread)
                answers.put((key, None, error))

    for _ in range(min(PARALLEL, left)):
        threading.Thread(target=work, name="saliency-widget-asking", daemon=True).start()
    try:
        while left:
            check()
            try:
                key, answer, error = answers.get(timeout=CHECK_INTERVAL)
            except Empty:
                continue
            if error is not None:
                raise error
            left -= 1
            heard(key, answer)  # type: ignore[arg-type]  # without an error there is an answer
    finally:
        stopped.set()


def spread(some: Sequence[Key], among: Sequence[Key]) -> list[Key]:
    """Return all of them in one order, with `some` at equal distances, the last at the end.

    A server that is asked the same twice at once answers from its cache; later it may not.
    """
    ordered: list[Key] = []
    for k, key in enumerate(some):
        ordered += [*among[k * len(among) // len(some) : (k + 1) * len(among) // len(some)], key]
    return ordered


class HowFar(NamedTuple):
    """The number of answered requests, and of all. `tokens`: about how many all of them read; None before the first."""

    done: int
    total: int
    tokens: int | None

    @property
    def price(self) -> str:
        """Return what all requests cost, in words: "26 requests, about 3,100 tokens"."""
        return "" if self.tokens is None else f"{self.total:,} requests, about {self.tokens:,} tokens"


def watched(
    name: str, total: int | None, work: Callable[[Callable[[HowFar], None]], Result], *, progress: bool
) -> Result:
    """Return the result of `work(tell)`, with a progress bar that tells the price. An interrupt makes `tell` raise."""
    from tqdm.auto import tqdm

    far = HowFar(0, total or 0, None)

    def checked(check: Callable[[], None]) -> Result:
        def tell(now: HowFar) -> None:
            nonlocal far
            check()
            far = now

        return work(tell)

    with tqdm(total=total, desc=f"{bar_name(name)} is asked", disable=not progress, leave=False) as bar:

        def draw() -> None:
            bar.total = far.total or None
            bar.set_postfix_str(far.price, refresh=False)
            bar.update(far.done - bar.n)

        return aside(checked, draw)


class Kept(Generic[Answer]):
    """The answers to questions that cost something: no question is asked twice, not even at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, Future[Any]] = {}

    def once(self, key: str, ask: Callable[[], Answer]) -> Answer:
        """Return the answer of this key; ask for it if nobody has. An error is raised, and not kept."""
        with self._lock:
            known = self._answers.get(key)
            if known is None:
                mine = self._answers[key] = Future[Any]()
        if known is not None:
            found: Answer = known.result()
            return found
        try:
            found = ask()
        except BaseException as error:
            with self._lock:
                del self._answers[key]
            mine.set_exception(error)
            raise
        mine.set_result(found)
        return found
