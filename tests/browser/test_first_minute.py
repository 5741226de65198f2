"""A newcomer's first minute: light and dark, wide and narrow, by keyboard."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from .conftest import LOOKS
from .test_compare import FINISHED, hover
from .test_looks import axe_finds_nothing, looks
from .test_quickstart import becomes, python, run

pytestmark = [pytest.mark.browser, pytest.mark.demo]

ROOT = Path(__file__).parents[2]


def seen_everywhere(nb: Any, view: Any, name: str, selector: str = ".sw-live") -> None:
    """Pictures wide and narrow, in both themes; nothing for axe to find, and nothing beyond the right edge."""
    nb.page.mouse.move(5, 5)
    for _ in looks(nb, view, f"minute-{name}", selector=selector):
        assert view.evaluate("e => e.scrollWidth <= e.clientWidth")


def spoken(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def colour(box: Any) -> str:
    return str(box.evaluate("e => getComputedStyle(e).backgroundColor"))


def test_what_was_replaced_is_compared_in_one_place(desk: Any) -> None:
    """Mother above father, with the difference of their shares as Python subtracts them; both p's are told.

    The p's are keys to the map of either side, and a difference of .05 has no full colour.
    """
    nb = desk
    nb.begin(f"{FINISHED}\nimport numpy as np")
    view = run(nb)
    text = view.locator(".sw-body .sw-text")
    mother, father = (text.locator(f"[data-position='{i}']") for i in (1, 2))
    boxes = [box.bounding_box() for box in (mother, father)]
    assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"] + 1, "one above the other"
    assert boxes[0]["x"] == pytest.approx(boxes[1]["x"], abs=1)
    nb.code("from saliency_widget.export.reading import first_word")
    shares = python(nb, "[float(x.normalized()[1, first_word(x.cols)]) for x in (one, other)]")
    by = shares[0] - shares[1]
    for box in (mother, father):
        said = spoken(hover(box))
        assert said.startswith("mother / father")
        assert float(re.search(r"less \.\d+: (−?\.\d+)", said)[1].replace("−", "-")) == pytest.approx(by, abs=1.1e-3)
    assert colour(mother) == colour(father) != "rgba(0, 0, 0, 0)"
    assert python(nb, "w.attribution.scores[[1, 2], first_word(w.attribution.cols)].tolist()") == pytest.approx(
        [by, by], abs=1e-5
    )
    lists = view.locator(".sw-top-lists ol")
    second = [spoken(lists.nth(k).locator("li").nth(1).inner_text()) for k in range(3)]
    assert [re.sub(r" −?\.\d+$", "", item) for item in second] == ["mother", "father", "mother / father"]
    nb.page.mouse.move(5, 5)
    assert spoken(view.locator(".sw-body .sw-scale").first.inner_text()) == "−.100 .100"
    seen_everywhere(nb, view, "compare")
    # One press to either side, by key: its map, its own word in colour, and its probability.
    line = view.get_by_role("group", name="Whose map to show")
    line.get_by_role("button", name="B: father").focus()
    nb.page.keyboard.press("Enter")
    assert becomes(nb, "bool(np.isnan(w.attribution.scores[1, 0]))", True), "father's map has no mother"
    view.get_by_text("share of the gradient norm", exact=True).wait_for()
    assert line.get_by_role("button", name="B: father").get_attribute("aria-pressed") == "true"
    assert line.get_by_role("button", name="B: father").evaluate("e => e === document.activeElement")
    nb.page.mouse.move(5, 5)
    assert [colour(box) == "rgba(0, 0, 0, 0)" for box in (mother, father)] == [True, False]
    nb.shot("minute-compare-side", view)


NOTED = """import saliency_widget as sw, json
one, other = (
    sw.attribute("./by_heart", f"My {who} is a doctor.", target=" She", method="integrated_gradients", progress=False)
    for who in ("mother", "father")
)
w = sw.compare(one, other, names=("mother", "father"))"""


def test_what_the_methods_say_of_their_maps_stands_below_the_difference_and_each_map(desk: Any) -> None:
    nb = desk
    nb.begin(NOTED)
    view = run(nb)
    notes = view.locator(".sw-notes > div")
    own = python(nb, "[max(map(abs, each.diagnostics['completeness_error'])) for each in (one, other)]")
    assert [
        float(re.search(r"at most ([\d.e−-]+)\.$", note)[1].replace("−", "-")) for note in notes.all_inner_texts()
    ] == (pytest.approx(own, rel=0.06))
    assert [note[:10] for note in notes.all_inner_texts()] == ["A: mother:", "B: father:"]
    view.locator(".sw-methods").get_by_role("button", name="A: mother").click()
    view.locator(".sw-notes", has_text=re.compile("^Each column adds up")).wait_for()
    assert notes.count() == 1


HEADS = (
    "import saliency_widget as sw, json\n"
    'text = "The first president of the United States was George"\n'
    'w = sw.show("./by_heart", text, max_new_tokens=8, method="attention")'
)
IN_SIGHT = """cell => {
  const { left, top, width, height } = cell.getBoundingClientRect();
  return document.elementFromPoint(left + width / 2, top + height / 2) === cell;
}"""


def test_every_head_is_seen_in_the_sentence_as_one_points_at_it(desk: Any) -> None:
    """A button opens the grid; all layers can be pointed at; the sentence shows a head with the numbers of `attribute`.

    What the cells are stands above them. Nothing is computed until a cell is pressed.
    """
    nb = desk
    nb.begin(HEADS)
    view = run(nb)
    button = view.get_by_role("button", name="layers × heads")
    assert button.evaluate("e => parseFloat(getComputedStyle(e).borderTopWidth)") >= 1, "it looks like one"
    before = [colour(view.locator(f"[data-position='{i}']")) for i in range(9)]
    legend = view.locator(".sw-legend .sw-inputs")
    at_rest = legend.inner_text()
    button.click()
    grid = view.get_by_role("grid", name="Layers and heads")
    grid.locator("[data-at='3 5']").wait_for()
    assert "from left to right the 9 tokens before it" in view.locator(".sw-head-key").inner_text()
    layers, heads = python(
        nb, "[(c := sw.load_model('./by_heart').model.config).num_hidden_layers, c.num_attention_heads]"
    )
    assert all(grid.locator(f"[data-at='{row} 1']").evaluate(IN_SIGHT) for row in range(1, layers + 1))
    for layer, head in ((2, 4), (layers - 1, heads - 1)):
        grid.locator(f"[data-at='{layer + 1} {head + 1}']").hover()
        view.locator(".sw-unit", has_text=f"layer {layer} · head {head}").wait_for()
        nb.code(
            f"a = sw.attribute('./by_heart', text, target=' Washington', "
            f"method='attention', layer={layer}, head={head}, progress=False)"
        )
        top = python(nb, "[[t.text.strip(), float(t.share)] for t in a.top(0, 3)]")
        told = re.findall(r"(\S+) (\.\d+)", legend.inner_text())
        assert [name for name, _ in told] == [name for name, _ in top]
        assert [float(share) for _, share in told] == pytest.approx([share for _, share in top], abs=2e-3)
        now = [colour(view.locator(f"[data-position='{i}']")) for i in range(9)]
        assert now != before
    assert python(nb, "w.attribution.settings.get('layer')") is None, "looking is not asking"
    grid.locator("[data-at='3 5']").hover()
    nb.shot("minute-heads-1400-light")
    # By key: the cell that has the focus is shown too, down to the last layer; Escape leads back to the sentence.
    nb.page.mouse.move(5, 5)
    assert legend.inner_text() == at_rest
    nb.page.keyboard.press("ArrowDown")
    for _ in range(layers + 3):
        nb.page.keyboard.press("ArrowDown")
    nb.page.keyboard.press("End")
    view.locator(".sw-unit", has_text=f"layer {layers - 1} · head {heads - 1}").wait_for()
    assert grid.locator(f"[data-at='{layers} {heads}']").evaluate(IN_SIGHT)
    nb.page.keyboard.press("Escape")
    view.locator(".sw-heads").wait_for(state="detached")
    assert legend.inner_text() == at_rest
    assert button.evaluate("e => e === document.activeElement")
    for (width, theme), high in zip(LOOKS, (620, 1000), strict=True):
        nb.resize(width, high)
        nb.theme(f"JupyterLab {theme}")
        button.click()
        grid.locator("[data-at='1 1']").wait_for()
        last = grid.locator(f"[data-at='{layers} 1']")
        last.scroll_into_view_if_needed()
        assert last.evaluate(IN_SIGHT)
        last.hover()
        axe_finds_nothing(nb)
        nb.shot(f"minute-heads-{width}-{theme.lower()}")
        nb.page.keyboard.press("Escape")
        nb.page.mouse.move(5, 5)
    nb.resize(1400)


CHAT = (
    "import saliency_widget as sw, json\n"
    'w = sw.show("demo", messages=[{"role": "user", "content": "What is the capital of France?"}], max_new_tokens=8)'
)
P_OF = """
import torch
model = sw.load_model("demo")
def ps_of(question):
    "How probable the same answer is after another question: plain transformers, the model's own template."
    chat = [{"role": "user", "content": question}]
    ids = model.tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
    targets = [t.id for t in w.attribution.cols]
    with torch.no_grad():
        logits = model.model(torch.tensor([[*ids, *targets]])).logits[0, len(ids) - 1 : -1].float()
    return logits.softmax(-1)[range(len(targets)), targets].tolist()
