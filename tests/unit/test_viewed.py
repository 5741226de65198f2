"""A map as a reader sees it: number for number, and colour for colour, what the page shows of it.

`tests/data/views.json` holds a map and what js/tests/viewed.test.ts saw of it, view by view.
"""

from __future__ import annotations

from dataclasses import replace
from math import floor
from typing import Any

import numpy as np
import pytest

import saliency_widget as sw
from saliency_widget.attribution.viewed import file_name, page_of, viewed
from saliency_widget.errors import InputError
from saliency_widget.export import color
from saliency_widget.export.boxes import boxes_of
from saliency_widget.export.color import STEPS
from saliency_widget.export.figures import percent, significant
from saliency_widget.export.html import to_html
from saliency_widget.export.look import APART, Look
from saliency_widget.export.reading import columns, label
from saliency_widget.protocol import to_kernel
from saliency_widget.types import Alternative, Token

from .export_cases import Page, style_of
from .views import FIRST, MAP, SEEN, TOKENS, WORDS, array, map_of, view


@pytest.mark.parametrize("each", SEEN["views"], ids=lambda each: f"{each['view']['by']} {each['view']['scale']}")
def test_what_the_page_shows_is_what_is_kept(each: dict[str, Any]) -> None:
    """Targets, scores of the units, what is hidden, and of every token the step of the ramp."""
    message = to_kernel.read({"type": "export", "col": 0, "view": each["view"]})
    assert message is not None
    seen, look = viewed(MAP, TOKENS, FIRST, message["view"])
    assert [(c.position - FIRST, c.position + c.length - FIRST) for c in seen.cols] == [
        tuple(target["cols"]) for target in each["targets"]
    ]
    expected = array([target["scores"] for target in each["targets"]])
    np.testing.assert_array_equal(seen.scores, expected)
    for col, target in enumerate(each["targets"]):
        assert look.hidden[col] == pytest.approx(target["hidden"] or 0, abs=1e-12)
        column = columns(seen, raw=look.raw)[col]
        place = look.scale_of(column.numbers, column.largest)
        steps: list[int | None] = []
        for box in boxes_of(seen, look):
            number = np.nan if box.row < 0 else column.numbers[box.row]
            steps += [None if np.isnan(number) else floor(STEPS * place(number) + 0.5)] * box.token.length
        unseen = len(target["steps"])  # the last token is no row
        assert steps[:unseen] == target["steps"]


@pytest.mark.parametrize("each", SEEN["views"], ids=lambda each: f"{each['view']['by']} {each['view']['scale']}")
def test_the_boxes_have_the_colours_of_their_steps(each: dict[str, Any]) -> None:
    """Of every target, and of every input that the question is turned round to; struck, asked about or unseen: none."""
    seen, look = viewed(MAP, TOKENS, FIRST, each["view"])
    for col, target in enumerate(each["targets"]):
        start, end = target["cols"]
        assert colours(seen, look, col) == painted([*target["steps"], None], FIRST + start, FIRST + end)
    for fed in each["fed"]:
        seen, look = viewed(MAP, TOKENS, FIRST, {**each["view"], "turned": fed["turned"]})
        assert colours(seen, look, None) == painted([None] * FIRST + fed["steps"], *fed["turned"])


def colours(seen: sw.Attribution, look: Look, col: int | None) -> list[str]:
    """Of every token the background of its box."""
    page, none = Page(to_html(seen, col=col, look=look)), color.css(color.PAPER)
    lengths = [box.token.length for box in boxes_of(seen, look)]
    return [
        style_of(box).get("background", none)
        for box, length in zip(page.boxes, lengths, strict=True)
        for _ in range(length)
    ]


def painted(steps: list[int | None], start: int, end: int) -> list[str]:
    """Of every token the colour of its step; what is asked about has none."""
    shown = [None if start <= at < end else step for at, step in enumerate(steps)]
    return [color.swatch((step or 0) / STEPS, 1, signed=True).background for step in shown]


