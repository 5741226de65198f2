"""Tokens that look like markup, or are too long for a line, are shown as text everywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import SHOTS
from .test_quickstart import python, run, tip, token

pytestmark = pytest.mark.browser

HOSTILE = [
    "<script>alert(1)</script>", "<!--", "</style>", "&lt;", "<img src=x onerror=alert(1)>", "${alert(1)}", "nul\0l",
    '"><b>bold</b>', "\u202eright", "=1+1", "x" * 100_000,
]  # fmt: skip
# A model of a few thousand random weights, whose tokens are these: what counts is what they are called.
MODEL = """
import json, torch, saliency_widget as sw
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from tokenizers import Tokenizer, models, pre_tokenizers
names = ["[UNK]", "a"] + json.loads(HOSTILE)
made = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="[UNK]"))
made.pre_tokenizer = pre_tokenizers.Split(" ", "removed")
tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]", model_max_length=64)
torch.manual_seed(1)
net = GPT2LMHeadModel(GPT2Config(vocab_size=len(names), n_positions=64, n_embd=16, n_layer=2, n_head=2,
                                 bos_token_id=None, eos_token_id=None))
ids = list(range(1, len(names)))
w = sw.show((net, tokenizer), input_ids=ids, target_ids=ids[::-1][1:])
"""


# Scores from elsewhere: no tokenizer of ours would read such texts, and show() refuses them.
HALVES = r"""
import json, saliency_widget as sw
rows, cols = ["one", " \ud800", " a\udc80b"], [" \udfff", " end"]
one, other = (sw.Attribution.from_scores([[1, 1], [x, 2], [4, 1]], rows, cols, method="mine") for x in (2, 3))
w = sw.compare(one, other, names=("\ud800", "other"))
"""
SIGNS = ["one", "U+D800", "aU+DC80b", "U+DFFF", "end"]


def test_half_a_character_is_a_sign_everywhere(desk: Any) -> None:
    """Lone surrogates, which messages cannot contain, are signs in text, matrix, tooltips, files and the saved page."""
    nb = desk
    nb.begin(HALVES)
    view = run(nb)
    view.locator(".sw-compact").nth(2).locator(".sw-gradient").wait_for()
    for text in (".sw-body", ".sw-compact:nth-child(1)", ".sw-compact:nth-child(3)"):
        assert [t.strip() for t in view.locator(f"{text} .sw-token").all_inner_texts()] == SIGNS
    assert view.locator(".sw-target-name").first.inner_text() == "U+DFFF"
    assert "U+D800" in view.locator(".sw-inputs").inner_text()
    assert view.locator(".sw-compact-head").first.inner_text().startswith("A: U+D800")
    for i in range(1, 4):
        token(view.locator(".sw-body"), i).hover()
        assert SIGNS[i] in tip(view)
    view.locator(".sw-drawer-toggle", has_text="Matrix").click()
    matrix = view.locator(".sw-matrix-scroll")
    matrix.focus()
    nb.page.keyboard.press("ArrowRight")
    nb.page.keyboard.press("ArrowDown")
    assert "U+D800" in tip(view)
    assert "U+DFFF" in tip(view)
    nb.shot("halves-light", view)
    view.locator(".sw-drawer-toggle", has_text="Export").click()
    for label in ("HTML", "SVG", "JSON", "CSV"):
        with nb.page.expect_download() as coming:
            view.locator(".sw-ways").get_by_role("button", name=label, exact=True).click()
        text = Path(coming.value.path()).read_text(encoding="utf-8")
        assert all(sign in text for sign in SIGNS), label
    saved = nb.page.locator(".sw-static-map").first
    saved.wait_for(state="attached")
    said = saved.evaluate("e => e.textContent")
    assert all(sign in said for sign in SIGNS)
    # What was given is kept as it was given; where a model would have to read it, it is refused.
    assert python(nb, "[t.text for t in w.attribution.rows] == rows") is True
    assert "The text holds half a character at 2: U+D800" in nb.code("sw.show('demo', 'a \\ud800')")


@pytest.fixture
def dialogs(desk: Any) -> Iterator[list[str]]:
    """Return the texts of dialogs during a test: there is one only if a script in a text ran."""
    heard: list[str] = []

    def hear(dialog: Any) -> None:
        heard.append(dialog.message)
        dialog.dismiss()

    desk.page.on("dialog", hear)
    yield heard
    desk.page.remove_listener("dialog", hear)


def test_hostile_tokens_are_text_everywhere(desk: Any, chromium: Any, dialogs: list[str]) -> None:
    """In text, tooltips, matrix, comparison, files and the saved page hostile tokens are letters; no dialog opens."""
    nb = desk
    nb.begin(f"HOSTILE = {json.dumps(HOSTILE)!r}" + MODEL)
    view = run(nb)
    n = len(HOSTILE)
    # The text: each token is a box of its own with its letters in it.
    for i, text in enumerate(HOSTILE[:6]):
        assert text in token(view, i + 1).inner_text(), text
        token(view, i + 1).hover()
        assert text in tip(view), text
    assert view.locator(".sw-token script, .sw-token img, .sw-token b, .sw-token style").count() == 0
    assert nb.page.locator(".sw-live :is(script, img)").count() == 0
    assert "NUL" in token(view, 7).inner_text()
    # The long one neither widens the widget nor fills the window by its tip.
    nb.page.mouse.move(5, 5)
    assert view.evaluate("e => e.scrollWidth - e.clientWidth") == 0
    token(view, n).scroll_into_view_if_needed()
    nb.shot("hostile-light")
    # Matrix, comparison, menus.
    for label in ("Matrix", "Compare"):
        view.locator(".sw-drawer-toggle", has_text=label).click()
    view.locator("canvas").first.wait_for()
    view.locator(".sw-picks .sw-pick[aria-pressed=false][aria-disabled=false]").first.click()
    view.locator(".sw-compact").nth(2).locator(".sw-gradient").wait_for()
    view.locator(".sw-progress").wait_for(state="detached")
    assert view.locator(".sw-compact :is(script, img)").count() == 0
    for label in ("Matrix", "Compare"):
        view.locator(".sw-drawer-toggle", has_text=label).click()
    # Files: the same texts again, and nothing runs in them.
    view.locator(".sw-drawer-toggle", has_text="Export").click()
    files = {}
    for label in ("HTML", "SVG", "JSON", "CSV"):
        with nb.page.expect_download() as coming:
            view.locator(".sw-ways").get_by_role("button", name=label, exact=True).click()
        files[label] = Path(coming.value.path())
    texts = [row["text"] for row in json.loads(files["JSON"].read_text())["rows"]][1:]
    assert texts[:n] == python(nb, "[t.text for t in w.attribution.rows]")[1 : n + 1]
    table = files["CSV"].read_text()
    assert ""","' =1+1",""" in table, "marked: a spreadsheet would run it"
    assert """," =1+1",""" not in table
    for label in ("HTML", "SVG"):
        page_file = files[label].with_suffix(f".{label.lower()}")
        page_file.write_bytes(files[label].read_bytes())
        context = chromium.new_context(offline=True)
        page = context.new_page()
        problems: list[str] = []
        page.on("dialog", lambda d: (dialogs.append(d.message), d.dismiss()))
        page.on("console", lambda m, seen=problems: seen.append(m.text))
        page.on("pageerror", lambda e, seen=problems: seen.append(str(e)))
        page.goto(page_file.as_uri())
        assert "<script>alert(1)</script>" in page.evaluate("document.documentElement.textContent")
        assert page.locator("img, b >> text=bold").count() == 0
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SHOTS / f"hostile-{label.lower()}.png")
        assert problems == []
        context.close()
    # What the notebook keeps beside the widget.
    saved = nb.page.locator(".sw-static-map").first
    saved.wait_for(state="attached")
    assert "<script>alert(1)</script>" in saved.evaluate("e => e.textContent")
    assert saved.locator("img, b >> text=bold").count() == 0
    assert dialogs == []


# A name as a server, a folder or a file may have it: markup, and what a terminal would obey.
NAME = "<img src=x onerror=alert(1)>\x1b[31m\x1b]0;owned\x07\u202e"
NAMED = r"""
import time, saliency_widget as sw
from IPython.display import HTML, display
from saliency_widget.errors import SaliencyError
from saliency_widget.explanation.clients import Reply

