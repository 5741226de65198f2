"""Explanations of any question: labels of the user's own, none at all, and why a word was written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.errors import InputError, ServerError
from saliency_widget.explanation import prompts
from saliency_widget.explanation.alignment import words_of
from saliency_widget.explanation.asking import Inquiry, schema_of
from saliency_widget.explanation.choice import HOMEWORK, NOTHING, choice_of
from saliency_widget.explanation.local import asked
from saliency_widget.explanation.placing import place
from saliency_widget.models.text.prompting import continuation

from .parrot import Parrot

TEXT = "a bad cab, the dad's bat"
TOPICS = ["sport", "cooking", "science"]


# ── labels ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_labels_are_written_as_they_are_or_as_they_are_given() -> None:
    assert choice_of(TOPICS).written == TOPICS
    numbered = choice_of({"good": 1, "bad": 0.5, "so so": "?? 3"})
    assert numbered.written == ["1", "0.5", "?? 3"]
    assert numbered.listed == "good (1), bad (0.5), so so (?? 3)"
    assert [numbered.name_of(label) for label in ("bad", None)] == ["bad", "undecided"]
    assert choice_of({"positive": 1, "negative": -1}) == HOMEWORK
    assert (NOTHING.name_of(None), HOMEWORK.name_of(-1)) == ("", "negative")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "There are no labels"),
        (["sport"], "There is one label"),
        ("sport", "labels is one text"),
        (["sport", "Sport"], "written alike"),
        ({"good": 1, "fine": 1}, "written alike"),
        (["sport", " - "], "'-' is no label"),
        (["sport", ""], "is no label"),
    ],
)
def test_labels_that_cannot_be_told_apart_are_refused(labels: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        sw.explain(Parrot(), TEXT, labels=labels, progress=False)


def test_nothing_is_forced_into_classes_that_were_not_given() -> None:
    """A prompt of one's own without labels: no class in the form, none read, no complaint that there is none."""
    client = Parrot('{"words": [{"word": "bad", "importance": 0.9}]}', "It is positive.")
    said = sw.explain(client, TEXT, kind="scores", prompt="How formal is each word of {review}?", progress=False)
    assert client.heard[0][1] == schema_of(NOTHING, "explain first")
    assert list(client.heard[0][1]["properties"]) == ["words"]
    assert (said.label, said.class_name, said.guided) == (None, "", True)
    assert not any("class" in problem for problem in said.problems)
    assert [token.text for token in said.attribution.cols] == ["its answer"]
    prose = sw.explain(client, TEXT, prompt="Is {review} formal?", progress=False)
    assert (prose.label, prose.class_name) == (None, "")
    assert repr(prose).splitlines()[0] == "parrot"


@pytest.mark.parametrize("kind", ["answer", "scores"])
def test_the_built_in_prompt_names_the_labels_and_another_is_told_them(kind: Any) -> None:
    for prompt, where in (
        (None, "labels fits the text"),
        ("{review}: {labels}?", "sport, cooking, science?"),
        ("Is {review} sport, cooking or science?", "bat sport, cooking or science?"),
        ("What is {review} about?", "Answer with one of these labels: sport, cooking, science."),
    ):
        client = Parrot('{"words": [{"word": "cab", "importance": 1}], "class": "cooking"}')
        said = sw.explain(client, TEXT, kind=kind, labels=TOPICS, prompt=prompt, progress=False)
        asked_with = client.heard[0][0][0]["content"]
        assert where in asked_with
        assert said.prompt == asked_with
        assert asked_with.count("cooking") == 1
        assert said.class_name == "cooking"


def test_labels_are_no_field_of_a_template() -> None:
    with pytest.raises(InputError, match="labels is one text"):
        sw.explain(Parrot(), TEXT, prompt="{review} {labels}", labels="mine", progress=False)


