"""The word that is looked at first: one that says something by itself, found as the page finds it.

tests/data/first_words.json holds Python and the page (js/tests/first-words.test.ts) to it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from saliency_widget.export.reading import first_word
from saliency_widget.types import Token

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "data/first_words.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["about"])
def test_the_first_word_is_the_one_that_both_sides_know(case: dict[str, Any]) -> None:
    tokens = [
        Token(
            position=i,
            id=i,
            text=text,
            role=role or "generated",
            span=None,
            word=word,
            sentence=0,
            segment=0,
            part=None,
        )
        for i, (text, word, role) in enumerate(case["tokens"])
    ]
    assert first_word(tokens) == case["first"][0]