class Client:
    name = where = NAME
    def answer(self, messages, *, on_text, **how):
        for _ in range(5):  # the progress bar begins, and goes on
            on_text(NAME)
            time.sleep(0.2)
        return Reply(NAME, True, None, None, 0.0)

said = sw.explain(Client(), "a film")
how = {"method": NAME, "unit": NAME, "model_name": NAME}
one, other = (sw.Attribution.from_scores([[1.0], [x]], ["a", NAME], [NAME], **how) for x in (2, 3))
for shown in (said, one, sw.agreement([one, other])):
    display(shown)
    print(shown)
display(HTML(one.to_dataframe().to_html()))
for broken in (lambda: sw.load_model(f"none/{NAME}.gguf"), lambda: sw.attribute("demo", "a", method=NAME)):
    try:
        broken()
    except SaliencyError as error:
        print(error)
        get_ipython().showtraceback()
w = sw.compare(one, other, names=(NAME, "other"))
"""


def test_hostile_names_are_text_everywhere(desk: Any, dialogs: list[str]) -> None:
    """Of models, servers, methods, units and files: no script runs, and no output has what a terminal would obey."""
    nb = desk
    nb.begin(f"import json\nNAME = json.loads({json.dumps(NAME)!r})" + NAMED)
    view = run(nb)
    view.locator(".sw-compact").nth(2).locator(".sw-gradient").wait_for()
    assert dialogs == []
    outputs = nb.page.locator(".jp-OutputArea-output")
    assert outputs.locator("img").count() == 0
    said = " ".join(outputs.all_inner_texts())
    assert said.count("onerror=alert(1)>ESC[31m") >= 6
    assert view.locator(".sw-compact-head").first.inner_text().startswith("A: <img src=x")
    nb.shot("hostile-names")
    nb.command("docmanager:save", wait=True)
    [cell] = json.loads(nb.file.read_text())["cells"]
    kinds = {output["output_type"] for output in cell["outputs"]}
    assert {"stream", "display_data", "error"} <= kinds
    for output in cell["outputs"]:
        data = output.get("data", {})
        texts = [output.get("text", ""), data.get("text/plain", ""), output.get("evalue", "")]
        texts += output.get("traceback", [])
        for text in map("".join, texts):
            assert [sign for sign in ("\x1b]", "\x07", "\u202e") if sign in text] == []
