"""The times at which the static map beside a widget is saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from saliency_widget import saved
from saliency_widget.saved import REST, SavedMap


class Slot:
    """An output that records its contents."""

    def __init__(self) -> None:
        self.pages: list[str] = []

    def update(self, obj: Any, /) -> None:
        self.pages.append(obj.data)


class Timer:
    """A timer that a test fires."""

    running: ClassVar[list[Timer]] = []

    def __init__(self, interval: float, function: Callable[[], None]) -> None:
        assert interval == REST
        self.strike, self.daemon = function, False

    def start(self) -> None:
        assert self.daemon  # an interpreter that ends waits for no map
        self.running.append(self)

    def cancel(self) -> None:
        self.running.remove(self)


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved.threading, "Timer", Timer)
    monkeypatch.setattr(Timer, "running", [])


@pytest.fixture
def maps() -> list[str]:
    return ["the first map"]


@pytest.fixture
def slot() -> Slot:
    return Slot()


@pytest.fixture
def static(maps: list[str], slot: Slot) -> SavedMap:
    static = SavedMap(lambda: maps[-1])
    static.add(slot)
    return static


def test_the_first_map_is_put_there_at_once(static: SavedMap, slot: Slot) -> None:
    static.follow()
    assert slot.pages == ["the first map"]
    assert Timer.running == []


def test_of_several_that_follow_soon_only_the_last_is_put_there(static: SavedMap, slot: Slot, maps: list[str]) -> None:
    static.follow()
    for name in ("a second", "a third", "a fourth"):
        maps.append(name)
        static.follow()
    assert slot.pages == ["the first map"]
    (last,) = Timer.running  # each begins the rest anew
    last.strike()
    assert slot.pages == ["the first map", "a fourth"]


def test_what_is_still_to_come_can_be_had_at_once_and_comes_once(static: SavedMap, slot: Slot, maps: list[str]) -> None:
    static.follow()
    maps.append("a second")
    static.follow()
    static.flush()
    static.flush()
    assert slot.pages == ["the first map", "a second"]
    assert Timer.running == []


def test_a_rest_that_ends_while_the_map_is_had_puts_it_there_no_second_time(
    static: SavedMap, slot: Slot, maps: list[str]
) -> None:
    static.follow()
    maps.append("a second")
    static.follow()
    (struck,) = Timer.running
    static.flush()
    struck.strike()
    assert slot.pages == ["the first map", "a second"]


def test_every_view_of_the_widget_has_the_map(static: SavedMap, slot: Slot, maps: list[str]) -> None:
    static.follow()
    another = Slot()
    static.add(another)  # it holds the map of its own moment
    maps.append("a second")
    static.follow()
    static.flush()
    assert (slot.pages, another.pages) == (["the first map", "a second"], ["a second"])


def test_a_pin_renews_a_map_that_is_there_and_is_no_first_one(static: SavedMap, slot: Slot, maps: list[str]) -> None:
    static.renew()
    static.flush()
    assert slot.pages == []
    static.follow()
    maps.append("the same, pinned")
    static.renew()
    assert slot.pages == ["the first map"]
    static.flush()
    assert slot.pages == ["the first map", "the same, pinned"]


def test_a_map_that_was_shown_nowhere_is_not_the_first(maps: list[str], slot: Slot) -> None:
    static = SavedMap(lambda: maps[-1])
    static.follow()
    static.add(slot)  # it holds the map of its own moment
    static.follow()
    assert slot.pages == ["the first map"]
