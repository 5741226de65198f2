"""What comes first of all that a widget was asked to do."""

from __future__ import annotations

import pytest

from saliency_widget.attribution.pipeline import check_question
from saliency_widget.models.changes import Change
from saliency_widget.session.tasks import Aside, Ask, AskHeads, Back, Branch, Export, Keep, Tasks, Try, bare

from .harness import PLAIN

A, B = (check_question(method, "logit", {}, foil=5, col=2) for method in ("saliency", "occlusion"))


def waiting(*asked) -> Tasks:
    tasks = Tasks()
    for task in asked:
        tasks.put(task)
    return tasks


def order(tasks: Tasks) -> list:
    taken = []
    while tasks:
        taken.append(tasks.take())
    return taken


def test_another_text_comes_first_and_then_the_map_to_show_and_the_rest_in_order() -> None:
    tasks = waiting(Aside(A), AskHeads(1), Ask(A), Back(0), Branch(1, 2))
    assert order(tasks) == [Back(0), Branch(1, 2), AskHeads(1), Ask(A), Aside(A)]
    assert tasks.take() is None


def test_of_maps_to_show_and_changes_to_try_the_latest_is_left() -> None:
    one, two = Try(Change(rows=(1,))), Try(Change(text="a"))
    assert order(waiting(Ask(A), one, Ask(B), two)) == [two, Ask(B)]


def test_what_is_asked_for_twice_is_done_once() -> None:
    assert order(waiting(Aside(A), AskHeads(1), Aside(A), Aside(B), AskHeads(1))) == [AskHeads(1), Aside(A), Aside(B)]


def test_what_is_about_to_be_tried_is_what_is_kept() -> None:
    change = Change(rows=(1,))
    assert order(waiting(Try(change), Keep())) == [Keep(change)]
    assert order(waiting(Keep())) == [Keep(None)]


@pytest.mark.parametrize("running", [Ask(A), Aside(A)])
def test_a_map_is_put_aside_for_another_to_show_and_for_another_text(running) -> None:
    assert waiting(Ask(B)).overtake(running)
    assert waiting(Back(0)).overtake(running)
    assert not waiting(Aside(B), AskHeads(1), Try(Change())).overtake(running)
    assert not waiting().overtake(running)


@pytest.mark.parametrize("running", [Ask(A), Aside(A)])
def test_a_map_lets_what_one_pass_answers_come_first_and_goes_on(running) -> None:
    tasks = waiting(Aside(B), Try(Change()))
    assert tasks.interrupt(running)
    tasks.put_aside(running)
    assert order(tasks) == [Try(Change()), running, Aside(B)]
    assert not waiting(Aside(B), Export(1, None)).interrupt(running)
    assert not waiting(AskHeads(1)).interrupt(Try(Change()))


def test_what_is_short_is_not_put_aside() -> None:
    for running in (AskHeads(1), Try(Change()), Back(0), Branch(1, 2), None):
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
    tasks = waiting(Aside(A), AskHeads(1), Try(Change()), Ask(A), Export(1, PLAIN))
    tasks.turn_the_page()
    assert order(tasks) == [Ask(bare(A)), Export(1, None)]  # a page waits for the file
    assert (bare(A).foil, bare(A).col) == (None, None)


def test_the_map_that_was_on_show_follows_unless_another_is_to_be_shown() -> None:
    tasks = waiting(Ask(B))
    tasks.follow(A)
    assert order(tasks) == [Ask(B)]
    tasks.follow(A)
    assert order(tasks) == [Ask(A)]
