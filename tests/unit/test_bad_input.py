"""Whatever is asked wrongly gets an error that names the cause and the cure, and the model comes back as it was."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.attribution.methods import METHODS
from saliency_widget.errors import BadScores, InputError, TextTooLong, UnknownName, UnsupportedMethod
from saliency_widget.models.loading.kinds import model_of

from ..families import CLASSIFIERS, byte_tokenizer, made, make

if TYPE_CHECKING:
    from collections.abc import Callable

    from saliency_widget.errors import SaliencyError
    from saliency_widget.models.base import Model


def refused(model: Any, error: type[SaliencyError], message: str, cure: str, **asked: Any) -> None:
    """The question is refused, in these words."""
    given = {"text": "a cab"} | ({} if getattr(model, "name", "")[5:] in CLASSIFIERS else {"target": "dad"}) | asked
    with pytest.raises(error) as caught:
        sw.attribute(model, progress=False, **given)
    assert message in caught.value.message
    assert cure in caught.value.cure


@pytest.fixture
def lent(as_lent: Callable[[Any], None]) -> Callable[[str], Model]:
    """A tiny model of a family; the test fails where it does not come back as it was."""

    def lend(name: str) -> Model:
        as_lent(made(name).model)
        return made(name)

    return lend


# ── foils ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "asked", "message", "cure"),
    [
        ("llama", {"foil": "xyz"}, "'xyz' is 3 tokens ('x' + 'y' + 'z'), and must be one", "leading space included"),
        ("marian", {"foil": "xyz"}, "'xyz' is 3 tokens", "or give its id"),
        ("llama", {"foil": ""}, "'' is 0 tokens, and must be one", "alternatives that the map shows"),
        ("llama", {"foil": " \ud800"}, "The foil holds half a character at 1: U+D800", "Mend it"),
        ("llama", {"foil": "d"}, "The foil 'd' is what the model wrote in column 0, 2", "another token than itself"),
        ("marian", {"foil": "a"}, "wrote in column 1", "another token than itself"),
        ("llama", {"foil": 1.5}, "foil is 1.5, and must be a whole number", "as text, or its id"),
        ("llama", {"foil": True}, "foil is True", "as text, or its id"),
        ("llama", {"foil": ["x"]}, "There are 1 foils", "Make a map for each"),
        ("llama", {"foil": 1.5}, "foil is 1.5", "as text, or its id"),
        ("llama", {"foil": -1}, "Token id -1 is not in the vocabulary of tiny-llama (0 … 265)", "own tokenizer"),
        ("bert", {"foil": "joy", "target": "LABEL_0"}, "There is no class 'joy'", "LABEL_0, LABEL_1, LABEL_2"),
        ("bert", {"foil": 3, "target": "LABEL_0"}, "There is no class 3", "LABEL_0, LABEL_1, LABEL_2"),
        ("bert", {"foil": "LABEL_1"}, "'LABEL_1' is one of the classes that are explained", "with target="),
        ("llama", {"foil": "x", "method": "attention"}, "Attention does not use the objective", "Leave foil= out"),
        ("llama", {"foil": "x", "method": "random"}, "Random does not use the objective", "Leave foil= out"),
        ("llama", {"foil": "x", "objective": "entropy"}, "it has no foil", 'objective="logit"'),
    ],
)  # fmt: skip
def test_a_foil_that_cannot_be(lent, name: str, asked: dict[str, Any], message: str, cure: str) -> None:
    refused(lent(name), InputError, message, cure, **asked)


def test_a_foil_may_be_a_number_of_any_kind() -> None:
    asked = {"text": "a cab", "target": "dad", "progress": False}
    plain = sw.attribute(made("llama"), foil=5, **asked).scores
    np.testing.assert_array_equal(sw.attribute(made("llama"), foil=np.int64(5), **asked).scores, plain)
    np.testing.assert_array_equal(sw.attribute(made("llama"), foil=torch.tensor(5), **asked).scores, plain)


def test_a_foil_is_encoded_as_what_the_model_writes() -> None:
    """Translation tokenizers may have another one for the target's language."""

    class TwoLanguages:
        def __init__(self, tokenizer: Any) -> None:
            self._tokenizer = tokenizer

        def __getattr__(self, name: str) -> Any:
            return getattr(self._tokenizer, name)

        def __call__(self, text: str | None = None, text_target: str | None = None, **options: Any) -> Any:
            return self._tokenizer((text or "") + (text_target or "").upper(), **options)

    model = model_of(made("marian").model, TwoLanguages(made("marian").tokenizer), "two")
    assert model.foil_id("b") == made("marian").tokenizer("B")["input_ids"][0]


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("index", [2, -1, True, 1.0, "0"])
@pytest.mark.parametrize("method", ["attention", "value_zeroing"])
def test_a_layer_that_is_not_there(lent, method: str, index: Any) -> None:
    cause, cure = f"layer={index!r} is out of range: tiny-llama has 2 layers", "Choose 0 … 1"
    refused(lent("llama"), InputError, cause, cure, method=method, layer=index)


