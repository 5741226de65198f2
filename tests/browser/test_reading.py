"""Reading of a map: pinning several targets, choosing inputs, leaving out, searching; units, scales, numbers."""

from __future__ import annotations

import colorsys
import re
from typing import Any

import pytest

from .test_looks import TINY
from .test_quickstart import becomes, python, read_shares, run, tip, token

pytestmark = [pytest.mark.browser, pytest.mark.demo]

TEXT = "The first president of the United States was"
SHOW = f'import saliency_widget as sw, json, numpy as np\nw = sw.show("./by_heart", {TEXT!r}, max_new_tokens=8)'
CHAT = (
    "import saliency_widget as sw, json, numpy as np\n"
    'w = sw.show("demo", messages=[{"role": "system", "content": "You are a film critic."}, '
    '{"role": "user", "content": "Name one good film."}], max_new_tokens=6)'
)
LONG = "".join(f"{i}. The quick brown fox jumps over the lazy dog near the river bank.\\n" for i in range(310))

# Between boxes of one unit on one line, in px; and where the letters of each token begin.
GAPS = """() => [...document.querySelectorAll('.sw-live .sw-text .sw-merges-next')].flatMap(box => {
  const next = document.querySelector(`.sw-live .sw-text [data-position="${+box.dataset.position + 1}"]`);
  const [one, other] = [[...box.getClientRects()].at(-1), next.getClientRects()[0]];
  return one.top === other.top ? [other.left - one.right] : [];
})"""
PLACES = """() => [...document.querySelectorAll('.sw-live .sw-text .sw-token:not([data-mark])')].map(box => {
  const range = document.createRange();
  range.selectNodeContents(box.firstChild ?? box);
  return range.getBoundingClientRect().left;
})"""


@pytest.fixture
def shown(desk: Any) -> tuple[Any, Any]:
    return begin(desk, SHOW)


def begin(nb: Any, cell: str) -> tuple[Any, Any]:
    nb.page.emulate_media(reduced_motion="reduce")  # else a colour is read while it changes
    nb.begin(cell)
    return nb, run(nb)


def away(nb: Any) -> None:
    nb.page.mouse.move(5, 5)


def colour(box: Any) -> str:
    found: str = box.evaluate("e => getComputedStyle(e).backgroundColor")
    return found


def hue(box: Any) -> float:
    """Return the hue of the background in degrees."""
    red, green, blue = (float(x) / 255 for x in re.findall(r"[\d.]+", colour(box))[:3])
    return 360 * colorsys.rgb_to_hls(red, green, blue)[0]


def view_option(view: Any, name: str) -> None:
    view.get_by_role("button", name="Colours and numbers").click()
    view.get_by_role("dialog", name="Colours and numbers").get_by_role("radio", name=name, exact=True).check()
    view.page.keyboard.press("Escape")
    view.page.mouse.move(5, 5)


def test_several_targets_are_pinned_by_shift_and_by_drag(shown: Any) -> None:
    """A shift-click and a drag pin a span: outlined, joined in one column, and known to Python as extent and value."""
    nb, view = shown
    view.locator(".sw-column").nth(0).click()
    view.locator(".sw-column").nth(3).click(modifiers=["Shift"])
    away(nb)
    assert view.locator(".sw-about .sw-target-name").inner_text().strip() == "John F. Kennedy"
    assert "shares: mean of 4 tokens" in view.locator(".sw-target-line").first.inner_text()
    assert becomes(nb, "[w.selection, w.extent]", [0, 4])
    mean = python(nb, "(m := np.abs(w.attribution.scores[:8, :4]).mean(1)) is None or (m / m.sum()).tolist()")
    assert read_shares(view, 8) == pytest.approx(mean, abs=1.1e-3)
    product = python(nb, "float(np.prod(w.attribution.step_scores['probability'][:4]))")
    assert float(view.locator(".sw-about .sw-probability").inner_text().split("= ")[1]) == pytest.approx(
        product, rel=5e-3
    )
    away(nb)
    nb.shot("span-light", view)
    # Dragged from one target to another.
    one, other = view.locator(".sw-column").nth(5), view.locator(".sw-column").nth(7)
    one.hover()
    nb.page.mouse.down()
    other.hover()
    assert view.locator(".sw-about .sw-target-name").inner_text().strip() == "He was a", "already while it is dragged"
    nb.page.mouse.up()
    other.hover(position={"x": 3, "y": 3})
    assert view.locator(".sw-about .sw-target-name").inner_text().strip() == "He was a", "the mouse is still over it"
    away(nb)
    assert becomes(nb, "[w.selection, w.extent]", [5, 3])
    assert becomes(nb, "w.value.target", " He was a")
    assert python(nb, "[list(w.value.cols), len(w.value.inputs), w.value.scores.shape]") == [[5, 6, 7], 15, [15, 3]]
    assert python(nb, "bool(np.array_equal(w.value.scores, w.attribution.scores[:, 5:8], equal_nan=True))")
    # Python pins, and the page follows; a click on another lets the span go.
    nb.code("w.extent = 2; w.selection = 2")
    nb.page.wait_for_function(
        "() => document.querySelector('.sw-about .sw-target-name').textContent.trim() === '. Kennedy'"
    )
    view.locator(".sw-column").nth(0).click()
    away(nb)
    assert becomes(nb, "[w.selection, w.extent, w.value.target]", [0, 1, " John"])


