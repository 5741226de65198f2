"""The thinking that a model wrote is a segment of its own; a map by way of it has hops, or is refused."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import saliency_widget as sw
from saliency_widget import Attribution
from saliency_widget.attribution.hops import Hop
from saliency_widget.attribution.through import relays_of
from saliency_widget.errors import DamagedFile, InputError, UnsupportedMethod
from saliency_widget.export.reading import first_word
from saliency_widget.models.text.prompting import check_prompt
from saliency_widget.models.text.thinking import parts
from tests.families import made

ASKED = "a cab?"
THOUGHT = "<think>\nthe dad\n\nhad a cab\n</think>\n\na cab"


def document_of(model: Any, target: str, **given: Any) -> Any:
    encoded = model.encode(check_prompt(**({"text": ASKED} | given), target=target))
    return model.document(encoded, encoded.target)


def segments_of(model: Any, target: str, **given: Any) -> list[tuple[str, str]]:
    """Return the name and the text of each segment, which must tile the tokens."""
    document = document_of(model, target, **given)
    assert [s.start for s in document.segments] == [0, *[s.end for s in document.segments[:-1]]]
    assert document.segments[-1].end == len(document.tokens)
    texts = ["".join(t.text for t in document.tokens if t.segment == k) for k in range(len(document.segments))]
    return [(segment.name, said) for segment, said in zip(document.segments, texts, strict=True)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<think>", "</think>"), ("<thinking>\n", "</thinking>"), ("[THINK]", "[/THINK]"), ("◁think▷", "◁/think▷"),
        ("<|begin_of_thought|>", "<|end_of_thought|>"), ("<|START_THINKING|>", "<|END_THINKING|>"),
        ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
        ("<|channel>thought\n", "<channel|>"), ("<reasoning>", "</reasoning>"), ("<unused94>thought\n", "<unused95>"),
    ],
)  # fmt: skip
def test_thinking_in_any_marks_is_a_segment_with_its_marks(before: str, after: str, tiny_model: Any) -> None:
    """The given text and the answer keep their own segments. A map goes by way of what is between the marks."""
    found = segments_of(tiny_model, f"{before}the dad had{after} a cab")
    assert [name for name, _ in found] == ["paragraph 1", "thinking", "paragraph 1"]
    assert found[2][1] == " a cab"
    document = document_of(tiny_model, f"{before}the dad had{after} a cab")
    relays = [relay.position for relay in relays_of(tiny_model, document, "thinking")]
    assert "".join(document.tokens[at].text for at in relays).strip() == "the dad had"


def test_paragraphs_within_the_thinking_are_one_segment_of_it(tiny_model: Any) -> None:
    found = segments_of(tiny_model, THOUGHT)
    assert [name for name, _ in found] == ["paragraph 1", "thinking", "paragraph 2", "paragraph 3"]
    assert found[1][1] == "<think>\nthe dad\n\nhad a cab\n</think>"


def test_thinking_that_a_template_begins_goes_on_in_what_is_written(tiny_model: Any) -> None:
    """Some chat templates end in an opening mark. Without one, nothing is thinking until a closing mark comes."""
    messages = [{"role": "user", "content": "a cab?"}]
    begun = tiny_model.tokenizer.chat_template.replace("assistant\n{% endif", "assistant\n<think>\n{% endif")
    chat = {"text": None, "messages": messages, "template": {"chat_template": begun}}
    assert [name for name, _ in segments_of(tiny_model, "the dad", **chat)] == ["user", "assistant", "thinking"]
    found = segments_of(tiny_model, "the dad</think> a cab", **chat)
    assert found[2:] == [("thinking", "the dad</think>"), ("assistant", " a cab")]
    plain = {"text": None, "messages": messages}
    assert [name for name, _ in segments_of(tiny_model, "the dad", **plain)] == ["user", "assistant"]
    assert segments_of(tiny_model, "the dad</think> a cab", **plain)[2] == ("thinking", "the dad</think>")


@pytest.mark.parametrize(
    "written",
    ["the dad", "a <think> b", "<think> \n</think> a cab", "he said “</think>”", "<details>the dad</details>"],
)
def test_what_is_no_thinking_is_none(written: str, tiny_model: Any) -> None:
    """No mark, one within a line, nothing between them, a quotation, a tag that may hold the answer as well."""
    assert "thinking" not in [name for name, _ in segments_of(tiny_model, written)]


def test_what_is_given_is_not_looked_at(tiny_model: Any) -> None:
    """A reader's text may speak of marks; there segments= names what it is."""
    assert "thinking" not in [name for name, _ in segments_of(tiny_model, " a cab", text=THOUGHT)]


