"""Documents that were retrieved for a chat: where the template puts them, and what is lost without one."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

import saliency_widget as sw
from saliency_widget.errors import InputError
from saliency_widget.models.text.prompting import check_prompt, encode_text

from ..families import CHAT, byte_tokenizer, made

FOR_DOCUMENTS = (
    "{% for d in documents or [] %}<|im_start|>document\n{% if d.title %}{{ d.title }}: {% endif %}{{ d.text }}"
    "<|im_end|>\n{% endfor %}" + CHAT
)
TITLES_FIRST = (
    "{% for d in documents %}{{ d.title }}; {% endfor %}{% for d in documents %}{{ d.text }} {% endfor %}" + CHAT
)
QUESTION = [{"role": "user", "content": "which cab?"}]


def tokenizer_of(template: str) -> Any:
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = template
    return tokenizer


def named(template: str, documents: Any) -> dict[str, str]:
    """Return the text of each named segment of the encoded chat."""
    tokenizer = tokenizer_of(template)
    encoded = encode_text(tokenizer, check_prompt(None, messages=QUESTION, documents=documents))
    return {name: tokenizer.decode(encoded.inputs.ids[at.start : at.stop]).strip() for name, at in encoded.named}


def test_each_document_is_a_segment_in_its_place() -> None:
    """Texts alone, or with titles, which name them; two of one title are told apart, and equal texts too."""
    assert named(FOR_DOCUMENTS, ["a bad cab", "a bad cab"]) == {"document 1": "a bad cab", "document 2": "a bad cab"}
    titled = [{"title": "cabs", "text": "the bad one"}, {"title": "cabs", "text": "the dad"}, {"text": "a bat"}]
    expected = {"cabs": "cabs: the bad one", "cabs (2)": "cabs: the dad", "document 3": "a bat"}
    assert named(FOR_DOCUMENTS, titled) == expected
    assert named(TITLES_FIRST, titled[:2]) == {"cabs": "the bad one", "cabs (2)": "the dad"}


@pytest.mark.parametrize(
    ("documents", "said", "cure"),
    [
        ("a cab", "documents= is no list of texts", r"documents=\["),
        ([], "documents= is no list of texts", r"documents=\["),
        (["a cab", " "], r"documents\[1\] holds no text", r"documents=\["),
        ([{"page": 3}], r"documents\[0\] holds no text", r"documents=\["),
    ],
)
def test_what_is_no_list_of_documents_is_refused(documents: Any, said: str, cure: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        check_prompt(None, messages=QUESTION, documents=documents)
    assert re.search(cure, str(caught.value))


def test_a_template_without_a_place_for_documents_says_what_to_do() -> None:
    tokenizer = tokenizer_of(CHAT)
    with pytest.raises(InputError, match="no place for documents.*segments="):
        encode_text(tokenizer, check_prompt(None, messages=QUESTION, documents=["a cab"]))
    with pytest.raises(InputError, match="documents= are for a chat.*segments="):
        check_prompt("which cab?", documents=["a cab"])
    with pytest.raises(InputError, match="Give them once"):
        check_prompt(None, messages=QUESTION, documents=["a"], template={"documents": ["a"]})


@pytest.mark.parametrize("operator", ["delete", "mask"])
def test_the_scores_of_a_document_add_up_to_the_measured_fall_without_it(operator: str) -> None:
    """The probability with all documents less that without one, by plain passes of transformers over the ids."""
    model, tokenizer = made("llama"), tokenizer_of(FOR_DOCUMENTS)
    documents = ["the bad cab", {"title": "bats", "text": "a dad"}]
    a = sw.attribute(
        (model.model, tokenizer), messages=QUESTION, documents=documents, target="cab", method="occlusion",
        unit="segment", operator=operator, progress=False,
    )  # fmt: skip
    ids = torch.tensor([token.id for token in a.rows])
    told = {segment.name: segment for segment in a.segments if segment.kind == "document"}
    assert set(told) == {"document 1", "bats"}

    def probability(kept: list[int]) -> float:
        places = torch.tensor([kept]) if operator == "mask" else torch.arange(len(kept))[None]
        with torch.no_grad():
            given = {"position_ids": places, "attention_mask": torch.ones(1, len(kept)), "use_cache": False}
            logits = model.model(ids[kept][None], **given).logits[0, -1]
        return float(logits.double().softmax(-1)[a.cols[0].id])

    seen = range(a.cols[0].position)
    for segment in told.values():
        fall = probability([*seen]) - probability([i for i in seen if not segment.start <= i < segment.end])
        assert a.scores[segment.start : segment.end, 0].sum() == pytest.approx(fall, rel=1e-5)
        assert fall != 0
