"""The Explain drawer: a person asks the model why, reads what it says, and sets that beside what it computes."""

from __future__ import annotations

import re
import time
from itertools import pairwise
from typing import Any

import pytest

from .test_looks import axe
from .test_quickstart import becomes, python, run, tip, token

pytestmark = [pytest.mark.browser, pytest.mark.demo, pytest.mark.timeout(600)]

REVIEW = (
    "This film is a compelling drama that captivates audiences with its intricate storytelling and powerful "
    "performances."
)
# Fewer words are fewer numbers, and each number costs the demo model seconds.
BRIEF = "This compelling drama captivates audiences with powerful performances."
SHOW = (
    "import saliency_widget as sw, json\n"
    'asked = [{{"role": "user", "content": "Is this review positive or negative? {}"}}]\n'
    'w = sw.show("demo", messages=asked, max_new_tokens=6)'
)
SHORT = "In one short sentence: is this positive or negative? {review}"
NOBODY = 'sw.OpenAIClient("x", base_url="http://127.0.0.1:9/v1", max_retries=0)'
PATIENCE = 240_000  # ms, on a machine that has other things to do
# Whether an answer is being written, and what there is of it.
WRITING = """view => {
  const busy = view.querySelector('.sw-answer[aria-busy=true]');
  return [busy !== null, busy?.querySelector('.sw-writing')?.textContent ?? ''];
}"""
COLOURS = "all => all.map(e => getComputedStyle(e).backgroundColor)"
LINES = """all => all.map(e => {
  const range = document.createRange();
  range.selectNodeContents(e);
  return range.getClientRects().length;
})"""
# What sticks out of the drawer, and not of something in it that scrolls.
OUTSIDE = """view => [...view.querySelectorAll('.sw-explain *')].filter(e =>
  e.closest('.sw-table, .sw-unseen, .sw-summary') === null
    && e.getBoundingClientRect().right > view.getBoundingClientRect().right - 8
).map(e => e.className)"""
# What Python has of the comparison: each score as a share of its method's largest.
COMPARED = """{
    "words": w.comparison.explanation.words,
    "said": w.comparison.explanation.scores.tolist(),
    "spread": w.comparison.spread.tolist(),
    "probability": w.comparison.explanation.label_probability,
    "about": [w.comparison.levels, w.comparison.zeros, w.comparison.stability],
    "methods": [side.map.label for side in w.comparison.sides],
    "done": [(side.map.scores[:, 0] / abs(side.map.scores[:, 0]).max()).tolist() for side in w.comparison.sides],
    "figures": [{f.label: [f.value, f.random_mean, f.random_low, f.random_high, f.outside] for f in side.figures}
                for side in w.comparison.sides],
}"""


def shown_in(nb: Any) -> Any:
    """The widget, with nothing in motion but the text: on few cores animations take time from the model."""
    nb.page.emulate_media(reduced_motion="reduce")
    return run(nb)


def drawer_toggle(view: Any) -> Any:
    return view.locator(".sw-drawer-toggle", has_text="Explain")


def drawer(view: Any) -> Any:
    return view.locator(".sw-explain")


def button(view: Any, name: str) -> Any:
    return view.get_by_role("button", name=name, exact=True)


def write(view: Any, field: str, text: str) -> None:
    view.locator("summary", has_text=re.compile(rf"^{field}\b")).click()
    view.get_by_role("textbox", name=field).fill(text)


def as_review(view: Any) -> None:
    """Choose the prompts about a film review."""
    button(view, "Movie review (homework 7)").click()


def ask(view: Any, prompt: str | None = None) -> None:
    if prompt is not None:
        button(view, prompt).click()
    button(view, "Ask").click()
    view.locator(".sw-answer[aria-busy=true]").wait_for()


