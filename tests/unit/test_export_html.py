from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from math import isnan
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saliency_widget.attribution.result import Attribution
from saliency_widget.export import html as export
from saliency_widget.export.color import contrast
from saliency_widget.export.figures import share
from saliency_widget.export.html import to_html
from saliency_widget.export.reading import label
from saliency_widget.types import Alternative, Token

from .export_cases import Fake, Page, classes, fake, paris, style_of, tokens, translation

SCRIPT = 'if (a < b) { say("</script><!-- not the end -->"); }'
WORDS = ["The", " first", " president", " was", " George", " Washington", ".", "\n", "\n", "The"]


@pytest.fixture(autouse=True, scope="module")
def front_end(tmp_path_factory):
    """Replace the built script, so that these tests need no build."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "static").mkdir()
    (folder / "static" / "static.js").write_text(SCRIPT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "files", lambda _package: folder)
        yield folder


def rgb(css: str) -> tuple[int, int, int]:
    return tuple(int(css[i : i + 2], 16) for i in (1, 3, 5))


# ── the text ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_text_is_the_document():
    """Without separators and signs, what stands in the map is the document, character for character."""
    page = Page(to_html(fake(WORDS, 5)))
    assert page.text == "".join(WORDS)
    assert [box["text"].strip() for box in page.boxes] == [word.strip() for word in WORDS]
    assert page.sign_text == "⏎⏎"


@given(st.lists(st.text(st.characters(), min_size=1, max_size=6), min_size=2, max_size=8), st.booleans())
def test_any_text_survives(texts, signed):
    """Whatever the tokens hold: the page is UTF-8 and well formed, has a box a token, and shows what can be seen."""
    html = to_html(fake(texts, 1, signed=signed))
    page = Page(html.encode("utf-8").decode("utf-8"))
    assert len(page.boxes) == len(texts)
    assert "".join(visible_characters(page.text)) == "".join(visible_characters("".join(texts)))
    isolates = "\u2068\u2069"  # around a name from right to left
    assert [name.strip(isolates) for name in page.names] == [label(token) for token in tokens(texts, 1)]


def visible_characters(text: str) -> str:
    """Letters, marks, numbers, punctuation, symbols, spaces and line breaks: what no sign may stand for."""
    return "".join(c for c in text if c == "\n" or (c.isprintable() and c != "\xa0" and not is_tag(c)))


def is_tag(char: str) -> bool:
    return 0xFE00 <= ord(char) < 0xFE10 or 0xE0000 <= ord(char) < 0xE0080


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>", "<!--", "-->", "</style>", "</script >", "</details></div>", "<img src=x>",
        "&lt;b&gt;", '"><b>', "'><b>", "]]>", "<![CDATA[", "\u2028\u2029", "<\\/script>", "${x}`",
    ],
)  # fmt: skip
def test_hostile_text_is_text(hostile):
    """Text of a token, of an alternative, of the model's name or of the unit never becomes markup."""
    plain = Page(to_html(with_text("x")))
    page = Page(to_html(with_text(hostile)))
    assert page.tags == plain.tags or page.sign_text  # a sign has a span of its own
    assert [t for t in page.tags if t != "span"] == [t for t in plain.tags if t != "span"]
    visible = visible_characters(hostile)
    assert visible_characters(page.text) == visible + " and " + visible
    assert [page.data["names"][0], page.data["captions"][1]["name"]] == [label(tokens([hostile], 1)[0])] * 2
    assert len(page.scripts) == 2


def with_text(text: str) -> Fake:
    alternatives = [[Alternative(id=0, text=text + "!", probability=0.25)]] * 2
    return fake([text, " and ", text], 1, model_name=text, label=text, unit=text, alternatives=alternatives)


@pytest.mark.parametrize(("char", "sign"), [("\0", "NUL"), ("\x1b", "ESC"), ("\ud83d", "U+D83D"), ("\u202e", "RLO")])
def test_what_nobody_would_see_is_a_sign(char, sign):
    """A control character, half a pair, an override of the reading direction: named, not obeyed."""
    html = to_html(fake(["a" + char, "b", char], 1))
    assert char not in html
    assert Page(html.encode().decode()).sign_text == sign * 2


