"""The kind of a model is found from transformers' tables or the abilities of an object, without a list of families."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import transformers

import saliency_widget as sw
from saliency_widget.errors import DamagedFile, InputError
from saliency_widget.export.figures import significant
from saliency_widget.models.causal import CausalModel
from saliency_widget.models.classifier import ClassifierModel
from saliency_widget.models.loading.load import load_model
from saliency_widget.models.seq2seq import Seq2SeqModel
from tests.families import byte_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOKENIZER = byte_tokenizer(pad="<|pad|>", mask="<|mask|>")
N = len(TOKENIZER)
IDS, TARGET = [70, 71, 72], [40, 41]
_TEXT = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 48, "max_position_embeddings": 128, "vocab_size": N, "bos_token_id": None,
    "eos_token_id": None, "pad_token_id": None,
}  # fmt: skip
_EYE = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "image_size": 8,
    "patch_size": 4,
}  # fmt: skip
_ROPE = {"rope_type": "default", "mrope_section": [2, 1, 1], "rope_theta": 1e4}


pytestmark = pytest.mark.usefixtures("nothing_shared", "no_network")


def tiny(network: str, **settings: Any) -> Any:
    """A random model of a class of transformers, away from the flat start, where every logit is nearly the same."""
    torch.manual_seed(0)
    cls = getattr(transformers, network)
    model = cls(cls.config_class(**settings)).eval()
    for parameter in model.parameters():
        parameter.data.normal_(0, 0.3)
    return model


def saved(model: Any, folder: Path) -> Path:
    """The model in a folder, with its tokenizer and with nothing that reads pictures."""
    model.save_pretrained(folder)
    TOKENIZER.save_pretrained(folder)
    return folder


# ── models that see or hear, and read text ───────────────────────────────────────────────────────────────────────

MULTIMODAL: dict[str, Callable[[], Any]] = {
    "qwen2_vl": lambda: tiny(
        "Qwen2VLForConditionalGeneration",
        text_config=_TEXT | {"rope_parameters": _ROPE},
        vision_config={"embed_dim": 16, "hidden_size": 32, "depth": 1, "num_heads": 2, "patch_size": 4},
        image_token_id=N - 1,
        video_token_id=N - 2,
        vision_start_token_id=N - 3,
        vision_end_token_id=N - 4,
    ),
    "smolvlm": lambda: tiny(
        "SmolVLMForConditionalGeneration",
        text_config=_TEXT | {"model_type": "llama"},
        vision_config=_EYE | {"model_type": "smolvlm_vision"},
        image_token_id=N - 1,
        scale_factor=2,
    ),
    "idefics3": lambda: tiny(
        "Idefics3ForConditionalGeneration",
        text_config=_TEXT | {"model_type": "llama"},
        vision_config=_EYE,
        image_token_id=N - 1,
        scale_factor=2,
    ),
    "gemma3": lambda: tiny(
        "Gemma3ForConditionalGeneration",
        text_config=_TEXT | {"head_dim": 8, "sliding_window": 4},
        vision_config=_EYE | {"model_type": "siglip_vision_model"},
        image_token_id=N - 1,
        mm_tokens_per_image=1,
    ),
    "llava": lambda: tiny(
        "LlavaForConditionalGeneration",
        text_config=_TEXT | {"model_type": "llama"},
        vision_config=_EYE | {"model_type": "clip_vision_model"},
        image_token_index=N - 1,
    ),
    "qwen2_audio": lambda: tiny(
        "Qwen2AudioForConditionalGeneration",
        text_config=_TEXT | {"model_type": "qwen2"},
        audio_config={"d_model": 16, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 16},
        audio_token_index=N - 1,
    ),
}


@pytest.mark.parametrize("name", MULTIMODAL)
def test_a_model_that_sees_or_hears_is_loaded_as_one_that_writes(name: str, tmp_path: Path) -> None:
    """From a folder with a tokenizer and no image processor: the logits of its own plain call, to the last bit."""
    model = MULTIMODAL[name]()
    loaded = load_model(saved(model, tmp_path / name), device="cpu")
    assert type(loaded) is CausalModel
    assert type(loaded.model) is type(model)
    ids = torch.tensor([IDS + TARGET])
    with torch.no_grad():
        assert torch.equal(loaded.model(input_ids=ids).logits, model(input_ids=ids).logits)
    assert type(load_model((model, TOKENIZER))) is CausalModel


@pytest.mark.parametrize("name", MULTIMODAL)
def test_its_map_of_a_text_is_right(name: str) -> None:
    """Saliency is the norm of the gradient by the embeddings that transformers itself takes as `inputs_embeds`."""
    model = MULTIMODAL[name]().double()
    a = sw.attribute((model, TOKENIZER), input_ids=IDS, target_ids=TARGET, progress=False)
    x = model.get_input_embeddings()(torch.tensor([IDS + TARGET[:1]])).detach().requires_grad_()
    probabilities = model(inputs_embeds=x).logits[0, -2:].softmax(-1)
    for j, target in enumerate(TARGET):
        n = len(IDS) + j
        (gradient,) = torch.autograd.grad(probabilities[j, target], x, retain_graph=True)
        # rtol: rotations, some norms and softmaxes are computed in float32
        np.testing.assert_allclose(a.scores[:n, j], gradient[0, :n].norm(dim=-1), rtol=1e-4)
        np.testing.assert_allclose(a.step_scores["probability"][j], probabilities[j, target].detach(), rtol=1e-5)


def test_one_with_an_encoder_translates(tmp_path: Path) -> None:
    """A model that sees, with an encoder and a decoder for text, is loaded as one that turns a text into another."""
    text = {
        "model_type": "bart", "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
        "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "vocab_size": N, "bos_token_id": 0,
        "max_position_embeddings": 64, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2,
        "forced_eos_token_id": None,
    }  # fmt: skip
    four = [1, 1, 1, 1]
    eye = {"embed_dim": [8] * 4, "num_heads": four, "num_groups": four, "depths": four, "projection_dim": 32}
    model = tiny(
        "Florence2ForConditionalGeneration",
        text_config=text,
        vision_config=eye | {"window_size": 4},
        image_token_id=N - 1,
        is_encoder_decoder=True,
    )
    loaded = load_model(saved(model, tmp_path / "florence"))
    assert type(loaded) is Seq2SeqModel
    inputs = {"input_ids": torch.tensor([IDS]), "decoder_input_ids": torch.tensor([[2, *TARGET]])}
    with torch.no_grad():
        assert torch.equal(loaded.model(**inputs).logits, model(**inputs).logits)


def test_a_processor_stands_for_its_tokenizer() -> None:
    """People hand over what they have: the processor, which holds a tokenizer and what reads pictures."""
    processor = type("Processor", (), {"tokenizer": TOKENIZER, "decode": TOKENIZER.decode})()
    model = MULTIMODAL["smolvlm"]()
    assert load_model((model, processor)).tokenizer is TOKENIZER
    pipeline = type("ImageTextToTextPipeline", (), {"__module__": "transformers.pipelines.image_text_to_text"})()
    pipeline.model, pipeline.tokenizer, pipeline.processor = model, None, processor
    assert load_model(pipeline).tokenizer is TOKENIZER


# ── models that neither write nor classify ───────────────────────────────────────────────────────────────────────

_SMALL = {"vocab_size": N, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
_T5 = {"vocab_size": N, "d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
_BART = {
    "vocab_size": N, "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16,
}  # fmt: skip
_DISTIL = {"vocab_size": N, "dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 16}
UNABLE: dict[str, dict[str, Any]] = {
    "BertModel": _SMALL,
    "DistilBertModel": _DISTIL,
    "T5EncoderModel": _T5,
    "LlamaModel": _SMALL,  # its head is not its table of embeddings, so that there is none
    "CLIPTextModel": _SMALL,
    "BertForMaskedLM": _SMALL,
    "BertForPreTraining": _SMALL,
    "BertForNextSentencePrediction": _SMALL,
    "BertForTokenClassification": _SMALL,
    "BertForQuestionAnswering": _SMALL,
    "BertForMultipleChoice": _SMALL,
    "DPRQuestionEncoder": _SMALL,
}


@pytest.mark.parametrize("network", UNABLE)
def test_a_model_that_neither_writes_nor_classifies_is_told_so(network: str, tmp_path: Path) -> None:
    """From a folder, which is not damaged, and as an object: its class, what it lacks, and what to take instead."""
    model = tiny(network, **UNABLE[network])
    for source in (saved(model, tmp_path / "able"), (model, TOKENIZER)):
        with pytest.raises(InputError, match=f"is a {network}, which neither writes text nor classifies it") as caught:
            load_model(source)
        assert "writes text" in caught.value.cure
        assert '"demo"' in caught.value.cure


@pytest.mark.parametrize(
    ("network", "settings"),
    [
        ("ViTForImageClassification", _EYE),
        ("WhisperForConditionalGeneration", _BART | {"pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0}),
    ],
)
def test_what_reads_no_text_is_told_so(network: str, settings: dict[str, Any], tmp_path: Path) -> None:
    """A folder is refused by what its config says; an object by what it takes."""
    model = tiny(network, **settings)
    with pytest.raises(InputError, match=f"is a {network}, which neither writes"):
        load_model(saved(model, tmp_path / "able"))
    with pytest.raises(InputError, match=f"reads no text but {model.main_input_name}"):
        load_model((model, TOKENIZER))


@pytest.mark.parametrize(("network", "settings"), [("BartModel", _BART), ("GPT2Model", {"vocab_size": N, "n_embd": 8})])
def test_a_bare_decoder_whose_head_is_its_embeddings_writes(
    network: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    """Saved without a head that holds no weights of its own, as facebook/bart-base is: nothing is missing."""
    small = {"n_layer": 1, "n_head": 2} if network == "GPT2Model" else {}
    model = tiny(network, **settings, **small)
    loaded = load_model(saved(model, tmp_path / "bare"))
    assert torch.equal(loaded.model.get_output_embeddings().weight, model.get_input_embeddings().weight)
    with pytest.raises(InputError, match=f"is a {network}, which neither"):
        load_model((model, TOKENIZER))  # this object has no head, as it stands


def test_damage_beneath_the_head_is_damage(tmp_path: Path) -> None:
    """A bare model that lacks a layer's weights is not excused by its class."""
    from safetensors.torch import load_file, save_file

    folder = saved(tiny("BartModel", **_BART), tmp_path / "bare")
    state = load_file(folder / "model.safetensors")
    del state["encoder.layers.0.fc1.weight"]
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(DamagedFile, match=r"lacks weights: model\.encoder\.layers\.0\.fc1\.weight"):
        load_model(folder)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # peft asks for it