@pytest.mark.parametrize("index", [4, -1, False, 0.0, "0"])
def test_a_head_that_is_not_there(lent, index: Any) -> None:
    cause, cure = f"head={index!r} is out of range: tiny-marian has 4 heads", "Choose 0 … 3, or None"
    refused(lent("marian"), InputError, cause, cure, method="attention", head=index)


@pytest.mark.parametrize("steps", [0, -1, True, 1.5, "3", None])
def test_a_number_of_steps_that_is_none(steps: Any) -> None:
    cause = f"steps is {steps!r}, and must be a whole number from 1 on"
    refused(None, InputError, cause, "50 are usual", method="integrated_gradients", steps=steps)


@pytest.mark.parametrize("seed", [-1, True, 0.5, "a", None])
def test_a_seed_that_is_none(seed: Any) -> None:
    refused(
        None, InputError, f"seed is {seed!r}, and must be a whole number from 0 on", "0 on", method="random", seed=seed
    )


@pytest.mark.parametrize(
    ("method", "setting", "wrong", "known"),
    [
        ("occlusion", "unit", "words", "Did you mean word? Known: token, word, sentence, segment, coarse_to_fine."),
        ("occlusion", "operator", "remove", "Known: mask, delete, replace, resample."),
        ("occlusion", "baseline", "padding", "Known: unk, pad, mask, space, zero, mean."),
        ("integrated_gradients", "baseline", "padd", "Did you mean pad? Known: unk, pad, mask, space, zero, mean."),
        ("integrated_gradients", "reduction", "l1", "Did you mean l2? Known: sum, l2."),
        ("input_x_gradient", "reduction", "mean", "Known: sum, l2."),
        ("attnlrp", "rule", "lrp", "Did you mean cp-lrp or attnlrp? Known: attnlrp, cp-lrp."),
    ],
)
def test_a_setting_with_an_unknown_value_offers_the_nearest(method: str, setting: str, wrong: str, known: str) -> None:
    """Also one that is no text at all; and before a model is even loaded."""
    refused(None, UnknownName, f"Unknown {setting} {wrong!r}.", known, method=method, **{setting: wrong})
    for value in (3, ["x"], b"sum"):
        refused(None, UnknownName, f"Unknown {setting} {value!r}.", "Known: ", method=method, **{setting: value})


@pytest.mark.parametrize(
    ("kind", "name"),
    [("method", None), *((kind, name) for kind in ("method", "objective") for name in (3, ["saliency"], ""))],
)
def test_a_name_that_is_no_name(kind: str, name: Any) -> None:
    """None is no method; as an objective it is the usual one."""
    refused(None, UnknownName, f"Unknown {kind} {name!r}.", "Known: ", **{kind: name})


