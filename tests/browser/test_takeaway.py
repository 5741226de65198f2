"""Export of the view as a page, a picture and a table, with the map's content, without kernel and network."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import expect

from .conftest import SHOTS
from .test_quickstart import python, run, share_in, tip, token
from .test_reading import CHAT, away, begin, colour, view_option

pytestmark = [pytest.mark.browser, pytest.mark.demo]

TEXT = "The first president of the United States was"
SHOW = f'import saliency_widget as sw, json\nw = sw.show("./by_heart", {TEXT!r}, max_new_tokens=8)'
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def drawer(desk: Any) -> tuple[Any, Any]:
    """Return a map with the open export drawer."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    desk.begin(SHOW)
    view = run(desk)
    view.get_by_role("button", name="Export").click()
    view.locator(".sw-ways").wait_for()
    return desk, view


def take(nb: Any, view: Any, label: str) -> Path:
    """Click an export, and return its file."""
    with nb.page.expect_download() as coming:
        view.locator(".sw-ways").get_by_role("button", name=label, exact=True).click()
    name = coming.value.suggested_filename
    path = Path(coming.value.path())
    assert re.match(r"saliency-(by-heart|SmolLM2-135M-Instruct)-(saliency|attention)\.", name), name
    view.get_by_text(f"{name} is saved.").wait_for()
    return path


@contextmanager
def opened(file: Path, chromium: Any) -> Iterator[Any]:
    """Open the page in a browser without a network; it makes no request and logs no error."""
    page_file = file.with_suffix(".html")
    page_file.write_bytes(file.read_bytes())
    context = chromium.new_context(offline=True, viewport={"width": 900, "height": 700})
    page = context.new_page()
    problems: list[str] = []
    asked: list[str] = []
    page.on("console", lambda m: problems.append(m.text))
    page.on("pageerror", lambda e: problems.append(str(e)))
    page.on("request", lambda r: asked.append(r.url))
    page.goto(page_file.as_uri())
    yield page
    assert problems == []
    assert asked == [page_file.as_uri()]
    context.close()


def fed_in(box: Any) -> float:
    return float(re.search(r"fed (\.\d+)", box.get_attribute("title"))[1])


def scores_in(page: Any) -> np.ndarray:
    """Return the scores in a page, [n_rows, n_cols]."""
    about = json.loads(page.locator("script.sw-data").text_content())
    packed = np.frombuffer(base64.b64decode(about["scores"]), "<f4")
    return packed.reshape(len(about["captions"]), len(about["names"])).T


def table(nb: Any) -> pd.DataFrame:
    return pd.read_csv(StringIO(nb.code("print(w.attribution.to_dataframe().to_csv(index=False))")), na_filter=False)


def test_a_csv_is_the_data_frame(drawer: Any) -> None:
    """Line by line the CSV holds the tokens, positions, scores and shares of `to_dataframe()`."""
    nb, view = drawer
    mine = pd.read_csv(take(nb, view, "CSV"), na_filter=False)
    theirs = table(nb)
    assert list(mine.columns) == list(theirs.columns)
    words = [c for c in mine.columns if c not in ("score", "share")]
    pd.testing.assert_frame_equal(mine[words], theirs[words])
    for name in ("score", "share"):
        np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-6)


def test_json_holds_the_map(drawer: Any) -> None:
    """The JSON parses, and holds tokens, probabilities, scores and shares as Python has them."""
    nb, view = drawer
    found = json.loads(take(nb, view, "JSON").read_text())
    assert [row["text"] for row in found["rows"]] == python(nb, "[t.text for t in w.attribution.rows]")
    assert [col["text"] for col in found["cols"]] == python(nb, "[t.text for t in w.attribution.cols]")
    assert found["method"] == "saliency"
    for name, expression in (("scores", "scores"), ("shares", "normalized()")):
        ours = np.array([[np.nan if x is None else x for x in col] for col in found[name]], dtype=np.float32).T
        theirs = np.array(json.loads(nb.code(f"print(json.dumps(w.attribution.{expression}.tolist()))")), np.float32)
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    probability = python(nb, "float(w.attribution.step_scores['probability'][0])")
    assert found["cols"][0]["probability"] == pytest.approx(probability, rel=1e-5)


