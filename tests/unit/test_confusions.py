"""Common mistakes raise errors that name the consequence and the probable intention."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.errors import InputError
from saliency_widget.models.text.prompting import check_prompt, encode_text
from tests.families import byte_tokenizer


@pytest.mark.demo
def test_a_word_without_its_space_is_asked_about(demo: Any) -> None:
    """A target word without its space is an error if the space makes fewer tokens; the rest of a word is accepted."""
    with pytest.raises(InputError) as caught:
        demo.encode(check_prompt("The dog was very", target="cute and"))
    assert "“cute” would continue the word “very”" in caught.value.message
    assert caught.value.cure == "Did you mean target=' cute and'? If not, give target_ids=."
    for text, target in (("The dog was very", " cute"), ("He lives in Wash", "ington"), ("The dog was very", "!")):
        assert len(demo.encode(check_prompt(text, target=target)).target) == 1


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("was very", " the end"),
        ("was very ", "the end"),
        ("was very", "x"),
        ("機器", "學習"),
        ("a.", "the"),
        ("5", "the"),
    ],
)
def test_the_rest_of_a_word_and_what_needs_no_space_is_taken(text: str, target: str) -> None:
    tokenizer = byte_tokenizer()
    encoded = encode_text(tokenizer, check_prompt(text, target=target))
    assert tokenizer.decode([*encoded.inputs.ids, *encoded.target]) == text + target


@pytest.mark.parametrize("texts", [["the cab", "a bat", "a"], np.array(["the cab", "a bat", "a"]), ("a", "b", "c")])
def test_a_list_of_texts_points_to_a_loop(texts: Any) -> None:
    with pytest.raises(InputError, match="There are 3 texts, and a map is of one. Make a map for each"):
        check_prompt(texts)


def test_two_texts_in_a_list_may_be_a_pair() -> None:
    with pytest.raises(InputError, match=r"A pair for a classifier is a tuple: \(first, second\)"):
        check_prompt(["the cab", "a bat"])


@pytest.mark.parametrize("make", [list, tuple, np.array, torch.tensor])
def test_ids_may_come_as_a_tokenizer_gives_them_to_a_model(make: Any) -> None:
    assert check_prompt(None, input_ids=make([[3, 4, 5]])).input_ids == (3, 4, 5)
    assert check_prompt(None, input_ids=make([3, 4, 5]), target_ids=make([[6]])).target_ids == (6,)
    with pytest.raises(InputError, match="input_ids holds 2 texts"):
        check_prompt(None, input_ids=make([[3, 4], [5, 6]]))


def test_several_foils_point_to_a_loop(tiny_model: Any) -> None:
    with pytest.raises(InputError, match="There are 2 foils, and a map has one"):
        sw.attribute(tiny_model, "the cab", foil=["a", "b"], progress=False)


@pytest.mark.parametrize("name", ["truncation", "max_length", "padding"])
def test_nothing_is_cut_off(name: str, tiny_model: Any) -> None:
    with pytest.raises(InputError, match=f"{name}= is a tokenizer's: a map is of the whole text"):
        sw.attribute(tiny_model, "the cab", progress=False, **{name: True})


@pytest.mark.parametrize("text", [b"the cab", np.array("the cab"), {"text": "the cab"}, 5])
def test_what_is_no_text_is_not_taken_for_several(text: Any) -> None:
    with pytest.raises(InputError, match=r"The text is a \w+, not a string"):
        check_prompt(text)