def test_every_character_is_in_one_box() -> None:
    """Whatever is joined, opened or hidden: the text is there once, and every target can be hovered."""
    for each in SEEN["views"]:
        page = Page(page_of(MAP, TOKENS, FIRST, 0, each["view"]))
        assert page.text == "".join(token.text for token in TOKENS)
        assert {col for col in page.data["cols"] if col >= 0} == set(range(len(each["targets"])))


@pytest.mark.parametrize(
    ("units", "hidden", "texts"),
    [
        (None, [], ["a", "機", "", "器", "", " b"]),
        ([0, 1, 5], [], ["a", "機器", " b"]),
        ([0, 1, 3, 5], [], ["a", "機", "器", " b"]),
        ([0, 5], [[1, 2]], ["a", "機", "器", " b"]),
        ([0, 5], [[0, 2]], ["a機", "器", " b"]),
    ],
)
def test_each_character_is_printed_once_however_tokens_share_them(
    units: list[int] | None, hidden: list[list[int]], texts: list[str]
) -> None:
    """The fourth token ends one character and holds the next; a unit, or what is hidden, may end within a character."""
    shared = [("a", None, (0, 1)), ("機", (1, 3), (1, 2)), ("機", (2, 3), (1, 2)), ("機器", (3, 3), (1, 3)),
              ("器", (2, 2), (2, 3)), (" b", None, (3, 5))]  # fmt: skip
    tokens = [
        Token(id=i, position=i, text=text, role="prompt" if i < 5 else "generated", span=span, word=i, sentence=0,
              segment=0, part=part)
        for i, (text, part, span) in enumerate(shared)
    ]  # fmt: skip
    a = sw.Attribution.from_scores(np.ones((5, 1)), tokens[:5], tokens[5:], method="mine")
    by = "token" if units is None else "word"
    page = Page(page_of(a, tokens, 5, 0, view(by=by, units=units, hidden=hidden)))
    assert page.text == "a機器 b"
    assert [box["text"] for box in page.boxes] == [text.strip() for text in texts]


def test_what_is_hidden_is_struck_and_said() -> None:
    page = Page(page_of(MAP, TOKENS, FIRST, 1, view(by="word", units=WORDS, hidden=[[2, 4]])))
    struck = [box["text"] for box in page.boxes if "line-through" in style_of(box).values()]
    assert struck == ["shing"]
    assert not any("background" in style_of(box) for box in page.boxes if box["text"] == "shing")
    assert "share of the gradient norm, summed over words · 2 inputs hidden" in page.everything
    held = (0.0365 + 0.0295) / np.nansum(np.abs(MAP.scores[:, 1]))
    assert f" · hidden: {percent(held)}" in page.everything
    assert [hidden for *_, hidden in page.data["asked"]][1] == f" · hidden: {percent(held)}"


def test_what_is_hidden_has_no_number_of_another_row() -> None:
    page = Page(page_of(MAP, TOKENS, FIRST, 3, view(hidden=[[2, 3]])))
    (struck,) = [box for box in page.boxes if "line-through" in style_of(box).values()]
    assert (struck["title"], style_of(struck).get("background")) == ("", None)


def test_what_is_hidden_is_said_where_it_is_worth_a_word() -> None:
    said = [Page(to_html(MAP, look=Look(hidden=[held] * 4))).data["asked"][0][3] for held in (0.0004, 0.002)]
    assert said == ["", " · hidden: 0.2 %"]


def test_how_targets_were_joined_is_said_of_several_alone() -> None:
    pinned = Page(page_of(MAP, TOKENS, FIRST, 1, view(pinned=[1, 3])))
    assert ["tokens, mean" in said for _, said, _, _ in pinned.data["asked"]] == [False, True, False]
    words = Page(MAP.aggregate("word").to_html())  # nobody chose how its columns were joined
    assert not any("tokens" in said for _, said, _, _ in words.data["asked"])


