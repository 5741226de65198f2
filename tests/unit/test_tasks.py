"""The order of a widget's tasks."""

from __future__ import annotations

import pytest

from saliency_widget.attribution.pipeline import check_question
from saliency_widget.models.text.changes import Change
from saliency_widget.session.tasks import Aside, Ask, AskHeads, Back, Branch, Evaluate, Tasks, Try, bare

HEADS, TRY = AskHeads(1, 7), Try(Change(), 8)
A, B = (check_question(method, "logit", {}, foil=5, col=2) for method in ("saliency", "occlusion"))


def waiting(*asked, dropped: list | None = None) -> Tasks:
    dropped = [] if dropped is None else dropped
    tasks = Tasks(dropped.append)
    for task in asked:
        tasks.put(task)
    return tasks


def order(tasks: Tasks) -> list:
    taken = []
    while tasks:
        taken.append(tasks.take())
    return taken


def test_another_text_comes_first_and_then_the_map_to_show_and_the_rest_in_order() -> None:
    tasks = waiting(Aside(A), HEADS, Ask(A), Back(0), Branch(1, 2, Change()))
    assert order(tasks) == [Back(0), Branch(1, 2, Change()), HEADS, Ask(A), Aside(A)]
    assert tasks.take() is None


def test_of_maps_to_show_and_requests_of_a_kind_the_latest_is_left_and_the_others_are_known_to_be_dropped() -> None:
    one, two, other = Try(Change(rows=(1,)), 1), Try(Change(text="a"), 2), AskHeads(1, 4)
    dropped: list = []
    assert order(waiting(Ask(A), one, HEADS, Ask(B), two, other, dropped=dropped)) == [two, other, Ask(B)]
    assert dropped == [Ask(A), one, HEADS]
    waiting(two, Back(0), dropped=dropped).clear()
    assert dropped[3:] == [two, Back(0)]


def test_a_map_that_is_asked_for_twice_is_made_once() -> None:
    assert order(waiting(Aside(A), Aside(A), Aside(B))) == [Aside(A), Aside(B)]


def test_of_evaluations_the_latest_is_left() -> None:
    dropped: list = []
    assert order(waiting(Evaluate((0,)), Aside(A), Evaluate((1, 2)), dropped=dropped)) == [Aside(A), Evaluate((1, 2))]
    assert dropped == [Evaluate((0,))]


@pytest.mark.parametrize("running", [Ask(A), Aside(A), Evaluate((0,))])
def test_a_map_is_put_aside_for_another_to_show_and_for_another_text(running) -> None:
    assert waiting(Ask(B)).overtake(running)
    assert waiting(Back(0)).overtake(running)
    assert not waiting(Aside(B), HEADS, TRY).overtake(running)
    assert not waiting().overtake(running)


@pytest.mark.parametrize("running", [Ask(A), Aside(A), Evaluate((0,))])
def test_a_map_lets_what_one_pass_answers_come_first_and_goes_on(running) -> None:
    tasks = waiting(Aside(B), TRY)
    assert tasks.interrupt(running)
    tasks.put_aside(running)
    assert order(tasks) == [TRY, running, Aside(B)]
    assert not waiting(Aside(B)).interrupt(running)
    assert not waiting(HEADS).interrupt(TRY)


def test_what_is_short_is_not_put_aside() -> None:
    for running in (HEADS, TRY, Back(0), Branch(1, 2, Change()), None):
        assert not waiting(Ask(B), Back(0)).overtake(running)


def test_what_was_put_aside_goes_on_before_what_was_asked_later() -> None:
    tasks = waiting(Ask(B), Aside(B))
    tasks.put_aside(Aside(A))
    tasks.put_aside(Ask(A))  # nobody wants to see it any more
    assert order(tasks) == [Ask(B), Aside(A), Aside(B)]
    tasks = waiting(Back(0))
    tasks.put_aside(Ask(A))
    assert order(tasks) == [Back(0), Ask(A)]


def test_on_another_text_what_was_asked_of_places_makes_no_sense() -> None:
    dropped: list = []
    tasks = waiting(Aside(A), HEADS, TRY, Evaluate((0,)), Ask(A), Back(0), dropped=dropped)
    tasks.turn_the_page()
    assert dropped == [Aside(A), HEADS, TRY, Evaluate((0,))]
    assert order(tasks) == [Back(0), Ask(bare(A))]
    assert (bare(A).foil, bare(A).col) == (None, None)


def test_the_map_that_was_on_show_follows_unless_another_is_to_be_shown() -> None:
    tasks = waiting(Ask(B))
    tasks.follow(A)
    assert order(tasks) == [Ask(B)]
    tasks.follow(A)
    assert order(tasks) == [Ask(A)]