def test_a_wrapper_does_not_hide_what_a_model_is() -> None:
    """torch.compile and peft put their own class around it: a bare encoder stays one, a classifier too."""
    from peft import LoraConfig, get_peft_model

    bare, classes = (tiny(name, **_SMALL) for name in ("BertModel", "BertForSequenceClassification"))
    for wrapped in (
        lambda model: torch.compile(model, backend="eager"),
        lambda model: get_peft_model(model, LoraConfig(target_modules=["query"])),
    ):
        with pytest.raises(InputError, match="is a BertModel, which neither"):
            load_model((wrapped(bare), TOKENIZER))
        assert type(load_model((wrapped(classes), TOKENIZER))) is ClassifierModel


def test_a_model_without_token_embeddings(tmp_path: Path) -> None:
    """CANINE hashes characters, and has no row for any: one sentence, from its folder and as an object."""
    model = tiny("CanineForSequenceClassification", **{k: v for k, v in _SMALL.items() if k != "vocab_size"})
    tokenizer = transformers.CanineTokenizer()
    model.save_pretrained(tmp_path / "letters")
    tokenizer.save_pretrained(tmp_path / "letters")
    for source in (tmp_path / "letters", (model, tokenizer)):
        with pytest.raises(InputError, match="no table of token embeddings") as caught:
            load_model(source)
        assert "vocabulary" in caught.value.cure