def growing(view: Any, letters: float = float("inf")) -> list[str]:
    """Return the texts that could be read until the answer was whole or that long; each text once."""
    seen: list[str] = []
    busy, deadline = True, time.monotonic() + PATIENCE / 1000
    while busy and (not seen or len(seen[-1]) < letters):
        assert time.monotonic() < deadline, seen[-1:]
        busy, text = view.evaluate(WRITING)
        if text and text not in seen:
            seen.append(text)
        time.sleep(0.1)
    return seen


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def shown(text: str, value: float | None) -> bool:
    """Return whether a number with two decimals is this value; a dash where there is none."""
    return text == "–" if value is None else abs(number(text) - value) <= 0.00501


def cells(table: Any) -> list[list[str]]:
    """The rows of a table; each cell as its text."""
    rows: list[list[str]] = table.locator("tr").evaluate_all(
        r"all => all.map(row => [...row.cells].map(cell => cell.textContent.replace(/\s+/g, ' ').trim()))"
    )
    return rows


def widen(nb: Any, view: Any, width: int) -> None:
    """Make the widget this wide, and the page high enough to see all of it."""
    around = nb.page.viewport_size["width"] - view.bounding_box()["width"]
    nb.resize(round(width + around), 3000)
    nb.page.wait_for_function(
        "width => Math.abs(document.querySelector('.sw-live').getBoundingClientRect().width - width) < 2", arg=width
    )


def test_the_question_is_about_the_target_on_show(notebook: Any) -> None:
    """The first question is why the pinned word was written; one's own labels and the course's films come later."""
    text = "The first president of the United States was"
    view = shown_in(
        nb := notebook(f'import saliency_widget as sw, json\nw = sw.show("demo", {text!r}, max_new_tokens=8)')
    )
    drawer_toggle(view).click()
    assert view.locator(".sw-summary").first.inner_text() == f"Why did you write “John” after “{text}”?"
    view.locator(".sw-column").nth(3).click()
    nb.page.mouse.move(5, 5)
    question = f"Why did you write “Kennedy” after “{text} John F.”?"
    assert view.locator(".sw-summary").first.inner_text() == question
    assert button(view, "Say versus do").count() == 0
    nb.shot("why-light", view)
    ask(view)
    view.locator(".sw-answer[aria-busy=false]").wait_for(timeout=PATIENCE)
    asked, kind, target, words, scores = python(
        nb, "(lambda e: [e.prompt, e.kind, e.target, e.words, e.scores.tolist()])(w.explanations[0])"
    )
    assert (asked, kind, target) == (question, "why", "Kennedy")
    head = view.locator(".sw-answer-head").first
    assert "Why this word" in head.inner_text()
    assert head.locator(".sw-verdict").count() == 0
    # In words, and a number for each word before it, which is a map of this target beside the others.
    told = [box.rsplit(": ", 1) for box in view.locator(".sw-answer .sw-word").all_text_contents()]
    assert [word for word, _ in told] == words
    assert all(shown(number, score) for (_, number), score in zip(told, scores, strict=True))
    button(view, "Show as map").click()
    view.get_by_text("share of the importance said").wait_for()
    assert view.locator(".sw-target-name").inner_text() == "Kennedy"
    nb.shot("why-answer-light", view)
    # Of labels of one's own one is chosen; the map of that is of the label, and of no word that was written.
    button(view, "Labels of your own").click()
    button(view, "Score each word for the label").click()
    view.get_by_role("textbox", name="Labels").fill("sport, history")
    nb.shot("labels-light", view)
    ask(view)
    view.locator(".sw-answer[aria-busy=false]", has_text="Score each word for the label").wait_for(timeout=PATIENCE)
    label, asked = python(nb, "[w.explanations[-1].label, w.explanations[-1].prompt]")
    assert label in ("sport", "history")
    assert "best: sport, history." in asked
    assert label in view.locator(".sw-verdict").first.inner_text()
    view.locator(".sw-target-name", has_text=label).wait_for()  # the map on show is that of the last answer
    assert view.locator(".sw-probability").count() == 0
    nb.shot("label-answer-light", view)
    as_review(view)
    assert view.get_by_role("group", name="Movie review").get_by_role("button").count() == 3
    nb.shot("review-preset-light", view)
    nb.page.add_style_tag(content="body { overflow: visible !important }")
    assert axe(nb)["violations"] == []


