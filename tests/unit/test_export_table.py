from __future__ import annotations

import dataclasses
import json
import math
import re
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
import pytest

from saliency_widget.export.figures import significant
from saliency_widget.export.html import to_html
from saliency_widget.export.reading import decimals, glyphs, label, visible
from saliency_widget.export.reading import width as cells
from saliency_widget.export.table import to_dataframe, to_text
from saliency_widget.types import Token

from .export_cases import fake, paris

UNSIGNED = """\
tiny · Gradient · probability
4 inputs, 2 targets; share of the gradient norm

   target      p  strongest inputs
1  Paris   0.750  capital 0.600 · is 0.300 · The 0.100
2  .       0.500  Paris 0.800 · capital 0.100 · The 0.050

        1 2
The     ░░·
capital ██·
is      ▒▒·
Paris     ██"""

SIGNED = """\
tiny · Gradient · probability
4 inputs, 2 targets; share of the gradient norm

   target      p  strongest inputs
1  Paris   0.750  capital −0.600 · is 0.300 · The 0.100
2  .       0.500  Paris −0.800 · capital 0.100 · The 0.050

        1  2
The     +░░ ·
capital −██ ·
is      +▒▒ ·
Paris      −██"""


def test_what_prints():
    assert to_text(paris()) == UNSIGNED


def test_what_prints_signed():
    """Shade is weight; the sign stands before it, since a terminal may have no colours."""
    scores = np.float32([[1, 0.5], [-6, 1], [3, -0.5], [np.nan, -8]])
    assert to_text(paris(signed=True, scores=scores)) == SIGNED


def test_wide_characters_stand_in_line():
    """Chinese, Japanese and emoji take two cells, and what is invisible is a sign."""
    texts = ["天気", "は", "🙂", "\0", " e\u0301te\u0301", "晴れ", "です"]
    lines = to_text(fake(texts, 5)).splitlines()
    starts = {cells(line[: line.index(".") - 1]) for line in lines[4:6]}
    assert len(starts) == 1
    matrix = lines[-6:]
    assert [line.split()[0] for line in matrix[:4]] == ["天気", "は", "🙂", "NUL"]
    assert {cells(line[: first_cell(line)]) for line in matrix[:4]} == {5}
    assert cells("e\u0301") == 1
    assert cells("👩‍🔬") == 4  # as two emoji: what most terminals do


def first_cell(line: str) -> int:
    """Return the start of the matrix: after the label and its spaces."""
    return re.match(r"\S+ +", line).end()


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width):
    a = fake(["The"] + [" incomprehensibilities", " 電気通信"] * 12, 15)
    assert max(cells(line) for line in to_text(a, width=width).splitlines()) <= width


def test_a_matrix_that_does_not_fit_is_left_out():
    a = fake([" word"] * 60, 20)
    text = to_text(a)
    assert "█" not in text
    assert text.count("\n") == 3 + 40
    long = to_text(fake([" word"] * 100, 50))
    assert long.endswith("… and 10 more targets; to_dataframe() has them all")


def test_zeros_and_unknown_probabilities_are_said():
    scores = np.float32([[0, 0.5], [0, 1], [0, 0.5], [np.nan, 8]])
    a = paris(scores=scores)
    assert "Paris   0.750  every score is 0" in to_text(a)
    assert "Paris   0.750  no input has a score" in to_text(paris(scores=np.where([[True, False]], np.nan, scores)))
    assert "␣" in to_text(fake([" ", "x"], 1))
    assert "–" in to_text(fake(["a", "b"], 1, step_scores={}))


def test_the_data_frame_is_long():
    """One line a visible cell, target by target, and its share is its score over the target's sum of sizes."""
    frame = to_dataframe(paris())
    assert list(frame.columns) == [
        "row", "row_token", "row_position", "col", "col_token", "col_position", "score", "share",
    ]  # fmt: skip
    assert len(frame) == 7
    assert frame.iloc[1].to_list() == [1, " capital", 1, 0, " Paris", 3, 6.0, pytest.approx(0.6)]
    assert frame.iloc[6].to_list() == [3, " Paris", 3, 1, ".", 4, 8.0, pytest.approx(0.8)]
    assert frame.groupby("col")["share"].apply(lambda s: s.abs().sum()).to_list() == pytest.approx([1, 1])


def test_the_data_frame_of_a_map_with_standard_errors_has_them_last():
    """Each beside its own score, as it is."""
    a = paris()
    errors = np.where(np.isnan(a.scores), np.nan, np.arange(a.scores.size).reshape(a.scores.shape))
    frame = to_dataframe(dataclasses.replace(a, errors=errors.astype(np.float32)))
    assert frame.columns[-1] == "error"
    assert frame["error"].to_list() == [errors[row, col] for row, col in zip(frame["row"], frame["col"], strict=True)]