@pytest.mark.parametrize("method", ["occlusion", "integrated_gradients"])
@pytest.mark.parametrize("token", ["mask", "pad", "unk"])
def test_a_baseline_token_that_the_tokenizer_does_not_have(lent, method: str, token: str) -> None:
    cause = f"The tokenizer has no {token} token to stand for nothing."
    refused(lent("bare"), InputError, cause, "Take space or zero or mean.", method=method, baseline=token)


def test_numbers_of_numpy_are_numbers() -> None:
    asked = {"text": "a cab", "target": "dad", "progress": False}
    a = sw.attribute(made("llama"), method="integrated_gradients", steps=np.int32(3), **asked)
    b = sw.attribute(made("llama"), method="integrated_gradients", steps=3, **asked)
    np.testing.assert_array_equal(a.scores, b.scores)
    assert sw.attribute(made("llama"), method="attention", layer=np.int64(1), **asked).settings["layer"] == 1


@pytest.mark.parametrize("budget", [0, -5, 0.5, True, "1GB", float("nan"), float("inf")])
def test_a_memory_budget_that_is_none(budget: Any) -> None:
    refused(None, InputError, f"memory_budget is {budget!r}, and must be", "half of what is free", memory_budget=budget)


def test_a_memory_budget_may_be_written_as_a_float() -> None:
    asked = {"text": "a cab", "target": "dad", "progress": False}
    a, b = (sw.attribute(made("llama"), memory_budget=n, **asked).scores for n in (1e9, None))
    np.testing.assert_array_equal(a, b)


# ── texts, targets and spans ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "message", "cure"),
    [
        ({"text": 5}, "The text is a int, not a string", "input_ids= for ids"),
        ({"text": None}, "There is no text", "input_ids="),
        ({"text": "", "target": "d"}, "The text is empty", "at least one token"),
        ({"text": "a \ud800cab"}, "The text holds half a character at 2: U+D800, a lone surrogate", "Mend it"),
        ({"target": "\udc80"}, "The target holds half a character at 0: U+DC80", '.decode("utf-16", "replace")'),
        (
            {"text": None, "messages": [{"role": "user", "content": "a\udfff"}]},
            "A chat message holds half a character at 1: U+DFFF",
            "Mend it",
        ),
        ({"target": 5}, "The target is a int, not a string", "target_ids= for ids"),
        ({"target": ""}, "The target makes no token", "at least one character"),
        ({"target": None, "target_ids": []}, "The target makes no token", "at least one character"),
        ({"target": None, "target_ids": [266]}, "Token id 266 is not in the vocabulary", "own tokenizer"),
        ({"target": None, "target_ids": [1.5]}, "A token id in target_ids is 1.5", "one after another"),
        ({"target": None, "target_ids": "dad"}, "target_ids is a str, not a list of token ids", "one after another"),
        ({"text": None, "input_ids": []}, "The input_ids is empty", "at least one token"),
        ({"text": None, "input_ids": 5}, "input_ids is a int, not a list of token ids", "one after another"),
        ({"text": None, "input_ids": [[1, 2], 3]}, "A token id in input_ids is [1, 2]", "one after another"),
        ({"text": None, "input_ids": torch.tensor([[1, 2], [3, 4]])}, "input_ids holds 2 texts", "input_ids[0]"),
        ({"text": None, "input_ids": [10**6]}, "Token id 1000000 is not in the vocabulary", "own tokenizer"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0", "at least one token"),
        ({"max_new_tokens": None}, "max_new_tokens is None", "at least one token"),
        ({"span": (2, 2)}, "span=(2, 2) is not a range of the 3 written tokens", "≤ 3"),
        ({"span": (2, 1)}, "span=(2, 1) is not a range", "first < last + 1"),
        ({"span": (0, 4)}, "span=(0, 4) is not a range", "first < last + 1"),
        ({"span": (-1, 2)}, "span=(-1, 2) is not a range", "first < last + 1"),
        ({"span": (0,)}, "span=(0,) is not a range of tokens", "(first, last + 1)"),
        ({"span": 2}, "span=2 is not a range of tokens", "(first, last + 1)"),
        ({"span": "ab"}, "span='ab' is not a range of tokens", "(first, last + 1)"),
        ({"span": (0, None)}, "In span=(0, None) an end is None", "counted from 0"),
        ({"span": (False, True)}, "an end is False", "counted from 0"),
        ({"span": (0, 2), "method": "attention"}, "Attention explains single targets only", "Leave span= out"),
    ],
)
def test_a_text_a_target_or_a_span_that_cannot_be(lent, asked: dict[str, Any], message: str, cure: str) -> None:
    refused(lent("llama"), InputError, message, cure, **asked)