def test_an_answer_grows_and_what_goes_wrong_leaves_the_map(notebook: Any) -> None:
    view = shown_in(nb := notebook(SHOW.format(REVIEW)[:-1] + f", explainer={NOBODY})"))
    toggle = drawer_toggle(view)
    toggle.click()
    drawer(view).wait_for()
    view.locator(".sw-column").first.focus()
    nb.page.keyboard.press("e")
    drawer(view).wait_for(state="detached")
    nb.page.keyboard.press("e")
    assert toggle.get_attribute("aria-expanded") == "true"
    as_review(view)
    # The text is all that was asked; the review alone is what this is about.
    assert view.locator(".sw-summary").inner_text() == f"Is this review positive or negative? {REVIEW}"
    write(view, "Text", REVIEW)
    ask(view)
    seen = growing(view)
    assert len({len(text) for text in seen}) >= 2
    assert all(later.startswith(sooner) for sooner, later in pairwise(seen))
    answer = view.locator(".sw-answer").first
    text, label, review, read, wrote = python(
        nb, "(lambda e: [e.text, e.class_name, e.review, e.prompt_tokens, e.completion_tokens])(w.explanations[0])"
    )
    assert answer.locator(".sw-said").inner_text().strip() == text.strip()
    assert answer.locator(".sw-verdict").inner_text() == label == "positive"
    assert review == REVIEW
    assert f"{read} + {wrote} tokens" in answer.locator(".sw-cost").inner_text()
    # Asked again, and stopped in the midst of it: what was written stays, and the map too.
    before = view.locator(".sw-text .sw-token").evaluate_all(COLOURS)
    ask(view)
    half = growing(view, 60)[-1]
    nb.shot("explain-writing-light", view)
    button(view, "Stop").click()
    view.get_by_text("Stopped.", exact=True).wait_for()
    kept = answer.locator(".sw-said").inner_text()
    assert kept.startswith(half)
    assert len(kept) < len(text)
    view.get_by_text("Stopped explaining.").wait_for()
    assert becomes(nb, "[type(w.error).__name__, len(w.explanations)]", ["Cancelled", 1])
    assert button(view, "Ask").evaluate("e => e === document.activeElement")
    # So does a comparison, by the button at the foot.
    button(view, "Say versus do").click()
    view.get_by_text(re.compile(r"Asking for the importance of each word: \d of 7 steps")).wait_for()
    button(view, "Cancel").click()
    view.get_by_text("Stopped explaining.").wait_for()
    assert becomes(nb, "[type(w.error).__name__, w.comparison]", ["Cancelled", None])
    assert view.locator(".sw-comparison").is_hidden()
    assert view.get_by_text("share of the gradient norm").is_visible()
    assert view.locator(".sw-text .sw-token").evaluate_all(COLOURS) == before
    # A prompt of one's own.
    write(view, "Prompt", SHORT)
    ask(view)
    growing(view)
    assert answer.locator(".sw-answer-head").inner_text().split("\n")[1].strip() == "Own prompt"
    prompt, text = python(nb, "[w.explanations[-1].prompt, w.explanations[-1].text]")
    assert prompt == SHORT.replace("{review}", REVIEW)
    assert answer.locator(".sw-said").inner_text().strip() == text.strip()
    # A server that is not there: its answer says where it was looked for, and what to do.
    who = view.get_by_role("combobox", name="Who is asked")
    assert who.locator("option").all_inner_texts() == ["SmolLM2-135M-Instruct · cpu", "x · 127.0.0.1:9"]
    who.select_option("x · 127.0.0.1:9")
    button(view, "Ask").click()
    error = view.locator(".sw-answer .sw-error")
    error.wait_for()
    message, cure = python(nb, "[w.error.message, w.error.cure]")
    assert "127.0.0.1:9" in message
    assert cure == "Start the server, or check base_url."
    assert error.inner_text().split("\n") == [message, cure]
    nb.resize(1400, 1500)
    nb.page.mouse.move(5, 5)
    nb.shot("explain-refused-light", view)
    # The map is as it was, and the next question may be asked.
    assert view.get_by_role("alert").count() == 0
    assert view.locator(".sw-text .sw-token").evaluate_all(COLOURS) == before
    view.locator(".sw-column").first.hover()
    assert "p =" in tip(view)
    assert button(view, "Ask").get_attribute("aria-disabled") == "false"
    assert axe(nb)["violations"] == []