def test_the_data_frame_of_nothing_has_its_columns():
    empty = fake(["a", "b"], 1)
    nothing = type(empty)(scores=np.zeros((0, 0), np.float32), rows=[], cols=[], step_scores={})
    assert len(to_dataframe(nothing)) == 0
    assert "0 inputs, 0 targets" in to_text(nothing)


def test_positions_are_the_tokens_own():
    a = fake(["a", "b", "c"], 2)
    rows = [Token(id=0, position=p, text="x", role="prompt", span=None, word=0, sentence=0, segment=0) for p in (4, 9)]
    frame = to_dataframe(type(a)(scores=a.scores, rows=rows, cols=a.cols, step_scores={}))
    assert frame["row_position"].to_list() == [4, 9]


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.342, "0.342"), (1.0, "1.000"), (-0.0514, "−0.051"), (0.0, "0.000"), (-0.0, "0.000"), (1e-5, "<0.001"),
     (-1e-5, ">−0.001"), (0.0005, "0.001"), (math.nan, "–"), (math.inf, "–")],
)  # fmt: skip
def test_three_decimals(value, said):
    assert decimals(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0123, "0.0123"), (-4.56, "−4.56"), (1.2e-7, "1.20e−7"), (0, "0"), (123.4, "123"), (999.6, "1000"),
     (1e6, "1.00e6"), (0.5, "0.500"), (0.5625, "0.563"), (9.996, "10.0"), (9.996e7, "1.00e8"), (float("nan"), "–"),
     (float("-inf"), "−∞")],
)  # fmt: skip
def test_a_value_is_written_as_the_living_widget_writes_it(value: float, said: str) -> None:
    """Values have the digits of the live widget: js/tests/pieces.test.ts has the same cases."""
    assert significant(value) == said


def test_what_a_method_says_of_its_own_result_is_printed() -> None:
    a = fake(["The", " cat", " sat"], 2, diagnostics={"completeness_error": [-0.0041]}, foil=" ran")
    lines = to_text(a).splitlines()
    assert lines[0].endswith("probability less that of 'ran'")
    assert lines[2] == "Each column adds up to the change of the objective, but for at most 0.0041."
    b = fake(["The", " cat", " sat"], 2, diagnostics={"relevance_sum": [0.23], "value": [0.796]})
    assert "adds up to 0.23 of 0.796" in to_text(b)
    assert "adds up to 0.23 of 0.796" in to_html(b)


def test_a_token_that_is_the_baseline_itself_is_told() -> None:
    """Of all columns the one that sees most of them; nothing where there is none."""
    changed = fake(["The", " cat", " sat"], 2, diagnostics={"baseline_changed": [1.0, 2.0]})
    assert "2 tokens are the baseline itself: another one stands in there." in to_text(changed)
    kept = fake(["The", " cat", " sat"], 2, diagnostics={"baseline_in_text": [1.0]})
    assert "1 token is the baseline itself and scores 0: another baseline would tell." in to_text(kept)
    assert "1 token is the baseline itself and scores 0: another baseline would tell." in to_html(kept)
    none = fake(["The", " cat", " sat"], 2, diagnostics={"baseline_changed": [0.0]})
    assert "baseline" not in to_text(none)


CHARACTERS = json.loads((Path(__file__).parents[1] / "data/characters.json").read_text())


@pytest.mark.parametrize("case", CHARACTERS, ids=[ascii(case["text"]) for case in CHARACTERS])
def test_characters_are_shown_as_on_the_page(case) -> None:
    """js/tests/pieces.test.ts reads the same file: what is a sign, which one, and a token's name on one line."""
    shown = [(sign or char, bool(sign)) for char, sign in glyphs(case["text"])]
    runs = [["".join(text for text, _ in run), sign] for sign, run in groupby(shown, key=itemgetter(1))]
    assert runs == case["glyphs"]
    assert visible(case["text"]) == case["name"]
    assert label(fake([case["text"], "a"], 1).rows[0]) == case["name"]


def test_the_mark_of_a_csv_is_taken_away_as_the_docstring_says():
    """Of what the page's own tests mark (js/tests/takeaway.test.ts), and of nothing that only looks like it."""
    undone = re.search("`(\\^.+)`", to_dataframe.__doc__)[1]
    for text in (
        "=1+1",
        "-",
        "+1",
        "@SUM(1)",
        "\tindented",
        "\r",
        "\n",
        "＝1",
        "＋1",
        "－1",
        "＠a",
        " =1",
        "'=1",
        '"=1',
        "' '-",
    ):
        assert re.sub(undone, "", f"'{text}") == text
    for text in ("'s", "'quoted'", "a=1", "' a", "''", "=1"):
        assert re.sub(undone, "", text) == text