def test_a_split_character_is_printed_once():
    """The pieces of a character share its span: the first prints it, the others say which piece they are."""
    shared = {"word": 0, "sentence": 0, "segment": 0}
    listed = [
        Token(id=0, position=0, text=" 機", role="prompt", span=(0, 2), part=(1, 3), **shared),
        Token(id=1, position=1, text="機", role="prompt", span=(1, 2), part=(2, 3), **shared),
        Token(id=2, position=2, text="機", role="prompt", span=(1, 2), part=(3, 3), **shared),
        Token(id=3, position=3, text="機", role="generated", span=(2, 3), **shared),
    ]
    scores = np.float32([[1], [2], [1]])
    page = Page(to_html(Fake(scores=scores, rows=listed[:3], cols=listed[3:], step_scores={})))
    assert page.text == " 機機"
    assert [box["shown"] for box in page.boxes] == ["機", "²⁄₃", "³⁄₃", "機"]
    assert page.boxes[1]["title"] == "機 (²⁄₃) · share .500 · rank 1 of 3"


def test_a_character_of_many_pieces_does_not_drown_the_line():
    """Up to three pieces say which one they are; beyond that a dot stands for each, and its title says it."""
    shared = {"span": (0, 1), "word": 0, "sentence": 0, "segment": 0}
    listed = [Token(id=k, position=k, text="👨", role="prompt", part=(k + 1, 5), **shared) for k in range(5)]
    target = Token(id=5, position=5, text="!", role="generated", span=(1, 2), word=1, sentence=0, segment=0)
    page = Page(to_html(Fake(scores=np.ones((5, 1), np.float32), rows=listed, cols=[target], step_scores={})))
    assert [box["shown"] for box in page.boxes] == ["👨", "·", "·", "·", "·", "!"]
    assert page.boxes[4]["title"] == "👨 (⁵⁄₅) · share .200 · rank 1 of 5"


# ── two texts, and classes ────────────────────────────────────────────────────────────────────────────────────────


def prose(html: str) -> list[tuple[str | None, str]]:
    """Direction and text of each text of the page."""
    found = re.findall(r'<div class="sw-(?:side|prose)" dir="(\w+)"', html)
    texts = re.findall(r'<div class="sw-prose"[^>]*>(.*?)</div>', html, flags=re.DOTALL)
    return list(zip(found, (Page(text and f'<div class="sw-prose">{text}</div>').text for text in texts), strict=True))


def test_a_translation_is_two_texts_under_their_names():
    """Source and translation have names and their own directions, and no stroke after a start token alone."""
    html = to_html(translation())
    assert prose(html) == [("auto", "我喜歡機器</s>"), ("auto", "<pad> I like it.")]
    page = Page(html)
    assert page.everything.index("source") < page.everything.index("我")
    assert page.everything.index("</s>") < page.everything.index("translation") < page.everything.index("<pad>")
    assert "┊" not in page.everything
    assert [box["text"].strip() for box in page.boxes] == [
        "我",
        "喜歡",
        "機器",
        "</s>",
        "<pad>",
        "I",
        "like",
        "it",
        ".",
    ]
    assert page.data["cols"] == [None] * 5 + [0, 1, 2, 3]


def test_a_translation_that_was_begun_says_where_the_writing_begins():
    assert Page(to_html(translation(begun=2))).everything.count("┊") == 1


def test_one_text_has_no_name_and_its_stroke():
    html = to_html(fake(WORDS, 5))
    assert prose(html) == [("auto", "".join(WORDS))]
    assert "sw-side" not in html
    assert Page(html).everything.count("┊") == 1


def test_special_tokens_do_not_turn_the_text():
    """A language code stands before an Arabic source: its letters must not make the line run from left to right."""
    a = translation(source=("arb_Arab", "أحب", " التعلم", "</s>"), start=("</s>", "eng_Latn"))
    boxes = Page(to_html(a)).boxes
    assert [box.get("dir") for box in boxes[:6]] == ["ltr", None, None, "ltr", "ltr", "ltr"]