def test_what_is_said_of_each_word_stands_beside_what_is_computed(notebook: Any) -> None:
    view = shown_in(nb := notebook(SHOW.format(BRIEF)))
    drawer_toggle(view).click()
    as_review(view)
    write(view, "Text", BRIEF)
    view.locator("summary", has_text=re.compile("^Text")).click()
    # Freely first, which the demo model cannot do; then the list is written for it.
    ask(view, "Score each word")
    seen = growing(view)
    answer = view.locator(".sw-answer").first
    listed = [text.startswith('[("This", ') for text in seen]
    assert listed == sorted(listed)
    assert {False, True} == set(listed)
    free, text, words, scores, label, sure, summary = python(
        nb,
        "(lambda e: [e.free, e.text, e.words, e.scores.tolist(), e.class_name, e.label_probability, e.summary])"
        "(w.explanations[0])",
    )
    assert answer.locator(".sw-badge").inner_text() == "constrained"
    assert number(answer.locator(".sw-verdict").inner_text().removeprefix(label)) == pytest.approx(sure, abs=5.1e-4)
    folds = answer.locator("details")
    assert folds.locator("summary").all_inner_texts() == ["What was written", "What the free prompt gave"]
    assert folds.locator(".sw-said").all_text_contents() == [text, free]
    # A box a word, with its number.
    boxes = answer.locator(".sw-word")
    told = [box.rsplit(": ", 1) for box in boxes.all_text_contents()]
    assert [word for word, _ in told] == words
    assert all(shown(number, score) for (_, number), score in zip(told, scores, strict=True))
    assert len(set(boxes.evaluate_all(COLOURS))) > 1
    assert answer.get_by_text(summary, exact=True).is_visible()
    boxes.first.hover()
    assert f"said {told[0][1]}" in tip(view)
    # As the map: each column is the same, and each word of the review has the number that was said of it.
    button(view, "Show as map").click()
    assert view.locator(".sw-method[aria-pressed=true], .sw-chosen").inner_text().startswith("LLM says")
    view.get_by_text("share of the importance said").wait_for()
    assert view.locator(".sw-target-name").inner_text() == label  # and no word of the answer that was mapped
    assert becomes(nb, "w.attribution.method", "llm")
    assert python(nb, "bool(((w.attribution.scores == w.attribution.scores[:, :1]) | "
                      "(w.attribution.scores != w.attribution.scores)).all())")  # fmt: skip
    given = view.locator(".sw-token:not(.sw-column)")
    columns = []
    for col in (0, 3):
        view.locator(".sw-column").nth(col).hover()
        columns.append(given.evaluate_all(COLOURS))
    assert columns[0] == columns[1]
    assert len(set(columns[0])) > 2
    for word in ("This", "powerful"):
        row = python(nb, f"max(i for i, t in enumerate(w.attribution.rows[:-6]) if t.text.strip() == {word!r})")
        token(view, row).hover()
        score = float(re.search(r"score (0\.\d+) for", tip(view))[1])
        assert score == pytest.approx(scores[words.index(word)], abs=5.1e-4)
        assert score == pytest.approx(python(nb, f"float(w.attribution.scores[{row}, 0])"), abs=5.1e-4)
    button(view, "Gradient").click()
    view.get_by_text("share of the gradient norm").wait_for()
    assert button(view, "Show as map").get_attribute("aria-pressed") == "false"
    assert becomes(nb, "w.attribution.method", "saliency")
    nb.code(f"w.explain(text={BRIEF!r}); w.wait()", PATIENCE)  # from a cell: the page shows it too
    view.locator(".sw-answer-head", has_text="Answer and explain").locator(".sw-verdict").wait_for()
    button(view, "Say versus do").click()
    view.locator(".sw-comparison").wait_for(timeout=PATIENCE)
    compare_numbers(view, python(nb, COMPARED))
    button(view, "About this comparison").click()
    card = view.get_by_role("dialog", name="About this comparison")
    terms = card.locator("dt")
    assert terms.last.inner_text() == "Source"
    assert set(terms.evaluate_all(LINES)) == {1}
    nb.shot("explain-card-light")
    nb.page.keyboard.press("Escape")
    look(nb, view)


