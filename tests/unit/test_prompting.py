"""Arguments become ids, roles and turns, or an error."""

from __future__ import annotations

import pytest

from saliency_widget.errors import InputError, TextTooLong
from saliency_widget.models.text.prompting import check_prompt


def test_a_text_becomes_its_tokens(tiny_model) -> None:
    encoded = tiny_model.encode(check_prompt("the cab", target=" d"))
    assert encoded.inputs.ids == tuple(tiny_model.tokenizer("the cab")["input_ids"])
    assert encoded.target == tuple(tiny_model.tokenizer(" d")["input_ids"])
    assert set(encoded.roles) == {"prompt"}
    assert encoded.segments is None


def test_ids_are_taken_as_they_are(tiny_model) -> None:
    """Ids are used unchanged, even if the tokenizer would encode the text differently."""
    ids = [tiny_model.tokenizer.convert_tokens_to_ids(c) for c in "the"]
    encoded = tiny_model.encode(check_prompt(None, input_ids=ids, target_ids=[5]))
    assert encoded.inputs.ids == tuple(ids)
    assert encoded.target == (5,)


def test_a_chats_own_tokens_are_special_and_its_turns_are_segments(tiny_model) -> None:
    messages = [{"role": "system", "content": "be a bat"}, {"role": "user", "content": "user of\nthe cab?"}]
    encoded = tiny_model.encode(check_prompt(None, messages=messages))
    document = tiny_model.document(encoded, tiny_model.tokenizer("d")["input_ids"])
    said = "".join(t.text for t in document.tokens if t.role == "prompt")
    assert said == "be a bat" + "user of\nthe cab?"
    template = "".join(t.text for t in document.tokens if t.role == "special")
    assert template == ("<|im_start|>system\n<|im_end|>\n<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\n")
    assert [(s.kind, s.name) for s in document.segments] == [
        ("system", "system"), ("user", "user"), ("assistant", "assistant"),
    ]  # fmt: skip
    assert [document.segments[0].start, document.segments[-1].end] == [0, len(document.inputs.ids)]
    for segment in document.segments:
        assert document.tokens[segment.start].text == "<|im_start|>"
    assert document.tokens[-1].role == "generated"


def test_the_ids_of_a_chat_are_the_templates(tiny_model) -> None:
    messages = [{"role": "user", "content": "  the cab "}]
    encoded = tiny_model.encode(check_prompt(None, messages=messages))
    expected = tiny_model.tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    assert list(encoded.inputs.ids) == list(expected)


@pytest.mark.demo
def test_a_system_message_that_the_template_adds_is_the_templates(demo) -> None:
    encoded = demo.encode(check_prompt(None, messages=[{"role": "user", "content": "Why?"}]))
    document = demo.document(encoded, [28])
    assert [s.name for s in document.segments] == ["system", "user", "assistant"]
    assert [t.text for t in document.tokens if t.role == "prompt"] == ["Why", "?"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"text": None}, "There is no text"),
        ({"text": ""}, "The text is empty"),
        ({"text": 3}, "The text is a int"),
        ({"text": None, "messages": []}, "The list messages= is empty"),
        ({"text": "a", "input_ids": [1]}, "2 kinds of text: text and input_ids"),
        ({"text": "a", "target": "b", "target_ids": [1]}, "two kinds of target"),
        ({"text": None, "messages": [{"role": "user"}]}, "lacks its role or its content"),
        (
            {"text": None, "messages": [{"role": "user", "content": [1]}]},
            r"messages\[0\] has content that is no text \(int\)",
        ),
    ],
)
def test_a_prompt_that_contradicts_itself_is_refused(given, message) -> None:
    with pytest.raises(InputError, match=message):
        check_prompt(**given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"text": "a", "target": ""}, "target makes no token"),
        ({"text": "a", "target_ids": ()}, "target makes no token"),
        ({"text": None, "input_ids": [10**6]}, "not in the vocabulary"),
        ({"text": "a", "target_ids": [-1]}, "not in the vocabulary"),
    ],
)
def test_a_prompt_that_the_model_cannot_read_is_refused(tiny_model, given, message) -> None:
    with pytest.raises(InputError, match=message):
        tiny_model.encode(check_prompt(**given))


def test_a_chat_for_a_model_without_a_template_is_refused(tiny_model, monkeypatch) -> None:
    monkeypatch.setattr(tiny_model.tokenizer, "chat_template", None)
    with pytest.raises(InputError, match="no chat template"):
        tiny_model.encode(check_prompt(None, messages=[{"role": "user", "content": "a"}]))


def test_a_template_that_refuses_says_why(tiny_model, monkeypatch) -> None:
    monkeypatch.setattr(tiny_model.tokenizer, "chat_template", "{{ raise_exception('roles must alternate') }}")
    with pytest.raises(InputError, match="roles must alternate"):
        tiny_model.encode(check_prompt(None, messages=[{"role": "user", "content": "a"}]))


def test_a_text_over_the_context_length_names_both_numbers(tiny_model) -> None:
    with pytest.raises(TextTooLong, match="make 150 tokens; tiny-.* reads at most 128"):
        tiny_model.check_length(tiny_model.encode(check_prompt(None, input_ids=[1] * 100)), 50)
