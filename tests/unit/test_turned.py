"""A page whose question is turned round: what an input feeds, with the numbers and steps that the page shows."""

from __future__ import annotations

from dataclasses import replace
from math import floor
from typing import Any

import numpy as np
import pytest

import saliency_widget as sw
from saliency_widget.attribution.viewed import page_of, viewed
from saliency_widget.errors import InputError
from saliency_widget.export.color import STEPS
from saliency_widget.export.html import to_html
from saliency_widget.export.look import APART, Look
from saliency_widget.export.question import question_of
from saliency_widget.export.reading import columns
from saliency_widget.protocol import to_kernel
from saliency_widget.types import Token

from .export_cases import Page, classes, style_of
from .views import FIRST, MAP, SEEN, TOKENS, WORDS, map_of, view


@pytest.mark.parametrize("each", SEEN["views"], ids=lambda each: f"{each['view']['by']} {each['view']['scale']}")
def test_what_an_input_feeds_is_what_is_kept(each: dict[str, Any]) -> None:
    """Turned round: of each target what it owes to the input, and of its tokens the step of the ramp."""
    for fed in each["fed"]:
        message = to_kernel.read({"type": "export", "col": 0, "view": {**each["view"], "turned": fed["turned"]}})
        assert message is not None
        seen, look = viewed(MAP, TOKENS, FIRST, message["view"])
        question = question_of(seen, columns(seen, raw=look.raw), look)
        column = question.columns[question.first]
        assert (column.target.position, column.target.length) == (fed["turned"][0], np.diff(fed["turned"])[0])
        np.testing.assert_allclose(column.numbers, np.float64(fed["values"]), atol=2e-9)
        place = look.scale_of(column.numbers, column.largest)
        steps: list[int | None] = []
        for box in question.boxes:
            row = question.row_of(box, question.first)
            step = None if row < 0 else floor(STEPS * place(float(column.numbers[row])) + 0.5)
            steps += [step] * box.token.length
        assert steps == [None] * FIRST + fed["steps"]


def test_a_page_turned_round_says_what_the_input_feeds() -> None:
    page = Page(page_of(MAP, TOKENS, FIRST, 0, view(turned=[4, 5])))
    assert page.text == "".join(token.text for token in TOKENS)
    (own,) = [box for box in page.boxes if "outline" in style_of(box)]
    assert (own["text"], own["title"]) == ("ton", "ton · the input")
    assert [box["title"] for box in page.boxes[FIRST:]] == [
        "? · fed .316 · rank 2 of 4", "George · fed .141 · rank 3 of 4", "Wash · fed .376 · rank 1 of 4",
        "ington · fed −.048 · rank 4 of 4",
    ]  # fmt: skip
    assert {box["title"] for at, box in enumerate(page.boxes[:FIRST]) if at != 4} == {""}
    assert "ton feedsWash\xa0.376 · ?\xa0.316 · George\xa0.141" in page.everything
    assert "share of the gradient norm" in page.everything
    assert "All targets in numbers" in page.everything


def test_every_input_of_a_page_turned_round_can_be_asked_about() -> None:
    """Shares of the targets' own columns, as they are; what was written is asked about too, and feeds what follows."""
    page = Page(page_of(MAP, TOKENS, FIRST, 0, view(turned=[10, 11])))
    d = page.data
    shares = MAP.scores / np.nansum(np.abs(MAP.scores), axis=0)
    np.testing.assert_allclose(page.scores, shares.T, rtol=1e-6)
    assert (d["about"], d["numbers"], d["shown"]) == ("input", "fed", 10)
    assert (d["rows"], d["cols"]) == ([-1] * FIRST + [0, 1, 2, 3], [*range(12), -1])
    assert d["names"] == ["?", "George", "Wash", "ington"]
    assert d["asked"][10] == ["George", " feeds", "", ""]