def test_what_is_put_into_a_prompt_is_not_looked_at_again() -> None:
    """A label or a text may be written like a field."""
    client = Parrot("x", "x")
    sw.explain(client, "{labels} of a cab", labels=["{review} a", "b"], progress=False)
    assert client.heard[0][0][0]["content"].endswith("best: {review} a, b? Name it, and explain your choice.\n\n"
                                                      "Text: {labels} of a cab")  # fmt: skip
    with pytest.raises(InputError, match="there are none"):
        sw.explain(client, TEXT, prompt="{review}: {labels}?", progress=False)
    with pytest.raises(InputError, match="cannot be called labels"):
        Inquiry(review=TEXT, prompt="{review} {labels}", fields={"labels": "mine"})


def test_the_form_of_an_answer_holds_the_labels_as_they_are_written() -> None:
    kinds = [
        (choice_of(TOPICS), {"type": "string", "enum": TOPICS}),
        (choice_of({"good": 1, "bad": -2}), {"type": "integer", "enum": [1, -2]}),
        (choice_of({"good": 1, "bad": "B"}), {"type": "string", "enum": ["1", "B"]}),
        (HOMEWORK, {"type": "integer", "enum": [1, -1]}),
    ]
    for choice, expected in kinds:
        for order, names in (("explain first", ["words", "class"]), ("predict first", ["class", "words"])):
            form = schema_of(choice, order)
            assert list(form["properties"]) == form["required"] == names
            assert form["properties"]["class"] == expected


@pytest.mark.parametrize(
    ("answer", "labels", "label"),
    [
        ('[("bad", 0.5), ("cab", 1)]\ncooking', TOPICS, "cooking"),
        ('[("bad", 0.5), ("cab", 1)]\nLabel: B', {"sport": "A", "cooking": "B"}, "cooking"),
        ('[("bad", 0.5), ("cab", 1)]\n0', {"good": 1, "bad": 0}, "bad"),
        ('[("bad", 0.5), ("cab", 1)]\n2', [1, 2, 3], 2),
        ('[("bad", 0.5), ("cab", 1)]\nastrology', TOPICS, None),
    ],
)
def test_the_label_is_read_as_it_was_to_be_written(answer: str, labels: Any, label: Any) -> None:
    said = sw.explain(Parrot(answer), TEXT, kind="scores", labels=labels, progress=False)
    assert said.label == label
    assert said.class_name == ("undecided" if label is None else str(label))
    np.testing.assert_array_equal(said.scores[[1, 2]], [0.5, 1])


def test_a_local_model_chooses_among_the_labels_alone(roomy: Any) -> None:
    said = sw.explain(roomy, TEXT, kind="scores", labels=TOPICS, guided=True, progress=False)
    assert said.label in TOPICS
    assert said.text.splitlines()[-1] == said.label
    assert sum(said.label_probabilities.values()) == pytest.approx(1)
    assert said.label_probability == max(said.label_probabilities.values())
    assert dict(said.card.about)["choice"] == "sport, cooking, science"


def test_a_system_message_comes_first() -> None:
    client = Parrot("cooking")
    sw.explain(client, TEXT, labels=TOPICS, system="Be brief.", progress=False)
    assert [message["role"] for message in client.heard[0][0]] == ["system", "user"]
    assert client.heard[0][0][0]["content"] == "Be brief."


# ── why ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_why_is_asked_about_a_word_and_answered_in_words_and_numbers() -> None:
    client = Parrot('Because of the cab.\n\n[("bad", 0.5), ("cab", 1)]')
    said = sw.explain(client, TEXT, kind="why", target=" Positive", progress=False)
    ((messages, schema),) = client.heard
    assert messages[0]["content"].startswith(f"Why did you write “ Positive” after “{TEXT}”?")
    assert schema is None
    assert said.text.startswith("Because")
    assert (said.label, said.class_name, said.target) == (None, "", " Positive")
    np.testing.assert_array_equal(said.scores[[1, 2]], [0.5, 1])
    assert [(token.text, token.role) for token in said.attribution.cols] == [(" Positive", "generated")]


def test_why_needs_the_word() -> None:
    with pytest.raises(InputError, match="no word to ask about") as caught:
        sw.explain(Parrot(), TEXT, kind="why", progress=False)
    assert "target=" in caught.value.cure


