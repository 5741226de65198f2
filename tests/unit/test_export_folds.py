"""The thinking on a page without a kernel: folded behind a line with what it holds, open where it must be seen."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from saliency_widget.export import html as export
from saliency_widget.export.figures import percent
from saliency_widget.export.html import to_html
from saliency_widget.types import Segment

from .export_cases import Fake, Page, fake

TEXTS = ["Where", "?", "<think>", " Ben", " is", "</think>", "\n", " Oslo", "."]
FIRST = 2
THINKING = Segment(kind="thinking", name="thinking", start=2, end=6)


@pytest.fixture(autouse=True, scope="module")
def front_end(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Replace the built script, so that these tests need no build."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "static").mkdir()
    (folder / "static" / "static.js").write_text("")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "files", lambda _package: folder)
        yield


def thought(thinking: Segment = THINKING, **fields: Any) -> Fake:
    paragraphs = (
        Segment(kind="paragraph", name="paragraph 1", start=0, end=thinking.start),
        thinking,
        Segment(kind="paragraph", name="paragraph 2", start=thinking.end, end=len(TEXTS)),
    )
    return fake(TEXTS, FIRST, segments=paragraphs, **fields)


def folds(html: str) -> list[tuple[bool, str, list[str]]]:
    """Of each folded stretch whether it is open, its first line, and the texts of its boxes."""
    found = re.findall(
        r'<details class="sw-thinking"( open)?><summary[^>]*>(.*?)</summary>(.*?)</details>', html, re.DOTALL
    )
    return [
        (bool(is_open), re.sub("<[^>]+>", "", line), re.findall(r'"sw-token"[^>]*>(?:<[^>]+>)?([^<]*)', inside))
        for is_open, line, inside in found
    ]


@pytest.mark.parametrize("signed", [False, True])
def test_thinking_is_folded_with_the_share_that_it_holds(signed: bool) -> None:
    """The line has the tokens, and the sum of the shares of the target on show; the text is whole."""
    a = thought(signed=signed)
    for col in (4, 5, 6):
        html = to_html(a, col=col)
        column = a.scores[:, col].astype(float)
        held = column[2:6].sum() / np.nansum(np.abs(column))
        ((is_open, line, inside),) = folds(html)
        assert not is_open
        assert line == f"thinking · 4 tokens · {percent(held)}"
        assert [text.strip() for text in inside] == ["&lt;think&gt;", "Ben", "is", "&lt;/think&gt;"]
        page = Page(html)
        assert page.text == "".join(TEXTS)
        assert len(page.boxes) == len(TEXTS)


def test_a_target_within_the_thinking_opens_it() -> None:
    """Its outline would not be seen; of what it reads of the thinking, it knows the rows before itself."""
    a = thought()
    ((is_open, line, _),) = folds(to_html(a, col=2))  # " is"
    column = a.scores[:, 2].astype(float)
    assert is_open
    assert line == f"thinking · 4 tokens · {percent(column[2:4].sum() / np.nansum(column))}"
    ((is_open, line, _),) = folds(to_html(a, col=0))  # "<think>", which sees none of it
    assert is_open
    assert line == "thinking · 4 tokens"


def test_what_nothing_follows_is_not_folded() -> None:
    """Thinking that goes on to the end is all there is to read; other segments are no thinking."""
    unfinished = replace(THINKING, end=len(TEXTS))
    assert folds(to_html(thought(unfinished), col=1)) == []
    assert folds(to_html(thought(replace(THINKING, kind="paragraph")), col=6)) == []


def test_the_first_line_of_one_token_has_no_plural() -> None:
    ((_, line, _),) = folds(to_html(thought(replace(THINKING, start=5)), col=6))
    assert line.startswith("thinking · 1 token · ")


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0 %"), (0.0034, "0.3 %"), (-0.0034, "−0.3 %"), (0.125, "13 %"), (0.995, "100 %"), (-0.5, "−50 %")],
)
def test_a_percentage_reads_as_in_the_live_map(value: float, said: str) -> None:
    """With one decimal below 1 %; ties are rounded away from 0, as JavaScript's toFixed does."""
    assert percent(value) == said