def test_a_right_to_left_name_does_not_turn_the_numbers_beside_it():
    """In lines of names and numbers such a name is isolated (U+2068 … U+2069); other names are as they were."""
    rows = translation(source=("أحب", " you", "</s>")).rows[:3]
    target = Token(id=3, position=3, text=" שלום", role="generated", span=(0, 5), word=3, sentence=0, segment=0)
    alternatives = [[Alternative(id=9, text=" سلام", probability=0.1)]]
    scores = np.float32([[3], [2], [1]])
    a = Fake(scores=scores, rows=rows, cols=[target], alternatives=alternatives, step_scores={"probability": [0.5]})
    page = Page(to_html(a))
    assert "\u2068שלום\u2069 p = .500 instead of \u2068سلام\u2069 .100" in page.everything
    assert "\u2068أحب\u2069\xa0.500 · you\xa0.333 · </s>\xa0.167" in page.everything
    assert page.names == ["\u2068أحب\u2069", "you", "</s>", "\u2068שלום\u2069"]
    assert page.text == "أحب you</s> שלום"
    titles = [box["title"] for box in page.boxes]
    assert titles[0] == "\u2068أحب\u2069 · share .500 · rank 1 of 3"
    assert titles[3] == "\u2068שלום\u2069 · the target"


def test_a_split_character_at_the_start_of_the_translation_is_printed():
    """A split character at the start of the translation is printed, though its span starts at 0 again."""
    a = translation(written=("機", "機", "器"))
    halves = [(4 + k, Token(**{**_fields(a.cols[k - 1]), "span": (0, 1), "part": (k, 2)})) for k in (1, 2)]
    tokens = {token.position: token for token in (*a.rows, *a.cols)} | dict(halves)
    listed = [tokens[at] for at in sorted(tokens)]
    page = Page(to_html(Fake(scores=a.scores, rows=listed[:-1], cols=listed[5:], segments=a.segments, step_scores={})))
    assert [box["shown"] for box in page.boxes[5:]] == ["機", "²⁄₂", "器"]


def _fields(token: Token) -> dict[str, object]:
    return {name: getattr(token, name) for name in Token.__slots__}


def test_classes_stand_below_the_text_with_their_probabilities():
    page = Page(to_html(classes({"NEGATIVE": 0.0123, "POSITIVE": 0.9877})))
    assert page.text == "[CLS]a gem[SEP]"
    assert "classesNEGATIVE .012 POSITIVE .988" in page.everything
    assert "┊" not in page.everything
    assert "All classes in numbers" in page.everything
    assert len(page.boxes) == 6  # the script counts them as it counts tokens
    assert page.data["cols"] == [None] * 4 + [0, 1]
    assert page.names[4:] == ["NEGATIVE", "POSITIVE"]


def test_a_class_of_which_no_probability_is_known_has_none():
    assert "classesa b .900" in Page(to_html(classes({"a": float("nan"), "b": 0.9}))).everything


def test_the_most_probable_class_is_shown_first():
    a = classes({"NEGATIVE": 0.0123, "POSITIVE": 0.9877})
    page = Page(to_html(a))
    assert page.data["shown"] == 1
    assert ["outline" in style_of(box) for box in page.boxes] == [False] * 5 + [True]
    assert "POSITIVE p = .988" in page.everything
    assert Page(to_html(a, col=0)).data["shown"] == 0
    nobody_knows = Fake(scores=a.scores, rows=a.rows, cols=a.cols, step_scores={})
    assert Page(to_html(nobody_knows)).data["shown"] == 0


def test_of_many_classes_the_most_probable_stand_first():
    """Many classes are sorted by CSS `order`, because the script needs the boxes' order; few keep their own."""
    names = dict(zip("abcdefghij", [0.1, 0.02, 0.3, 0.01, 0.5, 0.03, 0.004, 0.006, 0.02, 0.0002], strict=True))
    boxes = Page(to_html(classes(names))).boxes[4:]
    order = [int(style_of(box)["order"]) for box in boxes]
    assert "".join(name for _, name in sorted(zip(order, names, strict=True))) == "ecafbidhgj"
    assert not any("order" in style_of(box) for box in Page(to_html(classes({"a": 0.1, "b": 0.9}))).boxes)


