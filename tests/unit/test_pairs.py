"""A classifier reads a pair as its tokenizer encodes it: ids, token types, and two segments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.errors import InputError
from saliency_widget.models.loading.kinds import model_of
from saliency_widget.models.text.changes import Change, Text, changed
from saliency_widget.models.text.pairs import second_of_ids, types_of_ids
from saliency_widget.models.text.prompting import check_prompt

FIRST, SECOND = "how many people live here", "nine live here"
WORDS = f"[PAD] [UNK] [CLS] [SEP] [MASK] {FIRST} nine".split()
CLASSES = {0: "contradiction", 1: "neutral", 2: "entailment"}


def tokenizer_of(single: str, pair: str) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = {word: at for at, word in enumerate(dict.fromkeys([*WORDS, "a", "b"]))}
    made = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    special = [(name, words[name]) for name in ("[CLS]", "[SEP]")]
    made.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=special)
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    return PreTrainedTokenizerFast(tokenizer_object=made, mask_token="[MASK]", model_input_names=inputs, **names)


BERT = ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1")
ROBERTA = ("[CLS] $A [SEP]", "[CLS] $A [SEP] [SEP] $B [SEP]")
XLNET = ("$A [SEP] [CLS]:2", "$A [SEP] $B:1 [SEP]:1 [CLS]:2")


def classifier(tokenizer: Any, seed: int) -> Any:
    """A BERT of random weights, large enough that its classes differ."""
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
        type_vocab_size=3, id2label=CLASSES, label2id={name: at for at, name in CLASSES.items()},
    )  # fmt: skip
    model = BertForSequenceClassification(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.mul_(6)
    return model.double()


@pytest.mark.parametrize("frame", [BERT, ROBERTA, XLNET])
def test_a_pair_is_the_models_own(frame: tuple[str, str]) -> None:
    """Probabilities and a gradient map, against the model on what its tokenizer gives, in float64."""
    tokenizer = tokenizer_of(*frame)
    model = classifier(tokenizer, 4)
    encoding = tokenizer(FIRST, SECOND, return_tensors="pt")
    x = model.get_input_embeddings()(encoding["input_ids"]).detach().requires_grad_()
    rest = {name: value for name, value in encoding.items() if name != "input_ids"}
    p = model(inputs_embeds=x, **rest).logits.softmax(-1)[0]
    gradients = [torch.autograd.grad(one, x, retain_graph=True)[0][0].norm(dim=-1) for one in p]
    a = sw.attribute((model, tokenizer), (FIRST, SECOND), progress=False)
    np.testing.assert_allclose(a.step_scores["probability"], p.detach(), rtol=1e-5)
    np.testing.assert_allclose(a.scores, torch.stack(gradients, dim=1), rtol=1e-5, atol=1e-7)
    by_ids = sw.attribute((model, tokenizer), input_ids=encoding["input_ids"][0].tolist(), progress=False)
    np.testing.assert_array_equal(by_ids.scores, a.scores)
    assert by_ids.segments == a.segments


def test_by_which_text_a_token_is_told() -> None:
    """Without its token types this model gives another class, as every third random one does."""
    tokenizer = tokenizer_of(*BERT)
    changed = 0
    for seed in range(8):
        model = classifier(tokenizer, seed)
        encoding = tokenizer(FIRST, SECOND, return_tensors="pt")
        with torch.no_grad():
            own = model(**encoding).logits.argmax().item()
            untold = model(encoding["input_ids"]).logits.argmax().item()
        changed += own != untold
        a = sw.attribute((model, tokenizer), (FIRST, SECOND), progress=False)
        assert a.step_scores["probability"].argmax() == own
    assert changed > 0


def test_a_pair_is_two_segments_and_their_words_are_rows() -> None:
    tokenizer = tokenizer_of(*BERT)
    a = sw.attribute((classifier(tokenizer, 4), tokenizer), (FIRST, SECOND), method="occlusion", progress=False)
    first, second, classes = a.segments
    assert [first.name, second.name, classes.name] == ["first text", "second text", "classes"]
    assert " ".join(t.text.strip() for t in a.rows[second.start : second.end]) == f"{SECOND} [SEP]"
    by_text = a.aggregate("segment")
    assert [t.position for t in by_text.rows] == [first.start, second.start]


@pytest.mark.parametrize("frame", [BERT, ROBERTA, XLNET])
@pytest.mark.parametrize("texts", [(FIRST,), (FIRST, SECOND), ("how", "nine live"), ("how", "")])
def test_token_types_of_ids_are_the_tokenizers(frame: tuple[str, str], texts: tuple[str, ...]) -> None:
    tokenizer = tokenizer_of(*frame)
    encoding = tokenizer(*texts)
    second = second_of_ids(tokenizer, encoding["input_ids"])
    if texts[-1]:
        assert (second is not None) == (len(texts) == 2)
        assert types_of_ids(tokenizer, encoding["input_ids"], second) == encoding["token_type_ids"]


def test_ids_without_the_tokens_around_them_have_one_type() -> None:
    tokenizer = tokenizer_of(*XLNET)
    ids = tokenizer(FIRST, add_special_tokens=False)["input_ids"]
    assert types_of_ids(tokenizer, ids, second_of_ids(tokenizer, ids)) == [0] * len(ids)


def test_three_texts_in_ids_are_refused() -> None:
    tokenizer = tokenizer_of(*BERT)
    ids = tokenizer(f"{FIRST} [SEP] nine", SECOND)["input_ids"]
    with pytest.raises(InputError, match="more than two texts"):
        sw.attribute((classifier(tokenizer, 4), tokenizer), input_ids=ids, progress=False)


def test_a_model_that_reads_one_text_takes_no_pair(tiny_model: Any) -> None:
    with pytest.raises(InputError, match="reads one text, not a pair"):
        sw.attribute(tiny_model, ("the cab", "a bat"), progress=False)


def test_a_first_text_that_is_edited_keeps_its_second() -> None:
    tokenizer = tokenizer_of(*BERT)
    model = model_of(classifier(tokenizer, 4), tokenizer, "tiny")
    prompt = check_prompt((FIRST, SECOND))
    encoded = model.encode(prompt)
    text = Text(name="", prompt=prompt, encoded=encoded, document=model.document(encoded, ()))
    edited, _ = changed(model, text, Change(text="nine people"))
    assert list(edited.encoded.inputs.ids) == tokenizer("nine people", SECOND)["input_ids"]
    assert list(edited.encoded.inputs.types) == tokenizer("nine people", SECOND)["token_type_ids"]
    struck, _ = changed(model, text, Change(rows=(2,)))
    types = list(encoded.inputs.types)
    assert list(struck.encoded.inputs.types) == types[:2] + types[3:]
