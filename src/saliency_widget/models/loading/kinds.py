"""The kind of a model (causal, encoder-decoder, classifier), and the class of transformers that loads it.

No family is named here: transformers' tables decide for a checkpoint, the abilities of a model for an object.
"""

from __future__ import annotations

from typing import Any

from ...errors import InputError
from ..base import Model
from ..causal import CausalModel
from ..classifier import Applied, ClassifierModel
from ..inside.shadow import bare
from ..seq2seq import Seq2SeqModel

_OTHER_TASKS = (
    "ForTokenClassification",
    "ForQuestionAnswering",
    "ForMultipleChoice",
    "ForMaskedLM",
    "ForPreTraining",
    "ForNextSentencePrediction",
    "ForTextToSpeech",
    "ForFeatureExtraction",
)
_CURE = (
    'Take a model that writes text (GPT, Llama, Marian, T5 …) or a sequence classifier (BERT …); "demo" always works.'
)

_WITH_HEAD = (
    "If its checkpoint has a head, load it with AutoModelForCausalLM, AutoModelForSeq2SeqLM or "
    "AutoModelForSequenceClassification."
)


def kind_of(config: Any, architecture: str, name: str) -> type[Model]:
    """Return the kind of a model with this config and class. Raises: InputError if it cannot be explained."""
    two_parts = getattr(config, "is_encoder_decoder", False)
    if architecture.endswith(_OTHER_TASKS):
        raise no_head_error(name, architecture)
    if architecture.endswith("ForSequenceClassification"):
        if two_parts:
            raise InputError(f"{name} is a {architecture}, whose outputs cannot be explained here.", cure=_CURE)
        return ClassifierModel
    return Seq2SeqModel if two_parts and not architecture.endswith("ForCausalLM") else CausalModel


def loader_of(kind: type[Model], config: Any, architecture: str, name: str) -> str:
    """Return the Auto class that loads a checkpoint of this kind: the one for text only, if there are several.

    Multimodal models are loaded completely, but only read text.
    Raises: InputError if transformers has none.
    """
    tables = _tables(kind)
    model_type = getattr(config, "model_type", "")
    named = [loader for loader, names in tables.items() if architecture and names.get(model_type) == architecture]
    known = [loader for loader, names in tables.items() if model_type in names]
    own = [loader for loader in tables if loader in (getattr(config, "auto_map", None) or {})]  # remote code
    found = named or own or known
    if not found:
        raise no_head_error(name, architecture or type(config).__name__)
    return found[0]


def model_of(model: Any, tokenizer: Any, name: str, applied: Applied | None = None) -> Model:
    """Wrap a transformers model as a `Model`. `applied`: see `ClassifierModel`; other kinds ignore it.

    Raises: InputError for a model that cannot be explained; its subclass UnsupportedMethod for virtual tokens.
    """
    if getattr(model, "main_input_name", "input_ids") != "input_ids":
        raise InputError(f"{name} reads no text but {model.main_input_name}.", cure="Take a model that reads text.")
    inner = bare(model)  # a wrapper's class tells nothing about the model
    architecture = type(inner).__name__
    kind = kind_of(getattr(model, "config", None), architecture, name)
    if kind is not ClassifierModel and _has_no_head(inner):
        raise InputError(no_head_error(name, architecture).message, cure=f"{_WITH_HEAD} {_CURE}")
    if not _has_embeddings(model):
        raise InputError(
            f"{name} ({architecture}) has no table of token embeddings, which every map needs.",
            cure='Take a model with a vocabulary of tokens; "demo" always works.',
        )
    if kind is ClassifierModel:
        return ClassifierModel(model, tokenizer, name=name, applied=applied)
    return kind(model, tokenizer, name=name)


def no_head_error(name: str, architecture: str) -> InputError:
    """Return the error for a model without a head, or with one for another task."""
    return InputError(f"{name} is a {architecture}, which neither writes text nor classifies it.", cure=_CURE)


def _tables(kind: type[Model]) -> dict[str, dict[str, str]]:
    """Return the Auto classes that may load a kind, with their class for each model type; those for text come first."""
    from transformers.models.auto import modeling_auto as auto

    if kind is ClassifierModel:
        return {"AutoModelForSequenceClassification": auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES}
    text = (
        {"AutoModelForSeq2SeqLM": auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES}
        if kind is Seq2SeqModel
        else {"AutoModelForCausalLM": auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES}
    )
    return text | {
        "AutoModelForImageTextToText": auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
        "AutoModelForMultimodalLM": auto.MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES,
    }


def _has_no_head(model: Any) -> bool:
    """Return whether the model has no head. A user's own class counts as one with a head."""
    can_write = getattr(model, "can_generate", lambda: False)() or model.get_output_embeddings() is not None
    of_transformers = type(model).__module__.startswith("transformers.")
    return not can_write and (of_transformers or type(model).__name__.endswith("Model"))


def _has_embeddings(model: Any) -> bool:
    """Return whether the model has an embedding module: transformers may raise, or return a tensor, if it has none."""
    from torch import nn

    try:
        return isinstance(model.get_input_embeddings(), nn.Module)
    except (NotImplementedError, AttributeError):
        return False