def test_a_page_looks_at_the_answer_first_once_it_has_begun(tiny_model: Any) -> None:
    """The first word after the thinking; while nothing follows it, the first of the thinking."""
    begun = document_of(tiny_model, "<think>the dad")
    whole = document_of(tiny_model, "<think>the dad</think> a cab")
    assert begun.first_shown == first_word(begun.cols) < 8
    assert "".join(token.text for token in whole.cols[whole.first_shown :]) == " cab"


def test_the_parts_of_a_text_leave_out_nothing_but_marks() -> None:
    """In order and apart; together with the marks between them they are the text."""
    text = "<think>a</think>b<|channel|>analysis<|message|>c<|end|>d"
    found = parts(text)
    assert all(one.end <= two.start for one, two in pairwise(found))
    assert [(text[part.start : part.end], part.thinking) for part in found if part.end > part.start] == [
        ("a", True), ("b", False), ("c", True), ("d", True),
    ]  # fmt: skip


# ── hops ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def mapped() -> Attribution:
    return sw.attribute(made("gpt2"), ASKED, target=THOUGHT, through="thinking", progress=False)


def test_a_map_with_hops_has_the_columns_of_the_answer_and_the_same_scores(mapped: Attribution) -> None:
    """Hops are no part of the direct map: it is the one without them, of the same columns."""
    plain = sw.attribute(made("gpt2"), ASKED, target=THOUGHT, progress=False)
    thought = [k for k, segment in enumerate(mapped.segments) if segment.name == "thinking"]
    begin = mapped.segments[thought[0]].start
    cols = [k for k, t in enumerate(plain.cols) if t.segment not in thought and t.position > begin]
    assert mapped.cols == tuple(plain.cols[k] for k in cols)
    np.testing.assert_array_equal(mapped.scores, plain.scores[:, cols])
    assert [hop.through for hop in mapped.hops] == ["thinking", "thinking"]
    for number, hop in enumerate(mapped.hops, start=1):
        assert hop.scores.shape == mapped.scores.shape
        assert ((hop.share > 0) & (hop.share < 1)).all()
        np.testing.assert_allclose(np.nansum(hop.scores, axis=0), 1, atol=1e-5)
        assert not hop.scores.flags.writeable
        own = mapped.hop(number)
        assert own.scores is not mapped.scores
        assert (own.settings["through"], own.settings["hop"], own.hops) == ("thinking", number, ())
        assert own.diagnostics["handed_on"] == pytest.approx(hop.share.tolist())
        frame = own.to_dataframe()
        assert sorted(set(frame["col_position"])) == [token.position for token in mapped.cols]
        assert frame["score"].sum() == pytest.approx(len(mapped.cols), abs=1e-4)
        assert f"through the thinking, step {number}" in repr(own)
        assert "goes this way" in own.to_html()
    assert mapped.hop(0).hops == ()
    assert "Steps back by way of the thinking: hop(1) and hop(2)" in repr(mapped)


def test_a_hop_goes_by_way_of_any_named_segment(tiny_model: Any) -> None:
    """Also of one that was given; then every written token has hops."""
    text = "the bad cab. notes: the dad had a bat. and"
    a = sw.attribute(
        tiny_model, text, target=" a cab", segments={"notes": "the dad had a bat"}, through="notes", progress=False
    )
    rows = [k for k, token in enumerate(a.rows) if a.segments[token.segment].name == "notes"]
    shares = a.normalized()[rows]
    strongest = np.sort(shares, axis=0)[-8:]
    np.testing.assert_allclose(a.hops[0].share, strongest.sum(axis=0), rtol=1e-5)
    assert a.scores.shape[1] == len(a.cols) == len(sw.attribute(tiny_model, text, target=" a cab", progress=False).cols)


@pytest.mark.parametrize("method", ["attention", "attention_rollout", "value_zeroing", "random"])
def test_methods_without_signs_have_hops(method: str) -> None:
    a = sw.attribute(
        made("gpt2"), ASKED, target="<think>the dad</think> a", through="thinking", method=method, progress=False
    )
    np.testing.assert_allclose(np.nansum(a.hops[1].scores, axis=0), 1, atol=1e-5)