def test_the_question_turned_round(shown: Any) -> None:
    """A click on an input colours and names the targets that it influences; a drag chooses several; Escape ends it."""
    nb, view = shown
    before = colour(token(view, 0))
    token(view, 2).click()
    bar = view.get_by_role("group", name="Chosen inputs")
    assert "“president” feeds" in bar.inner_text()
    column = python(nb, "w.attribution.normalized()[2].tolist()")
    best = max(range(8), key=lambda col: column[col])
    name = python(nb, f"w.attribution.cols[{best}].text.strip()")
    assert re.search(rf"feeds\s+{re.escape(name)} \.{round(1000 * column[best]):03}", bar.inner_text()), (
        bar.inner_text()
    )
    away(nb)
    colours = [colour(token(view, i)) for i in range(8, 16)]
    assert len(set(colours)) > 3, "what was written is coloured"
    transparent = colour(token(view, 7))
    assert colour(token(view, 4)) == transparent, "and what was read is not"
    nb.shot("turned-light", view)
    nb.page.keyboard.press("Escape")
    bar.wait_for(state="hidden")
    away(nb)
    assert colour(token(view, 0)) == before
    # A drag over inputs takes them all.
    token(view, 5).hover()
    nb.page.mouse.down()
    token(view, 6).hover()
    nb.page.mouse.up()
    assert "“United States” feeds" in bar.inner_text()
    nb.page.keyboard.press("Escape")  # the keys go on where the drag ended
    bar.wait_for(state="hidden")


def test_what_is_left_out_of_the_shares(shown: Any) -> None:
    """The other shares sum to 1, the left-out share is shown, its box is dotted and empty; p is the same."""
    nb, view = shown
    whole = python(nb, "w.attribution.normalized()[:8, 0].tolist()")
    token(view, 2).click()
    p = view.locator(".sw-about .sw-probability").inner_text()
    view.get_by_role("button", name="Leave out of the shares").click()
    view.get_by_role("button", name="Back", exact=True).click()
    away(nb)
    rest = 1 - whole[2]
    token(view, 2).hover()
    assert "left out of the shares, not counted" in tip(view)
    token(view, 0).hover()
    assert f"share .{round(1000 * whole[0] / rest):03}" in tip(view).replace("\n", " ")
    away(nb)
    said = view.get_by_role("group", name="Chosen inputs").inner_text()
    assert f"not counted: 1 token, {100 * whole[2]:.0f}" in said
    style = token(view, 2).evaluate(
        "e => (s => [s.borderStyle, s.textDecorationLine, s.backgroundColor])(getComputedStyle(e))"
    )
    assert style == ["dotted", "none", "rgba(0, 0, 0, 0)"]
    assert view.locator(".sw-about .sw-probability").inner_text() == p
    nb.shot("left-out-light", view)
    view.get_by_role("button", name="Count all again").click()
    assert read_shares(view, 8) == pytest.approx(whole, abs=5.1e-4)


def test_a_system_message_of_the_template_is_a_turn_with_a_name(desk: Any) -> None:
    """A system message that the template adds is labelled, and its chip is no darker than its strongest token."""
    cell = CHAT.replace('{"role": "system", "content": "You are a film critic."}, ', "")
    nb, view = begin(desk, cell)
    away(nb)
    assert [label.lower().split()[0] for label in view.locator(".sw-turn").all_inner_texts()] == [
        "system", "user", "assistant",
    ]  # fmt: skip
    chip = view.locator(".sw-chip").first
    held = python(nb, "float(w.attribution.normalized()[:21, 0].sum())")
    assert chip.inner_text() == f"template · 21 tokens · {100 * held:.0f} %"
    painted = colour(chip)
    strongest = python(nb, "int(w.attribution.scores[:21, 0].argmax())")
    chip.click()
    away(nb)
    assert colour(token(view, strongest)) == painted