# ── the numbers ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_titles_hold_share_and_rank():
    """A title is the score over the sum of the visible scores' sizes, and its place among them."""
    titles = [box["title"] for box in Page(to_html(paris())).boxes]
    assert titles == [
        "The · share .100 · rank 3 of 3",
        "capital · share .600 · rank 1 of 3",
        "is · share .300 · rank 2 of 3",
        "Paris · the target",
        "",
    ]
    titles = [box["title"] for box in Page(to_html(paris(), col=1)).boxes]
    assert titles[0] == "The · share .050 · rank 3 of 4"  # as much as "is": they share a rank
    assert titles[3] == "Paris · share .800 · rank 1 of 4"
    assert titles[4] == ". · the target"


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("col", [0, 3, -1])
def test_titles_agree_with_the_scores(signed, col):
    """Titles hold the shares, recomputed one by one in float64."""
    a = fake(WORDS, 5, signed=signed, seed=7)
    column = [float(s) for s in a.scores[:, col]]
    seen = [s for s in column if not isnan(s)]
    for score, box in zip(column, Page(to_html(a, col=col)).boxes, strict=False):
        found = re.search(r"share (\S+) · rank (\d+) of (\d+)", box["title"])
        if isnan(score):
            assert found is None
            continue
        said = float(found[1].replace("−", "-"))
        assert said == pytest.approx(score / sum(map(abs, seen)), rel=0.05, abs=5.1e-4)  # 3 decimals, or 2 digits
        assert int(found[2]) == 1 + sum(abs(s) > abs(score) for s in seen)
        assert int(found[3]) == len(seen)


def test_the_lines_below_say_target_probability_and_inputs():
    alternatives = [
        [Alternative(id=9, text=" Paris", probability=0.75), Alternative(id=8, text=" Rome", probability=0.1)]
    ] * 2
    text = Page(to_html(paris(alternatives=alternatives))).everything
    assert "tiny · Gradient · probability · share of the gradient norm" in text
    assert "Paris p = .750 instead of Rome .100" in text
    assert "capital\xa0.600 · is\xa0.300 · The\xa0.100" in text
    assert "\n0 " + "\xa0" * 9 + " .600\n" in text  # the legend: nothing … most


def test_the_table_has_every_target():
    """The table has every target with its probability and its five strongest inputs."""
    text = Page(to_html(paris(signed=True, scores=np.float32([[1, 0.5], [-6, 1], [3, -0.5], [np.nan, 8]])))).everything
    assert "Paris.750capital\xa0−.600 · is\xa0.300 · The\xa0.100" in text
    assert "..500Paris\xa0.800 · capital\xa0.100 · The\xa0.050 · is\xa0−.050" in text


def test_a_column_of_zeros_has_no_colour_and_says_so():
    a = paris(scores=np.float32([[0, 1], [0, 1], [0, 1], [np.nan, 1]]))
    page = Page(to_html(a))
    assert not any("background" in style_of(box) for box in page.boxes)
    assert "No input has a share of this." in page.everything
    assert page.boxes[0]["title"] == "The · share .000 · rank 1 of 3"
    assert np.array_equal(page.scores[:, 0], [0, 0, 0, np.nan], equal_nan=True)


def test_which_target_is_shown():
    page = Page(to_html(fake(WORDS, 5), col=-1))
    assert [box["text"] for box in page.boxes if "outline" in style_of(box)] == ["The"]
    assert page.boxes[-1]["title"] == "The · the target"
    assert page.data["shown"] == 4
    with pytest.raises(IndexError, match=r"no target 5: there are 5, 0 … 4"):
        to_html(fake(WORDS, 5), col=5)