def test_a_tokenizer_of_bytes_has_no_file(tmp_path: Path) -> None:
    """A folder whose tokenizer needs no vocabulary is whole without one."""
    tokenizer = transformers.ByT5Tokenizer()
    model = tiny("T5ForConditionalGeneration", **_T5 | {"vocab_size": len(tokenizer)})
    model.save_pretrained(tmp_path / "bytes")
    tokenizer.save_pretrained(tmp_path / "bytes")
    loaded = load_model(tmp_path / "bytes")
    assert loaded.tokenizer("ab").input_ids == tokenizer("ab").input_ids


# ── what a pipeline puts on the logits of a classifier ───────────────────────────────────────────────────────────


def classifier(**settings: Any) -> Any:
    return tiny("BertForSequenceClassification", **_SMALL | {"max_position_embeddings": 64} | settings)


def pipeline(model: Any, **settings: Any) -> Any:
    return transformers.pipeline("text-classification", model=model, tokenizer=TOKENIZER, **settings)


def printed(pipe: Any, text: str) -> list[float]:
    """The score of each class, in the order of the classes."""
    scores = {entry["label"]: entry["score"] for entry in pipe(text, top_k=None)}
    return [scores[label] for label in pipe.model.config.id2label.values()]


@pytest.mark.parametrize("function", [None, "softmax", "sigmoid"])
@pytest.mark.parametrize(
    "settings",
    [
        {"num_labels": 3},
        {"num_labels": 3, "problem_type": "multi_label_classification"},
        {"num_labels": 3, "problem_type": "single_label_classification"},
        {"num_labels": 1},
    ],
)
def test_the_probability_is_the_one_that_the_pipeline_prints(function: str | None, settings: dict[str, Any]) -> None:
    """Its function_to_apply comes before what the model was trained with, and the user's config stays as it was."""
    model = classifier(**settings)
    before = model.config.to_dict()
    pipe = pipeline(model, **({} if function is None else {"function_to_apply": function}))
    a = sw.attribute(pipe, "a cab", method="random", progress=False)
    np.testing.assert_allclose(a.step_scores["probability"], printed(pipe, "a cab"), atol=1e-6)  # of float32
    assert model.config.to_dict() == before