@pytest.mark.parametrize(
    ("name", "asked", "message", "cure"),
    [
        ("bert", {"span": (0, 1)}, "a classifier writes none", "Leave span= out"),
        ("bert_lm", {"span": (0, 2)}, "tiny-bert_lm lets earlier tokens see later ones", "Leave span= out"),
        ("bert", {"target": "joy"}, "There is no class 'joy'", "LABEL_0, LABEL_1, LABEL_2"),
        ("bert", {"target_ids": [3]}, "There is no class 3", "LABEL_0, LABEL_1, LABEL_2"),
        ("bert", {"target_ids": [-1]}, "There is no class -1", "LABEL_0, LABEL_1, LABEL_2"),
        ("bert", {"target_ids": []}, "The target makes no token", "or none"),
        ("bert", {"target_ids": [True]}, "A token id in target_ids is True", "one after another"),
        ("marian", {"target": None, "target_ids": [268]}, "Token id 268 is not in the vocabulary", "(0 … 267)"),
    ],
)
def test_a_target_that_this_kind_of_model_does_not_have(
    lent, name: str, asked: dict[str, Any], message: str, cure: str
) -> None:
    with pytest.raises(InputError) as caught:
        sw.attribute(
            lent(name), progress=False, **({"text": "a cab"} | ({} if name == "bert" else {"target": "dad"}) | asked)
        )
    assert message in caught.value.message
    assert cure in str(caught.value)


@pytest.mark.parametrize("name", ["marian", "bert"])
def test_a_chat_for_a_model_that_takes_none(lent, name: str) -> None:
    chat = [{"role": "user", "content": "a cab"}]
    refused(lent(name), InputError, "This model takes no chat", "Give text=", text=None, messages=chat)


@pytest.mark.parametrize(
    ("name", "text", "target", "message"),
    [
        ("gpt2", "a" * 129, "d", "The text makes 129 tokens; tiny-gpt2 reads at most 128"),
        ("gpt2", "a" * 120, "d" * 9, "The text and what is to be written make 129 tokens"),
        ("marian", "a" * 129, "d", "The text makes 129 tokens; tiny-marian reads at most 128"),
        ("marian", "a", "d" * 128, "The text and what is to be written make 129 tokens"),
        ("bert", "a" * 127, None, "The text makes 129 tokens; tiny-bert reads at most 128"),
        ("roberta", "a" * 125, None, "The text makes 127 tokens; tiny-roberta reads at most 126"),
    ],
)
def test_a_text_that_the_model_has_no_places_for(lent, name: str, text: str, target: Any, message: str) -> None:
    """RoBERTa's places begin after that of its padding token, so it has fewer than it says."""
    refused(lent(name), TextTooLong, message, "Shorten the text", text=text, target=target)


def test_a_text_that_just_fits_is_read() -> None:
    """One token more is refused above."""
    for name, text, target in (("gpt2", "a" * 126, "dd"), ("roberta", "a" * 124, None), ("bert", "a" * 126, None)):
        a = sw.attribute(made(name), text, target=target, method="random", progress=False)
        assert len(a.rows) == (127 if name == "gpt2" else len(text) + 2)