def test_no_target_is_said():
    a = Fake(scores=np.zeros((1, 0), np.float32), rows=fake(["a", "b"], 1).rows, cols=[], step_scores={})
    assert "no target" in Page(to_html(a)).everything


# ── the colours ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_more_weight_is_more_colour():
    """Unsigned: the larger the share, the darker the box; what the target cannot see has none."""
    a = fake(WORDS, 5, seed=3)
    page = Page(to_html(a, col=4))
    boxes = page.boxes[:9]
    light = [sum(rgb(style_of(box).get("background", "#ffffff"))) for box in boxes]
    order = np.argsort(a.scores[:, 4], kind="stable")
    assert all(light[i] >= light[j] for i, j in pairwise(order))
    assert light[order[-1]] < light[order[0]]
    assert "background" not in style_of(Page(to_html(a, col=0)).boxes[7])


def test_the_sign_is_a_hue():
    """Signed: blue speaks for the word, orange against it."""
    a = paris(signed=True, scores=np.float32([[6, 1], [-6, 1], [0, 1], [np.nan, 1]]))
    boxes = [style_of(box) for box in Page(to_html(a)).boxes]
    red, _, blue = rgb(boxes[0]["background"])
    assert blue > red
    red, _, blue = rgb(boxes[1]["background"])
    assert red > blue
    assert "background" not in boxes[2]


@pytest.mark.parametrize("signed", [False, True])
def test_every_token_can_be_read(signed):
    """Ink on box has a contrast of 4.5 or more (WCAG AA), for ordinary and for special tokens."""
    texts = [f" w{i}" for i in range(200)]
    for box in Page(to_html(fake(texts, 100, signed=signed, special=range(0, 100, 2)), col=30)).boxes:
        style = style_of(box)
        assert contrast(rgb(style.get("background", "#ffffff")), rgb(style.get("color", "#1b1d22"))) >= 4.5


# ── what the script reads ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("signed", [False, True])
def test_the_data_gives_the_scores_back(signed):
    """Bit for bit, NaN where NaN was; which box is which row and which target; and how to print and colour them."""
    a = fake(WORDS, 5, signed=signed, seed=11)
    page = Page(to_html(a))
    assert np.array_equal(page.scores, a.scores, equal_nan=True)
    d = page.data
    assert d["rows"] == [*range(9), None]
    assert d["cols"] == [None] * 5 + [*range(5)]
    assert [caption["detail"] for caption in d["captions"]] == [
        f" p = {share(p)}" for p in a.step_scores["probability"]
    ]
    assert (d["signed"], d["label"]) == (signed, "share")


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.342, ".342"), (1, "1.000"), (0.0, ".000"), (-0.0, ".000"), (-0.0514, "−.051"), (0.9996, "1.000"),
     (0.0021, ".0021"), (-0.00201, "−.0020"), (0.00996, ".010"), (1.2e-5, ".000012"), (4.2e-7, "4.2e−7"),
     (0.0625, ".063"), (-0.3125, "−.313"), (2**-9, ".0020"), (9.96e-8, "1.0e−7"), (float("nan"), "–"),
     (float("inf"), "–")],
)  # fmt: skip
def test_a_share_is_written_as_the_living_widget_writes_it(value, said):
    """Shares have the digits of the live widget: js/tests/pieces.test.ts has the same cases."""
    assert share(value) == said


def test_the_script_is_told_the_names_and_what_else_might_have_been_written():
    """Four alternatives a target, not its own."""
    probable = [0.5, 0.2, 0.1, 0.05, 0.04, 0.03]
    known = [Alternative(id=k, text=t, probability=p) for k, (t, p) in enumerate(zip("xyzuvw", probable, strict=True))]
    page = Page(to_html(fake(["a", " b", "\n", " y", "\0"], 3, alternatives=[known, known[:2]])))
    assert page.names == ["a", "b", "⏎", "y", "NUL"]
    others = [caption["alternatives"] for caption in page.data["captions"]]
    assert others == [" instead of x .500 · y .200 · z .100 · u .050", " instead of x .500 · y .200"]
    assert Page(to_html(fake(WORDS, 5, alternatives=[]))).data["captions"][0]["alternatives"] == ""


