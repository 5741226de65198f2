"""The table of a run, without a page: what it answers, and which map it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import saliency_widget as sw
from saliency_widget.batch.browse import Browser, RunTable, exhibition_of
from saliency_widget.errors import NoNotebook

from ..families import made

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = ["the cab and", "a dog ran b", "one two cab"]


@pytest.fixture
def run(tmp_path: Path) -> sw.Run:
    return sw.attribute_many(made("gpt2"), [*TEXTS, ""], out=tmp_path, max_new_tokens=4, progress=False)


def table(n: int = 1000) -> RunTable:
    p = [None if i % 7 == 0 else (i * 37 % n) / n for i in range(n)]
    prompts = [f"Text {i} of {'Straße' if i % 3 else 'STRASSE'}" for i in range(n)]
    frame = pd.DataFrame({"id": list(map(str, range(n))), "prompt": prompts, "probability": p, "error": None})
    return RunTable(frame, "saliency of tiny")


def ask(of: RunTable, **asked: Any) -> dict[str, Any]:
    return of.answer({"type": "rows", "request": 1, "start": 0, "count": 50, **asked})


@pytest.mark.parametrize("descending", [False, True])
def test_rows_are_sorted_by_a_number_and_what_is_not_known_comes_last(descending):
    found = ask(table(), sort="probability", descending=descending, count=200)
    values = [row[3] for row in found["rows"]]
    assert values == sorted(values, reverse=descending)
    assert found["total"] == 1000
    last = ask(table(), sort="probability", descending=descending, start=990)["rows"]
    assert [row[3] for row in last] == [None] * 10


def test_a_search_finds_every_word_whatever_its_case_and_place():
    found = ask(table(), search="strasse 99")
    assert found["total"] == sum("99" in str(i) for i in range(1000))  # ß is ss without regard to case
    assert ask(table(), search="(")["total"] == 0
    assert ask(table(), search="  ")["total"] == 1000


def test_a_page_gets_no_more_rows_than_it_may_ask_for_and_long_texts_are_cut():
    assert len(ask(table(), count=10_000)["rows"]) == 200
    assert ask(table(), start=5000)["rows"] == []
    frame = pd.DataFrame({"id": ["a"], "prompt": ["x" * 10_000], "error": [None]})
    assert len(ask(RunTable(frame, "x"))["rows"][0][2]) == 300


def test_the_map_of_the_chosen_text_is_shown_and_the_one_before_it_is_closed(run):
    browser = Browser(run)
    assert browser.children == (browser.table,)
    browser.table.chosen = 1
    first = browser.children[1]
    np.testing.assert_array_equal(browser.attribution.scores, run[1].scores)
    browser.table.chosen = 2
    assert browser.children[1] is not first
    assert first.comm is None  # closed
    np.testing.assert_array_equal(browser.attribution.scores, run[2].scores)
    browser.table.chosen = 3  # the empty text, which has no map
    assert browser.children == (browser.table,)
    assert browser.attribution is None
    names = [column["name"] for column in browser.table.columns]
    assert names[-1] == "error"
    browser.close()


@pytest.mark.parametrize(
    ("family", "asked"),
    [("gpt2", {"target": " the dog"}), ("gpt2", {"target": " the dog", "span": (0, 2)}), ("bert", {}), ("t5", {})],
)
def test_rows_and_columns_of_a_map_are_those_of_its_page(family, asked):
    """The page's rows are its first tokens and its columns its last ones, as `Exhibition` promises."""
    found = sw.attribute(made(family), "the cab and", progress=False, max_new_tokens=3, **asked)
    shown = exhibition_of(found, "0")
    assert tuple(shown.tokens[: len(found.rows)]) == found.rows
    assert tuple(shown.tokens[shown.first_target :]) == found.cols


def test_outside_a_notebook_it_says_so(run):
    with pytest.raises(NoNotebook):
        run.browse()