def test_a_turn_of_a_chat_can_be_left_out(desk: Any) -> None:
    """A button leaves the system turn out: the other numbers are those of Python without its rows; a chip opens."""
    nb, view = begin(desk, CHAT)
    eye = view.get_by_role("button", name=re.compile("[Ss]ystem")).first
    eye.click()
    away(nb)
    nb.code(
        "a = w.attribution\nk = [s for s in a.segments if s.kind == 'system'][0]\n"
        "c = np.abs(a.scores[:, 0]).astype(float)\nc[k.start:k.end] = np.nan\nc /= np.nansum(c)\n"
        "u = [t.position for t in a.rows if t.text.strip() == 'film'][-1]"
    )
    at = python(nb, "u")
    token(view, at).hover()
    assert re.search(r"share (\S+)", tip(view).replace("\n", " "))[1] == f".{round(1000 * python(nb, 'c[u]')):03}"
    away(nb)
    assert view.get_by_text(re.compile(r"not counted: \d+ tokens, \d+")).count() == 1
    nb.shot("chat-left-out-light", view)
    view.get_by_role("button", name="Count all again").click()
    before = view.locator(".sw-token").count()
    view.locator(".sw-chip").first.click()
    assert view.locator(".sw-token").count() > before
    view.get_by_role("button", name="fold template").click()
    assert view.locator(".sw-token").count() == before


def test_a_passage_of_a_long_text_is_found(desk: Any) -> None:
    """Among 5,000 tokens, / and a few letters find a passage, Enter the next one, and Escape focuses its token."""
    nb, view = begin(
        desk,
        f'{TINY}\nimport json, numpy as np\ntext = "{LONG}"\n'
        'w = sw.show((model, tokenizer), text, target=" The end.", method="random")',
    )
    assert python(nb, "len(w.attribution.rows)") > 5000
    view.locator(".sw-column").first.focus()
    nb.page.keyboard.press("/")
    field = view.get_by_role("textbox", name="Find in the text")
    assert field.evaluate("e => e === document.activeElement")
    nb.page.keyboard.type("quick brown")
    status = view.locator(".sw-search [role=status]")
    assert status.inner_text() == "1 of 310"
    nb.page.keyboard.press("Shift+Enter")
    assert status.inner_text() == "310 of 310"
    hits = view.locator(".sw-text .sw-token:visible", has_text="quick")
    nb.page.wait_for_function(
        "() => { const f = document.querySelector('.sw-live .sw-text').getBoundingClientRect();"
        " return [...document.querySelectorAll('.sw-text .sw-token')].some(e => e.textContent.trim() === '309'"
        " || (e.textContent.includes('quick') && e.getBoundingClientRect().top > f.top"
        " && e.getBoundingClientRect().bottom < f.bottom && +e.dataset.position > 4900)); }"
    )
    assert hits.count() > 0
    nb.shot("search-light", view)
    nb.page.keyboard.press("Escape")
    place = nb.page.evaluate("+document.activeElement.dataset.position")
    assert python(nb, f"w.attribution.rows[{place}].text.strip()") == "quick"
    assert place > 4900
    # Dragged beyond the upper edge the text moves on, for as long as the button is held there.
    text = view.locator(".sw-text")
    text.scroll_into_view_if_needed()
    before = text.evaluate("e => e.scrollTop")
    frame = text.bounding_box()
    box = nb.page.locator(f'.sw-live .sw-token[data-position="{place}"]').bounding_box()
    nb.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    nb.page.mouse.down()
    nb.page.mouse.move(frame["x"] + 60, frame["y"] - 40, steps=12)
    nb.page.wait_for_function(
        "before => document.querySelector('.sw-live .sw-text').scrollTop < before - 600", arg=before
    )
    nb.page.mouse.up()
    after = text.evaluate("e => e.scrollTop")
    chosen = view.locator(".sw-text .sw-target").count()
    assert chosen > 100, "all that was passed is chosen, also what is out of sight by now"
    nb.page.mouse.move(5, 5)
    assert text.evaluate("e => e.scrollTop") == after, "once the button is let go the text stands still"
    nb.shot("drag-beyond-light", view)