def test_a_saved_map_keeps_its_hops(mapped: Attribution, tmp_path: Path) -> None:
    """Bit for bit; also when it is pickled or copied, and read-only then, too."""
    path = tmp_path / "a.safetensors"
    mapped.save(path)
    for back in (Attribution.load(path), pickle.loads(pickle.dumps(mapped)), copy.deepcopy(mapped)):
        assert len(back.hops) == 2
        for one, two in zip(mapped.hops, back.hops, strict=True):
            assert (one.scores.tobytes(), one.share.tobytes(), one.through) == (
                two.scores.tobytes(), two.share.tobytes(), two.through
            )  # fmt: skip
            assert not two.scores.flags.writeable
    own = mapped.hop(2)
    own.save(path)
    assert Attribution.load(path).scores.tobytes() == own.scores.tobytes()
    assert Attribution.load(path).diagnostics == own.diagnostics


def test_a_file_whose_hops_are_not_whole_is_damaged(mapped: Attribution, tmp_path: Path) -> None:
    """A hop without its shares is refused by name."""
    path = tmp_path / "a.safetensors"
    mapped.save(path)
    with safe_open(str(path), "numpy") as file:
        about = {"attribution": file.metadata()["attribution"]}
    arrays = load_file(path)
    del arrays["share.2"]
    save_file(arrays, path, about)
    with pytest.raises(DamagedFile, match=r"it has no share\.2"):
        Attribution.load(path)


def test_units_of_a_map_have_units_of_its_hops(mapped: Attribution) -> None:
    """They are what the hop itself has by units."""
    by_words = mapped.aggregate("word")
    for number, hop in enumerate(by_words.hops, start=1):
        np.testing.assert_array_equal(
            hop.scores, mapped.hop(number).aggregate("word", by_words.settings["pool"]).scores
        )
        assert hop.share.shape == (len(by_words.cols),)


# ── refusals ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "error", "cause", "cure"),
    [
        ({"target": " a cab"}, InputError, "no thinking in this text", "segments="),
        ({"target": "<think>the dad"}, InputError, "No target comes after the thinking", "max_new_tokens="),
        ({"through": "notes"}, InputError, "no segment 'notes'", "thinking"),
        ({"through": 3}, InputError, "no name of a segment", 'through="thinking"'),
        ({"method": "occlusion"}, UnsupportedMethod, "for and against", 'method="saliency"'),
        ({"method": "input_x_gradient"}, UnsupportedMethod, "for and against", 'reduction="l2"'),
        ({"span": (0, 2)}, InputError, "No target comes after", "max_new_tokens="),
    ],
)
def test_what_cannot_go_through_is_refused(asked: dict[str, Any], error: Any, cause: str, cure: str) -> None:
    given: dict[str, Any] = {"target": THOUGHT, "through": "thinking", "progress": False} | asked
    with pytest.raises(error, match=cause) as found:
        sw.attribute(made("gpt2"), ASKED, **given)
    assert cure in found.value.cure


def test_a_classifier_has_nothing_to_go_through() -> None:
    with pytest.raises(InputError, match="classifies a text and writes none"):
        sw.attribute(made("bert"), "the dad", through="thinking", progress=False)


def test_a_norm_of_a_signed_method_has_hops() -> None:
    """A map with `reduction="l2"` has no sign."""
    a = sw.attribute(
        made("gpt2"), ASKED, target="<think>the dad</think> a", through="thinking", method="input_x_gradient",
        reduction="l2", progress=False,
    )  # fmt: skip
    assert len(a.hops) == 2


def test_a_hop_that_there_is_not_is_refused(mapped: Attribution) -> None:
    with pytest.raises(InputError, match="no hop 3"):
        mapped.hop(3)
    with pytest.raises(InputError, match="no hop 1") as found:
        mapped.hop(1).hop(1)
    assert 'through="thinking"' in found.value.cure


def test_hops_of_another_shape_are_refused() -> None:
    hop = Hop(scores=np.zeros((2, 1), np.float32), share=np.zeros(1, np.float32), through="thinking")
    a = Attribution.from_scores(np.ones((3, 1)), ["a", "b", "c"], ["d"], method="mine")
    with pytest.raises(InputError, match="Hop 1 has scores of the shape"):
        dataclasses.replace(a, hops=(hop,))
