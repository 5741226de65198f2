"""Screenshots for people in build/screenshots, and checks by axe-core, in both themes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import LOOKS
from .test_quickstart import BY_HEART, live, python, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.browser, pytest.mark.demo]

ROOT = Path(__file__).parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"

TEXTS = {
    "chinese": ("我喜歡機器學習和人工智慧。請翻譯:", " I like machine learning 機器學習。"),
    "arabic": ("اللغة العربية جميلة جدا، وأنا أحب", " التعلم الآلي كثيرا"),
    "emoji": ("Our family 👨‍👩‍👧‍👦 went to space 👩🏽‍🚀 and saw", " the stars 🌟✨ and 🇯🇵!"),
    "code": (
        "def add(a, b):\n\treturn a + b\n\nprint(add(1,\u00a02))\n",
        "# 3\u200b\n\n\n</style><script>alert(1)</script>",
    ),
}
# A model of random weights: of five thousand tokens the page is looked at, not the map.
TINY = (
    "import saliency_widget as sw\n"
    "from transformers import LlamaConfig, LlamaForCausalLM\n"
    'tokenizer = sw.load_model("demo").tokenizer\n'
    "model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=32,\n"
    "    num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=8192, tie_word_embeddings=True))"
)
CHAT = (
    "import saliency_widget as sw\n"
    'w = sw.show("./by_heart", messages=[{"role": "system", "content": "You are a film critic."}, '
    '{"role": "user", "content": "Is this review positive or negative? The film is a compelling drama."}], '
    "max_new_tokens=24)"
)


def axe(nb: Any, selector: str = ".sw-live") -> dict[str, list[str]]:
    """Run axe. JupyterLab's body gets a height, without which axe skips contrast because texts seem invisible."""
    style = nb.page.add_style_tag(content="body { overflow: visible !important }")
    nb.page.add_script_tag(path=AXE)
    found: dict[str, list[str]] = nb.page.evaluate(
        """async selector => {
          const result = await axe.run(selector);
          return { violations: result.violations.map(v => `${v.id}: ${v.nodes.map(n => n.failureSummary).join('; ')}`),
                   passes: result.passes.map(p => p.id) };
        }""",
        selector,
    )
    style.evaluate("e => e.remove()")
    return found


def axe_finds_nothing(nb: Any, selector: str = ".sw-live") -> None:
    """Assert that axe finds nothing and has checked contrast."""
    found = axe(nb, selector)
    assert found["violations"] == []
    assert "color-contrast" in found["passes"]


def axe_finds_nothing_in_both_themes(nb: Any, view: Any, name: str) -> None:
    """Assert that axe finds nothing. Saves two pictures and leaves the light theme."""
    for theme in ("Dark", "Light"):
        nb.theme(f"JupyterLab {theme}")
        axe_finds_nothing(nb)
        nb.shot(f"{name}-{theme.lower()}", view)


def looks(
    nb: Any, view: Any, name: str, *, selector: str = ".sw-live", before: Callable[[], object] = lambda: None
) -> Iterator[None]:
    """Yield in each size and theme, after `before` and a picture; axe finds nothing in any of them."""
    for width, theme in LOOKS:
        nb.resize(width)
        nb.theme(f"JupyterLab {theme}")
        before()
        axe_finds_nothing(nb, selector)
        nb.shot(f"{name}-{width}-{theme.lower()}", view)
        yield


def seen_by_all(nb: Any, view: Any, name: str) -> None:
    """Narrow and dark, wide and light, axe finds nothing; two pictures for people."""
    for _ in looks(nb, view, name):
        pass


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_axe_finds_nothing(notebook: Any, theme: str) -> None:
    nb = notebook(BY_HEART)
    view = run(nb)
    nb.theme(theme)
    view.get_by_role("button", name="Matrix").click()
    view.locator("canvas").first.wait_for()
    nb.page.mouse.move(5, 5)
    axe_finds_nothing(nb)