def test_targets_pinned_as_one_are_one_whichever_of_them_is_asked_for() -> None:
    alternatives = [[Alternative(id=1, text="x", probability=0.5)]] * 4
    whole = map_of(MAP.scores, alternatives=tuple(map(tuple, alternatives)))
    for col in (1, 2):
        page = Page(page_of(whole, TOKENS, FIRST, col, view(pinned=[1, 3], joint="sum")))
        assert [box["text"] for box in page.boxes if "outline" in style_of(box)] == ["George", "Wash"]
        assert page.data["cols"][9:] == [0, 1, 1, 2]
        assert "George Wash p = .125 · 2 tokens, sum" in page.everything
        assert [others for _, _, others, _ in page.data["asked"]] == [" instead of x .500", "", " instead of x .500"]


def test_a_pin_may_cut_a_word_in_two() -> None:
    """Pinned by tokens, read by words: what is pinned stays one, and each rest is a target of its own."""
    seen, _ = viewed(MAP, TOKENS, FIRST, view(by="word", units=WORDS, pinned=[1, 3]))
    assert [token.text for token in seen.cols] == ["?", " George Wash", "ington"]


def test_raw_scores_have_three_digits_and_say_so() -> None:
    page = Page(page_of(MAP, TOKENS, FIRST, 0, view(measure="raw", scale="threshold", threshold=0.25)))
    assert page.boxes[4]["title"] == "ton · score 0.898 · rank 2 of 9"
    assert "tiny · Gradient · probability · gradient norm · colours from 25 % of the largest" in page.everything
    assert "was\xa00.990 · ton\xa00.898" in page.everything
    assert "strongest inputs, and their scores" in page.everything
    assert (page.data["numbers"], page.data["scale"], page.data["threshold"]) == ("score", "threshold", 0.25)


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0123, "0.0123"), (-4.56, "−4.56"), (1.2e-7, "1.20e−7"), (0, "0"), (123.4, "123"), (999.6, "1000"),
     (1e6, "1.00e6"), (0.5, "0.500"), (0.5625, "0.563"), (9.996, "10.0"), (9.996e7, "1.00e8"), (float("nan"), "–"),
     (float("-inf"), "−∞")],
)  # fmt: skip
def test_a_score_is_written_as_the_living_widget_writes_it(value: float, said: str) -> None:
    """The same values, and the same words, in js/tests/pieces.test.ts."""
    assert significant(value) == said


@pytest.mark.parametrize(("value", "said"), [(0.125, "13 %"), (0.004, "0.4 %"), (0, "0 %"), (-0.5, "−50 %")])
def test_a_percentage_is_written_as_the_living_widget_writes_it(value: float, said: str) -> None:
    assert percent(value) == said


def test_a_map_that_is_begun_shows_the_whole_text() -> None:
    """What is not computed is printed, and is no target: also the last token, which is no row."""
    page = Page(
        page_of(map_of(MAP.scores, cols=slice(1, 2)), TOKENS, FIRST, 1, view(by="sentence", units=[0, 7, 9, 10]))
    )
    assert page.text == "".join(token.text for token in TOKENS)
    assert [box["text"] for box in page.boxes if "outline" in style_of(box)] == ["George"]
    assert page.boxes[-1]["title"] == "", "nor was it seen, though its sentence began before"
    assert "Who was┊?" in page.everything, "what was written begins where it does, whatever of it is computed"


def test_what_comes_after_the_target_has_no_colour_though_its_sentence_began_before() -> None:
    page = Page(page_of(MAP, TOKENS, FIRST, 2, view(by="sentence", units=[0, 7, 10])))
    before, target, after = page.boxes[-3:]
    assert [before["text"].strip(), target["text"].strip(), after["text"]] == ["George", "Wash", "ington"]
    assert "share" in before["title"]
    assert "outline" in style_of(target)
    assert (after["title"], "background" in style_of(after)) == ("", False)