def test_a_page_of_its_own_can_be_hovered_without_a_network(drawer: Any, chromium: Any) -> None:
    """The HTML opens with no network, asks for nothing, and shows the column of the target under the mouse."""
    nb, view = drawer
    shares = python(nb, "w.attribution.normalized().tolist()")
    frame = table(nb)
    with opened(take(nb, view, "HTML"), chromium) as page:
        tokens, scores = page.locator(".sw-token"), scores_in(page)
        assert tokens.count() == 16
        np.testing.assert_allclose(scores[frame["row"], frame["col"]], frame["score"], rtol=1e-6)
        assert np.isnan(scores).sum() == scores.size - len(frame)
        assert share_in(tokens.nth(2).get_attribute("title")) == pytest.approx(shares[2][0], abs=5.1e-4)
        before = colour(tokens.nth(0))
        tokens.nth(11).hover()
        expect(tokens.nth(0)).not_to_have_css("background-color", before)
        assert share_in(tokens.nth(2).get_attribute("title")) == pytest.approx(shares[2][3], abs=5.1e-4)
        page.screenshot(path=SHOTS / "taken-html.png")
        page.emulate_media(color_scheme="dark")
        page.screenshot(path=SHOTS / "taken-html-dark.png")


def test_a_page_read_by_words_holds_the_map_that_python_makes_of_them(drawer: Any, chromium: Any) -> None:
    """`aggregate("word")` pools rows and columns as the widget does, number for number."""
    nb, view = drawer
    view.get_by_role("combobox", name="Read by").select_option("word")
    for pool in ("sum", "mean", "max"):
        view.get_by_role("button", name="Colours and numbers").click()
        view.get_by_role("group", name="Tokens of a word").get_by_role("radio", name=pool).check()
        nb.page.keyboard.press("Escape")
        words = f'w.attribution.aggregate("word", "{pool}")'
        with opened(take(nb, view, "HTML"), chromium) as page:
            about = json.loads(page.locator("script.sw-data").text_content())
            assert about["names"] == python(nb, f"[t.text.strip() for t in {words}.rows]")
            assert [caption["name"] for caption in about["captions"]] == python(
                nb, f"[t.text.strip() for t in {words}.cols]"
            )
            theirs = np.float32(python(nb, f"{words}.scores.tolist()"))
            np.testing.assert_allclose(scores_in(page), theirs, rtol=1e-6)


def test_a_page_of_its_own_shows_what_its_reader_saw(desk: Any, chromium: Any) -> None:
    """Words, a turn left out, targets pinned as one and colours by rank: the page says so, and has the same numbers."""
    nb, view = begin(desk, CHAT)
    view.get_by_role("combobox", name="Read by").select_option("word")
    view.get_by_role("button", name=re.compile("Leave out.*system")).first.click()
    view_option(view, "by rank (quantile)")
    view.locator(".sw-column").nth(0).click()
    view.locator(".sw-column").nth(2).click(modifiers=["Shift"])
    away(nb)
    name = view.locator(".sw-about .sw-target-name").inner_text().strip()
    joint = re.search(r"shares: mean of \d+ tokens", view.locator(".sw-target-line").first.inner_text())[0]
    held = re.search(r"not counted: [\d.]+ %", view.locator(".sw-legend").inner_text())[0]
    said = {}
    for word in ("Name", "one", "good", "film"):
        box = view.locator(".sw-token:not(.sw-hidden)", has_text=word).first
        box.hover()
        said[word] = re.search(r"share \S+ · rank \d+ of \d+", tip(view).replace("\n", " "))[0]
    away(nb)
    seen = {word: colour(view.locator(".sw-token:not(.sw-hidden)", has_text=word).first) for word in said}
    nb.shot("view-to-take", view)
    view.get_by_role("button", name="Export").click()
    with opened(take(nb, view, "HTML"), chromium) as page:
        head, caption = page.locator(".sw-head").inner_text(), page.locator(".sw-caption")
        for words in ("summed over words", "colours by rank", "inputs left out of the shares"):
            assert words in head
        assert caption.inner_text().startswith(name)
        assert joint in caption.inner_text()
        assert held in caption.inner_text()
        for word, numbers in said.items():
            box = page.locator(f".sw-token[title^='{word} · share']")
            assert box.get_attribute("title") == f"{word} · {numbers}"
            assert colour(box) == seen[word]
        assert "You are a film critic" in "".join(
            page.locator(".sw-token").evaluate_all(
                "all => all.filter(e => e.style.borderStyle === 'dotted').map(e => e.textContent).join(' ')"
            )
        )
        page.screenshot(path=SHOTS / "taken-view.png")
        # Another target is one of its own, and what is pinned comes back.
        page.locator(".sw-token").last.hover()
        expect(caption).not_to_have_text(re.compile(re.escape(joint)))
        page.mouse.move(5, 5)
        expect(caption).to_have_text(re.compile(re.escape(joint)))
        page.emulate_media(color_scheme="dark")
        expect(page.locator(".sw-static-map")).to_have_css("background-color", "rgb(22, 24, 29)")
        expect(page.locator(".sw-token[title^='good · share']")).not_to_have_css("background-color", seen["good"])
        page.screenshot(path=SHOTS / "taken-view-dark.png")