# The input whose colour is farthest from the paper.
BOLDEST = """view => {
  const rgb = element => getComputedStyle(element).backgroundColor.match(/[\\d.]+/g).map(Number);
  const paper = rgb(view);
  const boldness = element => {
    const [r, g, b, alpha = 1] = rgb(element);
    return alpha * Math.hypot(r - paper[0], g - paper[1], b - paper[2]);
  };
  const inputs = [...view.querySelectorAll('.sw-text .sw-token:not(.sw-column)')];
  return Number(inputs.reduce((a, b) => boldness(b) > boldness(a) ? b : a).dataset.position);
}"""
# Tokens and buttons that reach beyond the edges of the view.
STICK_OUT = """view => {
  const { left, right } = view.getBoundingClientRect();
  const boxes = [...view.querySelectorAll('.sw-text .sw-token, :is(.sw-header, .sw-body, .sw-drawers) button')];
  const out = box => box.getClientRects().length > 0 && (box.getBoundingClientRect().left < left - 1
    || box.getBoundingClientRect().right > right + 1);
  return boxes.filter(out).map(box => box.textContent);
}"""
COLOURS_DRAWN = """canvas => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size;
}"""


def test_pictures_of_the_first_map(notebook: Any) -> None:
    """In both themes the boldest input has the largest score; matrix, card and a narrow window are complete."""
    nb = notebook(BY_HEART)
    view = run(nb)
    strongest = python(nb, "w.attribution.top(0, 1)[0].position")
    for theme in ("Light", "Dark"):
        nb.theme(f"JupyterLab {theme}")
        view.locator(".sw-column").first.hover()
        nb.page.mouse.move(5, 5)
        nb.page.wait_for_timeout(300)  # a picture of what has come to rest
        assert view.evaluate(BOLDEST) == strongest
        assert view.locator(".sw-text .sw-target").count() == 1
        nb.shot(f"map-{theme.lower()}", view)
        view.locator(".sw-column").first.hover()
        view.locator(".sw-token[data-position='8']").hover()
        nb.page.wait_for_timeout(200)  # a picture of what has come to rest
        assert "share" in view.get_by_role("tooltip").inner_text()
        nb.shot(f"notebook-{theme.lower()}")
    nb.theme("JupyterLab Light")
    nb.page.mouse.move(5, 5)
    view.get_by_role("button", name="Matrix").click()
    nb.page.wait_for_timeout(300)  # a picture of what has come to rest
    assert view.locator("canvas").first.evaluate(COLOURS_DRAWN) > 20  # a ramp, not a blank sheet
    nb.shot("matrix-light", view)
    view.get_by_role("button", name="About this method").click()
    nb.page.wait_for_timeout(200)  # a picture of what has come to rest
    card = view.get_by_role("dialog")
    assert card.locator("h3").inner_text() == "Gradient"
    assert card.locator("li").count() > 0  # what the map does not prove
    nb.shot("card-light")
    nb.page.keyboard.press("Escape")
    nb.command("application:toggle-left-area", wait=True)  # it leaves the notebook a hundred pixels
    nb.resize(480, 900)
    nb.page.wait_for_timeout(500)  # a picture of what has come to rest
    assert 250 < view.bounding_box()["width"] < 420
    assert view.evaluate(STICK_OUT) == []
    nb.shot("narrow-light")


def test_a_picture_of_work_in_progress(notebook: Any) -> None:
    """A running map has a progress bar and Cancel; after a cancel finished columns stay, with a button to continue."""
    text = "The history of the world is long. " * 20
    target = " And it goes on." * 16
    nb = notebook(f'import saliency_widget as sw\nw = sw.show("demo", {text!r}, target={target!r})')
    nb.run_all(1)
    view = live(nb)
    view.locator(".sw-progress", has_text="Gradient").wait_for(timeout=60_000)
    assert view.get_by_role("progressbar").is_visible()
    nb.shot("progress-light", view)
    view.get_by_role("button", name="Cancel").click()
    view.get_by_text("Cancelled").wait_for()
    assert view.get_by_role("progressbar").count() == 0
    assert view.get_by_role("button", name="Go on").is_visible()
    nb.shot("cancelled-light", view)