def test_a_tokenizer_may_know_a_shorter_limit(lent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made("distilbert").tokenizer, "model_max_length", 8)
    refused(lent("distilbert"), TextTooLong, "reads at most 8", "Shorten the text", text="a cab and a dad")


# ── models ───────────────────────────────────────────────────────────────────────────────────────────────────────

_SIZE = {
    "vocab_size": 266, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 32,
    "encoder_layers": 1, "decoder_layers": 1, "d_model": 32, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
    "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
    "decoder_start_token_id": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("network", "message", "cure"),
    [
        ("BertForMaskedLM", "is a BertForMaskedLM, which neither writes text nor", "a sequence classifier"),
        ("BertForTokenClassification", "which neither writes text nor classifies it", "a sequence classifier"),
        ("BertForQuestionAnswering", "which neither writes text nor classifies it", "a sequence classifier"),
        ("BertForNextSentencePrediction", "which neither writes text nor classifies it", "a sequence classifier"),
        ("BartForSequenceClassification", "whose outputs cannot be explained here", "a sequence classifier"),
        ("BertModel", "is a BertModel, which neither writes text", "AutoModelForSequenceClassification"),
        ("LlamaModel", "is a LlamaModel, which neither writes text", "AutoModelForCausalLM"),
        ("BartModel", "is a BartModel, which neither writes text", "AutoModelForSeq2SeqLM"),
        ("WhisperForConditionalGeneration", "reads no text but input_features", "Take a model that reads text"),
        ("Wav2Vec2ForCTC", "reads no text but input_values", "Take a model that reads text"),
        ("ViTForImageClassification", "reads no text but pixel_values", "Take a model that reads text"),
    ],
)
def test_a_model_that_neither_writes_text_nor_classifies_it(network: str, message: str, cure: str) -> None:
    import transformers

    cls = getattr(transformers, network)
    refused((cls(cls.config_class(**_SIZE)), byte_tokenizer()), InputError, message, cure)


@pytest.mark.parametrize("method", [m for m in METHODS if METHODS[m].card.family in ("attention", "relevance")])
def test_mamba_says_what_it_lacks_and_which_methods_can(lent, method: str) -> None:
    cure = "Use saliency or occlusion or input_x_gradient or integrated_gradients or shapley or random."
    refused(lent("mamba"), UnsupportedMethod, "MambaForCausalLM", cure, method=method)


def regression() -> Any:
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    return BertForSequenceClassification(BertConfig(**(_SIZE | {"num_labels": 1}))).eval()


@pytest.mark.parametrize("objective", ["probability", "log_probability", "entropy"])
def test_a_regression_has_no_probabilities(objective: str) -> None:
    """The softmax of one number is 1 whatever it is, and its gradient nothing but zeros."""
    name = objective.replace("_", "-")
    pair = (regression(), byte_tokenizer())
    for method in ("saliency", "occlusion"):
        message = f"gives a single number and no classes: there is no {name} to explain"
        refused(pair, InputError, message, 'objective="logit"', method=method, objective=objective, target=None)


def test_a_regression_is_explained_by_its_number() -> None:
    """So it is without a named objective; a method that looks at none needs none."""
    pair = (regression(), byte_tokenizer())
    usual, named = (sw.attribute(pair, "a cab", progress=False, **how) for how in ({}, {"objective": "logit"}))
    assert usual.objective == named.objective == "logit"
    np.testing.assert_array_equal(usual.scores, named.scores)
    assert sw.attribute(pair, "a cab", method="attention", progress=False).scores.sum() == pytest.approx(1)


# ── numbers that are none ────────────────────────────────────────────────────────────────────────────────────────

_LOOKING_AT_THE_OBJECTIVE = [m for m in METHODS if METHODS[m].card.uses_objective]