def test_a_probability_nobody_knows_is_not_told():
    assert [caption["detail"] for caption in Page(to_html(fake(WORDS, 5, step_scores={}))).data["captions"]] == [""] * 5


def test_the_script_goes_along_and_cannot_end_its_element():
    page = Page(to_html(fake(WORDS, 5)))
    assert page.scripts[1] == ({}, SCRIPT.replace("</script", r"\x3c/script").replace("<!--", r"\x3c!--"))


def test_without_a_built_front_end_the_cure_is_named(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(export, "files", lambda _package: tmp_path)
    with pytest.raises(FileNotFoundError, match="make install"):
        to_html(fake(WORDS, 5))


# ── size ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_long_text_stays_small():
    """5,000 tokens, 32 targets: under 1.5 MB, every number there for the script; the page says what is not in it."""
    html = to_html(fake(["word"] + [" word"] * 4999, 4968))
    assert len(html.encode()) < 1_400_000  # leaves 100 kB for the script
    page = Page(html)
    assert page.scores.shape == (4999, 32)
    assert sum("share" in box["title"] for box in page.boxes) == 2000
    assert "the 2,000 strongest of 4,999 tokens" in page.everything


def test_a_large_matrix_stays_at_home():
    html = to_html(fake(["word"] + [" word"] * 1199, 600))
    assert len(html.encode()) < 500_000
    page = Page(html)
    assert page.scripts == []
    assert "colours for this one target" in page.everything
    assert "the first 100 of 600 targets" in page.everything


def test_targets_with_gaps_are_known_by_their_boxes():
    """A map that was begun only: what is not computed is no target, wherever it stands."""
    a = fake(WORDS, 5)
    gappy = Fake(scores=a.scores[:, ::2], rows=a.rows, cols=a.cols[::2], step_scores={})
    page = Page(to_html(gappy, col=1))
    assert page.data["cols"] == [None] * 5 + [0, None, 1, None, 2]
    assert page.data["ended"] == [0] * 5 + [0, 1, 1, 2, 2]
    assert page.text == "".join(WORDS)


# ── the real thing ────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_attribution_shows_itself():
    """The real class has all that is read of it here, also when its scores come from anywhere."""
    a = fake(WORDS, 5)
    real = Attribution(
        scores=a.scores, rows=tuple(a.rows), cols=tuple(a.cols), step_scores=a.step_scores, method="saliency",
        objective="probability", signed=False, unit="gradient norm", model_name="tiny",
    )  # fmt: skip
    assert real.to_html(col=2) == to_html(a, col=2)
    assert real._repr_html_() == to_html(a)
    page = Page(Attribution.from_scores([[1, 2], [3, 4]], ["a", " b"], [" c", " d"], method="mine").to_html())
    assert page.text == "a b c d"
    assert page.data["cols"] == [None, None, 0, 1]


def test_the_head_names_the_layer_and_the_head_where_one_is_chosen() -> None:
    """The head of the page names the chosen layer and head."""
    settings = {"layer": 0, "head": 5, "reduction": "mean"}
    one = fake(WORDS, 5, label="Attention", unit="attention", objective=None, settings=settings)
    assert "tiny · Attention · layer 0 · head 5 · share of the attention" in Page(to_html(one)).everything
    every = fake(WORDS, 5, label="Attention", unit="attention", objective=None, settings={"layer": None, "head": None})
    assert "tiny · Attention · share of the attention" in Page(to_html(every)).everything


def test_a_difference_of_shares_is_told_as_it_is() -> None:
    """A difference of shares is not divided by a sum, in titles, in the legend and in the script's data."""
    page = Page(
        to_html(
            paris(
                signed=True,
                unit="difference of shares",
                scores=np.float32([[0.25, 0], [-0.5, 0], [0.125, 0], [np.nan, 0]]),
            )
        )
    )
    assert page.boxes[1]["title"] == "capital · difference −.500 · rank 1 of 3"
    assert "tiny · Gradient · probability · difference of shares" in page.everything
    assert "−.500 " in page.everything
    assert page.data["label"] == "difference"


# ── units ─────────────────────────────────────────────────────────────────────────────────────────────────────────


UNITS = [("<|user|>", 0, 0), (" Wa", 1, 0), ("sh", 1, 0), ("ington", 1, 0), (" was", 2, 0), (".", 2, 0), (" Who", 3, 1),
         ("?", 4, 1), (" George", 5, 2), (" Wash", 6, 2), ("ington", 6, 2)]  # fmt: skip


def in_units(cols: slice = slice(None)) -> Attribution:
    """A text whose tokens are parts of words and of sentences, which are segments too; of its targets only `cols`."""
    plain = tokens([text for text, _, _ in UNITS], 7, special=(0,))
    listed = [
        replace(token, word=word, sentence=sentence, segment=sentence)
        for token, (_, word, sentence) in zip(plain, UNITS, strict=True)
    ]
    scores = np.random.default_rng(4).normal(size=(10, 4)).astype(np.float32)
    scores[np.arange(10)[:, None] >= 7 + np.arange(4)] = np.nan
    return Attribution.from_scores(scores[:, cols], listed[:10], listed[7:][cols], method="mine")


@pytest.mark.parametrize("unit", ["word", "sentence", "segment"])
def test_an_aggregated_map_can_be_hovered_and_prints_its_text_once(unit: str) -> None:
    """`aggregate` knows no token but those of rows and columns; every target has a box, the last word its end."""
    words = in_units().aggregate(unit)
    page = Page(words.to_html())
    assert page.text == "".join(text for text, _, _ in UNITS)
    assert [col for col in page.data["cols"] if col is not None] == [*range(len(words.cols))]
    assert {row for row in page.data["rows"] if row is not None} == {*range(len(words.rows))}
    assert f"share of the score, summed over {unit}s" in page.everything


def test_of_several_tokens_as_one_target_nothing_is_said_of_how_they_were_joined() -> None:
    """The page does not name a way of joining for one target of several tokens, because none was chosen."""
    words = Page(in_units().aggregate("word").to_html())
    assert not any("tokens" in caption["detail"] for caption in words.data["captions"])


def test_what_comes_after_the_target_has_no_colour_though_its_sentence_began_before() -> None:
    before, target, after = Page(in_units().aggregate("sentence").to_html(col=2)).boxes[-3:]
    assert [before["text"].strip(), target["text"].strip(), after["text"]] == ["George", "Wash", "ington"]
    assert "share" in before["title"]
    assert "outline" in style_of(target)
    assert (after["title"], "background" in style_of(after)) == ("", False)


def test_several_tokens_explained_as_one_stand_in_their_text_once() -> None:
    """`attribute(span=…)`: rows within the span are part of its target."""
    a = in_units()
    span = Token(**{**_fields(a.cols[1]), "text": " George Wash", "length": 2})
    page = Page(Attribution.from_scores(a.scores[:9, :1], a.rows[:9], [span], method="mine").to_html())
    assert page.text == "".join(text for text, _, _ in UNITS[:10])


def test_a_row_that_is_partly_a_target_is_printed_whole() -> None:
    """A sentence with only one computed word is printed whole, because the rest of its words is unknown."""
    page = Page(in_units(slice(2, 3)).aggregate("sentence").to_html())
    assert [box["text"] for box in page.boxes if "outline" in style_of(box)] == ["George Wash"]
    assert page.text == "".join(text for text, _, _ in UNITS[:10])


def test_a_unit_that_is_long_is_called_by_its_ends() -> None:
    many = tokens([f" word{i}" for i in range(41)], 40)
    a = Attribution.from_scores(np.ones((40, 1)), many[:40], many[40:], method="mine").aggregate("segment")
    (name,) = Page(a.to_html()).data["names"]
    assert name == "word0 word1 word2 word3 word4 … word38 word39"
    assert label(tokens(["w" * 100, "!"], 1)[0]) == "w" * 100  # a token is called by all of it