def test_a_small_model_gives_its_reasons_freely_and_its_numbers_in_shape(roomy: Any) -> None:
    said = sw.explain(roomy, TEXT, kind="why", target=" cab", max_tokens=8, progress=False)
    free = sw.explain(roomy, TEXT, prompt="Why did you write “ cab” after “{review}”?", max_tokens=8, progress=False)
    assert said.guided
    assert said.prompt == free.prompt
    assert (said.text, said.free) == (free.text, None)
    assert len(said.words) == len(words_of(TEXT))
    assert np.isfinite(said.scores).all()


# ── what was paid for ────────────────────────────────────────────────────────────────────────────────────────────


def test_an_empty_answer_is_not_paid_for_again() -> None:
    client = Parrot("  \n")
    said = sw.explain(client, TEXT, kind="scores", progress=False)
    assert len(client.heard) == 1
    assert (said.text, said.prompt_tokens, said.completion_tokens) == ("  \n", 3, 4)


def test_what_fails_the_second_time_loses_nothing_of_the_first() -> None:
    client = Parrot("It is good.", ServerError("The server fell over.", cure="Ask later."))
    said = sw.explain(client, TEXT, kind="scores", progress=False)
    assert (said.text, said.prompt_tokens, said.completion_tokens) == ("It is good.", 3, 4)
    assert said.problems[-1] == "Asked once more, it failed: The server fell over."


def test_two_requests_cost_what_both_cost() -> None:
    said = sw.explain(Parrot("It is good.", "It is."), TEXT, kind="scores", progress=False)
    assert (said.text, said.prompt_tokens, said.completion_tokens, said.seconds) == ("It is good.", 6, 8, 1.0)


# ── said and done ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("labels", "shared"), [(["cab", "bat"], ""), (["the cab", "the bat"], "the ")])
def test_maps_are_of_the_label_against_the_next_probable_where_they_part(
    roomy: Any, labels: list[str], shared: str
) -> None:
    """Against plain autograd; of two labels that begin alike, what they share is written before."""
    found = sw.say_versus_do(roomy, TEXT, labels=labels, methods=["input_x_gradient"], askings=1, progress=False)
    said = found.explanation
    assert said.label_probabilities is not None
    mine, next_one = sorted(said.label_probabilities, key=said.label_probabilities.__getitem__)[:-3:-1]
    encoded = roomy.encode(asked(roomy, [{"role": "user", "content": said.prompt}]))
    ids = list(encoded.inputs.ids)
    written, other = (list(continuation(roomy.tokenizer, None, ids, text)) for text in (mine, next_one))
    at = next(i for i, (a, b) in enumerate(zip(written, other, strict=False)) if a != b)
    assert roomy.tokenizer.decode(written[:at]).strip() == shared.strip()
    x = roomy.model.get_input_embeddings()(torch.tensor([ids + written[:at]])).detach().requires_grad_()
    logits = roomy.model(inputs_embeds=x, use_cache=False).logits[0, -1]
    (gradient,) = torch.autograd.grad(logits[written[at]] - logits[other[at]], x)
    products = (gradient[0] * x[0]).sum(-1).detach().numpy()
    groups = place(TEXT, words_of(TEXT), roomy.document(encoded, written[: at + 1]).rows)
    assert groups is not None
    expected = [products[group].sum() for group in groups]
    np.testing.assert_allclose(found.sides[0].map.scores[:, 0], expected, rtol=1e-4, atol=1e-6)
    assert found.sides[0].map.foil == next_one
    assert f"answered {mine}" in repr(found)


def test_a_label_that_begins_another_is_refused_by_the_maps(roomy: Any) -> None:
    with pytest.raises(InputError, match="begin alike, and one ends there"):
        sw.say_versus_do(roomy, TEXT, labels=["cab", "cab driver"], askings=1, progress=False)


def test_wordings_with_labels_ask_for_the_label_first() -> None:
    for text in prompts.CHOOSE_PARAPHRASES:
        assert prompts.order_of(text) == "predict first"
        request = Inquiry(review=TEXT, kind="scores", prompt=text, choice=choice_of(TOPICS))
        assert request.content.index("<label>") < request.content.index("[(<word")
        assert "sport, cooking, science" in request.content
