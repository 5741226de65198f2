"""The static map beside a widget: when it is filled."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from saliency_widget import saved
from saliency_widget.saved import SavedMap


class Slot:
    """Remembers what was put there."""

    def __init__(self) -> None:
        self.pages: list[str] = []
        self.filled = threading.Event()

    def update(self, obj: Any, /) -> None:
        self.pages.append(obj.data)
        self.filled.set()


@pytest.fixture
def maps() -> list[str]:
    return ["the first map"]


@pytest.fixture
def slot() -> Slot:
    return Slot()


@pytest.fixture
def static(maps: list[str], slot: Slot) -> Iterator[SavedMap]:
    static = SavedMap(lambda: maps[-1])
    static.add(slot)
    yield static
    static.flush()  # ends its thread


def test_the_first_map_is_put_there_at_once(static: SavedMap, slot: Slot) -> None:
    static.follow()
    assert slot.pages == ["the first map"]


def test_of_several_that_follow_soon_only_the_last_is_put_there(
    static: SavedMap, slot: Slot, maps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    static.follow()
    slot.filled.clear()
    monkeypatch.setattr(saved, "REST", 0.3)
    for name in ("a second", "a third", "a fourth"):
        maps.append(name)
        static.follow()
    assert slot.pages == ["the first map"]
    assert slot.filled.wait(10)
    assert slot.pages == ["the first map", "a fourth"]


def test_what_is_still_to_come_can_be_had_at_once_and_comes_once(
    static: SavedMap, slot: Slot, maps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved, "REST", 0.1)
    static.follow()
    maps.append("a second")
    static.follow()
    static.flush()
    static.flush()
    assert slot.pages == ["the first map", "a second"]
    slot.filled.clear()
    assert not slot.filled.wait(0.5)


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