def test_a_page_of_its_own_is_turned_round_as_its_reader_was(drawer: Any, chromium: Any) -> None:
    """The targets of a chosen input have the widget's numbers and colours; every other input can be hovered."""
    nb, view = drawer
    shares = np.float64(python(nb, "w.attribution.normalized().tolist()"))
    token(view, 2).click()
    away(nb)
    seen = [colour(box) for box in view.locator(".sw-column").all()]
    said = view.get_by_role("group", name="Chosen inputs").locator(".sw-input").all_inner_texts()
    svg = take(nb, view, "SVG")
    drawn = " ".join(e.text or "" for e in ET.parse(svg).getroot().iter("{http://www.w3.org/2000/svg}text"))
    assert "“ ” feeds president" in drawn  # each element by itself
    assert all(part in drawn.split() for words in said for part in words.split()), drawn
    shutil.copy(svg, SHOTS / "taken-turned.svg")
    with opened(take(nb, view, "HTML"), chromium) as page:
        caption, tokens = page.locator(".sw-caption"), page.locator(".sw-token")
        assert [colour(box) for box in tokens.all()[8:]] == seen
        name, *fed = re.split(r" feeds\n| · ", caption.inner_text().replace("\xa0", " "))
        assert (name, fed) == ("president", said)
        for col in range(8):
            assert fed_in(tokens.nth(8 + col)) == pytest.approx(shares[2][col], abs=5.1e-4)
        page.screenshot(path=SHOTS / "taken-turned.png")
        tokens.nth(9).hover()  # was written, and is an input of what follows
        expect(caption).to_contain_text(" feeds")
        assert fed_in(tokens.nth(11)) == pytest.approx(shares[9][3], abs=5.1e-4)
        page.emulate_media(color_scheme="dark")
        page.mouse.move(5, 5)
        expect(caption).to_have_text(re.compile("^president"))
        page.screenshot(path=SHOTS / "taken-turned-dark.png")


def test_a_picture_is_whole_as_svg_and_as_png(drawer: Any, chromium: Any) -> None:
    """The SVG is well-formed, alone, and has every word of the text; the PNG is the same at twice the size."""
    nb, view = drawer
    probability = re.search(r"p = (\.\d+)", view.locator(".sw-probability").inner_text())[1]
    file = take(nb, view, "SVG")
    svg = file.with_suffix(".svg")
    svg.write_bytes(file.read_bytes())
    root = ET.parse(svg).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    said = " ".join(e.text or "" for e in root.iter("{http://www.w3.org/2000/svg}text"))
    for word in [
        *TEXT.split(),
        "John",
        "Kennedy",
        f"p = {probability}",
        "share of the gradient norm",
        "· Gradient · probability",
    ]:
        assert word in said, word
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    page = chromium.new_page(viewport={"width": round(width), "height": round(height)})
    page.goto(svg.as_uri())
    page.screenshot(path=SHOTS / "taken-svg.png")
    page.context.close()
    png = take(nb, view, "PNG").read_bytes()
    assert png.startswith(PNG)
    size = [int.from_bytes(png[k : k + 4], "big") for k in (16, 20)]
    assert size == pytest.approx([2 * width, 2 * height], abs=1)
    (SHOTS / "taken-png.png").write_bytes(png)


