"""Stretches of a text that the reader names are segments of their own: units of maps, of occlusion, of the page."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.errors import InputError
from saliency_widget.models.text.changes import Change, Text, changed
from saliency_widget.models.text.prompting import check_prompt
from tests.families import made

TEXT = "a bad cab. the dad had a bat, a cat and the dab"


def segments_of(model: Any, segments: Any, **given: Any) -> list[tuple[str, str]]:
    prompt = check_prompt(**({"text": TEXT} | given), target=" d", segments=segments)
    encoded = model.encode(prompt)
    document = model.document(encoded, encoded.target)
    names = [segment.name for segment in document.segments]
    assert [s.start for s in document.segments] == [0, *[s.end for s in document.segments[:-1]]]
    assert document.segments[-1].end == len(document.tokens)
    texts = ["".join(t.text for t in document.tokens if t.segment == k) for k in range(len(names))]
    return list(zip(names, texts, strict=True))


def test_words_and_characters_name_a_stretch(tiny_model: Any) -> None:
    start = TEXT.index("the dad")
    named = {"tools": "a bat, a cat", "who": (start, start + len("the dad"))}
    assert segments_of(tiny_model, named) == [
        ("the rest", "a bad cab."), ("who", " the dad"), ("the rest", " had"), ("tools", " a bat, a cat"),
        ("the rest", " and the dab d"),
    ]  # fmt: skip


def test_a_stretch_of_a_chat_parts_its_turn(tiny_model: Any) -> None:
    messages = [{"role": "system", "content": "be a bat"}, {"role": "user", "content": "the bad cab"}]
    found = segments_of(tiny_model, {"kind": "bad"}, text=None, messages=messages)
    assert [name for name, _ in found] == ["system", "user", "kind", "user", "assistant"]
    assert found[2][1].strip() == "bad"


def test_a_stretch_of_a_source() -> None:
    model = made("marian")
    found = segments_of(model, {"who": "the dad"})
    assert [name for name, _ in found][:3] == ["source", "who", "source"]
    assert found[1][1].strip() == "the dad"


@pytest.mark.parametrize("method", ["saliency", "occlusion"])
def test_a_stretch_is_a_unit(method: str, tiny_model: Any) -> None:
    """Summed from the tokens of the map, and for occlusion replaced together: against plain passes."""
    named = {"who": "the dad", "tools": "a bat, a cat"}
    settings = {"unit": "segment"} if method == "occlusion" else {}
    a = sw.attribute(tiny_model, TEXT, target=" d", method=method, segments=named, progress=False, **settings)
    stretches = [(s.start, s.end) for s in a.segments if s.name in named]
    assert len(stretches) == 2
    if method == "saliency":
        by_segment = a.aggregate("segment")
        for start, end in stretches:
            row = next(k for k, t in enumerate(by_segment.rows) if t.position == start)
            assert by_segment.scores[row, 0] == pytest.approx(a.scores[start:end, 0].sum(), rel=1e-5)
        return
    ids = [t.id for t in a.rows]
    unknown = tiny_model.tokenizer.unk_token_id

    def p(read: list[int]) -> float:
        with torch.no_grad():
            return float(tiny_model.model(torch.tensor([read])).logits[0, -1].softmax(-1)[a.cols[0].id])

    for start, end in stretches:
        without = [unknown if start <= k < end else i for k, i in enumerate(ids)]
        np.testing.assert_allclose(a.scores[start:end, 0].sum(), p(ids) - p(without), rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        ({"x": "a dog"}, "words of the segment 'x' are not in the text"),
        ({"x": "a ba"}, r"in the text 2 times. Give one of \(0, 4\), \(23, 27\)"),
        ({"x": (3, 400)}, r"is \(3, 400\), and the text has 47 characters"),
        ({"x": (5, 5)}, "start < end"),
        ({"x": "the dad", "y": "dad had"}, "'x' and 'y' overlap"),
        ({"x": 5}, "neither words nor"),
        ({"x": ""}, "neither words nor"),
        ({"": "the dad"}, "must have a name"),
        ({}, "no dictionary of names"),
        (["the dad"], "no dictionary of names"),
        ({"x": (0.5, 2)}, "In the segment 'x' an end is 0.5"),
    ],
)
def test_a_stretch_that_cannot_be_is_said(segments: Any, message: str, tiny_model: Any) -> None:
    with pytest.raises(InputError, match=message):
        sw.attribute(tiny_model, TEXT, target=" d", segments=segments, progress=False)


@pytest.mark.parametrize("family", ["llama", "marian"])
def test_a_text_with_stretches_can_be_struck_and_edited(family: str) -> None:
    """The rest of a stretch keeps its name, as do words that are still there after an edit."""
    model = made(family)
    prompt = check_prompt(TEXT, target=" d", segments={"who": "the dad", "tools": (24, 37), "end": "the dab"})
    encoded = model.encode(prompt)
    text = Text(name="", prompt=prompt, encoded=encoded, document=model.document(encoded, encoded.target))
    who, end = (next(s for s in text.document.segments if s.name == name) for name in ("who", "end"))
    struck, _ = changed(model, text, Change(rows=(who.start, *range(end.start, end.end))))
    left = {s.name: s.end - s.start for s in struck.document.segments if s.name in ("who", "tools", "end")}
    tools = next(s for s in text.document.segments if s.name == "tools")
    assert left == {"who": who.end - who.start - 1, "tools": tools.end - tools.start}
    edited, _ = changed(model, text, Change(text="so the dad had the dab"))
    assert [s.name for s in edited.document.segments if s.name in ("who", "tools", "end")] == ["who", "end"]