def test_a_class_that_is_not_computed_is_no_target() -> None:
    """A contrast of one class: the others stand there, and the script counts them."""
    classes = [replace(token, role="class") for token in TOKENS[FIRST:]]
    scores = np.ones((FIRST, 1), np.float32)
    one = replace(map_of(MAP.scores, cols=slice(2, 3)), scores=scores, rows=tuple(TOKENS[:FIRST]), cols=(classes[2],))
    page = Page(page_of(one, [*TOKENS[:FIRST], *classes], FIRST, 2, view()))
    assert len(page.boxes) == len(TOKENS)
    assert page.data["cols"] == [-1] * 11 + [0, ~1]
    assert ["outline" in style_of(box) for box in page.boxes[FIRST:]] == [False, False, True, False]


def test_a_target_of_which_a_part_is_not_computed_is_left_out() -> None:
    begun = map_of(MAP.scores, cols=slice(0, 3))
    seen, _ = viewed(begun, TOKENS, FIRST, view(by="word", units=WORDS))
    assert [token.text for token in seen.cols] == ["?", " George"]


def test_what_a_single_target_says_of_itself_stays() -> None:
    """Scores from elsewhere may; of several targets as one, what they owe to each other is left out."""
    scores = MAP.scores.copy()
    scores[FIRST, 0] = 5
    for pinned, own in ((None, 5), ([0, 2], np.nan)):
        seen, _ = viewed(map_of(scores), TOKENS, FIRST, view(pinned=pinned))
        np.testing.assert_equal(seen.scores[FIRST, 0], np.float32(own))


@pytest.mark.parametrize(
    "changed", [{"hidden": [[2, 4]]}, {"pinned": [1, 3]}, {"by": "sentence", "units": [0, 7, 9, 10]}]
)
def test_what_was_found_of_a_map_is_said_of_no_other(changed: dict[str, Any]) -> None:
    found = {"completeness": np.float32([0.1, 0.2, 0.3, 0.4])}
    known = map_of(MAP.scores, diagnostics=found)
    assert viewed(known, TOKENS, FIRST, view(scale="quantile", measure="raw"))[0].diagnostics == found
    assert viewed(known, TOKENS, FIRST, view(**changed))[0].diagnostics == {}


def test_what_is_hidden_may_end_beyond_the_text() -> None:
    page = Page(page_of(MAP, TOKENS, FIRST, 0, view(hidden=[[7, 99]])))
    assert page.text == "".join(token.text for token in TOKENS)


def test_a_difference_of_shares_has_no_shares_of_its_own() -> None:
    _, look = viewed(replace(MAP, unit=APART), TOKENS, FIRST, view(measure="share"))
    assert look.raw


def test_where_no_target_is_whole_the_cure_is_named() -> None:
    begun = map_of(MAP.scores, cols=slice(3, 4))
    with pytest.raises(InputError, match="by words each has several columns") as raised:
        viewed(begun, TOKENS, FIRST, view(by="word", units=WORDS))
    assert "Read by tokens" in str(raised.value)


@pytest.mark.parametrize("units", [[], [1, 2], [0, 13]])
def test_a_view_of_another_text_is_refused(units: list[int]) -> None:
    with pytest.raises(InputError, match="another one now"):
        viewed(MAP, TOKENS, FIRST, view(by="word", units=units))


def test_a_threshold_colours_what_is_as_large_as_it_is() -> None:
    place = Look(scale="threshold", threshold=0.5).scale_of(np.array([-2.0, 1.0, 0.9]), 2.0)
    assert [place(value) for value in (-2.0, 1.0, 0.9)] == [-1, 0.5, 0]