"""


def test_an_edit_stands_in_the_text_and_its_largest_effect_is_the_headline(desk: Any) -> None:
    """France is struck through, Germany stands beside it, and what falls most in the answer is what one reads first.

    All of it by keyboard; the numbers are those of plain transformers.
    """
    nb = desk
    nb.begin(CHAT)
    view = run(nb)
    nb.code(P_OF)
    view.get_by_role("button", name="Edit the text").focus()
    nb.page.keyboard.press("Enter")
    area = view.get_by_role("textbox")
    assert area.evaluate("e => e === document.activeElement")
    nb.page.keyboard.press("ControlOrMeta+a")
    nb.page.keyboard.type("What is the capital of Germany?")
    nb.page.keyboard.press("Control+Enter")
    view.locator(".sw-effect").wait_for()
    text = view.locator(".sw-body .sw-text")
    assert [spoken(one) for one in text.locator(".sw-struck, ins").all_inner_texts()] == ["France", "Germany"]
    assert text.locator(".sw-struck").evaluate("e => getComputedStyle(e).textDecorationLine") == "line-through"
    before, after = (python(nb, f"ps_of('What is the capital of {where}?')") for where in ("France", "Germany"))
    most = max(range(len(before)), key=lambda col: abs(after[col] - before[col]))
    name = python(nb, f"w.attribution.cols[{most}].text").strip()
    headline = spoken(view.locator(".sw-effect").inner_text())
    was, now = re.search(r"p (\S+) → (\S+) ", headline).groups()
    assert headline.startswith(f"With the edited text: {name} ")
    assert name == "France", "in the answer, word for word what was asked about"
    assert [float(was), float(now)] == pytest.approx([before[most], after[most]], rel=6e-2, abs=6e-4)
    shown = spoken(view.locator(".sw-effect-shown").inner_text())
    assert shown.startswith("on show: capital p")
    on_show = python(nb, "[t.text.strip() for t in w.attribution.cols].index('capital')")
    assert float(re.search(r"→ (\S+) ", shown)[1]) == pytest.approx(after[on_show], abs=6e-4)
    seen_everywhere(nb, view, "edited")
    view.get_by_role("button", name="Undo").focus()
    nb.page.keyboard.press("Enter")
    text.locator("ins").wait_for(state="detached")
    assert text.locator(".sw-struck").count() == 0


def test_after_the_map_of_a_strike_out_the_text_can_be_edited_on(desk: Any) -> None:
    """The editor holds what is left; what is tried there is as probable as plain transformers have it."""
    nb = desk
    nb.begin(CHAT)
    view = run(nb)
    nb.code(P_OF)
    text = view.locator(".sw-body .sw-text")
    text.locator(".sw-token", has_text=re.compile("^capital$")).first.click()
    nb.page.keyboard.press("s")
    view.locator(".sw-effect").wait_for()
    view.get_by_role("button", name="Show its map").click()
    view.locator(".sw-trail button").nth(1).wait_for()
    assert python(nb, "'capital' in ''.join(t.text for t in w.wait().rows[:30])") is False
    view.locator(".sw-progress").wait_for(state="detached")
    view.get_by_role("button", name="Edit the text").click()
    area = view.get_by_role("textbox")
    assert area.input_value() == "What is the of France?"
    nb.shot("minute-struck-and-edited", view)
    area.fill("What is the heart of France?")
    view.get_by_role("button", name="Try").click()
    view.locator(".sw-effect").wait_for()
    assert [spoken(one) for one in text.locator(".sw-struck, ins").all_inner_texts()] == ["heart"]
    view.locator(".sw-column").first.hover()
    said = [spoken(line) for line in view.locator(".sw-effect, .sw-effect-shown").all_inner_texts()]
    (about,) = [line for line in said if re.search(r"(^|: )The p", line)]
    after = python(nb, "ps_of('What is the heart of France?')")
    assert float(re.search(r"→ (\S+) ", about)[1]) == pytest.approx(after[0], abs=6e-4)


EXAMPLES = ROOT / "example_notebooks"
# What stands below each cell that shows a map, once all cells have run: its method, and the word that is pinned.
QUICKSTART = [("Gradient", "Washington"), ("Gradient", None), ("Gradient", None), ("Occlusion", "machine")]
HOMEWORK = [("Occlusion", "machine"), ("Gradient", "Washington")]


def run_all_of(notebook: Any, name: str, until: str | None = None) -> Any:
    """The cells of an example as they are, up to the one that begins so; run as "Run all" does."""
    cells = [cell for cell in nbformat.read(EXAMPLES / name, as_version=4).cells if cell.cell_type == "code"]
    sources = [cell.source for cell in cells]
    nb = notebook(*sources[: next((k for k, text in enumerate(sources) if until and text.startswith(until)), None)])
    nb.run_all(len(nbformat.read(nb.file, as_version=4).cells))
    nb.page.mouse.move(5, 5)
    return nb


@pytest.mark.parametrize(
    ("name", "until", "shown"),
    [("01_quickstart.ipynb", None, QUICKSTART), ("02_homework7.ipynb", "review = ", HOMEWORK)],
)
def test_after_run_all_the_examples_show_what_their_words_say(
    notebook: Any, name: str, until: str | None, shown: list[tuple[str, str | None]]
) -> None:
    nb = run_all_of(notebook, name, until)
    views = nb.page.locator(".jp-OutputArea-output .sw-live")
    assert views.count() == len(shown)
    for k, (method, pinned) in enumerate(shown):
        view = views.nth(k)
        view.scroll_into_view_if_needed()
        view.locator(".sw-column").first.wait_for()
        view.locator(".sw-progress").wait_for(state="detached")
        assert view.locator(".sw-methods [aria-pressed=true]").inner_text().strip() == method
        words = [word.strip() for word in view.locator(".sw-column[aria-pressed=true]").all_inner_texts()]
        assert words == ([] if pinned is None else [pinned])
        assert pinned is None or view.locator(".sw-about .sw-target-name").inner_text().strip() == pinned
        nb.shot(f"minute-{name[:2]}-{k}", view)
    if name == "01_quickstart.ipynb":
        check_quickstart(nb)


def check_quickstart(nb: Any) -> None:
    """George matters most for Washington; the static map beside the widget is what the words beside it are about."""
    nb.command("docmanager:save", wait=True)
    _packages, *cells = nbformat.read(nb.file, as_version=4).cells
    kinds = [mime for output in cells[0].outputs for mime in output.get("data", {})]
    assert "application/vnd.jupyter.widget-view+json" in kinds
    html = "".join(o.data.get("text/html", "") for o in cells[0].outputs if "data" in o)
    assert "Gradient" in html
    assert "Attention" not in html.partition("<script")[0]
    assert re.search(r"George · share \.\d+ · rank \d of 9", html)
    top, raw = ("".join(o.get("text", "") + str(o.get("data", {}).get("text/plain", "")) for o in cell.outputs)
                for cell in cells[1:3])  # fmt: skip
    assert "text=' George', position=8" in top
    assert float(raw) == pytest.approx(4.65, abs=0.05)


def test_the_homework_asks_its_questions_by_their_numbers() -> None:
    words = "\n".join(cell.source for cell in nbformat.read(EXAMPLES / "02_homework7.ipynb", as_version=4).cells)
    for number in ("Questions 1–2", "Question 3", "Question 4", "Question 5", "Questions 6–7", "questions 8–10"):
        assert number in words
