"""A plain text that a chat model ends at once can be asked as a chat; and an end token is never shown first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import saliency_widget as sw
from saliency_widget.export.reading import columns, likeliest
from saliency_widget.models.text.as_chat import may_answer_as_chat
from saliency_widget.models.text.prompting import check_prompt
from saliency_widget.protocol import PROTOCOL
from saliency_widget.types import Token

from ..families import made, make
from .export_cases import fake

ASKED = "What is a cab?"
CHAT = [{"role": "user", "content": ASKED}]


def ending(n: int, *, name: str = "llama") -> Any:
    """Return a model whose end token is the n-th token (from 1) that it writes after `ASKED`."""
    model = make(name)
    written = [t.id for t in sw.attribute(model, ASKED, max_new_tokens=8, method="random", progress=False).cols]
    assert written.index(written[n - 1]) == n - 1, "it was not written before"
    model.model.generation_config.eos_token_id = [written[n - 1]]
    return model


@pytest.fixture
def opened(harness):
    def begin(model: Any, **asked: Any) -> Any:
        h = harness(model, **({"text": ASKED} | asked))
        h.start()
        h.settled()
        return h

    return begin


@pytest.mark.parametrize(("n", "offered"), [(1, True), (2, True), (3, False)])
def test_a_text_that_ends_within_two_written_tokens_can_be_asked_as_a_chat(opened, n: int, offered: bool) -> None:
    h = opened(ending(n))
    assert len(h.controller.attribution.cols) == n
    assert h.last("trail")["as_chat"] is offered


def test_nothing_is_offered_before_it_is_known_that_the_text_is_over(opened) -> None:
    """Nothing is offered for a text that `max_new_tokens` cut off, nor for one of several tokens."""
    h = opened(ending(1))
    assert h.of("trail")[-1]["as_chat"]
    model = ending(3)
    assert not any(m["as_chat"] for m in opened(model).of("trail"))
    assert not any(m["as_chat"] for m in opened(model, max_new_tokens=2).of("trail")), "it was stopped by us"


@pytest.mark.parametrize(
    "asked",
    [
        {"text": None, "messages": CHAT},
        {"text": None, "input_ids": [5, 6, 7]},
        {"target": " d"},
        {"target_ids": [7]},
    ],
    ids="+".join,
)
def test_nothing_is_offered_of_what_was_given_otherwise(opened, asked: Any) -> None:
    """Nothing is offered for a chat, for ids, or for a forced answer, even if the text ends at its first token."""
    model = make("llama")
    whole = sw.attribute(model, **({"text": ASKED} | asked), max_new_tokens=1, method="random", progress=False)
    model.model.generation_config.eos_token_id = [whole.cols[0].id]
    h = opened(model, **asked)
    assert len(h.controller.attribution.cols) <= 2
    assert not any(m["as_chat"] for m in h.of("trail"))


def test_nothing_is_offered_by_a_model_that_has_no_template(opened) -> None:
    model = ending(1)
    model.tokenizer.chat_template = None
    assert not any(m["as_chat"] for m in opened(model).of("trail"))


def test_nothing_is_offered_where_the_template_refuses_a_single_turn(opened) -> None:
    model = ending(1)
    model.tokenizer.chat_template = "{{ raise_exception('a system message comes first') }}"
    assert not any(m["as_chat"] for m in opened(model).of("trail"))


@pytest.mark.parametrize("name", ["marian", "t5", "bert", "gpt2_classifier"])
def test_nothing_is_offered_by_models_that_go_on_with_no_text(opened, name: str) -> None:
    """Nothing is offered by encoder-decoders and classifiers, though the first end at once and all have a template."""
    model = make(name)
    assert model.tokenizer.chat_template
    if name in ("marian", "t5"):
        (first,) = sw.attribute(model, ASKED, max_new_tokens=1, method="random", progress=False).cols
        model.model.generation_config.eos_token_id = [first.id]
    assert not any(m["as_chat"] for m in opened(model).of("trail"))


def test_a_chat_that_the_user_rendered_is_not_plain() -> None:
    """A chat that the user rendered is not plain, because it holds special tokens."""
    model = ending(1)
    rendered = model.tokenizer.apply_chat_template(CHAT, tokenize=False, add_generation_prompt=True)
    end = model.model.generation_config.eos_token_id
    assert may_answer_as_chat(model, check_prompt(ASKED), end)
    assert not may_answer_as_chat(model, check_prompt(rendered), end)


def test_the_end_of_a_turn_counts_where_only_the_tokenizer_names_it() -> None:
    """The end of a turn counts, even if the model's settings name only the end of a text and it continues."""
    model = make("llama")
    end = model.tokenizer.eos_token_id
    assert not model.ends_at(end)
    prompt = check_prompt(ASKED)
    assert may_answer_as_chat(model, prompt, [end, 5, 6, 7])
    assert not may_answer_as_chat(model, prompt, [5, 6, end])