@pytest.mark.parametrize(
    ("look", "said"),
    [
        (Look(), ["share of the norm"]),
        (Look(numbers="score", pooled="summed over words"), ["norm, summed over words"]),
        (Look(scale="quantile", n_hidden=1), ["share of the norm", "colours by rank", "1 input hidden"]),
        (Look(scale="threshold", threshold=0.1, n_hidden=1200),
         ["share of the norm", "colours from 10 % of the largest", "1,200 inputs hidden"]),
    ],
)  # fmt: skip
def test_a_page_says_what_its_numbers_and_colours_are(look: Look, said: list[str]) -> None:
    assert list(look.words("norm")) == said


def test_a_column_of_nothing_has_no_colours_on_any_scale() -> None:
    for scale in ("linear", "quantile", "threshold"):
        assert Look(scale=scale).scale_of(np.zeros(3), 0.0)(0.0) == 0


# ── units by name ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("pool", ["sum", "mean", "max"])
def test_an_aggregated_map_is_what_the_widget_reads_by_words(pool: str) -> None:
    seen, _ = viewed(MAP, TOKENS, FIRST, view(by="word", units=WORDS, pool=pool))
    words = MAP.aggregate("word", pool)
    np.testing.assert_array_equal(words.scores, seen.scores)


@pytest.mark.parametrize("unit", ["word", "sentence", "segment"])
def test_an_aggregated_map_can_be_hovered_and_prints_its_text_once(unit: str) -> None:
    """`aggregate` knows no token but those of rows and columns; every target has a box, the last word its end."""
    words = MAP.aggregate(unit)
    page = Page(words.to_html())
    assert page.text == "".join(token.text for token in TOKENS)
    assert [col for col in page.data["cols"] if col >= 0] == [*range(len(words.cols))]
    assert {row for row in page.data["rows"] if row >= 0} == {*range(len(words.rows))}


def test_several_tokens_explained_as_one_stand_in_their_text_once() -> None:
    """`attribute(span=…)`: rows within the span are part of its target."""
    span = Token(
        **{**{name: getattr(TOKENS[10], name) for name in Token.__slots__}, "text": " George Wash", "length": 2}
    )
    whole = sw.Attribution(
        scores=MAP.scores[:11, :1], rows=tuple(TOKENS[:11]), cols=(span,), step_scores={}, method="saliency",
        objective="probability", signed=True, unit="gradient norm",
    )  # fmt: skip
    page = Page(whole.to_html())
    assert page.text == "".join(token.text for token in TOKENS[:12])


def test_a_row_that_is_partly_a_target_is_printed_whole() -> None:
    """A sentence of which one word alone was computed: nobody has the rest of its words."""
    page = Page(map_of(MAP.scores, cols=slice(2, 3)).aggregate("sentence").to_html())
    assert [box["text"] for box in page.boxes if "outline" in style_of(box)] == ["George Wash"]
    assert page.text == "".join(token.text for token in TOKENS[:12])


def test_a_unit_that_is_long_is_called_by_its_ends() -> None:
    many = [
        Token(id=i, position=i, text=f" word{i}", role="prompt", span=None, word=i, sentence=0, segment=0)
        for i in range(40)
    ]
    target = Token(id=40, position=40, text=" end", role="generated", span=None, word=40, sentence=1, segment=0)
    a = sw.Attribution.from_scores(np.ones((40, 1)), many, [target], method="mine").aggregate("sentence")
    (name,) = Page(a.to_html()).data["names"]
    assert label(replace(many[0], text="w" * 100)) == "w" * 100  # a token is called by all of it
    assert name == "word0 word1 word2 word3 word4 … 7 word38 word39"


def test_a_page_is_named_after_model_and_method() -> None:
    """As the front end names its files; whatever a file system might not take is a dash."""
    assert file_name("org/Qwen2.5-0.5B_x", "inseq:lime") == "saliency-org-Qwen2.5-0.5B-x-inseq-lime.html"
    assert file_name("模型 ⁄ é", "a" * 200) == f"saliency-模型-é-{'a' * 86}.html"