def test_words_and_sentences_are_units(desk: Any) -> None:
    """By words the numbers are those of `aggregate("word")`; no apostrophe splits one, a double click opens it."""
    text = "I don't think the photosynthesizer's 機器學習 works. It isn't new."
    nb, view = begin(
        desk,
        f'import saliency_widget as sw, json, numpy as np\nw = sw.show("demo", {text!r}, target=" Indeed so")',
    )
    places = nb.page.evaluate(PLACES)
    nb.code("a = w.attribution.aggregate('word')")
    rows = python(nb, "[[t.position, t.text.strip()] for t in a.rows]")
    assert "don't" in [t for _, t in rows]
    view.get_by_role("combobox", name="Read by").select_option("word")
    for k, (_, name) in enumerate(rows[:10]):
        first = python(nb, f"next(t.position for t in w.attribution.rows if t.word == {k})")
        token(view, first).hover()
        said = re.sub(r"\s+", " ", tip(view))
        assert said.startswith(name), (name, said)
        share = float(re.search(r"share (−?\.\d+)", said)[1].replace("−", "-"))
        assert share == pytest.approx(python(nb, f"float(a.normalized()[{k}, 0])"), abs=5.1e-4)
    away(nb)
    nb.shot("words-light", view)
    # A word opened shows its parts.
    k = next(k for k, (_, name) in enumerate(rows) if "photo" in name)
    first = python(nb, f"next(t.position for t in w.attribution.rows if t.word == {k})")
    token(view, first).dblclick()
    away(nb)
    token(view, first).hover()
    alone = re.sub(r"\s+", " ", tip(view))
    assert not alone.startswith(rows[k][1])
    assert rows[k][1].startswith(alone.split(" ")[0])
    away(nb)
    # Chinese words are units too; by sentences there are two of what was read.
    view.locator(".sw-column").first.focus()
    nb.page.keyboard.press("g")
    assert view.get_by_role("combobox", name="Read by").input_value() == "sentence"
    token(view, 0).hover()
    assert "works." in tip(view)
    away(nb)
    assert max(nb.page.evaluate(GAPS)) <= 0, "one background, without a gap"
    assert nb.page.evaluate(PLACES) == pytest.approx(places, abs=1.5), "and no word moves"
    nb.shot("sentences-light", view)
    nb.theme("JupyterLab Dark")
    nb.shot("sentences-dark", view)
    nb.theme("JupyterLab Light")
    token(view, 0).hover()
    nb.code("b = w.attribution.aggregate('sentence')")
    share = python(nb, "float(b.normalized()[0, 0])")
    said = re.sub(r"\s+", " ", tip(view))
    assert float(re.search(r"share (−?\.\d+|1)", said)[1]) == pytest.approx(share, abs=5.1e-4)


def test_scale_numbers_and_card_help_reading(desk: Any) -> None:
    """A threshold removes colours, raw scores replace shares, the card lists the conditions, and noise has a note."""
    nb, view = begin(desk, SHOW.replace("./by_heart", "demo"))
    plain = [colour(token(view, i)) for i in range(8)]
    view_option(view, "threshold")
    assert "≥ 50" in view.locator(".sw-legend").inner_text()
    some = [colour(token(view, i)) for i in range(8)]
    assert len(set(some)) < len(set(plain))
    assert colour(token(view, 2)) != colour(token(view, 4))
    nb.shot("threshold-light", view)
    view_option(view, "by rank (quantile)")
    assert "by rank" in view.locator(".sw-legend").inner_text()
    assert len({colour(token(view, i)) for i in range(8)}) == 8
    view_option(view, "linear")
    assert [colour(token(view, i)) for i in range(8)] == plain
    view_option(view, "raw score")
    raw = python(nb, "float(w.attribution.scores[2, 0])")
    number = float(re.search(r"president ([\d.]+)", view.locator(".sw-inputs").inner_text())[1])
    assert number == pytest.approx(raw, rel=5e-3)
    assert view.locator(".sw-unit").inner_text().startswith("gradient norm")
    view_option(view, "share of the column")
    view.get_by_role("button", name="About this method").click()
    card = view.get_by_role("dialog", name="About this method")
    for said in ("SmolLM2-135M-Instruct", "probability", "Cost"):
        assert said in card.inner_text()
    nb.page.keyboard.press("Escape")
    assert not view.locator(".sw-noise").is_visible()
    # Signs have hues of their own, and none is that of sizes.
    size = hue(token(view, 2))
    view.get_by_role("button", name="Occlusion", exact=True).click()
    view.get_by_text("share of the drop").wait_for()
    nb.code("w.wait()")
    view.locator(".sw-progress").wait_for(state="detached")
    col = python(nb, "next(c for c in range(8) if np.nanmin(w.attribution.scores[:8, c]) < 0)")
    view.locator(".sw-column").nth(col).click()
    away(nb)
    column = python(nb, f"w.attribution.scores[:8, {col}].tolist()")
    most, least = max(range(8), key=lambda i: column[i]), min(range(8), key=lambda i: column[i])
    assert column[least] < 0 < column[most]
    hues = [size, hue(token(view, most)), hue(token(view, least))]
    assert min(abs(a - b) for k, a in enumerate(hues) for b in hues[:k]) > 25, hues
    # Noise is called noise.
    nb.code('w.ask("random")')
    view.get_by_text("share of the noise").wait_for()
    nb.code("w.wait()")
    view.locator(".sw-progress").wait_for(state="detached")
    seen = []
    for k in range(8):
        view.locator(".sw-column").nth(k).hover()
        seen.append(view.locator(".sw-noise").is_visible())
    assert sum(seen) >= 4, seen
    assert "no more than noise" in view.locator(".sw-noise").inner_text() or not seen[-1]
