"""Which of the three kinds of model something is, and which class of transformers loads it.

No family is named here. A name is decided by transformers' own tables, an object by what it can do.
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
    """The kind of a model with this config and class. Raises: InputError for what cannot be explained."""
    two_parts = getattr(config, "is_encoder_decoder", False)
    if architecture.endswith(_OTHER_TASKS):
        raise neither(name, architecture)
    if architecture.endswith("ForSequenceClassification"):
        if two_parts:
            raise InputError(f"{name} is a {architecture}, whose answers cannot be explained here.", cure=_CURE)
        return ClassifierModel
    return Seq2SeqModel if two_parts and not architecture.endswith("ForCausalLM") else CausalModel


def loader_of(kind: type[Model], config: Any, architecture: str, name: str) -> str:
    """The Auto class that loads a checkpoint of this kind: the one for text alone where there are several.

    Models that see or hear are loaded whole, and read text alone.
    Raises: InputError where transformers has none.
    """
    tables = _tables(kind)
    model_type = getattr(config, "model_type", "")
    named = [loader for loader, names in tables.items() if architecture and names.get(model_type) == architecture]
    known = [loader for loader, names in tables.items() if model_type in names]
    own = [loader for loader in tables if loader in (getattr(config, "auto_map", None) or {})]  # code of its own
    found = named or own or known
    if not found:
        raise neither(name, architecture or type(config).__name__)
    return found[0]


def seen(model: Any, tokenizer: Any, name: str, applied: Applied | None = None) -> Model:
    """A transformers model as one of ours; `applied` as in `ClassifierModel`, and of no use to other kinds.

    Raises: InputError for what cannot be explained; UnsupportedMethod, one of them, for virtual tokens.
    """
    if getattr(model, "main_input_name", "input_ids") != "input_ids":
        raise InputError(f"{name} reads no text but {model.main_input_name}.", cure="Take a model that reads text.")
    inner = bare(model)  # a wrapper's class says nothing
    architecture = type(inner).__name__
    kind = kind_of(getattr(model, "config", None), architecture, name)
    if kind is not ClassifierModel and _has_no_head(inner):
        raise InputError(neither(name, architecture).message, cure=f"{_WITH_HEAD} {_CURE}")
    if not _has_embeddings(model):
        raise InputError(
            f"{name} ({architecture}) has no table of token embeddings, and a map is made of what those do.",
            cure='Take a model that looks its tokens up in a vocabulary; "demo" always works.',
        )
    if kind is ClassifierModel:
        return ClassifierModel(model, tokenizer, name=name, applied=applied)
    return kind(model, tokenizer, name=name)


def neither(name: str, architecture: str) -> InputError:
    """The error for a model without a head, or with one for another task."""
    return InputError(f"{name} is a {architecture}, which neither writes text nor classifies it.", cure=_CURE)


def _tables(kind: type[Model]) -> dict[str, dict[str, str]]:
    """Auto classes that may load a kind, with the class that each knows for a model type; text alone comes first."""
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
    """Whether nothing turns its vectors into words. A class of the user's own may do that in its own way."""
    can_write = getattr(model, "can_generate", lambda: False)() or model.get_output_embeddings() is not None
    of_transformers = type(model).__module__.startswith("transformers.")
    return not can_write and (of_transformers or type(model).__name__.endswith("Model"))


def _has_embeddings(model: Any) -> bool:
    """Whether a module looks tokens up. transformers raises for a model that has none, and some give a bare tensor."""
    from torch import nn

    try:
        return isinstance(model.get_input_embeddings(), nn.Module)
    except (NotImplementedError, AttributeError):
        return False