@pytest.mark.parametrize("method", _LOOKING_AT_THE_OBJECTIVE)
@pytest.mark.parametrize("name", ["llama", "marian", "bert"])
def test_a_weight_that_is_nan_is_an_error_and_never_a_picture(name: str, method: str) -> None:
    model = make(name)
    row = 1 if method == "shapley" and name != "marian" else 0  # the first row of a text never goes, and scores 0
    with torch.no_grad():
        [p for p in model.model.parameters() if p.ndim == 2][-1][0, 0] = float("nan")
    refused(
        model,
        BadScores,
        f"{METHODS[method].card.label} gave nan at row {row}, column 0",
        "NaN or infinite weights",
        method=method,
        **({"steps": 2} if method == "integrated_gradients" else {}),
    )


@pytest.mark.parametrize("name", ["llama", "marian"])
def test_a_model_that_was_nan_for_a_while_is_causal_afterwards(name: str) -> None:
    """Meanwhile nobody can see it; and what could not be seen is not remembered."""
    model = make(name)
    head = model.model.get_output_embeddings()
    handle = head.register_forward_hook(lambda _m, _a, out: out * float("nan"))
    refused(model, BadScores, "gave nan", "NaN or infinite weights")
    handle.remove()
    assert model.shadow().is_causal


@pytest.mark.parametrize("name", ["llama", "llama_both_ways"])
def test_a_token_that_is_ruled_out_does_not_hide_whether_the_model_is_causal(name: str) -> None:
    """By a logit of -inf."""
    model = make(name)
    model.model.lm_head.register_forward_hook(lambda _m, _a, out: out.index_fill(-1, torch.tensor([3]), -torch.inf))
    assert model.shadow().is_causal == (name == "llama")


class _Detached(torch.nn.Module):
    """Custom code that cuts the gradient: what comes in goes on, without its history."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.detach()


@pytest.mark.parametrize("method", ["saliency", "input_x_gradient", "integrated_gradients"])
def test_code_that_cuts_the_gradient_gives_an_error_and_never_zeros(method: str) -> None:
    model = make("llama")
    model.model.model.norm = _Detached()
    refused(model, BadScores, "gave only zeros in column 0", "cuts the gradient", method=method)
    assert np.nansum(np.abs(sw.attribute(model, "a cab", target="dad", method="occlusion", progress=False).scores)) > 0


def quantised(name: str, *, head: bool) -> Model:
    """With linear layers in 8 bits: all of them, or those of the blocks alone."""
    model = make(name, torch.float32)
    network = copy.deepcopy(model.model)
    if head:
        network = torch.ao.quantization.quantize_dynamic(network, {torch.nn.Linear}, dtype=torch.qint8)
    else:
        for part in [m for m in network.modules() if isinstance(m, torch.nn.ModuleList)]:
            torch.ao.quantization.quantize_dynamic(part, {torch.nn.Linear}, dtype=torch.qint8, inplace=True)
    return model_of(network, model.tokenizer, f"tiny-{name}")


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:torch",
    "ignore:torch.ao.quantization:DeprecationWarning",
    "ignore:torch.quantize_per_tensor:UserWarning",
)
@pytest.mark.parametrize("name", ["llama", "marian", "bert"])
@pytest.mark.parametrize("head", [True, False], ids=["all", "blocks"])
def test_quantised_layers_have_no_gradient_and_the_error_says_so(name: str, head: bool) -> None:
    """Torch takes it for 0: along the residual stream something is left that looks like a map."""
    model = quantised(name, head=head)
    for method in ("saliency", "input_x_gradient", "integrated_gradients"):
        cause, cure = "steps that have no gradient, as quantised layers do", "Use occlusion"
        refused(model, UnsupportedMethod, cause, cure, method=method)
    refused(model, UnsupportedMethod, "no relevance rule", "occlusion", method="attnlrp")
    target = {} if name == "bert" else {"target": "dad"}
    a = sw.attribute(model, "a cab", method="occlusion", progress=False, **target)
    assert (np.abs(a.scores[: len(a.rows) - 2]) > 0).any()
