"""Estimates of the time left, by a clock that the test holds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from saliency_widget.attribution.problem import Chunk, Progress
from saliency_widget.models.steps import Step
from saliency_widget.session import filling, maps, pace, sender, trail
from saliency_widget.session.pace import Pace
from saliency_widget.session.patience import Patience

from ..families import made
from .harness import before_each_pass


@pytest.fixture
def clock(monkeypatch) -> SimpleNamespace:
    """`now` is the time in seconds."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(pace, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    return clock


@pytest.mark.parametrize("sizes", [[1] * 50, [1, 16, 16, 16, 1], [5, 45], [16, 16, 16, 2]])
def test_the_time_left_of_steady_work_is_right(clock: Any, sizes: list[int]) -> None:
    """Whatever the batches: 50 parts of 2 s each."""
    steady, done = Pace(), 0
    for size in sizes:
        clock.now += 2 * size
        done += size
        assert steady.left(done, 50) == pytest.approx(2 * (50 - done))


def test_what_is_done_once_counts_only_until_there_is_something_better(clock: Any) -> None:
    """30 s before the first of ten parts of 1 s."""
    late = Pace()
    clock.now += 31
    assert late.left(1, 10) == pytest.approx(31 * 9)
    for done in range(2, 11):
        clock.now += 1
        assert late.left(done, 10) == pytest.approx(10 - done)


def test_a_pause_is_not_part_of_the_work(clock: Any) -> None:
    writing = Pace(3)  # three were there before
    for done in (4, 5, 6):
        clock.now += 0.5
        assert writing.left(done, 10) == pytest.approx(0.5 * (10 - done))
        clock.now += 7
        writing.skip(7)
    assert writing.elapsed() == pytest.approx(1.5)
    assert Pace().left(0, 10) is None


@pytest.mark.parametrize("batches", [[8], [2, 2, 2, 2], [1, 4, 3]])
def test_the_page_hears_how_long_a_steady_map_takes_between_batches_and_inside_them(
    tiny_model: Any, harness: Any, monkeypatch: pytest.MonkeyPatch, clock: Any, batches: list[int]
) -> None:
    """Ten passes of 3 s a column, told one by one: from a tenth of the work on it is right within a quarter."""
    truth: list[float] = []
    rest = 3.0 * 10 * 8

    def columns(_model: Any, _question: Any, document: Any, schedule: Any, *_: Any, **__: Any) -> Any:
        nonlocal rest
        for size in batches:
            cols = schedule.take(size)
            for done in range(1, 10 * len(cols) + 1):
                clock.now += 3
                rest -= 3
                truth.append(rest)
                yield Progress(done, 10 * len(cols))
            scores = np.ones((len(document.rows), len(cols)), np.float32)
            truth.append(rest)
            yield Chunk(cols, scores, [Step(0.5, (), ()) for _ in cols])

    monkeypatch.setattr(maps.pipeline, "columns", columns)
    h = harness(tiny_model, method="occlusion", input_ids=[5, 6, 7], target_ids=range(20, 28))
    said: list[float | None] = []
    tell = sender.Sender.tell

    def hear(self: sender.Sender, *messages: Any, **more: Any) -> None:
        said.extend(m["seconds_left"] for m in messages if m["type"] == "status" and m["done"])
        tell(self, *messages, **more)

    monkeypatch.setattr(sender.Sender, "tell", hear)
    h.start()
    h.done()
    whole = 3.0 * 10 * 8
    assert len(said) == len(truth)
    for told, left in zip(said, truth, strict=True):
        if left <= 0.9 * whole:
            assert told == pytest.approx(left, rel=0.25, abs=1e-6)


def test_while_a_text_is_written_the_time_left_counts_the_columns_that_come_in_between(
    harness: Any, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    """A token takes 1 s and a column 2 s: once a batch was measured, the time until all 40 are written is right."""
    model = made("llama")
    monkeypatch.setattr(trail, "time", SimpleNamespace(perf_counter=lambda: clock.now))

    def columns(_model: Any, _question: Any, document: Any, schedule: Any, *_: Any, **__: Any) -> Any:
        while cols := schedule.take(16):
            clock.now += 2 * len(cols)
            yield Chunk(cols, np.ones((len(document.rows), len(cols)), np.float32), [Step(0.5, (), ()) for _ in cols])

    def written() -> None:
        clock.now += 1

    said: list[tuple[float, float | None]] = []
    tell = sender.Sender.tell

    def hear(self: sender.Sender, *messages: Any, **more: Any) -> None:
        said.extend(
            (clock.now, m["seconds_left"]) for m in messages if m["type"] == "status" and m["what"] == "Writing"
        )
        tell(self, *messages, **more)

    monkeypatch.setattr(sender.Sender, "tell", hear)
    with before_each_pass(model, written):
        monkeypatch.setattr(filling.pipeline, "columns", columns)
        h = harness(model, patience=Patience(between=0.0, pause=0.0, seconds=1e9), text="the cab", max_new_tokens=40)
        h.start()
        h.done()
    end = said[-1][0]
    told = [(end - now, left) for now, left in said if left is not None]
    assert len(told) > 20, "from the tenth token on"
    for left_in_truth, left in told:
        assert left == pytest.approx(left_in_truth, rel=0.25, abs=2)
