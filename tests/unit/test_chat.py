"""A chat is read completely: its ids are those of the template, or an error names what the template drops."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from saliency_widget.errors import InputError
from saliency_widget.models.text.prompting import check_prompt, encode_text
from tests.families import byte_tokenizer

# Templates of the kinds in use, each in a few lines: what differs between them is what is tested.
TOOLS = (
    "{% if tools %}<|im_start|>system\n{% if messages[0].role == 'system' %}{{ messages[0].content + '\n' }}{% endif %}"
    "# Tools{% for t in tools %}\n{{ t | tojson }}{% endfor %}<|im_end|>\n{% elif messages[0].role == 'system' %}"
    "<|im_start|>system\n{{ messages[0].content }}<|im_end|>\n{% endif %}{% for m in messages %}"
    "{% if m.role == 'tool' %}<|im_start|>user\n<tool_response>{{ m.content }}</tool_response><|im_end|>\n"
    "{% elif m.role != 'system' %}<|im_start|>{{ m.role }}\n{{ m.content or '' }}{% for c in m.tool_calls or [] %}"
    '<tool_call>{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}</tool_call>'
    "{% endfor %}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% if enable_thinking is defined and not enable_thinking %}"
    "<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
FORGETFUL = (  # thinking of earlier turns is no longer read
    "{% for m in messages %}{% set c = m.content %}{% if m.role == 'assistant' and '</think>' in c %}"
    "{% set c = c.split('</think>')[-1].lstrip('\n') %}{% endif %}<|im_start|>{{ m.role }}\n{{ c | trim }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
SPEAKS_FIRST = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
MERGED = (  # the system message is put before the first user's, roles have other names, parts are known
    "{{ bos_token }}{% set ns = namespace(first='') %}{% if messages[0].role == 'system' %}"
    "{% set ns.first = messages[0].content + '\n\n' %}{% set messages = messages[1:] %}{% endif %}"
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
    "<|im_start|>{{ 'model' if m.role == 'assistant' else m.role }}\n{% if loop.first %}{{ ns.first }}{% endif %}"
    "{% if m.content is string %}{{ m.content | trim }}{% else %}{% for part in m.content %}{{ part.text | trim }}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>model\n{% endif %}"
)
LAST = (  # the system message stands in the last turn of the user; one looks at how a content begins
    "{% for m in messages %}{% if m.role == 'user' %}[INST]{% if loop.last and messages[0].role == 'system' %}"
    "{{ messages[0].content }}\n\n{% endif %}{{ m.content }}[/INST]{% elif m.role == 'assistant' %}"
    "{% if m.content.startswith('Yes') %}(agreed) {% endif %}{{ m.content }}<|im_end|>{% endif %}{% endfor %}"
)
TEMPLATES = {
    "tools": TOOLS, "forgetful": FORGETFUL, "speaks first": SPEAKS_FIRST, "merged": MERGED, "last": LAST,
}  # fmt: skip

USER, REPLY = {"role": "user", "content": "the bad cab?"}, {"role": "assistant", "content": "Yes, a cab."}
SYSTEM = {"role": "system", "content": "be a bat"}
THOUGHT = {"role": "assistant", "content": "<think>\nHe asks about a cab.\n</think>\n\nA cab."}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": {"city": "Paris", "days": 3}}}],
}
RESULT = {"role": "tool", "name": "weather", "content": "18 C"}
PARTS = {"role": "user", "content": [{"type": "text", "text": "the bad"}, {"type": "text", "text": " cab"}]}
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CHATS: dict[str, tuple[str, list[Any], dict[str, Any]]] = {
    "one question": ("tools", [USER], {}),
    "a system message": ("tools", [SYSTEM, USER], {}),
    "a call and its result": ("tools", [USER, CALL, RESULT], {}),
    "a call after another": ("tools", [USER, CALL, RESULT, CALL, RESULT], {}),
    "a reply after a call": ("tools", [USER, CALL, RESULT, REPLY, USER], {}),
    "tools that may be called": ("tools", [USER], {"tools": [TOOL]}),
    "tools beside a system message": ("tools", [SYSTEM, USER, CALL, RESULT], {"tools": [TOOL, TOOL]}),
    "thinking switched off": ("tools", [USER], {"template": {"enable_thinking": False}}),
    "a reply that is gone on with": (
        "speaks first", [USER, REPLY], {"template": {"add_generation_prompt": False, "continue_final_message": True}}
    ),
    "a template that speaks first": ("speaks first", [USER, REPLY, USER], {}),
    "its own system message": ("speaks first", [SYSTEM, USER], {}),
    "words that are also a role": ("speaks first", [{"role": "user", "content": "user of\nthe system?"}], {}),
    "white space around": ("forgetful", [{"role": "user", "content": "  the cab \n"}, REPLY, USER], {}),
    "thinking that is forgotten": ("forgetful", [USER, THOUGHT, USER], {}),
    "a system message in the user's": ("merged", [SYSTEM, USER, REPLY, USER], {}),
    "roles of other names": ("merged", [USER, REPLY, USER], {}),
    "parts of text": ("merged", [PARTS], {}),
    "a system message at the end": ("last", [SYSTEM, USER, REPLY, USER], {}),
    "an answer whose beginning counts": ("last", [USER, REPLY, USER], {}),
    "the same words twice": ("last", [USER, {"role": "assistant", "content": "the bad cab?"}, USER], {}),
}  # fmt: skip


def tokenizer_of(template: str) -> Any:
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = template
    return tokenizer


@pytest.mark.filterwarnings("ignore:The chat template leaves out the thinking")
@pytest.mark.parametrize("name", list(CHATS))
def test_the_ids_of_a_chat_are_those_of_its_template(name: str) -> None:
    kind, messages, options = CHATS[name]
    tokenizer = tokenizer_of(TEMPLATES[kind])
    variables = {"add_generation_prompt": True, **options.get("template", {})}
    expected = tokenizer.apply_chat_template(messages, tools=options.get("tools"), return_dict=False, **variables)
    encoded = encode_text(tokenizer, check_prompt(None, messages=messages, **options))
    assert list(encoded.inputs.ids) == list(expected)
    assert encoded.segments is not None
    assert [s.start for s in encoded.segments] == [0, *[s.end for s in encoded.segments[:-1]]]
    assert encoded.segments[-1].end == len(expected)


def given_in(tokenizer: Any, encoded: Any) -> str:
    pairs = zip(encoded.inputs.ids, encoded.roles, strict=True)
    return str(tokenizer.decode([i for i, role in pairs if role == "prompt"]))


@pytest.mark.filterwarnings("ignore:The chat template leaves out the thinking")
@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("a system message", "be a bat" + "the bad cab?"),
        ("a call and its result", 'the bad cab?weather", "arguments": {"city": "Paris18 C'),
        ("tools that may be called", 'weather", "description": "The weather of a citythe bad cab?'),
        ("thinking that is forgotten", "the bad cab?" + "A cab." + "the bad cab?"),
        ("words that are also a role", "user of\nthe system?"),
        ("white space around", "the cab" + "Yes, a cab." + "the bad cab?"),
        ("parts of text", "the bad" + "cab"),
        ("a system message at the end", "the bad cab?" + "Yes, a cab." + "be a bat" + "the bad cab?"),
        ("an answer whose beginning counts", "the bad cab?" + "Yes, a cab." + "the bad cab?"),
    ],
)
def test_what_the_user_gave_is_told_from_what_the_template_writes(name: str, given: str) -> None:
    """The user's texts differ from the template's; a tool, or a call, is one range from its first text to its last."""
    kind, messages, options = CHATS[name]
    tokenizer = tokenizer_of(TEMPLATES[kind])
    assert given_in(tokenizer, encode_text(tokenizer, check_prompt(None, messages=messages, **options))) == given


def test_a_chat_has_a_turn_a_message() -> None:
    tokenizer = tokenizer_of(TOOLS)
    encoded = encode_text(tokenizer, check_prompt(None, messages=[SYSTEM, USER, CALL, RESULT]))
    assert [(s.kind, s.name) for s in encoded.segments or ()] == [
        ("system", "system"), ("user", "user"), ("assistant", "assistant"), ("tool", "tool"),
        ("assistant", "assistant"),
    ]  # fmt: skip
    ids = encoded.inputs.ids
    assert [tokenizer.decode([ids[s.start]]) for s in encoded.segments or ()] == ["<|im_start|>"] * 5


@pytest.mark.parametrize(
    ("template", "messages", "options", "left_out"),
    [
        (SPEAKS_FIRST, [USER, {**CALL, "content": "I look."}, RESULT], {}, "messages[1]['tool_calls'][0]['function']"),
        (SPEAKS_FIRST, [USER], {"tools": [TOOL]}, "tools[0]"),
        (LAST, [SYSTEM, USER, REPLY], {}, "messages[0]['content']"),
        (LAST, [USER, CALL | {"content": "Yes."}, RESULT, USER], {}, "messages[1]['tool_calls']"),
        (TOOLS, [{**USER, "mood": "glad"}], {}, "messages[0]['mood']"),
    ],
)
def test_what_a_template_leaves_out_is_named(template: str, messages: Any, options: Any, left_out: str) -> None:
    with pytest.raises(InputError) as caught:
        encode_text(tokenizer_of(template), check_prompt(None, messages=messages, **options))
    assert f"leaves out {left_out}" in caught.value.message


def test_a_text_that_the_template_writes_otherwise_is_shown_as_the_model_reads_it() -> None:
    upper = tokenizer_of("{% for m in messages %}<|im_start|>{{ m.content | upper }}{% endfor %}")
    assert given_in(upper, encode_text(upper, check_prompt(None, messages=[USER]))) == "THE BAD CAB?"


def test_a_variable_that_the_template_never_looks_at_is_said() -> None:
    prompt = check_prompt(None, messages=[USER], template={"enable_thinkin": False})
    with pytest.raises(InputError, match="has no variable 'enable_thinkin'"):
        encode_text(tokenizer_of(TOOLS), prompt)


def test_thinking_that_is_forgotten_is_told() -> None:
    prompt = check_prompt(None, messages=[USER, THOUGHT, USER])
    with pytest.warns(UserWarning, match=r"leaves out the thinking in messages\[1\]\['content'\]"):
        encode_text(tokenizer_of(FORGETFUL), prompt)
    kept = [{**REPLY, "reasoning_content": "He asks."}, USER]
    with pytest.warns(UserWarning, match=r"thinking in messages\[1\]\['reasoning_content'\]"):
        encode_text(tokenizer_of(TOOLS), check_prompt(None, messages=[USER, *kept]))


@pytest.mark.parametrize("template", [SPEAKS_FIRST, "{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}"])
def test_a_template_that_knows_no_parts_is_given_their_text(template: str) -> None:
    """A template without content parts gets plain text, whether it fails on a list or would print it; likewise None."""
    tokenizer = tokenizer_of(template)
    encoded = encode_text(tokenizer, check_prompt(None, messages=[PARTS]))
    plain = [{"role": "user", "content": "the bad\n cab"}]
    assert list(encoded.inputs.ids) == tokenizer.apply_chat_template(
        plain, add_generation_prompt=True, return_dict=False
    )
    empty = [USER, {"role": "assistant", "content": None}, USER]
    said = tokenizer.decode(encode_text(tokenizer, check_prompt(None, messages=empty)).inputs.ids)
    assert "None" not in said


def test_a_function_is_a_tool_as_its_docstring_says() -> None:
    def weather(city: str) -> str:
        """The weather.

        Args:
            city: where
        """
        return city

    tokenizer = tokenizer_of(TOOLS)
    encoded = encode_text(tokenizer, check_prompt(None, messages=[USER], tools=[weather]))
    expected = tokenizer.apply_chat_template([USER], tools=[weather], add_generation_prompt=True, return_dict=False)
    assert list(encoded.inputs.ids) == list(expected)
    with pytest.raises(InputError, match="cannot be described"):
        check_prompt(None, messages=[USER], tools=[lambda city: city])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"messages": "Hello"}, "messages is a str"),
        ({"messages": {"role": "user", "content": "a"}}, "messages is a dict"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "url": "x"}]}]}, "no text .image."),
        ({"messages": [{"role": 1, "content": "a"}]}, "role must be text"),
        ({"messages": [USER], "tools": {"type": "function"}}, "tools is a dict"),
        ({"messages": [USER], "template": ["x"]}, "template is a list"),
        ({"messages": [USER], "template": {"tokenize": False}}, "'tokenize' is no variable"),
        ({"text": "a", "tools": [TOOL]}, "tools= and template= are for a chat"),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, "A chat message"),
    ],
)
def test_what_is_no_chat_is_said(given: dict[str, Any], message: str) -> None:
    text = given.pop("text", None)
    with pytest.raises(InputError, match=message):
        check_prompt(text, **given)


DOCUMENTS = (
    "{% for d in documents or [] %}<|im_start|>document\n{{ d.title }}: {{ d.text }}<|im_end|>\n{% endfor %}"
    + SPEAKS_FIRST
)


def test_documents_are_text_of_the_user_and_must_be_read() -> None:
    given = {"documents": [{"title": "a cab", "text": "the bad one"}]}
    tokenizer = tokenizer_of(DOCUMENTS)
    encoded = encode_text(tokenizer, check_prompt(None, messages=[USER], template=given))
    expected = tokenizer.apply_chat_template([USER], add_generation_prompt=True, return_dict=False, **given)
    assert list(encoded.inputs.ids) == list(expected)
    assert given_in(tokenizer, encoded) == "a cab" + " the bad one" + "the bad cab?"
    ignored = tokenizer_of("{# documents #}" + SPEAKS_FIRST)
    with pytest.raises(InputError, match=r"leaves out documents\[0\]"):
        encode_text(ignored, check_prompt(None, messages=[USER], template=given))


def test_a_tokenizer_that_names_no_places_is_refused_in_words() -> None:
    tokenizer = tokenizer_of(TOOLS)

    class Slow(type(tokenizer)):
        is_fast = False

    tokenizer.__class__ = Slow
    with pytest.raises(InputError, match="gives no positions of its tokens"):
        encode_text(tokenizer, check_prompt(None, messages=[USER]))


def test_the_users_chat_is_not_touched() -> None:
    """The user's chat is unchanged, even if a template modifies its arguments."""
    changing = "{% for m in messages %}{% set _ = m.update({'content': 'x'}) %}{{ m.content }}<|im_end|>{% endfor %}"
    messages = [dict(USER)]
    with pytest.raises(InputError):
        encode_text(tokenizer_of(changing), check_prompt(None, messages=messages))
    assert messages == [USER]


# ── a rendered chat as text ──────────────────────────────────────────────────────────────────────────────────────


def test_a_rendered_chat_does_not_begin_twice() -> None:
    """A rendered chat gets no second first token from a tokenizer that adds first and last tokens."""
    tokenizer = byte_tokenizer(frame=True)
    first = tokenizer.bos_token_id
    rendered = tokenizer.apply_chat_template([USER], tokenize=False, add_generation_prompt=True)
    assert rendered.startswith(tokenizer.bos_token)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ids = encode_text(tokenizer, check_prompt(rendered)).inputs.ids
        plain = encode_text(tokenizer, check_prompt("the cab")).inputs.ids
    assert ids == tuple(tokenizer(rendered)["input_ids"])[1:]
    assert [ids.index(first), ids[1] == first] == [0, False]
    assert plain == tuple(tokenizer("the cab")["input_ids"])