def test_what_is_asked_as_a_chat_is_what_messages_would_have_asked(opened) -> None:
    """The chat has the ids, roles and turns of `messages=`, the same length, method, objective and settings."""
    model = ending(1)
    h = opened(model, max_new_tokens=5)
    h.say("ask", method="occlusion", objective="logit", settings={"operator": "delete"})
    h.settled()
    h.say("as_chat")
    whole = h.settled()
    fresh = sw.attribute(
        model, messages=CHAT, max_new_tokens=5, method="occlusion", objective="logit", operator="delete", progress=False
    )
    assert (whole.rows, whole.cols, whole.segments) == (fresh.rows, fresh.cols, fresh.segments)
    assert (whole.method, whole.objective, whole.settings) == (fresh.method, fresh.objective, fresh.settings)
    np.testing.assert_allclose(whole.scores, fresh.scores, rtol=1e-5, atol=1e-12)
    trail = h.last("trail")
    assert (trail["names"], trail["at"], trail["as_chat"]) == ([ASKED, "as a chat"], 1, False)
    assert h.last("document")["editable"] == ASKED


def test_one_goes_back_to_the_plain_text_and_its_offer_is_there_again(opened) -> None:
    h = opened(ending(1))
    first = h.controller.attribution
    h.say("as_chat")
    h.settled()
    h.say("back", to=0)
    again = h.settled()
    np.testing.assert_array_equal(again.scores, first.scores)
    assert (h.last("trail")["at"], h.last("trail")["as_chat"]) == (0, True)
    h.messages.clear()
    h.say("hello", protocol=PROTOCOL)
    h.wait_for(lambda: h.of("trail"))
    assert h.last("trail")["as_chat"] is True, "a page that comes later hears of it"


def test_a_second_click_changes_nothing(opened) -> None:
    h = opened(ending(1))
    h.say("as_chat")
    h.say("as_chat")
    h.settled()
    assert h.last("trail")["names"] == [ASKED, "as a chat"]
    h.say("as_chat")
    h.settled()
    assert h.last("trail")["names"] == [ASKED, "as a chat"]
    assert not h.of("failed")


def test_named_words_are_found_again_in_the_chat(opened) -> None:
    """Segments given by their words are found again; those given by characters are left out."""
    h = opened(ending(1), segments={"beast": "cab", "start": (0, 1)})
    h.say("as_chat")
    names = [s.name for s in h.settled().segments]
    assert "beast" in names
    assert "start" not in names


@pytest.mark.parametrize(("name", "asked"), [("llama", {"text": None, "input_ids": [5, 6]}), ("bert", {})])
def test_what_cannot_be_asked_as_a_chat_is_said_and_all_stays(opened, name: str, asked: Any) -> None:
    h = opened(made(name), **asked)
    shown = h.controller.attribution
    h.say("as_chat")
    failed = h.failed()
    assert "chat" in failed["message"]
    assert failed["cure"]
    assert h.controller.attribution is shown


# ── the target that is looked at first ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("special", "first"), [([], 1), ([2], 1), ([2, 3], 2), ([4], 1), ([2, 3, 4], 0)])
def test_no_special_token_is_looked_at_first_while_a_word_was_written(special: list[int], first: int) -> None:
    """The static map shows the first word; for a text of special tokens only, the first token."""
    assert likeliest(columns(fake(["Why", "?", "a", " b", " c"], 2, special=special))) == first


def test_the_first_word_that_was_written_is_computed_first(opened) -> None:
    """A page looks at it before anything is chosen, and hears of it before the special token before it."""
    model = made("llama")
    ids = [model.tokenizer.eos_token_id, *model.tokenizer(" a b c")["input_ids"]]
    h = opened(model, target_ids=ids)
    cols: tuple[Token, ...] = h.controller.attribution.cols
    assert (cols[0].role, cols[1].role) == ("special", "generated")
    assert next(m["col"] for m in h.of("column")) == 2, "“a” joins words, and says little by itself"