def test_a_sigmoid_is_explained_as_one() -> None:
    """Saliency of a pipeline with a sigmoid: the gradient of each class by itself. Without one the softmax is kept."""
    model = classifier(num_labels=3).double()
    ids = TOKENIZER("a cab")["input_ids"]
    x = model.get_input_embeddings()(torch.tensor([ids])).detach().requires_grad_()
    logits = model(inputs_embeds=x).logits[0]
    for source, values in (
        (pipeline(model, function_to_apply="sigmoid"), logits.sigmoid()),
        ((model, TOKENIZER), logits.softmax(-1)),
    ):
        a = sw.attribute(source, "a cab", progress=False)
        for j in range(3):
            (gradient,) = torch.autograd.grad(values[j], x, retain_graph=True)
            np.testing.assert_allclose(a.scores[:, j], gradient[0].norm(dim=-1), rtol=1e-5)


@pytest.mark.parametrize(
    ("function", "settings", "gives"),
    [
        ("none", {"num_labels": 3}, "raw scores and no probabilities"),
        ("none", {"num_labels": 1}, "a single number and no classes"),
        (None, {"num_labels": 1, "problem_type": "regression"}, "a single number and no classes"),
        (None, {"num_labels": 3, "problem_type": "regression"}, "raw scores and no probabilities"),
    ],
)
def test_raw_scores_are_no_probabilities(
    function: str | None, settings: dict[str, Any], gives: str, tmp_path: Path
) -> None:
    """A pipeline that prints the logits has its logits explained, and nothing that would need a probability."""
    model = classifier(**settings).double()
    pipe = pipeline(model, **({} if function is None else {"function_to_apply": function}))
    for objective in ("probability", "log_probability", "entropy"):
        with pytest.raises(InputError, match=gives) as caught:
            sw.attribute(pipe, "a cab", objective=objective, progress=False)
        assert 'objective="logit"' in caught.value.cure
    a = sw.attribute(pipe, "a cab", progress=False)
    assert a.objective == "logit"
    x = model.get_input_embeddings()(torch.tensor([TOKENIZER("a cab")["input_ids"]])).detach().requires_grad_()
    logits = model(inputs_embeds=x).logits[0]
    np.testing.assert_allclose(a.step_scores["value"], logits.detach(), rtol=1e-6)
    assert np.isnan(a.step_scores["probability"]).all()
    shown = [significant(logit) for logit in logits.detach().float().tolist()]
    assert all(number in repr(a) and f" = {number}" in a.to_html() for number in shown[:1])
    assert "p = " not in a.to_html()
    a.save(tmp_path / "map.safetensors")
    np.testing.assert_array_equal(
        sw.Attribution.load(tmp_path / "map.safetensors").step_scores["value"], a.step_scores["value"]
    )
    for j, logit in enumerate(logits):
        (gradient,) = torch.autograd.grad(logit, x, retain_graph=True)
        np.testing.assert_allclose(a.scores[:, j], gradient[0].norm(dim=-1), rtol=1e-5)
    assert sw.attribute(pipe, "a cab", method="attention", progress=False).scores.shape[1] == settings["num_labels"]