@pytest.mark.parametrize("name", list(TEXTS))
def test_a_text_of_any_script_can_be_read(notebook: Any, name: str) -> None:
    """The page shows each character once, in order, as text and never as markup."""
    text, target = TEXTS[name]
    nb = notebook(f"import saliency_widget as sw\nw = sw.show('./by_heart', {text!r}, target={target!r})")
    view = run(nb)
    assert nb.page.locator(".sw-text script").count() == 0
    shown = "".join(view.locator(".sw-text .sw-token").all_inner_texts())
    for letter in (c for c in text + target if c.isalnum()):
        assert letter in shown, letter
    # Every token has a box with an area: it can be pointed at.
    sizes = view.locator(".sw-token").evaluate_all(
        "all => all.map(e => { const r = e.getBoundingClientRect(); return r.width * r.height; })"
    )
    assert min(sizes) > 15
    nb.page.mouse.move(5, 5)
    nb.shot(f"{name}-light", view)
    nb.theme("JupyterLab Dark")
    nb.shot(f"{name}-dark", view)
    nb.theme("JupyterLab Light")


def test_on_a_page_from_right_to_left_numbers_read_as_anywhere(notebook: Any) -> None:
    """On a right-to-left page the scale begins at the left, and minus and point precede the digits, live and saved."""
    nb = notebook(
        "import saliency_widget as sw\nrows, cols = ['اللغة', ' العربية'], [' جميلة', ' جدا']\n"
        "one, other = (sw.Attribution.from_scores([[x, .2], [3, -.5]], rows, cols, method='mine') for x in (1, 2))\n"
        "w = sw.compare(one, other)",
        "w.attribution",
    )
    nb.run_all(2)
    nb.page.evaluate("document.documentElement.dir = 'rtl'")
    saved = nb.page.locator(".sw-static-map").last
    for view, query in ((live(nb), ".sw-body .sw-scale > span"), (saved, ".sw-key > *")):
        ends = view.locator(query)
        ends.first.wait_for()
        assert ends.first.inner_text().startswith("−.")
        assert ends.first.bounding_box()["x"] < ends.last.bounding_box()["x"]
        assert view.evaluate("e => getComputedStyle(e).direction") == "ltr"
    nb.shot("rtl-page-light")
    # The text itself has the direction of its letters.
    assert live(nb).locator(".sw-body .sw-line").first.evaluate("e => getComputedStyle(e).direction") == "rtl"
    nb.page.evaluate("document.documentElement.dir = ''")


def test_a_chat_shows_its_turns_and_folds_its_template(notebook: Any) -> None:
    nb = notebook(CHAT)
    view = run(nb)
    text = view.locator(".sw-text").inner_text()
    for turn in ("system", "user", "assistant"):
        assert turn in text.lower()
    chip = view.locator(".sw-chip").first
    assert "template" in chip.inner_text()
    nb.page.mouse.move(5, 5)
    nb.shot("chat-light", view)
    before = view.locator(".sw-token").count()
    chip.click()
    assert view.locator(".sw-token").count() > before
    nb.shot("chat-unfolded-light", view)
    nb.theme("JupyterLab Dark")
    nb.shot("chat-dark", view)
    nb.theme("JupyterLab Light")


def test_five_thousand_tokens_stay_usable(notebook: Any) -> None:
    text = "".join(f"{i}. The quick brown fox jumps over the lazy dog near the river bank.\n" for i in range(310))
    nb = notebook(TINY + f"\nw = sw.show((model, tokenizer), {text!r}, target=' The end.', method='random')")
    nb.run_all(1)
    assert int(nb.code("print(len(w.wait().rows))", 120_000)) >= 5000
    view = live(nb)
    view.locator(".sw-column").first.wait_for()
    view.locator(".sw-progress").wait_for(state="detached")
    view.locator(".sw-column").first.scroll_into_view_if_needed()
    view.locator(".sw-column").first.hover()
    assert "p =" in view.get_by_role("tooltip").inner_text()
    nb.shot("five-thousand-light")
    view.get_by_role("button", name="Matrix").click()
    view.locator("canvas").first.wait_for()
    nb.page.wait_for_timeout(500)  # a picture of what has come to rest
    nb.shot("five-thousand-matrix-light", view)