def compare_numbers(view: Any, known: Any) -> None:
    """Check that the page shows Python's numbers of a comparison, to the last digit shown."""
    part = view.locator(".sw-comparison")
    assert part.evaluate("e => e.previousElementSibling.className") == "sw-form"  # not below all that was said before
    sentence, manner = (part.locator(name).first.inner_text() for name in (".sw-sentence", ".sw-quiet"))
    assert number(re.search(r"p = (\d?\.\d+)", sentence)[1]) == pytest.approx(known["probability"], abs=5.1e-4)
    levels, zeros, stability = known["about"]
    assert manner.startswith(
        f"{levels} distinct values in its first answer, {100 * zeros:.0f} % zeros; asked 3 times: rank correlation "
    )
    assert shown(re.search(r"correlation (−?[\d.]+)", manner)[1], stability)
    head, *rows = cells(part.locator(".sw-word-table"))
    assert head == ["word", "said", *known["methods"]]
    assert [row[0] for row in rows] == known["words"]
    for k, (_, said, *done) in enumerate(rows):
        assert shown(said, known["said"][k])
        assert all(shown(text, side[k]) for text, side in zip(done, known["done"], strict=True))
    spread = part.locator(".sw-word-table tbody tr td:nth-child(2)").evaluate_all("all => all.map(e => e.title)")
    assert all(
        shown(re.search(r"± ([\d.]+) in 3", title)[1], s) for title, s in zip(spread, known["spread"], strict=True)
    )
    head, *rows = cells(part.locator(".sw-figure-table"))
    assert head == ["agreement", *known["methods"]]
    assert {row[0] for row in rows} == {label for side in known["figures"] for label in side}
    bold = part.locator(".sw-figure-table tbody tr").evaluate_all(
        "all => all.map(row => [...row.cells].slice(1).map(cell => cell.querySelector('b') !== null))"
    )
    for row, beyond in zip(rows, bold, strict=True):
        for text, is_bold, side in zip(row[1:], beyond, known["figures"], strict=True):
            value, *floor, outside = side[row[0]]
            assert is_bold == outside
            told = re.findall(r"−?\d+\.\d\d", text) if value is not None else [text]
            assert len(told) == (1 if value is None else 4), text
            assert all(shown(one, each) for one, each in zip(told, [value, *floor], strict=False)), (row[0], text, side)
    ranks = {name: side["Spearman's ρ"] for name, side in zip(known["methods"], known["figures"], strict=True)}
    outside = {name: value > 0 for name, (value, *_, is_outside) in ranks.items() if is_outside}
    assert outside == {"Attention": False}, "else the sentence is another"
    assert sentence.endswith("Of 4 methods none agrees with what it said more than shuffled words do. "
                             "Attention runs against it.")  # fmt: skip


def look(nb: Any, view: Any) -> None:
    """Pictures of the whole drawer, wide and narrow, in both themes; nothing for axe to find in any of them."""
    for width, theme in ((420, "Dark"), (1100, "Light")):
        nb.theme(f"JupyterLab {theme}")
        widen(nb, view, width)
        nb.page.mouse.move(5, 5)
        nb.page.wait_for_timeout(300)  # a picture of what has come to rest
        nb.shot(f"explain-{width}-{theme.lower()}", view)
        assert view.evaluate(OUTSIDE) == []
        for fold in view.locator(".sw-explain details").all():
            fold.evaluate("e => { e.open = true; }")
        found = axe(nb)
        assert found["violations"] == []
        assert "color-contrast" in found["passes"]
        for fold in view.locator(".sw-explain details").all():
            fold.evaluate("e => { e.open = false; }")
    nb.theme("JupyterLab Light")
