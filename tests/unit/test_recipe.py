"""The Python that shows a text again, read back by Python itself; and the view that it sets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from saliency_widget.checks import check_view
from saliency_widget.errors import InputError
from saliency_widget.models.text.changes import Text
from saliency_widget.models.text.prompting import Encoded, check_prompt
from saliency_widget.session.recipe import recipe
from saliency_widget.types import Inputs

ENCODED = Encoded(inputs=Inputs((), (7, 8)), roles=("prompt", "prompt"), segments=None, target=())


def called(code: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return what a call with these arguments gives, by Python's own reading."""
    found: tuple[tuple[Any, ...], dict[str, Any]] = eval(
        f"(lambda *given, **named: (given, named))({code})", {"model": "the model"}
    )
    return found


@pytest.mark.parametrize(
    "asked",
    [
        {"text": 'He said: "it\'s"\n機器'},
        {"text": ("one", "two")},
        {"text": None, "input_ids": [3, 1, 4]},
        {
            "text": None,
            "messages": [{"role": "user", "content": "Hi"}],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {"strict": True}}}],
            "template": {"enable_thinking": False},
        },
        {"text": "a contract", "segments": {"the word": "contract", "a": (0, 1)}},
    ],
)
def test_the_arguments_give_the_same_prompt(asked: dict[str, Any]) -> None:
    prompt = check_prompt(**asked)
    given, named = called(recipe("demo", Text(name="", prompt=prompt, encoded=ENCODED, document=None)))  # type: ignore[arg-type]
    assert given[0] == "demo"
    assert check_prompt(*(given[1:] or (None,)), **named) == prompt
    written = check_prompt(**asked, target_ids=[1])
    assert check_prompt(*(given[1:] or (None,)), target_ids=[1], **named) == replace(written)


def test_a_model_that_is_an_object_is_called_model_and_a_text_without_a_prompt_has_its_ids() -> None:
    text = Text(name="", prompt=None, encoded=ENCODED, document=None)  # type: ignore[arg-type]
    assert called(recipe(object(), text)) == (("the model",), {"input_ids": [7, 8]})


def test_a_view_is_taken_as_it_is_and_a_wrong_one_says_what_is_right() -> None:
    view = {"by": "word", "threshold": 0.2, "left_out": [[0, 2], (4, 5)], "turned": (1, 2), "measure": "raw"}
    assert check_view(view) == view
    for wrong, cure in (
        ({"by": "letter"}, "'word'"),
        ({"threshold": 2}, "from 0 to 1"),
        ({"left_out": [(2, 1)]}, "(start, end)"),
        ({"turned": "all"}, "(start, end)"),
        ({"colour": 1}, "left_out"),
    ):
        with pytest.raises(InputError) as caught:
            check_view(wrong)
        assert cure in caught.value.cure