def test_inputs_that_feed_as_one_are_named_and_marked_as_one() -> None:
    page = Page(page_of(MAP, TOKENS, FIRST, 0, view(by="word", units=WORDS, turned=[1, 7])))
    assert page.data["asked"][page.data["shown"]][0] == "Washington was."
    assert [box["text"] for box in page.boxes if "outline" in style_of(box)] == ["Washington", "was."]
    assert "share of the gradient norm, summed over words" in page.everything


def test_raw_scores_are_owed_too() -> None:
    page = Page(page_of(MAP, TOKENS, FIRST, 0, view(measure="raw", turned=[4, 5])))
    assert page.boxes[9]["title"] == "? · score 0.898 · rank 1 of 4"
    assert page.data["numbers"] == "score"
    apart = Page(page_of(replace(MAP, unit=APART), TOKENS, FIRST, 0, view(turned=[4, 5])))
    assert apart.data["numbers"] == "difference"
    np.testing.assert_allclose(apart.scores, MAP.scores.T, rtol=1e-6)


@pytest.mark.parametrize(("n_targets", "said"), [(3, ""), (100, "colours for this one input")])
def test_a_page_turned_round_says_what_it_leaves_out(n_targets: int, said: str) -> None:
    """Its numbers are of targets, and each has its own; more cells than travel with a page leave one input."""
    n = 2600
    words = [
        Token(id=i, position=i, text=f" w{i}", role="generated", span=None, word=i, sentence=0, segment=0)
        for i in range(n + n_targets)
    ]
    scores = np.random.default_rng(2).random((n, n_targets), np.float32)
    a = sw.Attribution.from_scores(scores, words[:n], words[n:], method="mine")
    page = Page(to_html(a, look=Look(turned=words[7])))
    assert ("To stay small, this copy has only " + said in page.everything) == bool(said)
    assert "strongest of" not in page.everything
    assert sum(" · fed " in box["title"] for box in page.boxes) == n_targets


def test_a_target_without_shares_owes_none() -> None:
    """A column of zeros is no column of small numbers: it has no rank among what the input feeds."""
    zeros = MAP.scores.copy()
    zeros[:, 1] = np.where(np.isnan(zeros[:, 1]), np.nan, 0)
    page = Page(page_of(map_of(zeros), TOKENS, FIRST, 0, view(turned=[4, 5])))
    assert [box["title"] for box in page.boxes[FIRST:]] == [
        "? · fed .316 · rank 2 of 3", "", "Wash · fed .376 · rank 1 of 3", "ington · fed −.048 · rank 3 of 3",
    ]  # fmt: skip


def test_an_input_that_feeds_nothing_says_so() -> None:
    silent = MAP.scores.copy()
    silent[4] = 0
    page = Page(page_of(map_of(silent), TOKENS, FIRST, 0, view(turned=[4, 5])))
    assert "ton feedsno target that has a share of this" in page.everything
    assert not any("background" in style_of(box) for box in page.boxes)


@pytest.mark.parametrize("chosen", [[12, 13], [2, 4]])
def test_an_input_of_which_no_target_says_anything_cannot_be_taken_away(chosen: list[int]) -> None:
    """The last token is no input; and what is hidden feeds nothing."""
    with pytest.raises(InputError, match="feeds no target"):
        page_of(MAP, TOKENS, FIRST, 0, view(hidden=[[2, 4]], turned=chosen))


def test_classes_have_the_colours_of_what_they_owe_to_an_input() -> None:
    a = classes({"NEGATIVE": 0.0123, "POSITIVE": 0.9877})
    page = Page(to_html(a, look=Look(turned=a.rows[2])))
    assert [box["text"] for box in page.boxes if "outline" in style_of(box)] == ["gem"]
    assert all("background" in style_of(box) and " · fed " in box["title"] for box in page.boxes[4:])
    assert "classesNEGATIVE .012 POSITIVE .988" in page.everything
    assert page.data["rows"] == [-1, -1, -1, -1, 0, 1]