def test_a_picture_says_what_it_is_of_and_has_nothing_to_press(drawer: Any) -> None:
    """A picture names the model, method, layer and head, and has no buttons."""
    nb, view = drawer
    nb.code('w.ask("attention", layer=3, head=3); w.wait()')
    view.get_by_text("share of the attention · layer 3 · head 3").wait_for()
    view.locator(".sw-progress").wait_for(state="detached")
    before = view.locator(".sw-body").bounding_box()
    root = ET.parse(take(nb, view, "SVG")).getroot()
    said = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
    assert said[0] == "by_heart · Attention · layer 3 · head 3"
    assert not {"layers × heads", "i"} & set(said)
    assert view.locator(".sw-body").bounding_box() == before, "the page is as it was"
    (SHOTS / "taken-head.png").write_bytes(take(nb, view, "PNG").read_bytes())


def test_a_picture_is_what_is_seen(drawer: Any) -> None:
    """A picture has the dots between inputs, cut names, and dotted boxes of left-out spans."""
    nb, view = drawer
    token(view, 2).click()
    view.get_by_role("button", name="Leave out of the shares").click()
    view.get_by_role("button", name="Back", exact=True).click()
    away(nb)
    chip = view.locator(".sw-alternative").first
    name = "Constantinopolitanischer Dudelsackpfeifer"  # no token of the model is as long
    chip.locator("bdi").evaluate("(e, name) => { e.textContent = name }", name)
    probability = chip.locator(":scope > :not(bdi)").first.inner_text().strip()
    assert chip.evaluate("e => e.scrollWidth > e.clientWidth")
    root = ET.parse(take(nb, view, "SVG")).getroot()
    texts = list(root.iter("{http://www.w3.org/2000/svg}text"))
    assert [e.text for e in texts].count("·") == 2
    (cut,) = [e for e in texts if (e.text or "").startswith("Constant")]
    assert cut.text.endswith("…")
    assert name.startswith(cut.text[:-1])
    right = float(cut.attrib["x"]) + float(cut.attrib["textLength"]) / 2
    behind = [e for e in texts if e.attrib["y"] == cut.attrib["y"] and float(e.attrib["x"]) > float(cut.attrib["x"])]
    assert behind[0].text != probability, "what the page does not show is not drawn"
    assert float(behind[0].attrib["x"]) - float(behind[0].attrib["textLength"]) / 2 > right
    assert not [e.text for e in texts if e.attrib.get("text-decoration") == "line-through"]
    (dotted,) = [e for e in root.iter("{http://www.w3.org/2000/svg}rect") if "stroke-dasharray" in e.attrib]
    left_out, *_ = [e for e in texts if e.text == "president"]
    assert abs(float(dotted.attrib["x"]) + float(dotted.attrib["width"]) / 2 - float(left_out.attrib["x"])) < 2


def test_a_column_can_be_pasted_into_a_spreadsheet(drawer: Any) -> None:
    """ "Copy as table" puts into the clipboard the column on show: name, share, score, rank."""
    nb, view = drawer
    nb.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    token(view, 11).click()
    nb.page.mouse.move(5, 5)
    view.get_by_role("button", name="Copy as table").click()
    view.get_by_text("11 rows copied.").wait_for()
    lines = [line.split("\t") for line in nb.page.evaluate("navigator.clipboard.readText()").splitlines()]
    assert lines[0] == ["token", "share", "score", "rank"]
    assert [line[0] for line in lines[1:4]] == ["The", "first", "president"]
    for k, name in ((1, "normalized()"), (2, "scores")):
        theirs = python(nb, f"w.attribution.{name}[:11, 3].tolist()")
        assert [float(line[k]) for line in lines[1:]] == pytest.approx(theirs, rel=1e-5)
    ranks = [int(line[3]) for line in lines[1:]]
    assert sorted(ranks) == list(range(1, 12))
    # By keys: x closes the drawer and opens it, and the focus is not lost.
    token(view, 11).focus()
    nb.page.keyboard.press("x")
    assert view.locator(".sw-ways").count() == 0
    nb.page.keyboard.press("x")
    view.locator(".sw-ways").wait_for()
    for theme in ("Light", "Dark"):
        nb.theme(f"JupyterLab {theme}")
        nb.shot(f"take-away-{theme.lower()}", view)
    nb.theme("JupyterLab Light")
