"""A controller with pages that keep what they hear; real threads, and a real (tiny) model."""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import numpy as np
import pytest

import saliency_widget as sw
from saliency_widget.attribution import pipeline
from saliency_widget.attribution.pipeline import check_question
from saliency_widget.attribution.problem import Chunk, Spot
from saliency_widget.controller import Controller
from saliency_widget.models.text.prompting import check_prompt
from saliency_widget.protocol import PROTOCOL, to_kernel
from saliency_widget.session.executor import Job
from saliency_widget.session.patience import USUAL, Patience

from .waiting import GUARD, wait_for

TEXT, TARGET = "the cab and the d", "og barks at a bat"


class Harness:
    """A controller and what its pages hear.

    `messages`: what the pages heard. `columns`: by map and column, `together`: by map those of the whole answer, and
    `heads`, as they came in buffers.
    """

    def __init__(
        self,
        model: Any,
        *,
        method: str = "saliency",
        objective: str = "probability",
        max_new_tokens: int = 8,
        patience: Patience = USUAL,
        **prompt: Any,
    ) -> None:
        self.messages: list[dict[str, Any]] = []
        self.columns: dict[tuple[str, int], np.ndarray] = {}
        self.together: dict[str, np.ndarray] = {}
        self.heads: np.ndarray | None = None
        self.finished: list[Any] = []
        self.requests = itertools.count(1)
        prompt = prompt or {"text": TEXT, "target": TARGET}
        job = Job(
            model=model,
            prompt=check_prompt(prompt.pop("text", None), **prompt),
            question=check_question(method, objective, {}),
            max_new_tokens=max_new_tokens,
            patience=patience,
        )
        hear = lambda *heard: self.hear(*heard)  # noqa: E731, PLW0108 (a test may put another function in its place)
        self.controller = Controller(job, hear, self.finished.append)

    def hear(self, message: dict[str, Any], buffers: list[memoryview]) -> None:
        self.messages.append(message)
        if message["type"] == "column":
            numbers = np.frombuffer(buffers[0], dtype="<f4")
            if message["n_cols"] > 1:
                self.together[message["map"]] = numbers
            else:
                self.columns[message["map"], message["col"]] = numbers
            self.controller.receive({"type": "ack", "seq": message["seq"]})
        if message["type"] == "heads":
            shape = (len(message["layers"]), message["n_heads"], message["n_rows"])
            self.heads = np.frombuffer(buffers[0], dtype="<f4").reshape(shape)

    def start(self) -> Controller:
        self.controller.receive({"type": "hello", "protocol": PROTOCOL})
        self.controller.start()
        return self.controller

    def say(self, type: str, **fields: Any) -> None:
        """Say what a page says, through the same door. Each request has a number of its own."""
        if type in ("try", "heads"):
            fields = {"request": next(self.requests), **fields}
        message = to_kernel.read({"type": type, **fields})
        assert message is not None
        self.controller.receive(message)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in list(self.messages) if message["type"] == kind]

    def last(self, kind: str) -> dict[str, Any]:
        return self.of(kind)[-1]

    def wait_for(self, condition: Any) -> None:
        wait_for(condition, lambda: self.messages[-3:])

    def done(self) -> Any:
        assert self.controller.wait(GUARD)
        if self.controller.error is not None:
            raise self.controller.error
        return self.controller.attribution

    def settled(self) -> Any:
        """Done, and the pages have heard of everything."""
        shown = self.done()
        self.wait_for(self.controller.idle)
        return shown

    def failed(self) -> dict[str, Any]:
        """Return what the pages are told when all is done and something went wrong."""
        assert self.controller.wait(GUARD)
        self.wait_for(lambda: self.controller.idle() and self.last("status")["phase"] == "failed")
        return self.last("failed")


@pytest.fixture
def harness() -> Iterator[Any]:
    """Makes harnesses, and closes them."""
    made: list[Harness] = []

    def make(*args: Any, **kwargs: Any) -> Harness:
        made.append(Harness(*args, **kwargs))
        return made[-1]

    yield make
    for h in made:
        h.controller.close()
        assert h.controller.join(GUARD)


@contextmanager
def before_each_pass(model: Any, act: Callable[..., None]) -> Iterator[None]:
    """Have `act` called whenever a shadow of the model is about to run; what is known of the model by then, is."""
    for method in ("saliency", "occlusion"):
        sw.attribute(model, input_ids=[1], target_ids=range(2, 100), method=method, progress=False)
    kind = type(model.model)
    own = kind.forward

    @wraps(own)
    def forward(*args: Any, **kwargs: Any) -> Any:
        act()
        return own(*args, **kwargs)

    kind.forward = forward
    try:
        yield
    finally:
        kind.forward = own


class Computed:
    """The columns that the workers of widgets have computed, in order: `columns` holds (id of the method, column).

    `batches`: the columns that came together. `documents`: how many tokens were written, for each map or part of one
    that was begun. `checked`: whether the first column of a map was held against one that was computed another way.
    `scores`: a weak reference to each array of numbers that a worker was given.
    """

    def __init__(self) -> None:
        self.columns: list[tuple[str, int]] = []
        self.batches: list[list[int]] = []
        self.documents: list[int] = []
        self.checked = False
        self.scores: list[weakref.ref[np.ndarray]] = []

    def cols(self, method: str) -> list[int]:
        return [col for name, col in list(self.columns) if name == method]

    def methods(self) -> list[str]:
        """The methods in the order of their first columns."""
        return list(dict.fromkeys(name for name, _ in list(self.columns)))

    def is_halfway(self, n: int) -> bool:
        """Return whether some method has a part of its n columns."""
        return any(0 < len(self.cols(method)) < n for method in self.methods())


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> Computed:
    """Notes each column that the pipeline hands to a worker. A call of `attribute` in a test is not noted."""
    noted, columns = Computed(), pipeline.columns

    def noting(model: Any, question: Any, document: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        by_worker = threading.current_thread().name == "saliency-widget-worker"
        if by_worker:
            noted.documents.append(len(document.cols))
        for found in columns(model, question, document, *args, **kwargs):
            if by_worker and isinstance(found, Chunk):
                noted.columns += [(question.card.id, col) for col in found.cols]
                noted.batches.append(list(found.cols))
                noted.scores.append(weakref.ref(found.scores))
            noted.checked |= by_worker and isinstance(found, Spot)
            yield found

    monkeypatch.setattr(pipeline, "columns", noting)
    return noted


class Slow:
    """Makes every forward pass of a model take a while, and tells when one has begun."""

    def __init__(self, model: Any, seconds: float) -> None:
        self.begun = threading.Event()
        self.seconds = seconds
        self.handle = model.model.get_input_embeddings().register_forward_pre_hook(self.wait)

    def wait(self, *_: Any) -> None:
        self.begun.set()
        time.sleep(self.seconds)

    def __enter__(self) -> Slow:
        return self

    def __exit__(self, *_: object) -> None:
        self.handle.remove()
