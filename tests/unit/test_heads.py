"""The heads' weights equal the scores of `attention` for one layer and one head."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.attribution import heads
from saliency_widget.models.loading.kinds import model_of
from saliency_widget.protocol import PROTOCOL

from ..families import CLASSIFIERS, byte_tokenizer, made
from .harness import before_each_pass

TEXT, TARGET = "a cab. Bad", "dad"


def lfm2() -> Any:
    """Convolutions in the first and last layer, attention in those between."""
    from transformers import Lfm2Config, Lfm2ForCausalLM

    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    none = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"))
    config = Lfm2Config(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, layer_types=["conv", "full_attention", "full_attention", "conv"], **none,
    )  # fmt: skip
    model = Lfm2ForCausalLM(config).double().eval()
    for parameter in model.parameters():
        parameter.data.normal_(0, 0.3)
    return model_of(model, tokenizer, "tiny-lfm2")


@pytest.fixture(scope="module")
def hybrid() -> Any:
    return lfm2()


@pytest.mark.parametrize(
    "name", ["llama", "gpt_neo", "bloom", "marian", "t5", "bart", "bert", "gpt2_classifier", "lfm2"]
)
def test_each_head_is_what_attention_gives_for_it_alone(harness, as_lent, hybrid, name: str) -> None:
    model = hybrid if name == "lfm2" else made(name)
    as_lent(model.model)
    own = {} if name in CLASSIFIERS else {"target": TARGET}
    h = harness(model, text=TEXT, **own)
    h.start()
    rows = h.settled().rows
    h.say("heads", col=1, request=7)
    h.settled()
    told = h.last("heads")
    assert told["request"] == 7
    assert told["layers"] == ([1, 2] if name == "lfm2" else [0, 1])
    assert h.heads.shape == (2, 4, len(rows)) == (len(told["layers"]), told["n_heads"], told["n_rows"])
    assert (told["doc"], told["col"]) == (1, 1)
    for at, layer in enumerate(told["layers"]):
        for head in range(4):
            alone = sw.attribute(model, TEXT, **own, method="attention", layer=layer, head=head, progress=False)
            np.testing.assert_allclose(h.heads[at, head], alone.scores[:, 1], atol=1e-6)


def test_it_takes_one_pass_and_is_told_once(tiny_model, harness) -> None:
    h = harness(tiny_model, text=TEXT, target=TARGET)
    h.start()
    h.settled()
    h.say("heads", col=1)  # what a model's attention needs to be trusted is tried once, whichever test came first
    h.wait_for(lambda: h.heads is not None)
    passes = []
    with before_each_pass(tiny_model, lambda *_: passes.append(1)):
        h.say("heads", col=2)
        h.wait_for(lambda: h.last("heads")["col"] == 2)
        h.settled()
    assert len(passes) == 1
    h.messages.clear()
    h.say("hello", protocol=PROTOCOL)
    h.settled()
    assert not h.of("heads")


def test_where_there_is_no_attention_the_reason_is_said(harness) -> None:
    h = harness(made("mamba"), text=TEXT, target=TARGET)
    h.start()
    h.settled()
    h.say("heads", col=0, request=7)
    assert "has no attention" in h.failed()["message"]
    assert h.of("unanswered") == [{"type": "unanswered", "request": 7}]


def test_more_heads_than_a_page_can_show_are_refused(tiny_model, harness, monkeypatch) -> None:
    monkeypatch.setattr(heads, "MAX_HEAD_WEIGHTS", 50)
    h = harness(tiny_model, text=TEXT, target=TARGET)
    h.start()
    h.settled()
    h.say("heads", col=0)
    failed = h.failed()
    assert "88 attention weights" in failed["message"]
    assert "layer=" in failed["cure"]
    assert "head=" in failed["cure"]
